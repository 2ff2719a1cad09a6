"""Names, connections, errors and shutdown of a UDP socket."""

from __future__ import annotations

import errno

import pytest

from asyncipc.errors import Unsupported
from asyncipc.kernel.ip.options import IPPROTO_UDP
from asyncipc.kernel.openfile import O_NONBLOCK
from asyncipc.kernel.readiness import ERR, HUP, IN, OUT, RDHUP
from asyncipc.kernel.sockets.address import Inet6Address, InetAddress
from asyncipc.kernel.sockets.options import SO_ERROR, SOL_SOCKET
from asyncipc.kernel.sockets.socket import (
    AF_INET6,
    MSG_DONTWAIT,
    MSG_ERRQUEUE,
    MSG_MORE,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    MSG_WAITALL,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    Message,
)
from asyncipc.kernel.udp.options import UDP_CORK
from tests.kernel.helpers import failure, refused, sleep_in
from tests.kernel.udp import Host

LOOPBACK = "127.0.0.1"
ASKED = IN | OUT | ERR | HUP | RDHUP


def test_the_first_send_binds_to_the_wildcard_even_if_it_fails() -> None:
    host = Host()
    socket = host.socket()
    assert socket.getsockname() == InetAddress("0.0.0.0", 0)
    assert failure(socket.send, b"x", 0) == "EDESTADDRREQ"
    host_name, port = socket.getsockname()[:2]
    assert host_name == "0.0.0.0"
    assert port
    assert failure(socket.bind, host.process, InetAddress(LOOPBACK, 0)) == "EINVAL"


def test_an_unbound_sender_shows_the_address_of_the_route() -> None:
    host = Host()
    receiver = host.bound("127.0.0.5")
    sender = host.socket()
    host.send(sender, b"x", receiver)
    expected = Message(b"x", 1, 0, InetAddress(LOOPBACK, sender.port))
    assert receiver.recvmsg(9, 0) == expected


def test_a_wildcard_destination_is_the_senders_own_host() -> None:
    host = Host()
    receiver = host.bound("127.0.0.7")
    host.send(host.bound("127.0.0.7"), b"x", InetAddress("0.0.0.0", receiver.port))
    assert receiver.recv(9, 0) == b"x"
    assert host.connected(InetAddress("0.0.0.0", 9)).getpeername() == InetAddress(LOOPBACK, 9)
    assert host.connected(Inet6Address("::", 9)).getpeername() == Inet6Address("::1", 9)


def test_connect_filters_what_comes_and_keeps_what_is_there() -> None:
    host = Host()
    one, friend, stranger = host.bound(), host.bound(), host.bound()
    host.send(stranger, b"before", one)
    one.connect(host.process, friend.getsockname())
    host.send(stranger, b"stranger", one)
    host.send(friend, b"friend", one)
    assert [one.recv(9, 0), one.recv(9, 0)] == [b"before", b"friend"]
    assert refused(one.recv, 9, 0)
    host.send(one, b"elsewhere", stranger)
    assert stranger.recv(9, 0) == b"elsewhere"


def test_a_filtered_sender_that_is_connected_is_refused() -> None:
    host = Host()
    one = host.bound()
    one.connect(host.process, InetAddress(LOOPBACK, 9))
    stranger = host.connected(one.getsockname())
    assert stranger.send(b"x", 0) == 1
    assert failure(stranger.recv, 9, 0) == "ECONNREFUSED"


def test_a_socket_connected_to_itself_hears_itself() -> None:
    host = Host()
    socket = host.bound()
    socket.connect(host.process, socket.getsockname())
    socket.send(b"x", 0)
    assert socket.recvmsg(9, 0) == Message(b"x", 1, 0, socket.getsockname())


