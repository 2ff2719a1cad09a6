"""UNIX sockets of the three types: pairs and names, passing descriptors, half-closing, options."""

from __future__ import annotations

from typing import ClassVar

from tests.linux.generate.program import Family

COMMON = """
    8 poll <s|l|d>
    2 fionread <s>
    1 siocoutq <s>
    2 shutdown <s|l> {SHUT_RD SHUT_WR SHUT_RDWR}
    2 soerror <s|l>
    1 getsockname <s|l>
    1 getpeername <s|l>
    1 getsockopt <s|l> SOL_SOCKET {SO_TYPE SO_DOMAIN SO_PROTOCOL SO_ACCEPTCONN SO_RCVLOWAT}
    1 setsockopt <s|l> SOL_SOCKET SO_SNDBUF {0 4608 5000 20000 212992}
    1 setsockopt <s|l> SOL_SOCKET SO_RCVBUF {0 2304 5000 20000 212992}
    1 getsockopt <s|l> SOL_SOCKET {SO_SNDBUF SO_RCVBUF}
    PASSCRED setsockopt <s|l> SOL_SOCKET SO_PASSCRED {0 1}
    1 * = dup <s|l>
    3 close <s|l>!
    1 close <d>!
    1 fcntl <s|l> F_GETFL
    2 sendmsg <s> DATA:8192 fds=[<=d|w>] flags={! MSG_DONTWAIT}
    1 sendmsg <s> '' fds=[<=d>] flags={! MSG_DONTWAIT}
    1 sendmsg <s> DATA:100 creds=self flags={! MSG_DONTWAIT}
    RECVFDS d:8 = recvfds <s> {1 10 5000} {1 1 1 0 2} {! MSG_DONTWAIT}
    2 recvmsg <s> SIZE {0 256} {! MSG_DONTWAIT}|{? MSG_PEEK}
    1 fillmsg <s> {a*1 b*1000 c*20000 d*70000} max=600
    1 drain <s>
    1 readv <s> SIZES:8192
    2 writev <s> DATAS:8192
    1 select [<s>] [<s>] [<s>]
    1 d:8 w:8 = pipe O_NONBLOCK
    1 read <d> 100
    1 write <w> DATA:100
    1 fork TASK
"""


def common(*, credentials: bool) -> str:
    """With credentials or with received descriptors: ``recvfds`` cannot tell them apart."""
    passed, received = ("2", "0") if credentials else ("0", "2")
    return COMMON.replace("PASSCRED ", passed + " ", 1).replace("RECVFDS", received)


CONNECTED = """
    2 l:4 = socket AF_UNIX TYPE|{! SOCK_NONBLOCK}
    1 s:12 = socket AF_UNIX TYPE|{! SOCK_NONBLOCK}
    3 bind <l> {$D/a $D/b @a @b}
    1 bind_autobind <l|s>
    4 listen <l> {0 1 2 5}
    6 connect <s> {$D/a $D/b @a @b}
    5 s:12 = accept4 <l> {! SOCK_NONBLOCK}
    1 unlink {$D/a $D/b}
    1 connect_unspec <s>
    1 sendto <s> DATA:100 {$D/a @a} {! MSG_DONTWAIT}
"""


class UnixStream(Family):
    name = "unix-stream"
    tasks_max: ClassVar = 3
    opening: ClassVar[tuple[str, ...]] = (
        "s:12 s = socketpair AF_UNIX SOCK_STREAM|{! SOCK_NONBLOCK}",
        "l = socket AF_UNIX SOCK_STREAM|{! SOCK_NONBLOCK}",
        "bind <l> $D/a",
        "listen <l> 2",
    )
    grammar = """
        2 s:12 s = socketpair AF_UNIX SOCK_STREAM|{! SOCK_NONBLOCK}
       12 send <s> DATA {! MSG_DONTWAIT}
       12 recv <s> SIZE {! MSG_DONTWAIT}|{? MSG_PEEK MSG_WAITALL}
        2 recvn <s> SIZE {! MSG_DONTWAIT}|{? MSG_TRUNC MSG_PEEK}
        2 recvfrom <s> SIZE {! MSG_DONTWAIT}
    """ + (CONNECTED + common(credentials=False)).replace("TYPE", "SOCK_STREAM").replace(
        "SO_SOCK_STREAM", "SO_TYPE"
    )


