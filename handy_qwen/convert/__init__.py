"""From an official checkpoint, or a published ONNX model, to the compact package that the engine runs.

Needs onnx, not torch.
"""
