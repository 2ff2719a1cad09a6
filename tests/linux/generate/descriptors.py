"""Descriptors themselves: numbers, copies, flags, limits, what fork copies."""

from __future__ import annotations

from typing import ClassVar

from tests.linux.generate.program import Family


class Descriptors(Family):
    name = "descriptors"
    tasks_max: ClassVar = 3
    wrong_percent: ClassVar = 12
    opening: ClassVar[tuple[str, ...]] = ("d d = pipe O_NONBLOCK", "d = open $D/a O_CREAT|O_RDWR")
    grammar = """
        2 d:16 d = pipe O_NONBLOCK|{? O_CLOEXEC}
        2 d:16 = open $D/a O_CREAT|O_RDWR
        1 d:16 d = socketpair AF_UNIX {SOCK_STREAM SOCK_DGRAM}|SOCK_NONBLOCK|{? SOCK_CLOEXEC}
        1 d:16 = eventfd {0 3} EFD_NONBLOCK
        1 d:16 = epoll
        1 d:16 = timerfd 1 {TFD_NONBLOCK 0}
        1 d:16 = memfd
        1 d:16 = socket {AF_UNIX AF_INET} {SOCK_STREAM SOCK_DGRAM}|SOCK_NONBLOCK
        5 d:20 = dup <d>
        4 d:20 = dup2 <d> {5 9 15 20 -1 20000}
        2 d:20 = dup2 <d> <d>
        2 d:20 = dup2 <d> {6 10} 0
        3 d:20 = dup3 <d> {5 9 20} {0 O_CLOEXEC O_NONBLOCK}
        1 d:20 = dup3 <d> <d> {0 O_CLOEXEC}
        3 d:20 = dupfd <d> {0 5 10 30 -1 20000}
        2 d:20 = dupfd_cloexec <d> {0 5 10 30}
        6 fdno <d>
        8 close <d>!
        1 closerange {3 5 9} {5 8 12}
        1 close_range {3 5 9} {4 7 20 2} {0 0 CLOSE_RANGE_CLOEXEC 1}
        3 fcntl <d> F_GETFD
        3 fcntl <d> F_SETFD {0 1 2 3}
        3 fcntl <d> F_GETFL
        2 fcntl <d> F_SETFL O_NONBLOCK|{? O_APPEND O_ASYNC O_DIRECT}
        2 inheritable <d>
        1 set_inheritable <d> {0 1}
        1 isblocking <d>
        1 nonblock <d>
        1 fcntl <d> {F_DUPFD_QUERY} <d>
        2 ftype <d>
        3 poll <d>
        2 fionread <d>
        4 write <d> DATA:100
        4 read <d> SIZE:100
        1 send <d> DATA:100 MSG_DONTWAIT
        1 recv <d> SIZE:100 MSG_DONTWAIT
        1 lseek <d> {0 5} {0 1 2}
        1 pread <d> 10 0
        1 readv <d> SIZES:100
        1 ftruncate <d> {0 10}
        1 flock <d> LOCK_EX|LOCK_NB
        1 fsize <d>
        1 accept4 <d> 0
        1 listen <d> 1
        1 shutdown <d> SHUT_WR
        1 getsockname <d>
        1 splice <d> <d> 100 SPLICE_F_NONBLOCK
        1 sendfile <d> <d> - 100
        1 rlimit NOFILE {8 12 20 100 20000}
        1 epoll_ctl <d> EPOLL_CTL_ADD <d> EPOLLIN
        1 epoll_wait <d> 0
        1 timerfd_armed <d>
        1 mq_getattr <d>
        1 fork TASK
    """
