"""epoll against a simple model: of each entry, whether an event has come that nobody was told.

Pipes of one page, eventfds and stream sockets, under numbers that are given, duplicated and
closed in any order.  The model knows what each call changes and which ends that is an event
for; it knows no queues, no watchers and no ready list.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from asyncipc.errors import errno_name
from asyncipc.kernel.anonymous.epoll import EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLL_CTL_MOD, EpollFile
from asyncipc.kernel.anonymous.interest import EPOLLET, EPOLLONESHOT, Interest
from asyncipc.kernel.files.pipe import PAGE, new_pipe
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import O_NONBLOCK, OpenFile
from asyncipc.kernel.readiness import ERR, HUP, IN, OUT, RDHUP, READABLE
from asyncipc.kernel.unix.stream import stream_pair

ALL: Final = IN | OUT | ERR | HUP | RDHUP
WHICH: Final = st.integers(0, 999)
EVENTS: Final = st.sampled_from([0, IN, OUT, IN | OUT, IN | RDHUP])
MODES: Final = st.sampled_from([0, EPOLLET, EPOLLONESHOT, EPOLLET | EPOLLONESHOT])
NUMBERS_MAX: Final = 12


@dataclass(eq=False)
class End:
    """What the model knows of one open file.  ``peer``: the other end, or itself (eventfd)."""

    kind: str
    file: OpenFile
    peer: End | None = None
    holders: int = 1
    unread: int = 0
    """Writes that nobody has read, of which each read takes one."""
    reset: bool = False
    """The peer of a stream has closed without reading all."""

    @property
    def gone(self) -> bool:
        return self.peer is None or not self.peer.holders

    def readiness(self) -> int:
        if self.kind == "event":
            return OUT | (IN if self.unread else 0)
        if self.kind == "read":
            return (IN if self.unread else 0) | (HUP if self.gone else 0)
        assert self.peer is not None
        if self.kind == "write":
            return (0 if self.peer.unread else OUT) | (ERR if self.gone else 0)
        ended = IN | HUP | RDHUP if self.gone else 0
        return OUT | ended | (IN if self.unread else 0) | (ERR if self.reset else 0)


@dataclass(eq=False)
class Entry:
    """``news``: an event has come since it was last told."""

    events: int
    news: bool

    def due(self, end: End) -> int:
        if not self.events & ALL or (self.events & EPOLLET and not self.news):
            return 0
        return end.readiness() & (self.events | ERR | HUP)

    def told(self) -> None:
        self.news = False
        if self.events & EPOLLONESHOT:
            self.events = 0


class EpollMachine(RuleBasedStateMachine):
    @initialize()
    def boot(self) -> None:
        self.kernel = Kernel()
        self.epoll: EpollFile = self.kernel.anonymous.epoll(0)
        self.epoll.hold()
        self.numbers: dict[int, End] = {}
        self.entries: dict[tuple[int, End], Entry] = {}
        self.last = 0

    # -- descriptors

    def _give(self, end: End) -> None:
        self.last += 1
        self.numbers[self.last] = end

    def _make(self, *ends: End) -> None:
        for end in ends:
            end.file.hold()
            end.file.flags |= O_NONBLOCK
            self._give(end)

    def _pick(self, which: int) -> tuple[int, End] | None:
        numbers = list(self.numbers.items())
        return numbers[which % len(numbers)] if numbers else None

    @rule(kind=st.sampled_from(["pipe", "event", "stream"]))
    def open(self, kind: str) -> None:
        if len(self.numbers) > NUMBERS_MAX:
            return
        if kind == "event":
            event = End("event", self.kernel.anonymous.eventfd(0, 0))
            event.peer = event
            self._make(event)
            return
        if kind == "pipe":
            r, w = new_pipe(self.kernel)
            w.set_pipe_size(PAGE)
            one, other = End("read", r), End("write", w)
        else:
            a, b = stream_pair(self.kernel)
            one, other = End("stream", a), End("stream", b)
        one.peer, other.peer = other, one
        self._make(one, other)

    @rule(which=WHICH)
    def dup(self, which: int) -> None:
        found = self._pick(which)
        if found is not None and len(self.numbers) <= NUMBERS_MAX:
            end = found[1]
            end.file.hold()
            end.holders += 1
            self._give(end)

    @rule(which=WHICH)
    def close(self, which: int) -> None:
        found = self._pick(which)
        if found is None:
            return
        fd, end = found
        del self.numbers[fd]
        end.holders -= 1
        if not end.holders:
            self.entries = {key: entry for key, entry in self.entries.items() if key[1] is not end}
            if end.peer is not None:
                end.peer.reset = end.kind == "stream" and end.unread > 0
                self._event(end.peer, ALL)
        end.file.drop()

    # -- what happens to them

    def _event(self, end: End, kind: int) -> None:
        for (_, watched), entry in self.entries.items():
            asked = entry.events & (IN | OUT | RDHUP) or IN
            if watched is end and kind & asked:
                entry.news = True

    @rule(which=WHICH)
    def write(self, which: int) -> None:
        found = self._pick(which)
        if found is None or found[1].kind == "read" or found[1].gone:
            return
        end = found[1]
        assert end.peer is not None
        data = (1).to_bytes(8, "little") if end.kind == "event" else bytes(PAGE)
        fits = end.kind != "write" or not end.peer.unread
        if end.peer.unread > 9:
            return
        assert (end.file.write(data) == len(data)) is fits
        end.peer.unread += fits
        self._event(end.peer, IN)

    @rule(which=WHICH)
    def read(self, which: int) -> None:
        found = self._pick(which)
        if found is None or found[1].kind == "write" or not found[1].unread:
            return
        end = found[1]
        assert isinstance(end.file.read(PAGE), bytes)
        end.unread = 0 if end.kind == "event" else end.unread - 1
        if end.peer is not None:
            self._event(end.peer, OUT)

    # -- the epoll

    def _control(self, operation: int, fd: int, end: End, events: int) -> str:
        try:
            self.epoll.control(operation, fd, end.file, events, fd)
        except OSError as error:
            return errno_name(error.errno or 0)
        return "ok"

    @rule(which=WHICH, events=EVENTS, mode=MODES)
    def add(self, which: int, events: int, mode: int) -> None:
        if (found := self._pick(which)) is not None:
            said = self._control(EPOLL_CTL_ADD, *found, events | mode)
            assert said == ("EEXIST" if found in self.entries else "ok")
            self.entries.setdefault(found, Entry(events | mode | ERR | HUP, news=True))

    @rule(which=WHICH, events=EVENTS, mode=MODES)
    def modify(self, which: int, events: int, mode: int) -> None:
        if (found := self._pick(which)) is not None:
            said = self._control(EPOLL_CTL_MOD, *found, events | mode)
            assert said == ("ok" if found in self.entries else "ENOENT")
            if found in self.entries:
                self.entries[found] = Entry(events | mode | ERR | HUP, news=True)

    @rule(which=WHICH)
    def remove(self, which: int) -> None:
        if (found := self._pick(which)) is not None:
            said = self._control(EPOLL_CTL_DEL, *found, 0)
            assert said == ("ok" if found in self.entries else "ENOENT")
            self.entries.pop(found, None)

    @rule(most=st.sampled_from([1, 2, 99, 99]))
    def wait(self, most: int) -> None:
        due = {key: mask for key, entry in self.entries.items() if (mask := entry.due(key[1]))}
        expected = {(fd, mask): (fd, end) for (fd, end), mask in due.items()}
        told = self.epoll.take(most)
        assert len(told) == min(most, len(due))
        assert len(set(told)) == len(told)
        assert set(told) <= set(expected)
        for report in told:
            self.entries[expected[report]].told()

    @invariant()
    def it_is_readable_while_something_is_due(self) -> None:
        due = any(entry.due(key[1]) for key, entry in self.entries.items())
        assert self.epoll.poll() == (READABLE if due else 0)
        assert len(self.epoll) == len(self.entries)

    def teardown(self) -> None:
        self.epoll.drop()
        for end in self.numbers.values():
            assert end.file.attached == ()
            for queue in end.file.queues(IN | OUT):
                assert not list(queue)


def test_epoll_tells_what_a_list_of_news_would(examples: int) -> None:
    run_state_machine_as_test(
        EpollMachine, settings=settings(max_examples=examples, stateful_step_count=60)
    )


@pytest.mark.parametrize(
    ("method", "wrong"),
    [
        ("wake", lambda self: None),
        ("released", lambda self, file: None),
        ("disarm", lambda self: None),
    ],
    ids=["an event that is missed", "an entry that stays", "a oneshot that goes on"],
)
def test_the_model_sees(
    monkeypatch: pytest.MonkeyPatch, method: str, wrong: Callable[..., None]
) -> None:
    """A test that could not fail would be a defect."""
    monkeypatch.setattr(Interest, method, wrong)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            EpollMachine,
            settings=settings(max_examples=3000, stateful_step_count=60, phases=[Phase.generate]),
        )
