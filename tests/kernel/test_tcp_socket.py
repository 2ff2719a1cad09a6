"""One end of a TCP connection, from SYN to TIME-WAIT, over the direct transport."""

from __future__ import annotations

import errno

import pytest

from asyncipc.errors import BrokenPipeSignal
from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.openfile import O_NONBLOCK
from asyncipc.kernel.readiness import ERR, HUP, IN, OUT, PRI, RDHUP
from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.sockets.options import SO_LINGER, SO_RCVBUF, SO_SNDBUF, SOL_SOCKET
from asyncipc.kernel.sockets.socket import MSG_DONTWAIT, MSG_MORE, MSG_OOB, MSG_PEEK, MSG_WAITALL
from asyncipc.kernel.tcp.options import TCP_CORK, TCP_DEFER_ACCEPT, TCP_LINGER2, TCP_SYNCNT
from asyncipc.kernel.tcp.socket import WHOLE_MAX, TcpSocket
from asyncipc.kernel.tcp.states import State
from asyncipc.kernel.waitqueue import WouldBlock
from tests.kernel.helpers import failure, refused, sleep_in
from tests.kernel.tcp import Host, state

SEEN = IN | PRI | OUT | ERR | HUP | RDHUP


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def pair(host: Host) -> tuple[TcpSocket, TcpSocket]:
    return host.pair()


def hanging(host: Host) -> tuple[TcpSocket, TcpSocket]:
    """A listener whose backlog is full, and a client that it does not answer."""
    listener = host.listener(0)
    host.connected(listener.getsockname())
    client = host.socket()
    assert refused(client.connect, host.process, listener.getsockname())
    return listener, client


def shut_room(a: TcpSocket, b: TcpSocket) -> int:
    """Write from a to b until there is no room; how many bytes that took."""
    total = 0
    while not isinstance(moved := a.write(b"f" * WHOLE_MAX), WouldBlock):
        total += moved
    return total


class TestHandshake:
    def test_syn_is_sent_again_each_second_and_gets_in_when_there_is_room(self, host: Host) -> None:
        listener, client = hanging(host)
        host.accepted(listener)
        host.clock.wait(0.9)
        assert state(client) == State.SYN_SENT
        host.clock.wait(0.1)
        assert state(client) == State.ESTABLISHED
        assert not host.clock.armed

    def test_handshake_is_given_up_after_131_seconds(self, host: Host) -> None:
        _, client = hanging(host)
        host.clock.wait(130.9)
        assert state(client) == State.SYN_SENT
        host.clock.wait(0.1)
        assert failure(client.connect, host.process, InetAddress("127.0.0.1", 9)) == "ETIMEDOUT"

    def test_syncnt_gives_up_earlier(self, host: Host) -> None:
        listener = host.listener(0)
        host.connected(listener.getsockname())
        client = host.socket()
        client.setsockopt(IPPROTO_TCP, TCP_SYNCNT, 1)
        assert refused(client.connect, host.process, listener.getsockname())
        host.clock.wait(5.9)
        assert state(client) == State.SYN_SENT
        host.clock.wait(1.1)
        assert client.take_error() == errno.ETIMEDOUT

    def test_listener_that_is_gone_refuses_the_next_syn(self, host: Host) -> None:
        listener, client = hanging(host)
        listener.drop()
        assert client.poll() == 0
        host.clock.wait(1)
        assert client.take_error() == errno.ECONNREFUSED

    def test_closing_a_hanging_client_leaves_no_timer_behind(self, host: Host) -> None:
        _, client = hanging(host)
        client.drop()
        assert not host.clock.armed

    def test_first_refusal_says_in_progress_and_later_ones_already(self, host: Host) -> None:
        listener = host.listener(0)
        address = listener.getsockname()
        host.connected(address)
        client = host.socket()
        first = client.connect(host.process, address)
        second = client.connect(host.process, address)
        assert isinstance(first, WouldBlock)
        assert isinstance(second, WouldBlock)
        assert (first.error, second.error) == (errno.EINPROGRESS, errno.EALREADY)

    def test_nonblocking_connect_is_in_progress_though_it_is_over(self, host: Host) -> None:
        listener = host.listener()
        address = listener.getsockname()
        client = host.socket()
        client.flags |= O_NONBLOCK
        assert failure(client.connect, host.process, address) == "EINPROGRESS"
        assert client.poll() & SEEN == OUT
        assert client.connect(host.process, address) is None
        assert failure(client.connect, host.process, address) == "EISCONN"

    def test_sleeper_in_connect_wakes_when_the_connection_stands(self, host: Host) -> None:
        listener = host.listener(0)
        address = listener.getsockname()
        host.connected(address)
        client = host.socket()
        sleeper, _ = sleep_in(client.connect, host.process, address)
        host.accepted(listener)
        host.clock.wait(1)
        assert sleeper.wakes == 1

    def test_deferred_connection_is_accepted_when_data_comes(self, host: Host) -> None:
        listener = host.listener()
        listener.setsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT, 3)
        client = host.connected(listener.getsockname())
        sleeper, _ = sleep_in(listener.accept)
        client.send(b"x", 0)
        assert sleeper.wakes == 1
        assert len(host.clock.armed) == 0

    def test_deferred_connection_is_accepted_when_its_time_is_over(self, host: Host) -> None:
        listener = host.listener()
        listener.setsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT, 3)
        host.connected(listener.getsockname())
        host.clock.wait(2.9)
        assert refused(listener.accept)
        host.clock.wait(0.1)
        host.accepted(listener)

    def test_dissolved_listener_resets_who_waits_there(self, host: Host) -> None:
        listener = host.listener()
        client = host.connected(listener.getsockname())
        sleeper, _ = sleep_in(host.listener().accept)
        listener.shutdown(0)
        assert failure(client.recv, 1, 0) == "ECONNRESET"
        assert failure(listener.accept) == "EINVAL"
        assert sleeper.wakes == 0


