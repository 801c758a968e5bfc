"""``handy-qwen bench``: tables and JSON, with the demo model."""

import json

import pytest

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


@pytest.mark.parametrize("threads", ["0", "1,2", "two", "9999"])
def test_what_is_no_number_of_threads_is_refused(capsys, threads):
    with pytest.raises(SystemExit) as caught:
        main(["bench", "--threads", threads])
    assert caught.value.code == 2
    assert "--threads" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--seconds", value) for value in ("-3", "0", ",", "nan")),
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
        (("--language", "de"), "--language is of use only with --wer."),
        (("--wer", ".", "--seconds", "10"), "--seconds is of no use with --wer."),
    ],
)
def test_an_option_of_another_measurement_is_refused_and_not_ignored(capsys, arguments, told):
    assert main(["bench", *arguments]) == 2
    assert told in capsys.readouterr().err
