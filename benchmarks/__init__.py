"""Benchmarks: asyncipc and its peers, side by side in one run.

``python -m benchmarks [NAME ...] [--rounds N] [--json FILE]``

How to read the figures:

* **Trust ratios, not microseconds.**  Each round measures every contender of a
  case once, one after the other, and every second round in the reverse order,
  so that a busy machine is busy for all of them.  A ratio is taken within each
  round (peer / ours: above 1, ours is better); the median of these ratios is
  shown and judged.
* A **bar** is one of ``performance.md``; a comparison without a bar is there
  for information.  Ratios hold to about 15 %: one run that misses a bar by
  less proves nothing, and neither does one that clears it by less.
* **strict** is quantum 1 (every call lets others run), **q32** the default.
* Rates are CPU time of this process, kernel included: all contenders are
  single-threaded and never idle.  Timer lateness is real time.  Memory is what
  ``tracemalloc`` counts: all that Python allocates, and not what the kernel
  holds for a real socket.
* The network's cases run on virtual time, so nothing waits for a link; what is
  compared is the work that a CPU has with it (see ``gossip`` and ``network``).
* Ours runs *embedded* (``async with Simulation()`` inside ``trio.run`` or
  ``asyncio.run``), its tasks started in the same way as the peer's; where a
  case also runs it under ``asyncipc.run``, on virtual time, it says so.

Order of reading: ``case`` (what is compared), ``rounds`` (how), ``pairs`` (the
contenders of most cases), then one file per case (``gossip`` before
``network``), then ``report``.
"""
