"""The settings window: what is chosen is asked for, what is wrong is said, what is not seen costs nothing."""

import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, QPointF, Qt, QTimer
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import QApplication, QCheckBox, QComboBox, QDoubleSpinBox

from handy_qwen.core.text import Replacement
from handy_qwen.core.types import Keep, LiveMode, LockKey, Method, Mode, Overlay, Submit, WhileRecording
from handy_qwen.core.view import Phase, Window
from handy_qwen.settings import (
    OPTIONS,
    Settings,
    SettingsProblem,
    SettingsStore,
    SettingsView,
    read_configuration,
)
from handy_qwen.settings.forms import Amount, Own, Page
from handy_qwen.ui.settings import window as window_module
from handy_qwen.ui.settings.window import SettingsWindow
from tests.bench.settings_open import DESK
from tests.conftest import ROOT
from tests.unit.test_settings import BY_HAND, whole_line_comments
from tests.unit.ui.gallery import BROKEN, CHOOSING, MISREAD, tools
from tests.unit.ui.test_gallery import check_no_two_things_have_the_same_letter

pytestmark = [
    pytest.mark.qt_log_ignore("This plugin does not support"),
    pytest.mark.usefixtures("app_home"),
]
SHOWN = {
    name: option
    for name, option in OPTIONS.items()
    if option.described.page is not None and not isinstance(option.described.form, Own)
}


def make(qtbot, asked):
    window = SettingsWindow(tools(asked))
    qtbot.addWidget(window)
    window.show_settings(SettingsView(Path("settings.toml")))
    window.show_view(CHOOSING)
    window.present()
    qtbot.waitExposed(window)
    asked.calls.clear()
    return window


@pytest.fixture
def window(qtbot, asked):
    return make(qtbot, asked)


def row_of(window, name):
    """The row of a setting, with its page up."""
    page = OPTIONS[name].described.page
    window.go(page)
    return next(row for row in window.page(page).rows if row.setting_name == name)


def choose(row, value):
    """Choose ``value`` as a user would."""
    control, form = row.control, row.option.described.form
    if isinstance(control, QComboBox):
        place = [one for one, _title in row.setting._shown].index(value)
        control.setCurrentIndex(place)
        control.activated.emit(place)
    elif isinstance(control, QCheckBox):
        if control.isChecked() != value:
            control.click()
    else:
        box, number = control.findChild(QCheckBox), control
        if box is not None:
            number = control.findChild(QDoubleSpinBox)
            if box.isChecked() != bool(value):
                box.click()
        if value or box is None:
            number.lineEdit().setText(f"{value / form.scale:.{form.decimals}f}")
            number.interpretText()
            number.editingFinished.emit()


def test_every_setting_has_its_row_and_what_is_chosen_is_asked_for(window, asked):
    for name, option in SHOWN.items():
        row, value = row_of(window, name), OTHER[name]
        asked.calls.clear()
        choose(row, value)
        assert asked.calls == [("change", {name: value})]
        assert not row.trouble.words, name
        window.show_settings(SettingsView(values=Settings(**{name: value})))
        assert row.reset.isVisible(), name
        assert option.described.label in row.reset.toolTip()
        row.reset.click()
        assert asked.calls[-1] == ("change", {name: option.default})
        window.show_settings(SettingsView())
        assert not row.reset.isVisible(), name


OTHER = {
    "mode": Mode.TOGGLE,
    "hold_s": 0.45,
    "lock_key": LockKey.TAB,
    "max_take_s": 120.0,
    "silence_s": 60.0,
    "avoid_headset": False,
    "while_recording": WhileRecording.LOWER,
    "warm_s": -1.0,
    "threads": 1,
    "idle_unload_min": 0.0,
    "live": LiveMode.OFF,
    "live_on_battery": LiveMode.FULL,
    "method": Method.TYPE,
    "submit": Submit.ENTER,
    "smart_spacing": False,
    "trailing_space": True,
    "remove_fillers": True,
    "say_new_line": False,
    "say_new_paragraph": False,
    "say_scratch_that": False,
    "say_press_enter": False,
    "overlay": Overlay.OFF,
    "sounds": True,
    "history": Keep.TEXT,
    "history_count": 50,
    "history_days": 0,
    "history_gb": 1.5,
    "private": True,
}


