"""Every window of the program in its fullest states, and what is to be seen in them."""

from dataclasses import replace
from pathlib import Path

from PySide6.QtWidgets import QAbstractButton, QLabel

from handy_qwen.core.models import ModelCommands, Told
from handy_qwen.core.models import Problem as Trouble
from handy_qwen.core.permissions import Consent, Permission, PermissionCommands
from handy_qwen.core.sound_files import FileEntry, FilesCommands, FilesPage, FileState
from handy_qwen.core.subtitles import NOTE
from handy_qwen.core.text import Replacement
from handy_qwen.core.types import Hotkey, KeyPermission, Method, Profile, Spacing, Submit
from handy_qwen.core.upkeep import Check, HistoryUse, Severity, Upkeep, UpkeepCommands
from handy_qwen.core.view import (
    Commands,
    HistoryCommands,
    MicrophoneCommands,
    Notice,
    NoticeKind,
    Phase,
    Remedy,
)
from handy_qwen.core.vocabulary import Fit, ReplacementRow, Tried, VocabularyCommands, VocabularyPage
from handy_qwen.errors import HotkeyError, HotkeyReason
from handy_qwen.message import verbatim
from handy_qwen.settings import Settings, SettingsProblem, SettingsView
from handy_qwen.settings.forms import Page
from handy_qwen.ui.settings.page import Tools
from handy_qwen.ui.settings.window import SettingsWindow
from handy_qwen.ui.setup.window import SetupWindow
from handy_qwen.ui.tray import TrayMenu
from handy_qwen.ui.windows.correction import CorrectionWindow
from handy_qwen.ui.windows.files import FilesWindow
from handy_qwen.ui.windows.help import HelpWindow
from handy_qwen.ui.windows.history import HistoryWindow
from handy_qwen.ui.windows.main import MainWindow
from handy_qwen.ui.windows.models import ModelsWindow
from tests.e2e.pasts import CHOICES, PASTS, VIEW
from tests.e2e.shelves import SHELVES
from tests.fakes import Asked

MICROPHONE = "Family 17h/19h/1ah HD Audio Controller Digital Stereo (IEC958) + Headset Microphone"
PROBLEM = Notice(
    1,
    NoticeKind.FAILED,
    verbatim("The hotkey F9 is taken."),
    verbatim("Choose another."),
    is_lasting=True,
    remedy=Remedy.SETTINGS,
)
HOTKEYS = (Hotkey("Right Ctrl"), Hotkey("F9", "German", Submit.ENTER))
CHOOSING = replace(
    VIEW,
    application="Thunderbird",
    recent=("Good evening.",),
    can_retry=True,
    can_bring_back=True,
    choices=replace(
        CHOICES, microphones=("Desk", MICROPHONE), microphone=MICROPHONE, is_model_automatic=True
    ),
)
APPS = (
    Profile("Terminals", method=Method.TYPE, spacing=Spacing.OFF, words=("kubectl", "systemd")),
    Profile("Krankenhaus-Informationssystem", ("KIS-Client.exe", "kis*"), "German", submit=Submit.CTRL_ENTER),
)
UPKEEP = Upkeep(
    (
        Check("program", Severity.FINE, verbatim("Handy Qwen 0.1 on Debian 13, Python 3.13.")),
        Check(
            "microphone",
            Severity.WARNING,
            verbatim("The microphone of the settings is not here; Webcam is used instead."),
            verbatim("Plug it in, or choose another one."),
        ),
        Check(
            "model",
            Severity.PROBLEM,
            verbatim("There is no model."),
            verbatim("Install one: handy-qwen model install"),
        ),
    ),
    history=HistoryUse(824, 12, 1_234_567_890),
)
REFUSED = HotkeyError(
    verbatim("A alone would stop you typing A."),
    HotkeyReason.INVALID,
    verbatim("Try Ctrl+Alt+A."),
    "Ctrl+Alt+A",
)
BROKEN = SettingsView(
    Path("settings.toml"), error=SettingsProblem(verbatim("a quotation mark is missing"), 12, name="language")
)
MISREAD = SettingsView(
    Path("settings.toml"),
    problems=(
        SettingsProblem(
            verbatim("mode must be one of auto, hold, toggle"),
            4,
            verbatim('the default, "auto", is used'),
            "mode",
        ),
        SettingsProblem(
            verbatim("hold_sec is not a setting; did you mean hold_s?"),
            9,
            place=("hold_sec",),
            meant="hold_s",
        ),
    ),
)
VOCABULARY = VocabularyPage(
    words=("Qwen", "Ada Lovelace", "onnxruntime", "Kürşat", "HAProxy", "Łódź", "Zugspitze"),
    fit=Fit(196, 200, frozenset({"Zugspitze"})),
    rows=(
        ReplacementRow(Replacement("new line", "\n"), Replacement("new line", "\n")),
        ReplacementRow(
            Replacement("my address", "Ada Lovelace\n12 St James's Square\nLondon", is_alone=True),
            Replacement("my address", ""),
        ),
        ReplacementRow(Replacement("um", ""), Replacement("um", "")),
        ReplacementRow(
            Replacement("([a-z", "x", is_regex=True),
            None,
            verbatim("Not a valid pattern: unterminated character set."),
        ),
    ),
    tried=Tried("Good morning new line chairs", "Good morning\nChairs", "English"),
    handy=Path("/home/ada/.local/share/com.pais.handy/settings_store.json"),
)
TALKS = Path("/home/ada/talks")
TALK = TALKS / "Interview with Kürşat, the second part.m4a"
FILES = FilesPage(
    (
        FileEntry(
            1,
            TALK,
            FileState.DONE,
            1.0,
            "Good evening. " * 60,
        ),
        FileEntry(
            2, TALKS / "breaks-off.wav", FileState.DONE, 1.0, "Yes.", verbatim("The text may be incomplete.")
        ),
        FileEntry(
            3,
            TALKS / "letter.mp3",
            FileState.FAILED,
            problem=Trouble(
                verbatim("letter.mp3: it is no sound file."), verbatim("Copy or record it again.")
            ),
        ),
        FileEntry(4, TALKS / "meeting.flac", FileState.WORKING, 0.42),
        FileEntry(
            5, TALKS / "night.ogg", FileState.DONE, 1.0, note=verbatim("No text: the recording is silent.")
        ),
        FileEntry(6, TALKS / "tomorrow.mp4"),
    ),
    Told(1, verbatim("Saved as Interview.srt."), NOTE),
)
TROUBLED = replace(CHOOSING, phase=Phase.PROBLEM, notices=(PROBLEM,))


