"""Checks of the user's data: folders and permissions, settings, history, model and custom words."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from handy_qwen import paths
from handy_qwen.core.models import DEMO
from handy_qwen.doctor.findings import Context, Finding, failed, fine, problem, warning
from handy_qwen.doctor.program import nearest
from handy_qwen.engine.qwen3.manifest import MANIFEST_FILE, find_damage, load_manifest
from handy_qwen.engine.qwen3.sessions import devices_here
from handy_qwen.errors import EngineError, ModelMissingError
from handy_qwen.history.store import Places, default_folder
from handy_qwen.message import Message, Size, messages, sentences, verbatim
from handy_qwen.models.installed import (
    InstalledModel,
    find_model,
    fit_custom_words,
    installed_models,
    load_recognizer,
)
from handy_qwen.models.machine import choice_of
from handy_qwen.models.tuning import is_trial_due

FILES = "files"
OTHERS = stat.S_IRWXG | stat.S_IRWXO
KEPT = {"settings": Message("settings"), "data": Message("data"), "log": Message("log")}
NOTHING_YET = Message("Nothing is stored yet; when something is, only you can read it.")
MOST = 5000  # files checked; models have few, a long history may have many


def check_files(context: Context) -> Iterator[Finding]:
    """Check the folders, and the files in those that hold what was said."""
    folders = own_folders()
    locked = [folder for folder in folders.values() if not _is_writable(folder)]
    if locked:
        names = ", ".join(map(str, locked))
        text = Message("The program cannot write to {names}.", names=names)
        hint = Message("Take it back: sudo chown -R $USER {names} && chmod -R u+rwX {names}", names=names)
        yield problem(FILES, text, hint, locked=list(map(str, locked)))
    kept = _kept(folders)
    if context.platform == "win32":
        yield fine(
            FILES, Message("In your own profile: {kept}.", kept=kept) if kept else NOTHING_YET, open=[]
        )
        return
    readable = [str(path) for path in _open_to_others(folders)]
    if readable:
        names = ", ".join(readable[:3])
        told = Message("Other users of this machine could read {names}.", names=names)
        if len(readable) > 3:
            told = messages(
                "Other users of this machine could read {names} and {count} more.",
                "Other users of this machine could read {names} and {count} more.",
                len(readable) - 3,
                names=names,
            )
        yield warning(
            FILES,
            told,
            Message(
                "chmod -R go= {names}",
                names=" ".join(sorted({str(_folder_of(one, folders)) for one in readable})),
            ),
            open=readable[:50],
        )
    elif not locked:
        yield fine(FILES, Message("Only you can read: {kept}.", kept=kept) if kept else NOTHING_YET, open=[])


def own_folders() -> dict[str, Path]:
    """The program's folders by purpose."""
    return {
        "settings": paths.config_dir(),
        "data": paths.data_dir(),
        "log": paths.log_dir(),
        "runtime": paths.runtime_dir(),
    }


def _kept(folders: dict[str, Path]) -> Message:
    """The user's existing data: "settings, data, log"."""
    there = [said for name, said in KEPT.items() if any(path.is_file() for path in folders[name].rglob("*"))]
    return sentences(*there, between=", ")


def _is_writable(folder: Path) -> bool:
    return os.access(nearest(folder), os.W_OK | os.X_OK)


def _open_to_others(folders: dict[str, Path]) -> Iterator[Path]:
    """Files that others can read. Inside a folder that they cannot enter there are none."""
    for folder in folders.values():
        if not _is_open(folder):
            continue
        files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
        for path in islice(files, MOST):
            is_model = paths.models_dir() in path.parents  # public: nothing to hide
            if not is_model and _is_open(path):
                yield path


def _is_open(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & OTHERS)
    except OSError:  # missing, or not even readable for us
        return False


def _folder_of(path: str, folders: dict[str, Path]) -> Path:
    return next(folder for folder in folders.values() if folder in Path(path).parents)


SETTINGS = "settings"


def check_settings(context: Context) -> Iterator[Finding]:
    """Check the file as it was read."""
    found = context.configuration
    path = str(found.path)
    complaint = found.complaint(Message("The next start uses the defaults until you fix it."))
    if complaint and found.error:
        yield problem(SETTINGS, complaint.title, complaint.hint, path=path)
    elif complaint:
        told = sentences(*(one.told for one in found.problems), between="; ")
        text = Message("In {path}, not everything is used as written: {problems}.", path=path, problems=told)
        hint = Message("Look at the comment above each of these settings in the file.")
        yield warning(SETTINGS, text, hint, path=path, problems=[str(one) for one in found.problems])
    elif found.exists:
        yield fine(SETTINGS, Message("{path} is in order.", path=path), path=path)
    else:
        text = Message("There is no settings file yet: the defaults apply. It will be {path}.", path=path)
        yield fine(SETTINGS, text, path=path)


HISTORY = "history"
BUSY_S = 2.0


