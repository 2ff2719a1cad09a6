"""The pure centre: what an IPC object *is*.

It knows descriptors, open files, endpoints, processes and who stands in line.
It must never know a clock, a die, a log, an event loop or the machine it runs
on: no await, no import beyond the standard library's words.

Read in this order: ``readiness``, ``waitqueue`` (the pattern of everything),
``buffers``, ``openfile``, ``descriptors``; then the objects ``pipe``,
``stream``, ``datagram``, ``console``; ``transfer`` and ``poll`` (calls that
take long); ``signals``, ``signal_state``, ``delivery``, ``signal_wait``, ``signal_io``;
``process``, ``children``, ``groups``, and ``kernel``, which holds them together.
"""
