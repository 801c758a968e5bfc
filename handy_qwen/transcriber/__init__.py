"""The Transcriber port, on the engine."""
