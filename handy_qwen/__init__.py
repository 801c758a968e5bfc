"""Handy Qwen: hold a key, speak, release: your words appear in the focused window."""

import os

__version__ = "0.1.0"

# Since 1.29, ONNX Runtime on Linux also sends telemetry, unless disabled before it is loaded.
# Source: its docs/Privacy.md; seen as ~/.cache/Microsoft/DeveloperTools/.onnxruntime with 1.32.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
