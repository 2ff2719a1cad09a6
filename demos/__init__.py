"""The demos: one short script for each topic of interprocess communication.

Each runs by itself (``python demos/pipe.py``) and as ``asyncipc demo pipe``.
A demo is a module whose docstring begins with its summary; ``main`` is the
program, and ``run(stage)`` shows it and returns an exit status;
:mod:`asyncipc.cli.showing` does the showing.  Demos of a mistake show how it
fails, and then ``corrected``, the program that does not.
"""

NETWORK = (
    "lossy_wire",
    "stop_and_wait",
    "thirty_percent",
    "one_way_cut",
    "split_brain",
    "crashing_server",
)
"""Of several hosts, and a wire that can fail: the simulated machine has them."""

READING_ORDER = (
    # how messages pass
    "pipe",
    "half_duplex",
    "duplex",
    "bounded",
    "boundaries",
    "fifo",
    "datagram",
    "stream",
    "backlog",
    "clients",
    "lost",
    "signals",
    "priorities",
    "epoll_server",
    "passing",
    # how storage is shared
    "ring_buffer",
    "record_locks",
    "lost_update",
    "torn_read",
    "lock_order",
    "dead_owner",
    # what goes wrong, why, and what helps
    "unclosed",
    "both_send",
    "partial_read",
    "end_of_file",
    "truncated",
    "sigpipe",
    "stale_path",
    "time_wait",
    "zombie",
    # several hosts
    *NETWORK,
)
