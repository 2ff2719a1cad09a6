"""Bandwidth and queues: n bytes at a rate take their time, and not everybody may wait."""

from __future__ import annotations

from math import isqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.network.links.conditions import conditions, host_port
from asyncipc.network.links.port import Port
from asyncipc.network.links.queueing import Backlog, CoDel, Gate, RandomEarly, TailDrop
from tests.network.lab import Lab
from tests.network.wire import MS, SECOND, datagram, due, link, segment

KILOBYTE = datagram(bytes(972))
"""1,000 bytes on the wire: 8 ms at 1 Mbit/s."""


def tail(**limits: int) -> Gate:
    return TailDrop(**limits).begin(Random(0), 1)


def test_a_packet_takes_its_bytes_times_eight_over_the_rate() -> None:
    wire = link(conditions(latency=0.01, bandwidth=1_000_000))
    assert due(wire, KILOBYTE) == 18 * MS


def test_a_packet_waits_for_those_before_it() -> None:
    wire = link(conditions(latency=0, bandwidth=1_000_000))
    assert [due(wire, KILOBYTE, at * MS) for at in (0, 0, 10, 100)] == [
        8 * MS, 16 * MS, 24 * MS, 108 * MS,
    ]  # fmt: skip


@given(
    rate=st.integers(1000, 10**11),
    packets=st.lists(st.tuples(st.integers(20, 65535), st.integers(0, 10**8)), max_size=40),
)
def test_no_window_carries_more_than_the_rate(rate: int, packets: list[tuple[int, int]]) -> None:
    port, now, ends = Port(rate), 0, []
    for size, pause in packets:
        now += pause
        end = port.send(size, now)
        assert end is not None
        assert (end - now) * rate >= size * 8 * SECOND
        ends.append((end, size))
    for first in range(len(ends)):
        sent = 0
        for end, size in ends[first + 1 :]:
            sent += size
            assert (end - ends[first][0] + 1) * rate > sent * 8 * SECOND