@pytest.mark.parametrize(
    ("name", "typed", "reason"),
    [
        ("hold_s", 9.0, "Must be from 0.1 to 2 s."),
        ("max_take_s", 60_000.0, "Must be from 0.09 to 120 min."),
        ("history_count", 2_000_000, "Must be from 0 to 1,000,000 dictations."),
    ],
)
def test_a_bad_value_is_refused_below_its_row_and_nothing_is_asked(window, asked, name, typed, reason):
    row = row_of(window, name)
    asked.calls.clear()
    choose(row, typed)
    assert asked.calls == []
    assert row.trouble.words == reason
    window.show_settings(SettingsView(Path("settings.toml"), values=Settings(sounds=True)))
    assert row.trouble.words == reason, "something else has changed"
    choose(row, OTHER[name])
    assert (row.trouble.words, asked.calls) == ("", [("change", {name: OTHER[name]})])


def test_what_is_chosen_while_the_last_choice_is_on_its_way_counts(window, asked):
    row = row_of(window, "sounds")
    row.control.click()
    row.control.click()
    assert asked.calls == [("change", {"sounds": True}), ("change", {"sounds": False})]
    window.show_settings(SettingsView(values=Settings(sounds=True)))
    assert not row.control.isChecked(), "a newer choice is on its way"
    row.control.click()
    assert asked.calls[-1] == ("change", {"sounds": True})
    window.show_settings(SettingsView())
    window.show_settings(SettingsView(values=Settings(sounds=True)))
    assert row.control.isChecked()
    window.show_settings(SettingsView())
    assert not row.control.isChecked(), "somebody else has changed it"


def test_a_change_of_the_file_is_shown_at_once_also_a_value_that_is_not_offered(window):
    row = row_of(window, "warm_s")
    window.show_settings(SettingsView(values=Settings(warm_s=45)))
    assert row.control.currentText() == "For 45 seconds"
    window.show_settings(SettingsView(values=Settings(warm_s=300)))
    assert row.control.currentText() == "For 5 minutes"
    assert row.control.findText("For 45 seconds") == -1


def test_what_the_file_has_wrong_is_said_at_its_row_and_can_be_reset(window, asked):
    window.go(Page.GENERAL)
    window.show_settings(MISREAD)
    assert window.trouble.message.words == "2 lines of settings.toml can't be used as written."
    window.trouble.show_it.click()
    row = row_of(window, "mode")
    assert window.chosen is Page.SHORTCUT
    assert row.control.hasFocus()
    assert row.trouble.words.startswith("Line 4: mode must be one of auto, hold, toggle")
    row.reset.click()
    assert asked.calls[-1] == ("change", {"mode": Mode.AUTO})
    window.show_settings(SettingsView(Path("settings.toml")))
    assert not row.trouble.words
    assert not window.trouble.isVisible()


def test_what_the_file_has_wrong_in_a_list_is_said_and_shown_where_the_list_is(window):
    for name in ("custom_words", "replacements", "hotkeys", "microphones"):
        window.go(Page.GENERAL)
        problem = SettingsProblem(f"{name} must be a list", 3, name=name)
        window.show_settings(SettingsView(Path("settings.toml"), problems=(problem,)))
        window.trouble.show_it.click()
        assert window.chosen is OPTIONS[name].described.page, name
        row = next(row for row in window.page(window.chosen).rows if row.setting_name == name)
        assert row.trouble.words == f"Line 3: {name} must be a list."
        assert row.isAncestorOf(QApplication.focusWidget()), name


def test_a_broken_file_is_said_with_its_line_and_can_be_mended_or_opened(window, asked):
    window.show_settings(BROKEN)
    assert (
        window.trouble.message.words
        == "Line 12 of settings.toml cannot be read: a quotation mark is missing."
    )
    assert OPTIONS["language"].described.label in window.trouble.repair.text()
    window.trouble.repair.click()
    window.trouble.open.click()
    assert asked.calls == [("repair_settings",), ("open_settings_file",)]
    window.show_settings(SettingsView(error=SettingsProblem("is not UTF-8 text")))
    assert not window.trouble.repair.isVisible()


