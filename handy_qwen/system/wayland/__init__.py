"""The Wayland compositor: wire protocol, clipboards, virtual keyboard, layers; sway's socket.

Implemented directly on the socket, in Python: the only library, pywayland, is compiled, and has wheels for
x86-64 only. We use a small part of the protocol.
"""
