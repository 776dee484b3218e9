"""What a world hands back when all ranks are done."""

from __future__ import annotations

from dataclasses import dataclass, field

from .ledger import Ledger
from .trace import Trace


@dataclass
class Run:
    """Results by rank, seconds from first start to last end (virtual or real), bytes, messages, prints by rank."""

    results: list
    seconds: float
    ledger: Ledger
    trace: Trace
    prints: list[str] = field(default_factory=list)

    def __repr__(self) -> str:
        return f"Run({len(self.results)} ranks, {self.seconds:.6g} s, {self.ledger!r})"
