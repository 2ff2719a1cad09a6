"""What is easily wrong at the edges of a connection: silence, crossings, losses in a row.

The rates and answers are Linux 6.18's, measured between two network namespaces.
"""

from __future__ import annotations

import errno
from random import Random

import pytest

from asyncipc.errors import BrokenPipeSignal
from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.sockets.address import Inet6Address
from asyncipc.kernel.sockets.options import SO_KEEPALIVE, SO_LINGER, SOL_SOCKET
from asyncipc.kernel.sockets.socket import AF_INET6, MSG_MORE, SOCK_STREAM
from asyncipc.kernel.tcp.options import TCP_CONGESTION, TCP_KEEPIDLE, TCP_NODELAY, TCP_USER_TIMEOUT
from asyncipc.kernel.tcp.socket import TcpSocket
from asyncipc.kernel.tcp.states import State
from asyncipc.network.links.conditions import Conditions, conditions
from asyncipc.network.tcp.estimator import RTO_START
from asyncipc.network.tcp.numbers import MASK
from asyncipc.network.tcp.recovery import LOSS, RECOVERY
from asyncipc.network.tcp.segment import ACK, RST, Segment
from tests.network.lab import Host, Lab
from tests.network.tcp.exchange import SERVER, Exchange, drain, transport
from tests.network.tcp.trace import Trace

SHUT_WR = 1
LINGER_0 = (1).to_bytes(4, "little") + bytes(4)
DAY = 86_400


# -- silence


@pytest.mark.parametrize("days", [1, 24, 25, 40, 60])
def test_after_weeks_of_silence_a_connection_goes_on(days: int) -> None:
    exchange = Exchange()
    exchange.after(days * DAY)
    exchange.client.write(b"still there?")
    exchange.after(10)
    assert drain(exchange.server) == b"still there?"
    exchange.server.write(b"yes")
    exchange.after(10)
    assert drain(exchange.client) == b"yes"


def test_an_old_copy_of_a_segment_is_known_by_its_stamp() -> None:
    exchange = Exchange()
    exchange.client.write(b"one")
    exchange.after(1)
    old = exchange.trace.segments[-2]
    assert old.data == b"one"
    exchange.client.write(b"two")
    exchange.after(1)
    late = old.with_data(b"new")
    late.sequence = transport(exchange.server).receiver.next & MASK
    transport(exchange.server).input(late)
    exchange.after(1)
    assert drain(exchange.server) == b"onetwo"


# -- both open at once


def crossed() -> tuple[Lab, list[TcpSocket], list[Host]]:
    """Two hosts that connect to one another at once; both SYNs have just arrived."""
    lab = Lab()
    hosts = [lab.host("a", "10.0.0.1"), lab.host("b", "10.0.0.2")]
    sockets = []
    for host, port in zip(hosts, (1000, 2000), strict=True):
        socket = host.tcp()
        socket.bind(host.process, SERVER._replace(host=host.address, port=port))
        sockets.append(socket)
    for socket, host, other in zip(sockets, hosts, (1, 0), strict=True):
        socket.connect(host.process, sockets[other].local)
    lab.run(0.0015)
    assert [socket.state for socket in sockets] == [State.SYN_RECV] * 2
    return lab, sockets, hosts


def test_an_end_that_is_closed_while_both_syns_cross_closes_the_connection() -> None:
    lab, (closed, other), hosts = crossed()
    closed.drop()
    lab.run(1)
    assert other.state == State.CLOSE_WAIT
    other.drop()
    lab.run(200)
    assert [socket.state for socket in (closed, other)] == [State.CLOSE] * 2
    for host in hosts:
        assert not host.kernel.inet.tcp.tenants(lab.now())
        assert not len(host.stack.tcp)


def test_an_end_that_is_shut_while_both_syns_cross_still_hears() -> None:
    lab, (shut, other), _ = crossed()
    shut.shutdown(SHUT_WR)
    lab.run(1)
    assert (shut.state, other.state) == (State.FIN_WAIT2, State.CLOSE_WAIT)
    other.write(b"hello")
    lab.run(2)
    assert drain(shut) == b"hello"


def test_a_reset_out_of_the_window_of_a_crossing_is_not_answered() -> None:
    lab, (socket, _), _ = crossed()
    way = transport(socket)
    sent = way.segments_out
    assert way.opening is not None
    assert socket.remote is not None
    forged = Segment(socket.remote, socket.local, 0, way.opening.isn + 1 & MASK, RST | ACK, 0)
    assert way.opening.peer is not None
    forged.sequence = way.opening.peer.sequence - 1000 & MASK
    way.input(forged)
    assert way.segments_out == sent
    assert socket.state == State.SYN_RECV
    lab.run(1)
    assert socket.state == State.ESTABLISHED


