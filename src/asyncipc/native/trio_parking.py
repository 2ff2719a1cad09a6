"""Parking on trio, over real descriptors."""

from __future__ import annotations

from typing import final

import trio
from trio.lowlevel import notify_closing, wait_readable, wait_writable

from asyncipc.native.line import DescriptorLine, retry_timer, waits_for_descriptor
from asyncipc.runtime import lent
from asyncipc.runtime.parking import STRICT, Place, Sleeper
from asyncipc.runtime.trio_parking import TrioParking, TrioSleeper


@final
class NativeTrioSleeper(TrioSleeper):
    """``number``: the descriptor that it waits for, -1 if it waits for none.

    ``patient``: it has let the others run once, and was refused again.
    """

    __slots__ = ("number", "patient")

    def __init__(self, place: Place | None) -> None:
        super().__init__(place)
        self.number = -1
        self.patient = False

    def wake(self) -> None:
        if self.number < 0:
            super().wake()
            return
        # trio's way to wake who waits for a descriptor.  Who waits for its other
        # direction is woken as well, and sleeps on.
        number, self.number = self.number, -1
        notify_closing(number)


@final
class NativeTrioParking(TrioParking):
    def __init__(self, quantum: int) -> None:
        super().__init__(quantum)
        self.sleeper = NativeTrioSleeper

    async def sleep(self, sleeper: Sleeper) -> None:  # type: ignore[override]
        self.owes_turn = False
        line = waits_for_descriptor(sleeper)
        if line is not None:
            await self._wait_for_descriptor(sleeper, line)
            return
        timer = retry_timer(sleeper)
        try:
            await super().sleep(sleeper)
        finally:
            if timer is not None:
                sleeper.body.simulation.timers.cancel(timer)

    async def _wait_for_descriptor(self, sleeper: Sleeper, line: DescriptorLine) -> None:
        assert isinstance(sleeper, NativeTrioSleeper)
        self.spent = 0
        sleeper.task = lent.trio_task()
        if not sleeper.patient:
            # Who makes it ready is mostly a task of this loop: to let it run costs less
            # than to be told by the operating system.  Who then goes on lets the others
            # run as after a call that did not wait: so its next one finds things ready.
            sleeper.patient = True
            self.owes_turn = self.quantum == STRICT
            await trio.lowlevel.checkpoint()
            return
        number = sleeper.number = line.number
        try:
            await (wait_writable(number) if line.writing else wait_readable(number))
            line.vain += 1
        except trio.ClosedResourceError:
            pass  # woken for another reason, or with who waits for the other direction
        finally:
            sleeper.number = -1
