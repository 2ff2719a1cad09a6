"""Conservation: whatever goes wrong, no packet is lost from the books, at any moment."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from asyncipc.network.counts import CAUSES
from asyncipc.network.faults.cuts import Cut, Cuts
from asyncipc.network.faults.predicates import EVERY, chance, delay, deliver, drop, hold
from asyncipc.network.faults.rules import Installed, Reset
from asyncipc.network.links.conditions import conditions
from asyncipc.network.packet import Packet
from asyncipc.network.tcp.segment import ACK
from tests.network.recorder import ADDRESSES, Wire

HOSTS = "abcd"
hosts = st.sampled_from(HOSTS)
ways = st.tuples(hosts, hosts).filter(lambda way: way[0] != way[1]).map("".join)
ALL_WAYS = [one + other for one in HOSTS for other in HOSTS if one != other]
bursts = st.lists(ways, min_size=3, max_size=12)
manners = st.sampled_from(["drop", "hold", "reset"])
shares = st.sampled_from([0.0, 0.2, 0.9])
links = st.fixed_dictionaries(
    {},
    optional={
        "latency": st.sampled_from([0, 0.001, 0.5]),
        "loss": shares,
        "duplicate": shares,
        "corrupt": shares,
        "bandwidth": st.sampled_from([None, 10_000]),
    },
)


class Faults(RuleBasedStateMachine):
    """Any mix of faults.  Every fate that is told is counted, too, and the books
    are looked at whenever it is.
    """

    def __init__(self) -> None:
        super().__init__()
        self.wire = Wire(HOSTS)
        self.cuts = Cuts(self.wire.fabric)
        self.rules: list[Installed] = []
        self.told: dict[tuple[str, str, str], int] = {}
        self.wire.fabric.tap = self.tell
        for host in self.wire.hosts.values():
            self.make_answer(host)

    @initialize(watched=st.booleans())
    def begin(self, watched: bool) -> None:
        """Without anybody who looks, packets take a shorter way."""
        if not watched:
            self.wire.fabric.tap = None
        self.send(ALL_WAYS, b"?", False)

    def tell(self, packet: Packet, source: str, target: str, fate: str) -> None:
        key = source, target, fate
        self.told[key] = self.told.get(key, 0) + 1
        self.wire.fabric.check_conservation()

    def make_answer(self, host: Any) -> None:
        """Who gets a question answers in the same turn."""
        plain, name = host.input, host.name

        def answer(packet: Packet) -> None:
            plain(packet)
            if packet.body.data == b"?":
                sender = next(n for n, address in ADDRESSES.items() if address == packet.source)
                self.wire.udp(name + sender, b"!")

        host.input = answer

    @rule(some=bursts, data=st.sampled_from([b"x", b"?"]), tcp=st.booleans())
    def send(self, some: list[str], data: bytes, tcp: bool) -> None:
        for way in some:
            if tcp:
                self.wire.tcp(way, ACK, 1, 2, data)
            else:
                self.wire.udp(way, data)

    @rule(some=bursts)
    def send_more(self, some: list[str]) -> None:
        self.send(some, b"?", False)

    @rule(seconds=st.sampled_from([0.0, 0.001, 0.3, 2.0]))
    def wait(self, seconds: float) -> None:
        self.wire.run(self.wire.lab.now_ns / 1e9 + seconds)

    @rule(way=ways, keywords=links)
    def change_link(self, way: str, keywords: dict[str, Any]) -> None:
        self.wire.fabric.link(way[0], way[1]).conditions = conditions(**keywords)

    @rule(groups=st.lists(st.lists(hosts), min_size=2, max_size=3), how=manners, now=st.booleans())
    def partition(self, groups: list[list[str]], how: Any, now: bool) -> None:
        self.cuts.partition(*groups, how=how, in_flight=now)

    @rule(way=ways, how=manners, now=st.booleans())
    def cut(self, way: str, how: Any, now: bool) -> None:
        self.cuts.cut(way[0], way[1], how=how, in_flight=now)

    @rule(host=hosts, how=manners, now=st.booleans())
    def isolate(self, host: str, how: Any, now: bool) -> None:
        self.cuts.isolate(host, how=how, in_flight=now)

    @rule(way=ways)
    def heal_pair(self, way: str) -> None:
        self.cuts.heal(way[0], way[1])

    @rule()
    def heal_all(self) -> None:
        self.cuts.heal()

    @rule()
    def remove_all(self) -> None:
        while self.rules:
            self.rules.pop().remove()

    @precondition(lambda self: self.cuts.active)
    @rule(data=st.data())
    def end_cut(self, data: st.DataObject) -> None:
        cut: Cut = data.draw(st.sampled_from(self.cuts.active))
        act = data.draw(st.sampled_from([cut.heal, cut.release, cut.discard]))
        act()

    @rule(
        make=st.sampled_from(
            [
                lambda: drop(chance(0.5)),
                lambda: delay(chance(0.5), 0.1),
                lambda: deliver(EVERY, 0, 0.01),
                lambda: hold(chance(0.5)),
                lambda: lambda packet, journey: Reset(passes=True),
            ]
        )
    )
    def install(self, make: Any) -> None:
        self.rules.append(self.wire.fabric.rule(make()))

    @precondition(lambda self: self.rules)
    @rule(data=st.data())
    def end_rule(self, data: st.DataObject) -> None:
        installed = data.draw(st.sampled_from(self.rules))
        act = data.draw(st.sampled_from([installed.remove, installed.release, installed.discard]))
        act()

    @rule(data=st.data())
    def touch_a_flight(self, data: st.DataObject) -> None:
        fabric = self.wire.fabric
        flights = fabric.flights()
        if not flights:
            return
        flight = data.draw(st.sampled_from(flights))
        act = data.draw(st.sampled_from(["deliver", "drop", "postpone"]))
        if act == "deliver":
            fabric.deliver(flight)
        elif act == "drop":
            fabric.drop(flight, "rule")
        else:
            fabric.postpone(flight, self.wire.lab.now_ns + 1_000_000)

    @rule(host=hosts)
    def crash(self, host: str) -> None:
        self.wire.fabric.discard_held(host)

    @invariant()
    def books_are_balanced(self) -> None:
        self.wire.fabric.check_conservation()
        for lane in self.wire.fabric.lanes():
            assert lane.timed == sum(flight.timer is not None for flight in lane.flights)
            for flight in lane.flights:
                assert (flight.timer is None) != (flight.holder is None)
                assert flight.holder is None or flight in flight.holder.held

    @invariant()
    def what_was_told_is_what_was_counted(self) -> None:
        if self.wire.fabric.tap is None:
            return
        for lane in self.wire.fabric.lanes():
            ends = lane.link.source, lane.link.target
            counts = lane.statistics()
            assert counts.sent == self.told.get((*ends, "sent"), 0)
            assert counts.copied == self.told.get((*ends, "copied"), 0)
            assert counts.arrived == self.told.get((*ends, "arrived"), 0)
            for cause, number in counts.dropped:
                assert cause in CAUSES
                assert number == self.told.get((*ends, f"dropped: {cause}"), 0)

    def teardown(self) -> None:
        """Heal all, and nothing stays on its way."""
        self.cuts.heal()
        for installed in self.rules:
            installed.remove()
        self.wire.run()
        assert self.wire.fabric.flights() == []
        heard = sum(len(host.heard) for host in self.wire.hosts.values())
        arrived = sum(lane.counts.arrived for lane in self.wire.fabric.lanes())
        assert heard == arrived


def test_packets_are_conserved_under_any_mix_of_faults(examples: int) -> None:
    run_state_machine_as_test(
        Faults, settings=settings(max_examples=examples, stateful_step_count=30, deadline=None)
    )


def test_a_lost_packet_is_told_with_its_link_and_the_numbers() -> None:
    wire = Wire()
    wire.udp("ab")
    wire.fabric.lane("a", "b").flights.clear()
    with pytest.raises(
        AssertionError,
        match="packets are not conserved on a > b: 1 sent \\+ 0 copied, 0 arrived, 0 in flight",
    ):
        wire.fabric.check_conservation()


@given(st.lists(ways, max_size=40), st.integers(0, 1000))
def test_the_counts_of_all_links_are_those_of_the_hosts(sent: list[str], seed: int) -> None:
    wire = Wire(HOSTS, seed)
    wire.fabric.conditions = conditions(loss=0.3, duplicate=0.3)
    for way in sent:
        wire.udp(way)
    wire.run()
    for way in sent:
        counts = wire.fabric.statistics(way[0], way[1])
        assert counts.sent == sent.count(way)
        assert counts.bytes_sent == sent.count(way) * (20 + 8 + 1)
        assert counts.sent + counts.copied == counts.arrived + counts.lost
