"""Decodes audio files to blocks: libsndfile for audio, FFmpeg through PyAV for M4A, MP4 and video.

    parts_of       the recordings in a file, and the true length of their samples
    open_decoder   libsndfile: WAV, FLAC, OGG, Opus, MP3, AIFF, CAF, AU, W64 ...
                   PyAV (the extra "video"): what libsndfile refuses

Errors of both libraries end here. A file that cannot be opened is an AudioFileError; one that is cut off
ends there, with ``is_truncated`` set. Nothing here resamples or mixes; see files.py.

libsndfile trusts the header for the size of the samples. A recorder that was killed leaves a size of 0 or an
old one, and one that writes into a pipe claims 2 or 4 GB. The samples are there nevertheless, so libsndfile
is given their true size, without the chunks before them where those are misleading: some programs forget to
pad a chunk of odd size. Files joined by ``cat`` are read one after the other; libsndfile alone stops after
the first, or refuses the whole.

Source: soundfile 0.14 with libsndfile 1.2.2, PyAV 18. Microsoft's RIFF, EBU Tech 3306 (RF64), Apple's AIFF
and CAF, Sony's W64, Sun's AU; RFC 3533 section 6 (OGG pages); the Xing header, as LAME writes it.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import struct
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import soundfile

from handy_qwen.errors import AudioFileError
from handy_qwen.message import Message, sentences
from handy_qwen.shell import how_to_get

log = logging.getLogger(__name__)

Block: TypeAlias = npt.NDArray[np.float32]
"""Shape (n, channels), float32; in [-1, 1] except for float files and the ripple of lossy codecs."""

BLOCK_FRAMES = 4096  # a FLAC block: damage costs no more than one
_UNRECOGNIZED, _UNSUPPORTED_ENCODING = 1, 4  # sndfile.h, SF_ERR_...
_SOUND_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"fLaC", b"OggS", b"caff", b".snd", b"riff")
_RARE_MAGIC = (b"Speex   ", b"\x7fFLAC")  # in the first page of an OGG
_WAV_CODEC = re.compile(rb"RIFF.{4}WAVEfmt .{4}(?!\x01\0|\x03\0|\xfe\xff)", re.DOTALL)  # not plain samples
_VIDEO = re.compile(  # how files begin that only FFmpeg reads
    rb".{4}(ftyp|moov|mdat)|\x1aE\xdf\xa3|.{8}AVI |0&\xb2u|FLV|\xff[\xf1\xf9]|#!AMR", re.DOTALL
)
_LEAST_BYTES = 16  # the smallest audio file
_STDERR = 2
_silencing = threading.RLock()
# Only self-contained files: with a playlist, FFmpeg would open other files, or the network.
_VIDEO_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,aac,ac3,eac3,amr,amrnb,amrwb,mpeg,mpegts,wav,w64,"
    "ogg,mp3,flac,aiff,caf,ape,wv,tta,dsf"
)
_MP3_TOLERANCE_S = 0.1  # programs count its frames and the encoder's padding differently
_VIDEO_TOLERANCE_S = 0.5  # containers round, and the audio may end before the picture


class Decoder(Protocol):
    """The audio of a file at its original rate."""

    rate_hz: int
    channels: int
    announced_frames: int | None  # from the header; None if that is unreliable
    has_free_scale: bool  # float samples, which may exceed [-1, 1]
    is_truncated: bool  # valid after ``blocks`` has ended

    def blocks(self) -> Iterator[Block]:
        """The audio from its beginning; may be called again. Ends early if the file is cut off."""

    def close(self) -> None:
        """Free the library's memory, but keep the file open. Safe to call twice."""


