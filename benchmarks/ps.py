"""Push and pull against torch.distributed.rpc, in the same run, in the same two processes.

    one ProcessWorld run: rank 0 is the worker, rank 1 the server; inside it RPC (TensorPipe) between the same two
      for each repeat      n calls of ours │ n calls of RPC       in turn, the first side changes; time = seconds / n
      server's main thread: serve(comm, KVServer)       server's RPC threads: plain functions over plain tensors

    case        ours                                          RPC's function on the server
    empty       a pull of one number                          returns None
    pull rows   kv.wait(kv.pull(keys))                        rows.index_select(0, keys)
    push rows   kv.wait(kv.push(keys, grads))                 rows.index_add_(0, keys, grads, alpha=-lr)
    pull dense  kv.wait(kv.pull(range))                       the tensor itself
    push dense  kv.wait(kv.push(range, grads))                tensor.add_(grads, alpha=-lr)

The tables are asynchronous (ASP), as RPC's functions are: a push is a step on arrival, and its call ends when the step
has been taken. What both sides pull and what their pushes leave behind is checked in the run that times them, and
their calls are counted on the server. Bytes are those of the ledger, for one call. Ceilings are measured in one
process, without any message.

    pslab bench ps --json FILE          or          python benchmarks/ps.py --quick
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from bench_common import (
    at_least,
    check_writable,
    machine,
    print_table,
    size_bytes,
    size_text,
    summary,
    time_text,
    write_json,
)

CASES = ("empty", "pull rows", "push rows", "pull dense", "push dense")
LR = 0.5                     # a power of two: steps over whole numbers stay exact
MAX_CALLS, WARM_CALLS = 300, 3
DENSE_DIM = 1024
SERVER = {}                  # on the server: the tensors of RPC's side, and how often each function was called


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=at_least(1), help="rows of a request (default 4096)")
    parser.add_argument("--dim", type=at_least(1), help="float32 values of a row (default 128)")
    parser.add_argument("--table-rows", type=at_least(1), help="rows of the table (default 100000)")
    parser.add_argument("--dense", type=size_bytes, help="bytes of the dense tensor (default 16M)")
    parser.add_argument("--repeats", type=at_least(1), help="inner loops a side (default 15; medians are over these)")
    parser.add_argument("--transport", choices=("auto", "shm", "tcp"), default="auto", help="of ProcessWorld")
    parser.add_argument("--quick", action="store_true", help="256 rows, 1 MB dense, 3 repeats, unless said otherwise")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures and samples to FILE")


def main(args: argparse.Namespace) -> int:
    few = args.quick
    sizes = {"rows": args.rows or (256 if few else 4096), "dim": args.dim or 128,
             "table_rows": args.table_rows or (10_000 if few else 100_000),
             "dense": args.dense or ((1 << 20) if few else (16 << 20))}
    try:
        if args.json:
            check_writable("--json", args.json)
        if sizes["dense"] % (4 * DENSE_DIM):
            raise ValueError(f"--dense {sizes['dense']}: a multiple of {4 * DENSE_DIM} bytes is needed")
    except ValueError as error:
        print(f"pslab: {error}", file=sys.stderr)
        return 2
    figures = {"benchmark": "ps", "machine": machine(), "dtype": "float32", "transport": args.transport,
               "repeats": args.repeats or (3 if few else 15), **sizes}
    figures["results"] = measure(sizes, figures["repeats"], args.transport, 0.02 if few else 0.15)
    show(figures)
    if args.json:
        write_json(args.json, figures)
        print(f"all samples: {args.json}")
    wrong = [row for row in figures["results"] if row["wrong"]]
    for row in wrong:
        print(f"WRONG RESULT: {row['case']}: {row['wrong']}", file=sys.stderr)
    return 1 if wrong else 0


def measure(sizes: dict, repeats: int, transport: str, loop_s: float) -> list[dict]:
    """The rows of the table; an inner loop takes about loop_s, long against the clock."""
    from pslab.comm import ProcessWorld

    with ProcessWorld(2, transport=transport) as world:
        ledgers = {case: world.run(one_call, sizes, case).ledger for case in CASES}
        idle = world.run(one_call, sizes, None).ledger
        with tempfile.TemporaryDirectory(prefix="pslab-bench-") as folder:
            worker, server = world.run(race, sizes, repeats, loop_s, os.path.join(folder, "rpc"),
                                       timeout_s=300.0).results
    results = []
    for case in CASES:
        sent = {kind: {way: ledgers[case].link(*link, kind) - idle.link(*link, kind)
                       for way, link in (("to_server", (0, 1)), ("to_worker", (1, 0)))}
                for kind in ("vals", "keys", "header")}
        ours, rpc = (summary(worker["seconds"][case, side]) for side in ("ours", "rpc"))
        results.append({
            "case": case, "calls": worker["calls"][case], "ours": ours, "rpc": rpc, "bytes": sent,
            "rpc_over_ours": rpc["median_s"] / ours["median_s"], "rpc_calls_seen": server["rpc"].get(case, 0),
            "rpc_calls_made": worker["made"][case], "wrong": worker["wrong"][case],
            "ceilings": {name: summary(samples) for name, samples in worker["ceilings"].get(case, {}).items()}})
        if results[-1]["rpc_calls_seen"] != results[-1]["rpc_calls_made"]:
            results[-1]["wrong"].append("RPC was not called as often as it was timed")
    return results


# ---- both ranks -----------------------------------------------------------------------------------------------------

def tables_of(sizes: dict) -> list:
    from pslab.ps import ASP, SGD, Integers, TableConfig
    first = Integers(-8, 9, seed=1)
    return [TableConfig("rows", sizes["dim"], sizes["table_rows"], SGD(LR), ASP(), init=first),
            TableConfig("dense", DENSE_DIM, sizes["dense"] // (4 * DENSE_DIM), SGD(LR), ASP(), init=first),
            TableConfig("one", 1, 1, SGD(LR), ASP())]


def batch(sizes: dict):
    """Keys as a batch brings them, unsorted and some twice, and whole-number gradients for them and the dense part."""
    import torch
    draw = torch.Generator().manual_seed(7)
    keys = torch.randint(0, sizes["table_rows"], (sizes["rows"],), generator=draw)
    grads = torch.randint(-2, 3, (sizes["rows"], sizes["dim"]), generator=draw).float()
    dense = torch.randint(-2, 3, (sizes["dense"] // (4 * DENSE_DIM), DENSE_DIM), generator=draw).float()
    return keys, grads, dense


def ours_of(kv, sizes: dict) -> dict:
    """{case: function} of our side; the worker's tensors are made once."""
    keys, grads, dense = batch(sizes)
    whole = range(len(dense))

    return {"empty": lambda: kv.wait(kv.pull(range(1), "one")),
            "pull rows": lambda: kv.wait(kv.pull(keys, "rows")),
            "push rows": lambda: kv.wait(kv.push(keys, grads, "rows")),
            "pull dense": lambda: kv.wait(kv.pull(whole, "dense")),
            "push dense": lambda: kv.wait(kv.push(whole, dense, "dense"))}


