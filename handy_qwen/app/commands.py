"""What the menus ask for besides dictating."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from handy_qwen.app.choices import recent_with
from handy_qwen.app.program import Program
from handy_qwen.core.events import Failed
from handy_qwen.core.types import Method
from handy_qwen.core.view import Window
from handy_qwen.errors import HandyError, SettingsError


class AppCommands:
    """Implements ``core.view.Commands``. Called on Qt's thread; what takes time happens on ``chores``."""

    def __init__(
        self,
        program: Program,
        open_file: Callable[[Path], bool],
        quit_app: Callable[[], None],
        open_window: Callable[[Window], None],
    ) -> None:
        self._program = program
        self._open_file = open_file
        self._quit = quit_app
        self._open_window = open_window

    def use_model(self, name: str) -> None:
        """Load the model ``name`` behind the present one; "" is automatic."""
        self._program.change(model=name)

    def use_language(self, name: str) -> None:
        """Dictate in ``name`` from the next take on."""
        recent = recent_with(name, self._program.store.value.recent_languages)
        self._program.change(language=name, recent_languages=recent)

    def use_microphone(self, name: str) -> None:
        """Record from ``name`` from the next take on."""
        self._program.change(microphone=name)

    def use_method(self, method: Method | None) -> None:
        """Insert texts by ``method`` from the next one on; None is automatic."""
        self._program.change(method=method)

    def use_hotkey(self, chord: str, on_refused: Callable[[HandyError], None]) -> None:
        """Dictate with ``chord`` instead of the first hotkey, or say why not."""
        self._program.use_hotkey(chord, on_refused)

    def use_autostart(self, is_on: bool) -> None:
        """Start the program when the user logs in, or not."""
        self._program.use_autostart(is_on)

    def pause_history(self, is_paused: bool) -> None:
        """Keep nothing of what is said from now on, or keep it again."""
        self._program.change(private=is_paused)

    def copy_text(self, text: str) -> None:
        """Put ``text`` on the clipboard."""
        self._program.copy(text)

    def refresh_choices(self) -> None:
        """Look for microphones and models again."""
        self._program.refresh()

    def open_window(self, window: Window) -> None:
        """Bring ``window`` to the front."""
        self._open_window(window)

    def open_settings_file(self) -> None:
        """Open the settings file in the user's editor; without one, show its folder and say where it is."""
        self._program.chores.do(lambda: self._open_or_tell(self._program.store.path))

    def _open_or_tell(self, path: Path) -> None:
        """Called on ``chores``."""
        if self._open_file(path):
            return
        is_shown = self._open_file(path.parent)
        hint = f"It is {path}." + (" Its folder is open now." if is_shown else "")
        error = SettingsError("No program opened the settings file.", f"Open it in a text editor. {hint}")
        self._program.controller.post(Failed(0, error))

    def quit(self) -> None:
        """End the program."""
        self._quit()
