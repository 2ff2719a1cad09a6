"""Connections between two hosts: how they begin, who answers when nobody does, what stays."""

from __future__ import annotations

import errno

import pytest

from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.readiness import ERR, HUP, OUT
from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.sockets.options import SO_ERROR, SO_REUSEADDR, SOL_SOCKET
from asyncipc.kernel.sockets.socket import SHUT_RD
from asyncipc.kernel.tcp.options import TCP_CORK, TCP_MAXSEG, TCP_SYNCNT
from asyncipc.kernel.tcp.ports import EPHEMERAL_HIGH, EPHEMERAL_LOW
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.kernel.tcp.states import State
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.network.links.conditions import Conditions
from asyncipc.network.packet import Packet
from asyncipc.network.tcp.segment import Segment
from asyncipc.statistics import SocketStatistics
from tests.kernel.helpers import failure, refused, sleep_in
from tests.network.lab import SECOND, Host, Lab
from tests.network.tcp.stranger import Stranger, letters

SERVER = InetAddress("10.0.0.2", 80)
ROUND_TRIP = 0.002


class Silence:
    """A station that hears everything and answers nothing."""

    name = "silence"

    def __init__(self, lab: Lab, address: str) -> None:
        self.lab = lab
        self.times: list[float] = []
        lab.fabric.attach(self, address)

    def input(self, packet: Packet) -> None:
        assert isinstance(packet.body, Segment)
        self.times.append(self.lab.now_ns / SECOND)


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def client(lab: Lab) -> Host:
    return lab.host("client", "10.0.0.1")


@pytest.fixture
def server(lab: Lab) -> Host:
    return lab.host("server", "10.0.0.2")


def connecting(client: Host, address: InetAddress = SERVER, *, source: int = 0) -> TcpSocket:
    """A client whose SYN is on its way."""
    socket = client.tcp()
    if source:
        socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        socket.bind(client.process, InetAddress("0.0.0.0", source))
    assert isinstance(socket.connect(client.process, address), WouldBlock)
    return socket


def connected(lab: Lab, client: Host, *, source: int = 0) -> TcpSocket:
    socket = connecting(client, source=source)
    lab.run(lab.now_ns / SECOND + 0.01)
    assert socket.connect(client.process, SERVER) is None
    return socket


def accepted(listener: TcpSocket) -> TcpSocket:
    found = listener.accept()
    assert isinstance(found, tuple)
    socket = found[0]
    assert isinstance(socket, TcpSocket)
    socket.hold()
    return socket


def pair(lab: Lab, client: Host, listener: TcpSocket) -> tuple[TcpSocket, TcpSocket]:
    return connected(lab, client), accepted(listener)


def states(host: Host) -> list[str]:
    found = host.kernel.statistics().files
    return [each.state for each in found if isinstance(each, SocketStatistics)]


def is_clean(host: Host) -> bool:
    """Does nothing of any connection stay?"""
    ports = host.kernel.inet.tcp
    return not (ports.tenants(host.kernel.timers.now()) or len(host.stack.tcp))


