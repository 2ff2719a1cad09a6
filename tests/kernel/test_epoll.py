from __future__ import annotations

import pytest

from asyncipc.kernel.anonymous.epoll import (
    EPOLL_CTL_ADD,
    EPOLL_CTL_DEL,
    EPOLL_CTL_MOD,
    EpollFile,
)
from asyncipc.kernel.anonymous.eventfd import EventFile
from asyncipc.kernel.anonymous.interest import (
    EPOLLET,
    EPOLLEXCLUSIVE,
    EPOLLONESHOT,
    EPOLLWAKEUP,
)
from asyncipc.kernel.console import Console
from asyncipc.kernel.epoll_wait import EpollWait, Report
from asyncipc.kernel.files.pipe import new_pipe
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import OpenFile
from asyncipc.kernel.poll import Poll
from asyncipc.kernel.readiness import HUP, IN, OUT, PRI, RDHUP, READABLE
from asyncipc.kernel.sockets.socket import SHUT_WR
from asyncipc.kernel.unix.stream import stream_pair
from tests.kernel.helpers import Asleep, failure, hold, refused

ONE = (1).to_bytes(8, "little")


class Bench:
    """A kernel, an epoll of it, and eventfds to watch; entries are named by their numbers."""

    def __init__(self) -> None:
        self.kernel = Kernel()
        self.epoll = self.new_epoll()

    def new_epoll(self) -> EpollFile:
        epoll = self.kernel.anonymous.epoll(0)
        hold(epoll)
        return epoll

    def event(self, initial: int = 0) -> EventFile:
        event = self.kernel.anonymous.eventfd(initial, 0)
        hold(event)
        return event

    def add(self, fd: int, file: OpenFile, events: int = IN) -> None:
        self.epoll.control(EPOLL_CTL_ADD, fd, file, events, fd)

    def modify(self, fd: int, file: OpenFile, events: int) -> None:
        self.epoll.control(EPOLL_CTL_MOD, fd, file, events, fd)

    def remove(self, fd: int, file: OpenFile) -> None:
        self.epoll.control(EPOLL_CTL_DEL, fd, file, 0, fd)

    def told(self, most: int = 64) -> list[Report]:
        return self.epoll.take(most)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def asleep_in(epoll: EpollFile) -> Asleep:
    """Somebody who sleeps in epoll_wait."""
    waiter = Asleep()
    assert refused(EpollWait(lambda _: epoll, 0, 8))
    epoll.refusal.line.join(waiter)
    return waiter


def test_what_it_watches_is_told_in_the_order_in_which_it_became_ready(bench: Bench) -> None:
    events = [bench.event() for _ in range(3)]
    for fd, event in enumerate(events):
        bench.add(fd, event)
    for fd in (2, 0, 1):
        events[fd].write(ONE)
    assert [fd for fd, _ in bench.told()] == [2, 0, 1]


def test_level_triggered_entries_take_turns_when_there_are_few_places(bench: Bench) -> None:
    for fd in range(3):
        bench.add(fd, bench.event(1))
    told = [[fd for fd, _ in bench.told(2)] for _ in range(3)]
    assert told == [[0, 1], [2, 0], [1, 2]]


def test_a_oneshot_entry_is_silent_until_it_is_modified(bench: Bench) -> None:
    event = bench.event(1)
    bench.add(3, event, IN | EPOLLONESHOT)
    assert bench.told() == [(3, IN)]
    event.write(ONE)
    assert bench.told() == []
    bench.modify(3, event, IN | EPOLLONESHOT)
    assert bench.told() == [(3, IN)]


def test_an_entry_keeps_its_place_whatever_it_is_modified_to(bench: Bench) -> None:
    """Measured: ep_modify() joins no queue anew, and the youngest of a queue is told first."""
    a, b = stream_pair(bench.kernel)
    hold(a, b)
    bench.add(3, a, OUT | EPOLLET)
    bench.add(4, a, IN | EPOLLET)
    assert bench.told() == [(3, OUT)]
    bench.modify(3, a, IN | EPOLLET)
    b.write(b"x")
    assert bench.told() == [(4, IN), (3, IN)]
    bench.modify(3, a, OUT | EPOLLET)
    assert bench.told() == [(3, OUT)]
    b.write(b"x")
    assert bench.told() == [(4, IN)]


