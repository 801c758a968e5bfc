"""Sound files to blocks of samples: libsndfile for sound, FFmpeg through PyAV for M4A, MP4 and video.

    open_decoder --> SoundFileDecoder   WAV, FLAC, OGG, Opus, MP3, AIFF, CAF, AU, W64 ...
                 `-> VideoDecoder       what libsndfile refuses, if PyAV (the extra "video") is installed

Errors of both libraries end here. A file that cannot be opened is an AudioFileError; one that breaks off
while it is read ends there, with ``is_truncated`` set. Nothing here resamples or mixes; see files.py.

Source: soundfile 0.14 with libsndfile 1.2.2, PyAV 18.
"""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
import soundfile

from handy_qwen.audio.containers import is_cut_off
from handy_qwen.errors import AudioFileError
from handy_qwen.extras import how_to_get

log = logging.getLogger(__name__)

Block: TypeAlias = npt.NDArray[np.float32]
"""Shape (n, channels), float32; in [-1, 1] but for files of float samples and the ripple of lossy codecs."""

BLOCK_FRAMES = 4096  # a FLAC block: if one is damaged, no more than it is lost
_UNRECOGNIZED, _UNSUPPORTED_ENCODING = 1, 4  # sndfile.h, SF_ERR_...
_SOUND_MAGIC = (b"RIFF", b"RIFX", b"RF64", b"FORM", b"fLaC", b"OggS", b"ID3", b"caff", b".snd", b"\xff\xfb")
_VIDEO_MAGIC = {  # what the file has at that offset
    (4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (0, b"\x1aE\xdf\xa3"), (8, b"AVI "), (0, b"0&\xb2u"),
    (0, b"FLV"), (0, b"\xff\xf1"), (0, b"\xff\xf9"), (0, b"#!AMR"),
}  # fmt: skip
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


def open_decoder(stream: BinaryIO, name: Path) -> Decoder:
    """Find out what kind of file it is.

    Args:
        stream: At its beginning, seekable; must stay open while the decoder is used.
        name: What to call it in errors.

    Raises:
        AudioFileError: It is of no kind that can be read, or damaged.
    """
    try:
        return SoundFileDecoder(stream)
    except soundfile.LibsndfileError as exc:
        stream.seek(0)
        if importlib.util.find_spec("av") is None:
            raise _refusal(stream, name, exc.code, has_video=False) from exc
        log.info("libsndfile cannot open the file (error %d), trying FFmpeg", exc.code)
        code = exc.code
    try:
        return VideoDecoder(stream, name)
    except _NotForFFmpegError as exc:
        raise _refusal(stream, name, code, has_video=True) from exc


class SoundFileDecoder:
    """libsndfile. Raises soundfile.LibsndfileError if the file is not for it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._is_cut = is_cut_off(stream)
        is_mp3_counted = _is_mp3_counted(stream)
        self._file = _Sequential(_Source(stream))
        self._is_begun = False
        self.rate_hz: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.has_free_scale: bool = self._file.subtype in {"FLOAT", "DOUBLE"}
        self.is_truncated = False
        is_mp3 = self._file.format == "MP3"
        frames: int = self._file.frames
        is_known = 0 < frames < 2**48 and (
            is_mp3_counted or not is_mp3
        )  # a stream's header has 0 or the maximum
        self.announced_frames = frames if is_known else None
        self._least_frames = (frames - int(is_mp3) * _MP3_TOLERANCE_S * self.rate_hz) if is_known else 0

    def blocks(self) -> Iterator[Block]:
        """The sound from its beginning; may be called again. Ends early if the file does."""
        if self._is_begun:
            self._file.seek(0)
        self._is_begun = True
        decoded = 0
        is_damaged = False
        while not is_damaged:
            try:
                block: Block = self._file.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
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
        """Let go of the library's memory, not of the file. Safe to call twice."""
        self._file.close()


class _Sequential(soundfile.SoundFile):  # type: ignore[misc]  # soundfile is untyped
    """A file that is read from one end to the other.

    WORKAROUND for soundfile 0.14: after each read it seeks to where it is, if it may. In an MP3 that
    garbles every block but the first, and in a FLAC of unknown length it loses the last one.
    """

    def seekable(self) -> bool:
        return False


class _Source:
    """What the libraries read from: a stream that has no name and takes any seek.

    soundfile takes a name that ends in ".raw" for an order not to look inside. And both libraries seek before
    the beginning in damaged files: they cope, where Python's exception would land on the terminal.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.read = stream.read
        self.tell = stream.tell

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self._stream.seek(offset, whence)
        except (
            OSError,
            ValueError,
        ):  # before the beginning; the library sees from ``tell`` that it did not move
            return self._stream.tell()


class VideoDecoder:
    """FFmpeg, for the first sound track. Raises _NotForFFmpegError if the file is not for it."""

    has_free_scale = False

    def __init__(self, stream: BinaryIO, name: Path) -> None:
        import av  # the extra "video": 100 MB that few need

        self._av: Any = av
        self._stream = stream
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
        """The sound from its beginning; may be called again. Ends early if the file does."""
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
        self.is_truncated = is_damaged or decoded < least

    def close(self) -> None:
        """Let go of the library's memory, not of the file. Safe to call twice."""
        self._container.close()

    def _open(self) -> None:
        self._stream.seek(0)
        options = {"format_whitelist": _VIDEO_FORMATS}
        major = int(self._av.__version__.partition(".")[0])
        lenience = {"metadata_errors": "replace"} if major < 19 else {}  # 19 never fails at it
        try:
            source = _Source(self._stream)
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


def _is_mp3_counted(stream: BinaryIO) -> bool:
    """Whether an MP3 says how long it is; the length of others is a guess that may be off by half.

    Leaves ``stream`` at its beginning. Source: the Xing and Info headers, as LAME writes them.
    """
    head = stream.read(10)
    if head[:3] == b"ID3" and len(head) == 10:  # the tag's size has 7 bits in each byte
        stream.seek(10 + sum(byte << 7 * (3 - i) for i, byte in enumerate(head[6:])))
        head = b""
    head += stream.read(256)
    stream.seek(0)
    return b"Xing" in head or b"Info" in head


def _refusal(stream: BinaryIO, name: Path, code: int, *, has_video: bool) -> AudioFileError:
    """The error for a file that nothing here can open. ``code``: why libsndfile would not."""
    stream.seek(0)
    head = stream.read(16)
    is_video = any(head[at : at + len(magic)] == magic for at, magic in _VIDEO_MAGIC)
    if code == _UNSUPPORTED_ENCODING or (is_video and not has_video):
        hint = f"For M4A, MP4, video and rarer codecs, PyAV is needed. {how_to_get('video')}"
        if has_video:
            hint = "Convert it to FLAC or WAV."
        return AudioFileError(name, "sound of this kind cannot be read", hint)
    if is_video or (head.startswith(_SOUND_MAGIC) and (code != _UNRECOGNIZED or len(head) < 16)):
        return AudioFileError(
            name, "the file is damaged, or ends before its first sound", "Copy or record it again."
        )
    hint = "WAV, FLAC, OGG, Opus, MP3 and AIFF are read"
    hint += (
        ", and M4A, MP4 and video." if has_video else f"; with PyAV also M4A and MP4. {how_to_get('video')}"
    )
    return AudioFileError(name, "this is not a sound file, or of an unknown kind", hint)
