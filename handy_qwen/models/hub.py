"""The hub: what it says of a repository, and the bytes of a file from a given one on.

Files are not fetched by ``hf_hub_download``: it keeps nothing of a download that broke off (each has a
temporary file of its own, deleted at the end), cannot be stopped while it waits, and believes what it gets.
What is used of huggingface_hub is its HTTP client (with the proxies of ``proxies.py``), HF_ENDPOINT, its
addresses, and its cache. Xet is not used: it shows nothing of a transfer that could be gone on with.

Privacy: nothing but the request itself is sent. A token goes along only if HF_TOKEN is set, never the one
that a login of another program has left; the client drops it where it is sent on to another host.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import httpx2
from huggingface_hub import constants, hf_hub_url
from huggingface_hub.errors import OfflineModeIsEnabled

from handy_qwen import __version__
from handy_qwen.engine.reading import MOST_BYTES, parse_object
from handy_qwen.errors import DownloadError, DownloadReason, HandyError
from handy_qwen.models.listing import Listing, parse_listing
from handy_qwen.models.proxies import ProxyFailedError
from handy_qwen.models.stream import FOREIGN, Answer, Stream

_AGAIN_STATUS = {408, 425, 429, 500, 502, 503, 504}
_LATER = "What has come so far is kept; try again later."


class TransientError(Exception):
    """It may go better next time.

    ``error`` is what to say if it does not, ``wait_s`` what the hub asks for, and ``has_grown`` whether more
    is here than ever before.
    """

    def __init__(self, error: HandyError, wait_s: float | None = None) -> None:
        super().__init__(error.title)
        self.error = error
        self.wait_s = wait_s
        self.has_grown = False


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
                if len(body) > MOST_BYTES:
                    break
        try:
            return parse_listing(repository, revision, parse_object(body))
        except (ValueError, TypeError, LookupError, AttributeError) as exc:
            raise DownloadError(
                f"{self.host} does not answer like a model hub.",
                DownloadReason.REFUSED,
                "Look at HF_ENDPOINT, or whether the network shows a login page instead.",
            ) from exc

    @contextmanager
    def read(self, listing: Listing, name: str, start: int) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        """Ask for the file ``name`` from byte ``start`` on; the answer may be from the beginning, or 416.

        Raises:
            DownloadError: The hub does not give it.
            TransientError: It may give it later; also while the pieces are read.
        """
        url = hf_hub_url(
            listing.repository, name, revision=listing.commit, endpoint=self.endpoint, repo_type="model"
        )
        ranges = {"Range": f"bytes={start}-"} if start else {}
        with self._get(url, f"{listing.repository}/{name}", ranges) as opened:
            yield opened

    @contextmanager
    def _get(self, url: str, what: str, headers: dict[str, str]) -> Iterator[tuple[Answer, Iterator[bytes]]]:
        headers |= {"User-Agent": f"handy-qwen/{__version__}", "Accept-Encoding": "identity"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        stream = Stream(url, headers, self.timeout_s, self.poll)
        try:
            with self._translated():
                answer = stream.open()
            self._check_status(answer, what)
            yield answer, self._pieces(stream)
        finally:
            stream.close()

    def _pieces(self, stream: Stream) -> Iterator[bytes]:
        with self._translated():
            yield from stream.pieces()

    def _check_status(self, answer: Answer, what: str) -> None:
        status = answer.status
        if status in {200, 206, 416}:
            return
        if status in _AGAIN_STATUS:
            busy = (
                f"{self.host} is asked too often" if status == 429 else f"{self.host} has an error of its own"
            )
            error = DownloadError(f"{busy} ({status}).", DownloadReason.BUSY, _LATER)
            raise TransientError(error, _retry_after_s(answer))
        if status == 407:
            raise _closed_proxy("The proxy")
        if status in {401, 403, 404}:
            raise DownloadError(
                f"{self.host} does not give us {what} ({status}).",
                DownloadReason.REFUSED,
                "It is not there, or only for those who have accepted its terms: then set HF_TOKEN to a "
                "token of yours.",
            )
        raise DownloadError(
            f"{self.host} refuses to give {what} ({status}).", DownloadReason.REFUSED, "Look at HF_ENDPOINT."
        )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except FOREIGN as exc:
            raise self._error(exc) from exc

    def _error(self, exc: Exception) -> DownloadError | TransientError:
        if isinstance(exc, OfflineModeIsEnabled):
            return offline_error()
        if certificate := _certificate_problem(exc):
            return DownloadError(
                f"{self.host}: certificate verification failed ({certificate}).",
                DownloadReason.UNTRUSTED,
                "If your network inspects traffic, set SSL_CERT_FILE to its certificate; if not, stop here.",
            )
        if isinstance(
            exc, (httpx2.InvalidURL, httpx2.UnsupportedProtocol, httpx2.TooManyRedirects, UnicodeError)
        ):
            return DownloadError(
                f"{self.endpoint} is no address of a hub.", DownloadReason.REFUSED, "Look at HF_ENDPOINT."
            )
        if isinstance(exc, ProxyFailedError) and exc.is_closed:
            return _closed_proxy(f"The proxy in {exc.source}")
        what = f"The proxy in {exc.source}" if isinstance(exc, ProxyFailedError) else self.host
        cut = isinstance(exc, (httpx2.ReadError, httpx2.RemoteProtocolError, httpx2.ReadTimeout))
        title = f"The connection to {what} broke off." if cut else f"{what} cannot be reached."
        if isinstance(exc, ProxyFailedError) and exc.is_there:
            title = f"{what} cannot reach {self.host}."
        return TransientError(
            DownloadError(title, DownloadReason.OFFLINE, f"Check your network connection. {_LATER}")
        )


def open_hub(poll: Callable[[], None]) -> Hub:
    """The hub that the environment names: HF_ENDPOINT, and HF_TOKEN if it wants to be known."""
    endpoint = os.environ.get("HF_ENDPOINT", "").rstrip("/") or constants.ENDPOINT
    return Hub(endpoint, poll, timeout_s=2.0 * constants.HF_HUB_DOWNLOAD_TIMEOUT, token=_token())


def offline_error() -> DownloadError:
    """What to say where the network must not be used."""
    return DownloadError(
        "Not all of the model is here, and HF_HUB_OFFLINE forbids to fetch it.",
        DownloadReason.OFFLINE,
        "Unset it, or import the model from a folder or an archive.",
    )


def is_offline() -> bool:
    """Whether the user forbids the network (HF_HUB_OFFLINE)."""
    return bool(constants.is_offline_mode())


def _closed_proxy(which: str) -> DownloadError:
    return DownloadError(
        f"{which} wants a name and a password, or other ones.",
        DownloadReason.REFUSED,
        "Write them into its address: http://name:password@host:port.",
    )


def _token() -> str:
    token = os.environ.get("HF_TOKEN", "").strip()
    return token if token.isascii() and token.isprintable() else ""


def _retry_after_s(answer: Answer) -> float | None:
    value = answer.headers.get("retry-after", "")
    return float(value) if value.isdecimal() and len(value) < 6 else None


def _certificate_problem(exc: BaseException) -> str:
    """What is wrong with the certificate, in OpenSSL's words; empty if that is not it."""
    seen: BaseException | None = exc
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return getattr(seen, "verify_message", "") or seen.reason or "its encryption fails"
        seen = seen.__cause__ or seen.__context__
    return ""
