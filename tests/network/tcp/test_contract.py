"""What a program sees of TCP is the same on one host and between two.

Each case is run over both forms of the transport, with one expectation; the one
difference that a program may see is time.  The letters and numbers are those of
the project's list of behaviours.

Not here, because they have no second host: T09 and T28 (who may bind what), T20 (a socket
connected to itself), T21 (automatic ports), T22 (0.0.0.0 as a destination is oneself), T30
(UDP has ports of its own).  Not the transport's, but of who waits: T23 and T35's descriptors
that are closed elsewhere, MSG_WAITALL of T31, the long writes of T33.
"""

from __future__ import annotations

import errno

import pytest

from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.readiness import ERR, HUP, IN, OUT, PRI, RDHUP
from asyncipc.kernel.sockets.address import Inet6Address, InetAddress
from asyncipc.kernel.sockets.options import (
    SO_ERROR,
    SO_LINGER,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SOL_SOCKET,
)
from asyncipc.kernel.sockets.socket import (
    AF_INET6,
    MSG_NOSIGNAL,
    MSG_OOB,
    MSG_PEEK,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
)
from asyncipc.kernel.tcp.options import TCP_CORK, TCP_DEFER_ACCEPT, TCP_LINGER2, TCP_SYNCNT
from asyncipc.kernel.tcp.states import State
from tests.kernel.helpers import failure, refused, sleep_in
from tests.network.tcp.pair import Pair, accepted, state

SEEN = IN | PRI | OUT | ERR | HUP | RDHUP
LINGER_0 = (1).to_bytes(4, "little") + bytes(4)


@pytest.fixture(params=[False, True], ids=["one host", "two hosts"])
def pair(request: pytest.FixtureRequest) -> Pair:
    return Pair(apart=request.param)


class TestConnecting:
    def test_t01_nobody_listens_refused(self, pair: Pair) -> None:
        assert pair.connect(pair.socket(pair.client)) == "ECONNREFUSED"

    def test_t01_the_socket_can_connect_after_a_refusal(self, pair: Pair) -> None:
        socket = pair.socket(pair.client)
        assert pair.connect(socket) == "ECONNREFUSED"
        pair.listener()
        assert pair.connect(socket) == "connected"

    def test_t12_a_backlog_of_one_lets_two_in(self, pair: Pair) -> None:
        pair.listener(1)
        sockets = [pair.socket(pair.client) for _ in range(3)]
        assert [pair.connect(each) for each in sockets] == ["connected", "connected", "hangs"]
        assert [state(each) for each in sockets] == [State.ESTABLISHED] * 2 + [State.SYN_SENT]

    def test_who_met_a_full_backlog_gets_in_after_a_second(self, pair: Pair) -> None:
        listener = pair.listener(0)
        pair.connected()
        late = pair.socket(pair.client)
        assert pair.connect(late) == "hangs"
        accepted(listener)
        pair.settle(1)
        assert pair.connect(late) == "connected"
        assert accepted(listener).getpeername() == late.getsockname()

    def test_who_meets_one_for_too_long_times_out(self, pair: Pair) -> None:
        pair.listener(0)
        pair.connected()
        late = pair.socket(pair.client)
        late.setsockopt(IPPROTO_TCP, TCP_SYNCNT, 1)
        assert pair.connect(late) == "hangs"
        pair.settle(6.4)
        assert state(late) == State.SYN_SENT
        pair.settle(0.2)
        assert pair.connect(late) == "ETIMEDOUT"

    def test_t13_so_error_tells_what_became_of_it_once(self, pair: Pair) -> None:
        socket = pair.socket(pair.client)
        socket.flags |= 0o4000
        failure(socket.connect, pair.client.process, pair.address)
        pair.settle()
        assert socket.poll() & (ERR | HUP) == ERR | HUP
        assert socket.getsockopt(SOL_SOCKET, SO_ERROR) == errno.ECONNREFUSED
        assert socket.getsockopt(SOL_SOCKET, SO_ERROR) == 0

    def test_t13_writable_says_that_it_stands(self, pair: Pair) -> None:
        pair.listener()
        socket = pair.socket(pair.client)
        socket.flags |= 0o4000
        failure(socket.connect, pair.client.process, pair.address)
        pair.settle()
        assert socket.poll() & SEEN == OUT
        assert socket.getsockopt(SOL_SOCKET, SO_ERROR) == 0

    def test_t14_twice_is_eisconn(self, pair: Pair) -> None:
        near, _ = pair.ends()
        assert pair.connect(near) == "EISCONN"

    def test_names_are_each_others(self, pair: Pair) -> None:
        near, far = pair.ends()
        assert near.getsockname() == far.getpeername()
        assert near.getpeername() == far.getsockname() == pair.address

    def test_t29_a_listener_of_both_families_serves_ipv4(self, pair: Pair) -> None:
        listener = pair.socket(pair.server, family=AF_INET6)
        listener.bind(pair.server.process, Inet6Address("::", 80))
        listener.listen(pair.server.process, 8)
        near = pair.connected()
        host, port = near.getsockname()[:2]
        assert accepted(listener).getpeername() == Inet6Address(f"::ffff:{host}", port)

    def test_t29_a_mapped_address_is_an_ipv4_connection(self, pair: Pair) -> None:
        listener = pair.listener()
        near = pair.connected(Inet6Address("::ffff:10.0.0.2", 80), family=AF_INET6)
        assert near.getpeername() == Inet6Address("::ffff:10.0.0.2", 80)
        far = accepted(listener)
        assert far.getsockname() == pair.address
        pair.send(near, b"hello")
        assert far.recv(9, 0) == b"hello"

    def test_ipv6_connects_too(self, pair: Pair) -> None:
        listener = pair.socket(pair.server, family=AF_INET6)
        address = Inet6Address("fd00::2", 80)
        listener.bind(pair.server.process, address)
        listener.listen(pair.server.process, 8)
        near = pair.connected(address, family=AF_INET6)
        pair.send(near, b"hello")
        assert accepted(listener).recv(9, 0) == b"hello"

    def test_t26_reuseport_listeners_share(self, pair: Pair) -> None:
        listeners = [pair.listener(64, SO_REUSEPORT) for _ in range(2)]
        for _ in range(40):
            pair.connected()
        shares = [len(each.listener.backlog) for each in listeners if each.listener is not None]
        assert sum(shares) == 40
        assert min(shares) > 5


