"""The ring gives back what was written last, and says what it no longer has."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.audio.devices import Ring


def numbered(start, count, channels):
    """Frames that tell their own position and channel."""
    frames = np.arange(start, start + count, dtype=np.float32)[:, None] * 10
    return np.ascontiguousarray(frames + np.arange(channels, dtype=np.float32))


def raw(frames):
    return memoryview(frames.tobytes())


@given(
    capacity=st.integers(1, 40),
    channels=st.integers(1, 3),
    blocks=st.lists(st.integers(0, 60), max_size=12),
    start=st.integers(0, 400),
    length=st.integers(0, 400),
)
def test_a_read_gives_the_frames_of_its_positions_or_counts_them_as_lost(
    capacity, channels, blocks, start, length
):
    ring = Ring(capacity, channels)
    for count in blocks:
        ring.write(raw(numbered(ring.written, count, channels)))
    written = sum(blocks)
    assert ring.written == written
    start = min(start, written)
    stop = min(start + length, written)
    frames, lost = ring.read(start, stop)
    kept = max(start, min(stop, written - capacity))
    assert lost == kept - start
    np.testing.assert_array_equal(frames, numbered(kept, stop - kept, channels))


def test_a_reader_that_is_overtaken_while_it_copies_gives_up_those_frames():
    ring = Ring(8, 1)
    ring.write(raw(numbered(0, 8, 1)))

    class Overtaking(np.ndarray):
        """Memory that is written to by another thread as soon as it has been looked at."""

        def __getitem__(self, places):
            copied = np.array(np.asarray(self)[places])
            ring.write(raw(numbered(8, 3, 1)))
            return copied

    ring._frames = ring._frames.view(Overtaking)
    frames, lost = ring.read(0, 8)
    assert lost == 3
    np.testing.assert_array_equal(frames, numbered(3, 5, 1))


def test_no_frame_is_torn_or_out_of_order_while_another_thread_writes():
    ring = Ring(500, 2)
    total = 60_000

    def write():
        while ring.written < total:
            ring.write(raw(np.repeat(numbered(ring.written, 37, 1), 2, axis=1)))

    writer = threading.Thread(target=write)
    writer.start()
    position = seen = missed = 0
    while position < total:
        end = min(ring.written, total)
        frames, lost = ring.read(position, end)
        np.testing.assert_array_equal(frames[:, 0], np.arange(position + lost, end, dtype=np.float32) * 10)
        np.testing.assert_array_equal(frames[:, 0], frames[:, 1])
        position, seen, missed = end, seen + len(frames), missed + lost
    writer.join()
    assert seen + missed == total
    assert seen > 0


def test_frames_before_a_position_can_be_erased_and_no_others():
    ring = Ring(40, 2)
    ring.write(raw(numbered(1, 30, 2)))
    ring.forget(20)
    frames, _ = ring.read(0, 30)
    assert not frames[15:20].any()  # half of the ring before what was written last
    np.testing.assert_array_equal(frames[20:], numbered(21, 10, 2))
    ring.write(raw(numbered(31, 30, 2)))
    ring.forget(55)
    frames, lost = ring.read(20, 60)
    assert lost == 0
    assert not frames[20:35].any()
    np.testing.assert_array_equal(frames[35:], numbered(56, 5, 2))


def test_what_was_heard_is_forgotten_on_request():
    ring = Ring(4, 1)
    ring.write(raw(numbered(1, 4, 1)))
    ring.clear()
    assert not ring.read(0, 4)[0].any()


@pytest.mark.parametrize(("capacity", "channels"), [(0, 1), (1, 0)])
def test_a_ring_needs_room(capacity, channels):
    with pytest.raises(ValueError, match="a ring needs"):
        Ring(capacity, channels)
