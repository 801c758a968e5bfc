"""A desktop's backend for the portal of global shortcuts, behind the real xdg-desktop-portal.

Run as a program of its own. Prints a line for each call; obeys lines on its standard input: ``press NAME``,
``release NAME``, ``close``. In the environment, ``CODE`` is its answer to a wish for shortcuts (2: yes, as
GNOME says it).
"""

import os
import select
import sys
import time

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

NAME = "org.freedesktop.impl.portal.desktop.fake"
SHORTCUTS = DBusAddress(
    "/org/freedesktop/portal/desktop", interface="org.freedesktop.impl.portal.GlobalShortcuts"
)


def say(text):
    print(text, flush=True)  # noqa: T201 (this is the protocol)


class Backend:
    def __init__(self):
        self.connection = open_dbus_connection()
        self.connection.send_and_get_reply(message_bus.RequestName(NAME))
        self.session = ""

    def serve(self):
        say("ready")
        while True:
            ready, _, _ = select.select([self.connection.sock, sys.stdin], [], [])
            if sys.stdin in ready:
                lines = os.read(sys.stdin.fileno(), 4096).decode().splitlines()  # select knows no buffers
                if not lines:
                    return
                for line in lines:
                    self.obey(line.split())
            if self.connection.sock in ready:
                self.receive()

    def receive(self):
        try:
            while True:
                message = self.connection.receive(timeout=0)
                if message.header.message_type is MessageType.method_call:
                    self.connection.send(self.answer(message))
        except TimeoutError:
            return

    def answer(self, message):
        member = message.header.fields[HeaderFields.member]
        match member:
            case "CreateSession":
                self.session = message.body[1]
                say("session")
                return new_method_return(message, "ua{sv}", (0, {"session_id": ("s", "x")}))
            case "BindShortcuts":
                for name, facts in message.body[2]:
                    say(f"bind {name} {facts.get('preferred_trigger', ('s', '-'))[1]}")
                key = {"trigger_description": ("s", "a key")}
                results = {"shortcuts": ("a(sa{sv})", [(name, key) for name, _ in message.body[2]])}
                return new_method_return(message, "ua{sv}", (int(os.environ.get("CODE", "0")), results))
            case "GetAll":
                return new_method_return(message, "a{sv}", ({"version": ("u", 1)},))
            case "Get":
                return new_method_return(message, "v", (("u", 1),))
            case "Close":
                return new_method_return(message)
        return new_error(message, "org.freedesktop.DBus.Error.UnknownMethod")

    def obey(self, command):
        match command:
            case ["press" | "release" as kind, name]:
                member = "Activated" if kind == "press" else "Deactivated"
                body = (self.session, name, int(time.time() * 1000), {})
                self.connection.send(new_signal(SHORTCUTS, member, "osta{sv}", body))
            case ["close"]:
                session = DBusAddress(self.session, interface="org.freedesktop.impl.portal.Session")
                self.connection.send(new_signal(session, "Closed"))


if __name__ == "__main__":
    Backend().serve()
