"""The stack of one host: its addresses, its power, and packets that nobody takes."""

from __future__ import annotations

import errno

import pytest

from asyncipc.errors import Unsupported
from asyncipc.kernel.ip.options import IP_RECVERR, IPPROTO_IP
from asyncipc.kernel.sockets.address import Inet6Address, InetAddress
from asyncipc.kernel.sockets.ancillary import ControlRoom
from asyncipc.kernel.sockets.socket import MSG_ERRQUEUE, Message
from asyncipc.network.internet.stack import RING
from asyncipc.network.internet.subnet import Subnet
from tests.network.datagrams import bound, outcome, received, send, udp6, unbound
from tests.network.lab import Host, Lab

A, B = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def lab() -> Lab:
    return Lab()


# -- addresses


@pytest.mark.parametrize(
    ("text", "address", "prefix", "broadcast"),
    [
        ("10.0.0.2", "10.0.0.2", 24, "10.0.0.255"),
        ("10.1.2.3/8", "10.1.2.3", 8, "10.255.255.255"),
        ("10.0.0.2/31", "10.0.0.2", 31, None),
        ("fd00::2", "fd00::2", 64, None),
        ("FD00:0::2/48", "fd00::2", 48, None),
    ],
)
def test_an_address_has_a_prefix(
    text: str, address: str, prefix: int, broadcast: str | None
) -> None:
    subnet = Subnet(text)
    assert (subnet.address, subnet.prefix, subnet.broadcast) == (address, prefix, broadcast)


@pytest.mark.parametrize(
    "text",
    ["10.0.0", "10.0.0.2/33", "10.0.0.255", "0.0.0.0", "224.0.0.1", "127.0.0.2", "::1",
     "::ffff:10.0.0.1", "name"],
)  # fmt: skip
def test_what_can_be_no_hosts_address_is_refused(lab: Lab, text: str) -> None:
    host = lab.host("a", A)
    with pytest.raises(ValueError):
        host.stack.attach(text)
    assert host.stack.addresses == (A,)


def test_link_local_addresses_are_refused_by_name(lab: Lab) -> None:
    host = lab.host("a", "fd00::1")
    with pytest.raises(Unsupported, match="link-local"):
        host.stack.attach("fe80::1")
    with pytest.raises(Unsupported, match="link-local"):
        udp6(host).sendto(b"x", 0, Inet6Address("fe80::2", 1, 0, 2), host.process)


def test_a_host_has_several_addresses_of_both_families(lab: Lab) -> None:
    a, b = lab.host("a", A, "fd00::1"), lab.host("b", B, "10.7.0.2/16", "fd00::2")
    server, client = udp6(b, ("::", 53)), udp6(a, ("::", 4000))
    for target in ("::ffff:10.0.0.2", "::ffff:10.7.0.2", "fd00::2"):
        send(a, client, target.encode(), (target, 53))
    lab.run()
    assert [data.decode() for data, _, _ in received(server)] == [
        "::ffff:10.0.0.2", "::ffff:10.7.0.2", "fd00::2",
    ]  # fmt: skip


def test_a_detached_address_is_free_for_another_host(lab: Lab) -> None:
    a, b = lab.host("a", A), lab.host("b", B, "10.0.0.3")
    server = b.udp(53)
    b.stack.detach("10.0.0.3")
    assert outcome(lambda: bound(b, ("10.0.0.3", 0))) == "EADDRNOTAVAIL"
    other = lab.host("c", "10.0.0.3").udp(53)
    send(a, a.udp(4000), b"x", ("10.0.0.3", 53))
    lab.run()
    assert (received(server), received(other)) == ([], [(b"x", A, 4000)])


def test_what_is_not_the_hosts_cannot_be_detached(lab: Lab) -> None:
    a, _ = lab.host("a", A), lab.host("b", B)
    with pytest.raises(ValueError, match=r"10\.0\.0\.2 is no address of a"):
        a.stack.detach(B)


def test_without_an_address_of_the_family_there_is_no_way(lab: Lab) -> None:
    a, _ = lab.host("a", "fd00::1"), lab.host("b", B)
    client = unbound(a)
    assert outcome(lambda: client.connect(a.process, InetAddress(B, 1))) == "ENETUNREACH"


# -- nobody there


def test_nobody_in_the_subnet_is_known_after_three_seconds(lab: Lab) -> None:
    """As measured: an unconnected socket with IP_RECVERR is told, by its own host."""
    a = lab.host("a", A)
    client = a.udp(4000)
    client.setsockopt(IPPROTO_IP, IP_RECVERR, 1)
    for data in (b"0", b"1"):
        send(a, client, data, ("10.0.0.77", 80))
    lab.run(until_s=2.9)
    assert outcome(lambda: client.recv(1, 0)) == "would block"
    lab.run()
    assert lab.now_ns == 3_000_000_000
    assert outcome(lambda: client.recv(1, 0)) == "EHOSTUNREACH"
    message = client.recvmsg(9, MSG_ERRQUEUE, room := ControlRoom(a.process, 1000, 0))
    assert isinstance(message, Message)
    assert (message.data, message.address) == (b"0", InetAddress("10.0.0.77", 80))
    assert room.items[0][2][:8] == bytes([errno.EHOSTUNREACH, 0, 0, 0, 2, 3, 1, 0])
    assert room.items[0][2][20:24] == bytes([10, 0, 0, 1])
    assert a.stack.counts.dropped == (("no host", 2),)