def test_port_zero_can_be_connected_to_and_not_be_sent_to() -> None:
    host = Host()
    socket = host.connected(InetAddress(LOOPBACK, 0))
    assert failure(socket.getpeername) == "ENOTCONN"
    assert socket.send(b"x", 0) == 1
    assert failure(socket.recv, 9, 0) == "ECONNREFUSED"
    assert failure(host.send, socket, b"x", InetAddress(LOOPBACK, 0)) == "EINVAL"
    host.send(host.bound(), b"any port", socket)
    assert socket.recv(9, 0) == b"any port"
    host.send(host.bound("127.0.0.2"), b"other host", socket)
    assert refused(socket.recv, 9, 0)


def test_a_disconnect_gives_up_what_was_not_given_to_bind() -> None:
    host = Host()
    peer = host.bound().getsockname()
    by_number = host.bound(port=5000)
    by_host = host.bound()
    anywhere = host.bound("0.0.0.0", port=5001)
    automatic = host.socket()
    for socket in (by_number, by_host, anywhere, automatic):
        socket.connect(host.process, peer)
        assert socket.getsockname()[0] == LOOPBACK
        socket.connect(host.process, None)
        assert failure(socket.getpeername) == "ENOTCONN"
    assert by_number.getsockname() == InetAddress(LOOPBACK, 5000)
    assert by_host.getsockname() == InetAddress(LOOPBACK, 0)
    assert anywhere.getsockname() == InetAddress("0.0.0.0", 5001)
    assert automatic.getsockname() == InetAddress("0.0.0.0", 0)
    host.send(by_host, b"x", peer)
    assert by_host.getsockname()[0] == LOOPBACK
    host.socket().connect(host.process, None)  # of who never was: nothing happens


def test_another_connect_keeps_the_own_address() -> None:
    host = Host()
    socket = host.connected(InetAddress(LOOPBACK, 9))
    name = socket.getsockname()
    socket.connect(host.process, InetAddress("127.0.0.5", 9))
    assert socket.getsockname() == name
    assert failure(socket.connect, host.process, InetAddress("10.0.0.1", 9)) == "ENETUNREACH"
    assert socket.getpeername() == InetAddress("127.0.0.5", 9)


# -- IPv6


def test_an_ipv6_socket_speaks_ipv4_in_mapped_names() -> None:
    host = Host()
    six = host.bound("::")
    four = host.bound()
    host.send(six, b"to four", Inet6Address("::ffff:127.0.0.1", four.port))
    assert four.recvmsg(9, 0) == Message(b"to four", 7, 0, InetAddress(LOOPBACK, six.port))
    host.send(four, b"to six", InetAddress(LOOPBACK, six.port))
    expected = Inet6Address("::ffff:127.0.0.1", four.port)
    assert six.recvmsg(9, 0) == Message(b"to six", 6, 0, expected)
    six.connect(host.process, Inet6Address("::ffff:127.0.0.1", four.port))
    assert six.getsockname() == Inet6Address("::ffff:127.0.0.1", six.port)
    assert six.getpeername() == expected


def test_a_socket_on_an_ipv6_address_has_nothing_to_do_with_ipv4() -> None:
    host = Host()
    socket = host.bound("::1")
    mapped = Inet6Address("::ffff:127.0.0.1", 9)
    assert socket.getsockopt(41, 26) == 1
    assert failure(host.send, socket, b"x", mapped) == "ENETUNREACH"
    assert failure(socket.connect, host.process, mapped) == "ENETUNREACH"


def test_a_socket_on_a_mapped_address_has_nothing_to_do_with_ipv6() -> None:
    host = Host()
    socket = host.bound("::ffff:127.0.0.1")
    assert socket.getsockname() == Inet6Address("::ffff:127.0.0.1", socket.port)
    assert failure(host.send, socket, b"x", Inet6Address("::1", 9)) == "EAFNOSUPPORT"


def test_v6only_is_settled_by_a_port() -> None:
    host = Host()
    socket = host.socket(AF_INET6)
    socket.setsockopt(41, 26, 1)
    name = Inet6Address("::ffff:127.0.0.1", 0)
    assert failure(socket.bind, host.process, name) == "EINVAL"
    socket.bind(host.process, Inet6Address("::", 0))
    assert failure(socket.setsockopt, 41, 26, 0) == "EINVAL"


