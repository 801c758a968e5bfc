"""What the guide's page of permissions is told, with a system of our own."""

import pytest

from handy_qwen.app.permissions import LOOK_S, PermissionsPresenter
from handy_qwen.core.permissions import Consent, Permission

MICROPHONE, ACCESSIBILITY, INPUT_MONITORING = Permission


class System:
    """Answers nothing by itself."""

    def __init__(self):
        self.consents = dict.fromkeys(Permission, Consent.UNASKED)
        self.asked, self.opened, self.on_answer = [], [], None

    def ask(self, permission, on_answer):
        self.asked.append(permission)
        self.on_answer = on_answer


@pytest.fixture
def system():
    return System()


@pytest.fixture
def presenter(system):
    made = PermissionsPresenter(lambda: dict(system.consents), system.ask, system.opened.append)
    made.thread.start = lambda: None  # the test does what is asked for
    return made


@pytest.fixture
def shown(presenter):
    told = []
    presenter.watch(told.append)
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
