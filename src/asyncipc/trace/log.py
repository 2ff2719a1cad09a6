"""Events as structured log entries, by structlog as the program has configured it."""

from __future__ import annotations

from typing import Any, final

from asyncipc.events import Event, Failure, ProcessLife, SystemCall, Transit
from asyncipc.trace.recorder import name_of
from asyncipc.trace.strace import SECOND


@final
class Log:
    """An observer that logs every event to the structlog logger ``asyncipc``.

    The entry's event is the call; ``t`` and ``blocked`` are seconds.  How and
    whether it is shown is the program's choice: nothing is configured here.
    """

    def __init__(self) -> None:
        # Here, not above: who does not log does not pay for the import.
        import structlog

        self._logger = structlog.get_logger("asyncipc")

    def __call__(self, event: Event) -> None:
        self._logger.info(name_of(event), **entry(event))


def entry(event: Event) -> dict[str, Any]:
    """The key-values of one event."""
    head = {"t": event.t_ns / SECOND, "host": event.host, "pid": event.pid}
    if isinstance(event, SystemCall):
        blocked = event.blocked_ns / SECOND
        return {**head, "args": event.args, "result": result(event), "blocked": blocked}
    if isinstance(event, ProcessLife):
        return {**head, "detail": event.detail}
    way = {**head, "source": event.source, "target": event.target, "size": event.size}
    return {**way, "what": event.what, "fate": event.fate} if isinstance(event, Transit) else way


def result(event: SystemCall) -> object:
    """A failure is its errno's name: a log holds values that JSON knows."""
    return str(event.result) if isinstance(event.result, Failure) else event.result
