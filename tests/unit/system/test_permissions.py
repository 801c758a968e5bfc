"""What macOS says of permissions and is asked for, with stand-ins for its frameworks."""

import sys
import types

import pytest

from handy_qwen.core.permissions import Consent, Permission
from handy_qwen.system import permissions


class FakeMac:
    """AVFoundation, ApplicationServices and IOKit, as much of them as is used."""

    def __init__(self):
        self.av_status, self.is_trusted, self.hid_access = 0, False, 2
        self.asked, self.opened = [], []
        device = types.SimpleNamespace(
            authorizationStatusForMediaType_=self.status,
            requestAccessForMediaType_completionHandler_=self.request,
        )
        self.AVFoundation = types.ModuleType("AVFoundation")
        self.AVFoundation.AVCaptureDevice, self.AVFoundation.AVMediaTypeAudio = device, "soun"
        self.ApplicationServices = types.ModuleType("ApplicationServices")
        self.ApplicationServices.AXIsProcessTrusted = lambda: self.is_trusted
        self.ApplicationServices.AXIsProcessTrustedWithOptions = self.prompt
        self.ApplicationServices.kAXTrustedCheckOptionPrompt = "AXTrustedCheckOptionPrompt"

    def status(self, media):
        assert media == "soun"
        return self.av_status

    def request(self, media, on_answer):
        assert media == "soun"
        self.asked.append("microphone")
        self.on_answer = on_answer

    def prompt(self, options):
        assert options == {"AXTrustedCheckOptionPrompt": True}
        self.asked.append("accessibility")
        return self.is_trusted

    def IOHIDCheckAccess(self, kind):  # noqa: N802
        assert kind == 1
        return self.hid_access

    def IOHIDRequestAccess(self, kind):  # noqa: N802
        assert kind == 1
        self.asked.append("input monitoring")
        return False

    def open(self, *command):
        self.opened.append(command)
        return True


@pytest.fixture
def mac(monkeypatch):
    fake = FakeMac()
    for name in ("AVFoundation", "ApplicationServices"):
        monkeypatch.setitem(sys.modules, name, getattr(fake, name))
    monkeypatch.setattr(permissions, "_iokit", lambda: fake)
    monkeypatch.setattr(permissions, "run", fake.open)
    return fake


@pytest.mark.parametrize(
    ("status", "trusted", "access", "found"),
    [
        (0, False, 2, (Consent.UNASKED, Consent.UNASKED, Consent.UNASKED)),
        (1, False, 1, (Consent.REFUSED, Consent.UNASKED, Consent.REFUSED)),
        (2, True, 0, (Consent.REFUSED, Consent.GIVEN, Consent.GIVEN)),
        (3, True, 0, (Consent.GIVEN, Consent.GIVEN, Consent.GIVEN)),
    ],
)
def test_what_the_user_has_said_is_told_and_nothing_asked(mac, status, trusted, access, found):
    mac.av_status, mac.is_trusted, mac.hid_access = status, trusted, access
    assert permissions.consents() == dict(zip(Permission, found, strict=True))
    assert mac.asked == mac.opened == []


@pytest.mark.parametrize("permission", Permission)
def test_the_user_is_asked_for_one_only(mac, permission):
    answers = []
    permissions.ask(permission, lambda: answers.append(permission))
    assert mac.asked == [permission.value.lower()]
    if permission is Permission.MICROPHONE:
        assert not answers
        mac.on_answer(True)
        assert answers


@pytest.mark.parametrize(
    ("permission", "pane"), [*zip(Permission, ("Microphone", "Accessibility", "ListenEvent"), strict=True)]
)
def test_what_was_refused_is_shown_in_its_pane(mac, permission, pane):
    permissions.open_settings(permission)
    assert mac.opened == [("open", f"x-apple.systempreferences:com.apple.preference.security?Privacy_{pane}")]
