"""Fault schedules: plain data, played at their times, written to a file and read back."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asyncipc.errors import Unsupported
from asyncipc.network.faults.cuts import Cuts
from asyncipc.network.faults.partitions import flap, rolling, swizzle
from asyncipc.network.faults.player import Changes, Player, Undo
from asyncipc.network.faults.schedule import Event, Schedule, Value, event
from asyncipc.network.links.conditions import conditions
from asyncipc.runtime import scenario
from asyncipc.runtime.scenario import from_toml, to_toml
from tests.network.recorder import Wire


class Theatre:
    """A stage that writes down what is done to hosts."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.cuts = Cuts(wire.fabric)
        self.changes = Changes(wire.fabric)
        self.done: list[str] = []

    def set_link(self, source: str, target: str, parameters: dict[str, Value]) -> Undo:
        return self.changes.set_link(source, target, parameters)

    def note(self, what: str) -> None:
        self.done.append(f"{self.wire.lab.now_ns / 1e9:g} {what}")

    def crash(self, host: str) -> None:
        self.note(f"crash {host}")

    def restart(self, host: str) -> None:
        self.note(f"restart {host}")

    def pause(self, host: str) -> None:
        self.note(f"pause {host}")

    def resume(self, host: str) -> None:
        self.note(f"resume {host}")

    def step_clock(self, host: str, seconds: float) -> None:
        self.note(f"step {host} {seconds:g}")


def play(*events: Event) -> tuple[Wire, Theatre, Player]:
    wire = Wire()
    theatre = Theatre(wire)
    player = Player(events, theatre, wire.lab)
    player.start()
    return wire, theatre, player


# -- data


