"""Rules: what they are shown, what they can do, in which order they are asked."""

from __future__ import annotations

import pytest

from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.network.faults.predicates import (
    EVERY,
    between,
    carries,
    chance,
    change,
    delay,
    deliver,
    drop,
    flags,
    from_host,
    from_port,
    hold,
    nth,
    protocol,
    to_host,
    to_port,
)
from asyncipc.network.faults.rules import (
    PASS,
    Delay,
    Deliver,
    Drop,
    Hold,
    Journey,
    Replace,
    Verdict,
)
from asyncipc.network.internet.icmp import Echo
from asyncipc.network.packet import Packet
from asyncipc.network.tcp.segment import ACK, PSH, SYN, Segment
from tests.network.recorder import ADDRESSES, Wire


def test_a_rule_drops_what_it_says_for_as_long_as_it_is_installed() -> None:
    wire = Wire()
    with wire.fabric.rule(drop(to_port(53))):
        wire.udp("ab", b"1")
        wire.udp("ab", b"2", port=54)
    wire.udp("ab", b"3")
    wire.run()
    assert wire.heard("b") == [b"2", b"3"]
    assert wire.dropped("ab") == {"rule": 1}


def test_the_first_rule_that_answers_has_the_say() -> None:
    wire = Wire()
    asked = []

    def spectator(packet: Packet, journey: Journey) -> Verdict | None:
        asked.append(packet.body.data)
        return None

    with (
        wire.fabric.rule(lambda p, j: PASS if p.body.data == b"1" else None),
        wire.fabric.rule(spectator),
        wire.fabric.rule(drop()),
    ):
        wire.udp("ab", b"1")
        wire.udp("ab", b"2")
        wire.run()
    assert wire.heard("b") == [b"1"]
    assert asked == [b"2"]


def test_a_rule_is_shown_who_sends_to_whom_and_when() -> None:
    wire = Wire()
    seen: list[tuple[str, str, int]] = []
    wire.lab.now_ns = 7
    with wire.fabric.rule(lambda p, j: seen.append(j[:3])):  # type: ignore[func-returns-value]
        wire.udp("ac")
    assert seen == [("a", "c", 7)]


def test_delay_comes_on_top_of_the_link_and_lets_others_overtake() -> None:
    wire = Wire()
    with wire.fabric.rule(delay(carries(b"slow"), 0.005)):
        wire.udp("ab", b"slow")
        wire.udp("ab", b"fast")
        wire.run()
    assert wire.hosts["b"].heard == [(1, "a", b"fast"), (6, "a", b"slow")]


def test_deliver_makes_copies_at_times_of_its_own() -> None:
    wire = Wire()
    with wire.fabric.rule(deliver(EVERY, 0.002, 0, 0.004)):
        wire.udp("ab")
        wire.run()
    assert [at for at, _, _ in wire.hosts["b"].heard] == [0, 2, 4]
    counts = wire.fabric.statistics("a", "b")
    assert (counts.sent, counts.copied, counts.arrived) == (1, 2, 3)


def test_a_rule_can_change_what_is_carried() -> None:
    wire = Wire()
    with wire.fabric.rule(change(carries(b"1"), bytes.swapcase)):
        wire.udp("ab", b"ab1")
        wire.udp("ab", b"ab2")
    wire.run()
    assert wire.heard("b") == [b"AB1", b"ab2"]


def test_a_rule_can_send_a_packet_to_another_host() -> None:
    wire = Wire()

    def redirect(packet: Packet, journey: Journey) -> Verdict:
        return Replace(Packet(packet.source, ADDRESSES["c"], packet.body))

    with wire.fabric.rule(redirect):
        wire.udp("ab")
    wire.run()
    assert (wire.heard("b"), wire.heard("c")) == ([], [b"x"])
    assert wire.fabric.statistics("a", "b").sent == 0
    assert wire.fabric.statistics("a", "c").sent == 1


