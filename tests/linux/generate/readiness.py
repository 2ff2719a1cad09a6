"""What tells of readiness: epoll, eventfd, timerfd, poll and select over several objects."""

from __future__ import annotations

from typing import ClassVar

from tests.linux.generate.program import Family

EVENTS = (
    "{EPOLLIN EPOLLOUT EPOLLIN|EPOLLOUT EPOLLIN|EPOLLRDHUP 0}|{? EPOLLET EPOLLONESHOT EPOLLPRI}"
)


class Readiness(Family):
    name = "readiness"
    tasks_max: ClassVar = 3
    opening: ClassVar[tuple[str, ...]] = (
        "e = epoll",
        "r w = pipe O_NONBLOCK",
        "v = eventfd 0 EFD_NONBLOCK",
        "s s = socketpair AF_UNIX SOCK_STREAM|SOCK_NONBLOCK",
    )
    grammar = """
        1 e:3 = epoll
        1 r:4 w = pipe O_NONBLOCK
        1 v:4 = eventfd {0 1 5} EFD_NONBLOCK|{? EFD_SEMAPHORE EFD_CLOEXEC}
        1 s:8 s = socketpair AF_UNIX {SOCK_STREAM SOCK_DGRAM SOCK_SEQPACKET}|SOCK_NONBLOCK
        1 t:3 = timerfd 1 TFD_NONBLOCK
        9 epoll_ctl <e> EPOLL_CTL_ADD <r|w|v|s|t|e> EVENTS
        4 epoll_ctl <e> EPOLL_CTL_MOD <r|w|v|s|t|e> EVENTS
        2 epoll_ctl <e> EPOLL_CTL_DEL <r|w|v|s|t|e>
       14 epoll_wait <e> 0 {64 64 1 2 0}
        6 write <w> {'x' a*100 b*4096 c*65536}
        6 read <r> {1 100 4096 65536}
        6 send <s> {'x' a*100 b*4096} MSG_DONTWAIT
        6 recv <s> {1 100 8192} MSG_DONTWAIT
        4 efd_write <=v> {0 1 5 18446744073709551614 18446744073709551615}
        4 efd_read <=v>
        2 timerfd_set <t> {0 500000} {0 900000}
        1 timerfd_set <t> 1 0 TFD_TIMER_ABSTIME
        1 timerfd_armed <t>
        1 read_u64 <t>
        6 poll <r|w|v|s|t|e>
        4 pollall [<r|v|s|e>,<w|s|t>,<v|e|s>] 0
        3 select [<r|v|s|e>,<r|t>] [<w|s>] [<s|v>]
        1 shutdown <s> {SHUT_RD SHUT_WR SHUT_RDWR}
        2 * = dup <r|w|v|s|e>
        4 close <r|w|v|s|t|e>!
        1 fill <w> a*4096
        1 drain <r>
        1 fork TASK
    """.replace("EVENTS", EVENTS)
