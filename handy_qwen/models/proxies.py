"""The proxy on the way to the hub, as the environment or the system names it.

The HTTP library finds proxies by itself, but fails with errors of its own where one is called ``socks://``
(as GNOME does), has a bad port, or is of a kind it does not speak. Here each is made to work, or refused in a
sentence that names the variable, but not the address, which may contain a password.
"""

from __future__ import annotations

import ipaddress
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx2
from huggingface_hub import constants
from huggingface_hub.errors import OfflineModeIsEnabled

from handy_qwen.errors import DownloadError, DownloadReason
from handy_qwen.message import Message, sentences

_KINDS = {"http": "http", "https": "https", "socks5": "socks5", "socks5h": "socks5h", "socks": "socks5"}
_SOCKS_PORT = 1080
_PORTS = {"http": 80, "https": 443}
_NO_PORT = Message("its port is not a number from 1 to 65535")
_SYSTEM = Message("the system's settings")


class ProxyFailedError(httpx2.ProxyError):
    """The proxy does not work.

    ``source`` says where it is named, ``is_closed`` that it needs a password, ``is_there`` that it answered.
    """

    def __init__(self, source: str, message: str, *, is_there: bool) -> None:
        super().__init__(message)
        self.source = source
        self.is_there = is_there
        self.is_closed = "407" in message or "Invalid username/password" in message


@dataclass(frozen=True, slots=True)
class ProxyChoice:
    """A proxy and where it is named. Equal ones share connections."""

    source: str
    url: str
    auth: tuple[str, str] | None = field(repr=False)


def choose_proxy(scheme: str, host: str, port: int | None = None) -> ProxyChoice | None:
    """The proxy for an address; None: none.

    Raises:
        DownloadError: It cannot be used as it is written.
    """
    proxies = getproxies()  # the environment's; without any, those of Windows or macOS
    kind = next((kind for kind in (scheme, "all") if proxies.get(kind)), "")
    if not kind or _is_direct(host, port or _PORTS.get(scheme, 0), proxies.get("no", "")):
        return None
    names = (f"{kind}_proxy", f"{kind.upper()}_PROXY")  # Python prefers small letters
    source = next((name for name in names if os.environ.get(name)), _SYSTEM)
    address = proxies[kind].strip()
    return _checked(source, address if "://" in address else f"http://{address}")


def _is_direct(host: str, port: int, exceptions: str) -> bool:
    if proxy_bypass(f"[{host}]:{port}" if ":" in host else f"{host}:{port}"):
        return True
    names = [one.strip() for one in exceptions.split(",")]
    # Many write *.name for what Python wants written .name.
    if any(f".{host.lower()}".endswith(name[1:].lower()) for name in names if name.startswith("*.")):
        return True
    with suppress(ValueError):  # a name
        address = ipaddress.ip_address(host.strip("[]"))
        return any(address in network for network in _networks(names))
    return False


def _networks(names: list[str]) -> Iterator[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """The addresses in ``names``, alone or as 127.0.0.0/8, which GNOME writes and Python overlooks."""
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
    """Whether the system can look ``host`` up: each part of a name has 1 to 63 characters."""
    try:
        return bool(host.encode("idna")) and not any(char.isspace() for char in host)
    except UnicodeError:
        return False


def _refused(source: str, address: str, why: Message) -> DownloadError:
    """``address`` may contain a password: nothing of it is shown, nor the library's errors."""
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
    """Sends each request through its proxy: a redirect may lead to an address that has another."""

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
    """huggingface_hub's client, but with these proxies; it keeps to HF_HUB_OFFLINE, too."""
    return httpx2.Client(
        transport=_Transport(),
        trust_env=False,  # of the environment only proxies and certificates, which the transport reads
        follow_redirects=True,
        timeout=None,  # each request has its own
    )
