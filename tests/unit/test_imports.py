"""What is run by hand is imported by no test: here is seen that it imports what there is."""

import ast
from pathlib import Path

import pytest

from tests.conftest import ROOT

BY_HAND = sorted([*(ROOT / "tests" / "bench").rglob("*.py"), *(ROOT / "packaging").glob("*.py")])


def file_of(module: str) -> Path | None:
    """The source of ``module``, if it is ours."""
    place = ROOT.joinpath(*module.split("."))
    return next((path for path in (place.with_suffix(".py"), place / "__init__.py") if path.is_file()), None)


def names_in(path: Path) -> set[str]:
    """Everything that the top level of ``path`` defines, also where it tells systems apart."""
    found, waiting = {"__name__"}, list(ast.parse(path.read_text(encoding="utf-8")).body)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
            case ast.Import() | ast.ImportFrom():
                found.update((one.asname or one.name).partition(".")[0] for one in node.names)
            case ast.Name(ctx=ast.Store()):
                found.add(node.id)
            case _:
                waiting += ast.iter_child_nodes(node)
    return found


@pytest.mark.parametrize("path", BY_HAND, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_names_that_are_imported_are_there(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    missing = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        package = node.module.partition(".")[0]
        source = file_of(node.module)
        if package not in {"handy_qwen", "tests"} and source is None:
            continue  # not ours
        for one in node.names:
            is_there = source is not None and one.name in names_in(source)
            if not is_there and file_of(f"{node.module}.{one.name}") is None:
                missing.append(f"{node.module}.{one.name}")
    assert not missing
