"""Proxies: every one works, or is refused in a sentence that names the variable and shows no password."""

import gc
import os
import socket
import sys

import pytest

from handy_qwen.errors import DownloadError, DownloadReason
from handy_qwen.models import hub
from handy_qwen.models.hub import choose_proxy
from tests.hub.proxy import LocalProxy
from tests.hub.tiny import download

PASSWORD = "s3cr%40t"  # s3cr@t

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of closed()


@pytest.fixture(autouse=True)
def closed():
    """What httpcore has left open is closed here, and not in a test that has nothing to do with it."""
    yield
    gc.collect()


def named(variable):
    """As messages name it: on Windows, the names of variables have no case."""
    return variable.lower() if os.name == "nt" else variable


@pytest.fixture
def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        yield free.getsockname()[1]


@pytest.mark.parametrize(
    ("variable", "scheme", "kind"),
    [
        ("http_proxy", "http", "http"),
        ("HTTP_PROXY", "http", "http"),
        ("all_proxy", "socks", "socks"),  # as GNOME writes it
        ("ALL_PROXY", "socks5", "socks"),
        ("ALL_PROXY", "socks5h", "socks"),
        ("http_proxy", "SOCKS5", "socks"),
        ("http_proxy", "", "http"),
    ],
)
def test_a_download_goes_through_the_proxy(hub, monkeypatch, variable, scheme, kind):
    with LocalProxy() as proxy:
        monkeypatch.setenv(variable, f"{scheme}://{proxy.address}/" if scheme else proxy.address)
        download()
        assert proxy.seen
        assert {seen.split()[0] for seen in proxy.seen} == {kind}
    assert hub.requests, "through the proxy it was this hub that answered"


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_name_and_password_are_those_that_were_written(hub, monkeypatch, scheme):
    with LocalProxy(user="me:s3cr@t") as proxy:
        monkeypatch.setenv("all_proxy", f"{scheme}://me:{PASSWORD}@{proxy.address}")
        download()
        assert proxy.seen
    assert hub.requests


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.usefixtures("hub")
def test_a_proxy_that_wants_another_password_is_said_at_once(monkeypatch, scheme):
    with LocalProxy(user="me:other") as proxy:
        monkeypatch.setenv("all_proxy", f"{scheme}://me:{PASSWORD}@{proxy.address}")
        with pytest.raises(DownloadError, match="needs a name and a password") as caught:
            download()
    assert caught.value.reason is DownloadReason.REFUSED
    assert "s3cr" not in str(caught.value)


@pytest.mark.usefixtures("hub")
def test_a_tunnel_that_is_closed_names_the_variable(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://hub.invalid")
    with LocalProxy(user="me:other") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy.address}")
        with pytest.raises(DownloadError, match=f"The proxy in {named('HTTPS_PROXY')} needs a name and"):
            download()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.usefixtures("hub")
def test_a_proxy_that_is_not_there_is_blamed_instead_of_the_hub(monkeypatch, scheme, free_port):
    monkeypatch.setenv("all_proxy", f"{scheme}://me:{PASSWORD}@127.0.0.1:{free_port}")
    with pytest.raises(DownloadError, match="The proxy in all_proxy cannot be reached") as caught:
        download()
    assert "s3cr" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.usefixtures("hub")
