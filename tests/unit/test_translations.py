"""The sentences that windows show: all are found for translators, and what they made of them fits."""

import ast
import copy
import gettext
import io
import json
import os
import pickle
import re
import string
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from PySide6.QtCore import QLocale

from handy_qwen.core.view import Choices, Notice, NoticeKind, View
from handy_qwen.message import Count, Message, Size, messages, reason_of, sentences, verbatim
from handy_qwen.settings import Settings, SettingsView
from handy_qwen.ui import translation
from handy_qwen.ui.settings.general import GeneralPage
from handy_qwen.ui.strings import unlike
from tests.conftest import ROOT
from tests.unit.ui.gallery import everything_asked, tools

sys.path.insert(0, str(ROOT / "packaging"))
import translations  # a script, and in no package

sys.path.pop(0)
PACKAGE = ROOT / "handy_qwen"
CATALOGS = translations.catalog_paths()
each_language = pytest.mark.parametrize("path", CATALOGS, ids=translations.language_of)
FILE = messages("{count} file in {folder}", "{count} files in {folder}", 3, folder=Message("the cellar"))


# --- messages ----------------------------------------------------------------------------------------


def test_a_message_is_its_english_sentence():
    assert Message("The model file {path} is missing.", path=Path("a")) == "The model file a is missing."
    assert Message("Needs {size}.", size=Size(1_234_567_890)) == "Needs 1.23 GB."
    assert messages("{count} word", "{count} words", 1) == "1 word"
    assert messages("{count} word", "{count} words", 2000) == "2,000 words"
    assert messages("{count} minute", "{count} minutes", 0.5) == "0.5 minutes"
    assert sentences(Message("One."), Message(), Message("Two.")) == "One. Two."
    assert not Message()
    assert Message("In braces: {}") == "In braces: {}", "without values nothing is put in"


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_message_can_be_copied(clone):
    made = clone(FILE)
    assert made == "3 files in the cellar"
    assert (made.template, made.plural, made.number, made.values) == (
        FILE.template,
        FILE.plural,
        FILE.number,
        FILE.values,
    )
    assert isinstance(made.values["folder"], Message)


def test_the_reason_of_an_error_stays_a_message():
    assert reason_of(ValueError(FILE)) is FILE
    assert reason_of(ValueError("as it is")) == "as it is"


class Spoken:
    """A catalog in memory."""

    def __init__(self, **known):
        self.known = {"{count} file in {folder}": "{count} Dateien in {folder}", "the cellar": "dem Keller"}
        self.known |= known

    def gettext(self, text):
        assert text, "that would be the catalog's head"
        return self.known.get(text, text)

    def ngettext(self, singular, plural, count):
        return self.known.get(singular, singular if count == 1 else plural)


@pytest.fixture
def spoken(monkeypatch):
    catalog = Spoken()
    monkeypatch.setattr(translation, "_catalog", catalog)
    return catalog.known


def test_messages_are_translated_wherever_a_view_holds_them(spoken):
    spoken["Ready"] = "Bereit"
    notice = Notice(1, NoticeKind.INFO, FILE, Message("Ready"))
    view = View(notices=(notice,), recent=("Ready",), choices=Choices(hotkeys=("F9",)))
    shown = translation.translated(view)
    assert [(one.title, one.hint) for one in shown.notices] == [("3 Dateien in dem Keller", "Bereit")]
    assert shown.recent == ("Ready",), "what the user said is no message"
    assert shown.choices is view.choices
    assert translation.translated(shown) == shown, "once is enough"


def test_english_that_was_stored_is_found_again(spoken):
    spoken["The disk is full."] = "Die Platte ist voll."
    assert translation.translated(verbatim("The disk is full.")) == "Die Platte ist voll."
    assert translation.translated(verbatim("kubectl {x}")) == "kubectl {x}"


