"""Where in a file its recordings are. libsndfile believes what a header says, or refuses the file.

    WAV, RF64, AIFF, CAF, W64   chunks: the one with the samples, whatever its header says about its size
    AU                          one header, then samples
    OGG, FLAC, MP3              one recording after the other, as ``cat`` joins them; so the others

A recorder that was killed leaves a size of 0, one that writes into a pipe claims 2 or 4 GB, and some forget
to pad a chunk of odd size. The samples are there all the same: libsndfile then gets a new header in front of
them.

Source: Microsoft's RIFF, EBU Tech 3306 (RF64), Apple's AIFF and CAF, Sony's W64, Sun's AU; RFC 3533 section 6
(OGG pages); the Xing header, as LAME writes it.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

_UNKNOWN_BYTES = 0x7FFF0000  # ffmpeg, sox and arecord write from 0x7FFFF000 up when they cannot know
_LARGEST = 0xFFFFFFFF  # that 32 bits hold
_MISCOUNTED_BYTES = 256  # a size that is too large by this much counts a header or padding
_STALE_BYTES = 4096  # if more than this follows the samples, and is no chunk, it is samples too
_CARRIED_BYTES = 1 << 16  # of chunks that go into a new header
_SOUGHT_BYTES = 1 << 20  # how far to look for the samples when the chunks do not lead to them
_BLOCK_BYTES = 1 << 20
_MOST = 1000  # recordings in a file, or chunks before or after the samples
_FIRST_PAGE, _LAST_PAGE = 0x02, 0x04
_FLAC_BEGIN = b"fLaC\0\0\0\x22"  # and the length of the first block, which is always the same
_TAG_BYTES = 128  # of an ID3v1 tag
_APE_BYTES = 32  # of the header of an APE tag, which says how much follows


@dataclass(frozen=True, slots=True)
class Part:
    """One recording in a file: ``head``, and then the file's bytes from ``start`` to ``end``.

    ``is_cut``: it ends too early. ``is_counted``: an MP3 that says how long it is; otherwise that is a guess.
    """

    start: int
    end: int
    head: bytes = b""
    is_cut: bool = False
    is_counted: bool = False


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a kind of file is divided into chunks.

    Attributes:
        form: Size of the file's own header, in bytes.
        sound: How the name of the chunk with the samples begins.
        description: How the name of the chunk that describes them begins.
        name: Size of a chunk's name, in bytes.
        size: Format of a chunk's size, for ``struct``.
        align: Chunks begin at multiples of it, in bytes.
        counts_header: The size includes the chunk's header.
        preface: How many bytes precede the samples in their chunk.
    """

    form: int
    sound: bytes
    description: bytes
    name: int
    size: str
    align: int
    counts_header: bool = False
    preface: int = 0

    @property
    def header(self) -> int:
        """Size of a chunk's header, in bytes."""
        return self.name + struct.calcsize(self.size)

    def header_of(self, name: bytes, size: int) -> bytes:
        """The header of a chunk that holds ``size`` bytes."""
        size += self.header if self.counts_header else 0
        return name + struct.pack(self.size, min(size, _LARGEST) if self.size[1] == "I" else size)


_KINDS = {
    b"RIFF": _Kind(12, b"data", b"fmt ", 4, "<I", 2),
    b"RF64": _Kind(12, b"data", b"fmt ", 4, "<I", 2),
    b"RIFX": _Kind(12, b"data", b"fmt ", 4, ">I", 2),
    b"FORM": _Kind(12, b"SSND", b"COMM", 4, ">I", 2, preface=8),
    b"caff": _Kind(8, b"data", b"desc", 4, ">q", 1, preface=4),
    b"riff": _Kind(40, b"data", b"fmt ", 16, "<Q", 8, counts_header=True),
}
_MAGIC = {*_KINDS, b".snd", b"OggS", b"fLaC"}


