"""The link: when packets arrive, and for what cause they do not."""

from __future__ import annotations

import sys
from random import Random

import pytest

from asyncipc.network.links.conditions import PERFECT, Conditions, conditions
from asyncipc.network.links.latency import Exponential, Uniform
from asyncipc.network.links.loss import GilbertElliott
from asyncipc.network.links.port import Port
from asyncipc.network.links.queueing import TailDrop
from asyncipc.network.links.reordering import Reordering
from asyncipc.network.tcp.segment import ACK, PSH
from asyncipc.network.train import pieces
from tests.network.wire import (
    MS,
    DiceBox,
    arrivals,
    datagram,
    delays,
    due,
    fates,
    link,
    segment,
)

JITTERY = conditions(latency=Uniform(0.01, 0.05))
LOSSY = conditions(loss=0.3)


def no_dice(purpose: str) -> Random:
    raise AssertionError(f"a die was cast for {purpose}")


# -- latency and order


def test_a_packet_arrives_after_the_latency() -> None:
    assert due(link(PERFECT), datagram(), 5) == 5 + MS


def test_a_packet_does_not_overtake_one_that_was_sent_before_the_latency_fell() -> None:
    wire = link(conditions(latency=1))
    assert due(wire, datagram()) == 1000 * MS
    wire.conditions = PERFECT
    assert due(wire, datagram(), 10 * MS) == 1000 * MS
    assert due(wire, datagram(), 2000 * MS) == 2001 * MS


def test_what_is_on_its_way_keeps_its_fate_when_the_conditions_change() -> None:
    wire = link(conditions(latency=1))
    before = arrivals(wire, datagram())
    wire.conditions = conditions(loss=1.0)
    assert before[0][0] == 1000 * MS
    assert wire.carry(datagram(), 5) == "loss"


def test_jitter_never_reorders_a_link_that_keeps_order() -> None:
    wire = link(JITTERY)
    dues = [due(wire, datagram(), number * MS) for number in range(200)]
    assert dues == sorted(dues)
    assert len({at - number * MS for number, at in enumerate(dues)}) > 50


def test_jitter_reorders_a_link_that_keeps_none() -> None:
    wire = link(conditions(JITTERY, keep_order=False))
    dues = [due(wire, datagram(), number * MS) for number in range(200)]
    assert dues != sorted(dues)


def test_order_holds_from_the_moment_at_which_it_is_asked_for() -> None:
    wire = link(conditions(latency=1))
    due(wire, datagram())
    wire.conditions = conditions(latency=0.1, keep_order=False)
    assert due(wire, datagram(), 1) == 100 * MS + 1
    wire.conditions = conditions(latency=0.1)
    assert due(wire, datagram(), 2) == 1000 * MS


def test_jitter_in_seconds_is_around_the_latency() -> None:
    wire = link(conditions(latency=0.05, jitter=0.01))
    measured = delays(wire, 300, 100 * MS)
    assert 40 * MS <= min(measured) < 41 * MS
    assert 59 * MS < max(measured) <= 60 * MS


def test_jitter_as_a_model_is_added_to_the_latency() -> None:
    measured = delays(link(conditions(latency=0.05, jitter=Exponential(0.01))), 300, 1000 * MS)
    assert 50 * MS <= min(measured) < 51 * MS
    assert max(measured) > 80 * MS


def test_models_and_seconds_add_up() -> None:
    made = conditions(latency=0.05 + Exponential(0.01) + 0.01)
    assert made == Conditions(latency_ns=60 * MS, jitter=Exponential(0.01))


# -- a stable extra for a pair


def test_the_extra_of_a_pair_is_drawn_once_and_is_the_same_both_ways() -> None:
    slow = conditions(latency=0.001, extra=Exponential(0.1))
    there, back = link(slow), link(slow, source="b", target="a")
    assert set(delays(there, 10)) == set(delays(back, 10)) == {there.latency_ns}
    assert there.latency_ns > MS


