"""The windows of the app but the guide; all are built on ``ui.window``."""
