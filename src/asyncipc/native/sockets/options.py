"""Options of the operating system's sockets.

Values are its own.  Its time limits do not act on descriptors that never
block, so those are kept here as well, for the calls that wait; and the same
for SO_RCVLOWAT.  A lingering close would stop the whole interpreter: see
:func:`do_not_linger`.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from asyncipc.kernel.sockets import options as opt
from asyncipc.native.refusal import demand_isolation

if TYPE_CHECKING:
    from socket import socket

    from asyncipc.native.sockets.socket import NativeSocket

TELLING_PIDS: Final = {
    opt.SO_PEERCRED: "SO_PEERCRED",
    opt.SO_PASSCRED: "SO_PASSCRED",
    opt.SO_PASSPIDFD: "SO_PASSPIDFD",
    opt.SO_PEERPIDFD: "SO_PEERPIDFD",
}
NO_TIMEVAL: Final = bytes(16)
LOW_WATER_DEFAULT: Final = struct.pack("i", 1)


def get(own: NativeSocket, level: int, option: int) -> bytes:
    """getsockopt(2)"""
    if level == opt.SOL_SOCKET:
        if option in TELLING_PIDS and option not in opt.SWITCHES:
            demand_isolation(TELLING_PIDS[option])
        if option == opt.SO_ERROR and own.error:
            return own.take_error().to_bytes(4, "little")
    return own.real.getsockopt(level, option, opt.OPTION_MAX)


def put(own: NativeSocket, level: int, option: int, value: int | bytes) -> None:
    """setsockopt(2)"""
    if level == opt.SOL_SOCKET and option in TELLING_PIDS and opt.integer(value):
        demand_isolation(TELLING_PIDS[option])
    own.real.setsockopt(level, option, value)
    if level == opt.SOL_SOCKET:
        _keep(own, option, value)


def _keep(own: NativeSocket, option: int, value: int | bytes) -> None:
    """What acts on waits, and on close."""
    if option == opt.SO_RCVTIMEO:
        own.own_options().receive_timeout_ns = opt.duration(value)
    elif option == opt.SO_SNDTIMEO:
        own.own_options().send_timeout_ns = opt.duration(value)
    elif option == opt.SO_RCVLOWAT:
        told = own.real.getsockopt(opt.SOL_SOCKET, option)
        own.own_options().receive_low_water = told
    elif option == opt.SO_LINGER:
        on, seconds = opt.linger(value)
        own.own_options().linger = seconds if on else None


def ask(own: NativeSocket) -> None:
    """What a socket that was made elsewhere has been set to.

    A time limit below 0 (never wait) reads as none.
    """
    for option, default in (
        (opt.SO_RCVTIMEO, NO_TIMEVAL),
        (opt.SO_SNDTIMEO, NO_TIMEVAL),
        (opt.SO_RCVLOWAT, LOW_WATER_DEFAULT),
        (opt.SO_LINGER, bytes(8)),
    ):
        value = own.real.getsockopt(opt.SOL_SOCKET, option, len(default))
        if value != default:
            _keep(own, option, value)


def do_not_linger(real: socket) -> None:
    """Nobody can wait for a close: what is not yet acknowledged goes on in the background.

    SO_LINGER with no time is left as it is: that resets, and waits for nothing.
    """
    with suppress(OSError):
        real.setsockopt(opt.SOL_SOCKET, opt.SO_LINGER, struct.pack("ii", 0, 0))