def open_decoder(stream: BinaryIO, part: Part, name: Path) -> Decoder:
    """Choose a decoder; AudioFileError if the file cannot be read.

    ``stream`` must be seekable and stay open while the decoder is used; its ``part`` is read, and called
    ``name`` in errors.
    """
    try:
        return _SoundFileDecoder(stream, part)
    except soundfile.LibsndfileError as exc:
        if importlib.util.find_spec("av") is None:
            raise _refusal(stream, part, name, exc.code, has_video=False) from exc
        log.info("libsndfile cannot open the file (error %d), trying FFmpeg", exc.code)
        code = exc.code
    try:
        return _VideoDecoder(stream, part, name)
    except _NotForFFmpegError as exc:
        raise _refusal(stream, part, name, code, has_video=True) from exc


class _SoundFileDecoder:
    """libsndfile. Raises soundfile.LibsndfileError if it does not support the file."""

    def __init__(self, stream: BinaryIO, part: Part) -> None:
        self._is_cut = part.is_cut
        source = PartStream(stream, part)
        with _mpg123_silenced() if is_mpeg(source.read(4)) else nullcontext():
            source.seek(0)
            self._file = _Sequential(source)
        self._is_begun = False
        self.rate_hz: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.has_free_scale: bool = self._file.subtype in {"FLOAT", "DOUBLE"}
        self.is_truncated = False
        self._is_mp3: bool = self._file.subtype.startswith("MPEG")
        frames: int = self._file.frames
        # A stream's header has 0 or the maximum.
        is_known = 0 < frames < 2**48 and (part.is_counted or not self._is_mp3)
        self.announced_frames = frames if is_known else None
        self._least_frames = (frames - self._is_mp3 * _MP3_TOLERANCE_S * self.rate_hz) if is_known else 0

    def blocks(self) -> Iterator[Block]:
        if self._is_begun:
            self._file.seek(0)
        self._is_begun = True
        decoded = 0
        is_damaged = False
        while not is_damaged and decoded != self.announced_frames:  # the data after them may not be audio
            wanted = BLOCK_FRAMES
            if self.announced_frames is not None and not self._is_mp3:
                wanted = min(wanted, self.announced_frames - decoded)
            try:
                with _mpg123_silenced() if self._is_mp3 else nullcontext():
                    block: Block = self._file.read(wanted, dtype="float32", always_2d=True)
            except soundfile.LibsndfileError as exc:
                log.info("the file cannot be decoded any further (libsndfile error %d)", exc.code)
                is_damaged = True
            else:
                if not len(block):
                    break
                decoded += len(block)
                yield block
        self.is_truncated = is_damaged or self._is_cut or decoded < self._least_frames

    def close(self) -> None:
        self._file.close()


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]  # soundfile is untyped
    """A file without seeking.

    WORKAROUND for soundfile 0.14: after each read it seeks to the current position if it can. In an MP3 that
    garbles every block but the first, and in a FLAC of unknown length it loses the last one.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def _mpg123_silenced() -> Iterator[None]:
    """Keep mpg123's messages about an MP3 off the terminal.

    WORKAROUND for libsndfile 1.2.2: its copy of mpg123 writes warnings to the process's standard error, and
    its switch for that is not accessible. Everything the process writes there meanwhile is lost, so this is
    done for MP3 only.
    """
    with _silencing, ExitStack() as later:
        with suppress(OSError):  # too many open files; or descriptor 2 is closed or used for something else
            if sys.__stderr__ is not None:
                kept = os.dup(_STDERR)
                later.callback(os.close, kept)
                nowhere = os.open(os.devnull, os.O_WRONLY)
                later.callback(os.close, nowhere)
                os.dup2(nowhere, _STDERR)
                later.callback(os.dup2, kept, _STDERR)
        yield


class _VideoDecoder:
    """FFmpeg, for the first audio track. Raises _NotForFFmpegError if it does not support the file."""

    has_free_scale = False

    def __init__(self, stream: BinaryIO, part: Part, name: Path) -> None:
        import av  # the extra "video": 100 MB that few need

        self._av: Any = av
        self._stream = stream
        self._part = part
        self.is_truncated = False
        self._open()
        try:
            first = next(iter(self._frames()), None)
        except av.FFmpegError as exc:
            self.close()
            raise _NotForFFmpegError from exc
        if first is None:
            self.close()
            raise AudioFileError(
                name, Message("there is no sound in it"), Message("Choose a file that has a sound track.")
            )
        self.rate_hz: int = first.sample_rate  # for some AAC the header's is half of it
        self.channels: int = first.layout.nb_channels
        length_s = self._length_s()
        self.announced_frames = None if length_s is None else round(length_s * self.rate_hz)

    def blocks(self) -> Iterator[Block]:
        self.close()
        self._open()
        decoded = 0
        is_damaged = False
        floats = self._av.AudioResampler(format="fltp")
        try:
            for frame in self._frames():
                for converted in floats.resample(frame):
                    decoded += converted.samples
                    yield converted.to_ndarray().T
        except self._av.FFmpegError as exc:
            log.info("the file cannot be decoded any further (%s)", type(exc).__name__)
            is_damaged = True
        least = (self.announced_frames or 0) - _VIDEO_TOLERANCE_S * self.rate_hz
        self.is_truncated = is_damaged or self._part.is_cut or decoded < least

    def close(self) -> None:
        self._container.close()

    def _open(self) -> None:
        options = {"format_whitelist": _VIDEO_FORMATS}
        major = int(self._av.__version__.partition(".")[0])
        lenience = {"metadata_errors": "replace"} if major < 19 else {}  # 19 never fails at it
        try:
            source = PartStream(self._stream, self._part)
            self._container = self._av.open(source, "r", options=options, **lenience)
        except (self._av.FFmpegError, OSError) as exc:
            raise _NotForFFmpegError from exc

    def _length_s(self) -> float | None:
        """The length of the track, or else that of the file, as in Matroska."""
        track = self._container.streams.audio[0]
        if track.duration:
            return float(track.duration * track.time_base)
        length = self._container.duration
        return length / self._av.time_base if length else None

    def _frames(self) -> Iterator[Any]:
        """The decoded frames of the first audio track, if there is one."""
        tracks = self._container.streams.audio
        return iter(self._container.decode(tracks[0]) if tracks else ())


class _NotForFFmpegError(Exception):
    """FFmpeg does not support the file either."""


def _refusal(stream: BinaryIO, part: Part, name: Path, code: int, *, has_video: bool) -> AudioFileError:
    """The error for a file that nothing here can open. ``code``: libsndfile's reason."""
    head = PartStream(stream, part).read(64)
    is_video = _VIDEO.match(head) is not None
    is_rare = code == _UNSUPPORTED_ENCODING or any(magic in head for magic in _RARE_MAGIC)
    is_rare |= _WAV_CODEC.match(head) is not None
    is_sound = head.startswith(_SOUND_MAGIC) and (code != _UNRECOGNIZED or len(head) < _LEAST_BYTES)
    install = Message()
    if not has_video:
        install = Message("PyAV reads M4A, MP4, video and rarer codecs. {how}", how=how_to_get("video"))
    if (is_rare and not is_video) or (is_video and not has_video):
        hint = Message("Convert it to FLAC or WAV.")
        return AudioFileError(name, Message("sound of this kind cannot be read"), sentences(hint, install))
    if is_mpeg(head) or is_video or is_sound:
        hint = sentences(Message("Copy or record it again."), install if is_mpeg(head) else Message())
        return AudioFileError(name, Message("the file is damaged, or ends before its first sound"), hint)
    hint = Message("WAV, FLAC, OGG, Opus, MP3 and AIFF are read.")
    if has_video:
        hint = Message("WAV, FLAC, OGG, Opus, MP3, AIFF, M4A, MP4 and video are read.")
    return AudioFileError(
        name, Message("this is not a sound file, or its format is unknown"), sentences(hint, install)
    )