def one_call(comm, sizes: dict, case: str | None) -> None:
    """For the ledger: what one call moves (None: what hello and goodbye move)."""
    from pslab.ps import KVServer, KVWorker, serve
    if comm.rank:
        serve(comm, KVServer(tables_of(sizes), 0, 1, [0]))
        return
    with KVWorker(comm, [1], tables_of(sizes)) as kv:
        if case:
            ours_of(kv, sizes)[case]()


def race(comm, sizes: dict, repeats: int, loop_s: float, store: str) -> dict:
    """One rank of the measurement."""
    os.environ["TP_SOCKET_IFNAME"] = os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    import torch
    from torch.distributed import rpc

    from pslab.ps import KVServer, KVWorker, serve

    torch.set_num_threads(1)
    if comm.rank:
        first = {table.name: torch.from_numpy(table.initial_rows()) for table in tables_of(sizes)}
        SERVER.update(first, calls={})
    options = rpc.TensorPipeRpcBackendOptions(init_method=f"file://{store}", rpc_timeout=120)
    rpc.init_rpc(f"rank{comm.rank}", rank=comm.rank, world_size=2, rpc_backend_options=options)
    done = False
    try:
        if comm.rank:
            serve(comm, KVServer(tables_of(sizes), 0, 1, [0]))
            result = {"rpc": SERVER["calls"]}
        else:
            with KVWorker(comm, [1], tables_of(sizes)) as kv:
                result = raced(kv, sizes, repeats, loop_s)
        done = True
    finally:
        rpc.shutdown(graceful=done)              # after an error the other side would be waited for in vain
    return result


def raced(kv, sizes: dict, repeats: int, loop_s: float) -> dict:
    """The worker: check every case on both sides, then time them in turn."""
    ours, plain = ours_of(kv, sizes), rpc_of(sizes)
    made = dict.fromkeys(CASES, 0)

    def counted(case):
        made[case] += 1
        return plain[case]()

    sides = {"ours": ours, "rpc": {case: (lambda case=case: counted(case)) for case in CASES}}
    wrong = {case: [side for side in sides if not is_right(sides[side], sizes, case)] for case in CASES}
    seconds: dict[tuple, list[float]] = {}
    calls = {}
    for case in CASES:
        slowest = max(timed(sides[side][case], WARM_CALLS) for side in sides)
        calls[case] = min(MAX_CALLS, max(1, int(loop_s / slowest)))
    for repeat in range(repeats):
        for case in CASES:
            for side in ("ours", "rpc") if repeat % 2 else ("rpc", "ours"):
                seconds.setdefault((case, side), []).append(timed(sides[side][case], calls[case]))
    return {"seconds": seconds, "calls": calls, "made": made, "wrong": wrong, "ceilings": ceilings(sizes, repeats)}


def timed(call, n: int) -> float:
    start = time.perf_counter()
    for _ in range(n):
        call()
    return (time.perf_counter() - start) / n


