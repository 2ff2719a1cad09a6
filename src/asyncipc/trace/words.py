"""The words for numbers: which argument of which call is written how.

Linux's own numbers (asm-generic, the socket and signal headers), wherever the
simulation runs.  A table from (call, index of the argument) to what shows it;
``strace`` reads it, and nobody else needs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

SIGNAL_NAMES: Final = """
HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT
CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS
"""
SIGNALS: Final = dict(enumerate(SIGNAL_NAMES.split(), start=1))
MASK_CHANGES: Final = {0: "SIG_BLOCK", 1: "SIG_UNBLOCK", 2: "SIG_SETMASK"}
ACTION_FLAGS: Final = {
    0x1: "SA_NOCLDSTOP",
    0x2: "SA_NOCLDWAIT",
    0x4: "SA_SIGINFO",
    0x08000000: "SA_ONSTACK",
    0x10000000: "SA_RESTART",
    0x40000000: "SA_NODEFER",
    0x80000000: "SA_RESETHAND",
}

SIGNAL_CODES: Final = {
    -6: "SI_TKILL",
    -1: "SI_QUEUE",
    0: "SI_USER",
    0x80: "SI_KERNEL",
}
CHILD_CODES: Final = {
    1: "CLD_EXITED",
    2: "CLD_KILLED",
    5: "CLD_STOPPED",
    6: "CLD_CONTINUED",
}
SIGCHLD: Final = 17

DIRECTORIES: Final = {-100: "AT_FDCWD"}
ACCESS_MODES: Final = {0: "O_RDONLY", 1: "O_WRONLY", 2: "O_RDWR"}
O_CREAT: Final = 0o100
FILE_FLAGS: Final = {
    O_CREAT: "O_CREAT",
    0o200: "O_EXCL",
    0o1000: "O_TRUNC",
    0o2000: "O_APPEND",
    0o4000: "O_NONBLOCK",
    0o20000: "O_ASYNC",
    0o40000: "O_DIRECT",
    0o200000: "O_DIRECTORY",
    0o400000: "O_NOFOLLOW",
    0o2000000: "O_CLOEXEC",
}
FCNTL_COMMANDS: Final = {
    0: "F_DUPFD",
    1: "F_GETFD",
    2: "F_SETFD",
    3: "F_GETFL",
    4: "F_SETFL",
    5: "F_GETLK",
    6: "F_SETLK",
    7: "F_SETLKW",
    8: "F_SETOWN",
    9: "F_GETOWN",
    10: "F_SETSIG",
    11: "F_GETSIG",
    36: "F_OFD_GETLK",
    37: "F_OFD_SETLK",
    38: "F_OFD_SETLKW",
    1030: "F_DUPFD_CLOEXEC",
    1031: "F_SETPIPE_SZ",
    1032: "F_GETPIPE_SZ",
    1033: "F_ADD_SEALS",
    1034: "F_GET_SEALS",
}
IOCTL_REQUESTS: Final = {
    0x5411: "SIOCOUTQ",
    0x541B: "FIONREAD",
    0x5421: "FIONBIO",
    0x8905: "SIOCATMARK",
}

FAMILIES: Final = {0: "AF_UNSPEC", 1: "AF_UNIX", 2: "AF_INET", 10: "AF_INET6"}
SOCKET_TYPES: Final = {1: "SOCK_STREAM", 2: "SOCK_DGRAM", 3: "SOCK_RAW", 5: "SOCK_SEQPACKET"}
SOCKET_FLAGS: Final = {0o4000: "SOCK_NONBLOCK", 0o2000000: "SOCK_CLOEXEC"}
MSG_TRUNC: Final = 0x20
MESSAGE_FLAGS: Final = {
    0x1: "MSG_OOB",
    0x2: "MSG_PEEK",
    0x4: "MSG_DONTROUTE",
    0x8: "MSG_CTRUNC",
    MSG_TRUNC: "MSG_TRUNC",
    0x40: "MSG_DONTWAIT",
    0x80: "MSG_EOR",
    0x100: "MSG_WAITALL",
    0x2000: "MSG_ERRQUEUE",
    0x4000: "MSG_NOSIGNAL",
    0x8000: "MSG_MORE",
}
LEVELS: Final = {
    0: "SOL_IP",
    1: "SOL_SOCKET",
    6: "SOL_TCP",
    17: "SOL_UDP",
    41: "SOL_IPV6",
}
OPTIONS: Final[Mapping[int, Mapping[int, str]]] = {
    0: {1: "IP_TOS", 2: "IP_TTL", 11: "IP_RECVERR", 32: "IP_MULTICAST_IF",
        33: "IP_MULTICAST_TTL", 34: "IP_MULTICAST_LOOP", 35: "IP_ADD_MEMBERSHIP",
        36: "IP_DROP_MEMBERSHIP", 49: "IP_MULTICAST_ALL"},
    1: {1: "SO_DEBUG", 2: "SO_REUSEADDR", 3: "SO_TYPE", 4: "SO_ERROR", 5: "SO_DONTROUTE",
        6: "SO_BROADCAST", 7: "SO_SNDBUF", 8: "SO_RCVBUF", 9: "SO_KEEPALIVE",
        10: "SO_OOBINLINE", 12: "SO_PRIORITY", 13: "SO_LINGER", 15: "SO_REUSEPORT",
        16: "SO_PASSCRED", 17: "SO_PEERCRED", 18: "SO_RCVLOWAT", 19: "SO_SNDLOWAT",
        20: "SO_RCVTIMEO", 21: "SO_SNDTIMEO", 30: "SO_ACCEPTCONN", 38: "SO_PROTOCOL",
        39: "SO_DOMAIN", 42: "SO_PEEK_OFF"},
    6: {1: "TCP_NODELAY", 2: "TCP_MAXSEG", 3: "TCP_CORK", 4: "TCP_KEEPIDLE",
        5: "TCP_KEEPINTVL", 6: "TCP_KEEPCNT", 7: "TCP_SYNCNT", 8: "TCP_LINGER2",
        9: "TCP_DEFER_ACCEPT", 11: "TCP_INFO", 12: "TCP_QUICKACK", 18: "TCP_USER_TIMEOUT"},
    17: {1: "UDP_CORK"},
    41: {16: "IPV6_UNICAST_HOPS", 26: "IPV6_V6ONLY"},
}  # fmt: skip
"""By level, since each protocol counts from 1."""
HALVES: Final = {0: "SHUT_RD", 1: "SHUT_WR", 2: "SHUT_RDWR"}
WAIT_OPTIONS: Final = {0x1: "WNOHANG", 0x2: "WUNTRACED", 0x4: "WEXITED", 0x8: "WCONTINUED"}


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9, ``SIG40`` for a real-time one."""
    return f"SIG{SIGNALS.get(number, number)}"


