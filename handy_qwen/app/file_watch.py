"""When a file is written by other programs, as the system tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject


class FileWatch(QObject):
    """Calls ``on_change`` whenever ``path`` may have been written, made or replaced.

    Its folder is watched as well: most editors write another file and give it the name. File systems of
    other machines tell nothing of what is done there.

    Threads: Qt's, on which ``on_change`` is called, too.
    """

    def __init__(self, path: Path, on_change: Callable[[], None], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._paths = [str(path), str(path.parent)]
        self._on_change = on_change
        self._watcher = QFileSystemWatcher(self)
        self._watcher.fileChanged.connect(self._tell)
        self._watcher.directoryChanged.connect(self._tell)
        self._watch()

    def close(self) -> None:
        """Tell nothing more. Safe to call twice."""
        self._watcher.blockSignals(True)

    def _tell(self) -> None:
        self._watch()
        self._on_change()

    def _watch(self) -> None:
        """Watch what is there, also if it is another file than before."""
        watched = {*self._watcher.files(), *self._watcher.directories()}
        missing = [path for path in self._paths if path not in watched]
        if missing:
            self._watcher.addPaths(missing)
