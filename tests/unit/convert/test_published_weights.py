"""Packages made of published ONNX models: the same tensors as from the checkpoint, or one clear error.

Three of the sources are true exports of a tiny random checkpoint (see tests/golden/make_published.py); the
others are written node by node by tests/published_layout.py, and spoiled here.
"""

import itertools
import json
import shutil
import tarfile
from dataclasses import replace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from handy_qwen.cli import main
from handy_qwen.convert import stored as stored_module
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import PRESETS
from handy_qwen.convert.published_weights import PublishedWeights
from handy_qwen.convert.source import open_source
from handy_qwen.convert.weights import Checkpoint
from handy_qwen.engine.manifest import MANIFEST_FILE, load_manifest, sha256_of
from handy_qwen.engine.published import read_config
from handy_qwen.errors import ConversionError, HandyError, ModelCorruptError, ModelMissingError
from tests import published_layout
from tests.conftest import CHECKPOINT, ROOT
from tests.golden import random_checkpoint
from tests.golden.random_checkpoint import write_random_checkpoint
from tests.published_layout import write_published_layout

EXPORTS = ROOT / "tests" / "golden" / "data"
EXACT, DETAILS = PRESETS["exact"], Details("test", pass_s=8.0)
EMBEDDING = "model.embed_tokens.weight"
TINY = (  # the sizes of the packed exports
    {
        "encoder_layers": 2,
        "encoder_ffn_dim": 48,
        "d_model": 32,
        "output_dim": 16,
        "downsample_hidden_size": 3,
    },
    {
        "num_hidden_layers": 2,
        "hidden_size": 16,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "intermediate_size": 32,
    },
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A tiny random checkpoint; everything else is made of it."""
    folder = tmp_path_factory.mktemp("tiny") / "checkpoint"
    with pytest.MonkeyPatch.context() as patch:
        for part, sizes in zip((random_checkpoint.AUDIO, random_checkpoint.TEXT), TINY, strict=True):
            for key, value in sizes.items():
                patch.setitem(part, key, value)
        write_random_checkpoint(folder)
    return folder


@pytest.fixture
def published(checkpoint, tmp_path):
    """The checkpoint in the published layout, to be spoiled."""
    return write_published_layout(checkpoint, tmp_path / "published")


@pytest.fixture
def place(tmp_path):
    """An empty folder to put packages into."""
    folder = tmp_path / "packages"
    folder.mkdir()
    return folder


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """The rows of a tiny model are shorter than the usual block."""
    monkeypatch.setattr(published_layout, "BLOCK", 16)


def export(name):
    return EXPORTS / f"published_{name}.tar.gz"


def unpacked(name, folder):
    with tarfile.open(export(name)) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 brought it
        tar.extractall(folder)
    return folder / "published"


def opened(folder):
    return PublishedWeights(folder, *read_config(folder / "config.json"))


def hashes(folder):
    """Of all that a package holds but its manifest, which names the source."""
    return {name: entry.sha256 for name, entry in load_manifest(folder).files.items()}


def names_of(weights):
    """Of all tensors that a checkpoint has; the head is a copy of the embedding."""
    return sorted(name for name in weights._tensors if name != "lm_head.weight")


def assert_same(found, expected, tolerance=0.0):
    assert names_of(found) == names_of(expected)
    for name in names_of(expected):
        np.testing.assert_allclose(
            found.read(name), expected.read(name), rtol=tolerance, atol=0, err_msg=name
        )


# ---- the same model ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["exact", "balanced"])
def test_the_demo_checkpoint_gives_the_same_package_in_either_layout(tmp_path, place, preset):
    published = write_published_layout(CHECKPOINT, tmp_path / "published")
    ours = convert(CHECKPOINT, place / "ours", PRESETS[preset], DETAILS)
    theirs = convert(published, place / "theirs", PRESETS[preset], DETAILS, warn=pytest.fail)
    assert hashes(place / "theirs") == hashes(place / "ours")
    assert replace(theirs.config, languages=ours.config.languages) == ours.config
    assert theirs.precision == ours.precision
    assert theirs.source == {
        name: sha256_of(published / name)
        for name in ("encoder.onnx", "decoder_init.onnx", "decoder_weights.data", "embed_tokens.bin")
    }


@pytest.mark.parametrize("name", ["dynamo", "torchscript"])
def test_what_torch_exports_gives_the_package_of_its_checkpoint(checkpoint, tmp_path, place, name):
    folder = unpacked(name, tmp_path)
    # The numbers of the random checkpoint are the same on every machine up to the last digit of a sine.
    assert_same(opened(folder), Checkpoint(checkpoint), tolerance=2**-7)
    convert(folder, place / "folder", EXACT, DETAILS, warn=pytest.fail)
    convert(export(name), place / "archive", EXACT, DETAILS, warn=pytest.fail)
    assert hashes(place / "archive") == hashes(place / "folder")
    assert [path.name for path in place.iterdir()] == ["folder", "archive"]
    assert set(load_manifest(place / "archive").source) >= {"decoder_init.onnx", "decoder_weights.data"}


def test_graphs_that_were_fused_and_rounded_are_understood(checkpoint, tmp_path):
    found, expected = opened(unpacked("int4", tmp_path)), Checkpoint(checkpoint)
    rounded = {name for name in names_of(found) if found.bits(name) == 4}
    assert rounded == {name for name in names_of(expected) if name.endswith("proj.weight")} - {
        name for name in names_of(expected) if name.startswith("audio_tower.")
    }
    for name in names_of(expected):
        was, now = expected.read(name), found.read(name)
        off = np.linalg.norm(now - was) / np.linalg.norm(was)
        assert off < (0.15 if name in rounded else 2**-8), name


@pytest.mark.parametrize(
    "options",
    [{"shared_data": False}, {"embed_dtype": "float16"}, {"suffix": "int4"}, {"suffix": "fp16"}],
    ids=lambda options: "-".join(f"{key}" for key in options),
)
def test_all_forms_of_the_layout_give_the_same_tensors(checkpoint, tmp_path, options):
    folder = write_published_layout(checkpoint, tmp_path / "published", **options)
    assert_same(opened(folder), Checkpoint(checkpoint))


@pytest.mark.parametrize("piece", [9, 100, 1 << 12])
def test_pieces_of_any_size_give_the_same(checkpoint, published, tmp_path, monkeypatch, piece):
    rounded = write_published_layout(checkpoint, tmp_path / "rounded", dtype="int8", suffix="int8")
    # Of the steps alone the output head is the only copy of the table in float32, and it lies transposed.
    (published / "decoder_init.onnx").unlink()
    config, _ = read_config(published / "config.json")
    expected = [opened(folder) for folder in (published, rounded)]
    rows = [np.concatenate(list(weights.read_rows(EMBEDDING))) for weights in expected]
    values = [[weights.read(name) for name in names_of(weights)] for weights in expected]
    monkeypatch.setattr(stored_module, "PIECE_NUMBERS", piece)
    for weights, all_rows, all_values in zip(expected, rows, values, strict=True):
        np.testing.assert_array_equal(np.concatenate(list(weights.read_rows(EMBEDDING))), all_rows)
        for name, value in zip(names_of(weights), all_values, strict=True):
            np.testing.assert_array_equal(weights.read(name), value)
    np.testing.assert_array_equal(rows[0], Checkpoint(checkpoint).read(EMBEDDING))
    assert rows[0].shape == (config.text.vocab, config.text.hidden)


@pytest.mark.parametrize("source", ["dynamo", "int4"])
def test_names_of_nodes_and_weights_do_not_matter(tmp_path, source):
    folder = unpacked(source, tmp_path)
    before = opened(folder)
    expected = {name: before.read(name) for name in names_of(before)}

    def rename(graph):
        weights = [tensor.name for tensor in graph.initializer]
        for tensor in graph.initializer:
            tensor.name = f"w{weights.index(tensor.name)}"
        for node in graph.node:
            node.name = ""
            node.input[:] = [f"w{weights.index(name)}" if name in weights else name for name in node.input]

    for path in folder.glob("*.onnx"):
        edit(path, rename)
    after = opened(folder)
    for name, values in expected.items():
        np.testing.assert_array_equal(after.read(name), values)


def test_nodes_in_any_order_and_numbers_in_any_field_are_read(checkpoint, published):
    for name in ("encoder", "decoder_init"):
        model = onnx.load(published / f"{name}.onnx")
        nodes = list(model.graph.node)[::-1]
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        for tensor in model.graph.initializer:
            if tensor.data_type == TensorProto.FLOAT:
                values = numpy_helper.to_array(tensor)
                tensor.ClearField("raw_data")
                tensor.float_data.extend(values.ravel().tolist())
        onnx.save(model, published / f"{name}.onnx")
    assert_same(opened(published), Checkpoint(checkpoint))


def test_weights_may_be_constants_among_the_nodes(checkpoint, published):
    def inline(graph):
        tensors = list(graph.initializer)
        nodes = list(graph.node)
        del graph.initializer[:], graph.node[:]
        for tensor in tensors:
            name, tensor.name = tensor.name, ""
            graph.node.append(helper.make_node("Constant", [], [name], value=tensor))
        graph.node.extend(nodes)

    for name in ("encoder", "decoder_init"):
        edit(published / f"{name}.onnx", inline)
    assert_same(opened(published), Checkpoint(checkpoint))


def test_a_step_graph_and_a_table_are_enough(checkpoint, published):
    (published / "decoder_init.onnx").unlink()
    assert_same(opened(published), Checkpoint(checkpoint))


def test_the_form_with_one_graph_for_the_whole_decoder_is_taken(checkpoint, published, place):
    (published / "decoder_init.onnx").unlink()
    (published / "decoder_step.onnx").rename(published / "decoder.onnx")
    convert(published, place / "theirs", EXACT, DETAILS)
    convert(checkpoint, place / "ours", EXACT, DETAILS)
    assert hashes(place / "theirs") == hashes(place / "ours")


def test_float16_is_taken_as_it_is(checkpoint, published):
    for path in published.glob("*.onnx"):
        model = onnx.load(path)
        casts = []
        for tensor in model.graph.initializer:
            if tensor.data_type == TensorProto.FLOAT:
                name, values = tensor.name, numpy_helper.to_array(tensor)
                tensor.CopyFrom(
                    numpy_helper.from_array(
                        np.clip(values, -60_000, 60_000).astype(np.float16), f"{name}.half"
                    )
                )
                casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=TensorProto.FLOAT))
        nodes = [*casts, *model.graph.node]
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        onnx.save(model, path)
    (published / "embed_tokens.bin").unlink()
    weights, expected = opened(published), Checkpoint(checkpoint)
    assert {weights.bits(name) for name in names_of(weights)} == {16}
    assert names_of(weights) == names_of(expected)
    for name in names_of(expected):
        np.testing.assert_array_equal(weights.read(name), expected.read(name).astype(np.float16))


# ---- weights that were rounded before ---------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "bits"), [("int4", 4), ("int8", 8)])
def test_rounded_weights_are_those_that_their_codes_stand_for(checkpoint, tmp_path, dtype, bits):
    folder = write_published_layout(checkpoint, tmp_path / "published", dtype=dtype)
    weights = opened(folder)
    model = onnx.load(folder / "decoder_init.onnx")
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for name in ("layers.0.self_attn.k_proj", "layers.1.mlp.down_proj"):
        rows, columns = weights.shape(f"model.{name}.weight")
        codes, scales, zeros = (tensors[f"thinker.model.{name}.{part}"] for part in "QSZ")
        found = weights.read(f"model.{name}.weight")
        for row, column in itertools.product(range(rows), range(0, columns, 5)):
            block, place = divmod(column, 16)
            if bits == 8:
                code, zero = codes[row, block, place], zeros[row, block]
            else:
                code = codes[row, block, place // 2] >> 4 * (place % 2) & 15
                zero = zeros[row, block // 2] >> 4 * (block % 2) & 15
            scale = scales[row * (columns // 16) + block]
            assert found[row, column] == np.float32(int(code) - int(zero)) * scale
    assert weights.bits(EMBEDDING) == 32  # decoder_init looks rows up in the table that is its head


@pytest.mark.parametrize(
    ("preset", "cost", "advice"),
    [
        ("exact", "what was lost then does not come back", "checkpoint."),
        ("precise", "rounding twice costs accuracy", "checkpoint."),
        ("balanced", "rounding twice costs accuracy", "checkpoint, or use the preset precise."),
    ],
)
def test_who_converts_rounded_weights_is_told_what_the_preset_makes_of_it(
    checkpoint, tmp_path, preset, cost, advice
):
    folder = write_published_layout(checkpoint, tmp_path / "published", dtype="int4", suffix="int4")
    source = open_source(folder, folder, lambda _bytes: None)
    told = source.caution(PRESETS[preset])
    assert f"rounded before (the decoder to 4 bits), and {cost}." in told
    assert told.endswith(advice)


def test_a_package_of_rounded_weights_says_so(checkpoint, tmp_path, place, capsys):
    folder = write_published_layout(checkpoint, tmp_path / "published", dtype="int4", suffix="int4")
    assert main(["model", "convert", str(folder), str(place / "package"), "--preset", "exact"]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "%" not in line and line.strip()]
    assert len(told) == 1
    assert "rounded before (the decoder to 4 bits)" in told[0]
    precision = load_manifest(place / "package").precision
    assert precision["decoder"] == "float32, of weights rounded to 4 bits before"
    assert precision["encoder"] == precision["embedding and head"] == "float32"


def test_float32_is_taken_where_it_is_there_too_whatever_the_names_say(checkpoint, published, place):
    write_published_layout(checkpoint, published, dtype="int4", suffix="int4")
    (published / "encoder.onnx").unlink()  # encoder.int4.onnx is in float32, as in the published packages
    assert_same(opened(published), Checkpoint(checkpoint))
    (published / "decoder_init.onnx").unlink()
    assert_same(opened(published), Checkpoint(checkpoint))
    (published / "decoder_step.onnx").unlink()
    told = []
    convert(published, place / "package", EXACT, DETAILS, warn=told.append)
    assert len(told) == 1


def test_weights_rounded_tensor_by_tensor_are_refused(published, place):
    model = onnx.load(published / "encoder.onnx")
    index, node = next((i, n) for i, n in enumerate(model.graph.node) if n.op_type == "MatMul")
    for name, value in (
        ("codes", np.zeros((48, 32), np.int8)),
        ("scale", np.float32(1)),
        ("zero", np.int8(0)),
    ):
        model.graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    inputs = [node.input[0], "codes", "scale", "zero"]
    fused = helper.make_node("DynamicQuantizeMatMul", inputs, node.output, domain="com.microsoft")
    model.graph.node.remove(node)
    model.graph.node.insert(index, fused)
    onnx.save(model, published / "encoder.onnx")
    error = refused(published, place)
    assert "it has an operator DynamicQuantizeMatMul" in error.title
    assert error.hint == "Give the float32 files of a published package, or the official checkpoint."


# ---- damage -----------------------------------------------------------------------------------------------


def refused(source, place):
    with pytest.raises(HandyError) as caught:
        convert(source, place / "package", EXACT, DETAILS)
    assert list(place.iterdir()) == []
    return caught.value


def edit(path, change):
    """Change the graph in ``path``; its weights stay where they are."""
    model = onnx.load(path, load_external_data=False)
    change(model.graph)
    path.write_bytes(model.SerializeToString())


def node_of(graph, operator, number=0):
    return [node for node in graph.node if node.op_type == operator][number]


def initializer(graph, ending):
    return next(tensor for tensor in graph.initializer if tensor.name.endswith(ending))


def lose_a_weight(graph):
    graph.initializer.remove(initializer(graph, "layers.1.mlp.up_proj.weight"))


def change_a_shape(graph):
    del initializer(graph, "layers.0.self_attn.o_proj.weight").dims[:]
    initializer(graph, "layers.0.self_attn.o_proj.weight").dims.extend([16, 32])


def add_an_adapter(graph):
    node = node_of(graph, "Sigmoid")
    graph.initializer.append(numpy_helper.from_array(np.eye(32, dtype=np.float32), "adapter"))
    inner = helper.make_node("MatMul", [node.input[0], "adapter"], ["adapted"])
    node.input[0] = "adapted"
    graph.node.insert(list(graph.node).index(node), inner)


def scale_by_channel(graph):
    node = node_of(graph, "Softmax")
    graph.initializer.append(numpy_helper.from_array(np.ones(3, np.float32), "scales"))
    graph.node.insert(0, helper.make_node("Mul", [node.input[0], "scales"], ["scaled"]))
    node.input[0] = "scaled"


def use_another_activation(graph):
    node_of(graph, "Sigmoid").op_type = "Tanh"


def approximate(graph):
    node_of(graph, "Sigmoid").op_type = "QuickGelu"


def drop_the_gate(graph):
    node_of(graph, "Sigmoid").op_type = "Identity"


def exchange_the_caches(graph):
    keys, values = (
        next(n for n in graph.node if f"present_{kind}" in n.output) for kind in ("keys", "values")
    )
    keys.output[0], values.output[0] = "present_values", "present_keys"


def lose_a_norm(graph):
    node = next(
        n for n in graph.node if any(name.endswith("layers.1.input_layernorm.weight") for name in n.input)
    )
    data = next(name for name in node.input if not name.endswith("weight"))
    node.op_type = "Identity"
    del node.input[:]
    node.input.append(data)


def turn_in_a_circle(graph):
    node_of(graph, "Softmax").input[0] = node_of(graph, "Softmax").output[0]


def give_no_inputs(graph):
    del node_of(graph, "MatMul").input[1:]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lose_a_weight, r"its tensor \S+layers\.1\.mlp\.up_proj\.weight\S* is missing"),
        (change_a_shape, r"layers\.0\.self_attn\.o_proj\.weight has the shape \(32, 16\), not \(16, 32\)"),
        (add_an_adapter, r"gate and up of layers\.0\.mlp cannot be told apart"),
        (scale_by_channel, r"numbers of shape \(3,\) that belong to no weights"),
        (use_another_activation, r"an operator Tanh"),
        (approximate, r"a QuickGelu of another kind"),
        (drop_the_gate, r"gate and up of layers\.0\.mlp cannot be told apart"),
        (exchange_the_caches, r"its output present_keys comes from another place"),
        (lose_a_norm, r"where layers\.1\.input_layernorm should be"),
        (turn_in_a_circle, r"it is not an ONNX graph, or cut short"),
        (give_no_inputs, r"lacks an input or a result"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_graph_that_is_another_is_refused_with_what_is_wrong(published, place, change, named):
    edit(published / "decoder_init.onnx", change)
    with pytest.raises(ModelCorruptError, match=named) as caught:
        convert(published, place / "package", EXACT, DETAILS)
    assert caught.value.path == published / "decoder_init.onnx"
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("part", "key", "change", "named"),
    [
        ("decoder", "num_layers", 1, r"decoder_init\.onnx .* where lm_head should be, it has 3"),
        ("decoder", "num_layers", 3, r"decoder_init\.onnx .* where layers\.2\.self_attn should be"),
        ("decoder", "intermediate_size", 64, r"decoder_init\.onnx .* has the shape"),
        ("encoder", "num_layers", 1, r"encoder\.onnx .*"),
        ("encoder", "num_layers", 3, r"encoder\.onnx .* where layers\.2\.self_attn"),
        ("encoder", "ffn_dim", 64, r"encoder\.onnx .* has the shape"),
    ],
)
def test_a_config_of_other_sizes_is_noticed(published, part, key, change, named):
    path = published / "config.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    raw[part][key] = change
    path.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(ModelCorruptError, match=named):
        opened(published)


def cut(path, share=0.5):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


@pytest.mark.parametrize(
    "name", ["encoder.onnx", "decoder_init.onnx", "decoder_weights.data", "embed_tokens.bin"]
)
@pytest.mark.parametrize("share", [0.0, 0.6])
def test_a_truncated_file_is_named(published, place, name, share):
    cut(published / name, share)
    error = refused(published, place)
    assert isinstance(error, ModelCorruptError)
    assert error.path == published / name


@pytest.mark.parametrize("name", ["encoder.onnx", "decoder_weights.data", "config.json", "tokenizer.json"])
def test_a_missing_file_is_named(published, place, name):
    (published / name).unlink()
    error = refused(published, place)
    assert isinstance(error, ModelMissingError)
    assert error.path.name == ("merges.txt" if name == "tokenizer.json" else name)


def test_a_file_that_shrinks_while_it_is_read_is_named(published):
    weights = opened(published)
    cut(published / "decoder_weights.data")
    with pytest.raises(ModelCorruptError, match=r"decoder_weights\.data cannot be used: it is truncated"):
        [weights.read(name) for name in names_of(weights)]


def test_weights_outside_of_the_folder_are_not_looked_for(published, place):
    def point_elsewhere(graph):
        entry = next(e for t in graph.initializer for e in t.external_data if e.key == "location")
        entry.value = "../decoder_weights.data"

    edit(published / "decoder_init.onnx", point_elsewhere)
    assert "outside its own folder" in refused(published, place).title


def test_a_table_of_another_model_is_refused(published, place):
    path = published / "embed_tokens.bin"
    table = np.fromfile(path, np.float32)
    table[::-1].tofile(path)
    (published / "decoder_init.onnx").unlink()
    assert "lm_head.weight is not the embedding" in refused(published, place).title


def test_weights_that_are_no_numbers_are_refused(published, place):
    data = np.fromfile(published / "decoder_weights.data", np.float32)
    data[:] = np.nan
    data.tofile(published / "decoder_weights.data")
    (published / "embed_tokens.bin").unlink()
    assert "holds values that are no numbers" in refused(published, place).title


@pytest.mark.parametrize("bits", [2, 3])
def test_blocks_of_other_bits_are_refused(checkpoint, tmp_path, place, bits):
    folder = write_published_layout(checkpoint, tmp_path / "published", dtype="int4")

    def other_bits(graph):
        for attribute in node_of(graph, "MatMulNBits").attribute:
            if attribute.name == "bits":
                attribute.i = bits

    edit(folder / "decoder_init.onnx", other_bits)
    assert "rounded weights of another kind" in refused(folder, place).title


def test_codes_of_another_size_are_refused(checkpoint, tmp_path, place):
    folder = write_published_layout(checkpoint, tmp_path / "published", dtype="int4")

    def fewer_scales(graph):
        tensor = initializer(graph, "layers.0.mlp.up_proj.S")
        tensor.CopyFrom(numpy_helper.from_array(np.ones(3, np.float32), tensor.name))

    edit(folder / "decoder_init.onnx", fewer_scales)
    assert "have other sizes than they should have" in refused(folder, place).title


def test_no_damage_to_a_graph_gives_anything_but_our_errors(published):
    random = np.random.default_rng(3)
    path = published / "decoder_init.onnx"
    whole = np.fromfile(path, np.uint8)
    refusals = 0
    for _ in range(60):
        damaged = whole.copy()
        damaged[random.integers(0, len(whole), 3)] = random.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            opened(published)
        except HandyError:
            refusals += 1
    assert refusals > 20


# ---- nothing is left behind -------------------------------------------------------------------------------


def test_progress_goes_from_nothing_to_all(published, place):
    told = []
    convert(published, place / "package", EXACT, DETAILS, progress=lambda *step: told.append(step))
    parts = [part for _, part in told]
    assert parts == sorted(parts)
    assert parts[-1] == 1.0
    assert {what for what, _ in told} == {"audio encoder", "embedding", "text decoder", "checksums", "done"}


@pytest.mark.parametrize("stage", ["audio encoder", "text decoder", "checksums"])
def test_an_interruption_leaves_nothing(published, place, stage):
    def interrupt(what, _part):
        if what == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert(published, place / "package", EXACT, DETAILS, progress=interrupt)
    assert list(place.iterdir()) == []


def test_too_small_a_disk_is_noticed_before_anything_is_written(published, place, monkeypatch):
    usage = shutil.disk_usage(place)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1000))
    with pytest.raises(ConversionError, match="only 0 MB are free"):
        convert(published, place / "package", EXACT, DETAILS)
    assert list(place.iterdir()) == []


def test_a_source_stays_as_it_was(published, place):
    before = {path.name: sha256_of(path) for path in published.iterdir()}
    convert(published, place / "package", EXACT, DETAILS)
    assert {path.name: sha256_of(path) for path in published.iterdir()} == before
    assert (place / "package" / MANIFEST_FILE).is_file()
