"""Headers that lie about the size of the sound, chunks in disorder, and several recordings in one file."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.audio import files
from handy_qwen.audio.decoders import Part, PartStream, parts_of

RATE = 16_000
SOUND = (0.3 * np.sin(np.arange(RATE) ** 1.3 / 50)).astype(np.float32)
OTHER = SOUND[::-1][: RATE // 2].copy()
# Where the size of the samples is, from their chunk's beginning; how it is written; what is counted besides.
SIZES = {
    "WAV": (4, "<I", 0),
    "AIFF": (4, ">I", 8),
    "CAF": (4, ">q", 4),
    "W64": (16, "<q", 24),
    "AU": (8, ">I", 0),
}


def encoded(samples, kind, subtype=None, rate_hz=RATE, **options):
    out = io.BytesIO()
    soundfile.write(out, samples, rate_hz, format=kind, subtype=subtype, **options)
    return out.getvalue()


def with_size(kind, size, data=None):
    """A file of one second whose header says that the samples have ``size`` bytes."""
    data = bytearray(data or encoded(SOUND, kind))
    name = {"AU": b".snd", "AIFF": b"SSND"}.get(kind, b"data")
    behind, form, _ = SIZES[kind]
    size = min(size, 0xFFFFFFFF) if form[1] == "I" else size
    struct.pack_into(form, data, data.index(name) + behind, size)
    return bytes(data)


def heard(data, *, is_piped=False):
    """What is read from ``data``, and whether it is said to be cut off."""
    name = Path("take")
    with files.AudioFile(name, io.BytesIO(data), is_piped=is_piped) as file:
        return np.concatenate(list(file)), file.is_truncated


def assert_same(samples, expected):
    np.testing.assert_allclose(samples, expected, atol=1 / 32_000)


# --- sizes -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("claimed", ["nothing", "empty", "unknown", "stale"])
def test_the_samples_of_a_recorder_that_was_killed_are_read_to_the_end(kind, claimed):
    unknown = -1 if SIZES[kind][1] in {">q", "<q"} else 0xFFFFFFFF
    size = {"nothing": 0, "empty": SIZES[kind][2], "unknown": unknown, "stale": 10_000}[claimed]
    samples, is_truncated = heard(with_size(kind, size))
    assert_same(samples, SOUND)
    assert is_truncated


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("size", [0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_what_comes_through_a_pipe_need_not_know_its_size(kind, size):
    samples, is_truncated = heard(with_size(kind, size), is_piped=True)
    assert_same(samples, SOUND)
    assert not is_truncated


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize(("beyond", "expected"), [(1, False), (8, False), (44, False), (4_000, True)])
def test_a_size_that_is_off_by_some_bytes_is_no_reason_to_doubt(kind, beyond, expected):
    samples, is_truncated = heard(with_size(kind, 2 * RATE + SIZES[kind][2] + beyond))
    assert_same(samples, SOUND)
    assert is_truncated is expected


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF])
@pytest.mark.parametrize("long_size", [0, 2**64 - 1])
def test_an_rf64_without_sizes_is_read_to_the_end(size, long_size):
    data = bytearray(encoded(SOUND, "RF64"))
    struct.pack_into("<I", data, data.index(b"data") + 4, size)
    struct.pack_into("<Q", data, data.index(b"ds64") + 16, long_size)
    samples, is_truncated = heard(bytes(data))
    assert_same(samples, SOUND)
    assert is_truncated


def test_a_big_endian_wav_without_a_size_is_read_to_the_end():
    data = bytearray(encoded(SOUND, "WAV", endian="BIG"))
    assert data[:4] == b"RIFX"
    struct.pack_into(">I", data, data.index(b"data") + 4, 0)
    assert_same(heard(bytes(data))[0], SOUND)


def test_compressed_samples_without_a_size_are_read_to_the_end():
    data = encoded(SOUND, "WAV", "IMA_ADPCM")
    whole, _ = heard(data)
    samples, is_truncated = heard(with_size("WAV", 0, data))
    np.testing.assert_array_equal(samples[: len(SOUND)], whole[: len(SOUND)])
    assert is_truncated


@pytest.mark.parametrize("kind", ["WAV", "AIFF"])
def test_a_file_that_holds_no_samples_but_other_chunks_is_empty(kind):
    data = encoded(SOUND[:0], kind) + b"LIST" + struct.pack(SIZES[kind][1], 8) + b"INFOabcd"
    with pytest.raises(files.AudioFileError, match="0 samples"):
        heard(data)


@pytest.mark.parametrize("kind", SIZES)
def test_rubbish_behind_the_samples_is_not_heard(kind):
    samples, is_truncated = heard(encoded(SOUND, kind) + b"\0" * 3000)
    assert_same(samples, SOUND)
    assert not is_truncated


def test_an_aiff_that_describes_its_samples_behind_them_is_read():
    data = encoded(SOUND, "AIFF")
    at, end = data.index(b"COMM"), data.index(b"SSND")
    samples, is_truncated = heard(data[:at] + data[end:] + data[at:end])
    assert_same(samples, SOUND)
    assert not is_truncated


NOT_WHOLE = {"RAW", "WVE", "XI", "VOC", "SD2", "MP3"}  # of other lengths, rates, or more files than one


@pytest.mark.parametrize("kind", sorted(soundfile.available_formats().keys() - NOT_WHOLE))
def test_a_file_that_is_whole_is_read_whole(kind):
    samples, is_truncated = heard(encoded(SOUND, kind))
    assert len(samples) == len(SOUND)
    assert not is_truncated


# --- chunks ------------------------------------------------------------------------------------------


def chunk(name, body, *, size=None, pad=True):
    return (
        name + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (len(body) % 2 * pad)
    )


@pytest.mark.parametrize(
    "odd",
    [
        chunk(b"LIST", b"INFOabc", pad=False),
        chunk(b"bext", b"\0" * 603, pad=False),
        chunk(b"LIST", b"INFOabcd", size=0),
        chunk(b"LIST", b"INFOabcd", size=0x7FFFFFFF),
        chunk(b"JUNK", b"\0" * 4000, size=28),
        b"\0" * 200,
    ],
)
@pytest.mark.parametrize("size", [None, 0])
def test_chunks_of_a_wrong_size_before_the_samples_do_not_hide_them(odd, size):
    data = encoded(SOUND, "WAV")
    at = data.index(b"data")
    if size is not None:
        data = data[: at + 4] + struct.pack("<I", size) + data[at + 8 :]
    samples, is_truncated = heard(data[:at] + odd + data[at:])
    assert_same(samples, SOUND)
    assert is_truncated is (size == 0)


NAMES = st.sampled_from([b"LIST", b"bext", b"JUNK", b"iXML", b"cue ", b"PAD ", b"id3 "])
BODIES = st.binary(max_size=300).filter(lambda body: b"data" not in body)  # behind a lost pad it is a chunk
CHUNKS = st.lists(st.tuples(NAMES, BODIES, st.booleans()), max_size=5)


@settings(max_examples=150)
@given(
    before=CHUNKS, after=CHUNKS, count=st.integers(1, 700), is_known=st.booleans(), seed=st.integers(0, 99)
)
def test_samples_read_are_those_written_whatever_chunks_are_around(before, after, count, is_known, seed):
    values = np.random.default_rng(seed).integers(-32_768, 32_768, count).astype("<i2")
    form = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16))
    sound = chunk(b"data", values.tobytes(), size=None if is_known else 0xFFFFFFFF)
    extra = b"".join(chunk(name, body, pad=pad) for name, body, pad in before)
    tail = b"".join(chunk(name, body) for name, body, _ in after) if is_known else b""
    body = b"WAVE" + form + extra + sound + tail
    samples, is_truncated = heard(b"RIFF" + struct.pack("<I", len(body)) + body)
    np.testing.assert_array_equal(samples, values.astype(np.float32) / 32_768)
    assert is_truncated is not is_known


# --- several recordings ------------------------------------------------------------------------------

KINDS = [
    ("WAV", None, 0),
    ("AIFF", None, 0),
    ("CAF", None, 0),
    ("W64", None, 0),
    ("AU", None, 0),
    ("FLAC", None, 0),
    ("OGG", "VORBIS", 20),
    ("OGG", "OPUS", 1_000),
    ("MP3", None, 2_000),
]


@pytest.mark.parametrize(("kind", "subtype", "tolerance"), KINDS)
@pytest.mark.parametrize("rate_hz", [RATE, 48_000])
def test_files_joined_by_cat_are_all_read(kind, subtype, tolerance, rate_hz):
    second = encoded(np.repeat(OTHER, rate_hz // RATE), kind, subtype, rate_hz)
    data = encoded(SOUND, kind, subtype) + second + encoded(SOUND, kind, subtype)
    samples, is_truncated = heard(data)
    assert len(samples) == pytest.approx(2.5 * RATE, abs=3 * tolerance + 2)
    assert not is_truncated
    first, _ = heard(encoded(SOUND, kind, subtype))
    np.testing.assert_array_equal(samples[: len(first)], first)
    np.testing.assert_array_equal(samples[-len(first) :], first)


def test_an_ogg_with_a_damaged_page_is_heard_with_the_one_joined_to_it():
    whole = encoded(np.tile(SOUND, 10), "OGG", "VORBIS")
    pages = [at for at in range(len(whole)) if whole.startswith(b"OggS", at)]
    damaged = bytearray(whole)
    damaged[pages[-2] : pages[-2] + 4] = b"XXXX"
    first, _ = heard(bytes(damaged))
    both, _ = heard(bytes(damaged) + whole)
    assert len(pages) > 4
    assert abs(len(both) - len(first) - 10 * len(SOUND)) <= 20


def test_an_odd_wav_joined_with_another_is_read_with_it():
    odd = encoded(SOUND[:999], "WAV", "PCM_U8")[: 44 + 999]  # without soundfile's own padding
    for pad in (b"", b"\0"):
        samples, _ = heard(odd + pad + encoded(OTHER, "WAV"))
        assert len(samples) == 999 + len(OTHER)


def test_the_length_of_several_recordings_is_not_known_ahead():
    with files.AudioFile(Path("take"), io.BytesIO(2 * encoded(SOUND, "WAV"))) as file:
        assert file.total_samples is None


@pytest.mark.parametrize("kind", ["WAV", "FLAC"])
def test_a_second_recording_that_is_damaged_leaves_the_first_and_is_told(kind):
    samples, is_truncated = heard(encoded(SOUND, kind) + encoded(OTHER, kind)[:42])
    assert_same(samples, SOUND)
    assert is_truncated


ID3V2 = b"ID3\3\0\0" + bytes((200 >> 7 * i) & 127 for i in (3, 2, 1, 0)) + bytes(200)
ID3V1 = b"TAG" + bytes(125)
APE = b"APETAGEX" + struct.pack("<IIII", 2000, 100 + 32, 1, 1 << 31) + bytes(8 + 100 + 32)


@pytest.mark.parametrize(("before", "after"), [(ID3V2, ID3V1), (b"", APE + ID3V1)])
def test_an_mp3_with_tags_joined_with_another_is_read_with_it(before, after):
    tagged = before + encoded(SOUND, "MP3") + after
    assert len(heard(2 * tagged)[0]) == pytest.approx(2 * RATE, abs=4_000)


@pytest.mark.parametrize("kind", ["FLAC", "OGG", "AU", "AIFF"])
def test_a_wav_joined_with_a_file_of_another_kind_is_read_with_it(kind):
    samples, is_truncated = heard(encoded(SOUND, "WAV") + encoded(OTHER, kind))
    assert_same(samples[:RATE], SOUND)
    assert len(samples) == RATE + len(OTHER)
    assert not is_truncated


# --- what the libraries read from --------------------------------------------------------------------


@settings(max_examples=100)
@given(data=st.data())
def test_a_part_reads_like_a_file_that_holds_nothing_else(data):
    whole = bytes(range(100))
    start = data.draw(st.integers(0, 50))
    end = data.draw(st.integers(start, 100))
    patch_at = data.draw(st.integers(start, end))
    patch = data.draw(st.binary(max_size=min(8, end - patch_at)))
    patched = whole[:patch_at] + patch + whole[patch_at + len(patch) :]
    cut = data.draw(st.sampled_from([0, *range(max(start, 1), end + 1)]))
    resume = data.draw(st.integers(start, end)) if cut else 0
    stream, like = (
        PartStream(io.BytesIO(whole), Part(start, end, patch_at, patch, cut=cut, resume=resume)),
        io.BytesIO(patched[start:cut] + patched[resume:end] if cut else patched[start:end]),
    )
    for whence, offset, count in data.draw(
        st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40), st.integers(-1, 60)), max_size=10)
    ):
        assert stream.seek(offset, whence) == like.seek(offset, whence)
        assert stream.read(count) == like.read(count)
        assert stream.tell() == like.tell()


@given(
    data=st.binary(max_size=300), magic=st.sampled_from([b"RIFF", b"FORM", b"caff", b".snd", b"OggS", b"ID3"])
)
def test_anything_has_parts_that_lie_within_it(data, magic):
    data = magic + data
    for part in parts_of(io.BytesIO(data)):
        assert 0 <= part.start <= part.end <= len(data)


@pytest.mark.parametrize("unit", [chunk(b"LIST", b""), encoded(SOUND[:0], "WAV"), b".snd" + bytes(20)])
def test_more_chunks_or_recordings_than_a_file_can_have_are_not_all_looked_at(unit):
    data = b"RIFF" + bytes(4) + b"WAVE" + unit * 200_000 if unit[:4] == b"LIST" else unit * 200_000
    assert len(parts_of(io.BytesIO(data))) <= 1000
