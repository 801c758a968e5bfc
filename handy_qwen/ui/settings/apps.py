"""The page Apps: settings for certain programs.

The built-in profiles are in the list as well; once changed, they become the user's own, under the same name
(see ``core.profiles``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from PySide6.QtCore import QSignalBlocker, Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QLineEdit

from handy_qwen.core.profiles import BUILT_IN, effective, plain_name
from handy_qwen.core.types import Method, Profile, Spacing, Submit
from handy_qwen.core.view import Choices, View
from handy_qwen.languages import AUTOMATIC
from handy_qwen.message import reason_of
from handy_qwen.settings import OPTIONS, SettingsView
from handy_qwen.settings.checks import profile as checked
from handy_qwen.ui import strings
from handy_qwen.ui.layouts import SMALL_GAP_PX, FlowLayout, column
from handy_qwen.ui.settings.controls import DETECT, ChoiceControl, language_entries
from handy_qwen.ui.settings.page import Row, SettingsPage, Tools
from handy_qwen.ui.strings import without_letter
from handy_qwen.ui.translation import tr, translated
from handy_qwen.ui.widgets import Button, Outcome, ShortList

_SHIPPED = {one.name: one for one in BUILT_IN}
_ROWS = 5  # of the list
_LINE_CHARACTERS = 26
_COMMA = re.compile("[,，、،]")  # noqa: RUF001  also as Chinese, Japanese and Arabic have it
Entries = list[tuple[object, str]]
_PROFILES = tr("Apps")
_ALSO = tr("per app application program profile terminal editor chat window rules")
_ADD_LAST_NONE = tr("Add the app I used last")
_NEW = tr("New app")
_REMOVE = tr("Re&move")
_PROGRAMS = tr("Programs")
_WORDS = tr("Words")
_AS_USUAL = tr("As in the settings")
# Translators: the programs that these settings are for come with Handy Qwen.
_TITLES = {
    "Terminals": tr("Terminals"),
    "Code editors": tr("Code editors"),
    "Chat": tr("Chat"),
}


class AppsPage(SettingsPage):
    """Made and used on Qt's thread."""

    def __init__(self, tools: Tools) -> None:
        super().__init__(tools)
        self._own: tuple[Profile, ...] = ()  # the user's, once all requests are done
        self._asked: list[tuple[Profile, ...]] = []  # requested, but not confirmed yet
        self._saved: tuple[Profile, ...] = ()  # confirmed last
        self._removed: tuple[int, Profile] | None = None  # what an undo restores, and its position
        self._shown: tuple[Profile, ...] = ()
        self._view = View()
        self.list = ShortList(_ROWS)
        self.list.setAccessibleName(tr("Apps with settings of their own"))
        self.add_last = Button(_ADD_LAST_NONE, self._add_last)
        self.add_last.setToolTip(tr("The program that your last dictation was for."))
        self.add = Button(tr("&Add an app"), lambda: self._add(Profile(_NEW)))
        self.remove = Button(_REMOVE, self._remove)
        self.told = Outcome(tr("&Undo"))
        buttons = FlowLayout(self.add_last, self.add, self.remove, gap_px=SMALL_GAP_PX)
        self.profiles = Row(
            "",
            help=tr(
                "The program that has the focus when you press the key decides. Where it has nothing of its "
                "own, your other settings apply."
            ),
            below=column(self.list, buttons, self.told, gap_px=SMALL_GAP_PX),
            focus=self.list,
            also=f"{_PROFILES} {_ALSO}",
            setting_name="apps",
        )
        self.add_section(_PROFILES, self.profiles)
        self.name, self.programs, self.words = (_Line(self) for _ in range(3))
        self.language, self.method, self.submit, self.spacing = (ChoiceControl() for _ in range(4))
        self.name_row = Row(tr("Name"), self.name)
        self.programs_row = Row(
            _PROGRAMS,
            help=tr(
                "As the desktop calls them, separated by commas: kitty, code.exe. * stands for anything."
            ),
            below=self.programs,
        )
        self.words_row = Row(
            _WORDS,
            help=tr("Names and terms for this app, read before your others. Separate them with commas."),
            below=self.words,
        )
        for line, title in ((self.programs, _PROGRAMS), (self.words, _WORDS)):
            line.setAccessibleName(title)
        self.add_section(
            "",
            self.name_row,
            self.programs_row,
            Row(tr("I speak"), self.language.widget),
            Row(tr("Insert text by"), self.method.widget),
            Row(
                tr("Then press"),
                self.submit.widget,
                help=tr("In a terminal, Enter runs the line. In a chat, it can send the message."),
            ),
            Row(tr("Continue the sentence already there"), self.spacing.widget),
            self.words_row,
        )
        self._connect()
        self._show_profiles()

    def show_settings(self, shown: SettingsView) -> None:
        """Show the profiles in the settings."""
        super().show_settings(shown)
        apps = shown.values.apps
        if apps in self._asked:
            del self._asked[: self._asked.index(apps) + 1]
        elif apps != self._saved or shown.error or shown.refusal:  # changed elsewhere, or not saved
            self._asked.clear()
        self._saved = apps
        if not self._asked and apps != self._own:
            self._own = apps
            self._forget_removed()
        self._show_profiles()

    def show_view(self, view: View) -> None:
        """Offer the application of the last dictation."""
        self._view = view
        title = tr("Add “{program}”").format(program=strings.literal(view.application))
        self.add_last.setText(title if view.application else _ADD_LAST_NONE)
        self.add_last.setEnabled(bool(view.application))
        self.language.set_entries(_languages(view.choices))

    def leave(self) -> None:
        """Forget the undo."""
        self._forget_removed()

    @property
    def chosen(self) -> Profile:
        """The selected profile."""
        place = self.list.currentRow()
        return self._shown[place] if 0 <= place < len(self._shown) else Profile("")

    def _connect(self) -> None:
        self.list.currentRowChanged.connect(lambda _row: self._show_chosen())
        self.told.undo_button.clicked.connect(lambda _checked: self._undo())
        self.name.editingFinished.connect(lambda: self._take(self.name, self._rename))
        for key in ("programs", "words"):
            line: _Line = getattr(self, key)
            line.editingFinished.connect(partial(self._take, line, self._lister(key, line)))
        for key in ("language", "method", "submit", "spacing"):
            control: ChoiceControl = getattr(self, key)
            control.connect(self._changer(key))

    def _changer(self, key: str) -> Callable[[object], None]:
        def choose(value: object) -> None:
            self._change(**{key: value})

        return choose

    def _lister(self, key: str, line: _Line) -> Callable[[], bool]:
        return lambda: self._change(**{key: _listed(line.text())})

    # --- what is shown -------------------------------------------------------------------------------

    def _show_profiles(self) -> None:
        chosen, self._shown = self.chosen.name, effective(self._own)
        names = [one.name for one in self._shown]
        titles = [_title(name) for name in names]
        if titles != [self.list.item(row).text() for row in range(self.list.count())]:
            with QSignalBlocker(self.list):
                self.list.clear()
                self.list.addItems(titles)
                self.list.setCurrentRow(names.index(chosen) if chosen in names else 0)
        self._show_chosen()

    def _show_chosen(self) -> None:
        one = self.chosen
        self.method.set_entries(_titled("method", Method))
        self.submit.set_entries(_titled("submit", Submit))
        self.spacing.set_entries([(None, _AS_USUAL), (Spacing.ON, tr("Yes")), (Spacing.OFF, tr("No"))])
        for line, text in ((self.name, _title(one.name)), (self.programs, _joined(one.programs))):
            line.show_text(text, one.name)
        self.words.show_text(_joined(one.words), one.name)
        for control, value in (
            (self.language, one.language),
            (self.method, one.method),
            (self.submit, one.submit),
            (self.spacing, one.spacing),
        ):
            control.show_value(value)
        is_shipped, is_own = one.name in _SHIPPED, any(own.name == one.name for own in self._own)
        self.name.setReadOnly(is_shipped)
        self.remove.setText(tr("Rese&t") if is_shipped else _REMOVE)
        self.remove.setEnabled(is_own)
        self.name_row.refuse("")
        self.programs_row.refuse("" if one.programs else tr("Say which programs it is for."))
        self.words_row.refuse("")

    # --- changes -------------------------------------------------------------------------------------

    def _use(self, own: tuple[Profile, ...], chosen: str) -> None:
        self._own = own
        self._asked.append(own)
        if self._removed is not None and any(one.name == self._removed[1].name for one in own):
            self._forget_removed()
        self.tools.commands.change(apps=own)
        self._show_profiles()
        names = [one.name for one in self._shown]
        if chosen in names:
            self.list.setCurrentRow(names.index(chosen))
        self._show_chosen()

    def _take(self, line: _Line, change: Callable[[], bool]) -> None:
        """Save what was typed in ``line``, if anything, unless it was refused."""
        if not line.isModified() or change():
            line.setModified(False)
            self._show_chosen()

    def _change(self, **changes: object) -> bool:
        """Change the selected profile; return whether that was possible."""
        old = self.chosen
        new = replace(old, **changes)  # type: ignore[arg-type]  # checked below
        if new == old:
            return True
        row = self.words_row if "words" in changes else self.programs_row
        try:
            new = checked(new)
        except ValueError as exc:
            row.refuse(tr("This can't be used: {reason}.").format(reason=translated(reason_of(exc))))
            return False
        shipped = _SHIPPED.get(new.name)
        if shipped is not None and new.programs == shipped.programs:
            new = replace(new, programs=())
        others = [one for one in self._own if one.name != old.name]
        place = next((place for place, one in enumerate(self._own) if one.name == old.name), len(self._own))
        self._use((*others[:place], new, *others[place:]), new.name)
        return True

    def _rename(self) -> bool:
        name = " ".join(self.name.text().split())
        if name == _title(self.chosen.name):
            return True
        if not name or any(one.name == name for one in self._shown):
            self.name_row.refuse(tr("There is an app of that name already.") if name else tr("Enter a name."))
            return False
        return self._change(name=name)

    def _end_editing(self) -> bool:
        """Save what is being typed, for its app; return whether that was possible.

        A button pressed by its mnemonic, or on macOS by the mouse, leaves the focus in the field.
        """
        line = QApplication.focusWidget()
        if not isinstance(line, _Line):
            return True
        QGuiApplication.inputMethod().commit()
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)
        if line.isModified():  # it was refused
            line.setFocus(Qt.FocusReason.OtherFocusReason)
        return not line.isModified()

    def _add_last(self) -> None:
        if not self._end_editing():
            return
        program = self._view.application
        known = next((one for one in self._own if program in one.programs), None)
        if known is not None:
            self.list.setCurrentRow([one.name for one in self._shown].index(known.name))
            return
        name = plain_name(program)
        self._add(Profile(name[:1].upper() + name[1:], (program,)))

    def _add(self, one: Profile) -> None:
        if not self._end_editing():
            return
        names = {each.name for each in self._shown}
        numbered = (f"{one.name} {number}" for number in range(2, len(names) + 3))
        name = one.name if one.name not in names else next(each for each in numbered if each not in names)
        self._use((*self._own, replace(one, name=name)), name)
        field = self.name if not one.programs else self.language.widget
        field.setFocus(Qt.FocusReason.OtherFocusReason)

    def _remove(self) -> None:
        self._end_editing()
        gone = self.chosen
        place = [one.name for one in self._own].index(gone.name)
        left = tuple(one for one in self._own if one.name != gone.name)
        title = tr("“{name}” reset.") if gone.name in _SHIPPED else tr("“{name}” removed.")
        self._use(left, gone.name)
        self._removed = place, gone
        self.told.say(title.format(name=_title(gone.name)), can_undo=True)
        self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def _undo(self) -> None:
        if self._end_editing() and self._removed is not None:
            place, back = self._removed
            self._use((*self._own[:place], back, *self._own[place:]), back.name)
            self.list.setFocus(Qt.FocusReason.OtherFocusReason)

    def _forget_removed(self) -> None:
        self._removed = None
        self.told.say("")


