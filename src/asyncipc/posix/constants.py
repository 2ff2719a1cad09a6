"""Linux's numbers for flags and commands, for programs that run elsewhere too.

Where the standard library has a constant (``os``, ``socket``, ``select``,
``signal``) on Linux, its value is the same.
"""

from __future__ import annotations

from typing import Final

from asyncipc.kernel import descriptors, openfile, readiness
from asyncipc.kernel.anonymous import epoll, eventfd, interest, pidfd, signalfd, timerfd
from asyncipc.kernel.files import namespace, node, regular, splice
from asyncipc.kernel.files import pipe as pipes
from asyncipc.kernel.locks import flock, records
from asyncipc.kernel.locks import lock as locks
from asyncipc.kernel.memory import mapping, memfd, mmap
from asyncipc.kernel.mqueue import calls as message_calls
from asyncipc.kernel.mqueue import notification
from asyncipc.kernel.processes import children, process
from asyncipc.kernel.signals import disposition as signals
from asyncipc.kernel.signals.disposition import Disposition
from asyncipc.kernel.sockets import options
from asyncipc.kernel.sockets import socket as sockets
from asyncipc.kernel.sync import mutex, semaphore
from asyncipc.kernel.sysv import identifiers, segments, semaphore_sets, semaphores
from asyncipc.kernel.sysv import message_calls as typed

