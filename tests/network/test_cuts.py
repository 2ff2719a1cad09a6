"""Cuts: who reaches whom, what becomes of packets, and what heals."""

from __future__ import annotations

import pytest

from asyncipc.network.faults.breakage import (
    accept_and_reset,
    hang,
    limit_data,
    refuse,
    reset_after,
    slow_close,
    slow_handshake,
)
from asyncipc.network.faults.cuts import Cuts
from asyncipc.network.faults.predicates import EVERY, drop
from asyncipc.network.tcp.segment import ACK, FIN, RST, SYN
from tests.network.recorder import Wire


def reached(wire: Wire) -> str:
    """The ways that are open, as ``ab ba ac``."""
    hosts = list(wire.hosts)
    open_ways = []
    for source in hosts:
        for target in hosts:
            before = len(wire.heard(target))
            if source != target:
                wire.udp(source + target)
                wire.run()
            if len(wire.heard(target)) > before:
                open_ways.append(source + target)
    return " ".join(open_ways)


def test_a_partition_keeps_groups_apart_and_leaves_others_alone() -> None:
    wire = Wire("abcd")
    cuts = Cuts(wire.fabric)
    with cuts.partition(["a", "b"], "c"):
        assert reached(wire) == "ab ad ba bd cd da db dc"
        assert wire.dropped("ac") == {"cut": 1}
    assert len(reached(wire).split()) == 12


def test_a_host_in_two_groups_is_a_bridge() -> None:
    wire = Wire("abc")
    Cuts(wire.fabric).partition(["a", "b"], ["b", "c"])
    assert reached(wire) == "ab ba bc cb"


def test_a_one_way_cut_lets_the_other_way_through() -> None:
    wire = Wire("ab")
    with Cuts(wire.fabric).cut("a", "b"):
        assert reached(wire) == "ba"


def test_isolated_hosts_reach_each_other_and_nobody_else() -> None:
    wire = Wire("abc")
    with Cuts(wire.fabric).isolate("a", "b"):
        assert reached(wire) == "ab ba"


@pytest.mark.parametrize(
    ("incoming", "outgoing", "ways"), [(True, False, "ab"), (False, True, "ba")]
)
def test_a_host_can_be_isolated_one_way(incoming: bool, outgoing: bool, ways: str) -> None:
    wire = Wire("ab")
    Cuts(wire.fabric).isolate("a", incoming=incoming, outgoing=outgoing)
    assert reached(wire) == ways


def test_isolation_meets_hosts_that_come_later() -> None:
    wire = Wire("ab")
    Cuts(wire.fabric).isolate("a")
    late = Wire("c")
    late.hosts["c"].lab = wire.lab
    wire.hosts["c"] = late.hosts["c"]
    wire.fabric.attach(late.hosts["c"], "10.0.0.3")
    assert reached(wire) == "bc cb"


def test_one_pair_heals_and_the_others_stay_cut() -> None:
    wire = Wire("abcd")
    cuts = Cuts(wire.fabric)
    cuts.partition(["a", "b"], ["c", "d"])
    cuts.heal("a", "c")
    assert reached(wire) == "ab ac ba ca cd dc"
    cuts.heal()
    assert len(reached(wire).split()) == 12
    assert cuts.active == ()
    assert wire.fabric.rules.describe() == ""


def test_healing_a_pair_heals_it_of_every_cut() -> None:
    wire = Wire("abc")
    cuts = Cuts(wire.fabric)
    cuts.partition("a", "b", "c")
    cuts.isolate("a")
    cuts.heal("a", "b")
    assert reached(wire) == "ab ba"


# -- packets on their way


def test_a_partition_leaves_packets_on_their_way_alone() -> None:
    wire = Wire()
    wire.udp("ab")
    Cuts(wire.fabric).partition("a", "b")
    wire.run()
    assert wire.heard("b") == [b"x"]