def check_history(_context: Context) -> Iterator[Finding]:
    """Check the database without changing it."""
    places = Places(default_folder())
    if not places.database.exists():
        yield fine(HISTORY, Message("There is no history yet."), dictations=0, size_bytes=0)
        return
    size = sum(path.stat().st_size for path in places.folder.rglob("*") if path.is_file())
    try:
        damage, count = _look(places.database)
    except sqlite3.OperationalError as exc:  # locked for long, or cannot be opened
        yield problem(
            HISTORY,
            Message(
                "The history in {folder} cannot be opened ({reason}).",
                folder=places.folder,
                reason=exc.sqlite_errorname,
            ),
            Message("Look at its owner and permissions, and whether another program has it open."),
            size_bytes=size,
        )
        return
    except sqlite3.DatabaseError:
        damage, count = "it is not a database any more", 0
    if damage:
        text = Message("The history in {folder} is damaged.", folder=places.folder)
        hint = Message("Start the app: it sets the damaged file aside and begins a new one.")
        yield problem(HISTORY, text, hint, size_bytes=size)
    else:
        text = messages("{count} dictation, {size}.", "{count} dictations, {size}.", count, size=Size(size))
        yield fine(HISTORY, text, dictations=count, size_bytes=size)


def _look(database: Path) -> tuple[str, int]:
    """SQLite's findings ("" if none), and the number of rows. sqlite3.DatabaseError: unreadable."""
    # Without a journal beside it nobody writes, and SQLite need not create files to read it.
    is_resting = not database.with_name(f"{database.name}-wal").exists()
    address = f"file:{quote(str(database))}?mode=ro{'&immutable=1' if is_resting else ''}"
    with closing(sqlite3.connect(address, uri=True, timeout=BUSY_S)) as connection:
        (told,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        (count,) = connection.execute("SELECT count(*) FROM take").fetchone()
    return "" if told == "ok" else "damaged", int(count)


MODEL = "model"
DEVICES = "devices"
WORDS = "words"
GET_ONE = Message(
    "Install a full model: tray → Model → Manage models…, or: handy-qwen model install qwen3-asr-0.6b"
)


def check_model(context: Context) -> Iterator[Finding]:
    """Check the configured model; with ``is_thorough`` read all of it and run it."""
    asked = context.configuration.settings.model
    installed = [model.name for model in installed_models()]
    try:
        model = find_model(asked)
        how = _look_at(model, is_thorough=context.is_thorough)
    except EngineError as error:
        yield failed(MODEL, error, model=asked, installed=installed)
        return
    details = {
        "model": model.name,
        "folder": str(model.folder),
        "size_bytes": model.size_bytes,
        "installed": installed,
        "is_demo": model.name == DEMO,
        "is_thorough": context.is_thorough,
    }
    text = Message("{name}, {size}: {how}.", name=model.name, size=Size(model.size_bytes), how=how)
    if model.name == DEMO:
        problem = sentences(text, Message("Only this tiny demo model is used: some 300 words."))
        yield warning(MODEL, problem, GET_ONE, **details)
    else:
        yield fine(MODEL, text, **details)


def check_devices(context: Context) -> Iterator[Finding]:
    """List devices other than the processor, and whether and why the model runs on one."""
    here = [device.title for device in devices_here()]
    choice, is_due, titles = None, False, ", ".join(here)
    with suppress(EngineError):  # reported by ``check_model``
        folder = find_model(context.configuration.settings.model).folder
        choice, is_due = choice_of(folder), is_trial_due(folder)
    details: dict[str, object] = {
        "devices": here,
        "parts": sorted(choice.parts) if choice else [],
        "is_tried": choice is not None,
    }
    if not here:
        text = Message(
            "The processor does all the work: ONNX Runtime is here without support for another device."
        )
    elif not context.configuration.settings.use_devices:
        text = Message("{devices} could be tried, but the settings forbid it (use_devices).", devices=titles)
    elif is_due:
        text = Message(
            "{devices} could be tried: measure the model in the Models window, or run handy-qwen bench.",
            devices=titles,
        )
    elif choice is None:
        text = Message(
            "The processor does all the work: the model is in a form that does not run on {devices}.",
            devices=titles,
        )
    else:
        text = (
            verbatim(choice.why)
            if choice.parts
            else sentences(Message("The processor does all the work."), verbatim(choice.why))
        )
    yield fine(DEVICES, text, **details)


def check_words(context: Context) -> Iterator[Finding]:
    """Count the custom words that the model reads. Findings do not contain the words."""
    settings = context.configuration.settings
    if not settings.custom_words:
        yield fine(WORDS, Message("There are no custom words."), words=0)
        return
    try:
        words = fit_custom_words(settings.model, settings.custom_words)
    except EngineError:
        return  # reported by ``check_model``
    details = {"words": words.total, "used": words.used, "tokens": words.tokens, "limit": words.limit}
    text = Message("Custom words: {summary}", summary=words.summary)
    if words.left_out:
        hint = Message("Put the most important words first in custom_words, or remove some.")
        yield warning(WORDS, text, hint, **details)
    else:
        yield fine(WORDS, text, **details)


def _look_at(model: InstalledModel, *, is_thorough: bool) -> Message:
    """What was verified, in words; raises EngineError if the model is damaged, or does not run."""
    has_manifest = (model.folder / MANIFEST_FILE).is_file()
    if not model.folder.is_dir():
        raise ModelMissingError(model.folder)
    manifest = load_manifest(model.folder) if has_manifest else None
    if not is_thorough:
        if manifest:
            return Message("all files are there, of the right size")
        return Message("ONNX files of the published layout")
    if manifest:
        find_damage(model.folder, manifest)
    recognizer = load_recognizer(str(model.folder))
    try:
        recognizer.self_test()
    finally:
        recognizer.close()
    return Message("all files are intact, and it works") if manifest else Message("it works")