# -- acknowledgements that others have overtaken


def test_an_old_acknowledgement_does_not_open_the_window_further() -> None:
    exchange = Exchange()
    exchange.client.write(b"x" * 1000)
    exchange.after(1)
    client = transport(exchange.client)
    old = exchange.trace.segments[-1]
    former = Segment(
        old.source, old.target, old.sequence, old.ack - 500 & MASK, ACK, old.window + 100
    )
    edge = client.sender.una + client.sender.window
    client.input(former)
    assert client.sender.una + client.sender.window == edge


def test_old_acknowledgements_are_no_duplicates() -> None:
    """Without SACK three duplicates mean loss; late ones from before mean nothing."""
    lab = Lab()
    a, b = lab.host("a", "10.0.0.1"), lab.host("b", "10.0.0.2")
    trace = Trace(lab, a, b)
    listener, client = b.listener(80), a.tcp()
    client.connect(a.process, SERVER)
    lab.run(0.1)
    assert listener.accept()
    way = transport(client)
    way.sender.recovery.may_sack = False
    client.write(b"x" * 1000)
    lab.run(1)
    acknowledgement = trace.segments[-1]
    client.write(b"y" * 10_000)
    acknowledgement.ack = acknowledgement.ack - 1 & MASK
    for _ in range(5):
        way.input(acknowledgement)
    assert way.sender.recovery.state < RECOVERY


# -- errors and queues that are over


def test_an_icmp_error_is_forgotten_when_the_peer_answers() -> None:
    exchange = Exchange((IPPROTO_TCP, TCP_USER_TIMEOUT, 5000))
    transport(exchange.client).unreachable(errno.EHOSTUNREACH, hard=False)
    exchange.client.write(b"x")
    exchange.after(1)
    exchange.trace.lose_all(exchange.a)
    exchange.client.write(b"y")
    exchange.after(30)
    assert exchange.client.error == errno.ETIMEDOUT


def test_siocoutq_counts_the_fin_until_it_is_acknowledged() -> None:
    exchange = Exchange()
    exchange.client.write(b"xyz")
    exchange.client.shutdown(SHUT_WR)
    assert exchange.client.unsent() == 4
    exchange.after(1)
    assert exchange.client.state == State.FIN_WAIT2
    assert exchange.client.unsent() == 0


# -- keepalive


def test_keepalive_that_is_switched_on_late_asks_after_its_time_from_now() -> None:
    exchange = Exchange((IPPROTO_TCP, TCP_KEEPIDLE, 2))
    exchange.after(100)
    exchange.client.setsockopt(SOL_SOCKET, SO_KEEPALIVE, 1)
    assert exchange.after(1.9) == []
    assert len(exchange.after(0.2)) == 2


def test_the_peers_probes_are_no_sign_that_it_hears() -> None:
    """A way that is cut in one direction: both ends find out."""
    exchange = Exchange((SOL_SOCKET, SO_KEEPALIVE, 1), (IPPROTO_TCP, TCP_KEEPIDLE, 10))
    exchange.server.setsockopt(IPPROTO_TCP, TCP_KEEPIDLE, 15)
    exchange.trace.lose_all(exchange.b)
    lines = exchange.after(20)
    assert [line for line in lines if " b > a " in line and line.startswith("149")]


# -- resets


def test_a_reset_behind_what_was_lost_is_believed_at_once() -> None:
    exchange = Exchange()
    exchange.server.write(b"unread")
    exchange.after(1)
    exchange.trace.lose(exchange.a, 1)
    exchange.client.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
    exchange.client.write(b"lost")
    exchange.client.write(b"came")
    exchange.after(0.1)
    exchange.client.drop()
    lines = exchange.after(0.01)
    assert [line.split(" ")[1:5] for line in lines] == [["a", ">", "b", "RST"]]
    assert exchange.server.error == errno.ECONNRESET


def test_a_reset_with_the_number_of_the_fin_is_believed() -> None:
    exchange = Exchange()
    exchange.client.shutdown(SHUT_WR)
    exchange.after(0.1)
    server = transport(exchange.server)
    local, remote = server.names
    server.input(Segment(remote, local, server.receiver.next - 1 & MASK, 0, RST, 0))
    assert exchange.server.state == State.CLOSE


