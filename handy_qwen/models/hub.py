"""The hub: the files of a repository at one commit, and the bytes of a file from a given offset.

``hf_hub_download`` is not used: it keeps nothing of an interrupted download, cannot be stopped while it
waits, and verifies no checksum. huggingface_hub provides the HTTP client, HF_ENDPOINT, addresses and the
cache. Xet is not used: its transfers cannot be resumed.

Proxies are those of the environment or the system. The HTTP library finds them by itself, but fails with
errors of its own where one is called ``socks://`` (as GNOME does), has a bad port, or is of an unsupported
kind. Here each is made to work, or refused in a sentence that names the variable, but not the address, which
may contain a password.

Checksums: large files have a SHA-256 (LFS), small ones the SHA-1 of a git blob. Both are taken from the hub's
own answer about the commit and from nowhere else; a file without either is refused.

Privacy: nothing but the request itself is sent. A token is sent only if HF_TOKEN is set, never one left by
the login of another program; the client drops it when redirected to another host.
"""

from __future__ import annotations

import fnmatch
import hashlib
import ipaddress
import os
import queue
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2
from huggingface_hub import constants, get_session, hf_hub_url, set_client_factory
from huggingface_hub.errors import OfflineModeIsEnabled

from handy_qwen import __version__
from handy_qwen.engine.json_files import MAX_BYTES, parse_object, read_object, write_object
from handy_qwen.errors import DownloadError, DownloadReason, HandyError
from handy_qwen.message import Message, sentences
from handy_qwen.models.catalogue import CatalogueModel

COMMIT = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PIECE_BYTES = 1 << 20
_POLL_S = 0.05
_PIECES_AHEAD = 8  # in memory; a piece is what the network delivers at a time, at most 64 kB
_RETRY_STATUS = {408, 425, 429, 500, 502, 503, 504}
_LATER = Message("What was downloaded is kept; try again later.")
_TRANSPORT_ERRORS = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, UnicodeError)
"""What a request may raise. UnicodeError is for invalid host names."""

_KINDS = {"http": "http", "https": "https", "socks5": "socks5", "socks5h": "socks5h", "socks": "socks5"}
_SOCKS_PORT = 1080
_PORTS = {"http": 80, "https": 443}
_NO_PORT = Message("its port is not a number from 1 to 65535")
_SYSTEM = Message("the system's settings")


class ProxyFailedError(httpx2.ProxyError):
    """The proxy does not work.

    ``source`` says where it is configured, ``is_closed`` that it needs a password, ``is_there`` that it
    answered.
    """

    def __init__(self, source: str, message: str, *, is_there: bool) -> None:
        super().__init__(message)
        self.source = source
        self.is_there = is_there
        self.is_closed = "407" in message or "Invalid username/password" in message


@dataclass(frozen=True, slots=True)
class ProxyChoice:
    """A proxy and where it is configured. Equal ones share connections."""

    source: str
    url: str
    auth: tuple[str, str] | None = field(repr=False)


def choose_proxy(scheme: str, host: str, port: int | None = None) -> ProxyChoice | None:
    """The proxy for an address, or None. DownloadError: it cannot be used as configured."""
    proxies = getproxies()  # from the environment, or else from Windows or macOS
    kind = next((kind for kind in (scheme, "all") if proxies.get(kind)), "")
    if not kind or _is_direct(host, port or _PORTS.get(scheme, 0), proxies.get("no", "")):
        return None
    names = (f"{kind}_proxy", f"{kind.upper()}_PROXY")  # Python prefers lower case
    source = next((name for name in names if os.environ.get(name)), _SYSTEM)
    address = proxies[kind].strip()
    return _checked(source, address if "://" in address else f"http://{address}")


def _is_direct(host: str, port: int, exceptions: str) -> bool:
    if proxy_bypass(f"[{host}]:{port}" if ":" in host else f"{host}:{port}"):
        return True
    names = [one.strip() for one in exceptions.split(",")]
    # Many write *.name where Python expects .name.
    if any(f".{host.lower()}".endswith(name[1:].lower()) for name in names if name.startswith("*.")):
        return True
    with suppress(ValueError):  # a name
        address = ipaddress.ip_address(host.strip("[]"))
        return any(address in network for network in _networks(names))
    return False


