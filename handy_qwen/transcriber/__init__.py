"""The Transcriber port on our own engine."""

from handy_qwen.core.types import Live
from handy_qwen.transcriber.job import LiveText, Model
from handy_qwen.transcriber.thread import EngineTranscriber

__all__ = ["EngineTranscriber", "Live", "LiveText", "Model"]
