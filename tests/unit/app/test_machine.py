"""A display that is not there is told before Qt ends the process for it."""

import socket

import pytest

from handy_qwen.app.machine import check_display
from handy_qwen.errors import HandyError


def test_no_display_is_an_error_with_a_way_on():
    with pytest.raises(HandyError, match="no display") as caught:
        check_display({}, "linux")
    assert "transcribe" in caught.value.hint


def test_a_display_that_does_not_answer_is_an_error():
    with pytest.raises(HandyError, match=":54321 isn't responding"):
        check_display({"DISPLAY": ":54321"}, "linux")


@pytest.mark.unix("displays have Unix sockets")
def test_a_display_that_answers_is_none():
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0/tmp/.X11-unix/X54322")
        server.listen()
        check_display({"DISPLAY": ":54322.0"}, "linux")


@pytest.mark.parametrize(
    ("environment", "platform"),
    [
        ({"QT_QPA_PLATFORM": "offscreen"}, "linux"),
        ({"DISPLAY": "far.example:0"}, "linux"),
        ({}, "win32"),
        ({}, "darwin"),
    ],
)
def test_where_qt_knows_better_nothing_is_checked(environment, platform):
    check_display(environment, platform)


@pytest.mark.unix("displays have Unix sockets")
def test_a_wayland_display_that_is_gone_is_an_error_as_well(tmp_path):
    gone = {"WAYLAND_DISPLAY": "wayland-9", "XDG_RUNTIME_DIR": str(tmp_path)}
    with pytest.raises(HandyError, match="wayland-9 isn't responding"):
        check_display(gone, "linux")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "wayland-9"))
        server.listen()
        check_display(gone, "linux")
