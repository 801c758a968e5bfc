"""Trying the hotkey out: it lights up and begins nothing."""

import pytest

from handy_qwen.core.events import HotkeysAssigned, HotkeysFailed, KeysPermitted, Request
from handy_qwen.core.types import KeyOffer, KeyPermission
from handy_qwen.core.view import Phase
from tests.dictation import ERROR, Desk


def test_while_it_is_rehearsed_a_hotkey_is_shown_and_nothing_is_recorded():
    desk = Desk().ask(Request.REHEARSE).down()
    assert desk.view.is_key_down
    assert desk.view.phase is not Phase.RECORDING
    desk.up()
    assert not desk.view.is_key_down
    assert desk.now.takes == ()


def test_afterwards_it_dictates_again():
    desk = Desk().ask(Request.REHEARSE).ask(Request.PERFORM).down()
    assert desk.view.is_key_down
    assert desk.view.phase is Phase.RECORDING


def test_a_key_held_into_the_rehearsal_still_ends_its_take():
    desk = Desk().down().wait(1.0).ask(Request.REHEARSE).up()
    assert desk.view.phase is not Phase.RECORDING
    assert not desk.view.is_key_down


def test_a_key_held_out_of_the_rehearsal_begins_nothing():
    desk = Desk().ask(Request.REHEARSE).down().ask(Request.PERFORM).up().wait(1.0)
    assert desk.now.takes == ()
    assert not desk.view.is_key_down


def test_a_listener_that_is_lost_leaves_no_key_down():
    desk = Desk().ask(Request.REHEARSE).down().play(HotkeysFailed(ERROR))
    assert not desk.view.is_key_down


def test_it_is_known_which_of_several_hotkeys_is_down():
    desk = Desk().ask(Request.REHEARSE).down(1)
    assert desk.view.keys_down == {1}
    desk.up(1)
    assert desk.view.keys_down == frozenset()


def test_what_the_desktop_assigned_is_shown_once_it_is_told():
    desk = Desk()
    assert desk.view.desktop_keys is None
    assert desk.view.cancel_key == "Esc"
    offer = KeyOffer("here", ("a line",), is_bound=False)
    view = desk.play(HotkeysAssigned(("Meta+F9", ""), "F10", offer)).view
    assert (view.desktop_keys, view.cancel_key, view.key_offer) == (("Meta+F9", ""), "F10", offer)


def test_the_keys_that_the_desktop_assigned_are_shown_instead_of_those_wished_for():
    desk = Desk().play(HotkeysAssigned(("Meta+F9", "")))
    assert desk.view.choices.hotkeys == ("Meta+F9", "")
    assert desk.down().view.finish_keys == ("Meta+F9",)


@pytest.mark.parametrize("permission", KeyPermission)
def test_whether_keys_may_be_pressed_is_shown(permission):
    assert Desk().play(KeysPermitted(permission)).view.key_permission is permission
