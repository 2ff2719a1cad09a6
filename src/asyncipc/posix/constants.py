"""Linux's numbers for flags and commands, for programs that run elsewhere too.

Where the standard library has a constant (``os``, ``socket``, ``select``,
``signal``) on Linux, its value is the same.
"""

from __future__ import annotations

from typing import Final

from asyncipc.kernel import descriptors, openfile
from asyncipc.kernel.files import pipe as pipes
from asyncipc.kernel.processes import children
from asyncipc.kernel.signals import disposition as signals
from asyncipc.kernel.signals.disposition import Disposition

O_RDONLY: Final = openfile.O_RDONLY
O_WRONLY: Final = openfile.O_WRONLY
O_RDWR: Final = openfile.O_RDWR
O_NONBLOCK: Final = openfile.O_NONBLOCK
O_CLOEXEC: Final = openfile.O_CLOEXEC
O_DIRECT: Final = openfile.O_DIRECT
O_ASYNC: Final = openfile.O_ASYNC

F_DUPFD: Final = 0
F_GETFD: Final = 1
F_SETFD: Final = 2
F_GETFL: Final = 3
F_SETFL: Final = 4
F_SETOWN: Final = 8
F_GETOWN: Final = 9
F_SETSIG: Final = 10
F_GETSIG: Final = 11
F_DUPFD_CLOEXEC: Final = 1030
F_SETPIPE_SZ: Final = 1031
F_GETPIPE_SZ: Final = 1032
FD_CLOEXEC: Final = 1
FIONREAD: Final = 0x541B
FIONBIO: Final = 0x5421
SIOCOUTQ: Final = 0x5411
SIOCATMARK: Final = 0x8905
RLIMIT_NOFILE: Final = 7
SIG_DFL: Final = Disposition.DEFAULT
SIG_IGN: Final = Disposition.IGNORE
PIPE_BUF: Final = pipes.PIPE_BUF
CLOSE_RANGE_CLOEXEC: Final = descriptors.CLOSE_RANGE_CLOEXEC
P_ALL: Final = children.P_ALL
P_PGID: Final = children.P_PGID
P_PID: Final = children.P_PID
SA_NOCLDSTOP: Final = signals.SA_NOCLDSTOP
SA_NOCLDWAIT: Final = signals.SA_NOCLDWAIT
SA_NODEFER: Final = signals.SA_NODEFER
SA_RESETHAND: Final = signals.SA_RESETHAND
SA_RESTART: Final = signals.SA_RESTART
SA_SIGINFO: Final = signals.SA_SIGINFO
SIG_BLOCK: Final = signals.SIG_BLOCK
SIG_SETMASK: Final = signals.SIG_SETMASK
SIG_UNBLOCK: Final = signals.SIG_UNBLOCK
WCONTINUED: Final = children.WCONTINUED
WEXITED: Final = children.WEXITED
WNOHANG: Final = children.WNOHANG
WNOWAIT: Final = children.WNOWAIT
WSTOPPED: Final = children.WSTOPPED
WUNTRACED: Final = children.WUNTRACED
