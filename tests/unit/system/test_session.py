"""Which desktop it is, whatever the environment says of it."""

import gc
import socket
import sys
import threading

import pytest

from handy_qwen.system.session import Kind, Session, answers, compositing_for, is_xwayland, session_of

RUN = {"XDG_RUNTIME_DIR": "/run/user/7"}
WAYLAND, X = {"WAYLAND_DISPLAY": "wayland-1"}, {"DISPLAY": ":0"}


def look(environment, answering, *, has_xwayland=False, platform="linux"):
    """The session while the sockets of ``answering`` answer."""
    sockets = {f"/run/user/7/{one}" if one.startswith("wayland") else one for one in answering}
    sockets |= {f"/tmp/.X11-unix/X{one[1:]}" for one in answering if one.startswith(":")}
    return session_of(
        environment,
        platform,
        answers=lambda addresses: not sockets.isdisjoint(addresses),
        is_xwayland=lambda _display: has_xwayland,
    )


@pytest.mark.parametrize("told", ["", "tty", "x11", "wayland", "mir", "unspecified"])
@pytest.mark.parametrize(
    ("named", "answering", "has_xwayland", "kind"),
    [
        ({}, [], False, Kind.NONE),
        (X, [":0"], False, Kind.X11),  # startx, ssh, tmux, cron: whatever they say
        (X, [], False, Kind.NONE),  # an X server that is gone
        (WAYLAND, ["wayland-1"], False, Kind.WAYLAND),  # without XWayland
        (WAYLAND, [], False, Kind.NONE),  # its socket is gone
        (WAYLAND | X, ["wayland-1", ":0"], True, Kind.WAYLAND),
        (WAYLAND | X, ["wayland-1"], False, Kind.WAYLAND),  # DISPLAY is left over
        (WAYLAND | X, [":0"], False, Kind.X11),  # WAYLAND_DISPLAY is left over
        (X, [":0", "wayland-0"], True, Kind.WAYLAND),  # a service that was told of one of them only
        (X, [":0"], True, Kind.WAYLAND),  # no compositor to be found, but one there must be
        (WAYLAND | X, [], False, Kind.NONE),
    ],
)
def test_what_answers_counts_and_not_what_the_session_is_called(named, answering, has_xwayland, kind, told):
    found = look(
        RUN | named | ({"XDG_SESSION_TYPE": told} if told else {}), answering, has_xwayland=has_xwayland
    )
    assert found.kind is kind
    assert found.display == (":0" if "DISPLAY" in named and ":0" in answering else "")
    assert set(found.dead) == {name for name in named.values() if name not in answering}


@pytest.mark.parametrize(
    ("told", "kind"),
    [("x11", Kind.X11), ("wayland", Kind.WAYLAND), ("tty", Kind.WAYLAND), ("", Kind.WAYLAND)],
)
def test_only_where_both_are_real_the_name_of_the_session_decides(told, kind):
    """A compositor in a window of an X11 session, or of another session of the same user."""
    found = look(RUN | WAYLAND | X | {"XDG_SESSION_TYPE": told}, ["wayland-1", ":0"])
    assert (found.kind, found.wayland) == (kind, "wayland-1" if kind is Kind.WAYLAND else "")


def test_a_wayland_session_that_names_no_display_is_looked_for_where_libwayland_does():
    found = look(RUN | {"XDG_SESSION_TYPE": "wayland"}, ["wayland-0"])
    assert found == Session(Kind.WAYLAND, "wayland-0")
    assert look(RUN, ["wayland-0"]).kind is Kind.NONE, "nothing says that it is this session's"


def test_without_a_runtime_folder_only_a_whole_path_names_a_wayland_display():
    assert look(WAYLAND, ["wayland-1"]).kind is Kind.NONE
    assert look({"WAYLAND_DISPLAY": "/tmp/w"}, ["/tmp/w"]).kind is Kind.WAYLAND


@pytest.mark.parametrize("display", ["far.example:0", "localhost:10.0"])
def test_a_display_of_another_machine_is_believed(display):
    found = look({"DISPLAY": display, "XDG_SESSION_TYPE": "tty"}, [])
    assert (found.kind, found.display, found.dead) == (Kind.X11, display, ())


@pytest.mark.parametrize("display", [":7", ":7.1", "unix:7", "unix/:7"])
def test_a_display_of_this_machine_is_asked(display):
    assert look({"DISPLAY": display}, [":7"]).display == display
    assert look({"DISPLAY": display}, []).dead == (display,)


@pytest.mark.parametrize("display", ["nonsense", ":", ":-1", " :7", ":7.", ":7\udcff", "far.example"])
def test_what_names_no_display_is_none(display):
    """Qt would end the process over it."""
    found = look({"DISPLAY": display}, [":7"])
    assert (found.kind, found.dead) == (Kind.NONE, (display,))


def test_other_systems_need_no_environment():
    environment = RUN | WAYLAND | X
    assert look(environment, [], platform="win32") == Session(Kind.WINDOWS)
    assert look(environment, [], platform="darwin") == Session(Kind.MACOS)


def test_the_desktop_says_its_name():
    assert look(RUN | X | {"XDG_CURRENT_DESKTOP": "ubuntu:GNOME"}, [":0"]).desktop == "ubuntu:GNOME"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Unix sockets as Linux has them")
def test_a_socket_answers_only_while_somebody_listens(tmp_path):
    path = str(tmp_path / "wayland-9")
    assert not answers([path])
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        assert answers(["/nowhere", path])
        assert session_of({"WAYLAND_DISPLAY": path}).kind is Kind.WAYLAND
    assert not answers([path]), "the file is still there"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Unix sockets as Linux has them")
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_x_server_that_accepts_and_says_nothing_is_not_waited_for(monkeypatch):
    monkeypatch.setattr("handy_qwen.system.session.ANSWER_S", 0.1)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0/tmp/.X11-unix/X54323")
        server.listen()
        answered = threading.Event()
        threading.Thread(target=lambda: (is_xwayland(":54323"), answered.set()), daemon=True).start()
        assert answered.wait(30)
    for thread in threading.enumerate():
        if thread.name == "session":
            thread.join(30)
    gc.collect()  # python-xlib leaves its socket open; now, while that is expected


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="python-xlib is installed on Linux only")
def test_only_an_x11_session_may_lack_a_compositor(monkeypatch):
    def refuse(_display):
        return lambda: False

    monkeypatch.setattr("handy_qwen.system.session.X11Compositing", refuse)
    for kind in Kind:
        session = Session(kind, display=":54324")
        assert compositing_for(lambda session=session: session)() == (kind is not Kind.X11)
