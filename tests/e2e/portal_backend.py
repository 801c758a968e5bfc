"""A desktop's backend for the portal of global shortcuts, behind the real xdg-desktop-portal.

Run as a program of its own. Prints a line for each call; obeys lines on its standard input: ``press NAME``,
``release NAME``, ``close``. In the environment, ``CODE`` is its answer to a wish for shortcuts (2: yes, as
GNOME says it).
"""

import os
import time

from jeepney import DBusAddress, new_signal

from tests.e2e.stand_in import StandIn, say

NAME = "org.freedesktop.impl.portal.desktop.fake"
SHORTCUTS = DBusAddress(
    "/org/freedesktop/portal/desktop", interface="org.freedesktop.impl.portal.GlobalShortcuts"
)


class Backend(StandIn):
    session = ""

    def answer(self, message, member):
        match member:
            case "CreateSession":
                self.session = message.body[1]
                say("session")
                self.reply(message, "ua{sv}", (0, {"session_id": ("s", "x")}))
            case "BindShortcuts":
                for name, facts in message.body[2]:
                    say(f"bind {name} {facts.get('preferred_trigger', ('s', '-'))[1]}")
                key = {"trigger_description": ("s", "a key")}
                results = {"shortcuts": ("a(sa{sv})", [(name, key) for name, _ in message.body[2]])}
                self.reply(message, "ua{sv}", (int(os.environ.get("CODE", "0")), results))
            case "GetAll":
                self.reply(message, "a{sv}", ({"version": ("u", 1)},))
            case "Get":
                self.reply(message, "v", (("u", 1),))
            case "Close":
                self.reply(message)
            case _:
                self.refuse(message)

    def obey(self, *command):
        match command:
            case ["press" | "release" as kind, name]:
                member = "Activated" if kind == "press" else "Deactivated"
                body = (self.session, name, int(time.time() * 1000), {})
                self.connection.send(new_signal(SHORTCUTS, member, "osta{sv}", body))
            case ["close"]:
                session = DBusAddress(self.session, interface="org.freedesktop.impl.portal.Session")
                self.connection.send(new_signal(session, "Closed"))


if __name__ == "__main__":
    Backend(NAME).serve()
