"""The network as a stranger meets it: what is asked wrongly, too early, too late or twice."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.network.faults import PASS, event
from asyncipc.network.links import TailDrop

Run = Callable[..., Any]

pytestmark = pytest.mark.simulated("there is one real machine")


def pair() -> tuple[asyncipc.Host, asyncipc.Host]:
    sim = asyncipc.current_simulation()
    return sim.host("server", "10.0.0.2"), sim.host("client", "10.0.0.1")


async def ticks(told: list[float]) -> None:
    """When it made its calls, by the second."""
    while True:
        await posix.nanosleep(1)
        told.append(asyncipc.current_simulation().timers.now() / 1e9)


@asynccontextmanager
async def paused(host: asyncipc.Host) -> AsyncIterator[None]:
    host.pause()
    yield
    host.resume()


# -- before and after


def test_before_the_run_cuts_may_be_made_and_healed_and_a_schedule_not_begun() -> None:
    sim = asyncipc.Simulation()
    one, other = sim.host("one"), sim.host("other")
    with sim.partition(one, other, how="hold"):
        pass
    assert sim.network.cuts.active == ()
    with pytest.raises(RuntimeError, match="not running"):
        sim.network.play([event(1, "crash", "one")])


def test_after_the_run_nothing_is_started_any_more(run: Run) -> None:
    async def main() -> asyncipc.Simulation:
        pair()
        return asyncipc.current_simulation()

    sim = run(main)
    with pytest.raises(RuntimeError, match="not running"):
        sim.hosts["server"].spawn(anyio.sleep_forever)


@pytest.mark.parametrize("name", ["", "10.0.0.9", "7", "node.1", "fd00::1", "two words", "a\n"])
def test_a_host_is_not_called_what_the_resolver_would_not_find(name: str) -> None:
    with pytest.raises(ValueError, match="can be no host's name"):
        asyncipc.Simulation().host(name)


def test_names_that_differ_in_case_are_one_name() -> None:
    sim = asyncipc.Simulation()
    sim.host("Server")
    with pytest.raises(ValueError, match="there is a host 'Server' already"):
        sim.host("server")


def test_a_host_that_could_not_be_made_leaves_no_address_behind() -> None:
    sim = asyncipc.Simulation()
    with pytest.raises(ValueError, match="nowhere"):
        sim.host("server", "10.0.0.9", "nowhere")
    assert sim.host("server", "10.0.0.9").addresses == ("10.0.0.9",)


def test_addresses_are_attached_all_or_none() -> None:
    sim = asyncipc.Simulation()
    one, other = sim.host("one", "10.0.0.1"), sim.host("other", "10.0.0.2")
    with pytest.raises(ValueError, match="is one's address already"):
        other.attach("10.0.0.3", "10.0.0.1")
    one.attach("10.0.0.3")
    assert (one.addresses, other.addresses) == (("10.0.0.1", "10.0.0.3"), ("10.0.0.2",))


# -- wrong arguments


def test_what_is_said_of_one_host_heals_nothing_in_silence() -> None:
    sim = asyncipc.Simulation()
    sim.host("one"), sim.host("other")
    cut = sim.partition("one", "other")
    with pytest.raises(ValueError, match="one is named"):
        sim.network.heal("one")
    assert sim.network.cuts.active == (cut,)


def test_a_host_of_another_simulation_is_not_taken_for_its_namesake() -> None:
    sim, elsewhere = asyncipc.Simulation(), asyncipc.Simulation()
    sim.host("one"), sim.host("other")
    with pytest.raises(ValueError, match="another simulation"):
        sim.link(elsewhere.host("one"), "other", loss=0.5)


def test_conditions_that_fit_one_way_only_change_neither() -> None:
    sim = asyncipc.Simulation()
    one, other = sim.host("one"), sim.host("other")
    sim.network.one_way(one, other, latency=0.05)
    with pytest.raises(ValueError, match="jitter must be at most the latency"):
        sim.link(one, other, jitter=0.01)
    assert sim.network.fabric.link("one", "other").conditions.jitter is None


def test_a_host_has_no_link_to_itself_and_a_rule_is_called() -> None:
    sim = asyncipc.Simulation()
    sim.host("one")
    with pytest.raises(ValueError, match="between two hosts"):
        sim.link("one", "one", loss=0.5)
    with pytest.raises(TypeError, match="a rule is a callable"):
        sim.network.rule(PASS)  # type: ignore[arg-type]


def test_a_wrong_name_is_answered_with_a_few_of_the_right_ones() -> None:
    sim = asyncipc.Simulation()
    for number in range(20):
        sim.host(f"host-{number}")
    with pytest.raises(ValueError, match=r"no host 'nobody'; .*host-8 and 11 more$"):
        sim.partition("host-1", "nobody")


@pytest.mark.parametrize("wrong", ["fast", 0.5, -1_000_000])
def test_a_drift_is_a_whole_number_of_millionths(wrong: Any) -> None:
    host = asyncipc.Simulation().host("one")
    with pytest.raises((TypeError, ValueError)):
        host.clock.drift_ppm = wrong
    assert host.clock.drift_ppm == 0


def test_all_that_a_host_sends_shares_its_rate(run: Run) -> None:
    async def send(target: str) -> None:
        fd = posix.socket(socket.AF_INET, socket.SOCK_DGRAM)
        await posix.sendto(fd, bytes(972), (target, 9))  # 1,000 bytes with the heads

    async def receive() -> float:
        fd = posix.socket(socket.AF_INET, socket.SOCK_DGRAM)
        posix.bind(fd, ("0.0.0.0", 9))
        await posix.recvfrom(fd, 1000)
        return asyncipc.current_simulation().timers.now() / 1e9

    async def main() -> list[float]:
        sim = asyncipc.current_simulation()
        server, client = pair()
        third = sim.host("third", "10.0.0.3")
        sim.network.rates(client, up=8000, up_queue=TailDrop(10))
        with pytest.raises(ValueError, match="queue needs a bandwidth"):
            sim.network.rates(client, down_queue=5)
        told: list[float] = []

        async def tell(host: asyncipc.Host) -> None:
            told.append(await host.run(receive))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(tell, server)
            tasks.start_soon(tell, third)
            await anyio.lowlevel.checkpoint()
            client.spawn(send, "10.0.0.2")
            client.spawn(send, "10.0.0.3")
        return told

    assert run(main) == [1.001, 2.001]


# -- errands


def test_a_program_killed_before_its_first_line_is_a_program_killed(run: Run) -> None:
    async def main() -> list[int | None]:
        sim = asyncipc.current_simulation()
        told: list[int | None] = []

        async def crash(host: asyncipc.Host) -> None:
            host.crash()

        async def send_out(host: asyncipc.Host) -> None:
            tasks.start_soon(crash, host)  # at once: which comes first is the scheduler's to say
            with pytest.raises(ProcessLookupError) as caught:
                await host.run(anyio.sleep_forever)
            told.append(caught.value.errno)

        async with anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(send_out, sim.host(f"host-{number}"))
        return told

    assert run(main) == [errno.ESRCH] * 8


def test_an_errand_that_exits_has_an_exit_and_no_death(run: Run) -> None:
    async def leave() -> None:
        posix._exit(3)

    async def raise_exit() -> None:
        raise SystemExit(4)

    async def main() -> tuple[object, object]:
        _, client = pair()
        with pytest.raises(SystemExit) as caught:
            await client.run(raise_exit)
        return await client.run(leave), caught.value.code

    assert run(main) == (None, 4)


def test_an_errand_that_becomes_another_program_returns_what_that_returns(run: Run) -> None:
    async def second() -> int:
        await posix.nanosleep(1)
        return 2

    async def first() -> int:
        posix.execv(second)
        return 1

    async def main() -> int:
        _, client = pair()
        return await client.run(first)

    assert run(main) == 2


def test_what_is_no_program_is_refused_by_the_call(run: Run) -> None:
    async def main() -> None:
        _, client = pair()
        with pytest.raises(TypeError, match="a program is an async function, not int"):
            await client.run(5)  # type: ignore[arg-type]
        assert list(client.kernel.processes) == [1]

    run(main)


# -- standing still


def test_on_a_paused_host_nobody_begins_and_sigcont_wakes_nobody(run: Run) -> None:
    old: list[float] = []
    new: list[float] = []

    async def main() -> None:
        server, _ = pair()
        pid = server.serve(ticks, old)
        await anyio.sleep(1.5)
        async with paused(server):
            server.serve(ticks, new)
            server.kill(pid, signal.SIGCONT)
            await anyio.sleep(3)
        await anyio.sleep(1.2)

    run(main)
    assert old == [1.0, 4.5, 5.5]
    assert new == [4.5, 5.5]  # its second is over, but not its call


def test_a_signal_to_a_paused_host_acts_when_it_goes_on(run: Run) -> None:
    async def main() -> list[list[int]]:
        server, _ = pair()
        pid = server.serve(anyio.sleep_forever)
        await anyio.sleep(1)
        async with paused(server):
            server.kill(pid, signal.SIGTERM)
            before = list(server.kernel.processes)
        await anyio.sleep(1)
        return [before, list(server.kernel.processes)]

    assert run(main) == [[1, 2], [1]]


def test_who_is_stopped_while_the_host_is_paused_stays_so(run: Run) -> None:
    told: list[float] = []

    async def main() -> None:
        server, _ = pair()
        pid = server.serve(ticks, told)
        await anyio.sleep(1.5)
        async with paused(server):
            server.kill(pid, signal.SIGSTOP)
        await anyio.sleep(5)
        assert told == [1.0]
        server.kill(pid, signal.SIGCONT)
        await anyio.sleep(1.2)

    run(main)
    assert told == [1.0, 6.5, 7.5]


def test_a_pause_leaves_the_count_of_the_stopped_as_it_was(run: Run) -> None:
    async def main() -> list[int]:
        server, _ = pair()
        counts = []
        for end in (server.resume, server.crash, server.restart):
            pid = server.serve(anyio.sleep_forever)
            await anyio.sleep(1)
            server.pause()
            server.kill(pid)
            end()
            counts.append(server.kernel.stopped)
            if not server.is_up:
                server.restart()
        return counts

    assert run(main) == [0, 0, 0]


def test_a_host_may_crash_while_it_is_paused_and_is_not_when_it_is_back(run: Run) -> None:
    told: list[float] = []

    async def main() -> None:
        server, _ = pair()
        server.serve(ticks, told)
        await anyio.sleep(1.5)
        server.pause()
        server.crash()
        server.resume()
        await anyio.sleep(2)
        server.restart()
        await anyio.sleep(1.2)
        assert not server.is_paused

    run(main)
    assert told == [1.0, 4.5]


# -- what a restart keeps


def test_an_address_that_was_taken_away_stays_away_after_a_restart(run: Run) -> None:
    async def main() -> tuple[str, ...]:
        server, _ = pair()
        server.attach("fd00:0::5/64", "10.0.0.50/16", "10.1.0.1")
        server.detach("fd00::5")
        server.detach("10.0.0.50/16")
        server.restart()
        return server.addresses

    assert run(main) == ("10.0.0.2", "10.1.0.1")


def test_what_the_resolver_was_told_holds_after_a_restart(run: Run) -> None:
    async def main() -> int | None:
        server, client = pair()
        asyncipc.current_simulation().resolver.fail("server", socket.EAI_FAIL)
        server.restart()
        with pytest.raises(socket.gaierror) as caught:
            await client.run(posix.getaddrinfo, "server", 80)
        return caught.value.errno

    assert run(main) == socket.EAI_FAIL


def test_a_failure_is_told_although_the_host_crashed_later(
    run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    async def fails() -> None:
        raise LookupError("a defect")

    async def main() -> None:
        server, _ = pair()
        server.serve(fails)
        await anyio.sleep(1)
        server.crash()
        server.restart()
        await anyio.sleep(1)

    with pytest.raises(BaseExceptionGroup) as caught:
        run(main)
    assert [str(error) for error in caught.value.exceptions] == ["a defect", "a defect"]
    assert capfd.readouterr().err.count("LookupError: a defect") == 2


# -- clocks


def test_the_monotonic_clock_of_a_host_begins_when_the_host_is_made(run: Run) -> None:
    async def both() -> tuple[float, float]:
        return posix.time(), posix.clock_gettime(posix.CLOCK_MONOTONIC)

    async def main() -> tuple[float, float]:
        await anyio.sleep(10)
        server, _ = pair()
        await anyio.sleep(1)
        return await server.run(both)

    assert run(main) == (11.0, 1.0)


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
def test_in_a_run_of_somebody_elses_time_begins_with_the_simulation(backend: str) -> None:
    async def main() -> float:
        async with asyncipc.Simulation():
            return posix.time()

    assert 0 <= anyio.run(main, backend=backend) < 1


# -- the gateway


@pytest.mark.parametrize("backend", ["trio", "asyncio"])
def test_a_gateway_takes_a_host_or_its_name(backend: Any) -> None:
    async def main() -> list[str]:
        sim = asyncipc.current_simulation()
        server, client = pair()
        elsewhere = asyncipc.Simulation().host("server")
        with pytest.raises(ValueError, match="another simulation"):
            await sim.publish(elsewhere, 80)
        async with (
            await sim.publish(server, 80, via=client) as one,
            await sim.publish("server", 80, via="server") as two,
            await sim.reach(client, ("127.0.0.1", 9), port=5) as three,
        ):
            return [one.host.name, two.host.name, three.host.name]

    assert asyncipc.run(main, time="real", backend=backend) == ["client", "server", "client"]


# -- the real machine


def test_the_real_machine_has_no_simulated_network_clock_or_names() -> None:
    async def main() -> None:
        sim = asyncipc.current_simulation()
        for refused in (
            lambda: sim.localhost.attach("10.0.0.1"),
            lambda: sim.localhost.clock,
            lambda: sim.localhost.restart(),
            lambda: sim.localhost.resume(),
            lambda: sim.network,
            lambda: sim.resolver,
        ):
            with pytest.raises(asyncipc.Unsupported, match="on the native machine"):
                refused()  # type: ignore[no-untyped-call]

    asyncipc.run(main, machine="native")


def test_what_cannot_be_repeated_is_refused_before_it_is_compared() -> None:
    async def main() -> None: ...

    with pytest.raises(TypeError, match="'time'"):
        asyncipc.check_determinism(main, seed=1, time="real")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="seed is an int"):
        asyncipc.check_determinism(main, seed=None)  # type: ignore[arg-type]
