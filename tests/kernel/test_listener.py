"""Listeners of UNIX sockets, stream and seqpacket alike: backlog, accept, connect."""

from __future__ import annotations

import pytest

from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.openfile import O_NONBLOCK
from asyncipc.kernel.readiness import ERR, HUP, IN, OUT, RDHUP
from asyncipc.kernel.sockets.listener import Backlog
from asyncipc.kernel.sockets.options import SO_PASSCRED, SO_SNDBUF, SOL_SOCKET
from asyncipc.kernel.sockets.socket import (
    NOBODY,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SOMAXCONN,
    credentials,
)
from asyncipc.kernel.unix.seqpacket import SeqpacketEndpoint
from asyncipc.kernel.unix.stream import StreamEndpoint
from tests.kernel.helpers import failure, refused, sleep_in

NAME = b"\0listener"


class Server:
    """A host with a listener of one type."""

    def __init__(self, kind: type[StreamEndpoint | SeqpacketEndpoint]) -> None:
        self.kernel = Kernel()
        self.me = self.kernel.init
        self.kind = kind
        self.listener = self.socket()
        self.listener.bind(self.me, NAME)
        self.listener.listen(self.me, 1)

    def socket(self) -> StreamEndpoint | SeqpacketEndpoint:
        made = self.kind(self.kernel)
        made.hold()
        return made

    def client(self) -> StreamEndpoint | SeqpacketEndpoint:
        made = self.socket()
        assert made.connect(self.me, NAME) is None
        return made

    def accept(self) -> StreamEndpoint | SeqpacketEndpoint:
        accepted = self.listener.accept()
        assert isinstance(accepted, tuple)
        accepted[0].hold()
        return accepted[0]


@pytest.fixture(params=[StreamEndpoint, SeqpacketEndpoint])
def server(request: pytest.FixtureRequest) -> Server:
    return Server(request.param)


def mask(socket: StreamEndpoint | SeqpacketEndpoint) -> int:
    return socket.poll() & (IN | OUT | HUP | RDHUP | ERR)


def test_a_connection_is_complete_before_it_is_accepted(server: Server) -> None:
    client = server.client()
    assert client.write(b"early") == 5
    assert (mask(client), mask(server.listener)) == (OUT, IN)
    accepted = server.accept()
    assert accepted.read(9) == b"early"
    assert mask(server.listener) == 0
    assert accepted.getsockname() == client.getpeername() == NAME
    assert accepted.getpeername() == client.getsockname() == b""


def test_the_peers_name_is_looked_at_live_and_survives_its_close(server: Server) -> None:
    client = server.client()
    accepted = server.accept()
    client.bind(server.me, b"\0client")
    assert accepted.getpeername() == b"\0client"
    client.drop()
    server.listener.drop()
    assert accepted.getpeername() == b"\0client"
    accepted.drop()
    server.socket().bind(server.me, b"\0client")


def test_a_backlog_of_one_lets_two_wait_and_the_third_sleeps_in_line(server: Server) -> None:
    server.client()
    server.client()
    third, fourth = server.socket(), server.socket()
    first, refusal = sleep_in(third.connect, server.me, NAME)
    second, _ = sleep_in(fourth.connect, server.me, NAME)
    assert refusal.mask & OUT  # so SO_SNDTIMEO limits the wait
    assert mask(third) == OUT | HUP
    server.accept()
    assert (first.wakes, second.wakes) == (1, 0)
    assert refused(server.socket().connect, server.me, NAME)  # nobody overtakes
    refusal.line.try_again(first)
    assert third.connect(server.me, NAME) is None
    refusal.line.leave(first)
    assert second.wakes == 1


def test_listening_again_makes_room(server: Server) -> None:
    server.client()
    server.client()
    sleeper, _ = sleep_in(server.socket().connect, server.me, NAME)
    server.listener.listen(server.me, 1)
    assert sleeper.wakes == 0
    server.listener.listen(server.me, 2)
    assert sleeper.wakes == 1


def test_a_closed_listener_refuses_who_waits_and_resets_who_was_not_accepted(
    server: Server,
) -> None:
    clients = [server.client(), server.client()]
    late = server.socket()
    sleeper, refusal = sleep_in(late.connect, server.me, NAME)
    server.listener.drop()
    assert sleeper.wakes == 1
    refusal.line.try_again(sleeper)
    assert failure(late.connect, server.me, NAME) == "ECONNREFUSED"
    for client in clients:
        assert mask(client) == IN | OUT | ERR | HUP | RDHUP
        assert failure(client.recv, 1, 0) == "ECONNRESET"
        assert client.recv(1, 0) == b""
        assert failure(client.write, b"x") == "EPIPE"
        assert client.getpeername() == NAME


def test_connections_are_accepted_in_order_and_acceptors_served_in_order(server: Server) -> None:
    acceptors = [sleep_in(server.listener.accept)[0] for _ in range(2)]
    client = server.client()
    assert [acceptor.wakes for acceptor in acceptors] == [1, 0]
    assert refused(server.listener.accept)  # it is the first one's
    line = server.listener.read_queue()
    line.try_again(acceptors[0])
    accepted = server.accept()
    line.leave(acceptors[0])
    client.write(b"1")
    assert accepted.read(1) == b"1"
    assert acceptors[1].wakes == 1


