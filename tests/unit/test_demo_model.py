"""The model that ships is made of the checkpoint beside the tests, and hears what it should."""

import pytest

from handy_qwen import paths
from handy_qwen.audio.files import load
from handy_qwen.convert.package import convert
from handy_qwen.convert.presets import PRESETS
from handy_qwen.engine.qwen3.manifest import find_damage, load_manifest
from tests.conftest import CHECKPOINT, ROOT

PACKAGE = paths.asset("demo-model")
SENTENCES = {
    "chairs": "We need twenty-five chairs for the office.",
    "meeting": "The meeting starts at five o'clock.",
    "report": "Please send the report to Anna on Monday.",
}


@pytest.fixture(scope="module")
def build():
    """The module that builds the demo model."""
    source = ROOT / "packaging" / "build_demo_model.py"
    names = {"__file__": str(source), "__name__": "build_demo_model"}
    exec(compile(source.read_text(encoding="utf-8"), source, "exec"), names)
    return names


def test_converting_its_checkpoint_again_gives_the_very_files(build, tmp_path):
    shipped = load_manifest(PACKAGE)
    made = convert(CHECKPOINT, tmp_path / "demo", PRESETS[shipped.preset], build["DETAILS"], speech=None)
    assert made == shipped
    find_damage(PACKAGE, shipped)


def test_its_card_and_licence_ship_with_it():
    card = (PACKAGE / "README.md").read_text(encoding="utf-8")
    assert card == (CHECKPOINT / "README.md").read_text(encoding="utf-8")
    assert "CC BY-SA 4.0" in card
    assert "CC BY-SA 4.0" in load_manifest(PACKAGE).licence


def test_it_is_a_few_megabytes():
    assert sum(path.stat().st_size for path in PACKAGE.iterdir()) < 8_000_000


@pytest.mark.parametrize(("name", "sentence"), SENTENCES.items())
def test_it_hears_the_sentences_that_ship_with_it(demo_recognizer, name, sentence):
    samples = load(paths.asset("speech") / f"{name}.flac")
    for exact in (True, False):
        transcript = demo_recognizer.transcribe(samples, exact=exact)
        assert (transcript.text, transcript.language) == (sentence, "English")


def test_no_other_speech_ships_unheard():
    assert {path.stem for path in paths.asset("speech").iterdir()} == set(SENTENCES)


def test_it_says_what_it_is(demo_recognizer):
    assert demo_recognizer.name == "demo"
    assert demo_recognizer.languages == ("English", "German")
    assert demo_recognizer.notice.startswith("This is the demo model.")
