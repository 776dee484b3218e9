"""How fast the caches replay a stream, and what they hit there: one process, one core, seconds of the whole replay.

    stream    10 million ids, Zipf(1.1) over 1 million rows, by default
    replay    cache.access_all(stream), ids in order one by one, from an empty cache; aim: LRU within 10 s
    batches   cache.batch(distinct ids of 4096 lookups), over a tenth of the stream: what a table with tiers asks
    curve     miss_curve: the misses of LRU at every capacity, in one pass
    floor     the same ids through a dictionary: one look-up each and nothing else

Every figure of hits is checked in the run that times it: LRU's against the miss curve, all against Belady's.

    pslab bench caches --json FILE          or          python benchmarks/caches.py --quick
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from bench_common import at_least, check_writable, machine, print_table, time_text, write_json

AIM_S, AIM_ACCESSES = 10.0, 10_000_000
BATCH = 4096


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--accesses", type=at_least(100), help="length of the stream (default 10000000)")
    parser.add_argument("--rows", type=at_least(1), default=1_000_000, help="distinct ids it is drawn from")
    parser.add_argument("--exponent", type=float, default=1.1, help="of the Zipf law (default 1.1)")
    parser.add_argument("--capacity", type=at_least(1), help="rows of each cache (default 100000)")
    parser.add_argument("--seed", type=at_least(0), default=0, help="of the stream (default 0)")
    parser.add_argument("--quick", action="store_true", help="100,000 accesses, 5,000 rows, unless said otherwise")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures to FILE")


def main(args: argparse.Namespace) -> int:
    from pslab.data import zipf
    try:
        if args.json:
            check_writable("--json", args.json)
        accesses = args.accesses or (100_000 if args.quick else AIM_ACCESSES)
        capacity = args.capacity or (5_000 if args.quick else 100_000)
        stream = zipf(args.exponent, args.rows, accesses, args.seed)
    except ValueError as error:
        print(f"pslab: {error}", file=sys.stderr)
        return 2
    figures = {"benchmark": "caches", "machine": machine(), "accesses": accesses, "rows": args.rows,
               "exponent": args.exponent, "capacity": capacity, "seed": args.seed,
               **measure(stream, capacity)}
    show(figures)
    if args.json:
        write_json(args.json, figures)
        print(f"all figures: {args.json}")
    for wrong in figures["wrong"]:
        print(f"WRONG RESULT: {wrong}", file=sys.stderr)
    return 1 if figures["wrong"] else 0


def measure(stream, capacity: int) -> dict:
    """Seconds and hits of each policy, of the floor and the curve."""
    import numpy as np

    from pslab.embedding import CLOCK, FIFO, LFU, LRU, Belady, StaticTopK, miss_curve
    known = dict.fromkeys(np.unique(stream).tolist(), 0)
    floor_s, _ = timed(lambda: [id in known for id in stream.tolist()])
    batches = [np.unique(stream[first:first + BATCH]) for first in range(0, max(1, len(stream) // 10), BATCH)]
    batched_ids = sum(map(len, batches))
    policies = []
    for make in (LRU, FIFO, CLOCK, LFU, Belady, StaticTopK):
        build_s, cache = timed(lambda make=make: build(make, capacity, stream))
        replay_s, hits = timed(lambda cache=cache: cache.access_all(stream))
        row = {"policy": make.__name__, "build_s": build_s, "replay_s": replay_s, "hits": int(hits.sum()),
               "compulsory": cache.compulsory, "capacity_misses": cache.capacity_misses, "evictions": cache.evictions}
        if make not in (Belady, StaticTopK) and capacity >= BATCH:
            row["batches_s"], _ = timed(lambda make=make: replay_batches(make(capacity), batches))
            row["batched_ids"] = batched_ids
        policies.append(row)
    curve_s, curve = timed(lambda: miss_curve(stream, capacity))
    by_name = {row["policy"]: row for row in policies}
    wrong = []
    if len(stream) - by_name["LRU"]["hits"] != curve[-1]:
        wrong.append(f"LRU missed {len(stream) - by_name['LRU']['hits']} times, the miss curve says {curve[-1]}")
    for name in ("LRU", "FIFO", "CLOCK", "LFU"):
        if by_name[name]["hits"] > by_name["Belady"]["hits"]:
            wrong.append(f"{name} hit more often than Belady's oracle")
    return {"floor_s": floor_s, "curve_s": curve_s, "policies": policies, "wrong": wrong}


def build(make, capacity: int, stream):
    """A cache of this policy; those that are told of the stream are told here."""
    name = make.__name__
    return make(capacity, stream) if name == "Belady" else \
        make.of_stream(stream, capacity) if name == "StaticTopK" else make(capacity)


def replay_batches(cache, batches) -> None:
    for ids in batches:
        cache.batch(ids)


def timed(function) -> tuple[float, object]:
    began = time.perf_counter()
    result = function()
    return time.perf_counter() - began, result


def show(figures: dict) -> None:
    count = figures["accesses"]
    rows = [("a dictionary", "", time_text(figures["floor_s"]), each(figures["floor_s"], count), "", "", "")]
    for row in figures["policies"]:
        rows.append((row["policy"], time_text(row["build_s"]), time_text(row["replay_s"]), each(row["replay_s"], count),
                     f"{row['hits'] / count:.4f}", f"{row['evictions']:,}",
                     each(row["batches_s"], row["batched_ids"]) if "batches_s" in row else ""))
    rows.append(("miss curve", "", time_text(figures["curve_s"]), each(figures["curve_s"], count), "", "", ""))
    print(f"{count:,} ids, Zipf({figures['exponent']:g}) over {figures['rows']:,} rows; {figures['capacity']:,} rows "
          f"in the cache")
    print_table(("", "told", "replay", "an id", "hit rate", "evictions", "an id in batches"), rows)
    lru = next(row for row in figures["policies"] if row["policy"] == "LRU")
    if count == AIM_ACCESSES:
        met = "met" if lru["replay_s"] <= AIM_S else "not met"
        print(f"aim: 10 million accesses of LRU within {AIM_S:g} s: {met} ({lru['replay_s']:.1f} s)")


def each(seconds: float, count: int) -> str:
    return f"{seconds / count * 1e9:.0f} ns"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    sys.exit(main(parser.parse_args()))
