from __future__ import annotations

from collections.abc import Callable
from typing import final

import pytest

from asyncipc.errors import Unsupported
from asyncipc.kernel.anonymous.timerfd import (
    CLOCK_BOOTTIME,
    CLOCK_MONOTONIC,
    CLOCK_REALTIME,
    TFD_TIMER_ABSTIME,
    TFD_TIMER_CANCEL_ON_SET,
    TimerFile,
)
from asyncipc.kernel.kernel import Kernel
from asyncipc.kernel.readiness import IN
from asyncipc.kernel.timers import Timer
from tests.kernel.helpers import failure, refused, sleep_in


@final
class Armed:
    def __init__(self, due_ns: int, action: Callable[[], None]) -> None:
        self.due_ns = due_ns
        self.action = action


@final
class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.ns = 1_000
        self.armed: list[Armed] = []

    def now(self) -> int:
        return self.ns

    def arm(self, due_ns: int, action: Callable[[], None]) -> Timer:
        self.armed.append(Armed(due_ns, action))
        return self.armed[-1]

    def cancel(self, timer: Timer) -> None:
        self.armed = [each for each in self.armed if each is not timer]

    def pass_by(self, ns: int) -> None:
        end = self.ns + ns
        while due := [each for each in self.armed if each.due_ns <= end]:
            first = min(due, key=lambda each: each.due_ns)
            self.ns = first.due_ns
            self.armed.remove(first)
            first.action()
        self.ns = end


def timer() -> tuple[TimerFile, Clock]:
    kernel, clock = Kernel(), Clock()
    kernel.timers = clock
    file = kernel.anonymous.timerfd(CLOCK_MONOTONIC, 0)
    file.hold()
    return file, clock


def expirations(file: TimerFile) -> int:
    ticks = file.read(8)
    assert isinstance(ticks, bytes)
    return int.from_bytes(ticks, "little")


def test_it_expires_once_when_its_time_is_over() -> None:
    file, clock = timer()
    assert file.settime(0, 100, 0) == (0, 0)
    clock.pass_by(99)
    assert (file.poll(), file.gettime()) == (0, (1, 0))
    clock.pass_by(1)
    assert (file.poll(), file.gettime()) == (IN, (0, 0))
    assert expirations(file) == 1
    assert refused(file.read, 8)


def test_an_interval_counts_what_nobody_has_read() -> None:
    file, clock = timer()
    file.settime(0, 100, 10)
    clock.pass_by(135)
    assert clock.armed == [], "nobody is woken for what nobody reads"
    assert expirations(file) == 4
    assert file.gettime() == (5, 10)
    clock.pass_by(5)
    assert expirations(file) == 1


def test_asking_counts_too() -> None:
    file, clock = timer()
    file.settime(0, 100, 10)
    clock.pass_by(135)
    assert file.gettime() == (5, 10)
    assert expirations(file) == 4


def test_an_absolute_time_that_is_past_expires_at_once_and_counts_the_intervals() -> None:
    file, clock = timer()
    file.settime(TFD_TIMER_ABSTIME, 1, 0)
    assert expirations(file) == 1
    clock.pass_by(0)
    file.settime(TFD_TIMER_ABSTIME, 900, 30)
    assert expirations(file) == 4
    assert file.gettime() == (20, 30)


def test_setting_it_drops_what_was_not_read_and_tells_what_was_left() -> None:
    file, clock = timer()
    file.settime(0, 5, 0)
    clock.pass_by(20)
    assert file.settime(0, 1_000, 7) == (0, 0)
    assert file.poll() == 0
    clock.pass_by(400)
    assert file.settime(0, 0, 0) == (600, 7)
    assert (clock.armed, file.gettime()) == ([], (0, 0))


def test_a_reader_sleeps_until_it_expires() -> None:
    file, clock = timer()
    reader, _ = sleep_in(file.read, 8)
    file.settime(0, 10, 0)
    clock.pass_by(10)
    assert reader.wakes == 1


def test_its_release_disarms_it() -> None:
    file, clock = timer()
    file.settime(0, 10, 0)
    file.drop()
    assert clock.armed == []


def test_wrong_arguments_fail_as_linux_says() -> None:
    file, _ = timer()
    assert failure(file.settime, 4, 1, 0) == "EINVAL"
    assert failure(file.settime, 0, -1, 0) == "EINVAL"
    assert failure(file.settime, 0, 1, -1) == "EINVAL"
    assert file.settime(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, 0, 0) == (0, 0)
    assert failure(file.read, 7) == "EINVAL"
    assert failure(file.write, bytes(8)) == "EINVAL"
    makers = Kernel().anonymous
    assert failure(makers.timerfd, CLOCK_REALTIME, 1) == "EINVAL"
    assert failure(makers.timerfd, 2, 0) == "EINVAL"
    assert makers.timerfd(CLOCK_BOOTTIME, 0).poll() == 0
    with pytest.raises(Unsupported):
        makers.timerfd(8, 0)
