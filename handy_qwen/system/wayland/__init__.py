"""All that is known of the Wayland compositor: its wire, clipboards, virtual keyboard, layers; sway's socket.

Spoken directly, over the socket, in Python: the one library for it, pywayland, is compiled, and has no wheels
but for x86-64. What is used of the protocol is small.
"""
