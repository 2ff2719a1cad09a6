"""TCP and UDP on the loopback interface."""

from __future__ import annotations

from typing import ClassVar

from tests.linux.generate.program import Family

SMALL = (0, 1, 2, 7, 100, 1000, 1460, 4096)
"""TCP's buffers are shared out otherwise than Linux does (docs/limits.md): none is filled."""


class Tcp(Family):
    name = "tcp"
    following: ClassVar = {"s": "setsockopt {} IPPROTO_TCP TCP_NODELAY 1"}
    tasks_max: ClassVar = 2
    sizes: ClassVar = SMALL
    common: ClassVar = frozenset({"n"})
    opening: ClassVar[tuple[str, ...]] = (
        "l = socket AF_INET SOCK_STREAM|{! SOCK_NONBLOCK}",
        "bind <l> 127.0.0.1:0",
        "listen <l> 5",
        "n = getsockname <l>",
    )
    grammar = """
        1 l:3 = socket AF_INET SOCK_STREAM|{! SOCK_NONBLOCK}
        3 s:14 = socket AF_INET SOCK_STREAM|{! SOCK_NONBLOCK}
        1 bind <=l|s> 127.0.0.1:0
        1 bind <=l> 127.0.0.1:$<n>
        1 listen <l> {1 2 5}
        1 n:6 = getsockname <l>
        8 connect <s> 127.0.0.1:$<n>
        6 s:14 = accept4 <l> {! SOCK_NONBLOCK}
       12 send <s> DATA:4096 {! MSG_DONTWAIT}
       12 recv <s> SIZE:5000 {! MSG_DONTWAIT}|{? MSG_PEEK MSG_WAITALL}
        2 recvn <s> SIZE:5000 {! MSG_DONTWAIT}|{? MSG_TRUNC}
        1 send <s> DATA:10 {! MSG_DONTWAIT}|MSG_OOB
        1 recv <s> 1 MSG_DONTWAIT|MSG_OOB
       10 poll <s|l>
        2 fionread <s>
        3 shutdown <s|l> {SHUT_RD SHUT_WR SHUT_RDWR}
        2 soerror <s|l>
        2 getsockname <s|l>
        2 getpeername <s|l>
        3 tcpstate <s|l>
        2 linger <s> {0 1} 0
        1 setsockopt <s|l> SOL_SOCKET {SO_REUSEADDR SO_KEEPALIVE SO_OOBINLINE SO_REUSEPORT} {0 1}
        1 setsockopt <s> IPPROTO_TCP TCP_QUICKACK 1
        1 getsockopt <s|l> SOL_SOCKET {SO_ACCEPTCONN SO_REUSEADDR SO_KEEPALIVE SO_TYPE SO_DOMAIN}
        1 * = dup <s|l>
        3 close <s|l>!
        1 connect_unspec <s>
        1 drain <s>
        1 select [<s>] [<s>] [<s>]
        1 fork TASK
    """


class Udp(Family):
    name = "udp"
    tasks_max: ClassVar = 2
    common: ClassVar = frozenset({"n"})
    opening: ClassVar[tuple[str, ...]] = (
        "s = socket AF_INET SOCK_DGRAM|{! SOCK_NONBLOCK}",
        "bind <s> 127.0.0.1:0",
        "n = getsockname <s>",
        "s = socket AF_INET SOCK_DGRAM|{! SOCK_NONBLOCK}",
    )
    sizes: ClassVar = (0, 1, 2, 7, 100, 1000, 4096, 16384, 65507)
    grammar = """
        3 s:10 = socket AF_INET SOCK_DGRAM|{! SOCK_NONBLOCK}
        2 bind <s> {127.0.0.1 0.0.0.0}:0
        1 bind <s> 127.0.0.1:$<n>
        2 n:8 = getsockname <s>
        5 connect <s> 127.0.0.1:$<n>
        1 connect_unspec <s>
       10 sendto <s> DATA:65507 127.0.0.1:$<n> {! MSG_DONTWAIT}
        1 sendto <s> DATA:65537 127.0.0.1:$<n> {! MSG_DONTWAIT}
        8 send <s> DATA:65507 {! MSG_DONTWAIT}
       10 recvfrom <s> SIZE {! MSG_DONTWAIT}|{? MSG_PEEK}
        4 recv <s> SIZE {! MSG_DONTWAIT}|{? MSG_PEEK}
        3 recvn <s> SIZE {! MSG_DONTWAIT}|{? MSG_TRUNC MSG_PEEK}
        2 recvmsg <s> SIZE 256 {! MSG_DONTWAIT}|{? MSG_PEEK MSG_TRUNC}
        8 poll <s>
        2 fionread <s>
        2 soerror <s>
        2 getsockname <s>
        2 getpeername <s>
        2 shutdown <s> {SHUT_RD SHUT_WR SHUT_RDWR}
        1 setsockopt <s> SOL_SOCKET SO_RCVBUF {0 2304 5000 20000 212992}
        1 getsockopt <s> SOL_SOCKET {SO_RCVBUF SO_SNDBUF SO_REUSEADDR SO_TYPE SO_BROADCAST}
        1 setsockopt <s> SOL_SOCKET {SO_REUSEADDR SO_BROADCAST} {0 1}
        1 * = dup <s>
        3 close <s>!
        1 fillto <s> {a*1 b*1000 c*20000} 127.0.0.1:$<n> max=400
        1 drain <s>
        1 fork TASK
    """
