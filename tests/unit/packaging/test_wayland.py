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


def test_the_summary_names_what_failed_and_what_never_ended(builder, tmp_path):
    wayland = builder("wayland")
    report = tmp_path / "gnome.xml"
    assert wayland._told(report) == ["    it did not come to an end"]
    report.write_text(
        "<testsuites><testsuite><testcase name='test_one'/><testcase name='test_two'><skipped/></testcase>"
        "<testcase name='test_three'><failure message='it says&#10;more'>...</failure></testcase>"
        "<testcase name='test_four'><error message='no desk'>...</error></testcase></testsuite></testsuites>"
    )
    assert wayland._told(report) == [
        "    1 error, 1 failure, 1 passed, 1 skipped",
        "    failure: test_three: it says",
        "    error: test_four: no desk",
    ]