def test_an_address_of_a_link_needs_its_interface() -> None:
    host = Host()
    socket = host.socket(AF_INET6)
    assert failure(socket.bind, host.process, Inet6Address("fe80::1", 0)) == "EINVAL"
    assert failure(socket.connect, host.process, Inet6Address("ff02::1", 9)) == "EINVAL"
    assert failure(socket.connect, host.process, Inet6Address("fe80::1", 9)) == "EINVAL"


def test_an_address_of_the_other_family_is_refused() -> None:
    host = Host()
    four, six = host.socket(), host.socket(AF_INET6)
    name = Inet6Address("::1", 9)
    assert failure(host.send, four, b"x", name) == "EAFNOSUPPORT"
    assert failure(four.connect, host.process, name) == "EAFNOSUPPORT"
    assert failure(four.connect, host.process, b"/a/path") == "EAFNOSUPPORT"
    assert failure(six.bind, host.process, InetAddress(LOOPBACK, 0)) == "EINVAL"


# -- refusals


def test_a_connected_sender_learns_once_that_nobody_is_there() -> None:
    host = Host()
    socket = host.connected(host.dead())
    assert socket.send(b"one", 0) == 3
    assert socket.poll() & ASKED == OUT | ERR
    assert failure(socket.send, b"two", 0) == "ECONNREFUSED"
    assert socket.poll() & ASKED == OUT
    assert socket.send(b"three", 0) == 5
    assert socket.getsockopt(SOL_SOCKET, SO_ERROR) == errno.ECONNREFUSED
    assert socket.getsockopt(SOL_SOCKET, SO_ERROR) == 0


def test_a_receiver_that_closes_is_missed_at_once() -> None:
    host = Host()
    receiver = host.bound()
    socket = host.connected(receiver.getsockname())
    socket.send(b"x", 0)
    receiver.drop()
    assert socket.send(b"y", 0) == 1
    assert failure(socket.send, b"z", 0) == "ECONNREFUSED"


def test_an_error_is_told_before_data_and_outlives_another_connect() -> None:
    host = Host()
    socket = host.bound()
    host.send(host.bound(), b"queued", socket)
    socket.connect(host.process, host.dead())
    socket.send(b"x", 0)
    socket.connect(host.process, InetAddress(LOOPBACK, 9))
    assert failure(socket.recv, 9, 0) == "ECONNREFUSED"
    assert socket.recv(9, 0) == b"queued"


def test_who_is_not_connected_there_learns_nothing() -> None:
    host = Host()
    unconnected = host.bound()
    host.send(unconnected, b"x", host.dead())
    elsewhere = host.connected(host.dead())
    host.send(elsewhere, b"x", host.dead())
    assert [socket.poll() & ERR for socket in (unconnected, elsewhere)] == [0, 0]


def test_a_sleeping_reader_is_woken_by_a_refusal() -> None:
    host = Host()
    socket = host.connected(host.dead())
    reader, refusal = sleep_in(socket.recv, 9, 0)
    socket.send(b"x", 0)
    assert reader.wakes == 1
    refusal.line.try_again(reader)
    assert failure(socket.recv, 9, 0) == "ECONNREFUSED"


def test_the_order_in_which_a_send_fails() -> None:
    host = Host()
    socket = host.connected(host.dead())
    socket.send(b"x", 0)
    assert failure(socket.send, bytes(65508), 0) == "EMSGSIZE"
    assert failure(socket.send, b"x", MSG_OOB) == "EOPNOTSUPP"
    assert failure(host.send, socket, b"x", InetAddress(LOOPBACK, 0)) == "EINVAL"
    assert failure(host.send, socket, b"x", InetAddress("10.0.0.1", 9)) == "ENETUNREACH"
    socket.shutdown(SHUT_WR)
    assert failure(socket.send, b"x", 0) == "ECONNREFUSED"
    assert failure(socket.send, b"x", 0) == "EPIPE"