# --- the recordings in a file ----------------------------------------------------------------------------

_UNKNOWN_BYTES = 0x7FFF0000  # ffmpeg, sox and arecord write 0x7FFFF000 and more when they do not know
_MISCOUNTED_BYTES = 256  # a size that is too large by this much includes a header or padding
_STALE_BYTES = 4096  # if more than this follows the samples, and is not a chunk, it is samples as well
_BLOCK_BYTES = 1 << 20
_SOUGHT_BYTES = 1 << 20  # how far to search for the samples when the chunks do not lead to them
_MOST = 1000  # recordings in a file, or chunks before or after the samples
_OGG_FIRST, _OGG_LAST = 0x02, 0x04  # page flags
_FLAC_BEGIN = b"fLaC\0\0\0\x22"  # with the length of the first block, which is always the same
_ID3V1_BYTES = 128
_APE_HEADER_BYTES = 32


class Part(NamedTuple):
    """One recording: the file's bytes from ``start`` to ``end``, those at ``patch_at`` replaced by ``patch``.

    ``cut`` is followed by ``resume``, unless it is 0: the bytes in between are skipped. ``is_cut``: it ends
    early. ``is_counted``: an MP3 that states its length; otherwise the length is a guess.
    """

    start: int
    end: int
    patch_at: int = 0
    patch: bytes = b""
    is_cut: bool = False
    is_counted: bool = False
    cut: int = 0
    resume: int = 0


