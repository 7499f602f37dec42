"""Take networks of torch: modules, TorchScript files and exported programs."""
