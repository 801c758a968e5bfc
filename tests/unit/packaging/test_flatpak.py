"""The manifest of the Flatpak: all that the program needs, pinned, for both processors."""

import json
import re

import pytest


@pytest.fixture
def manifest(builder, monkeypatch, tmp_path):
    """As it is written beside a wheel."""
    flatpak = builder("flatpak")
    monkeypatch.setattr(flatpak.product, "DIST", tmp_path)
    (tmp_path / f"handy_qwen-{flatpak.product.version()}-py3-none-any.whl").write_bytes(b"wheel")
    flatpak.build()
    folder = tmp_path / "flatpak"
    return folder, json.loads((folder / "io.github.handy_qwen.json").read_text("utf-8"))


def test_every_library_is_pinned_and_there_for_both_processors(manifest):
    _, written = manifest
    sources = written["modules"][-1]["sources"]
    pinned = [source for source in sources if "url" in source]
    assert all(re.fullmatch(r"[0-9a-f]{64}", source["sha256"]) for source in pinned)
    names = {}
    for source in pinned:
        name = source["url"].rpartition("/")[2].partition("-")[0].lower()
        names.setdefault(name, []).extend(source.get("only-arches", ["x86_64", "aarch64"]))
    assert {"numpy", "onnxruntime", "pyside6_essentials", "jeepney", "python_xlib", "sounddevice"} <= set(
        names
    )
    assert all(sorted(arches) == ["aarch64", "x86_64"] for arches in names.values()), names
    assert not {"pynput", "pytest", "pyinstaller"} & set(names), "other systems', and developers'"


def test_what_the_sdk_has_of_the_same_name_is_left_alone(manifest):
    """Pip would remove it, which fails, or take it for ours, which the runtime may not have."""
    _, written = manifest
    (pip,) = [one for one in written["modules"][-1]["build-commands"] if one.startswith("pip3 ")]
    assert "--ignore-installed" in pip


def test_what_only_builders_need_is_not_shipped(manifest):
    _, written = manifest
    assert {"/include", "*.a", "*.la"} <= set(written["modules"][0]["cleanup"])


def test_the_files_of_the_program_are_beside_it(manifest):
    folder, written = manifest
    own = [source["path"] for source in written["modules"][-1]["sources"] if "path" in source]
    assert {file.name for file in folder.iterdir()} == {*own, "io.github.handy_qwen.json"}
    commands = " ".join(written["modules"][-1]["build-commands"])
    assert all(name in commands for name in own if not name.endswith(".whl"))


def test_the_sandbox_allows_what_dictating_needs_and_no_files(manifest):
    _, written = manifest
    allowed = written["finish-args"]
    assert {"--socket=wayland", "--socket=pulseaudio"} <= set(allowed)
    spoken_to = {one.removeprefix("--talk-name=") for one in allowed if one.startswith("--talk-name=")}
    assert spoken_to == {
        "org.kde.StatusNotifierWatcher",
        "org.freedesktop.Notifications",
        "org.mpris.MediaPlayer2.*",
    }
    assert not [
        one for one in allowed if one.startswith(("--filesystem", "--system", "--socket=session-bus"))
    ]
