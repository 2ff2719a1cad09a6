"""The player: carries out a fault schedule, at its times, on a stage."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias, final

from asyncipc.network.faults.rules import nanoseconds
from asyncipc.network.faults.schedule import Event, Schedule, Value
from asyncipc.network.links.conditions import Conditions, conditions

if TYPE_CHECKING:
    from asyncipc.kernel.timers import Timer, Timers
    from asyncipc.network.fabric import Fabric
    from asyncipc.network.faults.cuts import Cut, Cuts

Undo: TypeAlias = Callable[[], None]


class Stage(Protocol):
    """What faults are played on: the network, and the hosts by their names."""

    @property
    def cuts(self) -> Cuts: ...

    def set_link(self, source: str, target: str, parameters: dict[str, Value]) -> Undo:
        """One way has these conditions beside its own (:class:`Changes` does it)."""

    def crash(self, host: str) -> None: ...
    def restart(self, host: str) -> None: ...
    def pause(self, host: str) -> None: ...
    def resume(self, host: str) -> None: ...
    def step_clock(self, host: str, seconds: float) -> None: ...


@final
class Player:
    """``start`` is the schedule's second 0."""

    def __init__(self, schedule: Iterable[Event], stage: Stage, timers: Timers) -> None:
        self.schedule = Schedule(schedule)
        self._stage = stage
        self._timers = timers
        self._waiting: dict[Timer, None] = {}
        self._lasting: dict[int, Undo] = {}

    @property
    def is_over(self) -> bool:
        return not self._waiting

    def start(self) -> None:
        """Ends are armed first: of one time, what ends does so before what begins."""
        origin = self._timers.now()
        for index, event in enumerate(self.schedule):
            if event.until_s is not None:
                self._arm(origin + nanoseconds(event.until_s), self._end, index)
        for index, event in enumerate(self.schedule):
            self._arm(origin + nanoseconds(event.at_s), self._begin, index)

    def stop(self) -> None:
        """Nothing more happens; and what would have ended does so now, the last first."""
        for timer in tuple(self._waiting):
            self._timers.cancel(timer)
        self._waiting.clear()
        for index in sorted(self._lasting, reverse=True):
            self._end(index)

    def _arm(self, due_ns: int, act: Callable[[int], None], index: int) -> None:
        def fire() -> None:
            del self._waiting[timer]
            act(index)

        timer = self._timers.arm(due_ns, fire)
        self._waiting[timer] = None

    def _begin(self, index: int) -> None:
        event = self.schedule[index]
        undo = PLAY[event.kind](self._stage, event, dict(event.parameters))
        if event.until_s is not None:
            self._lasting[index] = undo

    def _end(self, index: int) -> None:
        undo = self._lasting.pop(index, _nothing)
        undo()


# -- how each kind happens, and how it ends


def _partition(stage: Stage, event: Event, options: dict[str, Any]) -> Undo:
    return stage.cuts.partition(*event.targets, **options).heal


def _cut(stage: Stage, event: Event, options: dict[str, Any]) -> Undo:
    made: Cut = stage.cuts.cut(*event.targets, **options)
    return made.heal


def _isolate(stage: Stage, event: Event, options: dict[str, Any]) -> Undo:
    return stage.cuts.isolate(*event.targets[0], **options).heal


def _heal(stage: Stage, event: Event, options: dict[str, Any]) -> Undo:
    stage.cuts.heal(*event.targets)
    return _nothing


def _link(stage: Stage, event: Event, options: dict[str, Any]) -> Undo:
    sources, targets = event.targets
    return _all(
        stage.set_link(source, target, options)
        for source in sources
        for target in targets
        if source != target
    )


def _crash(stage: Stage, event: Event, options: dict[str, Any]) -> Undo:
    _each(stage.crash, event)
    return partial(_each, stage.restart, event)


def _restart(stage: Stage, event: Event, options: dict[str, Any]) -> Undo:
    _each(stage.restart, event)
    return _nothing


def _pause(stage: Stage, event: Event, options: dict[str, Any]) -> Undo:
    _each(stage.pause, event)
    return partial(_each, stage.resume, event)


def _resume(stage: Stage, event: Event, options: dict[str, Any]) -> Undo:
    _each(stage.resume, event)
    return _nothing


def _each(act: Callable[[str], None], event: Event) -> None:
    for host in event.targets[0]:
        act(host)


def _clock_step(stage: Stage, event: Event, options: dict[str, Any]) -> Undo:
    for host in event.targets[0]:
        stage.step_clock(host, options["seconds"])
    return _nothing


def _nothing() -> None:
    """It does not end, or leaves nothing to be undone."""


def _all(undoings: Iterable[Undo]) -> Undo:
    done = tuple(undoings)

    def undo() -> None:
        for each in done:
            each()

    return undo


PLAY: Final[dict[str, Callable[[Stage, Event, dict[str, Any]], Undo]]] = {
    "partition": _partition,
    "cut": _cut,
    "isolate": _isolate,
    "heal": _heal,
    "link": _link,
    "crash": _crash,
    "restart": _restart,
    "pause": _pause,
    "resume": _resume,
    "clock_step": _clock_step,
}


@final
class Changes:
    """Conditions of links, changed for a while.

    Several changes of one link lie upon each other, the last on top, and each is
    taken back without the others.
    """

    def __init__(self, fabric: Fabric) -> None:
        self._fabric = fabric
        self._changed: dict[tuple[str, str], _Changed] = {}

    def set_link(self, source: str, target: str, parameters: dict[str, Value]) -> Undo:
        """ValueError: these do not go together with what the link has."""
        link = self._fabric.link(source, target)
        changed = self._changed.get((source, target))
        if changed is None:
            changed = self._changed[source, target] = _Changed(link.conditions)
        layer = dict(parameters)
        changed.layers.append(layer)
        link.conditions = changed.conditions()

        def undo() -> None:
            changed.layers[:] = [other for other in changed.layers if other is not layer]
            link.conditions = changed.conditions()
            if not changed.layers:
                self._changed.pop((source, target), None)

        return undo

    def base(self, source: str, target: str) -> Conditions:
        """What a link has beneath all changes."""
        changed = self._changed.get((source, target))
        if changed is None:
            return self._fabric.link(source, target).conditions
        return changed.base

    def set_base(self, source: str, target: str, made: Conditions) -> None:
        """From now on it has this, and what lies upon it stays."""
        link = self._fabric.link(source, target)
        changed = self._changed.get((source, target))
        if changed is None:
            link.conditions = made
        else:
            changed.base = made
            link.conditions = changed.conditions()


@final
class _Changed:
    """``base``: what the link has beneath."""

    def __init__(self, base: Conditions) -> None:
        self.base = base
        self.layers: list[dict[str, Any]] = []

    def conditions(self) -> Conditions:
        said: dict[str, Any] = {}
        for layer in self.layers:
            said.update(layer)
        return conditions(self.base, **said) if said else self.base
