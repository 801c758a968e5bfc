"""Stands in for the history where there is none."""

# ruff: noqa: ARG002  the Protocol says what is passed

from __future__ import annotations

from handy_qwen.core.events import Delivery, Failed
from handy_qwen.core.ports import Post, Samples, Sink
from handy_qwen.errors import HandyError


class NoHistory:
    """Keeps nothing. Implements ``core.ports.History``."""

    def __init__(self, post: Post) -> None:
        self._post = post

    def begin(self, take: int, *, language: str = "", model: str = "") -> None:
        """Nothing is kept."""

    def feed(self, take: int, block: Samples) -> None:
        """Nothing is kept."""

    def complete(self, take: int) -> None:
        """Nothing is kept."""

    def done(
        self, take: int, text: str, *, language: str = "", model: str = "", application: str = ""
    ) -> None:
        """Nothing is kept."""

    def failed(self, take: int, title: str) -> None:
        """Nothing is kept."""

    def cancelled(self, take: int) -> None:
        """Nothing is kept."""

    def delivering(self, take: int) -> None:
        """Nothing is kept."""

    def delivered(self, take: int, how: Delivery) -> None:
        """Nothing is kept."""

    def dropped(self, take: int) -> None:
        """Nothing is kept."""

    def adopt(self, take: int, entry: int) -> None:
        """Nothing is kept."""

    def replay(self, take: int, entry: int, sink: Sink) -> None:
        """There is nothing to replay."""
        self._post(Failed(take, HandyError("There is no history.")))

    def set_private(self, is_private: bool) -> None:
        """Nothing is kept anyway."""

    def close(self, timeout_s: float) -> None:
        """Nothing to end."""