def test_a_key_that_is_no_setting_can_be_renamed_moved_or_removed(window, asked):
    window.show_settings(MISREAD)
    card = window.trouble
    assert card.correct.text() == "Rename to “hold_s”"
    card.correct.click()
    card.remove.click()
    place = ("hold_sec",)
    assert asked.calls == [("fix_key", place, {"is_meant": flag}) for flag in (True, False)]
    misplaced = SettingsProblem("mode is inside [[hotkeys]]", 9, place=("hotkeys", 0, "mode"), meant="mode")
    window.show_settings(SettingsView(problems=(misplaced,)))
    assert card.correct.text() == "Move line 9 to its place"
    assert not card.show_it.isVisible()
    window.show_settings(SettingsView(problems=(replace(misplaced, meant=""),)))
    assert (card.correct.isVisible(), card.remove.isVisible()) == (False, True)


def test_what_is_wrong_with_the_file_is_on_whatever_page_is_up_and_scrolls_with_it(window):
    for page, shown in product(Page, (BROKEN, MISREAD)):
        window.show_settings(shown)
        window.go(page)
        assert window.page(page).inside.isAncestorOf(window.trouble), page
        assert window.trouble.isVisible(), page
        assert window.list.hasFocus(), page
        assert window.page(page).verticalScrollBar().value() == 0, page
        check_no_two_things_have_the_same_letter(window)


def test_the_last_dictation_shows_what_the_settings_make_of_it(window):
    page = window.page(Page.TEXT)
    values = Settings(remove_fillers=True, replacements=[Replacement("chairs", "stools")])
    window.show_settings(SettingsView(values=values))
    assert "Anna" in page.example.text()
    window.show_view(replace(CHOOSING, heard=("Um, we need chairs.", "English")))
    assert page.example.text().splitlines() == [
        "You said: Um, we need chairs.",
        "The result: We need stools.",
    ]
    window.show_settings(SettingsView(values=replace(values, trailing_space=True)))
    assert page.example.text().endswith("stools.␣")
    window.show_view(CHOOSING)
    assert "stools" not in page.example.text()


def test_search_finds_what_is_called_otherwise(window):
    for word, found in (
        ("clipboard", "method"),
        ("beep", "sounds"),
        ("CPU", "threads"),
        ("popup", "overlay"),
        ("music", "while_recording"),
    ):
        window.search.setText(word)
        assert row_visible(window, found), word
    window.search.setText("startup")
    assert window.chosen is Page.GENERAL


def test_search_goes_to_what_is_called_so_before_what_mentions_it(window):
    window.search.setText("insert text")
    assert row_visible(window, "max_take_s"), "whose text is inserted as usual"
    assert window.chosen is Page.TEXT
    window.search.setText("insert")
    assert window.chosen is Page.TEXT
    window.search.setText("hotkey")
    assert window.chosen is Page.SHORTCUT


def test_search_finds_rows_on_all_pages_by_all_their_words(qtbot, window):
    qtbot.keyClick(window, Qt.Key.Key_F, Qt.KeyboardModifier.ControlModifier)
    assert window.search.hasFocus()
    qtbot.keyClicks(window.search, "silence")
    shown = [which for place, which in enumerate(Page) if not window.list.item(place).isHidden()]
    assert shown == [Page.SHORTCUT]
    assert window.chosen is Page.SHORTCUT
    rows = [row for row in window.page(Page.SHORTCUT).rows if row.isVisible()]
    assert [row.setting_name for row in rows] == ["silence_s"]
    qtbot.keyClick(window.search, Qt.Key.Key_Return)
    assert rows[0].control.hasFocus()
    window.search.setText("hands-free TAP")
    assert row_visible(window, "mode")
    window.search.setText("Ctrl+Enter")  # a value
    assert window.chosen is Page.TEXT
    window.search.setText("nothing has this")
    assert not window._stack.isVisible()
    window.search.clear()
    assert all(not window.list.item(place).isHidden() for place in range(window.list.count()))
    assert all(row.isVisible() for row in window.page(window.chosen).rows)


def row_visible(window, name):
    page = window.page(OPTIONS[name].described.page)
    return any(row.setting_name == name and not row.isHidden() for row in page.rows)


def test_a_page_is_made_when_it_is_first_looked_at_and_entered_only_while_it_is_seen(
    qtbot, asked, monkeypatch
):
    told = []
    for which, page_class in window_module._PAGES.items():
        monkeypatch.setattr(page_class, "enter", lambda _self, which=which: told.append(("enter", which)))
        monkeypatch.setattr(page_class, "leave", lambda _self, which=which: told.append(("leave", which)))
    window = make(qtbot, asked)
    assert list(window._pages) == [Page.GENERAL]
    window.go(Page.TEXT)
    window.close()
    window.present()
    assert told == [
        ("enter", Page.GENERAL),
        ("leave", Page.GENERAL),
        ("enter", Page.TEXT),
        ("leave", Page.TEXT),
        ("enter", Page.TEXT),
    ]


