"""``handy-qwen bench``: tables and JSON, with the demo model."""

import json

import numpy as np
import pytest
import soundfile

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
    assert main([*arguments, "--pauses", "0,4"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows, drafts = found["rows"], found["demo_drafts"]
    assert [row["pause_s"] for row in rows] == [0.0, 4.0]
    assert all(row["at_end_s"] > 0 for row in rows)
    for row in rows:
        assert row["waiting_s"] + sum(row["stages_s"].values()) <= row["live_s"] * 1.01
    assert rows[0]["stages_s"]["prefill"] > 0, "the window still filling is read when the key comes up"
    assert rows[-1]["stages_s"] == {"encoder": 0, "prefill": 0, "decode": 0}, "the draft was the answer"
    assert 0 < drafts["kept"] <= drafts["tried"]


def test_pauses_can_be_chosen_and_the_table_has_a_line_for_each(capsys):
    arguments = ["bench", "--live", "--model", "demo", "--seconds", "2", "--pauses", "0,1.2", "--rounds", "1"]
    assert main(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[2] for line in lines[1:3]] == ["0.0", "1.2"]
    assert lines[-1].endswith("tokens of drafts were right")


def test_several_numbers_of_threads_are_measured_one_after_the_other(capfd):
    arguments = ["bench", "--model", "demo", "--seconds", "1", "--tokens", "2", "--rounds", "1"]
    assert main([*arguments, "--threads", "1,2"]) == 0
    told = capfd.readouterr().out
    assert [line.split()[0] for line in told.splitlines()[1:3]] == ["1", "2"]
    assert "fastest for 1 s: " in told
    assert main([*arguments, "--threads", "2,1", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    assert [result["machine"]["threads"] for result in found] == [2, 1]


@pytest.mark.parametrize("other", [["--live"], ["--wer", "."]])
def test_only_the_speed_is_measured_with_several_numbers_of_threads(capsys, other):
    assert main(["bench", "--threads", "1,2", *other]) == 2
    assert "Only the speed is measured with several" in capsys.readouterr().err


@pytest.mark.parametrize("threads", ["0", "1,", "two", "1,9999"])
def test_what_is_no_number_of_threads_is_refused(capsys, threads):
    with pytest.raises(SystemExit) as caught:
        main(["bench", "--threads", threads])
    assert caught.value.code == 2
    assert "--threads" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--seconds", value) for value in ("-3", "0", ",", "nan")),
        *(("--pauses", value) for value in ("x", "-1")),
        ("--rounds", "0"),
        ("--tokens", "0"),
    ],
)
def test_numbers_that_cannot_be_are_wrong_usage(capsys, option, value):
    with pytest.raises(SystemExit) as caught:
        main(["bench", f"{option}={value}"])
    assert caught.value.code == 2
    assert "invalid _" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--pauses", "1"), "--pauses is of use only with --live."),
        (("--language", "de"), "--language is of use only with --wer."),
        (("--speech", "a.wav"), "--speech is of use only with --live."),
        (("--live", "--tokens", "34"), "--tokens is of no use with --live."),
        (("--wer", ".", "--seconds", "10"), "--seconds is of no use with --wer."),
    ],
)
def test_an_option_of_another_measurement_is_refused_and_not_ignored(capsys, arguments, told):
    assert main(["bench", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_one_thing_is_measured_at_a_time(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["bench", "--live", "--wer", "."])
    assert caught.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


def test_silence_cannot_be_dictated(capsys, tmp_path):
    soundfile.write(tmp_path / "quiet.wav", np.zeros(32_000, np.float32), 16_000)
    assert main(["bench", "--live", "--model", "demo", "--speech", str(tmp_path / "quiet.wav")]) == 1
    assert "Nobody speaks" in capsys.readouterr().err
