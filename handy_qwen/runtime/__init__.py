"""The threads: the dictation cycle, the execution of effects, workers, and the watchdog over them."""
