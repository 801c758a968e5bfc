"""A music player that speaks MPRIS, as a program. Its argument is its name.

Prints a line for each command it gets by the bus; obeys lines on its standard input, which set what it does:
``Playing``, ``Paused``, ``Stopped``.
"""

import os
import select
import sys

from jeepney import HeaderFields, MessageType, message_bus, new_error, new_method_return
from jeepney.io.blocking import open_dbus_connection


def say(text):
    print(text, flush=True)  # noqa: T201 (this is the protocol)


def main():
    status = "Playing"
    connection = open_dbus_connection()
    connection.send_and_get_reply(message_bus.RequestName(f"org.mpris.MediaPlayer2.{sys.argv[1]}"))
    say("ready")
    while True:
        ready, _, _ = select.select([connection.sock, sys.stdin], [], [])
        if sys.stdin in ready:
            lines = os.read(sys.stdin.fileno(), 4096).decode().splitlines()
            if not lines:
                return
            status = lines[-1]
            say(f"is {status}")
        try:
            while connection.sock in ready:
                message = connection.receive(timeout=0)
                if message.header.message_type is not MessageType.method_call:
                    continue
                member = message.header.fields[HeaderFields.member]
                match member:
                    case "Get":
                        reply = new_method_return(message, "v", (("s", status),))
                    case "Pause" | "Play":
                        status = {"Pause": "Paused", "Play": "Playing"}[member]
                        say(member)
                        reply = new_method_return(message)
                    case _:
                        reply = new_error(message, "org.freedesktop.DBus.Error.UnknownMethod")
                connection.send(reply)
        except TimeoutError:
            continue


if __name__ == "__main__":
    main()
