"""The recorder in a process of its own: what hangs in it, hangs it alone.

Run with a folder as the argument. Reads a command a line from its standard input (``start 1``, ``stop 1``,
``cancel 1``, ``cue``, ``use NAME,…``, ``spare HEADSET``, ``warm``, ``cold``, ``count``, ``exit``,
``close SECONDS``), writes an event a line to its standard output, as JSON with the time, and keeps each take
as ``<folder>/<take>.npy``.
"""

import json
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil

from handy_qwen.audio.devices import Wish
from handy_qwen.audio.microphones import Microphones
from handy_qwen.audio.playback import SoundCues
from handy_qwen.audio.portaudio import PortAudio
from handy_qwen.audio.recorder import MicrophoneRecorder
from handy_qwen.core.events import EndCause, Failed, RecordingEnded
from handy_qwen.paths import asset


class Process:
    """The recorder, its takes, and the conversation."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blocks: dict[int, list] = {}
        library = PortAudio()
        self.cues = SoundCues(library, asset("sounds"), is_on=True)
        self.recorder = MicrophoneRecorder(self.post, Microphones(library), on_devices=self.tell_devices)
        self.recorder.launch()

    def tell(self, what: str, **facts) -> None:
        line = json.dumps({"event": what, "at_s": time.monotonic()} | facts)
        sys.stdout.write(line + "\n")  # one write: several threads tell
        sys.stdout.flush()

    def tell_devices(self, listed) -> None:
        self.tell("devices", names=[device.name for device in listed.devices])

    def post(self, event) -> None:
        facts = {name: getattr(event, name) for name in event.__slots__}
        facts = {name: value.name if isinstance(value, EndCause) else value for name, value in facts.items()}
        if isinstance(event, Failed):
            facts["error"] = event.error.reason.name
        if isinstance(event, RecordingEnded):
            blocks = self.blocks.pop(event.take)
            np.save(self.folder / f"{event.take}.npy", np.concatenate([np.zeros(0, np.float32), *blocks]))
        self.tell(type(event).__name__, **facts)

    def run(self) -> None:
        for line in sys.stdin:
            command, _, argument = line.strip().partition(" ")
            self.tell("command", text=line.strip())
            match command:
                case "start":
                    blocks = self.blocks[int(argument)] = []
                    self.recorder.start(int(argument), blocks.append)
                case "stop":
                    self.recorder.stop(int(argument))
                case "cancel":
                    self.recorder.cancel(int(argument))
                case "cue":
                    self.cues.started()
                case "use":
                    self.recorder.configure(Wish(tuple(argument.split(","))), 30.0)
                case "spare":
                    self.recorder.configure(Wish((argument,), avoids_headsets=True), 0.0)
                case "warm" | "cold":
                    self.recorder.configure(Wish(), 30.0 if command == "warm" else 0.0)
                case "count":
                    memory = psutil.Process().memory_info().rss / 1e6
                    self.tell("count", threads=threading.active_count(), memory_mb=memory)
                case "exit":
                    return  # as a program does that forgets to close
                case "close":
                    self.recorder.close(float(argument))
                    self.tell("closed")
                    return


if __name__ == "__main__":
    Process(Path(sys.argv[1])).run()
