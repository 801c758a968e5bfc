"""The Transcriber port on our own engine."""

from handy_qwen.transcriber.thread import EngineTranscriber

__all__ = ["EngineTranscriber"]