def test_a_connected_udp_socket_is_not_told_that_nobody_is_there(lab: Lab) -> None:
    """EHOSTUNREACH is not hard (icmp_err_convert), as measured."""
    a = lab.host("a", A)
    client = unbound(a)
    client.connect(a.process, InetAddress("10.0.0.77", 80))
    client.send(b"x", 0)
    lab.run()
    assert outcome(lambda: client.recv(1, 0)) == "would block"


def test_who_comes_while_he_is_asked_for_gets_what_waited(lab: Lab) -> None:
    a = lab.host("a", A)
    send(a, a.udp(4000), b"x", (B, 53))
    lab.run(until_s=1.5)
    server = lab.host("b", B).udp(53)
    lab.run()
    assert received(server) == [(b"x", A, 4000)]
    assert lab.now_ns == 2_001_000_000


def test_far_away_nobody_answers_and_nobody_tells(lab: Lab) -> None:
    a = lab.host("a", A)
    client = a.udp()
    client.setsockopt(IPPROTO_IP, IP_RECVERR, 1)
    send(a, client, b"x", ("192.168.0.1", 80))
    lab.run()
    assert outcome(lambda: client.recv(1, 0)) == "would block"
    assert a.stack.counts.dropped == (("no host", 1),)
    assert lab.now_ns == 0


# -- ICMP echo


def test_a_ping_measures_the_round_trip(lab: Lab) -> None:
    a, _ = lab.host("a", A, "fd00::1"), lab.host("b", B, "fd00::2")
    told: list[int] = []
    for target in (B, "fd00::2", A, "127.0.0.1"):
        a.stack.ping(target, told.append)
    lab.run()
    assert told == [0, 0, 2_000_000, 2_000_000]


def test_a_ping_to_a_host_that_is_down_is_never_answered(lab: Lab) -> None:
    a, b = lab.host("a", A), lab.host("b", B)
    b.stack.power_off()
    a.stack.ping(B, lambda _: pytest.fail("answered"))
    lab.run()
    assert b.stack.counts.dropped == (("down", 1),)


# -- power


def test_a_host_that_is_down_sends_and_hears_nothing(lab: Lab) -> None:
    a, b = lab.host("a", A), lab.host("b", B)
    here, there = a.udp(53), b.udp(53)
    b.stack.power_off()
    send(a, here, b"x", (B, 53))
    send(b, there, b"x", (A, 53))
    lab.run()
    assert (received(here), received(there)) == ([], [])
    assert b.stack.counts.dropped == (("down", 2),)


def test_who_is_switched_off_asks_for_nobody_any_more(lab: Lab) -> None:
    a = lab.host("a", A)
    send(a, a.udp(), b"x", ("10.0.0.77", 80))
    a.stack.power_off()
    lab.run()
    assert lab.now_ns == 0


def test_what_comes_to_a_host_that_stands_still_waits_in_order(lab: Lab) -> None:
    a, b = lab.host("a", A), lab.host("b", B)
    client, servers = a.udp(4000), [b.udp(port) for port in range(50, 60)]
    b.stack.pause()
    for number in range(RING + 5):
        send(a, client, b"%d" % number, (B, 50 + number % 10))
    lab.run()
    assert received(servers[0]) == []
    assert b.stack.counts.dropped == (("ring", 5),)
    b.stack.resume()
    for place, server in enumerate(servers):
        assert [int(data) for data, _, _ in received(server)] == [*range(place, RING, 10)]


def test_what_a_host_that_stands_still_would_send_leaves_when_it_goes_on(lab: Lab) -> None:
    a, b = lab.host("a", A), lab.host("b", B)
    client = unbound(a)
    client.connect(a.process, InetAddress(B, 9))
    client.send(b"x", 0)
    b.stack.pause()
    lab.run(until_s=5.0)
    assert outcome(lambda: client.recv(1, 0)) == "would block"
    b.stack.resume()
    lab.run()
    assert outcome(lambda: client.recv(1, 0)) == "ECONNREFUSED"


# -- damage


@pytest.mark.parametrize("checksums", [True, False])
def test_a_damaged_packet_is_dropped_where_checksums_are_looked_at(
    lab: Lab, checksums: bool
) -> None:
    _, b = lab.host("a", A), lab.host("b", B)
    server = b.udp(53)
    b.stack.checksums = checksums
    packet = _packet_to(lab, b)
    b.stack.input(packet.with_body(packet.body.with_data(b"wrong"), damaged=True))
    assert [data for data, _, _ in received(server)] == ([] if checksums else [b"wrong"])
    assert b.stack.counts.dropped == ((("damage", 1),) if checksums else ())


def _packet_to(lab: Lab, b: Host):  # type: ignore[no-untyped-def]
    from asyncipc.network.internet.udp import UdpBody
    from asyncipc.network.packet import Packet

    names = InetAddress(A, 4000), InetAddress(B, 53)
    return Packet(A, B, UdpBody((b"right", *names, 832)))


def test_a_stream_to_nobody_in_the_subnet_fails_after_three_seconds(lab: Lab) -> None:
    a = lab.host("a", A)
    client, name = a.tcp(), InetAddress("10.0.0.77", 80)
    assert outcome(lambda: client.connect(a.process, name)) == "would block"
    lab.run(until_s=2.9)
    assert outcome(lambda: client.connect(a.process, name)) == "would block"
    lab.run(until_s=3.0)
    assert outcome(lambda: client.connect(a.process, name)) == "EHOSTUNREACH"
