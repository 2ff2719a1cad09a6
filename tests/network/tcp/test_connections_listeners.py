"""Whom a SYN from another host is for, and what becomes of its connection."""

from __future__ import annotations

import pytest

from asyncipc.kernel.ip.options import IPPROTO_IPV6, IPPROTO_TCP, IPV6_V6ONLY
from asyncipc.kernel.sockets.address import Inet6Address, InetAddress
from asyncipc.kernel.sockets.options import SO_KEEPALIVE, SO_REUSEPORT, SOL_SOCKET
from asyncipc.kernel.sockets.socket import AF_INET6, SHUT_RD, SOCK_STREAM
from asyncipc.kernel.tcp.options import TCP_DEFER_ACCEPT, TCP_INFO, TCP_NODELAY
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.network.links.conditions import Conditions
from asyncipc.network.tcp.segment import Options
from tests.network.lab import SECOND, Host, Lab
from tests.network.tcp.stranger import Stranger, letters


@pytest.fixture
def lab() -> Lab:
    lab = Lab()
    lab.fabric.conditions = Conditions(latency_ns=0)
    return lab


@pytest.fixture
def server(lab: Lab) -> Host:
    return lab.host("server", "10.0.0.2", "10.0.0.3", "fd00::2")


@pytest.fixture
def stranger(lab: Lab, server: Host) -> Stranger:
    return Stranger(lab, "stranger", "10.0.0.9", "10.0.0.2", 80)


def listener6(server: Host, host: str = "::", *, v6only: bool = False) -> TcpSocket:
    socket = server.kernel.socket(AF_INET6, SOCK_STREAM, 0)
    assert isinstance(socket, TcpSocket)
    socket.hold()
    socket.setsockopt(IPPROTO_IPV6, IPV6_V6ONLY, int(v6only))
    socket.bind(server.process, Inet6Address(host, 80))
    socket.listen(server.process, 5)
    return socket


def complete(stranger: Stranger, *, port: int = 4000, data: bytes = b"") -> int:
    """Shake hands; the server's next number."""
    answer = stranger.ask(port=port)
    stranger.send("P." if data else ".", 1001, answer.sequence + 1, data, port=port)
    return answer.sequence + 1


def accepted(listener: TcpSocket) -> TcpSocket:
    found = listener.accept()
    assert isinstance(found, tuple)
    socket = found[0]
    assert isinstance(socket, TcpSocket)
    socket.hold()
    return socket


def waiting(listener: TcpSocket) -> int:
    assert listener.listener is not None
    return len(listener.listener.backlog)


def requests(listener: TcpSocket) -> int:
    assert listener.listener is not None
    handshakes = listener.listener.handshakes
    return 0 if handshakes is None else len(handshakes.names())


def round_trip(socket: TcpSocket) -> int:
    """tcpi_rtt, in microseconds."""
    info = socket.getsockopt(IPPROTO_TCP, TCP_INFO)
    assert isinstance(info, bytes)
    return int.from_bytes(info[68:72], "little")


