"""The process that leads cases: init of a small world, if it may be.

As root it is the first process of its own PID and IPC namespaces with a private
/dev/shm, so that no ``kill -1`` gets out of them and nothing outlives it.
Else it adopts orphans, and the door refuses what would not be safe.

It reads orders (a pickle of lines and looks) from its standard input and
answers with outcomes on its standard output; at the end of the input it ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import itertools
import os
import pickle
import signal
import struct
import sys
import tempfile
from typing import BinaryIO, Final

from tests.linux.oplang import spell
from tests.linux.real.leader import Leader
from tests.linux.real.libc import function
from tests.linux.real.names import RealNames
from tests.linux.real.script import Script, is_for_one
from tests.linux.real.slot import slots

LENGTH: Final = struct.Struct("I")
CLONE_NEWNS: Final = 0x00020000
CLONE_NEWIPC: Final = 0x08000000
CLONE_NEWPID: Final = 0x20000000
MS_REC_PRIVATE: Final = 0x44000
PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36

_unshare: Final = function("unshare", ctypes.c_int)
_mount: Final = function(
    "mount", ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_void_p
)
_prctl: Final = function("prctl", *[ctypes.c_int] + [ctypes.c_ulong] * 4)


def send(stream: BinaryIO, message: object) -> None:
    data = pickle.dumps(message, 5)
    stream.write(LENGTH.pack(len(data)) + data)
    stream.flush()


def receive(stream: BinaryIO) -> object:
    """The next message; None at the end."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    message: object = pickle.loads(stream.read(LENGTH.unpack(head)[0]))
    return message


def main() -> None:
    isolated = enter_own_world()
    _forget_signals()
    _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.setsid()
    orders = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    _warm_up()
    gc.collect()
    gc.freeze()
    gc.disable()
    send(answers, isolated)
    here = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=f"oracle{os.getpid()}.", dir=here) as base:
        os.chmod(base, 0o711)  # a case's directory is its own to open
        lead(orders, answers, base)


def _forget_signals() -> None:
    """Be as any program of Python's, whatever our parent ignored; SIGTERM cleans up."""
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        if signal.getsignal(number) is not None:
            signal.signal(number, signal.SIG_DFL)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def _warm_up() -> None:
    """Let what each worker would compile for itself, such as patterns, be there from birth."""
    Script(RealNames("/", "warm")).run(["eq $D/x a*2", "eq [1.5,x:2] %init", "eq ::1 127.0.0.1:1"])
    spell(b"\0")


def lead(orders: BinaryIO, answers: BinaryIO, base: str) -> None:
    ours = slots()
    numbers = itertools.count()

    def leader(looks: int) -> Leader:
        number = next(numbers)
        return Leader(ours, f"{base}/{number}", f"{os.path.basename(base)}.{number}.", looks)

    while isinstance(order := receive(orders), tuple):
        lines, looks = order
        outcomes = leader(looks).run_at_once(lines) if is_for_one(lines) else None
        send(answers, leader(looks).run(lines) if outcomes is None else outcomes)


def enter_own_world() -> bool:
    """Become init of a new PID namespace; False where that is not allowed."""
    try:
        _unshare(CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNS)
    except OSError:
        return False
    first = os.fork()
    if first:
        _outlive(first)
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    _mount(b"none", b"/", None, MS_REC_PRIVATE, None)
    _mount(b"proc", b"/proc", b"proc", 0, None)
    _mount(b"tmpfs", b"/dev/shm", b"tmpfs", 0, None)
    return True


def _outlive(first: int) -> None:
    """What stays outside: it passes on how the world ended."""
    for fd in (0, 1):
        os.close(fd)
    with contextlib.suppress(KeyboardInterrupt):
        os._exit(os.waitstatus_to_exitcode(os.waitpid(first, 0)[1]) & 0xFF)
    os._exit(1)


if __name__ == "__main__":
    main()
