"""Hosts: their programs, their ends, their clocks; each with a kernel of its own."""

from __future__ import annotations

import errno
import signal
import socket
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.events import ProcessLife
from asyncipc.network.faults import event
from asyncipc.network.faults.rules import Journey
from asyncipc.network.packet import Packet
from asyncipc.runtime import clock

Run = Callable[..., Any]

pytestmark = pytest.mark.simulated("there is one real machine")

PORT = 53
SERVER = ("10.0.0.2", PORT)


async def echo() -> None:
    fd = posix.socket(socket.AF_INET, socket.SOCK_DGRAM)
    posix.bind(fd, ("0.0.0.0", PORT))
    while True:
        data, address = await posix.recvfrom(fd, 1000)
        await posix.sendto(fd, data, address)


async def ask(data: bytes) -> bytes:
    fd = posix.socket(socket.AF_INET, socket.SOCK_DGRAM)
    await posix.sendto(fd, data, SERVER)
    answer, _ = await posix.recvfrom(fd, 1000)
    posix.close(fd)
    return answer


async def ask_for(data: bytes, seconds: float) -> bytes | None:
    with anyio.move_on_after(seconds):
        return await ask(data)
    return None


def pair() -> tuple[asyncipc.Host, asyncipc.Host]:
    sim = asyncipc.current_simulation()
    return sim.host("server", SERVER[0]), sim.host("client", "10.0.0.1")


# -- programs


def test_a_program_on_one_host_speaks_to_a_service_on_another(run: Run) -> None:
    async def main() -> tuple[bytes, int]:
        server, client = pair()
        server.serve(echo)
        return await client.run(ask, b"hello"), asyncipc.current_simulation().timers.now()

    assert run(main) == (b"hello", 2_000_000)


def test_the_simulation_waits_for_what_is_spawned_and_not_for_services(run: Run) -> None:
    said: list[str] = []

    async def child() -> None:
        await anyio.sleep_forever()

    async def service() -> None:
        posix.fork(child)
        await anyio.sleep_forever()

    async def work() -> None:
        await anyio.sleep(5)
        said.append("done")

    async def main() -> None:
        server, client = pair()
        server.serve(service)
        client.spawn(work)

    run(main)
    assert said == ["done"]


def test_hosts_number_their_processes_each_for_itself(run: Run) -> None:
    async def mine() -> int:
        return posix.getpid()

    async def main() -> list[int]:
        server, client = pair()
        return [await server.run(mine), await client.run(mine), await client.run(mine)]

    assert run(main) == [2, 2, 3]


def test_hosts_share_no_files(run: Run) -> None:
    async def write() -> None:
        fd = await posix.open("note", posix.O_CREAT | posix.O_WRONLY)
        posix.close(fd)

    async def names() -> list[str]:
        return posix.listdir(".")

    async def main() -> tuple[list[str], list[str]]:
        server, client = pair()
        await server.run(write)
        return await server.run(names), await client.run(names)

    assert run(main) == (["note"], [])


def test_what_a_run_program_raises_is_its_callers(run: Run) -> None:
    async def fails() -> None:
        raise LookupError("not here")

    async def main() -> None:
        _, client = pair()
        with pytest.raises(LookupError, match="not here"):
            await client.run(fails)

    run(main)


def test_who_runs_a_program_that_is_killed_learns_so(run: Run) -> None:
    async def killed() -> None:
        posix.kill(posix.getpid(), signal.SIGKILL)

    async def main() -> int | None:
        _, client = pair()
        with pytest.raises(ProcessLookupError) as caught:
            await client.run(killed)
        return caught.value.errno

    assert run(main) == errno.ESRCH


def test_who_is_cancelled_kills_the_program_that_he_runs(run: Run) -> None:
    async def main() -> list[int]:
        _, client = pair()
        with anyio.move_on_after(1):
            await client.run(anyio.sleep_forever)
        return list(client.kernel.processes)

    assert run(main) == [1]


def test_a_service_that_fails_is_told_at_the_end(
    run: Run, capfd: pytest.CaptureFixture[str]
) -> None:
    async def fails() -> None:
        raise LookupError("not here")

    async def main() -> None:
        server, _ = pair()
        server.serve(fails)
        await anyio.sleep(1)

    with pytest.raises(BaseExceptionGroup) as caught:
        run(main)
    assert [type(error) for error in caught.value.exceptions] == [LookupError]
    assert "LookupError: not here" in capfd.readouterr().err


