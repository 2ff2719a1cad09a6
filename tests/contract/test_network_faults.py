"""What programs see of a network that fails: cuts, held packets, damage, broken connections."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import anyio
import pytest

import asyncipc
from asyncipc import posix
from asyncipc.events import Event
from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.sockets.options import SO_KEEPALIVE, SOL_SOCKET
from asyncipc.kernel.tcp.options import TCP_KEEPCNT, TCP_KEEPIDLE, TCP_KEEPINTVL
from asyncipc.network.faults.breakage import accept_and_reset, hang, refuse, reset_after, slow_close
from asyncipc.network.faults.predicates import (
    carries,
    drop,
    flags,
    from_host,
    nth,
    protocol,
    to_port,
)
from asyncipc.network.links.damage import Corruption
from asyncipc.network.tcp.segment import FIN, SYN
from tests.contract.apart import (
    CLIENT,
    PORT,
    SERVER,
    THIRD,
    Packets,
    Seat,
    accept,
    datagrams,
    dial,
    fails_with,
    joined,
    listener,
    network,
    now,
    recv_all,
    recv_exactly,
    seats,
    send_all,
    waiting,
)

Run = Callable[..., Any]

pytestmark = pytest.mark.simulated("there is one real machine")

STREAM = bytes(range(256)) * 400


async def talk(server: Seat, client: Seat, data: bytes = STREAM) -> bytes:
    """A connection of its own, on which the client sends and closes; what the server reads."""
    accepted, dialled = await joined(server, client)
    got: list[bytes] = []

    async def read() -> None:
        got.append(await server.do(recv_all, accepted))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await client.do(send_all, dialled, data)
        await client.call(posix.close, dialled)
    await server.call(posix.close, accepted)
    return got[0]


# -- connect across a cut


def test_connect_across_a_cut_hangs_tries_again_and_times_out_at_the_end(run: Run) -> None:
    packets = Packets()

    async def main() -> float:
        server, client = seats()
        await server.do(listener)
        with network().partition(server.host, client.host), fails_with(errno.ETIMEDOUT):
            await client.do(dial)
        return now()

    assert run(main, observers=[packets]) == 131.0
    assert packets.sent("client", "S") == [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67]
    assert packets.sent("server") == []


def test_connect_succeeds_with_the_first_syn_after_the_cut_has_healed(run: Run) -> None:
    async def main() -> float:
        server, client = seats()
        await server.do(listener)
        cut = network().partition(server.host, client.host)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.do, dial)
            await anyio.sleep(8)
            cut.heal()
        return now()

    assert run(main) == 11.002


def test_the_syn_of_a_client_that_gave_up_while_it_was_held_is_never_accepted(run: Run) -> None:
    async def main() -> tuple[int, int | None]:
        server, client = seats()
        listening = await server.do(listener)
        cut = network().partition(server.host, client.host, how="hold")
        await client.do_for(0.5, dial)
        held = len(cut.held)
        cut.heal()
        return held, await server.do_for(1000, accept, listening)

    assert run(main) == (1, None)


def test_connect_to_an_address_that_nobody_has_finds_no_route_to_it(run: Run) -> None:
    async def main() -> float:
        _, client = seats()
        with fails_with(errno.EHOSTUNREACH):
            await client.do(dial, ("10.0.0.99", PORT))
        return now()

    assert run(main) < 4


# -- data across a cut


def test_a_write_across_a_cut_succeeds_and_the_peer_sees_nothing(run: Run) -> None:
    async def main() -> tuple[int, bytes | None, bytes | None]:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        with network().partition(server.host, client.host):
            before = now()
            sent = await client.do(posix.send, dialled, b"hello")
            assert now() == before
            nothing = await server.do_for(60, posix.recv, accepted, 9)
        return sent, nothing, await server.do_for(60, posix.recv, accepted, 9)

    assert run(main) == (5, None, b"hello")


def test_a_datagram_across_a_cut_is_lost_and_nobody_is_told(run: Run) -> None:
    async def main() -> tuple[int, list[bytes]]:
        server, client = seats()
        there, here = await server.do(datagrams), await client.do(datagrams)
        with network().partition(server.host, client.host):
            sent = await client.do(posix.sendto, here, b"lost", SERVER)
            await anyio.sleep(10)
        await client.do(posix.sendto, here, b"found", SERVER)
        await anyio.sleep(10)
        return sent, await server.do(waiting, there)

    assert run(main) == (4, [b"found"])


def test_a_cut_one_way_lets_pass_what_goes_the_other_way(run: Run) -> None:
    async def main() -> list[list[bytes]]:
        server, client = seats()
        there, here = await server.do(datagrams), await client.do(datagrams)
        with network().cut(client.host, server.host):
            await client.do(posix.sendto, here, b"there", SERVER)
            await server.do(posix.sendto, there, b"back", CLIENT)
            await anyio.sleep(1)
        return [await server.do(waiting, there), await client.do(waiting, here)]

    assert run(main) == [[], [b"back"]]


def test_a_cut_of_the_way_back_loses_acknowledgements_alone_and_data_is_sent_again(
    run: Run,
) -> None:
    packets = Packets()

    async def main() -> tuple[bytes, list[bytes], int]:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        with network().cut(server.host, client.host):
            await client.do(posix.send, dialled, b"once")
            got = await server.do(recv_exactly, accepted, 4)
            packets.all.clear()
            await anyio.sleep(5)
            again = len(packets.fates("arrived", "client"))
        return got, await server.do(waiting, accepted), again

    got, more, again = run(main, observers=[packets])
    assert (got, more) == (b"once", [])
    assert again >= 4


def test_a_stream_goes_on_intact_after_a_cut_has_healed(run: Run) -> None:
    async def main() -> bytes:
        server, client = seats()
        network().link("client", "server", bandwidth=1_000_000)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(cut_for_a_while)
            return await talk(server, client)

    async def cut_for_a_while() -> None:
        for pause in (0.1, 0.3, 0.7):
            await anyio.sleep(pause)
            with network().partition("client", "server", in_flight=True):
                await anyio.sleep(pause)

    assert run(main) == STREAM


def test_a_writer_learns_of_a_cut_that_stays_by_his_retransmissions_alone(run: Run) -> None:
    async def main() -> float:
        server, client = seats()
        _, dialled = await joined(server, client)
        network().partition(server.host, client.host)
        before = now()
        await client.do(posix.send, dialled, b"hello")
        with fails_with(errno.ETIMEDOUT):
            await client.do(posix.recv, dialled, 9)
        with fails_with(errno.EPIPE):
            await client.do(posix.send, dialled, b"more")
        return now() - before

    # tcp_retries2, 15: from 924.6 s on, where the next retransmission would be
    assert 924.6 <= run(main) < 924.6 + 120


# -- what is in flight, and what is held


@pytest.mark.parametrize("in_flight", [False, True])
def test_a_partition_drops_what_is_in_flight_only_when_it_says_so(
    run: Run, in_flight: bool
) -> None:
    async def main() -> list[bytes]:
        server, client = seats()
        network().link("client", "server", latency=1.0)
        there, here = await server.do(datagrams), await client.do(datagrams)
        await client.do(posix.sendto, here, b"on its way", SERVER)
        await anyio.sleep(0.5)
        with network().partition(server.host, client.host, in_flight=in_flight):
            await anyio.sleep(5)
        lost = dict(network().statistics("client", "server").dropped)
        assert lost == ({"cut": 1} if in_flight else {})
        return await server.do(waiting, there)

    assert run(main) == ([] if in_flight else [b"on its way"])


def test_a_hold_keeps_what_is_sent_and_releases_it_in_order(run: Run) -> None:
    words = [bytes([number]) for number in range(20)]

    async def main() -> tuple[list[bytes], int, list[bytes], int]:
        server, client = seats()
        there, here = await server.do(datagrams), await client.do(datagrams)
        cut = network().partition(server.host, client.host, how="hold")
        for word in words:
            await client.do(posix.sendto, here, word, SERVER)
            await anyio.sleep(0.01)
        before, held = await server.do(waiting, there), len(cut.held)
        cut.heal()
        await anyio.sleep(0.001)
        return before, held, await server.do(waiting, there), len(cut.held)

    assert run(main) == ([], 20, words, 0)


def test_a_hold_that_means_what_is_in_flight_lets_it_arrive_when_it_heals(run: Run) -> None:
    async def main() -> tuple[list[bytes], list[bytes]]:
        server, client = seats()
        network().link("client", "server", latency=1.0)
        there, here = await server.do(datagrams), await client.do(datagrams)
        await client.do(posix.sendto, here, b"first", SERVER)
        await anyio.sleep(0.5)
        with network().partition(server.host, client.host, how="hold", in_flight=True):
            await client.do(posix.sendto, here, b"second", SERVER)
            await anyio.sleep(5)
            before = await server.do(waiting, there)
        await anyio.sleep(1)
        return before, await server.do(waiting, there)

    assert run(main) == ([], [b"first", b"second"])


def test_who_is_held_on_the_way_to_a_listener_does_not_block_another(run: Run) -> None:
    async def main() -> tuple[str, float]:
        server, client = seats()
        third = Seat("third", THIRD[0])
        listening = await server.do(listener)
        with network().cut(client.host, server.host, how="hold"):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.do_for, 10, dial)
                await anyio.sleep(1)
                await third.do(dial)
                accepted = await server.do(accept, listening)
                peer = await server.call(posix.getpeername, accepted)
                at = now()
        return peer[0], at

    who, at = run(main)
    assert who == THIRD[0]
    assert at < 1.01


def test_heal_of_a_pair_leaves_the_others_cut(run: Run) -> None:
    async def main() -> tuple[bytes | None, bytes | None, bytes | None]:
        server, client = seats()
        third = Seat("third", THIRD[0])
        there = await server.do(datagrams)
        sockets = [(seat, await seat.do(datagrams)) for seat in (client, third)]

        async def round_of() -> bytes:
            for seat, fd in sockets:
                await seat.do(posix.sendto, fd, seat.host.name.encode(), SERVER)
            await anyio.sleep(1)
            return b" ".join(await server.do(waiting, there))

        network().partition("server", "client", "third")
        first = await round_of()
        network().heal("server", "third")
        second = await round_of()
        network().heal()
        return first, second, await round_of()

    assert run(main) == (b"", b"third", b"client third")


def test_long_after_a_heal_nothing_is_held_or_on_its_way(run: Run) -> None:
    async def main() -> tuple[int, list[bool]]:
        server, client = seats()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hold_for_a_while)
            assert await talk(server, client) == STREAM
        await anyio.sleep(200)
        statistics = [network().statistics(*way) for way in WAYS]
        return sum(each.in_flight for each in statistics), [s.is_conserved for s in statistics]

    async def hold_for_a_while() -> None:
        await anyio.sleep(0.0035)
        with network().partition("client", "server", how="hold", in_flight=True):
            await anyio.sleep(10)

    assert run(main) == (0, [True, True])


WAYS = [("client", "server"), ("server", "client")]


def test_a_cut_that_resets_breaks_connections_at_both_ends(run: Run) -> None:
    async def main() -> None:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        with network().partition(server.host, client.host, how="reset"):
            await client.do(posix.send, dialled, b"too much")
            await anyio.sleep(1)
            with fails_with(errno.ECONNRESET):
                await client.do(posix.recv, dialled, 9)
            with fails_with(errno.ECONNRESET):
                await server.do(posix.recv, accepted, 9)

    run(main)


def test_a_cut_that_resets_one_way_breaks_a_stream_with_a_gap_in_it_at_both_ends(run: Run) -> None:
    async def main() -> float:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        network().link("client", "server", latency=0.1)
        with network().rule(drop(from_host("client") & nth(1))):
            await client.do(posix.send, dialled, STREAM[:5000])
        await anyio.sleep(0.05)
        before = now()
        with network().cut("client", "server", how="reset", in_flight=True):
            with fails_with(errno.ECONNRESET):
                await client.do(posix.send, dialled, b"more")
                await client.do(posix.recv, dialled, 9)
            with fails_with(errno.ECONNRESET):
                await server.do(posix.recv, accepted, 9)
        return now() - before

    # its first RST has a number from behind the gap: it is asked again (RFC 5961, 3.2)
    assert run(main) < 1


# -- wires that lose, hurt, double and mix


@pytest.mark.parametrize(
    "fault",
    [
        {"loss": 0.2},
        {"duplicate": 0.5},
        {"reorder": 0.5},
        {"corrupt": 0.2},
        {"jitter": 0.001, "keep_order": False},
        {"loss": 0.05, "duplicate": 0.1, "reorder": 0.1, "corrupt": 0.05},
    ],
    ids=lambda fault: " ".join(fault),
)
def test_whatever_a_wire_does_to_packets_no_byte_of_a_stream_is_lost_doubled_hurt_or_moved(
    run: Run, fault: dict[str, Any]
) -> None:
    async def main() -> bytes:
        server, client = seats()
        network().link("client", "server", **fault)
        got = await talk(server, client)
        network().check_conservation()
        return got

    for seed in range(3):
        assert run(main, seed=seed) == STREAM


def test_doubled_handshakes_and_ends_leave_one_connection(run: Run) -> None:
    async def main() -> tuple[bytes, int | None]:
        server, client = seats()
        network().links(duplicate=1.0)
        listening = await server.do(listener)
        dialled = await client.do(dial)
        accepted = await server.do(accept, listening)
        await client.do(posix.send, dialled, b"once")
        await client.call(posix.close, dialled)
        got = await server.do(recv_all, accepted)
        await server.call(posix.close, accepted)
        return got, await server.do_for(100, accept, listening)

    assert run(main) == (b"once", None)


def test_a_damaged_datagram_is_dropped_where_checksums_are_on(run: Run) -> None:
    async def main() -> tuple[list[bytes], dict[str, int]]:
        server, client = seats()
        network().link("client", "server", corrupt=1.0)
        there, here = await server.do(datagrams), await client.do(datagrams)
        await client.do(posix.sendto, here, b"\0" * 100, SERVER)
        await anyio.sleep(1)
        assert server.host.stack is not None
        return await server.do(waiting, there), dict(server.host.stack.counts.dropped)

    assert run(main, seed=1) == ([], {"damage": 1})


def test_a_program_sees_the_flipped_bits_where_checksums_are_off(run: Run) -> None:
    async def main() -> list[bytes]:
        server, client = seats()
        network().link("client", "server", corrupt=Corruption(1.0, bits=3))
        there, here = await server.do(datagrams), await client.do(datagrams)
        assert server.host.stack is not None
        server.host.stack.checksums = False
        await client.do(posix.sendto, here, b"\0" * 100, SERVER)
        await anyio.sleep(1)
        return await server.do(waiting, there)

    (got,) = run(main, seed=1)
    assert len(got) == 100
    assert sum(byte.bit_count() for byte in got) == 3


def test_so_many_bytes_take_at_least_what_the_rate_of_the_link_says(run: Run) -> None:
    async def main() -> float:
        server, client = seats()
        network().link("client", "server", bandwidth=8_000_000)
        before = now()
        assert await talk(server, client, bytes(1_000_000)) == bytes(1_000_000)
        return now() - before

    assert 1.0 < run(main) < 1.15


def test_links_speaks_for_all_that_have_no_conditions_of_their_own_now_and_later(
    run: Run,
) -> None:
    async def round_trip(one: Seat, fd: int, other: Seat, peer: int, to: tuple[str, int]) -> float:
        before = now()
        await one.do(posix.sendto, fd, b"ping", to)
        await other.do(posix.recv, peer, 9)
        return round(now() - before, 9)

    async def main() -> list[float]:
        server, client = seats()
        third = Seat("third", THIRD[0])
        there, here, beside = [await seat.do(datagrams) for seat in (server, client, third)]
        network().link("client", "server", latency=0.1)
        took = [await round_trip(third, beside, server, there, SERVER)]
        network().links(latency=0.02)
        took.append(await round_trip(third, beside, server, there, SERVER))
        took.append(await round_trip(client, here, third, beside, THIRD))
        took.append(await round_trip(client, here, server, there, SERVER))
        return took

    assert run(main) == [0.001, 0.02, 0.02, 0.1]


# -- connections that misbehave


def test_a_rule_may_refuse_connections_though_somebody_listens(run: Run) -> None:
    async def main() -> None:
        server, client = seats()
        await server.do(listener)
        with network().rule(refuse(to_port(PORT))), fails_with(errno.ECONNREFUSED):
            await client.do(dial)
        await client.do(dial)

    run(main)


def test_a_rule_may_let_connections_hang_and_those_that_stand_go_on(run: Run) -> None:
    async def main() -> tuple[int | None, bytes]:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        await server.do(listener)
        with network().rule(hang(to_port(PORT))):
            new = await client.do_for(60, dial)
            await client.do(posix.send, dialled, b"old")
            return new, await server.do(posix.recv, accepted, 9)

    assert run(main) == (None, b"old")


def test_a_connection_may_be_accepted_and_then_be_reset(run: Run) -> None:
    async def main() -> None:
        server, client = seats()
        with network().rule(accept_and_reset(to_port(PORT))):
            accepted, dialled = await joined(server, client)
            await anyio.sleep(1)
        for seat, fd in ((server, accepted), (client, dialled)):
            with fails_with(errno.ECONNRESET):
                await seat.do(posix.recv, fd, 9)

    run(main)


def test_a_connection_that_breaks_after_so_many_bytes_has_delivered_exactly_these(
    run: Run,
) -> None:
    async def main() -> bytes:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        with network().rule(reset_after(from_host("client"), 5000)):
            await client.do(posix.send, dialled, STREAM[:20000])
            got = await server.do(recv_exactly, accepted, 5000)
            with fails_with(errno.ECONNRESET):
                await server.do(posix.recv, accepted, 9)
        return got

    assert run(main) == STREAM[:5000]


def test_an_end_of_file_may_come_late_and_all_before_it_in_time(run: Run) -> None:
    async def main() -> tuple[float, float]:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        with network().rule(slow_close(from_host("client"), 3.0)):
            before = now()
            await client.do(posix.send, dialled, b"data")
            await client.call(posix.close, dialled)
            await server.do(recv_exactly, accepted, 4)
            came = now() - before
            assert await server.do(posix.recv, accepted, 9) == b""
        return round(came, 9), round(now() - before, 9)

    assert run(main) == (0.001, 3.001)


def test_one_lost_packet_is_sent_again_and_no_more_than_that(run: Run) -> None:
    packets = Packets()

    async def main() -> tuple[bytes, int]:
        server, client = seats()
        accepted, dialled = await joined(server, client)
        packets.all.clear()
        with network().rule(drop(carries(b"needle") & nth(1))):
            await client.do(posix.send, dialled, b"a needle")
            got = await server.do(recv_exactly, accepted, 8)
        await anyio.sleep(10)
        return got, len(packets.sent("client"))

    assert run(main, observers=[packets]) == (b"a needle", 2)


@pytest.mark.parametrize("letters", [SYN, FIN], ids=["SYN", "FIN"])
def test_a_lost_syn_or_fin_delays_a_conversation_and_changes_nothing_of_it(
    run: Run, letters: int
) -> None:
    async def main() -> bytes:
        server, client = seats()
        with network().rule(drop(protocol("tcp") & flags(letters) & nth(1))):
            return await talk(server, client, b"hello")

    assert run(main) == b"hello"


# -- the books


def test_at_every_moment_each_link_has_sent_what_arrived_was_dropped_or_is_in_flight(
    run: Run,
) -> None:
    wrong: list[str] = []
    looked = 0

    async def main() -> bytes:
        sim = asyncipc.current_simulation()

        def look(event: Event) -> None:
            nonlocal looked
            looked += 1
            try:
                sim.network.check_conservation()
            except AssertionError as error:
                wrong.append(f"at {event}: {error}")

        sim.subscribe(look)
        server, client = seats()
        network().links(loss=0.05, duplicate=0.1, reorder=0.1, corrupt=0.05)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(trouble)
            return await talk(server, client)

    async def trouble() -> None:
        net = network()
        for how in ("drop", "hold"):
            for in_flight in (False, True):
                with net.partition("client", "server", how=how, in_flight=in_flight):
                    await anyio.sleep(0.3)
                await anyio.sleep(0.05)

    for seed in range(5):
        assert run(main, seed=seed) == STREAM
    assert wrong == []
    assert looked > 1000


def keep_alive(fd: int) -> None:
    """Ask a silent peer after 60 seconds, and give it up 20 later."""
    posix.setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, 1)
    for option, value in ((TCP_KEEPIDLE, 60), (TCP_KEEPINTVL, 10), (TCP_KEEPCNT, 2)):
        posix.setsockopt(fd, IPPROTO_TCP, option, value)


async def hostile(seed: int) -> tuple[bytes, str]:
    """A conversation through cuts of all kinds; what was read, and how it ended."""
    die = asyncipc.current_simulation().dice("the test's")
    server, client = seats()
    network().links(bandwidth=2_000_000, loss=0.02)
    accepted, dialled = await joined(server, client)
    await server.call(keep_alive, accepted)  # a RST may get lost, too
    got: list[bytes] = []
    ends: list[str] = []

    async def read() -> None:
        try:
            while part := await server.do(posix.recv, accepted, 5000):
                got.append(part)
            ends.append("end of file")
        except OSError as error:
            ends.append(errno.errorcode[error.errno or 0])

    async def write() -> None:
        try:
            await client.do(send_all, dialled, STREAM)
            await client.call(posix.shutdown, dialled, 1)
        except OSError:
            await client.call(posix.close, dialled)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        tasks.start_soon(write)
        for _ in range(die.randrange(1, 5)):
            await anyio.sleep(die.random() * 0.2)
            how = die.choice(["drop", "hold", "drop", "hold", "reset"])
            both = die.random() < 0.5
            make = network().partition if both else network().cut
            with make("client", "server", how=how, in_flight=die.random() < 0.5):
                await anyio.sleep(die.random())
    network().check_conservation()
    return b"".join(got), ends[0]


def test_a_cut_may_stall_or_reset_a_stream_and_never_takes_bytes_out_of_it(
    backend: str, examples: int
) -> None:
    ends: dict[str, int] = {}
    for seed in range(examples):
        got, end = asyncipc.run(hostile, seed, seed=seed, backend=backend)  # type: ignore[arg-type]
        assert STREAM.startswith(got), f"seed {seed}"
        assert end != "end of file" or got == STREAM, f"seed {seed}"
        ends[end] = ends.get(end, 0) + 1
    assert examples < 60 or {"end of file", "ECONNRESET"} <= set(ends), ends
