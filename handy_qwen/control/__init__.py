"""Reaching the running program from the command line, and seeing to it that there is only one.

On Linux and macOS over a Unix domain socket in a folder that only its owner can enter (0700), itself
0600; on Linux the kernel is asked besides who is calling. Windows has no such socket in Python, so
there it is a port of the loopback device, and a caller must show a secret from a file that only the
user can read. A named pipe would do as well; it needs an extra package or a page of ctypes.

One line of JSON each way, then the connection is closed.
"""

from handy_qwen.control.endpoint import Endpoint, InstanceLock, ask
from handy_qwen.control.server import Answer, ControlServer

__all__ = ["Answer", "ControlServer", "Endpoint", "InstanceLock", "ask"]
