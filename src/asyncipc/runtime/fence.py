"""The fence: what would leave a simulation on virtual time is stopped at the exact call.

A real socket, a process of the operating system, a thread or a real sleep, in
the middle of a simulated process, would wait for a world whose time does not
pass, and make each run another one.  Python announces such calls to an audit
hook (PEP 578).  There is one for the whole interpreter, installed by the first
run that has a fence; it is inert outside the simulated processes of such runs,
and in every thread but their loop's.

Not announced, and so not stopped: waits on locks, queues and ``select`` with a
time limit, and reads of real descriptors.  Before Python 3.13 ``time.sleep``
is silent and before 3.12 the start of a thread, too; there their names are
replaced, so who imported ``sleep`` by itself before the first run passes.
The replaced names stay, as the hook does: they are what they were elsewhere.
"""

from __future__ import annotations

import _thread
import functools
import socket
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from threading import Lock, Thread, get_ident
from types import FrameType, TracebackType
from typing import Any, Final, Literal, NamedTuple, Self, TypeAlias, final, get_args

from asyncipc.errors import Escape
from asyncipc.runtime import lent
from asyncipc.runtime.process import CURRENT
from asyncipc.runtime.report import is_program, stack_of_the_call

Escapes: TypeAlias = Literal["refuse", "warn", "allow"]

WORDS: Final = frozenset(get_args(Escapes))

SOCKETS: Final = (
    "asyncipc.posix.socket(), asyncipc.connect_tcp() and their kin make sockets of this machine"
)
NAMES: Final = "`await asyncipc.posix.getaddrinfo()` asks the simulation's resolver"
PROCESSES: Final = (
    "asyncipc.open_process() and asyncipc.posix.fork() start processes of this machine"
)
SLEEP: Final = (
    "`await anyio.sleep()` lets virtual time pass; this stops everybody, and no time passes"
)
THREADS: Final = (
    "start a task instead; or `await anyio.to_thread.run_sync()`, for which virtual time waits"
)
SEEDED: Final = (
    "when a real thread is done is nobody's to repeat: run without a seed, "
    "or do the work in the task itself"
)


class Gate(NamedTuple):
    """One way out: the call as a program knows it, and what to do instead."""

    call: str
    hint: str


SLEEPING: Final = "time.sleep"
PAIRING: Final = "socket.socketpair"
"""Python announces it when two descriptors are open, which nobody would close."""
BORROWING: Final = "asyncipc.to_thread"
"""Our own event: a thread is asked for through the loop, which holds time for it."""
STARTING: Final = ("_thread.start_new_thread", "_thread.start_joinable_thread")
LOOKUPS: Final = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")

GATES: Final[Mapping[str, Gate]] = {
    "socket.__new__": Gate("socket.socket", SOCKETS),
    **{
        name: Gate(name, SOCKETS)
        for name in (
            *(PAIRING, "socket.bind", "socket.connect"),
            *("socket.sendto", "socket.sendmsg"),
        )
    },
    **{name: Gate(name, NAMES) for name in (*LOOKUPS, "socket.getnameinfo")},
    **{
        name: Gate(name, PROCESSES)
        for name in (
            *("subprocess.Popen", "os.system", "os.fork", "os.forkpty", "pty.spawn"),
            *("os.exec", "os.posix_spawn", "os.spawn"),
        )
    },
    SLEEPING: Gate("time.sleep", SLEEP),
    **{name: Gate("threading.Thread.start", THREADS) for name in STARTING},
    BORROWING: Gate("to_thread", SEEDED),
}
"""The audit events that are heard."""

LICENSED: Final = frozenset({
    *("importlib._bootstrap", "_frozen_importlib"),  # a module that probes what there is
    *("asyncipc.runtime.tap", "asyncipc.kernel.console"),  # observers, and where output goes
})  # fmt: skip
TOOLS: Final = frozenset({
    *("_pytest", "coverage", "hypothesis", "pluggy", "pytest"),
    *("IPython", "_pydevd_bundle", "bdb", "debugpy", "pdb", "pydevd"),
})  # fmt: skip
"""Who watches the program from outside may leave."""
LENDERS: Final = frozenset(
    {
        "anyio._backends._asyncio.run_sync_in_worker_thread",
        "asyncio.base_events.run_in_executor",
        "asyncio.base_events.shutdown_default_executor",
        "trio._core._thread_cache.start_thread_soon",
    }
)
"""Who starts threads that hold virtual time."""
OPENERS: Final = "trio._subprocess"
"""It starts processes in a thread: the asking is the escape."""


