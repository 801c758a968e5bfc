"""How the tests on Wayland desktops are asked for."""

from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("words", "folder", "desktops", "further"),
    [
        ([], None, ["gnome", "kwin", "sway"], []),
        (["sway"], None, ["sway"], []),
        (["/tmp/desks", "gnome", "kwin"], "/tmp/desks", ["gnome", "kwin"], []),
        (["sway", "--times", "20"], None, ["sway"], ["--times", "20"]),
        (
            ["/tmp/desks", "sway", "-x", "-k", "cancel or hold"],
            "/tmp/desks",
            ["sway"],
            ["-x", "-k", "cancel or hold"],
        ),
    ],
)
def test_a_folder_and_desktops_may_be_named_and_the_rest_is_for_pytest(
    builder, words, folder, desktops, further
):
    wayland = builder("wayland")
    options, rest = wayland._parse(words)
    assert options.folder == (Path(folder) if folder else wayland.ROOT / "build" / "wayland")
    assert (options.desktops, rest) == (desktops, further)


def test_two_folders_are_one_too_many(builder, capsys):
    with pytest.raises(SystemExit):
        builder("wayland")._parse(["/tmp/one", "/tmp/two"])
    assert "at most one folder" in capsys.readouterr().err


def test_without_what_it_takes_it_says_so(builder, monkeypatch, capsys):
    wayland = builder("wayland")
    monkeypatch.setattr(wayland, "lacks_for_chroot", lambda: "root, on Linux")
    assert wayland.test_wayland([]) == 1
    assert "This needs root" in capsys.readouterr().out
