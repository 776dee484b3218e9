"""What bounds a job of servers and workers: throughput with its bottleneck, and the K x S step on throttled ports.

    free ports        1-2 servers x 1-4 workers, each worker pulls and pushes rows as fast as it can (ASP):
                      pulls and pushes a second of all workers, how busy each thing was, and which was busiest
    throttled ports   every worker pulls and pushes a dense table, in rounds (BSP): the step's time beside pslab.cost
                      and the simulator; the bytes of every port are those of pslab.cost exactly

Of the busiest server and the busiest worker are measured, as shares of the wall time: *CPU*, what it computed;
*queued*, how long it was ready and had no core (Linux tells); *copying*, what the payload of its port takes at the rate
of a plain copy on this machine, part of its CPU. The role that was ready longer is the bottleneck, and the largest part
of that time says why: server CPU, worker CPU, memory (copying is half of its CPU or more), cores; "waiting" where
neither was ready for half of the time. On throttled ports it is the port that carries most, where the step takes what
ports explain.

    pslab bench servers --json FILE          or          python benchmarks/servers.py --quick
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from bench_common import (
    at_least,
    check_writable,
    list_of,
    machine,
    print_table,
    size_bytes,
    size_text,
    summary,
    time_text,
    write_json,
)

ROWS, DIM, TABLE_ROWS = 4096, 128, 100_000
SHAPES = [(K, S) for S in (1, 2) for K in (1, 2, 3, 4)]
THROTTLED = [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2)]
WITHIN = 0.15
IDLE = 0.5                       # ready for less than this share of the time: not the bottleneck


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--shapes", type=list_of(_shape), help="workers x servers on free ports (default 1x1 to 4x2)")
    parser.add_argument("--throttled", type=list_of(_shape), help="the same on throttled ports (default up to 4 ranks)")
    parser.add_argument("--rows", type=at_least(1), default=ROWS, help=f"of a request (default {ROWS:,})")
    parser.add_argument("--dim", type=at_least(1), default=DIM, help=f"of a row (default {DIM})")
    parser.add_argument("--table-rows", type=at_least(1), default=TABLE_ROWS, help=f"(default {TABLE_ROWS:,})")
    parser.add_argument("--dense", type=size_bytes, default=4 << 20, help="of the throttled table (default 4M)")
    parser.add_argument("--gbit-s", type=_positive, default=1.0, help="of a throttled port, each way (default 1)")
    parser.add_argument("--seconds", type=_positive, help="of each free run (default 2)")
    parser.add_argument("--repeats", type=at_least(1), help="throttled steps (default 9; medians are over these)")
    parser.add_argument("--transport", choices=("auto", "shm", "tcp"), default="auto", help="of ProcessWorld")
    parser.add_argument("--quick", action="store_true", help="0.3 s a run, 3 steps, unless said otherwise")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures and samples to FILE")


def main(args: argparse.Namespace) -> int:
    seconds = args.seconds or (0.3 if args.quick else 2.0)
    repeats = args.repeats or (3 if args.quick else 9)
    try:
        if args.rows > args.table_rows:
            raise ValueError(f"--rows {args.rows}: a table of --table-rows {args.table_rows} has fewer")
        if args.json:
            check_writable("--json", args.json)
    except ValueError as error:
        print(f"pslab: {error}", file=sys.stderr)
        return 2
    sizes = {"rows": args.rows, "dim": args.dim, "table_rows": args.table_rows}
    copy_Bps = copy_rate()
    figures = {"benchmark": "servers", "machine": machine(), "transport": args.transport, **sizes, "seconds": seconds,
               "dense_bytes": args.dense, "gbit_s": args.gbit_s, "repeats": repeats, "copy_Bps": copy_Bps,
               "free": [measure_free(K, S, sizes, seconds, args.transport, copy_Bps)
                        for K, S in args.shapes or SHAPES],
               "throttled": [measure_throttled(K, S, args.dense, args.gbit_s, repeats, args.transport)
                             for K, S in args.throttled or THROTTLED]}
    show(figures)
    if args.json:
        write_json(args.json, figures)
        print(f"all samples: {args.json}")
    wrong = [f"{row['K']} x {row['S']}: {why}" for row in figures["free"] + figures["throttled"]
             for why in row["wrong"]]
    for line in wrong:
        print(f"WRONG RESULT: {line}", file=sys.stderr)
    return 1 if wrong else 0


# ---- free ports -----------------------------------------------------------------------------------------------------

def measure_free(K: int, S: int, sizes: dict, seconds: float, transport: str, copy_Bps: float) -> dict:
    """One row: K workers pull and push `rows` keys of their own draw for about `seconds`."""
    from pslab.comm import ProcessWorld

    with ProcessWorld(K + S, transport=transport) as world:
        run = world.run(race, K, sizes, seconds, timeout_s=120.0)
    wall_s = max(worker["wall_s"] for worker in run.results[:K])
    steps = sum(worker["steps"] for worker in run.results[:K])
    payload = sum(run.ledger.total(kind) for kind in ("vals", "keys"))
    shares = []
    for rank, result in enumerate(run.results):
        port_bytes = sum(sum(run.ledger.port(rank, kind)) for kind in ("vals", "keys"))
        shares.append({"cpu": result["cpu_s"] / wall_s, "queued": result["queued_s"] / wall_s,
                       "copying": port_bytes / copy_Bps / wall_s})
    worker, server = (max(group, key=lambda share: share["cpu"] + share["queued"])
                      for group in (shares[:K], shares[K:]))
    pushed = sum(result["pushed"] for result in run.results[K:])
    wrong = [] if pushed == steps * sizes["rows"] else [f"{pushed} rows arrived, {steps * sizes['rows']} were pushed"]
    return {"K": K, "S": S, "wall_s": wall_s, "steps": steps, "steps_per_s": steps / wall_s,
            "rows_per_s": 2 * steps * sizes["rows"] / wall_s, "payload_bytes": payload,
            "payload_Bps": payload / wall_s, "busiest_port": list(run.ledger.busiest_port()),
            "server": server, "worker": worker, "bottleneck": bottleneck(server, worker), "wrong": wrong}


def bottleneck(server: dict[str, float], worker: dict[str, float]) -> str:
    """What bounds a run, by shares of the wall time: 'cpu', 'queued' and 'copying' of the busiest of each role."""
    ready = {"server": server["cpu"] + server["queued"], "worker": worker["cpu"] + worker["queued"]}
    role = max(ready, key=ready.get)
    share = server if role == "server" else worker
    if ready[role] < IDLE:
        return "waiting"
    if share["queued"] > share["cpu"]:
        return "cores"
    return "memory" if share["copying"] >= share["cpu"] / 2 else f"{role} CPU"


def race(comm, K: int, sizes: dict, seconds: float) -> dict:
    """One rank: what it used and, a worker, the steps it took; a server, the rows that arrived."""
    import numpy as np
    import torch

    from pslab.ps import ASP, SGD, KVServer, KVWorker, TableConfig, serve

    torch.set_num_threads(1)
    tables = [TableConfig("rows", sizes["dim"], sizes["table_rows"], SGD(1.0), ASP())]
    workers = comm.split(0 if comm.rank < K else None)
    if comm.rank >= K:
        server = KVServer(tables, comm.rank - K, comm.world_size - K, range(K))
        began = used_at_first_push(server)
        serve(comm, server)
        moved = np.asarray(server.rows("rows"))[:, 0].sum(dtype=np.float64)         # each push of a row takes 1 away
        return {**used_since(*began), "pushed": -round(float(moved))}
    draw = np.random.default_rng(comm.rank)
    keys = np.sort(draw.choice(sizes["table_rows"], sizes["rows"], replace=False))
    grads, rows = torch.ones(sizes["rows"], sizes["dim"]), torch.empty(sizes["rows"], sizes["dim"])
    with KVWorker(comm, range(K, comm.world_size), tables) as kv:
        kv.wait(kv.pull(keys, "rows", out=rows))                 # buffers are there, shared memory is touched
        workers.barrier()
        steps, began_s, began = 0, time.perf_counter(), used()
        while time.perf_counter() - began_s < seconds:
            kv.wait(kv.pull(keys, "rows", out=rows))
            kv.wait(kv.push(keys, grads, "rows"))
            steps += 1
        return {"wall_s": time.perf_counter() - began_s, "steps": steps, **used_since(began)}


def used() -> tuple[float, float]:
    """(seconds of CPU, seconds ready without a core) of this process so far; the second is 0 where nobody counts it."""
    try:
        queued_s = int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError, ValueError):
        queued_s = 0.0
    return time.process_time(), queued_s


def used_since(began: tuple[float, float]) -> dict[str, float]:
    return dict(zip(("cpu_s", "queued_s"), (now - then for now, then in zip(used(), began))))


def used_at_first_push(server) -> list:
    """A list that gets used() when the server's first push comes: what was before is warming up."""
    began, handle = [], server.handle

    def noted(mail, now_s):
        if not began and mail is not None and mail.kind == "push":
            began.append(used())
        return handle(mail, now_s)

    server.handle = noted
    return began


