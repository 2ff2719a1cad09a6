"""Traffic: in which order packets arrive, through which ports, in which pieces."""

from __future__ import annotations

import pytest

from asyncipc.network.faults.predicates import EVERY, deliver
from asyncipc.network.links.conditions import conditions
from asyncipc.network.links.port import Port
from asyncipc.network.links.queueing import TailDrop
from tests.network.recorder import Recorder, Wire
from tests.network.test_rules import big


def test_packets_of_one_time_arrive_in_the_order_in_which_they_were_sent() -> None:
    wire = Wire()
    for number in range(5):
        wire.udp("ab" if number % 2 else "cb", b"%d" % number)
    wire.run()
    assert wire.heard("b") == [b"0", b"1", b"2", b"3", b"4"]


def test_a_link_that_has_become_instant_does_not_overtake_what_is_due_now() -> None:
    wire = Wire()
    wire.udp("ab", b"1")
    wire.fabric.link("a", "b").conditions = conditions(latency=0)
    wire.fabric.rule(deliver(EVERY, 0))
    wire.lab.now_ns = 1_000_000
    wire.udp("ab", b"2")
    wire.run()
    assert wire.heard("b") == [b"1", b"2"]
    wire.udp("ab", b"3")
    assert wire.heard("b")[2:] == [b"3"]


def test_all_that_comes_to_a_host_goes_through_its_down_port_one_after_the_other() -> None:
    wire = Wire()
    wire.udp("ab")  # a link that is in use when the port comes
    wire.fabric.set_ports("b", None, Port(rate=29 * 8 * 1000))
    wire.udp("cb")
    wire.udp("ab")
    wire.udp("ac")
    wire.run()
    assert [at for at, _, _ in wire.hosts["b"].heard] == [2, 3, 4]
    assert [at for at, _, _ in wire.hosts["c"].heard] == [1]


def test_what_finds_no_room_at_a_down_port_is_dropped_for_its_queue() -> None:
    wire = Wire()
    gate = TailDrop(1).begin(wire.lab.dice("queue"), 8)
    wire.fabric.set_ports("b", None, Port(8, gate))
    for _ in range(4):
        wire.udp("ab")
    wire.run()
    assert len(wire.heard("b")) == 2
    assert wire.dropped("ab") == {"queue": 2}


def test_what_a_host_sends_shares_its_up_port() -> None:
    wire = Wire()
    wire.fabric.set_ports("a", Port(rate=29 * 8 * 1000), None)
    wire.udp("ab")
    wire.udp("ac")
    wire.run()
    assert [at for at, _, _ in wire.hosts["b"].heard + wire.hosts["c"].heard] == [2, 3]


@pytest.mark.parametrize(
    ("keywords", "sizes"),
    [
        ({}, [2500]),
        ({"bandwidth": 1e6}, [2500]),
        ({"loss": [2]}, [1000, 500]),
        ({"piece_max": 700}, [700, 700, 700, 400]),
        ({"piece_max": 2000}, [1000, 1000, 500]),
    ],
)
def test_a_big_segment_goes_as_one_where_nothing_can_befall_a_part_of_it(
    keywords: dict[str, object], sizes: list[int]
) -> None:
    wire = Wire()
    wire.fabric.link("a", "b").conditions = conditions(**keywords)  # type: ignore[arg-type]
    wire.submit(big(2500, 1000), "a")
    wire.run()
    assert [len(data) for data in wire.heard("b")] == sizes


def test_stations_that_never_speak_have_no_links() -> None:
    wire = Wire()

    class Silent:
        def __init__(self, name: str) -> None:
            self.name = name

        def input(self, packet: object) -> None:
            raise AssertionError(self.name)

    for number in range(10_000):
        address = f"10.1.{number >> 8}.{number & 255}"
        wire.fabric.attach(Silent(f"host{number}"), address)
    wire.udp("ab")
    wire.run()
    assert [lane.describe() for lane in wire.fabric.lanes()] == [
        "a > b: 1 sent + 0 copied, 1 arrived, 0 in flight"
    ]


def test_an_error_of_a_host_leaves_the_books_balanced_and_the_others_reachable() -> None:
    wire = Wire(latency_ns=0)

    def broken(packet: object) -> None:
        raise ZeroDivisionError

    plain, recorder = wire.hosts["b"].input, wire.hosts["b"]
    assert isinstance(recorder, Recorder)
    recorder.input = broken  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        wire.udp("ab", b"1")
    recorder.input = plain  # type: ignore[method-assign]
    wire.udp("ab", b"2")
    wire.run()
    assert wire.heard("b") == [b"2"]
