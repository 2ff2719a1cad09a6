"""UDP between hosts: what udp(7) promises on one host, it keeps over the wire."""

from __future__ import annotations

import errno

import pytest

from asyncipc.kernel.ip.options import IP_RECVERR, IPPROTO_IP
from asyncipc.kernel.readiness import ERR
from asyncipc.kernel.sockets.address import Inet6Address, InetAddress
from asyncipc.kernel.sockets.ancillary import ControlRoom
from asyncipc.kernel.sockets.options import SO_RCVBUF, SOL_SOCKET
from asyncipc.kernel.sockets.socket import MSG_ERRQUEUE, MSG_PEEK, MSG_TRUNC, Message
from asyncipc.kernel.udp.socket import UdpSocket
from asyncipc.kernel.waitqueue import WouldBlock
from asyncipc.network.links.conditions import Conditions
from tests.network.datagrams import bound, broadcaster, outcome, received, send, udp6, unbound
from tests.network.lab import Host, Lab

A, B = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def lab() -> Lab:
    return Lab()


@pytest.fixture
def a(lab: Lab) -> Host:
    return lab.host("a", A)


@pytest.fixture
def b(lab: Lab) -> Host:
    return lab.host("b", B)


def connected(host: Host, port: int, to: str = B) -> UdpSocket:
    socket = unbound(host)
    socket.connect(host.process, InetAddress(to, port))
    return socket


def test_u01_a_datagram_keeps_its_edges_and_is_cut_to_what_was_asked_for(
    lab: Lab, a: Host, b: Host
) -> None:
    server, client = b.udp(53), a.udp(4000)
    send(a, client, b"one", (B, 53))
    send(a, client, b"second", (B, 53))
    lab.run()
    assert server.recv(2, 0) == b"on"
    assert server.recv(100, 0) == b"second"


def test_u02_an_empty_datagram_arrives(lab: Lab, a: Host, b: Host) -> None:
    server, client = b.udp(53), a.udp(4000)
    send(a, client, b"", (B, 53))
    lab.run()
    assert received(server) == [(b"", A, 4000)]


def test_u03_who_is_not_connected_hears_nothing_of_a_closed_port(
    lab: Lab, a: Host, b: Host
) -> None:
    client = a.udp(4000)
    send(a, client, b"x", (B, 9))
    lab.run()
    assert outcome(lambda: client.recv(1, 0)) == "would block"
    assert b.stack.counts.dropped == (("no port", 1),)


def test_u04_who_is_connected_hears_of_a_closed_port_once_after_a_round_trip(
    lab: Lab, a: Host, b: Host
) -> None:
    client = connected(a, 9)
    assert client.send(b"x", 0) == 1
    lab.run(until_s=0.0015)
    assert outcome(lambda: client.recv(1, 0)) == "would block"
    lab.run()
    assert lab.now_ns == 2_000_000
    assert outcome(lambda: client.recv(1, 0)) == "ECONNREFUSED"
    assert outcome(lambda: client.recv(1, 0)) == "would block"


def test_u04_so_does_who_is_connected_over_ipv6(lab: Lab) -> None:
    a, _ = lab.host("a", "fd00::1"), lab.host("b", "fd00::2")
    client = udp6(a)
    client.connect(a.process, Inet6Address("fd00::2", 9))
    client.send(b"x", 0)
    lab.run()
    assert outcome(lambda: client.recv(1, 0)) == "ECONNREFUSED"


def test_u04_on_a_wire_that_takes_no_time_the_refusal_is_there_at_once(
    lab: Lab, a: Host, b: Host
) -> None:
    lab.fabric.conditions = Conditions(latency_ns=0)
    client = connected(a, 9)
    client.send(b"x", 0)
    assert outcome(lambda: client.send(b"x", 0)) == "ECONNREFUSED"


def test_u05_who_is_connected_hears_its_peer_only(lab: Lab, a: Host, b: Host) -> None:
    stranger, server, client = b.udp(54), b.udp(53), connected(a, 53)
    port = client.port
    send(b, stranger, b"strange", (A, port))
    send(b, server, b"known", (A, port))
    lab.run()
    assert received(client) == [(b"known", B, 53)]