class TestAccepting:
    def test_t15_a_client_that_has_gone_is_accepted_with_what_it_said(self, pair: Pair) -> None:
        listener = pair.listener()
        near = pair.connected()
        pair.send(near, b"bye")
        near.drop()
        pair.settle()
        far = accepted(listener)
        assert far.recv(9, 0) == b"bye"
        assert far.recv(9, 0) == b""

    def test_t16_a_client_that_has_reset_is_accepted(self, pair: Pair) -> None:
        listener = pair.listener()
        near = pair.connected()
        near.setsockopt(SOL_SOCKET, SO_LINGER, LINGER_0)
        near.drop()
        pair.settle()
        assert failure(accepted(listener).recv, 9, 0) == "ECONNRESET"

    def test_t36_data_comes_before_accept(self, pair: Pair) -> None:
        listener = pair.listener()
        near = pair.connected()
        pair.send(near, b"early")
        assert accepted(listener).recv(9, 0) == b"early"

    @pytest.mark.parametrize("how", ["close", "shutdown"])
    def test_t11_a_listener_that_ends_resets_who_waits(self, pair: Pair, how: str) -> None:
        listener = pair.listener()
        nears = [pair.connected() for _ in range(2)]
        pair.settle()
        if how == "close":
            listener.drop()
        else:
            listener.shutdown(SHUT_RD)
        pair.settle()
        assert [failure(near.recv, 9, 0) for near in nears] == ["ECONNRESET"] * 2

    def test_t27_a_listener_that_was_shut_accepts_nobody(self, pair: Pair) -> None:
        listener = pair.listener()
        listener.shutdown(SHUT_RD)
        assert failure(listener.accept) == "EINVAL"
        assert pair.connect(pair.socket(pair.client)) == "ECONNREFUSED"

    def test_t23_shutdown_wakes_who_waits_in_accept(self, pair: Pair) -> None:
        listener = pair.listener()
        sleeper, refusal = sleep_in(listener.accept)
        listener.shutdown(SHUT_RD)
        assert sleeper.wakes == 1
        refusal.line.leave(sleeper)
        assert failure(listener.accept) == "EINVAL"

    def test_a_connection_wakes_who_waits_in_accept(self, pair: Pair) -> None:
        listener = pair.listener()
        sleeper, refusal = sleep_in(listener.accept)
        near = pair.connected()
        pair.settle()
        assert sleeper.wakes == 1
        refusal.line.leave(sleeper)
        assert accepted(listener).getpeername() == near.getsockname()

    def test_defer_accept_waits_for_data(self, pair: Pair) -> None:
        listener = pair.listener()
        listener.setsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT, 3)
        near = pair.connected()
        pair.settle()
        assert refused(listener.accept)
        pair.send(near, b"now")
        assert accepted(listener).recv(9, 0) == b"now"

    def test_defer_accept_waits_no_longer_than_it_says(self, pair: Pair) -> None:
        listener = pair.listener()
        listener.setsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT, 3)
        near = pair.connected()
        pair.settle(2)
        assert refused(listener.accept)
        pair.settle(1.1)
        assert accepted(listener).getpeername() == near.getsockname()

    def test_dissolved_mid_handshake_leaves_nothing(self, pair: Pair) -> None:
        listener = pair.listener(0)
        pair.connected()
        socket = pair.socket(pair.client)
        assert pair.connect(socket) == "hangs"
        socket.connect(pair.client.process, None)
        accepted(listener)
        pair.settle(200)
        assert refused(listener.accept)


