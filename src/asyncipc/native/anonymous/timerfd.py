"""The timerfd of the operating system, timerfd_create(2), on the system's own clocks."""

from __future__ import annotations

from ctypes import byref
from typing import final

from asyncipc.kernel.openfile import Home
from asyncipc.native import libc
from asyncipc.native.anonymous.file import NativeAnonymous
from asyncipc.runtime.clock import SECOND


@final
class NativeTimer(NativeAnonymous):
    __slots__ = ()

    def settime(self, flags: int, value_ns: int, interval_ns: int) -> tuple[int, int]:
        new = libc.TimerSetting(divmod(interval_ns, SECOND), divmod(value_ns, SECOND))
        former = libc.TimerSetting()
        libc.timerfd_settime(self.number, flags, byref(new), byref(former))
        return _in_ns(former)

    def gettime(self) -> tuple[int, int]:
        now = libc.TimerSetting()
        libc.timerfd_gettime(self.number, byref(now))
        return _in_ns(now)


def new_timer(kernel: Home, clock: int, flags: int) -> NativeTimer:
    """timerfd_create(2)"""
    return NativeTimer(kernel, libc.timerfd_create(clock, flags), flags)


def _in_ns(setting: libc.TimerSetting) -> tuple[int, int]:
    """What is left, and the interval."""
    left, interval = setting.it_value, setting.it_interval
    return (
        left.tv_sec * SECOND + left.tv_nsec,
        interval.tv_sec * SECOND + interval.tv_nsec,
    )