class TestWho:
    def test_the_nearest_address_wins_over_the_wildcard(
        self, server: Host, stranger: Stranger
    ) -> None:
        exact = server.tcp()
        exact.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
        exact.bind(server.process, InetAddress("10.0.0.2", 80))
        exact.listen(server.process, 5)
        wildcard = server.tcp()
        wildcard.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
        wildcard.bind(server.process, InetAddress("0.0.0.0", 80))
        wildcard.listen(server.process, 5)
        stranger.ask()
        assert (requests(exact), requests(wildcard)) == (1, 0)
        stranger.server = InetAddress("10.0.0.3", 80)
        stranger.ask()
        assert (requests(exact), requests(wildcard)) == (1, 1)

    def test_a_listener_of_another_address_is_not_meant(
        self, server: Host, stranger: Stranger
    ) -> None:
        other = server.tcp()
        other.bind(server.process, InetAddress("10.0.0.3", 80))
        other.listen(server.process, 5)
        refusal = stranger.send("S")
        assert refusal is not None
        assert letters(refusal.flags) == "R."

    def test_a_listener_of_both_families_shows_the_mapped_peer(
        self, server: Host, stranger: Stranger
    ) -> None:
        listener = listener6(server)
        complete(stranger)
        connection = accepted(listener)
        assert connection.getsockname() == Inet6Address("::ffff:10.0.0.2", 80)
        assert connection.getpeername() == Inet6Address("::ffff:10.0.0.9", 4000)
        assert connection.remote == InetAddress("10.0.0.9", 4000)

    def test_a_listener_of_ipv6_alone_refuses_ipv4(self, server: Host, stranger: Stranger) -> None:
        listener6(server, v6only=True)
        refusal = stranger.send("S")
        assert refusal is not None
        assert letters(refusal.flags) == "R."

    def test_ipv6_is_answered_with_its_own_mss(self, lab: Lab, server: Host) -> None:
        listener = listener6(server)
        stranger = Stranger(lab, "six", "fd00::9", "fd00::2", 80)
        assert stranger.ask().options.mss == 1440
        assert requests(listener) == 1

    def test_reuseport_listeners_share_and_each_completes_its_own(
        self, server: Host, stranger: Stranger
    ) -> None:
        listeners = []
        for _ in range(2):
            listener = server.tcp()
            listener.setsockopt(SOL_SOCKET, SO_REUSEPORT, 1)
            listener.bind(server.process, InetAddress("0.0.0.0", 80))
            listener.listen(server.process, 64)
            listeners.append(listener)
        for port in range(5000, 5040):
            complete(stranger, port=port)
        shares = [waiting(listener) for listener in listeners]
        assert sum(shares) == 40
        assert min(shares) > 5


class TestCompletion:
    def test_the_last_ack_makes_a_connection_with_what_it_carries(
        self, server: Host, stranger: Stranger
    ) -> None:
        listener = server.listener(80)
        complete(stranger, data=b"hello")
        assert (requests(listener), waiting(listener)) == (0, 1)
        assert accepted(listener).recv(100, 0) == b"hello"

    def test_a_fin_completes_too(self, server: Host, stranger: Stranger) -> None:
        listener = server.listener(80)
        answer = stranger.ask()
        stranger.send("F.", 1001, answer.sequence + 1)
        assert accepted(listener).recv(100, 0) == b""

    def test_options_are_inherited_from_the_moment_of_the_last_ack(
        self, server: Host, stranger: Stranger
    ) -> None:
        listener = server.listener(80)
        listener.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
        answer = stranger.ask()
        listener.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        stranger.send(".", 1001, answer.sequence + 1)
        connection = accepted(listener)
        assert connection.getsockopt(SOL_SOCKET, SO_KEEPALIVE) == 1
        assert connection.getsockopt(IPPROTO_TCP, TCP_NODELAY) == 1

    def test_a_syn_is_dropped_while_the_backlog_is_full(
        self, server: Host, stranger: Stranger
    ) -> None:
        listener = server.listener(80, 0)
        complete(stranger, port=5000)
        assert stranger.send("S", port=5001) is None
        accepted(listener)
        assert stranger.send("S", port=5001) is not None

    def test_an_ack_that_meets_a_full_backlog_is_asked_for_again(
        self, lab: Lab, server: Host, stranger: Stranger
    ) -> None:
        listener = server.listener(80, 1)
        answer = stranger.ask(port=6000)
        for port in (5000, 5001):
            complete(stranger, port=port)
        stranger.seen()
        assert stranger.send(".", 1001, answer.sequence + 1, port=6000) is None
        assert stranger.send("P.", 1001, answer.sequence + 1, b"hello", port=6000) is None
        assert (requests(listener), waiting(listener)) == (1, 2)
        lab.run(3.5)
        assert stranger.times == [1, 3]
        assert stranger.seen() == ["S.", "S."]
        accepted(listener)
        stranger.send("P.", 1001, answer.sequence + 1, b"hello", port=6000)
        assert (requests(listener), waiting(listener)) == (0, 2)
        accepted(listener)
        assert accepted(listener).recv(100, 0) == b"hello"

    def test_the_handshake_measures_the_way_if_its_answer_was_sent_once(
        self, lab: Lab, server: Host, stranger: Stranger
    ) -> None:
        listener = server.listener(80)
        for port, late in ((5000, 0.3), (5001, 1.3)):
            answer = stranger.ask(port=port)
            lab.run(lab.now_ns / SECOND + late)
            stranger.send(".", 1001, answer.sequence + 1, port=port)
        assert [round_trip(accepted(listener)) for _ in range(2)] == [300_000, 0]

    def test_a_client_that_gave_up_resets_the_answer_and_is_never_accepted(
        self, server: Host, stranger: Stranger
    ) -> None:
        listener = server.listener(80)
        stranger.ask()
        stranger.send("R", 1001)
        assert (requests(listener), waiting(listener)) == (0, 0)
        assert len(server.stack.tcp) == 0


