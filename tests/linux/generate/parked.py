"""Tasks that fall asleep in their calls: who wakes, and with what.

The same grammars, but most calls may sleep.  After each line the outcomes of
those that have woken are asked for, so the two machines must wake the same
ones with the same results; at the end all who sleep must sleep on both.
"""

from __future__ import annotations

from typing import ClassVar, Final

from tests.linux.generate.files import Locks
from tests.linux.generate.internet import Tcp
from tests.linux.generate.pipes import Fifos, Pipes
from tests.linux.generate.program import Family
from tests.linux.generate.queues import PosixQueues, SystemVQueues, SystemVSemaphores
from tests.linux.generate.unix_sockets import UnixDatagram, UnixSeqpacket, UnixStream

FORKS = ("fork TASK",) * 4
KILL = """
        1 kill %PROCESS SIGKILL
"""


def without(grammar: str, *operations: str) -> str:
    """A grammar without some operations."""
    kept = []
    for line in grammar.splitlines():
        words = line.replace(" = ", " ").split()
        if not any(operation in words for operation in operations):
            kept.append(line)
    return "\n".join(kept)


def atomic(grammar: str) -> str:
    """No write longer than PIPE_BUF: see ``excluded``, of writers that have written a part."""
    shorter = grammar.replace("write <w> DATA", "write <w> DATA:4096")
    return shorter.replace("DATAS:8192", "DATAS:1000")


class Parked(Family):
    tasks_max: ClassVar = 5
    asleep_percent: ClassVar = 80
    settling: ClassVar = "kill"

    def _wrong(self, own: str, loose: frozenset[str]) -> list[str]:
        """No names that may stand for another's number: who sleeps where must be known."""
        return []


class ParkedPipes(Parked):
    name = "parked-pipes"
    opening: ClassVar[tuple[str, ...]] = ("r w = pipe", *FORKS)
    grammar = (
        atomic(without(Pipes.grammar, "fill", "drain", "splice", "tee", "F_SETFL", "select")) + KILL
    )


class ParkedFifos(Parked):
    name = "parked-fifos"
    opening: ClassVar[tuple[str, ...]] = ("mkfifo $D/a", "mkfifo $D/b", *FORKS)
    grammar = (
        atomic(without(Fifos.grammar, "fill", "drain", "splice", "tee", "F_SETFL", "select")) + KILL
    )


ASLEEP_NEVER = (
    "fillmsg", "drain", "select", "fillto", "SO_PASSCRED", "fork", "SO_SNDBUF", "SO_RCVBUF",
)  # fmt: skip


class ParkedStream(Parked):
    name = "parked-stream"
    opening: ClassVar[tuple[str, ...]] = (*UnixStream.opening, *FORKS)
    grammar = without(UnixStream.grammar, *ASLEEP_NEVER) + KILL


class ParkedSeqpacket(Parked):
    name = "parked-seqpacket"
    opening: ClassVar[tuple[str, ...]] = (*UnixSeqpacket.opening, *FORKS)
    grammar = without(UnixSeqpacket.grammar, *ASLEEP_NEVER) + KILL


class ParkedDatagram(Parked):
    name = "parked-dgram"
    opening: ClassVar[tuple[str, ...]] = (*UnixDatagram.opening, *FORKS)
    grammar = without(UnixDatagram.grammar, *ASLEEP_NEVER) + KILL


class ParkedTcp(Parked):
    name = "parked-tcp"
    sizes: ClassVar = Tcp.sizes
    common: ClassVar = Tcp.common
    following: ClassVar = Tcp.following
    opening: ClassVar[tuple[str, ...]] = (*Tcp.opening, *FORKS)
    grammar = without(Tcp.grammar, *ASLEEP_NEVER, "tcpstate") + KILL


class ParkedLocks(Parked):
    name = "parked-locks"
    opening: ClassVar[tuple[str, ...]] = (
        "f = open $D/a O_CREAT|O_RDWR",
        *FORKS,
        "f = open $D/a O_RDWR",
    )
    grammar = (
        Locks.grammar
        + KILL
        + """
       10 setlk <f> {F_SETLKW F_SETLKW F_OFD_SETLKW} {F_RDLCK F_WRLCK} {0 1 5 10 20} {0 1 5 10}
       10 setlk <f> {F_SETLK F_OFD_SETLK} F_UNLCK {0 1 5 10 20} {0 1 5 10}
        4 flock <f> LOCK_UN
    """
    )


class ParkedPosixQueues(Parked):
    name = "parked-mqueue"
    sizes: ClassVar = PosixQueues.sizes
    opening: ClassVar[tuple[str, ...]] = ("q = mq_open $N/a O_CREAT|O_RDWR 2 16", *FORKS)
    grammar = without(PosixQueues.grammar, "mq_notify", "sigmask") + KILL


class ParkedSystemVQueues(Parked):
    name = "parked-messages"
    common: ClassVar = SystemVQueues.common
    sizes: ClassVar = SystemVQueues.sizes
    opening: ClassVar[tuple[str, ...]] = (*SystemVQueues.opening, *FORKS)
    grammar = SystemVQueues.grammar + KILL


class ParkedSemaphores(Parked):
    name = "parked-semaphores"
    common: ClassVar = SystemVSemaphores.common
    settling: ClassVar = "kill|exit"
    opening: ClassVar[tuple[str, ...]] = (*SystemVSemaphores.opening, *FORKS)
    grammar = without(SystemVSemaphores.grammar, "exit") + KILL


