"""Shared memory: mappings of files, memfd and POSIX objects, segments of System V."""

from __future__ import annotations

from typing import ClassVar

from tests.linux.generate.program import Family


class Memory(Family):
    name = "memory"
    numbers_known = False  # a map of Python's keeps a descriptor of its own
    tasks_max: ClassVar = 3
    common: ClassVar = frozenset({"i"})
    handles: ClassVar = frozenset({"m", "p"})
    opening: ClassVar[tuple[str, ...]] = ("f = memfd", "ftruncate <f> 8192", "m = mmap <f> 8192")
    sizes: ClassVar = (0, 1, 2, 7, 100, 1000, 4095, 4096, 4097, 8191, 8192)
    grammar = """
        2 f:6 = memfd 'x' {0 MFD_CLOEXEC MFD_ALLOW_SEALING}
        2 f:6 = shm_open {$N/a $N/b} O_CREAT|O_RDWR|{? O_EXCL O_TRUNC}
        1 f:6 = shm_open {$N/a $N/b} {O_RDWR O_RDONLY}
        1 f:6 = open {$D/a $D/b} O_CREAT|O_RDWR
        1 shm_unlink {$N/a $N/b}
        3 ftruncate <f> {8192 8192 4096 10000 100}
        2 fsize <f>
        1 blocks <f>
        4 write <f> DATA:5000
        4 pread <f> SIZE:5000 SIZE:8192
        4 pwrite <f> DATA:5000 SIZE:8192
        1 lseek <f> {0 100 4096}
        4 m:6 = mmap <f> {4096 8192 100 4097} {MAP_SHARED MAP_SHARED MAP_PRIVATE}
        1 m:6 = mmap <=f> {4096 100} MAP_SHARED PROT_READ|PROT_WRITE {4096 0 100}
        1 m:6 = mmap -1 {4096 8192} {MAP_SHARED MAP_PRIVATE}
       10 mread <m> {0 1 50} {1 10 50}
        2 mread <m> {4000 4095 4096} {1 100}
       10 mwrite <m> {0 1 50} DATA:50
        1 mlen <m>
        1 mflush <m>
        1 mclose <m>!
        1 i:3 = shmget {$K1 $K2 IPC_PRIVATE} {100 4096 5000} IPC_CREAT|{? IPC_EXCL}|384
        1 i:3 = shmget {$K1 $K2} {0 100 9000} 0
        2 p:4 = shmat <i>
        3 shmpeek <p> {0 1 50} {1 20}
        3 shmpoke <p> {0 1 50} DATA:20
        1 shmdt <p>!
        1 shmnattch <i>
        1 shmstat <i>
        1 shmctl <i> IPC_RMID
        1 * = dup <f>
        1 close <f>!
        1 fcntl <f> F_ADD_SEALS {F_SEAL_SHRINK F_SEAL_GROW F_SEAL_WRITE F_SEAL_SEAL}
        1 fcntl <f> F_GET_SEALS
        2 fork TASK
    """
