"""Socket options at the level SOL_SOCKET, on UNIX sockets."""

from __future__ import annotations

import struct

import pytest

from asyncipc.errors import Unsupported
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.readiness import IN, OUT
from asyncipc.kernel.sockets import options as opt
from asyncipc.kernel.sockets.options import SOL_SOCKET, UNCHANGED
from asyncipc.kernel.unix.datagram import DatagramEndpoint
from asyncipc.kernel.unix.stream import StreamEndpoint
from tests.kernel.helpers import failure


@pytest.fixture
def socket() -> StreamEndpoint:
    return StreamEndpoint(Kernel())


@pytest.mark.parametrize(
    ("request_", "stored"),
    [(1, 4608), (5000, 10_000), (4_194_304, 8_388_608), (2**31 - 1, 8_388_608), (-1, 8_388_608)],
)
def test_a_buffers_size_is_stored_doubled_within_bounds(
    socket: StreamEndpoint, request_: int, stored: int
) -> None:
    socket.setsockopt(SOL_SOCKET, opt.SO_SNDBUF, request_)
    assert socket.getsockopt(SOL_SOCKET, opt.SO_SNDBUF) == stored


def test_switches_read_back_as_one_and_zero_and_belong_to_one_socket(
    socket: StreamEndpoint,
) -> None:
    socket.setsockopt(SOL_SOCKET, opt.SO_KEEPALIVE, 7)
    assert socket.getsockopt(SOL_SOCKET, opt.SO_KEEPALIVE) == 1
    assert StreamEndpoint(Kernel()).getsockopt(SOL_SOCKET, opt.SO_KEEPALIVE) == 0
    socket.setsockopt(SOL_SOCKET, opt.SO_KEEPALIVE, 0)
    assert socket.getsockopt(SOL_SOCKET, opt.SO_KEEPALIVE) == 0
    assert failure(socket.setsockopt, SOL_SOCKET, opt.SO_REUSEPORT, 1) == "EOPNOTSUPP"


def test_times_are_timevals_and_limit_waits_for_their_direction(socket: StreamEndpoint) -> None:
    assert not socket.limited
    socket.setsockopt(SOL_SOCKET, opt.SO_RCVTIMEO, struct.pack("qq", 1, 500_000))
    assert socket.limited
    assert (socket.patience(IN), socket.patience(OUT)) == (1_500_000_000, None)
    assert socket.getsockopt(SOL_SOCKET, opt.SO_RCVTIMEO) == struct.pack("qq", 1, 500_000)
    socket.setsockopt(SOL_SOCKET, opt.SO_SNDTIMEO, struct.pack("qq", -1, 0))
    assert socket.patience(OUT) == 0
    bad = struct.pack("qq", 0, 1_000_000)
    assert failure(socket.setsockopt, SOL_SOCKET, opt.SO_RCVTIMEO, bad) == "EDOM"
    assert failure(socket.setsockopt, SOL_SOCKET, opt.SO_RCVTIMEO, 1) == "EINVAL"


def test_unknown_and_foreign_options_and_those_that_cannot_be_set(socket: StreamEndpoint) -> None:
    assert failure(socket.getsockopt, SOL_SOCKET, 9999) == "ENOPROTOOPT"
    assert failure(socket.setsockopt, SOL_SOCKET, 9999, 1) == "ENOPROTOOPT"
    assert failure(socket.setsockopt, SOL_SOCKET, opt.SO_ERROR, 1) == "ENOPROTOOPT"
    assert failure(socket.setsockopt, SOL_SOCKET, opt.SO_TYPE, 1) == "ENOPROTOOPT"
    assert failure(socket.getsockopt, 6, 1) == "EOPNOTSUPP"
    assert failure(socket.setsockopt, 6, 1, 1) == "EOPNOTSUPP"
    assert failure(socket.setsockopt, SOL_SOCKET, opt.SO_KEEPALIVE, b"\1") == "EINVAL"


def test_linger_is_kept(socket: StreamEndpoint) -> None:
    socket.setsockopt(SOL_SOCKET, opt.SO_LINGER, struct.pack("ii", 1, 5))
    assert socket.getsockopt(SOL_SOCKET, opt.SO_LINGER) == struct.pack("ii", 1, 5)


def test_a_peek_offset_is_refused_by_name_where_it_is_not_modelled() -> None:
    with pytest.raises(Unsupported, match="SO_PEEK_OFF"):
        DatagramEndpoint(Kernel()).setsockopt(SOL_SOCKET, opt.SO_PEEK_OFF, 0)


def test_a_socket_that_changes_nothing_has_no_set_of_its_own(socket: StreamEndpoint) -> None:
    socket.setsockopt(SOL_SOCKET, opt.SO_SNDBUF, 5000)
    socket.getsockopt(SOL_SOCKET, opt.SO_RCVLOWAT)
    assert socket.options is UNCHANGED
