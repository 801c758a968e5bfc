"""Sound files: every kind at every rate, and every way in which one can be wrong."""

import errno
import io
import logging
import os
import stat
import sys
import threading
import tracemalloc

import numpy as np
import pytest
import soundfile
import soxr

from handy_qwen.audio import decoders, files
from handy_qwen.errors import AudioFileError

RATE = 16_000


def chirp(rate_hz=RATE, seconds=1.0, channels=1):
    """A sound that differs everywhere and holds nothing above 6 kHz. Shape (n,) or (n, channels), float32."""
    t = np.arange(round(rate_hz * seconds)) / rate_hz
    mono = 0.4 * np.sin(2 * np.pi * (300 + 1000 * np.sin(3 * t)) * t)
    gains = np.linspace(0.2, 1.0, channels)
    return (mono if channels == 1 else mono[:, None] * gains).astype(np.float32)


def encoded(samples, rate_hz=RATE, kind="WAV", subtype=None, **options):
    out = io.BytesIO()
    soundfile.write(out, samples, rate_hz, format=kind, subtype=subtype, **options)
    return out.getvalue()


@pytest.fixture
def saved(tmp_path):
    def save(data, name="take.wav"):
        path = tmp_path / name
        path.write_bytes(data)
        return path

    return save


def refusal(path, stdin=None):
    with pytest.raises(AudioFileError) as caught:
        files.load(path, stdin)
    error = caught.value
    assert str(error.path) in error.title
    assert error.hint
    return error.title


# --- kinds -------------------------------------------------------------------------------------------


WIDTHS = {"PCM_U8": 1 / 120, "PCM_16": 1 / 32000, "PCM_24": 1e-6, "PCM_32": 1e-6, "FLOAT": 0, "DOUBLE": 0}


@pytest.mark.parametrize(("subtype", "tolerance"), WIDTHS.items())
def test_every_width_of_sample_has_the_same_scale(saved, subtype, tolerance):
    samples = chirp()
    np.testing.assert_allclose(files.load(saved(encoded(samples, subtype=subtype))), samples, atol=tolerance)


def test_int16_is_divided_by_32768(saved):
    values = np.array([-32768, -1, 0, 1, 32767], np.int16)
    loaded = files.load(saved(encoded(values, subtype="PCM_16")))
    np.testing.assert_array_equal(loaded, values.astype(np.float32) / 32768)


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_any_rate_becomes_16_khz_as_if_resampled_at_once(saved, rate):
    samples = chirp(rate, seconds=2.0)
    loaded = files.load(saved(encoded(samples, rate, subtype="FLOAT")))
    np.testing.assert_allclose(loaded, soxr.resample(samples, rate, RATE, quality="HQ"), atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "subtype", "rate", "tolerance"),
    [
        ("FLAC", "PCM_16", 44_100, 1e-3),
        ("FLAC", "PCM_24", 96_000, 1e-3),
        ("OGG", "VORBIS", 44_100, 0.05),
        ("OGG", "OPUS", 48_000, 0.05),
        ("MP3", "MPEG_LAYER_III", 44_100, 0.02),
        ("AIFF", "PCM_16", 44_100, 1e-3),
        ("W64", "PCM_16", 48_000, 1e-3),
        ("RF64", "PCM_16", 48_000, 1e-3),
        ("CAF", "PCM_16", 48_000, 1e-3),
        ("AU", "PCM_16", 8_000, 1e-3),
        ("WAV", "ULAW", 8_000, 0.05),
        ("WAV", "MS_ADPCM", 22_050, 0.1),
    ],
)
def test_every_kind_of_file_is_read_whole(saved, kind, subtype, rate, tolerance):
    path = saved(encoded(chirp(rate, 2.0, channels=2), rate, kind, subtype), "take.bin")
    with files.read(path) as file:
        assert file.total_samples == pytest.approx(2 * RATE, abs=0.06 * RATE)
        loaded = np.concatenate(list(file))
        assert not file.is_truncated
    expected = soxr.resample(chirp(rate, 2.0, channels=2).mean(axis=1), rate, RATE)
    n = min(loaded.size, expected.size)
    assert abs(loaded.size - expected.size) < 0.06 * RATE
    assert np.sqrt(((loaded[:n] - expected[:n]) ** 2).mean()) < tolerance


def test_a_name_says_nothing_about_the_kind(saved):
    samples = chirp()
    for name in ("take.raw", "take.mp3", "take", "Aufnahme №1 音声.wav"):
        assert files.load(saved(encoded(samples, kind="FLAC"), name)).size == samples.size


