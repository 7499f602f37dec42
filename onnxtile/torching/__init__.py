"""Networks of torch: modules, TorchScript files and exported programs. Imported only where one is given."""
