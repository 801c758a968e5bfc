"""Text to ids and back: both forms of the files, markers, any text, broken files."""

import json
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as FastTokenizer

from handy_qwen.engine.qwen3.prompt import build_prompt
from handy_qwen.engine.qwen3.tokenizer import MARKERS, TABLE_FILE, TOKENIZER_FILE, load_tokenizer
from handy_qwen.errors import ModelCorruptError, ModelMissingError
from tests.conftest import CHECKPOINT, ROOT
from tests.golden.reference import qwen3_asr_tokenizer

EARLIER = ROOT / "tests" / "data" / "tokenizer.data"
PARTS = ("vocab.json", "merges.txt", "tokenizer_config.json")
TEXTS = [
    "Please send the report to Anna on Monday.",
    "  two  spaces, a\ttab\n\n\nand lines \r\n",
    "I'll say it's 12345 o'clock; they'd've gone!",
    "Straße, naïve café — “quotes” … 你好、世界。今日は สวัสดี مرحبا नमस्ते",
    "e\u0301 is é",  # composed by the normalizer
    "👩‍👩‍👧 and 🇩🇪",
    "<|im_end|>\n<|im_start|>assistant <asr_text>",
    "",
]


@pytest.fixture(scope="module")
def whole():
    return load_tokenizer(CHECKPOINT)


@pytest.fixture(scope="module")
def assembled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parts")
    for name in PARTS:
        shutil.copy(CHECKPOINT / name, folder)
    return load_tokenizer(folder)


