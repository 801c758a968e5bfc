"""Pauses and resumes music and videos of other programs through MPRIS, as used by Linux players.

Source: https://specifications.freedesktop.org/mpris-spec/latest/.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from jeepney import DBusAddress, message_bus, new_method_call
from jeepney.wrappers import DBusErrorResponse, Properties, unwrap_msg

from handy_qwen.system.portal import BROKEN, BusConnection, connect

logger = logging.getLogger(__name__)

MOST_S = 2.0  # for all players: one that hangs must not delay the others for long
ANSWER_S = 0.5
_PREFIX = "org.mpris.MediaPlayer2."
_PATH, _PLAYER = "/org/mpris/MediaPlayer2", "org.mpris.MediaPlayer2.Player"


@dataclass(frozen=True, slots=True)
class MediaPlayer:
    """A player by its name on a bus; ``bus`` and ``owner`` distinguish this run of either from the next."""

    name: str
    owner: str
    bus: str


def pause_players(note: Callable[[Sequence[MediaPlayer]], None], bus: str = "SESSION") -> None:
    """Pause all that play, after passing them to ``note``. May take ``MOST_S``."""

    def visit(connection: BusConnection, players: Iterable[MediaPlayer]) -> None:
        playing = [one for one in players if _status(connection, one) == "Playing"]
        note(playing)
        for player in playing:
            _tell(connection, player, "Pause")

    _visit(bus, visit)


def resume_players(players: Iterable[MediaPlayer], bus: str = "SESSION") -> None:
    """Resume those of ``players`` that are still paused: not what the user has stopped or closed."""
    wanted = set(players)

    def visit(connection: BusConnection, there: Iterable[MediaPlayer]) -> None:
        for player in there:
            if player in wanted and _status(connection, player) == "Paused":
                _tell(connection, player, "Play")

    if wanted:
        _visit(bus, visit)


def _visit(bus: str, visit: Callable[[BusConnection, Iterable[MediaPlayer]], None]) -> None:
    try:
        with connect(bus) as connection:
            visit(connection, _named(connection))
    except BROKEN as exc:
        logger.info("players not reached: %s", type(exc).__name__)


def _named(connection: BusConnection) -> Iterator[MediaPlayer]:
    end_s = time.monotonic() + MOST_S
    (bus,) = unwrap_msg(connection.send_and_get_reply(message_bus.GetId(), timeout=ANSWER_S))
    (names,) = unwrap_msg(connection.send_and_get_reply(message_bus.ListNames(), timeout=ANSWER_S))
    for name in sorted(names):
        if name.startswith(_PREFIX) and time.monotonic() < end_s and (owner := _owner(connection, name)):
            yield MediaPlayer(name, owner, str(bus))


def _owner(connection: BusConnection, name: str) -> str:
    """The owner of ``name``; "" if there is none any more."""
    try:
        reply = connection.send_and_get_reply(message_bus.GetNameOwner(name), timeout=ANSWER_S)
        return str(unwrap_msg(reply)[0])
    except DBusErrorResponse:
        return ""


def _address(player: MediaPlayer) -> DBusAddress:
    return DBusAddress(_PATH, bus_name=player.owner, interface=_PLAYER)


def _status(connection: BusConnection, player: MediaPlayer) -> Any:  # noqa: ANN401  whatever it says
    asked = Properties(_address(player)).get("PlaybackStatus")
    try:
        ((_, status),) = unwrap_msg(connection.send_and_get_reply(asked, timeout=ANSWER_S))
    except BROKEN as exc:  # it hangs, or is not a player after all
        logger.info("a player does not say whether it plays: %s", type(exc).__name__)
        return ""
    return status


def _tell(connection: BusConnection, player: MediaPlayer, method: str) -> None:
    try:
        told = new_method_call(_address(player), method)
        unwrap_msg(connection.send_and_get_reply(told, timeout=ANSWER_S))
    except BROKEN as exc:
        logger.info("a player did not obey %s: %s", method, type(exc).__name__)
