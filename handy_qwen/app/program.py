"""The parts of the running program except its windows: created, connected, configured and closed.

Slow imports (numpy, PortAudio, the model) happen on the threads ``chores`` and ``model-load``, after the tray
is shown. Until the parts exist, events wait in the controller's inbox.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from handy_qwen import paths
from handy_qwen.app import choices, machine
from handy_qwen.app.answers import Answers
from handy_qwen.app.choices import LanguageCheck, choices_of, kept_of, live_of, recent_with, rules_of
from handy_qwen.app.microphone import MicrophonePresenter
from handy_qwen.app.vocabulary import tell_of_words
from handy_qwen.control import ControlServer, Endpoint
from handy_qwen.core.effects import Effect
from handy_qwen.core.events import Configured, Failed, Noted, Request, Requested, Slept, Trouble
from handy_qwen.core.models import DEMO
from handy_qwen.core.types import Captured, CaptureStep, Hotkey, LiveMode, Method, OnCaptured, Rules
from handy_qwen.core.view import (
    MICROPHONE,
    SETTINGS,
    Choices,
    Notice,
    NoticeKind,
    Phase,
    View,
    ViewListener,
    Window,
)
from handy_qwen.engine.api import Model
from handy_qwen.errors import UNEXPECTED, HandyError, SettingsError
from handy_qwen.message import Message, reason_of
from handy_qwen.runtime import watchdog
from handy_qwen.runtime.controller import Controller, Ports
from handy_qwen.runtime.watchdog import Watch, Watchable, Watchdog, watches_of
from handy_qwen.runtime.worker import Close, Ending, Worker, in_order
from handy_qwen.settings import Settings, SettingsStore, SettingsView
from handy_qwen.system.entries import autostart_for, set_autostart
from handy_qwen.system.hotkeys import hotkeys_for
from handy_qwen.system.hotkeys.chord import require_unlike
from handy_qwen.system.insert import DEFAULT_METHOD, inserter_for
from handy_qwen.system.opening import open_with_desktop
from handy_qwen.system.priority import PerformanceBoost
from handy_qwen.system.session import Kind, session_of
from handy_qwen.transcriber.thread import EngineTranscriber

if TYPE_CHECKING:  # slow to import, see above
    from handy_qwen.app.surroundings import Surroundings
    from handy_qwen.audio.connection import Listed
    from handy_qwen.audio.microphones import Microphones
    from handy_qwen.audio.playback import Player, SoundCues
    from handy_qwen.audio.portaudio import PortAudio
    from handy_qwen.audio.recorder import MicrophoneRecorder
    from handy_qwen.history.disk import DiskHistory

logger = logging.getLogger(__name__)

CLOSE_S = 5.0  # limit for the whole shutdown: what Windows grants at the end of a session
TAKES_S, CYCLE_S = 1.5, 0.5  # of this, for takes to end, and for the cycle to be told


@dataclass(frozen=True)
class Parts:
    """The parts behind the tray, each with threads of its own."""

    ports: Ports  # used by the cycle; what follows is used beyond that
    recorder: MicrophoneRecorder
    transcriber: EngineTranscriber
    cues: SoundCues
    history: DiskHistory
    microphones: Microphones
    player: Player
    library: PortAudio  # a process can have only one
    surroundings: Surroundings

    def watchable(self) -> Watchable:
        """Their threads."""
        return {
            watchdog.MICROPHONE: self.recorder.thread,
            watchdog.PORTAUDIO: self.library,
            watchdog.ENGINE: self.transcriber.thread,
            watchdog.HISTORY: self.history.thread,
            watchdog.CUES: self.cues.thread,
            watchdog.PLAYBACK: self.player.thread,
            watchdog.HOTPLUG: self.microphones.hotplug,
            **self.ports.watchable(),
            **self.surroundings.workers(),
        }

    def telling(self) -> dict[str, Close]:
        """Functions that end those that still report to the history."""
        return {
            "hotkeys": self.ports.stop_hotkeys,
            "insertion": self.ports.inserter.close,
            "microphone": self.recorder.close,
        }

    def others(self) -> dict[str, Close]:
        """Functions that end the others, except the history."""
        return {
            "focus": self.ports.focus.stop,
            "looking": self.ports.looking.stop,
            "copying": self.ports.copying.stop,
            "engine": self.transcriber.close,
            "cues": self.cues.stop,
            "playback": self.player.close,
            "surroundings": self.surroundings.stop,
        }


class Program:
    """The program without its windows. Implements ``core.view.Commands``; any thread may call those.

    Args:
        quit_app: Ends the program. Called on any thread.
        is_hidden: Start without any notice.
        open_file: Opens a file or folder in the user's program; False: there is none.
        build: Makes the parts; None: those of this machine.
    """

    def __init__(
        self,
        quit_app: Callable[[], None],
        *,
        is_hidden: bool,
        open_file: Callable[[Path], bool] = open_with_desktop,
        build: Callable[[Program], Parts] | None = None,
    ) -> None:
        self._quit_app, self._open_file, self._build = quit_app, open_file, build or Program._build_here
        self._on_view: ViewListener | None = None
        self.on_rest: Callable[[], None] = lambda: None  # nothing was dictated for a while
        self._open_window: Callable[[Window], None] = lambda _window: None
        self._has_tray = True
        self._is_autostarted = False
        self._is_hidden = is_hidden  # the user has not been seen at the computer yet
        self._method: Method = DEFAULT_METHOD
        self._models = Choices().models
        self._connected = choices.Connected()
        self.parts: Parts | None = None  # until they are created. Any thread
        self._broken = HandyError(Message("Handy Qwen is still starting."), Message("Try again in a moment."))
        self._applied = Settings()
        self._is_built, self._is_closing = threading.Event(), threading.Event()
        self._is_revising = self.starts_again = False
        self.controller = Controller(self._run_effect, self._show)
        self._languages = LanguageCheck(self.controller.post)
        self.store = SettingsStore(
            paths.settings_file(),
            on_change=self._apply,
            on_problem=lambda error: self.controller.post(Trouble(SETTINGS, error)),
        )
        self._answers = Answers(self.controller.post, self.quit, self.open_window)
        self._control = ControlServer(Endpoint(paths.runtime_dir()), self._answers.answer)
        self.chores = Worker("chores", routine=self.store.reload_if_changed, pause_s=self.store.pause_s)
        self.autostart = Worker("autostart", is_lazy=True)  # the desktop may ask the user
        self.microphone = MicrophonePresenter(self.chores.do)
        self.watchdog = Watchdog(
            self._tell_trouble,
            lambda *said: self.controller.post(Noted(*said)),
            asleep_s=machine.asleep_s,
            has_slept=self._has_slept,
        )

    def start(
        self,
        on_view: ViewListener,
        open_window: Callable[[Window], None] = lambda _window: None,
        workers: Watchable | None = None,
        *,
        on_settings: Callable[[SettingsView], None] = lambda _shown: None,
        has_tray: bool = True,
    ) -> None:
        """Start working, behind the tray.

        Args:
            on_view: Called on the controller's thread with every new view.
            open_window: Brings a window to the front. Called on any thread.
            workers: Further threads to watch.
            on_settings: Called on any thread with the settings and the problems of their file.
            has_tray: Without a tray, a start by hand opens the main window.

        Raises:
            ControlError: Can't open the control socket.
        """
        self._on_view, self._open_window, self._has_tray = on_view, open_window, has_tray
        self.store.on_view = on_settings
        self._applied = self.store.load()
        self._control.start()
        self.chores.start()
        early = {
            watchdog.CHORES: self.chores,
            watchdog.AUTOSTART: self.autostart,
            watchdog.CONTROL: self._control.thread,
        }
        self.watchdog.add(watches_of({**early, **(workers or {})}))
        self.watchdog.start()  # startup may hang as well
        self.chores.do(self._start_up)

    def close(self, also: Mapping[str, Close] | None = None) -> None:
        """Shut everything down, including ``also``, in parallel and within ``CLOSE_S``.

        The history has priority: it is written to disk as soon as nothing more can reach it, or after
        ``TAKES_S``, whatever hangs. A take that is being recorded or transcribed is found there at the next
        start.
        """
        ending = Ending(CLOSE_S)
        self._is_closing.set()
        self.watchdog.stop(0.0)
        if self.chores.is_alive():
            self._is_built.wait(TAKES_S)  # else parts could be created that are never closed
        parts = self.parts
        telling: dict[str, Close] = {"control socket": self._control.close}  # reports to the history
        self.chores.do(self.store.flush)
        others: dict[str, Close] = {
            "chores": self.chores.stop,
            "autostart": lambda _left_s: self.autostart.stop(TAKES_S),  # even if the desktop is asking
            **(also or {}),
        }
        if parts is not None:
            telling |= parts.telling()
            others |= parts.others()
        begun = ending.begin(telling)
        ending.begin(others)
        ending.wait(begun, TAKES_S)
        in_order(lambda: self.controller.stop(min(CYCLE_S, ending.left_s())))
        if parts is not None:
            ending.begin({"history": parts.history.close})
        ending.leave()

    # --- chores --------------------------------------------------------------------------------------

    def _start_up(self) -> None:
        begin_s = time.monotonic()
        try:
            parts = self.parts = self._build(self)
            if not self._is_hidden:  # also if a window was opened meanwhile
                parts.ports.hotkeys.allow_questions()
        except Exception as exc:
            logger.exception("the program could not start completely")
            # Fails with the first effect, listening for hotkeys, which shows it.
            self._broken = exc if isinstance(exc, HandyError) else HandyError(*UNEXPECTED)
        self._is_built.set()
        if self._is_closing.is_set():
            return
        self.configure()
        may_open = not self._applied.set_up or not self._has_tray  # a window, which replaces the greeting
        if not (self._is_hidden or may_open):
            self._greet()
        self.controller.start()
        if self.parts is not None:
            self.parts.surroundings.start()
        self.watchdog.add(self._watches())  # before the rest, which may fail or take long
        logger.info("ready to record after %.1f s", time.monotonic() - begin_s)
        if self.parts is not None:
            self.parts.transcriber.use_model(self._applied.model)
        self.list_models()
        self._show_autostart()
        if choices.is_guide_due(self._applied, self._models, is_hidden=self._is_hidden):
            self._open_window(Window.SETUP)
            self._change({"set_up": True})
        elif not self._is_hidden and not self._has_tray:
            self._open_window(Window.MAIN)  # where a full model is offered
        else:
            if not self._is_hidden and may_open:
                self._greet()
            self._tell_of_demo()

    def _greet(self) -> None:
        self.controller.post(Requested(Request.SHOW, time.monotonic()))

    def _watches(self) -> list[Watch]:
        """The threads to watch once all exist."""
        parts = self.parts.watchable() if self.parts is not None else {}
        return watches_of({watchdog.CYCLE: self.controller.thread, **parts})

    def _tell_trouble(self, subject: str, error: HandyError | None) -> None:
        """A thread has died or hangs. Called on the watchdog's thread."""
        if subject != watchdog.CYCLE.subject and self.controller.is_running():
            self.controller.post(Trouble(subject, error))
        elif error is None:
            self.controller.show_again()
        else:  # the cycle cannot show it
            notice = Notice(sys.maxsize, NoticeKind.FAILED, error.title, error.hint, is_lasting=True)
            self._show(View(phase=Phase.PROBLEM, notices=(notice,)))

    def _tell_of_demo(self) -> None:
        """Say that this is only the demo model, also after a hidden start."""
        if not self._applied.model and self._models and self._models[0].name == DEMO:
            self.controller.post(choices.demo_notice(has_tray=self._has_tray))

    def _build_here(self) -> Parts:
        from handy_qwen.app.surroundings import Surroundings
        from handy_qwen.audio.microphones import Microphones
        from handy_qwen.audio.playback import Player, SoundCues
        from handy_qwen.audio.portaudio import PortAudio
        from handy_qwen.audio.recorder import MicrophoneRecorder
        from handy_qwen.history.disk import DiskHistory
        from handy_qwen.history.store import default_folder

        post, settings = self.controller.post, self._applied
        session = session_of(os.environ)
        if session.kind is Kind.WAYLAND:
            machine.write_menu_entry()
        inserter = inserter_for(post, session, may_release=lambda: not self.controller.is_key_injected())
        may_ask = not self._is_hidden
        hotkeys = hotkeys_for(post, session, was_injecting=inserter.was_injecting, may_ask=may_ask)
        library = PortAudio()
        cues = SoundCues(library, paths.asset("sounds"), is_on=settings.sounds)
        microphones, player = Microphones(library), Player(library)
        recorder = MicrophoneRecorder(
            post,
            microphones,
            wish=choices.wish_of(settings),
            warm_s=choices.warm_s_of(settings),
            on_devices=self.on_devices,
            on_trouble=lambda error: post(Trouble(MICROPHONE, error)),
        )
        recorder.launch()
        self.microphone.connect(recorder, player)
        transcriber = EngineTranscriber(
            post,
            self._load_model,
            name=settings.model,
            live_mode=self.live_mode,
            idle_s=lambda: choices.idle_s_of(self.store.value),
            at_work=PerformanceBoost(),
            on_rest=self._at_rest,
        )
        history = DiskHistory(post, default_folder(), lambda: kept_of(self.store.value))
        history.start()
        surroundings = Surroundings(post, recorder, lambda: self.store.value.while_recording)
        attempt = self.controller.attempt
        ports = Ports(hotkeys, recorder, transcriber, inserter, cues, history, post, attempt, machine.moment)
        return Parts(ports, recorder, transcriber, cues, history, microphones, player, library, surroundings)

    def list_models(self) -> None:
        """List the models. Slow: it imports the engine. Called on ``chores``."""
        try:
            self._models = choices.listed_models()
        except HandyError as exc:  # the previous list stays in the menu
            self.controller.post(Failed(0, exc))
        self.configure()

    def _show_autostart(self) -> None:
        self._is_autostarted = autostart_for().state().is_on
        self.configure()

    def model_in_use(self) -> str:
        """The name of the model in use; "" before the models are known. Any thread."""
        return self._applied.model or (self._models[0].name if self._models else "")

    def rules(self) -> Rules:
        """The settings of the dictation cycle. Any thread."""
        return rules_of(self._applied, self._method)

    # --- commands ------------------------------------------------------------------------------------

    def change(self, **changes: object) -> None:
        """Change settings by name. Any thread; returns at once."""
        if "language" in changes:
            recent = recent_with(str(changes["language"]), self.store.value.recent_languages)
            changes["recent_languages"] = recent
        self.chores.do(lambda: self._change(changes))

    def capture_hotkey(self, on_captured: OnCaptured) -> Callable[[], None]:
        """See ``core.view.Commands``. Any thread; returns at once."""
        if self.parts is not None:
            return self.parts.ports.capture_hotkey(on_captured)
        on_captured(Captured(CaptureStep.FAILED, error=self._broken))
        return lambda: None

    def configure_hotkeys(self, bind: bool | None) -> None:
        """See ``core.view.Commands``. Any thread; returns at once."""
        if self.parts is not None:
            self.parts.ports.configure_hotkeys(bind)

    def allow_keys(self) -> None:
        """See ``core.view.Commands``. Any thread; returns at once."""
        if self.parts is not None:
            self.parts.ports.inserter.allow_keys()

    def use_hotkeys(
        self, hotkeys: Sequence[Hotkey], place: int | None, on_used: Callable[[HandyError | None], None]
    ) -> None:
        """See ``core.view.Commands``. Any thread; returns at once. ``on_used`` is called on ``chores``."""
        self.chores.do(lambda: on_used(self._use_hotkeys(tuple(hotkeys), place)))

    def _use_hotkeys(self, hotkeys: tuple[Hotkey, ...], place: int | None) -> HandyError | None:
        try:
            if place is not None:
                require_unlike(hotkeys, place)
            if place is not None and self.parts is not None:
                self.parts.ports.hotkeys.check(hotkeys[place : place + 1])
        except HandyError as exc:
            return exc
        self._change({"hotkeys": hotkeys})
        return None

    def repair_settings(self) -> None:
        """See ``core.view.Commands``. Any thread; returns at once."""
        self.chores.do(lambda: self._repair(self.store.repair))

    def fix_key(self, place: tuple[str | int, ...], *, is_meant: bool) -> None:
        """See ``core.view.Commands``. Any thread; returns at once."""
        self.chores.do(lambda: self._repair(partial(self.store.fix_key, place, is_meant=is_meant)))

    def _repair(self, repair: Callable[[], None]) -> None:
        try:
            repair()
        except HandyError as exc:
            self.controller.post(Failed(0, exc))

    def revise(self, changes: Callable[[Settings], Mapping[str, object]]) -> Settings:
        """Change lists of the settings, for a window that shows the outcome. Any thread; may wait.

        See ``SettingsStore.revise``.
        """
        self._is_revising = True
        try:
            return self.store.revise(changes)
        finally:
            self._is_revising = False

    def play_sounds(self) -> None:
        """See ``core.view.Commands``. Any thread; returns at once."""
        if self.parts is not None:
            self.parts.cues.preview()

    def use_microphone(self, name: str) -> None:
        """See ``core.view.Commands``. Any thread; returns at once."""
        self.chores.do(lambda: self._change({"microphones": (name, *self.store.value.microphones)}))

    def use_autostart(self, is_on: bool) -> None:
        """See ``core.view.Commands``. Any thread; returns at once."""

        def use() -> None:
            try:
                set_autostart(is_on)
            except HandyError as exc:
                self.controller.post(Failed(0, exc))
            self._show_autostart()

        self.autostart.do(use)

    def copy_text(self, text: str) -> None:
        """See ``core.view.Commands``. Any thread; returns at once."""
        if self.parts is not None:
            self.parts.ports.copy_text(text)
        else:
            self.controller.post(Failed(0, self._broken))

    def refresh_choices(self) -> None:
        """See ``core.view.Commands``. Any thread; returns at once."""
        if self.parts is not None:
            self.parts.recorder.refresh_devices()
        self.chores.do(self.list_models)
        self.autostart.do(self._show_autostart)

    def open_window(self, window: Window) -> None:
        """See ``core.view.Commands``. Any thread; returns at once."""
        self._is_hidden = False
        if self.parts is not None:
            self.parts.ports.hotkeys.allow_questions()
        self._open_window(window)

    def open_settings_file(self) -> None:
        """See ``core.view.Commands``. Any thread; returns at once."""
        self.chores.do(self._open_settings_file)

    def quit(self, *, and_again: bool = False) -> None:
        """See ``core.view.Commands``. Any thread; returns at once."""
        self.starts_again = and_again
        self._quit_app()

    def _open_settings_file(self) -> None:
        """Open it in the user's editor, or else show its folder and say where it is."""
        path = self.store.path
        if self._open_file(path):
            return
        self._open_file(path.parent)
        hint = Message("Open {path} in a text editor.", path=path)
        self.controller.post(Failed(0, SettingsError(Message("No program opened the settings file."), hint)))

    # --- settings ------------------------------------------------------------------------------------

    def _change(self, changes: dict[str, object]) -> None:
        try:
            self.store.update(**changes)
        except ValueError as exc:  # names the setting, not its value
            reason = Message("{problem}.", problem=reason_of(exc))
            self.controller.post(Failed(0, HandyError(Message("The setting was not changed."), reason)))

    def _apply(self, new: Settings) -> None:
        """The settings have changed. Called on the thread that changed them, never on two at once."""
        old, self._applied = self._applied, new
        if (parts := self.parts) is not None:
            if choices.recorded_with(new) != choices.recorded_with(old):
                parts.recorder.configure(choices.wish_of(new), choices.warm_s_of(new))
            if choices.loaded_with(new) != choices.loaded_with(old):
                parts.transcriber.use_model(new.model)
            parts.transcriber.wake()  # the idle time may be over by now
            if kept_of(new) != kept_of(old):
                parts.history.tidy()
            parts.cues.is_on = new.sounds
        if (new.custom_words, new.model) != (old.custom_words, old.model) and not self._is_revising:
            tell_of_words(new, self.controller.post)
        self.configure()

    def configure(self) -> None:
        """Pass settings and choices to the cycle and the menus. Any thread."""
        settings = self._applied
        self._languages.look(settings)
        self.controller.post(
            Configured(
                rules_of(settings, self._method),
                choices_of(
                    settings,
                    self._method,
                    self._models,
                    self._connected,
                    is_autostarted=self._is_autostarted,
                ),
            )
        )

    # --- called by the parts -------------------------------------------------------------------------

    def level_db(self) -> float:
        """The level of the current take. Implements ``core.view.Meter``."""
        return self.parts.recorder.level_db() if self.parts is not None else -100.0

    def _has_slept(self, for_s: float) -> None:
        """Called on the watchdog's thread."""
        if self.parts is not None:
            self.parts.surroundings.has_slept(for_s)
        else:
            self.controller.post(Slept(for_s))

    def _run_effect(self, effect: Effect) -> None:
        if self.parts is None:
            raise self._broken
        self.parts.ports.run(effect)

    def _show(self, view: View) -> None:
        self._languages.look(self._applied, view.choices)
        self._answers.on_view(view)
        if self.parts is not None:
            self.parts.surroundings.on_view(view)
        if self._on_view is not None:
            self._on_view(view)

    def on_devices(self, listed: Listed) -> None:
        """There are other microphones than before. Called on the microphone's thread."""
        self._connected = choices.connected_of(listed)
        self.configure()

    def live_mode(self) -> LiveMode:
        """How much is transcribed while the user speaks. Called on the engine's thread."""
        return live_of(self.store.value, is_on_battery=machine.is_on_battery())

    def is_engine_idle(self) -> bool:
        """Whether no take waits for its text or is being recorded. Any thread."""
        return self.parts is None or self.parts.transcriber.is_idle()

    def _at_rest(self) -> None:
        """Called on the engine's thread."""
        if not machine.is_on_battery():
            self.on_rest()

    def _load_model(self, name: str) -> Model:
        """Called on ``model-load``."""
        from handy_qwen.models.installed import load_recognizer

        settings = self.store.value
        return load_recognizer(name, settings.threads or None, use_devices=settings.use_devices)