@given(rate=st.integers(1000, 10**11), size=st.integers(20, 1500))
def test_a_thousand_packets_take_what_one_of_their_size_would(rate: int, size: int) -> None:
    """Nothing is lost or won by rounding."""
    port, at_once = Port(rate), Port(rate)
    ends = [port.send(size, 0) for _ in range(1000)]
    assert ends[-1] == at_once.send(1000 * size, 0) == -(-8000 * size * SECOND // rate)


def test_a_train_takes_the_time_of_all_its_packets_with_their_heads() -> None:
    rate = conditions(latency=0, bandwidth=1_000_000)
    alone = link(rate)
    cars = [segment(bytes(1460), segment_max=1460) for _ in range(10)]
    assert (
        due(link(rate), segment(bytes(14600), segment_max=1460))
        == [due(alone, car) for car in cars][-1]
    )


def test_a_lost_packet_took_its_time_on_the_wire() -> None:
    wire = link(conditions(latency=0, bandwidth=1_000_000, loss=[1]))
    assert wire.carry(KILOBYTE, 0) == "loss"
    assert due(wire, KILOBYTE) == 16 * MS


def test_a_copy_takes_its_time_as_well() -> None:
    wire = link(conditions(latency=0, bandwidth=1_000_000, duplicate=1.0))
    fate = wire.carry(KILOBYTE, 0)
    assert not isinstance(fate, str)
    assert [at for at, _ in fate] == [8 * MS, 16 * MS]


def test_a_copy_that_finds_the_queue_full_is_not_made() -> None:
    wire = link(conditions(latency=0, bandwidth=1_000_000, duplicate=1.0, queue=1))
    assert [len(wire.carry(KILOBYTE, 0)) for _ in range(1)] == [2]
    assert wire.carry(KILOBYTE, 0) == "queue"


def test_a_new_rate_holds_for_what_comes_and_not_for_what_waits() -> None:
    wire = link(conditions(latency=0, bandwidth=1_000_000))
    assert [due(wire, KILOBYTE) for _ in range(2)] == [8 * MS, 16 * MS]
    wire.conditions = conditions(latency=0, bandwidth=2_000_000)
    assert due(wire, KILOBYTE) == 20 * MS


# -- tail drop


def test_whoever_finds_so_many_waiting_is_dropped() -> None:
    wire = link(conditions(latency=0, bandwidth=1_000_000, queue=2))
    fates = [wire.carry(KILOBYTE, 0) for _ in range(5)]
    assert [fate == "queue" for fate in fates] == [False, False, False, True, True]


def test_one_who_is_being_sent_waits_no_longer() -> None:
    wire = link(conditions(latency=0, bandwidth=1_000_000, queue=1))
    for now in (0, 0, 8, 16):
        assert not isinstance(wire.carry(KILOBYTE, now * MS), str)
    assert wire.carry(KILOBYTE, 16 * MS) == "queue"


def test_a_queue_may_be_limited_in_bytes() -> None:
    port = Port(8000, tail(size=2500))
    assert [port.send(1000, 0) is None for _ in range(4)] == [False, False, False, True]
    assert port.send(500, 0) is not None
    assert port.backlog(0).size == 2500


def test_a_port_that_is_free_takes_whatever_comes() -> None:
    port = Port(8000, tail(size=100))
    assert port.send(1000, 0) == SECOND
    assert port.send(1000, 0) is None
    assert port.send(1000, SECOND) == 2 * SECOND


def test_hosts_links_share_their_port() -> None:
    up = Port(1_000_000)
    one, two = link(conditions(latency=0)), link(conditions(latency=0), target="c")
    one.use_ports(up, None)
    two.use_ports(up, None)
    assert [due(wire, KILOBYTE) for wire in (one, two, one)] == [8 * MS, 16 * MS, 24 * MS]


def test_a_full_port_of_the_host_drops_for_queue() -> None:
    wire = link(conditions(latency=0))
    wire.use_ports(Port(1_000_000, tail(packets=1)), None)
    assert [wire.carry(KILOBYTE, 0) == "queue" for _ in range(3)] == [False, False, True]


def test_all_that_a_host_gets_comes_in_through_its_down_port() -> None:
    """Who is near does not wait for what is on its way from afar."""
    lab = Lab()
    hosts = [lab.host(name, f"10.0.0.{n}") for n, name in enumerate(["far", "near", "next", "b"])]
    lab.fabric.set_ports("b", None, host_port("down", 1_000_000, None, Random(0)))
    lab.fabric.link("far", "b").conditions = conditions(latency=1)
    came: list[tuple[str, int]] = []
    lab.fabric.tap = lambda packet, source, target, fate: (
        came.append((source, lab.now_ns)) if fate == "arrived" else None
    )
    hosts[3].udp(53)
    for host in hosts[:3]:
        host.udp(4000).sendto(bytes(972), 0, InetAddress("10.0.0.3", 53), host.process)
    lab.run()
    assert came == [("near", 9 * MS), ("next", 17 * MS), ("far", 1008 * MS)]
    lab.fabric.check_conservation()


def test_a_full_down_port_drops_for_queue() -> None:
    lab = Lab()
    a, b = lab.host("a", "10.0.0.1"), lab.host("b", "10.0.0.2")
    lab.fabric.set_ports("b", None, host_port("down", 1_000_000, 1, Random(0)))
    b.udp(53)
    sender = a.udp(4000)
    for _ in range(4):
        sender.sendto(bytes(972), 0, InetAddress("10.0.0.2", 53), a.process)
    lab.run()
    counts = lab.fabric.statistics("a", "b")
    assert (counts.arrived, counts.dropped) == (2, (("queue", 2),))


def test_a_host_without_a_rate_has_no_port_and_no_queue() -> None:
    assert host_port("up", None, None, Random(0)) is None
    with pytest.raises(ValueError, match="up: queue needs a bandwidth"):
        host_port("up", None, 5, Random(0))
    with pytest.raises(ValueError, match="up \\(bits per second\\) must be a number of at least 1"):
        host_port("up", 0, None, Random(0))


# -- random early detection


def early(packets: int, share: float = 0.02) -> list[bool]:
    """What becomes of a thousand packets that find so many waiting."""
    gate = RandomEarly(weight=1.0, share=share).begin(Random(1), 1_000_000)
    return [gate.admits(1000, 0, Backlog(packets, packets * 1000, MS, 0)) for _ in range(1000)]


def test_random_early_detection_drops_none_while_few_wait() -> None:
    assert all(early(4))


def test_random_early_detection_drops_some_between_and_all_above() -> None:
    some = early(10, share=0.1)
    assert 0.9 < sum(some) / 1000 < 0.97
    assert not any(early(15))


def test_the_average_follows_slowly_and_falls_while_nothing_is_sent() -> None:
    gate = RandomEarly(weight=0.1, least=5, most=6).begin(Random(1), 1_000_000)
    busy = Backlog(20, 20000, MS, 0)
    assert [gate.admits(1000, 0, busy) for _ in range(5)] == [True, True, True, False, False]
    assert gate.admits(1000, 0, Backlog(0, 0, 0, 800 * MS))


# -- controlled delay (RFC 8289)


def test_controlled_delay_lets_a_burst_of_less_than_an_interval_pass() -> None:
    gate = CoDel().begin(Random(0), 1)
    late = Backlog(10, 10_000, 10 * MS, 0)
    assert all(gate.admits(1000, at * MS, late) for at in range(100))


def test_controlled_delay_drops_ever_faster_while_the_delay_stays() -> None:
    gate = CoDel().begin(Random(0), 1)
    late = Backlog(10, 10_000, 10 * MS, 0)
    dropped = [at for at in range(0, 1000 * MS, MS) if not gate.admits(1000, at, late)]
    steps = [isqrt((100 * MS) ** 2 // count) for count in range(1, len(dropped))]
    expected = [100 * MS]
    for step in steps:
        expected.append(expected[-1] + step)
    assert len(dropped) > 15
    assert all(0 <= at - right < MS for at, right in zip(dropped, expected, strict=True))


def test_controlled_delay_stops_when_the_delay_is_short_again() -> None:
    gate = CoDel().begin(Random(0), 1)
    late, fine = Backlog(10, 10_000, 10 * MS, 0), Backlog(10, 10_000, 4 * MS, 0)
    assert not all(gate.admits(1000, at * MS, late) for at in range(200))
    assert all(gate.admits(1000, at * MS, fine) for at in range(200, 1000))


@pytest.mark.parametrize(("pause_ms", "remembers"), [(50, True), (5000, False)])
def test_controlled_delay_remembers_for_a_while_how_often_it_dropped(
    pause_ms: int, remembers: bool
) -> None:
    gate = CoDel().begin(Random(0), 1)
    late, fine = Backlog(10, 10_000, 10 * MS, 0), Backlog(10, 10_000, 4 * MS, 0)
    begin = 1000 + pause_ms
    for at in range(begin):
        gate.admits(1000, at * MS, late if at < 1000 else fine)
    dropped = [at for at in range(begin, begin + 400) if not gate.admits(1000, at * MS, late)]
    assert dropped[0] == begin + 100
    assert (dropped[1] - dropped[0] < 50) is remembers


def test_controlled_delay_spares_a_queue_of_one_packet() -> None:
    """At 8 kbit/s a packet of 1,000 bytes alone takes a second."""
    gate = CoDel().begin(Random(0), 1)
    alone = Backlog(1, 1000, 1000 * MS, 0)
    assert all(gate.admits(1000, at * MS, alone) for at in range(1000))


def test_controlled_delay_keeps_the_standing_queue_short() -> None:
    """10 % more than the link can carry: a tail-drop queue stays full, this one does not."""

    def last_delay(policy: TailDrop | CoDel) -> float:
        wire = link(conditions(latency=0, bandwidth=10_000_000, queue=policy))
        waits = [0]
        for number in range(20_000):
            now = number * 727_000
            fate = wire.carry(KILOBYTE, now)
            if not isinstance(fate, str):
                waits.append(fate[0][0] - now)
        return sum(waits[-1000:]) / 1000 / MS

    assert last_delay(TailDrop(packets=1000)) > 700
    assert last_delay(CoDel()) < 60


@pytest.mark.parametrize("policy", [TailDrop(packets=3), RandomEarly(), CoDel()])
def test_an_idle_wire_takes_every_packet(policy: TailDrop | RandomEarly | CoDel) -> None:
    wire = link(conditions(latency=0, bandwidth=1_000_000, queue=policy))
    assert all(not isinstance(wire.carry(KILOBYTE, at * SECOND), str) for at in range(100))
