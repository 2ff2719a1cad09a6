"""Message queues of POSIX and of System V, and System V's semaphores."""

from __future__ import annotations

from typing import ClassVar

from tests.linux.generate.program import Family


class PosixQueues(Family):
    name = "mqueue"
    tasks_max: ClassVar = 3
    opening: ClassVar[tuple[str, ...]] = ("q = mq_open $N/a O_CREAT|O_RDWR|{! O_NONBLOCK} 3 16",)
    grammar = """
        2 q:8 = mq_open {$N/a $N/b} O_CREAT|{O_RDWR O_RDONLY O_WRONLY}|{! O_NONBLOCK} {1 2 3} {8 16}
        2 q:8 = mq_open {$N/a $N/b} {O_RDWR O_RDONLY O_WRONLY}|{! O_NONBLOCK}
        1 q:8 = mq_open {$N/a $N/b} O_CREAT|O_EXCL|O_RDWR|O_NONBLOCK {0 -1 1 11 10} {0 16 8193}
       12 mq_send <q> DATA:20 {0 1 5 32767 32768}
       12 mq_receive <q> {16 8 100 0 15}
        4 mq_getattr <q>
        1 mq_setattr <q> {O_NONBLOCK O_NONBLOCK|O_APPEND}
        4 poll <q>
        2 mq_notify <q> {0 SIGUSR1 -}
        1 sigmask SIG_BLOCK [SIGUSR1]
        1 sigpending
        1 mq_unlink {$N/a $N/b}
        1 * = dup <q>
        2 close <q>!
        1 mq_close <q>!
        1 fsize <q>
        1 readlen <q> {200 79 0}
        1 fork TASK
    """
    sizes: ClassVar = (0, 1, 7, 8, 9, 16, 17)


class SystemVQueues(Family):
    name = "sysv-messages"
    tasks_max: ClassVar = 3
    common: ClassVar = frozenset({"q"})
    sizes: ClassVar = (0, 1, 2, 7, 100, 1000, 4096, 8191, 8192, 8193)
    opening: ClassVar[tuple[str, ...]] = ("q = msgget IPC_PRIVATE IPC_CREAT|384",)
    grammar = """
        1 q:4 = msgget {$K1 $K2 IPC_PRIVATE} IPC_CREAT|{? IPC_EXCL}|384
        1 q:4 = msgget {$K1 $K2} {0 384}
       14 msgsnd <q> {1 2 3 7 0 -1} DATA:8193 {! IPC_NOWAIT}
       14 msgrcv <q> SIZE:8193 {0 0 1 2 3 -2 -7 7} {! IPC_NOWAIT}|{? MSG_NOERROR MSG_EXCEPT}
        1 msgrcv <q> SIZE:8193 {0 1 2 3} IPC_NOWAIT|MSG_COPY
        3 msgstat <q>
        2 msgset <q> {0 1 100 16384}
        1 msglast <q>
        1 msgctl <q> IPC_RMID
        1 fork TASK
    """


class SystemVSemaphores(Family):
    name = "sysv-semaphores"
    settling = "exit"
    tasks_max: ClassVar = 4
    common: ClassVar = frozenset({"i"})
    opening: ClassVar[tuple[str, ...]] = ("i = semget IPC_PRIVATE 3 IPC_CREAT|384",)
    grammar = """
        1 i:4 = semget {$K1 $K2 IPC_PRIVATE} {3 3 0} IPC_CREAT|{? IPC_EXCL}|384
        1 i:4 = semget {$K1 $K2} {0 3 4} {0 384}
       14 semop <i> [{0 1 2}:{1 2 -1 -2 0 5}:FLAGS]
        8 semop <i> [{0 1 2}:{1 -1 0}:FLAGS,{0 1 2 3}:{1 -1 -2 0}:FLAGS]
        1 semop <i> [{0 1}:{32767 32766}:FLAGS]
        6 semctl <i> {0 1 2 3} {GETVAL GETNCNT GETZCNT GETPID}
        4 semctl <i> {0 1 2 3} SETVAL {0 1 5 32767 32768 -1}
        4 semgetall <i> 3
        1 semsetall <i> [{0 1 5},{0 1 5},{0 1 32768}]
        1 semctl <i> 0 IPC_RMID
        1 exit 0
        3 fork TASK
    """.replace("FLAGS", "{! IPC_NOWAIT}|{? SEM_UNDO}")
