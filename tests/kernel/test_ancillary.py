"""Control messages in the pure kernel: descriptors and credentials, as 6.18 was seen to do it."""

from __future__ import annotations

import struct

import pytest

from asyncipc.errors import Unsupported
from asyncipc.faces.ancillary import descriptors_in, rights
from asyncipc.kernel.openfile import O_NONBLOCK
from asyncipc.kernel.readiness import READABLE
from asyncipc.kernel.sockets.ancillary import (
    MSG_CTRUNC,
    SCM_CREDENTIALS,
    ControlItem,
    cmsg_len,
    cmsg_space,
)
from asyncipc.kernel.sockets.options import (
    SO_PASSCRED,
    SO_PASSPIDFD,
    SO_PASSRIGHTS,
    SO_PASSSEC,
    SOL_SOCKET,
)
from asyncipc.kernel.sockets.socket import (
    AF_INET,
    AF_UNIX,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    SOCK_DGRAM,
    SOCK_SEQPACKET,
    SOCK_STREAM,
)
from asyncipc.kernel.unix.stream import StreamEndpoint
from asyncipc.kernel.waitqueue import WouldBlock
from tests.kernel.helpers import failure
from tests.kernel.passing import Host

KINDS = [SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET]
MESSAGES = [SOCK_DGRAM, SOCK_SEQPACKET]
UNKNOWN = (0, 65534, 65534)


@pytest.fixture
def host() -> Host:
    return Host()


def creds(pid: int, uid: int = 0, gid: int = 0) -> ControlItem:
    return SOL_SOCKET, SCM_CREDENTIALS, struct.pack("iii", pid, uid, gid)


def writers(items: tuple[ControlItem, ...]) -> list[tuple[int, ...]]:
    return [struct.unpack("III", data) for _, kind, data in items if kind == SCM_CREDENTIALS]


def test_the_sizes_of_items_are_those_of_64_bits() -> None:
    assert [cmsg_len(n) for n in (0, 4, 12)] == [16, 20, 28]
    assert [cmsg_space(n) for n in (0, 4, 12)] == [16, 24, 32]