@pytest.mark.parametrize(
    "broken", ["Dateien", "{count} Dateien in {ordner}", "{count Dateien in {folder}", "{"]
)
def test_a_broken_translation_is_none(spoken, broken):
    spoken["{count} file in {folder}"] = broken
    assert translation.translated(FILE) == "3 files in the cellar"


def test_the_form_for_one_thing_may_say_so_in_words(spoken):
    spoken["{count} file in {folder}"] = "eine Datei in {folder}"
    one = messages("{count} file in {folder}", "{count} files in {folder}", 1, folder=Message("the cellar"))
    assert translation.translated(one) == "eine Datei in dem Keller"
    spoken["{count} of {total}"] = "eins"
    assert translation.translated(Message("{count} of {total}", count=1, total=2)) == "1 of 2"


def test_numbers_are_written_as_usual_in_the_language(spoken):  # noqa: ARG001
    QLocale.setDefault(QLocale("de"))
    try:
        said = translation.translated(Message("{a}, {b}", a=Size(1_234_567_890), b=Count(2000)))
    finally:
        QLocale.setDefault(QLocale.c())
    assert said == "1,2 GB, 2.000"


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("de-AT", "de"),
        ("pt-PT", "pt_BR"),
        ("zh-Hant-HK", "zh_TW"),
        ("zh-CN", "zh_CN"),
        ("zh", "zh_CN"),
        ("en-GB", "en"),
        ("sv", ""),
        ("C", ""),
    ],
)
def test_the_nearest_language_is_spoken(tag, code):
    assert translation._nearest(tag, ["de", "en", "pt_BR", "zh_CN", "zh_TW"]) == code


def test_languages_are_called_as_their_speakers_do():
    names = [translation.native_name(code) for code in ("de", "en", "es", "pt_BR", "zh_TW", "he")]
    assert names == ["Deutsch", "English", "Español", "Português (Brasil)", "繁體中文", "עברית"]


# --- the source --------------------------------------------------------------------------------------


def test_the_template_is_up_to_date():
    found = translations.written(translations.template())
    assert found == translations.TEMPLATE.read_bytes(), "run: python3 packaging/dev.py translations"


def calls(path, names):
    """The calls in ``path`` of what is called one of ``names``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in names:
                yield node


@pytest.mark.parametrize(
    "path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE))
)
def test_templates_are_literals(path):
    if path.name in {"message.py", "catalogue.py"}:  # which makes them; which reads them from a file
        return
    for call in calls(path, translations.CALLS):
        for text in call.args[: 2 if len(call.args) > 1 else 1]:
            assert isinstance(text, ast.Constant), f"{path.name}:{call.lineno}"


SINKS = {
    "setText",
    "setToolTip",
    "setWindowTitle",
    "setAccessibleName",
    "setAccessibleDescription",
    "setTitle",
}
SINKS |= {"setPlaceholderText", "setStatusTip", "addAction", "addMenu", "addItem", "addItems", "insertItem"}
SINKS |= {
    "QLabel",
    "QPushButton",
    "QCheckBox",
    "QAction",
    "QMenu",
    "Button",
    "Text",
    "SecondaryText",
    "Title",
}
SINKS |= {"Row", "say", "refuse", "labelled", "announce", "showMessage", "setPrefix", "setSuffix", "confirm"}


def untranslated(node):
    """The texts in ``node`` but those that ``tr`` or the like gets."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") in translations.CALLS):
        for part in ast.iter_child_nodes(node):
            yield from untranslated(part)


@pytest.mark.parametrize("path", sorted((PACKAGE / "ui").rglob("*.py")), ids=lambda path: path.name)
def test_no_window_says_what_is_not_translated(path):
    for call in calls(path, SINKS):
        for one in [*call.args, *(keyword.value for keyword in call.keywords)]:
            said = [text for text in untranslated(one) if re.search(r"[A-Za-z]{2} |[A-Z][a-z]", text)]
            assert not said, f"{path.name}:{call.lineno}: {said}"


