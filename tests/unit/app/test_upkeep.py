"""What the settings window shows of the machine and the history: real checks, a real archive, real files."""

import threading
import zipfile

import pytest

from handy_qwen import doctor
from handy_qwen.app.upkeep import UpkeepPresenter
from handy_qwen.core.types import BackupPart, EntryState, Keep
from handy_qwen.core.upkeep import HistoryUse, Severity
from handy_qwen.doctor import findings
from handy_qwen.errors import HandyError
from handy_qwen.history import wav
from handy_qwen.history.store import Places, Store
from handy_qwen.runtime.watchdog import UPKEEP
from handy_qwen.settings import SettingsStore
from handy_qwen.vocabulary import handy
from tests.conftest import is_private

WAIT_S = 30.0


class Reader:
    """The presenter, and what it shows."""

    def __init__(self, folder):
        self.shown = []
        self._changed = threading.Condition()
        self.store = SettingsStore(folder.parent / "settings.toml")
        self.store.load()
        self.presenter = UpkeepPresenter(folder, lambda: None, lambda: self.store.value, self.store.revise)
        self.presenter.listener = self._on_upkeep

    def _on_upkeep(self, upkeep):
        with self._changed:
            self.shown.append(upkeep)
            self._changed.notify_all()

    def wait(self, is_wanted):
        with self._changed:
            assert self._changed.wait_for(lambda: any(map(is_wanted, self.shown)), WAIT_S)
            return next(one for one in reversed(self.shown) if is_wanted(one))


@pytest.fixture
def reader(tmp_path, app_home):  # noqa: ARG001  doctor looks there
    made = Reader(tmp_path / "history")
    yield made
    made.presenter.close(WAIT_S)


def check(name, *found):
    def run(_context):
        for one in found:
            if isinstance(one, Exception):
                raise one
            yield one

    return name, run


@pytest.fixture
def checks(monkeypatch):
    """Instead of doctor's own, which depend on the machine."""
    made = (
        check("program", findings.fine("program", "It is this version.")),
        check("disk", findings.warning("disk", "Little room.", "Make room.")),
        check("model", HandyError("There is no model.", "Install one.")),
    )
    monkeypatch.setattr(doctor, "CHECKS", made)
    monkeypatch.setattr(doctor.examine, "__defaults__", (lambda _: None, made))
    return made


def test_findings_are_shown_as_they_come_with_what_can_be_done(reader, checks):
    reader.presenter.check()
    done = reader.wait(lambda one: one.checks and not one.is_checking)
    assert [(one.name, one.severity, one.remedy) for one in done.checks] == [
        ("program", Severity.FINE, ""),
        ("disk", Severity.WARNING, "Make room."),
        ("model", Severity.PROBLEM, "Install one."),
    ]
    assert [len(one.checks) for one in reader.shown] == [0, 1, 2, 3, 3]
    assert [one.is_checking for one in reader.shown] == [True, True, True, True, False]
    reader.presenter.check()
    reader.wait(lambda _one: len(reader.shown) == 10)
    assert len(reader.shown[-1].checks) == len(checks), "from the beginning"


def test_the_archive_is_written_also_before_anything_was_checked_and_over_a_file(reader, checks, tmp_path):  # noqa: ARG001
    target = tmp_path / "support.zip"
    target.write_text("something else")
    reader.presenter.write_archive(target)
    assert reader.wait(lambda one: one.archive is not None).archive == target
    with zipfile.ZipFile(target) as archive:
        assert "handy-qwen-support/doctor.json" in archive.namelist()
    assert is_private(target)
    for wrong in (tmp_path / "no-such-folder" / "x.zip", tmp_path):
        reader.shown.clear()
        reader.presenter.write_archive(wrong)
        shown = reader.wait(lambda one: one.archive_problem is not None)
        assert "cannot be written" in shown.archive_problem.title
        assert shown.problem is None, "that is the history's"


def add(store, number, sound=b"", **columns):
    file = f"take-20260101T000000Z-0000000{number}.wav" if sound else ""
    store.add(
        {
            "created_ms": 1000 * number,
            "state": EntryState.DONE,
            "keep": Keep.AUDIO_AND_TEXT,
            "text": f"Text {number}.",
            "file": file,
            **columns,
        }
    )
    return file


