"""The buffer gives back what was written last, in order, and counts what it no longer has."""

import threading

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from handy_qwen.audio.devices import FrameBuffer


def numbered(start, count, channels):
    """Frames that tell their own position and channel."""
    frames = np.arange(start, start + count, dtype=np.float32)[:, None] * 10
    return np.ascontiguousarray(frames + np.arange(channels, dtype=np.float32))


def write(buffer, count, channels=1):
    buffer.write(memoryview(numbered(buffer.written, count, channels).tobytes()))


@given(
    capacity=st.integers(1, 40),
    channels=st.integers(1, 3),
    blocks=st.lists(st.integers(1, 60), max_size=12),
    reads=st.sets(st.integers(0, 11)),
)
def test_every_frame_is_read_once_in_order_or_counted_as_dropped(capacity, channels, blocks, reads):
    buffer, seen = FrameBuffer(capacity, channels), 0
    for number, count in enumerate(blocks):
        write(buffer, count, channels)
        if number in reads or number == len(blocks) - 1:
            frames = buffer.read()
            seen += len(frames)
            first = buffer.written - len(frames)
            np.testing.assert_array_equal(frames, numbered(first, len(frames), channels))
    assert seen + buffer.dropped == buffer.written == sum(blocks)


@given(blocks=st.lists(st.integers(1, 20), max_size=12), wanted=st.integers(0, 100))
def test_no_more_is_kept_than_is_wanted_and_a_block(blocks, wanted):
    buffer = FrameBuffer(1000, 1)
    for count in blocks:
        write(buffer, count)
    buffer.keep(wanted)
    frames = buffer.read()
    assert min(wanted, sum(blocks)) <= len(frames) <= max(0, wanted - 1) + max([0, *blocks])
    np.testing.assert_array_equal(frames, numbered(sum(blocks) - len(frames), len(frames), 1))
    assert buffer.dropped == 0


def test_no_frame_is_torn_or_out_of_order_while_another_thread_writes():
    buffer, total = FrameBuffer(500, 2), 60_000

    def write_all():
        while buffer.written < total:
            buffer.write(memoryview(np.repeat(numbered(buffer.written, 37, 1), 2, axis=1).tobytes()))

    writer = threading.Thread(target=write_all)
    writer.start()
    seen, last = 0, -10.0
    while writer.is_alive() or seen + buffer.dropped < buffer.written:
        frames = buffer.read()
        np.testing.assert_array_equal(frames[:, 0], frames[:, 1])
        assert (np.diff(frames[:, 0], prepend=last) > 0).all()
        seen, last = seen + len(frames), frames[-1, 0] if len(frames) else last
    writer.join()
    assert seen + buffer.dropped == buffer.written
    assert seen > 0
