"""Code 11.7.1, its printed numbers to the digit, and beside each what it leaves out.

    printed     cache rows      0      100     1000    5000       drawn: 20,000 lookups from random.Random(0)
                hit rate        0.000  0.576   0.751   0.850
                MB a step       1342.2 568.8   333.7   200.9
    beside it   the same rates expected, what other seeds print, a true Zipf; equal ids sent once; what training does
                to a cache; the share of a row that stays at home; one port's time; optimizer state and scales

The generator is Python's own, seeded as in the chapter, and is asked in the chapter's order: one number for head or
tail; for the head one more, through the inverse of the running sum; for the tail one whole number. So the digits are
the chapter's.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from .ports import check_count
from .terabyte import EmbeddingStep, all_to_all_bytes, embedding_step, row_bytes, table_bytes
from .terabyte_popularity import chapter_popularity, zipf_popularity

ROWS, DIM, HOSTS, BATCH, LOOKUPS, HEAD, EXPONENT = 2_000_000_000, 128, 16, 65536, 40, 5000, 1.1
CAPACITIES = (0, 100, 1000, 5000)
PORT_BPS = 100e9            # "NET_GBPS = 100": gigabytes, not gigabits


@lru_cache(maxsize=8)
def chapter_lookups(n: int = 20_000, seed: int = 0) -> tuple[int, ...]:
    """n row ids as code 11.7.1 draws them: 85 % from a Zipf(1.1) over rows 0..4999, 15 % evenly from the others."""
    check_count("n", n)
    rng = random.Random(seed)
    running = list(accumulate(1.0 / k ** EXPONENT for k in range(1, HEAD + 1)))

    def one() -> int:
        if rng.random() < 0.85:
            at = bisect_left(running, rng.random() * running[-1])
            if at < HEAD:
                return at
        return rng.randint(HEAD, ROWS - 1)

    return tuple(one() for _ in range(n))


@dataclass(frozen=True)
class CacheRow:
    """One line of the table: what was drawn, and `expected_hit_rate`, what the draws come to in the end."""

    capacity: int
    cache_bytes: int
    hit_rate: float
    expected_hit_rate: float
    comm_bytes: float

    @property
    def printed_s(self) -> float:
        """The last column: the bytes of all 16 hosts through the port of one."""
        return self.comm_bytes / PORT_BPS

    @property
    def per_port_s(self) -> float:
        """Each host takes in its own sixteenth, all at the same time."""
        return self.comm_bytes / HOSTS / PORT_BPS

    def __str__(self) -> str:
        return (f"{self.cache_bytes / 1e6:.2f} MB, hit rate {self.hit_rate:.3f}, "
                f"{self.comm_bytes / 1e6:.1f} MB a step, {self.printed_s * 1e3:.2f} ms")


def chapter_table(capacities=CAPACITIES, seed: int = 0, n: int = 20_000) -> list[CacheRow]:
    """The printed table of output 11.7.1 (seed 0), or what another seed or more draws would have printed."""
    drawn, law = chapter_lookups(n, seed), chapter_popularity(ROWS, HEAD, EXPONENT)
    if not drawn:
        raise ValueError("n=0; at least one lookup is needed")
    table = []
    for capacity in capacities:
        hits = sum(row < check_count("capacities", capacity) for row in drawn) / len(drawn)
        table.append(CacheRow(capacity, capacity * DIM * 4, hits, law.top_share(capacity),
                              all_to_all_bytes(BATCH, LOOKUPS, DIM, 4, hits)))
    return table


def chapter_printed(seed: int = 0) -> dict[str, str]:
    """Every printed number of output 11.7.1, formatted as it was printed; the table's lines under 'cache of n rows'.

    >>> chapter_printed()["cache of 5000 rows"]
    '2.56 MB, hit rate 0.850, 200.9 MB a step, 2.01 ms'
    """
    size = table_bytes(ROWS, DIM)
    printed = {"rows": f"{ROWS:,}", "dim": f"{DIM}", "table": f"{size / 1e12:.3f} TB", "hosts": f"{HOSTS}",
               "rows per host": f"{ROWS // HOSTS:,}", "bytes per host": f"{size / HOSTS / 1e9:.1f} GB"}
    printed |= {f"cache of {line.capacity} rows": str(line) for line in chapter_table(seed=seed)}
    for bits in (8, 4):
        stored = table_bytes(ROWS, DIM, bits / 8)
        printed[f"int{bits}"] = f"{stored / 1e12:.3f} TB, {size / stored:.1f}x"
    return printed


@dataclass(frozen=True)
class LeftOut:
    """One thing that the printed table does not say: `printed` and `fair` in `unit`, and why they differ."""

    what: str
    printed: float
    fair: float
    unit: str
    why: str


def chapter_step(capacity: int = HEAD, dedup: bool = True, consistency: str | float = "bsp",
                 **changes) -> EmbeddingStep:
    """A step of the chapter's 16 workers under its own popularity; `changes` as for `embedding_step`."""
    settings = {"batch": BATCH, "lookups": LOOKUPS, "dim": DIM, "workers": HOSTS, **changes}
    law = settings.pop("popularity", None) or chapter_popularity(ROWS, HEAD, EXPONENT)
    return embedding_step(law, capacity=capacity, dedup=dedup, consistency=consistency, **settings)


