"""Where an IP address leads."""

from __future__ import annotations

import pytest

from aggregator.feeds.addresses import AddressRefusedError, judge, parse_address, permitted


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("93.184.216.34", "public"),
        ("2606:4700::1111", "public"),
        ("127.0.0.1", "private"),
        ("10.1.2.3", "private"),
        ("172.16.0.1", "private"),
        ("192.168.1.1", "private"),
        ("100.64.0.1", "private"),
        ("::1", "private"),
        ("fd12::1", "private"),
        ("0.0.0.0", "forbidden"),
        ("0.1.2.3", "forbidden"),
        ("::", "forbidden"),
        ("169.254.169.254", "forbidden"),
        ("fe80::1%eth0", "forbidden"),
        ("224.0.0.1", "forbidden"),
        ("ff02::1", "forbidden"),
        ("255.255.255.255", "forbidden"),
        ("240.0.0.1", "forbidden"),
        ("fd00:ec2::254", "forbidden"),
        ("100.100.100.200", "forbidden"),
        ("168.63.129.16", "forbidden"),
        ("::ffff:93.184.216.34", "public"),
        ("::ffff:127.0.0.1", "private"),
        ("[::ffff:169.254.169.254]", "forbidden"),
        ("64:ff9b::5db8:d822", "public"),
        ("64:ff9b::a00:1", "private"),
        ("64:ff9b::a9fe:a9fe", "forbidden"),
        ("64:ff9b:1::5db8:d822", "private"),
        ("64:ff9b:1::a9fe:a9fe", "forbidden"),
        ("2002:5db8:d822::1", "public"),
        ("2002:7f00:1::1", "private"),
        ("2002:a9fe:a9fe::1", "forbidden"),
        ("::127.0.0.1", "private"),
        ("::169.254.169.254", "forbidden"),
        ("2606:4700::5efe:169.254.169.254", "forbidden"),
    ],
)
def test_an_address_is_public_private_or_forbidden(text: str, kind: str) -> None:
    address = parse_address(text)
    assert address is not None
    assert judge(address) == kind


def test_names_are_no_addresses() -> None:
    assert parse_address("news.example") is None
    assert parse_address("0x7f.1") is None


def test_only_what_may_be_connected_to_is_left_and_nothing_left_is_an_error() -> None:
    mixed = ["169.254.169.254", "10.0.0.1", "93.184.216.34"]
    assert permitted("h", mixed, private=False) == [("93.184.216.34", "public")]
    assert permitted("h", mixed, private=True) == [("10.0.0.1", "private"), ("93.184.216.34", "public")]
    with pytest.raises(AddressRefusedError) as caught:
        permitted("h", mixed[:2], private=False)
    assert (caught.value.address, caught.value.kind) == ("169.254.169.254", "forbidden")
    with pytest.raises(AddressRefusedError):
        permitted("h", [], private=True)
