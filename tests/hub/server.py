"""Imitates huggingface.co: the list of a repository's files, and the files, which lie on a second address.

    GET  /api/models/OWNER/NAME/revision/REV?blobs=true   -> commit, names, sizes, checksums
    GET  /OWNER/NAME/resolve/COMMIT/FILE                  -> small files; large ones are a redirect (302) with
         X-Repo-Commit, X-Linked-Etag, X-Linked-Size      -> to http://127.0.0.1:SECOND/blob/SHA256

Range is understood unless told otherwise. ``faults`` are used up one by one by the requests for files; each
request is written down with where it began and how many bytes of body were sent.
"""

import contextlib
import hashlib
import json
import ssl
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "c0ffee" * 6 + "c0ff"
_SMALL_BYTES = 100_000  # larger ones are in LFS, as on the real hub
_PIECE_BYTES = 1 << 16


@dataclass
class Fault:
    """What goes wrong with one request for a file; ``file`` empty: whichever comes next."""

    file: str = ""
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    cut_at: int | None = None  # bytes of the body after which the connection is cut
    flip_at: int | None = None  # the byte with another bit
    length: int | None = None  # Content-Length to claim, and to send
    has_no_range: bool = False  # the whole file, status 200
    is_page: bool = False  # no file, but the page of a network that wants a login, of unknown length
    is_shifted: bool = False  # another range than was asked for
    silent_s: float = 0.0  # before the first byte


@dataclass
class Request:
    """A request that was answered."""

    path: str
    file: str
    start: int
    authorization: str
    sent_bytes: int = 0


