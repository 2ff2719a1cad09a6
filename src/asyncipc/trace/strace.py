"""Events as strace(1) would print them: one call, one line.

::

    pid 2  read(3, 100) = b"message for parent"  [blocked 0.250 s]

Numbers become the words that a program would have written, where a call has
words for them.  A call that has not returned has no line: who still sleeps is
told by the simulation's ``blocked_report()``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, final

from asyncipc.events import Event, ProcessLife, SystemCall, Wire

BYTES_SHOWN: Final = 32
"""As strace -s: what is longer ends in dots."""
SECOND: Final = 1_000_000_000

# Linux's own numbers (signal(7), asm-generic), wherever the simulation runs.
SIGNAL_NAMES: Final = """
HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT
CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS
"""
SIGNALS: Final = dict(enumerate(SIGNAL_NAMES.split(), start=1))
FILE_FLAGS: Final = {0o4000: "O_NONBLOCK", 0o40000: "O_DIRECT", 0o2000000: "O_CLOEXEC"}
FCNTL_COMMANDS: Final = {
    0: "F_DUPFD",
    1: "F_GETFD",
    2: "F_SETFD",
    3: "F_GETFL",
    4: "F_SETFL",
    8: "F_SETOWN",
    9: "F_GETOWN",
    10: "F_SETSIG",
    11: "F_GETSIG",
    1030: "F_DUPFD_CLOEXEC",
    1031: "F_SETPIPE_SZ",
    1032: "F_GETPIPE_SZ",
}
IOCTL_REQUESTS: Final = {0x541B: "FIONREAD", 0x5421: "FIONBIO"}
FAMILIES: Final = {1: "AF_UNIX", 2: "AF_INET", 10: "AF_INET6"}
SOCKET_TYPES: Final = {1: "SOCK_STREAM", 2: "SOCK_DGRAM", 3: "SOCK_RAW", 5: "SOCK_SEQPACKET"}
SOCKET_FLAGS: Final = {0o4000: "SOCK_NONBLOCK", 0o2000000: "SOCK_CLOEXEC"}
MESSAGE_FLAGS: Final = {
    0x1: "MSG_OOB",
    0x2: "MSG_PEEK",
    0x20: "MSG_TRUNC",
    0x40: "MSG_DONTWAIT",
    0x100: "MSG_WAITALL",
    0x4000: "MSG_NOSIGNAL",
}
HALVES: Final = {0: "SHUT_RD", 1: "SHUT_WR", 2: "SHUT_RDWR"}
WAIT_OPTIONS: Final = {0x1: "WNOHANG", 0x2: "WUNTRACED", 0x8: "WCONTINUED"}


def signal_name(number: int) -> str:
    """``SIGKILL`` for 9, ``SIG40`` for a real-time one."""
    return f"SIG{SIGNALS.get(number, number)}"


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


def signal_or_test(number: int) -> str:
    return signal_name(number) if number else "0"


WORDS: Final[Mapping[tuple[str, int], Callable[[int], str]]] = {
    ("pipe2", 0): any_of(FILE_FLAGS),
    ("dup3", 2): any_of(FILE_FLAGS),
    ("fcntl", 1): one_of(FCNTL_COMMANDS),
    ("ioctl", 1): one_of(IOCTL_REQUESTS),
    ("socketpair", 0): one_of(FAMILIES),
    ("socketpair", 1): socket_type,
    ("send", 2): any_of(MESSAGE_FLAGS),
    ("recv", 2): any_of(MESSAGE_FLAGS),
    ("shutdown", 1): one_of(HALVES),
    ("waitpid", 1): any_of(WAIT_OPTIONS),
    ("kill", 1): signal_or_test,
    ("signal", 0): signal_or_test,
}
"""For which argument of which call there are words."""

RESULT: Final = -1
"""Where a call's result stands among its arguments, for the table of names."""
DISPOSITIONS: Final = {"DEFAULT": "SIG_DFL", "IGNORE": "SIG_IGN"}
NAMES: Final[Mapping[tuple[str, int], Mapping[str, str]]] = {
    ("fork", 0): {},
    ("signal", 1): DISPOSITIONS,
    ("signal", RESULT): DISPOSITIONS,
}
"""Which arguments are names, and so stand without quotes; C's words for some."""


def line(event: Event) -> str:
    """One event as one line of text."""
    return f"pid {event.pid}  {_what(event)}"


def _what(event: Event) -> str:
    if isinstance(event, SystemCall):
        return call_text(event)
    if isinstance(event, ProcessLife):
        return life_text(event)
    return f"... {event.size} bytes from {event.source} to {event.target} ..."


def call_text(event: SystemCall) -> str:
    """``read(3, 100) = b"..."  [blocked 0.250 s]``"""
    args = (argument_text(event.call, index, arg) for index, arg in enumerate(event.args))
    text = f"{event.call}({', '.join(args)}) = {result_text(event.call, event.result)}"
    if event.blocked_ns > 0:
        text += f"  [blocked {event.blocked_ns / SECOND:.3f} s]"
    return text


def life_text(event: ProcessLife) -> str:
    """``+++ exited with 0 +++``; what does not end a process stands between dashes."""
    detail = event.detail
    if event.change == "exited":
        return f"+++ exited with {detail} +++"
    if event.change == "killed":
        return f"+++ killed by {signal_name(int(detail))} +++"
    if event.change == "stopped":
        return f"--- stopped by {signal_name(int(detail))} ---"
    if event.change == "exec":
        return f"--- now runs {detail} ---"
    return f"--- {event.change}{detail and ' '}{detail} ---"


def argument_text(call: str, index: int, value: object) -> str:
    words = WORDS.get((call, index))
    if words is not None and isinstance(value, int):
        return words(value)
    names = NAMES.get((call, index))
    if names is not None and isinstance(value, str):
        return names.get(value, value)
    return value_text(value)


def result_text(call: str, value: object) -> str:
    """None, the answer of a call that only can fail, is 0 in C."""
    return "0" if value is None else argument_text(call, RESULT, value)


def value_text(value: object) -> str:
    if isinstance(value, bytes):
        dots = "..." if len(value) > BYTES_SHOWN else ""
        return f"b{_quoted(value[:BYTES_SHOWN])}{dots}"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, tuple):
        return f"({', '.join(map(value_text, value))})"
    return str(value)


def _quoted(value: str | bytes) -> str:
    """In double quotes, as C has them."""
    # A double quote in front makes repr choose single ones around.
    text = repr(b'"' + value if isinstance(value, bytes) else '"' + value)
    inner = text[text.index('"') + 1 : -1].replace('"', '\\"').replace("\\'", "'")
    return f'"{inner}"'


@final
class Strace:
    """An observer that writes a line for each call and each change in a process's life.

    ``write`` gets each line, without its end: ``print``, or ``lines.append``.
    ``wire=True`` tells of the bytes on their way, too.
    """

    def __init__(self, write: Callable[[str], None] = print, *, wire: bool = False) -> None:
        self._write = write
        self._wire = wire

    def __call__(self, event: Event) -> None:
        if self._wire or not isinstance(event, Wire):
            self._write(line(event))
