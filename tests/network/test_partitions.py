"""The shapes of partitions, and the schedules made of them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncipc.network.faults.cuts import Groups
from asyncipc.network.faults.partitions import (
    bridge,
    flap,
    halves,
    isolate_one,
    majorities_ring,
    rolling,
    shuffled,
    swizzle,
    uniform,
)
from asyncipc.network.faults.schedule import event

NAMES = tuple(f"n{number}" for number in range(40))
clusters = st.integers(3, 40).map(lambda count: NAMES[:count])
seeds = st.integers(0, 1 << 32).map(Random)


def seen(groups: tuple[tuple[str, ...], ...], hosts: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """Whom each host reaches, itself among them."""
    reach = Groups(groups)
    return {
        host: frozenset(other for other in hosts if not reach.severs(host, other)) for host in hosts
    }


@given(clusters, seeds)
def test_halves_differ_by_one_host_at_most(hosts: tuple[str, ...], die: Random) -> None:
    one, other = halves(hosts, die)
    assert len(one) == len(hosts) // 2
    assert sorted(one + other) == sorted(hosts)


@given(clusters, seeds)
def test_one_is_isolated_from_all_others(hosts: tuple[str, ...], die: Random) -> None:
    (lonely,), rest = isolate_one(hosts, die)
    assert sorted((lonely, *rest)) == sorted(hosts)


@given(clusters, seeds)
def test_a_bridge_reaches_all_and_the_two_sides_reach_it(
    hosts: tuple[str, ...], die: Random
) -> None:
    groups = bridge(hosts, die)
    reached = seen(groups, hosts)
    assert [host for host in hosts if len(reached[host]) == len(hosts)] == [groups[0][-1]]
    assert abs(len(groups[0]) - len(groups[1])) <= 1


@given(clusters, seeds)
def test_in_a_ring_everybody_sees_a_majority_and_no_two_the_same(
    hosts: tuple[str, ...], die: Random
) -> None:
    reached = seen(majorities_ring(hosts, die), hosts)
    assert all(len(others) > len(hosts) / 2 for others in reached.values())
    assert len(dict.fromkeys(reached.values())) == len(hosts)
    if len(hosts) > 3:
        assert all(len(others) < len(hosts) for others in reached.values())


@given(clusters, seeds)
def test_a_uniform_partition_parts_all_into_two_groups_or_more(
    hosts: tuple[str, ...], die: Random
) -> None:
    groups = uniform(hosts, die)
    assert len(groups) > 1
    assert all(groups)
    assert sorted(host for group in groups for host in group) == sorted(hosts)


def test_every_order_is_as_likely_as_any_other() -> None:
    die, counts = Random(1), dict.fromkeys(["abc", "acb", "bac", "bca", "cab", "cba"], 0)
    for _ in range(6000):
        counts["".join(shuffled("abc", die))] += 1
    chi_square = sum((count - 1000) ** 2 / 1000 for count in counts.values())
    assert chi_square < 20.5  # 5 degrees of freedom, p = 0.001


def test_every_host_is_isolated_at_times() -> None:
    die = Random(1)
    assert len(dict.fromkeys(isolate_one("abc", die)[0] for _ in range(40))) == 3


@pytest.mark.parametrize("make", [halves, isolate_one, bridge, majorities_ring, uniform])
def test_too_few_hosts_and_hosts_named_twice_are_refused(make: object) -> None:
    with pytest.raises(ValueError, match="that takes"):
        make(["a"], Random(1))  # type: ignore[operator]
    with pytest.raises(ValueError, match="named twice"):
        make(["a", "b", "a"], Random(1))  # type: ignore[operator]


def test_a_flapping_link_is_a_schedule() -> None:
    assert flap(["a"], ["b"], down_s=1, up_s=2, count=2, at_s=5) == (
        event(5, "partition", "a", "b", until_s=6, how="drop"),
        event(8, "partition", "a", "b", until_s=9, how="drop"),
    )


def test_hosts_restart_in_turn_and_never_two_at_a_time() -> None:
    assert rolling("ab", down_s=1, up_s=2, kind="pause") == (
        event(0, "pause", "a", until_s=1),
        event(3, "pause", "b", until_s=4),
    )
    with pytest.raises(ValueError, match="crash, pause or isolate in turn, not 'heal'"):
        rolling("ab", down_s=1, up_s=2, kind="heal")


@given(clusters, seeds)
def test_swizzle_clogs_some_one_by_one_and_unclogs_them_in_another_order(
    hosts: tuple[str, ...], die: Random
) -> None:
    made = swizzle(hosts, die, at_s=10, over_s=4)
    clogged = [event.targets[0][0] for event in made]
    assert 1 <= len(clogged) == len(dict.fromkeys(clogged)) <= len(hosts)
    starts = [event.at_s for event in made]
    assert starts == sorted(starts)
    assert all(10 <= event.at_s < 14 < (event.until_s or 0) <= 18.000001 for event in made)
    assert len(dict.fromkeys(event.until_s for event in made)) == len(clogged)
