"""What observers are given, and what becomes of one that raises."""

from __future__ import annotations

import enum
import socket
import sys
from collections.abc import Callable
from typing import Any

import pytest

import asyncipc
from asyncipc.events import Event
from asyncipc.kernel.signals.disposition import SIGPIPE, Disposition
from asyncipc.posix import close, fork, pipe, read, signal, waitpid, write
from asyncipc.runtime.tap import plain
from asyncipc.trace.strace import Strace
from tests.trace.programs import parent

Run = Callable[..., Any]


class Colour(enum.Enum):
    RED = object()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Disposition.IGNORE, "IGNORE"),
        ((Disposition.DEFAULT, 3), ("DEFAULT", 3)),
        (Colour.RED, "RED"),
        (socket.AF_UNIX, 1),
    ],
)
def test_an_enum_is_told_as_its_name_and_a_numeric_one_as_its_number(
    value: object, shown: object
) -> None:
    assert plain(value) == shown
    assert not isinstance(plain(value), enum.Enum)


def test_strace_shows_dispositions_with_the_words_of_c(run: Run) -> None:
    async def main() -> None:
        signal(SIGPIPE, Disposition.IGNORE)
        signal(SIGPIPE, Disposition.DEFAULT)

    lines: list[str] = []
    run(main, observers=[Strace(lines.append)])
    assert lines[1:3] == [
        "pid 2  signal(SIGPIPE, SIG_IGN) = SIG_IGN",
        "pid 2  signal(SIGPIPE, SIG_DFL) = SIG_IGN",
    ]


# -- one that raises


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What reaches ``sys.unraisablehook``."""
    found: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", found.append)
    return found


class Broken:
    """Raises at the n-th event."""

    def __init__(self, nth: int) -> None:
        self.nth = nth
        self.seen = 0

    def __call__(self, event: Event) -> None:
        self.seen += 1
        if self.seen == self.nth:
            raise ValueError(f"event {self.nth}")


def events_of(run: Run) -> int:
    events: list[Event] = []
    run(parent, observers=[events.append])
    return len(events)


def test_an_observer_that_raises_at_any_event_disturbs_nobody(run: Run, told: list[Any]) -> None:
    for nth in range(1, events_of(run) + 1):
        broken = Broken(nth)
        others: list[Event] = []
        run(parent, observers=[broken, others.append])
        assert (broken.seen, len(others)) == (nth, events_of(run))
        (report,) = told
        told.clear()
        assert (report.exc_type, str(report.exc_value)) == (ValueError, f"event {nth}")
        assert report.exc_traceback is report.exc_value.__traceback__
        assert report.object is broken
        assert "observer" in report.err_msg


def test_an_observer_may_unsubscribe_itself_and_then_raise(run: Run, told: list[Any]) -> None:
    seen: list[Event] = []

    def leaves(event: Event) -> None:
        seen.append(event)
        asyncipc.current_simulation().unsubscribe(leaves)
        raise ValueError

    async def main() -> None:
        asyncipc.current_simulation().subscribe(leaves)
        close(pipe()[0])

    run(main)
    assert (len(seen), len(told)) == (1, 1)


def test_a_hook_that_raises_itself_disturbs_nobody(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def hook(told: object) -> None:
        raise RuntimeError("the hook")

    monkeypatch.setattr(sys, "unraisablehook", hook)
    run(parent, observers=[Broken(3)])
    error = capsys.readouterr().err
    assert error.startswith("Exception in an asyncipc observer, which is unplugged now: Broken\n")
    assert "ValueError: event 3" in error


def test_pythons_own_hook_shows_the_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    run(parent, observers=[Broken(1)])
    error = capsys.readouterr().err
    assert "in __call__" in error
    assert error.endswith("ValueError: event 1\n")


def test_an_observer_that_raises_where_nothing_can_be_shown_disturbs_nobody(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "unraisablehook", sys.__unraisablehook__)
    monkeypatch.setattr(sys, "stderr", None)
    run(parent, observers=[Broken(1)])


def test_a_process_that_ends_under_a_broken_observer_still_closes_its_descriptors(
    run: Run, told: list[Any]
) -> None:
    async def child(w: int) -> None:
        await write(w, b"x")

    def broken(event: Event) -> None:
        if getattr(event, "change", "") == "exited":
            raise ValueError

    async def main() -> tuple[bytes, bytes, tuple[int, int]]:
        r, w = pipe()
        pid = fork(child, w)
        close(w)
        return await read(r, 9), await read(r, 9), await waitpid(pid)

    assert run(main, observers=[broken]) == (b"x", b"", (3, 0))
    assert len(told) == 1
