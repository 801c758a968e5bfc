"""The logic of dictation, with no device, clock, thread, file or window in it."""