def test_a_partition_drops_what_is_in_flight_if_it_says_so() -> None:
    wire = Wire()
    wire.udp("ab")
    wire.udp("cb", b"y")
    Cuts(wire.fabric).partition("a", "b", in_flight=True)
    assert [flight.packet.body.data for flight in wire.fabric.flights()] == [b"y"]
    wire.run()
    assert wire.heard("b") == [b"y"]
    assert wire.dropped("ab") == {"cut": 1}
    assert wire.lab.heap.next_due() is None


def test_hold_keeps_packets_and_healing_delivers_them_in_order_in_a_burst() -> None:
    wire = Wire()
    cut = Cuts(wire.fabric).hold("a", "b")
    for number in range(3):
        wire.udp("ab", b"%d" % number)
        wire.run(number + 1)
    assert wire.heard("b") == []
    assert len(cut.held) == 3
    cut.heal()
    wire.udp("ab", b"3")
    wire.run()
    assert wire.hosts["b"].heard == [(3001, "a", b"%d" % number) for number in range(4)]


def test_hold_catches_what_is_in_flight_which_then_arrives_first() -> None:
    wire = Wire()
    wire.udp("ab", b"1")
    cut = Cuts(wire.fabric).hold("a", "b", in_flight=True)
    wire.udp("ab", b"2")
    wire.run(5)
    cut.heal()
    wire.run()
    assert wire.hosts["b"].heard == [(5000, "a", b"1"), (5001, "a", b"2")]


def test_a_hold_between_two_does_not_block_a_third() -> None:
    wire = Wire()
    with Cuts(wire.fabric).hold("a", "b"):
        wire.udp("ab")
        wire.udp("cb", b"y")
        wire.run()
        assert wire.heard("b") == [b"y"]


def test_a_pair_of_a_hold_heals_and_the_others_are_held() -> None:
    wire = Wire()
    cut = Cuts(wire.fabric).isolate("b", how="hold")
    wire.udp("ab", b"1")
    wire.udp("cb", b"2")
    cut.heal("a", "b")
    wire.run()
    assert wire.heard("b") == [b"1"]
    assert [flight.packet.body.data for flight in cut.held] == [b"2"]


def test_what_a_hold_keeps_can_be_discarded() -> None:
    wire = Wire()
    with Cuts(wire.fabric).hold("a", "b") as cut:
        wire.udp("ab")
        cut.discard()
    wire.run()
    assert wire.heard("b") == []
    assert wire.dropped("ab") == {"cut": 1}


def test_release_lets_go_and_holds_on() -> None:
    wire = Wire()
    cut = Cuts(wire.fabric).hold("a", "b")
    wire.udp("ab", b"1")
    cut.release()
    wire.udp("ab", b"2")
    wire.run()
    assert wire.heard("b") == [b"1"]


def test_a_partition_behind_a_hold_meets_what_the_hold_releases() -> None:
    wire = Wire()
    cuts = Cuts(wire.fabric)
    held = cuts.hold("a", "b")
    wire.udp("ab", b"1")
    cut = cuts.partition("a", "b")
    held.heal()
    cut.heal()
    wire.udp("ab", b"2")
    wire.run()
    assert wire.heard("b") == [b"2"]


def test_of_two_holds_the_last_to_heal_lets_go_in_the_order_of_sending() -> None:
    wire = Wire()
    cuts = Cuts(wire.fabric)
    wire.udp("ab", b"0")
    first, second = cuts.hold("a", "b", in_flight=True), cuts.isolate("a", how="hold")
    wire.udp("ab", b"1")
    first.heal()
    wire.udp("ab", b"2")
    assert len(second.held) == 3
    second.heal()
    wire.run()
    assert wire.heard("b") == [b"0", b"1", b"2"]


def test_a_partition_with_in_flight_reaches_what_others_hold() -> None:
    wire = Wire()
    cuts = Cuts(wire.fabric)
    held = cuts.hold("a", "b")
    wire.udp("ab")
    cuts.partition("a", "b", in_flight=True)
    assert held.held == ()
    cuts.heal()
    wire.run()
    assert wire.heard("b") == []