def test_a_client_that_has_gone_is_accepted_with_its_data(server: Server) -> None:
    client = server.client()
    client.write(b"last words")
    client.drop()
    accepted = server.accept()
    assert [accepted.read(99), accepted.read(99)] == [b"last words", b""]


def test_a_listener_that_is_shut_serves_who_waits_and_then_nobody(server: Server) -> None:
    server.client()
    server.client()
    sleeper, _ = sleep_in(server.socket().connect, server.me, NAME)
    server.listener.shutdown(SHUT_RD)
    assert sleeper.wakes == 0  # as on Linux: by the next accept only
    assert mask(server.listener) == IN | RDHUP
    assert failure(server.socket().connect, server.me, NAME) == "ECONNREFUSED"
    server.accept()
    assert sleeper.wakes == 1
    server.accept()
    assert failure(server.listener.accept) == "EINVAL"
    server.listener.flags |= O_NONBLOCK
    assert refused(server.listener.accept)
    server.listener.shutdown(SHUT_RDWR)
    assert mask(server.listener) == IN | HUP | RDHUP


def test_shutting_a_listener_wakes_who_sleeps_in_accept(server: Server) -> None:
    acceptor, refusal = sleep_in(server.listener.accept)
    server.listener.shutdown(SHUT_RD)
    assert acceptor.wakes == 1
    refusal.line.try_again(acceptor)
    assert failure(server.listener.accept) == "EINVAL"


def test_who_may_listen_accept_and_connect(server: Server) -> None:
    fresh = server.socket()
    assert failure(fresh.listen, server.me, 1) == "EINVAL"
    assert failure(fresh.accept) == "EINVAL"
    assert failure(server.listener.connect, server.me, NAME) == "EINVAL"
    client = server.client()
    assert failure(client.connect, server.me, NAME) == "EISCONN"
    client.bind(server.me, b"\0client")
    assert failure(client.listen, server.me, 1) == "EINVAL"
    assert failure(fresh.connect, server.me, b"\0client") == "ECONNREFUSED"
    assert failure(server.accept().listen, server.me, 1) == "EINVAL"


def test_a_full_backlog_is_met_before_eisconn(server: Server) -> None:
    client = server.client()
    server.client()
    assert refused(client.connect, server.me, NAME)


def test_only_the_wish_for_credentials_is_inherited(server: Server) -> None:
    server.listener.setsockopt(SOL_SOCKET, SO_SNDBUF, 20_000)
    server.listener.setsockopt(SOL_SOCKET, SO_PASSCRED, 1)
    server.listener.flags |= O_NONBLOCK
    server.client()
    accepted = server.accept()
    assert accepted.getsockopt(SOL_SOCKET, SO_SNDBUF) == 212_992
    assert accepted.getsockopt(SOL_SOCKET, SO_PASSCRED) == 1
    assert not accepted.flags & O_NONBLOCK


def test_each_side_is_told_who_the_other_was_when_they_met(server: Server) -> None:
    assert server.socket().peer_credentials() == NOBODY
    child = server.kernel.fork(server.me, "child")
    child.uid, child.gid = 1000, 100
    client = server.socket()
    client.connect(child, NAME)
    own = credentials(server.me.pid, 0, 0)
    assert client.peer_credentials() == server.listener.peer_credentials() == own
    assert server.accept().peer_credentials() == credentials(child.pid, 1000, 100)


def test_a_pair_is_told_who_made_it(server: Server) -> None:
    for side in server.kernel.socketpair(1, server.kind.kind, 0, server.me):
        assert side.peer_credentials() == credentials(server.me.pid, 0, 0)


@pytest.mark.parametrize(("how", "closed"), [(SHUT_RD, IN | OUT | RDHUP), (SHUT_WR, OUT)])
def test_what_was_shut_before_connect_stays_so_on_its_own_side(
    server: Server, how: int, closed: int
) -> None:
    client = server.socket()
    client.shutdown(how)
    assert client.connect(server.me, NAME) is None
    accepted = server.accept()
    assert (mask(client), mask(accepted)) == (closed, OUT)
    if how == SHUT_RD:
        assert failure(accepted.write, b"x") == "EPIPE"
        assert client.recv(1, 0) == b""
    else:
        assert failure(client.write, b"x") == "EPIPE"
        assert refused(accepted.recv, 1, 0)


def test_an_empty_listener_has_nothing_to_read_and_no_count(server: Server) -> None:
    assert failure(server.listener.unread) == "EINVAL"
    assert failure(server.listener.write, b"x") == "ENOTCONN"
    assert failure(server.listener.getpeername) == "ENOTCONN"


@pytest.mark.parametrize(("asked", "limit"), [(0, 0), (5, 5), (-1, SOMAXCONN), (9999, SOMAXCONN)])
def test_a_backlog_is_cut_to_what_the_system_allows(asked: int, limit: int) -> None:
    assert Backlog[object](asked).limit == limit