def _networks(names: list[str]) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The networks in ``names``, single or like 127.0.0.0/8, which GNOME writes and Python ignores."""
    for name in names:
        with suppress(ValueError):
            yield ipaddress.ip_network(name.strip("[]"), strict=False)


def _checked(source: str, address: str) -> ProxyChoice:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _refused(source, address, _NO_PORT) from None
    kind = parts.scheme.lower()
    if kind not in _KINDS:
        called = kind if kind.startswith("socks4") else Message("an unknown kind of proxy")
        raise _refused(
            source, address, Message("it is {kind}, and only HTTP and SOCKS 5 can be used", kind=called)
        )
    if port == 0:
        raise _refused(source, address, _NO_PORT)
    if not host or not _is_host(host):
        raise _refused(source, address, Message("it names no host"))
    kind = _KINDS[kind]
    port = port or (_SOCKS_PORT if kind.startswith("socks") else None)
    url = f"{kind}://" + (f"[{host}]" if ":" in host else host) + (f":{port}" if port else "")
    if parts.username is None:
        return ProxyChoice(source, url, None)
    return ProxyChoice(source, url, (unquote(parts.username), unquote(parts.password or "")))


def _is_host(host: str) -> bool:
    """Whether ``host`` can be resolved: each label of a name has 1 to 63 characters."""
    try:
        return bool(host.encode("idna")) and not any(char.isspace() for char in host)
    except UnicodeError:
        return False


def _refused(source: str, address: str, why: Message) -> DownloadError:
    """The error for a proxy, without ``address`` and the library's error: there may be a password."""
    how = Message("Write it as http://host:port or socks5://host:port, or unset it.")
    if source == _SYSTEM:
        how = Message("Write it as http://host:port or socks5://host:port.")
    written = Message()
    if "@" in address:
        written = Message("In a name or password write / as %2F, # as %23, ? as %3F.")
    return DownloadError(
        Message("The proxy in {source} cannot be used: {why}.", source=source, why=why),
        DownloadReason.REFUSED,
        sentences(how, written),
    )


class _Transport(httpx2.BaseTransport):
    """Sends each request through its proxy: a redirect may lead to an address with another one."""

    def __init__(self) -> None:
        self._context = httpx2.create_ssl_context()
        self._lock = threading.Lock()
        self._transports: dict[ProxyChoice | None, httpx2.HTTPTransport] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if constants.is_offline_mode():
            raise OfflineModeIsEnabled
        choice = choose_proxy(request.url.scheme, request.url.host, request.url.port)
        try:
            return self._transport(choice).handle_request(request)
        except (httpx2.ProxyError, httpx2.ConnectError, httpx2.ConnectTimeout) as exc:
            if choice is None:
                raise
            is_there = isinstance(exc, httpx2.ProxyError)
            raise ProxyFailedError(choice.source, str(exc), is_there=is_there) from exc

    def _transport(self, choice: ProxyChoice | None) -> httpx2.HTTPTransport:
        with self._lock:
            if choice not in self._transports:
                try:
                    proxy = httpx2.Proxy(choice.url, auth=choice.auth) if choice else None
                except httpx2.InvalidURL:
                    assert choice is not None
                    raise _refused(choice.source, choice.url, Message("it names no host")) from None
                self._transports[choice] = httpx2.HTTPTransport(verify=self._context, proxy=proxy)
            return self._transports[choice]

    def close(self) -> None:
        with self._lock:
            for transport in self._transports.values():
                transport.close()


def make_client() -> httpx2.Client:
    """huggingface_hub's client with these proxies; it obeys HF_HUB_OFFLINE, too."""
    return httpx2.Client(
        transport=_Transport(),
        trust_env=False,  # the environment only has proxies and certificates, which the transport reads
        follow_redirects=True,
        timeout=None,  # each request has its own
    )


set_client_factory(make_client)


