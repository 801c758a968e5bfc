"""Import and export of words and replacements.

    .txt          one word per line; a line that begins with "# " is a comment
    .csv, .tsv    one column: words; more: heard, written, and optionally regex, case and alone
    .json         the settings of Handy (cjpais/Handy): its custom words

In a table commas, semicolons or tabs separate the columns, and a first line may name them. Errors never quote
the file's contents: only its line numbers.
"""

from __future__ import annotations

import codecs
import csv
import io
import locale
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from handy_qwen.core.text import Replacement
from handy_qwen.errors import SettingsError
from handy_qwen.files import explained, replacing
from handy_qwen.message import Message, reason_of
from handy_qwen.vocabulary import handy
from handy_qwen.vocabulary.lists import Item, Skipped, lines_of

MOST_BYTES = 2 << 20  # of a file to import: more than the settings can hold, even in UTF-16
MOST_LINES = 200_000
LEGACY = "windows-1252"
"""The encoding of a file without any other sign, where the system's is unknown."""
_COLUMNS = ("heard", "written", "regex", "case", "alone")
_NAMES = {  # in the first line of a table -> the column
    "word": "word, words, term, terms, custom word, custom words, vocabulary",
    "heard": "heard, when i say, say, spoken, from, find, search, original, input, trigger",
    "written": "written, write, to, replace, replace with, replacement, output",
    "regex": "regex, pattern, is_regex, regular expression",
    "case": "case, match case, case sensitive, is_case_sensitive",
    "alone": "alone, by itself, only alone",
}
_CALLED = {name: column for column, names in _NAMES.items() for name in names.split(", ")}
_YES, _NO = {"true", "yes", "y", "1", "x", "on"}, {"", "false", "no", "n", "0", "off"}
_DELIMITERS = "\t;,"
_SAMPLE_ROWS = 50  # to detect the delimiter
_WRITTEN = (".txt", ".csv", ".tsv")
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)  # written by Excel
_COMMENT = re.compile(r"#(\s|$)")
_ESCAPED = re.compile(r"\\+#(\s|$)")  # a word that looks like a comment, or like such a word
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Found:
    """The contents of a file: ``items`` in order, unusable lines, and how it was read."""

    items: tuple[Item, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    encoding: str = ""  # as guessed, if the file does not state it

    @property
    def warning(self) -> Message:
        """A warning for the user, or ""."""
        if not self.encoding:
            return Message()
        return Message(
            "The file was read as {encoding}. Check accents and special characters.", encoding=self.encoding
        )


def text_of(path: Path) -> str:
    """The text of a file, in any encoding. Raises SettingsError: unreadable, too large, or not text."""
    return _decoded(path, _bytes_of(path))[0]


def read_file(path: Path) -> Found:
    """The words and replacements in a file. Raises SettingsError: not in the format of its extension."""
    raw = _bytes_of(path)
    text, encoding = _decoded(path, raw)
    if text.count("\n") > MOST_LINES:
        raise _too_large(path)
    kind = path.suffix.lower()
    if kind == ".json":
        items, skipped = _handy_words(path, text)
    elif kind in {".csv", ".tsv", ".tab"} or _is_table(text):
        items, skipped = _table(path, text)
    else:
        items, skipped = _plain_lines(text), []
    return Found(tuple(items), tuple(skipped), encoding)


def write_words(path: Path, words: Iterable[str]) -> None:
    """Write ``words``, one per line or as a table (.csv, .tsv), for the user only. Raises HandyError."""
    if path.suffix.lower() in {".csv", ".tsv"}:
        _write_table(path, [["word"], *([word] for word in words)])
    else:
        lines = (f"\\{word}" if _COMMENT.match(word) or _ESCAPED.match(word) else word for word in words)
        _write(path, "".join(f"{line}\n" for line in lines).encode())


def write_replacements(path: Path, replacements: Iterable[Replacement]) -> None:
    """Write ``replacements`` to a table, for the user only: .tsv has tabs, else commas. HandyError."""
    rows = (
        [one.heard, one.written, _flag(one.is_regex), _flag(one.is_case_sensitive), _flag(one.is_alone)]
        for one in replacements
    )
    _write_table(path, [list(_COLUMNS), *rows])


def _write(path: Path, data: bytes) -> None:
    if path.suffix and path.suffix.lower() not in _WRITTEN:
        kinds = ", ".join(_WRITTEN)
        title = Message("A file {suffix} cannot be written.", suffix=path.suffix)
        hint = Message("Choose a name that ends with one of {kinds}.", kinds=kinds)
        raise SettingsError(title, hint)
    with explained(path), replacing(path, mode=0o600) as file:
        file.write(data)


def _bytes_of(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():  # opening a pipe would wait for its other end
            title = Message("{path} is not a file.", path=path)
            hint = Message("Choose a text file, a table or Handy's settings.")
            raise SettingsError(title, hint)
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except FileNotFoundError as exc:
        raise SettingsError(
            Message("There is no file {path}.", path=path), Message("Check its name and folder.")
        ) from exc
    except OSError as exc:
        title = Message("{path} cannot be read: {reason}.", path=path, reason=exc.strerror)
        hint = Message("Check its permissions.")
        raise SettingsError(title, hint) from exc
    if len(raw) > MOST_BYTES:
        raise _too_large(path)
    return raw


def _too_large(path: Path) -> SettingsError:
    return SettingsError(
        Message("{name} is too large for a vocabulary.", name=path.name), Message("Import a part of it.")
    )


def _decoded(path: Path, raw: bytes) -> tuple[str, str]:
    """The text, and the encoding if it was guessed."""
    try:
        for mark, name in _MARKS:
            if raw.startswith(mark):
                return raw[len(mark) :].decode(name), ""
        if b"\0" in raw:
            name = _unmarked_utf16(raw)
            return (_checked(raw.decode(name)), name) if name else _refuse(path)
        try:
            return raw.decode(), ""
        except UnicodeDecodeError:
            usual = locale.getencoding()
            # Python's "cp1252" is "windows-1252" to people.
            name = LEGACY if codecs.lookup(usual).name == "utf-8" else usual.replace("cp125", "windows-125")
            return _checked(raw.decode(name)), name
    except ValueError:
        return _refuse(path)


_MARKS = (  # those of UTF-32 begin with those of UTF-16
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def _unmarked_utf16(raw: bytes) -> str:
    """The kind of UTF-16 in ``raw``, if every character is in Latin-1; "" otherwise."""
    halves = {"utf-16-le": raw[1::2], "utf-16-be": raw[::2]}
    return next((name for name, half in halves.items() if len(raw) % 2 == 0 and not half.strip(b"\0")), "")


def _checked(text: str) -> str:
    if _CONTROL.search(text):
        raise ValueError
    return text


def _refuse(path: Path) -> tuple[str, str]:
    title = Message("{name} is not a text file.", name=path.name)
    hint = Message("Choose a text file, a table or Handy's settings.")
    raise SettingsError(title, hint) from None


def _plain_lines(text: str) -> list[Item]:
    found: list[Item] = []
    for item in lines_of(text):
        word = str(item.value)
        if not _COMMENT.match(word):
            found.append(Item(item.line, word[1:]) if _ESCAPED.match(word) else item)
    return found


def _is_table(text: str) -> bool:
    """Whether every line has columns separated by tabs."""
    lines = [line for line in text.splitlines() if line.strip()]
    return bool(lines) and all("\t" in line.strip() for line in lines)


def _table(path: Path, text: str) -> tuple[list[Item], list[Skipped]]:
    named = _SEPARATOR_LINE.match(text)
    body = text[named.end() :] if named else text
    found = _rows(path, body, named[1] if named else _delimiter(body), 2 if named else 1)
    rows = [(line, cells) for line, cells in found if any(cell.strip() for cell in cells)]
    columns = _columns(rows[0][1]) if rows else {}
    if columns:
        del rows[0]
    elif any(len(cells) > 1 for _, cells in rows):
        columns = {name: place for place, name in enumerate(_COLUMNS)}
    items: list[Item] = []
    skipped: list[Skipped] = []
    for line, cells in rows:
        try:
            items.append(Item(line, _entry(cells, columns)))
        except ValueError as exc:
            skipped.append(Skipped(line, reason_of(exc)))
    return items, skipped


def _columns(cells: Sequence[str]) -> dict[str, int]:
    """The position of each column, if ``cells`` name them; else empty."""
    names = [_CALLED.get(cell.strip().casefold(), "") for cell in cells]
    found = {name: names.index(name) for name in names if name}
    if "heard" not in found and "written" in found and "word" in found:
        found["heard"] = found["word"]
    is_header = "heard" in found and "written" in found if len(names) > 1 else "word" in found
    return found if is_header else {}


def _entry(cells: Sequence[str], columns: dict[str, int]) -> str | Replacement:
    """The entry in a row of the table. Raises ValueError: why not, as the end of a sentence."""
    if "heard" not in columns:
        return cells[columns.get("word", 0)]

    def cell(name: str) -> str:
        place = columns.get(name, len(cells))
        return cells[place] if place < len(cells) else ""

    if columns["written"] >= len(cells):
        raise ValueError(Message("it does not say what to write"))
    flags = {name: cell(name).strip().casefold() for name in ("regex", "case", "alone")}
    for name, value in flags.items():
        if value not in _YES | _NO:
            raise ValueError(Message("{column} is neither yes nor no", column=name))
    return Replacement(cell("heard"), cell("written"), *(value in _YES for value in flags.values()))


def _delimiter(text: str) -> str:
    """The delimiter: of tab, semicolon and comma the one that makes the most regular table."""

    def regularity(delimiter: str) -> tuple[bool, int, int]:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        rows = [cells for cells in islice(reader, _SAMPLE_ROWS) if cells]
        wide = sum(len(cells) > 1 for cells in rows)
        names = _columns(rows[0]) if rows else {}
        # Below the name of a single column, a delimiter is part of a word.
        is_lone = bool(names) and len(rows[0]) == 1
        return bool(names), -wide if is_lone else wide, -len({len(cells) for cells in rows})

    try:
        return max(_DELIMITERS, key=regularity)
    except csv.Error:  # ``_rows`` reports where
        return ","


def _rows(path: Path, text: str, delimiter: str, first: int) -> list[tuple[int, list[str]]]:
    """The rows with the numbers of their lines. Raises SettingsError: a quotation mark is not closed."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    found: list[tuple[int, list[str]]] = []
    begin = 0
    try:
        for cells in reader:
            found.append((begin + first, cells))
            begin = reader.line_num
    except csv.Error as exc:
        title = Message(
            "Line {line} of {name} cannot be read as part of a table.", line=begin + first, name=path.name
        )
        hint = Message("Check its quotation marks.")
        raise SettingsError(title, hint) from exc
    return found


def _write_table(path: Path, rows: Iterable[Sequence[str]]) -> None:
    """With a UTF-8 byte order mark, without which spreadsheets assume another encoding."""
    table = io.StringIO(newline="")
    csv.writer(table, delimiter="\t" if path.suffix.lower() == ".tsv" else ",").writerows(rows)
    _write(path, codecs.BOM_UTF8 + table.getvalue().encode())


def _flag(is_on: bool) -> str:
    return "yes" if is_on else "no"


def _handy_words(path: Path, text: str) -> tuple[list[Item], list[Skipped]]:
    """The custom words in Handy's settings, numbered instead of lines. Raises SettingsError: none."""
    words = handy.stored(text).get("custom_words")
    if not isinstance(words, list):
        title = Message("{name} has no custom words of Handy's.", name=path.name)
        hint = Message("Choose Handy's settings_store.json, or a text file.")
        raise SettingsError(title, hint)
    items = [Item(number, word) for number, word in enumerate(words, 1) if isinstance(word, str)]
    skipped = [
        Skipped(number, Message("no text"))
        for number, word in enumerate(words, 1)
        if not isinstance(word, str)
    ]
    return items, skipped