class TestConnecting:
    def test_takes_one_round_trip(self, lab: Lab, client: Host, server: Host) -> None:
        listener = server.listener(80)
        socket = connecting(client)
        sleeper, _ = sleep_in(socket.connect, client.process, SERVER)
        lab.run(0.0019)
        assert not sleeper.wakes
        lab.run(ROUND_TRIP)
        assert sleeper.wakes == 1
        assert socket.getpeername() == SERVER
        assert refused(listener.accept)
        lab.run(0.003)
        assert accepted(listener).getpeername() == socket.getsockname()

    def test_is_refused_after_one_round_trip_where_nobody_listens(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        socket = connecting(client)
        lab.run(0.0019)
        assert refused(socket.connect, client.process, SERVER)
        lab.run(ROUND_TRIP)
        assert failure(socket.connect, client.process, SERVER) == "ECONNREFUSED"
        assert lab.heap.next_due() is None
        assert is_clean(client)

    def test_without_blocking_is_in_progress_then_writable_or_in_error(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        server.listener(80)
        good, bad = client.tcp(nonblocking=True), client.tcp(nonblocking=True)
        assert good.connect(client.process, SERVER)  # the face makes EINPROGRESS of it
        assert bad.connect(client.process, InetAddress("10.0.0.2", 81))
        assert good.poll() == bad.poll() == 0
        lab.run(ROUND_TRIP)
        assert good.poll() & (OUT | ERR | HUP) == OUT
        assert bad.poll() & (ERR | HUP) == ERR | HUP
        assert good.getsockopt(SOL_SOCKET, SO_ERROR) == 0
        assert bad.getsockopt(SOL_SOCKET, SO_ERROR) == errno.ECONNREFUSED

    def test_to_a_host_that_is_down_is_given_up_after_131_seconds(
        self, lab: Lab, client: Host
    ) -> None:
        silence = Silence(lab, "10.0.0.2")
        lab.fabric.conditions = Conditions(latency_ns=0)
        socket = connecting(client)
        lab.run(130.9)
        assert silence.times == [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67]
        assert refused(socket.connect, client.process, SERVER)
        lab.run(131)
        assert failure(socket.connect, client.process, SERVER) == "ETIMEDOUT"
        assert lab.heap.next_due() is None
        assert is_clean(client)

    def test_syncnt_gives_up_earlier(self, lab: Lab, client: Host) -> None:
        Silence(lab, "10.0.0.2")
        socket = client.tcp()
        socket.setsockopt(IPPROTO_TCP, TCP_SYNCNT, 1)
        socket.connect(client.process, SERVER)
        lab.run()
        assert lab.now_ns == 7 * SECOND
        assert socket.take_error() == errno.ETIMEDOUT

    def test_to_a_full_backlog_gets_in_with_a_later_syn(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        listener = server.listener(80, 0)
        connected(lab, client)
        socket = connecting(client)
        lab.run(0.5)
        accepted(listener)
        lab.run(0.999)
        assert socket.state == State.SYN_SENT
        lab.run(1.02)
        assert socket.state == State.ESTABLISHED
        assert accepted(listener).getpeername() == socket.getsockname()

    def test_into_a_flood_gets_in_when_the_flood_is_forgotten(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        listener = server.listener(80, 8)
        flood = Stranger(lab, "flood", "10.0.0.9", "10.0.0.2", 80)
        for port in range(50):
            flood.send("S", port=5000 + port)
        socket = connecting(client)
        lab.run(6.9)
        assert (socket.state, len(server.stack.tcp)) == (State.SYN_SENT, 9)
        lab.run(7.1)
        assert socket.state == State.ESTABLISHED
        assert accepted(listener).getpeername() == socket.getsockname()

    def test_that_was_given_up_while_its_syn_was_held_is_never_accepted(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        listener = server.listener(80)
        lab.fabric.link("client", "server").conditions = Conditions(latency_ns=SECOND // 2)
        socket = connecting(client)
        lab.run(0.1)
        socket.drop()
        lab.run()
        assert refused(listener.accept)
        assert states(server) == []
        assert is_clean(client)
        assert len(server.stack.tcp) == 0

    def test_that_is_held_up_holds_nobody_else_up(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        listener = server.listener(80)
        lab.fabric.link("client", "server").conditions = Conditions(latency_ns=30 * SECOND)
        connecting(client)
        other = lab.host("other", "10.0.0.3")
        near = connected(lab, other)
        assert accepted(listener).getpeername() == near.getsockname()

    def test_dissolved_mid_handshake_leaves_nothing_at_either_end(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        listener = server.listener(80)
        socket = connecting(client)
        lab.run(0.0015)
        socket.connect(client.process, None)
        lab.run()
        assert refused(listener.accept)
        assert is_clean(client)
        assert len(server.stack.tcp) == 0

    def test_icmp_ends_a_handshake_with_its_errno(self, lab: Lab, client: Host) -> None:
        Silence(lab, "10.0.0.2")
        socket = connecting(client)
        client.stack.tcp.unreachable(socket.local, SERVER, errno.EHOSTUNREACH, hard=False)
        assert failure(socket.connect, client.process, SERVER) == "EHOSTUNREACH"
        lab.run()
        assert lab.now_ns < SECOND

    def test_icmp_does_not_end_a_connection(self, lab: Lab, client: Host, server: Host) -> None:
        listener = server.listener(80)
        near, far = pair(lab, client, listener)
        client.stack.tcp.unreachable(near.local, SERVER, errno.EHOSTUNREACH, hard=True)
        assert near.write(b"still here") == 10
        lab.run(lab.now_ns / SECOND + 0.01)
        assert far.recv(100, 0) == b"still here"
        assert near.getsockopt(SOL_SOCKET, SO_ERROR) == 0

    def test_a_lost_connection_tells_what_icmp_said_last(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        listener = server.listener(80)
        near, _ = pair(lab, client, listener)
        server.stack.detach("10.0.0.2")
        Silence(lab, "10.0.0.2")
        near.write(b"lost")
        client.stack.tcp.unreachable(near.local, SERVER, errno.EHOSTUNREACH, hard=True)
        lab.run()
        assert near.take_error() == errno.EHOSTUNREACH

    def test_to_an_address_that_nobody_has_fails_when_it_cannot_be_resolved(
        self, lab: Lab, client: Host
    ) -> None:
        socket = connecting(client)
        lab.run()
        assert failure(socket.connect, client.process, SERVER) == "EHOSTUNREACH"
        assert lab.now_ns == pytest.approx(3 * SECOND, rel=0.1)
        assert is_clean(client)

    def test_a_narrow_link_makes_both_ends_offer_smaller_segments(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        for names in (("client", "server"), ("server", "client")):
            lab.fabric.link(*names).conditions = Conditions(mtu=1000)
        near, far = pair(lab, client, server.listener(80))
        assert near.write(b"x" * 5000) == 5000
        lab.run(lab.now_ns / SECOND + 0.5)
        assert len(far.recv(9999, 0)) == 5000  # type: ignore[arg-type]
        assert near.getsockopt(IPPROTO_TCP, TCP_MAXSEG) == 1000 - 52

    def test_icmp_about_nobody_is_ignored(self, client: Host) -> None:
        names = InetAddress("10.0.0.1", 4000), SERVER
        client.stack.tcp.unreachable(*names, errno.EHOSTUNREACH, hard=True)


class TestReboot:
    def restart(self, lab: Lab, host: Host) -> Host:
        """Power off, and on again: another kernel at the same address."""
        host.stack.tcp.power_off()
        host.stack.detach(host.address)
        return lab.host(host.stack.name, host.address)

    def test_stale_segments_get_a_reset(self, lab: Lab, client: Host, server: Host) -> None:
        near, _ = pair(lab, client, server.listener(80))
        again = self.restart(lab, server)
        again.listener(80)
        assert near.write(b"hello?") == 6
        lab.run(lab.now_ns / SECOND + 0.01)
        assert failure(near.recv, 100, 0) == "ECONNRESET"

    def test_who_says_nothing_notices_nothing(self, lab: Lab, client: Host, server: Host) -> None:
        near, _ = pair(lab, client, server.listener(80))
        self.restart(lab, server)
        lab.run(3600)
        assert near.state == State.ESTABLISHED

    def test_the_names_of_a_half_open_connection_can_be_used_again(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        listener = server.listener(80)
        connected(lab, client, source=4000)
        stale = accepted(listener)
        again = self.restart(lab, client)
        socket = connecting(again, source=4000)
        lab.run(lab.now_ns / SECOND + 3)
        assert socket.state == State.ESTABLISHED
        assert failure(stale.recv, 100, 0) == "ECONNRESET"
        assert accepted(listener).getpeername() == InetAddress("10.0.0.1", 4000)

    def test_power_off_forgets_every_timer_and_says_no_word(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        near, far = pair(lab, client, server.listener(80))
        near.write(b"x" * 100_000)
        far.setsockopt(IPPROTO_TCP, TCP_CORK, 1)
        far.write(b"held")
        sent = lab.fabric.statistics("server", "client").sent
        for host in (client, server):
            host.stack.tcp.power_off()
            host.stack.detach(host.address)
        near.drop()
        far.drop()
        lab.run()
        assert lab.now_ns < SECOND // 10
        assert lab.fabric.statistics("server", "client").sent == sent


class TestWhatStays:
    def test_who_closes_first_waits_a_minute_and_the_other_is_free(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        listener = server.listener(80)
        near, far = pair(lab, client, listener)
        near.drop()
        lab.run(lab.now_ns / SECOND + 0.01)
        far.drop()
        lab.run(lab.now_ns / SECOND + 0.1)
        assert states(client) == ["TIME-WAIT"]
        assert states(server) == []
        lab.run(lab.now_ns / SECOND + 60)
        assert is_clean(client)
        assert not client.stack.tcp._left

    def test_thousands_of_connections_leave_no_port_and_no_entry(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        listener = server.listener(80)
        for turn in range(1000):
            near, far = pair(lab, client, listener)
            first, second = (near, far) if turn % 2 else (far, near)
            first.drop()
            lab.run(lab.now_ns / SECOND + 0.01)
            second.drop()
            lab.run(lab.now_ns / SECOND + 0.01)
        listener.drop()
        lab.run()
        lab.run(lab.now_ns / SECOND + 60)
        for host in (client, server):
            assert is_clean(host)
            assert not host.stack.tcp._left

    def test_an_orphan_is_seen_until_its_peer_has_closed(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        near, far = pair(lab, client, server.listener(80))
        near.drop()
        assert states(client) == ["FIN-WAIT-1"]
        lab.run(lab.now_ns / SECOND + 0.1)
        assert states(client) == ["FIN-WAIT-2"]
        far.drop()
        lab.run(lab.now_ns / SECOND + 0.1)
        assert states(client) == ["TIME-WAIT"]

    def test_an_orphan_whose_peer_does_not_close_is_forgotten_after_a_minute(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        near, far = pair(lab, client, server.listener(80))
        near.drop()
        lab.run(lab.now_ns / SECOND + 61)
        assert far.write(b"late") == 4
        lab.run(lab.now_ns / SECOND + 0.1)
        assert is_clean(client)
        assert failure(far.write, b"later") == "EPIPE"

    def test_a_fin_that_comes_after_that_minute_is_nobodys(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        near, far = pair(lab, client, server.listener(80))
        near.drop()
        lab.run(lab.now_ns / SECOND + 61)
        far.drop()
        lab.run(lab.now_ns / SECOND + 0.1)
        assert states(client) == []
        assert len(server.stack.tcp) == 0

    def test_the_bound_may_use_its_names_again_at_once(
        self, lab: Lab, client: Host, server: Host
    ) -> None:
        listener = server.listener(80)
        near = connected(lab, client, source=4000)
        far = accepted(listener)
        near.drop()
        lab.run(lab.now_ns / SECOND + 0.01)
        far.drop()
        lab.run(lab.now_ns / SECOND + 0.01)
        assert states(client) == ["TIME-WAIT"]
        connected(lab, client, source=4000)
        assert accepted(listener).getpeername() == InetAddress("10.0.0.1", 4000)

    def test_a_port_that_was_given_is_not_given_again_while_it_waits(
        self, lab: Lab, client: Host, server: Host, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        low = range(EPHEMERAL_LOW, EPHEMERAL_LOW + 4)
        ports = type(client.kernel.inet.tcp)
        monkeypatch.setattr(ports, "_candidates", lambda self, *, odd: iter(low))
        assert EPHEMERAL_LOW + 4 < EPHEMERAL_HIGH
        listener = server.listener(80)
        for _ in low:
            near, far = pair(lab, client, listener)
            near.drop()
            lab.run(lab.now_ns / SECOND + 0.01)
            far.drop()
            lab.run(lab.now_ns / SECOND + 0.01)
        assert failure(client.tcp().connect, client.process, SERVER) == "EADDRNOTAVAIL"
        lab.run(lab.now_ns / SECOND + 60)
        connected(lab, client)


class TestWhatIsSeen:
    def test_both_ends_with_their_states(self, lab: Lab, client: Host, server: Host) -> None:
        listener = server.listener(80)
        socket = connecting(client)
        client.process.table.open(socket, cloexec=False)
        server.process.table.open(listener, cloexec=False)
        assert states(client) == ["SYN-SENT"]
        lab.run(0.0015)
        assert states(server) == ["LISTEN", "SYN-RECV"]
        lab.run(0.01)
        assert (states(client), states(server)) == (["ESTAB"], ["LISTEN", "ESTAB"])
        socket.shutdown(SHUT_RD)
        assert states(client) == ["ESTAB"]

    def test_a_blocked_end_names_its_peer(self, lab: Lab, client: Host, server: Host) -> None:
        near, _ = pair(lab, client, server.listener(80))
        _, refusal = sleep_in(near.recv, 10, 0)
        (waker,) = near.wakers(refusal.mask)
        described = getattr(waker, "describe")()  # noqa: B009
        assert described == "10.0.0.2:80 on the network"


def test_the_same_seed_gives_the_same_numbers_and_another_gives_others() -> None:
    def numbers(seed: int) -> list[tuple[str, int]]:
        lab = Lab(seed)
        client, server = lab.host("client", "10.0.0.1"), lab.host("server", "10.0.0.2")
        seen: list[tuple[str, int]] = []

        def tap(packet: Packet, source: str, target: str, fate: str) -> None:
            if fate == "arrived" and isinstance(packet.body, Segment):
                seen.append((letters(packet.body.flags), packet.body.sequence))

        lab.fabric.tap = tap
        pair(lab, client, server.listener(80))
        return seen

    first = numbers(1)
    assert [flags for flags, _ in first] == ["S", "S.", "."]
    assert first == numbers(1)
    assert first != numbers(2)
