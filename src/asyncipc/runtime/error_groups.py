"""What task groups make of errors, and what is left when their wrapping is off."""

from __future__ import annotations

from asyncipc.runtime.process import ProcessEnd


def without_process_end(error: BaseException | None) -> BaseException | None:
    """An error without what unwound the tasks of a process that is over."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(ProcessEnd)[1]
    return None if isinstance(error, ProcessEnd) else error


def the_only_one(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a task group wrapped around a single error, taken off."""
    return group.exceptions[0] if len(group.exceptions) == 1 else group
