"""Input that somebody made to do harm: how it is made, and all that reads input."""
