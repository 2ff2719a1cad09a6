"""The words for numbers, continued: memory, locks, semaphores, queues, and waiting descriptors.

As ``words`` has them for files, sockets and signals; ``strace`` reads both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from asyncipc.trace.words import (
    RESULT,
    any_of,
    message_flags,
    octal,
    one_of,
    open_flags,
    signal_or_test,
)

PROTECTIONS: Final = {1: "PROT_READ", 2: "PROT_WRITE"}
MAP_FLAGS: Final = {1: "MAP_SHARED", 2: "MAP_PRIVATE", 0x20: "MAP_ANONYMOUS"}
MEMFD_FLAGS: Final = {1: "MFD_CLOEXEC", 2: "MFD_ALLOW_SEALING"}
GET_FLAGS: Final = {0o1000: "IPC_CREAT", 0o2000: "IPC_EXCL"}
CONTROLS: Final = {0: "IPC_RMID", 1: "IPC_SET", 2: "IPC_STAT"}
SET_CONTROLS: Final = CONTROLS | {
    11: "GETPID",
    12: "GETVAL",
    13: "GETALL",
    14: "GETNCNT",
    15: "GETZCNT",
    16: "SETVAL",
    17: "SETALL",
}
OPERATION_FLAGS: Final = {0o4000: "IPC_NOWAIT", 0x1000: "SEM_UNDO"}
MESSAGE_FLAGS: Final = {0o4000: "IPC_NOWAIT", 0o10000: "MSG_NOERROR", 0o20000: "MSG_EXCEPT"}
ATTACH_FLAGS: Final = {0o10000: "SHM_RDONLY"}
FLOCK_OPERATIONS: Final = {1: "LOCK_SH", 2: "LOCK_EX", 4: "LOCK_NB", 8: "LOCK_UN"}
LOCK_TYPES: Final = {0: "F_RDLCK", 1: "F_WRLCK", 2: "F_UNLCK"}
WHENCES: Final = {0: "SEEK_SET", 1: "SEEK_CUR", 2: "SEEK_END"}
EPOLL_OPERATIONS: Final = {1: "EPOLL_CTL_ADD", 2: "EPOLL_CTL_DEL", 3: "EPOLL_CTL_MOD"}
EPOLL_EVENTS: Final = {
    0x1: "EPOLLIN",
    0x2: "EPOLLPRI",
    0x4: "EPOLLOUT",
    0x8: "EPOLLERR",
    0x10: "EPOLLHUP",
    0x2000: "EPOLLRDHUP",
    1 << 28: "EPOLLEXCLUSIVE",
    1 << 29: "EPOLLWAKEUP",
    1 << 30: "EPOLLONESHOT",
    1 << 31: "EPOLLET",
}
CLOEXEC: Final = {0o2000000: "EPOLL_CLOEXEC"}
EVENTFD_FLAGS: Final = {1: "EFD_SEMAPHORE", 0o4000: "EFD_NONBLOCK", 0o2000000: "EFD_CLOEXEC"}
TIMERFD_FLAGS: Final = {0o4000: "TFD_NONBLOCK", 0o2000000: "TFD_CLOEXEC"}
SIGNALFD_FLAGS: Final = {0o4000: "SFD_NONBLOCK", 0o2000000: "SFD_CLOEXEC"}
CLOCKS: Final = {0: "CLOCK_REALTIME", 1: "CLOCK_MONOTONIC", 7: "CLOCK_BOOTTIME"}
SPLICE_FLAGS: Final = {1: "SPLICE_F_MOVE", 2: "SPLICE_F_NONBLOCK", 4: "SPLICE_F_MORE"}
CONTROL_LEVEL: Final = 1
CONTROL_TYPES: Final = {1: "SCM_RIGHTS", 2: "SCM_CREDENTIALS"}
INTEGER: Final = 4


def key(number: int) -> str:
    """``0x1234``, or IPC_PRIVATE."""
    return f"{number:#x}" if number else "IPC_PRIVATE"


def get_flags(bits: int) -> str:
    """``IPC_CREAT|0600``: the permissions are the lowest nine bits."""
    flags, mode = bits & ~0o777, octal(bits & 0o777)
    return f"{any_of(GET_FLAGS)(flags)}|{mode}" if flags else mode


def lock_text(kind: int, whence: int, start: int, length: int, pid: int) -> str:
    """A struct flock."""
    where = f"l_whence={one_of(WHENCES)(whence)}, l_start={start}, l_len={length}"
    return f"{{l_type={one_of(LOCK_TYPES)(kind)}, {where}}}"


def operations_text(*operations: tuple[int, int, int]) -> str:
    """The sembufs of semop."""
    shown = (
        f"{{{index}, {change}, {any_of(OPERATION_FLAGS)(flags)}}}"
        for index, change, flags in operations
    )
    return f"[{', '.join(shown)}]"


def events_text(*events: tuple[int, int]) -> str:
    """What epoll_wait returns: the data (the descriptor, as a rule) and the events."""
    shown = (f"{data}: {any_of(EPOLL_EVENTS)(bits)}" for data, bits in events)
    return f"[{', '.join(shown)}]"


def control_text(*items: tuple[int, int, bytes]) -> str:
    """Control messages: the descriptors of SCM_RIGHTS, and what else there is."""
    return f"[{', '.join(_item_text(*item) for item in items)}]"


def _item_text(level: int, kind: int, data: bytes) -> str:
    numbers = [
        int.from_bytes(data[at : at + INTEGER], "little", signed=True)
        for at in range(0, len(data) - INTEGER + 1, INTEGER)
    ]
    word = CONTROL_TYPES.get(kind, str(kind)) if level == CONTROL_LEVEL else f"{level}:{kind}"
    return f"{word} {numbers}"


ARGUMENTS: Final[Mapping[tuple[str, int], Callable[[int], str]]] = {
    ("mmap", 1): any_of(PROTECTIONS),
    ("mmap", 2): any_of(MAP_FLAGS),
    ("memfd_create", 1): any_of(MEMFD_FLAGS),
    ("shmget", 0): key,
    ("shmget", 2): get_flags,
    ("shmat", 1): any_of(ATTACH_FLAGS),
    ("shmctl", 1): one_of(CONTROLS),
    ("semget", 0): key,
    ("semget", 2): get_flags,
    ("semctl", 2): one_of(SET_CONTROLS),
    ("msgget", 0): key,
    ("msgget", 1): get_flags,
    ("msgctl", 1): one_of(CONTROLS),
    ("msgsnd", 3): any_of(MESSAGE_FLAGS),
    ("msgrcv", 3): any_of(MESSAGE_FLAGS),
    ("mq_open", 1): open_flags,
    ("mq_open", 2): octal,
    ("flock", 1): any_of(FLOCK_OPERATIONS),
    ("epoll_create1", 0): any_of(CLOEXEC),
    ("epoll_ctl", 1): one_of(EPOLL_OPERATIONS),
    ("epoll_ctl", 3): any_of(EPOLL_EVENTS),
    ("eventfd2", 1): any_of(EVENTFD_FLAGS),
    ("timerfd_create", 0): one_of(CLOCKS),
    ("timerfd_create", 1): any_of(TIMERFD_FLAGS),
    ("signalfd4", 2): any_of(SIGNALFD_FLAGS),
    ("pidfd_send_signal", 1): signal_or_test,
    ("sendmsg", 3): message_flags,
    ("splice", 5): any_of(SPLICE_FLAGS),
    ("tee", 3): any_of(SPLICE_FLAGS),
}
"""For which argument of which call there are words."""
TUPLES: Final[Mapping[tuple[str, int], Callable[..., str]]] = {
    ("fcntl", 2): lock_text,
    ("fcntl", RESULT): lock_text,
    ("semop", 1): operations_text,
    ("semtimedop", 1): operations_text,
    ("epoll_wait", RESULT): events_text,
    ("sendmsg", 2): control_text,
}
"""For which there are words inside."""
PATHS: Final = frozenset({
    ("mq_open", 0), ("mq_unlink", 0), ("sem_open", 0), ("sem_unlink", 0), ("shm_open", 0),
    ("shm_unlink", 0), ("link", 0), ("link", 1), ("access", 0), ("truncate", 0), ("unlink", 0),
    ("memfd_create", 0), ("sendmsg", 4),
})  # fmt: skip
"""Where bytes are a name."""
HANDLES: Final = frozenset({("mmap", RESULT), ("shmat", RESULT)})
"""Where a handle's name stands, without quotes."""
HANDLE_CALLS: Final = ("sem_", "pthread_", "futex")
"""Calls on handles, that the beginning of their names tells."""
