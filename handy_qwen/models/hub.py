"""The hub: what a repository holds at one commit, and the bytes of a file from a given one on.

Files are not downloaded by ``hf_hub_download``: it keeps nothing of a download that broke off, cannot be
stopped while it waits, and checks no checksum. huggingface_hub provides the HTTP client (with the proxies of
``proxies.py``), HF_ENDPOINT, addresses and the cache. Xet is not used: its transfers cannot be resumed.

Checksums: large files have a SHA-256 (LFS), small ones the SHA-1 that git gives a blob. Both are taken from
the hub's own answer about the commit and from nowhere else; a file without either is refused.

Privacy: nothing but the request itself is sent. A token is sent only if HF_TOKEN is set, never the one that a
login of another program has left; the client drops it when it is redirected to another host.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import queue
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import httpx2
from huggingface_hub import constants, get_session, hf_hub_url, set_client_factory
from huggingface_hub.errors import OfflineModeIsEnabled

from handy_qwen import __version__
from handy_qwen.engine.json_files import MAX_BYTES, parse_object, read_object
from handy_qwen.errors import DownloadError, DownloadReason, HandyError
from handy_qwen.message import Message, sentences
from handy_qwen.models.catalogue import CatalogueModel
from handy_qwen.models.proxies import ProxyFailedError, make_client

COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PIECE_BYTES = 1 << 20
_POLL_S = 0.05
_PIECES_AHEAD = 8  # in memory; a piece is what the network gives at a time, at most 64 kB
_RETRY_STATUS = {408, 425, 429, 500, 502, 503, 504}
_LATER = Message("What was downloaded is kept; try again later.")
_TRANSPORT_ERRORS = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, UnicodeError)
"""What a request may raise. UnicodeError is for names that no host can have."""
set_client_factory(make_client)


class TransientError(Exception):
    """A failure that may go away.

    ``error`` is what to say if it does not, ``wait_s`` what the hub asks for, and ``has_grown`` whether more
    is here than ever before.
    """

    def __init__(self, error: HandyError, wait_s: float | None = None) -> None:
        super().__init__(error.title)
        self.error = error
        self.wait_s = wait_s
        self.has_grown = False


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file at a commit. ``sha256`` or, if that is empty, ``git_sha1`` is known; both are hexadecimal."""

    name: str
    size_bytes: int
    sha256: str = ""
    git_sha1: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be checked or would be written elsewhere.

        Raises:
            ValueError: A field is out of range.
        """
        is_known = _SHA256.fullmatch(self.sha256) or COMMIT.fullmatch(self.git_sha1)
        if not is_known or self.size_bytes < 0 or Path(self.name).name != self.name or self.name[:1] == ".":
            raise ValueError("a file without size or checksum")

    def is_in(self, path: Path, on_read: Callable[[int], None]) -> bool:
        """Whether ``path`` holds this file, to the last bit. ``on_read`` gets the bytes of each piece.

        Raises:
            OSError: It cannot be read.
        """
        size = path.stat().st_size
        if size != self.size_bytes:
            return False
        if self.sha256:
            digest = hashlib.sha256()
        else:
            digest = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
                on_read(len(piece))
        return digest.hexdigest() == (self.sha256 or self.git_sha1)


@dataclass(frozen=True, slots=True)
class Listing:
    """The files of ``repository`` at ``commit``, to which ``revision`` pointed."""

    repository: str
    revision: str
    commit: str
    files: tuple[HubFile, ...]

    def save(self, path: Path) -> None:
        """Keep it, so that a download can be finished, and checked, without asking the hub again."""
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")


def load_listing(path: Path) -> Listing | None:
    """What ``save`` kept; None if there is nothing, or nothing valid (it is then asked for again)."""
    try:
        raw = read_object(path)
        files = tuple(HubFile(**entry) for entry in raw.pop("files"))
        return Listing(**raw, files=files)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _parse_listing(repository: str, revision: str, raw: dict[str, Any]) -> Listing:
    if not COMMIT.fullmatch(raw["sha"]):
        raise ValueError("no commit")
    files = []
    for entry in raw["siblings"]:
        name, lfs = str(entry["rfilename"]), entry.get("lfs") or {}
        if "/" in name or "\\" in name or name.startswith("."):
            continue  # none of these is ever downloaded
        size, sha256 = int(lfs.get("size", entry["size"])), str(lfs.get("sha256", ""))
        files.append(HubFile(name, size, sha256, "" if lfs else str(entry["blobId"])))
    return Listing(repository, revision, raw["sha"], tuple(files))


def choose_files(model: CatalogueModel, listing: Listing) -> tuple[HubFile, ...]:
    """The files of ``listing`` that ``model`` needs, the smallest first: what is wrong shows early.

    Raises:
        DownloadError: One that it cannot do without is not there.
    """
    wanted: dict[str, HubFile] = {}
    for entry in (*model.files, *model.optional):
        matches = (
            [file for file in listing.files if fnmatch.fnmatchcase(file.name, pattern.strip())]
            for pattern in entry.split("|")
        )
        found = next(filter(None, matches), [])
        if not found and entry in model.files:
            raise DownloadError(
                Message(
                    "{repository} has no file {entry} at {revision} ({commit}).",
                    repository=listing.repository,
                    entry=entry,
                    revision=listing.revision,
                    commit=listing.commit[:8],
                ),
                DownloadReason.REFUSED,
                Message("It may have been rearranged: choose another model or revision."),
            )
        wanted |= {file.name: file for file in found}
    return tuple(sorted(wanted.values(), key=lambda file: (file.size_bytes, file.name)))


@dataclass(frozen=True, slots=True)
class Response:
    """Status and headers (names in small letters), after redirects."""

    status: int
    headers: Mapping[str, str]


class _Stream:
    """A GET request, read on the thread ``download`` so that its user can give up at any time.

    A read from a network that has gone silent cannot be interrupted. The thread that waits in it is left
    behind; it ends when its time is up, and what it still gets is thrown away.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], timeout_s: float, poll: Callable[[], None]
    ) -> None:
        self._url, self._headers, self._timeout_s, self._poll = url, dict(headers), timeout_s, poll
        self._queue: queue.Queue[Response | bytes | Exception | None] = queue.Queue(_PIECES_AHEAD)
        self._is_abandoned = threading.Event()
        self._thread = threading.Thread(target=self._read, name="download", daemon=True)

    def open(self) -> Response:
        self._thread.start()
        answer = self._next()
        assert isinstance(answer, Response)
        return answer

    def pieces(self) -> Iterator[bytes]:
        """The body, as it was sent."""
        while (piece := self._next()) is not None:
            assert isinstance(piece, bytes)
            yield piece

    def close(self) -> None:
        """Give up the rest. Never blocks."""
        self._is_abandoned.set()

    def _next(self) -> Response | bytes | None:
        while True:
            try:
                item = self._queue.get(timeout=_POLL_S)
            except queue.Empty:
                self._poll()
                continue
            if isinstance(item, Exception):
                raise item
            return item

    def _read(self) -> None:
        try:
            with get_session().stream(
                "GET", self._url, headers=self._headers, timeout=self._timeout_s, follow_redirects=True
            ) as response:
                headers = {key.lower(): value for key, value in response.headers.items()}
                self._put(Response(response.status_code, headers))
                for piece in response.iter_raw():
                    if self._is_abandoned.is_set():
                        return
                    self._put(piece)
            self._put(None)
        except Exception as exc:  # the top of this thread; raised again where the answer is wanted
            self._put(exc)

    def _put(self, item: Response | bytes | Exception | None) -> None:
        while not self._is_abandoned.is_set():
            try:
                self._queue.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub. Used on one thread; ``poll`` is called every moment while it is silent, and may raise."""

    endpoint: str
    poll: Callable[[], None]
    timeout_s: float = 20.0
    token: str = ""

    @property
    def host(self) -> str:
        """Its name, for people."""
        return urlsplit(self.endpoint).netloc or self.endpoint

    def ask(self, repository: str, revision: str) -> Listing:
        """What ``repository`` holds at ``revision``.

        Raises:
            DownloadError: The hub does not say.
            TransientError: It may say later.
        """
        url = f"{self.endpoint}/api/models/{repository}/revision/{quote(revision, safe='')}?blobs=true"
        with self._get(url, f"{repository} at {revision}", {}) as (_answer, pieces):
            body = b""
            for piece in pieces:
                body += piece
                if len(body) > MAX_BYTES:
                    break
        try:
            return _parse_listing(repository, revision, parse_object(body))
        except (ValueError, TypeError, LookupError, AttributeError) as exc:
            raise DownloadError(
                Message("{host} doesn't answer like a model hub.", host=self.host),
                DownloadReason.REFUSED,
                Message("Check HF_ENDPOINT, or whether the network shows a login page."),
            ) from exc

    @contextmanager
    def read(self, listing: Listing, name: str, start: int) -> Iterator[tuple[Response, Iterator[bytes]]]:
        """Ask for the file ``name`` from byte ``start`` on; the answer may be from the beginning, or 416.

        Raises:
            DownloadError: The hub refuses it.
            TransientError: It may give it later; also while the pieces are read.
        """
        url = hf_hub_url(
            listing.repository, name, revision=listing.commit, endpoint=self.endpoint, repo_type="model"
        )
        ranges = {"Range": f"bytes={start}-"} if start else {}
        with self._get(url, f"{listing.repository}/{name}", ranges) as opened:
            yield opened

    @contextmanager
    def _get(
        self, url: str, what: str, headers: dict[str, str]
    ) -> Iterator[tuple[Response, Iterator[bytes]]]:
        headers |= {"User-Agent": f"handy-qwen/{__version__}", "Accept-Encoding": "identity"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        stream = _Stream(url, headers, self.timeout_s, self.poll)
        try:
            with self._translated():
                answer = stream.open()
            self._check_status(answer, what)
            yield answer, self._pieces(stream)
        finally:
            stream.close()

    def _pieces(self, stream: _Stream) -> Iterator[bytes]:
        with self._translated():
            yield from stream.pieces()

    def _check_status(self, answer: Response, what: str) -> None:
        status = answer.status
        if status in {200, 206, 416}:
            return
        if status in _RETRY_STATUS:
            told = Message("{host} has an error of its own ({status}).", host=self.host, status=status)
            if status == 429:
                told = Message("{host} is asked too often ({status}).", host=self.host, status=status)
            error = DownloadError(told, DownloadReason.BUSY, _LATER)
            after = answer.headers.get("retry-after", "")
            raise TransientError(error, float(after) if after.isdecimal() and len(after) < 6 else None)
        if status == 407:
            raise _closed_proxy(Message("The proxy"))
        if status in {401, 403, 404}:
            raise DownloadError(
                Message(
                    "{host} does not give us {what} ({status}).", host=self.host, what=what, status=status
                ),
                DownloadReason.REFUSED,
                Message(
                    "It is not there, or only for those who have accepted its terms: then set "
                    "HF_TOKEN to a token of yours."
                ),
            )
        raise DownloadError(
            Message("{host} refuses to give {what} ({status}).", host=self.host, what=what, status=status),
            DownloadReason.REFUSED,
            Message("Check HF_ENDPOINT."),
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except _TRANSPORT_ERRORS as exc:
            raise self._error(exc) from exc

    def _error(self, exc: Exception) -> DownloadError | TransientError:
        if isinstance(exc, OfflineModeIsEnabled):
            return offline_error()
        if certificate := _certificate_problem(exc):
            return DownloadError(
                Message(
                    "{host}: certificate verification failed ({certificate}).",
                    host=self.host,
                    certificate=certificate,
                ),
                DownloadReason.UNTRUSTED,
                Message(
                    "If your network inspects traffic, set SSL_CERT_FILE to its certificate; if "
                    "not, stop here."
                ),
            )
        wrong = (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.TooManyRedirects, UnicodeError)
        if isinstance(exc, wrong):
            return DownloadError(
                Message("{endpoint} is no address of a hub.", endpoint=self.endpoint),
                DownloadReason.REFUSED,
                Message("Check HF_ENDPOINT."),
            )
        peer: str = self.host
        if isinstance(exc, ProxyFailedError):
            peer = proxy = Message("The proxy in {source}", source=exc.source)
            if exc.is_closed:
                return _closed_proxy(proxy)
        if isinstance(exc, ProxyFailedError) and exc.is_there:
            title = Message("{peer} cannot reach {host}.", peer=peer, host=self.host)
        elif isinstance(exc, (httpx2.ReadError, httpx2.RemoteProtocolError, httpx2.ReadTimeout)):
            title = Message("The connection to {peer} broke off.", peer=peer)
        else:
            title = Message("{peer} cannot be reached.", peer=peer)
        hint = sentences(Message("Check your network connection."), _LATER)
        return TransientError(DownloadError(title, DownloadReason.OFFLINE, hint))


def open_hub(poll: Callable[[], None]) -> Hub:
    """The hub that the environment names: HF_ENDPOINT, and HF_TOKEN if it requires one."""
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or constants.ENDPOINT
    token = os.environ.get("HF_TOKEN", "").strip()
    is_valid = token.isascii() and token.isprintable()
    timeout_s = 2.0 * constants.HF_HUB_DOWNLOAD_TIMEOUT
    return Hub(endpoint, poll, timeout_s=timeout_s, token=token if is_valid else "")


def is_offline() -> bool:
    """Whether the user forbids the network (HF_HUB_OFFLINE)."""
    return bool(constants.is_offline_mode())


def offline_error() -> DownloadError:
    """What to say where the network must not be used."""
    return DownloadError(
        Message("The model isn't complete, and HF_HUB_OFFLINE prevents downloading the rest."),
        DownloadReason.OFFLINE,
        Message("Unset it, or import the model from a folder or an archive."),
    )


def _closed_proxy(which: Message) -> DownloadError:
    return DownloadError(
        Message("{proxy} needs a name and a password, or different ones.", proxy=which),
        DownloadReason.REFUSED,
        Message("Write them into its address: http://name:password@host:port."),
    )


def _certificate_problem(exc: BaseException) -> str:
    """What is wrong with the certificate, in OpenSSL's words; empty if that is not it."""
    seen: BaseException | None = exc
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return getattr(seen, "verify_message", "") or seen.reason or "its encryption fails"
        seen = seen.__cause__ or seen.__context__
    return ""
