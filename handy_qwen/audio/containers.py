"""Where in a file its recordings are. libsndfile believes what a header says about the size of the samples.

A recorder that was killed leaves a size of 0 or an old one, and one that writes into a pipe claims 2 or 4 GB.
The samples are there all the same, so libsndfile is shown the size they really have. Files joined by ``cat``
are read one after the other; libsndfile alone stops after the first, or refuses the whole.

Source: Microsoft's RIFF, EBU Tech 3306 (RF64), Apple's AIFF and CAF, Sony's W64, Sun's AU; RFC 3533 section 6
(OGG pages); the Xing header, as LAME writes it.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO, NamedTuple

_UNKNOWN_BYTES = 0x7FFF0000  # ffmpeg, sox and arecord write from 0x7FFFF000 up when they cannot know
_MISCOUNTED_BYTES = 256  # a size that is too large by this much counts a header or padding
_STALE_BYTES = 4096  # if more than this follows the samples, and is no chunk, it is samples too
_BLOCK_BYTES = 1 << 20
_MOST = 1000  # recordings in a file, or chunks before or after the samples
_OGG_FIRST, _OGG_LAST = 0x02, 0x04  # flags of a page
_FLAC_BEGIN = b"fLaC\0\0\0\x22"  # with the length of the first block, which is always the same
_ID3V1_BYTES = 128
_APE_HEADER_BYTES = 32


class Part(NamedTuple):
    """One recording: the file's bytes from ``start`` to ``end``, those at ``patch_at`` replaced by ``patch``.

    ``is_cut``: it ends too early. ``is_counted``: an MP3 that says how long it is; otherwise that is a guess.
    """

    start: int
    end: int
    patch_at: int = 0
    patch: bytes = b""
    is_cut: bool = False
    is_counted: bool = False


class _Kind(NamedTuple):
    """How a kind of file is divided into chunks. Sizes in bytes."""

    form_bytes: int  # the file's own header
    sound: bytes  # how the name of the chunk with the samples begins
    name_bytes: int  # of a chunk
    size: str  # the format of a chunk's size, for ``struct``
    align: int  # chunks begin at multiples of it
    own_bytes: int = 0  # how much of its own header a chunk's size includes
    preface: int = 0  # what precedes the samples in their chunk


_KINDS = {
    b"RIFF": _Kind(12, b"data", 4, "<I", 2),
    b"RF64": _Kind(12, b"data", 4, "<I", 2),
    b"RIFX": _Kind(12, b"data", 4, ">I", 2),
    b"FORM": _Kind(12, b"SSND", 4, ">I", 2, preface=8),
    b"caff": _Kind(8, b"data", 4, ">q", 1, preface=4),
    b"riff": _Kind(40, b"data", 16, "<q", 8, own_bytes=24),
}
_MAGIC = {*_KINDS, b".snd", b"OggS", b"fLaC"}


class _Chunk(NamedTuple):
    name: bytes
    body: int  # where it begins, in bytes from the file's beginning
    size: int  # what its header says


def parts_of(stream: BinaryIO, *, is_piped: bool = False) -> list[Part]:
    """The recordings in a file, at least one; a file of an unknown kind is one. Rewinds ``stream``.

    Args:
        stream: Seekable.
        is_piped: It came through a pipe: whoever wrote it could not go back to fill in the size.
    """
    file = _File(stream, is_piped=is_piped)
    parts, start = [file.part(0)], 0
    while len(parts) < _MOST and (following := file.next_start(start, parts[-1].end)) is not None:
        start = following
        parts.append(file.part(start))
    stream.seek(0)
    return parts


class _File:
    """What is in a file, without decoding any of it."""

    def __init__(self, stream: BinaryIO, *, is_piped: bool) -> None:
        self._stream = stream
        self._is_piped = is_piped
        self._size = stream.seek(0, os.SEEK_END)

    def part(self, start: int) -> Part:
        """The recording that begins at ``start``."""
        magic = self._read(start, 4)
        if magic in _KINDS and (magic != b"FORM" or self._read(start + 8, 3) == b"AIF"):
            return self._chunked(start, _KINDS[magic])
        if magic == b".snd":
            return self._sun(start)
        if magic == b"OggS":
            return self._ogg(start)
        if magic == b"fLaC":
            return Part(start, self._next_flac(start + 4))
        return self._mpeg(start)

    def next_start(self, before: int, end: int) -> int | None:
        """Where another recording begins close behind ``end``, where the one at ``before`` ends."""
        if self._read(end, 8) == b"APETAGEX":
            end += _APE_HEADER_BYTES + int.from_bytes(self._read(end + 12, 4), "little")
        if self._read(end, 3) == b"TAG":
            end += _ID3V1_BYTES
        may_be_mpeg = is_mpeg(self._read(before, 4))  # anything looks like it
        for at in (end, end + 1):  # padded, perhaps
            head = self._read(at, 4)
            if head in _MAGIC or (may_be_mpeg and is_mpeg(head)):
                return at
        return None

    def _read(self, position: int, count: int) -> bytes:
        self._stream.seek(position)
        return self._stream.read(count)

    # --- chunks ------------------------------------------------------------------------------------------

    def _chunked(self, start: int, kind: _Kind) -> Part:
        chunk = self._chunk(kind, start + kind.form_bytes)
        long_size_at = 0  # RF64: the true size of the samples
        for _ in range(_MOST):
            if chunk is None or chunk.name.startswith(kind.sound):
                break
            if chunk.name == b"ds64":
                long_size_at = chunk.body + 8
            chunk = self._chunk(kind, self._end_of(kind, start, chunk))
        if chunk is None or not chunk.name.startswith(kind.sound):
            return Part(start, self._size, is_cut=True)
        size_at, form = chunk.body - struct.calcsize(kind.size), kind.size
        if long_size_at and chunk.size in {0, 0xFFFFFFFF}:
            size_at, form = long_size_at, "<Q"
            chunk = chunk._replace(size=int.from_bytes(self._read(size_at, 8), "little"))
        tail = self._chain_end(kind, start, chunk)
        end, is_cut = self._extent(chunk.body, chunk.size, kind.preface, tail)
        patch = b"" if end == chunk.body + chunk.size else _packed(form, end - chunk.body + kind.own_bytes)
        return Part(start, max(end, tail), size_at, patch, is_cut)

    def _chunk(self, kind: _Kind, position: int) -> _Chunk | None:
        """The chunk at ``position``, None if nothing there looks like one."""
        header_bytes = kind.name_bytes + struct.calcsize(kind.size)
        header = self._read(position, header_bytes)
        if len(header) < header_bytes or not all(0x20 <= byte < 0x7F for byte in header[:4]):
            return None
        name, body = header[: kind.name_bytes], position + header_bytes
        size: int = struct.unpack(kind.size, header[kind.name_bytes :])[0] - kind.own_bytes
        is_here = 0 <= size <= self._size - body
        return _Chunk(name, body, size) if is_here or name.startswith(kind.sound) else None

    def _end_of(self, kind: _Kind, start: int, chunk: _Chunk) -> int:
        """Where the chunk behind ``chunk`` begins."""
        end = chunk.body + chunk.size
        return end + (start - end) % kind.align

    def _chain_end(self, kind: _Kind, start: int, chunk: _Chunk) -> int:
        """Where the chunks end that follow ``chunk``; -1 if neither a chunk nor another recording follows."""
        if not 0 <= chunk.size < self._size - chunk.body:
            return -1
        end, first = chunk.body + chunk.size, chunk
        for _ in range(_MOST):
            behind = self._chunk(kind, self._end_of(kind, start, chunk))
            if behind is None or behind.name[:4] in _MAGIC:
                break
            if not 0 <= behind.size <= self._size - behind.body:
                break
            chunk, end = behind, behind.body + behind.size
        return end if chunk is not first or self.next_start(start, end) is not None else -1

    def _sun(self, start: int) -> Part:
        offset, claimed = struct.unpack(">II", self._read(start + 4, 8).ljust(8, b"\0"))
        body = start + offset
        if not start + 24 <= body < self._size:
            return Part(start, self._size)
        tail = body + claimed if self.next_start(start, body + claimed) is not None else -1
        end, is_cut = self._extent(body, claimed, 0, tail)
        return Part(start, end, start + 8, _packed(">I", end - body), is_cut)

    def _extent(self, body: int, claimed: int, preface: int, tail: int) -> tuple[int, bool]:
        """Where the samples that begin at ``body`` end, and whether they are cut off there.

        Args:
            body: In bytes from the beginning of the file.
            claimed: Their size according to the header, with the preface.
            preface: The size of a chunk without samples.
            tail: Where the chunks behind them end; -1 if there are none, nor another recording.
        """
        left = self._size - body
        is_unknown = claimed < 0 or claimed <= preface < left or claimed > max(left, _UNKNOWN_BYTES)
        if tail >= 0 or (not is_unknown and -_MISCOUNTED_BYTES <= left - claimed <= _STALE_BYTES):
            return body + min(claimed, left), False
        return self._size, not (is_unknown and self._is_piped)

    # --- frames and pages ----------------------------------------------------------------------------------

    def _next_flac(self, position: int) -> int:
        """Where the next FLAC begins, or the file ends."""
        while position < self._size:
            at = self._read(position, _BLOCK_BYTES + len(_FLAC_BEGIN) - 1).find(_FLAC_BEGIN)
            if at >= 0:
                return position + at
            position += _BLOCK_BYTES
        return self._size

    def _ogg(self, start: int) -> Part:
        """Walk the pages up to one that begins another stream behind this one."""
        position, has_begun, is_ended = start, False, False
        while (head := self._read(position, 27 + 255))[:4] == b"OggS" and len(head) >= 27:
            flags, lacing = head[5], head[27 : 27 + head[26]]
            if flags & _OGG_FIRST and has_begun:
                return Part(start, position, is_cut=not is_ended)
            has_begun |= not flags & _OGG_FIRST
            position += 27 + len(lacing) + sum(lacing)
            is_ended = bool(flags & _OGG_LAST) and position <= self._size
        return Part(start, self._size, is_cut=not is_ended)

    def _mpeg(self, start: int) -> Part:
        """Read the Xing header of an MP3: how many bytes it has."""
        position = start
        while (head := self._read(position, 10))[:3] == b"ID3" and len(head) == 10:
            position += 10 + sum(byte << 7 * (3 - i) for i, byte in enumerate(head[6:]))  # 7 bits in each
        head = self._read(position, 256)
        at = max(head.find(b"Xing"), head.find(b"Info"))
        if at < 0:
            return Part(start, self._size)
        flags, frames_or_size, size = struct.unpack(">III", head[at + 4 : at + 16].ljust(12, b"\0"))
        counted = (size if flags & 1 else frames_or_size) if flags & 2 else 0
        is_joined = counted and self.next_start(start, position + counted) is not None
        return Part(start, position + counted if is_joined else self._size, is_counted=True)


def _packed(form: str, size: int) -> bytes:
    """``size`` as a header has it, or the most that it can hold."""
    return struct.pack(form, min(size, 0xFFFFFFFF) if form[1] == "I" else size)


def is_mpeg(head: bytes) -> bool:
    """Whether an MP3 may begin so."""
    return head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2)


class PartStream:
    """What the libraries read a part from: like a file that holds nothing else.

    It takes any seek: both libraries seek before the beginning in damaged files and cope, where Python's
    exception would land on the terminal. It has no name: soundfile takes one that ends in ".raw" for an
    order not to look inside.
    """

    def __init__(self, stream: BinaryIO, part: Part) -> None:
        self._stream = stream
        self._part = part
        self._position = 0
        self._size = part.end - part.start

    def read(self, count: int = -1) -> bytes:
        """The next ``count`` bytes, or all that are left."""
        left = max(0, self._size - self._position)
        begin = self._part.start + self._position
        self._stream.seek(begin)
        data = self._stream.read(left if count < 0 else min(count, left))
        self._position += len(data)
        at, patch = self._part.patch_at - begin, self._part.patch
        first, last = max(at, 0), min(at + len(patch), len(data))
        return data if first >= last else data[:first] + patch[first - at : last - at] + data[last:]

    def tell(self) -> int:
        """Where the next ``read`` begins."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; not before the beginning, which the library sees from ``tell``."""
        position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if position >= 0:
            self._position = position
        return self._position
