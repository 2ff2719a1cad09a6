"""The interpreter of a child: it reads its letter, runs its program, and ends as that has ended."""

from __future__ import annotations

import os
import pickle
import signal
import sys
from types import TracebackType
from typing import Final

import trio

from asyncipc.native.machine import Native
from asyncipc.native.processes.backend import IsolatedBackend
from asyncipc.native.processes.inheritance import Inheritance, read_program
from asyncipc.native.processes.letter import Letter
from asyncipc.native.processes.signals import act
from asyncipc.runtime.process import Body, print_failure
from asyncipc.runtime.simulation import Simulation, write_to_stdout

FAILED: Final = 1


def main(number: int) -> None:
    """``number``: the descriptor of its letter.  All signals are blocked, and stay so."""
    os.set_inheritable(number, False)
    letter = Letter(number)
    inherited: Inheritance = pickle.loads(letter.open())
    inherited.tie.fasten()
    _announce(inherited, letter)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.path[:] = inherited.sys_path
    sys.argv[:] = inherited.argv
    try:
        status = _run(inherited)
    except BaseException as error:
        error.__traceback__ = _of_program(error.__traceback__)
        print_failure(os.getpid(), inherited.name, error)
        letter.report(error)
        sys.exit(FAILED)
    if status & 0x7F:
        act(status & 0x7F)
    sys.exit(status >> 8)


def _announce(inherited: Inheritance, letter: Letter) -> None:
    """Its parent has done so, unless it was killed at once."""
    pid = os.getpid()
    own = os.pidfd_open(pid)
    inherited.tie.announce(pid, own, letter)
    os.close(own)


def _of_program(trace: TracebackType | None) -> TracebackType | None:
    """Without the frames that every child has; all of them if the program was never begun."""
    rest = trace
    while rest is not None and rest.tb_frame.f_code is not Body._run_one.__code__:
        rest = rest.tb_next
    return rest or trace


def _run(inherited: Inheritance) -> int:
    """The raw status of the program; what it raises, but SystemExit."""
    machine = Native(isolation="process", root=inherited.root)
    machine.inherited = inherited
    simulation = Simulation(
        quantum=inherited.quantum,
        console=inherited.tie.print if inherited.relayed else write_to_stdout,
        machine=machine,
    )
    program, args = read_program(inherited)
    try:
        if inherited.backend == "trio":
            trio.run(simulation.run, program, args)
        else:
            import asyncio

            asyncio.run(simulation.run(program, args))
    except SystemExit:
        pass  # it is the status
    backend = simulation.localhost.backend
    assert isinstance(backend, IsolatedBackend)
    return backend.process.status
