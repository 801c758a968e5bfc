"""A stand-in for a program of the desktop: it has a name on the bus, and a test talks to it by lines."""

import os
import select
import sys

from jeepney import HeaderFields, MessageType, message_bus, new_error, new_method_return
from jeepney.io.blocking import open_dbus_connection


def say(text):
    """Tell the test something, as a line on the standard output."""
    print(text, flush=True)  # noqa: T201 (this is the protocol)


class StandIn:
    """The owner of ``name`` on the session's bus. Ends with its standard input.

    Attributes:
        connection: To the bus.
        watched: Further files; when one of them can be read, ``end`` is called with it.
    """

    def __init__(self, name):
        self.connection = open_dbus_connection(enable_fds=True)
        self.connection.send_and_get_reply(message_bus.RequestName(name))
        self.watched = []

    def serve(self):
        """Say ``ready``, then obey the lines on the standard input and answer calls."""
        say("ready")
        while True:
            ready, _, _ = select.select([self.connection.sock, sys.stdin, *self.watched], [], [])
            for one in [one for one in self.watched if one in ready]:
                self.end(one)
            if sys.stdin in ready:
                lines = os.read(sys.stdin.fileno(), 4096).decode().splitlines()  # select knows no buffers
                if not lines:
                    return
                for line in lines:
                    self.obey(*line.split())
            if self.connection.sock in ready:
                self._receive()

    def _receive(self):
        try:
            while True:
                message = self.connection.receive(timeout=0)
                if message.header.message_type is MessageType.method_call:
                    self.answer(message, message.header.fields[HeaderFields.member])
        except TimeoutError:
            return

    def answer(self, message, member):
        """Answer the call ``message`` of ``member``: with ``reply``, or ``refuse`` where there is none."""
        raise NotImplementedError

    def reply(self, message, signature=None, body=()):
        """Send what a call returns."""
        self.connection.send(new_method_return(message, signature, body))

    def refuse(self, message):
        """Say that there is no such method."""
        self.connection.send(new_error(message, "org.freedesktop.DBus.Error.UnknownMethod"))

    def obey(self, *words):
        """Do what a line of the test says."""
        raise NotImplementedError

    def end(self, file):
        """Take ``file`` out of ``watched``: it can be read."""
        raise NotImplementedError