def signal_or_test(number: int) -> str:
    return signal_name(number) if number else "0"


def signal_set(numbers: Iterable[int]) -> str:
    """``[USR1 CHLD]``, as strace has it."""
    return f"[{' '.join(signal_name(number)[3:] for number in numbers)}]"


def signal_code(signal: int, code: int) -> str:
    """si_code: a child's is about its end, not about who has sent it."""
    words = SIGNAL_CODES | CHILD_CODES if signal == SIGCHLD else SIGNAL_CODES
    return words.get(code, str(code))


def one_of(words: Mapping[int, str]) -> Callable[[int], str]:
    return lambda number: words.get(number, str(number))


def any_of(words: Mapping[int, str]) -> Callable[[int], str]:
    """For bits: ``A|B``, and what has no word in hexadecimal."""

    def show(bits: int) -> str:
        rest = bits & ~sum(words)
        shown = [word for bit, word in words.items() if bits & bit]
        return "|".join([*shown, f"{rest:#x}"] if rest else shown) or "0"

    return show


def socket_type(number: int) -> str:
    kind = one_of(SOCKET_TYPES)(number & 0xF)
    flags = number & ~0xF
    return f"{kind}|{any_of(SOCKET_FLAGS)(flags)}" if flags else kind


def open_flags(number: int) -> str:
    mode = one_of(ACCESS_MODES)(number & 0o3)
    flags = number & ~0o3
    return f"{mode}|{any_of(FILE_FLAGS)(flags)}" if flags else mode