def test_a_host_has_one_name_and_an_address_one_host(run: Run) -> None:
    async def main() -> tuple[str, ...]:
        sim = asyncipc.current_simulation()
        first = sim.host("first")
        with pytest.raises(ValueError, match="there is a host 'first' already"):
            sim.host("first")
        with pytest.raises(ValueError, match=r"10\.0\.0\.1"):
            sim.host("second", "10.0.0.1")
        return first.addresses

    assert run(main) == ("10.0.0.1",)


# -- ends


def test_a_crash_is_silent_and_what_is_due_meanwhile_is_lost(run: Run) -> None:
    async def main() -> list[bytes | None]:
        server, client = pair()
        server.serve(echo)
        answers = [await client.run(ask_for, b"one", 1.0)]
        server.crash()
        answers.append(await client.run(ask_for, b"two", 1.0))
        server.restart()
        await anyio.sleep(0.001)
        answers.append(await client.run(ask_for, b"three", 1.0))
        return answers

    assert run(main) == [b"one", None, b"three"]


def test_a_restart_runs_the_entry_points_anew(run: Run) -> None:
    said: list[str] = []

    async def say(word: str) -> None:
        said.append(word)
        await anyio.sleep_forever()

    async def main() -> None:
        server, _ = pair()
        server.serve(say, "first")
        server.serve(say, "second")
        await anyio.sleep(1)
        server.restart()
        await anyio.sleep(1)

    run(main)
    assert [sorted(said[:2]), sorted(said[2:])] == [["first", "second"]] * 2


def test_a_restart_may_be_due_while_everybody_sleeps(run: Run) -> None:
    async def main() -> list[bytes | None]:
        server, client = pair()
        server.serve(echo)
        asyncipc.current_simulation().network.play([event(1.0, "crash", "server", until_s=2.0)])
        await anyio.sleep(1.5)
        answers = [await client.run(ask_for, b"one", 0.4)]
        await anyio.sleep(0.2)
        return [*answers, await client.run(ask_for, b"two", 1.0)]

    assert run(main) == [None, b"two"]


def test_after_a_crash_no_task_of_the_host_makes_another_call(run: Run) -> None:
    calls: list[float] = []

    async def ticks() -> None:
        while True:
            calls.append(posix.clock_gettime(posix.CLOCK_MONOTONIC))
            await posix.nanosleep(1)

    async def main() -> None:
        server, _ = pair()
        server.serve(ticks)
        await anyio.sleep(2.5)
        server.crash()
        assert list(server.kernel.processes) == [1]
        await anyio.sleep(10)

    run(main)
    assert calls == [0.0, 1.0, 2.0]


def test_who_is_down_cannot_crash_nor_run_anything(run: Run) -> None:
    async def main() -> None:
        server, _ = pair()
        server.crash()
        for call in (server.crash, server.pause):
            with pytest.raises(RuntimeError, match="host server is down"):
                call()
        with pytest.raises(RuntimeError, match="host server is down"):
            server.spawn(echo)

    run(main)


def test_the_disk_survives_a_crash_and_the_memory_does_not(run: Run) -> None:
    async def write() -> None:
        for path in ("note", "/dev/shm/heap"):
            fd = await posix.open(path, posix.O_CREAT | posix.O_WRONLY)
            await posix.write(fd, b"kept?")
            posix.close(fd)

    async def names() -> list[list[str]]:
        return [posix.listdir("."), posix.listdir("/dev/shm")]

    async def main() -> list[list[str]]:
        server, _ = pair()
        await server.run(write)
        server.crash()
        server.restart()
        return await server.run(names)

    assert run(main) == [["note"], []]


def test_a_port_can_be_bound_again_after_a_restart(run: Run) -> None:
    async def main() -> bytes | None:
        server, client = pair()
        server.serve(echo)
        for _ in range(3):
            await anyio.sleep(0.1)
            server.restart()
        await anyio.sleep(0.1)
        return await client.run(ask_for, b"still there", 1.0)

    assert run(main) == b"still there"


def test_a_killed_process_is_no_crashed_host(run: Run) -> None:
    seen: list[str] = []

    async def main() -> None:
        server, _ = pair()
        pid = server.serve(echo)
        await anyio.sleep(1)
        server.kill(pid)
        assert server.is_up

    def watch(event: asyncipc.events.Event) -> None:
        if isinstance(event, ProcessLife) and event.host == "server":
            seen.append(event.change)

    run(main, observers=[watch])
    assert seen == ["born", "killed", "reaped"]


# -- standing still


