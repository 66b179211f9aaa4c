"""The proxy by itself: a client speaks SOCKS 5 to it, servers on this machine are what it finds."""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from checkpoint_assets.collection.browser.forward_proxy import ForwardProxy, Limits
from checkpoint_assets_tests.collection.browser.made_up_network import (
    OTHER_PUBLIC,
    PUBLIC,
    MadeUpNetwork,
)

GREETING = b"\x05\x01\x00"
CONNECTED, NOT_ALLOWED, UNREACHABLE, UNKNOWN_COMMAND = 0, 2, 4, 7

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def request(host: str, port: int, *, command: int = 1) -> bytes:
    name = host.encode()
    return struct.pack("!BBBBB", 5, command, 0, 3, len(name)) + name + struct.pack("!H", port)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


@asynccontextmanager
async def serving(serve: Serve = echo) -> AsyncIterator[int]:
    """A server on this machine; the result is its port."""
    tasks: set[asyncio.Task[Any]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except ConnectionError:
            pass  # cut by the proxy: that is what some tests are about
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Client:
    """One connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def ask(self, host: str, port: int) -> int:
        """Ask for a connection; the result is the proxy's reply."""
        self.writer.write(GREETING)
        assert await self.reader.readexactly(2) == b"\x05\x00"
        self.writer.write(request(host, port))
        return (await self.reader.readexactly(10))[1]

    async def echoed(self, data: bytes) -> bytes:
        self.writer.write(data)
        return await self.reader.readexactly(len(data))

    async def hung_up(self) -> bool:
        """Whether the proxy ends the connection, within the test's time."""
        try:
            return await self.reader.read() == b""
        except ConnectionError:
            return True


@asynccontextmanager
async def connected(proxy: ForwardProxy) -> AsyncIterator[Client]:
    port = int(proxy.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


async def reply(proxy: ForwardProxy, host: str, port: int) -> int:
    async with connected(proxy) as client:
        return await client.ask(host, port)


def reasons(proxy: ForwardProxy) -> dict[str, int]:
    """What was refused since the last time, ``host:port`` and how often."""
    return {f"{each.host}:{each.port}": n for each, n in proxy.take_refusals().items()}


@pytest.fixture
def network() -> MadeUpNetwork:
    return MadeUpNetwork()


def open_proxy(network: MadeUpNetwork, *allowed: str, **limits: Any) -> ForwardProxy:
    return ForwardProxy(
        allowed, resolver=network.resolver, dial=network.dial, limits=Limits(**limits)
    )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


# What may pass


async def test_public_name_is_connected_at_the_very_address_that_was_checked(
    network: MadeUpNetwork,
):
    async with serving() as port, open_proxy(network) as proxy, connected(proxy) as client:
        network.serve("shop.example", port)
        assert await client.ask("shop.example", 80) == CONNECTED
        assert await client.echoed(b"hello") == b"hello"
    assert network.dialled == [(PUBLIC, 80)]


async def test_private_address_passes_only_as_the_allowed_host_and_port(network: MadeUpNetwork):
    network.names["localhost"] = ["127.0.0.1"]
    async with serving() as port, open_proxy(network, f"127.0.0.1:{port}") as proxy:
        assert await reply(proxy, "127.0.0.1", port) == CONNECTED
        assert await reply(proxy, "localhost", port) == NOT_ALLOWED
        assert await reply(proxy, "127.0.0.1", port + 1 if port < 65535 else 1) == NOT_ALLOWED
    assert network.dialled == [("127.0.0.1", port)]


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1", "::1", "::ffff:127.0.0.1", "::", "127.1", "2130706433", "0x7f000001"),
        *("10.0.0.1", "192.168.0.1", "100.64.0.1", "fe80::1", "64:ff9b::7f00:1", "224.0.0.1"),
    ],
)
async def test_private_address_is_refused_and_nothing_is_dialled(network: MadeUpNetwork, host: str):
    async with open_proxy(network) as proxy:
        assert await reply(proxy, host, 80) == NOT_ALLOWED
    assert not network.dialled


async def test_name_with_one_private_address_among_public_ones_is_refused(network: MadeUpNetwork):
    network.names["both.example"] = [PUBLIC, "10.0.0.1"]
    async with open_proxy(network) as proxy:
        assert await reply(proxy, "both.example", 80) == NOT_ALLOWED
    assert not network.dialled


