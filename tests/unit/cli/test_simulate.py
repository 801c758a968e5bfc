"""A recording, dictated on the command line."""

import pytest

from handy_qwen import paths
from handy_qwen.cli import main

SPEECH = str(paths.asset("speech/report.flac"))
OPTIONS = ["transcribe", "--model", "demo", "--threads", "1"]


def test_a_simulated_dictation_writes_the_text_and_tells_how_late_it_was(capsys):
    assert main([*OPTIONS, "--live", SPEECH]) == 0
    wanted = capsys.readouterr().out
    assert main([*OPTIONS, "--live", "--simulate", "--speed", "20", SPEECH]) == 0
    shown = capsys.readouterr()
    assert shown.out == wanted != "\n"
    assert "from the last of" in shown.err


def test_previews_go_to_stderr(capsys):
    assert main([*OPTIONS, "--live", "--simulate", "--speed", "0.7", SPEECH]) == 0
    shown = capsys.readouterr()
    assert "│" in shown.err
    assert "│" not in shown.out


def test_only_what_is_live_can_be_simulated(capsys):
    assert main([*OPTIONS, "--simulate", SPEECH]) == 2
    assert "--live" in capsys.readouterr().err


def test_a_file_that_cannot_be_read_does_not_stop_the_others(capsys):
    assert main([*OPTIONS, "--live", "--simulate", "--speed", "20", "missing.wav", SPEECH]) == 1
    shown = capsys.readouterr()
    assert "missing.wav" in shown.err
    assert shown.out.strip()


@pytest.mark.parametrize("speed", ["0", "-1", "inf", "nan", "fast"])
def test_a_speed_that_makes_no_sense_is_refused(speed, capsys):
    with pytest.raises(SystemExit):
        main([*OPTIONS, "--live", "--simulate", "--speed", speed, SPEECH])
    assert "--speed" in capsys.readouterr().err


@pytest.mark.parametrize("useless", [["--format", "json"], ["--output", "there"]])
def test_what_a_simulation_does_not_heed_is_refused(useless, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([*OPTIONS, "--live", "--simulate", *useless, SPEECH]) == 2
    assert "--format, --output and" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_speed_without_simulation_is_refused(capsys):
    assert main([*OPTIONS, "--live", "--speed", "2", SPEECH]) == 2
    assert "--simulate" in capsys.readouterr().err
