"""Where the history lies is said in one place."""

from pathlib import Path

import pytest

import handy_qwen
from handy_qwen.history import store

ROOT = Path(handy_qwen.__file__).parent


@pytest.mark.parametrize("name", ["history", "history.db"])
def test_no_other_module_spells_out_the_way_to_the_history(name):
    spelled = [path for path in ROOT.rglob("*.py") if f'/ "{name}"' in path.read_text(encoding="utf-8")]
    assert spelled == [Path(store.__file__)]