@final
class Fence:
    """Around the run of the calling thread.

    ``seed``: None lets threads be borrowed (``anyio.to_thread`` and its kin).
    """

    def __init__(self, escapes: Escapes, seed: int | None) -> None:
        if escapes not in WORDS:
            raise ValueError(f"escapes is 'refuse', 'warn' or 'allow', not {escapes!r}")
        self._escapes = escapes
        self._seeded = seed is not None
        self._outer: Fence | None = None

    def __enter__(self) -> Self:
        thread = get_ident()
        self._outer = _standing.pop(thread, None)
        if self._escapes != "allow":
            _install()
            _standing[thread] = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _standing.pop(get_ident(), None)
        if self._outer is not None:
            _standing[get_ident()] = self._outer

    def meet(self, event: str, args: tuple[Any, ...]) -> None:
        """A simulated process is about to leave."""
        if _is_harmless(event, args):
            return
        frames = list(stack_of_the_call(2))
        modules = set(map(_module, frames))
        if modules & LICENSED or TOOLS & {name.partition(".")[0] for name in modules}:
            return
        gate = self._gate(event, frames)
        if gate is not None:
            self._stop(gate, frames)

    def _gate(self, event: str, frames: list[FrameType]) -> Gate | None:
        """Which way out it is; None if it is open."""
        if event == BORROWING and any(_module(frame) == OPENERS for frame in frames):
            return GATES["subprocess.Popen"]
        if event == BORROWING or (event in STARTING and any(map(_is_lender, frames))):
            return GATES[BORROWING] if self._seeded else None
        return GATES[event]

    def _stop(self, gate: Gate, frames: list[FrameType]) -> None:
        error = Escape(gate.call)
        if self._escapes == "refuse":
            error.add_note(f"hint: {gate.hint}")
            raise error
        frame = next(filter(_is_written_by_the_user, frames), frames[-1])
        where = frame.f_code.co_filename, frame.f_lineno
        warnings.warn_explicit(f"{error}; {gate.hint}", RuntimeWarning, *where)


def _is_harmless(event: str, args: tuple[Any, ...]) -> bool:
    """It has the name of an escape, but leaves nothing: no wait, no lookup."""
    if event == SLEEPING:
        return not args[0]
    return event in LOOKUPS and (not args[0] or _is_number(args[0]))


def _is_number(host: str | bytes) -> bool:
    try:
        ip_address(host if isinstance(host, str) else host.decode())
    except ValueError:
        return False
    return True


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _is_lender(frame: FrameType) -> bool:
    return f"{_module(frame)}.{frame.f_code.co_name}" in LENDERS


def _is_written_by_the_user(frame: FrameType) -> bool:
    return is_program(frame) and _module(frame).partition(".")[0] not in sys.stdlib_module_names


# -- the ear


_standing: Final[dict[int, Fence]] = {}
"""The fences, by the threads of their runs."""
_installing: Final = Lock()
_installed: Final[list[object]] = []


def hear(event: str, args: tuple[Any, ...]) -> None:
    """The audit hook: called with everything that the interpreter announces."""
    if event not in GATES:
        return
    thread = get_ident()
    fence = _standing.get(thread)
    if fence is None:
        return
    body = CURRENT.get(None)
    if body is not None and body.thread == thread:
        fence.meet(event, args)


def hear_borrowing() -> None:
    """A thread is asked for through the loop."""
    hear(BORROWING, ())


def _install() -> None:
    """Once per interpreter: an audit hook stays."""
    with _installing:
        if _installed:
            return
        _installed.append(hear)
        lent.hear_trio_threads(hear_borrowing)
        socket.socketpair = _announced(PAIRING, socket.socketpair)
        if sys.version_info < (3, 13):
            time.sleep = _announced(SLEEPING, time.sleep)
        if sys.version_info < (3, 12):
            Thread.start = _announced(STARTING[0], Thread.start)  # type: ignore[method-assign]
            start = _announced(STARTING[0], _thread.start_new_thread)
            _thread.start_new_thread = start
        sys.addaudithook(hear)


def _announced(event: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """A call that Python is silent about."""

    @functools.wraps(call)
    def announced(*args: Any, **options: Any) -> Any:
        hear(event, args)
        return call(*args, **options)

    return announced