def test_what_a_rule_holds_is_released_in_order() -> None:
    wire = Wire()
    held = wire.fabric.rule(hold())
    for number in range(3):
        wire.udp("ab", b"%d" % number)
    wire.run(1)
    assert wire.heard("b") == []
    assert wire.fabric.statistics("a", "b").in_flight == 3
    held.release()
    wire.udp("ab", b"3")
    wire.run(2)
    assert [at for at, _, _ in wire.hosts["b"].heard] == [1001] * 3
    held.remove()
    wire.run()
    assert wire.heard("b") == [b"0", b"1", b"2", b"3"]


def test_what_a_rule_holds_can_be_discarded() -> None:
    wire = Wire()
    with wire.fabric.rule(hold()) as held:
        wire.udp("ab")
        held.discard()
    wire.run()
    assert wire.heard("b") == []
    assert wire.dropped("ab") == {"rule": 1}


def test_a_released_packet_has_only_the_rules_behind_before_it() -> None:
    wire = Wire()
    counted: list[bytes] = []
    wire.fabric.rule(lambda p, j: counted.append(p.body.data))  # type: ignore[func-returns-value]
    held = wire.fabric.rule(hold())
    wire.fabric.rule(drop(carries(b"2")))
    wire.udp("ab", b"1")
    wire.udp("ab", b"2")
    held.remove()
    wire.run()
    assert wire.heard("b") == [b"1"]
    assert counted == [b"1", b"2"]


def test_released_packets_come_before_what_is_sent_because_of_them() -> None:
    wire = Wire(latency_ns=0)
    recorder, plain = wire.hosts["b"], wire.hosts["b"].input

    def answer(packet: Packet) -> None:
        plain(packet)
        if packet.body.data == b"1":
            wire.udp("ab", b"late")

    recorder.input = answer  # type: ignore[method-assign]
    with wire.fabric.rule(hold()):
        wire.udp("ab", b"1")
        wire.udp("ab", b"2")
    assert wire.heard("b") == [b"1", b"2", b"late"]


def test_the_error_of_a_rule_reaches_who_sent_and_the_packet_is_not_sent() -> None:
    wire = Wire()

    def broken(packet: Packet, journey: Journey) -> Verdict:
        raise ZeroDivisionError("mine")

    with wire.fabric.rule(broken), pytest.raises(ZeroDivisionError, match="mine"):
        wire.udp("ab")
    wire.run()
    assert wire.fabric.statistics("a", "b").sent == 0
    wire.udp("ab")
    wire.run()
    assert wire.heard("b") == [b"x"]


def test_an_answer_that_is_no_verdict_is_told_with_the_name_of_the_rule() -> None:
    wire = Wire()
    with (
        wire.fabric.rule(lambda p, j: True, name="yes"),  # type: ignore[arg-type, return-value]
        pytest.raises(TypeError, match="rule yes answered True, which is no verdict"),
    ):
        wire.udp("ab")


def test_names_are_unique_and_numbers_are_given_to_who_has_none() -> None:
    wire = Wire()
    assert wire.fabric.rule(drop()).name == "1"
    named = wire.fabric.rule(drop(), name="lossy")
    with pytest.raises(ValueError, match="there is a rule 'lossy' already"):
        wire.fabric.rule(drop(), name="lossy")
    named.remove()
    named.remove()
    assert wire.fabric.rule(drop(), name="lossy").name == "lossy"


def test_each_rule_has_a_die_of_its_own_which_others_do_not_shift() -> None:
    def survivors(*, with_another: bool) -> list[bytes]:
        wire = Wire()
        if with_another:
            wire.fabric.rule(drop(chance(0.5) & to_host("c")), name="another")
        wire.fabric.rule(drop(chance(0.5)), name="mine")
        for number in range(40):
            if with_another:
                wire.udp("ac")
            wire.udp("ab", b"%d" % number)
        wire.run()
        return wire.heard("b")

    alone = survivors(with_another=False)
    assert 5 < len(alone) < 35
    # The other's own packets throw this die, too: so they are kept from it.
    wire = Wire()
    wire.fabric.rule(drop(to_host("c") & chance(0.5)), name="another")
    wire.fabric.rule(drop(to_host("b") & chance(0.5)), name="mine")
    for number in range(40):
        wire.udp("ac")
        wire.udp("ab", b"%d" % number)
    wire.run()
    assert wire.heard("b") == alone
    assert survivors(with_another=True) != alone


