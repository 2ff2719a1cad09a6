"""Calls that fail on purpose: the n-th one, for every n, until a run has no n-th left."""

from __future__ import annotations

import errno
from collections.abc import Callable
from itertools import count
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import Fault, posix
from asyncipc.runtime.process import current

Run = Callable[..., Any]


def test_the_nth_call_of_a_name_fails(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        await posix.write(w, b"ab")
        assert await posix.read(r, 1) == b"a"
        with pytest.raises(InterruptedError):
            await posix.read(r, 1)
        assert await posix.read(r, 1) == b"b"  # the failed call had no effect

    run(main, faults=[Fault(nth=2, call="read", error=errno.EINTR)])


def test_a_fault_may_be_for_one_process(run: Run) -> None:
    async def child(r: int) -> None:
        with pytest.raises(InterruptedError):
            await posix.read(r, 1)

    async def main() -> None:
        r, w = posix.pipe()
        await posix.write(w, b"x")
        await posix.waitpid(posix.fork(child, r))
        assert await posix.read(r, 1) == b"x"

    run(main, faults=[Fault(nth=1, call="read", pid=3, error=errno.EINTR)])


def test_emfile_by_plan_makes_neither_end(run: Run) -> None:
    async def main() -> None:
        with pytest.raises(OSError) as caught:
            posix.pipe()
        assert caught.value.errno == errno.EMFILE
        assert posix.pipe() == (3, 4)

    run(main, faults=[Fault(nth=1, call="pipe2", error=errno.EMFILE)])


def test_a_short_transfer_moves_at_most_its_limit(run: Run) -> None:
    async def main() -> None:
        r, w = posix.pipe()
        assert await posix.write(w, b"abcdef") == 2
        assert await posix.write(w, bytes(100_000)) == 3
        assert await posix.read(r, 100) == b"a"
        assert await posix.read(r, 100) == b"b" + bytes(3)

    run(
        main,
        faults=[
            Fault(nth=1, call="write", limit=2),
            Fault(nth=2, call="write", limit=3),
            Fault(nth=1, call="read", limit=1),
        ],
    )


def test_a_short_transfer_touches_no_call_that_transfers_nothing(run: Run) -> None:
    async def main() -> None:
        pid = posix.fork(anyio.sleep, 0)
        r, w = posix.pipe()
        assert posix.dup(w) == 5
        posix.close(5)
        assert posix.fcntl(r, posix.F_GETPIPE_SZ) == 65536
        assert await posix.waitpid(pid) == (pid, 0)

    for n in range(1, 9):
        run(main, faults=[Fault(nth=n, limit=1)])


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"nth": 0, "error": errno.EINTR}, "nth counts from 1"),
        ({"nth": 1}, "either an error or a limit"),
        ({"nth": 1, "error": errno.EINTR, "limit": 1}, "either an error or a limit"),
        ({"nth": 1, "error": 100_000}, "is no errno"),
        ({"nth": 1, "limit": 0}, "at least 1 byte"),
        ({"nth": 1, "limit": 1, "call": "fork"}, "fork moves no bytes"),
    ],
)
def test_a_senseless_fault_is_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Fault(**wrong)


async def conversation() -> bytes:
    """Channels only: they are to survive whatever interrupts or shortens their calls."""
    receiver, sender = asyncipc.create_pipe()
    one, other = asyncipc.create_socketpair()
    data = bytes(range(256)) * 300

    async def relays() -> None:
        async for part in receiver:
            await one.send(part)
        await one.send_eof()

    parts: list[bytes] = []
    async with anyio.create_task_group() as group:
        group.start_soon(relays)

        async def reads() -> None:
            async for part in other:
                parts.append(part)

        group.start_soon(reads)
        await sender.send(data)
        await sender.aclose()
    for channel in (receiver, one, other):
        await channel.aclose()
    assert b"".join(parts) == data
    return data


def in_every_place(run: Run, program: Callable[[], Any], **fault: Any) -> int:
    """Run ``program`` with its n-th call at fault, for n = 1, 2, ...; how many it had."""
    for n in count(1):
        met = []

        async def main() -> None:
            await program()
            met.append(current().simulation.fault_plan.exhausted())  # noqa: B023

        run(main, faults=[Fault(nth=n, **fault)])
        if not met[0]:
            return n - 1
    raise AssertionError


def test_channels_survive_an_interruption_of_every_call(run: Run) -> None:
    for name in ("read", "write", "shutdown", "close"):
        assert in_every_place(run, conversation, call=name, error=errno.EINTR) > 0


def test_channels_survive_a_short_transfer_in_every_call(run: Run) -> None:
    assert in_every_place(run, conversation, limit=1) > 5


@pytest.mark.parametrize("make", [asyncipc.create_pipe, asyncipc.create_socketpair])
def test_a_pair_of_channels_that_cannot_be_had_leaves_nothing_half_done(
    run: Run, make: Callable[[], Any]
) -> None:
    async def main() -> None:
        with pytest.raises(OSError) as caught:
            make()
        assert caught.value.errno == errno.EMFILE
        assert len(current().process.table) == 3

    name = {"create_pipe": "pipe2", "create_socketpair": "socketpair"}[make.__name__]
    run(main, faults=[Fault(nth=1, call=name, error=errno.EMFILE)])


def test_wait_in_open_process_survives_an_interruption(run: Run) -> None:
    async def main() -> int | None:
        async with asyncipc.open_process(anyio.sleep, 1) as child:
            pass
        return child.returncode

    assert run(main, faults=[Fault(nth=1, call="waitpid", error=errno.EINTR)]) == 0
