"""The Transcriber port on our own engine."""
