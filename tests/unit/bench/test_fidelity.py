"""The report on what rounding costs: parts alone and together, in JSON and for people."""

import json

import numpy as np
import pytest
import soundfile

from handy_qwen import paths
from handy_qwen.bench.accuracy import measure_fidelity
from handy_qwen.cli import main
from handy_qwen.convert.package import Details, convert
from handy_qwen.convert.presets import PLAIN, PRESETS
from handy_qwen.engine.qwen3.manifest import load_manifest
from tests.conftest import CHECKPOINT

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture(scope="module")
def clips():
    return [soundfile.read(paths.asset("speech/report.flac"), dtype="float32")[0][:32_000]]


@pytest.fixture
def place(tmp_path):
    folder = tmp_path / "packages"
    folder.mkdir()
    return folder


def measured(place, name, clips):
    preset, told = PRESETS[name], []
    convert(CHECKPOINT, place / "package", preset, Details("test"))
    found = measure_fidelity(
        CHECKPOINT,
        place / "package",
        preset,
        clips,
        threads=1,
        tokens=6,
        progress=lambda _what, part: told.append(part),
    )
    assert [path.name for path in place.iterdir()] == ["package"]
    assert told == sorted(told)
    return {part.part: part for part in found.parts}


def test_each_part_is_off_by_what_its_own_rounding_costs(place, clips):
    parts = measured(place, "smallest", clips)
    assert list(parts) == ["convolutions", "encoder", "decoder", "head", "all"]
    preset = PRESETS["smallest"]
    forms = [preset.convolutions, preset.encoder, preset.decoder, preset.head]
    assert [part.form for part in parts.values()][:4] == [str(form) for form in forms]
    assert max(parts["decoder"].features, parts["head"].features) < 1e-5  # folding, in float32
    hearing = [parts[part].features for part in ("convolutions", "encoder")]
    assert all(0.001 < error < 0.05 for error in hearing)
    assert parts["all"].features == pytest.approx(np.linalg.norm(hearing), rel=0.3)  # they are independent
    # 4 bits cost more than 8, and all of it costs about as much as the parts.
    assert parts["encoder"].logits < 0.3 * parts["decoder"].logits
    together = np.linalg.norm([part.logits for part in list(parts.values())[:4]])
    assert 0.5 * together < parts["all"].logits < 2 * together
    assert all(0 <= part.agreement <= 1 for part in parts.values())


def test_what_is_not_rounded_is_not_off(place, clips):
    parts = measured(place, "exact", clips)
    assert list(parts) == ["all"]
    assert (parts["all"].features, parts["all"].agreement) == (0, 1)
    assert parts["all"].logits < 1e-5


def test_8_bits_throughout_lose_little(place, clips):
    parts = measured(place, "precise", clips)
    assert PLAIN not in (PRESETS["precise"].encoder, PRESETS["precise"].decoder, PRESETS["precise"].head)
    assert parts["all"].logits < 0.03
    assert parts["all"].agreement == 1


def test_the_command_prints_the_report_for_people_and_for_programs(tmp_path, capsys):
    arguments = ["model", "convert", "--report", str(CHECKPOINT), str(tmp_path / "package")]
    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert "3 clips" in text
    assert "decoder          8-bit, a scale per channel and row       0.00%" in text
    assert main([*arguments, "--replace", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["preset"] == "balanced"
    assert [part["part"] for part in report["parts"]] == ["convolutions", "encoder", "decoder", "head", "all"]
    assert load_manifest(tmp_path / "package").preset == "balanced"
    assert [path.name for path in tmp_path.iterdir()] == ["package"]


def test_the_word_error_rate_of_each_preset_is_reported(tmp_path, capsys):
    recordings = tmp_path / "recordings"
    recordings.mkdir()
    soundfile.write(recordings / "quiet.wav", np.zeros(8_000, np.float32), 16_000)
    (recordings / "quiet.txt").write_text("two words", encoding="utf-8")
    arguments = ["model", "convert", str(CHECKPOINT), str(tmp_path / "package"), "--report"]
    assert main([*arguments, "--recordings", str(recordings)]) == 0
    text = capsys.readouterr().out
    for name in PRESETS:
        assert f"{name:16} word error rate 100.00%" in text
    assert main([*arguments[:-1], "--replace", "--recordings", str(recordings)]) == 2
