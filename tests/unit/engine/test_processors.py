"""A container's quota of processors, in both versions of control groups."""

import math

import pytest

from handy_qwen.engine.processors import quota
from handy_qwen.engine.qwen3.sessions import default_threads


@pytest.fixture
def groups(tmp_path):
    """Writes files of control groups; returns what the quota is then for a process in ``own``."""

    def written(own, files):
        for name, text in files.items():
            path = tmp_path / "cgroup" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        (tmp_path / "own").write_text(own)
        return quota(tmp_path / "cgroup", tmp_path / "own")

    return written


@pytest.mark.parametrize(
    ("own", "files", "processors"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, math.inf),
        ("0::/a/b\n", {"a/cpu.max": "200000 100000", "a/b/cpu.max": "max 100000"}, 2.0),
        ("0::/not/mounted/here\n", {"cpu.max": "300000 100000"}, 3.0),
        ("0::/\n", {"cpu.max": "nonsense"}, math.inf),
        ("0::/\n", {"cpu.max": "100000 0"}, math.inf),
        ("4:cpu,cpuacct:/a\n", {"cpu/a/cpu.cfs_quota_us": "50000", "cpu/a/cpu.cfs_period_us": "100000"}, 0.5),
        ("4:cpu:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, math.inf),
        ("4:memory:/a\nrubbish\n", {}, math.inf),
    ],
)
def test_the_tightest_quota_counts(own, files, processors, groups):
    assert groups(own, files) == processors


def test_without_control_groups_there_is_no_quota(tmp_path):
    assert quota(tmp_path / "none", tmp_path / "neither") == math.inf


@pytest.mark.parametrize(("left", "threads"), [(math.inf, 4), (2.5, 2), (0.5, 1)])
def test_there_are_no_more_threads_than_the_quota_keeps_running(left, threads, monkeypatch):
    monkeypatch.setattr("psutil.cpu_count", lambda **_: 4)
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: set(range(8)), raising=False)
    monkeypatch.setattr("handy_qwen.engine.qwen3.sessions.quota", lambda: left)
    assert default_threads() == threads
