"""The table of operations: op name -> function."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Mapping, Sequence
from typing import Final

from asyncipc import Unsupported
from tests.linux import (
    ancillary_ops,
    descriptor_ops,
    epoll_ops,
    lock_ops,
    memory_ops,
    named_socket_ops,
    option_ops,
    path_ops,
    process_ops,
    queue_ops,
    readiness_ops,
    semaphore_ops,
    signal_ops,
    socket_ops,
    splice_ops,
    sync_ops,
    waiting_descriptor_ops,
)
from tests.linux.oplang import Value
from tests.linux.task import Action, Task

TASK_OPERATIONS: Final = {**process_ops.TASK_OPERATIONS, **signal_ops.TASK_OPERATIONS}
OPERATIONS: Final = {
    **descriptor_ops.OPERATIONS,
    **path_ops.OPERATIONS,
    **socket_ops.OPERATIONS,
    **named_socket_ops.OPERATIONS,
    **option_ops.OPERATIONS,
    **ancillary_ops.OPERATIONS,
    **readiness_ops.OPERATIONS,
    **epoll_ops.OPERATIONS,
    **waiting_descriptor_ops.OPERATIONS,
    **splice_ops.OPERATIONS,
    **lock_ops.OPERATIONS,
    **memory_ops.OPERATIONS,
    **semaphore_ops.OPERATIONS,
    **sync_ops.OPERATIONS,
    **queue_ops.OPERATIONS,
    **process_ops.OPERATIONS,
    **signal_ops.OPERATIONS,
    **TASK_OPERATIONS,
}


def action(op: str, task: Task, args: Sequence[object], keywords: Mapping[str, object]) -> Action:
    """One operation with its arguments, for a task to carry out."""

    async def carry_out() -> Value:
        operation = OPERATIONS.get(op)
        if operation is None:
            raise Unsupported(f"asyncipc does not model the operation {op!r}")
        first = [task] if op in TASK_OPERATIONS else []
        result: Value | Awaitable[Value] = operation(*first, *args, **keywords)
        return await result if inspect.isawaitable(result) else result

    return carry_out
