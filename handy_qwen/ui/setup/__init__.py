"""The guide of the first start: model, microphone, hotkey, a first text, start at login."""
