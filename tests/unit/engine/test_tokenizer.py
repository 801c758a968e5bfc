"""Text to ids and back: every form of the files, markers, any text, broken files."""

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

from handy_qwen.engine.qwen3.tokenizer import MARKERS, TABLE_FILE, TOKENIZER_FILE, load_tokenizer
from handy_qwen.errors import ModelCorruptError, ModelMissingError
from tests.conftest import CHECKPOINT, ROOT
from tests.golden.reference import qwen3_asr_tokenizer

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


def parsed_demo():
    return json.loads((CHECKPOINT / TOKENIZER_FILE).read_text(encoding="utf-8"))


def load(folder, parsed):
    (folder / TOKENIZER_FILE).write_text(json.dumps(parsed), encoding="utf-8")
    return load_tokenizer(folder)


def load_parts(folder, parsed):
    """The same tokenizer in the three files of official checkpoints."""
    model = parsed["model"]
    (folder / "vocab.json").write_text(json.dumps(model["vocab"]), encoding="utf-8")
    merges = [pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]]
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", encoding="utf-8")
    added = {"added_tokens_decoder": {str(token["id"]): token for token in parsed["added_tokens"]}}
    (folder / "tokenizer_config.json").write_text(json.dumps(added), encoding="utf-8")
    return load_tokenizer(folder)


@pytest.fixture(scope="module")
def whole():
    """The demo model's tokenizer."""
    return load_tokenizer(CHECKPOINT)


@pytest.fixture
def saved(whole, tmp_path):
    """A folder with the demo model's tokenizer as packages have it."""
    whole.save(tmp_path)
    return tmp_path


class Library:
    """What the tokenizers library says of a tokenizer.json; text is encoded as text."""

    def __init__(self, path):
        self._fast = FastTokenizer.from_file(str(path))
        self._added = set(self._fast.get_added_tokens_decoder())

    def encode(self, text):
        pieces = self._fast.pre_tokenizer.pre_tokenize_str(self._fast.normalizer.normalize_str(text))
        return [token.id for piece, _ in pieces for token in self._fast.model.tokenize(piece)]

    def decode(self, ids):
        return self._fast.decode([i for i in ids if i not in self._added], skip_special_tokens=False)


@pytest.fixture(scope="module", params=["demo", "official"])
def forms(request, tmp_path_factory):
    """A tokenizer in one file, in three and as a package has it; and the library on the first."""
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "three", "package")]
    if request.param == "demo":
        parsed = parsed_demo()
    else:
        recordings = request.getfixturevalue("recordings")
        parsed = qwen3_asr_tokenizer(recordings / "tokenizer" / "qwen3-tokenizer.json")
    one, three = load(folders[0], parsed), load_parts(folders[1], parsed)
    three.save(folders[2])
    tokenizers = [one, three, load_tokenizer(folders[2])]
    return tokenizers, Library(folders[0] / TOKENIZER_FILE)


# Not what Unicode has added since the library's tables were made.
CHARACTERS = st.characters(exclude_categories=["Cn", "Co", "Cs"])
TRICKY = st.sampled_from(
    [
        *"'\u2019\u017f\u212a\u0130\u01c5\ufb06\u1e9esStTdDmMlLrRvVeE",
        *" \t\r\n\v\f\u0085\u00a0\u2028\u3000\x1c\x1f",
        *("'ll", "'\u017f", "'Re", "the", " and", "ing", "123", "٣½Ⅷ", "e\u0301", "你好", "👩\u200d👩"),
        *("\n \n", "   x", "<|im_end|>", "<asr_text>"),
    ]
)


@given(st.sampled_from(TEXTS) | st.lists(TRICKY | CHARACTERS | st.text(CHARACTERS), max_size=20).map("".join))
def test_every_form_of_the_files_gives_the_ids_that_the_library_gives_to_text(forms, text):
    tokenizers, library = forms
    expected = library.encode(text)
    for tokenizer in tokenizers:
        assert tokenizer.encode(text) == expected
        assert tokenizer.decode(expected) == unicodedata.normalize("NFC", text)


@given(st.lists(st.integers(0, 700) | st.integers(0, 152_000), max_size=12))
def test_ids_have_the_text_that_the_library_gives_them(forms, ids):
    """Also those that there are not, and bytes that make no character."""
    tokenizers, library = forms
    assert {tokenizer.decode(ids) for tokenizer in tokenizers} == {library.decode(ids)}


def test_every_form_of_the_files_has_the_same_markers(forms):
    assert len({tuple(map(tokenizer.marker, MARKERS)) for tokenizer in forms[0]}) == 1


