"""A music player that speaks MPRIS, as a program. Its argument is its name.

Prints a line for each command it gets by the bus; obeys lines on its standard input, which set what it does:
``Playing``, ``Paused``, ``Stopped``.
"""

import sys

from tests.e2e.stand_in import StandIn, say


class Player(StandIn):
    status = "Playing"

    def answer(self, message, member):
        match member:
            case "Get":
                self.reply(message, "v", (("s", self.status),))
            case "Pause" | "Play":
                self.status = {"Pause": "Paused", "Play": "Playing"}[member]
                say(member)
                self.reply(message)
            case _:
                self.refuse(message)

    def obey(self, status):
        self.status = status
        say(f"is {status}")


if __name__ == "__main__":
    Player(f"org.mpris.MediaPlayer2.{sys.argv[1]}").serve()
