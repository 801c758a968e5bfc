"""The fields of protocol buffers, read from a file that is mapped and mostly skipped.

Source: the protocol buffers encoding, https://protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


class NotAMessageError(ValueError):
    """The bytes are no protocol buffer, or end too early."""


def fields(content: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: their numbers, and their integers or bytes.

    Raises:
        NotAMessageError: It is none.
    """
    position = 0
    while position < len(content):
        key, position = _varint(content, position)
        kind = key & 7
        if kind == 0:
            number, position = _varint(content, position)
            yield key >> 3, number
            continue
        if kind == 2:
            size, position = _varint(content, position)
        elif kind in {1, 5}:
            size = 8 if kind == 1 else 4
        else:
            raise NotAMessageError
        if position + size > len(content):
            raise NotAMessageError
        yield key >> 3, content[position : position + size]
        position += size


def as_bytes(value: int | memoryview) -> memoryview:
    """A field that holds bytes or a message.

    Raises:
        NotAMessageError: It holds an integer.
    """
    if isinstance(value, int):
        raise NotAMessageError
    return value


def as_integer(value: int | memoryview) -> int:
    """A field that holds an integer.

    Raises:
        NotAMessageError: It holds bytes.
    """
    if not isinstance(value, int):
        raise NotAMessageError
    return value


def as_integers(value: int | memoryview) -> list[int]:
    """A repeated field of integers: one of them, or all of them packed.

    Raises:
        NotAMessageError: They end too early.
    """
    if isinstance(value, int):
        return [value]
    values, position = [], 0
    while position < len(value):
        number, position = _varint(value, position)
        values.append(number)
    return values


def as_text(value: int | memoryview) -> str:
    """A field that holds text.

    Raises:
        ValueError: It holds something else.
    """
    return bytes(as_bytes(value)).decode()


def place_in(whole: memoryview, part: memoryview) -> int:
    """Where in ``whole`` the slice ``part`` of it begins, in bytes; 0 if it is empty."""
    if not len(part):
        return 0
    first, begin = (np.frombuffer(view, np.uint8).ctypes.data for view in (part, whole))
    return int(first - begin)


def _varint(content: memoryview, position: int) -> tuple[int, int]:
    """The integer that starts at ``position``, and where it ends."""
    value = shift = 0
    while position < len(content) and shift < 64:
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise NotAMessageError