class _Kind(NamedTuple):
    """How a file format is divided into chunks. Sizes in bytes."""

    form_bytes: int  # size of the file header
    sound: bytes  # prefix of the name of the chunk with the samples
    name_bytes: int  # of a chunk
    size: str  # format of a chunk's size, for ``struct``
    align: int  # chunks begin at multiples of it
    own_bytes: int = 0  # how much of its own header a chunk's size includes
    preface: int = 0  # what precedes the samples in their chunk

    @property
    def header_bytes(self) -> int:
        return self.name_bytes + struct.calcsize(self.size)


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
    body: int  # its start, in bytes from the beginning of the file
    size: int  # according to its header


def parts_of(stream: BinaryIO, *, is_piped: bool = False) -> list[Part]:
    """The recordings in a file, at least one; a file of unknown format is one. Rewinds ``stream``.

    ``is_piped``: the writer could not go back to fill in the size.
    """
    file = _File(stream, is_piped=is_piped)
    parts, start = [file.part(0)], 0
    while len(parts) < _MOST and (following := file.next_start(start, parts[-1].end)) is not None:
        start = following
        parts.append(file.part(start))
    stream.seek(0)
    return parts


class _File:
    """The structure of a file, without decoding it."""

    def __init__(self, stream: BinaryIO, *, is_piped: bool) -> None:
        self._stream = stream
        self._is_piped = is_piped
        self._size = stream.seek(0, os.SEEK_END)

    def part(self, start: int) -> Part:
        magic = self._read(start, 4)
        if magic in _KINDS and (magic != b"FORM" or self._read(start + 8, 3) == b"AIF"):
            return self._chunked(start, _KINDS[magic])
        if magic == b".snd":
            return self._sun(start)
        if magic == b"OggS":
            return self._ogg(start)
        if magic == b"fLaC":
            return Part(start, self._find(_FLAC_BEGIN, start + 4, self._size))
        return self._mpeg(start)

    def next_start(self, before: int, end: int) -> int | None:
        """Where another recording begins just after ``end``, the end of the one at ``before``."""
        if self._read(end, 8) == b"APETAGEX":
            end += _APE_HEADER_BYTES + int.from_bytes(self._read(end + 12, 4), "little")
        if self._read(end, 3) == b"TAG":
            end += _ID3V1_BYTES
        may_be_mpeg = is_mpeg(self._read(before, 4))  # anything resembles it
        for at in (end, end + 1):  # possibly padded
            head = self._read(at, 4)
            if head in _MAGIC or (may_be_mpeg and is_mpeg(head)):
                return at
        return None

    def _read(self, position: int, count: int) -> bytes:
        self._stream.seek(position)
        return self._stream.read(count)

    def _chunked(self, start: int, kind: _Kind) -> Part:
        chunk = self._chunk(kind, start + kind.form_bytes)
        long_size_at = 0  # RF64: position of the true size of the samples
        cut = 0
        for _ in range(_MOST):
            if chunk is None or chunk.name.startswith(kind.sound):
                break
            if chunk.name == b"ds64":
                long_size_at = chunk.body + 8
            end = self._end_of(kind, start, chunk)
            if (behind := self._chunk(kind, end)) is None:  # the size is wrong, or padding is missing
                cut = cut or end
                behind = self._unpadded(kind, chunk) or self._chunk(
                    kind, self._find(kind.sound, end, end + _SOUGHT_BYTES)
                )
            chunk = behind
        if chunk is None or not chunk.name.startswith(kind.sound):
            return Part(start, self._size, is_cut=True)
        size_at, form = chunk.body - struct.calcsize(kind.size), kind.size
        if long_size_at and chunk.size in {0, 0xFFFFFFFF}:
            size_at, form = long_size_at, "<Q"
            chunk = chunk._replace(size=int.from_bytes(self._read(size_at, 8), "little"))
        tail = self._chain_end(kind, start, chunk)
        end, is_cut = self._extent(chunk.body, chunk.size, kind.preface, tail)
        patch = b"" if end == chunk.body + chunk.size else _packed(form, end - chunk.body + kind.own_bytes)
        resume = chunk.body - kind.header_bytes
        return Part(start, max(end, tail), size_at, patch, is_cut, cut=cut, resume=resume if cut else 0)

    def _chunk(self, kind: _Kind, position: int) -> _Chunk | None:
        """The chunk at ``position``, or None if nothing there looks like one."""
        header = self._read(position, kind.header_bytes)
        if len(header) < kind.header_bytes or not all(0x20 <= byte < 0x7F for byte in header[:4]):
            return None
        name, body = header[: kind.name_bytes], position + kind.header_bytes
        size: int = struct.unpack(kind.size, header[kind.name_bytes :])[0] - kind.own_bytes
        is_here = 0 <= size <= self._size - body
        return _Chunk(name, body, size) if is_here or name.startswith(kind.sound) else None

    def _end_of(self, kind: _Kind, start: int, chunk: _Chunk) -> int:
        """The start of the chunk after ``chunk``."""
        end = chunk.body + chunk.size
        return end + (start - end) % kind.align

    def _unpadded(self, kind: _Kind, chunk: _Chunk) -> _Chunk | None:
        """The chunk after ``chunk`` if that lacks its padding."""
        return self._chunk(kind, chunk.body + chunk.size)

    def _chain_end(self, kind: _Kind, start: int, chunk: _Chunk) -> int:
        """The end of the chunks after ``chunk``; -1 if neither a chunk nor another recording follows."""
        if not 0 <= chunk.size < self._size - chunk.body:
            return -1
        end, first = chunk.body + chunk.size, chunk
        for _ in range(_MOST):
            behind = self._chunk(kind, self._end_of(kind, start, chunk)) or self._unpadded(kind, chunk)
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
        """Where the samples that begin at ``body`` end, in bytes, and whether they are cut off there.

        ``claimed`` is their size according to the header, including the ``preface`` of a chunk; ``tail`` is
        the end of the chunks after them, or -1 if neither chunks nor another recording follow.
        """
        left = self._size - body
        is_unknown = claimed < 0 or claimed <= preface < left or claimed > max(left, _UNKNOWN_BYTES)
        if tail >= 0 or (not is_unknown and -_MISCOUNTED_BYTES <= left - claimed <= _STALE_BYTES):
            return body + min(claimed, left), False
        return self._size, not (is_unknown and self._is_piped)

    def _find(self, wanted: bytes, position: int, limit: int) -> int:
        """The next position of ``wanted`` before ``limit``, or the end of the file."""
        while position < min(limit, self._size):
            at = self._read(position, _BLOCK_BYTES + len(wanted) - 1).find(wanted)
            if at >= 0:
                return position + at
            position += _BLOCK_BYTES
        return self._size

    def _ogg(self, start: int) -> Part:
        """Walk the pages up to one that begins another stream."""
        position, has_begun, is_ended = start, False, False
        while len(head := self._read(position, 27 + 255)) >= 27:
            if head[:4] != b"OggS":  # the page before was damaged
                position = self._find(b"OggS", position, self._size)
                continue
            flags, lacing = head[5], head[27 : 27 + head[26]]
            if flags & _OGG_FIRST and has_begun:
                return Part(start, position, is_cut=not is_ended)
            has_begun |= not flags & _OGG_FIRST
            position += 27 + len(lacing) + sum(lacing)
            is_ended = bool(flags & _OGG_LAST) and position <= self._size
        return Part(start, self._size, is_cut=not is_ended)

    def _mpeg(self, start: int) -> Part:
        """Read the number of bytes in the Xing header of an MP3."""
        position = start
        while (head := self._read(position, 10))[:3] == b"ID3" and len(head) == 10:
            position += 10 + sum(byte << 7 * (3 - i) for i, byte in enumerate(head[6:]))  # 7 bits each
        head = self._read(position, 256)
        at = max(head.find(b"Xing"), head.find(b"Info"))
        if at < 0:
            return Part(start, self._size)
        flags, frames_or_size, size = struct.unpack(">III", head[at + 4 : at + 16].ljust(12, b"\0"))
        counted = (size if flags & 1 else frames_or_size) if flags & 2 else 0
        is_joined = counted and self.next_start(start, position + counted) is not None
        return Part(start, position + counted if is_joined else self._size, is_counted=True)