def test_held_packets_of_a_crashed_host_are_discarded() -> None:
    wire = Wire()
    cut = Cuts(wire.fabric).isolate("b", how="hold")
    wire.udp("ab")
    wire.udp("ba")
    wire.udp("cb", b"y")
    wire.fabric.discard_held("a")
    cut.heal()
    wire.run()
    assert (wire.heard("a"), wire.heard("b")) == ([], [b"y"])
    assert wire.dropped("ab") == wire.dropped("ba") == {"down": 1}


def test_a_healed_network_keeps_no_packet_for_ever() -> None:
    wire = Wire("abcd")
    cuts = Cuts(wire.fabric)
    cuts.hold(["a", "b"], ["c", "d"], in_flight=True)
    cuts.isolate("a", how="hold")
    for source in "abcd":
        for target in "abcd".replace(source, ""):
            wire.udp(source + target)
    wire.run(5)
    assert len(wire.fabric.flights()) == 10
    cuts.heal()
    wire.run(6)
    assert wire.fabric.flights() == []


# -- flights by hand


def test_one_chosen_packet_is_delivered_before_the_others() -> None:
    wire = Wire()
    for data in (b"1", b"2", b"3"):
        wire.udp("ab", data)
    flight = wire.fabric.flights("a", "b")[1]
    wire.fabric.deliver(flight)
    assert wire.heard("b") == [b"2"]
    wire.run()
    assert wire.heard("b") == [b"2", b"1", b"3"]
    with pytest.raises(ValueError, match="it has arrived, or was dropped"):
        wire.fabric.deliver(flight)


def test_a_held_packet_is_delivered_by_hand() -> None:
    wire = Wire()
    cut = Cuts(wire.fabric).hold("a", "b")
    wire.udp("ab", b"1")
    wire.udp("ab", b"2")
    wire.fabric.deliver(cut.held[1])
    cut.heal()
    wire.run()
    assert wire.heard("b") == [b"2", b"1"]


def test_a_flight_is_put_off_dropped_or_redirected() -> None:
    wire = Wire()
    for data in (b"1", b"2", b"3"):
        wire.udp("ab", data)
    first, second, third = wire.fabric.flights()
    wire.fabric.postpone(first, 9_000_000)
    wire.fabric.drop(second, "rule")
    packet = third.packet
    wire.fabric.redirect(third, type(packet)(packet.source, "10.0.0.3", packet.body))
    wire.run()
    assert wire.hosts["b"].heard == [(9, "a", b"1")]
    assert wire.hosts["c"].heard == [(1, "a", b"3")]


def test_flights_are_found_by_their_ends() -> None:
    wire = Wire()
    for way in ("ab", "cb", "ac"):
        wire.udp(way, way.encode())
    found = {
        ends: [flight.packet.body.data for flight in wire.fabric.flights(*ends)]
        for ends in ((None, None), ("a", None), (None, "b"), ("c", "b"), ("b", "c"))
    }
    assert found == {
        (None, None): [b"ab", b"cb", b"ac"],
        ("a", None): [b"ab", b"ac"],
        (None, "b"): [b"ab", b"cb"],
        ("c", "b"): [b"cb"],
        ("b", "c"): [],
    }


def test_an_address_that_has_changed_hands_does_not_get_what_is_on_its_way() -> None:
    wire = Wire()
    wire.udp("ab")
    wire.fabric.detach("10.0.0.2")
    wire.fabric.attach(wire.hosts["c"], "10.0.0.2")
    wire.run()
    assert wire.heard("c") == []
    assert wire.dropped("ab") == {"no host": 1}


def test_what_nobody_has_the_address_of_is_counted_and_told() -> None:
    wire = Wire("ab")
    wire.watch()
    wire.udp("ac")
    assert wire.fates == ["a>10.0.0.3 x dropped: no host"]
    assert wire.fabric.stray.dropped == {"no host": 1}


