"""One answer of a server, read on a thread of its own so that whoever wants it can give up at any time.

A read from a network that has gone silent cannot be interrupted; the thread that waits in it can be left
behind. It ends by itself when its time is up, and what it still gets is thrown away.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import httpx2
from huggingface_hub import get_session, set_client_factory

from handy_qwen.models.proxies import make_client

set_client_factory(make_client)
_POLL_S = 0.05
_PIECES_AHEAD = 8  # in memory; a piece is what the network gives at a time, at most 64 kB


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and headers (names in small letters), after redirects."""

    status: int
    headers: Mapping[str, str]


class Stream:
    """A GET request. Used on one thread; it reads on ``download``.

    Args:
        url: Its address.
        headers: To send.
        timeout_s: How long the server may be silent.
        poll: Called every moment while nothing comes; may raise, which ends the wait.
    """

    def __init__(
        self, url: str, headers: Mapping[str, str], timeout_s: float, poll: Callable[[], None]
    ) -> None:
        self._url, self._headers, self._timeout_s, self._poll = url, dict(headers), timeout_s, poll
        self._queue: queue.Queue[Answer | bytes | Exception | None] = queue.Queue(_PIECES_AHEAD)
        self._is_abandoned = threading.Event()
        self._thread = threading.Thread(target=self._read, name="download", daemon=True)

    def open(self) -> Answer:
        """Send the request.

        Raises:
            httpx2.HTTPError, httpx2.InvalidURL, OSError: There is no answer.
        """
        self._thread.start()
        answer = self._next()
        assert isinstance(answer, Answer)
        return answer

    def pieces(self) -> Iterator[bytes]:
        """The body, as it was sent.

        Raises:
            httpx2.HTTPError, OSError: It broke off.
        """
        while (piece := self._next()) is not None:
            assert isinstance(piece, bytes)
            yield piece

    def close(self) -> None:
        """Want no more of it. Never blocks."""
        self._is_abandoned.set()

    def _next(self) -> Answer | bytes | None:
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
                self._put(Answer(response.status_code, headers))
                for piece in response.iter_raw():
                    if self._is_abandoned.is_set():
                        return
                    self._put(piece)
            self._put(None)
        except Exception as exc:  # the top of this thread; raised again where the answer is wanted
            self._put(exc)

    def _put(self, item: Answer | bytes | Exception | None) -> None:
        while not self._is_abandoned.is_set():
            try:
                self._queue.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return


FOREIGN = (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, OSError, UnicodeError)
"""What reading an answer may raise: the library's errors, which it does not wrap, and the system's. The last
is for names that no host can have."""
