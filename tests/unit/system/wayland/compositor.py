"""A compositor of a few lines: data control, a virtual keyboard, and a seat, over a real socket."""

import contextlib
import os
import socket
import struct
import threading

from handy_qwen.system.wayland import clipboard, keyboard, wire

PROTOCOL = clipboard.PROTOCOLS[1]
KINDS = {
    one.name: one
    for one in (
        wire.DISPLAY,
        wire.REGISTRY,
        wire.CALLBACK,
        wire.SEAT,
        wire.KEYBOARD,
        PROTOCOL.manager,
        PROTOCOL.device,
        PROTOCOL.source,
        PROTOCOL.device.made["data_offer"],
        keyboard.MANAGER,
        keyboard.VIRTUAL,
    )
}
MADE = {
    ("wl_display", "get_registry"): wire.REGISTRY,
    ("wl_display", "sync"): wire.CALLBACK,
    ("wl_seat", "get_keyboard"): wire.KEYBOARD,
    (PROTOCOL.manager.name, "create_data_source"): PROTOCOL.source,
    (PROTOCOL.manager.name, "get_data_device"): PROTOCOL.device,
    (keyboard.MANAGER.name, "create_virtual_keyboard"): keyboard.VIRTUAL,
}
FIRST_OF_SERVER = 0xFF000000
HAS_KEYBOARD = 2


