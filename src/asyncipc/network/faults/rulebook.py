"""The rule book: the rules in use, in their order, each with a die of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from asyncipc.network.faults.rules import Installed, Journey, Rule, Verdict

if TYPE_CHECKING:
    from asyncipc.network.dice import Dice, Die
    from asyncipc.network.fabric import Fabric
    from asyncipc.network.links.link import Link
    from asyncipc.network.packet import Packet


@final
class RuleBook:
    """``looks_inside``: does any rule want to see more than the names of hosts?

    A rule that is installed again under the name that it had goes on with its
    die.  One without a name is numbered: name those that throw dice, and a new rule
    before them shifts none of their draws.
    """

    def __init__(self, dice: Dice) -> None:
        self.looks_inside = self.are_any = False
        self._dice = dice
        self._dies: dict[str, Die] = {}
        self._installed: tuple[Installed, ...] = ()
        self._inside: dict[Installed, None] = {}
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._installed)

    def install(
        self, fabric: Fabric, rule: Rule, name: str | None, looks_inside: bool
    ) -> Installed:
        self._sequence += 1
        if name is None:
            name, die = str(self._sequence), self._dice(f"rule {self._sequence}")
        else:
            die = self._die(name)
        if any(other.name == name for other in self._installed):
            raise ValueError(f"there is a rule {name!r} already")
        installed = Installed(fabric, rule, name, self._sequence, die)
        self._installed = (*self._installed, installed)
        self.are_any = True
        if looks_inside:
            self._inside[installed] = None
            self.looks_inside = True
        return installed

    def _die(self, name: str) -> Die:
        die = self._dies.get(name)
        if die is None:
            die = self._dies[name] = self._dice(f"rule {name}")
        return die

    def remove(self, installed: Installed) -> None:
        installed.is_installed = False
        self._installed = tuple(other for other in self._installed if other is not installed)
        self.are_any = bool(self._installed)
        self._inside.pop(installed, None)
        self.looks_inside = bool(self._inside)

    def holding(self) -> tuple[Installed, ...]:
        """Those that hold something."""
        return tuple(installed for installed in self._installed if installed.held)

    def describe(self) -> str:
        return "; ".join(installed.describe() for installed in self._installed)

    def ask(
        self, packet: Packet, link: Link, now: int, after: int
    ) -> tuple[Installed, Verdict] | None:
        """The first answer of the rules behind ``after``, and whose it is."""
        for installed in self._installed:
            if installed.sequence <= after:
                continue
            journey = Journey(link.source, link.target, now, installed.die)
            verdict = installed.rule(packet, journey)
            if verdict is not None:
                return installed, verdict
        return None
