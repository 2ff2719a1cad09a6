"""Children as processes of the operating system: born, told what they inherit, reaped.

The law: nobody outlives the run, and no zombie stays, however the run ends.

Read in this order: ``backend`` (fork to wait, and what is the operating system's),
``inheritance`` and ``letter`` (what a child is told), ``child`` (its first breath),
``children`` and ``lineage`` (who is whose, and who reaps), ``bell`` and ``signals``
(how news come in).
"""