# --- streaming ---------------------------------------------------------------------------------------


def test_blocks_are_short_and_the_total_is_known_ahead(saved):
    samples = chirp(48_000, seconds=20.0)
    with files.read(saved(encoded(samples, 48_000))) as file:
        assert file.total_samples == 20 * RATE
        sizes = [block.size for block in file]
    assert sum(sizes) == 20 * RATE
    assert max(sizes) < RATE
    assert min(sizes) > 0


def test_no_more_of_the_file_is_read_than_is_asked_for(saved):
    path = saved(encoded(chirp(48_000, seconds=20.0), 48_000))
    with files.read(path) as file:
        next(iter(file))
        assert file._stream.tell() < path.stat().st_size / 10


def test_a_long_file_of_many_channels_takes_little_memory(tmp_path):
    path = tmp_path / "concert.wav"
    second = chirp(96_000, channels=6)
    with soundfile.SoundFile(path, "w", 96_000, 6, subtype="FLOAT") as out:
        for _ in range(10):
            out.write(second * 2)  # float and above 1, so that it is read twice
    tracemalloc.start()
    try:
        with files.read(path) as file:
            assert sum(block.size for block in file) == 10 * RATE
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1 << 20  # the file has 23 MB


def test_the_file_is_closed_at_the_end_and_on_leaving_early(saved):
    path = saved(encoded(chirp(seconds=2.0)))
    file = files.read(path)
    assert sum(block.size for block in file) == 2 * RATE
    assert file._stream.closed
    early = files.read(path)
    iterator = iter(early)
    next(iterator)
    early.close()
    early.close()
    assert early._stream.closed
    assert list(iterator) == []
    assert list(early) == []


def test_a_header_that_does_not_know_the_length_gives_none_and_all_of_the_sound(saved):
    data = bytearray(encoded(chirp(), kind="FLAC"))
    data[21] &= 0xF0  # STREAMINFO: 36 bits of "total samples", 0 for unknown
    data[22:26] = bytes(4)
    with files.read(saved(bytes(data), "piped.flac")) as file:
        assert file.total_samples is None
        assert sum(block.size for block in file) == RATE
        assert not file.is_truncated


# --- scale -------------------------------------------------------------------------------------------


def test_float_samples_of_any_scale_are_divided_by_their_peak(saved):
    samples = np.concatenate((chirp() / 100, chirp())) * 25_000  # the loud part comes last
    loaded = files.load(saved(encoded(samples, subtype="FLOAT")))
    np.testing.assert_allclose(loaded, samples / np.abs(samples).max(), atol=1e-6)


def test_float_samples_below_1_keep_their_scale(saved):
    samples = chirp() * 0.01
    np.testing.assert_array_equal(files.load(saved(encoded(samples, subtype="FLOAT"))), samples)


def test_the_peak_is_that_of_the_mixed_channels(saved):
    stereo = np.column_stack((chirp() * 3, -chirp() * 3))
    stereo[100] = (1.5, 0.5)
    loaded = files.load(saved(encoded(stereo, subtype="FLOAT")))
    assert loaded[100] == 1.0
    assert np.abs(loaded).max() == 1.0


def test_what_a_codec_or_resampling_adds_to_full_scale_is_clipped(saved):
    square = np.sign(chirp(44_100)) * np.float32(0.999)
    raw = soxr.resample(square, 44_100, RATE)
    assert np.abs(raw).max() > 1.02
    loaded = files.load(saved(encoded(square, 44_100, subtype="PCM_16")))
    assert np.abs(loaded).max() == 1.0
    np.testing.assert_allclose(loaded, np.clip(raw, -1, 1), atol=1e-3)


# --- standard input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("spool_bytes", [1 << 20, 1 << 10])
def test_standard_input_carries_a_file_of_any_kind(monkeypatch, kind, spool_bytes):
    monkeypatch.setattr(files, "_SPOOL_BYTES", spool_bytes)
    samples = files.load("-", io.BytesIO(encoded(chirp(), kind=kind)))
    assert samples.size == pytest.approx(RATE, abs=0.06 * RATE)


@pytest.mark.unix("POSIX permissions")
def test_the_spool_on_disk_is_for_the_owner_only_and_has_no_name(monkeypatch):
    monkeypatch.setattr(files, "_SPOOL_BYTES", 1 << 10)
    with files.read("-", io.BytesIO(encoded(chirp()))) as file:
        status = os.fstat(file._stream.fileno())
        assert stat.S_IMODE(status.st_mode) == 0o600
        assert status.st_nlink == 0


