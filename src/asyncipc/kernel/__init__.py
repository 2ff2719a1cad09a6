"""The pure centre: what an IPC object *is*.

It knows descriptors, open files, endpoints, processes and who stands in line.
It must never know a clock, a die, a log, an event loop or the machine it runs
on: no await, no import beyond the standard library's words.

Read in this order: ``readiness``, ``waitqueue`` (the pattern of everything),
``buffers``, ``openfile``, ``descriptors``; then the objects.  Of message passing:
``files`` (pipes, FIFOs, path names), ``sockets`` (what all have in common) with
``unix``, ``ip``, ``tcp`` and ``udp``, ``mqueue``, and ``console``.  Of shared storage:
``files`` again (regular ones), ``locks``, ``memory``, ``sync`` (futexes and what
stands on them) and ``sysv``.  What waits for others: ``poll``, ``select`` and
``epoll_wait``, ``anonymous`` (epoll and its kin), ``standing`` and ``handover`` (lines of those who
want different things), ``transfer`` (calls that take long).  Then ``signals``, ``processes``, and
``kernel``, which holds them together; ``census`` looks at all of it.  Inside, a
package may import its neighbours: they are one rank.
"""