@pytest.mark.parametrize("address", ["169.254.169.254", "fd00:ec2::254", "168.63.129.16"])
async def test_metadata_address_is_refused_although_it_was_allowed(
    network: MadeUpNetwork, address: str
):
    network.names["metadata.example"] = [address]
    allowed = ("metadata.example:80", f"{address}:80", f"[{address}]:80")
    async with open_proxy(network, *allowed) as proxy:
        assert await reply(proxy, "metadata.example", 80) == NOT_ALLOWED
        assert await reply(proxy, address, 80) == NOT_ALLOWED
    assert not network.dialled


async def test_name_that_turns_private_later_keeps_its_first_address(network: MadeUpNetwork):
    network.names["rebound.example"] = [[PUBLIC], ["127.0.0.1"]]
    async with serving() as port, open_proxy(network) as proxy:
        network.servers[PUBLIC, 80] = port
        assert await reply(proxy, "rebound.example", 80) == CONNECTED
        assert await reply(proxy, "rebound.example", 80) == CONNECTED
    assert network.dialled == [(PUBLIC, 80)] * 2
    assert network.asked == ["rebound.example"]


async def test_name_that_is_looked_up_anew_is_judged_anew(network: MadeUpNetwork):
    network.names["rebound.example"] = [[PUBLIC], ["127.0.0.1"]]
    async with open_proxy(network) as proxy:
        assert await reply(proxy, "rebound.example", 80) == UNREACHABLE
        assert await reply(proxy, "rebound.example", 80) == NOT_ALLOWED
    assert network.dialled == [(PUBLIC, 80)]


async def test_next_address_is_tried_where_the_first_does_not_answer(network: MadeUpNetwork):
    network.names["two.example"] = [OTHER_PUBLIC, PUBLIC]
    async with serving() as port, open_proxy(network) as proxy:
        network.servers[PUBLIC, 80] = port
        assert await reply(proxy, "two.example", 80) == CONNECTED
    assert network.dialled == [(OTHER_PUBLIC, 80), (PUBLIC, 80)]


async def test_addresses_in_binary_are_judged_like_written_ones(network: MadeUpNetwork):
    async with open_proxy(network) as proxy:
        for kind, address in ((1, bytes((127, 0, 0, 1))), (4, bytes(15) + b"\x01")):
            async with connected(proxy) as client:
                client.writer.write(GREETING + bytes((5, 1, 0, kind)) + address + b"\x00\x50")
                answer = await client.reader.readexactly(12)
                assert answer[3] == NOT_ALLOWED
        assert reasons(proxy) == {"127.0.0.1:80": 1, "::1:80": 1}


# What is remembered


async def test_refusals_are_counted_and_handed_out_once(network: MadeUpNetwork):
    async with open_proxy(network) as proxy:
        for _ in range(3):
            await reply(proxy, "127.0.0.1", 22)
        await reply(proxy, "169.254.169.254", 80)
        (first, times), (second, once) = proxy.take_refusals().items()
        assert (first.host, first.port, times) == ("127.0.0.1", 22, 3)
        assert "private network" in first.reason
        assert "allow_private" in (first.hint or "")
        assert (second.host, once) == ("169.254.169.254", 1)
        assert "metadata" in second.reason
        assert not proxy.take_refusals()


async def test_refusals_of_many_ports_take_bounded_memory(network: MadeUpNetwork):
    async with open_proxy(network) as proxy, connected(proxy):
        for port in range(1, 2101):
            await reply(proxy, "127.0.0.1", port)
        assert len(proxy.take_refusals()) == 2000
        assert proxy.unreached("http://127.0.0.1:2100/") is not None


async def test_failure_is_told_in_the_browser_s_words_and_is_no_refusal(network: MadeUpNetwork):
    network.names["dead.example"] = [PUBLIC]
    async with open_proxy(network) as proxy:
        assert await reply(proxy, "dead.example", 80) == UNREACHABLE
        assert await reply(proxy, "nowhere.example", 443) == UNREACHABLE
        dead = proxy.unreached("http://dead.example/a")
        nowhere = proxy.unreached("wss://nowhere.example/a")
        assert dead is not None
        assert (dead.reason, dead.refused) == ("ERR_CONNECTION_REFUSED", False)
        assert nowhere is not None
        assert (nowhere.reason, nowhere.refused) == ("ERR_NAME_NOT_RESOLVED", False)
        assert not proxy.take_refusals()


async def test_failure_is_forgotten_when_a_connection_is_made(network: MadeUpNetwork):
    network.names["late.example"] = [PUBLIC]
    async with serving() as port, open_proxy(network) as proxy:
        assert await reply(proxy, "late.example", 80) == UNREACHABLE
        network.servers[PUBLIC, 80] = port
        assert await reply(proxy, "late.example", 80) == CONNECTED
        await until(lambda: proxy.unreached("http://late.example/") is None)


