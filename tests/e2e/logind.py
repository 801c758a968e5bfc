"""A stand-in for logind on a bus of its own, as a program.

Prints a line for each call of Inhibit ("held up"), and when what it gave is closed ("released"); obeys lines
on its standard input: ``sleep``, ``wake``, ``unlock``.
"""

import os
import select
import sys

from jeepney import (
    DBusAddress,
    HeaderFields,
    MessageType,
    message_bus,
    new_error,
    new_method_return,
    new_signal,
)
from jeepney.io.blocking import open_dbus_connection

NAME = "org.freedesktop.login1"
MANAGER = DBusAddress("/org/freedesktop/login1", interface=f"{NAME}.Manager")
SESSION = DBusAddress("/org/freedesktop/login1/session/_31", interface="org.freedesktop.DBus.Properties")


def say(text):
    print(text, flush=True)  # noqa: T201 (this is the protocol)


class Logind:
    def __init__(self):
        self.connection = open_dbus_connection(enable_fds=True)
        self.connection.send_and_get_reply(message_bus.RequestName(NAME))
        self.locks = []  # of each that was given the end of the pipe that is kept

    def serve(self):
        say("ready")
        while True:
            ready, _, _ = select.select([self.connection.sock, sys.stdin, *self.locks], [], [])
            for lock in [one for one in self.locks if one in ready]:
                os.close(lock)
                self.locks.remove(lock)
                say("released")
            if sys.stdin in ready:
                lines = os.read(sys.stdin.fileno(), 4096).decode().splitlines()
                if not lines:
                    return
                for line in lines:
                    self.obey(line)
            if self.connection.sock in ready:
                self.receive()

    def receive(self):
        try:
            while True:
                message = self.connection.receive(timeout=0)
                if message.header.message_type is MessageType.method_call:
                    self.answer(message)
        except TimeoutError:
            return

    def answer(self, message):
        if message.header.fields[HeaderFields.member] != "Inhibit":
            self.connection.send(new_error(message, "org.freedesktop.DBus.Error.UnknownMethod"))
            return
        assert message.body[0] == "sleep"
        assert message.body[3] == "delay"
        kept, given = os.pipe()
        self.locks.append(kept)
        self.connection.send(new_method_return(message, "h", (given,)))
        os.close(given)
        say("held up")

    def obey(self, command):
        match command:
            case "sleep" | "wake":
                self.connection.send(new_signal(MANAGER, "PrepareForSleep", "b", (command == "sleep",)))
            case "unlock":
                changed = (f"{NAME}.Session", {"LockedHint": ("b", False)}, [])
                self.connection.send(new_signal(SESSION, "PropertiesChanged", "sa{sv}as", changed))


if __name__ == "__main__":
    Logind().serve()