def test_data_is_no_edge_for_who_asks_for_room_and_for_the_end(bench: Bench) -> None:
    a, b = stream_pair(bench.kernel)
    hold(a, b)
    bench.add(3, a, OUT | RDHUP | EPOLLET)
    assert bench.told() == [(3, OUT)]
    b.write(b"x")
    assert bench.told() == []
    b.shutdown(SHUT_WR)
    assert bench.told() == [(3, OUT | RDHUP)]


@pytest.mark.parametrize("mode", [0, EPOLLEXCLUSIVE], ids=["plain", "exclusive"])
def test_a_hang_up_is_told_to_the_youngest_first_whatever_else_it_asks_for(
    bench: Bench, mode: int
) -> None:
    """Measured: a socket has one queue, in which exclusive entries stand last."""
    a, b = stream_pair(bench.kernel)
    hold(a, b)
    bench.add(3, a, IN | mode)
    bench.add(4, a, OUT | EPOLLET)
    assert bench.told() == [(4, OUT)]
    b.drop()
    assert bench.told() == [(4, OUT | HUP), (3, IN | HUP)]


def test_what_an_entry_does_not_ask_for_does_not_make_it_the_first(bench: Bench) -> None:
    r, w = new_pipe(bench.kernel)
    hold(r, w)
    bench.add(3, r, 0)
    w.write(b"x")
    bench.add(4, bench.event(1))
    bench.modify(3, r, IN)
    assert bench.told() == [(4, IN), (3, IN)]


def test_an_entry_goes_with_the_open_file_and_not_with_the_number(bench: Bench) -> None:
    event = bench.event(1)
    hold(event)  # a dup
    bench.add(3, event)
    event.drop()
    assert bench.told() == [(3, IN)]
    event.drop()
    assert bench.told() == []
    assert len(bench.epoll) == 0


def test_one_open_file_may_be_watched_under_two_numbers(bench: Bench) -> None:
    event = bench.event(1)
    bench.add(3, event)
    bench.add(4, event)
    assert bench.told() == [(3, IN), (4, IN)]
    bench.remove(3, event)
    assert bench.told() == [(4, IN)]


def test_of_entries_that_become_ready_by_one_event_the_last_added_is_told_first(
    bench: Bench,
) -> None:
    """Measured: add_wait_queue() puts each before the others."""
    event = bench.event()
    bench.add(3, event)
    bench.add(4, event)
    event.write(ONE)
    assert [fd for fd, _ in bench.told()] == [4, 3]


def test_hang_up_comes_unasked(bench: Bench) -> None:
    r, w = new_pipe(bench.kernel)
    hold(r, w)
    bench.add(3, r, 0)
    w.drop()
    assert bench.told() == [(3, HUP)]


def test_modifying_changes_what_is_told_and_what_it_says(bench: Bench) -> None:
    event = bench.event(1)
    bench.add(3, event, 0)
    assert bench.told() == []
    bench.epoll.control(EPOLL_CTL_MOD, 3, event, IN | OUT, 77)
    assert bench.told() == [(77, IN | OUT)]
    bench.modify(3, event, 0)
    assert bench.told() == []


def test_a_read_edge_is_none_for_who_asked_to_write(bench: Bench) -> None:
    a, b = bench.kernel.socketpair(1, 1, 0)
    hold(a, b)
    bench.add(3, a, OUT | EPOLLET)
    assert bench.told() == [(3, OUT)]
    b.write(b"x")
    assert bench.told() == []


# -- errors


