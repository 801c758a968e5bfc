"""Players of other programs: those that can be asked are, whatever becomes of the others meanwhile."""

import pytest

pytest.importorskip("jeepney", reason="D-Bus is on Linux only")

from jeepney import HeaderFields, new_error, new_method_return

from handy_qwen.system import players

OWNERS = {"org.mpris.MediaPlayer2.b": ":1.2", "org.mpris.MediaPlayer2.c": ":1.3"}


class Bus:
    """A session bus. The player ``a`` is on the list and gone when it is asked for."""

    id = "first"

    def __init__(self):
        self.status = dict.fromkeys(OWNERS.values(), "Playing")

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass

    def send_and_get_reply(self, message, *, timeout):
        assert 0 < timeout <= players.MOST_S
        message.header.serial = 1
        fields = message.header.fields
        owner = fields[HeaderFields.destination]
        match fields[HeaderFields.member]:
            case "GetId":
                return new_method_return(message, "s", (self.id,))
            case "ListNames":
                names = ["org.mpris.MediaPlayer2.a", "org.freedesktop.DBus", *OWNERS]
                return new_method_return(message, "as", (names,))
            case "GetNameOwner" if message.body[0] not in OWNERS:
                return new_error(message, "org.freedesktop.DBus.Error.NameHasNoOwner")
            case "GetNameOwner":
                return new_method_return(message, "s", (OWNERS[message.body[0]],))
            case "Get":
                return new_method_return(message, "v", (("s", self.status[owner]),))
            case told:
                self.status[owner] = {"Pause": "Paused", "Play": "Playing"}[told]
                return new_method_return(message)


def test_one_that_ends_meanwhile_keeps_no_other_from_pausing_or_going_on(monkeypatch):
    bus = Bus()
    monkeypatch.setattr(players, "connect", lambda _bus: bus)
    paused = []
    players.pause_players(lambda playing: paused.extend([*playing, *set(bus.status.values())]))
    assert paused.pop() == "Playing", "told before they are paused"
    assert [one.name for one in paused] == list(OWNERS)
    assert set(bus.status.values()) == {"Paused"}
    bus.id = "another login, whose players have the same numbers"
    players.resume_players(paused)
    assert set(bus.status.values()) == {"Paused"}
    bus.id = Bus.id
    players.resume_players(paused)
    assert set(bus.status.values()) == {"Playing"}
