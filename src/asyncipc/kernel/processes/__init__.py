"""Processes: fork to wait, groups and sessions.

``process`` is the record, ``children`` waits for them, ``groups`` are process
groups and sessions.  It must never know a task: that is the process's body.
"""
