"""Parking on asyncio, over real descriptors."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import final

from asyncipc.native.line import DescriptorLine, retry_timer, waits_for_descriptor
from asyncipc.runtime.asyncio_parking import AsyncioParking, AsyncioSleeper
from asyncipc.runtime.parking import Place, Sleeper


@final
class NativeAsyncioSleeper(AsyncioSleeper):
    """``stop_watching``: ends its registration, in the moment in which it is woken: who is
    killed gives the number up before its task unwinds.

    ``patient``: it has let the others run once, and was refused again.
    """

    __slots__ = ("patient", "stop_watching")

    def __init__(self, place: Place | None) -> None:
        super().__init__(place)
        self.stop_watching: Callable[[], object] | None = None
        self.patient = False

    def wake(self) -> None:
        stop, self.stop_watching = self.stop_watching, None
        if stop is not None:
            stop()
        super().wake()


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
            sleeper.patient = True
            sleeper.task = asyncio.current_task()
            await asyncio.sleep(0)
            self.spent = self._due  # as on trio: the others run before the next call
            return
        loop = asyncio.get_running_loop()
        number = line.number
        if line.writing:
            loop.add_writer(number, _ready, line, sleeper)
            sleeper.stop_watching = partial(loop.remove_writer, number)
        else:
            loop.add_reader(number, _ready, line, sleeper)
            sleeper.stop_watching = partial(loop.remove_reader, number)
        try:
            await super().sleep(sleeper)
        finally:
            sleeper.wake()


def _ready(line: DescriptorLine, sleeper: Sleeper) -> None:
    line.vain += 1
    sleeper.wake()
