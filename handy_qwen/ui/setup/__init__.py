"""The guide of the first start: microphone, hotkey, a first text, model, start at login."""
