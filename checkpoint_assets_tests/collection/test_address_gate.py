"""Where a browser may be sent. Resolving is done by a table here: no test asks a name server."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Collection

import pytest

from checkpoint_assets.collection.address_gate import METADATA_ADDRESSES, check_url, resolve
from checkpoint_assets.model.errors import InvalidUrl

HOSTS = {
    "public.example": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
    "inner.example": ["10.1.2.3"],
    "both.example": ["93.184.215.14", "192.168.1.1"],
    "mapped.example": ["::ffff:10.0.0.1"],
    "metadata.example": ["169.254.169.254"],
    "scoped.example": ["fe80::1%eth0"],
    "localhost": ["127.0.0.1", "::1"],
    "localhost.": ["127.0.0.1"],
    "xn--80ak6aa92e.com": ["93.184.215.14"],
}
asked: list[str] = []


async def look_up(host: str) -> Collection[str]:
    asked.append(host)
    return HOSTS.get(host, [])


async def check(url: str, *allowed: str) -> None:
    await check_url(url, frozenset(allowed), resolver=look_up)


async def refusal(url: str, *allowed: str) -> str:
    with pytest.raises(InvalidUrl) as caught:
        await check(url, *allowed)
    return str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://public.example/a?b#c",
        "http://public.example:8080/",
        "http://93.184.215.14/",
        "http://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/",
    ],
)
async def test_public_addresses_are_open(url: str):
    await check(url)


async def test_a_host_that_nobody_knows_is_left_to_the_browser():
    await check("http://nowhere.example/")


# quality.md 2.3, 18 and 19
@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc/passwd", "FILE:/etc/hosts", "view-source:file:///etc/passwd"),
        *("javascript:alert(1)", "data:text/html,<p>", "blob:http://public.example/1"),
        *("chrome://version", "about:srcdoc", "about:blank", "ftp://public.example/"),
        *("ws://public.example/", "wss://public.example/", "//public.example/", "/path", ""),
    ],
)
async def test_only_http_and_https_are_opened(url: str):
    before = len(asked)
    await refusal(url)
    assert len(asked) == before


# 20
@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://169.254.170.2/",
        "http://100.100.100.200/",
        "http://[fd00:ec2::254]/",
        "http://metadata.example/",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://0251.0376.0251.0376/",
        "http://[::ffff:169.254.169.254]/",
        "http://[64:ff9b::a9fe:a9fe]/",
        "http://[2002:a9fe:a9fe::]/",
        "http://168.63.129.16/",
    ],
)
async def test_metadata_addresses_are_never_opened_even_if_allowed(url: str):
    host = url.split("/")[2]
    message = await refusal(url, f"{host}:80", "169.254.169.254:80")
    assert "metadata" in message


def test_metadata_addresses_are_addresses():
    assert all(isinstance(each, ipaddress.IPv4Address | ipaddress.IPv6Address)
               for each in METADATA_ADDRESSES)  # fmt: skip


# 21 and 22
PRIVATE = [
    *("127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "localhost."),
    *("[::1]", "[::ffff:127.0.0.1]", "[::]", "127.0.0.1.", "0x7f.1", "0", "1"),
    "0.0.0.0",
    *("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "198.18.0.1"),
    *("[fe80::1]", "[fc00::1]", "[fec0::2]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[::7f00:1]"),
    *("[64:ff9b:1::7f00:1]", "[100::1]", "[ff02::1]", "224.0.0.1", "255.255.255.255"),
    *("inner.example", "both.example", "mapped.example", "scoped.example"),
    *("１２７.0.0.1", "127。0。0。1", "ⓛocalhost"),
]


@pytest.mark.parametrize("host", PRIVATE)
async def test_private_addresses_are_refused_in_every_spelling(host: str):
    assert "private network" in await refusal(f"http://{host}/")


@pytest.mark.parametrize("host", PRIVATE)
async def test_another_allowed_port_opens_nothing(host: str):
    await refusal(f"http://{host}:8080/", f"{host}:80", f"{host}:8081")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("http://127.0.0.1:8123/a", "127.0.0.1:8123"),
        ("http://127.0.0.1/", "127.0.0.1:80"),
        ("https://127.0.0.1/", "127.0.0.1:443"),
        ("http://LocalHost:8123/", "localhost:8123"),
        ("http://[::1]:8123/", "[::1]:8123"),
        ("http://inner.example/", "inner.example:80"),
    ],
)
async def test_a_private_address_that_is_allowed_by_name_and_port_is_open(url: str, allowed: str):
    await check(url, allowed)


async def test_allowing_an_address_allows_no_other_name_of_it():
    await refusal("http://localhost:8123/", "127.0.0.1:8123")


async def test_the_refusal_names_what_to_allow():
    message = await refusal("http://inner.example:8123/")
    assert "inner.example:8123" in message
    assert "allow_private" in message


# 25
@pytest.mark.parametrize(
    "url",
    [
        "http://public.example\\@127.0.0.1/",
        "http://public.example:pw@127.0.0.1/",
        "http://a@b@public.example/",
        "http://public.example@127.0.0.1/",
    ],
)
async def test_urls_that_two_parsers_could_read_differently_are_refused(url: str):
    await refusal(url)


# 28
@pytest.mark.parametrize(
    "url",
    [
        *("http:///x", "http://", "http://[", "http://[::1", "http://public.example:99999/"),
        *("http://public.example:0/", "http://public.example:x/", "http://a..b/", "http://%31/"),
    ],
)
async def test_malformed_urls_are_refused(url: str):
    await refusal(url)


async def test_an_international_name_is_resolved_as_the_name_it_stands_for():
    await check("http://аррӏе.com/")
    assert asked[-1] == "xn--80ak6aa92e.com"


async def test_the_system_s_resolver_gives_every_address_of_a_name():
    assert "127.0.0.1" in await resolve("127.0.0.1")
    known = {entry[4][0] for entry in socket.getaddrinfo("localhost", None)}
    assert set(await resolve("localhost")) == known


async def test_a_name_that_does_not_resolve_has_no_address():
    # RFC 6761 keeps this name out of the domain name system; nothing is asked beyond this machine
    # where /etc/hosts alone answers.
    if os.environ.get("LOCALDOMAIN"):
        pytest.skip("the resolver appends a domain of its own")
    assert not await resolve("no-such-host.invalid")
