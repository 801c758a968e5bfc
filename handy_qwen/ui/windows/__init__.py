"""The windows of the app except the guide; all are based on ``ui.window``."""
