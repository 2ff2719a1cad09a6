"""Parking on asyncio, over real descriptors."""

from __future__ import annotations

import asyncio
from typing import final

from asyncipc.native.line import DescriptorLine, retry_timer, waits_for_descriptor
from asyncipc.runtime.asyncio_parking import AsyncioParking, AsyncioSleeper
from asyncipc.runtime.parking import Place, Sleeper


@final
class NativeAsyncioSleeper(AsyncioSleeper):
    """``patient``: it has let the others run once, and its turn has not come by that."""

    __slots__ = ("patient",)

    def __init__(self, place: Place | None) -> None:
        super().__init__(place)
        self.patient = False


@final
class NativeAsyncioParking(AsyncioParking):
    def __init__(self, quantum: int) -> None:
        super().__init__(quantum)
        self.sleeper = NativeAsyncioSleeper

    async def sleep(self, sleeper: Sleeper) -> None:
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
        assert isinstance(sleeper, NativeAsyncioSleeper)
        if not sleeper.patient:
            sleeper.patient = True  # as on trio: let the others run once
            self.spent = 0
            sleeper.task = asyncio.current_task()
            await asyncio.sleep(0)
            return
        line.vain += 1
        loop = asyncio.get_running_loop()
        number = line.number
        if line.writing:
            loop.add_writer(number, sleeper.wake)
        else:
            loop.add_reader(number, sleeper.wake)
        try:
            await super().sleep(sleeper)
        finally:
            if line.writing:
                loop.remove_writer(number)
            else:
                loop.remove_reader(number)