def copy_rate() -> float:
    """Bytes a second of copying 16 MB from one array to another in one process; the best of five."""
    import numpy as np
    a, b, times = np.ones(4 << 20, np.float32), np.empty(4 << 20, np.float32), []
    for _ in range(6):
        start = time.perf_counter()
        np.copyto(b, a)
        times.append(time.perf_counter() - start)
    return a.nbytes / min(times[1:])


# ---- throttled ports ------------------------------------------------------------------------------------------------

def measure_throttled(K: int, S: int, dense: int, gbit_s: float, repeats: int, transport: str) -> dict:
    """One row: the median step of K workers and S servers on throttled ports, beside its closed form."""
    from pslab import cost
    from pslab.comm import Link, ProcessWorld, SimWorld

    link, P = Link(latency_s=0.0, bandwidth_Bps=gbit_s * 125e6), dense // 4
    with ProcessWorld(K + S, transport=transport, link=link) as world:
        run = world.run(rounds, K, P, repeats, timeout_s=120.0)
    workers, steps = run.results[:K], repeats + 1
    step = summary([max(times) for times in zip(*(worker["seconds"] for worker in workers))])
    model_s = cost.step_s(P, K, S, bandwidth_Bps=link.bandwidth_Bps)
    simulated = [SimWorld(K + S, link=link, trace=False).run(rounds, K, P, n).seconds for n in (1, 2)]
    traffic = cost.parameter_server(P, K, S)
    seen = [run.ledger.port(rank, "vals") for rank in range(K + S)]
    wrong = [f"port of rank {rank} carried {there}, {tuple(steps * n for n in port)} expected"
             for rank, (there, port) in enumerate(zip(seen, traffic.ports)) if there != tuple(steps * n for n in port)]
    if not all(worker["right"] for worker in workers):
        wrong.append("rows are not those of the rounds before")
    ratio = step["median_s"] / model_s
    within = abs(ratio - 1) <= WITHIN
    role = "server port" if K > S else "worker port" if K < S else "both ports"
    return {"K": K, "S": S, "step": step, "model_s": model_s, "measured_over_model": ratio,
            "within_15_percent": within, "bottleneck": role if within else "not the ports alone",
            "simulator_s": simulated[1] - simulated[0],
            "ports_s": cost.step_s(P, K, S, bandwidth_Bps=link.bandwidth_Bps, schedule="ports"),
            "step_bytes": [list(port) for port in traffic.ports], "busiest_bytes": traffic.busiest,
            "port_busy": traffic.busiest / step["median_s"] / link.bandwidth_Bps, "wrong": wrong}