class UnixUrgent(UnixStream):
    """Urgent bytes, which limits the rest: no control messages beside them."""

    name = "unix-urgent"
    opening: ClassVar[tuple[str, ...]] = (
        "s:12 s = socketpair AF_UNIX SOCK_STREAM|{! SOCK_NONBLOCK}",
    )
    grammar = """
        1 s:8 s = socketpair AF_UNIX SOCK_STREAM|{! SOCK_NONBLOCK}
        8 send <s> DATA:100 {! MSG_DONTWAIT}
        8 send <s> DATA:10 {! MSG_DONTWAIT}|MSG_OOB
       10 recv <s> SIZE:100 {! MSG_DONTWAIT}|{? MSG_PEEK MSG_WAITALL}
        6 recv <s> {1 1 2 0} MSG_DONTWAIT|MSG_OOB|{? MSG_PEEK}
        6 poll <s>
        3 siocatmark <s>
        1 setsockopt <s> SOL_SOCKET SO_OOBINLINE {0 1}
        1 shutdown <s> {SHUT_RD SHUT_WR SHUT_RDWR}
        1 close <s>!
        1 * = dup <s>
        1 select [<s>] [<s>] [<s>]
        1 fork TASK
    """


class UnixSeqpacket(Family):
    name = "unix-seqpacket"
    tasks_max: ClassVar = 3
    opening: ClassVar[tuple[str, ...]] = tuple(
        line.replace("STREAM", "SEQPACKET") for line in UnixStream.opening
    )
    grammar = """
        2 s:12 s = socketpair AF_UNIX SOCK_SEQPACKET|{! SOCK_NONBLOCK}
       12 send <s> DATA {! MSG_DONTWAIT}|{? MSG_EOR}
       12 recv <s> SIZE {! MSG_DONTWAIT}|{? MSG_PEEK}
        3 recvn <s> SIZE {! MSG_DONTWAIT}|{? MSG_TRUNC MSG_PEEK}
        2 recvfrom <s> SIZE {! MSG_DONTWAIT}
    """ + (CONNECTED + common(credentials=False)).replace("TYPE", "SOCK_SEQPACKET").replace(
        "SO_SOCK_SEQPACKET", "SO_TYPE"
    )


class UnixDatagram(Family):
    name = "unix-dgram"
    tasks_max: ClassVar = 3
    opening: ClassVar[tuple[str, ...]] = (
        "s:12 s = socketpair AF_UNIX SOCK_DGRAM|{! SOCK_NONBLOCK}",
        "s = socket AF_UNIX SOCK_DGRAM|{! SOCK_NONBLOCK}",
        "s = socket AF_UNIX SOCK_DGRAM|{! SOCK_NONBLOCK}",
        "bind <s> $D/a",
        "bind <s> @a",
    )
    grammar = """
        1 s:12 s = socketpair AF_UNIX SOCK_DGRAM|{! SOCK_NONBLOCK}
        2 s:12 = socket AF_UNIX SOCK_DGRAM|{! SOCK_NONBLOCK}
        3 bind <s> {$D/a $D/b @a @b}
        1 bind_autobind <s>
        4 connect <s> {$D/a $D/b @a @b}
        1 connect_unspec <s>
        1 unlink {$D/a $D/b}
       10 send <s> DATA {! MSG_DONTWAIT}
        8 sendto <s> DATA {$D/a $D/b @a @b} {! MSG_DONTWAIT}
       10 recv <s> SIZE {! MSG_DONTWAIT}|{? MSG_PEEK}
        6 recvfrom <s> SIZE {! MSG_DONTWAIT}|{? MSG_PEEK}
        3 recvn <s> SIZE {! MSG_DONTWAIT}|{? MSG_TRUNC MSG_PEEK}
        1 fillto <s> {a*1 b*1000} {$D/a @a} max=600
        1 listen <s> 1
    """ + common(credentials=True)
