"""Translation by gettext: catalogs named ``handy-qwen`` in ``assets/locale``.

``tr``, ``ntr`` and ``ptr`` are for the texts of windows, often constants: so ``use`` must be called before
the modules of the windows are imported. ``translated`` is for messages from elsewhere.
"""

from __future__ import annotations

import gettext
import string
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar, cast

from PySide6.QtCore import QCoreApplication, QLibraryInfo, QLocale, QTranslator
from PySide6.QtGui import QGuiApplication

from handy_qwen import paths
from handy_qwen.languages import NATIVE_NAMES, code_of
from handy_qwen.message import VERBATIM, Count, Message, Number, Size, verbatim

T = TypeVar("T")
DOMAIN, ENGLISH = "handy-qwen", "en"
_catalog = gettext.NullTranslations()
_wanted = ""


def use(wanted: str) -> None:
    """Switch to ``wanted``, a code of ``languages``; "": the best one for the desktop's language.

    Also sets Qt's own texts, the writing direction and the format of numbers and dates.
    """
    global _catalog, _wanted  # noqa: PLW0603  there is one user
    _wanted = wanted
    asked = [wanted] if wanted else QLocale.system().uiLanguages()
    known = languages()
    language = next((code for tag in asked if (code := _nearest(tag, known))), "")
    _catalog = gettext.translation(DOMAIN, paths.asset("locale"), [language], fallback=True)
    if not language:  # English is the best match
        return
    here, there = QLocale.system(), QLocale(language)
    QLocale.setDefault(here if here.language() == there.language() else there)
    if (app := QCoreApplication.instance()) is not None:
        words = QTranslator(app)
        if words.load(there, "qtbase", "_", QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)):
            app.installTranslator(words)
    QGuiApplication.setLayoutDirection(there.textDirection())


def is_used(wanted: str) -> bool:
    """Whether ``use`` was called with ``wanted``."""
    return wanted == _wanted


def languages() -> list[str]:
    """The codes of the available languages: English, and those with a catalog."""
    found = {path.parents[1].name for path in paths.asset("locale").glob(f"*/*/{DOMAIN}.mo")}
    return sorted({ENGLISH, *found}, key=lambda code: native_name(code).casefold())


def native_name(code: str) -> str:
    """The native name of a language: "Deutsch", "Português (Brasil)"."""
    locale, (language, _, territory) = QLocale(code), code.partition("_")
    if locale.language() is QLocale.Language.Chinese:  # its name includes the script
        return locale.nativeLanguageName()
    names = {code_of(name): native for name, native in NATIVE_NAMES.items()}
    name = names.get(language) or locale.nativeLanguageName()
    return f"{name} ({locale.nativeTerritoryName()})" if territory else name


def _nearest(tag: str, codes: list[str]) -> str:
    """The best of ``codes`` for speakers of ``tag`` ("pt-PT"); "" if there is none."""
    wanted = QLocale(tag)
    near = [code for code in codes if QLocale(code).language() is wanted.language()]
    exact = [code for code in near if QLocale(code).territory() is wanted.territory()]
    script = [code for code in near if QLocale(code).script() is wanted.script()]
    return next(iter([*exact, *script, *near]), "")


def tr(text: str) -> str:
    """``text`` in the user's language."""
    return _catalog.gettext(text)


def ntr(singular: str, plural: str, count: int) -> str:
    """The form for ``count`` things."""
    return _catalog.ngettext(singular, plural, count)


def ptr(context: str, text: str) -> str:
    """``text`` where one English word has several meanings; ``context`` says which is meant."""
    return _catalog.pgettext(context, text)


def translated(shown: T) -> T:
    """``shown`` with all its messages translated.

    Args:
        shown: A message, or a view, page or list that holds some.
    """
    if type(_catalog) is gettext.NullTranslations:
        return shown
    return cast(T, _translated(shown))


def _translated(shown: Any) -> Any:  # noqa: ANN401  whatever a view holds
    if isinstance(shown, Message):
        return verbatim(_in_language(shown))
    if type(shown) is tuple:
        parts = tuple(map(_translated, shown))
        return parts if any(new is not old for new, old in zip(parts, shown, strict=True)) else shown
    if is_dataclass(shown) and not isinstance(shown, type):
        changes = {}
        for one in fields(shown):
            old = getattr(shown, one.name)
            if (new := _translated(old)) is not old:
                changes[one.name] = new
        return replace(shown, **changes) if changes else shown
    return shown


def _in_language(message: Message) -> str:
    """Fall back to English if a translation lacks a value, or has an unknown one.

    The form for one or two things may lack the count: it says it in words.
    """
    if message.plural:
        found = _catalog.ngettext(message.template, message.plural, message.number)
    else:
        found = _catalog.gettext(message.template) if message.template else ""
    if not message.values:
        return found
    if message.template == VERBATIM:  # stored English, or from another process
        return _catalog.gettext(str(message))
    wanted, there = placeholders(message.plural or message.template), placeholders(found)
    may_lack = {"count"} if message.plural else set()
    if wanted is None or there is None or not wanted - may_lack <= there <= wanted:
        return str(message)
    return found.format(**{name: _in_words(value) for name, value in message.values.items()})


def placeholders(template: str) -> set[str] | None:
    """The names of the values in ``template``; None: it is invalid."""
    try:
        return {name for _text, name, _form, _conversion in string.Formatter().parse(template) if name}
    except ValueError:
        return None


def _in_words(value: object) -> object:
    match value:
        case Message():
            return _in_language(value)
        case Size():
            digits = 1 if value >= 999_500_000 else 0
            return QLocale().formattedDataSize(int(value), digits, QLocale.DataSizeFormat.DataSizeSIFormat)
        case Count():
            return QLocale().toString(int(value))
        case Number():
            return QLocale().toString(float(value), "g", 6)
        case _:
            return value
