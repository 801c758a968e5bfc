"""``handy-qwen bench``: tables and JSON, with the demo model."""

import json

import pytest

QUICK = ("bench", "--model", "demo", "--tokens", "3", "--rounds", "1")


def test_speed_is_shown_beside_the_limits_of_the_machine(run):
    shown = run(*QUICK, "--seconds", "1").out
    assert "GB/s" in shown
    assert "model     demo" in shown


def test_speed_as_json_has_every_clip(run):
    found = json.loads(run(*QUICK, "--seconds", "1,2", "--json").out)
    assert [clip["clip_s"] for clip in found["model"]["clips"]] == [1.0, 2.0]
    assert all(clip["total_s"] > 0 and clip["cpu_s"] >= 0 for clip in found["model"]["clips"])


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--threads", value) for value in ("0", "1,2", "two", "9999")),
        *(("--seconds", value) for value in ("-3", "0", ",", "nan")),
        ("--rounds", "0"),
        ("--tokens", "0"),
    ],
)
def test_numbers_that_cannot_be_are_wrong_usage(run, option, value):
    status, _, err = run("bench", f"{option}={value}")
    assert (status, f"argument {option}: {value!r} " in err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--language", "de"), "--language only works with --wer."),
        (("--wer", ".", "--seconds", "10"), "--seconds doesn't work with --wer."),
    ],
)
def test_an_option_of_another_measurement_is_refused_and_not_ignored(run, arguments, problem):
    status, _, err = run("bench", *arguments)
    assert (status, problem in err) == (2, True)