@pytest.mark.unix("named pipes of POSIX")
def test_a_named_pipe_is_read_like_standard_input(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(encoded(chirp()),))
    writer.start()
    assert files.load(pipe).size == RATE
    writer.join()


def test_problems_of_standard_input_are_named():
    assert "standard input: it is empty" in refusal("-", io.BytesIO(b""))
    assert "standard input: this is not a sound file" in refusal("-", io.BytesIO(b"\x01\x02" * 9000))


def test_a_terminal_is_not_waited_for():
    class Terminal(io.BytesIO):
        def isatty(self):
            return True

        def read(self, *_):
            raise AssertionError("this would wait for the keyboard")

    assert "no sound is piped" in refusal("-", Terminal())


def test_a_program_without_standard_input_says_so(monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert "no sound is piped" in refusal("-")


def test_a_full_disk_is_named():
    class Full(io.BytesIO):
        def read(self, *_):
            raise OSError(28, "No space left on device")

    assert "No space left" in refusal("-", Full())


# --- what is no sound file ---------------------------------------------------------------------------


def test_a_missing_file_is_named(tmp_path):
    assert "no such file" in refusal(tmp_path / "absent.wav")


NOT_OPENED = "no such file" if os.name == "nt" else "cannot be opened"


def test_a_path_below_a_file_is_named(saved):
    assert NOT_OPENED in refusal(saved(b"x") / "take.wav")


@pytest.mark.parametrize(("path", "said"), [("a\0b.wav", "cannot be opened"), ("x" * 5000, NOT_OPENED)])
def test_an_impossible_path_is_named(path, said):
    assert said in refusal(path)


def test_a_refusal_of_the_system_is_named(saved, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    path = saved(encoded(chirp()))
    monkeypatch.setattr(files.Path, "open", refuse)
    assert "may not read" in refusal(path)


def test_a_folder_is_named(tmp_path):
    assert "folder" in refusal(tmp_path)


@pytest.mark.unix("device files of POSIX")
def test_a_device_is_named_instead_of_read_for_ever():
    assert "device" in refusal("/dev/zero")


def test_an_empty_file_is_named(saved):
    assert "empty (0 bytes)" in refusal(saved(b""))


@pytest.mark.parametrize(
    "data", [b"Dear diary, " * 500, b"\0" * 5000, b"R", b"%PDF-1.7 " + bytes(range(256)) * 20]
)
def test_what_is_no_sound_is_said_to_be_none(saved, data):
    assert "not a sound file" in refusal(saved(data))


def test_a_file_without_samples_is_named(saved):
    assert "0 samples" in refusal(saved(encoded(np.zeros(0, np.float32))))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("subtype", ["FLOAT", "DOUBLE"])
def test_a_sample_that_is_no_number_is_named_with_its_place(saved, value, subtype):
    samples = chirp(seconds=2.0)
    samples[RATE + RATE // 2] = value
    assert "at 1.500 s is not a number" in refusal(saved(encoded(samples, subtype=subtype)))


def test_a_rate_that_makes_no_sense_is_named(saved):
    assert "3 Hz" in refusal(saved(encoded(chirp(), rate_hz=3)))


def test_a_refused_file_is_not_left_open(saved):
    path = saved(b"nothing" * 100)
    for _ in range(20):
        refusal(path)  # a descriptor that is left open is a ResourceWarning, which is an error
    path.unlink()


# --- what breaks off ---------------------------------------------------------------------------------

CUT = [
    ("WAV", "PCM_16"),
    ("AIFF", "PCM_16"),
    ("RF64", "PCM_16"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
]


@pytest.mark.parametrize(("kind", "subtype"), CUT)
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_a_file_that_breaks_off_gives_what_there_is_and_says_so(saved, kind, subtype, part):
    sound = np.tile(chirp(48_000), 10)
    data = encoded(sound, 48_000, kind, subtype)
    with files.read(saved(data[: int(len(data) * part)])) as file:
        seconds = sum(block.size for block in file) / RATE
        assert file.is_truncated
    assert 10 * part - 2.5 < seconds < 10 * part + 0.5  # an OGG page may hold two seconds


@pytest.mark.parametrize(("kind", "subtype"), CUT)
def test_a_file_that_breaks_off_before_its_first_sound_is_an_error(saved, kind, subtype):
    data = encoded(chirp(48_000, 3.0), 48_000, kind, subtype)
    at = (
        40
        if kind in {"OGG", "MP3"}
        else data.index(b"SSND" if kind == "AIFF" else b"data")
        if kind != "FLAC"
        else 60
    )
    assert refusal(saved(data[:at])).endswith(("sound.", "(0 samples).", "kind."))


def test_a_damaged_flac_gives_what_comes_before_the_damage(saved):
    data = bytearray(encoded(chirp(seconds=8.0), kind="FLAC"))
    middle = len(data) // 2
    data[middle : middle + 300] = np.random.default_rng(0).bytes(300)
    with files.read(saved(bytes(data))) as file:
        seconds = sum(block.size for block in file) / RATE
        assert file.is_truncated
    assert 2.5 < seconds < 5.5


@pytest.mark.expects_log
def test_load_warns_of_a_file_that_breaks_off(saved, caplog):
    data = encoded(chirp(seconds=4.0))
    assert files.load(saved(data[: len(data) // 2])).size == pytest.approx(2 * RATE, abs=100)
    assert [r.levelno for r in caplog.records if "breaks off" in r.getMessage()] == [logging.WARNING]


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_an_mp3_that_does_not_say_how_long_it_is_is_whole_nevertheless(saved, mode):
    sound = np.concatenate([chirp(44_100, 2.0) * (i % 2) for i in range(6)])
    data = encoded(sound, 44_100, "MP3", bitrate_mode=mode, compression_level=0.5)
    at = data.index(data[:2], 200)  # the second frame: the first one holds the count
    with files.read(saved(data[at:])) as file:
        assert file.total_samples is None
        assert sum(block.size for block in file) == pytest.approx(12 * RATE, abs=0.1 * RATE)
        assert not file.is_truncated


@pytest.mark.parametrize("damage", ["cut", "rubbish behind", "rubbish within", "bits"])
def test_what_mpg123_says_about_a_damaged_mp3_stays_off_the_terminal(saved, damage, capfd):
    data = encoded(chirp(44_100, 4.0), 44_100, "MP3")
    middle = len(data) // 2
    noise = np.random.default_rng(3).bytes(1000)
    path = saved(
        {
            "cut": data[:-1500],
            "rubbish behind": data + b"\1" * 3000,
            "rubbish within": data[:middle] + b"\1\2\3\4" * 500 + data[middle:],
            "bits": data[:middle] + noise + data[middle + 1000 :],
        }[damage]
    )
    with files.read(path) as file:
        assert sum(block.size for block in file) > RATE
    os.write(2, b"still there")
    assert capfd.readouterr().err == "still there"


def test_standard_error_is_left_alone_while_anything_but_an_mp3_is_read(saved, monkeypatch):
    """Other threads, and programs started meanwhile, write there as well."""
    redirected = []
    for kind in ("WAV", "FLAC", "OGG", "AIFF"):
        path = saved(encoded(chirp(), kind=kind))
        with monkeypatch.context() as patch:
            patch.setattr(decoders.os, "dup2", lambda *_: redirected.append(1))
            assert files.load(path).size == RATE
    assert redirected == []


def test_an_mp3_is_read_although_no_more_files_can_be_opened(saved, monkeypatch):
    path = saved(encoded(chirp(44_100), 44_100, "MP3"))

    def refuse(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    def lowest_free():
        os.close(number := os.dup(1))
        return number

    with files.read(path) as file:
        monkeypatch.setattr(decoders.os, "open", refuse)
        before = lowest_free()
        assert sum(block.size for block in file) > 0.9 * RATE
    assert lowest_free() <= before, "what was opened is closed"


# --- video -------------------------------------------------------------------------------------------

MP4_HEAD = b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom" + bytes(4000)


SPEEX_HEAD = b"OggS\0\2" + bytes(20) + b"\1\x50Speex   1.2" + bytes(3000)
FLAC_IN_OGG_HEAD = b"OggS\0\2" + bytes(20) + b"\1\x33\x7fFLAC\1\0" + bytes(3000)
WMA_IN_WAV = encoded(np.zeros(4000, np.float32)).replace(b"fmt \x10\0\0\0\1\0", b"fmt \x10\0\0\0\x61\1")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (MP4_HEAD, "of this kind cannot be read"),
        (SPEEX_HEAD, "of this kind cannot be read"),
        (FLAC_IN_OGG_HEAD, "of this kind cannot be read"),
        (WMA_IN_WAV, "of this kind cannot be read"),
        (b"ID3\3\0\0\0\0\0\0" + b"\0" * 200 + encoded(chirp(), kind="MP3"), "the file is damaged"),
    ],
)
def test_without_pyav_the_hint_for_what_it_reads_is_how_to_install_it(saved, monkeypatch, data, words):
    find_spec = decoders.importlib.util.find_spec
    monkeypatch.setattr(
        decoders.importlib.util, "find_spec", lambda name: None if name == "av" else find_spec(name)
    )
    with pytest.raises(AudioFileError) as caught:
        files.load(saved(data))
    assert words in caught.value.title
    assert "pip install" in caught.value.hint
    assert caught.value.hint.endswith(" av")


@pytest.fixture
def av():
    return pytest.importorskip("av", reason='PyAV, the extra "video", is not installed')


def with_ffmpeg(av, samples, kind, codec, *, rate_hz=48_000, layout="mono", picture=False):
    out = io.BytesIO()
    with av.open(out, "w", format=kind) as container:
        film = container.add_stream("mpeg4", rate=5) if picture else None
        track = container.add_stream(codec, rate=rate_hz, layout=layout) if samples is not None else None
        if film is not None:
            film.width, film.height, film.pix_fmt = 32, 32, "yuv420p"
            for _ in range(5):
                picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
                container.mux(film.encode(picture))
            container.mux(film.encode(None))
        if track is not None:
            planes = np.ascontiguousarray(samples.reshape(len(samples), -1).T)
            frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=layout)
            frame.sample_rate = rate_hz
            container.mux(track.encode(frame))
            container.mux(track.encode(None))
    return out.getvalue()


@pytest.mark.parametrize(
    ("kind", "layout", "picture"),
    [("mp4", "mono", False), ("mp4", "5.1", True), ("matroska", "stereo", True)],
)
def test_m4a_and_video_are_read_through_ffmpeg(av, saved, kind, layout, picture):
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    sound = np.repeat(chirp(48_000, 3.0)[:, None], channels, axis=1)
    data = with_ffmpeg(av, sound, kind, "aac", layout=layout, picture=picture)
    with files.read(saved(data, "film.mp4")) as file:
        loaded = np.concatenate(list(file))
        assert not file.is_truncated
    expected = chirp(RATE, 3.0)
    assert loaded.size == pytest.approx(3 * RATE, abs=0.1 * RATE)
    likeness = [np.corrcoef(loaded[s : s + RATE], expected[:RATE])[0, 1] for s in range(400)]
    assert max(likeness) > 0.95  # up to 1024 samples late: the encoder's own start


@pytest.mark.usefixtures("av")
@pytest.mark.parametrize("size", [0, 50, 1000])
def test_an_mp3_with_a_wrong_size_of_its_tag_is_read_through_ffmpeg(saved, size):
    written = bytes((size >> 7 * i) & 127 for i in (3, 2, 1, 0))
    data = b"ID3\3\0\0" + written + b"\0" * 200 + encoded(chirp(), kind="MP3")
    assert files.load(saved(data)).size == pytest.approx(RATE, abs=4_000)


def test_flac_in_ogg_is_read_through_ffmpeg(av, saved):
    out = io.BytesIO()
    flac = io.BytesIO(encoded(chirp(), kind="FLAC"))
    with av.open(flac) as source, av.open(out, "w", format="ogg") as target:
        track = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:  # the last one is no packet
                packet.stream = track
                target.mux(packet)
    np.testing.assert_allclose(files.load(saved(out.getvalue())), chirp(), atol=1 / 32_000)


def test_a_video_without_sound_is_named(av, saved):
    assert "no sound" in refusal(saved(with_ffmpeg(av, None, "mp4", "", picture=True)))


def test_a_video_that_breaks_off_gives_what_there_is(av, saved):
    data = with_ffmpeg(av, chirp(48_000, 6.0), "matroska", "aac")
    with files.read(saved(data[: len(data) // 2])) as file:
        assert 1.5 < sum(block.size for block in file) / RATE < 4.5
        assert file.is_truncated


@pytest.mark.usefixtures("av")
def test_a_damaged_m4a_is_named(saved):
    assert "damaged" in refusal(saved(MP4_HEAD))


def test_a_playlist_cannot_make_ffmpeg_open_other_files(av, saved):
    other = saved(with_ffmpeg(av, chirp(48_000, 3.0), "mpegts", "aac"), "other.ts")
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nfile://{other}\n#EXT-X-ENDLIST\n"
    assert "not a sound file" in refusal(saved(playlist.encode(), "list.m3u8"))
