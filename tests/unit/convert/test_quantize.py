"""Weights as small integers: nearest codes, packing, and what the operators make of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from handy_qwen.convert import graph
from handy_qwen.convert.graph import CONTRIB, Graph, quantize_blocks, quantize_channels
from handy_qwen.convert.presets import ROWS
from handy_qwen.engine.qwen3.sessions import open_session
from tests.dequantize import dequantize_blocks

WEIGHTS = np.random.default_rng(4).normal(size=(24, 96)).astype(np.float32)


@pytest.mark.parametrize(("bits", "steps"), [(4, 15), (8, 254)])
def test_no_weight_is_further_off_than_half_a_step(bits, steps):
    values = dequantize_blocks(quantize_blocks(WEIGHTS, bits=bits, block=32), bits).reshape(24, 3, 32)
    blocks = WEIGHTS.reshape(24, 3, 32)
    if bits == 4:  # the ends of the range are the block's, and 0 is always in it
        reach = np.maximum(blocks.max(-1), 0) - np.minimum(blocks.min(-1), 0)
    else:
        reach = 2 * np.abs(blocks).max(-1)
    step = (reach / steps)[..., None]
    # With 4 bits the zero point is rounded as well, which moves the range by up to half a step.
    assert (np.abs(values - blocks) <= step * (1.001 if bits == 4 else 0.501)).all()


@pytest.mark.parametrize("bits", [4, 8])
def test_zero_stays_zero(bits):
    weights = WEIGHTS.copy()
    weights[:, ::3] = 0
    weights[2] = 0
    values = dequantize_blocks(quantize_blocks(weights, bits=bits, block=32), bits)
    assert (values[weights == 0] == 0).all()
    assert np.isfinite(values).all()


def test_blocks_have_the_shapes_that_the_operator_wants():
    four, eight = (quantize_blocks(WEIGHTS, bits=bits, block=32) for bits in (4, 8))
    assert four.codes.shape == (24, 3, 16)
    assert four.zeros.shape == (24, 2)
    assert eight.codes.shape == (24, 3, 32)
    assert eight.zeros is None
    assert four.scales.shape == eight.scales.shape == (24, 3)


def test_a_width_that_is_no_multiple_of_the_block_is_the_callers_mistake():
    with pytest.raises(ValueError, match="90 columns do not divide into blocks of 32"):
        quantize_blocks(WEIGHTS[:, :90], bits=4, block=32)


def test_a_channel_has_one_scale():
    codes, scales = quantize_channels(WEIGHTS)
    assert (codes.dtype, codes.shape, scales.shape) == (np.int8, (24, 96), (24,))
    assert (np.abs(codes * scales[:, None] - WEIGHTS) <= scales[:, None] * 0.501).all()
    assert quantize_channels(np.zeros((1, 4), np.float32))[1] == [1]


@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=33),
        elements=st.floats(-8, 8, width=32),
    )
)
def test_the_sum_of_two_neighbouring_products_of_a_channel_fits_into_16_bits(weights):
    codes, _ = quantize_channels(weights)
    sizes = np.abs(codes.astype(int))
    assert sizes.max() <= 127
    pairs = np.add.reduceat(sizes, np.arange(0, weights.shape[1], 2), axis=1)
    assert 255 * pairs.max() < 2**15


def test_a_product_of_channels_is_exact_whatever_the_activations_are(tmp_path):
    """Also on processors whose kernels add pairs of products in 16 bits, and cut off what is too large."""
    rng = np.random.default_rng(9)
    weights = rng.choice(np.float32([-1, 1, 0.9, -0.02]), size=(40, 130))
    with Graph(tmp_path / "product.onnx") as graph:
        x = graph.input("x", ["rows", 130])
        names = ["rounded", "scale", "zero"]
        graph.node("DynamicQuantizeLinear", [x], names)
        codes, scales = graph.channels(weights, "weights")
        inputs = ["rounded", codes, "scale", scales, "zero"]
        graph.output(graph.node("MatMulIntegerToFloat", inputs, "product", CONTRIB), ["rows", 40])
        graph.save()
    session = open_session(tmp_path / "product.onnx", threads=1)
    values, scales = quantize_channels(weights)
    x = rng.choice(np.float32([0, 255]), size=(20, 130))  # the activations' codes are these numbers
    expected = (x.astype(int) @ values.astype(int).T) * scales.astype(float)
    assert np.allclose(session.run(None, {"x": x})[0], expected, rtol=1e-6)


@pytest.mark.parametrize("bits", [4, 8])
def test_codes_do_not_depend_on_how_many_rows_are_rounded_at_once(monkeypatch, bits):
    whole = quantize_blocks(WEIGHTS, bits=bits, block=32)
    monkeypatch.setattr(graph, "_PIECE_NUMBERS", 5 * 96)
    parts = quantize_blocks(WEIGHTS, bits=bits, block=32)
    np.testing.assert_array_equal(parts.codes, whole.codes)
    np.testing.assert_array_equal(parts.scales, whole.scales)
    assert (parts.zeros is None) == (whole.zeros is None)
    assert whole.zeros is None or (parts.zeros == whole.zeros).all()


def test_symmetric_blocks_have_no_zero_points_and_reach_their_furthest_weight():
    weights = WEIGHTS.copy()
    weights[0] = 0
    blocks = quantize_blocks(weights, bits=4, block=32, is_symmetric=True)
    assert blocks.zeros is None
    values, parts = dequantize_blocks(blocks, 4).reshape(24, 3, 32), weights.reshape(24, 3, 32)
    furthest = np.abs(parts).argmax(-1)[..., None]
    np.testing.assert_allclose(
        np.take_along_axis(values, furthest, -1), np.take_along_axis(parts, furthest, -1), rtol=1e-6
    )
    step = np.abs(blocks.scales)[..., None]
    assert (np.abs(values - parts) <= step * 1.001).all()  # a whole one only at the end that is not reached
    assert (values[0] == 0).all()
    assert (values[parts == 0] == 0).all()


@pytest.fixture(scope="module")
def by_row(tmp_path_factory):
    """Return x @ WEIGHTS.T, with a scale for each channel and row."""
    path = tmp_path_factory.mktemp("graphs") / "product.onnx"
    with Graph(path) as written:
        out = written.product(written.input("x", ["rows", 96]), WEIGHTS, "product", ROWS)
        written.output(out, ["rows", 24])
        written.save()
    session = open_session(path, threads=1)
    return lambda x: session.run(None, {"x": x})[0]


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(1, 40), st.just(96)), elements=st.floats(-1, 1, width=32)),
    st.data(),
)
def test_each_row_is_rounded_for_itself(by_row, x, data):
    """A draft's rows are read together, and must give what each of them gives alone, to the bit."""
    powers = data.draw(hnp.arrays(np.int64, (len(x), 1), elements=st.integers(-40, 40)))
    x = np.ldexp(x, powers).astype(np.float32)
    found = by_row(x)
    codes, scales = quantize_channels(WEIGHTS)
    largest = np.maximum(np.abs(x).max(axis=1, keepdims=True), np.float32(1e-30))
    sums = np.rint(x / largest * np.float64(127)) @ codes.astype(np.float64).T
    off = np.abs(found - sums / 127 * scales * largest)
    # A number halfway between two codes may be rounded to either: one code of the largest weight.
    assert (off <= 1.01 * largest * np.abs(WEIGHTS).max() / 127 + 1e-5 * np.abs(found)).all()
    assert (found[~x.any(axis=1)] == 0).all()
    for row, alone in enumerate(x):
        np.testing.assert_array_equal(by_row(alone[None])[0], found[row])


def test_a_product_by_row_is_as_near_as_its_rounding_allows(by_row):
    x = np.random.default_rng(5).normal(size=(50, 96)).astype(np.float32)
    x *= np.logspace(-6, 6, 50, dtype=np.float32)[:, None]
    exact = x @ WEIGHTS.T
    errors = np.linalg.norm(by_row(x) - exact, axis=1) / np.linalg.norm(exact, axis=1)
    assert errors.max() < 0.02
