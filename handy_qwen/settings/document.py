"""A TOML file as text in which single values can be changed; the rest stays unchanged byte for byte.

``tomllib`` parses it. This module adds the position of each key: its line, for messages, and the text of its
value, for changes. Comments inside a replaced list move above it; those at the end of a deleted line are
deleted with it.

tomlkit is not enough: it knows no lines; a comment belongs to the table above it, so deleting that deletes
the explanation of the next setting; comments inside a replaced list are lost; and lines that it adds to a
file with CRLF end with LF.
"""

from __future__ import annotations

import difflib
import json
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from handy_qwen.message import Message

Path = tuple[str | int, ...]  # keys from the top, with indexes of entries in lists of tables
Entry = Mapping[str, object]

_TOKEN = re.compile(
    r"""
    (?P<string> \"{3} (?:\\.|[^\\])*? \"{3,5} | '{3} .*? '{3,5} | "(?:\\.|[^"\\\n])*" | '[^'\n]*' )
    | (?P<comment> \#[^\n]*) | (?P<newline> \n) | (?P<opening> [\[{]) | (?P<closing> [\]}]) | (?P<equals> =)
    | (?P<space> [ \t\r]+) | (?P<other> [^"'\#\n\[\]{}=\ \t\r]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)
_REASONS = {  # beginnings of tomllib's messages, which continue with the user's text -> advice
    "Invalid value": Message("the value is missing, or text is not in quotes"),
    "Expected '=' after a key": Message("there is no = after the name"),
    "Invalid statement": Message("there is no name, or one with characters that need quotes"),
    "Cannot overwrite": Message("the same name is set twice"),
    "Cannot declare": Message("the same table is opened twice"),
    "Duplicate inline table key": Message("the same name is set twice"),
    "Unterminated string": Message("a quotation mark is missing"),
    "Illegal character '\\n'": Message("a quotation mark is missing"),
    "Unclosed": Message("a closing bracket or a comma is missing"),
    "Unescaped '\\": Message("write \\\\ for a backslash, or put the text in single quotes"),
    "Expected ']": Message("a closing bracket is missing"),
    "Expected \"'": Message("a quotation mark is missing"),
    "Expected newline": Message("there is something after the value"),
}
_BYTE_ORDER_MARK = "\ufeff"  # some Windows editors write it at the start
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_MOST_DOTS = 100  # in a line: a key of 50,000 parts takes tomllib hours
_LINE_CHARS = 100  # a longer list is written with one entry per line


class TomlError(ValueError):
    """The text is not TOML. ``line`` counts from 1; ``reason`` says why without quoting the text."""

    def __init__(self, reason: Message, line: int) -> None:
        super().__init__(reason)
        self.reason, self.line = reason, line


@dataclass(slots=True)
class _Statement:
    """A key with its value, or the header of a table, as pieces of text that can be changed separately."""

    path: Path
    depth: int  # of its table, as a part of ``path``
    line: int
    above: str  # the comments and empty lines before it
    head: str = ""  # the key up to its value; or the header, to the end of its line
    value: str | None = None  # None: a header, or the end of the file
    tail: str = ""  # a comment, and the end of the line

    def remove(self) -> None:
        """Leave only the comments above; of a header, without an empty line between."""
        if self.value is None:
            self.above = re.sub(r"(?<![^\n])[ \t]*\r?\n\Z", "", self.above)
        else:
            self.value = ""
        self.head = self.tail = ""

    def assign(self, value: str, newline: str) -> None:
        """Replace the value; comments inside it move above."""
        for token in _TOKEN.finditer(self.value or ""):
            if token["comment"]:
                self.above += token[0].rstrip() + newline
        self.value = value


class Document:
    """A TOML file. Raises TomlError: ``text`` is not TOML."""

    def __init__(self, text: str) -> None:
        self.mark = _BYTE_ORDER_MARK if text.startswith(_BYTE_ORDER_MARK) else ""
        self.text = text = text.removeprefix(_BYTE_ORDER_MARK)
        self._newline = "\r\n" if "\r\n" in text else "\n"
        _check_depth(text)
        try:
            self.values: dict[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as exc:
            raise _explained(str(exc), text) from exc
        except (ValueError, RecursionError) as exc:  # a number of 5000 digits, a list in a list in a list …
            raise TomlError(Message("there is a value that makes no sense"), 1) from exc

    @cached_property
    def lines(self) -> dict[Path, int]:
        """The line, from 1, where each key and table is first written; entries in brackets have none."""
        found: dict[Path, int] = {}
        for one in self._statements:
            for length in range(1, len(one.path) + 1):
                found.setdefault(one.path[:length], one.line)
        return found

    @cached_property
    def first_table_line(self) -> int:
        """The line of the first header, below which no top-level setting can be written; 0 if none."""
        return next((one.line for one in self._statements if one.value is None and one.path), 0)

    def line_of(self, path: Path) -> int:
        """The line of ``path``, or of the nearest key above it; 0 if there is none."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 0)

    def is_key(self, path: Path) -> bool:
        """Whether ``path`` is written as ``name = value``, not as a table or with dots."""
        plain = self._plain(path)
        return plain is not None and plain.depth == len(path) - 1

    def with_value(self, name: str, value: object) -> Document:
        """The document in which the top-level key ``name`` is ``value``: a plain value, or a list of them."""
        draft = self._draft()
        if plain := draft._plain((name,)):
            plain.assign(draft._dumped(value), draft._newline)
        else:
            draft._remove((name,))
            draft._insert(f"{name} = {draft._dumped(value)}{draft._newline}")
        return draft._finished()

    def with_name(self, path: Path, new: str, value: object = None) -> Document:
        """The document in which the key ``path`` is called ``new``, and is ``value`` unless that is None."""
        draft = self._draft()
        plain = draft._plain(path)
        if plain is not None:
            indent = plain.head[: len(plain.head) - len(plain.head.lstrip())]
            plain.head = f"{indent}{new} = "
            if value is not None:
                plain.assign(draft._dumped(value), draft._newline)
        return draft._finished()

    def without(self, path: Path) -> Document:
        """The document in which all that is written of ``path`` is a comment."""
        draft = self._draft()
        for one in draft._below(path):
            written = f"{one.head}{one.value or ''}{one.tail}"
            one.head, one.tail = re.sub(r"(?m)^(?=[^\n]*\S)", "# ", written), ""
            if one.value is not None:
                one.value = ""
        return draft._finished()

    def with_tables(
        self, name: str, old: Sequence[Entry], new: Sequence[Entry], known: Sequence[str]
    ) -> Document:
        """The document in which the list of tables ``name`` is ``new``; entries may have the keys ``known``.

        An entry that stays, or changes, keeps its place, its comments and its other keys. ``old`` is what its
        entries mean now, in the words of ``new``: one for each that is written.
        """
        is_table = (name, 0) in self.lines
        if not new or (old and not is_table):  # in brackets: it stays so
            return self.with_value(name, list(new))
        draft = self._draft()
        if is_table:
            draft._set_entries(name, old, new, known)
        else:
            draft._remove((name,))
            draft._statements[-1].tail += draft._newline + draft._tables(name, new)
        return draft._finished()

    # --- the copy that is edited: a list of statements -----------------------------------------------

    @cached_property
    def _statements(self) -> list[_Statement]:
        return list(_scanned(self.text))

    def _draft(self) -> Document:
        is_open = self.text and not self.text.endswith("\n")
        return Document(self.mark + self.text + (self._newline if is_open else ""))

    def _finished(self) -> Document:
        pieces = (f"{one.above}{one.head}{one.value or ''}{one.tail}" for one in self._statements)
        return Document(self.mark + "".join(pieces))

    def _dumped(self, value: object) -> str:
        return dump(value).replace("\n", self._newline)  # one in a text is escaped

    def _tables(self, name: str, entries: Sequence[Entry]) -> str:
        lines = []
        for entry in entries:
            lines += ["", f"[[{name}]]", *(f"{key} = {dump(value)}" for key, value in entry.items())]
        return self._newline.join([*lines[1:], ""])

    def _plain(self, path: Path) -> _Statement | None:
        return next((one for one in self._statements if one.path == path and one.value is not None), None)

    def _below(self, path: Path) -> list[_Statement]:
        return [one for one in self._statements if one.path[: len(path)] == path]

    def _remove(self, path: Path) -> None:
        for one in self._below(path):
            one.remove()

    def _insert(self, line: str) -> None:
        """At the end of the top-level keys; without any, above the first header and its comments."""
        headers = [one for one in self._statements if one.value is None]
        top = [one for one in self._statements if one.value is not None and one.depth == 0]
        if top or len(headers) == 1:
            (top or headers)[-1].tail += line
        else:
            comments = re.search(r"(?:^#[^\n]*\n)*\Z", headers[0].above, re.MULTILINE)
            place = comments.start() if comments else 0
            headers[0].above = headers[0].above[:place] + line + headers[0].above[place:]

    def _set_entries(
        self, name: str, old: Sequence[Entry], new: Sequence[Entry], known: Sequence[str]
    ) -> None:
        matcher = difflib.SequenceMatcher(None, [*map(_sorted, old)], [*map(_sorted, new)], autojunk=False)
        for kind, start, end, new_start, new_end in matcher.get_opcodes():
            if kind == "equal":
                continue
            both = min(end - start, new_end - new_start)
            for n in range(both):
                self._set_entry((name, start + n), old[start + n], new[new_start + n], known)
            for gone in range(start + both, end):
                self._remove((name, gone))
            if added := new[new_start + both : new_end]:
                text = self._tables(name, added)
                if start + both == 0:
                    self._below((name, 0))[0].above += text + self._newline
                else:
                    self._below((name, start + both - 1))[-1].tail += self._newline + text

    def _set_entry(self, place: Path, old: Entry, new: Entry, known: Sequence[str]) -> None:
        added = ""
        for key in known:
            plain = self._plain((*place, key))
            for one in self._below((*place, key)):
                if one is not plain or key not in new:
                    one.remove()
            if plain and key in new and old.get(key) != new[key]:
                plain.assign(dump(new[key]), self._newline)
            elif not plain and key in new:
                added += f"{key} = {dump(new[key])}{self._newline}"
        # tables inside the entry come after its keys
        [one for one in self._below(place) if one.depth == len(place)][-1].tail += added


def dump(value: object) -> str:
    """``value`` in TOML: a text, number, flag, list or table."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key} = {dump(item)}" for key, item in value.items()) + "}"
    if not isinstance(value, Sequence):
        raise TypeError(f"{type(value).__name__} cannot be written")
    items = [dump(item) for item in value]
    line = f"[{', '.join(items)}]"
    return line if len(line) <= _LINE_CHARS else "".join(["[\n", *(f"  {item},\n" for item in items), "]"])


def _sorted(entry: Entry) -> str:
    return repr(sorted(entry.items()))


def _check_depth(text: str) -> None:
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") > _MOST_DOTS and re.sub(r"\"[^\"]*\"|'[^']*'", "", line).count(".") > _MOST_DOTS:
            raise TomlError(Message("it is nested too deeply"), number)


def _scanned(text: str) -> Iterator[_Statement]:
    """The statements of ``text``, which is known to be TOML; the last is the end of the file."""
    table: Path = ()
    counts: Counter[Path] = Counter()
    end = line = 0
    for tokens, stop in _logical_lines(text):
        first, last = tokens[0].start(), tokens[-1].end()
        start = text.rfind("\n", 0, first) + 1
        line += text.count("\n", end, first)
        equals = next((n for n, token in enumerate(tokens) if token.lastgroup == "equals"), None)
        if equals is None:  # a header
            is_list = text.startswith("[[", first)
            table = _resolved(_keys(text[first:last].strip("[]")), counts)
            if is_list:
                counts[table] += 1
                table = (*table, counts[table] - 1)
            yield _Statement(table, len(table), line + 1, text[end:start], text[start:stop])
        else:
            path = (*table, *_keys(text[first : tokens[equals].start()]))
            begin = tokens[equals + 1].start()
            pieces = text[end:start], text[start:begin], text[begin:last], text[last:stop]
            yield _Statement(path, len(table), line + 1, *pieces)
        line += text.count("\n", first, stop)
        end = stop
    yield _Statement((), 0, line + 1, text[end:])


def _logical_lines(text: str) -> Iterator[tuple[list[re.Match[str]], int]]:
    """Of each statement: its tokens without space and comments, and where its last line ends."""
    tokens: list[re.Match[str]] = []
    depth = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "newline" and depth == 0:
            if tokens:
                yield tokens, token.end()
            tokens = []
        elif kind not in {"newline", "comment", "space"}:
            depth += (kind == "opening") - (kind == "closing")
            tokens.append(token)
    if tokens:
        yield tokens, len(text)


def _keys(dotted: str) -> tuple[str, ...]:
    if _BARE_KEY.fullmatch(dotted.strip()):  # as nearly all are, of which there may be thousands
        return (dotted.strip(),)
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
    reason = next(
        (why for start, why in _REASONS.items() if message.startswith(start)), Message("it is not TOML")
    )
    if found := re.search(r"\(at line (\d+), column \d+\)$", message):
        return TomlError(reason, int(found[1]))
    # At the end of the file: what is missing belongs to a quotation mark without a partner, else to the last
    # statement.
    lone = next((token.start() for token in _TOKEN.finditer(text) if token[0] in {"'", '"'}), None)
    starts = [tokens[0].start() for tokens, _stop in _logical_lines(text)]
    place = starts[-1] if lone is None and starts else lone or 0
    return TomlError(reason, text.count("\n", 0, place) + 1)


# --- a broken file, made readable again -------------------------------------------------------------
#
# The lines at fault become comments: what was written is still there to be looked at. Which lines those are
# cannot be known for certain (a bracket that is missing is missed further down), so that several are tried:
# the best is what makes most of the file readable, and of equals what is shortest.

_BEGINS = re.compile(r"\s*(?:\[|[\w.\"'-]+\s*=|[\w-]+\s*$)")  # a statement, or what was meant to be one
_NAME = re.compile(r"\s*([A-Za-z_]+)\s*(?:=|$)")
_STARTS = 40  # of statements that are tried, from the fault upwards
_STARTS_IF_LARGE = 3
_MOST_CHARS = 3_000_000  # that are read to find one fault: every try reads the whole file
_MOST_FAULTS = 20


@dataclass(frozen=True, slots=True)
class Span:
    """Lines ``first`` to ``last`` of a file, from 1."""

    first: int
    last: int


def name_at(text: str, line: int) -> str:
    """What seems to be set in ``line``, from 1, or above it; "" if that cannot be seen."""
    for written in reversed(text.split("\n")[:line]):
        if found := _NAME.match(written):
            return found[1]
    return ""


def repaired(text: str) -> str:
    """``text`` without its faults. Raises TomlError: there are too many."""
    for _ in range(_MOST_FAULTS):
        try:
            Document(text)
        except TomlError as exc:
            text = max(_attempts(text, exc.line), key=lambda one: one.rank).text
        else:
            return text
    Document(text)
    return text


@dataclass(frozen=True, slots=True)
class _Attempt:
    text: str
    rank: tuple[float, int]


def _attempts(text: str, fault: int) -> Iterator[_Attempt]:
    lines = text.split("\n")
    fault = min(max(fault, 1), len(lines))
    begins = [number for number, line in enumerate(lines, 1) if _BEGINS.match(line)]
    most = max(_STARTS_IF_LARGE, min(_STARTS, _MOST_CHARS // (3 * len(text) + 1)))  # three tries for each
    firsts = [number for number in reversed(begins) if number <= fault][:most]
    above = (number for number in range(fault, 0, -1) if _is_more_than_comment(lines[number - 1]))
    spans = {Span(fault, fault), *(Span(number, number) for number in islice(above, most))}
    for first in firsts:
        after = next((number for number in begins if number > first), len(lines) + 1)
        spans |= {Span(first, after - 1), Span(first, fault)}
    for span in sorted(spans, key=lambda one: (-one.first, one.last)):
        attempt = "\n".join(
            f"# {line}" if span.first <= number <= span.last and _is_more_than_comment(line) else line
            for number, line in enumerate(lines, 1)
        )
        yield _Attempt(attempt, (_readable_to(attempt), span.first - span.last))


def _is_more_than_comment(line: str) -> bool:
    return line.strip()[:1] not in {"", "#"}


def _readable_to(text: str) -> float:
    """The line of the first fault."""
    try:
        Document(text)
    except TomlError as exc:
        return exc.line
    return math.inf