def test_wrong_entries_fail_as_linux_says(bench: Bench) -> None:
    epoll, event = bench.epoll, bench.event()
    assert failure(epoll.control, EPOLL_CTL_MOD, 3, event, IN, 3) == "ENOENT"
    assert failure(epoll.control, EPOLL_CTL_DEL, 3, event, IN, 3) == "ENOENT"
    assert failure(epoll.control, 9, 3, event, IN, 3) == "EINVAL"
    bench.add(3, event)
    assert failure(epoll.control, EPOLL_CTL_ADD, 3, event, IN, 3) == "EEXIST"
    assert failure(epoll.control, EPOLL_CTL_ADD, 3, epoll, IN, 3) == "EINVAL"
    assert failure(event.control, EPOLL_CTL_ADD, 3, event, IN, 3) == "EINVAL"
    assert failure(EpollFile, bench.kernel, 1) == "EINVAL"


def test_what_is_always_ready_is_refused_before_anything_else(bench: Bench) -> None:
    always = Console(bench.kernel, lambda _: None)
    assert failure(bench.epoll.control, EPOLL_CTL_ADD, 3, always, IN, 3) == "EPERM"
    assert failure(bench.event().control, EPOLL_CTL_ADD, 3, always, IN, 3) == "EPERM"


def test_an_exclusive_entry_is_for_few_events_and_never_modified(bench: Bench) -> None:
    event, ctl = bench.event(), bench.epoll.control
    for events in (PRI, RDHUP, READABLE, EPOLLONESHOT):
        assert failure(ctl, EPOLL_CTL_ADD, 3, event, EPOLLEXCLUSIVE | events, 3) == "EINVAL"
    assert failure(ctl, EPOLL_CTL_ADD, 3, bench.new_epoll(), EPOLLEXCLUSIVE | IN, 3) == "EINVAL"
    ctl(EPOLL_CTL_ADD, 3, event, EPOLLEXCLUSIVE | EPOLLET | EPOLLWAKEUP | IN, 3)
    assert failure(ctl, EPOLL_CTL_MOD, 3, event, IN, 3) == "EINVAL"
    bench.add(4, event)
    assert failure(ctl, EPOLL_CTL_MOD, 4, event, EPOLLEXCLUSIVE | IN, 4) == "EINVAL"


# -- nesting


def test_an_epoll_is_readable_while_it_has_something_to_tell(bench: Bench) -> None:
    event, outer = bench.event(), bench.new_epoll()
    bench.add(3, event)
    outer.control(EPOLL_CTL_ADD, 9, bench.epoll, IN, 9)
    assert (bench.epoll.poll(), outer.take(8)) == (0, [])
    event.write(ONE)
    assert (bench.epoll.poll(), outer.take(8)) == (READABLE, [(9, IN)])
    event.read(8)
    assert (bench.epoll.poll(), outer.take(8)) == (0, [])


def test_epolls_nest_five_deep_and_in_no_circle(bench: Bench) -> None:
    chain = [bench.new_epoll() for _ in range(6)]
    for inner, outer in zip(chain[:4], chain[1:5], strict=True):
        outer.control(EPOLL_CTL_ADD, 3, inner, IN, 3)
    assert failure(chain[5].control, EPOLL_CTL_ADD, 3, chain[4], IN, 3) == "ELOOP"
    assert failure(chain[0].control, EPOLL_CTL_ADD, 3, chain[4], IN, 3) == "ELOOP"
    assert failure(chain[0].control, EPOLL_CTL_ADD, 3, chain[5], IN, 3) == "ELOOP"
    chain[5].control(EPOLL_CTL_ADD, 3, bench.new_epoll(), IN, 3)


def test_a_poll_of_an_epoll_looks_again_when_something_becomes_ready(bench: Bench) -> None:
    event = bench.event()
    bench.add(3, event)
    process = bench.kernel.first_process("main", Console(bench.kernel, lambda _: None))
    entry = process.table.open(bench.epoll, cloexec=False)[0]
    poll, poller = Poll(process.table, [(entry.fd, IN)]), Asleep()
    assert refused(poll)
    poll.refusal.line.join(poller)
    event.write(ONE)
    assert poller.wakes == 1
    assert poll() == [(entry.fd, IN)]


# -- sleepers


def test_an_event_wakes_one_sleeper_the_last(bench: Bench) -> None:
    event = bench.event()
    bench.add(3, event)
    first, last = asleep_in(bench.epoll), asleep_in(bench.epoll)
    event.write(ONE)
    event.write(ONE)
    assert (first.wakes, last.wakes) == (0, 1)


