"""A stand-in for logind on a bus of its own, as a program.

Prints a line for each call of Inhibit ("held up"), and when what it gave is closed ("released"); obeys lines
on its standard input: ``sleep``, ``wake``, ``unlock``.
"""

import os

from jeepney import DBusAddress, new_signal

from tests.e2e.stand_in import StandIn, say

NAME = "org.freedesktop.login1"
MANAGER = DBusAddress("/org/freedesktop/login1", interface=f"{NAME}.Manager")
SESSION = DBusAddress("/org/freedesktop/login1/session/_31", interface="org.freedesktop.DBus.Properties")


class Logind(StandIn):
    """Watches the ends it keeps of the pipes that it gives away."""

    def answer(self, message, member):
        if member != "Inhibit":
            self.refuse(message)
            return
        assert message.body[0] == "sleep"
        assert message.body[3] == "delay"
        kept, given = os.pipe()
        self.watched.append(kept)
        self.reply(message, "h", (given,))
        os.close(given)
        say("held up")

    def end(self, kept):
        os.close(kept)
        self.watched.remove(kept)
        say("released")

    def obey(self, command):
        match command:
            case "sleep" | "wake":
                self.connection.send(new_signal(MANAGER, "PrepareForSleep", "b", (command == "sleep",)))
            case "unlock":
                changed = (f"{NAME}.Session", {"LockedHint": ("b", False)}, [])
                self.connection.send(new_signal(SESSION, "PropertiesChanged", "sa{sv}as", changed))


if __name__ == "__main__":
    Logind(NAME).serve()