def test_closed_it_has_no_timer(qtbot, window):
    for which in Page:
        window.go(which)
    window.show_view(replace(CHOOSING, phase=Phase.RECORDING, began_s=0.0))
    assert any(timer.isActive() for timer in window.findChildren(QTimer)), "the level is followed"
    window.close()
    window.show_view(replace(CHOOSING, phase=Phase.RECORDING, began_s=0.0))
    assert [timer for timer in window.findChildren(QTimer) if timer.isActive()] == []
    window.show_view(CHOOSING)
    window.present()
    window.show_view(replace(CHOOSING, phase=Phase.RECORDING, began_s=0.0))
    qtbot.waitUntil(window._meter._timer.isActive)


def test_it_is_imported_when_first_opened_and_loads_neither_numpy_nor_the_engine():
    code = (
        DESK
        + """
assert not any(name.startswith("handy_qwen.ui.settings") for name in sys.modules), "before it is asked for"
desk._present(Window.SETTINGS)
window = desk._windows[Window.SETTINGS]
from handy_qwen.settings.forms import Page
for page in Page:
    window.go(page)
assert window.isVisible()
heavy = {"numpy", "onnxruntime", "sounddevice", "handy_qwen.engine", "handy_qwen.doctor"} & set(sys.modules)
assert not heavy, heavy
os._exit(0)
"""
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_wheel_scrolls_and_changes_nothing_that_has_not_the_keyboard(window, asked):
    row = row_of(window, "mode")
    window.search.setFocus()
    at = QPointF(5, 5)
    event = QWheelEvent(
        at,
        row.control.mapToGlobal(at),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(row.control, event)
    assert not event.isAccepted()
    assert asked.calls == []


def test_ctrl_comma_asks_for_the_settings_and_setup_can_be_run_again(qtbot, window, asked):
    with qtbot.waitSignal(window.settings_asked):
        qtbot.keyClick(window, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    window.go(Page.GENERAL)
    guide = next(row for row in window.page(Page.GENERAL).rows if row.label.text() == "Set up again")
    guide.control.click()
    assert asked.calls == [("open_window", Window.SETUP)]


def drawn(option):
    """Any value of a setting that its control can be given."""
    form = option.described.form
    if isinstance(form, Amount):
        low, high = option.read.low / form.scale, option.read.high / form.scale
        steps = 10**form.decimals
        number = st.integers(-(-low * steps // 1), int(high * steps)).map(lambda n: n / steps * form.scale)
        return number.map(lambda n: round(n, 6)).filter(bool) if form.zero else number
    if not hasattr(form, "values"):
        return st.booleans()
    linux = sys.platform.startswith("linux")
    return st.sampled_from([one for one in form.values if linux or one is not WhileRecording.PAUSE])


@pytest.mark.expects_log
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_valid_choice_goes_into_the_file_and_keeps_what_else_it_says(window, asked, tmp_path, data):
    """Window → file → window, with the real store between."""
    path = tmp_path / "settings.toml"
    path.write_text(BY_HAND, encoding="utf-8")
    store = SettingsStore(path, on_view=window.show_settings)
    store.load()
    window.show_settings(store.view)
    asked.calls.clear()
    names = data.draw(st.lists(st.sampled_from(list(SHOWN)), min_size=1, max_size=4, unique=True))
    for name in names:
        value = data.draw(drawn(SHOWN[name]))
        row = row_of(window, name)
        asked.calls.clear()
        choose(row, value)
        for _change, changes in asked.calls:
            store.update(**changes)
        chosen = getattr(store.value, name)
        assert chosen == (pytest.approx(value) if isinstance(value, float) else value)
        assert not row.trouble.words
    assert read_configuration(path).settings == store.value == store.view.values
    text = path.read_text(encoding="utf-8")
    assert whole_line_comments(text) == whole_line_comments(BY_HAND)
    assert "future = 7\n" in text


def test_a_page_that_a_screen_reader_selects_is_shown(window):
    window.show()
    window.list.item(1).setSelected(True)
    assert window.chosen is Page.SHORTCUT
    assert window.page(Page.SHORTCUT).isVisible()
