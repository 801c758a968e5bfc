"""A proxy on this machine: HTTP (requests and CONNECT) and SOCKS 5, told apart by the first byte."""

import base64
import contextlib
import socket
import struct
import threading
from urllib.parse import urlsplit


class LocalProxy:
    """Passes connections on, and writes down where to. A context manager; ``user`` is "name:password".

    Of all it carries back it breaks off once, after ``cut`` bytes, if that is not 0.
    """

    def __init__(self, *, user: str = "", cut: int = 0) -> None:
        self.user = user
        self.cut = cut
        self.seen: list[str] = []  # kind and target of each connection
        self._server = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._server.getsockname()[1]}"

    def __enter__(self) -> "LocalProxy":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError, EOFError):
            first = client.recv(1)
            if first == b"\x05":
                self._socks(client)
            elif first:
                self._http(client, first)

    def _socks(self, client: socket.socket) -> None:
        methods = _exactly(client, _exactly(client, 1)[0])
        if self.user:
            if 2 not in methods:
                client.sendall(b"\x05\xff")
                return
            client.sendall(b"\x05\x02")
            _exactly(client, 1)
            name = _exactly(client, _exactly(client, 1)[0])
            password = _exactly(client, _exactly(client, 1)[0])
            is_right = name + b":" + password == self.user.encode()
            client.sendall(b"\x01\x00" if is_right else b"\x01\x01")
            if not is_right:
                return
        else:
            client.sendall(b"\x05\x00")
        _version, _command, _reserved, kind = _exactly(client, 4)
        host = (
            socket.inet_ntoa(_exactly(client, 4))
            if kind == 1
            else _exactly(client, _exactly(client, 1)[0]).decode()
        )
        (port,) = struct.unpack(">H", _exactly(client, 2))
        target = self._reach("socks", host, port)
        if target is None:
            client.sendall(b"\x05\x05\x00\x01" + bytes(6))
            return
        with target:
            client.sendall(b"\x05\x00\x00\x01" + bytes(6))
            self._pump(client, target)

    def _http(self, client: socket.socket, head: bytes) -> None:
        while b"\r\n\r\n" not in head:
            head += client.recv(4096) or _end()
        lines = head.split(b"\r\n")
        wanted = b"proxy-authorization: basic " + base64.b64encode(self.user.encode()).lower()
        if self.user and wanted not in [line.lower() for line in lines]:
            client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
            return
        method, url, version = lines[0].split(b" ")
        if method == b"CONNECT":
            host, _, port = url.decode().rpartition(":")
            target = self._reach("connect", host, int(port))
            if target is None:
                client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
                return
            with target:
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self._pump(client, target)
            return
        parts = urlsplit(url.decode())
        target = self._reach("http", parts.hostname or "", parts.port or 80)
        if target is None:
            client.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
            return
        with target:
            path = url.decode().partition(parts.netloc)[2].encode()
            kept = [line for line in lines[1:] if not line.lower().startswith(b"connection:")]
            first = [b" ".join([method, path, version]), b"Connection: close"]  # the next may go elsewhere
            target.sendall(b"\r\n".join([*first, *kept]))
            self._pump(client, target)

    def _reach(self, kind: str, host: str, port: int) -> socket.socket | None:
        self.seen.append(f"{kind} {host}:{port}")
        with contextlib.suppress(OSError):
            return socket.create_connection(("127.0.0.1", port))  # every name is this machine
        return None

    def _pump(self, client: socket.socket, target: socket.socket) -> None:
        def forth() -> None:
            with contextlib.suppress(OSError):
                while data := client.recv(65536):
                    target.sendall(data)
                target.shutdown(socket.SHUT_WR)

        threading.Thread(target=forth, daemon=True).start()
        while data := target.recv(65536):
            if self.cut:
                data = data[: self.cut]
                self.cut -= len(data)
                if not self.cut:
                    client.sendall(data)
                    return
            client.sendall(data)


def _exactly(client: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        data += client.recv(count - len(data)) or _end()
    return data


def _end() -> bytes:
    raise EOFError
