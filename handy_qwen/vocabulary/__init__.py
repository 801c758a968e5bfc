"""The user's words and replacements: how the lists change, and the files they come from and go to."""