def test_a_paused_host_answers_when_it_goes_on(run: Run) -> None:
    async def main() -> tuple[bytes | None, bytes | None, float]:
        server, client = pair()
        server.serve(echo)
        await anyio.sleep(1)
        server.pause()
        missed = await client.run(ask_for, b"one", 1.0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_resume_later, server)
            answer = await client.run(ask, b"two")
        return missed, answer, asyncipc.current_simulation().timers.now() / 1e9

    async def _resume_later(server: asyncipc.Host) -> None:
        await anyio.sleep(3)
        server.resume()

    missed, answer, now = run(main)
    assert (missed, answer) == (None, b"two")
    assert 5.0 <= now < 5.01


# -- clocks


def test_two_hosts_agree_on_durations_and_not_on_the_time(run: Run) -> None:
    async def nap() -> tuple[float, float]:
        before = posix.time()
        await posix.nanosleep(10)
        return before, posix.time()

    async def main() -> tuple[list[tuple[float, float]], float]:
        server, client = pair()
        server.clock.step(100)
        client.clock.drift_ppm = 1000
        told = [await server.run(nap), await client.run(nap)]
        return told, asyncipc.current_simulation().timers.now() / 1e9

    told, now = run(main)
    assert told == [(100.0, 110.0), (10.01, 20.02)]
    assert now == 20.0


def test_the_clock_of_a_host_may_be_set_back_but_its_monotonic_clock_not(run: Run) -> None:
    async def both() -> tuple[float, float]:
        return posix.time(), posix.clock_gettime(posix.CLOCK_MONOTONIC)

    async def main() -> list[tuple[float, float]]:
        server, _ = pair()
        await anyio.sleep(10)
        first = await server.run(both)
        server.clock.step(-5)
        return [first, await server.run(both)]

    assert run(main) == [(10.0, 10.0), (5.0, 10.0)]


def test_the_monotonic_clock_begins_anew_with_its_host_and_the_dead_one_keeps_pace(
    run: Run,
) -> None:
    async def both() -> tuple[float, float]:
        return posix.time(), posix.clock_gettime(posix.CLOCK_MONOTONIC)

    async def main() -> tuple[float, float]:
        server, _ = pair()
        await anyio.sleep(10)
        server.crash()
        await anyio.sleep(10)
        server.restart()
        return await server.run(both)

    assert run(main) == (20.0, 0.0)


def test_a_clock_that_does_not_exist_is_refused(run: Run) -> None:
    async def main() -> int | None:
        with pytest.raises(OSError, match="Invalid argument") as caught:
            posix.clock_gettime(99)
        return caught.value.errno

    assert run(main) == errno.EINVAL


# -- names


def test_hosts_are_known_by_their_names(run: Run) -> None:
    async def main() -> tuple[object, str]:
        server, client = pair()
        server.attach("fd00::2")

        async def look() -> object:
            return await posix.getaddrinfo("server", 80, type=socket.SOCK_STREAM)

        async def own() -> str:
            return posix.gethostname()

        return await client.run(look), await client.run(own)

    assert run(main) == (
        [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("10.0.0.2", 80)),
            (socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("fd00::2", 80, 0, 0)),
        ],
        "client",
    )


def test_a_lookup_takes_its_time_and_may_find_nothing(run: Run) -> None:
    async def look(name: str) -> tuple[int, float]:
        before = posix.time()
        with pytest.raises(socket.gaierror) as caught:
            await posix.getaddrinfo(name, 80)
        return caught.value.errno or 0, posix.time() - before

    async def main() -> list[tuple[int, float]]:
        sim = asyncipc.current_simulation()
        _, client = pair()
        sim.resolver.latency_s = 0.02
        sim.resolver.fail("silent.example", socket.EAI_AGAIN)
        return [await client.run(look, "none.example"), await client.run(look, "silent.example")]

    assert run(main) == [(socket.EAI_NONAME, 0.02), (socket.EAI_AGAIN, 10.0)]


def test_a_name_may_come_to_mean_another_host(run: Run) -> None:
    async def look() -> str:
        return str((await posix.getaddrinfo("db.example", 80))[0][4][0])

    async def main() -> list[str]:
        sim = asyncipc.current_simulation()
        _, client = pair()
        sim.resolver.set("db.example", ["10.0.0.2"])
        sim.resolver.set("db.example", ["10.0.0.3"], from_ns=5_000_000_000)
        first = await client.run(look)
        await anyio.sleep(5)
        return [first, await client.run(look)]

    assert run(main) == ["10.0.0.2", "10.0.0.3"]


