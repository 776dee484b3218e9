"""What the demo prints: a table of what was measured, sentences computed from it, the model's table beside.

Every number in these texts is computed from the run at hand or by pslab.cost, and each table says which.
"""

from __future__ import annotations

from collections.abc import Sequence

from pslab.viz import Table, number, sized

from .modelled import LARGE_ROWS, WORKERS, Line, dense_busiest, lines, part_from
from .options import Options
from .train import Measured, Size

KB = 1000
CLOSE = 1.05            # ratios up to here are "as many" and "as fast"


def opening(options: Options, log, size: Size) -> str:
    """What is about to be trained, where."""
    where = "processes of this machine" if options.world == "process" else "simulated ranks"
    return (f"{log.note}\n{len(log.train):,} training and {len(log.test):,} test rows, {log.num_dense} dense features; "
            f"DLRM with {size.dense_parameters:,} dense parameters and {size.table_rows:,} rows of {size.dim} in "
            f"{len(log.features)} tables\n{_count(options.workers, 'worker')} and {_count(options.servers, 'server')}, "
            f"{where}; {_count(options.steps, 'step')} over {options.batch_size} rows each, the same batches for all "
            f"strategies")


def results(measured: Sequence[Measured], options: Options) -> Table:
    """The one table."""
    columns = ["strategy", "samples/s", "dense kB/step", "sparse kB/step", "busiest port", "test log loss", "test AUC"]
    rows = [[m.strategy, round(m.samples_per_s), m.dense_bytes / KB, m.sparse_bytes / KB, m.port,
             f"{m.test_log_loss:.4f}", f"{m.test_auc:.4f}"] for m in measured]
    time = ("seconds on this machine" if options.world == "process" else
            "virtual seconds of the simulator, in which messages take time and computing takes none")
    return Table(columns, rows, f"measured; bytes of the busiest port's busier direction, keys and values; {time}")


def beside(measured: Sequence[Measured], yard: tuple[str, float]) -> str:
    """The yardstick for the AUCs."""
    name, value = yard
    gaps = [m.test_auc - value for m in measured]
    low, high = f"{min(gaps):+.4f}", f"{max(gaps):+.4f}"
    return f"beside: {name}, test AUC {value:.4f}; trained minus that: {low if low == high else f'{low} to {high}'}"


def sentence(measured: Sequence[Measured], size: Size) -> str:
    """One sentence on what the table shows, from its figures."""
    by = {m.strategy: m for m in measured}
    if len(by) < 2:
        (m,) = measured
        return (f"With {m.strategy} the busiest port carries {sized(m.bytes)} a step in its busier direction, "
                f"{m.sparse_bytes / m.bytes if m.bytes else 0:.0%} of it for rows of tables.")
    hybrid, others = by["hybrid"], [by[name] for name in ("allreduce", "server") if name in by]
    bytes_said = " and ".join(f"{_ratio(o.bytes, hybrid.bytes, 'fewer', 'more')} {o.strategy}" for o in others)
    spread = max(by[n].test_auc for n in by) - min(by[n].test_auc for n in by)
    fastest = max(measured, key=lambda m: m.samples_per_s)
    speed = f"{fastest.strategy} is fastest, {fastest.samples_per_s / hybrid.samples_per_s:.2f} times hybrid"
    if fastest is hybrid:
        second = max(others, key=lambda m: m.samples_per_s)
        speed = f"hybrid is fastest, {hybrid.samples_per_s / second.samples_per_s:.2f} times {second.strategy}"
    elif fastest.bytes > CLOSE * hybrid.bytes:
        speed += ", so that bytes do not decide the time here"
    return (f"Through the busiest port hybrid sends {bytes_said}, since a worker touches {size.rows_per_worker:.0f} of "
            f"{size.table_rows:,} rows a step; all learn the same, AUCs within {spread:.4f}; and {speed}.")


def model_table(modelled: Sequence[Line]) -> Table:
    """K down, strategies across, kB a step."""
    rows = [[K, *(line.bytes[i] / KB for line in modelled)] for i, K in enumerate(WORKERS)]
    return Table(["K", *(line.label for line in modelled)], rows,
                 "modelled by pslab.cost: kB a step on the busiest port, busier direction; rows spread evenly")


def model_words(size: Size, options: Options) -> str:
    """Where ring and servers part, and what larger tables would do."""
    ring, servers = (dense_busiest(how, 2, 2, size) for how in ("ring", "server"))
    equal = "equal" if ring == servers else "nearly equal" if abs(ring - servers) < 0.01 * ring else "different"
    S = options.servers
    texts = [f"At K = S = 2 ring and servers carry {equal} dense bytes per direction: {number(ring / KB, 4)} kB and "
             f"{number(servers / KB, 4)} kB."]
    if S:
        K = part_from(size, S)
        texts.append(f"With {_count(S, 'server')} they do not part up to K = {WORKERS[-1]}." if K is None else
                     f"With {_count(S, 'server')} they part from K = {K} on: there the ring "
                     f"{number(dense_busiest('ring', K, S, size) / KB, 4)} kB and the busiest server "
                     f"{number(dense_busiest('server', K, S, size) / KB, 4)} kB; at K = {WORKERS[-1]} "
                     f"{number(dense_busiest('ring', WORKERS[-1], S, size) / KB, 4)} and "
                     f"{number(dense_busiest('server', WORKERS[-1], S, size) / KB, 4)} kB.")
    large = {line.label: line.bytes[0] for line in lines(size, max(S, 1), LARGE_ROWS)}
    texts.append(f"Modelled too, not run: with {LARGE_ROWS:,} rows and as many touched, allreduce would send "
                 f"{sized(large['allreduce'])} a step at K = 2, hybrid with S = K {sized(large['hybrid, S = K'])}.")
    return " ".join(texts)


def _ratio(theirs: float, ours: float, fewer: str, more: str) -> str:
    if max(theirs, ours) <= CLOSE * min(theirs, ours):
        return "about as many bytes a step as"
    if theirs > ours:
        return f"{theirs / ours:.1f} times {fewer} bytes a step than"
    return f"{ours / theirs:.1f} times {more} bytes a step than"


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
