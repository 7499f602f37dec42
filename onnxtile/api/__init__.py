"""The Python functions, which take any model: one of ONNX, or one of torch with the inputs of one run."""
