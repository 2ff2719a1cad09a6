"""A message queue gives the urgent message first.

A queue holds messages, not bytes, and each has a priority; equals come in
their order.  A queue has a place for
so many: a sender to a full queue waits.  It lives until it is unlinked, so a
message waits even while no process has the queue open.
"""

import sys

import anyio

from asyncipc.cli.showing import SIMULATED, Stage
from asyncipc.posix import (
    O_CREAT,
    O_RDONLY,
    O_WRONLY,
    QueueAttributes,
    close,
    fork,
    mq_open,
    mq_receive,
    mq_send,
    mq_unlink,
    waitpid,
    write,
)

STDOUT = 1
NAME = "/asyncipc-orders"
LATER, SOON, NOW = 1, 5, 9
ORDERS = (
    (b"sweep the yard", LATER),
    (b"answer the door", SOON),
    (b"put out the fire", NOW),
    (b"answer the phone", SOON),
    (b"water the plants", LATER),
)


async def main() -> None:
    await waitpid(fork(sender))
    await write(STDOUT, b"the sender has ended\n")
    queue = mq_open(NAME, O_RDONLY)
    for _ in ORDERS:
        order, priority = await mq_receive(queue, 64)
        await write(STDOUT, b"%d: %s\n" % (priority, order))
    close(queue)
    mq_unlink(NAME)


async def sender() -> None:
    queue = mq_open(NAME, O_CREAT | O_WRONLY, 0o600, QueueAttributes(mq_maxmsg=5, mq_msgsize=64))
    for order, priority in ORDERS:
        await mq_send(queue, order, priority)


async def full() -> None:
    queue = mq_open(NAME, O_CREAT | O_WRONLY, 0o600, QueueAttributes(mq_maxmsg=2, mq_msgsize=64))
    fork(slow_receiver)
    for order, priority in ORDERS:
        await mq_send(queue, order, priority)
    await waitpid(-1)
    mq_unlink(NAME)


async def slow_receiver() -> None:
    queue = mq_open(NAME, O_RDONLY)
    for _ in ORDERS:
        await anyio.sleep(1)
        await mq_receive(queue, 64)


def run(stage: Stage = SIMULATED) -> int:
    print(__doc__)
    stage.show(main, "Sent by one who has ended, received by priority")
    stage.show(full, "A queue of two: its sender waits for room")
    return 0


if __name__ == "__main__":
    sys.exit(run())