def test_the_longest_datagrams() -> None:
    host = Host()
    four, six = host.bound(), host.bound("::1")
    assert host.send(host.socket(), bytes(65507), four) == 65507
    assert failure(host.send, host.socket(), bytes(65508), four) == "EMSGSIZE"
    sender = host.socket(AF_INET6)
    assert host.send(sender, bytes(65527), six) == 65527
    assert failure(host.send, sender, bytes(65528), six) == "EMSGSIZE"
    mapped = Inet6Address("::ffff:127.0.0.1", four.port)
    assert failure(host.send, sender, bytes(65508), mapped) == "EMSGSIZE"
    assert failure(host.socket().send, bytes(70000), 0) == "EMSGSIZE"


# -- receiving


def test_datagrams_keep_their_edges_and_a_short_read_drops_the_rest() -> None:
    host = Host()
    receiver = host.bound()
    sender = host.connected(receiver.getsockname())
    for data in (b"first", b"", b"third"):
        assert sender.write(data) == len(data)
    assert receiver.unread() == 5
    assert receiver.recv(9, MSG_PEEK) == b"first"
    assert receiver.recvmsg(2, MSG_PEEK) == Message(b"fi", 5, MSG_TRUNC, sender.getsockname())
    assert [receiver.recv(2, 0), receiver.recv(9, 0)] == [b"fi", b""]
    assert receiver.recv(9, MSG_WAITALL | MSG_OOB) == b"third"
    assert refused(receiver.recv, 9, 0)
    assert receiver.unread() == 0


def test_a_recvmsg_of_nothing_takes_a_datagram_and_a_read_of_nothing_does_not() -> None:
    host = Host()
    receiver = host.bound()
    sender = host.connected(receiver.getsockname())
    sender.send(b"one", 0)
    assert receiver.read(0) == b""
    assert receiver.recvmsg(0, 0) == Message(b"", 3, MSG_TRUNC, sender.getsockname())
    assert refused(receiver.recv, 9, 0)


def test_a_mutable_buffer_is_sent_as_it_was() -> None:
    host = Host()
    receiver = host.bound()
    sender = host.connected(receiver.getsockname())
    data = bytearray(b"first")
    for _ in range(2):  # with care, and by the remembered way
        sender.send(data, 0)
    data[:] = b"other"
    assert [receiver.recv(9, 0), receiver.recv(9, 0)] == [b"first", b"first"]


def test_readers_are_served_in_order_and_nobody_overtakes() -> None:
    host = Host()
    receiver = host.bound()
    sender = host.connected(receiver.getsockname())
    first, refusal = sleep_in(receiver.recv, 9, 0)
    second, _ = sleep_in(receiver.recv, 9, 0)
    sender.send(b"x", 0)
    sender.send(b"y", 0)
    assert (first.wakes, second.wakes) == (1, 0)
    assert refused(receiver.recv, 9, 0)
    assert refused(receiver.recvmsg, 9, 0)
    refusal.line.try_again(first)
    assert receiver.recv(9, 0) == b"x"
    refusal.line.leave(first)
    assert second.wakes == 1


def test_the_error_queue_is_always_empty() -> None:
    assert failure(Host().bound().recv, 9, MSG_ERRQUEUE) == "EAGAIN"


# -- gathering


def test_msg_more_gathers_one_datagram_for_where_it_began() -> None:
    host = Host()
    one, other = host.bound(), host.bound()
    sender = host.socket()
    host.send(sender, b"ab", one, MSG_MORE)
    host.send(sender, b"cd", other)
    assert [one.recv(9, 0), refused(other.recv, 9, 0)] == [b"abcd", True]
    host.send(sender, b"ab", one, MSG_MORE)
    assert sender.send(b"", 0) == 0
    assert one.recv(9, 0) == b"ab"
    assert failure(sender.send, b"", 0) == "EDESTADDRREQ"


def test_a_datagram_that_grows_too_long_is_given_up() -> None:
    host = Host()
    one = host.bound()
    sender = host.socket()
    host.send(sender, bytes(60000), one, MSG_MORE)
    assert failure(sender.send, bytes(6000), 0) == "EMSGSIZE"
    assert failure(sender.send, b"x", 0) == "EDESTADDRREQ"
    assert refused(one.recv, 9, 0)


