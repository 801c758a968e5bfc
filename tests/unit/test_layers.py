"""Who may import whom. The table is the architecture; change it on purpose or not at all."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "handy_qwen"
MODULES = sorted(ROOT.rglob("*.py"))
EVERYTHING = None
MAY_IMPORT = {  # layer -> what it may import from this package, and from elsewhere
    "__init__": (set(), set()),
    "message": (set(), set()),  # which everything may import
    "errors": (set(), set()),
    "paths": ({"errors"}, {"platformdirs"}),
    "files": ({"errors"}, set()),
    "shell": (set(), set()),
    "manual": ({"paths"}, set()),
    "languages": ({"errors"}, set()),
    # numpy for types only, see the last test
    "core": ({"errors", "languages"}, {"numpy", "regex"}),
    "engine": ({"errors", "languages"}, {"numpy", "onnxruntime", "onnx", "psutil", "regex"}),
    "convert": ({"files", "engine", "errors", "languages", "paths"}, {"numpy", "onnx", "soundfile"}),
    "audio": ({"core", "errors", "runtime", "shell"}, {"numpy", "sounddevice", "soxr", "soundfile", "av"}),
    "models": (
        {"convert", "core", "files", "engine", "errors", "languages", "paths"},
        {"huggingface_hub", "httpx2", "numpy", "psutil"},
    ),
    "system": (
        {"core", "files", "errors", "paths", "runtime"},
        {"Xlib", "pynput", "jeepney", "pyperclip", "AppKit", "ApplicationServices", "AVFoundation", "Quartz"},
    ),
    "settings": ({"core", "files", "errors", "languages", "paths"}, set()),  # of core the words for choices
    "vocabulary": ({"core", "errors", "files", "settings"}, {"platformdirs"}),
    "history": ({"core", "files", "errors", "paths", "runtime"}, {"numpy"}),
    "log": ({"paths"}, set()),
    "control": ({"errors", "files", "paths", "runtime"}, set()),
    "runtime": ({"core", "errors"}, set()),
    "transcriber": ({"core", "engine", "errors", "runtime"}, {"numpy"}),
    "ui": ({"core", "errors", "languages", "manual", "paths", "settings"}, {"PySide6"}),
    "doctor": (  # looks at all parts, also behind their backs; only cli and app import it
        {
            "audio",
            "control",
            "core",
            "engine",
            "errors",
            "files",
            "history",
            "languages",
            "models",
            "paths",
            "settings",
            "system",
        },
        {"numpy", "psutil", "jeepney"},
    ),
    "cli": (EVERYTHING, {"numpy", "psutil"}),
    "bench": (EVERYTHING, {"numpy", "psutil", "jiwer", "whisper_normalizer"}),
    "app": (EVERYTHING, {"PySide6", "psutil"}),
    "__main__": ({"cli"}, set()),
}


@cache
def import_statements(path):
    """Wherever in the module they are."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


def imports(path):
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            assert node.level == 0, f"{path}: relative import"
            if node.module == "handy_qwen":
                yield from (f"handy_qwen.{alias.name}" for alias in node.names)
            else:
                yield node.module


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_keep_to_their_layer(path):
    layer = path.relative_to(ROOT).with_suffix("").parts[0]
    inside, outside = MAY_IMPORT[layer]
    for name in imports(path):
        top, _, rest = name.partition(".")
        if top == "handy_qwen":
            target = rest.partition(".")[0]
            permitted = inside is EVERYTHING or target in inside | {layer, "", "__version__", "message"}
            assert permitted, f"{layer} must not import {target}"
        else:
            assert top in sys.stdlib_module_names | outside | {"__future__"}, f"{layer} must not import {top}"


def test_no_module_imports_itself_through_others():
    """Also not in a function or for types only: whoever needs a circle has not found the seam."""
    names = {
        ".".join(("handy_qwen", *path.relative_to(ROOT).with_suffix("").parts)): path for path in MODULES
    }
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    imported = {name: set(within(path, names)) - {name} for name, path in names.items()}
    while leaves := [name for name, others in imported.items() if not others & set(imported)]:
        for name in leaves:
            del imported[name]
    assert not imported, "these import each other, or what does"


def within(path, names):
    """The modules of ``names`` that the one at ``path`` imports."""
    for node in import_statements(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in names)
        else:
            parts = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (part if part in names else node.module for part in parts)


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_stay_small(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 600, "find the seam"


@pytest.mark.parametrize(
    ("modules", "kept_out"),
    [
        ("handy_qwen.engine.qwen3.recognizer", "PySide6"),
        ("handy_qwen.core.ports, handy_qwen.runtime.controller", "numpy"),
    ],
)
def test_a_layer_loads_without(modules, kept_out):
    code = f"import sys, {modules}; sys.exit(any(m.split('.')[0] == {kept_out!r} for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
