"""The await layer: who *waits*, and who is woken by whom.

It knows the two schedulers, time, the seed and the tasks of processes.  It
must never know what a face looks like or who watches.  It waits in one
function, :func:`asyncipc.runtime.syscall.syscall`.

Read in this order: ``syscall`` (the one loop), ``parking`` with its two
schedulers ``trio_parking`` and ``asyncio_parking``, ``process``, ``threads`` and
``interruption`` (signals), ``clock``, ``simulation``; then ``backend`` and
``simulated``, ``tap`` and ``fault_plan``, ``report``, ``asyncio_loop``,
``watchdog``, ``fence``; ``gateway`` with its two halves, ``real_sockets`` and
``simulated_sockets``; and ``lent``, every private hook of others that we touch.
"""
