"""Where a webhook may lead."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain.endpoints import AddressRefused, check_url, is_public, may_connect

INSIDE = [
    "0.0.0.0",  # noqa: S104 -- nothing is bound to it
    "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.9.9.9",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1",
    "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.255", "240.0.0.1",
    "255.255.255.255",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
    "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1",
    "2001:10::1", "2001:db8::1", "2002:7f00:1::", "2002:0808:0808::1", "3fff::1", "5f00::1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0", "2606:4700::1%eth0", "fec0::1",
    "ff02::1", "4000::1",
]  # fmt: skip
OUTSIDE = ["1.1.1.1", "8.8.8.8", "203.150.0.1", "::ffff:8.8.8.8", "64:ff9b::808:808",
           "2606:4700::1111", "2001:fb0::1", "2400:cb00::1"]  # fmt: skip


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_not_public_is_not_called(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_is_public_is_called(address: str) -> None:
    assert is_public(ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_however_it_is_wrapped(address: IPv4Address) -> None:
    mapped = IPv6Address(0xFFFF_0000_0000 | int(address))
    translated = IPv6Address(int(IPv6Address("64:ff9b::")) | int(address))
    assert is_public(mapped) == is_public(translated) == is_public(address)


@given(st.ip_addresses())
def test_development_adds_loopback_and_nothing_else(address: IPv4Address | IPv6Address) -> None:
    added = may_connect(address, loopback=True) and not may_connect(address, loopback=False)
    assert not added or address.is_loopback


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.moi.example/kamkap",
        "https://hooks.moi.example:8443/a?b=c",
        "https://8.8.8.8/",
    ],
)
def test_a_public_https_address_is_taken(url: str) -> None:
    check_url(url, loopback=False)


@pytest.mark.parametrize(
    "url",
    ["http://hooks.moi.example/", "ftp://hooks.moi.example/", "//hooks.moi.example", "hooks", "",
     "https://", "https:///path", "https://user@hooks.example/", "https://:secret@hooks.example/",
     "https://hooks.example/#part", "https://127.0.0.1/", "https://[::1]/", "https://10.0.0.1/",
     "https://[::ffff:127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://hooks.example:99999/",
     "https://hooks.example/\nHost: inside", "https://hooks.example/ x", "https://[::1/",
     "https://ศูนย์.example/", "https://hooks.example/" + "a" * 2_048],
)  # fmt: skip
def test_any_other_address_is_refused(url: str) -> None:
    with pytest.raises(AddressRefused):
        check_url(url, loopback=False)


def test_development_takes_http_on_loopback() -> None:
    check_url("http://127.0.0.1:9000/hook", loopback=True)
    check_url("http://localhost:9000/hook", loopback=True)
    with pytest.raises(AddressRefused):
        check_url("http://10.0.0.1/", loopback=True)