class TestTheEnd:
    def test_t02_after_the_peers_fin_one_send_goes_and_draws_a_reset(self, pair: Pair) -> None:
        near, far = pair.ends()
        far.drop()
        pair.settle()
        assert near.recv(9, 0) == near.recv(9, 0) == b""
        assert near.write(b"one") == 3
        pair.settle()
        assert failure(near.send, b"two", MSG_NOSIGNAL) == "EPIPE"
        assert near.recv(9, 0) == b""

    def test_t03_a_close_with_data_unread_resets(self, pair: Pair) -> None:
        near, far = pair.ends()
        pair.send(near, b"unread")
        far.drop()
        pair.settle()
        assert failure(near.recv, 9, 0) == "ECONNRESET"
        assert near.recv(9, 0) == b""
        assert failure(near.send, b"x", MSG_NOSIGNAL) == "EPIPE"

    def test_t04_data_that_came_is_read_before_the_reset(self, pair: Pair) -> None:
        near, far = pair.ends()
        pair.send(near, b"unread")
        pair.send(far, b"answer")
        far.drop()
        pair.settle()
        assert near.recv(9, 0) == b"answer"
        assert failure(near.recv, 9, 0) == "ECONNRESET"

    def test_t05_linger_0_is_a_reset(self, pair: Pair) -> None:
        near, far = pair.ends()
        near.setsockopt(SOL_SOCKET, SO_LINGER, LINGER_0)
        near.drop()
        pair.settle()
        assert failure(far.recv, 9, 0) == "ECONNRESET"

    def test_t06_half_close_leaves_the_other_way_open(self, pair: Pair) -> None:
        near, far = pair.ends()
        pair.send(near, b"question")
        near.shutdown(SHUT_WR)
        pair.settle()
        assert far.recv(9, 0) == b"question"
        assert far.recv(9, 0) == b""
        pair.send(far, b"answer")
        assert near.recv(9, 0) == b"answer"
        far.drop()
        pair.settle()
        assert near.recv(9, 0) == b""

    def test_t07_shutdown_twice_is_shutdown_once(self, pair: Pair) -> None:
        near, far = pair.ends()
        near.shutdown(SHUT_WR)
        near.shutdown(SHUT_WR)
        pair.settle()
        assert far.recv(9, 0) == b""

    def test_t08_shut_rd_is_ones_own_business(self, pair: Pair) -> None:
        near, far = pair.ends()
        near.shutdown(SHUT_RD)
        assert near.recv(9, 0) == b""
        pair.send(far, b"still")
        assert near.recv(9, 0) == b"still"

    def test_t34_shut_rd_wakes_a_reader(self, pair: Pair) -> None:
        near, _ = pair.ends()
        sleeper, _ = sleep_in(near.recv, 9, 0)
        near.shutdown(SHUT_RD)
        assert sleeper.wakes == 1

    def test_a_reset_wakes_a_reader(self, pair: Pair) -> None:
        near, far = pair.ends()
        sleeper, refusal = sleep_in(near.recv, 9, 0)
        far.setsockopt(SOL_SOCKET, SO_LINGER, LINGER_0)
        far.drop()
        pair.settle()
        assert sleeper.wakes == 1
        refusal.line.leave(sleeper)
        assert failure(near.recv, 9, 0) == "ECONNRESET"

    def test_t37_so_error_is_told_once(self, pair: Pair) -> None:
        near, far = pair.ends()
        far.setsockopt(SOL_SOCKET, SO_LINGER, LINGER_0)
        far.drop()
        pair.settle()
        assert near.getsockopt(SOL_SOCKET, SO_ERROR) == errno.ECONNRESET
        assert near.getsockopt(SOL_SOCKET, SO_ERROR) == 0
        assert near.recv(9, 0) == b""

    def test_fin_comes_after_everything_that_was_written(self, pair: Pair) -> None:
        near, far = pair.ends()
        total = pair.fill(near)
        near.shutdown(SHUT_WR)
        pair.drain(far, total)
        pair.settle()
        assert far.recv(9, 0) == b""

    def test_shut_wr_with_data_unread_is_a_fin(self, pair: Pair) -> None:
        near, far = pair.ends()
        pair.send(far, b"unread")
        near.shutdown(SHUT_WR)
        pair.settle()
        assert far.recv(9, 0) == b""
        assert near.recv(9, 0) == b"unread"

    def test_data_to_who_reads_no_more_resets(self, pair: Pair) -> None:
        near, far = pair.ends()
        far.shutdown(SHUT_RDWR)
        pair.settle()
        assert near.recv(9, 0) == b""
        pair.send(near, b"too late")
        assert failure(near.send, b"x", MSG_NOSIGNAL) == "EPIPE"

    def test_states_walk_the_diagram(self, pair: Pair) -> None:
        near, far = pair.ends()
        near.shutdown(SHUT_WR)
        pair.settle()
        assert (state(near), state(far)) == (State.FIN_WAIT2, State.CLOSE_WAIT)
        far.shutdown(SHUT_WR)
        pair.settle()
        assert (state(near), state(far)) == (State.CLOSE, State.CLOSE)
        assert len(pair.client.kernel.inet.tcp.time_waits(pair.lab.now())) == 1

    def test_t10_time_wait_holds_the_port(self, pair: Pair) -> None:
        near, far = pair.ends()
        far.drop()
        pair.settle()
        near.drop()
        pair.settle()
        again = pair.socket(pair.server, SO_REUSEADDR)
        assert failure(again.bind, pair.server.process, pair.address) == "EADDRINUSE"
        pair.settle(60)
        again.bind(pair.server.process, pair.address)

    def test_t10b_unless_both_have_reuseaddr(self, pair: Pair) -> None:
        near, far = pair.ends(SO_REUSEADDR)
        far.drop()
        pair.settle()
        near.drop()
        pair.settle()
        pair.listener(8, SO_REUSEADDR)
        pair.connected()

    def test_linger2_below_0_resets_instead_of_waiting_for_the_peer(self, pair: Pair) -> None:
        near, far = pair.ends()
        near.setsockopt(IPPROTO_TCP, TCP_LINGER2, -1)
        near.drop()
        pair.settle()
        assert state(far) == State.CLOSE
        assert far.take_error() == errno.EPIPE
        assert pair.client.kernel.inet.tcp.tenants(pair.lab.now()) == []


