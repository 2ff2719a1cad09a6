"""Memory of the operating system: real maps behind the mappings that programs hold.

Read in this order: ``maps``, ``memfd``.
"""
