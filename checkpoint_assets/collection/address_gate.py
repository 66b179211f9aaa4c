"""Where a browser may be sent: public addresses, and the private ones that were allowed by name.

Asked before a page is opened (``check_url``), and for every connection that the browser makes
(``checked_addresses``, by the forward proxy).
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Collection
from urllib.parse import urlsplit

from checkpoint_assets.collection.url_gate import check_url_syntax
from checkpoint_assets.model.errors import InvalidUrl

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# host -> every address that it has, the one to try first in front; none: it does not resolve
Resolve = Callable[[str], Awaitable[Collection[str]]]

# Where clouds answer with credentials, some of them in public ranges. Never opened, whatever is
# allowed.
METADATA_ADDRESSES = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "169.254.169.254",  # AWS, Google, Azure, DigitalOcean, Oracle, OpenStack
        "169.254.170.2",  # AWS: tasks
        "169.254.170.23",  # AWS: pods
        "169.254.0.23",  # Tencent
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure: the host's own server
        "192.0.0.192",  # Oracle Cloud Classic
        "fd00:ec2::254",  # AWS
        "fd00:ec2::23",  # AWS: pods
        "fd20:ce::254",  # Google
    )
)
_DEFAULT_PORTS = {"http": 80, "https": 443}
# NAT64 (RFC 6052) and the deprecated IPv4-compatible form (RFC 4291, 2.5.5.1) hold an IPv4
# address in their last 32 bits.
_EMBEDDING = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))
# All that was ever given out as global unicast (RFC 4291); `is_global` alone says yes to more.
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")


async def resolve(host: str) -> Collection[str]:
    """Every address of the host, by the system's resolver and in its order."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, ValueError):  # a name that cannot even be asked for has no address either
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


async def check_url(url: str, allowed: Collection[str], *, resolver: Resolve = resolve) -> None:
    """Raises ``InvalidUrl`` unless the URL leads to a public address or an allowed ``host:port``.

    A host that does not resolve is let through: the browser will say so itself.
    """
    parts = urlsplit(check_url_syntax(url))
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    await checked_addresses(parts.hostname or "", port, allowed, resolver=resolver)


async def checked_addresses(
    host: str, port: int, allowed: Collection[str], *, resolver: Resolve = resolve
) -> tuple[str, ...]:
    """The host's addresses, none of which is out of bounds; empty if it does not resolve.

    To be safe from names that change their address, connect to one of these and not to the name.
    Raises ``InvalidUrl`` if one address is that of a cloud's metadata, or is private while
    ``host:port`` is not in ``allowed``.
    """
    addresses = (host,) if _address(host) else tuple(await resolver(host))
    name = f"[{host}]" if ":" in host else host
    for text in addresses:
        address = _address(text)
        if address is None:
            raise InvalidUrl(f"{name} has an address that is none: {text[:100]!r}")
        if address in METADATA_ADDRESSES:
            raise InvalidUrl(f"{name} is a cloud metadata address", hint="it is never opened")
        if not _public(address) and f"{name}:{port}" not in allowed:
            raise InvalidUrl(
                f"{name}:{port} is in a private network ({text})",
                hint="allow it in the scenario (allow_private) and in CHECKPOINT_ALLOW_PRIVATE",
            )
    return addresses


def _public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast


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
        if any(address in network for network in _EMBEDDING):
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