def test_a_proxy_that_cannot_reach_the_hub_is_not_said_to_be_away(monkeypatch, scheme, free_port):
    monkeypatch.setenv("HF_ENDPOINT", f"https://hub.invalid:{free_port}")
    with LocalProxy() as proxy:
        monkeypatch.setenv("all_proxy", f"{scheme}://{proxy.address}")
        with pytest.raises(DownloadError, match=r"The proxy in all_proxy cannot reach hub\.invalid"):
            download()


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_download_goes_on_where_the_proxy_broke_off(hub, monkeypatch, scheme):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DOWNLOAD_TIMEOUT", 1)
    with LocalProxy(cut=100_000) as proxy:
        monkeypatch.setenv("http_proxy", f"{scheme}://{proxy.address}")
        download()
        assert proxy.cut == 0
    assert [request for request in hub.requests if request.start > 0], "the rest was asked for"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://proxy:port", "its port is not a number"),
        ("http://proxy:99999", "its port is not a number"),
        ("proxy:80x80", "its port is not a number"),
        ("socks5://proxy:0", "its port is not a number"),
        ("::1", "its port is not a number"),
        ("http://", "names no host"),
        ("http://proxy..example:80", "names no host"),
        (f"socks5://{'a' * 64}.example", "names no host"),
        ("http://me:pass/word@proxy:80", "write / as %2F"),
        ("http://proxy name:80", "names no host"),
        ("socks4://proxy:1080", "it is socks4"),
        ("socks4a://proxy:1080", "it is socks4a"),
        ("ftp://proxy", "an unknown kind"),
    ],
)
@pytest.mark.parametrize("variable", ["http_proxy", "ALL_PROXY"])
def test_what_cannot_be_used_is_refused_with_the_name_of_the_variable(
    hub, monkeypatch, variable, address, words
):
    monkeypatch.setenv(variable, address)
    with pytest.raises(
        DownloadError, match=f"The proxy in {named(variable)} cannot be used.*{words}"
    ) as caught:
        download()
    assert caught.value.reason is DownloadReason.REFUSED
    assert "HF_ENDPOINT" not in str(caught.value)
    assert "pass/word" not in str(caught.value)
    assert hub.requests == []


@pytest.mark.parametrize(
    "exceptions", ["127.0.0.1", "localhost,127.0.0.0/8,::1", "*", "a.example, 127.0.0.1"]
)
@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_no_proxy_is_kept_to(hub, monkeypatch, variable, exceptions, free_port):
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port}")
    monkeypatch.setenv(variable, exceptions)
    download()
    assert hub.requests


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the system has settings of its own")
@pytest.mark.usefixtures("hub_home")
@pytest.mark.parametrize(
    ("host", "is_direct"),
    [
        ("huggingface.co", True),
        ("cdn.huggingface.co", True),
        ("nothuggingface.co", False),
        ("10.1.2.3", False),
        ("hub.example", True),
        ("deep.hub.example", True),
        ("nothub.example", False),
        ("files.other.example", True),
        ("other.example", False),
    ],
)
def test_no_proxy_means_names_with_all_that_is_below_them(monkeypatch, host, is_direct):
    monkeypatch.setenv("ALL_PROXY", "socks5://proxy")
    monkeypatch.setenv(
        "no_proxy", "huggingface.co,192.168.0.0/16, *.hub.example,files.other.example:443,other.example:444"
    )
    choice = choose_proxy("https", host)
    assert (choice is None) is is_direct
    assert choice is None or choice.url == "socks5://proxy:1080"
    monkeypatch.setenv("no_proxy", f"{host}:8080,::1")
    assert choose_proxy("https", host, 8080) is None
    assert choose_proxy("https", host, 9090) is not None
    assert choose_proxy("https", "::1", 8080) is None


@pytest.mark.usefixtures("hub_home")
def test_the_proxy_of_the_system_is_named_as_such(monkeypatch):
    found = {"https": "socks4://10.0.0.1:1080"}  # as Windows says it
    monkeypatch.setattr(hub, "getproxies", lambda: found)
    monkeypatch.setattr(hub, "proxy_bypass", lambda _host: False)
    with pytest.raises(DownloadError, match="proxy in the system's settings cannot be used: it is socks4"):
        choose_proxy("https", "huggingface.co")
    found["https"] = "http://10.0.0.1:8080"
    assert choose_proxy("https", "huggingface.co").url == "http://10.0.0.1:8080"
    assert choose_proxy("http", "huggingface.co") is None


def test_a_proxy_can_be_shown_without_its_password(monkeypatch):
    monkeypatch.setattr(hub, "getproxies", lambda: {"https": f"http://me:{PASSWORD}@proxy:1"})
    assert "s3cr" not in repr(choose_proxy("https", "huggingface.co"))
