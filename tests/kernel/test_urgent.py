"""MSG_OOB on UNIX streams, as net/unix/af_unix.c (6.18) has it."""

from __future__ import annotations

import pytest

from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.readiness import IN, PRI
from asyncipc.kernel.sockets.options import SO_OOBINLINE, SOL_SOCKET
from asyncipc.kernel.sockets.socket import MSG_DONTWAIT, MSG_OOB, MSG_PEEK
from asyncipc.kernel.unix.stream import StreamEndpoint, stream_pair
from tests.kernel.helpers import failure, hold, refused, sleep_in


@pytest.fixture
def pair() -> tuple[StreamEndpoint, StreamEndpoint]:
    made = stream_pair(Kernel())
    hold(*made)
    return made


Pair = tuple[StreamEndpoint, StreamEndpoint]


def test_a_read_stops_before_the_mark_and_the_byte_is_read_out_of_turn(pair: Pair) -> None:
    a, b = pair
    assert a.send(b"abc", MSG_OOB) == 3
    assert b.poll() & (IN | PRI) == IN | PRI
    assert not b.at_mark()
    assert b.recv(9, 0) == b"ab"
    assert b.at_mark()
    assert b.recv(9, MSG_OOB | MSG_PEEK) == b"c"
    assert b.recv(9, MSG_OOB) == b"c"
    assert failure(b.recv, 1, MSG_OOB) == "EINVAL"
    assert b.poll() & (IN | PRI) == IN  # the gap is there until a read passes it
    assert refused(b.recv, 1, 0)
    assert not b.poll() & IN
    assert a.unsent() == 0


def test_a_read_that_begins_at_the_mark_drops_the_byte(pair: Pair) -> None:
    a, b = pair
    a.send(b"x", MSG_OOB)
    a.write(b"after")
    assert b.recv(9, MSG_PEEK) == b"after"
    assert b.recv(9, 0) == b"after"
    assert failure(b.recv, 1, MSG_OOB) == "EINVAL"
    assert a.unsent() == 0


def test_in_line_it_is_read_like_any_other_but_where_a_read_begins(pair: Pair) -> None:
    a, b = pair
    b.setsockopt(SOL_SOCKET, SO_OOBINLINE, 1)
    a.send(b"abc", MSG_OOB)
    a.write(b"de")
    assert failure(b.recv, 1, MSG_OOB) == "EINVAL"
    assert b.recv(9, 0) == b"ab"
    assert b.recv(9, MSG_PEEK) == b"cde"
    assert b.recv(9, 0) == b"cde"
    assert a.unsent() == 0


def test_a_newer_urgent_byte_makes_the_older_one_ordinary(pair: Pair) -> None:
    a, b = pair
    a.send(b"ab", MSG_OOB)
    a.send(b"cd", MSG_OOB)
    assert b.unread() == 4
    assert b.recv(9, 0) == b"abc"
    assert b.recv(9, MSG_OOB) == b"d"
    assert refused(b.recv, 1, 0)
    assert a.unsent() == 0


def test_a_read_stops_once_at_the_gap(pair: Pair) -> None:
    a, b = pair
    a.send(b"abX", MSG_OOB)
    a.write(b"cd")
    assert b.recv(1, MSG_OOB) == b"X"
    assert b.recv(9, MSG_PEEK) == b"ab"
    assert [b.recv(9, 0), b.recv(9, 0)] == [b"ab", b"cd"]


def test_an_urgent_byte_is_not_read_as_an_end_and_wakes_a_reader(pair: Pair) -> None:
    a, b = pair
    reader, refusal = sleep_in(b.recv, 9, 0)
    a.send(b"x", MSG_OOB)
    assert reader.wakes == 1
    refusal.line.try_again(reader)
    assert refused(b.recv, 9, 0)


def test_an_urgent_send_of_nothing_and_one_without_room_do_nothing(pair: Pair) -> None:
    a, b = pair
    assert failure(a.send, b"", MSG_OOB) == "EOPNOTSUPP"
    while isinstance(a.write(b"x" * 4096), int):
        pass
    before = b.unread()
    assert refused(a.send, b"xy", MSG_OOB)
    assert b.unread() == before


def test_one_who_waits_sends_both_parts_or_none(pair: Pair) -> None:
    a, b = pair
    while a.in_flight + 768 < a.send_limit:
        a.write(b"x")
    before = b.unread()
    assert refused(a.send, b"yz", MSG_OOB)
    assert a.send(b"yz", MSG_OOB | MSG_DONTWAIT) == 1
    assert b.unread() == before + 1


def test_an_unread_urgent_byte_makes_a_close_a_reset(pair: Pair) -> None:
    a, b = pair
    a.send(b"x", MSG_OOB)
    b.drop()
    assert failure(a.recv, 1, 0) == "ECONNRESET"