def test_who_watches_is_told_each_fate() -> None:
    wire = Wire()
    wire.watch()
    cuts = Cuts(wire.fabric)
    cut = cuts.hold("a", "b")
    wire.udp("ab", b"1")
    cut.heal()
    wire.run()
    with cuts.cut("a", "b"):
        wire.udp("ab", b"2")
    assert wire.fates == [
        "a>b 1 sent", "a>b 1 held", "a>b 1 released", "a>b 1 arrived",
        "a>b 2 sent", "a>b 2 dropped: cut",
    ]  # fmt: skip


# -- connections


def test_a_reset_cut_breaks_a_connection_at_both_ends_with_the_numbers_they_expect() -> None:
    wire = Wire()
    with Cuts(wire.fabric).reset("a", "b"):
        wire.tcp("ab", ACK, 100, 200, b"data")
        wire.udp("ab")
    wire.run()
    assert wire.segments("b") == ["4000 > 80 [R.], seq 100, ack 200, win 0, length 0"]
    assert wire.segments("a") == ["80 > 4000 [R], seq 200, win 0, length 0"]
    assert wire.dropped("ab") == {"cut": 2}


def test_a_reset_is_not_answered_with_a_reset() -> None:
    wire = Wire()
    with Cuts(wire.fabric).reset("a", "b"):
        wire.tcp("ab", RST, 100)
    wire.run()
    assert wire.segments("a") == []
    assert wire.segments("b") == ["4000 > 80 [R], seq 100, win 1000, length 0"]


def test_a_reset_cut_lets_a_reset_that_is_in_flight_arrive() -> None:
    wire = Wire()
    wire.tcp("ab", RST, 100)
    with Cuts(wire.fabric).reset("a", "b", in_flight=True):
        wire.run()
    assert wire.segments("a") == []
    assert wire.segments("b") == ["4000 > 80 [R], seq 100, win 1000, length 0"]


def test_a_reset_cut_breaks_what_is_in_flight_once_for_each_connection() -> None:
    wire = Wire()
    wire.tcp("ab", ACK, 100, 200, b"1")
    wire.tcp("ab", ACK, 101, 200, b"2")
    Cuts(wire.fabric).reset("a", "b", in_flight=True)
    wire.run()
    assert wire.segments("b") == ["4000 > 80 [R.], seq 100, ack 200, win 0, length 0"]
    assert wire.segments("a") == ["80 > 4000 [R], seq 200, win 0, length 0"]


def test_a_refused_connection_gets_a_reset_for_its_syn() -> None:
    wire = Wire()
    with wire.fabric.rule(refuse()):
        wire.tcp("ab", SYN, 100)
        wire.tcp("ab", ACK, 7, 8)
    wire.run()
    assert wire.segments("a") == ["80 > 4000 [R.], seq 0, ack 101, win 0, length 0"]
    assert wire.segments("b") == ["4000 > 80 [.], seq 7, ack 8, win 1000, length 0"]


def test_a_connection_that_hangs_loses_its_syns() -> None:
    wire = Wire()
    with wire.fabric.rule(hang()):
        wire.tcp("ab", SYN, 100)
    wire.run()
    assert wire.segments("a") == wire.segments("b") == []


def test_a_slow_handshake_and_a_slow_close_take_their_time() -> None:
    wire = Wire()
    wire.fabric.rule(slow_handshake(EVERY, 1))
    wire.fabric.rule(slow_close(EVERY, 2))
    wire.tcp("ab", SYN)
    wire.tcp("ab", ACK)
    wire.tcp("ab", FIN | ACK)
    wire.run()
    assert [at for at, _, _ in wire.hosts["b"].heard] == [1, 1001, 2001]


def test_a_connection_is_accepted_and_then_reset() -> None:
    wire = Wire()
    with wire.fabric.rule(accept_and_reset()):
        wire.tcp("ab", SYN, 100)
        wire.tcp("ba", SYN | ACK, 200, 101)
        wire.tcp("ab", ACK, 101, 201)
        wire.tcp("ab", ACK, 101, 201, b"later")
    wire.run()
    assert wire.segments("b") == [
        "4000 > 80 [S], seq 100, win 1000, length 0",
        "4000 > 80 [.], seq 101, ack 201, win 1000, length 0",
        "4000 > 80 [R.], seq 101, ack 201, win 0, length 0",
        "4000 > 80 [.], seq 101:106, ack 201, win 1000, length 5",
    ]
    assert wire.segments("a") == [
        "80 > 4000 [S.], seq 200, ack 101, win 1000, length 0",
        "80 > 4000 [R], seq 201, win 0, length 0",
    ]


