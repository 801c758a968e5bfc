"""The control socket: its owner's calls, strangers' noise, leftovers of a crash, and two starts at once."""

import contextlib
import errno
import json
import queue
import socket
import stat
import subprocess
import sys
import threading

import pytest

from handy_qwen import control, paths
from handy_qwen.control import (
    MAX_REQUEST_BYTES,
    PROTOCOL,
    ControlServer,
    Endpoint,
    InstanceLock,
    ask,
)
from handy_qwen.errors import ControlError


@pytest.fixture(params=["unix", "loopback"])
def meeting(request, tmp_path):
    if request.param == "unix" and sys.platform == "win32":
        pytest.skip("Windows has no Unix sockets in Python")
    return Endpoint(tmp_path / "run", is_unix=request.param == "unix")


@pytest.fixture
def serve():
    """Starts servers, which end with the test."""
    servers = []

    def serve(meeting, answer=lambda command: {"heard": command}):
        servers.append(ControlServer(meeting, answer))
        servers[-1].start()
        return servers[-1]

    yield serve
    for one in servers:
        one.close()
        one.close()
    assert not any(thread.name == "control" for thread in threading.enumerate())


@pytest.fixture
def start(meeting, serve):
    """Starts a server at ``meeting``."""
    return lambda *answer: serve(meeting, *answer)


def raw(meeting, data):
    """Send ``data`` as it is and return what comes back."""
    connection, _ = meeting.connect(5)
    with connection:
        answer = b""
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while chunk := connection.recv(65_536):
                answer += chunk
        except OSError:
            pass  # the server did not read all that was sent
        return json.loads(answer) if answer else None


def test_a_command_is_answered_also_at_length(meeting, start):
    start(lambda command: {"heard": command, "text": "ä" * 300_000})
    assert ask(meeting, "status")["heard"] == "status"
    assert ask(meeting, "status")["text"] == "ä" * 300_000


def test_nobody_listening_is_said_so(meeting):
    with pytest.raises(ControlError, match="not running"):
        ask(meeting, "status")


def test_a_refusal_reaches_the_caller(meeting, start):
    def refuse(_):
        raise ControlError("Nothing is being recorded.", "Start first.")

    start(refuse)
    with pytest.raises(ControlError, match="Nothing is being recorded") as caught:
        ask(meeting, "stop")
    assert caught.value.hint == "Start first."


@pytest.mark.expects_log
def test_a_command_that_breaks_is_answered_and_the_server_lives(meeting, start):
    def answer(command):
        return {"heard": command} if command == "status" else {}["nothing"]

    start(answer)
    with pytest.raises(ControlError, match="Something went wrong"):
        ask(meeting, "stop")
    assert ask(meeting, "status")["heard"] == "status"


@pytest.mark.parametrize(
    "noise",
    [
        b"",
        b"\n",
        b"hello\n",
        b"[1, 2]\n",
        b'{"protocol": 1}\n',
        b'{"protocol": 1, "command": 7}\n',
        b'{"protocol": 99, "command": "quit"}\n',
        b"\xff\xfe\x00\n",
        b"[" * 4000 + b"\n",
        b"{" + b" " * MAX_REQUEST_BYTES + b"}\n",
        b"x" * 3_000_000,
    ],
)
def test_noise_is_refused_and_the_server_lives(meeting, start, noise):
    asked = []
    start(lambda command: asked.append(command) or {})
    answer = raw(meeting, noise)
    assert answer is None or answer["ok"] is False
    ask(meeting, "status")
    assert asked == ["status"]


def test_a_caller_who_says_nothing_does_not_keep_out_others(meeting, start, monkeypatch):
    monkeypatch.setattr(control, "TIMEOUT_S", 0.05)
    monkeypatch.setattr(control, "SILENT_S", 60.0)
    start()
    silent, _ = meeting.connect(5)
    dripping, _ = meeting.connect(5)
    dripping.sendall(b"{")
    with silent, dripping:
        assert ask(meeting, "status", timeout_s=30)["heard"] == "status"


def test_a_caller_who_goes_away_does_not_end_the_server(meeting, start):
    start(lambda _: {"text": "x" * 3_000_000})
    connection, secret = meeting.connect(5)
    connection.sendall(
        json.dumps({"protocol": PROTOCOL, "command": "last", "secret": secret}).encode() + b"\n"
    )
    connection.close()
    assert len(ask(meeting, "last")["text"]) == 3_000_000


def test_the_loopback_device_wants_the_secret(tmp_path, serve):
    meeting = Endpoint(tmp_path / "run", is_unix=False)
    serve(meeting)
    for secret in ("", "0" * 64, 7, None):
        request = {"protocol": PROTOCOL, "command": "quit", "secret": secret}
        assert raw(meeting, json.dumps(request).encode() + b"\n")["ok"] is False
    connection, secret = meeting.connect(5)
    connection.close()
    assert len(secret) == 64
    assert ask(meeting, "quit")["ok"] is True


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"port": "x", "secret": ""}', '{"port": 1, "secret": "x"}']
)
def test_a_damaged_port_file_means_not_running(tmp_path, content):
    (tmp_path / control.PORT_FILE).write_text(content)
    with pytest.raises(ControlError, match="not running"):
        ask(Endpoint(tmp_path, is_unix=False), "status")


def test_an_answer_that_is_none_is_said_so(meeting, start, monkeypatch):
    start()
    send = control.send_line

    def answer_nonsense(connection, message):
        connection.sendall(b"[]\n") if "ok" in message else send(connection, message)

    monkeypatch.setattr(control, "send_line", answer_nonsense)
    with pytest.raises(ControlError, match="isn't responding"):
        ask(meeting, "status")