def test_nothing_is_left_in_english(tmp_path):
    """In a language that is nobody's; see ``pseudo``."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.unit.ui.pseudo", str(tmp_path / "locale")],
        env={**os.environ, "HANDY_QWEN_HOME": str(tmp_path / "home")},
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}


# --- what translators made ---------------------------------------------------------------------------


def pairs(catalog):
    """Each English form with the translations that stand for it."""
    for one in catalog:
        if not one.id:
            continue
        if isinstance(one.id, str):
            yield one.id, [one.string]
        else:
            yield one.id[1], list(one.string)


def values(text):
    """The placeholders in ``text``, as often as they are there."""
    return sorted(name for _text, name, _form, _conversion in string.Formatter().parse(text) if name)


def letters(text):
    """How many letters are underlined."""
    return len(re.findall(r"&[^&\s]", text.replace("&&", "")))


@cache
def known_sentences():
    return {(one.id, one.context) for one in translations.template()}


@each_language
def test_a_language_is_complete(path):
    catalog = translations.read(path)
    known = known_sentences()
    assert {(one.id, one.context) for one in catalog} == known, "run: python3 packaging/dev.py translations"
    assert not translations.missing_in(catalog)
    assert not [one.id for one in catalog if one.fuzzy and one.id]
    for one in catalog:
        assert isinstance(one.id, str) or len(one.string) == catalog.num_plurals, one.id


@each_language
def test_translations_have_the_same_values(path):
    for english, forms in pairs(translations.read(path)):
        if "{" not in english or values(english) == values("") or english.count("{") != english.count("}"):
            continue
        for form in filter(None, forms):
            left, right = set(values(english)), set(values(form))
            may_lack = {"count"} if len(forms) > 1 else set()
            assert left - may_lack <= right <= left, f"{english!r}: {form!r}"


@each_language
def test_translations_are_spaced_and_underlined_as_english_is(path):
    for english, forms in pairs(translations.read(path)):
        for form in filter(None, forms):
            for end in (0, -1):
                assert form[end].isspace() == english[end].isspace(), f"{english!r}: {form!r}"
            assert form.count("\n") == english.count("\n"), f"{english!r}: {form!r}"
            assert letters(form) <= letters(english), f"{english!r}: {form!r}"


def test_a_compiled_catalog_is_always_the_same_and_written_when_it_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(translations, "LOCALE", tmp_path)
    path = tmp_path / "de" / "LC_MESSAGES" / "handy-qwen.po"
    path.parent.mkdir(parents=True)
    compiled = path.with_suffix(".mo")
    for said, is_written in (("Ja", True), ("Ja", False), ("Jawohl", True)):
        path.write_text(f'msgid ""\nmsgstr "Language: de\\n"\n\nmsgid "Yes"\nmsgstr "{said}"\n')
        translations.compile_all()
        assert (compiled.stat().st_mtime != 0) == is_written
        content = compiled.read_bytes()
        assert gettext.GNUTranslations(io.BytesIO(content)).gettext("Yes") == said
        assert b"1970-01-01" in content, "not when it was compiled"
        os.utime(compiled, (0, 0))


# --- letters and directions --------------------------------------------------------------------------


def test_a_letter_is_underlined_once():
    titles = ["&Start", "S&top", "&Stop && go", "&Über", "&über", "Plain"]
    assert list(unlike(titles)) == ["&Start", "S&top", "Stop && go", "&Über", "über", "Plain"]


def test_another_language_offers_a_restart(qtbot):
    asked = everything_asked()
    shown = GeneralPage(tools(asked))
    qtbot.addWidget(shown)
    shown.show_settings(SettingsView(values=Settings()))
    assert shown.restart.isHidden()
    shown.show_settings(SettingsView(values=Settings(interface_language="de")))
    assert not shown.restart.isHidden()
    shown.restart.undo_button.click()
    assert asked.calls[-1] == ("quit", {"and_again": True})
    shown.show_settings(SettingsView(values=Settings()))
    assert shown.restart.isHidden()