def chapter_designs(capacity: int = HEAD) -> dict[str, EmbeddingStep]:
    """MB a step of the chapter's 16 workers, by design: 1342, 201, 241, 201 and 241 for 5,000 rows."""
    return {"naive": chapter_step(0, dedup=False),
            "cache alone, stale reads": chapter_step(capacity, dedup=False, consistency="stale"),
            "de-duplication alone": chapter_step(0),
            "both, stale reads": chapter_step(capacity, consistency="stale"),
            "both, exact BSP": chapter_step(capacity)}


def chapter_left_out() -> list[LeftOut]:
    """What stands beside the printed table, computed: the numbers of this course's page on claims, section 11.7."""
    last, designs = chapter_table()[-1], {name: step.fetch_bytes / 1e6 for name, step in chapter_designs().items()}
    true_zipf = zipf_popularity(EXPONENT, ROWS)
    naive, fp32 = designs["naive"], row_bytes(DIM)
    shared_gb = table_bytes(ROWS, DIM) / HOSTS / 1e9
    return [
        LeftOut("hit rate of 5,000 rows", last.hit_rate, true_zipf.top_share(HEAD), "",
                "0.85 is the coin in the code; a true Zipf(1.1) over two billion rows gives less"),
        LeftOut("rows for a hit rate of 0.85", HEAD, true_zipf.rows_for_share(0.85), "rows",
                "true Zipf(1.1) over two billion rows"),
        LeftOut("5,000 rows, stale reads", last.comm_bytes / 1e6, designs["cache alone, stale reads"], "MB",
                "what the 20,000 draws stand for"),
        LeftOut("no cache, equal ids sent once", naive, designs["de-duplication alone"], "MB",
                "a worker asks for a row once a step, however often its samples name it"),
        LeftOut("cache and de-duplication, reads of any age", last.comm_bytes / 1e6, designs["both, stale reads"], "MB",
                "serving: no update makes a copy old"),
        LeftOut("cache and de-duplication, exact BSP", last.comm_bytes / 1e6, designs["both, exact BSP"], "MB",
                "every cached row was pushed to in the step before, so every copy is old: the cache saves nothing"),
        LeftOut("hit rate on distinct ids", last.hit_rate, chapter_designs()["both, stale reads"].unique_hit_rate, "",
                "de-duplication has taken the easy hits already"),
        LeftOut("naive step, rows at home not counted", naive, naive * (HOSTS - 1) / HOSTS, "MB",
                "one in 16 rows lies on the worker's own host"),
        LeftOut("naive step", chapter_table()[0].printed_s * 1e3, chapter_table()[0].per_port_s * 1e3, "ms",
                "16 ports work at the same time"),
        LeftOut("memory of a host", shared_gb, table_bytes(ROWS, DIM, 4, 2 * DIM) / HOSTS / 1e9, "GB",
                "with the two slots of Adam; without them 64 GB is less than the 80 of the chapter's accelerator"),
        LeftOut("memory of a host, row-wise AdaGrad", shared_gb, table_bytes(ROWS, DIM, 4, 1) / HOSTS / 1e9, "GB",
                "one number of state a row"),
        LeftOut("int8 rows, times smaller", 4.0, fp32 / row_bytes(DIM, "int8"), "×", "a scale and a minimum a row"),
        LeftOut("int4 rows, times smaller", 8.0, fp32 / row_bytes(DIM, "int4"), "×", "a scale and a minimum a row"),
    ]