class Compositor:
    """One client at a time. ``offers`` are what it offers, ``keys`` what was pressed."""

    kinds, made = KINDS, MADE

    def __init__(self, folder, *, offers=None, keymap=b"the seat's keymap\0"):
        self.path = str(folder / "wayland")
        self.offers = offers or {"wl_seat": 1, PROTOCOL.manager.name: 2, keyboard.MANAGER.name: 1}
        self.keymap, self.keys, self.keymaps = keymap, [], []
        self.is_deaf = False
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self._lock = threading.RLock()
        self._client = None
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._listener.close()
        self.drop()

    def drop(self):
        """End the connection, as a compositor that crashes does."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError):  # it has gone by itself
                client.shutdown(socket.SHUT_RDWR)

    def listens_to_keyboard(self):
        """Whether the client has a keyboard of the seat."""
        return wire.KEYBOARD in self._objects.values()

    def babble(self, data):
        """Send ``data``, which need not be a message."""
        assert self._client is not None, "nobody is connected"
        self._client.sendall(data)

    def copied(self, selection, content):
        """Another program owns ``selection`` from now on; None: nobody does."""
        with self._lock:
            self._cancel(selection)
            self._owners[selection] = content
            self._announce(selection)

    def paste(self, selection, kind="text/plain"):
        """What another program gets when it pastes; None: nothing is there."""
        with self._lock:
            owner = self._owners.get(selection)
            if owner is None or isinstance(owner, dict):
                return owner and owner.get(kind)
            reader, writer = os.pipe()
            self._tell(owner, 0, b"", kind.encode(), fd=writer)
            os.close(writer)
        data = b""
        while piece := os.read(reader, 4096):
            data += piece
        os.close(reader)
        return data

    def offered(self, selection):
        """The kinds that our client offers there."""
        owner = self._owners.get(selection)
        return None if owner is None or isinstance(owner, dict) else self._kinds[owner]

    # --- the wire ---

    def _serve(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._client, self._objects = client, {1: wire.DISPLAY}
                self._device, self._next = None, FIRST_OF_SERVER
                self._owners, self._kinds, self._dead = {}, {}, set()
            with contextlib.suppress(OSError):
                self._listen(client)
            client.close()

    def _listen(self, client):
        data, fds = b"", list[int]()
        while True:
            more, new, _, _ = socket.recv_fds(client, 4096, 28)
            if not more:
                return
            data, fds = data + more, fds + new
            while len(data) >= 8:
                number, word = struct.unpack_from("=II", data)
                if len(data) < word >> 16:
                    break
                body, data = data[8 : word >> 16], data[word >> 16 :]
                with self._lock:
                    self._hear(number, word & 0xFFFF, body, fds)

    def _hear(self, number, opcode, body, fds):
        if number not in self._objects:
            self._tell(1, 0, struct.pack("=II", 1, 0), b"invalid object")
            return
        interface = self._objects[number]
        name, _, types = interface.requests[opcode].partition(" ")
        values, place = [], 0
        for kind in types:
            if kind == "h":
                values.append(fds.pop(0))
                continue
            (value,) = struct.unpack_from("=I", body, place)
            place += 4
            if kind == "s":
                text = body[place : place + value - 1].decode()
                place += -(-value // 4) * 4
                value = text
            if kind == "n":
                self._objects[value] = self.made.get((interface.name, name)) or self.kinds[values[1]]
            values.append(value)
        if not self.is_deaf:
            getattr(self, f"_{name}")(number, *values)

    def _tell(self, number, opcode, body, text=None, fd=None):
        if text is not None:
            text += b"\0"
            body += struct.pack("=I", len(text)) + text + bytes(-len(text) % 4)
        message = struct.pack("=II", number, (len(body) + 8) << 16 | opcode) + body
        if self._client is None:
            raise BrokenPipeError  # the client was dropped while it asked
        socket.send_fds(self._client, [message], [fd] if fd is not None else [])

    # --- requests ---

    def _sync(self, _number, callback):
        self._tell(callback, 0, struct.pack("=I", 0))
        self._tell(1, 1, struct.pack("=I", callback))
        del self._objects[callback]

    def _get_registry(self, _number, registry):
        for place, (name, version) in enumerate(self.offers.items(), start=1):
            word = name.encode() + b"\0"
            body = struct.pack("=II", place, len(word)) + word + bytes(-len(word) % 4)
            self._tell(registry, 0, body + struct.pack("=I", version))

    def _bind(self, _number, _place, name, _version, made):
        if name == "wl_seat":
            self._tell(made, 0, struct.pack("=I", HAS_KEYBOARD if self.keymap is not None else 0))

    def _get_keyboard(self, _number, made):
        file = os.memfd_create("keymap")
        os.write(file, self.keymap)
        has_one = bool(self.keymap)
        message = struct.pack("=II", int(has_one), len(self.keymap))
        self._tell(made, 0, message, fd=file)
        os.close(file)

    def _create_data_source(self, _number, made):
        self._kinds[made] = []

    def _get_data_device(self, _number, made, _seat):
        self._device = made

    def _offer(self, number, kind):
        self._kinds[number].append(kind)

    def _set_selection(self, _number, source):
        self._set("selection", source)

    def _set_primary_selection(self, _number, source):
        self._set("primary_selection", source)

    def _set(self, selection, source):
        self._cancel(selection)
        self._owners[selection] = source or None
        self._announce(selection)

    def _cancel(self, selection):
        owner = self._owners.get(selection)
        if isinstance(owner, int):
            for _ in range(2):  # as KWin does
                self._tell(owner, 1, b"")

    def _announce(self, selection):
        owner, opcode = self._owners[selection], 1 if selection == "selection" else 3
        if owner is None:
            self._tell(self._device, opcode, struct.pack("=I", 0))
            return
        offer = self._next
        self._next += 1
        self._objects[offer] = PROTOCOL.device.made["data_offer"]
        self._tell(self._device, 0, struct.pack("=I", offer))
        for kind in owner if isinstance(owner, dict) else self._kinds[owner]:
            self._tell(offer, 0, b"", kind.encode())
        self._tell(self._device, opcode, struct.pack("=I", offer))
        self._kinds[offer] = owner

    def _receive(self, number, kind, file):
        content = self._kinds[number]
        data = content[kind] if isinstance(content, dict) else b""
        with os.fdopen(file, "wb") as pipe:
            if data is not None:
                pipe.write(data)
            else:  # a program that hangs
                self._hanging = os.dup(file)

    def _destroy(self, number):
        del self._objects[number]

    def _create_virtual_keyboard(self, *_):
        pass

    def _keymap(self, _number, _format, file, size):
        self.keymaps.append(os.pread(file, size, 0))
        os.close(file)

    def _key(self, _number, _time, code, state):
        self.keys.append((code, state))

    def _modifiers(self, _number, held, *_):
        self.keys.append(("held", held))