__all__ = [
    "CLOCK_BOOTTIME",
    "CLOCK_MONOTONIC",
    "CLOCK_REALTIME",
    "CLOSE_RANGE_CLOEXEC",
    "EFD_CLOEXEC",
    "EFD_NONBLOCK",
    "EFD_SEMAPHORE",
    "EPOLLERR",
    "EPOLLET",
    "EPOLLEXCLUSIVE",
    "EPOLLHUP",
    "EPOLLIN",
    "EPOLLONESHOT",
    "EPOLLOUT",
    "EPOLLPRI",
    "EPOLLRDHUP",
    "EPOLLWAKEUP",
    "EPOLL_CLOEXEC",
    "EPOLL_CTL_ADD",
    "EPOLL_CTL_DEL",
    "EPOLL_CTL_MOD",
    "FD_CLOEXEC",
    "FIONBIO",
    "FIONREAD",
    "F_ADD_SEALS",
    "F_DUPFD",
    "F_DUPFD_CLOEXEC",
    "F_DUPFD_QUERY",
    "F_GETFD",
    "F_GETFL",
    "F_GETLK",
    "F_GETOWN",
    "F_GETPIPE_SZ",
    "F_GETSIG",
    "F_GET_SEALS",
    "F_OFD_GETLK",
    "F_OFD_SETLK",
    "F_OFD_SETLKW",
    "F_OK",
    "F_RDLCK",
    "F_SEAL_EXEC",
    "F_SEAL_FUTURE_WRITE",
    "F_SEAL_GROW",
    "F_SEAL_SEAL",
    "F_SEAL_SHRINK",
    "F_SEAL_WRITE",
    "F_SETFD",
    "F_SETFL",
    "F_SETLK",
    "F_SETLKW",
    "F_SETOWN",
    "F_SETPIPE_SZ",
    "F_SETSIG",
    "F_UNLCK",
    "F_WRLCK",
    "GETALL",
    "GETNCNT",
    "GETPID",
    "GETVAL",
    "GETZCNT",
    "IPC_CREAT",
    "IPC_EXCL",
    "IPC_NOWAIT",
    "IPC_PRIVATE",
    "IPC_RMID",
    "IPC_SET",
    "IPC_STAT",
    "LOCK_EX",
    "LOCK_NB",
    "LOCK_SH",
    "LOCK_UN",
    "MAP_ANONYMOUS",
    "MAP_NORESERVE",
    "MAP_POPULATE",
    "MAP_PRIVATE",
    "MAP_SHARED",
    "MAP_STACK",
    "MFD_ALLOW_SEALING",
    "MFD_CLOEXEC",
    "MFD_EXEC",
    "MFD_NOEXEC_SEAL",
    "MQ_PRIO_MAX",
    "MSG_COPY",
    "MSG_EXCEPT",
    "MSG_NOERROR",
    "O_APPEND",
    "O_ASYNC",
    "O_CLOEXEC",
    "O_CREAT",
    "O_DIRECT",
    "O_DIRECTORY",
    "O_EXCL",
    "O_NOATIME",
    "O_NONBLOCK",
    "O_RDONLY",
    "O_RDWR",
    "O_TRUNC",
    "O_WRONLY",
    "PIDFD_NONBLOCK",
    "PIPE_BUF",
    "PROT_NONE",
    "PROT_READ",
    "PROT_WRITE",
    "PR_GET_CHILD_SUBREAPER",
    "PR_GET_PDEATHSIG",
    "PR_SET_CHILD_SUBREAPER",
    "PR_SET_PDEATHSIG",
    "PTHREAD_MUTEX_ERRORCHECK",
    "PTHREAD_MUTEX_NORMAL",
    "PTHREAD_MUTEX_RECURSIVE",
    "P_ALL",
    "P_PGID",
    "P_PID",
    "P_PIDFD",
    "RLIMIT_NOFILE",
    "RWF_APPEND",
    "RWF_DSYNC",
    "RWF_HIPRI",
    "RWF_SYNC",
    "R_OK",
    "SA_NOCLDSTOP",
    "SA_NOCLDWAIT",
    "SA_NODEFER",
    "SA_RESETHAND",
    "SA_RESTART",
    "SA_SIGINFO",
    "SEEK_CUR",
    "SEEK_DATA",
    "SEEK_END",
    "SEEK_HOLE",
    "SEEK_SET",
    "SEM_UNDO",
    "SEM_VALUE_MAX",
    "SETALL",
    "SETVAL",
    "SFD_CLOEXEC",
    "SFD_NONBLOCK",
    "SHM_DEST",
    "SHM_LOCK",
    "SHM_LOCKED",
    "SHM_RDONLY",
    "SHM_UNLOCK",
    "SIGEV_NONE",
    "SIGEV_SIGNAL",
    "SIGEV_THREAD",
    "SIG_BLOCK",
    "SIG_DFL",
    "SIG_IGN",
    "SIG_SETMASK",
    "SIG_UNBLOCK",
    "SIOCATMARK",
    "SIOCOUTQ",
    "SO_PEERPIDFD",
    "SPLICE_F_MORE",
    "SPLICE_F_MOVE",
    "SPLICE_F_NONBLOCK",
    "TFD_CLOEXEC",
    "TFD_NONBLOCK",
    "TFD_TIMER_ABSTIME",
    "TFD_TIMER_CANCEL_ON_SET",
    "WCONTINUED",
    "WEXITED",
    "WNOHANG",
    "WNOWAIT",
    "WSTOPPED",
    "WUNTRACED",
    "W_OK",
    "X_OK",
]

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
F_SETSIG: Final = openfile.F_SETSIG
F_GETSIG: Final = 11
F_GETLK: Final = records.F_GETLK
F_SETLK: Final = records.F_SETLK
F_SETLKW: Final = records.F_SETLKW
F_OFD_GETLK: Final = records.F_OFD_GETLK
F_OFD_SETLK: Final = records.F_OFD_SETLK
F_OFD_SETLKW: Final = records.F_OFD_SETLKW
F_RDLCK: Final = locks.F_RDLCK
F_WRLCK: Final = locks.F_WRLCK
F_UNLCK: Final = locks.F_UNLCK
LOCK_SH: Final = flock.LOCK_SH
LOCK_EX: Final = flock.LOCK_EX
LOCK_NB: Final = flock.LOCK_NB
LOCK_UN: Final = flock.LOCK_UN
F_DUPFD_CLOEXEC: Final = 1030
F_DUPFD_QUERY: Final = 1027
F_SETPIPE_SZ: Final = pipes.F_SETPIPE_SZ
F_GETPIPE_SZ: Final = pipes.F_GETPIPE_SZ
FD_CLOEXEC: Final = 1
FIONREAD: Final = 0x541B
FIONBIO: Final = 0x5421
SIOCOUTQ: Final = 0x5411
SIOCATMARK: Final = sockets.SIOCATMARK
RLIMIT_NOFILE: Final = 7
SIG_DFL: Final = Disposition.DEFAULT
SIG_IGN: Final = Disposition.IGNORE
PIPE_BUF: Final = pipes.PIPE_BUF
CLOSE_RANGE_CLOEXEC: Final = descriptors.CLOSE_RANGE_CLOEXEC
PR_SET_PDEATHSIG: Final = process.PR_SET_PDEATHSIG
PR_GET_PDEATHSIG: Final = process.PR_GET_PDEATHSIG
PR_SET_CHILD_SUBREAPER: Final = process.PR_SET_CHILD_SUBREAPER
PR_GET_CHILD_SUBREAPER: Final = process.PR_GET_CHILD_SUBREAPER
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
CLOCK_BOOTTIME: Final = timerfd.CLOCK_BOOTTIME
CLOCK_MONOTONIC: Final = timerfd.CLOCK_MONOTONIC
CLOCK_REALTIME: Final = timerfd.CLOCK_REALTIME
EFD_CLOEXEC: Final = eventfd.EFD_CLOEXEC
EFD_NONBLOCK: Final = eventfd.EFD_NONBLOCK
EFD_SEMAPHORE: Final = eventfd.EFD_SEMAPHORE
EPOLLERR: Final = readiness.ERR
EPOLLET: Final = interest.EPOLLET
EPOLLEXCLUSIVE: Final = interest.EPOLLEXCLUSIVE
EPOLLHUP: Final = readiness.HUP
EPOLLIN: Final = readiness.IN
EPOLLONESHOT: Final = interest.EPOLLONESHOT
EPOLLOUT: Final = readiness.OUT
EPOLLPRI: Final = readiness.PRI
EPOLLRDHUP: Final = readiness.RDHUP
EPOLLWAKEUP: Final = interest.EPOLLWAKEUP
EPOLL_CLOEXEC: Final = epoll.EPOLL_CLOEXEC
EPOLL_CTL_ADD: Final = epoll.EPOLL_CTL_ADD
EPOLL_CTL_DEL: Final = epoll.EPOLL_CTL_DEL
EPOLL_CTL_MOD: Final = epoll.EPOLL_CTL_MOD
PIDFD_NONBLOCK: Final = pidfd.PIDFD_NONBLOCK
P_PIDFD: Final = children.P_PIDFD
SFD_CLOEXEC: Final = signalfd.SFD_CLOEXEC
SFD_NONBLOCK: Final = signalfd.SFD_NONBLOCK
SO_PEERPIDFD: Final = options.SO_PEERPIDFD
TFD_CLOEXEC: Final = timerfd.TFD_CLOEXEC
TFD_NONBLOCK: Final = timerfd.TFD_NONBLOCK
TFD_TIMER_ABSTIME: Final = timerfd.TFD_TIMER_ABSTIME
TFD_TIMER_CANCEL_ON_SET: Final = timerfd.TFD_TIMER_CANCEL_ON_SET
MQ_PRIO_MAX: Final = message_calls.MQ_PRIO_MAX
MSG_COPY: Final = typed.MSG_COPY
MSG_EXCEPT: Final = typed.MSG_EXCEPT
MSG_NOERROR: Final = typed.MSG_NOERROR
SIGEV_NONE: Final = notification.SIGEV_NONE
SIGEV_SIGNAL: Final = notification.SIGEV_SIGNAL
SIGEV_THREAD: Final = notification.SIGEV_THREAD
IPC_CREAT: Final = identifiers.IPC_CREAT
IPC_EXCL: Final = identifiers.IPC_EXCL
IPC_NOWAIT: Final = identifiers.IPC_NOWAIT
IPC_PRIVATE: Final = identifiers.IPC_PRIVATE
IPC_RMID: Final = identifiers.IPC_RMID
IPC_SET: Final = identifiers.IPC_SET
IPC_STAT: Final = identifiers.IPC_STAT
GETALL: Final = semaphore_sets.GETALL
GETNCNT: Final = semaphore_sets.GETNCNT
GETPID: Final = semaphore_sets.GETPID
GETVAL: Final = semaphore_sets.GETVAL
GETZCNT: Final = semaphore_sets.GETZCNT
SETALL: Final = semaphore_sets.SETALL
SETVAL: Final = semaphore_sets.SETVAL
SEM_UNDO: Final = semaphores.SEM_UNDO
SEM_VALUE_MAX: Final = semaphore.SEM_VALUE_MAX
PTHREAD_MUTEX_ERRORCHECK: Final = mutex.PTHREAD_MUTEX_ERRORCHECK
PTHREAD_MUTEX_NORMAL: Final = mutex.PTHREAD_MUTEX_NORMAL
PTHREAD_MUTEX_RECURSIVE: Final = mutex.PTHREAD_MUTEX_RECURSIVE
F_ADD_SEALS: Final = memfd.F_ADD_SEALS
F_GET_SEALS: Final = memfd.F_GET_SEALS
F_SEAL_EXEC: Final = regular.F_SEAL_EXEC
F_SEAL_FUTURE_WRITE: Final = regular.F_SEAL_FUTURE_WRITE
F_SEAL_GROW: Final = regular.F_SEAL_GROW
F_SEAL_SEAL: Final = regular.F_SEAL_SEAL
F_SEAL_SHRINK: Final = regular.F_SEAL_SHRINK
F_SEAL_WRITE: Final = regular.F_SEAL_WRITE
MAP_ANONYMOUS: Final = mmap.MAP_ANONYMOUS
MAP_NORESERVE: Final = mmap.MAP_NORESERVE
MAP_POPULATE: Final = mmap.MAP_POPULATE
MAP_PRIVATE: Final = mmap.MAP_PRIVATE
MAP_SHARED: Final = mmap.MAP_SHARED
MAP_STACK: Final = mmap.MAP_STACK
MFD_ALLOW_SEALING: Final = memfd.MFD_ALLOW_SEALING
MFD_CLOEXEC: Final = memfd.MFD_CLOEXEC
MFD_EXEC: Final = memfd.MFD_EXEC
MFD_NOEXEC_SEAL: Final = memfd.MFD_NOEXEC_SEAL
PROT_NONE: Final = mapping.PROT_NONE
PROT_READ: Final = mapping.PROT_READ
PROT_WRITE: Final = mapping.PROT_WRITE
SHM_DEST: Final = segments.SHM_DEST
SHM_LOCK: Final = segments.SHM_LOCK
SHM_LOCKED: Final = segments.SHM_LOCKED
SHM_RDONLY: Final = segments.SHM_RDONLY
SHM_UNLOCK: Final = segments.SHM_UNLOCK
F_OK: Final = 0
R_OK: Final = node.R_OK
W_OK: Final = node.W_OK
X_OK: Final = node.X_OK
O_APPEND: Final = openfile.O_APPEND
O_CREAT: Final = namespace.O_CREAT
O_DIRECTORY: Final = namespace.O_DIRECTORY
O_EXCL: Final = namespace.O_EXCL
O_NOATIME: Final = openfile.O_NOATIME
O_TRUNC: Final = namespace.O_TRUNC
RWF_APPEND: Final = 16
RWF_DSYNC: Final = 2
RWF_HIPRI: Final = 1
RWF_SYNC: Final = 4
SEEK_CUR: Final = regular.SEEK_CUR
SEEK_DATA: Final = regular.SEEK_DATA
SEEK_END: Final = regular.SEEK_END
SEEK_HOLE: Final = regular.SEEK_HOLE
SEEK_SET: Final = regular.SEEK_SET
SPLICE_F_MORE: Final = splice.SPLICE_F_MORE
SPLICE_F_MOVE: Final = splice.SPLICE_F_MOVE
SPLICE_F_NONBLOCK: Final = splice.SPLICE_F_NONBLOCK