def test_a_lookup_that_is_cancelled_leaves_nobody_asleep(run: Run) -> None:
    async def look() -> None:
        with anyio.move_on_after(1):
            await posix.getaddrinfo("silent.example", 80)

    async def main() -> float:
        sim = asyncipc.current_simulation()
        _, client = pair()
        sim.resolver.fail("silent.example", socket.EAI_AGAIN)
        await client.run(look)
        return sim.timers.now() / 1e9

    assert run(main) == 1.0


def test_what_a_rule_raises_ends_the_run_even_from_a_timer(run: Run) -> None:
    async def stream() -> None:
        async with await asyncipc.connect_tcp("10.0.0.2", PORT):
            await anyio.sleep_forever()

    def wrong(packet: Packet, journey: Journey) -> None:
        if journey.now > 0:  # the first SYN was sent at 0
            raise LookupError("not here")

    async def main() -> None:
        _, client = pair()
        asyncipc.current_simulation().network.rule(wrong)
        client.spawn(stream)

    with pytest.raises(LookupError, match="not here"):
        run(main)


# -- who waits for whom


def test_the_report_of_a_deadlock_names_the_hosts(run: Run) -> None:
    async def accept() -> None:
        listener = await asyncipc.create_tcp_listener(local_port=PORT)
        async with listener, await listener.accept() as stream:
            await stream.receive()

    async def connect() -> None:
        async with await asyncipc.connect_tcp("server", PORT) as stream:
            await stream.receive()

    async def hear() -> None:
        async with await asyncipc.create_udp_socket(local_port=PORT) as channel:
            await channel.receive()

    async def main() -> None:
        server, client = pair()
        server.spawn(accept)
        server.spawn(hear)
        await anyio.sleep(0.1)
        client.spawn(connect)

    with pytest.raises(asyncipc.Deadlock) as caught:
        run(main)
    tasks = caught.value.report.tasks
    assert [(task.host, task.program, task.woken_by()) for task in tasks] == [
        ("server", "accept", "10.0.0.1:32768 on the network"),
        ("server", "hear", "anybody on the network"),
        ("client", "connect", "10.0.0.2:53 on the network"),
    ]
    assert str(caught.value).splitlines()[1].split()[:2] == ["host", "pid"]


DAY_NS = 86400 * 10**9


def test_two_that_send_and_never_read_are_a_deadlock_though_their_probes_go_on(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "SILENCE_NS", DAY_NS)

    async def send(stream: asyncipc.SocketChannel) -> None:
        await stream.send(bytes(20_000_000))

    async def accept() -> None:
        listener = await asyncipc.create_tcp_listener(local_port=PORT)
        async with listener, await listener.accept() as stream:
            await send(stream)

    async def connect() -> None:
        async with await asyncipc.connect_tcp("server", PORT) as stream:
            await send(stream)

    async def main() -> None:
        server, client = pair()
        server.spawn(accept)
        await anyio.sleep(0.1)
        client.spawn(connect)

    with pytest.raises(asyncipc.Deadlock) as caught:
        run(main)
    assert [task.waits_for.split()[0] for task in caught.value.report.tasks] == ["room", "room"]


def test_who_sleeps_for_long_beside_probes_is_no_deadlock(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "SILENCE_NS", DAY_NS)
    long = 3 * 86400

    async def accept() -> None:
        listener = await asyncipc.create_tcp_listener(local_port=PORT)
        async with listener, await listener.accept() as stream:
            await posix.nanosleep(long)
            assert sum([len(part) async for part in stream]) == 20_000_000

    async def connect() -> None:
        async with await asyncipc.connect_tcp("server", PORT) as stream:
            await stream.send(bytes(20_000_000))

    async def main() -> float:
        server, client = pair()
        server.spawn(accept)
        await anyio.sleep(0.1)
        await client.run(connect)
        return asyncipc.current_simulation().timers.now() / 1e9

    assert long < run(main) < long + 300


def test_a_link_that_is_changed_during_a_schedules_event_has_that_change_when_it_ends(
    run: Run,
) -> None:
    async def main() -> list[str]:
        sim = asyncipc.current_simulation()
        server, client = pair()
        sim.link(server, client, latency=0.01)
        sim.network.play([event(0.0, "link", "client", "server", until_s=5.0, loss=0.5)])
        await anyio.sleep(1)
        sim.link(server, client, latency=0.2)
        link = sim.network.fabric.link("client", "server")
        during = link.conditions.describe()
        await anyio.sleep(5)
        return [during, link.conditions.describe()]

    during, after = run(main)
    assert during == "latency_ns=200000000, loss=Bernoulli(share=0.5)"
    assert after == "latency_ns=200000000"