class _Chunk(NamedTuple):
    name: bytes
    body: int  # where it begins, in bytes from the file's beginning
    size: int  # what its header says; negative if that is no size


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
            return self._chunked(start, magic)
        if magic == b".snd":
            return self._sun(start)
        if magic == b"OggS":
            return self._ogg(start)
        if magic == b"fLaC":
            end = self._find(_FLAC_BEGIN, start + 4, self._size)
            return Part(start, self._size if end < 0 else end)
        return self._mpeg(start)

    def next_start(self, before: int, end: int) -> int | None:
        """Where another recording begins close behind ``end``, where the one at ``before`` ends."""
        if self._read(end, 8) == b"APETAGEX":
            end += _APE_BYTES + int.from_bytes(self._read(end + 12, 4), "little")
        if self._read(end, 3) == b"TAG":
            end += _TAG_BYTES
        may_be_mpeg = is_mpeg(self._read(before, 4))  # anything looks like it
        for at in (end, end + 1):  # padded, perhaps
            head = self._read(at, 4)
            if head in _MAGIC or (may_be_mpeg and is_mpeg(head)):
                return at
        return None

    def _read(self, position: int, count: int) -> bytes:
        self._stream.seek(position)
        return self._stream.read(count)

    def _find(self, wanted: bytes, position: int, end: int) -> int:
        """Where ``wanted`` is next; -1 if it does not begin before ``end``."""
        while position < end:
            count = min(_BLOCK_BYTES, end - position)
            at = self._read(position, count + len(wanted) - 1).find(wanted)
            if at >= 0:
                return position + at
            position += count
        return -1

    # --- chunks ------------------------------------------------------------------------------------------

    def _chunked(self, start: int, magic: bytes) -> Part:
        kind = _KINDS[magic]
        position, is_in_order = start + kind.form, True
        chunks: list[tuple[bytes, bytes]] = []
        carried = _CARRIED_BYTES
        long_size = 0  # RF64: the true size of the samples
        for _ in range(_MOST):
            chunk = self._chunk(kind, position)
            if chunk is None:  # the size before was wrong
                position, is_in_order = self._find(kind.sound, position, position + _SOUGHT_BYTES), False
                chunk = self._chunk(kind, position) if position >= 0 else None
            if chunk is None or chunk.name.startswith(kind.sound):
                break
            if chunk.name == b"ds64":
                long_size = int.from_bytes(self._read(chunk.body + 8, 8), "little")
            elif chunk.size <= carried:
                carried -= chunk.size
                chunks.append((chunk.name, self._read(chunk.body, chunk.size)))
            position, is_next_in_order = self._behind(kind, start, chunk)
            is_in_order &= is_next_in_order
        if chunk is None or not chunk.name.startswith(kind.sound):
            return Part(start, self._size, is_cut=True)
        claimed = long_size if magic == b"RF64" and chunk.size in {0, _LARGEST} else chunk.size
        tail = self._chain_end(kind, start, chunk._replace(size=claimed))
        end, is_cut = self._extent(chunk.body, claimed, kind.preface, tail)
        is_described = any(name.startswith(kind.description) for name, _ in chunks)
        if is_described and not (is_in_order and end == chunk.body + claimed):
            head = self._head(start, kind, [*chunks, (chunk.name, b"")], end - chunk.body)
            return Part(chunk.body, end, head, is_cut)
        return Part(start, max(end, tail), b"", is_cut)

    def _chunk(self, kind: _Kind, position: int) -> _Chunk | None:
        """The chunk at ``position``, None if nothing there looks like one."""
        header = self._read(position, kind.header)
        if len(header) < kind.header or not all(0x20 <= byte < 0x7F for byte in header[:4]):
            return None
        name, body = header[: kind.name], position + kind.header
        size: int = struct.unpack(kind.size, header[kind.name :])[0] - kind.header * kind.counts_header
        is_here = 0 <= size <= self._size - body
        return _Chunk(name, body, size) if is_here or name.startswith(kind.sound) else None

    def _behind(self, kind: _Kind, start: int, chunk: _Chunk) -> tuple[int, bool]:
        """Where the next chunk begins, and whether it is aligned."""
        end = chunk.body + chunk.size
        aligned = end + (start - end) % kind.align
        if aligned != end and self._chunk(kind, aligned) is None and self._chunk(kind, end) is not None:
            return end, False
        return aligned, True

    def _chain_end(self, kind: _Kind, start: int, chunk: _Chunk) -> int:
        """Where the chunks end that follow ``chunk``; -1 if neither a chunk nor another recording follows."""
        if not 0 <= chunk.size < self._size - chunk.body:
            return -1
        end, first = chunk.body + chunk.size, chunk
        for _ in range(_MOST):
            behind = self._chunk(kind, self._behind(kind, start, chunk)[0])
            if (
                behind is None
                or behind.name[:4] in _MAGIC
                or not 0 <= behind.size <= self._size - behind.body
            ):
                break
            chunk, end = behind, behind.body + behind.size
        return end if chunk is not first or self.next_start(start, end) is not None else -1

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

    def _head(self, start: int, kind: _Kind, chunks: list[tuple[bytes, bytes]], size: int) -> bytes:
        """A header for ``size`` bytes in the last of ``chunks``."""
        *others, (sound, _) = chunks
        head = b"".join(
            kind.header_of(name, len(body)) + body + bytes(-len(body) % kind.align) for name, body in others
        )
        head += kind.header_of(sound, size)
        form = self._read(start, kind.form)
        if kind.form == 8:  # CAF has no size of its own
            return form + head
        magic = b"RIFF" if form[:4] == b"RF64" else form[: kind.name]
        rest = form[kind.header :]
        return kind.header_of(magic, len(rest) + len(head) + size) + rest + head

    def _sun(self, start: int) -> Part:
        head = self._read(start, 12)
        offset, claimed = struct.unpack(">II", head[4:]) if len(head) == 12 else (0, 0)
        body = start + offset
        if not start + 24 <= body < self._size:
            return Part(start, self._size)
        tail = body + claimed if self.next_start(start, body + claimed) is not None else -1
        end, is_cut = self._extent(body, claimed, 0, tail)
        if offset <= _CARRIED_BYTES and end != body + claimed:
            whole = self._read(start, offset)
            head = whole[:8] + struct.pack(">I", min(end - body, _LARGEST)) + whole[12:]
            return Part(body, end, head, is_cut)
        return Part(start, end, b"", is_cut)

    # --- frames and pages ----------------------------------------------------------------------------------

    def _ogg(self, start: int) -> Part:
        """Walk the pages up to one that begins another stream behind this one."""
        position, has_begun, is_ended = start, False, False
        while True:
            head = self._read(position, 27 + 255)
            if head[:4] != b"OggS":
                position = self._find(b"OggS", position, self._size)
                if position < 0:
                    break
                continue
            flags = head[5] if len(head) >= 27 else 0
            if flags & _FIRST_PAGE and has_begun:
                return Part(start, position, b"", not is_ended)
            has_begun |= not flags & _FIRST_PAGE
            lacing = head[27 : 27 + head[26]] if len(head) >= 27 else b""
            end = position + 27 + len(lacing) + sum(lacing)
            is_whole = len(head) >= 27 and len(lacing) == head[26] and end <= self._size
            is_ended = is_whole and bool(flags & _LAST_PAGE)
            if not is_whole:
                break
            position = end
        return Part(start, self._size, b"", not is_ended)

    def _mpeg(self, start: int) -> Part:
        """Read the Xing header of an MP3: how many bytes it has."""
        position = start
        while (head := self._read(position, 10))[:3] == b"ID3" and len(head) == 10:
            position += 10 + sum(byte << 7 * (3 - i) for i, byte in enumerate(head[6:]))  # 7 bits in each
        head = self._read(position, 256)
        at = next((at for mark in (b"Xing", b"Info") if (at := head.find(mark)) >= 0), -1)
        if at < 0:
            return Part(start, self._size)
        flags, frames_or_size, size = struct.unpack(">III", head[at + 4 : at + 16].ljust(12, b"\0"))
        counted = (size if flags & 1 else frames_or_size) if flags & 2 else 0
        end = position + counted if counted else self._size
        is_last = end >= self._size or self.next_start(start, end) is None
        return Part(start, self._size if is_last else end, b"", is_counted=True)


def is_mpeg(head: bytes) -> bool:
    """Whether an MP3 may begin so."""
    return head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2)


class PartStream:
    """What the libraries read a part from: like a file that holds nothing else.

    It takes any seek. Both libraries seek before the beginning in damaged files: they cope, where Python's
    exception would land on the terminal. And it has no name: soundfile takes one that ends in ".raw" for an
    order not to look inside.
    """

    def __init__(self, stream: BinaryIO, part: Part) -> None:
        self._stream = stream
        self._part = part
        self._position = 0
        self._size = len(part.head) + part.end - part.start

    def read(self, count: int = -1) -> bytes:
        """The next ``count`` bytes, or all that are left."""
        left = max(0, self._size - self._position)
        count = left if count < 0 else min(count, left)
        data = self._part.head[self._position : self._position + count]
        if len(data) < count:
            self._stream.seek(self._part.start + self._position + len(data) - len(self._part.head))
            data += self._stream.read(count - len(data))
        self._position += len(data)
        return data

    def tell(self) -> int:
        """Where the next ``read`` begins."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move; not before the beginning, which the library sees from ``tell``."""
        position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if position >= 0:
            self._position = position
        return self._position
