"""Sound files to blocks of samples: libsndfile for sound, FFmpeg through PyAV for M4A, MP4 and video.

    libsndfile   WAV, FLAC, OGG, Opus, MP3, AIFF, CAF, AU, W64 ...
    PyAV         what libsndfile refuses, if PyAV (the extra "video") is installed

Errors of both libraries end here. A file that cannot be opened is an AudioFileError; one that breaks off
while it is read ends there, with ``is_truncated`` set. Nothing here resamples or mixes; see files.py.

Source: soundfile 0.14 with libsndfile 1.2.2, PyAV 18.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import soundfile

from handy_qwen.audio.containers import Part, PartStream, is_mpeg
from handy_qwen.errors import AudioFileError
from handy_qwen.extras import how_to_get

log = logging.getLogger(__name__)

Block: TypeAlias = npt.NDArray[np.float32]
"""Shape (n, channels), float32; in [-1, 1] but for files of float samples and the ripple of lossy codecs."""

BLOCK_FRAMES = 4096  # a FLAC block: if one is damaged, no more than it is lost
_UNRECOGNIZED, _UNSUPPORTED_ENCODING = 1, 4  # sndfile.h, SF_ERR_...
_SOUND_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"fLaC", b"OggS", b"caff", b".snd", b"riff")
_RARE_MAGIC = (b"Speex   ", b"\x7fFLAC")  # in the first page of an OGG
_WAV_CODEC = re.compile(rb"RIFF.{4}WAVEfmt .{4}(?!\x01\0|\x03\0|\xfe\xff)", re.DOTALL)  # no plain samples
_VIDEO = re.compile(  # the beginnings of what only FFmpeg reads
    rb".{4}(ftyp|moov|mdat)|\x1aE\xdf\xa3|.{8}AVI |0&\xb2u|FLV|\xff[\xf1\xf9]|#!AMR", re.DOTALL
)
_LEAST_BYTES = 16  # of a sound file
_STDERR = 2
_silencing = threading.RLock()
# Only files that hold their sound themselves: a playlist would have FFmpeg open other files, or the network.
_VIDEO_FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,aac,ac3,eac3,amr,amrnb,amrwb,mpeg,mpegts,wav,w64,"
    "ogg,mp3,flac,aiff,caf,ape,wv,tta,dsf"
)
_MP3_TOLERANCE_S = 0.1  # its frames and the encoder's padding are not counted alike by everyone
_VIDEO_TOLERANCE_S = 0.5  # containers round, and the sound may end before the picture


class Decoder(Protocol):
    """A file's sound at its own rate."""

    rate_hz: int
    channels: int
    announced_frames: int | None  # what the header says, None if it cannot be relied upon
    has_free_scale: bool  # float samples, which may be of any size
    is_truncated: bool  # known when ``blocks`` has ended

    def blocks(self) -> Iterator[Block]:
        """The sound from its beginning; may be called again. Ends early if the file does."""

    def close(self) -> None:
        """Let go of the library's memory, not of the file. Safe to call twice."""


def open_decoder(stream: BinaryIO, part: Part, name: Path) -> Decoder:
    """Find out what kind of file it is.

    Args:
        stream: Seekable; must stay open while the decoder is used.
        part: What of it to read.
        name: What to call it in errors.

    Raises:
        AudioFileError: It is of no kind that can be read, or damaged.
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
    """libsndfile. Raises soundfile.LibsndfileError if the file is not for it."""

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
        while not is_damaged and decoded != self.announced_frames:  # beyond them may be what is no sound
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
    """A file that is read from one end to the other.

    WORKAROUND for soundfile 0.14: after each read it seeks to where it is, if it may. In an MP3 that
    garbles every block but the first, and in a FLAC of unknown length it loses the last one.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def _mpg123_silenced() -> Iterator[None]:
    """Keep what mpg123 says about an MP3 off the terminal.

    WORKAROUND for libsndfile 1.2.2: the copy of mpg123 in it writes warnings to the process's standard error,
    and has no switch that can be reached. All that the process writes there while it works goes nowhere, so
    that is done for MP3 alone.
    """
    with _silencing, ExitStack() as later:
        with suppress(OSError):  # too many open files; or there is no 2, which may be something else's
            if sys.__stderr__ is not None:
                kept = os.dup(_STDERR)
                later.callback(os.close, kept)
                nowhere = os.open(os.devnull, os.O_WRONLY)
                later.callback(os.close, nowhere)
                os.dup2(nowhere, _STDERR)
                later.callback(os.dup2, kept, _STDERR)
        yield


class _VideoDecoder:
    """FFmpeg, for the first sound track. Raises _NotForFFmpegError if the file is not for it."""

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
            raise AudioFileError(name, "there is no sound in it", "Choose a file that has a sound track.")
        self.rate_hz: int = first.sample_rate  # the header's is half of it for some AAC
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
        """The length of the track, or else, as in Matroska, that of the file."""
        track = self._container.streams.audio[0]
        if track.duration:
            return float(track.duration * track.time_base)
        length = self._container.duration
        return length / self._av.time_base if length else None

    def _frames(self) -> Iterator[Any]:
        """The decoded frames of the first sound track; none if there is no such track."""
        tracks = self._container.streams.audio
        return iter(self._container.decode(tracks[0]) if tracks else ())


class _NotForFFmpegError(Exception):
    """FFmpeg does not know the file either."""


def _refusal(stream: BinaryIO, part: Part, name: Path, code: int, *, has_video: bool) -> AudioFileError:
    """The error for a file that nothing here can open. ``code``: why libsndfile would not."""
    head = PartStream(stream, part).read(64)
    is_video = _VIDEO.match(head) is not None
    is_rare = code == _UNSUPPORTED_ENCODING or any(magic in head for magic in _RARE_MAGIC)
    is_rare |= _WAV_CODEC.match(head) is not None
    is_sound = head.startswith(_SOUND_MAGIC) and (code != _UNRECOGNIZED or len(head) < _LEAST_BYTES)
    install = "" if has_video else f" PyAV reads M4A, MP4, video and rarer codecs. {how_to_get('video')}"
    if (is_rare and not is_video) or (is_video and not has_video):
        hint = "Convert it to FLAC or WAV."
        return AudioFileError(name, "sound of this kind cannot be read", hint + install)
    if is_mpeg(head) or is_video or is_sound:
        hint = "Copy or record it again." + (install if is_mpeg(head) else "")
        return AudioFileError(name, "the file is damaged, or ends before its first sound", hint)
    hint = "WAV, FLAC, OGG, Opus, MP3 and AIFF are read" + (", and M4A, MP4 and video." if has_video else ".")
    return AudioFileError(name, "this is not a sound file, or of an unknown kind", hint + install)