class _Line(QLineEdit):
    """A text field that reports finished edits."""

    def __init__(self, page: AppsPage) -> None:
        super().__init__(page)
        self.setMinimumWidth(_LINE_CHARACTERS * self.fontMetrics().averageCharWidth())
        self._app = ""

    def show_text(self, text: str, app: str) -> None:
        """Show ``text`` of ``app``, unless the user is editing it; an edit for another app is dropped."""
        if app != self._app or not (self.hasFocus() and self.isModified()):
            self._app = app
            self.setModified(False)
            if text != self.text():
                self.setText(text)
                self.setCursorPosition(0)


def _languages(choices: Choices) -> Entries:
    return [("", _AS_USUAL), (AUTOMATIC, DETECT), *language_entries(choices)]


def _titled(name: str, values: type[Method] | type[Submit]) -> Entries:
    option = OPTIONS[name]
    titles = ((one, without_letter(translated(option.worded(one)))) for one in values)
    return [(None, _AS_USUAL), *titles]


def _listed(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for part in _COMMA.split(text) if (one := " ".join(part.split()))))


def _joined(parts: tuple[str, ...]) -> str:
    return ", ".join(parts)


def _title(name: str) -> str:
    """The title of the app ``name`` of the settings: the built-in ones are translated."""
    return _TITLES.get(name, name)
