"""The pure centre: what an IPC object *is*.

It knows descriptors, open files, endpoints, processes and who stands in line.
It must never know a clock, a die, a log, an event loop or the machine it runs
on: no await, no import beyond the standard library's words.

Read in this order: ``readiness``, ``waitqueue`` (the pattern of everything),
``buffers``, ``openfile``, ``descriptors``; then the objects: ``files`` (pipes,
FIFOs, path names), ``sockets`` (what all have in common) with ``unix``, ``ip``,
``tcp`` and ``udp``, and ``console``; ``transfer``, ``poll`` and ``select`` (calls
that take long); ``signals``, ``processes``, and ``kernel``, which holds them
together.  Inside, a package may import its neighbours: they are one rank.
"""
