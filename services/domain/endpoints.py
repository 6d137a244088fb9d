"""Where a webhook may lead: to public addresses over HTTPS, and nowhere inside.

Source: Standard Webhooks 1.0.0, 'Server side request forgery'; the special-purpose address
registries of IANA (RFC 6890). That an IPv6 address must be global unicast is stricter than they.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import SplitResult, urlsplit

from services.domain.rejected import Rejected

MAX_URL = 2_048

_UNICAST = IPv6Network("2000::/3")
_NOT_PUBLIC = tuple(
    IPv6Network(net)
    # Protocol assignments with Teredo, documentation, 6to4 (its IPv4 address is anybody's word).
    for net in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)
_TRANSLATED = IPv6Network("64:ff9b::/96")


@dataclass
class AddressRefused(Rejected):
    """The address of a webhook is not one that the network calls."""

    why: str
    rule = "webhook-address-refused"


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether the address is somebody's on the open network, and nothing special.

    What IPv6 wraps (mapped, translated) is judged as the IPv4 address that is reached.
    """
    if isinstance(address, IPv4Address):
        return address.is_global and not (address.is_multicast or address.is_reserved)
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _TRANSLATED:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    # An address with a zone is of one link, whatever its bits say.
    is_special = address.scope_id is not None or any(address in net for net in _NOT_PUBLIC)
    return address in _UNICAST and not is_special


def may_connect(address: IPv4Address | IPv6Address, *, loopback: bool) -> bool:
    """Whether a webhook is sent to this very address; `loopback` is for development alone."""
    return is_public(address) or (loopback and address.is_loopback)


def check_url(url: str, *, loopback: bool) -> None:
    """The URL can be called; what its name leads to is judged at each connection.

    Raises:
        AddressRefused: not HTTPS, with a password in it, or an address that is not public.
    """
    parts = _parts(url)
    if parts.scheme != "https" and not (loopback and parts.scheme == "http"):
        raise AddressRefused("it must begin with https://")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise AddressRefused("it must have no user, password or fragment")
    if not parts.hostname:
        raise AddressRefused("it names no host")
    try:
        address = ip_address(parts.hostname)
    except ValueError:
        return
    if not may_connect(address, loopback=loopback):
        raise AddressRefused("its address is not a public one")


def _parts(url: str) -> SplitResult:
    # The library takes line breaks out and lets other characters through that no URL has.
    if len(url) > MAX_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise AddressRefused("it is no URL in ASCII")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        raise AddressRefused("it is no URL") from None
    return parts
