"""Mourning: processes that are over, and whose tasks are not gone yet.

A task whose process has ended is cancelled, and soon gone.  One that stays
swallows its cancellation, or is shielded from it: it is named, and if only
such tasks are left, the run can never end by itself.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, final

from asyncipc.errors import Deadlock
from asyncipc.runtime.clock import SECOND, VirtualTime, frozen_report
from asyncipc.runtime.process import print_undead

if TYPE_CHECKING:
    from asyncipc.kernel.timers import Timer
    from asyncipc.runtime.process import Body
    from asyncipc.runtime.simulation import Simulation

MOURNING_NS: Final = 60 * SECOND
"""How long a task may outlive its process on the machine's clock, unreported."""


@final
class Mourning:
    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._mourned: dict[Body, Timer] = {}

    def begin(self, body: Body) -> None:
        """A process is over: its task should be, soon."""
        if body in self._simulation.bodies:
            timers = self._simulation.timers
            due = timers.now() + MOURNING_NS
            self._mourned[body] = timers.arm(due, partial(self._outlived, body))
            self._set_impatience()

    def end(self, body: Body) -> None:
        """Its task is gone."""
        timer = self._mourned.pop(body, None)
        if timer is not None:
            self._simulation.timers.cancel(timer)
            self._set_impatience()

    def _set_impatience(self) -> None:
        timers = self._simulation.timers
        if isinstance(timers, VirtualTime):
            timers.impatient = bool(self._mourned)

    def _outlived(self, body: Body) -> None:
        print_undead(body.process)
        self.begin(body)
        if not self._anybody_lives():
            self._bring_down()

    def frozen(self, time: VirtualTime) -> None:
        """Time stands still: because of tasks that should be dead, or of living ones."""
        if self._mourned and not self._anybody_lives():
            for body in self._mourned:
                print_undead(body.process)
            self._bring_down()
        elif time.is_at_limit():
            self._simulation.bring_down(frozen_report(time.steps))

    def _anybody_lives(self) -> bool:
        return any(body.process.alive for body in self._simulation.bodies)

    def _bring_down(self) -> None:
        self._simulation.bring_down(Deadlock(self._simulation.blocked_report()))
