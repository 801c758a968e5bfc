"""``handy-qwen bench``: tables and JSON, with the demo model."""

import json

from handy_qwen.cli import main


def test_speed_is_told_beside_the_machines_limits(capsys):
    assert main(["bench", "--model", "demo", "--seconds", "1", "--tokens", "3", "--rounds", "1"]) == 0
    told = capsys.readouterr().out
    assert "reads" in told
    assert "GB/s" in told
    assert "model     demo" in told


def test_speed_as_json_has_every_clip(capsys):
    arguments = ["bench", "--model", "demo", "--seconds", "1,2", "--tokens", "3", "--rounds", "1", "--json"]
    assert main(arguments) == 0
    found = json.loads(capsys.readouterr().out)
    assert [clip["clip_s"] for clip in found["model"]["clips"]] == [1.0, 2.0]
    assert all(clip["total_s"] > 0 for clip in found["model"]["clips"])


def test_the_time_after_the_last_word_is_measured_without_and_after_pauses(capsys):
    arguments = ["bench", "--live", "--model", "demo", "--seconds", "2", "--rounds", "1", "--json"]
    assert main(arguments) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["pause_s"] for row in rows] == [0.0, 0.5, 1.0, 1.5]
    assert all(row["at_end_s"] > 0 for row in rows)