def test_the_memory_of_a_gathered_datagram_is_its_first_parts_and_the_other_bytes() -> None:
    host = Host()
    one = host.bound()
    sender = host.socket()
    for size, memory in ((10, 842), (300, 1580), (5000, 13448), (20000, 40832)):
        host.send(sender, bytes(size), one, MSG_MORE)
        sender.send(bytes(size), 0)
        assert one.inbox.held == memory
        one.recv(9, 0)


def test_a_cork_holds_sends_back_until_it_is_drawn() -> None:
    host = Host()
    one = host.bound()
    sender = host.connected(one.getsockname())
    sender.setsockopt(IPPROTO_UDP, UDP_CORK, 1)
    assert sender.getsockopt(IPPROTO_UDP, UDP_CORK) == 1
    sender.send(b"ab", 0)
    sender.send(b"cd", 0)
    assert refused(one.recv, 9, 0)
    sender.setsockopt(IPPROTO_UDP, UDP_CORK, 0)
    assert one.recv(9, 0) == b"abcd"
    assert failure(sender.getsockopt, IPPROTO_UDP, 99) == "ENOPROTOOPT"
    with pytest.raises(Unsupported, match="UDP_SEGMENT"):
        sender.setsockopt(IPPROTO_UDP, 103, 1)


# -- shutdown, poll


def test_a_shut_receiver_still_takes_datagrams_and_only_the_patient_get_an_end() -> None:
    host = Host()
    peer = host.bound()
    one = host.connected(peer.getsockname())
    host.send(peer, b"x", one)
    one.shutdown(SHUT_RD)
    assert one.poll() & ASKED == IN | OUT | RDHUP
    assert [one.recv(9, 0), one.recv(9, 0)] == [b"x", b""]
    assert one.recvmsg(9, 0) == Message(b"", 0)
    assert refused(one.recv, 9, MSG_DONTWAIT)
    one.flags |= O_NONBLOCK
    assert refused(one.recv, 9, 0)
    host.send(peer, b"y", one)
    assert one.recv(9, 0) == b"y"


def test_what_is_shut_for_sending_stays_so() -> None:
    host = Host()
    peer = host.bound()
    one = host.connected(peer.getsockname())
    one.send(b"before", 0)
    one.shutdown(SHUT_WR)
    assert one.poll() & ASKED == OUT
    assert failure(one.send, b"x", 0) == "EPIPE"
    one.connect(host.process, peer.getsockname())
    assert failure(one.send, b"x", 0) == "EPIPE"
    one.connect(host.process, None)
    assert failure(host.send, one, b"x", peer) == "EPIPE"


def test_shutdown_without_a_peer_fails_and_yet_wakes_the_reader() -> None:
    host = Host()
    socket = host.bound()
    reader, refusal = sleep_in(socket.recv, 9, 0)
    assert failure(socket.shutdown, 7) == "EINVAL"
    assert failure(socket.shutdown, SHUT_RDWR) == "ENOTCONN"
    assert reader.wakes == 1
    refusal.line.try_again(reader)
    assert socket.recv(9, 0) == b""
    assert socket.poll() & ASKED == IN | OUT | HUP | RDHUP


def test_the_wire_is_told_of_what_is_kept_and_not_of_what_is_dropped() -> None:
    host = Host()
    told: list[tuple[object, object, int]] = []
    host.kernel.wire = lambda source, target, size: told.append((source, target, size))
    receiver = host.bound()
    sender = host.connected(receiver.getsockname())
    while not receiver.inbox.drops:
        sender.send(bytes(60000), 0)
    assert told == [(sender, receiver, 60000)] * 3


def test_a_report_names_the_socket_and_who_may_send_to_it() -> None:
    host = Host()
    socket, friend, stranger = host.bound(port=5000), host.bound(), host.bound()
    stranger.connect(host.process, InetAddress(LOOPBACK, 9))
    assert socket.describe().endswith("(udp 127.0.0.1:5000)")
    assert socket.wakers(IN) == (friend,)