class Everything(Asked):
    """A stand-in for all that windows ask, which keeps the calls."""

    def __init__(self) -> None:
        super().__init__(Commands)
        self.models, self.history = Asked(ModelCommands, self.calls), Asked(HistoryCommands, self.calls)
        self.upkeep = Asked(UpkeepCommands, self.calls)
        self.vocabulary = Asked(VocabularyCommands, self.calls)
        self.microphone = Asked(MicrophoneCommands, self.calls)
        self.files = Asked(FilesCommands, self.calls)
        self.permissions = Asked(PermissionCommands, self.calls)


def everything_asked() -> Everything:
    return Everything()


def models(asked, state):
    window = ModelsWindow(asked.models)
    window.show_models(SHELVES[state])
    for card in window.cards.by_name.values():
        card.languages.toggle.setChecked(True)
    return window


def history(asked, state):
    window = HistoryWindow(asked.history, asked)
    window.show_view(VIEW)
    window.show()
    past = PASTS[state]
    window.search.setText(past.query.words)
    window.only.setCurrentIndex(window.only.findData(past.query.only))
    window.show_history(past)
    return window


def correction(asked, text):
    window = CorrectionWindow(asked.vocabulary, asked.history)
    window.show_view(VIEW)
    window.show()
    window.correct("Ask Kovach about quen three, um, soon.", "Kovach")
    window.text.setPlainText(text)
    window._compare()
    return window


def main(asked, view):
    menu = TrayMenu(asked, asked)
    menu.show_view(view)
    window = MainWindow(menu, asked)
    window.show_view(view)
    menu.setParent(window, menu.windowFlags())  # without them it would be shown inside
    return window


def setup(asked, place, permissions=None):
    window = SetupWindow(asked, asked, lambda: -20.0, asked.models, permissions)
    window.show_view(CHOOSING)
    window.show_models(SHELVES["empty"])
    window.show()
    window.go_to(place)  # now: a guide that comes up does not begin at its end
    return window


def typing(asked, permission):
    window = setup(asked, 3)
    window.show_view(replace(CHOOSING, key_permission=permission))
    return window


def permissions(asked, consents):
    window = setup(asked, 1, asked.permissions)
    window.go_to(0)
    window.page._show_consents(dict(zip(Permission, consents, strict=True)))
    return window