class TestStates:
    def test_each_close_walks_its_side_of_the_diagram(
        self, pair: tuple[TcpSocket, TcpSocket]
    ) -> None:
        client, server = pair
        assert (state(client), state(server)) == (State.ESTABLISHED, State.ESTABLISHED)
        client.shutdown(1)
        assert (state(client), state(server)) == (State.FIN_WAIT2, State.CLOSE_WAIT)
        server.shutdown(1)
        assert (state(client), state(server)) == (State.CLOSE, State.CLOSE)

    def test_data_after_close_draws_one_reset_then_sigpipe(
        self, pair: tuple[TcpSocket, TcpSocket]
    ) -> None:
        client, server = pair
        client.drop()
        assert server.send(b"x", 0) == 1
        assert server.poll() & SEEN == IN | OUT | ERR | HUP | RDHUP
        with pytest.raises(BrokenPipeSignal):
            server.send(b"x", 0)
        assert server.error == 0
        assert server.recv(1, 0) == b""

    def test_close_with_unread_data_resets(self, pair: tuple[TcpSocket, TcpSocket]) -> None:
        client, server = pair
        client.send(b"mine", 0)
        server.send(b"unread", 0)
        client.drop()
        assert server.recv(9, 0) == b"mine"
        assert failure(server.recv, 9, 0) == "ECONNRESET"
        assert server.recv(9, 0) == b""

    def test_linger_0_resets(self, pair: tuple[TcpSocket, TcpSocket]) -> None:
        client, server = pair
        client.setsockopt(SOL_SOCKET, SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.drop()
        assert failure(server.send, b"x", 0) == "ECONNRESET"

    def test_negative_linger2_does_not_wait_for_the_peer(
        self, pair: tuple[TcpSocket, TcpSocket]
    ) -> None:
        client, server = pair
        client.setsockopt(IPPROTO_TCP, TCP_LINGER2, -1)
        client.drop()
        assert server.take_error() == errno.EPIPE

    def test_hang_up_reaches_every_sleeper(self, pair: tuple[TcpSocket, TcpSocket]) -> None:
        client, server = pair
        first, refusal = sleep_in(server.recv, 1, 0)
        second, _ = sleep_in(server.recv, 1, 0)
        client.drop()
        assert first.wakes == 1
        refusal.line.leave(first)
        assert second.wakes == 1

    def test_nothing_of_a_finished_pair_stays_in_the_ports(self, host: Host) -> None:
        client, server = host.pair()
        client.drop()
        server.drop()
        host.clock.wait(60)
        host.bound().drop()
        ports = host.kernel.inet.tcp
        assert (ports._ports, ports._waiting, ports._orphans) == ({}, {}, {})


class TestData:
    def test_room_is_the_buffers_of_both_ends(self, host: Host) -> None:
        listener = host.listener()
        listener.setsockopt(SOL_SOCKET, SO_RCVBUF, 10_000)
        client = host.socket()
        client.setsockopt(SOL_SOCKET, SO_SNDBUF, 20_000)
        client.connect(host.process, listener.getsockname())
        assert client.write(b"x" * 100_000) == 60_000
        assert refused(client.write, b"x")
        assert client.unsent() == 40_000

    def test_sleeping_writer_wakes_when_a_third_is_free(
        self, pair: tuple[TcpSocket, TcpSocket]
    ) -> None:
        client, server = pair
        total = shut_room(client, server)
        sleeper, _ = sleep_in(client.write, b"x")
        assert client.poll() & OUT == 0
        server.read(total // 4)
        assert sleeper.wakes == 0
        server.read(total // 8)
        assert sleeper.wakes == 1
        assert client.poll() & OUT

    def test_peer_that_reads_no_more_is_probed_when_it_has_made_room(
        self, host: Host, pair: tuple[TcpSocket, TcpSocket]
    ) -> None:
        client, server = pair
        total = shut_room(client, server)
        sleeper, refusal = sleep_in(client.write, b"x")
        server.shutdown(2)
        refusal.line.try_again(sleeper)
        assert refused(client.write, b"x")
        refusal.line.refused(sleeper)
        server.read(total)
        host.clock.wait(0.1)
        assert sleeper.wakes == 1
        host.clock.wait(0.1)
        assert sleeper.wakes == 2
        refusal.line.try_again(sleeper)
        assert client.write(b"x") == 1
        assert client.take_error() == errno.EPIPE

    def test_peek_of_everything_waits_but_not_for_who_does_not(
        self, pair: tuple[TcpSocket, TcpSocket]
    ) -> None:
        client, server = pair
        client.write(b"abc")
        assert refused(server.recv, 6, MSG_PEEK | MSG_WAITALL)
        assert server.recv(6, MSG_PEEK | MSG_WAITALL | MSG_DONTWAIT) == b"abc"
        client.write(b"def")
        assert server.recv(6, MSG_PEEK | MSG_WAITALL) == b"abcdef"

    def test_corked_data_goes_after_200_ms(
        self, host: Host, pair: tuple[TcpSocket, TcpSocket]
    ) -> None:
        client, server = pair
        assert client.send(b"abc", MSG_MORE) == 3
        assert (server.unread(), client.unsent()) == (0, 3)
        host.clock.wait(0.2)
        assert server.recv(9, 0) == b"abc"
        assert client.send(b"plain again", 0) == 11
        assert server.unread() == 11

    def test_two_corks_that_push_each_other_send_each_byte_once(
        self, pair: tuple[TcpSocket, TcpSocket]
    ) -> None:
        client, server = pair
        client.send(b"abc", MSG_MORE)
        server.send(b"xyz", MSG_MORE)
        client.send(b"d", 0)
        assert server.recv(10, 0) == b"abcd"
        assert client.recv(10, 0) == b"xyz"
        assert refused(server.recv, 10, 0)
        assert refused(client.recv, 10, 0)

    def test_cork_lets_whole_segments_go(self, pair: tuple[TcpSocket, TcpSocket]) -> None:
        client, server = pair
        client.setsockopt(IPPROTO_TCP, TCP_CORK, 1)
        client.write(b"x" * 70_000)
        assert server.unread() == 2 * 32741
        client.setsockopt(IPPROTO_TCP, TCP_CORK, 0)
        assert server.unread() == 70_000

    def test_close_lets_corked_data_go_even_without_room(
        self, host: Host, pair: tuple[TcpSocket, TcpSocket]
    ) -> None:
        client, server = pair
        client.send(b"last", MSG_MORE)
        total = 0
        while not isinstance(moved := client.send(b"f" * 30_000, MSG_MORE), WouldBlock):
            total += moved
        client.drop()
        assert server.unread() == total + 4
        assert not host.clock.armed

    def test_bounded_though_corked(self, pair: tuple[TcpSocket, TcpSocket]) -> None:
        client, _ = pair
        moved = client.send(b"x" * 50_000_000, MSG_MORE)
        assert isinstance(moved, int)
        assert moved < 5_000_000

    def test_urgent_byte_is_read_out_of_band_once_and_skipped_in_the_stream(
        self, pair: tuple[TcpSocket, TcpSocket]
    ) -> None:
        client, server = pair
        client.send(b"ab", MSG_OOB)
        client.send(b"cd", 0)
        assert server.poll() & SEEN == IN | PRI | OUT
        assert server.recv(9, 0) == b"a"
        assert server.at_mark()
        assert server.recv(1, MSG_OOB) == b"b"
        assert failure(server.recv, 1, MSG_OOB) == "EINVAL"
        assert server.recv(9, 0) == b"cd"

    def test_wire_sees_every_transfer(self, host: Host, pair: tuple[TcpSocket, TcpSocket]) -> None:
        client, server = pair
        seen: list[tuple[object, object, int]] = []
        host.kernel.wire = lambda source, target, size: seen.append((source, target, size))
        client.write(b"abc")
        server.write(b"de")
        assert seen == [(client, server, 3), (server, client, 2)]

    def test_blocked_end_names_its_peer_and_a_client_its_listener(
        self, host: Host, pair: tuple[TcpSocket, TcpSocket]
    ) -> None:
        client, server = pair
        assert client.wakers(IN) == (server,)
        listener, waiting = hanging(host)
        assert waiting.wakers(OUT) == (listener,)

    def test_socket_connected_to_itself_echoes(self, host: Host) -> None:
        socket = host.bound()
        socket.connect(host.process, socket.getsockname())
        socket.write(b"echo")
        assert socket.read(9) == b"echo"
        socket.drop()
        assert state(socket) == State.CLOSE
