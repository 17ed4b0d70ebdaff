"""A Bloom filter of hosts."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from scraper.structures.bloom import HostBloom


@settings(deadline=None, max_examples=30)
@given(st.lists(st.text(max_size=20), max_size=50))
def test_there_are_no_false_negatives(hosts: list[str]) -> None:
    """Whatever was added is in it, lone surrogates too."""
    bloom = HostBloom()
    for host in hosts:
        bloom.add(host)
    assert all(host in bloom for host in hosts)


def test_few_hosts_that_were_not_added_are_in_it() -> None:
    """False positives are as rare as the share of bits that are set: 5,000 of 524,288."""
    bloom = HostBloom()
    for number in range(5_000):
        bloom.add(f"h{number}.example")
    wrong = sum(f"other{number}.example" in bloom for number in range(5_000))
    assert wrong < 150


def test_every_host_can_be_added_at_once() -> None:
    """After `add_all` nothing is known to be absent."""
    bloom = HostBloom()
    assert "a.example" not in bloom
    bloom.add_all()
    assert "a.example" in bloom
