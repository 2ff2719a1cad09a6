"""ipcs(1): the System V objects of a machine."""

from __future__ import annotations

from asyncipc.statistics import (
    MachineStatistics,
    MessageQueueStatistics,
    SegmentStatistics,
    SemaphoreSetStatistics,
)
from asyncipc.trace.columns import user

QUEUES = ("key", "msqid", "owner", "perms", "used-bytes", "messages")
SEGMENTS = ("key", "shmid", "owner", "perms", "bytes", "nattch", "status")
SETS = ("key", "semid", "owner", "perms", "nsems")


def ipcs(machine: MachineStatistics) -> str:
    """The three tables of ipcs(1), with its columns in its order."""
    return "\n".join(
        (
            "",
            "------ Message Queues --------",
            _row(QUEUES),
            *(_row(_queue(queue)) for queue in machine.message_queues),
            "",
            "------ Shared Memory Segments --------",
            _row(SEGMENTS),
            *(_row(_segment(segment)) for segment in machine.segments),
            "",
            "------ Semaphore Arrays --------",
            _row(SETS),
            *(_row(_set(each)) for each in machine.semaphore_sets),
            "",
        )
    )


def _queue(queue: MessageQueueStatistics) -> tuple[object, ...]:
    return (*_head(queue), queue.size, queue.messages)


def _segment(segment: SegmentStatistics) -> tuple[object, ...]:
    status = "dest" if segment.removed else ""
    return (*_head(segment), segment.size, segment.attached, status)


def _set(each: SemaphoreSetStatistics) -> tuple[object, ...]:
    return (*_head(each), len(each.values))


def _head(
    each: MessageQueueStatistics | SegmentStatistics | SemaphoreSetStatistics,
) -> tuple[object, ...]:
    return f"0x{each.key & 0xFFFFFFFF:08x}", each.identifier, user(each.uid), f"{each.mode:o}"


def _row(cells: tuple[object, ...]) -> str:
    return " ".join(f"{cell!s:<10}" for cell in cells).rstrip()