@pytest.mark.unix("modes are POSIX's")
def test_only_the_user_can_reach_the_socket(meeting, start):
    start()
    assert stat.S_IMODE(meeting.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(meeting.path.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells who calls")
@pytest.mark.expects_log
def test_another_user_is_refused_even_if_he_gets_in(tmp_path, monkeypatch, serve):
    meeting = Endpoint(tmp_path / "run", is_unix=True)
    asked = []
    serve(meeting, lambda command: asked.append(command) or {})
    monkeypatch.setattr(control.os, "geteuid", lambda: 123_456)
    with pytest.raises(ControlError, match="not running"):
        ask(meeting, "quit")  # who calls looks as well
    with socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(meeting.path))
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            caller.sendall(b'{"protocol": 1, "command": "quit"}\n')
            assert caller.recv(1000) == b""
    assert asked == []
    with pytest.raises(ControlError, match="another user"):
        Endpoint(tmp_path / "run", is_unix=True).listen()


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ControlError, match="Can't open"):
        Endpoint(tmp_path / "file" / "run").listen()
    with pytest.raises(ControlError, match="Can't write"):
        InstanceLock(tmp_path / "file" / "run").acquire()


def test_what_a_crash_left_is_replaced_and_an_orderly_end_leaves_nothing(meeting, start):
    left, _ = meeting.listen()
    left.close()  # without removing its file
    assert meeting.path.exists()
    one = start()
    assert ask(meeting, "status")["heard"] == "status"
    one.close()
    assert not meeting.path.exists()


def test_a_server_that_was_never_started_can_be_closed(meeting):
    ControlServer(meeting, lambda _: {}).close()


def test_a_socket_that_was_removed_does_not_hinder_the_end(meeting, start):
    one = start()
    meeting.path.unlink()
    one.close(timeout_s=30)
    assert not one.thread.is_alive()


@pytest.mark.unix("Unix sockets only")
def test_a_folder_with_a_very_long_name_works(tmp_path, serve):
    meeting = Endpoint(tmp_path / ("long" * 30) / "run", is_unix=True)
    assert meeting.path.parent != meeting.folder
    one = serve(meeting)
    assert ask(Endpoint(meeting.folder, is_unix=True), "status")["heard"] == "status"
    one.close()
    meeting.path.parent.rmdir()


def test_a_line_may_come_in_pieces():
    left, right = socket.socketpair()
    with left, right:
        for byte in b'{"a": 1}\n':
            left.sendall(bytes([byte]))
        assert control.receive_line(right, 100, 5) == {"a": 1}


def test_the_lock_is_held_by_one_and_given_back(tmp_path):
    first, second = InstanceLock(tmp_path), InstanceLock(tmp_path)
    assert first.acquire()
    assert not second.acquire()
    first.release()
    first.release()
    assert second.acquire()
    second.release()


def test_of_many_started_at_once_exactly_one_wins_and_a_killed_one_leaves_no_lock(tmp_path):
    code = (
        "import sys, pathlib; from handy_qwen.control import InstanceLock; "
        "lock = InstanceLock(pathlib.Path(sys.argv[1])); "
        "print(lock.acquire(), flush=True); sys.stdin.readline()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    started = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    try:
        assert sorted(one.stdout.readline().strip() for one in started) == ["False", "False", "False", "True"]
    finally:
        for one in started:
            one.kill()
            one.communicate()
    assert InstanceLock(tmp_path).acquire()


class Full:
    """A listening socket in a process that may open no more files: calls are seen and cannot be taken."""

    def __init__(self, real):
        self.real, self.is_full, self.tried = real, True, queue.SimpleQueue()

    def fileno(self):
        return self.real.fileno()

    def accept(self):
        if not self.is_full:
            return self.real.accept()
        self.tried.put(True)
        raise OSError(errno.EMFILE, "Too many open files")

    def close(self):
        self.real.close()


@pytest.mark.parametrize("rest_s", [60.0, 0.01])
def test_a_call_that_cannot_be_taken_does_not_keep_the_thread_busy_and_is_taken_later(
    meeting, monkeypatch, rest_s
):
    monkeypatch.setattr(control, "REST_S", rest_s)
    listener = ControlServer(meeting, lambda command: {"heard": command})
    listener._socket, listener._secret = meeting.listen()
    full = listener._socket = Full(listener._socket)
    listener.thread.start()
    answers = queue.SimpleQueue()
    caller = threading.Thread(target=lambda: answers.put(ask(meeting, "status")), daemon=True)
    if rest_s == 60.0:
        meeting.connect(5)[0].close()
        full.tried.get(timeout=30)
        with pytest.raises(queue.Empty):
            full.tried.get(timeout=0.3)
    else:
        caller.start()
        full.tried.get(timeout=30)
        full.is_full = False
        assert answers.get(timeout=30)["heard"] == "status"
        caller.join(30)
    listener.close()


@pytest.mark.linux("a sandbox of Linux")
def test_a_flatpak_is_found_from_each_of_its_sandboxes(tmp_path, monkeypatch):
    """Each has a runtime folder of its own, but for this part of it."""
    monkeypatch.delenv("HANDY_QWEN_HOME", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert paths.runtime_dir() == tmp_path / "handy-qwen"
    monkeypatch.setenv("FLATPAK_ID", "com.editor")
    assert paths.runtime_dir() == tmp_path / "handy-qwen"
    monkeypatch.setenv("FLATPAK_ID", "io.github.handy_qwen")
    assert paths.runtime_dir() == tmp_path / "app" / "io.github.handy_qwen" / "handy-qwen"
    monkeypatch.setenv("HANDY_QWEN_HOME", str(tmp_path / "second"))
    assert paths.runtime_dir() == tmp_path / "second" / "run"
