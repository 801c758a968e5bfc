"""Measures how fast a model is on this machine, and how close to the machine's limits."""
