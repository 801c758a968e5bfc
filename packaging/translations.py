"""The translations of the interface: extracts the sentences, updates and compiles the catalogs.

``assets/locale/handy-qwen.pot`` has all sentences, ``assets/locale/CODE/LC_MESSAGES/handy-qwen.po`` the
translations. Programs read the ``.mo`` beside it, which every build creates and git ignores. How to translate
is in .github/CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import io
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parents[1]
LOCALE = ROOT / "assets" / "locale"
TEMPLATE = LOCALE / "handy-qwen.pot"
CALLS = {"tr": 1, "ntr": 2, "ptr": 1, "Message": 1, "messages": 2}
"""The functions that mark a sentence, and its number of forms; ptr's first argument is the context."""
NOT_SHOWN = ("cli", "bench", "message.py")  # in no window
MARK = "Translators:"
HEADER = """\
Handy Qwen: what windows, the tray, the overlay and desktop notifications say.

Handy Qwen is a dictation program: hold a key, speak, release, and the words appear in the
focused window. Translate as a program of your language's desktop would say it: short, active,
plain. Address the user as such programs do (German Sie, French vous, Spanish tú, Brazilian
Portuguese você, ...), and the same throughout. One English term has one word: take (a
recording), hotkey, overlay, tray, model, insert (put the text into the window where the cursor
is), transcribe, dictation.

* {names} stay as they are, each as often as in English, where the sentence wants them.
* & underlines the letter behind it, which opens the entry with Alt. Put one before a letter of
  your word if the English has one; && is a plain ampersand. Two in one menu may collide: the
  program drops the second.
* "…" at the end of a button or menu entry says that it opens something; keep it, and line
  breaks (\\n).
* A sentence without a capital or a full stop goes into another one, which has {problem} or
  {reason} in that place: "The model file {path} cannot be used: {problem}." and "it is
  truncated".
* Not translated: Handy Qwen, Qwen3-ASR, file names, commands (handy-qwen model list), names of
  settings (max_take_s), environment variables. Key names (Ctrl, Space) as keyboards of your
  country print them.
* Words to search by (beep cue tone) become what people would type to find the setting.
* Spoken commands in quotation marks (“New line”) become what people say in your language, where
  the program knows it (Settings → Text lists them); else they stay English.
"""


def catalog_paths() -> list[Path]:
    """The existing catalogs, by language."""
    return sorted(LOCALE.glob("*/LC_MESSAGES/handy-qwen.po"))


def language_of(path: Path) -> str:
    """The code of the catalog ``path``: "pt_BR"."""
    return path.parents[1].name


def template() -> Catalog:
    """All sentences in the source, with translators' comments."""
    found = Catalog(project="Handy Qwen", header_comment=_comment(HEADER), charset="utf-8", fuzzy=False)
    for path in sorted((ROOT / "handy_qwen").rglob("*.py")):
        inside = path.relative_to(ROOT / "handy_qwen")
        if inside.parts[0] in NOT_SHOWN:
            continue
        for text, context, comments in sentences_in(path.read_text(encoding="utf-8")):
            place = [(path.relative_to(ROOT).as_posix(), 0)]
            found.add(text, None, place, auto_comments=comments, context=context)
    for text in _of_models():
        found.add(text, None, [("assets/models.toml", 0)])
    return found


def sentences_in(source: str) -> Iterator[tuple[str | tuple[str, ...], str | None, list[str]]]:
    """Sentences, their contexts, and the comments for translators above them, in order."""
    lines = source.splitlines()
    calls = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in CALLS
        and node.args
    ]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        assert isinstance(call.func, ast.Name)
        name = call.func.id
        texts = [
            node.value for node in call.args if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        context = texts.pop(0) if name == "ptr" else None
        forms = tuple(texts[: CALLS[name]])
        if len(forms) == CALLS[name]:  # else it is a value read from a file
            yield forms if len(forms) > 1 else forms[0], context, _comments_above(lines, call.lineno)


def _comments_above(lines: list[str], line: int) -> list[str]:
    found: list[str] = []
    for text in reversed(lines[: line - 1]):
        if not text.strip().startswith("#"):
            return []
        found.insert(0, text.strip().lstrip("# "))
        if found[0].startswith(MARK):
            return [" ".join(found).removeprefix(MARK).strip()]
    return []


def _of_models() -> Iterator[str]:
    """The sentences about the models that can be installed."""
    for model in tomllib.loads((ROOT / "assets" / "models.toml").read_text(encoding="utf-8"))["models"]:
        for part in (model, *model.get("smaller", [])):
            yield from (part[key] for key in ("good_for", "cost") if part.get(key))


def _comment(text: str) -> str:
    return "\n".join(f"# {line}".rstrip() for line in text.splitlines())


def written(catalog: Catalog) -> bytes:
    """``catalog`` as a file: without dates and line numbers, which change for no reason."""
    buffer = io.BytesIO()
    write_po(buffer, catalog, width=100, include_lineno=False, sort_by_file=True, ignore_obsolete=True)
    lines = buffer.getvalue().decode().split("\n")
    dropped = (
        '"POT-Creation-Date',
        '"PO-Revision-Date',
        '"Generated-By',
        '"Report-Msgid',
        '"Last-Translator',
    )
    return "\n".join(line for line in lines if not line.startswith(dropped)).encode()


def read(path: Path) -> Catalog:
    """The catalog in ``path``."""
    with path.open("rb") as file:
        return read_po(file, locale=language_of(path) if path != TEMPLATE else None, abort_invalid=True)


def update(path: Path, source: Catalog) -> Catalog:
    """Update the catalog ``path`` with the sentences of ``source``; new ones stay empty, without guesses."""
    catalog = read(path)
    catalog.update(source, no_fuzzy_matching=True, update_header_comment=True, keep_user_comments=True)
    path.write_bytes(written(catalog))
    return catalog


def compile_all() -> None:
    """Compile each catalog unless it is up to date: builds check file times."""
    for path in catalog_paths():
        catalog, buffer, compiled = read(path), io.BytesIO(), path.with_suffix(".mo")
        catalog.creation_date = catalog.revision_date = datetime.fromtimestamp(0, UTC)  # reproducible
        write_mo(buffer, catalog)
        if not compiled.is_file() or compiled.read_bytes() != buffer.getvalue():
            compiled.write_bytes(buffer.getvalue())


def missing_in(catalog: Catalog) -> list[str]:
    """The untranslated sentences."""
    found = []
    for one in catalog:
        forms = [one.string] if isinstance(one.string, str) else list(one.string or [""])
        if one.id and not all(forms):
            found.append(one.id if isinstance(one.id, str) else one.id[0])
    return found


def main() -> int:
    """Update everything and report missing translations; 1 if there are any."""
    LOCALE.mkdir(exist_ok=True)
    source = template()
    TEMPLATE.write_bytes(written(source))
    print(f"{len(source)} sentences")
    is_complete = True
    for path in catalog_paths():
        missing = missing_in(update(path, source))
        print(f"{language_of(path)}: {len(missing)} missing")
        for text in missing[:5]:
            print(f"    {text}")
        is_complete &= not missing
    compile_all()
    return 0 if is_complete else 1


if __name__ == "__main__":
    sys.exit(main())