class TestData:
    def test_t14_without_a_connection(self, pair: Pair) -> None:
        socket = pair.socket(pair.client)
        assert failure(socket.send, b"x", MSG_NOSIGNAL) == "EPIPE"
        assert failure(socket.recv, 9, 0) == "ENOTCONN"
        assert failure(socket.getpeername) == "ENOTCONN"

    def test_t17_the_address_of_sendto_is_ignored(self, pair: Pair) -> None:
        near, far = pair.ends()
        elsewhere = InetAddress("10.9.9.9", 9)
        assert near.sendto(b"hello", 0, elsewhere, pair.client.process) == 5
        pair.settle()
        assert far.recv(9, 0) == b"hello"

    def test_t18_poll(self, pair: Pair) -> None:
        near, far = pair.ends()
        assert near.poll() & SEEN == OUT
        pair.send(far, b"x")
        assert near.poll() & SEEN == IN | OUT
        far.shutdown(SHUT_WR)
        pair.settle()
        assert near.poll() & SEEN == IN | OUT | RDHUP
        near.shutdown(SHUT_WR)
        pair.settle()
        assert near.poll() & SEEN == IN | OUT | RDHUP | HUP
        assert far.poll() & SEEN == IN | OUT | RDHUP | HUP

    def test_t18_poll_after_a_reset(self, pair: Pair) -> None:
        near, far = pair.ends()
        far.setsockopt(SOL_SOCKET, SO_LINGER, LINGER_0)
        far.drop()
        pair.settle()
        assert near.poll() & SEEN == IN | OUT | ERR | HUP | RDHUP

    def test_t19_nothing_sent_is_nothing_received(self, pair: Pair) -> None:
        near, far = pair.ends()
        pair.send(near, b"")
        assert refused(far.recv, 9, 0)

    def test_t25_the_urgent_mark_stops_a_read(self, pair: Pair) -> None:
        near, far = pair.ends()
        pair.send(near, b"abX", MSG_OOB)
        pair.send(near, b"cd")
        assert far.poll() & PRI
        assert far.recv(9, 0) == b"ab"
        assert far.at_mark()
        assert far.recv(9, MSG_OOB) == b"X"
        assert far.recv(9, 0) == b"cd"

    def test_t31_peek_leaves_it_there(self, pair: Pair) -> None:
        near, far = pair.ends()
        pair.send(near, b"hello")
        assert far.recv(3, MSG_PEEK) == b"hel"
        assert far.recv(9, 0) == b"hello"

    def test_writes_are_one_stream(self, pair: Pair) -> None:
        near, far = pair.ends()
        for part in (b"one ", b"two ", b"three"):
            assert near.write(part) == len(part)
        pair.settle()
        assert far.recv(99, 0) == b"one two three"

    def test_t32_a_writer_is_stopped_by_who_does_not_read_and_freed_by_who_does(
        self, pair: Pair
    ) -> None:
        near, far = pair.ends()
        total = pair.fill(near)
        assert total > 100_000
        assert not near.poll() & OUT
        sleeper, refusal = sleep_in(near.write, b"more")
        pair.drain(far, total)
        pair.settle()
        assert sleeper.wakes == 1
        refusal.line.leave(sleeper)
        assert near.poll() & OUT
        pair.send(near, b"more")
        assert far.recv(9, 0) == b"more"

    def test_a_reader_is_woken_by_data(self, pair: Pair) -> None:
        near, far = pair.ends()
        sleeper, _ = sleep_in(far.recv, 9, 0)
        pair.send(near, b"x")
        assert sleeper.wakes == 1

    def test_a_cork_holds_back_for_200_ms(self, pair: Pair) -> None:
        near, far = pair.ends()
        near.setsockopt(IPPROTO_TCP, TCP_CORK, 1)
        near.write(b"held")
        pair.settle(0.19)
        assert refused(far.recv, 9, 0)
        pair.settle(0.05)
        assert far.recv(9, 0) == b"held"

    def test_a_cork_that_is_drawn_lets_all_go(self, pair: Pair) -> None:
        near, far = pair.ends()
        near.setsockopt(IPPROTO_TCP, TCP_CORK, 1)
        near.write(b"held ")
        near.write(b"together")
        near.setsockopt(IPPROTO_TCP, TCP_CORK, 0)
        pair.settle(0.01)
        assert far.recv(99, 0) == b"held together"

    def test_nothing_waits_to_be_acknowledged_for_long(self, pair: Pair) -> None:
        near, _ = pair.ends()
        pair.send(near, b"hello")
        assert near.unsent() == 0


def test_many_connections_leave_nothing_behind(pair: Pair) -> None:
    listener = pair.listener()
    for turn in range(300):
        near = pair.connected()
        far = accepted(listener)
        first, second = (near, far) if turn % 2 else (far, near)
        first.drop()
        pair.settle(0.01)
        second.drop()
        pair.settle(0.01)
    listener.drop()
    pair.settle(61)
    for host in (pair.client, pair.server):
        assert host.kernel.inet.tcp.tenants(pair.lab.now()) == []
        assert len(host.stack.tcp) == 0
    pair.lab.run()
