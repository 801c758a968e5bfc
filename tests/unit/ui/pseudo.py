"""Shows every window, the tray's menu and the overlay in a language that is nobody's, and reports English.

    python -m tests.unit.ui.pseudo LOCALE

Every letter of a sentence has an accent there, so that a word without one was not translated, also inside of
another sentence. What users and systems name themselves is known from the states that are shown. Prints a
JSON object: the name of the window, and what it says in English.
"""

import ast
import json
import os
import re
import sys
from pathlib import Path

ACCENTS = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "áƀćđéƒǵĥíĵķłḿńóṕʠŕśťúṽŵẋýžÁƁĆĐÉƑǴĤÍĴĶŁḾŃÓṔꝖŔŚŤÚṼŴẊÝŽ",
)
KEEP = re.compile(r"(\{\w+\}|\(\*[^)]*\))")
LONGER = 0.4
NAMES = """
    Handy Qwen Qwen3 ASR Ctrl Alt Shift Esc Space Tab Enter Super Right Left Meta F9 GB MB kB ms dBFS OK toml
    txt csv srt vtt json jsonl zip tar gz tgz Apache MIT Python CPU Debian Alibaba Cloud Backspace Up Down Del
    Return date time clipboard
"""


def pseudo(template: str) -> str:
    """``template`` with accents, and as much longer as German is; values and patterns of files stay."""
    parts = KEEP.split(template)
    accented = "".join(part if KEEP.fullmatch(part) else part.translate(ACCENTS) for part in parts)
    return accented + "ȧ" * round(LONGER * len(template)) if " " in template else accented


def write_catalog(folder: Path, code: str) -> None:
    """Write the catalog of the language as that of ``code``."""
    sys.path.insert(0, str(Path(__file__).parents[3] / "packaging"))
    import translations
    from babel.messages import Catalog
    from babel.messages.mofile import write_mo

    catalog = Catalog(locale=code)
    for one in translations.template():
        if one.id:
            several = [pseudo(one.id[1])] * catalog.num_plurals if isinstance(one.id, tuple) else []
            catalog.add(one.id, several or pseudo(one.id), context=one.context)
    place = folder / code / "LC_MESSAGES" / "handy-qwen.mo"
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as file:
        write_mo(file, catalog)


def main() -> None:
    """Show everything."""
    folder, code = Path(sys.argv[1]), "ar"  # which is written from right to left as well
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    write_catalog(folder, code)
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QApplication

    from handy_qwen import paths

    real = paths.asset
    paths.asset = lambda name: folder if name == "locale" else real(name)
    app = QApplication([])
    from handy_qwen.ui import translation

    translation.use(code)
    assert app.layoutDirection() is Qt.LayoutDirection.RightToLeft
    from tests.unit.ui import gallery

    gallery.FILES = translation.translated(gallery.FILES)
    known = allowed()
    found = {}
    for name, (make, state) in gallery.WINDOWS.items():
        window = make(gallery.everything_asked(), state)
        window.present()
        for _ in range(4):
            app.processEvents()
        found[name] = english(texts_of(window), known)
        window.close()
        window.deleteLater()
    found |= refusals(app, known) | others(known)
    sys.stdout.write(json.dumps({name: words for name, words in found.items() if words}, ensure_ascii=False))
    sys.stdout.flush()
    os._exit(0)


def refusals(app, known):
    """What comes worded from elsewhere and not with a view."""
    from handy_qwen.core.models import Problem
    from handy_qwen.core.view import MicrophoneTest
    from handy_qwen.errors import HandyError
    from handy_qwen.message import Message
    from handy_qwen.settings.forms import Page
    from tests.unit.ui import gallery

    no, why = Message("A dictation is being recorded."), Message("Try again when it's finished.")
    asked = gallery.everything_asked()
    window = gallery.settings(asked, Page.MICROPHONE)
    window.present()
    asked.microphone.callbacks["listen"](MicrophoneTest(problem=Problem(no, why)))
    for _ in range(4):
        app.processEvents()
    said = {"microphone-refused": english(texts_of(window), known)}
    window.page(Page.SHORTCUT).hotkeys.rows[0].refuse(HandyError(no, why))
    said["hotkey-refused"] = english(texts_of(window.page(Page.SHORTCUT)), known)
    guide = gallery.setup(asked, 2)
    guide.pages[2].cap.failed.emit(HandyError(no, why))
    said["guide-refused"] = english(texts_of(guide), known)
    assert all("Ťŕý" in " ".join(texts_of(one)) for one in (window, guide)), "nothing was said"
    return said


