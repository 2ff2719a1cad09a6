"""The memory fault: the signal of an access to memory that is not there, or not for that.

force_sig_fault() in kernel/signal.c: it goes to the task that made the access, and
neither a mask nor SIG_IGN saves it.
"""

from __future__ import annotations

from typing import NoReturn

from asyncipc.kernel.memory.mapping import MemoryFault
from asyncipc.kernel.signals.disposition import SignalInfo, bit
from asyncipc.runtime.process import Body
from asyncipc.runtime.threads import run_handlers


def fault(body: Body, failed: MemoryFault) -> None:
    """Its signal to the task that made the access.

    Returns if a handler has run.  Blocked or ignored it is as deadly as by default.
    """
    process, thread = body.process, body.threads.own()
    if bit(failed.signal) & process.handled & ~thread.mask:
        info = SignalInfo(failed.signal, failed.code)
        body.kernel.delivery.deliver(process, info, thread)
        run_handlers(body)
        body.leave_if_over()
    else:
        die(body, failed)


def die(body: Body, failed: MemoryFault) -> NoReturn:
    """The process is over, and its task leaves."""
    body.kernel.end(body.process, failed.signal)
    body.leave_if_over()
    raise AssertionError("a process that was killed is over")
