"""Whether a WAV, AIFF or OGG file is whole, which libsndfile does not tell: it reads what is there.

    RIFF, RIFX, RF64, FORM   the chunk of samples claims more bytes than follow it
    OGG                      the last page is incomplete, or does not carry the mark of the last page

A recorder that writes into a pipe cannot know the size and claims about 2 or 4 GB; such a claim is no
claim. Sony's W64 is not looked into.

Source: Microsoft's RIFF, EBU Tech 3306 (RF64), Apple's AIFF; RFC 3533 section 6 (OGG pages).
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

_UNKNOWN_BYTES = 0x7FFF0000  # ffmpeg, sox and arecord write from 0x7FFFF000 up when they cannot know
_LARGEST_PAGE_BYTES = 27 + 255 + 255 * 255
_LAST_PAGE = 0x04


def is_cut_off(stream: BinaryIO) -> bool:
    """Whether the file ends too early; False for kinds not listed above. Rewinds ``stream``."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    magic = stream.read(4)
    try:
        if magic in {b"RIFF", b"RIFX", b"RF64", b"FORM"}:
            return _is_chunk_cut(stream, size, "<" if magic in {b"RIFF", b"RF64"} else ">")
        return magic == b"OggS" and _is_page_missing(stream, size)
    finally:
        stream.seek(0)


def _is_chunk_cut(stream: BinaryIO, size: int, endian: str) -> bool:
    """Walk the chunks up to the samples. ``size``: of the file, in bytes."""
    claimed: int
    long_bytes: int = 0  # RF64: the true size of the samples
    position = 12
    while position + 8 <= size:
        stream.seek(position)
        kind, claimed = struct.unpack(f"{endian}4sI", stream.read(8))
        position += 8
        if kind == b"ds64" and position + 16 <= size:
            (long_bytes,) = struct.unpack("<8xQ", stream.read(16))
        if kind in {b"data", b"SSND"}:
            if claimed == 0xFFFFFFFF and long_bytes:
                return position + long_bytes > size
            return claimed < _UNKNOWN_BYTES and position + claimed > size
        position += claimed + claimed % 2  # chunks begin at even positions
    return True  # there is no chunk of samples, or not even its head


def _is_page_missing(stream: BinaryIO, size: int) -> bool:
    """Look at the last OGG page."""
    stream.seek(max(0, size - _LARGEST_PAGE_BYTES))
    tail = stream.read()
    page = tail[max(0, tail.rfind(b"OggS")) :]
    if len(page) < 27 or not page[5] & _LAST_PAGE:
        return True
    lacing = page[27 : 27 + page[26]]
    return len(lacing) < page[26] or len(page) < 27 + page[26] + sum(lacing)