def _packed(form: str, size: int) -> bytes:
    """``size`` in a header's format, limited to its maximum."""
    return struct.pack(form, min(size, 0xFFFFFFFF) if form[1] == "I" else size)


def is_mpeg(head: bytes) -> bool:
    """Whether these bytes may begin an MP3."""
    return head[:3] == b"ID3" or (len(head) > 1 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2)


class PartStream:
    """A stream with the bytes of one part, for the libraries.

    Any seek is accepted: in damaged files both libraries seek to before the beginning and cope, whereas an
    exception in Python would be printed to the terminal. It has no name: soundfile takes ".raw" at the end of
    one as an order not to detect the format.
    """

    def __init__(self, stream: BinaryIO, part: Part) -> None:
        self._stream = stream
        self._part = part
        self._position = 0
        self._size = part.end - part.start - (part.resume - part.cut)

    def read(self, count: int = -1) -> bytes:
        """The next ``count`` bytes, or all that are left."""
        left = max(0, self._size - self._position)
        wanted = left if count < 0 else min(count, left)
        data = self._read(wanted)
        return data + self._read(wanted - len(data)) if len(data) < wanted else data

    def _read(self, count: int) -> bytes:
        """Up to ``count`` bytes, not across the cut."""
        part = self._part
        begin, end = part.start + self._position, part.cut or part.end
        if begin >= end and part.cut:
            begin, end = begin + part.resume - part.cut, part.end
        self._stream.seek(begin)
        data = self._stream.read(max(0, min(count, end - begin)))
        self._position += len(data)
        at, patch = part.patch_at - begin, part.patch
        first, last = max(at, 0), min(at + len(patch), len(data))
        return data if first >= last else data[:first] + patch[first - at : last - at] + data[last:]

    def tell(self) -> int:
        """Where the next ``read`` begins."""
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, but not to before the beginning, as ``tell`` shows the library."""
        position = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        if position >= 0:
            self._position = position
        return self._position
