"""The app on GNOME, KDE and sway, headless; run by ``dev.py test-wayland``, see packaging/wayland.py."""
