"""The guide of the first start of the Windows program, and its windows on sharp screens. Under Wine.

Not shown: the start at login, which is the installed program's (test_windows_installed.py), and a dark
desktop: the style that Qt has for Wine's Windows 10 knows light windows only.
"""

import tomllib

import pytest

from handy_qwen.paths import APP_ID
from tests.e2e.app import SPOKEN, TAP_S
from tests.e2e.desk.processes import wait_until
from tests.e2e.desk.wine import WineApp, WineDesktop, WineQtTarget, wine_folder
from tests.e2e.test_first_run import Guide, rehearses, wait_for_text, windows

wine_folder()
pytestmark = pytest.mark.desktop
WIDTH_PX, HEIGHT_PX = 1920, 1080
TITLES = {"settings": "Settings", "setup": "Set up"}


class WineGuide(Guide):
    """The same hands on the guide of the Windows program."""

    def picture(self, name):
        super().picture(f"windows {name}")

    def field_text(self):
        super().field_text()
        return self.desktop.ask("clipboard")


def test_a_first_start_leads_to_a_first_text_and_is_not_asked_again():
    with WineDesktop() as desk:
        app = WineApp(desk, "guide", is_guided=True)
        app.env["WINEDEBUG"] = "-all,fixme+shcore"  # Wine only tells that it was called, and with what
        with app:
            assert f'SetCurrentProcessExplicitAppUserModelID L"{APP_ID}"' in app.output()
            guide = WineGuide(desk, app)
            guide.wait_for("Model")
            guide.press("k", "Microphone")  # Skip
            desk.keys.chord("space")  # the button has the keyboard
            app.speak("meeting")
            desk.keys.chord("Return")
            wait_for_text(app, SPOKEN["meeting"])
            desk.keys.chord("Return")  # goes on, since every word was understood
            guide.wait_for("Hotkey")
            wait_until(lambda: rehearses(app), "the rehearsal")
            guide.try_out("Control_R", app)
            guide.press("n", "First text")
            wait_until(lambda: not rehearses(app), "the hotkey")
            app.dictate("chairs")
            wait_for_text(app, SPOKEN["chairs"])
            wait_until(
                lambda: guide.field_text() == SPOKEN["chairs"], "the text in the field", interval_s=0.5
            )
            app.dictate("meeting")  # instead of what is selected
            wait_for_text(app, SPOKEN["meeting"])
            guide.picture("written")
            guide.press("n", "At login")
            desk.hardware.tap("space", TAP_S)  # Start … when I log in
            wait_until(  # a home of its own, or a checkout, is nothing that Windows could start
                lambda: any("at login" in one["title"] for one in app.status()["notices"]), "the refusal"
            )
            guide.press("n", "Done")
            desk.keys.chord("Alt_L", "f")  # Finish
            wait_until(lambda: not windows(desk), "the guide to close")
            settings = (app.home / "config" / "settings.toml").read_text(encoding="utf-8")
            assert tomllib.loads(settings)["set_up"] is True
            window = desk.open(WineQtTarget)
            app.dictate("meeting")
            assert window.wait_for_text(SPOKEN["meeting"]) == SPOKEN["meeting"]
            window.close()
            assert app.run("quit").returncode == 0
            assert app.process.wait(app.end_s) == 0
            app.start()
            assert not windows(desk)


def test_windows_are_as_large_as_the_screen_is_sharp_and_fit_on_it():
    widths = {}
    for dpi in (96, 144, 192):
        screen = {"geometry": f"{WIDTH_PX}x{HEIGHT_PX}x24", "sound": False, "tray": False}
        with (
            WineDesktop(registry={r"Control Panel\Desktop": {"LogPixels": dpi}}, **screen) as desk,
            WineApp(desk) as app,
        ):
            for command, title in TITLES.items():
                assert app.run(command).returncode == 0
                assert desk.ask("dpi", hwnd=desk.find_window(title)["hwnd"]) == dpi
                shell = desk.run("xdotool", "getwindowgeometry", "--shell", str(desk.x_window(title)))
                place = {name: int(value) for name, _, value in (one.partition("=") for one in shell.split())}
                assert min(place["X"], place["Y"]) >= 0
                assert place["X"] + place["WIDTH"] <= WIDTH_PX
                assert place["Y"] + place["HEIGHT"] <= HEIGHT_PX
                widths[title, dpi] = place["WIDTH"]
                desk.screenshot(f"windows-{command}-{dpi}")
    for title in TITLES.values():
        assert widths[title, 144] == 1.5 * widths[title, 96]
        assert widths[title, 192] == 2 * widths[title, 96]