def test_u06_a_send_without_a_destination_fails_as_on_one_host(a: Host, b: Host) -> None:
    client = a.udp()
    assert outcome(lambda: client.send(b"x", 0)) == "EDESTADDRREQ"
    assert outcome(lambda: client.getpeername()) == "ENOTCONN"


def test_u07_65507_bytes_pass_and_one_more_is_too_long(lab: Lab, a: Host, b: Host) -> None:
    server, client = b.udp(53), a.udp()
    send(a, client, bytes(65507), (B, 53))
    lab.run()
    assert [len(data) for data, _, _ in received(server)] == [65507]
    too_long = bytes(65508)
    name = InetAddress(B, 53)
    assert outcome(lambda: client.sendto(too_long, 0, name, a.process)) == "EMSGSIZE"


def test_u08_who_sends_unbound_gets_a_port_and_can_be_answered(lab: Lab, a: Host, b: Host) -> None:
    server, client = b.udp(53), unbound(a)
    send(a, client, b"ask", (B, 53))
    lab.run()
    [(_, host, port)] = received(server)
    assert (host, port) == (A, client.port)
    send(b, server, b"answer", (host, port))
    lab.run()
    assert received(client) == [(b"answer", B, 53)]


def test_u09_a_full_buffer_drops_the_newest_and_nobody_is_told(lab: Lab, a: Host, b: Host) -> None:
    server, client = b.udp(53), a.udp()
    server.setsockopt(SOL_SOCKET, SO_RCVBUF, 8192)
    for number in range(200):
        send(a, client, b"%d" % number, (B, 53))
    lab.run()
    kept = [data for data, _, _ in received(server)]
    assert kept == [b"%d" % number for number in range(len(kept))]
    assert server.memory()[1] == 200 - len(kept) > 0


def test_u11_what_is_shut_for_sending_fails_with_epipe(a: Host, b: Host) -> None:
    client = connected(a, 53)
    client.shutdown(1)
    assert outcome(lambda: client.send(b"x", 0)) == "EPIPE"


def test_u12_port_0_is_no_destination(a: Host, b: Host) -> None:
    client = a.udp()
    assert outcome(lambda: client.sendto(b"x", 0, InetAddress(B, 0), a.process)) == "EINVAL"


def test_u13_a_pending_error_is_readiness(lab: Lab, a: Host, b: Host) -> None:
    client = connected(a, 9)
    client.send(b"x", 0)
    lab.run()
    assert client.poll() & ERR


def test_u14_a_look_leaves_the_datagram_and_tells_its_length(lab: Lab, a: Host, b: Host) -> None:
    server, client = b.udp(53), a.udp()
    send(a, client, b"hello", (B, 53))
    lab.run()
    seen = server.recvmsg(2, MSG_PEEK)
    assert isinstance(seen, Message)
    assert (seen.data, seen.length, seen.flags & MSG_TRUNC) == (b"he", 5, MSG_TRUNC)
    assert server.recv(9, 0) == b"hello"


def test_u15_an_answer_comes_from_the_address_that_routing_chooses(lab: Lab, a: Host) -> None:
    """As measured: whatever address was asked, unless the socket is bound to it."""
    b = lab.host("b", B, "10.0.0.3", "10.5.0.3")
    everywhere, there, client = b.udp(53), bound(b, ("10.0.0.3", 54)), a.udp(4000)
    for port in (53, 54):
        send(a, client, b"ask", ("10.0.0.3", port))
    lab.run()
    send(b, everywhere, b"1", (A, 4000))
    send(b, there, b"2", (A, 4000))
    lab.run()
    assert received(client) == [(b"1", B, 53), (b"2", "10.0.0.3", 54)]


def test_connect_shows_the_address_that_datagrams_leave_from(lab: Lab, b: Host) -> None:
    host = lab.host("c", "192.168.0.1/16", "10.0.0.9/8", "10.0.0.8")
    assert connected(host, 53).getsockname()[0] == "10.0.0.8"
    assert connected(host, 53, "10.9.9.9").getsockname()[0] == "10.0.0.9"
    assert connected(host, 53, "8.8.8.8").getsockname()[0] == "192.168.0.1"


