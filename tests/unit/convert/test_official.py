# ruff: noqa: RUF001  sentences in their own scripts
"""The repositories as they are: the official small files, and weights of zeros under the official names.

HANDY_QWEN_OFFICIAL=1 also converts and loads them, which takes minutes and gigabytes.
"""

import json
import os
import shutil
import subprocess
import sys
from functools import cache

import numpy as np
import pytest

from handy_qwen.convert.checkpoint import Checkpoint, check_weights
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import DEFAULT_PRESET, PRESETS
from handy_qwen.convert.source import check_config, opened_source
from handy_qwen.engine import load_model
from handy_qwen.engine.json_files import read_object
from handy_qwen.engine.qwen3.model import ModelConfig
from handy_qwen.engine.qwen3.tokenizer import MARKERS, TOKENIZER_FILE, load_tokenizer
from handy_qwen.errors import ConversionError
from handy_qwen.languages import ALL_LANGUAGES
from tests.conftest import VOICE_MODEL
from tests.golden.reference import qwen3_asr_tokenizer

KINDS = ("0.6b", "1.7b", "0.6b-hf", "1.7b-hf")
ARTICLE_1 = {  # tokens of Article 1 of the Universal Declaration of Human Rights, as the library counts them
    "All human beings are born free and equal in dignity and rights. They are endowed with reason and "
    "conscience and should act towards one another in a spirit of brotherhood.": 33,
    "Alle Menschen sind frei und gleich an Würde und Rechten geboren. Sie sind mit Vernunft und Gewissen "
    "begabt und sollen einander im Geist der Brüderlichkeit begegnen.": 44,
    "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม "
    "และควรปฏิบัติต่อกันด้วยเจตนารมณ์แห่งภราดรภาพ": 79,
    "تمام افراد بشر آزاد به دنیا می\u200cآیند و از لحاظ حیثیت و حقوق با هم برابرند. همه دارای عقل و وجدان "
    "هستند و باید نسبت به یکدیگر با روح برادری رفتار کنند.": 83,
    "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα. Είναι "
    "προικισμένοι με λογική και συνείδηση, και οφείλουν να συμπεριφέρονται μεταξύ τους με πνεύμα "
    "αδελφοσύνης.": 163,
    "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। उन्हें बुद्धि और "
    "अन्तरात्मा की देन प्राप्त है और परस्पर उन्हें भाईचारे के भाव से बर्ताव करना चाहिए।": 171,
}


@pytest.fixture(scope="module")
def official(recordings):
    """The small files of the official repositories."""
    folder = recordings / "official"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    return folder


@pytest.fixture(scope="module")
def layout(official, recordings, tmp_path_factory):
    """Makes the folder of a repository; its weights are holes in the file, which take no room."""
    tool = recordings.parent / "tools" / "official_layout.py"
    if not tool.is_file():
        pytest.skip(f"no {tool}")
    made = {}

    def make(kind):
        if kind not in made:
            folder = made[kind] = tmp_path_factory.mktemp("official") / kind
            subprocess.run([sys.executable, tool, kind, folder], check=True, capture_output=True)
            if kind.endswith("-hf"):
                tokenizer = qwen3_asr_tokenizer(recordings / "tokenizer" / "qwen3-tokenizer.json")
                (folder / TOKENIZER_FILE).write_text(json.dumps(tokenizer), encoding="utf-8")
            if kind == "1.7b-hf":  # its own is not here: that of 0.6B with the sizes of 1.7B
                write_large_config(official, folder)
        return made[kind]

    return make


@pytest.fixture(scope="module")
def tokenizer(layout):
    """Reads the tokenizer of a repository, which takes a second, once."""
    return cache(lambda kind: load_tokenizer(layout(kind)))


def write_large_config(official, folder):
    large = read_object(official / "Qwen3-ASR-1.7B" / "config.json")["thinker_config"]
    raw = read_object(official / "Qwen3-ASR-0.6B-hf" / "config.json")
    for part in ("audio_config", "text_config"):
        raw[part] |= {key: large[part][key] for key in raw[part] if key in large[part]}
    (folder / "config.json").write_text(json.dumps(raw), encoding="utf-8")