def rounds(comm, K: int, P: int, repeats: int) -> dict:
    """One rank: seconds of each step after the first. Worker k pushes k + 1 everywhere; a round takes the sum away."""
    import torch

    from pslab.ps import SGD, KVServer, KVWorker, TableConfig, serve

    torch.set_num_threads(1)
    tables = [TableConfig("dense", 1, P, SGD(1.0))]
    if comm.rank >= K:
        serve(comm, KVServer(tables, comm.rank - K, comm.world_size - K, range(K)))
        return {}
    grads, rows = torch.full((P, 1), comm.rank + 1.0), torch.empty(P, 1)
    seconds, right = [], True
    with KVWorker(comm, range(K, comm.world_size), tables) as kv:
        for step in range(repeats + 1):
            start = comm.now()
            kv.wait(kv.pull(range(P), "dense", out=rows))
            kv.push(range(P), grads, "dense")
            kv.clock()
            seconds.append(comm.now() - start)
            right = right and bool((rows == -step * K * (K + 1) / 2).all())
    return {"seconds": seconds[1:], "right": right}


# ---- out ------------------------------------------------------------------------------------------------------------

def show(figures: dict) -> None:
    host = figures["machine"]
    print(f"{host['cores']} cores, {host['processor']}; torch {host['torch']}, NumPy {host['numpy']}; transport "
          f"{figures['transport']}; a plain copy moves {figures['copy_Bps'] / 1e9:.1f} GB/s")
    print(f"\nfree ports: each worker pulls and pushes {figures['rows']:,} rows x {figures['dim']} of "
          f"{figures['table_rows']:,}, float32, asynchronous, for {figures['seconds']:g} s")
    head = ("workers", "servers", "steps/s", "rows/s", "payload", "server: CPU", "queued", "copying", "worker: CPU",
            "queued", "copying", "bottleneck")
    print_table(head, [
        (str(row["K"]), str(row["S"]), f"{row['steps_per_s']:.1f}", f"{row['rows_per_s']:,.0f}",
         f"{row['payload_Bps'] / 1e6:.0f} MB/s", *(f"{row[role][name]:.0%}" for role in ("server", "worker")
                                                   for name in ("cpu", "queued", "copying")), row["bottleneck"])
        for row in figures["free"]])
    print(f"\nthrottled ports: {figures['gbit_s']:g} Gbit/s each way, {size_text(figures['dense_bytes'])} pulled and "
          f"pushed by every worker in rounds, medians of {figures['repeats']}")
    print_table(("workers", "servers", "busiest port", "step", "pslab.cost", "measured/cost", "simulator",
                 "bottleneck"), [
        (str(row["K"]), str(row["S"]), f"{row['busiest_bytes']:,} B", time_text(row["step"]["median_s"]),
         time_text(row["model_s"]), f"{row['measured_over_model']:.3f}", time_text(row["simulator_s"]),
         row["bottleneck"])
        for row in figures["throttled"]])
    out = [f"{row['K']} x {row['S']}" for row in figures["throttled"] if not row["within_15_percent"]]
    print("not within 15 % of pslab.cost: " + (", ".join(out) or "none"))


def _shape(text: str) -> tuple[int, int]:
    K, _, S = text.strip().partition("x")
    if not (K.isdigit() and S.isdigit() and int(K) and int(S)):
        raise argparse.ArgumentTypeError(f"{text!r}: workers x servers is needed, as 2x1")
    return int(K), int(S)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: a number above 0 is needed")
    return value


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    sys.exit(main(parser.parse_args()))
