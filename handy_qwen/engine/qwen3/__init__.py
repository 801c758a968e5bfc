"""qwen3."""
