"""Reaching the running program from the command line; making sure that there is only one.

On Linux and macOS over a Unix domain socket, itself 0600, in a folder that only its owner can enter; on Linux
the kernel also says who is calling. Python has no such socket on Windows, so there it is a port of the
loopback device, and a caller must show a secret from a file that only the user can read.

One line of JSON each way, then the connection is closed.
"""

from handy_qwen.control.endpoint import Endpoint, InstanceLock, ask
from handy_qwen.control.server import Answer, ControlServer

__all__ = ["Answer", "ControlServer", "Endpoint", "InstanceLock", "ask"]
