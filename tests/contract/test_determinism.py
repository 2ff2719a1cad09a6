"""The same seed is the same run, event by event, whatever the interpreter's hashes and addresses.

Run as a program (``python -m tests.contract.test_determinism SEED``) this file
prints the digests of one busy run on both event loops; the tests compare such digests.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.events import Event, Observer
from asyncipc.kernel.readiness import IN, OUT
from asyncipc.kernel.signals.disposition import SIGCONT, SIGKILL, SIGSTOP, SIGTERM
from asyncipc.trace.digest import Digest

PROCESSES = 12
FRESH_INTERPRETERS = 10


async def talker(number: int, fds: list[int]) -> None:
    """Writes here and there, sleeps, and is cancelled in the middle of things."""
    for turn in range(6):
        with anyio.move_on_after(0.002 * (turn + 1)):
            await posix.write(fds[(number + turn) % len(fds)], b"%d:%d" % (number, turn) * 900)
            await anyio.sleep(0.001 * ((number * 7 + turn) % 5))


async def listener(fds: list[int]) -> None:
    """Several tasks that read from all over, all cancelled together."""

    async def reads(fd: int) -> None:
        try:
            while await posix.read(fd, 700):
                pass
        finally:
            posix.close(posix.dup(fd))

    with anyio.move_on_after(0.02):
        async with anyio.create_task_group() as group:
            for fd in fds:
                group.start_soon(reads, fd)
    for _ in range(5):
        ready = await posix.poll([(fd, IN | OUT) for fd in fds], 0.001)
        for fd, mask in ready:
            if mask & IN:
                await posix.read(fd, 100)


async def grandparent() -> None:
    for _ in range(3):
        posix.fork(anyio.sleep, 0.003)
    posix.fork(anyio.sleep, 1)
    await posix.waitpid(-1)


async def busy() -> None:
    ends: list[int] = []
    for _ in range(3):
        ends += posix.pipe()
        ends += posix.socketpair()
    read_ends = [ends[0], ends[2], ends[3], ends[4], ends[6], ends[7]]
    write_ends = [ends[1], ends[2], ends[3], ends[5], ends[6], ends[7]]
    pids = [posix.fork(talker, number, write_ends) for number in range(PROCESSES)]
    pids += [posix.fork(listener, read_ends) for _ in range(3)]
    pids += [posix.fork(grandparent) for _ in range(2)]
    await anyio.sleep(0.0015)
    posix.kill(pids[1], SIGKILL)
    posix.kill(pids[2], SIGSTOP)
    posix.kill(pids[PROCESSES], SIGTERM)
    await anyio.sleep(0.004)
    posix.kill(pids[2], SIGCONT)
    for _ in pids:
        await posix.wait()
    if asyncipc.posix.getpid() == 2:
        # An end in which everybody who is left is ended at once.
        for fd in read_ends * 3:
            posix.fork(posix.read, fd, 1)
        await anyio.sleep(0.1)
        raise LookupError


def watch(backend: str, seed: int, observer: Observer) -> None:
    with pytest.raises(LookupError):
        asyncipc.run(busy, backend=backend, seed=seed, observers=[observer])  # type: ignore[arg-type]


def events_of(backend: str, seed: int) -> list[Event]:
    events: list[Event] = []
    watch(backend, seed, events.append)
    return events


def digest_of(backend: str, seed: int) -> str:
    digest = Digest()
    watch(backend, seed, digest)
    return digest.hexdigest()


def digests_elsewhere(seed: int, hash_seed: int) -> list[str]:
    """The digests in a fresh interpreter, with other hashes and other addresses."""
    told = subprocess.run(
        [sys.executable, "-m", "tests.contract.test_determinism", str(seed)],
        env=dict(os.environ, PYTHONHASHSEED=str(hash_seed)),
        capture_output=True,
        text=True,
        check=True,
    )
    return told.stdout.split()


def test_the_busy_run_is_busy(backend: str) -> None:
    events = events_of(backend, 1)
    assert len(events) > 500
    assert [event.seq for event in events] == list(islice(count(1), len(events)))
    kinds = {type(event).__name__ for event in events}
    assert kinds == {"SystemCall", "Wire", "ProcessLife"}


def test_the_same_seed_gives_the_same_events_in_fresh_interpreters() -> None:
    here = [digest_of(backend, 7) for backend in ("trio", "asyncio")]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        told = pool.map(lambda n: digests_elsewhere(7, n), range(FRESH_INTERPRETERS))
        assert list(told) == [here] * FRESH_INTERPRETERS


def test_the_same_seed_gives_the_same_events_after_other_runs(backend: str) -> None:
    first = digest_of(backend, 3)
    digest_of(backend, 4)
    assert digest_of(backend, 3) == first


def test_other_seeds_give_other_orders_on_trio() -> None:
    assert len({digest_of("trio", seed) for seed in range(5)}) == 5


def test_tasks_of_asyncio_are_cancelled_in_the_order_in_which_they_were_made() -> None:
    order: list[int] = []

    async def sleeper(number: int) -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            order.append(number)

    async def main() -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(50):
                    group.create_task(sleeper(number))
                await asyncio.sleep(1)
                raise LookupError
        except* LookupError:
            pass

    asyncipc.run(main, backend="asyncio")
    if order != list(range(50)):
        pytest.fail(f"cancelled in the order of addresses: {order}")


if __name__ == "__main__":
    for loop in ("trio", "asyncio"):
        print(digest_of(loop, int(sys.argv[1])))
