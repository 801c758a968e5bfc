"""Qwen3-ASR on ONNX Runtime: samples in, text out. Knows nothing of the app (see MODEL.md)."""
