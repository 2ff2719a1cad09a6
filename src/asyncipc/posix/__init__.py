"""System calls of the current process, over integer descriptors.

Named as in ``os``, ``socket``, ``fcntl`` and ``select``: the programs of a
textbook's chapter, line for line.  What may block is ``async``; what cannot is
a plain function.  This is the bare system call: it raises the OSError that
Linux gives, does not retry, and returns short counts where Linux does.

Every ``async`` call here: *blocks* only where its text says so, and then lets
every other process run; under *cancellation* it has had no effect and raises,
unless it says that it has made progress, which it then returns.  EBADF for a
descriptor that is not open, EINTR where a handled signal or a fault plan says so.

A face like the others (see ``faces``): these modules must never know which
machine answers.  One module per man page's shelf, which lists its public names.
"""

# ruff: noqa: F403 (each shelf says in its __all__ what it gives)

from asyncipc.posix import (
    ancillary,
    clocks,
    constants,
    descriptors,
    epoll,
    eventfds,
    files,
    futexes,
    locks,
    memory,
    message_queues,
    messages,
    mutexes,
    names,
    options,
    paths,
    pidfds,
    processes,
    readiness,
    segments,
    semaphore_sets,
    semaphores,
    signalfds,
    signals,
    sockets,
    splicing,
    system_v_messages,
    timerfds,
    vectors,
)
from asyncipc.posix.ancillary import *
from asyncipc.posix.clocks import *
from asyncipc.posix.constants import *
from asyncipc.posix.descriptors import *
from asyncipc.posix.epoll import *
from asyncipc.posix.eventfds import *
from asyncipc.posix.files import *
from asyncipc.posix.futexes import *
from asyncipc.posix.locks import *
from asyncipc.posix.memory import *
from asyncipc.posix.message_queues import *
from asyncipc.posix.messages import *
from asyncipc.posix.mutexes import *
from asyncipc.posix.names import *
from asyncipc.posix.options import *
from asyncipc.posix.paths import *
from asyncipc.posix.pidfds import *
from asyncipc.posix.processes import *
from asyncipc.posix.readiness import *
from asyncipc.posix.segments import *
from asyncipc.posix.semaphore_sets import *
from asyncipc.posix.semaphores import *
from asyncipc.posix.signalfds import *
from asyncipc.posix.signals import *
from asyncipc.posix.sockets import *
from asyncipc.posix.splicing import *
from asyncipc.posix.system_v_messages import *
from asyncipc.posix.timerfds import *
from asyncipc.posix.vectors import *

__all__: list[str] = []
__all__ += ancillary.__all__
__all__ += clocks.__all__
__all__ += constants.__all__
__all__ += descriptors.__all__
__all__ += epoll.__all__
__all__ += eventfds.__all__
__all__ += files.__all__
__all__ += futexes.__all__
__all__ += locks.__all__
__all__ += memory.__all__
__all__ += message_queues.__all__
__all__ += messages.__all__
__all__ += mutexes.__all__
__all__ += names.__all__
__all__ += options.__all__
__all__ += paths.__all__
__all__ += pidfds.__all__
__all__ += processes.__all__
__all__ += readiness.__all__
__all__ += segments.__all__
__all__ += semaphore_sets.__all__
__all__ += semaphores.__all__
__all__ += signalfds.__all__
__all__ += signals.__all__
__all__ += sockets.__all__
__all__ += splicing.__all__
__all__ += system_v_messages.__all__
__all__ += timerfds.__all__
__all__ += vectors.__all__