def test_who_leaves_something_behind_wakes_the_next(bench: Bench) -> None:
    event = bench.event()
    bench.add(3, event)
    first, last = asleep_in(bench.epoll), asleep_in(bench.epoll)
    event.write(ONE)
    assert EpollWait(lambda _: bench.epoll, 0, 8)() == [(3, IN)]
    bench.epoll.sleepers.leave(last)
    assert first.wakes == 1


def test_an_edge_that_was_told_wakes_nobody_else(bench: Bench) -> None:
    event = bench.event()
    bench.add(3, event, IN | EPOLLET)
    first, last = asleep_in(bench.epoll), asleep_in(bench.epoll)
    event.write(ONE)
    assert EpollWait(lambda _: bench.epoll, 0, 8)() == [(3, IN)]
    bench.epoll.sleepers.leave(last)
    assert first.wakes == 0


def test_a_woken_sleeper_that_is_cancelled_passes_the_event_on(bench: Bench) -> None:
    event = bench.event()
    bench.add(3, event, IN | EPOLLET)
    first, last = asleep_in(bench.epoll), asleep_in(bench.epoll)
    event.write(ONE)
    bench.epoll.sleepers.leave(last)
    assert first.wakes == 1


def test_adding_or_modifying_what_is_ready_wakes_a_sleeper(bench: Bench) -> None:
    event = bench.event(1)
    sleeper = asleep_in(bench.epoll)
    bench.add(3, event, 0)
    assert sleeper.wakes == 0
    bench.modify(3, event, IN)
    assert sleeper.wakes == 1
    other = Bench()
    sleeper = asleep_in(other.epoll)
    other.add(3, other.event(1))
    assert sleeper.wakes == 1


def test_of_exclusive_epolls_an_event_wakes_the_first_where_somebody_sleeps(bench: Bench) -> None:
    r, w = new_pipe(bench.kernel)
    hold(r, w)
    epolls = [bench.new_epoll() for _ in range(3)]
    for epoll in epolls:
        epoll.control(EPOLL_CTL_ADD, 3, r, IN | EPOLLEXCLUSIVE, 3)
    sleepers = [asleep_in(epoll) for epoll in epolls]
    w.write(b"x")
    assert [sleeper.wakes for sleeper in sleepers] == [1, 0, 0]
    w.write(b"x")
    assert [sleeper.wakes for sleeper in sleepers] == [1, 1, 0]
    assert [len(epoll.take(8)) for epoll in epolls] == [1, 1, 0], "the third was never told"
    w.drop()
    assert [sleeper.wakes for sleeper in sleepers] == [1, 1, 1]


# -- what it costs, and what it leaves


def test_where_nobody_sleeps_an_event_is_for_all_exclusive_epolls(bench: Bench) -> None:
    event = bench.event()
    epolls = [bench.new_epoll() for _ in range(3)]
    for epoll in epolls:
        epoll.control(EPOLL_CTL_ADD, 3, event, IN | EPOLLEXCLUSIVE, 3)
    event.write(ONE)
    assert [epoll.take(8) for epoll in epolls] == [[(3, IN)]] * 3


def test_asking_looks_at_what_is_ready_and_at_nothing_else(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = [bench.event() for _ in range(2_000)]
    for fd, event in enumerate(events):
        bench.add(fd, event)
    looks = 0
    poll = EventFile.poll

    def counted(self: EventFile) -> int:
        nonlocal looks
        looks += 1
        return poll(self)

    monkeypatch.setattr(EventFile, "poll", counted)
    events[1_234].write(ONE)
    assert bench.told() == [(1_234, IN)]
    assert looks == 1


def test_a_closed_epoll_watches_nothing(bench: Bench) -> None:
    r, w = new_pipe(bench.kernel)
    hold(r, w)
    bench.add(3, r)
    bench.epoll.control(EPOLL_CTL_ADD, 4, r, IN | EPOLLEXCLUSIVE, 4)
    bench.epoll.drop()
    assert list(r.read_queue()) == []
    assert r.attached == ()