def test_a_connection_is_reset_after_exactly_so_many_bytes() -> None:
    wire = Wire()
    with wire.fabric.rule(reset_after(EVERY, 6)):
        wire.tcp("ab", SYN, 99)
        wire.tcp("ab", ACK, 100, 1, b"1234")
        wire.tcp("ab", ACK, 100, 1, b"1234")  # again: it counts once
        wire.tcp("ab", ACK | FIN, 104, 1, b"5678")
        wire.tcp("ab", ACK, 108, 1, b"9")
    wire.run()
    assert wire.segments("b") == [
        "4000 > 80 [S], seq 99, win 1000, length 0",
        "4000 > 80 [.], seq 100:104, ack 1, win 1000, length 4",
        "4000 > 80 [.], seq 100:104, ack 1, win 1000, length 4",
        "4000 > 80 [.], seq 104:106, ack 1, win 1000, length 2",
        "4000 > 80 [R.], seq 106, ack 1, win 0, length 0",
        "4000 > 80 [R.], seq 108, ack 1, win 0, length 0",
    ]
    assert wire.segments("a") == ["80 > 4000 [R], seq 1, win 0, length 0"] * 2


def test_data_over_the_limit_is_swallowed() -> None:
    wire = Wire()
    with wire.fabric.rule(limit_data(EVERY, 6)):
        wire.tcp("ab", ACK, 100, 1, b"1234")
        wire.tcp("ab", ACK, 104, 1, b"5678")
        wire.tcp("ab", ACK, 108, 1, b"9")
        wire.tcp("ab", ACK, 109, 1)
    wire.run()
    assert wire.heard("b") == [b"1234", b"56", b""]
    assert wire.dropped("ab") == {"rule": 1}


def test_sequence_numbers_wrap_without_confusing_a_limit() -> None:
    wire = Wire()
    with wire.fabric.rule(limit_data(EVERY, 6)):
        wire.tcp("ab", SYN, 0xFFFFFFFC)
        wire.tcp("ab", ACK, 0xFFFFFFFD, 1, b"1234")
        wire.tcp("ab", ACK, 1, 1, b"5678")
    wire.run()
    assert wire.heard("b") == [b"", b"1234", b"56"]


# -- what makes no sense, and what it is called


def test_cuts_that_make_no_sense_are_refused() -> None:
    cuts = Cuts(Wire().fabric)
    with pytest.raises(ValueError, match="at least two groups, not 1"):
        cuts.partition("a")
    with pytest.raises(ValueError, match="drop, hold, reset, not 'slow'"):
        cuts.cut("a", "b", how="slow")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="who is to be isolated"):
        cuts.isolate()
    assert cuts.active == ()


def test_cuts_say_what_they_are() -> None:
    wire = Wire()
    cuts = Cuts(wire.fabric)
    cuts.partition(["a", "b"], "c")
    cuts.cut("a", "b", how="hold")
    cuts.isolate("c", incoming=False, how="reset")
    wire.udp("ab")
    assert cuts.describe() == "drop a b | c; hold a > b, holds 1; reset c > all others"
    assert cuts.severs("c", "a")
    assert not cuts.severs("b", "a")


def test_a_cut_costs_nothing_for_hosts_that_never_speak() -> None:
    wire = Wire()
    names = [f"host{number}" for number in range(10_000)]
    Cuts(wire.fabric).partition(names[:5000], names[5000:])
    assert list(wire.fabric.lanes()) == []


def test_a_rule_before_a_cut_has_the_say() -> None:
    wire = Wire()
    wire.fabric.rule(drop())
    Cuts(wire.fabric).hold("a", "b")
    wire.udp("ab")
    assert wire.dropped("ab") == {"rule": 1}
