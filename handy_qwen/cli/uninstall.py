"""``handy-qwen uninstall``: removes the program's files from the user's folders.

A program cannot easily delete the files it runs from, so this only prints how to, for the way it was
installed. The user's data is deleted only with ``--data``, and only in the program's own folders: links that
lead out of them are removed, but not their targets.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from handy_qwen import paths
from handy_qwen.cli.options import Subparsers, add_command
from handy_qwen.cli.terminal import agrees, say, write
from handy_qwen.control import InstanceLock
from handy_qwen.errors import HandyError
from handy_qwen.message import Message

_OF_A_HOME = {"config", "data", "log", "run"}  # the contents of a HANDY_QWEN_HOME


def add_parsers(commands: Subparsers) -> None:
    """Add the command to the program's parser."""
    summary = "remove login and menu entry and, with --data, all settings, history and models"
    about = "Remove the login entry and the menu entry, and explain how to remove the program itself."
    parser = add_command(commands, "uninstall", _run, summary, about)
    parser.add_argument("--data", action="store_true", help="also delete settings, history, logs and models")
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")


def _run(options: argparse.Namespace) -> int:
    from handy_qwen.doctor.program import installation

    if options.data and not _remove_data(is_agreed=options.yes):
        return 1
    _remove_autostart()
    _remove_menu_entry()
    way = installation()
    write(f"The program itself is {way.text}.\n{way.removal}\n")
    if not options.data:
        write(
            "Settings, history, logs and models were kept. To delete them too: handy-qwen uninstall --data\n"
        )
        write("".join(f"{what:26} {folder}\n" for what, folder in _own_folders()))
    return 0


def _remove_autostart() -> None:
    """Remove the entry shared by all instances of a user, but not on behalf of a second one."""
    from handy_qwen.system.entries import autostart_for

    autostart = autostart_for()
    state = autostart.state()
    if not (state.is_on or state.command):
        return
    if os.environ.get(paths.HOME_VARIABLE):
        write(
            f"The autostart entry, {autostart.place}, was kept: it may belong to another instance.\n"
            "To remove it: handy-qwen autostart off\n"
        )
        return
    autostart.turn_off()
    write(f"Removed the autostart entry, {autostart.place}.\n")


def _remove_menu_entry() -> None:
    """Remove the entry that the program itself has written for this instance."""
    from handy_qwen.system.entries import MenuEntry

    if sys.platform.startswith("linux") and not os.environ.get(paths.HOME_VARIABLE):
        entry = MenuEntry()
        if entry.remove():
            write(f"Removed the menu entry, {entry.place}.\n")


def _remove_data(*, is_agreed: bool) -> bool:
    """Delete the folders, if the user agrees. False: nothing was done. Raises HandyError: that failed."""
    _check_home()
    folders = _own_folders()
    if not folders:
        write("There are no settings, history, logs or models.\n")
        return True
    lock = InstanceLock(paths.runtime_dir())
    if not lock.acquire():
        raise HandyError(Message("Handy Qwen is running."), Message("Quit it first: handy-qwen quit"))
    try:
        folders = _own_folders()  # including that of the lock
        for what, folder in folders:
            write(f"{what:26} {_size(folder):>9}   {folder}\n")
        if not (is_agreed or agrees("Delete all of this? This cannot be undone.")):
            say("Nothing was deleted.")
            return False
        for _, folder in folders:
            if folder != paths.runtime_dir():  # contains the held lock
                _delete(folder)
    finally:
        lock.release()
    _delete(paths.runtime_dir())
    for _, folder in folders:
        _prune(folder)
    write("Deleted.\n")
    return True


def _own_folders() -> list[tuple[str, Path]]:
    """The existing folders and their purpose; one inside another is part of that."""
    named = [
        ("settings", paths.config_dir()),
        ("models", paths.models_dir()),
        ("history and other data", paths.data_dir()),
        ("logs", paths.log_dir()),
        ("socket of the running app", paths.runtime_dir()),
    ]
    there = [(what, folder) for what, folder in named if folder.exists() or folder.is_symlink()]
    return list({folder: (what, folder) for what, folder in reversed(there)}.values())[::-1]


def _check_home() -> None:
    """Raise a HandyError if HANDY_QWEN_HOME is a folder that was not made for the program alone."""
    home = paths.config_dir().parent
    if not os.environ.get(paths.HOME_VARIABLE) or not home.is_dir():
        return
    others = sorted(entry.name for entry in home.iterdir() if entry.name not in _OF_A_HOME)
    if others:
        raise HandyError(
            Message(
                "{home} also holds other files, such as {others}. Nothing was deleted.",
                home=home,
                others=others[0],
            ),
            Message(
                "Delete what belongs to Handy Qwen there yourself: {names}.",
                names=", ".join(sorted(_OF_A_HOME)),
            ),
        )


def _delete(folder: Path) -> None:
    try:
        if folder.is_symlink():
            folder.unlink()
        elif folder.is_dir():  # may be gone with another one
            shutil.rmtree(folder)  # does not follow links
    except OSError as exc:
        title = Message(
            "{path} cannot be deleted: {reason}.", path=exc.filename or folder, reason=exc.strerror
        )
        hint = Message("Check its owner and permissions.")
        raise HandyError(title, hint) from exc


def _prune(folder: Path) -> None:
    """Remove the program's empty parent folders."""
    for parent in folder.parents:
        is_own = parent.name == paths.APP_NAME or (
            bool(os.environ.get(paths.HOME_VARIABLE)) and parent == paths.config_dir().parent
        )
        if not is_own or not parent.is_dir() or any(parent.iterdir()):
            return
        parent.rmdir()


def _size(folder: Path) -> str:
    """How much would be deleted, without targets of links, and without the models, which have a line."""
    from handy_qwen.models.storage import size_text

    if folder.is_symlink():
        return "a link"
    models, size_bytes = paths.models_dir(), 0
    for root, _, names in os.walk(folder):
        if folder == models or models not in [Path(root), *Path(root).parents]:
            for name in names:
                with suppress(FileNotFoundError):  # gone meanwhile
                    size_bytes += Path(root, name).lstat().st_size
    return size_text(size_bytes)