def others(known):
    """The overlay in all its states, the tray's menu, and what the tray shows when it is pointed at."""
    from handy_qwen.core.view import Notice, NoticeKind, View
    from handy_qwen.message import Message
    from handy_qwen.ui.overlay import OverlayWindow
    from handy_qwen.ui.translation import translated
    from handy_qwen.ui.tray import TrayMenu
    from tests.e2e.ui_process import STATES
    from tests.unit.ui.gallery import CHOOSING, everything_asked

    found = {}
    for name, state in STATES.items():
        overlay = OverlayWindow(lambda: -22.0)
        overlay.show_view(translated(state()))
        found[f"overlay-{name}"] = english([overlay.accessibleName(), overlay.accessibleDescription()], known)
    menu = TrayMenu(everything_asked(), everything_asked())
    menu.show_view(CHOOSING)
    found["tray"] = english(texts_of(menu), known)
    notice = Notice(
        1, NoticeKind.FAILED, Message("{keys} can be used.", keys="F9"), Message("Restart Handy Qwen.")
    )
    shown = translated(View(notices=(notice,))).notices[0]
    found["notice"] = english([shown.title, shown.hint], known)
    return found


def texts_of(widget):
    """All that ``widget`` and what is in it say, to the eye and to a screen reader."""
    from PySide6.QtCore import QAbstractListModel, QModelIndex, Qt
    from PySide6.QtGui import QAction
    from PySide6.QtWidgets import (
        QAbstractButton,
        QAbstractItemView,
        QComboBox,
        QLabel,
        QLineEdit,
        QMenu,
        QWidget,
    )

    for one in [widget, *widget.findChildren(QWidget)]:
        yield from (one.windowTitle(), one.toolTip(), one.accessibleName(), one.accessibleDescription())
        match one:
            case QLabel() | QAbstractButton():
                yield one.text()
            case QComboBox():
                yield from (one.itemText(place) for place in range(one.count()))
            case QLineEdit():
                yield one.placeholderText()
            case QMenu():
                yield one.title()
            case QAbstractItemView() if (model := one.model()) is not None:
                columns = 1 if isinstance(model, QAbstractListModel) else model.columnCount(QModelIndex())
                for column in range(columns):
                    yield str(model.headerData(column, Qt.Orientation.Horizontal) or "")
                    for row in range(model.rowCount(QModelIndex())):
                        yield str(model.index(row, column).data() or "")
    yield from (action.text() for action in widget.findChildren(QAction))


def english(texts, known):
    """The words in ``texts`` that have no accent and nobody named so."""
    found = {}
    for text in texts:
        plain = re.sub(r"<[^>]*>|&(?=\w)", "", text)
        words = [word for word in re.findall(r"(?<!\w)[A-Za-z]{2,}(?!\w)", plain) if word not in known]
        if words:
            found[text[:120]] = words
    return found


def allowed() -> set[str]:
    """The words of names, of what users say, and of states that stand for what others say."""
    from handy_qwen import manual, paths
    from handy_qwen.core.commands import COMMAND_LANGUAGES, phrases_of
    from handy_qwen.core.profiles import BUILT_IN
    from handy_qwen.languages import ALL_LANGUAGES, NATIVE_NAMES
    from handy_qwen.ui.settings.text import BEFORE, HEARD

    root = Path(__file__).parents[2]
    sources = [root / "unit" / "ui" / "gallery.py", *(root / "e2e" / f"{one}.py" for one in STATES_IN)]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in sources]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    texts = [NAMES, "The meeting starts at five o'clock.", BEFORE, HEARD.casefold()]
    texts += [HEARD, *map(manual.title, manual.TOPICS)]
    texts += [node.value for node in nodes if isinstance(node.value, str)]
    texts += [phrase for one in COMMAND_LANGUAGES for phrase in phrases_of(one).values()]
    texts += [*ALL_LANGUAGES, *NATIVE_NAMES.values(), *(name for one in BUILT_IN for name in one.programs)]
    texts += map(str, (paths.settings_file(), paths.models_dir(), paths.log_dir()))
    return set(re.findall(r"[A-Za-z]{2,}", " ".join(texts)))


STATES_IN = ("pasts", "shelves", "ui_process")

if __name__ == "__main__":
    main()