def test_the_history_is_measured_and_all_but_the_starred_and_those_in_work_deleted(reader, tmp_path):
    reader.presenter.measure_history()
    assert reader.wait(lambda one: one.history is not None).history == HistoryUse()
    places = Places(tmp_path / "history")
    places.make()
    store = Store(places.database, busy_s=1.0)
    sound = wav.header(1000, wav.Stage.SETTLED, 0) + bytes(2000)
    files = [add(store, 1, sound), add(store, 2, sound, is_starred=1), add(store, 3)]
    add(store, 4, state=EntryState.WAITING)
    store.close()
    for name in filter(None, files):
        (places.takes / name).write_bytes(sound)
    reader.presenter.measure_history()
    assert reader.wait(lambda one: one.history != HistoryUse() and one.history).history == HistoryUse(
        4, 1, 2 * len(sound)
    )
    reader.presenter.delete_history()
    left = reader.wait(lambda one: one.problem is not None)
    assert left.history == HistoryUse(2, 1, len(sound))
    assert "working on entry 4" in left.problem.title
    assert not (places.takes / files[0]).exists()


def test_the_watchdog_knows_the_thread(reader):
    assert list(reader.presenter.workers) == [UPKEEP]


def test_a_backup_is_written_read_and_taken_back(reader, tmp_path):
    reader.store.update(sounds=True, custom_words=["Qwen"])
    reader.presenter.export_backup(tmp_path / "backup.toml", list(BackupPart))
    assert reader.wait(lambda one: one.moved.number == 1).moved.title.startswith("Exported to ")
    reader.store.update(sounds=False, custom_words=["Ada"], mode="hold")
    reader.presenter.import_backup(tmp_path / "backup.toml", list(BackupPart))
    shown = reader.wait(lambda one: one.moved.number == 2)
    assert (shown.moved.title, shown.can_undo) == ("2 settings changed, 1 word added.", True)
    assert reader.store.value.sounds
    assert reader.store.value.custom_words == ("Ada", "Qwen")
    assert reader.store.value.mode == "auto"
    reader.store.update(mode="toggle")  # since then
    reader.presenter.undo_import()
    shown = reader.wait(lambda one: one.moved.number == 3)
    assert (shown.moved.title, shown.can_undo) == ("Undone.", False)
    assert not reader.store.value.sounds
    assert reader.store.value.custom_words == ("Ada",)
    assert reader.store.value.mode == "toggle"


def test_an_undo_is_offered_beside_the_answer_to_an_import_only(reader, tmp_path):
    reader.store.update(sounds=True)
    backup, gone = tmp_path / "backup.toml", tmp_path / "gone.toml"
    reader.presenter.export_backup(backup, list(BackupPart))
    reader.wait(lambda one: one.moved.number == 1)
    reader.store.update(sounds=False)
    for number, other in (
        (2, lambda: reader.presenter.export_backup(tmp_path / "other.toml", list(BackupPart))),
        (4, lambda: reader.presenter.import_backup(gone, list(BackupPart))),
    ):
        reader.store.update(sounds=False)
        reader.presenter.import_backup(backup, list(BackupPart))
        assert reader.wait(lambda one, number=number: one.moved.number == number).can_undo
        other()
        assert not reader.wait(lambda one, number=number: one.moved.number == number + 1).can_undo


def test_a_backup_that_cannot_be_read_changes_nothing_and_says_why(reader, tmp_path):
    reader.presenter.import_backup(tmp_path / "gone.toml", list(BackupPart))
    shown = reader.wait(lambda one: one.moved.is_problem)
    assert shown.moved.title.startswith("There is no file ")
    assert not shown.can_undo


def test_handys_settings_are_offered_where_they_are(reader, tmp_path, monkeypatch):
    monkeypatch.setattr(handy, "settings_file", lambda: tmp_path)
    reader.presenter.look_for_handy()
    assert reader.wait(lambda one: one.handy).handy == tmp_path
