"""Judge files of torch by their bytes before anything of them is loaded."""
