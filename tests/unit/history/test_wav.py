"""The file of a take: nothing of it is lost, wherever it was cut off, and nothing strange breaks it."""

import errno
import io
import itertools
import os
import struct
from contextlib import suppress
from unittest import mock

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from handy_qwen.history import wav
from handy_qwen.history.wav import Journal, Stage
from tests.conftest import is_private

SAMPLES = np.sin(np.arange(40_000) * 0.01).astype(np.float32)


def written(path, samples, stage=None):
    journal = Journal(path, 1234)
    for block in np.array_split(samples, 7):
        journal.add(block)
    if stage is not None:
        journal.finish(stage)
    journal.write()
    journal.close()
    return path


def read(path):
    with wav.blocks(path) as blocks:
        return np.concatenate([*blocks, np.zeros(0, np.float32)])


def test_a_finished_take_is_read_by_other_programs_bit_for_bit(tmp_path):
    path = written(tmp_path / "take.wav", SAMPLES * 1.5, Stage.COMPLETE)  # beyond 1: nothing is clipped
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 16_000
    assert samples.tobytes() == (SAMPLES * 1.5).tobytes() == read(path).tobytes()


def test_an_unfinished_take_is_read_by_its_length(tmp_path):
    path = written(tmp_path / "take.wav", SAMPLES)
    assert wav.look(path) == wav.Sound(1234, Stage.OPEN, len(SAMPLES))
    assert read(path).tobytes() == SAMPLES.tobytes()


@settings(max_examples=60)
@given(length=st.integers(0, wav.HEADER_BYTES + 4 * 500), stage=st.sampled_from([None, Stage.COMPLETE]))
def test_a_file_cut_off_at_any_byte_gives_back_all_whole_samples(memory_folders, length, stage):
    path = written(memory_folders.mktemp("cut") / "take.wav", SAMPLES[:500], stage)
    path.write_bytes(path.read_bytes()[:length])
    if length < wav.HEADER_BYTES:
        with pytest.raises(wav.NotATakeError):
            wav.repair(path, Stage.COMPLETE)
        return
    whole = (length - wav.HEADER_BYTES) // 4
    assert read(path).tobytes() == SAMPLES[:whole].tobytes()
    assert wav.repair(path, Stage.COMPLETE).samples == whole
    samples, _ = soundfile.read(path, dtype="float32")
    assert samples.tobytes() == SAMPLES[:whole].tobytes()
    assert path.stat().st_size == wav.HEADER_BYTES + 4 * whole


@settings(max_examples=60)
@given(raw=st.binary(max_size=400), is_headed=st.booleans())
def test_a_strange_file_is_refused_or_read_but_breaks_nothing(memory_folders, raw, is_headed):
    path = memory_folders.mktemp("strange") / "take.wav"
    path.write_bytes((wav.header(1, Stage.OPEN, None) if is_headed else b"") + raw)
    try:
        samples = read(path)
    except wav.NotATakeError:
        assert not is_headed
        return
    assert np.isfinite(samples).all()
    assert len(samples) == len(raw) // 4


@settings(max_examples=60)
@given(at=st.integers(0, wav.HEADER_BYTES - 1), byte=st.integers(0, 255))
def test_a_damaged_header_is_refused_or_does_no_harm(memory_folders, at, byte):
    path = written(memory_folders.mktemp("harm") / "take.wav", SAMPLES[:100], Stage.COMPLETE)
    raw = bytearray(path.read_bytes())
    raw[at] = byte
    path.write_bytes(raw)
    try:
        assert read(path).tobytes() == SAMPLES[:100].tobytes()
    except wav.NotATakeError:
        pass
    else:
        assert wav.look(path).stage in set(Stage)


def test_only_the_stage_changes_when_it_is_noted(tmp_path):
    path = written(tmp_path / "take.wav", SAMPLES, Stage.COMPLETE)
    before = path.read_bytes()
    wav.note_stage(path, Stage.SETTLED)
    assert wav.look(path).stage is Stage.SETTLED
    changed = [at for at, (old, new) in enumerate(zip(before, path.read_bytes(), strict=True)) if old != new]
    assert len(changed) == 1


def test_sizes_too_large_for_the_format_do_not_overflow():
    header = wav.header(1, Stage.COMPLETE, 2**33)
    assert struct.unpack_from("<I", header, 4)[0] < 2**32
    assert soundfile.info(io.BytesIO(header + bytes(400))).samplerate == 16_000


def test_a_take_is_readable_by_its_owner_only(tmp_path):
    path = written(tmp_path / "take.wav", SAMPLES)
    assert is_private(path)


@pytest.mark.usefixtures("symbolic_links")
def test_a_take_never_overwrites_another_or_follows_a_link(tmp_path):
    target = tmp_path / "target"
    target.write_text("precious")
    (tmp_path / "take.wav").symlink_to(target)
    with pytest.raises(FileExistsError):
        written(tmp_path / "take.wav", SAMPLES)
    assert target.read_text(encoding="utf-8") == "precious"


@settings(max_examples=40)
@given(limits=st.lists(st.sampled_from([0, 1, 3, 130, 999, 3000]), min_size=1, max_size=30))
def test_a_disk_that_takes_only_some_bytes_at_a_time_gets_them_all_in_order(memory_folders, limits):
    path = memory_folders.mktemp("some") / "take.wav"
    real, turns = os.write, itertools.chain(limits, itertools.repeat(501))

    def write(descriptor, view):
        limit = next(turns)
        if not limit:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, view[:limit])

    journal = Journal(path, 1)
    with mock.patch.object(os, "write", write):
        for block in np.array_split(SAMPLES[:2000], 5):
            journal.add(block)
            with suppress(OSError):
                journal.write()
        journal.finish(Stage.COMPLETE)
        while not journal.is_written:
            with suppress(OSError):
                journal.write()
    assert journal.waiting_samples == 0
    assert read(path).tobytes() == SAMPLES[:2000].tobytes()
    assert soundfile.info(path).frames == 2000


def test_what_comes_after_the_end_is_left_out(tmp_path):
    journal = Journal(tmp_path / "take.wav", 1)
    journal.add(SAMPLES)
    journal.finish(Stage.COMPLETE)
    journal.add(SAMPLES)
    journal.write()
    assert wav.look(tmp_path / "take.wav").samples == len(SAMPLES)