@pytest.mark.parametrize("crossing", [False, True])
def test_who_only_waits_for_the_last_ack_ends_without_a_word(crossing: bool) -> None:
    exchange = Exchange()
    exchange.client.shutdown(SHUT_WR)
    if not crossing:
        exchange.after(0.1)
    exchange.server.setsockopt(SOL_SOCKET, SO_LINGER, LINGER_0)
    exchange.trace.lose_all(exchange.a)
    exchange.server.shutdown(SHUT_WR)
    exchange.after(0.0015)
    assert exchange.server.state == (State.CLOSING if crossing else State.LAST_ACK)
    exchange.server.hold()
    exchange.server.drop()
    assert not [line for line in exchange.after(0) if "RST" in line]


@pytest.mark.parametrize("size", [1448, 20_000, 100_000])
def test_what_is_held_back_when_the_connection_ends_inside_the_call_goes_with_it(size: int) -> None:
    lab, client, server = at_once()
    server.hold()
    server.drop()
    assert isinstance(client.send(b"x" * size, MSG_MORE), int)
    assert client.state == State.CLOSE
    lab.run(1)
    assert lab.heap.next_due() is None
    with pytest.raises(BrokenPipeSignal):
        client.send(b"x", MSG_MORE)


# -- a way that is too narrow


@pytest.mark.parametrize("mtu", [68, 72])
def test_a_way_that_is_too_narrow_for_a_byte_over_ipv6_is_no_way(mtu: int) -> None:
    lab = Lab()
    a, b = lab.host("a", "fd00::1"), lab.host("b", "fd00::2")
    listener, client = (host.kernel.socket(AF_INET6, SOCK_STREAM, 0) for host in (b, a))
    listener.bind(b.process, Inet6Address("fd00::2", 80))
    listener.listen(b.process, 5)
    client.connect(a.process, Inet6Address("fd00::2", 80))
    lab.run(1)
    lab.fabric.link("a", "b").conditions = conditions(latency=0.001, mtu=mtu)
    assert isinstance(client, TcpSocket)
    assert client.write(b"x" * 3000) == 3000
    lab.run(2000)
    assert client.error == errno.ETIMEDOUT


# -- time


def at_once() -> tuple[Lab, TcpSocket, TcpSocket]:
    """A connection over a way that takes no time."""
    lab = Lab()
    lab.fabric.conditions = Conditions(latency_ns=0)
    a, b = lab.host("a", "10.0.0.1"), lab.host("b", "10.0.0.2")
    listener, client = b.listener(80), a.tcp()
    client.connect(a.process, SERVER)
    accepted = listener.accept()
    assert isinstance(accepted, tuple)
    assert isinstance(accepted[0], TcpSocket)
    return lab, client, accepted[0]


def test_a_way_that_takes_no_time_is_a_round_trip_too() -> None:
    _, client, server = at_once()
    for end in (client, server):
        assert transport(end).estimator.timeout < RTO_START


def far_apart() -> Exchange:
    """300 ms each way; the round trip has been measured often."""
    exchange = Exchange()
    exchange.lab.fabric.conditions = conditions(latency=0.3)
    for source, target in (("a", "b"), ("b", "a")):
        exchange.lab.fabric.link(source, target).conditions = conditions(latency=0.3)
    for _ in range(40):
        exchange.client.write(b"x" * 1448)
        exchange.after(2)
        drain(exchange.server)
    control = transport(exchange.client).sender.congestion
    control.window, control.threshold = 40, 100
    return exchange


def test_after_a_fast_retransmission_the_timer_begins_anew() -> None:
    exchange = far_apart()
    exchange.trace.segments.clear()
    exchange.trace.lose(exchange.a, 1)
    for number in range(6):
        exchange.client.write(Random(number).randbytes(1448))
    client = transport(exchange.client)
    states = []
    for _ in range(30):
        exchange.after(0.05)
        states.append(client.sender.recovery.state)
    assert RECOVERY in states
    assert LOSS not in states
    assert len(drain(exchange.server)) == 6 * 1448


def test_one_loss_halves_the_threshold_once_though_its_repair_is_lost_too() -> None:
    exchange = far_apart()
    client = transport(exchange.client)
    exchange.trace.lose(exchange.a, 1, 13)
    exchange.client.setsockopt(IPPROTO_TCP, TCP_CONGESTION, b"reno")
    for number in range(20):
        exchange.client.write(Random(number).randbytes(1448))
    states = []
    for _ in range(60):
        exchange.after(0.05)
        states.append(client.sender.recovery.state)
        if states[-1] >= RECOVERY:
            assert client.sender.congestion.threshold == 5
    assert {RECOVERY, LOSS} <= {*states}
