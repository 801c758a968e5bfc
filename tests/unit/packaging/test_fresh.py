"""How a bare system is asked for, and how it gets to reach what this one reaches."""

import pytest


@pytest.fixture
def fresh(builder):
    return builder("fresh")


@pytest.mark.parametrize(
    ("words", "release", "command"),
    [
        ([], None, None),
        (["ci"], None, "ci"),
        (["debian12"], "debian12", None),
        (["try", "debian13"], "debian13", "try"),
    ],
)
def test_a_release_and_a_command_may_be_named(fresh, words, release, command):
    options = fresh._parse(words)
    assert (options.release, options.command) == (release, command)


@pytest.mark.parametrize("words", [["debian9"], ["ci", "try"], ["debian12", "debian13"]])
def test_what_cannot_be_meant_is_wrong_usage(fresh, words, capsys):
    with pytest.raises(SystemExit, match="2"):
        fresh._parse(words)
    assert "debian12, debian13" in capsys.readouterr().err


def test_each_command_runs_on_a_bare_system_of_its_own_and_the_worst_counts(
    fresh, monkeypatch, capsys, tmp_path
):
    statuses = {("debian12", "try"): 0, ("debian12", "ci"): 1, ("debian13", "try"): 0, ("debian13", "ci"): 0}
    monkeypatch.setattr(fresh, "lacks_for_chroot", lambda: "")
    monkeypatch.setattr(fresh.signal, "signal", lambda *_: None)
    monkeypatch.setattr(fresh, "_run", lambda _folder, *what: statuses.pop(what))
    assert fresh.fresh(["--folder", str(tmp_path)]) == 1
    assert statuses == {}
    told = capsys.readouterr().out
    assert "debian12 ci: exit status 1" in told
    assert "debian13 ci: ok" in told


def test_files_that_settings_name_are_copied_and_folders_are_remembered(fresh, tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    (outside / "index").mkdir(parents=True)
    (outside / "ca.pem").write_text("certificate", encoding="utf-8")
    files = fresh._Files(root)
    copy = files.translated(str(outside / "ca.pem"))
    assert (root / copy.lstrip("/")).read_text(encoding="utf-8") == "certificate"
    told = f"https://example.invalid/simple file://{outside}/index\n{outside}/index"
    assert files.translated(told) == told
    assert files.folders == {str(outside)}, "an index of packages may point beside itself"
    assert files.translated("180") == "180"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PIP_INDEX_URL", True),
        ("https_proxy", True),
        ("SSL_CERT_FILE", True),
        ("HOME", False),
        ("PIPX", False),
    ],
)
def test_what_is_about_the_network_is_handed_in(fresh, name, expected):
    assert fresh._is_about_reaching(name) is expected
