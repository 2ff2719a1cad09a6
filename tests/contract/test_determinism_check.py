"""The check of determinism: the same seed twice, compared event by event."""

from __future__ import annotations

import itertools
import re
import socket
import tracemalloc
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import NotDeterministic, check_determinism, current_simulation, posix
from asyncipc.determinism import _Log
from asyncipc.events import Event, SystemCall
from asyncipc.trace.digest import Digest
from asyncipc.trace.recorder import Recorder

Check = Callable[..., str]

SEED = 11


@pytest.fixture
def check(backend: str) -> Check:
    def check(main: Callable[..., Any], *args: Any, **options: Any) -> str:
        return check_determinism(main, *args, seed=SEED, backend=backend, **options)  # type: ignore[arg-type]

    return check


class Runs:
    """Counts the runs of a program, which lets it be another one in each."""

    def __init__(self) -> None:
        self.count = 0

    async def deaf(self) -> int:
        """The same in every run, whatever else is."""
        self.count += 1
        r, w = posix.pipe()
        for _ in range(3):
            await posix.write(w, b"x")
            await anyio.sleep(0.5)
        await posix.read(r, 10)
        return 5

    async def writes_another_number(self) -> None:
        self.count += 1
        _, w = posix.pipe()
        await posix.write(w, b"first")
        await anyio.sleep(0.25)
        await posix.write(w, b"%d" % self.count)
        await posix.write(w, b"not compared any more")

    async def goes_on(self) -> None:
        self.count += 1
        await self._write(5 * self.count)

    async def stops_early(self) -> None:
        self.count += 1
        await self._write(6 - self.count)

    async def fails_at_last(self) -> None:
        self.count += 1
        await self._write(2)
        if self.count == 3:
            raise LookupError("only now")

    async def returns_another_number(self) -> int:
        self.count += 1
        return self.count

    async def never_ends(self) -> None:
        self.count += 1
        _, w = posix.pipe()
        await posix.write(w, b"%d" % self.count)
        if self.count == 2:
            await anyio.sleep_forever()

    async def _write(self, times: int) -> None:
        _, w = posix.pipe()
        for _ in range(times):
            await posix.write(w, b"x")


async def crowd(writers: int) -> None:
    """Many processes, whose order is the seed's."""
    r, w = posix.pipe()
    for number in range(writers):
        posix.fork(posix.write, w, b"%d " % number)
    for _ in range(writers):
        await posix.wait()
    await posix.read(r, 1000)


async def gossip() -> None:
    sim = current_simulation()
    hosts = [sim.host(f"host{number}") for number in range(3)]

    async def listen() -> None:
        fd = posix.socket(socket.AF_INET, socket.SOCK_DGRAM)
        posix.bind(fd, ("0.0.0.0", 7000))
        for _ in hosts[1:]:
            await posix.recvfrom(fd, 100)

    async def tell() -> None:
        fd = posix.socket(socket.AF_INET, socket.SOCK_DGRAM)
        await anyio.sleep(1)
        for host in hosts:
            await posix.sendto(fd, b"x", (host.addresses[0], 7000))

    for host in hosts:
        host.serve(listen)
    for host in hosts:
        await host.run(tell)


# -- equal runs


def test_equal_runs_return_the_digest_of_their_events(check: Check, backend: str) -> None:
    for program, args in ((crowd, (10,)), (gossip, ())):
        digest, recorder = Digest(), Recorder()
        asyncipc.run(program, *args, seed=SEED, backend=backend, observers=[digest, recorder])  # type: ignore[arg-type]
        assert check(program, *args, runs=3) == digest.hexdigest() == recorder.digest()
        assert digest.events == len(recorder) > 10


def test_the_program_runs_as_often_as_it_is_asked_for(check: Check) -> None:
    runs = Runs()
    check(runs.deaf)
    assert runs.count == 2
    check(runs.deaf, runs=5)
    assert runs.count == 7


