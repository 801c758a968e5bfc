"""Audio input: microphones and audio files. Audio output: cues at the start and end of a take."""
