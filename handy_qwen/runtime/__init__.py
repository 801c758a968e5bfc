"""The threads: the dictation cycle, what each effect does, workers, and the watchdog over them."""
