"""The inheritance: all that a child's interpreter is given, and how it is started.

fork(2) copies a process; a new interpreter has to be told.  Its program and
arguments are pickled: a function travels by its name.  Descriptors keep the
operating system's numbers, so that nothing has to be translated.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from asyncipc.errors import Unsupported
from asyncipc.kernel.console import Console
from asyncipc.kernel.signals.disposition import Disposition
from asyncipc.native.descriptor import RealDescriptor
from asyncipc.native.processes.lineage import Tie
from asyncipc.native.refusal import refuse
from asyncipc.runtime.lent import interpreter_flags
from asyncipc.runtime.process import name_of

if TYPE_CHECKING:
    from asyncipc.kernel.descriptors import DescriptorTable
    from asyncipc.kernel.openfile import OpenFile
    from asyncipc.kernel.processes.process import Process
    from asyncipc.runtime.process import Program

CONSOLE: Final = -1
"""The number of a file that is the child's own console."""

Home: TypeAlias = tuple[str, str]
"""Where a script's ``__main__`` comes from: ("module", its name) or ("path", its file)."""


@dataclass(frozen=True)
class Table:
    """A descriptor table.  ``files``: each open file's number and flags, in the order in
    which ``entries`` (descriptor, place in ``files``, close-on-exec) name them.
    """

    limits: tuple[int, int]
    files: list[tuple[int, int]] = field(default_factory=list)
    entries: list[tuple[int, int, bool]] = field(default_factory=list)

    @classmethod
    def of(cls, table: DescriptorTable) -> Table:
        """Unsupported for what only this interpreter has."""
        copied = cls((table.limit, table.hard_limit))
        places: dict[OpenFile, int] = {}
        for entry in table:
            if entry.file not in places:
                places[entry.file] = len(places)
                copied.files.append((_number_of(entry.file), entry.file.flags))
            copied.entries.append((entry.fd, places[entry.file], entry.cloexec))
        return copied

    def numbers(self) -> list[int]:
        return [number for number, _ in self.files if number != CONSOLE]


def _number_of(file: OpenFile) -> int:
    if isinstance(file, RealDescriptor):
        return file.number
    if isinstance(file, Console):
        return CONSOLE
    refuse(
        f"fork with {file.describe()} open, with isolation='process',",
        "the operating system does not know it, so no other interpreter can have it",
    )


@dataclass(frozen=True)
class Inheritance:
    """``program``: it and its arguments, pickled.  ``main``: what ``__main__`` is, if the
    program needs it.  ``relayed``: does what goes to the console go to the ancestor's?
    """

    name: str
    program: bytes
    main: Home | None
    backend: str
    quantum: int
    root: str | None
    tie: Tie
    relayed: bool
    table: Table
    ignored: list[int]
    mask: int
    umask: int
    directory: bytes
    sys_path: list[str] = field(default_factory=lambda: sys.path[:])
    argv: list[str] = field(default_factory=lambda: sys.argv[:])


def ignored_by(process: Process) -> list[int]:
    """What the program ignores, and what the interpreter was told to (nohup)."""
    wishes = process.dispositions
    told = [n for n in sorted(signal.valid_signals()) if signal.getsignal(n) is signal.SIG_IGN]
    own = [number for number, wish in wishes.items() if wish.handler is Disposition.IGNORE]
    return own + [number for number in told if number not in wishes]


# -- the program


def pickled(program: Program, args: tuple[object, ...]) -> bytes:
    """TypeError for what another interpreter could not find or be sent; Unsupported for what
    only a copy of this one could have."""
    name = name_of(program)
    try:
        pickle.dumps(program)
    except Exception as error:
        raise TypeError(
            f"{name} cannot be run by another interpreter, which has to find it by its name: "
            f"make it a function of a module, no lambda and none inside another ({error})"
        ) from error
    try:
        return pickle.dumps((program, args))
    except Unsupported:
        raise
    except Exception as error:
        raise TypeError(
            f"an argument of {name} cannot be sent to another interpreter: {error}"
        ) from error


def home_of_main(program: bytes) -> Home | None:
    """Where ``__main__`` comes from, if the program needs it.  TypeError where it has no home."""
    if b"__main__" not in program:
        return None
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        return "module", cast("str", spec.name)
    path = getattr(main, "__file__", None)
    if path is None or not os.path.exists(path):
        raise TypeError(
            "another interpreter cannot find what was defined interactively: "
            "put the program into a file"
        )
    return "path", os.path.abspath(path)


def read_program(inherited: Inheritance) -> tuple[Program, tuple[object, ...]]:
    """The child's program, which is imported now."""
    if inherited.main is not None:
        _import_main(*inherited.main)
    return cast("tuple[Program, tuple[object, ...]]", pickle.loads(inherited.program))


def _import_main(kind: str, where: str) -> None:
    """As multiprocessing does: under a name that says that it is not being run."""
    import runpy
    import types

    module = types.ModuleType("__mp_main__")
    if kind == "module":
        found = runpy.run_module(where, run_name="__mp_main__", alter_sys=True)
    else:
        found = runpy.run_path(where, run_name="__mp_main__")
    module.__dict__.update(found)
    sys.modules["__main__"] = sys.modules["__mp_main__"] = module


# -- the interpreter

CODE: Final = """\
import ctypes.util, sys
sys.path.insert(0, {!r})
find, ctypes.util.find_library = ctypes.util.find_library, "lib{{}}.so.0".format
from asyncipc.native.processes.child import main
ctypes.util.find_library = find
main({})
"""
"""As it is imported, trio looks for pthread's file, for which Python runs ldconfig(8).  Who is
killed meanwhile would leave that program behind, as an orphan of which nobody was told.
"""


def start_interpreter(letter: int, numbers: list[int]) -> int:
    """Its pid.  It has these descriptors under these numbers, and blocks all signals, so
    that none is lost before it can take it.
    """
    house = str(Path(__file__).parents[3])
    arguments = [sys.executable, *interpreter_flags(), "-c", CODE.format(house, letter)]
    return os.posix_spawn(
        sys.executable,
        arguments,
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, number, number)  # onto itself: it is inherited
            for number in dict.fromkeys([letter, *numbers])
        ],
        setsigmask=signal.valid_signals(),
        setsigdef=signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP},
    )