def is_right(side: dict, sizes: dict, case: str) -> bool:
    """Pulls are what the tables hold; a push (with no other before it) leaves exactly one step behind."""
    import torch
    keys, grads, dense = batch(sizes)
    rows, whole = (torch.from_numpy(table.initial_rows()) for table in tables_of(sizes)[:2])
    if case == "empty":
        side[case]()
        return True
    if case == "push rows":
        side[case]()
        return torch.equal(side["pull rows"](), rows.index_add(0, keys, grads, alpha=-LR)[keys])
    if case == "push dense":
        side[case]()
        return torch.equal(side["pull dense"](), whole - LR * dense)
    return torch.equal(side[case](), rows[keys] if case == "pull rows" else whole)


# ---- RPC's side: plain functions over plain tensors -----------------------------------------------------------------

def rpc_of(sizes: dict) -> dict:
    """{case: function} of RPC's side."""
    from torch.distributed.rpc import rpc_sync
    keys, grads, dense = batch(sizes)
    return {"empty": lambda: rpc_sync("rank1", rpc_empty),
            "pull rows": lambda: rpc_sync("rank1", rpc_pull_rows, (keys,)),
            "push rows": lambda: rpc_sync("rank1", rpc_push_rows, (keys, grads)),
            "pull dense": lambda: rpc_sync("rank1", rpc_pull_dense),
            "push dense": lambda: rpc_sync("rank1", rpc_push_dense, (dense,))}


def rpc_empty() -> None:
    _seen("empty")


def rpc_pull_rows(keys):
    _seen("pull rows")
    return SERVER["rows"].index_select(0, keys)


def rpc_push_rows(keys, grads) -> None:
    _seen("push rows")
    SERVER["rows"].index_add_(0, keys, grads, alpha=-LR)


def rpc_pull_dense():
    _seen("pull dense")
    return SERVER["dense"]


def rpc_push_dense(grads) -> None:
    _seen("push dense")
    SERVER["dense"].add_(grads, alpha=-LR)


def _seen(case: str) -> None:
    SERVER["calls"][case] = SERVER["calls"].get(case, 0) + 1


# ---- one process alone ----------------------------------------------------------------------------------------------

def ceilings(sizes: dict, repeats: int) -> dict[str, dict[str, list[float]]]:
    """What the work itself takes without a message: gathering, summing equal rows and adding, copying."""
    import numpy as np
    import torch

    keys, grads, dense = batch(sizes)
    rows = torch.from_numpy(tables_of(sizes)[0].initial_rows())
    into, target = torch.empty(len(keys), sizes["dim"]), torch.empty_like(dense)
    index, table, summed = keys.numpy(), rows.numpy(), into.numpy()
    order = np.argsort(index, kind="stable")
    starts = np.flatnonzero(np.concatenate(([True], index[order][1:] != index[order][:-1])))
    work = {"pull rows": {"gather": lambda: torch.index_select(rows, 0, keys, out=into),
                          "gather (NumPy)": lambda: table.take(index, axis=0, out=summed, mode="clip")},
            "push rows": {"segment sum": lambda: rows.index_add_(0, keys, grads, alpha=0.0),
                          "segment sum (NumPy)": lambda: np.add.reduceat(grads.numpy()[order], starts, axis=0)},
            "pull dense": {"memcpy": lambda: target.copy_(dense)}, "push dense": {"add": lambda: target.add_(dense)}}
    return {case: {name: [timed(call, WARM_CALLS) for _ in range(repeats + 1)][1:] for name, call in calls.items()}
            for case, calls in work.items()}


def show(figures: dict) -> None:
    host = figures["machine"]
    print(f"pull and push of {figures['rows']:,} rows x {figures['dim']} of {figures['table_rows']:,}, and of "
          f"{size_text(figures['dense'])} dense, float32; {host['cores']} cores, {host['processor']}; torch "
          f"{host['torch']}, NumPy {host['numpy']}; medians of {figures['repeats']} loops, transport "
          f"{figures['transport']}")
    head = ("case", "RPC", "ours", "RPC/ours", "to server", "to worker", "ceilings (best)")
    rows = []
    for row in figures["results"]:
        ways = [sum(sent[way] for sent in row["bytes"].values()) for way in ("to_server", "to_worker")]
        tops = ", ".join(f"{name} {time_text(top['min_s'])}" for name, top in row["ceilings"].items())
        rows.append((row["case"], time_text(row["rpc"]["median_s"]), time_text(row["ours"]["median_s"]),
                     f"{row['rpc_over_ours']:.2f}", *(f"{way:,} B" for way in ways), tops or "-"))
    print_table(head, rows)
    slower = [row["case"] for row in figures["results"] if row["rpc_over_ours"] < 1]
    print("slower than RPC: " + (", ".join(slower) or "nowhere") + "; above 1 in RPC/ours means ours is faster")


if __name__ == "__main__":
    import ps  # under its own name: RPC looks the functions up there, in the ranks too

    _parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ps.add_arguments(_parser)
    sys.exit(ps.main(_parser.parse_args()))