def describe(folder: Path) -> tuple[list[dict[str, Any]], dict[str, Path]]:
    """What the hub says of the files in ``folder``, and the large ones by SHA-256."""
    siblings, blobs = [], {}
    for path in sorted(folder.iterdir()):
        size = path.stat().st_size
        is_large = size >= _SMALL_BYTES
        git = hashlib.sha1(f"blob {size}\0".encode() + (b"" if is_large else path.read_bytes())).hexdigest()
        entry: dict[str, Any] = {"rfilename": path.name, "size": size, "blobId": git}
        if is_large:
            with path.open("rb") as file:
                sha = hashlib.file_digest(file, "sha256").hexdigest()
            entry["lfs"] = {"sha256": sha, "size": size, "pointerSize": 134}
            blobs[sha] = path
        siblings.append(entry)
    return siblings, blobs


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that were killed are nothing to tell of."""


class FakeHub:
    """Serves the files of ``folder`` as the repository ``repository``. A context manager.

    ``bytes_per_s`` slows bodies down; ``certificate`` (certificate and key in one file) makes it HTTPS.
    """

    def __init__(self, folder: Path, repository: str, *, certificate: Path | None = None) -> None:
        self.folder, self.repository = folder, repository
        self.faults: list[Fault] = []
        self.api_faults: list[Fault] = []
        self.requests: list[Request] = []
        self.bytes_per_s = 0
        self.listing_changes: dict[str, Any] = {}  # of the answer about the repository
        self.lock = threading.Lock()
        self.siblings, self.blobs = describe(folder)
        self._servers = [_Server(("127.0.0.1", 0), self._handler(place)) for place in (0, 1)]
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._servers[0].socket = context.wrap_socket(self._servers[0].socket, server_side=True)
        scheme = "https" if certificate else "http"
        self.url = f"{scheme}://127.0.0.1:{self._servers[0].server_port}"
        self.second_url = f"http://127.0.0.1:{self._servers[1].server_port}"
        for server in self._servers:
            server.daemon_threads = True

    def __enter__(self) -> "FakeHub":
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,)) for server in self._servers
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def sent_bytes(self, file: str) -> int:
        """Of all bodies of ``file``."""
        with self.lock:
            return sum(request.sent_bytes for request in self.requests if request.file == file)

    def _handler(self, place: int) -> type[BaseHTTPRequestHandler]:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_args: object) -> None:
                """Be silent."""

            def do_GET(self) -> None:
                with contextlib.suppress(ConnectionError):
                    if self.path.startswith("/api/"):
                        hub.answer_api(self)
                    elif place == 0:
                        hub.answer_resolve(self)
                    else:
                        hub.answer_blob(self)

        return Handler

    def answer_api(self, handler: BaseHTTPRequestHandler) -> None:
        """The list of files."""
        fault = self.api_faults.pop(0) if self.api_faults else None
        if fault:
            self.fail(handler, fault)
        elif not handler.path.startswith(f"/api/models/{self.repository}/revision/"):
            self.fail(handler, Fault(status=404))
        else:
            answer = {"id": self.repository, "sha": COMMIT, "siblings": self.siblings} | self.listing_changes
            body = json.dumps(answer).encode()
            handler.send_response(200)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

    def answer_resolve(self, handler: BaseHTTPRequestHandler) -> None:
        """A small file, or the way to a large one."""
        head, _, name = handler.path.partition(f"/resolve/{COMMIT}/")
        entry = next((one for one in self.siblings if one["rfilename"] == name), None)
        if head != f"/{self.repository}" or entry is None:
            self.fail(handler, Fault(status=404))
        elif "lfs" in entry:
            handler.send_response(302)
            handler.send_header("Location", f"{self.second_url}/blob/{entry['lfs']['sha256']}")
            handler.send_header("X-Repo-Commit", COMMIT)
            handler.send_header("X-Linked-Etag", f'"{entry["lfs"]["sha256"]}"')
            handler.send_header("X-Linked-Size", str(entry["size"]))
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        else:
            self.send_file(handler, self.folder / name)

    def answer_blob(self, handler: BaseHTTPRequestHandler) -> None:
        """A large file."""
        path = self.blobs.get(handler.path.rpartition("/")[2])
        if path is None:
            self.fail(handler, Fault(status=404))
        else:
            self.send_file(handler, path)

    def send_file(self, handler: BaseHTTPRequestHandler, path: Path) -> None:
        """The body, with what is to go wrong."""
        asked = handler.headers.get("Range", "")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        request = Request(handler.path, path.name, start, handler.headers.get("Authorization", ""))
        with self.lock:
            self.requests.append(request)
            fault = next((one for one in self.faults if one.file in {"", path.name}), None)
            if fault:
                self.faults.remove(fault)
        fault = fault or Fault()
        size = path.stat().st_size
        if fault.status:
            self.fail(handler, fault)
            return
        if fault.is_page:
            handler.send_response(200)
            handler.end_headers()
            handler.wfile.write(b"<html>Who are you?</html>")
            handler.close_connection = True
            return
        if start >= size and start:
            self.fail(handler, Fault(status=416, headers={"Content-Range": f"bytes */{size}"}))
            return
        if fault.has_no_range:
            start, asked = 0, ""
        if fault.is_shifted:
            start = max(0, start - 10)
        handler.send_response(206 if asked else 200)
        length = fault.length if fault.length is not None else size - start
        handler.send_header("Content-Length", str(length))
        if asked:
            handler.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
        handler.end_headers()
        time.sleep(fault.silent_s)
        self.send_body(handler, path, request, fault, start=start, length=length)

    def send_body(
        self,
        handler: BaseHTTPRequestHandler,
        path: Path,
        request: Request,
        fault: Fault,
        *,
        start: int,
        length: int,
    ) -> None:
        """From ``start`` on, in pieces."""
        with path.open("rb") as file:
            file.seek(start)
            done = 0
            while done < length:
                piece = file.read(min(_PIECE_BYTES, length - done)) or bytes(min(_PIECE_BYTES, length - done))
                if fault.flip_at is not None and start + done <= fault.flip_at < start + done + len(piece):
                    at = fault.flip_at - start - done
                    piece = piece[:at] + bytes([piece[at] ^ 1]) + piece[at + 1 :]
                if fault.cut_at is not None and done + len(piece) > fault.cut_at:
                    piece = piece[: fault.cut_at - done]
                with self.lock:  # first: whoever has the last piece may ask at once
                    request.sent_bytes += len(piece)
                handler.wfile.write(piece)
                done += len(piece)
                if fault.cut_at is not None and done >= fault.cut_at:
                    handler.close_connection = True
                    handler.connection.close()
                    return
                if self.bytes_per_s:
                    time.sleep(len(piece) / self.bytes_per_s)

    def fail(self, handler: BaseHTTPRequestHandler, fault: Fault) -> None:
        """An error and nothing else."""
        handler.send_response(fault.status)
        for key, value in fault.headers.items():
            handler.send_header(key, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
