"""The network: what a wire is, and what the hosts at its ends make of it.

Packets travel between hosts over one-way links, which take time and may lose,
copy, reorder and damage them.  Everything here is a state machine: time comes
as ``now`` or from a :class:`~asyncipc.kernel.timers.Timers`, dice as an
argument.  The network knows the kernel (whose port tables and sockets it
serves).  It must never know who waits, who runs, or what draws the dice.

Read ``packet`` (what travels), ``links/`` (one way), ``fabric`` with ``traffic``, ``flight`` and
``counts`` (all links, and what is on its way), ``faults/`` (rules, cuts, schedules),
``internet/`` (one host's layer), then ``tcp/``.
"""
