"""What the guide's page of permissions is told, with a system of our own."""

from types import SimpleNamespace

import pytest

from handy_qwen.app import desktop
from handy_qwen.app.permissions import LOOK_S, PermissionsPresenter
from handy_qwen.core.events import HotkeysDied
from handy_qwen.core.permissions import Consent, Permission
from handy_qwen.runtime.watchdog import PERMISSIONS
from tests.unit.app.test_program import bench  # noqa: F401  a fixture

MICROPHONE, ACCESSIBILITY, INPUT_MONITORING = Permission


class System:
    """Answers nothing by itself."""

    def __init__(self):
        self.consents = dict.fromkeys(Permission, Consent.UNASKED)
        self.asked, self.opened, self.on_answer = [], [], None
        self.keys_allowed = 0

    def ask(self, permission, on_answer):
        self.asked.append(permission)
        self.on_answer = on_answer

    def on_keys_allowed(self):
        self.keys_allowed += 1


@pytest.fixture
def system():
    return System()


@pytest.fixture
def presenter(system):
    made = PermissionsPresenter(
        system.on_keys_allowed, lambda: dict(system.consents), system.ask, system.opened.append
    )
    made.thread.start = lambda: None  # the test does what is asked for
    return made


@pytest.fixture
def shown(presenter):
    told = []
    presenter.watch(told.append, have_hotkeys_failed=False)
    presenter.thread.run_pending()
    return told


def test_what_is_allowed_is_told_again_and_again_until_the_page_is_left(presenter, system, shown):
    assert shown == [system.consents]
    assert presenter.thread._pause_s() == LOOK_S
    system.consents[ACCESSIBILITY] = Consent.GIVEN
    presenter.thread._routine()
    assert shown[-1][ACCESSIBILITY] is Consent.GIVEN
    presenter.leave()
    presenter.thread.run_pending()
    assert presenter.thread._pause_s() is None
    presenter.thread._routine()
    assert len(shown) == 2


def test_an_answer_is_told_at_once(presenter, system, shown):
    presenter.ask(MICROPHONE)
    presenter.thread.run_pending()
    assert system.asked == [MICROPHONE]
    assert shown[-1][MICROPHONE] is Consent.UNASKED, "macOS still asks"
    system.consents[MICROPHONE] = Consent.REFUSED
    system.on_answer()
    presenter.thread.run_pending()
    assert shown[-1][MICROPHONE] is Consent.REFUSED


@pytest.mark.parametrize("permission", [ACCESSIBILITY, INPUT_MONITORING])
def test_what_was_asked_for_in_vain_is_opened_in_the_settings(presenter, system, shown, permission):
    """The system asks once, and does not tell that somebody has refused."""
    presenter.ask(permission)
    presenter.thread.run_pending()
    assert shown[-1][permission] is Consent.REFUSED
    presenter.ask(permission)
    presenter.thread.run_pending()
    assert (system.asked, system.opened) == ([permission], [permission])
    system.consents[permission] = Consent.GIVEN
    presenter.thread._routine()
    assert shown[-1][permission] is Consent.GIVEN


def test_what_was_refused_before_the_start_is_opened_in_the_settings(presenter, system, shown):
    system.consents[MICROPHONE] = Consent.REFUSED
    presenter.ask(MICROPHONE)
    presenter.thread.run_pending()
    assert (system.asked, system.opened) == ([], [MICROPHONE])
    assert shown


@pytest.mark.usefixtures("shown")
def test_hotkeys_are_listened_for_again_once_all_that_they_need_is_given(presenter, system):
    system.consents[INPUT_MONITORING] = Consent.GIVEN
    presenter.thread._routine()
    assert system.keys_allowed == 0
    system.consents[ACCESSIBILITY] = Consent.GIVEN
    for _ in range(2):
        presenter.thread._routine()
    assert system.keys_allowed == 1


@pytest.mark.parametrize("have_failed", [False, True])
def test_hotkeys_that_may_be_heard_when_the_page_comes_up_are_tried_again_if_they_failed(
    presenter, system, have_failed
):
    system.consents = dict.fromkeys(Permission, Consent.GIVEN)
    for visits in (1, 2):
        presenter.watch(lambda _consents: None, have_hotkeys_failed=have_failed)
        presenter.thread.run_pending()
        presenter.thread._routine()
        assert system.keys_allowed == (visits if have_failed else 0), "once for each visit of the page"
        presenter.leave()


@pytest.mark.parametrize("platform", ["darwin", "linux", "win32"])
def test_only_macos_is_asked_for_permissions(bench, monkeypatch, platform):  # noqa: F811  a fixture
    desk = bench()
    monkeypatch.setattr(desktop, "sys", SimpleNamespace(platform=platform))
    windows = desktop.ProgramWindows(desk.program)
    is_mac = platform == "darwin"
    assert (PERMISSIONS in windows.workers()) is is_mac
    assert ("permissions" in windows.parts_to_close()) is is_mac
    assert (windows.permissions is not None) is is_mac
    if is_mac:
        windows.permissions._on_keys_allowed()
        assert HotkeysDied() in desk.posted
