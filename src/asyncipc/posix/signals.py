"""Calls that send signals and say what becomes of them."""

from __future__ import annotations

import operator
from collections.abc import Sequence

from asyncipc.errors import Unsupported
from asyncipc.kernel.signals import Disposition
from asyncipc.runtime.process import current
from asyncipc.runtime.syscall import call


def kill(pid: int, sig: int) -> None:
    """kill(2): send a signal to a process, a group (negative; 0: one's own) or all (-1).

    Signal 0 only asks whether there is somebody.  Errors: ESRCH, EINVAL.
    A fatal signal to oneself does not return.  Not modelled: permissions.
    """
    body = current()
    call(
        "kill",
        lambda pid, sig: body.machine.kill(body, pid, sig),
        operator.index(pid),
        operator.index(sig),
    )


def signal(sig: int, handler: Disposition, flags: int = 0, mask: Sequence[int] = ()) -> Disposition:
    """signal(2): SIG_DFL or SIG_IGN for a signal; returns the former.

    SIGPIPE and SIGXFSZ start ignored, as CPython has them.  EINVAL for
    SIGKILL, SIGSTOP and what is no signal.  Not modelled: handler functions,
    and with them ``flags`` and ``mask``.
    """
    if flags or mask:
        raise Unsupported("asyncipc does not model signal flags and masks yet")
    if not isinstance(handler, Disposition):
        raise Unsupported("asyncipc does not model signal handlers yet: SIG_DFL and SIG_IGN only")
    body = current()

    def wish(sig: int, handler: Disposition) -> Disposition:
        return body.machine.set_disposition(body, sig, handler)

    return call("signal", wish, operator.index(sig), handler)
