"""A process is killed while it has a lock: what the others see.

That depends on the lock.  A semaphore knows no owner: its count is lost, and
who waits does so for ever.  A System V semaphore taken with SEM_UNDO is given
back by the kernel.  A robust mutex knows its owner: the next one gets it
together with EOWNERDEAD, and may mend what the dead one left half done before
it says that all is well.
"""

import sys
from errno import EOWNERDEAD
from signal import SIGKILL

import anyio

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import (
    IPC_CREAT,
    IPC_PRIVATE,
    IPC_RMID,
    SEM_UNDO,
    SETVAL,
    Mutex,
    Semaphore,
    fork,
    kill,
    mmap,
    pause,
    pthread_mutex_consistent,
    pthread_mutex_init,
    pthread_mutex_lock,
    pthread_mutex_unlock,
    sem_init,
    sem_wait,
    semctl,
    semget,
    semop,
    waitpid,
    write,
)

STDOUT = 1
PAGE = 4096
TAKE = (0, -1, 0)
TAKE_FOR_LIFE = (0, -1, SEM_UNDO)


async def semaphore() -> None:
    lock = sem_init(mmap(-1, PAGE), 0, 1)
    await kill_one_that_holds(hold_semaphore, lock)
    await sem_wait(lock)


async def hold_semaphore(lock: Semaphore) -> None:
    await sem_wait(lock)
    await pause()


async def undone() -> None:
    lock = semget(IPC_PRIVATE, 1, IPC_CREAT | 0o600)
    semctl(lock, 0, SETVAL, 1)
    await kill_one_that_holds(hold_set, lock)
    await semop(lock, [TAKE])
    await write(STDOUT, b"the kernel has given it back\n")
    semctl(lock, 0, IPC_RMID)


async def hold_set(lock: int) -> None:
    await semop(lock, [TAKE_FOR_LIFE])
    await pause()


async def robust() -> None:
    lock = pthread_mutex_init(mmap(-1, PAGE), robust=True)
    await kill_one_that_holds(hold_mutex, lock)
    try:
        await pthread_mutex_lock(lock)
    except OSError as error:
        if error.errno != EOWNERDEAD:
            raise
        await write(STDOUT, b"it is mine, and its owner is dead: mend, then go on\n")
        pthread_mutex_consistent(lock)
    pthread_mutex_unlock(lock)


async def hold_mutex(lock: Mutex) -> None:
    await pthread_mutex_lock(lock)
    await pause()


async def kill_one_that_holds(program: object, lock: object) -> None:
    child_pid = fork(program, lock)  # type: ignore[arg-type]
    await anyio.sleep(0.1)
    kill(child_pid, SIGKILL)
    await waitpid(child_pid)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show_deadlock(semaphore, "A POSIX semaphore")
    stage.show(undone, "A System V semaphore, taken with SEM_UNDO")
    stage.show(robust, "A robust mutex")
    return 0


if __name__ == "__main__":
    sys.exit(run())