def test_every_pair_has_an_extra_of_its_own() -> None:
    slow = conditions(latency=0.001, extra=Exponential(0.1))
    assert len({link(slow, target=name).latency_ns for name in "bcdef"}) == 5


def test_the_extra_of_a_pair_outlives_a_change_of_other_conditions() -> None:
    slow = conditions(latency=0.001, extra=Exponential(0.1))
    wire = link(slow)
    before = wire.latency_ns
    wire.conditions = conditions(slow, loss=0.1)
    assert wire.latency_ns == before


# -- dice


def test_a_clean_link_casts_no_die() -> None:
    wire = link(conditions(latency=0.02, bandwidth=1e6, mtu=9000), dice=no_dice)
    assert len(delays(wire, 10)) == 10


def test_only_what_is_switched_on_asks_for_a_die() -> None:
    dice = DiceBox()
    delays(link(conditions(latency=0.02, jitter=0.01, duplicate=0.0), dice=dice), 10)
    assert dice.asked == ["link a > b: jitter"]


def test_a_list_of_packets_to_lose_casts_no_number() -> None:
    class Deaf(Random):
        def random(self) -> float:
            raise AssertionError

    wire = link(conditions(loss=[1]), dice=lambda _: Deaf())
    assert fates(wire, 2) == ["loss", None]


def test_switching_one_concern_on_shifts_no_draw_of_another() -> None:
    alone = fates(link(LOSSY), 200)
    busy = conditions(
        LOSSY, latency=0.01, jitter=0.005, duplicate=0.3, reorder=0.2, corrupt=0.5, truncate=0.5
    )
    assert fates(link(busy), 200) == alone


def test_a_die_goes_on_where_it_was_when_a_concern_was_switched_off_meanwhile() -> None:
    whole = fates(link(LOSSY), 100)
    wire = link(LOSSY)
    first = fates(wire, 50)
    wire.conditions = PERFECT
    assert fates(wire, 10) == [None] * 10
    wire.conditions = LOSSY
    assert first + fates(wire, 50) == whole


def test_a_model_with_a_memory_keeps_it_when_something_else_changes() -> None:
    bursty = conditions(loss=GilbertElliott(0.2, 0.2))
    whole = fates(link(bursty), 100)
    wire = link(bursty)
    first = fates(wire, 37)
    wire.conditions = conditions(bursty, latency=0.1)
    assert first + fates(wire, 63) == whole


def test_two_links_have_dice_of_their_own() -> None:
    assert fates(link(LOSSY), 100) != fates(link(LOSSY, target="c"), 100)
    assert fates(link(LOSSY), 100) == fates(link(LOSSY), 100)
    assert fates(link(LOSSY), 100) != fates(link(LOSSY, seed=1), 100)


# -- loss, copies, reordering


def test_a_list_names_the_packets_that_are_lost() -> None:
    answers = fates(link(conditions(loss=[3, 7])), 9)
    assert [number for number, cause in enumerate(answers, 1) if cause == "loss"] == [3, 7]


def test_a_packet_of_a_burst_is_lost_for_burst_loss() -> None:
    assert fates(link(conditions(loss=GilbertElliott(1.0, 0.0))), 3) == [
        None,
        "burst loss",
        "burst loss",
    ]


def test_a_duplicate_arrives_with_what_it_is_a_copy_of() -> None:
    packet = datagram()
    assert arrivals(link(conditions(duplicate=1.0)), packet) == [(MS, packet), (MS, packet)]


def test_a_lost_packet_is_not_doubled() -> None:
    assert link(conditions(loss=1.0, duplicate=1.0)).carry(datagram(), 0) == "loss"


def test_a_packet_picked_for_reordering_takes_no_time() -> None:
    wire = link(conditions(latency=0.01, reorder=1.0))
    assert delays(wire, 3) == [0, 0, 0]


