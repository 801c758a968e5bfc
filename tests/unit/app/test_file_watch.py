"""A file that is written by others: each way in which editors do it is heard of."""

import pytest

pytest.importorskip("pytestqt")

from handy_qwen.app.file_watch import FileWatch


@pytest.fixture
def heard(qtbot, tmp_path):
    """Waits until the file was heard of; what was told before does not count."""
    path, told = tmp_path / "settings.toml", []
    path.write_text("a", encoding="utf-8")
    watch = FileWatch(path, lambda: told.append(path.exists()))

    def wait():
        qtbot.waitUntil(lambda: bool(told), timeout=30_000)
        qtbot.wait(50)  # one writing is several events
        told.clear()

    yield path, wait
    watch.close()


def write(path):
    with path.open("a", encoding="utf-8") as file:
        file.write("more")


def replace(path):
    other = path.with_name("other")
    other.write_text("new", encoding="utf-8")
    other.replace(path)


def make_anew(path):
    path.unlink()
    path.write_text("anew", encoding="utf-8")


@pytest.mark.parametrize("first", [write, replace, make_anew])
@pytest.mark.parametrize("then", [write, replace, make_anew])
def test_a_file_that_is_written_is_heard_of_each_time(heard, first, then):
    path, wait = heard
    first(path)
    wait()
    then(path)
    wait()


def test_a_file_that_is_not_there_yet_is_heard_of_when_it_is_made(qtbot, tmp_path):
    path, told = tmp_path / "settings.toml", []
    watch = FileWatch(path, lambda: told.append(path.exists()))
    path.write_text("new", encoding="utf-8")
    qtbot.waitUntil(lambda: True in told, timeout=30_000)
    watch.close()
