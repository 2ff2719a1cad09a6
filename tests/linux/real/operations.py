"""The table of operations on the real kernel: op name -> function."""

from __future__ import annotations

from typing import Final

from tests.linux.real import (
    ancillary_ops,
    descriptor_ops,
    lock_ops,
    memory_ops,
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

OPERATIONS: Final = {
    **ancillary_ops.OPERATIONS,
    **descriptor_ops.OPERATIONS,
    **lock_ops.OPERATIONS,
    **memory_ops.OPERATIONS,
    **option_ops.OPERATIONS,
    **path_ops.OPERATIONS,
    **process_ops.OPERATIONS,
    **queue_ops.OPERATIONS,
    **readiness_ops.OPERATIONS,
    **semaphore_ops.OPERATIONS,
    **signal_ops.OPERATIONS,
    **socket_ops.OPERATIONS,
    **splice_ops.OPERATIONS,
    **sync_ops.OPERATIONS,
    **waiting_descriptor_ops.OPERATIONS,
}
"""All but ``fork`` and ``thread``, which the worker does itself."""