class TestRights:
    @pytest.mark.parametrize("kind", KINDS)
    def test_the_receiver_gets_new_numbers_of_the_same_open_files(
        self, host: Host, kind: int
    ) -> None:
        a, b = host.pair(kind)
        r, w = host.pipe()
        host.pass_on(a, r, w, r)
        data, fds = host.receive_fds(b)
        assert data == b"x"
        assert fds == [w + 1, w + 2, w + 3]
        assert [host.file(fd) for fd in fds] == [host.file(r), host.file(w), host.file(r)]

    @pytest.mark.parametrize("kind", KINDS)
    def test_in_flight_they_keep_the_object_alive_and_with_the_receiver_it_goes(
        self, host: Host, kind: int
    ) -> None:
        a, b = host.pair(kind)
        r, w = host.pipe()
        host.pass_on(a, w)
        host.close(w)
        assert isinstance(host.file(r).read(1), WouldBlock)
        assert len(host.kernel.in_flight) == 1
        host.close(b)
        assert host.file(r).read(1) == b""
        assert len(host.kernel.in_flight) == 0

    @pytest.mark.parametrize("kind", KINDS)
    def test_reading_without_room_for_them_closes_them(self, host: Host, kind: int) -> None:
        a, b = host.pair(kind)
        r, w = host.pipe()
        for receive in (
            lambda: host.socket(b).read(9),
            lambda: host.socket(b).recv(9, 0),
            lambda: host.receive(b, room=0).data,
            lambda: host.receive(b, room=19).data,
        ):
            fd = host.process.table.dup(w, cloexec=False)
            host.pass_on(a, fd)
            host.close(fd)
            assert receive() == b"x"
            assert host.file(w).holders == 1
        host.close(w)
        assert host.file(r).read(1) == b""

    def test_room_for_fewer_gives_as_many_as_fit(self, host: Host) -> None:
        a, b = host.pair()
        r, _ = host.pipe()
        for room, count in [(0, 0), (19, 0), (20, 1), (23, 1), (24, 2), (27, 2), (28, 3), (40, 3)]:
            host.pass_on(a, r, r, r)
            message = host.receive(b, room=room)
            fds = descriptors_in(message.ancillary)
            assert len(fds) == count
            assert bool(message.flags & MSG_CTRUNC) == (count < 3)
            host.close(*fds)
            assert host.file(r).holders == 1

    def test_a_full_table_takes_as_many_as_it_has_numbers_for(self, host: Host) -> None:
        a, b = host.pair()
        r, w = host.pipe()
        host.pass_on(a, r, r, r)
        host.process.table.limit = w + 3
        message = host.receive(b)
        assert descriptors_in(message.ancillary) == [w + 1, w + 2]
        assert message.flags & MSG_CTRUNC
        assert host.file(r).holders == 3

    def test_253_is_the_most_over_all_items_of_a_message(self, host: Host) -> None:
        a, b = host.pair()
        r, _ = host.pipe()
        assert host.send(a, b"x", rights([r] * 200), rights([r] * 53)) == 1
        assert failure(host.send, a, b"x", rights([r] * 200), rights([r] * 54)) == "EINVAL"
        assert failure(host.send, a, b"x", rights([999] * 254)) == "EINVAL"
        assert len(descriptors_in(host.receive(b).ancillary)) == 253

    def test_a_number_that_is_not_open_sends_nothing(self, host: Host) -> None:
        a, b = host.pair()
        r, _ = host.pipe()
        for bad in (77, -1):
            assert failure(host.pass_on, a, r, bad) == "EBADF"
        assert isinstance(host.socket(b).recv(1, 0), WouldBlock)
        assert host.file(r).holders == 1

    def test_an_empty_item_and_odd_bytes_are_no_matter(self, host: Host) -> None:
        a, b = host.pair()
        r, _ = host.pipe()
        level, kind, data = rights([r])
        assert host.send(a, b"x", (level, kind, b"")) == 1
        assert host.receive(b).ancillary == ()
        assert host.send(a, b"x", (level, kind, data + bytes(3))) == 1
        assert len(host.receive_fds(b)[1]) == 1

    def test_other_items_are_refused_and_other_levels_are_not_looked_at(self, host: Host) -> None:
        a, b = host.pair()
        assert failure(host.send, a, b"x", (SOL_SOCKET, 3, bytes(4))) == "EINVAL"
        assert host.send(a, b"x", (41, 1, bytes(4))) == 1
        assert host.receive(b).ancillary == ()

    def test_a_socket_may_refuse_them(self, host: Host) -> None:
        a, b = host.pair()
        r, _ = host.pipe()
        assert host.socket(b).getsockopt(SOL_SOCKET, SO_PASSRIGHTS) == 1
        host.pass_on(a, r, data=b"before")
        host.turn(b, SO_PASSRIGHTS, 0)
        assert failure(host.pass_on, a, r) == "EPERM"
        assert host.pass_on(a, r, data=b"") == 0
        assert host.file(r).holders == 2
        assert host.receive_fds(b)[0] == b"before"

    def test_too_many_of_a_user_are_refused_but_not_roots(self, host: Host) -> None:
        a, b = host.pair()
        r, _ = host.pipe()
        host.process.table.limit = 20
        for _ in range(2):
            host.pass_on(a, *[r] * 11)
        assert host.pass_on(a, r) == 1
        host.process.uid = 1000
        for _ in range(2):
            host.pass_on(a, *[r] * 11)
        assert failure(host.pass_on, a, r) == "ETOOMANYREFS"
        assert host.file(r).holders == 1 + 45
        host.close(b)
        assert host.file(r).holders == 1

    @pytest.mark.parametrize("kind", MESSAGES)
    def test_a_message_that_is_cut_or_empty_has_its_descriptors(
        self, host: Host, kind: int
    ) -> None:
        a, b = host.pair(kind)
        r, _ = host.pipe()
        host.pass_on(a, r, data=b"abc")
        cut = host.receive(b, 0)
        assert (cut.data, cut.flags, len(cut.ancillary)) == (b"", MSG_TRUNC, 1)
        host.pass_on(a, r, data=b"")
        assert len(host.receive_fds(b)[1]) == 1

    def test_to_a_dead_peer_nothing_goes(self, host: Host) -> None:
        for kind, expected in [(SOCK_STREAM, "EPIPE"), (SOCK_DGRAM, "ECONNREFUSED")]:
            a, b = host.pair(kind)
            r, _ = host.pipe()
            host.close(b)
            assert failure(host.pass_on, a, r) == expected
            assert host.file(r).holders == 1

    def test_a_refused_send_has_queued_nothing(self, host: Host) -> None:
        a, _ = host.pair()
        r, _ = host.pipe()
        while not isinstance(host.socket(a).write(bytes(4096)), WouldBlock):
            pass
        assert isinstance(host.pass_on(a, r), WouldBlock)
        assert host.file(r).holders == 1
        assert len(host.kernel.in_flight) == 0

    def test_the_internet_takes_no_notice(self, host: Host) -> None:
        udp = host.kernel.socket(AF_INET, SOCK_DGRAM, 0)
        fd = host.opened(udp)
        assert failure(host.send, fd, b"x", rights([999])) == "EDESTADDRREQ"
        assert failure(host.send, fd, b"x", (SOL_SOCKET, 99, b"")) == "EINVAL"
        assert failure(host.send, fd, b"x", (0, 99, b"")) == "EINVAL"
        with pytest.raises(Unsupported, match="IP_PKTINFO"):
            host.send(fd, b"x", (0, 8, bytes(12)))


