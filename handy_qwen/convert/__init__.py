"""From an official checkpoint to the compact package that the engine runs. Needs onnx, not torch."""
