"""The network: what a wire is, and what the hosts at its ends make of it.

Packets travel between hosts over one-way links, which take time and may lose,
copy, reorder and damage them.  Everything here is a state machine: time comes
as ``now`` or from a :class:`~asyncipc.kernel.timers.Timers`, dice as an
argument.  The network knows the kernel (whose port tables and sockets it
serves).  It must never know who waits, who runs, or what draws the dice.

Read ``packet`` (what travels), ``link`` (one way), ``fabric`` (all links, all
rules, what is on its way), ``stack`` (one host's internet layer), then ``tcp/``.
"""
