"""Options of TCP: ranges, what is kept, what is inherited."""

from __future__ import annotations

import errno

import pytest

from asyncipc.errors import Unsupported
from asyncipc.kernel.ip.options import IPPROTO_TCP
from asyncipc.kernel.tcp import options as tcp
from tests.kernel.helpers import failure
from tests.kernel.tcp import Host


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.mark.parametrize(
    ("option", "given", "kept"),
    [
        (tcp.TCP_NODELAY, 5, 1),
        (tcp.TCP_KEEPIDLE, 32767, 32767),
        (tcp.TCP_LINGER2, -3, -1),
        (tcp.TCP_LINGER2, 0, 60),
        (tcp.TCP_LINGER2, 500, 120),
        (tcp.TCP_DEFER_ACCEPT, 4, 7),
        (tcp.TCP_DEFER_ACCEPT, 200, 247),
        (tcp.TCP_WINDOW_CLAMP, 5, 1152),
        (tcp.TCP_MAXSEG, 500, 500),
        (tcp.TCP_MAXSEG, 0, 536),
    ],
)
def test_numbers_are_kept_as_the_kernel_keeps_them(
    host: Host, option: int, given: int, kept: int
) -> None:
    socket = host.socket()
    socket.setsockopt(IPPROTO_TCP, option, given)
    assert socket.getsockopt(IPPROTO_TCP, option) == kept


@pytest.mark.parametrize(
    ("option", "given"),
    [
        (tcp.TCP_KEEPIDLE, 0),
        (tcp.TCP_KEEPIDLE, 32768),
        (tcp.TCP_KEEPINTVL, 0),
        (tcp.TCP_KEEPCNT, 128),
        (tcp.TCP_SYNCNT, 0),
        (tcp.TCP_MAXSEG, 87),
        (tcp.TCP_MAXSEG, 32768),
        (tcp.TCP_USER_TIMEOUT, -1),
    ],
)
def test_what_is_out_of_range_is_invalid(host: Host, option: int, given: int) -> None:
    assert failure(host.socket().setsockopt, IPPROTO_TCP, option, given) == "EINVAL"


def test_unknown_options_are_told_and_holes_are_loud(host: Host) -> None:
    socket = host.socket()
    assert failure(socket.getsockopt, IPPROTO_TCP, 9999) == "ENOPROTOOPT"
    assert failure(socket.setsockopt, IPPROTO_TCP, tcp.TCP_INFO, 1) == "ENOPROTOOPT"
    socket.setsockopt(IPPROTO_TCP, 23, 0)
    with pytest.raises(Unsupported, match="TCP_FASTOPEN"):
        socket.setsockopt(IPPROTO_TCP, 23, 5)


def test_congestion_control_is_known_by_name(host: Host) -> None:
    socket = host.socket()
    socket.setsockopt(IPPROTO_TCP, tcp.TCP_CONGESTION, b"reno")
    assert socket.getsockopt(IPPROTO_TCP, tcp.TCP_CONGESTION) == b"reno".ljust(16, b"\0")
    with pytest.raises(OSError) as caught:
        socket.setsockopt(IPPROTO_TCP, tcp.TCP_CONGESTION, b"vegas")
    assert caught.value.errno == errno.ENOENT


def test_connections_inherit_their_listeners_options_and_then_have_their_own(host: Host) -> None:
    listener = host.listener()
    listener.setsockopt(IPPROTO_TCP, tcp.TCP_KEEPIDLE, 9)
    host.connected(listener.getsockname())
    accepted = host.accepted(listener)
    listener.setsockopt(IPPROTO_TCP, tcp.TCP_KEEPIDLE, 10)
    assert accepted.getsockopt(IPPROTO_TCP, tcp.TCP_KEEPIDLE) == 9