class TestStream:
    def test_a_read_goes_on_into_what_has_descriptors_and_ends_behind_it(self, host: Host) -> None:
        a, b = host.pair()
        r, _ = host.pipe()
        host.send(a, b"aa")
        host.pass_on(a, r, data=b"bb")
        host.pass_on(a, r, data=b"cc")
        host.send(a, b"dd")
        assert [host.receive(b).data for _ in range(3)] == [b"aabb", b"cc", b"dd"]

    def test_a_plain_recv_ends_there_too(self, host: Host) -> None:
        a, b = host.pair()
        r, _ = host.pipe()
        host.send(a, b"aa")
        host.pass_on(a, r, data=b"bb")
        host.send(a, b"cc")
        assert [host.socket(b).recv(9, 0) for _ in range(2)] == [b"aabb", b"cc"]

    def test_the_first_part_has_them_even_if_it_is_no_byte(self, host: Host) -> None:
        a, b = host.pair()
        r, _ = host.pipe()
        host.pass_on(a, r, data=b"abcd")
        host.send(a, b"ef")
        data, fds = host.receive_fds(b, 0)
        assert (data, len(fds)) == (b"", 1)
        assert host.receive_fds(b) == (b"abcdef", [])

    def test_a_read_that_ends_before_them_leaves_them(self, host: Host) -> None:
        a, b = host.pair()
        r, _ = host.pipe()
        host.send(a, b"aa")
        host.pass_on(a, r, data=b"bb")
        assert host.receive_fds(b, 2) == (b"aa", [])
        assert len(host.receive_fds(b, 1)[1]) == 1
        assert host.receive_fds(b) == (b"b", [])

    def test_without_bytes_they_are_lost(self, host: Host) -> None:
        a, b = host.pair()
        r, _ = host.pipe()
        assert host.pass_on(a, r, data=b"") == 0
        assert host.file(r).holders == 1
        assert isinstance(host.socket(b).recv(1, 0), WouldBlock)

    def test_of_a_long_send_the_first_packet_has_them(self, host: Host) -> None:
        a, b = host.pair()
        r, _ = host.pipe()
        host.pass_on(a, r, data=bytes(100_000))
        data, fds = host.receive_fds(b, 200_000)
        assert (len(data), len(fds)) == (36544, 1)
        data, fds = host.receive_fds(b, 200_000)
        assert (len(data), len(fds)) == (63456, 0)

    def test_each_peek_gives_them(self, host: Host) -> None:
        a, b = host.pair()
        r, _ = host.pipe()
        host.send(a, b"xx")
        host.pass_on(a, r, data=b"ab")
        host.send(a, b"cd")
        for _ in range(2):
            data, fds = host.receive_fds(b, flags=MSG_PEEK)
            assert (data, len(fds)) == (b"xxab", 1)
        assert host.file(r).holders == 4
        assert len(host.receive_fds(b, 3)[1]) == 1
        assert host.receive_fds(b, flags=MSG_PEEK) == (b"bcd", [])

    def test_memory_is_counted_as_ever(self, host: Host) -> None:
        a, b = host.pair()
        r, _ = host.pipe()
        host.send(a, b"plain")
        plain = host.file(a).unsent()
        host.pass_on(a, r, data=b"laden")
        assert host.file(a).unsent() == 2 * plain
        assert host.file(b).unread() == 10
        host.receive(b)
        assert host.file(a).unsent() == 0

    def test_urgent_bytes_and_control_messages_do_not_go_together(self, host: Host) -> None:
        a, b = host.pair()
        r, _ = host.pipe()
        host.pass_on(a, r)
        with pytest.raises(Unsupported, match="MSG_OOB"):
            host.socket(a).send(b"!", MSG_OOB)
        host.socket(b).send(b"!", MSG_OOB)
        with pytest.raises(Unsupported, match="MSG_OOB"):
            host.pass_on(b, r)

    def test_an_idle_stream_has_no_labels(self, host: Host) -> None:
        a, b = host.pair()
        host.send(a, b"plain")
        assert host.receive(b).data == b"plain"
        for fd in (a, b):
            socket = host.socket(fd)
            assert isinstance(socket, StreamEndpoint)
            assert socket.labelled is None


