"""Scenarios: fault schedules in files, as TOML (:mod:`asyncipc.runtime.scenario` says how)."""

from asyncipc.runtime.scenario import from_toml as from_toml
from asyncipc.runtime.scenario import to_toml as to_toml

__all__ = ["from_toml", "to_toml"]
