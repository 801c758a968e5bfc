"""What doctor says of machines that are well, half well, and broken. Real devices: see tests/e2e."""

import json
import os
import re
import sqlite3
import threading
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnxruntime as ort
import pytest

from handy_qwen import __version__, cli, paths
from handy_qwen.audio.devices import Device
from handy_qwen.control import InstanceLock
from handy_qwen.core.permissions import Consent, Permission
from handy_qwen.core.types import Hotkey, Method
from handy_qwen.doctor import (
    CHECKS,
    Context,
    Finding,
    Report,
    Status,
    data,
    desktop,
    examine,
    program,
    sound,
)
from handy_qwen.doctor.program import installation
from handy_qwen.doctor.sound import Heard
from handy_qwen.engine.api import ModelPart
from handy_qwen.errors import (
    HandyError,
    HotkeyError,
    HotkeyReason,
    InsertError,
    InsertReason,
    MicrophoneError,
    MicrophoneReason,
)
from handy_qwen.history.store import Places, default_folder
from handy_qwen.models.installed import demo_model, model_entries
from handy_qwen.models.machine import Choice, keep_choice
from handy_qwen.settings import Configuration, Settings, read_configuration
from handy_qwen.system import permissions
from handy_qwen.system.entries import MenuEntry
from handy_qwen.system.hotkeys.listener import Listener
from handy_qwen.system.insert import Description
from handy_qwen.system.insert.backend import Way
from handy_qwen.system.session import session_of
from tests.conftest import is_private

pytestmark = pytest.mark.usefixtures("app_home")
NOWHERE = {"HOME": "/nowhere"}
ON_LINUX = pytest.mark.linux("its libraries are on Linux only")


def context(environment=None, answering=("w", ":0"), platform="linux", **changes):
    """What ``environment`` looks like while the displays ``answering`` answer."""
    environment = environment if environment is not None else NOWHERE
    sockets = {f"/run/{name}" for name in answering} | {f"/tmp/.X11-unix/X{name[1:]}" for name in answering}
    session = session_of(
        {"XDG_RUNTIME_DIR": "/run", **environment},
        platform,
        answers=lambda where: not sockets.isdisjoint(where),
        is_xwayland=lambda _display: "WAYLAND_DISPLAY" in environment,
    )
    return Context(environment, platform=platform, session=session, **changes)


def statuses(findings):
    return [finding.status.value for finding in findings]


def write_settings(text):
    path = paths.config_dir() / "settings.toml"
    path.parent.mkdir(parents=True, mode=0o700)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


# --- the report -------------------------------------------------------------------------------------


def test_a_check_that_breaks_is_a_finding_and_the_others_still_run():
    def broken(_context):
        raise RuntimeError("a secret the message must not carry on")

    def known(_context):
        raise HandyError("It is late.", "Sleep.")

    def fine(_context):
        yield Finding("fine", Status.OK, "It is.")

    report = examine(context(), checks=[("broken", broken), ("known", known), ("fine", fine)])
    assert statuses(report.findings) == ["problem", "problem", "ok"]
    assert "RuntimeError at test_doctor.py" in report.findings[0].text
    assert "secret" not in json.dumps(report.as_dict())
    assert (report.findings[1].text, report.findings[1].remedy) == ("It is late.", "Sleep.")


def test_a_check_that_hangs_is_a_finding_and_the_others_still_run():
    """python-xlib, for one, waits for ever for a server that is stopped."""
    is_over = threading.Event()

    def hangs(_context):
        yield Finding("hangs", Status.OK, "So far so good.")
        is_over.wait(60)

    def fine(_context):
        yield Finding("fine", Status.OK, "It is.")

    report = examine(context(listen_s=0.0), checks=[("hangs", hangs), ("fine", fine)], patience_s=0.3)
    is_over.set()
    assert statuses(report.findings) == ["ok", "problem", "ok"]
    assert "nothing answered" in report.findings[1].text


def test_the_report_is_as_bad_as_its_worst_finding():
    def report(*names):
        return Report(tuple(Finding("x", Status(name), "") for name in names)).status

    assert report() is Status.OK
    assert report("ok", "warning", "ok") is Status.WARNING
    assert report("warning", "problem", "ok") is Status.PROBLEM


def test_the_json_keeps_its_shape():
    finding = Finding("disk", Status.WARNING, "Full.", "Make room.", {"free_bytes": 1})
    assert Report((finding,)).as_dict() == {
        "format": 1,
        "version": __version__,
        "status": "warning",
        "findings": [
            {
                "name": "disk",
                "status": "warning",
                "text": "Full.",
                "remedy": "Make room.",
                "details": {"free_bytes": 1},
            }
        ],
    }