def test_a_rule_of_the_same_name_goes_on_with_its_die() -> None:
    def fates(*, again: bool) -> list[bytes]:
        wire = Wire()
        for start in range(0, 40, 20):
            if again or not start:
                rule = wire.fabric.rule(drop(chance(0.5)), name="mine")
            for number in range(start, start + 20):
                wire.udp("ab", b"%d" % number)
            if again:
                rule.remove()
        wire.run()
        return wire.heard("b")

    assert fates(again=True) == fates(again=False)


def test_certain_and_impossible_chances_throw_no_die() -> None:
    class NoDie:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(name)

    packet = Packet(ADDRESSES["a"], ADDRESSES["b"], Echo(1, b""))
    journey = Journey("a", "b", 0, NoDie())  # type: ignore[arg-type]
    assert chance(1)(packet, journey)
    assert not chance(0)(packet, journey)


@pytest.mark.parametrize(
    ("predicate", "meant"),
    [
        (protocol("udp"), "u"),
        (protocol("tcp"), "t"),
        (from_host("a"), "ut"),
        (from_host("b", "c"), ""),
        (to_host("b"), "ut"),
        (between("b", "a"), "ut"),
        (between("a", "c"), ""),
        (from_port(4000), "ut"),
        (to_port(53), "u"),
        (to_port(80, 53), "ut"),
        (flags(SYN), "t"),
        (flags(SYN | ACK), "t"),
        (flags(SYN | PSH), ""),
        (carries(b"at"), "u"),
        (~protocol("udp"), "t"),
        (protocol("udp") | flags(ACK), "ut"),
        (protocol("udp") & flags(ACK), ""),
    ],
    ids=str,
)
def test_predicates_say_which_packets_are_meant(predicate: object, meant: str) -> None:
    wire = Wire()
    found = []
    wire.fabric.rule(
        lambda p, j: found.append(p.body.protocol[0].lower()) if predicate(p, j) else None  # type: ignore[func-returns-value, operator]
    )
    wire.udp("ab", b"data")
    wire.tcp("ab", SYN | ACK)
    assert "".join(found) == meant


def test_nth_counts_what_comes_through_to_it() -> None:
    wire = Wire()
    wire.fabric.rule(drop(carries(b"y") & nth(2, 3)))
    for data in (b"x1", b"y1", b"x2", b"y2", b"x3", b"y3", b"y4"):
        wire.udp("ab", data)
    wire.run()
    assert wire.heard("b") == [b"x1", b"y1", b"x2", b"x3", b"y4"]


@pytest.mark.parametrize(
    "make",
    [
        lambda: nth(0), lambda: nth(), lambda: chance(1.5), lambda: Drop("bad luck"),
        lambda: Delay(-1), lambda: Delay(float("nan")), lambda: Deliver(),
        lambda: Deliver(float("inf")),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_when_it_is_said(make: object) -> None:
    with pytest.raises(ValueError):
        make()  # type: ignore[operator]


def test_verdicts_are_values() -> None:
    assert Deliver(1, 2) == Deliver(1, 2)
    assert Drop() == Drop("rule")
    assert Hold() == Hold()
    assert Delay(1) != Delay(2)


def big(size: int, most: int) -> Packet:
    ends = InetAddress(ADDRESSES["a"], 4000), InetAddress(ADDRESSES["b"], 80)
    body = Segment(*ends, 100, 0, ACK | PSH, 1000, bytes(size), segment_max=most)
    return Packet(ADDRESSES["a"], ADDRESSES["b"], body)


def test_a_rule_that_looks_inside_sees_single_packets_of_a_big_segment() -> None:
    wire = Wire()
    with wire.fabric.rule(drop(nth(2))):
        wire.submit(big(3500, 1000), "a")
    wire.submit(big(3500, 1000), "a")
    with wire.fabric.rule(lambda p, j: None, looks_inside=False):
        wire.submit(big(3500, 1000), "a")
    wire.run()
    sizes = [len(packet.body.data) for packet in wire.hosts["b"].packets]
    assert sizes == [1000, 1000, 500, 3500, 3500]
    sequences = [packet.body.sequence for packet in wire.hosts["b"].packets[:3]]  # type: ignore[attr-defined]
    assert sequences == [100, 2100, 3100]