def test_an_ipv6_socket_speaks_ipv4_to_other_hosts(lab: Lab, a: Host, b: Host) -> None:
    server, client = udp6(b, ("::", 53)), udp6(a, ("::", 4000))
    send(a, client, b"mapped", ("::ffff:10.0.0.2", 53))
    lab.run()
    assert received(server) == [(b"mapped", "::ffff:10.0.0.1", 4000)]
    send(b, server, b"back", ("::ffff:10.0.0.1", 4000))
    lab.run()
    assert received(client) == [(b"back", "::ffff:10.0.0.2", 53)]


def test_who_is_bound_to_the_loopback_reaches_nobody_else(a: Host, b: Host) -> None:
    client = bound(a, ("127.0.0.1", 0))
    name = InetAddress(B, 53)
    assert outcome(lambda: client.sendto(b"x", 0, name, a.process)) == "EINVAL"
    assert outcome(lambda: client.connect(a.process, name)) == "EINVAL"
    stream = a.tcp()
    stream.bind(a.process, InetAddress("127.0.0.1", 0))
    assert outcome(lambda: stream.connect(a.process, name)) == "EINVAL"


def test_another_hosts_address_cannot_be_bound(a: Host, b: Host) -> None:
    assert outcome(lambda: bound(a, (B, 0))) == "EADDRNOTAVAIL"


def test_the_loopback_stays_on_its_host(lab: Lab, a: Host, b: Host) -> None:
    there, here, client = b.udp(53), a.udp(53), a.udp(4000)
    send(a, client, b"home", ("127.0.0.1", 53))
    lab.run()
    assert received(here) == [(b"home", "127.0.0.1", 4000)]
    assert received(there) == []


def test_a_hosts_own_address_is_reached_without_the_wire(lab: Lab, a: Host) -> None:
    here, client = a.udp(53), a.udp(4000)
    send(a, client, b"home", (A, 53))
    assert received(here) == [(b"home", A, 4000)]
    assert a.stack.counts.sent == 0


def test_the_error_queue_names_who_refused(lab: Lab, a: Host, b: Host) -> None:
    client = a.udp(4000)
    client.setsockopt(IPPROTO_IP, IP_RECVERR, 1)
    send(a, client, b"q" * 1000, (B, 9))
    lab.run()
    assert outcome(lambda: client.recv(1, 0)) == "ECONNREFUSED"
    message = client.recvmsg(2000, MSG_ERRQUEUE, room := ControlRoom(a.process, 1000, 0))
    assert isinstance(message, Message)
    assert (len(message.data), message.address) == (520, InetAddress(B, 9))
    report = room.items[0][2]
    assert report[:8] == bytes([errno.ECONNREFUSED, 0, 0, 0, 2, 3, 3, 0])
    assert report[20:24] == bytes([10, 0, 0, 2])


def test_a_host_refuses_six_times_at_once_and_then_once_a_second(
    lab: Lab, a: Host, b: Host
) -> None:
    """net.ipv4.icmp_ratelimit, as measured; IPv6 allows ten a second."""
    client = connected(a, 9)

    def refusals(sends: int, pause_s: float) -> int:
        told = 0
        for _ in range(sends):
            told += outcome(lambda: client.send(b"x", 0)) == "ECONNREFUSED"
            lab.run(until_s=lab.now_ns / 1e9 + pause_s)
        return told + (outcome(lambda: client.recv(1, 0)) == "ECONNREFUSED")

    assert refusals(40, 0.003) == 6
    lab.run(until_s=10.0)
    assert refusals(100, 0.1) == 6 + 9  # in ten seconds


def test_a_broadcast_is_never_refused(lab: Lab, a: Host, b: Host) -> None:
    client = broadcaster(a, 4000)
    client.connect(a.process, InetAddress("10.0.0.255", 9))
    client.send(b"x", 0)
    lab.run()
    assert outcome(lambda: client.recv(1, 0)) == "would block"


def test_what_a_rebooted_address_gets_is_nobodys(lab: Lab, a: Host, b: Host) -> None:
    client = a.udp()
    send(a, client, b"x", (B, 53))
    b.stack.detach(B)
    lab.run()
    assert isinstance(client.recv(1, 0), WouldBlock)