@pytest.fixture
def parts(tmp_path):
    for name in PARTS:
        shutil.copy(CHECKPOINT / name, tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def official(recordings, tmp_path_factory):
    """The tokenizer of the official model, in one file and in three."""
    parsed = qwen3_asr_tokenizer(recordings / "tokenizer" / "qwen3-tokenizer.json")
    one, three = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("three")
    (one / "tokenizer.json").write_text(json.dumps(parsed), encoding="utf-8")
    model = parsed["model"]
    (three / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (three / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    added = {str(token.pop("id")): token for token in parsed["added_tokens"]}
    settings = json.dumps({"added_tokens_decoder": added})
    (three / "tokenizer_config.json").write_text(settings, encoding="utf-8")
    return load_tokenizer(one), load_tokenizer(three)


@pytest.mark.parametrize("text", TEXTS)
def test_both_forms_of_the_files_give_the_same_ids(whole, assembled, text):
    assert assembled.encode(text) == whole.encode(text)


@pytest.mark.parametrize("text", TEXTS)
def test_both_forms_of_the_official_files_give_the_same_ids(official, text):
    one, three = official
    assert one.encode(text) == three.encode(text)
    assert all(one.marker(name) == three.marker(name) for name in MARKERS)


def test_the_official_tokenizer_splits_as_it_does(official):
    assert official[0].encode("language English") == [11528, 6364]
    assert official[0].encode("Hello world") == [9707, 1879]


@given(st.text())
def test_text_survives_as_far_as_unicode_calls_it_the_same(whole, text):
    assert whole.decode(whole.encode(text)) == unicodedata.normalize("NFC", text)


def test_markers_in_text_stay_text(whole):
    for name in MARKERS:
        ids = whole.encode(f"say {name} now")
        assert whole.marker(name) not in ids
        assert whole.decode(ids) == f"say {name} now"


def test_markers_are_left_out_of_decoded_text(whole):
    ids = [whole.marker("<|im_start|>"), *whole.encode("Yes"), whole.marker("<asr_text>"), *whole.encode(".")]
    assert whole.decode(ids) == "Yes."


def test_half_a_character_becomes_a_replacement_character(whole):
    assert whole.encode("a\ud800b") == whole.encode("a\ufffdb")
    assert whole.decode(whole.encode("😀")[:-1]).endswith("\ufffd")


def test_a_saved_tokenizer_is_the_same(whole, assembled, tmp_path):
    assembled.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {TABLE_FILE, TOKENIZER_FILE}
    assert_same(load_tokenizer(tmp_path), whole)


def test_the_tokenizer_of_an_earlier_versions_package_is_the_same(whole, tmp_path):
    """It has one file, with the merges in it."""
    shutil.copy(EARLIER, tmp_path)
    assert_same(load_tokenizer(tmp_path), whole)


def assert_same(tokenizer, whole):
    for text in TEXTS:
        assert tokenizer.encode(text) == whole.encode(text)
    ids = range(-1, 645)
    assert [tokenizer.decode([index]) for index in ids] == [whole.decode([index]) for index in ids]
    assert [tokenizer.marker(name) for name in MARKERS] == [whole.marker(name) for name in MARKERS]


@pytest.mark.parametrize("pieces", [("system", "\n"), ("language", " Macedonian"), ("\n",)])
def test_a_text_in_pieces_has_the_ids_of_the_text(whole, official, pieces):
    for tokenizer in (whole, official[0]):
        assert tokenizer.encode_pieces(*pieces) == tokenizer.encode("".join(pieces))


def test_the_library_is_loaded_only_when_a_text_has_to_be_encoded(whole, tmp_path):
    whole.save(tmp_path)
    code = (
        "import pathlib, sys\n"
        "from handy_qwen.engine.qwen3.prompt import build_prompt\n"
        "from handy_qwen.engine.qwen3.tokenizer import load_tokenizer\n"
        "tokenizer = load_tokenizer(pathlib.Path(sys.argv[1]))\n"
        "tokenizer.decode(build_prompt(tokenizer, language='English').head)\n"
        "assert 'tokenizers' not in sys.modules\n"
        "build_prompt(tokenizer, context='Anna')\n"
        "assert 'tokenizers' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, check=True)


# ---- against the library that the checkpoint's files are made for ---------------------------------------

# Not what Unicode has added since the library's tables were made.
CHARACTERS = st.characters(exclude_categories=["Cn", "Co", "Cs"])
TRICKY = st.sampled_from(
    [
        *"'\u2019\u017f\u212a\u0130\u01c5\ufb06\u1e9esStTdDmMlLrRvVeE",
        *" \t\r\n\v\f\u0085\u00a0\u2028\u3000\x1c\x1f",
        *("'ll", "'\u017f", "'Re", "the", " and", "ing", "123", "٣½Ⅷ", "e\u0301", "你好", "👩\u200d👩"),
        *("\n \n", "   x", "<|im_end|>"),
    ]
)


def library(path):
    """The tokenizers library on a tokenizer.json; text is encoded as text."""
    fast = FastTokenizer.from_file(str(path))
    added = set(fast.get_added_tokens_decoder())

    def encode(text):
        pieces = fast.pre_tokenizer.pre_tokenize_str(fast.normalizer.normalize_str(text))
        return [token.id for piece, _ in pieces for token in fast.model.tokenize(piece)]

    def decode(ids):
        return fast.decode([index for index in ids if index not in added], skip_special_tokens=False)

    return encode, decode


@pytest.fixture(scope="module")
def demo_library():
    return library(CHECKPOINT / "tokenizer.json")


@pytest.fixture(scope="module")
def official_library(recordings, tmp_path_factory):
    path = tmp_path_factory.mktemp("library") / "tokenizer.json"
    parsed = qwen3_asr_tokenizer(recordings / "tokenizer" / "qwen3-tokenizer.json")
    path.write_text(json.dumps(parsed), encoding="utf-8")
    return library(path)


@given(st.lists(TRICKY | CHARACTERS | st.text(CHARACTERS), max_size=20).map("".join))
def test_text_has_the_ids_that_the_library_gives_it(whole, demo_library, text):
    assert whole.encode(text) == demo_library[0](text)


@given(st.lists(TRICKY | CHARACTERS | st.text(CHARACTERS), max_size=20).map("".join))
def test_text_has_the_ids_that_the_library_gives_it_with_the_official_vocabulary(
    official, official_library, text
):
    assert official[0].encode(text) == official_library[0](text)


@given(st.lists(st.integers(0, 700), max_size=12))
def test_ids_have_the_text_that_the_library_gives_them(whole, demo_library, ids):
    """Also those that there are not, and bytes that make no character."""
    assert whole.decode(ids) == demo_library[1](ids)


@given(st.lists(st.integers(0, 152_000), max_size=12))
def test_ids_have_the_text_that_the_library_gives_them_with_the_official_vocabulary(
    official, official_library, ids
):
    assert official[0].decode(ids) == official_library[1](ids)


def test_a_page_without_a_space_is_merged_as_the_library_does(official, official_library):
    page = "你好世界今天天气很好我们去公园吧" * 200
    assert official[0].encode(page) == official_library[0](page)


# ---- files that are not right ---------------------------------------------------------------------------


def test_a_folder_without_a_tokenizer_is_named(tmp_path):
    with pytest.raises(ModelMissingError) as caught:
        load_tokenizer(tmp_path)
    assert caught.value.path == tmp_path / "tokenizer.json"


@pytest.mark.parametrize("name", ["merges.txt", "tokenizer_config.json"])
def test_a_missing_part_is_named(parts, name):
    (parts / name).unlink()
    with pytest.raises(ModelMissingError) as caught:
        load_tokenizer(parts)
    assert caught.value.path == parts / name


@pytest.mark.parametrize("content", ["", "{}", "not json", "[" * 100_000, '{"model": {"type": "BPE"}}'])
@pytest.mark.parametrize("name", ["tokenizer.json", "vocab.json", "tokenizer_config.json"])
def test_a_part_that_is_something_else_is_named(parts, name, content):
    (parts / name).write_text(content, encoding="utf-8")
    with pytest.raises(ModelCorruptError) as caught:
        load_tokenizer(parts).check_fits(512)
    assert caught.value.path in {parts / name, parts / "vocab.json"}


def test_a_vocabulary_with_ids_the_model_does_not_have_is_refused(whole):
    size = max(whole.marker(name) for name in MARKERS) + 1
    whole.check_fits(size)
    with pytest.raises(ModelCorruptError, match=f"its ids go up to {size - 1}, those of the model up to"):
        whole.check_fits(size - 1)


@pytest.mark.parametrize("name", MARKERS)
def test_a_tokenizer_without_a_marker_is_another_models(tmp_path, name):
    parsed = json.loads((CHECKPOINT / "tokenizer.json").read_text(encoding="utf-8"))
    parsed["added_tokens"] = [token for token in parsed["added_tokens"] if token["content"] != name]
    (tmp_path / "tokenizer.json").write_text(json.dumps(parsed), encoding="utf-8")
    tokenizer = load_tokenizer(tmp_path)
    with pytest.raises(ModelCorruptError, match="so it is not Qwen3-ASR's"):
        tokenizer.check_fits(10_000)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("normalizer", {"type": "NFKC"}),
        ("normalizer", None),
        ("pre_tokenizer", None),
        ("decoder", None),
        ("decoder", {"type": "WordPiece"}),
        ("model", {"type": "Unigram", "vocab": []}),
    ],
)
def test_a_tokenizer_of_another_kind_is_refused(tmp_path, part, value):
    parsed = json.loads((CHECKPOINT / "tokenizer.json").read_text(encoding="utf-8")) | {part: value}
    (tmp_path / "tokenizer.json").write_text(json.dumps(parsed), encoding="utf-8")
    with pytest.raises(ModelCorruptError):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("setting", ["ignore_merges", "byte_fallback", "dropout", "end_of_word_suffix"])
def test_settings_that_would_give_other_ids_are_refused(tmp_path, setting):
    parsed = json.loads((CHECKPOINT / "tokenizer.json").read_text(encoding="utf-8"))
    parsed["model"][setting] = 0.5
    (tmp_path / "tokenizer.json").write_text(json.dumps(parsed), encoding="utf-8")
    with pytest.raises(ModelCorruptError, match="another kind than Qwen's"):
        load_tokenizer(tmp_path)


def test_text_split_by_another_pattern_is_refused(tmp_path):
    parsed = json.loads((CHECKPOINT / "tokenizer.json").read_text(encoding="utf-8"))
    pattern = parsed["pre_tokenizer"]["pretokenizers"][0]["pattern"]
    pattern["Regex"] = pattern["Regex"].replace(r"|\p{N}|", r"|\p{N}{1,3}|")
    (tmp_path / "tokenizer.json").write_text(json.dumps(parsed), encoding="utf-8")
    with pytest.raises(ModelCorruptError, match="another kind than Qwen's"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("text", ["two words", "\u4f60", "\u0144"])
def test_a_token_whose_letters_stand_for_no_bytes_is_refused(tmp_path, text):
    parsed = json.loads((CHECKPOINT / "tokenizer.json").read_text(encoding="utf-8"))
    vocab = parsed["model"]["vocab"]
    vocab[text] = vocab.pop(max(vocab, key=len))
    parsed["model"]["merges"] = []
    (tmp_path / "tokenizer.json").write_text(json.dumps(parsed), encoding="utf-8")
    with pytest.raises(ModelCorruptError, match="it is not a tokenizer file"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("form", [list, " ".join])
def test_merges_may_be_pairs_or_strings(tmp_path, whole, form):
    parsed = json.loads((CHECKPOINT / "tokenizer.json").read_text(encoding="utf-8"))
    pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in parsed["model"]["merges"]]
    parsed["model"]["merges"] = [form(pair) for pair in pairs]
    (tmp_path / "tokenizer.json").write_text(json.dumps(parsed), encoding="utf-8")
    assert load_tokenizer(tmp_path).encode(TEXTS[0]) == whole.encode(TEXTS[0])


# ---- the table of a package ------------------------------------------------------------------------------


@pytest.fixture(params=["tokens.data", "tokenizer.data"])
def table(request, whole, tmp_path):
    """The file that a package keeps its tokens in, of this version and of an earlier one."""
    if request.param == EARLIER.name:
        return Path(shutil.copy(EARLIER, tmp_path))
    whole.save(tmp_path)
    return tmp_path / request.param


def test_a_table_that_is_too_short_or_too_long_is_refused(table):
    data = table.read_bytes()
    for cut in (*range(64), len(data) // 2, len(data) - 1):
        table.write_bytes(data[:cut])
        with pytest.raises(ModelCorruptError, match=table.name):
            load_tokenizer(table.parent)
    table.write_bytes(data + b"\0")
    with pytest.raises(ModelCorruptError):
        load_tokenizer(table.parent)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_table_is_refused_or_gives_text(table, data):
    original = table.read_bytes()
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    table.write_bytes(damaged)
    try:
        tokenizer = load_tokenizer(table.parent)
        assert isinstance(tokenizer.decode(range(700)), str)
        ids = tokenizer.encode("Please send the report, Straße")
        assert isinstance(tokenizer.decode(ids), str)
    except ModelCorruptError:
        pass
    finally:
        table.write_bytes(original)


@pytest.mark.parametrize("content", ["", "{}", '{"model": {"type": "BPE"}}'])
def test_a_damaged_file_for_the_library_is_named_once_it_is_needed(whole, tmp_path, content):
    whole.save(tmp_path)
    (tmp_path / TOKENIZER_FILE).write_text(content, encoding="utf-8")
    tokenizer = load_tokenizer(tmp_path)
    assert build_prompt(tokenizer).head == build_prompt(whole).head
    with pytest.raises(ModelCorruptError, match=TOKENIZER_FILE):
        tokenizer.encode("Anna")
