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
machine answers.  One module per man page's shelf: ``descriptors``, ``files``,
``sockets``, ``readiness``, ``processes``, ``signals``.
"""

from asyncipc.posix.constants import (
    CLOSE_RANGE_CLOEXEC,
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_GETFD,
    F_GETFL,
    F_GETOWN,
    F_GETPIPE_SZ,
    F_GETSIG,
    F_SETFD,
    F_SETFL,
    F_SETOWN,
    F_SETPIPE_SZ,
    F_SETSIG,
    FD_CLOEXEC,
    FIONBIO,
    FIONREAD,
    O_ASYNC,
    O_CLOEXEC,
    O_DIRECT,
    O_NONBLOCK,
    O_RDONLY,
    O_RDWR,
    O_WRONLY,
    PIPE_BUF,
    RLIMIT_NOFILE,
    SIG_DFL,
    SIG_IGN,
)
from asyncipc.posix.descriptors import (
    close,
    close_range,
    dup,
    dup2,
    dup3,
    fcntl,
    get_blocking,
    get_inheritable,
    getrlimit,
    ioctl,
    set_blocking,
    set_inheritable,
    setrlimit,
)
from asyncipc.posix.files import (
    pipe,
    pipe2,
    read,
    write,
)
from asyncipc.posix.processes import (
    _exit,
    execv,
    fork,
    getpid,
    getppid,
    wait,
    waitpid,
)
from asyncipc.posix.readiness import (
    poll,
)
from asyncipc.posix.signals import (
    kill,
    signal,
)
from asyncipc.posix.sockets import (
    recv,
    send,
    shutdown,
    socketpair,
)

__all__ = [
    "CLOSE_RANGE_CLOEXEC",
    "FD_CLOEXEC",
    "FIONBIO",
    "FIONREAD",
    "F_DUPFD",
    "F_DUPFD_CLOEXEC",
    "F_GETFD",
    "F_GETFL",
    "F_GETOWN",
    "F_GETPIPE_SZ",
    "F_GETSIG",
    "F_SETFD",
    "F_SETFL",
    "F_SETOWN",
    "F_SETPIPE_SZ",
    "F_SETSIG",
    "O_ASYNC",
    "O_CLOEXEC",
    "O_DIRECT",
    "O_NONBLOCK",
    "O_RDONLY",
    "O_RDWR",
    "O_WRONLY",
    "PIPE_BUF",
    "RLIMIT_NOFILE",
    "SIG_DFL",
    "SIG_IGN",
    "_exit",
    "close",
    "close_range",
    "dup",
    "dup2",
    "dup3",
    "execv",
    "fcntl",
    "fork",
    "get_blocking",
    "get_inheritable",
    "getpid",
    "getppid",
    "getrlimit",
    "ioctl",
    "kill",
    "pipe",
    "pipe2",
    "poll",
    "read",
    "recv",
    "send",
    "set_blocking",
    "set_inheritable",
    "setrlimit",
    "shutdown",
    "signal",
    "socketpair",
    "wait",
    "waitpid",
    "write",
]