# What is passed on


async def test_bytes_pass_whole_both_ways(network: MadeUpNetwork):
    data = random.Random(1).randbytes(5_000_000)
    async with serving() as port, open_proxy(network) as proxy, connected(proxy) as client:
        network.serve("shop.example", port)
        await client.ask("shop.example", 80)
        assert await client.echoed(data) == data


async def test_server_may_speak_first(network: MadeUpNetwork):
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        await writer.drain()

    async with serving(greet) as port, open_proxy(network) as proxy, connected(proxy) as client:
        network.serve("shop.example", port)
        assert await client.ask("shop.example", 80) == CONNECTED
        assert await client.reader.readexactly(5) == b"hello"


async def test_request_in_single_bytes_with_data_behind_it_arrives(network: MadeUpNetwork):
    async with serving() as port, open_proxy(network) as proxy, connected(proxy) as client:
        network.serve("shop.example", port)
        client.writer.write(GREETING)
        assert await client.reader.readexactly(2) == b"\x05\x00"
        for byte in request("shop.example", 80):
            client.writer.write(bytes((byte,)))
            await client.writer.drain()
            await asyncio.sleep(0)
        client.writer.write(b"early")
        assert (await client.reader.readexactly(10))[1] == CONNECTED
        assert await client.reader.readexactly(5) == b"early"


async def test_slow_reader_stops_the_server_instead_of_filling_memory(network: MadeUpNetwork):
    sent = 0

    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536

    async with serving(flood) as port, open_proxy(network) as proxy, connected(proxy) as client:
        network.serve("shop.example", port)
        await client.ask("shop.example", 80)
        before = -1
        while sent != before:
            before = sent
            await asyncio.sleep(0.3)
        assert 0 < sent < 50_000_000
        await client.reader.readexactly(sent)  # and goes on when it is read again
        await until(lambda: sent > before)


