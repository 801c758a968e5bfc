"""Measuring: how fast a model is on this machine, and how close to what the machine can do."""
