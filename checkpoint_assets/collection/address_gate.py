"""Where a browser may be sent: public addresses, and the private ones that were allowed by name."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection
from urllib.parse import urlsplit

from checkpoint_assets.collection.url_gate import check_url_syntax
from checkpoint_assets.model.errors import InvalidUrl

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# host -> every address that it has
Resolve = Callable[[str], Awaitable[Collection[str]]]

# Where clouds answer with credentials. Never opened, whatever is allowed.
METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(address)
    for address in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254")
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
# NAT64 (RFC 6052) and 6to4 (RFC 3056) carry an IPv4 address inside.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


async def resolve(host: str) -> Collection[str]:
    """Every address of the host, by the system's resolver."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return {str(entry[4][0]) for entry in found}


async def check_url(url: str, allowed: Collection[str], *, resolver: Resolve = resolve) -> None:
    """Raises ``InvalidUrl`` unless the URL leads to a public address or an allowed ``host:port``.

    A host that does not resolve is let through: the browser will say so itself.
    """
    parts = urlsplit(check_url_syntax(url))
    host = parts.hostname or ""
    literal = _address(host)
    addresses = [literal] if literal else [_address(each) for each in await resolver(host)]
    for address in addresses:
        if address is None:
            continue
        if address in METADATA_ADDRESSES:
            raise InvalidUrl(f"{host} is a cloud metadata address", hint="it is never opened")
        name = f"[{host}]" if ":" in host else host
        port = parts.port or _DEFAULT_PORTS[parts.scheme]
        if not address.is_global and f"{name}:{port}" not in allowed:
            raise InvalidUrl(
                f"{name}:{port} is in a private network ({address})",
                hint="allow it in the scenario (allow_private) and in CHECKPOINT_ALLOW_PRIVATE",
            )


def _address(text: str) -> Address | None:
    """The text as an address, as browsers read it: also ``2130706433`` and ``0x7f.1``."""
    try:
        address: Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        try:
            address = ipaddress.IPv4Address(socket.inet_aton(text.rstrip(".")))
        except OSError:
            return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped or address.sixtofour:
            return address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
