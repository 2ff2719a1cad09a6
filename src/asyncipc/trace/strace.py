"""Events as strace(1) would print them: one call, one line.

::

    pid 2  read(3, 100) = b"message for parent"  [blocked 0.250 s]

Numbers become the words that a program would have written, where a call has
words for them.  A call that has not returned has no line: who still sleeps is
told by the simulation's ``blocked_report()``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, final

from asyncipc.events import Event, ProcessLife, SystemCall, Transit, Wire
from asyncipc.trace import ipc_words
from asyncipc.trace.ipc_words import HANDLE_CALLS, HANDLES, TUPLES, control_text
from asyncipc.trace.words import ARGUMENTS as FIRST_ARGUMENTS
from asyncipc.trace.words import (
    MSG_TRUNC,
    NAMES,
    O_CREAT,
    RESULT,
    SIGNAL_SETS,
    message_flags,
    option,
    signal_code,
    signal_name,
    signal_set,
)
from asyncipc.trace.words import PATHS as FIRST_PATHS

HOME: Final = "localhost"
"""The host that goes without saying."""
BYTES_SHOWN: Final = 32
"""As strace -s: what is longer ends in dots."""
SECOND: Final = 1_000_000_000
ARGUMENTS: Final = {**FIRST_ARGUMENTS, **ipc_words.ARGUMENTS}
PATHS: Final = FIRST_PATHS | ipc_words.PATHS

OPTION_CALLS: Final = frozenset({"getsockopt", "setsockopt"})


NOTICEABLE_NS: Final = 500_000
"""Half a millisecond: on the real kernel's clock no call takes no time at all."""


def line(event: Event) -> str:
    """One event as one line of text."""
    if isinstance(event, Transit):
        return f"{event.source} → {event.target}  {event.fate}: {event.what}"
    host = "" if event.host == HOME else f"{event.host} "
    return f"{host}pid {event.pid}  {_what(event)}"


def _what(event: SystemCall | Wire | ProcessLife) -> str:
    if isinstance(event, SystemCall):
        return call_text(event)
    if isinstance(event, ProcessLife):
        return life_text(event)
    return f"... {event.size} bytes from {event.source} to {event.target} ..."


def call_text(event: SystemCall) -> str:
    """``read(3, 100) = b"..."  [blocked 0.250 s]``"""
    text = f"{event.call}({', '.join(_arguments(event))}) = {_result(event)}"
    if event.blocked_ns >= NOTICEABLE_NS:
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
    if event.change == "signal":
        return signal_text(*map(int, detail.split()))
    if event.change == "exec":
        return f"--- now runs {detail} ---"
    return f"--- {event.change}{detail and ' '}{detail} ---"


def signal_text(signal: int, code: int, pid: int, uid: int) -> str:
    """A signal whose handler is called."""
    told = f"si_code={signal_code(signal, code)}, si_pid={pid}, si_uid={uid}"
    return f"--- {signal_name(signal)} {{{told}}} ---"


def _arguments(event: SystemCall) -> Iterator[str]:
    for index, value in enumerate(event.args):
        if event.call in OPTION_CALLS and index == 2:
            yield _option_text(event.args)
        elif event.call != "openat" or index < 3 or creates(event.args):
            yield argument_text(event.call, index, value)


def creates(args: tuple[object, ...]) -> bool:
    """Only with O_CREAT has openat a mode."""
    flags = args[2]
    return isinstance(flags, int) and bool(flags & O_CREAT)


def argument_text(call: str, index: int, value: object) -> str:
    place = call, index
    if isinstance(value, int) and place in ARGUMENTS:
        return ARGUMENTS[place](value)
    if isinstance(value, str) and place in NAMES:
        return NAMES[place].get(value, value)
    if isinstance(value, str) and (place in HANDLES or call.startswith(HANDLE_CALLS)):
        return value
    if isinstance(value, tuple) and place in TUPLES:
        return TUPLES[place](*value)
    if isinstance(value, tuple) and place in SIGNAL_SETS:
        return signal_set(value)
    return address_text(value) if place in PATHS else value_text(value)


def _option_text(args: tuple[object, ...]) -> str:
    _, level, number, *_ = args
    assert isinstance(level, int)
    assert isinstance(number, int)
    return option(level, number)


def _result(event: SystemCall) -> str:
    """None, the answer of a call that only can fail, is 0 in C."""
    value = event.result
    if value is None:
        return "0"
    if isinstance(value, tuple) and event.args[-1:] == (value,):  # F_SETLK gives the lock back
        return "0"
    if isinstance(value, tuple) and event.call in ANSWERS:
        return ANSWERS[event.call](*value)
    if isinstance(value, tuple) and event.call == "recv":
        data, length, *_ = value
        return str(length) if told_length(event.args) else value_text(data)
    return argument_text(event.call, RESULT, value)


def told_length(args: tuple[object, ...]) -> bool:
    """With MSG_TRUNC recv returns a datagram's real length."""
    flags = args[2]
    return isinstance(flags, int) and bool(flags & MSG_TRUNC)


def connection_text(fd: int, address: object) -> str:
    """What accept returns."""
    return f"({fd}, {address_text(address)})"


def sender_text(data: bytes, length: int, flags: int, address: object, *_: object) -> str:
    """What recvfrom returns."""
    return f"({value_text(data)}, {address_text(address)})"


def message_text(
    data: bytes,
    length: int,
    flags: int,
    address: object,
    control: tuple[Any, ...] = (),
    *_: object,
) -> str:
    """What recvmsg returns; control messages if there are any."""
    items = [control_text(*control)] if control else []
    return f"({', '.join((value_text(data), *items, message_flags(flags), address_text(address)))})"


def taken_text(signal: int, *info: object) -> str:
    """What sigwait and its kin return."""
    return signal_name(signal)


def address_text(address: object) -> str:
    """The kernel's address as programs write it: paths are text, abstract names bytes."""
    if isinstance(address, bytes) and not address.startswith(b"\0"):
        return _quoted(address)
    return value_text(address)


ANSWERS: Final[Mapping[str, Callable[..., str]]] = {
    "accept": connection_text,
    "accept4": connection_text,
    "recvfrom": sender_text,
    "recvmsg": message_text,
    "rt_sigtimedwait": taken_text,
}
"""Calls that return more than a number or bytes."""


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
    ``wire=True`` tells of the bytes and packets on their way, too.
    """

    def __init__(self, write: Callable[[str], None] = print, *, wire: bool = False) -> None:
        self._write = write
        self._wire = wire

    def __call__(self, event: Event) -> None:
        if self._wire or not isinstance(event, Wire | Transit):
            self._write(line(event))