def test_with_a_gap_every_so_manieth_packet_is_picked() -> None:
    wire = link(conditions(latency=0.01, reorder=Reordering(1.0, gap=3)))
    assert [delay == 0 for delay in delays(wire, 7)] == [
        False, False, True, False, False, True, False,
    ]  # fmt: skip


def test_a_packet_may_be_late_and_let_others_pass() -> None:
    wire = link(conditions(latency=0.01, reorder=Reordering(1.0, gap=2, later=0.005)))
    assert delays(wire, 5) == [10 * MS, 15 * MS, 10 * MS, 15 * MS, 10 * MS]


def test_a_packet_may_be_early_but_not_before_it_was_sent() -> None:
    early = conditions(latency=0.01, reorder=Reordering(1.0, earlier=0.004))
    assert delays(link(early), 2) == [6 * MS, 6 * MS]
    assert delays(link(conditions(early, latency=0.003)), 2) == [0, 0]


# -- MTU


@pytest.mark.parametrize("extra", [{}, {"loss": 1e-9}], ids=["plain", "by a passage"])
def test_a_packet_over_the_mtu_that_may_not_be_cut_is_dropped(extra: dict[str, float]) -> None:
    wire = link(conditions(mtu=1000, loss=extra.get("loss", 0.0)))
    assert due(wire, datagram(bytes(972), whole=True)) == MS
    assert wire.carry(datagram(bytes(973), whole=True), 0) == "mtu"
    assert due(wire, datagram(bytes(973))) == MS
    assert wire.carry(datagram(bytes(973), source="fd00::1"), 0) == "mtu"


def test_a_train_is_as_big_as_its_packets() -> None:
    assert due(link(PERFECT), segment(bytes(60000), segment_max=1460)) == MS
    assert link(conditions(mtu=1499)).carry(segment(bytes(60000), segment_max=1460), 0) == "mtu"


# -- what is clean, and what it costs


@pytest.mark.parametrize(
    ("made", "clean"),
    [
        (PERFECT, True),
        (conditions(bandwidth=1e6, latency=0.1, mtu=500), True),
        (conditions(bandwidth=1e6, queue=10), False),
        (JITTERY, False),
        (LOSSY, False),
        (conditions(duplicate=0.1), False),
        (conditions(reorder=0.1), False),
        (conditions(corrupt=0.1), False),
        (conditions(truncate=0.1), False),
        (conditions(piece_max=100), False),
        (conditions(extra=Exponential(0.1)), True),
    ],
    ids=lambda value: value.describe() if isinstance(value, Conditions) else "",
)
def test_a_link_is_clean_if_no_packet_fares_otherwise_than_the_next(
    made: Conditions, clean: bool
) -> None:
    assert link(made).is_clean is clean


def test_a_shared_port_with_a_limited_queue_makes_a_link_unclean() -> None:
    wire = link(PERFECT)
    wire.use_ports(Port(1000), None)
    assert wire.is_clean
    wire.use_ports(None, Port(1000, TailDrop(packets=1).begin(Random(0), 1000)))
    assert not wire.is_clean


def test_pieces_do_not_arrive_in_one_instant() -> None:
    wire = link(conditions(piece_max=10))
    assert [due(wire, segment(b"x")) for _ in range(3)] == [MS, MS + 1, MS + 2]


def test_pieces_carry_at_most_what_was_asked_for() -> None:
    cars = pieces(segment(b"0123456789", flags=ACK | PSH), conditions(piece_max=4))
    assert [car.body.data for car in cars] == [b"0123", b"4567", b"89"]
    assert [car.size for car in cars] == [44, 44, 42]


def test_an_idle_link_is_small() -> None:
    assert sys.getsizeof(link(PERFECT)) < 200


def test_a_link_says_what_it_is() -> None:
    assert link(PERFECT).describe() == "a > b: perfect"
    assert link(conditions(mtu=900, duplicate=0.1)).describe() == "a > b: mtu=900, duplicate=0.1"
