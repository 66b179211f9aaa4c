"""A network of names and addresses that exist nowhere, and lead to servers on this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection

from checkpoint_assets.collection.browser.forward_proxy import dial

# Addresses as public servers have them. Nothing is ever sent there.
PUBLIC = "93.184.215.14"
OTHER_PUBLIC = "93.184.215.15"


class MadeUpNetwork:
    """``resolver`` and ``dial`` of a forward proxy.

    ``names`` are looked up, and ``servers`` connected to, by what is in these tables and by
    nothing else. A list of lists is one answer after the other, the last one for ever.
    ``asked`` and ``dialled`` are what the proxy wanted of them.
    """

    def __init__(self) -> None:
        self.names: dict[str, list[str] | list[list[str]]] = {}
        self.servers: dict[tuple[str, int], int] = {}
        self.asked: list[str] = []
        self.dialled: list[tuple[str, int]] = []

    def serve(self, name: str, port: int, *, address: str = PUBLIC, at: int = 80) -> None:
        """Let the name, at a public address, lead to a port of this machine."""
        self.names[name] = [address]
        self.servers[address, at] = port

    async def resolver(self, host: str) -> Collection[str]:
        """The addresses that the host has in the table."""
        self.asked.append(host)
        answer = self.names.get(host, [])
        if answer and isinstance(answer[0], list):
            return answer.pop(0) if len(answer) > 1 else answer[0]
        return [str(each) for each in answer]

    async def dial(
        self, protocol: Callable[[], asyncio.Protocol], address: str, port: int
    ) -> object:
        """A connection to the port that stands for the address; loopback stands for itself."""
        self.dialled.append((address, port))
        if address == "127.0.0.1":
            return await dial(protocol, address, port)
        if (address, port) not in self.servers:
            raise ConnectionRefusedError(f"nothing is at {address}:{port}")
        return await dial(protocol, "127.0.0.1", self.servers[address, port])
