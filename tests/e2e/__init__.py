"""The real program on a virtual desktop."""