def test_text_is_encoded_without_the_library(saved):
    """It holds the interpreter's lock for a second, in which the microphone's sound would be lost."""
    code = (
        "import pathlib, sys\n"
        "from handy_qwen.engine.qwen3.prompt import build_prompt\n"
        "from handy_qwen.engine.qwen3.tokenizer import load_tokenizer\n"
        "build_prompt(load_tokenizer(pathlib.Path(sys.argv[1])), context='Anna')\n"
        "assert 'tokenizers' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code, saved], cwd=ROOT, check=True)


def test_a_package_with_the_json_of_the_library_works_too(whole, tmp_path):
    shutil.copy(CHECKPOINT / TOKENIZER_FILE, tmp_path)
    (tmp_path / "tokens.data").write_bytes(b"")
    assert [load_tokenizer(tmp_path).encode(text) for text in TEXTS] == list(map(whole.encode, TEXTS))


def test_markers_are_left_out_of_decoded_text(whole):
    ids = [whole.marker("<|im_start|>"), *whole.encode("Yes"), whole.marker("<asr_text>"), *whole.encode(".")]
    assert whole.decode(ids) == "Yes."


def test_half_a_character_becomes_a_replacement_character(whole):
    assert whole.encode("a\ud800b") == whole.encode("a\ufffdb")
    assert whole.decode(whole.encode("😀")[:-1]).endswith("\ufffd")


# ---- files that are not right ---------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [TOKENIZER_FILE, "merges.txt", "tokenizer_config.json"])
def test_a_missing_file_is_named(tmp_path, missing):
    for name in PARTS if missing != TOKENIZER_FILE else ():
        shutil.copy(CHECKPOINT / name, tmp_path)
    (tmp_path / missing).unlink(missing_ok=True)
    with pytest.raises(ModelMissingError) as caught:
        load_tokenizer(tmp_path)
    assert caught.value.path == tmp_path / missing


@pytest.mark.parametrize("content", ["", "{}", "not json", "[" * 100_000, '{"model": {"type": "BPE"}}'])
@pytest.mark.parametrize("name", [TOKENIZER_FILE, "vocab.json", "tokenizer_config.json"])
def test_a_part_that_is_something_else_is_named(tmp_path, name, content):
    for part in PARTS:
        shutil.copy(CHECKPOINT / part, tmp_path)
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(ModelCorruptError) as caught:
        load_tokenizer(tmp_path).check_fits(512)
    assert caught.value.path in {tmp_path / name, tmp_path / "vocab.json"}


def test_a_vocabulary_with_ids_the_model_does_not_have_is_refused(whole):
    size = max(whole.marker(name) for name in MARKERS) + 1
    whole.check_fits(size)
    with pytest.raises(ModelCorruptError, match=f"its ids go up to {size - 1}, those of the model up to"):
        whole.check_fits(size - 1)


@pytest.mark.parametrize("name", MARKERS)
def test_a_tokenizer_without_a_marker_is_another_models(tmp_path, name):
    parsed = parsed_demo()
    parsed["added_tokens"] = [token for token in parsed["added_tokens"] if token["content"] != name]
    with pytest.raises(ModelCorruptError, match="so it is not Qwen3-ASR's"):
        load(tmp_path, parsed).check_fits(10_000)


def with_pattern(parsed):
    pattern = parsed["pre_tokenizer"]["pretokenizers"][0]["pattern"]
    pattern["Regex"] = pattern["Regex"].replace(r"|\p{N}|", r"|\p{N}{1,3}|")


def with_token(text):
    """A token whose letters stand for no bytes."""

    def change(parsed):
        vocab = parsed["model"]["vocab"]
        vocab[text] = vocab.pop(max(vocab, key=len))
        parsed["model"]["merges"] = []

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda parsed: parsed.update(normalizer={"type": "NFKC"}),
        lambda parsed: parsed.update(normalizer=None),
        lambda parsed: parsed.update(pre_tokenizer=None),
        lambda parsed: parsed.update(decoder=None),
        lambda parsed: parsed.update(decoder={"type": "WordPiece"}),
        lambda parsed: parsed.update(model={"type": "Unigram", "vocab": []}),
        lambda parsed: parsed["model"].update(ignore_merges=True),
        lambda parsed: parsed["model"].update(byte_fallback=True),
        lambda parsed: parsed["model"].update(dropout=0.5),
        lambda parsed: parsed["model"].update(end_of_word_suffix="</w>"),
        lambda parsed: parsed["added_tokens"].append({"id": 9_000_000, "content": "<a>"}),
        lambda parsed: parsed["added_tokens"].append({"id": -1, "content": "<a>"}),
        with_pattern,
        with_token("two words"),
        with_token("\u4f60"),
        with_token("\u0144"),
    ],
)
def test_a_tokenizer_of_another_kind_is_refused(tmp_path, change):
    parsed = parsed_demo()
    change(parsed)
    with pytest.raises(ModelCorruptError):
        load(tmp_path, parsed)


@pytest.mark.parametrize("form", [list, " ".join])
def test_merges_may_be_pairs_or_strings(tmp_path, whole, form):
    parsed = parsed_demo()
    pairs = [pair.split(" ") if isinstance(pair, str) else pair for pair in parsed["model"]["merges"]]
    parsed["model"]["merges"] = [form(pair) for pair in pairs]
    assert load(tmp_path, parsed).encode(TEXTS[0]) == whole.encode(TEXTS[0])


# ---- what a package has ---------------------------------------------------------------------------------


@pytest.fixture
def table(saved):
    """The file that a package keeps its tokenizer in."""
    return saved / TABLE_FILE


def test_a_table_that_is_too_short_or_too_long_is_refused(table):
    data = table.read_bytes()
    for content in (*(data[:cut] for cut in (*range(64), len(data) // 2, len(data) - 1)), data + b"\0"):
        table.write_bytes(content)
        with pytest.raises(ModelCorruptError, match=table.name):
            load_tokenizer(table.parent)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_table_is_refused_or_gives_text(table: Path, data):
    original = table.read_bytes()
    damaged = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, 40) | st.integers(0, len(damaged) - 1))
        damaged[place] = data.draw(st.integers(0, 255))
    table.write_bytes(damaged)
    try:
        tokenizer = load_tokenizer(table.parent)
        assert isinstance(tokenizer.decode(range(700)), str)
        assert isinstance(tokenizer.decode(tokenizer.encode("Please send the report, Straße")), str)
    except ModelCorruptError:
        pass
    finally:
        table.write_bytes(original)
