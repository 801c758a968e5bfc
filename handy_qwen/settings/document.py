"""A TOML file as text in which single values can be changed; everything else stays byte for byte.

``tomllib`` reads it. What is added here is where each key is written: its line, for messages, and the
characters of its value, for changes. Comments, order, and keys that are not ours survive because they are
never touched. Comments inside a list that is replaced move above it; at the end of a line that is deleted
they go with it.

tomlkit edits TOML too, but knows no lines, which messages need, and thinks that a comment belongs to the
table above it: whoever deletes that deletes the explanation of the next setting.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

Path = tuple[str | int, ...]
"""Keys from the top, with the number of the entry (from 0) in a list of tables."""
Entry = Mapping[str, object]
Edit = tuple[int, int, str]  # from, to, and what is there instead

_TOKEN = re.compile(
    r"""
    (?P<string> \"{3} (?:\\.|[^\\])*? \"{3,5} | '{3} .*? '{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' )
    | (?P<comment> \#[^\n]*) | (?P<newline> \n) | (?P<opening> [\[{]) | (?P<closing> [\]}]) | (?P<equals> =)
    | (?P<other> [^"'\#\n\[\]{}=]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_REASONS = {  # how tomllib begins, without the user's text that it may quote -> what a user can do about it
    "Invalid value": "the value is missing, or a text is not in quotes",
    "Expected '=' after a key": "there is no = after the name",
    "Invalid statement": "there is no name, or one with characters that need quotes",
    "Cannot overwrite": "the same name is set twice",
    "Cannot declare": "the same table is opened twice",
    "Duplicate inline table key": "the same name is set twice",
    "Unterminated string": "a quotation mark is missing",
    "Illegal character '\\n'": "a quotation mark is missing",
    "Unclosed": "a closing bracket or a comma is missing",
    "Unescaped '\\": "write \\\\ for a backslash, or put the text in single quotes",
    "Expected ']": "a closing bracket is missing",
    'Expected "\'"': "a quotation mark is missing",
    "Expected newline": "there is something after the value",
}
_BYTE_ORDER_MARK = "\ufeff"  # some editors of Windows begin a file with it
_MOST_DOTS = 100  # in a line: for a key of 50,000 parts tomllib takes hours
_LINE_CHARS = 100  # a longer list is written one entry a line


class TomlError(ValueError):
    """The text is not TOML. ``line`` counts from 1; ``reason`` says why, in words without the text."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.reason, self.line = reason, line


@dataclass(frozen=True, slots=True)
class _Statement:
    """A key with its value, or a table's header: whole lines, from ``start`` to ``end``."""

    path: Path
    line: int
    start: int
    end: int
    value: tuple[int, int] | None  # None: a header
    depth: int  # of the table it is in, as a part of ``path``


class Document:
    """A TOML file.

    Raises:
        TomlError: ``text`` is not TOML.
    """

    def __init__(self, text: str) -> None:
        self.mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
        self.text = text = text.removeprefix(_BYTE_ORDER_MARK)
        _check_depth(text)
        try:
            self.values: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as exc:
            raise _explained(str(exc), text) from exc
        except (ValueError, RecursionError) as exc:  # a number of 5000 digits, a list in a list in a list …
            raise TomlError("there is a value that nobody can mean", 1) from exc

    @cached_property
    def lines(self) -> dict[Path, int]:
        """The line, from 1, where each key and table is first written; ``a.b = 1`` writes both.

        Entries of lists in brackets have none of their own.
        """
        found: dict[Path, int] = {}
        for one in self._statements:
            for length in range(1, len(one.path) + 1):
                found.setdefault(one.path[:length], one.line)
        return found

    @cached_property
    def first_table_line(self) -> int:
        """The line of the first header, below which no setting of the top can be written; 0 if none."""
        return next((one.line for one in self._statements if one.value is None), 0)

    def line_of(self, path: Path) -> int:
        """The line of ``path``, or of the nearest key above it; 0 if there is none."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)

    @cached_property
    def _statements(self) -> tuple[_Statement, ...]:
        return tuple(_scanned(self.text))

    # --- changes -------------------------------------------------------------------------------------

    def without(self, name: str) -> Document:
        """The document without the key or table ``name``."""
        return self._edited(self._removal(one for one in self._statements if one.path[:1] == (name,)))

    def with_value(self, name: str, value: object) -> Document:
        """The document in which the top-level key ``name`` is ``value``: a plain value, or a list of them."""
        plain = self._plain((name,))
        if plain is not None:
            return self._edited([self._replacement(plain, value)])
        cleared = self.without(name)
        return cleared._edited([cleared._insertion(f"{name} = {self._dumped(value)}")])

    def with_tables(
        self, name: str, old: Sequence[Entry], new: Sequence[Entry], known: Iterable[str]
    ) -> Document:
        """The document in which the list of tables ``name`` is ``new``.

        An entry that stays, or changes, keeps its place, its comments and the keys that are not ``known``.

        Args:
            name: The list.
            old: What its entries mean now, in the words of ``new``: one for each that is written.
            new: What they are to mean.
            known: The keys that an entry may have.
        """
        if not new:
            return self.with_value(name, [])
        if (name, 0) in self.lines:
            return self._edited(self._table_edits(name, old, new, tuple(known)))
        if old:  # written in brackets: it stays so
            return self.with_value(name, list(new))
        cleared = self.without(name)
        text = self._newline.join(_table_lines(name, new))
        return cleared._edited([(len(cleared.text), len(cleared.text), self._newline + text)])

    @cached_property
    def _newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def _dumped(self, value: object) -> str:
        return dump(value).replace("\n", self._newline)  # one in a text is escaped

    def _plain(self, path: Path) -> _Statement | None:
        return next((one for one in self._statements if one.path == path and one.value), None)

    def _replacement(self, at: _Statement, value: object) -> Edit:
        assert at.value is not None
        start, end = at.value
        comments = [match[0].rstrip() for match in _TOKEN.finditer(self.text[start:end]) if match["comment"]]
        before = "".join(f"{comment}{self._newline}" for comment in comments)
        named = self.text[at.start : start]
        return at.start, end, f"{before}{named}{self._dumped(value)}"

    def _insertion(self, line: str) -> Edit:
        """At the end of the top-level keys; without any, above the first header and its comments."""
        top = [one.end for one in self._statements if one.value and one.depth == 0]
        headers = [one.start for one in self._statements if one.value is None]
        place = top[-1] if top else self._above_comments(headers[0]) if headers else len(self.text)
        return place, place, f"{line}{self._newline}"

    def _above_comments(self, place: int) -> int:
        while place and (start := self.text.rfind("\n", 0, place - 1) + 1) < place:
            if not self.text[start:place].startswith("#"):
                break
            place = start
        return place

    def _removal(self, statements: Iterable[_Statement]) -> list[Edit]:
        """Delete lines; with a header, the empty line above it."""
        edits = []
        for one in statements:
            start = one.start
            if one.value is None:
                above = self.text.rfind("\n", 0, max(0, start - 1)) + 1
                start = above if not self.text[above:start].strip() else start
            edits.append((start, one.end, ""))
        return edits

    def _table_edits(
        self, name: str, old: Sequence[Entry], new: Sequence[Entry], known: Sequence[str]
    ) -> list[Edit]:
        matcher = difflib.SequenceMatcher(None, [*map(_sorted, old)], [*map(_sorted, new)], autojunk=False)
        edits: list[Edit] = []
        for kind, start, end, new_start, new_end in matcher.get_opcodes():
            if kind == "equal":
                continue
            both = min(end - start, new_end - new_start)
            for n in range(both):
                edits += self._entry_edits(name, start + n, old[start + n], new[new_start + n], known)
            for gone in range(start + both, end):
                edits += self._removal(one for one in self._statements if one.path[:2] == (name, gone))
            if added := new[new_start + both : new_end]:
                edits.append(self._added_tables(name, start + both, added))
        return edits

    def _added_tables(self, name: str, at: int, entries: Sequence[Entry]) -> Edit:
        text = self._newline.join(_table_lines(name, entries))
        if at == 0:
            place = next(one.start for one in self._statements if one.path == (name, 0))
            return place, place, text + self._newline
        place = max(one.end for one in self._statements if one.path[:2] == (name, at - 1))
        return place, place, self._newline + text

    def _entry_edits(self, name: str, at: int, old: Entry, new: Entry, known: Sequence[str]) -> list[Edit]:
        edits: list[Edit] = []
        own = [one for one in self._statements if one.path[:2] == (name, at) and one.depth == 2]
        end = max(one.end for one in own)  # before tables inside the entry, if there are any
        added = ""
        for key in known:
            path, plain = (name, at, key), self._plain((name, at, key))
            stale = [one for one in self._statements if one.path[:3] == path and one is not plain]
            edits += self._removal(stale)
            if plain and key not in new:
                edits += self._removal([plain])
            elif plain and old.get(key) != new[key]:
                edits.append(self._replacement(plain, new[key]))
            elif not plain and key in new:
                added += f"{key} = {dump(new[key])}{self._newline}"
        return [*edits, (end, end, added)] if added else edits

    def _edited(self, edits: Iterable[Edit]) -> Document:
        text = self.text
        in_order = sorted(edits, key=lambda edit: edit[:2])  # two at one place stay in theirs
        for start, end, instead in in_order[::-1]:
            is_line_open = instead and start == end and start and text[start - 1] != "\n"
            text = text[:start] + (self._newline if is_line_open else "") + instead + text[end:]
        return Document(self.mark + text)


def dump(value: object) -> str:
    """``value`` in TOML: a text, number, flag, list or table."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {dump(item)}" for key, item in value.items()) + "}"
    if not isinstance(value, Sequence):
        raise TypeError(f"{type(value).__name__} cannot be written")
    items = [dump(item) for item in value]
    line = f"[{', '.join(items)}]"
    return line if len(line) <= _LINE_CHARS else "".join(["[\n", *(f"  {item},\n" for item in items), "]"])


def _table_lines(name: str, entries: Sequence[Entry]) -> Iterator[str]:
    """Each entry as a table, with an empty line between two, and a line break at the end."""
    for n, entry in enumerate(entries):
        if n:
            yield ""
        yield f"[[{name}]]"
        yield from (f"{key} = {dump(value)}" for key, value in entry.items())
    yield ""


def _sorted(entry: Mapping[str, object]) -> str:
    return repr(sorted(entry.items()))


def _check_depth(text: str) -> None:
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MOST_DOTS and re.sub(r"\"[^\"]*\"|'[^']*'", "", line).count(".") > _MOST_DOTS:
            raise TomlError("it is nested too deeply", number)


def _scanned(text: str) -> Iterator[_Statement]:
    """The statements of ``text``, which is known to be TOML."""
    table: Path = ()
    counts: Counter[Path] = Counter()
    line, counted = 1, 0
    for start, first, equals, last, end in _logical_lines(text):
        line, counted = line + text.count("\n", counted, first), first
        if equals is None:  # a header
            is_list = text.startswith("[[", first)
            inner = text[first:last].rstrip()
            table = _resolved(_keys(inner[2:-2] if is_list else inner[1:-1]), counts)
            if is_list:
                counts[table] += 1
                table = (*table, counts[table] - 1)
            yield _Statement(table, line, start, end, None, len(table))
        else:
            keys = _keys(text[first:equals])
            value = text[equals + 1 : last]
            begin = equals + 1 + len(value) - len(value.lstrip())
            place = (begin, equals + 1 + len(value.rstrip()))
            yield _Statement((*table, *keys), line, start, end, place, len(table))


def _logical_lines(text: str) -> Iterator[tuple[int, int, int | None, int, int]]:
    """Of each statement: its start, first character, equals sign, end of its value, and end."""
    start = depth = 0
    first = equals = last = None
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "newline" and depth == 0:
            if first is not None and last is not None:
                yield start, first, equals, last, token.end()
            start, first, equals, last = token.end(), None, None, None
        if kind in {"newline", "comment"} or (kind == "other" and not token[0].strip()):
            continue
        depth += (kind == "opening") - (kind == "closing")
        if kind == "equals" and depth == 0 and equals is None:
            equals = token.start()
        if first is None:
            first = token.start() + len(token[0]) - len(token[0].lstrip())
        last = token.end()
    if first is not None and last is not None:
        yield start, first, equals, last, len(text)


def _keys(dotted: str) -> tuple[str, ...]:
    found: list[str] = []
    inner: Any = tomllib.loads(f"{dotted.strip()} = 0")
    while isinstance(inner, dict):
        ((key, inner),) = inner.items()
        found.append(key)
    return tuple(found)


def _resolved(keys: Sequence[str], counts: Mapping[Path, int]) -> Path:
    """The path of a header: a list of tables on the way means its last entry."""
    path: Path = ()
    for key in keys[:-1]:
        path = (*path, key)
        if path in counts:
            path = (*path, counts[path] - 1)
    return (*path, *keys[-1:])


def _explained(message: str, text: str) -> TomlError:
    reason = next((why for start, why in _REASONS.items() if message.startswith(start)), "it is not TOML")
    found = re.search(r"\(at line (\d+), column \d+\)$", message)
    if found:
        return TomlError(reason, int(found[1]))
    starts = [first for _start, first, *_ in _logical_lines(text)]  # it began in the last statement
    return TomlError(reason, text.count("\n", 0, starts[-1]) + 1 if starts else 1)
