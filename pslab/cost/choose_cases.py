"""Cases to decide, each with the answer worked out by hand: a table to read, to test by, and to draw.

    for case in CHOICE_CASES:
        choice = choose(**case.group)           choice.architecture == case.architecture, choice.binding == case.binding

Pairs that differ in one word stand together: what changes the answer is then plain to see. Memory is 80 GB a worker
unless said otherwise; a dense group is one of rows of 4 bytes that are all touched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf

from .choose import Choice, choose

_DENSE = {"K": 8, "S": 4, "rows": 50_000_000, "row_bytes": 4, "rows_per_worker": 50_000_000, "slots": 2,
          "worker_memory_bytes": 80 * 10**9}
_PRINTED = {"K": 2, "S": 1, "rows": 10**8, "row_bytes": 512, "rows_per_worker": 4096,
            "worker_memory_bytes": 80 * 10**9}
_SMALL = {"K": 4, "S": 4, "rows": 100_000, "row_bytes": 64, "rows_per_worker": 400, "slots": 1,
          "worker_memory_bytes": 80 * 10**9}


@dataclass(frozen=True)
class ChoiceCase:
    """What the group is, in words; the arguments of `choose`; the architecture and the binding reason."""

    name: str
    group: dict = field(hash=False)
    architecture: str
    binding: str

    def choice(self) -> Choice:
        """What `choose` says."""
        return choose(**self.group)


CHOICE_CASES = (
    ChoiceCase("dense network, 8 workers, 4 servers", _DENSE, "allreduce", "bytes"),
    ChoiceCase("the same, 8 servers on 8 more machines", _DENSE | {"S": 8}, "server", "bytes"),
    ChoiceCase("dense network, K = S = 2: equal bytes", _DENSE | {"K": 2, "S": 2}, "allreduce", "bytes"),
    ChoiceCase("dense network, now and then a slow worker, nobody may pass",
               _DENSE | {"straggler": "transient"}, "allreduce", "bytes"),
    ChoiceCase("the same, 4 rounds of slack",
               _DENSE | {"straggler": "transient", "staleness": 4}, "server", "straggler"),
    ChoiceCase("one worker always slow, 4 rounds of slack",
               _DENSE | {"straggler": "persistent", "staleness": 4}, "allreduce", "bytes"),
    ChoiceCase("one worker always slow, no bound",
               _DENSE | {"straggler": "persistent", "staleness": inf}, "server", "straggler"),
    ChoiceCase("dense network, workers on spot machines", _DENSE | {"elastic": True}, "server", "elastic"),
    ChoiceCase("dense network of 30 billion numbers, Adam",
               _DENSE | {"rows": 30 * 10**9, "rows_per_worker": 30 * 10**9}, "server", "capacity"),
    ChoiceCase("printed table, 2 workers, SGD", _PRINTED, "gather", "bytes"),
    ChoiceCase("the same, AdaGrad: the copy doubles", _PRINTED | {"slots": 1}, "server", "capacity"),
    ChoiceCase("the same, AdaGrad, and workers come and go",
               _PRINTED | {"slots": 1, "elastic": True}, "server", "capacity"),
    ChoiceCase("printed table, 8 workers, 4 servers, SGD", _PRINTED | {"K": 8, "S": 4}, "server", "bytes"),
    ChoiceCase("printed table, 8 workers, 1 server, SGD", _PRINTED | {"K": 8}, "gather", "bytes"),
    ChoiceCase("100,000 rows, 4 workers, 4 servers", _SMALL, "server", "bytes"),
    ChoiceCase("the same, 2 workers", _SMALL | {"K": 2}, "gather", "bytes"),
    ChoiceCase("100,000 rows, nearly all touched, 8 workers, 2 servers",
               _SMALL | {"K": 8, "S": 2, "rows_per_worker": 99_000}, "allreduce", "bytes"),
    ChoiceCase("50 rows, all touched", _SMALL | {"K": 8, "rows": 50, "rows_per_worker": 50}, "allreduce", "bytes"),
)
