"""The simulated machine on the real clock: ``asyncipc.run(main, time="real")``."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import Simulation, Unsupported, posix
from asyncipc.kernel.signals.disposition import SIGKILL
from tests.conftest import Leftovers

RunReal = Callable[..., Any]
LONGEST_S = 8.0


@pytest.fixture
def run_real(backend: Any, leftovers: Leftovers) -> RunReal:
    """``asyncipc.run`` on real time; TimeoutError when it hangs."""

    def run_it(main: Callable[[], Any], **options: Any) -> Any:
        async def guarded() -> Any:
            with anyio.fail_after(LONGEST_S):
                return await main()

        try:
            return asyncipc.run(guarded, backend=backend, time="real", **options)
        finally:
            leftovers.check()

    return run_it


def test_a_sleep_takes_as_long_as_it_says(run_real: RunReal) -> None:
    async def main() -> None:
        await posix.nanosleep(0.05)
        await anyio.sleep(0.05)

    start = time.monotonic()
    run_real(main)
    assert 0.1 <= time.monotonic() - start < 5


def test_time_begins_at_zero_and_stamps_the_events(run_real: RunReal) -> None:
    events: list[Any] = []

    async def main() -> None:
        await posix.nanosleep(0.02)

    run_real(main, observers=[events.append])
    stamps = [event.t_ns for event in events]
    assert stamps == sorted(stamps)
    assert 0 <= stamps[0] < 5_000_000_000
    assert stamps[-1] - stamps[0] >= 20_000_000


def test_processes_and_pipes_are_what_they_are_on_virtual_time(run_real: RunReal) -> None:
    async def child(r: int, w: int) -> None:
        posix.close(w)
        assert await posix.read(r, 100) == b"hello"
        posix._exit(7)

    async def main() -> int:
        r, w = posix.pipe()
        pid = posix.fork(child, r, w)
        await posix.write(w, b"hello")
        posix.close(w)
        _, status = await posix.waitpid(pid)
        return status

    assert run_real(main) == 7 << 8


def test_a_call_with_a_time_limit_ends_when_that_is_over(run_real: RunReal) -> None:
    async def main() -> list[Any]:
        r, _ = posix.pipe()
        return await posix.poll([(r, 1)], 0.03)

    start = time.monotonic()
    assert run_real(main) == []
    assert time.monotonic() - start >= 0.03


def test_datagrams_between_hosts_take_their_latency_on_the_real_clock(run_real: RunReal) -> None:
    async def server() -> None:
        async with await asyncipc.create_udp_socket(local_port=9) as udp:
            data, sender = await udp.receive()
            await udp.sendto(data.upper(), *sender)

    async def client() -> bytes:
        async with await asyncipc.create_udp_socket() as udp:
            await udp.sendto(b"hello", "10.0.0.1", 9)
            data, _ = await udp.receive()
            return data

    async def main() -> bytes:
        sim = asyncipc.current_simulation()
        sim.host("server", "10.0.0.1").spawn(server)
        sim.host("client", "10.0.0.2")
        sim.link("server", "client", latency=0.04)
        return await sim.hosts["client"].run(client)

    start = time.monotonic()
    assert run_real(main) == b"HELLO"
    assert time.monotonic() - start >= 0.08


def test_a_thread_may_take_its_time_while_a_process_waits_for_it(run_real: RunReal) -> None:
    async def main() -> str:
        return await anyio.to_thread.run_sync(lambda: time.sleep(0.01) or "done")

    assert run_real(main) == "done"


def test_the_run_ends_when_the_last_process_has_though_timers_are_left(run_real: RunReal) -> None:
    async def main() -> None:
        posix.alarm(1000)

    start = time.monotonic()
    run_real(main)
    assert time.monotonic() - start < 5


def test_a_process_that_waits_for_ever_can_be_killed(run_real: RunReal) -> None:
    async def main() -> int:
        r, _ = posix.pipe()
        pid = posix.fork(posix.read, r, 1)
        await anyio.sleep(0.01)
        posix.kill(pid, SIGKILL)
        return (await posix.waitpid(pid))[1]

    assert run_real(main) == SIGKILL


def test_a_seed_still_fixes_every_die(run_real: RunReal) -> None:
    async def main() -> float:
        return asyncipc.current_simulation().dice("a purpose").random()

    assert run_real(main, seed=3) == run_real(main, seed=3) != run_real(main, seed=4)


def test_a_quantum_is_strict_with_a_seed_as_on_virtual_time(run_real: RunReal) -> None:
    async def main() -> int:
        return asyncipc.current_simulation().quantum

    assert run_real(main, seed=3) == 1
    assert run_real(main) == 32


@pytest.mark.parametrize("options", [{"step_limit": 9}, {"wall_limit_s": 1.0}])
def test_the_limits_of_virtual_time_are_refused_by_name(
    run_real: RunReal, options: dict[str, Any]
) -> None:
    async def main() -> None:
        raise AssertionError("it must not run")

    with pytest.raises(Unsupported, match=next(iter(options))):
        run_real(main, **options)


def test_limits_that_are_lifted_are_lifted(run_real: RunReal) -> None:
    async def main() -> str:
        return "ran"

    assert run_real(main, step_limit=None, wall_limit_s=None) == "ran"


def test_another_time_than_the_two_is_a_value_error(run_real: RunReal) -> None:
    async def main() -> None: ...

    with pytest.raises(ValueError, match="'virtual' or 'real'"):
        asyncipc.run(main, time="imaginary")  # type: ignore[arg-type]


def test_the_machine_of_an_exception_is_closed_down_and_the_exception_raised(
    run_real: RunReal,
) -> None:
    async def main() -> None:
        r, _ = posix.pipe()
        posix.fork(posix.read, r, 1)
        await anyio.sleep(0.01)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        run_real(main)


def test_a_simulation_embedded_in_a_plain_run_has_real_time_too(backend: Any) -> None:
    async def main() -> float:
        async with Simulation() as sim:
            await posix.nanosleep(0.02)
            return sim.timers.now() / 1e9

    start = time.monotonic()
    anyio.run(main, backend=backend)
    assert time.monotonic() - start >= 0.02