def test_looking_at_a_machine_without_anything_changes_nothing_and_breaks_nothing(app_home):
    """No display, no sound, no bus, no settings: every check has its say, and none fails in itself."""
    app_home.mkdir()
    before = sorted(app_home.rglob("*"))
    report = examine(context({**NOWHERE, "PATH": "/nowhere"}, listen_s=0))
    assert {finding.name for finding in report.findings} >= {name for name, _ in CHECKS} - {
        "tray",
        "permissions",  # without a display there is neither
    }
    assert not [finding for finding in report.findings if "error" in finding.details]
    assert sorted(app_home.rglob("*")) == before
    for finding in report.findings:
        assert finding.text.endswith("."), finding
        assert finding.remedy or finding.status is Status.OK, finding


# --- settings ---------------------------------------------------------------------------------------


def test_a_broken_settings_file_is_a_problem_and_stays_where_it_is():
    path = write_settings('mode = "auto"\nsecret = [unfinished\n')
    found = read_configuration()
    (finding,) = data.check_settings(context(configuration=found))
    assert finding.status is Status.PROBLEM
    assert "Line 2" in finding.text
    assert "secret" not in finding.text
    assert found.settings == Settings()
    assert [entry.name for entry in path.parent.iterdir()] == ["settings.toml"]


def test_settings_that_are_not_understood_are_named_without_their_value():
    write_settings('hold_s = "my secret"\nlive = "sometimes"\n')
    (finding,) = data.check_settings(context(configuration=read_configuration()))
    assert finding.status is Status.WARNING
    assert "hold_s" in finding.text
    assert "live" in finding.text
    assert "secret" not in finding.text


def test_a_good_file_and_none_are_both_fine():
    assert statuses(data.check_settings(context(configuration=read_configuration()))) == ["ok"]
    write_settings("hold_s = 0.5\n")
    found = read_configuration()
    assert statuses(data.check_settings(context(configuration=found))) == ["ok"]
    assert found.settings.hold_s == 0.5


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"\x00" * 100])
def test_a_file_that_is_no_text_is_told(content):
    write_settings("").write_bytes(content)
    (finding,) = data.check_settings(context(configuration=read_configuration()))
    assert finding.status is Status.PROBLEM


# --- the running instance ---------------------------------------------------------------------------


def test_an_instance_that_holds_the_lock_but_does_not_answer_is_a_problem():
    lock = InstanceLock(paths.runtime_dir())
    assert lock.acquire()
    try:
        (finding,) = program.check_instance(context(answer="Handy Qwen does not answer."))
        assert finding.status is Status.PROBLEM
    finally:
        lock.release()
    (finding,) = program.check_instance(context())
    assert finding.status is Status.OK


def test_what_the_running_app_complains_of_is_passed_on():
    notices = [{"title": "The hotkey F9 is taken.", "hint": "Choose another.", "kind": "failed"}]
    status = {"version": __version__, "pid": 7, "phase": "problem", "notices": notices}
    (finding,) = program.check_instance(context(running=status))
    assert finding.status is Status.PROBLEM
    assert "The hotkey F9 is taken. Choose another." in finding.text


def test_another_version_that_runs_is_told():
    status = {"version": "0.0.1", "pid": 7, "phase": "idle", "is_ready": True, "notices": []}
    assert statuses(program.check_instance(context(running=status))) == ["warning", "ok"]


# --- desktop, tray, hotkeys, insertion --------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "no display"),
        ({"DISPLAY": ":9876"}, "isn't responding"),
        ({"WAYLAND_DISPLAY": "wayland-9", "XDG_RUNTIME_DIR": "/nowhere"}, "isn't responding"),
    ],
)
def test_a_display_that_is_not_there_is_a_problem(environment, expected):
    (finding,) = desktop.check_display(context(environment))
    assert finding.status is Status.PROBLEM
    assert expected in finding.text


def test_without_a_display_nothing_is_said_of_the_tray():
    assert not list(desktop.check_tray(context({})))


class Panel:
    """A bus with a panel, whose tray has one icon, of the process 7."""

    def __init__(self, breaks=False):
        self.breaks = breaks

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def send_and_get_reply(self, message, *, timeout):
        from jeepney import HeaderFields, new_method_return  # on Linux only

        assert timeout > 0
        if self.breaks:
            raise ConnectionResetError
        is_list = message.header.fields[HeaderFields.member] == "Get"
        message.header.serial = 1
        reply = new_method_return(message)
        reply.body = (("as", [":1.74/StatusNotifierItem"]),) if is_list else (7,)
        return reply