class TestDeferAccept:
    def test_data_completes_what_a_bare_ack_did_not(self, server: Host, stranger: Stranger) -> None:
        listener = server.listener(80)
        listener.setsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT, 3)
        number = complete(stranger)
        assert (requests(listener), waiting(listener)) == (1, 0)
        stranger.send("P.", 1001, number, b"hello")
        assert (requests(listener), waiting(listener)) == (0, 1)
        assert accepted(listener).recv(100, 0) == b"hello"

    @pytest.mark.parametrize(("seconds", "due"), [(1, 1), (2, 3), (3, 3), (7, 7), (8, 15)])
    def test_when_its_time_is_over_the_next_ack_completes(
        self, lab: Lab, server: Host, stranger: Stranger, seconds: int, due: int
    ) -> None:
        listener = server.listener(80)
        listener.setsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds)
        number = complete(stranger)
        stranger.seen()
        lab.run(due)
        assert stranger.seen() == ["S."]
        stranger.send(".", 1001, number)
        assert waiting(listener) == 1

    def test_the_late_answer_echoes_the_last_timestamp(
        self, lab: Lab, server: Host, stranger: Stranger
    ) -> None:
        listener = server.listener(80)
        listener.setsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT, 1)
        answer = stranger.ask(options=Options(stamp=(70, 0)))
        stranger.send(".", 1001, answer.sequence + 1, options=Options(stamp=(80, 0)))
        lab.run(1)
        assert stranger.got[-1].options.stamp is not None
        assert stranger.got[-1].options.stamp[1] == 80

    def test_who_never_says_a_word_is_forgotten(
        self, lab: Lab, server: Host, stranger: Stranger
    ) -> None:
        listener = server.listener(80)
        listener.setsockopt(IPPROTO_TCP, TCP_DEFER_ACCEPT, 1)
        complete(stranger)
        lab.run()
        assert requests(listener) == 0


@pytest.mark.parametrize("how", ["close", "shutdown"])
def test_a_listener_that_ends_resets_whom_nobody_has_accepted(
    server: Host, stranger: Stranger, how: str
) -> None:
    listener = server.listener(80)
    for port in (5000, 5001):
        complete(stranger, port=port)
    stranger.seen()
    if how == "close":
        listener.drop()
    else:
        listener.shutdown(SHUT_RD)
    assert stranger.seen() == ["R.", "R."]
    assert len(server.stack.tcp) == 0


def test_an_accepted_connection_outlives_its_listener(server: Host, stranger: Stranger) -> None:
    listener = server.listener(80)
    number = complete(stranger)
    connection = accepted(listener)
    listener.drop()
    stranger.seen()
    stranger.send("P.", 1001, number, b"hello")
    assert connection.recv(100, 0) == b"hello"
    assert "R" not in "".join(stranger.seen())
