"""A sway of a few lines: bindings, modes and a configuration, over a real socket."""

import contextlib
import itertools
import json
import re
import socket
import struct
import threading

HEADER = struct.Struct("=6sII")
EVENTS = {"workspace": 0, "mode": 2, "binding": 5, "shutdown": 6}


class FakeSway:
    """One client at a time. ``bound`` are the commands of the bindings, by options and keys."""

    def __init__(self, folder, config=""):
        self.path = str(folder / "sway.sock")
        self.config_file = str(folder / "config")
        self.config, self.mode, self.refuses = config, "default", ()
        self.bound, self.commands, self.done = {}, [], []
        self._client = None
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._listener.close()
        self.drop()

    def drop(self):
        """End the connection, as a sway that crashes does."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):  # it has gone by itself
                client.shutdown(socket.SHUT_RDWR)

    def press(self, keys):
        self._fire("--no-repeat", keys)

    def release(self, keys):
        self._fire("--release", keys)

    def reload(self):
        """The configuration is read again."""
        self.bound.clear()
        self.tell("workspace", {"change": "reload"})

    def enter(self, mode):
        self.mode = mode
        self.tell("mode", {"change": mode})

    def tell(self, event, said):
        self.send(EVENTS[event] | 1 << 31, json.dumps(said).encode())

    def send(self, kind, body):
        assert self._client is not None, "nobody is connected"
        self._client.sendall(HEADER.pack(b"i3-ipc", len(body), kind) + body)

    def _fire(self, option, keys):
        if (command := self.bound.get((option, keys))) is not None:
            self.tell("binding", {"change": "run", "binding": {"command": command}})

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._client = client
            with contextlib.suppress(OSError), client, client.makefile("rb") as stream:
                while len(header := stream.read(HEADER.size)) == HEADER.size:
                    _, size, kind = HEADER.unpack(header)
                    answer = self._answer(kind, stream.read(size).decode())
                    body = json.dumps(answer).encode()
                    client.sendall(HEADER.pack(b"i3-ipc", len(body), kind) + body)

    def _answer(self, kind, text):
        if kind == 0:
            return [{"success": self._run(text)}]
        if kind == 2:
            return {"success": True}
        if kind == 7:
            return {"loaded_config_file_name": self.config_file}
        if kind == 9:
            return {"config": self.config}
        return {"name": self.mode} if self.mode else []

    def _run(self, text):
        self.commands.append(text)
        command, *words = text.split()
        if command == "mode":
            self.enter(words[0])
            return True
        options = list(itertools.takewhile(lambda word: word.startswith("--"), words))
        keys, *rest = words[len(options) :]
        how = "--release" if "--release" in options else "--no-repeat"
        if keys in self.refuses or self.mode != "default":
            return False
        if command == "bindsym":
            bound = " ".join(rest)
            if bound[0] in "'\"":
                bound = bound.strip(bound[0])
            else:
                bound, *others = re.sub("['\"]", "", bound).split(";")
                self.done += others
            self.bound[how, keys] = bound
            return True
        return self.bound.pop((how, keys), None) is not None
