"""The native backend whose processes are the operating system's.

An interpreter has one process, its own.  A child is a new interpreter, with an
entry here for wait and SIGCHLD (``children``); signals go through the
operating system and come from it (``signals``).  The interpreter that the run
was begun in is the ancestor of all (``lineage``).
"""

from __future__ import annotations

import errno
import importlib
import os
import pickle
import pkgutil
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from ctypes import addressof, c_int
from typing import TYPE_CHECKING, Final, final

import anyio

import asyncipc.native as asyncipc_native
from asyncipc.errors import fail
from asyncipc.kernel.descriptors import DescriptorTable
from asyncipc.kernel.processes.children import P_PGID, WCONTINUED, WSTOPPED
from asyncipc.kernel.processes.process import PR_GET_PDEATHSIG, PR_SET_PDEATHSIG
from asyncipc.kernel.signals.disposition import IGNORE, SIGCHLD, SignalInfo, bit, check_number
from asyncipc.native.adopt import adopt
from asyncipc.native.backend import NativeBackend
from asyncipc.native.files.names import interpreters_umask
from asyncipc.native.libc import prctl, sigqueue
from asyncipc.native.processes.bell import Bell
from asyncipc.native.processes.children import Children
from asyncipc.native.processes.inheritance import (
    CONSOLE,
    Inheritance,
    Table,
    home_of_main,
    ignored_by,
    pickled,
    start_interpreter,
)
from asyncipc.native.processes.letter import Letter
from asyncipc.native.processes.lineage import Ancestor
from asyncipc.native.processes.signals import (
    ALL,
    RealDelivery,
    Signals,
    is_about_child,
    is_main_thread,
)
from asyncipc.native.refusal import refuse
from asyncipc.runtime.process import Body, Program, name_of
from asyncipc.runtime.simulation import write_to_stdout

if TYPE_CHECKING:
    from asyncipc.kernel.console import Console
    from asyncipc.kernel.processes.process import Process
    from asyncipc.kernel.waitqueue import WouldBlock
    from asyncipc.runtime.host import Host

POINTER_BITS: Final = 2**64 - 1


def _ask_what_it_is(process: Process) -> None:
    """Whose it is, and its death signal, which it forgets with that."""
    process.uid, process.gid = os.getuid(), os.getgid()
    signal = c_int()
    prctl(PR_GET_PDEATHSIG, addressof(signal), 0, 0, 0)
    process.death_signal = signal.value