def test_the_console_shows_the_first_run_and_observers_see_all(check: Check) -> None:
    shown: list[bytes] = []
    seen: list[Event] = []

    async def main() -> None:
        await posix.write(1, b"hello")

    check(main, console=shown.append, observers=iter([seen.append]))
    assert shown == [b"hello"]
    assert seen[: len(seen) // 2] == seen[len(seen) // 2 :] != []


def test_faults_are_the_same_in_each_run(check: Check) -> None:
    async def main() -> None:
        with pytest.raises(InterruptedError):
            await posix.open("/x", posix.O_CREAT)

    faults = iter([asyncipc.Fault(1, call="openat", error=4)])
    assert check(main, faults=faults)


def test_an_exception_that_ends_all_runs_alike_is_raised(check: Check) -> None:
    async def main() -> None:
        raise LookupError(f"as ever, {object()}")

    with pytest.raises(LookupError, match="as ever") as caught:
        check(main, runs=3)
    assert re.search(
        r"in each of 3 runs with seed 11; digest [0-9a-f]{64}", *caught.value.__notes__
    )


def test_a_wrong_option_is_told_as_it_is() -> None:
    with pytest.raises(ValueError, match="backend is"):
        check_determinism(crowd, 1, seed=1, backend="twisted")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least 2, not 1"):
        check_determinism(crowd, 1, seed=1, runs=1)
    with pytest.raises(TypeError, match="a program is an async function"):
        check_determinism(5, seed=1)  # type: ignore[arg-type]


# -- runs that differ


def test_the_first_event_that_differs_is_told_with_both_lines(check: Check) -> None:
    runs = Runs()
    with pytest.raises(NotDeterministic) as caught:
        check(runs.writes_another_number)
    error = caught.value
    assert error.events == ('pid 2  write(4, b"1") = 1', 'pid 2  write(4, b"2") = 1')
    assert error.t_ns == 250_000_000
    line = Runs.writes_another_number.__code__.co_firstlineno + 5
    (first,), (other,) = error.stacks
    place = f"contract/test_determinism_check.py:{line} in writes_another_number"
    assert first == other == place
    assert str(error) == (
        f"with seed 11, event {error.index} of run 2 (t=0.250000000 s) is not that of run 1\n"
        f'  run 1: pid 2  write(4, b"1") = 1\n      {place}\n'
        f'  run 2: pid 2  write(4, b"2") = 1\n      {place}'
    )
    assert "PYTHONHASHSEED" in error.__notes__[0]


def test_both_stacks_are_told_where_they_are_not_the_same(check: Check) -> None:
    runs = itertools.count()

    async def even(w: int) -> None:
        await posix.write(w, b"even")

    async def odd(w: int) -> None:
        await posix.write(w, b"odd")

    async def main() -> None:
        _, w = posix.pipe()
        await (odd if next(runs) % 2 else even)(w)

    with pytest.raises(NotDeterministic) as caught:
        check(main)
    stacks = [[place.rpartition(" ")[2] for place in stack] for stack in caught.value.stacks]
    assert stacks == [["even", "main"], ["odd", "main"]]


def test_the_run_that_differs_is_ended_there(check: Check) -> None:
    runs = Runs()
    with pytest.raises(NotDeterministic, match="is not that of run 1"):
        check(runs.never_ends, runs=9)
    assert runs.count == 2


def test_an_order_by_addresses_is_found() -> None:
    async def write(w: int, text: bytes) -> None:
        await posix.write(w, text)

    class Thing: ...

    ballast: list[object] = []

    async def main() -> None:
        _, w = posix.pipe()
        ballast.append([Thing() for _ in range(len(ballast) * 1000 + 1)])
        things = [Thing() for _ in range(100)]
        for thing in set(things):
            await write(w, b"%d" % things.index(thing))

    with pytest.raises(NotDeterministic):
        check_determinism(main, seed=1, runs=20)


def test_a_run_that_goes_on_and_one_that_ends_early_differ_at_the_end_of_the_shorter(
    check: Check,
) -> None:
    with pytest.raises(NotDeterministic) as caught:
        check(Runs().goes_on)
    first, other = caught.value.events
    assert re.search(r"--- |\+\+\+ exited", first), first
    assert other == "pid 2  ... 1 bytes from pipe:[2] to pipe:[2] ..."
    with pytest.raises(NotDeterministic) as caught:
        check(Runs().stops_early)
    first, other = caught.value.events
    assert first == "pid 2  ... 1 bytes from pipe:[2] to pipe:[2] ..."


def test_an_exception_in_one_run_is_a_difference(check: Check) -> None:
    with pytest.raises(NotDeterministic, match="of run 3 ") as caught:
        check(Runs().fails_at_last, runs=4)
    assert caught.value.events[1].endswith("+++ exited with 1 +++") or (
        caught.value.events[1] == "the end: LookupError: only now"
    )


def test_another_result_is_a_difference(check: Check) -> None:
    with pytest.raises(NotDeterministic) as caught:
        check(Runs().returns_another_number)
    assert caught.value.events == ("the end: returned 1", "the end: returned 2")


def test_a_difference_between_hosts_is_told_too(check: Check) -> None:
    runs = itertools.count()

    async def main() -> None:
        sim = current_simulation()
        sim.host("other", "10.0.0.2")

        async def tell() -> None:
            fd = posix.socket(socket.AF_INET, socket.SOCK_DGRAM)
            await posix.sendto(fd, b"x" * next(runs), ("10.0.0.2", 9))

        await sim.host("one", "10.0.0.1").run(tell)

    with pytest.raises(NotDeterministic) as caught:
        check(main)
    assert all(event.startswith("one → other  sent: ") for event in caught.value.events)
    assert caught.value.stacks[0][0].endswith("in tell")


# -- memory


async def many(writes: int) -> None:
    r, w = posix.pipe()
    for _ in range(writes):
        await posix.write(w, b"some bytes")
        await posix.read(r, 10)


def test_a_long_run_is_kept_in_some_forty_bytes_an_event() -> None:
    log = _Log()
    sizes = []
    tracemalloc.start()
    for number in range(1, 6_001):
        log(SystemCall(number, 977 * number, "localhost", 2, "write", (3, b"%d" % number), 5, 0))
        if number % 3_000 == 0:
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    assert sizes[1] - sizes[0] < 40 * 3_000
    assert log.moment(4).what == 'pid 2  write(3, b"5") = 5'
    assert log.moment(2_999).t_ns == 2_931_000


def test_an_event_far_back_is_found_again() -> None:
    runs = itertools.count()

    async def main() -> None:
        await many(500)
        _, w = posix.pipe()
        await posix.write(w, b"%d" % next(runs))
        await many(500)

    with pytest.raises(NotDeterministic) as caught:
        check_determinism(main, seed=1)
    assert caught.value.events == ('pid 2  write(6, b"0") = 1', 'pid 2  write(6, b"1") = 1')
    assert caught.value.index > 1_500
