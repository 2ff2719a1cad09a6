"""Damage: what arrives of a packet that was hit."""

from __future__ import annotations

from random import Random

from asyncipc.network.links.conditions import conditions
from asyncipc.network.links.damage import Corruption, PowerLaw, flipped
from tests.network.wire import arrivals, datagram, link, segment


def bits_apart(one: bytes, other: bytes) -> int:
    return sum((a ^ b).bit_count() for a, b in zip(one, other, strict=True))


def test_a_corrupted_packet_is_another_one_and_a_checksum_would_tell() -> None:
    packet = datagram(b"hello")
    ((_, hurt),) = arrivals(link(conditions(corrupt=1.0)), packet)
    assert hurt.damaged
    assert bits_apart(hurt.body.data, b"hello") == 1
    assert (packet.damaged, packet.body.data) == (False, b"hello")


def test_as_many_bits_flip_as_were_asked_for() -> None:
    ((_, hurt),) = arrivals(link(conditions(corrupt=Corruption(1.0, bits=7))), datagram(bytes(9)))
    assert bits_apart(hurt.body.data, bytes(9)) == 7


def test_no_more_bits_flip_than_there_are() -> None:
    assert flipped(b"\x0f", 32, Random(0)) == b"\xf0"


def test_a_power_law_flips_at_most_so_many() -> None:
    law = PowerLaw(exponent=0.5, most=8)
    drawn = [law.draw(Random(seed)) for seed in range(300)]
    assert (min(drawn), max(drawn)) == (1, 8)


def test_a_packet_without_data_is_hurt_in_its_head() -> None:
    ((_, hurt),) = arrivals(link(conditions(corrupt=1.0)), segment(b""))
    assert hurt.damaged
    assert hurt.body.data == b""


def test_each_copy_is_hurt_by_itself() -> None:
    wire = link(conditions(corrupt=Corruption(1.0), duplicate=1.0))
    (_, one), (_, other) = arrivals(wire, datagram(bytes(1000)))
    assert one.body.data != other.body.data


def test_a_truncated_datagram_has_lost_its_end() -> None:
    ((_, hurt),) = arrivals(link(conditions(truncate=1.0)), datagram(b"0123456789"))
    assert hurt.damaged
    assert len(hurt.body.data) < 10
    assert b"0123456789".startswith(hurt.body.data)


def test_segments_and_empty_datagrams_are_not_truncated() -> None:
    for packet in (segment(b"0123456789"), datagram(b"")):
        ((_, same),) = arrivals(link(conditions(truncate=1.0)), packet)
        assert same is packet