@final
class IsolatedBackend(NativeBackend):
    """``inherited``: what a child's interpreter was given; None in the ancestor's.

    ``process``: the one of this interpreter.
    """

    isolated = True

    def __init__(self, host: Host, root: str | None, inherited: Inheritance | None) -> None:
        if sys.platform != "linux":
            refuse("isolation='process'", "it stands on Linux")
        if not sys.executable:
            refuse("isolation='process'", "this program embeds Python: who would run a child?")
        super().__init__(host, root)
        self.inherited = inherited
        self.process: Process
        self._delivery = self.kernel.delivery = RealDelivery(self.kernel, inherited is not None)
        self._ancestor: Ancestor | None = None
        self._bell: Bell | None = None
        self._signals: Signals
        self._children: Children
        self._undo = ExitStack()

    # -- the run

    def services(self) -> Sequence[Callable[[], Awaitable[None]]]:
        with ExitStack() as undo:  # what has begun when the rest cannot
            undo.callback(super().close)
            super().services()
            bell = Bell()
            undo.callback(bell.close)
            if self.inherited is None and is_main_thread():
                former = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                undo.callback(signal.signal, signal.SIGCHLD, former)
            self._signals = self._delivery.signals = Signals(bell, self._deliver)
            undo.callback(self._signals.close)
            self._children = Children(self.kernel, bell, self._failed, self._left, self._gone)
            self._take_place(bell, undo)
            self._undo = undo.pop_all()
        self._bell = bell
        return (bell.answer,)

    def _take_place(self, bell: Bell, undo: ExitStack) -> None:
        """The ancestor of a run, or one of its descendants."""
        if self.inherited is not None:
            self._tie, self._relayed = self.inherited.tie, self.inherited.relayed
            self._signals.take(ALL)
            return
        outlet = self.host.console.outlet
        ancestor = Ancestor(bell, outlet, self._failed, self._left)
        undo.callback(ancestor.bury_all)
        undo.callback(self._children.bury)
        undo.callback(ancestor.close)
        undo.callback(self._children.kill)
        undo.callback(ancestor.let_go)
        self._ancestor, self._tie = ancestor, ancestor.tie
        self._relayed = outlet is not write_to_stdout
        self._signals.take(bit(SIGCHLD))

    def close(self) -> None:
        """A child's interpreter ends, and the operating system sees to the rest."""
        if self.inherited is None:
            self._bell = None
            self._undo.close()

    def is_inhabited(self) -> bool:
        """Only the ancestor waits for others to end."""
        ancestor = self._ancestor
        return ancestor is not None and (self._children.has_living or ancestor.has_living)

    def _failed(self, pid: int, error: BaseException) -> None:
        if self._ancestor is not None:
            self.host.failures[pid] = error

    def _left(self) -> None:
        if self._ancestor is not None:
            self._ancestor.bury()
            self.simulation.someone_left()

    def _gone(self, pid: int) -> None:
        if self._ancestor is not None:
            self._ancestor.forgets(pid)

    # -- birth

    def first_process(self, name: str, console: Console) -> Process:
        kernel, pid = self.kernel, os.getpid()
        if pid == kernel.init.pid:  # we are what the system has for init
            kernel.init.pid = 0
            kernel.processes[0] = kernel.processes.pop(pid)
        process = self.process = kernel.first_process(name, console, pid)
        self._delivery.own = process
        process.group, process.session = os.getpgid(0), os.getsid(0)
        process.umask = interpreters_umask()
        _ask_what_it_is(process)
        if self.inherited is not None:
            self._inherit(process, self.inherited, console)
        return process

    def _inherit(self, process: Process, inherited: Inheritance, console: Console) -> None:
        files = [
            console if number == CONSOLE else adopt(self.kernel, number, flags)
            for number, flags in inherited.table.files
        ]
        process.table.close_all()
        process.table = DescriptorTable(*inherited.table.limits)
        process.table.owner = process
        for fd, place, cloexec in inherited.table.entries:
            process.table.fill(fd, files[place], cloexec=cloexec)
        process.dispositions = dict.fromkeys(inherited.ignored, IGNORE)
        process.main.mask = inherited.mask
        process.umask = inherited.umask
        if inherited.directory:
            self.names.chdir(process, inherited.directory)

    def spawn(
        self, program: Program, args: tuple[object, ...], console: Console, *, service: bool
    ) -> int:
        if service:
            refuse("a service with isolation='process'", "the run waits for every child")
        table = DescriptorTable()
        table.open(console, console, console, cloexec=False)
        try:
            return self._start(program, args, table, 0)
        finally:
            table.close_all()

    def fork(self, parent: Body, program: Program, args: tuple[object, ...]) -> int:
        return self._start(program, args, parent.process.table, parent.threads.own().mask)

    def _start(
        self, program: Program, args: tuple[object, ...], table: DescriptorTable, mask: int
    ) -> int:
        inheritance = self._inheritance(program, args, table, mask)
        letter = Letter.written(pickle.dumps(inheritance))
        try:
            numbers = [*inheritance.table.numbers(), *self._tie.numbers()]
            pid = start_interpreter(letter.number, numbers)
            self._enter(pid, inheritance.name, letter)
        except BaseException:
            letter.close()
            raise
        return pid

    def _enter(self, pid: int, name: str, letter: Letter) -> None:
        """It runs: from now on there is somebody who hears of its end."""
        pidfd = -1
        try:
            pidfd = os.pidfd_open(pid)
            if self._ancestor is None:
                self._tie.announce(pid, pidfd, letter)
            else:
                self._ancestor.knows(pid)
        except BaseException:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            if pidfd >= 0:
                os.close(pidfd)
            raise
        self._children.add(self.process, name, pid, pidfd, letter)

    def _inheritance(
        self, program: Program, args: tuple[object, ...], table: DescriptorTable, mask: int
    ) -> Inheritance:
        process = self.process
        text = pickled(program, args)
        return Inheritance(
            name=name_of(program),
            program=text,
            main=home_of_main(text),
            backend=self.simulation.parking.name,
            quantum=self.simulation.quantum,
            root=self.root,
            tie=self._tie,
            relayed=self._relayed,
            table=Table.of(table),
            ignored=ignored_by(process),
            mask=mask,
            umask=process.umask,
            directory=self._directory(process),
        )

    def _directory(self, process: Process) -> bytes:
        try:
            return self.names.getcwd(process)
        except FileNotFoundError:  # it was removed: the child begins where everybody does
            return b""

    # -- waiting for children

    def waitpid(self, parent: Body, pid: int, options: int) -> tuple[int, int] | WouldBlock:
        self._look_for_news(options)
        if pid == 0 or pid < -1:
            self._children.refresh_groups()
        return super().waitpid(parent, pid, options)

    def waitid(
        self, parent: Body, kind: int, number: int, options: int
    ) -> SignalInfo | WouldBlock | None:
        self._look_for_news(options)
        if kind == P_PGID:
            self._children.refresh_groups()
        return super().waitid(parent, kind, number, options)

    def _look_for_news(self, options: int) -> None:
        """A pidfd may have told of an end before the bell did."""
        if self._bell is not None:
            self._bell.ring()
        if options & (WSTOPPED | WCONTINUED):
            self._children.look_for_stops()

    # -- who a process is

    def getppid(self, body: Body) -> int:
        return os.getppid()

    def setpgid(self, body: Body, pid: int, group: int) -> None:
        os.setpgid(pid, group)
        body.process.group = os.getpgid(0)

    def getpgid(self, body: Body, pid: int) -> int:
        return os.getpgid(pid)

    def setsid(self, body: Body) -> int:
        os.setsid()
        body.process.group = body.process.session = os.getsid(0)
        return body.process.session

    def getsid(self, body: Body, pid: int) -> int:
        return os.getsid(pid)

    def setuid(self, body: Body, uid: int) -> None:
        if uid < 0:
            fail(errno.EINVAL)
        self._demand_child("setuid(2)")
        _import_what_is_left()
        os.setuid(uid)
        _ask_what_it_is(body.process)

    def setgid(self, body: Body, gid: int) -> None:
        if gid < 0:
            fail(errno.EINVAL)
        self._demand_child("setgid(2)")
        _import_what_is_left()
        os.setgid(gid)
        _ask_what_it_is(body.process)

    def _demand_child(self, what: str) -> None:
        if self.inherited is None:
            refuse(f"{what} of the run's first process", "its interpreter could never go back")

    def set_death_signal(self, body: Body, signal: int) -> None:
        check_number(signal)
        prctl(PR_SET_PDEATHSIG, signal, 0, 0, 0)
        super().set_death_signal(body, signal)

    def set_child_subreaper(self, body: Body, on: bool) -> None:
        refuse("PR_SET_CHILD_SUBREAPER with isolation='process'", "the run's first process is it")

    # -- signals

    def _deliver(self, info: SignalInfo) -> None:
        if is_about_child(info):  # the kernel here tells it, once it knows
            self._children.look_for_stops()
        else:
            self._delivery.deliver(self.process, info)

    def look_for_signals(self) -> None:
        self._signals.read()

    def _is_ancestor(self, pid: int) -> bool:
        """The program may end or stop itself; that its interpreter dies is for others to ask."""
        return self._ancestor is not None and pid == self.process.pid

    def kill(self, sender: Body, pid: int, signal: int) -> None:
        if self._is_ancestor(pid):
            super().kill(sender, pid, signal)
            return
        if pid == -1:
            refuse("kill(-1) with isolation='process'", "it would reach all that is this user's")
        group = os.getpgrp()
        if self._ancestor is not None and pid in {0, -group}:
            self._kill_own_group(self._ancestor, sender, group, signal)
            return
        os.kill(pid, signal)
        self.look_for_signals()

    def _kill_own_group(self, ancestor: Ancestor, sender: Body, group: int, signal: int) -> None:
        """Of the run alone: who else is in it belongs to who has begun the run, as its
        interpreter does.
        """
        check_number(signal)
        self._children.kill_group(group, signal)
        ancestor.kill_group(group, signal)
        super().kill(sender, self.process.pid, signal)
        self.look_for_signals()

    def sigqueue(self, sender: Body, pid: int, signal: int, value: int) -> None:
        if self._is_ancestor(pid):
            super().sigqueue(sender, pid, signal, value)
            return
        sigqueue(pid, signal, value & POINTER_BITS)
        self.look_for_signals()


def _import_what_is_left() -> None:
    """Rooms, as anyio's names and its half for this loop, are imported when they are first
    entered: another user may not read the house.
    """
    for module in pkgutil.walk_packages(asyncipc_native.__path__, f"{asyncipc_native.__name__}."):
        importlib.import_module(module.name)
    for name in dir(anyio):
        getattr(anyio, name)
    anyio.get_cancelled_exc_class()
