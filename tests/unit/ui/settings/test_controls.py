"""Numbers as each language writes them."""
# ruff: noqa: RUF001  other digits are what it is about

import gettext

import pytest
from PySide6.QtCore import QLocale, Qt

from handy_qwen.settings.checks import number
from handy_qwen.settings.forms import Amount, Unit
from handy_qwen.ui import strings, translation
from handy_qwen.ui.settings.controls import AmountControl
from handy_qwen.ui.settings.rule_table import RuleTable


@pytest.fixture
def language():
    """Write numbers as a language does."""
    before = QLocale()
    yield lambda code: QLocale.setDefault(QLocale(code))
    QLocale.setDefault(before)


@pytest.mark.parametrize(
    ("code", "value", "shown"),
    [
        ("en", 90.0, "90"),
        ("en", 0.3, "0.3"),
        ("de", 1000.25, "1.000,25"),
        ("ar_EG", 90.0, "٩٠"),
        ("ar_EG", 100.0, "١٠٠"),
        ("ar_EG", 0.3, "٠٫٣"),
        ("fa", 2.5, "۲٫۵"),
        ("hi", 2.0, "2"),
    ],
)
def test_a_number_has_no_zeros_behind_the_point(qtbot, language, code, value, shown):
    language(code)
    control = AmountControl(Amount(Unit.GIGABYTES, decimals=2), number(0, 100_000))
    qtbot.addWidget(control.widget)
    control.show_value(value)
    assert control.widget.cleanText() == shown


def test_the_unit_has_the_form_for_its_number(qtbot, monkeypatch):
    class Polish(gettext.NullTranslations):
        def ngettext(self, singular, _plural, n):
            assert singular == "day"
            return "dzień" if n == 1 else "DNI" if n == 2 else "dni"

    monkeypatch.setattr(translation, "_catalog", Polish())
    control = AmountControl(Amount(Unit.DAYS, decimals=2), number(0, 36_500))
    qtbot.addWidget(control.widget)
    chosen = []
    control.connect(chosen.append)
    for value, shown in ((1, "1 dzień"), (90, "90 dni"), (2, "2 DNI"), (1.5, "1.5 DNI")):
        control.show_value(value)
        assert control.widget.text() == shown
    control.show_value(2)
    control.widget.stepUp()
    assert control.widget.text() == "3 dni"
    assert chosen == [3], "what the language says is no choice"
    assert control.reason(ValueError("")).endswith("36,500 dni.")


def test_all_digits_are_those_of_the_language(qtbot, language):
    language("ar_EG")
    assert strings.whole(1210) == "١٬٢١٠"
    assert strings.clock(67) == "١:٠٧"
    assert strings.remaining(180) == "about ٣ minutes left"
    table = RuleTable(change=lambda *_: None, delete=lambda: None)
    qtbot.addWidget(table)
    assert table.model().headerData(3, Qt.Orientation.Vertical) == "٤"
    language("en")
    assert (strings.whole(1210), strings.clock(67)) == ("1,210", "1:07")