@pytest.mark.linux("D-Bus is on Linux only")
@pytest.mark.parametrize(
    ("pid", "breaks", "said"),
    [(7, False, "shows tray icons"), (8, False, "does not show Handy Qwen"), (8, True, "shows tray icons")],
)
def test_an_icon_that_the_panel_does_not_show_is_told(monkeypatch, pid, breaks, said):
    monkeypatch.setattr(desktop, "_has_status_notifier", lambda _environment: True)
    monkeypatch.setattr("handy_qwen.system.portal.connect", lambda _bus: Panel(breaks))
    where = {"WAYLAND_DISPLAY": "w", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/bus"}
    (finding,) = desktop.check_tray(context(where, running={"pid": pid}))
    assert said in finding.text


@pytest.mark.linux("the portal is on Linux only")
@pytest.mark.parametrize(
    ("said", "status", "text"),
    [
        ("", Status.OK, "will ask once"),
        ("token", Status.OK, "lets Handy Qwen press keys"),
        ("no\n", Status.PROBLEM, "refused"),
    ],
)
@pytest.mark.usefixtures("app_home")
def test_what_the_user_has_said_to_pressing_keys_is_told(monkeypatch, tmp_path, said, status, text):
    from handy_qwen.system.insert.wayland import Permission

    monkeypatch.setattr("handy_qwen.system.portal.version_of", lambda _interface: 2)
    Permission().path.parent.mkdir(parents=True)
    Permission().path.write_text(said, "utf-8")
    where = {"WAYLAND_DISPLAY": "w", "XDG_DATA_HOME": str(tmp_path), "XDG_DATA_DIRS": str(tmp_path)}
    permission, entry = desktop.check_permissions(context(where))
    assert permission.status is status
    assert text in permission.text
    assert "no menu entry" in entry.text
    MenuEntry(where).write()
    assert len(list(desktop.check_permissions(context(where)))) == 1


def test_a_display_that_does_not_answer_is_told_once():
    dead = context({"DISPLAY": ":9876"})
    assert list(desktop.check_tray(dead)) == []
    (finding,) = desktop.check_hotkeys(dead)
    assert finding.text == "Hotkeys need a display."
    assert finding.remedy == "Start the app in a desktop session.", "no key of a desktop that is not there"
    (finding,) = desktop.check_insertion(dead)
    assert finding.text.startswith("No text can be inserted.")
    assert "install" not in finding.remedy


@pytest.mark.parametrize(
    ("consents", "status", "said"),
    [
        ((Consent.UNASKED, Consent.GIVEN, Consent.GIVEN), Status.OK, "allows Microphone"),
        ((Consent.REFUSED, Consent.GIVEN, Consent.GIVEN), Status.PROBLEM, "not allowed: Microphone."),
        (
            (Consent.GIVEN, Consent.UNASKED, Consent.REFUSED),
            Status.PROBLEM,
            "Accessibility, Input Monitoring.",
        ),
    ],
)
def test_what_macos_does_not_allow_is_named(monkeypatch, consents, status, said):
    """What macOS still asks by itself is nothing to worry about: the first recording does."""
    monkeypatch.setattr(permissions, "consents", lambda: dict(zip(Permission, consents, strict=True)))
    (finding,) = desktop.check_permissions(context({}, platform="darwin"))
    assert finding.status is status
    assert said in finding.text


@pytest.mark.parametrize(
    ("platform", "environment", "backend"),
    [
        ("win32", {}, "Windows"),
        ("darwin", {}, "macOS"),
        pytest.param("linux", {"WAYLAND_DISPLAY": "w", "DISPLAY": ":0"}, "portal", marks=ON_LINUX),
        pytest.param("linux", {"DISPLAY": "elsewhere:0"}, "X11", marks=ON_LINUX),
        ("linux", {"DISPLAY": ":9876"}, "none"),
        ("linux", {}, "none"),
    ],
)
def test_the_backend_of_the_hotkeys_is_that_of_the_app(platform, environment, backend):
    told = context(environment, platform=platform, running={"phase": "idle"})
    (finding,) = desktop.check_hotkeys(told)
    assert finding.details["backend"] == backend


@ON_LINUX
def test_on_sway_hotkeys_come_from_sway(monkeypatch):
    monkeypatch.setattr("handy_qwen.system.wayland.sway.sway_socket", lambda: "/run/sway.sock")
    (finding,) = desktop.check_hotkeys(context({"WAYLAND_DISPLAY": "w"}, running={"phase": "idle"}))
    assert finding.details["backend"] == "sway"


def test_a_running_app_keeps_its_hotkeys_to_itself():
    """The display does not exist: had it been asked for the keys, that would have failed."""
    told = context({"DISPLAY": ":9876"}, running={"phase": "idle"})
    (finding,) = desktop.check_hotkeys(told)
    assert finding.status is Status.OK
    assert "Right Ctrl" in finding.text


class Taken(Listener):
    """A system where another program has them."""

    def __init__(self):
        super().__init__(lambda _event: None)

    def start(self, hotkeys):
        raise HotkeyError(f"{hotkeys[0].chord} is taken.", HotkeyReason.TAKEN, "Take another.")


@pytest.mark.parametrize("platform", [pytest.param("linux", marks=ON_LINUX), "win32"])
@pytest.mark.parametrize(
    ("subject", "status"),
    [("model", Status.OK), ("hotkeys", Status.PROBLEM), ("hotkey listener", Status.PROBLEM)],
)
@pytest.mark.parametrize("phase", ["problem", "recording"])
def test_what_the_running_app_says_of_its_hotkeys_is_what_counts(platform, subject, status, phase):
    notice = {"title": "Your desktop has no key yet.", "hint": "Set one.", "subject": subject}
    told = context({"WAYLAND_DISPLAY": "w"}, platform=platform, running={"phase": phase, "notices": [notice]})
    (finding,) = desktop.check_hotkeys(told)
    assert finding.status is status
    if status is Status.PROBLEM:
        assert (finding.text, finding.remedy) == ("Your desktop has no key yet.", "Set one.")


@pytest.mark.linux("the portal is on Linux only")
@pytest.mark.parametrize(
    ("chord", "status", "said"),
    [
        ("ctrl_r", Status.OK, "allow F9 (no program gets Right Ctrl on Wayland)"),
        ("shift+insert", Status.PROBLEM, "presses Shift+Insert itself"),
        ("f9", Status.OK, "asks you to allow F9"),
    ],
)
def test_on_wayland_it_is_said_beforehand_what_cannot_be_bound(monkeypatch, chord, status, said):
    monkeypatch.setattr(
        "handy_qwen.system.hotkeys.portal.PortalSession", lambda _bus: SimpleNamespace(close=print)
    )
    configuration = read_configuration()
    changed = replace(configuration, settings=replace(Settings(), hotkeys=(Hotkey(chord),)))
    (finding,) = desktop.check_hotkeys(context({"WAYLAND_DISPLAY": "w"}, configuration=changed))
    assert finding.status is status
    assert said in finding.text


@pytest.mark.linux("the portal is on Linux only")
def test_a_session_without_a_portal_is_a_problem(monkeypatch):
    from handy_qwen.system.portal import PortalError

    def refuse(_bus):
        raise PortalError("the portal does not answer")

    monkeypatch.setattr("handy_qwen.system.hotkeys.portal.PortalSession", refuse)
    (finding,) = desktop.check_hotkeys(context({"WAYLAND_DISPLAY": "w"}))
    assert finding.status is Status.PROBLEM
    assert "the portal does not answer" in finding.text


@pytest.mark.parametrize(
    ("environment", "answering", "status", "said"),
    [
        ({"DISPLAY": ":0", "WAYLAND_DISPLAY": "w"}, [":0"], "ok", "Left over from another session: w."),
        ({"DISPLAY": ":0", "WAYLAND_DISPLAY": "w"}, ["w", ":0"], "ok", "Wayland, with XWayland."),
        ({"DISPLAY": ":0", "XDG_SESSION_TYPE": "tty"}, [":0"], "ok", "X11, display :0."),
        ({"WAYLAND_DISPLAY": "w", "XDG_SESSION_TYPE": "tty"}, ["w"], "ok", "Wayland."),
    ],
)
def test_the_display_that_answers_is_told_and_the_one_that_does_not(environment, answering, status, said):
    finding = next(iter(desktop.check_display(context(environment, answering))))
    assert finding.status.value == status
    assert said in finding.text


@pytest.mark.parametrize("has_layer", [True, False])
def test_without_xwayland_there_is_no_overlay_unless_the_compositor_has_a_layer_for_it(
    monkeypatch, has_layer
):
    monkeypatch.setattr(desktop, "offers", lambda path, _shell: has_layer and path == "/run/w")
    findings = desktop.check_display(context({"WAYLAND_DISPLAY": "w", "XDG_RUNTIME_DIR": "/run"}, ["w"]))
    assert statuses(findings) == (["ok"] if has_layer else ["ok", "warning"])


def test_hotkeys_that_cannot_be_had_are_told_with_the_reason(monkeypatch):
    monkeypatch.setattr(desktop, "hotkeys_for", lambda *_, **__: Taken())
    (finding,) = desktop.check_hotkeys(context({"DISPLAY": "elsewhere:0"}))
    assert finding.status is Status.PROBLEM
    assert (finding.text, finding.remedy) == ("Right Ctrl is taken.", "Take another.")
    assert finding.details["is_taken"]
    configuration = read_configuration()
    for chords, expected in (((), "No hotkey is set."), ((Hotkey("hyper"),), "no key named")):
        changed = replace(configuration, settings=replace(Settings(), hotkeys=chords))
        (finding,) = desktop.check_hotkeys(context({"DISPLAY": ":9876"}, configuration=changed))
        assert expected in finding.text


WAYS = (
    Way(Method.PASTE, "paste (one)"),
    Way(Method.PASTE, "paste (two)", is_available=False),
    Way(Method.TYPE, "typing"),
    Way(Method.COPY, "clipboard"),
)


def described(monkeypatch, *ways):
    """What is said of a desktop with these ways to insert text, and nothing in the way."""
    monkeypatch.setattr(desktop, "describe", lambda _session: Description("desk", ways, "Do this."))
    monkeypatch.setattr(desktop, "try_out", print)
    (finding,) = desktop.check_insertion(context({"WAYLAND_DISPLAY": "w"}))
    return finding


def test_the_ways_of_insertion_come_in_the_order_of_trying(monkeypatch):
    finding = described(monkeypatch, *reversed(WAYS))
    assert finding.status is Status.OK
    assert finding.details["order"] == ["paste (one)", "typing", "clipboard"]
    assert finding.details["missing"] == ["paste (two)"]


def test_only_a_clipboard_is_a_problem(monkeypatch):
    finding = described(monkeypatch, WAYS[1], WAYS[3])
    assert (finding.status, finding.remedy) == (Status.PROBLEM, "Do this.")
    assert "only be copied" in finding.text


def test_where_there_is_no_way_at_all_no_order_is_told(monkeypatch):
    finding = described(monkeypatch, WAYS[1])
    assert finding.status is Status.PROBLEM
    assert finding.text == "No text can be inserted. Not here: paste (two)."
    assert finding.details["order"] == []


@pytest.mark.linux("displays of X11 are on Linux only")
def test_insertion_is_tried_on_the_desktop_that_was_found(monkeypatch):
    """To look again could take seconds more, and find another."""
    tried = []
    monkeypatch.setattr(desktop, "try_out", tried.append)
    here = context({"DISPLAY": ":0"})
    list(desktop.check_insertion(here))
    assert tried == [here.session]


@pytest.mark.linux("displays of X11 are on Linux only")
def test_insertion_is_not_tried_beside_a_running_app(monkeypatch):
    tried = []

    def try_out(_session):
        tried.append(True)
        raise InsertError("The X server refuses.", InsertReason.DENIED_BY_USER, "Ask it.")

    monkeypatch.setattr(desktop, "try_out", try_out)
    (finding,) = desktop.check_insertion(context({"DISPLAY": ":0"}, running={"phase": "idle"}))
    assert finding.status is Status.OK
    assert not tried
    (finding,) = desktop.check_insertion(context({"DISPLAY": ":0"}))
    assert (finding.status, finding.text) == (Status.PROBLEM, "The X server refuses.")


# --- microphone -------------------------------------------------------------------------------------


def tone(amplitude):
    return (amplitude * np.sin(np.arange(16_000) * 0.2)).astype(np.float32)


@pytest.mark.parametrize(
    ("heard", "is_muted", "status", "words"),
    [
        (Heard("Desk", 0.1, False, tone(0.1)), False, "ok", "-23 dBFS"),
        (Heard("Desk", 0.1, False, tone(0.0001)), False, "warning", "faint"),
        (Heard("Desk", 0.1, True, tone(0.0)), False, "problem", "digital silence"),
        (Heard("Desk", 0.1, True, tone(0.0)), True, "problem", "muted"),
        (Heard("Desk", 0.1, False, np.clip(tone(5.0), -1, 1)), False, "warning", "clips"),
        (Heard("Desk", 2.5, False, tone(0.1)), False, "warning", "2.5 s to start"),
        (Heard("Desk", 0.1, False, np.zeros(0, np.float32)), False, "warning", "faint"),
    ],
)
def test_what_a_microphone_gave_is_put_into_words(heard, is_muted, status, words):
    finding = sound._judge(heard, is_muted=is_muted, warm="always", details={})
    assert finding.status == status
    assert words in finding.text
    assert finding.details["device"] == "Desk"


class OneMicrophone:
    """A sound system with a microphone, or without one if there is a reason."""

    def __init__(self, error=None):
        self._error = error

    def devices(self):
        if self._error is not None:
            raise self._error
        return [Device("Desk", "7", 48_000, 1, is_default=True)]

    def playing(self):
        return None

    def close(self):
        pass


def test_the_user_is_asked_to_speak_as_soon_as_there_is_a_microphone_and_not_before(monkeypatch):
    asked = []
    monkeypatch.setattr(
        sound, "listen", lambda _context: asked.append("now") or Heard("Desk", 0, False, tone(1))
    )
    monkeypatch.setattr(sound, "Microphones", lambda *_: OneMicrophone())
    list(sound.check_microphone(context(listen_s=2.0, ask=asked.append)))
    assert asked == ["Say something: Desk is listened to for 2 s.", "now"]
    list(sound.check_microphone(context(listen_s=0.0, ask=asked.append)))
    none = MicrophoneError("There is no microphone.", MicrophoneReason.NO_DEVICE, "Plug one in.")
    monkeypatch.setattr(sound, "Microphones", lambda *_: OneMicrophone(none))
    assert statuses(sound.check_microphone(context(ask=asked.append))) == ["problem"]
    assert len(asked) == 2


class Earbuds(OneMicrophone):
    def devices(self):
        return [*super().devices(), Device("Earbuds", "8", 16_000, 1, is_headset=True)]

    def playing(self):
        return {"8"}


@pytest.mark.parametrize(
    ("names", "status", "words"),
    [
        (("Gone", "Desk"), "warning", "not connected; Desk is used instead"),
        (("Earbuds",), "ok", "plays music and is left to it; Desk is used instead"),
        (("", "Gone"), None, ""),
        (("Desk", "Gone"), None, ""),
    ],
)
def test_why_another_microphone_is_used_than_the_preferred_one(monkeypatch, names, status, words):
    monkeypatch.setattr(sound, "Microphones", lambda *_: Earbuds())
    wanted = Configuration(settings=Settings(microphones=names))
    found = list(sound.check_microphone(context(configuration=wanted, listen_s=0.0)))
    assert [one.status for one in found[:-1]] == ([status] if status else [])
    assert words in found[0].text
    assert found[-1].details["device"] == "Desk"


# --- model, memory, disk ----------------------------------------------------------------------------


def test_the_demo_model_is_whole_but_only_a_demo():
    (finding,) = data.check_model(context(is_thorough=True))
    assert finding.status is Status.WARNING
    assert "all files are intact, and it works" in finding.text
    assert finding.details["is_demo"]


@pytest.mark.usefixtures("symbolic_links")
def test_a_model_that_is_damaged_is_a_problem(exact_package):
    folder = paths.models_dir() / "mine"
    folder.parent.mkdir(parents=True)
    folder.symlink_to(exact_package)
    assert statuses(data.check_model(context())) == ["ok"]
    folder.unlink()
    folder.mkdir()
    (folder / "manifest.json").write_text("{}", encoding="utf-8")
    (finding,) = data.check_model(context())
    assert finding.status is Status.PROBLEM
    assert finding.details["installed"] == ["mine", "demo"]


def with_words(*words, **changes):
    return context(
        configuration=replace(read_configuration(), settings=Settings(custom_words=words, **changes))
    )


def test_custom_words_that_do_not_fit_are_counted_but_not_shown():
    (finding,) = data.check_words(with_words(*(f"Zaphod{number}" for number in range(300)), "x" * 500))
    assert finding.status is Status.WARNING
    used, total = finding.details["used"], finding.details["words"]
    assert 0 < used < total == 301
    assert f"{used} of 301 words fit; the rest are not used." in finding.text
    assert 190 < finding.details["tokens"] <= finding.details["limit"] == 200
    assert "Zaphod" not in json.dumps(asdict(finding))


def test_custom_words_that_fit_are_fine_and_so_are_none():
    (finding,) = data.check_words(with_words("Anna", "Berta"))
    assert finding.status is Status.OK
    assert "All 2 words fit" in finding.text
    assert statuses(data.check_words(with_words())) == ["ok"]
    assert not list(data.check_words(with_words("Anna", model="gone")))


def test_a_model_that_is_not_there_is_a_problem():
    configuration = replace(read_configuration(), settings=replace(Settings(), model="gone"))
    (finding,) = data.check_model(context(configuration=configuration))
    assert finding.status is Status.PROBLEM
    assert "gone" in finding.text


@pytest.mark.parametrize(
    ("total", "available", "status"),
    [(16e9, 8e9, "ok"), (16e9, 0.1e9, "warning"), (0.14e9, 0.1e9, "problem")],
)
def test_memory_is_held_against_what_the_model_needs(monkeypatch, total, available, status):
    memory = SimpleNamespace(total=total, available=available)
    monkeypatch.setattr(program.psutil, "virtual_memory", lambda: memory)
    finding = next(iter(program.check_memory(context())))
    assert finding.status == status
    (listed,) = [entry for entry in model_entries() if entry.name == "demo"]
    assert finding.details["needed_bytes"] == listed.memory_bytes  # one figure everywhere


def test_a_full_disk_is_a_problem_and_a_small_one_a_warning(monkeypatch):
    for free, status in ((0.1e9, "problem"), (1e9, "warning"), (50e9, "ok")):
        usage = SimpleNamespace(free=free)
        monkeypatch.setattr(program.psutil, "disk_usage", lambda _path, usage=usage: usage)
        assert statuses(program.check_disk(context())) == [status]


def test_an_old_processor_is_told(monkeypatch):
    for flags, status in (({"sse2"}, "warning"), ({"avx2"}, "ok"), (set(), "ok")):
        monkeypatch.setattr(program, "_processor_flags", lambda flags=flags: flags)
        monkeypatch.setattr(program.psutil, "cpu_count", lambda logical: 4)  # noqa: ARG005
        assert list(program.check_memory(context()))[-1].status == status


# --- history ----------------------------------------------------------------------------------------


def history_database():
    places = Places(default_folder())
    places.make()
    with closing(sqlite3.connect(places.database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE take (id INTEGER PRIMARY KEY, text TEXT)")
        connection.executemany("INSERT INTO take (text) VALUES (?)", [("one " * 500,), ("two " * 500,)])
        connection.commit()
    return places.database


def test_the_history_is_counted_without_leaving_anything_behind():
    assert statuses(data.check_history(context())) == ["ok"]
    database = history_database()
    before = sorted(path.name for path in database.parent.iterdir())
    (finding,) = data.check_history(context())
    assert finding.status is Status.OK
    assert finding.details["dictations"] == 2
    assert sorted(path.name for path in database.parent.iterdir()) == before


def test_a_history_that_is_being_written_is_read_beside():
    database = history_database()
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("INSERT INTO take (text) VALUES ('three')")
        (finding,) = data.check_history(context())
        assert finding.details["dictations"] == 2
        writer.commit()
        (finding,) = data.check_history(context())
        assert finding.details["dictations"] == 3


@pytest.mark.parametrize("damage", ["no database at all, but long enough to be one" * 9, ""])
def test_a_damaged_history_is_a_problem(damage):
    database = history_database()
    content = bytearray(database.read_bytes())
    if damage:
        content[: len(damage)] = damage.encode()
    else:
        content[4096 + 8 :] = b"\xff" * (len(content) - 4096 - 8)
    database.write_bytes(content)
    (finding,) = data.check_history(context())
    assert finding.status is Status.PROBLEM
    assert "damaged" in finding.text


# --- files and permissions --------------------------------------------------------------------------


@pytest.mark.unix("modes are POSIX's")
def test_files_that_others_can_read_are_named_with_the_command_that_closes_them():
    paths.data_dir().mkdir(parents=True, mode=0o755)
    paths.data_dir().chmod(0o755)
    secret = paths.data_dir() / "history.db"
    secret.touch()
    secret.chmod(0o644)
    (finding,) = data.check_files(context())
    assert finding.status is Status.WARNING
    assert str(secret) in finding.text
    assert finding.remedy == f"chmod -R go= {paths.data_dir()}"
    paths.data_dir().chmod(0o700)
    assert statuses(data.check_files(context())) == ["ok"], "nobody can enter the folder"


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_a_folder_that_cannot_be_written_is_a_problem(app_home):
    app_home.mkdir(mode=0o500)
    assert "problem" in statuses(data.check_files(context()))


def test_only_of_what_is_there_it_is_said_that_nobody_else_can_read_it(monkeypatch):
    def said(platform="linux"):
        (finding,) = data.check_files(replace(context(), platform=platform))
        return finding.text

    assert said() == said("win32") == "Nothing is stored yet; when something is, only you can read it."
    write_settings("hold_s = 0.5\n")
    monkeypatch.setattr(data, "_is_open", lambda _path: False)
    assert said() == "Only you can read: settings."
    for folder in (paths.data_dir(), paths.log_dir()):
        folder.mkdir(parents=True)
        (folder / "file").touch()
    assert said() == "Only you can read: settings, data, log."
    assert said("win32") == "In your own profile: settings, data, log."


def test_a_locked_folder_is_a_problem(monkeypatch):
    monkeypatch.setattr(data.os, "access", lambda path, _mode: "data" not in str(path))
    paths.data_dir().mkdir(parents=True, mode=0o700)
    first = next(iter(data.check_files(context())))
    assert first.status is Status.PROBLEM
    assert str(paths.data_dir()) in first.text


class Registry:
    """winreg, as far as it is used, with the values of ``denied`` set to Deny."""

    HKEY_CURRENT_USER = object()

    def __init__(self, *values):
        self._values = iter(values)

    def OpenKey(self, _root, _path):  # noqa: N802  as in winreg
        value = next(self._values)
        if value is None:
            raise FileNotFoundError(2, "no such key")
        self.value = value
        return self

    def QueryValueEx(self, _key, name):  # noqa: N802
        assert name == "Value"
        return self.value, 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize(
    ("values", "status"),
    [
        (("Allow", "Allow"), "ok"),
        ((None, None), "ok"),
        (("Deny", "Allow"), "problem"),
        (("Allow", "Deny"), "problem"),
    ],
)
def test_windows_switches_for_the_microphone_are_read(values, status):
    assert statuses(desktop.check_windows(Registry(*values))) == [status]


def test_a_broken_autostart_entry_is_told(tmp_path):
    entry = tmp_path / "autostart" / "io.github.handy_qwen.desktop"
    entry.parent.mkdir()
    entry.write_text("[Desktop Entry]\nExec=/gone/handy-qwen --hidden\n", encoding="utf-8")
    (finding,) = desktop.check_autostart(context({"XDG_CONFIG_HOME": str(tmp_path)}))
    assert finding.status is Status.WARNING
    assert "/gone/handy-qwen" in finding.text


# --- how it was installed ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "facts", "removal"),
    [
        ("appimage", {"environment": {"APPIMAGE": "/a/H.AppImage"}}, "Delete the file /a/H.AppImage."),
        (
            "flatpak",
            {"environment": {"FLATPAK_ID": "io.github.handy_qwen"}, "prefix": "/usr"},
            "flatpak uninstall io.github.handy_qwen",
        ),
        (  # started from a terminal that is an AppImage
            "flatpak",
            {"environment": {"FLATPAK_ID": "io.github.handy_qwen", "APPIMAGE": "/a/Terminal.AppImage"}},
            "flatpak uninstall io.github.handy_qwen",
        ),
        ("pipx", {"prefix": "/home/me/.local/pipx/venvs/handy-qwen"}, "pipx uninstall handy-qwen"),
        ("uv", {"prefix": "/home/me/.local/share/uv/tools/handy-qwen"}, "uv tool uninstall handy-qwen"),
        (
            "pip",
            {"prefix": "/home/me/venv", "executable": "/v/python"},
            "/v/python -m pip uninstall handy-qwen",
        ),
        (
            "folder",
            {"executable": "/opt/x/handy-qwen", "is_frozen": True},
            f"Delete the folder {Path('/opt/x').resolve()}.",
        ),
        ("windows", {"executable": "/p/h.exe", "is_frozen": True, "platform": "win32"}, "Settings → Apps"),
        (
            "app",
            {"executable": "/Applications/H.app/Contents/MacOS/h", "is_frozen": True, "platform": "darwin"},
            f"Move {Path('/Applications/H.app')} to the Trash.",
        ),
    ],
)
def test_each_way_of_installing_has_its_way_of_removing(tmp_path, kind, facts, removal):
    usual = {"environment": {}, "package": tmp_path / "handy_qwen", "platform": "linux"}
    found = installation(**(usual | facts))
    assert found.kind == kind
    assert removal in found.removal


@pytest.mark.unix("paths are quoted as its shells want it")
def test_what_the_install_script_has_put_into_the_home_is_removed_by_it(tmp_path):
    """Its icons, manual and completions are not in the folder."""
    folder = tmp_path / "lib of me"
    folder.mkdir()
    facts = {"platform": "linux", "executable": str(folder / "handy-qwen"), "is_frozen": True}
    facts["package"] = folder / "handy_qwen"
    assert "Delete the folder" in installation({}, **facts).removal
    (folder / "installed-files").touch()
    assert installation({}, **facts).removal == f"Run: '{folder.resolve()}/install.sh' --remove"


def test_a_checkout_is_known_as_one(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    assert installation({}, package=tmp_path / "handy_qwen").kind == "checkout"


# --- the command ------------------------------------------------------------------------------------


@pytest.fixture
def no_desktop(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE", "PULSE_SERVER"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.linux("a session without a display is on Linux only")
@pytest.mark.usefixtures("no_desktop")
def test_the_command_tells_problems_and_ends_with_1(capsys):
    assert cli.main(["doctor", "--listen", "0"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"^display +PROBLEM +There is no display", out, re.MULTILINE)
    assert "→ Start the app in a desktop session" in out
    assert "problems" in out.splitlines()[-1]
    assert "\x1b" not in out, "no colors where nobody sees them"


@pytest.mark.usefixtures("no_desktop")
def test_the_command_writes_json_and_nothing_else_to_stdout(capsys):
    assert cli.main(["doctor", "--json", "--listen", "0"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["status"] == "problem"
    assert {finding["status"] for finding in report["findings"]} <= {"ok", "warning", "problem"}


@pytest.mark.usefixtures("no_desktop")
def test_nobody_is_asked_to_speak_where_nothing_can_listen(monkeypatch, capsys):
    none = MicrophoneError("There is no microphone.", MicrophoneReason.NO_DEVICE, "Plug one in.")
    monkeypatch.setattr(sound, "Microphones", lambda *_: OneMicrophone(none))
    assert cli.main(["doctor"]) == 1
    told = capsys.readouterr()
    assert "There is no microphone." in told.out
    assert "Say something" not in told.out + told.err


def test_without_problems_it_ends_with_0(monkeypatch, capsys):
    monkeypatch.setattr("handy_qwen.doctor.examine", lambda _context, _tell: Report(()))
    assert cli.main(["doctor"]) == 0
    assert capsys.readouterr().out.strip() == "Everything works."


def test_seconds_that_are_no_number_are_wrong_usage(capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["doctor", "--listen", "nan"])
    assert ended.value.code == 2
    assert "--listen" in capsys.readouterr().err


def test_files_made_by_the_program_are_private(tmp_path):
    place = tmp_path / "support.zip"
    cli.main(["doctor", "--json", "--listen", "0", "--bundle", str(place)])
    assert is_private(place)


# --- devices ----------------------------------------------------------------------------------------


CUDA = "CUDAExecutionProvider"


@pytest.mark.parametrize(
    ("providers", "settings", "choice", "words"),
    [
        ([], Settings(), None, "without support for another device"),
        ([CUDA], Settings(), None, "CUDA could be tried: measure the model"),
        (["CoreMLExecutionProvider"], Settings(), None, "in a form that does not run on CoreML"),
        ([CUDA], Settings(use_devices=False), None, "the settings forbid it"),
        (
            [CUDA],
            Settings(),
            Choice("", frozenset(), "CUDA is no quicker."),
            "all the work. CUDA is no quicker.",
        ),
        (
            [CUDA],
            Settings(),
            Choice(CUDA, frozenset(ModelPart), "CUDA is used: quick."),
            "CUDA is used: quick.",
        ),
    ],
)
def test_what_is_used_and_why_is_said(monkeypatch, providers, settings, choice, words):
    monkeypatch.setattr(ort, "get_available_providers", lambda: providers)
    if choice:
        keep_choice(demo_model().folder, choice)
    configuration = replace(read_configuration(), settings=settings)
    (finding,) = data.check_devices(context(configuration=configuration))
    assert (finding.status, words in finding.text) == (Status.OK, True)
    assert finding.details["is_tried"] == (choice is not None)
