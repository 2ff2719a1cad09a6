from __future__ import annotations

import pytest

from asyncipc.errors import BrokenPipeSignal, Unsupported
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.readiness import ERR, HUP, IN, OUT, RDHUP
from asyncipc.kernel.sockets.socket import MSG_OOB, MSG_PEEK, MSG_TRUNC, SHUT_WR, Message
from asyncipc.kernel.unix.seqpacket import SeqpacketEndpoint, seqpacket_pair
from tests.kernel.helpers import failure, hold, refused, sleep_in


def new_pair() -> tuple[SeqpacketEndpoint, SeqpacketEndpoint]:
    pair = seqpacket_pair(Kernel())
    hold(*pair)
    return pair


def fill(endpoint: SeqpacketEndpoint, size: int) -> int:
    count = 0
    while isinstance(endpoint.write(bytes(size)), int):
        count += 1
    return count


def mask(endpoint: SeqpacketEndpoint) -> int:
    return endpoint.poll() & (IN | OUT | HUP | RDHUP | ERR)


def test_boundaries_are_kept_and_a_short_read_drops_the_rest() -> None:
    a, b = new_pair()
    for data in (b"first", b"second"):
        assert a.write(data) == len(data)
    assert b.unread() == 11
    assert b.recv(9, MSG_PEEK) == b"first"
    assert b.recvmsg(2, 0) == Message(b"fi", 5, MSG_TRUNC)
    assert b.recv(9, 0) == b"second"
    assert refused(b.recv, 1, 0)
    with pytest.raises(Unsupported, match="recv_into"):
        b.recv(1, MSG_TRUNC)


def test_an_empty_message_is_readable_and_looks_like_the_end() -> None:
    a, b = new_pair()
    assert a.write(b"") == 0
    assert mask(b) == IN | OUT
    assert b.recv(9, 0) == b""
    assert refused(b.recv, 9, 0)


def test_a_closed_peer_is_the_end_and_a_broken_pipe_without_signal() -> None:
    a, b = new_pair()
    b.write(b"last")
    b.drop()
    assert mask(a) == IN | OUT | HUP | RDHUP
    assert [a.recv(9, 0), a.recv(9, 0)] == [b"last", b""]
    with pytest.raises(BrokenPipeError) as caught:
        a.write(b"x")
    assert not isinstance(caught.value, BrokenPipeSignal)


def test_a_reset_is_told_once_and_before_what_was_received() -> None:
    a, b = new_pair()
    b.write(b"kept")
    a.write(b"unread")
    b.drop()
    assert mask(a) & ERR
    assert failure(a.recv, 9, 0) == "ECONNRESET"
    assert [a.recv(9, 0), a.recv(9, 0)] == [b"kept", b""]


@pytest.mark.parametrize(("unread", "resets"), [(0, False), (1, False), (2, True)])
def test_one_empty_unread_message_is_no_reset(unread: int, resets: bool) -> None:
    a, b = new_pair()
    for _ in range(unread):
        a.write(b"")
    b.drop()
    assert bool(mask(a) & ERR) is resets
    assert failure(a.write, b"x") == ("ECONNRESET" if resets else "EPIPE")


def test_memory_holds_a_sender_back_until_a_quarter_is_left() -> None:
    a, b = new_pair()
    assert fill(a, 1) == 278
    sender, _ = sleep_in(a.write, b"x")
    while a.unsent() * 4 > a.send_limit:
        assert sender.wakes == 0
        b.recv(1, 0)
    assert sender.wakes == 1
    assert failure(a.write, bytes(a.send_limit - 31)) == "EMSGSIZE"


def test_a_half_close_leaves_the_other_direction() -> None:
    a, b = new_pair()
    a.shutdown(SHUT_WR)
    assert failure(a.write, b"x") == "EPIPE"
    assert b.recv(9, 0) == b""
    b.write(b"back")
    assert a.recv(9, 0) == b"back"


def test_nobody_looks_at_an_address() -> None:
    a, b = new_pair()
    assert a.sendto(b"x", 0, b"no such name", Kernel().init) == 1
    assert b.recv(9, 0) == b"x"


def test_an_unconnected_socket_is_enotconn_for_all() -> None:
    alone = SeqpacketEndpoint(Kernel())
    assert mask(alone) == OUT | HUP
    assert failure(alone.write, bytes(300_000)) == "ENOTCONN"
    assert failure(alone.send, b"x", MSG_OOB) == "ENOTCONN"
    assert failure(alone.recv, 1, 0) == "ENOTCONN"
    a, _ = new_pair()
    assert failure(a.send, b"x", MSG_OOB) == failure(a.recv, 1, MSG_OOB) == "EOPNOTSUPP"