def octal(mode: int) -> str:
    """``0666``, as C writes it."""
    return f"0{mode:o}"


def option(level: int, number: int) -> str:
    """Which option it is depends on the level."""
    return OPTIONS.get(level, {}).get(number, str(number))


RESULT: Final = -1
"""Where a call's result stands among its arguments, for the tables."""

message_flags: Final = any_of(MESSAGE_FLAGS)
file_flags: Final = any_of(FILE_FLAGS)

ARGUMENTS: Final[Mapping[tuple[str, int], Callable[[int], str]]] = {
    ("openat", 0): one_of(DIRECTORIES),
    ("openat", 2): open_flags,
    ("openat", 3): octal,
    ("mkfifo", 1): octal,
    ("mkdir", 1): octal,
    ("chmod", 1): octal,
    ("umask", 0): octal,
    ("umask", RESULT): octal,
    ("pipe2", 0): file_flags,
    ("dup3", 2): file_flags,
    ("fcntl", 1): one_of(FCNTL_COMMANDS),
    ("ioctl", 1): one_of(IOCTL_REQUESTS),
    ("socket", 0): one_of(FAMILIES),
    ("socket", 1): socket_type,
    ("socketpair", 0): one_of(FAMILIES),
    ("socketpair", 1): socket_type,
    ("accept4", 1): any_of(SOCKET_FLAGS),
    ("getsockopt", 1): one_of(LEVELS),
    ("setsockopt", 1): one_of(LEVELS),
    ("send", 2): message_flags,
    ("sendto", 2): message_flags,
    ("recv", 2): message_flags,
    ("recvfrom", 2): message_flags,
    ("recvmsg", 2): message_flags,
    ("shutdown", 1): one_of(HALVES),
    ("waitpid", 1): any_of(WAIT_OPTIONS),
    ("kill", 1): signal_or_test,
    ("killpg", 1): signal_or_test,
    ("sigqueue", 1): signal_or_test,
    ("raise", 0): signal_name,
    ("signal", 0): signal_or_test,
    ("signal", 2): any_of(ACTION_FLAGS),
    ("getsignal", 0): signal_or_test,
    ("rt_sigprocmask", 0): one_of(MASK_CHANGES),
}
"""For which argument of which call there are words."""
PATHS: Final = frozenset({
    ("bind", 1), ("chdir", 0), ("chmod", 0), ("connect", 1), ("getcwd", RESULT),
    ("getpeername", RESULT), ("getsockname", RESULT), ("listdir", 0), ("mkdir", 0),
    ("mkfifo", 0), ("openat", 1), ("rename", 0), ("rename", 1), ("rmdir", 0), ("sendto", 3),
    ("stat", 0), ("unlink", 0),
})  # fmt: skip
"""Where bytes are a path, or a socket's name."""
SIGNAL_SETS: Final = frozenset({
    ("rt_sigpending", RESULT), ("rt_sigprocmask", 1), ("rt_sigprocmask", RESULT),
    ("rt_sigtimedwait", 0), ("rt_sigsuspend", 0),
})  # fmt: skip
"""Where numbers are a set of signals."""
DISPOSITIONS: Final = {"DEFAULT": "SIG_DFL", "IGNORE": "SIG_IGN"}
NAMES: Final[Mapping[tuple[str, int], Mapping[str, str]]] = {
    ("fork", 0): {},
    ("signal", 1): DISPOSITIONS,
    ("signal", RESULT): DISPOSITIONS,
    ("getsignal", RESULT): DISPOSITIONS,
}
"""Which arguments are names, and so stand without quotes; C's words for some."""