def tools(asked, meter=lambda: -20.0):
    """What the pages of the settings window ask: all of it of ``asked``."""
    others = (asked.models, asked.upkeep, asked.vocabulary, asked.microphone)
    return Tools(asked, asked, meter, *others)


def settings(asked, page):
    window = SettingsWindow(tools(asked))
    values = Settings(microphones=("Gone", MICROPHONE, "Desk"), apps=APPS)
    window.show_settings(SettingsView(Path("settings.toml"), values=values))
    window.show_view(CHOOSING)
    window.show_models(SHELVES["installed"])
    window.show_upkeep(UPKEEP)
    window.go(page)
    window.show_vocabulary(VOCABULARY)
    return window


def settings_troubled(asked, shown):
    window = settings(asked, Page.SHORTCUT)
    window.show_settings(shown)
    return window


def hotkeys(asked, state):
    window = settings(asked, Page.SHORTCUT)
    window.show_settings(SettingsView(values=Settings(hotkeys=HOTKEYS)))
    shown = window.page(Page.SHORTCUT).hotkeys
    if state == "recording":
        shown.rows[1].cell.click()
    elif state == "refused":
        shown.rows[1].refuse(REFUSED)
    elif state == "removed":
        shown.rows[0].remove.click()
    else:
        window.show_view(replace(CHOOSING, desktop_keys=("Meta+F9", "")))
    return window


def files(asked, place):
    window = FilesWindow(asked.files)
    left = tuple(replace(one, state=FileState.LEFT) if one.number in {4, 6} else one for one in FILES.entries)
    pages = {None: FilesPage(), 5: FilesPage(left)}
    window.show_files(pages.get(place, FILES))
    if place is not None:
        window.show_view(replace(VIEW, phase=Phase.RECORDING))
        item = window.list.topLevelItem(place)
        assert item is not None
        window.list.setCurrentItem(item)
    return window


def languages(asked, _state):
    window = settings(asked, Page.LANGUAGE)
    window.show_settings(SettingsView(values=Settings(languages=("German", "English"))))
    window.page(Page.LANGUAGE).findChild(QAbstractButton, "languages").click()
    return window


WINDOWS = {
    **{f"models-{state}": (models, state) for state in SHELVES},
    "models-looking": (lambda asked, _: ModelsWindow(asked.models), ""),
    **{f"history-{state}": (history, state) for state in PASTS},
    "files-empty": (files, None),
    "files-done": (files, 0),
    "files-failed": (files, 2),
    "files-working": (files, 3),
    "files-left": (files, 5),
    "correction": (correction, "Ask Kovács about Qwen3, soon."),
    "correction-unchanged": (correction, "Ask Kovach about quen three, um, soon."),
    "help": (lambda _asked, _: HelpWindow(), ""),
    "main": (main, CHOOSING),
    "main-problem": (main, TROUBLED),
    **{f"settings-{page}": (settings, page) for page in Page},
    "settings-broken": (settings_troubled, BROKEN),
    "settings-problems": (settings_troubled, MISREAD),
    **{
        f"settings-hotkeys-{state}": (hotkeys, state)
        for state in ("recording", "refused", "removed", "desktop")
    },
    "settings-languages": (languages, ""),
    **{f"setup-{place}": (setup, place) for place in range(6)},
    "setup-permissions": (permissions, (Consent.GIVEN, Consent.REFUSED, Consent.UNASKED)),
    "setup-typing": (typing, KeyPermission.UNASKED),
    "setup-typing-refused": (typing, KeyPermission.REFUSED),
}


def open_window(qtbot, asked, name):
    """Make the window ``name`` and bring it up."""
    make, state = WINDOWS[name]
    window = make(asked, state)
    qtbot.addWidget(window)
    window.present()
    qtbot.waitExposed(window)
    return window


def labels(widget):
    """What the labels in ``widget`` say that are to be seen."""
    return [label.text() for label in widget.findChildren(QLabel) if label.isVisible()]


def letters(titles):
    """The underlined letter of each title that has one."""
    found = [title.replace("&&", "").partition("&")[2][:1].lower() for title in titles]
    return [letter for letter in found if letter]


def buttons(widget):
    """The buttons and check boxes in ``widget`` that are to be seen."""
    return [one for one in widget.findChildren(QAbstractButton) if one.isVisible() and one.text()]