async def test_end_of_one_side_ends_the_other(network: MadeUpNetwork):
    ended = asyncio.Event()

    async def read_all(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if await reader.read() == b"":
            ended.set()

    async with serving(read_all) as port, open_proxy(network) as proxy:
        network.serve("shop.example", port)
        async with connected(proxy) as client:
            await client.ask("shop.example", 80)
            client.writer.write(b"x")
            client.writer.close()
            async with asyncio.timeout(5):
                await ended.wait()


# Bounds


async def test_connection_that_asks_for_nothing_is_cut(network: MadeUpNetwork):
    async with open_proxy(network, connect_seconds=0.2) as proxy, connected(proxy) as client:
        assert await client.hung_up()


async def test_server_that_does_not_answer_is_given_up(network: MadeUpNetwork):
    async def never(*_: object) -> object:
        return await asyncio.Event().wait()

    network.names["slow.example"] = [PUBLIC]
    limits = Limits(connect_seconds=0.2)
    async with ForwardProxy(resolver=network.resolver, dial=never, limits=limits) as proxy:
        assert await reply(proxy, "slow.example", 80) == UNREACHABLE
        slow = proxy.unreached("http://slow.example/")
        assert slow is not None
        assert slow.reason == "ERR_CONNECTION_TIMED_OUT"


async def test_name_server_that_does_not_answer_is_given_up():
    async def never(_: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with ForwardProxy(resolver=never, limits=Limits(connect_seconds=0.2)) as proxy:
        assert await reply(proxy, "slow.example", 80) == UNREACHABLE


async def test_silent_connection_is_cut_and_a_busy_one_is_not(network: MadeUpNetwork):
    async with serving() as port, open_proxy(network, idle_seconds=0.5) as proxy:
        network.serve("shop.example", port)
        async with connected(proxy) as busy, connected(proxy) as silent:
            await busy.ask("shop.example", 80)
            await silent.ask("shop.example", 80)
            waiting = asyncio.ensure_future(silent.hung_up())
            while not waiting.done():
                assert await busy.echoed(b"x") == b"x"
                await asyncio.sleep(0.05)
            assert waiting.result()
            assert await busy.echoed(b"x") == b"x"


async def test_connections_beyond_the_limit_are_refused_and_far_beyond_it_cut(
    network: MadeUpNetwork,
):
    async with serving() as port, open_proxy(network, connections=2) as proxy:
        network.serve("shop.example", port)
        async with connected(proxy) as one, connected(proxy) as two:
            await one.ask("shop.example", 80)
            await two.ask("shop.example", 80)
            async with (
                connected(proxy) as three,
                connected(proxy) as four,
                connected(proxy) as five,
                connected(proxy) as six,
            ):
                assert await three.ask("shop.example", 80) == NOT_ALLOWED
                assert reasons(proxy) == {"shop.example:80": 1}
                waiting = [asyncio.ensure_future(each.hung_up()) for each in (four, five, six)]
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
                for each in waiting:
                    each.cancel()
            assert await one.echoed(b"x") == b"x"


async def test_session_that_received_too_much_gets_nothing_more(network: MadeUpNetwork):
    async with serving() as port, open_proxy(network, received_bytes=100_000) as proxy:
        network.serve("shop.example", port)
        async with connected(proxy) as client:
            await client.ask("shop.example", 80)
            client.writer.write(bytes(200_000))
            with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                await client.reader.readexactly(200_000)
        assert await reply(proxy, "shop.example", 80) == NOT_ALLOWED
        refused = proxy.unreached("http://shop.example/")
        assert refused is not None
        assert "100000 bytes" in refused.reason


# Bad clients


@pytest.mark.parametrize(
    "data",
    [
        b"GET http://127.0.0.1/ HTTP/1.1\r\n\r\n",
        b"CONNECT 127.0.0.1:80 HTTP/1.1\r\n\r\n",
        b"\x04\x01\x00\x50\x7f\x00\x00\x01\x00",
        GREETING + b"\x04\x01\x00\x01\x7f\x00\x00\x01\x00\x50",
        GREETING + b"\x05\x01\x00\x02\x7f\x00\x00\x01\x00\x50",
        GREETING + b"\x05\x01\x00\x03\x00\x00\x50",
        GREETING + b"\x05\x01\x00\x03\x02\xc3\xa9\x00\x50",
        b"\x05\x01\x02",
    ],
)
async def test_client_that_speaks_no_socks_5_is_cut(network: MadeUpNetwork, data: bytes):
    async with open_proxy(network, "127.0.0.1:80") as proxy, connected(proxy) as client:
        client.writer.write(data)
        try:
            answer = await client.reader.read()
        except ConnectionError:
            answer = b""
        assert answer in (b"", b"\x05\x00", b"\x05\xff")
    assert not network.dialled


@pytest.mark.parametrize("command", [2, 3])
async def test_listening_and_datagrams_are_no_commands(network: MadeUpNetwork, command: int):
    async with open_proxy(network, "127.0.0.1:80") as proxy, connected(proxy) as client:
        client.writer.write(GREETING + request("127.0.0.1", 80, command=command))
        assert (await client.reader.readexactly(12))[3] == UNKNOWN_COMMAND
        assert await client.hung_up()


async def test_random_bytes_leave_the_proxy_working(network: MadeUpNetwork):
    seed = 20_240
    dice = random.Random(seed)
    async with serving() as port, open_proxy(network) as proxy:
        network.serve("shop.example", port)
        for _ in range(200):
            async with connected(proxy) as client:
                prefix = dice.choice([b"", b"\x05", GREETING, GREETING + b"\x05\x01\x00"])
                client.writer.write(prefix + dice.randbytes(dice.randrange(300)))
                client.writer.write_eof()
                await client.hung_up()
        assert await reply(proxy, "shop.example", 80) == CONNECTED, f"seed {seed}"
    assert network.dialled == [(PUBLIC, 80)], f"seed {seed}"


# The end


async def test_close_cuts_every_connection_and_leaves_no_task(network: MadeUpNetwork):
    async def never(_: str) -> list[str]:
        await asyncio.Event().wait()
        return []

    async with serving() as port:
        network.serve("shop.example", port)
        proxy = open_proxy(network)
        await proxy.start()
        url = proxy.url
        waiting = ForwardProxy(resolver=never)
        await waiting.start()
        async with connected(proxy) as joined, connected(proxy) as idle, connected(waiting) as slow:
            await joined.ask("shop.example", 80)
            slow.writer.write(GREETING + request("slow.example", 80))
            await slow.reader.readexactly(2)
            await proxy.close()
            await waiting.close()
            await proxy.close()
            assert await joined.hung_up()
            assert await idle.hung_up()
            assert await slow.hung_up()
        assert not [task for task in asyncio.all_tasks() if "ForwardProxy" in repr(task)]
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        with pytest.raises(RuntimeError, match="not running"):
            _ = proxy.url