class ParkedSync(Parked):
    """Futexes, mutexes, conditions and semaphores in memory that all share."""

    name = "parked-sync"
    numbers_known = False
    handles: ClassVar = frozenset({"m", "x", "c", "h"})
    opening: ClassVar[tuple[str, ...]] = (
        "m = mmap -1 4096 MAP_SHARED",
        "x = mutex_init <m> 64 errorcheck 1",
        "x = mutex_init <m> 128",
        "c = cond_init <m> 256",
        "h = sem_init <m> 512 1",
        "h = sem_open $N/a O_CREAT 0",
        *FORKS,
    )
    grammar = """
        6 futex_wait <m> {0 4} {0 0 1}
        5 futex_wake <m> {0 4} {1 2 10}
        2 mwrite <m> 0 {x00*4 x01*1+x00*3}
        8 mutex_lock <x>
        6 mutex_trylock <x>
       12 mutex_unlock <x>
        1 mutex_consistent <x>
        6 cond_wait <c> <x>
        4 cond_signal <c>
        2 cond_broadcast <c>
        8 sem_wait <h>
        8 sem_post <h>
        2 sem_trywait <h>
        2 sem_getvalue <h>
        1 kill %PROCESS SIGKILL
    """


class ParkedReadiness(Parked):
    """Those who wait for readiness alone: beside a sleeping reader it is a race who looks first."""

    name = "parked-readiness"
    opening: ClassVar[tuple[str, ...]] = (
        "v = eventfd 0 EFD_NONBLOCK",
        "r w = pipe O_NONBLOCK",
        "e = epoll",
        "epoll_ctl <e> EPOLL_CTL_ADD <r> EPOLLIN",
        *FORKS,
    )
    grammar = """
        5 efd_read <=v>
        8 efd_write <=v> {0 1 5 18446744073709551614}
        1 v:3 = eventfd {0 2} EFD_NONBLOCK|{? EFD_SEMAPHORE}
        1 r:3 w = pipe O_NONBLOCK
        1 s:6 s = socketpair AF_UNIX {SOCK_STREAM SOCK_DGRAM SOCK_SEQPACKET}|SOCK_NONBLOCK
        6 write <w> {a*1 b*100 c*4096 d*65536}
        5 read <r> {1 100 65536}
        4 send <s> {'x' a*4096 b*65536} MSG_DONTWAIT
        4 recv <s> 65536 MSG_DONTWAIT
        1 shutdown <s> {SHUT_RD SHUT_WR SHUT_RDWR}
        4 epoll_wait <=e> -1
        3 epoll_wait <=e> 0
        4 epoll_ctl <=e> EPOLL_CTL_ADD <r|w|v|s> {EPOLLIN EPOLLOUT EPOLLIN|EPOLLET}
        2 epoll_ctl <=e> EPOLL_CTL_MOD <r|w|v|s> {EPOLLIN EPOLLOUT EPOLLIN|EPOLLONESHOT}
        1 epoll_ctl <=e> EPOLL_CTL_DEL <r|w|v|s>
        5 sys_poll <r|w|v|e|s> -1
        4 sys_poll <r|w|v|e|s> -1 {POLLIN POLLOUT}
        3 pollall [<=r|v|s>,<=v|e|s>] - {POLLIN POLLOUT POLLRDHUP}
        2 poll <r|w|v|e|s>
        1 close <r|w|v|s>!
        1 kill %PROCESS SIGKILL
    """


class ParkedEventfd(Parked):
    name = "parked-eventfd"
    tasks_max: ClassVar = 2
    opening: ClassVar[tuple[str, ...]] = ("v = eventfd 0", "fork TASK")
    grammar = """
       10 efd_read <=v>
       10 efd_write <=v> {0 1 5 18446744073709551614}
        1 v:3 = eventfd {0 2} {0 EFD_SEMAPHORE}
        2 poll <v>
        1 kill %PROCESS SIGKILL
    """


class ParkedWaits(Parked):
    """Parents that wait for children, who end and stop."""

    name = "parked-waits"
    tasks_max: ClassVar = 8
    settling: ClassVar = "kill|exit"
    opening: ClassVar[tuple[str, ...]] = ("fork TASK", "fork TASK")
    grammar = """
        6 fork TASK
        3 exit {0 1 3}
        2 kill %PROCESS {SIGKILL SIGTERM}
        3 kill %PROCESS {SIGSTOP SIGCONT}
        3 kill %PROCESS SIGCONT
        8 waitpid {-1 %PROCESS 0} {? WUNTRACED WCONTINUED}
        2 waitid P_PID %PROCESS {WEXITED WEXITED|WSTOPPED WCONTINUED}|{? WNOWAIT}
        2 waitid P_ALL 0 {WEXITED WSTOPPED WCONTINUED}
        1 setpgid 0 0
        1 ignore SIGCHLD
        2 p:3 = pidfd_open %PROCESS
        2 sys_poll <p> -1 POLLIN
        2 waitpid -1 WNOHANG
    """


PARKED: Final[tuple[type[Family], ...]] = (
    ParkedPipes, ParkedFifos, ParkedStream, ParkedSeqpacket, ParkedDatagram, ParkedTcp, ParkedLocks,
    ParkedPosixQueues, ParkedSystemVQueues, ParkedSemaphores, ParkedSync, ParkedReadiness,
    ParkedEventfd, ParkedWaits,
)  # fmt: skip