def test_schedules_are_compared_printed_and_cut_down_as_values() -> None:
    schedule = Schedule(
        [
            event(2, "partition", ["a", "b"], "c", until_s=5, how="hold"),
            event(3, "crash", "a"),
            event(4, "heal"),
        ]
    )
    same = Schedule(
        [
            Event(2.0, "partition", (("a", "b"), ("c",)), (("how", "hold"),), 5.0),
            Event(3.0, "crash", (("a",),)),
            Event(4.0, "heal"),
        ]
    )
    assert schedule == same
    assert hash(schedule) == hash(same)
    assert schedule != schedule[:1]
    assert isinstance(schedule[1:], Schedule)
    assert schedule[1].kind == "crash"
    assert schedule.end_s == 5.0
    assert str(schedule) == (
        "2.0 s to 5.0 s: partition a b | c, how=hold\n3.0 s: crash a\n4.0 s: heal"
    )
    assert eval(repr(schedule), {"Schedule": Schedule, "Event": Event}) == schedule


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: event(1, "explode", "a"), "'explode' is no kind; there are partition, cut"),
        (lambda: event(-1, "crash", "a"), "0 seconds or more"),
        (lambda: event(float("nan"), "crash", "a"), "finite"),
        (lambda: event(2, "crash", "a", until_s=2), "to end at 2.0 s, and begins at 2.0 s"),
        (lambda: event(1, "restart", "a", until_s=2), "restart happens at a time"),
        (lambda: event(1, "crash"), "crash has 1 group of targets, not 0"),
        (lambda: event(1, "partition", "a"), "partition has at least 2 groups of targets, not 1"),
        (lambda: event(1, "heal", "a"), "heal has no targets or 2 groups of them, not 1"),
        (lambda: event(1, "crash", "a", how="hold"), "crash has no parameter how; there are: none"),
        (lambda: event(1, "cut", "a", "b", how="slow"), "how is one of drop, hold, reset"),
        (lambda: event(1, "cut", "a", "b", in_flight=1), "in_flight is true or false, not 1"),
        (lambda: event(1, "clock_step", "a"), "clock_step needs seconds"),
        (lambda: event(1, "clock_step", "a", seconds="x"), "seconds is a number, not 'x'"),
        (lambda: event(1, "link", "a", "b", los=0.1), "a link has no 'los'"),
        (lambda: event(1, "link", "a", "b", loss=2), "loss"),
        (lambda: event(1, "link", "a", "b", loss="much"), "loss"),
        (lambda: event(1, "link", "a", "b", latency=float("inf")), "latency is a finite number"),
    ],
)
def test_an_event_that_makes_no_sense_is_refused_with_what_is_allowed(make: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        make()


# -- play


def test_cuts_of_a_schedule_begin_and_end_at_their_times() -> None:
    wire, theatre, player = play(
        event(1, "partition", "a", ["b", "c"], until_s=3),
        event(2, "cut", "b", "c", how="hold"),
        event(4, "heal", "b", "c"),
        event(5, "isolate", "c", incoming=False, until_s=6),
    )
    told = []
    for second in range(8):
        wire.run(second)
        told.append(theatre.cuts.describe())
    assert told == [
        "", "drop a | b c", "drop a | b c; hold b > c", "hold b > c", "hold b > c",
        "hold b > c; drop c > all others", "hold b > c", "hold b > c",
    ]  # fmt: skip
    assert not theatre.cuts.severs("b", "c")
    assert player.is_over


def test_hosts_crash_pause_and_come_back_at_their_times() -> None:
    wire, theatre, _ = play(
        event(1, "crash", ["a", "b"], until_s=2),
        event(2, "pause", "c", until_s=3),
        event(2, "crash", "a"),
        event(4, "restart", "a"),
        event(5, "clock_step", "b", seconds=-3.5),
    )
    wire.run()
    assert theatre.done == [
        "1 crash a", "1 crash b", "2 restart a", "2 restart b", "2 pause c", "2 crash a",
        "3 resume c", "4 restart a", "5 step b -3.5",
    ]  # fmt: skip


def test_links_get_other_conditions_and_their_own_back() -> None:
    wire, _, _ = play(
        event(1, "link", "a", ["b", "c"], until_s=4, latency=0.2, loss=0.5),
        event(2, "link", "a", "b", until_s=3, latency=0.3),
        event(2.5, "link", "a", "b", mtu=600),
    )
    link, base = wire.fabric.link("a", "b"), wire.fabric.link("a", "b").conditions
    told = []
    for half in range(10):
        wire.run(half / 2)
        told.append(link.conditions)
    lossy = conditions(base, latency=0.2, loss=0.5)
    slow = conditions(lossy, latency=0.3)
    assert told[:4] == [base, base, lossy, lossy]
    assert told[4:6] == [slow, conditions(slow, mtu=600)]
    assert told[6:8] == [conditions(lossy, mtu=600)] * 2
    assert told[8:] == [conditions(base, mtu=600)] * 2
    assert wire.fabric.link("a", "c").conditions == base
    assert wire.fabric.link("b", "a").conditions == base


def test_changes_of_a_link_that_do_not_nest_are_taken_back_each_by_itself() -> None:
    wire = Wire()
    changes, link = Changes(wire.fabric), wire.fabric.link("a", "b")
    base = link.conditions
    first = changes.set_link("a", "b", {"latency": 0.2})
    second = changes.set_link("a", "b", {"loss": 0.5})
    first()
    assert link.conditions == conditions(base, loss=0.5)
    second()
    second()
    assert link.conditions == base


def test_a_schedule_that_is_stopped_ends_what_lasts_and_begins_nothing_more() -> None:
    wire, theatre, player = play(
        event(1, "pause", "a", until_s=9),
        event(1, "cut", "a", "b", until_s=9),
        event(1, "cut", "b", "a"),
        event(5, "crash", "b"),
    )
    wire.run(2)
    assert not player.is_over
    player.stop()
    wire.run()
    assert theatre.done == ["1 pause a", "2 resume a"]
    assert theatre.cuts.describe() == "drop b > a"
    assert player.is_over


def test_the_same_schedule_does_the_same_to_every_packet() -> None:
    def heard() -> list[tuple[float, str, bytes]]:
        wire, _, _ = play(
            event(0.001, "link", "a", "b", until_s=0.03, loss=0.4, duplicate=0.4, latency=0.01),
            event(0.01, "cut", "a", "b", until_s=0.02, how="hold"),
        )
        for number in range(50):
            wire.run(number / 1000)
            wire.udp("ab", b"%d" % number)
        wire.run()
        return wire.hosts["b"].heard

    assert heard() == heard()
    assert 20 < len(heard()) != 50


def test_presets_can_be_played() -> None:
    die = Wire().lab.dice("preset")
    wire, theatre, _ = play(
        *flap(["a"], ["b"], down_s=0.5, up_s=0.5, count=2),
        *swizzle("abc", die, at_s=3),
        *rolling("abc", down_s=1, up_s=1, at_s=20),
    )
    open_at = []
    for half in range(5):
        wire.run(half / 2 + 0.25)
        open_at.append(not theatre.cuts.severs("a", "b"))
    assert open_at == [False, True, False, True, True]
    wire.run(15)
    assert theatre.cuts.active == ()
    wire.run()
    assert theatre.done == [
        "20 crash a", "21 restart a", "22 crash b", "23 restart b", "24 crash c", "25 restart c",
    ]  # fmt: skip


# -- files

names = st.text(st.characters(codec="utf-8"), max_size=5)
groups = st.lists(names, max_size=3).map(tuple)
times = st.floats(0, 1e9) | st.integers(0, 10**6)
options = st.fixed_dictionaries(
    {}, optional={"how": st.sampled_from(["drop", "hold", "reset"]), "in_flight": st.booleans()}
)
links = st.fixed_dictionaries(
    {},
    optional={
        "loss": st.floats(0, 1),
        "latency": st.floats(0, 100),
        "mtu": st.integers(68, 65535),
        "keep_order": st.booleans(),
    },
)


@st.composite
def events(draw: st.DrawFn) -> Event:
    kind = draw(st.sampled_from(["partition", "cut", "isolate", "heal", "link", "pause", "step"]))
    at = draw(times)
    after = draw(st.none() | st.floats(0.001, 1e9).map(lambda more: at + more))
    if after == at:
        after = None
    two = draw(groups), draw(groups)
    if kind == "partition":
        return event(at, kind, *two, draw(groups), until_s=after, **draw(options))
    if kind == "cut":
        return event(at, kind, *two, until_s=after, **draw(options))
    if kind == "link":
        return event(at, kind, *two, until_s=after, **draw(links))
    if kind == "heal":
        return event(at, kind, *draw(st.sampled_from([(), two])))
    if kind == "step":
        seconds = draw(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
        return event(at, "clock_step", two[0], seconds=seconds)
    return event(at, kind, two[0], until_s=after)


@given(st.lists(events(), max_size=5))
def test_what_is_written_to_a_file_is_read_back_equal(made: list[Event]) -> None:
    schedule = Schedule(made)
    again = from_toml(to_toml(schedule))
    assert again == schedule
    assert repr(again) == repr(schedule)


def test_a_file_looks_as_one_would_write_it() -> None:
    schedule = Schedule(
        [event(2, "partition", ["a", "b"], "c", until_s=5, how="hold"), event(3, "heal")]
    )
    text = """\
[[event]]
at_s = 2.0
until_s = 5.0
kind = "partition"
targets = [["a", "b"], ["c"]]
parameters = { how = "hold" }

[[event]]
at_s = 3.0
kind = "heal"
"""
    assert to_toml(schedule) == text
    assert from_toml(text) == schedule


def test_a_lone_host_needs_no_brackets_and_a_whole_number_no_point() -> None:
    text = '[[event]]\nat_s = 1\nkind = "cut"\ntargets = ["a", ["b", "c"]]\n'
    assert from_toml(text) == Schedule([event(1, "cut", "a", ["b", "c"])])


def test_an_empty_file_is_an_empty_schedule() -> None:
    assert from_toml("") == Schedule()
    assert to_toml(Schedule()) == ""


def test_all_that_is_wrong_with_a_file_is_told_at_once_with_its_place() -> None:
    text = """
[[event]]
at_s = "soon"
kind = "crash"
targets = [3]
los = 1
[[event]]
at_s = true
kind = "crash"
targets = ["a"]
[[event]]
at_s = 1
kind = "cut"
targets = ["a"]
[[event]]
at_s = 1
kind = "link"
targets = ["a", "b"]
parameters = { loss = 0.1, latency = [1] }
"""
    with pytest.raises(ValueError) as caught:
        from_toml(text)
    assert str(caught.value).splitlines() == [
        "a scenario has mistakes:",
        "expected float, found 'soon' @ $.event[0].at_s",
        "expected a host's name or a list of them, found 3 @ $.event[0].targets[0]",
        "extra fields found (los) @ $.event[0]",
        "expected float, found True @ $.event[1].at_s",
        "cut has 2 groups of targets, not 1 @ $.event[2]",
        "expected bool, int, float or str, found [1] @ $.event[3].parameters['latency']",
    ]


def test_a_table_that_is_no_event_is_told() -> None:
    with pytest.raises(ValueError, match=r"extra fields found \(events\) @ \$"):
        from_toml("[[events]]\n")
    with pytest.raises(ValueError, match="Invalid value"):
        from_toml("event = [")


def test_without_cattrs_reading_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cattrs", None)
    scenario._converter.cache_clear()
    with pytest.raises(Unsupported, match=r"asyncipc\[scenario\]"):
        from_toml("")
    assert to_toml([event(1, "crash", "a")])