class TransientError(Exception):
    """A failure that may be temporary.

    ``error`` is to be reported if it is not, ``wait_s`` is requested by the hub, and ``has_grown`` says
    whether there is more data than ever before.
    """

    def __init__(self, error: HandyError, wait_s: float | None = None) -> None:
        super().__init__(error.title)
        self.error = error
        self.wait_s = wait_s
        self.has_grown = False


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file at a commit. ``sha256`` or, if that is empty, ``git_sha1`` is known; both hexadecimal."""

    name: str
    size_bytes: int
    sha256: str = ""
    git_sha1: str = ""

    def __post_init__(self) -> None:
        """Raise ValueError for a file that cannot be verified, or has an unsafe name."""
        is_known = _SHA256.fullmatch(self.sha256) or COMMIT.fullmatch(self.git_sha1)
        if not is_known or self.size_bytes < 0 or Path(self.name).name != self.name or self.name[:1] == ".":
            raise ValueError("a file without size or checksum")

    def is_in(self, path: Path, on_read: Callable[[int], None]) -> bool:
        """Whether ``path`` has exactly the contents of this file; OSError if it cannot be read.

        ``on_read`` gets the bytes of each piece.
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
        """Store it, so that a download can be completed and verified without asking the hub again."""
        write_object(path, asdict(self))


def load_listing(path: Path) -> Listing | None:
    """The stored listing; None if it is missing or invalid (the hub is then asked again)."""
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
            continue  # never downloaded
        size, sha256 = int(lfs.get("size", entry["size"])), str(lfs.get("sha256", ""))
        files.append(HubFile(name, size, sha256, "" if lfs else str(entry["blobId"])))
    return Listing(repository, revision, raw["sha"], tuple(files))


def choose_files(model: CatalogueModel, listing: Listing) -> tuple[HubFile, ...]:
    """The files of ``listing`` that ``model`` needs, the smallest first: problems show early.

    DownloadError: a required one is missing.
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
    """Status and headers (names in lower case), after redirects."""

    status: int
    headers: Mapping[str, str]


class _Stream:
    """A GET request, read on the thread ``download`` so that its user can cancel at any time.

    A read from a network that has gone silent cannot be interrupted. The waiting thread is abandoned; it ends
    with its timeout, and what it receives is discarded.
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
        """The body, as sent."""
        while (piece := self._next()) is not None:
            assert isinstance(piece, bytes)
            yield piece

    def close(self) -> None:
        """Abandon the rest. Never blocks."""
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
        except Exception as exc:  # top level of this thread; raised again for the reader
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
    """A hub. Used on one thread; ``poll`` is called repeatedly while it is silent, and may raise."""

    endpoint: str
    poll: Callable[[], None]
    timeout_s: float = 20.0
    token: str = ""

    @property
    def host(self) -> str:
        """Its name, for people."""
        return urlsplit(self.endpoint).netloc or self.endpoint

    def ask(self, repository: str, revision: str) -> Listing:
        """The files of ``repository`` at ``revision``; DownloadError, or TransientError to retry later."""
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
        """Request a file from byte ``start`` on; the answer may be the whole file, or 416.

        Raises as ``ask``, also while reading.
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
                told = Message(
                    "{host} is refusing requests: there were too many ({status}).",
                    host=self.host,
                    status=status,
                )
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
                Message("{endpoint} is not the address of a model hub.", endpoint=self.endpoint),
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
    """The hub configured in the environment: HF_ENDPOINT, and HF_TOKEN if it requires one."""
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or constants.ENDPOINT
    token = os.environ.get("HF_TOKEN", "").strip()
    is_valid = token.isascii() and token.isprintable()
    timeout_s = 2.0 * constants.HF_HUB_DOWNLOAD_TIMEOUT
    return Hub(endpoint, poll, timeout_s=timeout_s, token=token if is_valid else "")


def is_offline() -> bool:
    """Whether the user has disabled the network (HF_HUB_OFFLINE)."""
    return bool(constants.is_offline_mode())


def offline_error(*, is_begun: bool = False) -> DownloadError:
    """The error where the network must not be used; ``is_begun``: the model is partly downloaded."""
    return DownloadError(
        Message("The model isn't complete, and HF_HUB_OFFLINE prevents downloading the rest.")
        if is_begun
        else Message("HF_HUB_OFFLINE prevents downloading the model."),
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
    """What is wrong with the certificate, in OpenSSL's words; empty if that is not the cause."""
    seen: BaseException | None = exc
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return getattr(seen, "verify_message", "") or seen.reason or "its encryption fails"
        seen = seen.__cause__ or seen.__context__
    return ""