def config_of(folder):
    return ModelConfig.from_checkpoint(read_object(folder / "config.json"), ALL_LANGUAGES)


@pytest.mark.parametrize("kind", KINDS)
def test_every_official_layout_has_all_that_its_configuration_says(layout, tokenizer, kind, monkeypatch):
    # Gigabytes of nothing are the same.
    monkeypatch.setattr(Checkpoint, "is_same", lambda self, *names: len(set(map(self.shape, names))) == 1)
    folder = layout(kind)
    check_config(folder / "config.json", kind)
    config, weights = config_of(folder), Checkpoint(folder)
    assert len(weights.files) == (2 if kind == "1.7b" else 1)
    size = check_weights(weights, config, PRESETS[DEFAULT_PRESET])
    assert size == {"0.6b": 1_564_852_224, "1.7b": 4_076_104_960}[kind.removesuffix("-hf")]
    assert set(config.languages) == set(ALL_LANGUAGES)
    tokenizer(kind).check_fits(config.text.vocab)


def test_both_repositories_of_a_size_describe_one_model(layout):
    assert config_of(layout("0.6b")) == config_of(layout("0.6b-hf"))
    assert config_of(layout("1.7b")) == config_of(layout("1.7b-hf"))


@pytest.mark.parametrize("kind", ["0.6b", "0.6b-hf"])
def test_official_tokenizers_give_the_ids_that_the_model_was_trained_with(tokenizer, kind):
    """Vocabulary and merges, and everything in one tokenizer.json."""
    it = tokenizer(kind)
    markers = dict(zip(MARKERS, map(it.marker, MARKERS), strict=True))
    assert markers == {
        "<|im_start|>": 151644,
        "<|im_end|>": 151645,
        "<|endoftext|>": 151643,
        "<|audio_start|>": 151669,
        "<|audio_pad|>": 151676,
        "<|audio_end|>": 151670,
        "<asr_text>": 151704,
    }
    assert it.encode("system\n") == [8948, 198]
    assert it.encode("user\n") == [872, 198]
    assert it.encode("assistant\n") == [77091, 198]
    assert it.encode("language English") == [11528, 6364]
    assert it.encode("language None") == [11528, 2240]
    for text, count in ARTICLE_1.items():
        ids = it.encode(text)
        assert len(ids) == count, text
        assert it.decode(ids) == text


def test_the_aligner_is_recognised_by_its_configuration_or_its_output_head(layout, tmp_path):
    folder = layout("aligner")
    with (
        pytest.raises(ConversionError, match="is Qwen3-ForcedAligner, which finds when each word") as caught,
        opened_source(folder, tmp_path / "package"),
    ):
        pass
    assert "handy-qwen model install" in caught.value.hint
    with pytest.raises(ConversionError, match="is Qwen3-ForcedAligner"):
        check_config(folder / "config.json", "it")
    config = config_of(folder)
    with pytest.raises(ConversionError, match="is Qwen3-ForcedAligner"):
        check_weights(Checkpoint(folder), config, PRESETS[DEFAULT_PRESET])


@pytest.mark.skipif("HANDY_QWEN_OFFICIAL" not in os.environ, reason="takes minutes; HANDY_QWEN_OFFICIAL=1")
@pytest.mark.parametrize("kind", KINDS)
def test_every_official_layout_becomes_a_package_that_runs(layout, tmp_path, kind):
    manifest = convert(layout(kind), tmp_path / "package", PRESETS[DEFAULT_PRESET], Details(kind))
    assert sum(entry.size_bytes for entry in manifest.files.values()) > 400_000_000
    recognizer = load_model(tmp_path / "package", voice_model=VOICE_MODEL)
    try:
        timings = recognizer.measure(np.zeros(16_000, np.float32), 2)
        assert timings.total_s > 0
    finally:
        recognizer.close()
        shutil.rmtree(tmp_path / "package")