class TestCredentials:
    @pytest.mark.parametrize("kind", KINDS)
    def test_whoever_sends_is_named(self, host: Host, kind: int) -> None:
        a, b = host.pair(kind)
        host.turn(b, SO_PASSCRED)
        child = host.kernel.fork(host.process, "child")
        child.uid, child.gid = 7, 8
        host.calls_are_of(child)
        host.file(a).write(b"x")
        assert writers(host.receive(b).ancillary) == [(child.pid, 7, 8)]

    def test_bytes_of_different_senders_are_not_joined(self, host: Host) -> None:
        a, b = host.pair()
        host.turn(b, SO_PASSCRED)
        host.file(a).write(b"aa")
        child = host.kernel.fork(host.process, "child")
        host.calls_are_of(child)
        host.file(a).write(b"bb")
        host.file(a).write(b"cc")
        first, second = host.receive(b), host.receive(b)
        assert (first.data, writers(first.ancillary)) == (b"aa", [(host.process.pid, 0, 0)])
        assert (second.data, writers(second.ancillary)) == (b"bbcc", [(child.pid, 0, 0)])

    def test_nobody_asks_and_they_are_joined(self, host: Host) -> None:
        a, b = host.pair()
        host.send(a, b"x", creds(1, 5, 6))
        host.send(a, b"y")
        message = host.receive(b)
        assert (message.data, message.ancillary, message.flags) == (b"xy", (), 0)

    def test_what_was_sent_before_is_nobodys(self, host: Host) -> None:
        a, b = host.pair()
        host.send(a, b"xx")
        host.turn(b, SO_PASSCRED)
        host.send(a, b"yy")
        first, second = host.receive(b), host.receive(b)
        assert (first.data, writers(first.ancillary)) == (b"xx", [UNKNOWN])
        assert (second.data, writers(second.ancillary)) == (b"yy", [(host.process.pid, 0, 0)])

    def test_a_sender_who_asks_is_named_too(self, host: Host) -> None:
        a, b = host.pair()
        host.turn(a, SO_PASSCRED)
        host.send(a, b"x")
        assert host.receive(b).ancillary == ()
        host.send(a, b"x")
        host.turn(b, SO_PASSCRED)
        assert writers(host.receive(b).ancillary) == [(host.process.pid, 0, 0)]

    def test_what_a_sender_says_counts_and_equal_ones_are_joined(self, host: Host) -> None:
        a, b = host.pair()
        host.turn(b, SO_PASSCRED)
        own = host.process.pid
        for data, items in [(b"x", creds(1, 5, 6)), (b"z", creds(own)), (b"q", creds(own))]:
            host.send(a, data, items)
        first, second = host.receive(b), host.receive(b)
        assert (first.data, writers(first.ancillary)) == (b"x", [(1, 5, 6)])
        assert (second.data, writers(second.ancillary)) == (b"zq", [(own, 0, 0)])

    def test_only_root_may_say_who_else_it_is_and_he_must_be_there(self, host: Host) -> None:
        a, _ = host.pair()
        assert failure(host.send, a, b"x", creds(4190000)) == "ESRCH"
        assert failure(host.send, a, b"x", creds(host.process.pid, -1)) == "EINVAL"
        assert failure(host.send, a, b"x", (SOL_SOCKET, SCM_CREDENTIALS, bytes(11))) == "EINVAL"
        child = host.kernel.fork(host.process, "child")
        child.uid = child.gid = 1000
        for wrong in (creds(1, 1000, 1000), creds(child.pid, 0, 1000)):
            with pytest.raises(PermissionError):
                host.send(a, b"x", wrong, process=child)
        assert host.send(a, b"x", creds(child.pid, 1000, 1000), process=child) == 1

    def test_the_end_of_a_stream_is_nobodys_and_of_messages_it_is_not_told(
        self, host: Host
    ) -> None:
        for kind, expected in [(SOCK_STREAM, [(0, 0, 0)]), (SOCK_SEQPACKET, [])]:
            a, b = host.pair(kind)
            host.turn(b, SO_PASSCRED)
            host.close(a)
            assert writers(host.receive(b).ancillary) == expected

    def test_they_come_first_and_are_cut_to_the_room(self, host: Host) -> None:
        a, b = host.pair()
        host.turn(b, SO_PASSCRED)
        r, _ = host.pipe()
        for room, lengths in [
            (0, []), (15, []), (16, [0]), (20, [4]), (28, [12]), (51, [12]), (52, [12, 4]),
            (60, [12, 12]),
        ]:  # fmt: skip
            host.pass_on(a, r, r, r)
            message = host.receive(b, room=room)
            assert [len(data) for _, _, data in message.ancillary] == lengths
            assert bool(message.flags & MSG_CTRUNC) == (room < 60)

    def test_accepted_sockets_want_what_their_listener_wants(self, host: Host) -> None:
        server, client = (host.opened(host.kernel.socket(AF_UNIX, SOCK_STREAM, 0)) for _ in "ab")
        host.turn(server, SO_PASSCRED)
        host.turn(server, SO_PASSRIGHTS, 0)
        host.socket(server).bind(host.process, b"\0server")
        host.socket(server).listen(host.process, 5)
        host.socket(client).connect(host.process, b"\0server")
        host.send(client, b"early")
        assert failure(host.pass_on, client, client) == "EPERM"
        accepted = host.socket(server).accept()
        assert isinstance(accepted, tuple)
        message = host.receive(host.opened(accepted[0]))
        assert (message.data, writers(message.ancillary)) == (b"early", [(host.process.pid, 0, 0)])

    def test_options_are_for_unix_sockets(self, host: Host) -> None:
        unix = host.kernel.socket(AF_UNIX, SOCK_STREAM, 0)
        inet = host.kernel.socket(AF_INET, SOCK_STREAM, 0)
        unix.setsockopt(SOL_SOCKET, SO_PASSSEC, 1)
        with pytest.raises(Unsupported, match="SO_PASSPIDFD"):
            unix.setsockopt(SOL_SOCKET, SO_PASSPIDFD, 1)
        for option in (SO_PASSCRED, SO_PASSSEC, SO_PASSPIDFD, SO_PASSRIGHTS):
            assert failure(inet.getsockopt, SOL_SOCKET, option) == "EOPNOTSUPP"
            assert failure(inet.setsockopt, SOL_SOCKET, option, 1) == "EOPNOTSUPP"


