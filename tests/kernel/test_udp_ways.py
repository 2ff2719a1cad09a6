"""The ways that a UDP socket remembers: to the last receivers, as long as they hold."""

from __future__ import annotations

from asyncipc.kernel.sockets.address import InetAddress
from asyncipc.kernel.sockets.options import SO_REUSEADDR
from asyncipc.kernel.udp.datagram import NO_WAYS, WAYS_MAX
from tests.kernel.helpers import failure, refused
from tests.kernel.udp import Host

LOOPBACK = "127.0.0.1"


def test_who_sends_to_several_by_turns_reaches_each() -> None:
    host = Host()
    receivers = [host.bound() for _ in range(3)]
    sender = host.bound()
    for turn in range(4):
        for number, receiver in enumerate(receivers):
            host.send(sender, b"%d to %d" % (turn, number), receiver)
    for number, receiver in enumerate(receivers):
        heard = [receiver.recv(9, 0) for _ in range(4)]
        assert heard == [b"%d to %d" % (turn, number) for turn in range(4)]


def test_all_remembered_ways_end_when_a_better_receiver_binds() -> None:
    host = Host()
    shared = (SO_REUSEADDR,)
    one, other = (host.bound("0.0.0.0", options=shared) for _ in range(2))
    names = [InetAddress(LOOPBACK, socket.port) for socket in (one, other)]
    sender = host.bound()
    for _ in range(2):
        for name in names:
            host.send(sender, b"former", name)
    better = [host.bound(port=name.port, options=shared) for name in names]
    for name in names:
        host.send(sender, b"new", name)
    assert [socket.recv(9, 0) for socket in better] == [b"new", b"new"]
    for socket in (one, other):
        assert [socket.recv(9, 0), socket.recv(9, 0)] == [b"former", b"former"]
        assert refused(socket.recv, 9, 0)


def test_a_refusal_is_told_whomever_the_next_send_is_for() -> None:
    host = Host()
    peer, friend = host.bound(), host.bound()
    sender = host.connected(peer.getsockname())
    for _ in range(2):
        host.send(sender, b"x", friend)
        host.send(sender, b"x", peer)
    peer.drop()
    assert sender.send(b"x", 0) == 1
    assert failure(host.send, sender, b"x", friend) == "ECONNREFUSED"
    host.send(sender, b"again", friend)
    assert [friend.recv(9, 0) for _ in range(3)] == [b"x", b"x", b"again"]


def test_who_sends_to_one_holds_no_table_and_who_sends_to_many_a_bounded_one() -> None:
    host = Host()
    sender = host.bound()
    receivers = [host.bound() for _ in range(WAYS_MAX + 9)]
    for _ in range(3):
        host.send(sender, b"x", receivers[0])
    assert sender.ways is NO_WAYS
    for receiver in receivers:
        host.send(sender, b"x", receiver)
        assert len(sender.ways) <= WAYS_MAX
    assert all(receiver.recv(9, 0) == b"x" for receiver in receivers)
    assert NO_WAYS == {}