class TestCycles:
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_socket_that_lies_in_itself_goes_with_the_next_that_is_closed(
        self, host: Host, kind: int
    ) -> None:
        a, b = host.pair(kind)
        r, w = host.pipe()
        host.pass_on(a, b, w)
        lost = host.file(b)
        host.close(b, w)
        assert lost.holders == 1
        host.close(a)
        assert lost.holders == 0
        assert host.file(r).read(1) == b""
        assert len(host.kernel.in_flight) == 0

    def test_two_that_lie_in_each_other_go_and_those_one_can_reach_stay(self, host: Host) -> None:
        a, b = host.pair()
        c, d = host.pair()
        host.pass_on(a, d)
        host.pass_on(c, b)
        lost = [host.file(fd) for fd in (b, d)]
        reached = host.pair()
        host.pass_on(reached[0], reached[1])
        host.close(b, d)
        host.close(*host.pair())
        assert [file.holders for file in lost] == [0, 0]
        assert host.receive_fds(reached[1])[0] == b"x"

    def test_what_lies_in_one_that_is_reached_is_not_lost(self, host: Host) -> None:
        a, b = host.pair()
        c, d = host.pair()
        host.pass_on(c, d)  # d in itself
        host.pass_on(a, d)  # and in b
        inner = host.file(d)
        host.close(d)
        host.close(*host.pair())
        assert inner.holders == 2
        host.close(*host.receive_fds(b)[1])
        host.close(*host.pair())
        assert inner.holders == 0

    def test_a_listener_in_the_buffer_of_one_it_has_not_accepted(self, host: Host) -> None:
        server, client = (host.opened(host.kernel.socket(AF_UNIX, SOCK_STREAM, 0)) for _ in "ab")
        host.socket(server).bind(host.process, b"\0server")
        host.socket(server).listen(host.process, 5)
        host.socket(client).connect(host.process, b"\0server")
        host.pass_on(client, server)
        lost = host.file(server)
        host.close(server)
        assert lost.holders == 1
        host.close(client)
        assert lost.holders == 0

    def test_a_chain_of_any_length_is_released(self, host: Host) -> None:
        host.process.table.limit = 2000
        first, inner = host.pair()
        files = [host.file(first)]
        for _ in range(400):
            a, b = host.pair()
            host.pass_on(a, inner)
            host.close(a, inner)
            files.append(host.file(b))
            inner = b
        host.close(inner)
        assert all(file.holders == 0 for file in files[1:])

    def test_what_waits_in_the_backlog_of_a_closed_listener_is_released(self, host: Host) -> None:
        for kind in (SOCK_STREAM, SOCK_SEQPACKET):
            server, client = (host.opened(host.kernel.socket(AF_UNIX, kind, 0)) for _ in "ab")
            host.socket(server).bind(host.process, b"\0server")
            host.socket(server).listen(host.process, 5)
            host.socket(client).connect(host.process, b"\0server")
            r, w = host.pipe()
            host.pass_on(client, w)
            host.close(w, server)
            assert host.file(r).read(1) == b""

    def test_the_last_holder_may_be_the_reader_itself(self, host: Host) -> None:
        a, b = host.pair(SOCK_DGRAM)
        host.file(b).flags |= O_NONBLOCK
        host.pass_on(a, a)
        host.close(a)
        assert host.socket(b).recv(9, 0) == b"x"
        assert host.file(b).poll() & READABLE == 0
