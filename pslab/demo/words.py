"""What the demo prints: a table of what was measured, sentences computed from it, the model's table beside.

Every number in these texts is computed from the run at hand or by pslab.cost, and each table says which.
"""

from __future__ import annotations

from collections.abc import Sequence

from pslab.viz import Table, number, sized

from .modelled import LARGE_ROWS, WORKERS, Line, dense_busiest, lines, overtaken_from, part_from
from .options import Options
from .train import Measured, Size

KB = 1000
FIRST = 50              # steps over which the strategies are tested to follow the single process
CLOSE = 1.05            # ratios up to here are "as many" and "as fast"
CACHE_NOTE = (";\ncache hits: of the distinct rows pulled, those that did not travel; saves: keys and values of all\n"
              "workers, both directions, less what row versions cost (below 0: more than was saved)")
PLACES = {"process": "processes of this machine", "sim": "simulated ranks", "torch": "processes started by torchrun"}


def opening(options: Options, log, size: Size) -> str:
    """What is about to be trained, where."""
    where = PLACES[options.world]
    K, S = options.workers, 0 if options.strategies == ("allreduce",) else options.servers
    how = "" if not options.staleness else f"; staleness {options.staleness} of what lives on servers"
    how += "" if not options.cache_rows else f"; each worker keeps {_count(options.cache_rows, 'row')}"
    return (f"{log.note}\n{len(log.train):,} training and {len(log.test):,} test rows, {log.num_dense} dense features; "
            f"DLRM with {size.dense_parameters:,} dense parameters and {size.table_rows:,} rows of {size.dim} in "
            f"{len(log.features)} tables\n{_count(K, 'worker')} and {_count(S, 'server')}, {where}; "
            f"{_count(options.steps, 'step')} over {_count(options.batch_size, 'row')} each, the same batches for all "
            f"strategies{how}")


def results(measured: Sequence[Measured], options: Options) -> Table:
    """The one table."""
    columns = ["strategy", "samples/s", "dense kB/step", "sparse kB/step", "busiest port", "test log loss", "test AUC"]
    rows = [[m.strategy, "-" if m.samples_per_s is None else round(m.samples_per_s), m.dense_bytes / KB,
             m.sparse_bytes / KB, m.port, f"{m.test_log_loss:.4f}", f"{m.test_auc:.4f}"] for m in measured]
    if options.cache_rows:
        columns[4:4] = ["cache hits", "cache saves kB/step"]
        for row, m in zip(rows, measured):
            row[4:4] = ["-", "-"] if m.hit_rate is None else [f"{m.hit_rate:.1%}", m.saved_bytes / KB]
    time = {"process": "seconds on this machine", "torch": "seconds on these machines",
            "sim": "virtual seconds of the simulator, in which messages take time and computing takes none"}
    return Table(columns, rows, f"measured; samples/s of the median step, {time[options.world]};\n"
                                f"bytes of the busiest port's busier direction, keys and values without headers"
                                f"{CACHE_NOTE if options.cache_rows else ''}")


def beside(measured: Sequence[Measured], yard: tuple[str, float], alone: Measured) -> str:
    """The yardstick for the AUCs, and one process alone."""
    name, value = yard
    above = [m.test_auc - value for m in measured]
    low, high = f"{min(above):+.4f}", f"{max(above):+.4f}"
    gaps = [max(abs(m.losses[i] - loss) for m in measured) for i, loss in enumerate(alone.losses)]
    losses = f"at most {max(gaps):.1e}"
    if len(gaps) > FIRST:       # rounding grows with the steps: plain torch in float32 and in float64 drift apart alike
        losses = f"at most {max(gaps[:FIRST]):.1e} in the first {FIRST} steps, {max(gaps):.1e} in all {len(gaps)}"
    first = measured[0]
    speed = "" if alone.samples_per_s is None or first.samples_per_s is None else (
        f" {alone.samples_per_s:,.0f} samples/s, {first.strategy} {first.samples_per_s / alone.samples_per_s:.2f} "
        f"times that;")
    return (f"beside: {name}, test AUC {value:.4f}; trained minus that: {low if low == high else f'{low} to {high}'}\n"
            f"beside: one process alone on the same batches:{speed} losses differ from its by {losses}")


def sentence(measured: Sequence[Measured], size: Size, virtual: bool = False) -> str:
    """One sentence on what the table shows, from its figures. virtual: times are the simulator's."""
    by = {m.strategy: m for m in measured}
    if len(by) < 2:
        (m,) = measured
        return (f"With {m.strategy} the busiest port carries {sized(m.bytes)} a step in its busier direction, "
                f"{m.sparse_bytes / m.bytes if m.bytes else 0:.0%} of it for rows of tables.")
    hybrid, others = by["hybrid"], [by[name] for name in ("allreduce", "server") if name in by]
    touched = f" (a worker touches {size.rows_per_worker:.0f} of {size.table_rows:,} rows a step)"
    moved = " and ".join(_ratio(other, hybrid) + touched * (other.strategy == "allreduce") for other in others)
    spread = max(m.test_auc for m in measured) - min(m.test_auc for m in measured)
    learnt = "the same test AUC to four digits" if spread < 5e-5 else f"test AUCs within {spread:.4f}"
    speed = _speed(measured, hybrid)
    clock = ", in virtual time, which counts messages only" if virtual else ", in this one run"
    return f"Through the busiest port hybrid sends {moved}; all reach {learnt}{speed}{clock if speed else ''}."


def model_table(modelled: Sequence[Line]) -> Table:
    """K down, strategies across, kB a step."""
    rows = [[K, *(line.bytes[i] / KB for line in modelled)] for i, K in enumerate(WORKERS)]
    return Table(["K", *(line.label for line in modelled)], rows,
                 "modelled by pslab.cost: kB a step on the busiest port, busier direction; rows spread evenly over\n"
                 "the servers (a measured figure above its line: hot rows lie together on one of them)")


def model_words(size: Size, options: Options) -> str:
    """Where ring and servers part, and what larger tables would do."""
    ring, servers = (dense_busiest(how, 2, 2, size) for how in ("ring", "server"))
    apart = abs(ring - servers)
    alike = "equal" if not apart else "equal (but for one number)" if apart <= 4 else "different"
    texts = [f"At K = S = 2 ring and servers carry {alike} dense bytes per direction ({ring:,} and {servers:,})."]
    S = options.servers
    if S:
        texts += [_parting(size, S), _overtaking(size, S)]
    large = {line.label: line.bytes[0] for line in lines(size, max(S, 1), LARGE_ROWS)}
    texts.append(f"Modelled too, not run: with {LARGE_ROWS:,} rows, of which a worker still touches "
                 f"{size.rows_per_worker:.0f}, allreduce would send "
                 f"{sized(large['allreduce'])} a step at K = 2, hybrid with S = K {sized(large['hybrid, S = K'])}.")
    if options.staleness or options.cache_rows:
        texts.append("The model knows neither staleness nor caches.")
    return " ".join(texts)


def _parting(size: Size, S: int) -> str:
    K, last = part_from(size, S), WORKERS[-1]
    if K is None:
        return f"With {_count(S, 'server')} they do not part up to K = {last}."

    def both(K):
        return " and ".join(f"{number(dense_busiest(how, K, S, size) / KB, 4)} kB" for how in ("ring", "server"))
    return (f"With {_count(S, 'server')} they part from K = {K} on: there ring and busiest server carry {both(K)}, "
            f"at K = {last} {both(last)}.")


def _overtaking(size: Size, S: int) -> str:
    K = overtaken_from(size, S)
    if K is None:
        return f"Hybrid with {_count(S, 'server')} stays below allreduce up to K = {WORKERS[-1]}."
    return (f"From K = {K} on hybrid with {_count(S, 'server')} sends more than allreduce through its busiest port, "
            f"a server's: more workers need more servers.")


def _ratio(other: Measured, hybrid: Measured) -> str:
    theirs, ours = other.bytes, hybrid.bytes
    if not theirs:
        return f"{sized(ours)} a step where {other.strategy} sends nothing"
    if max(theirs, ours) <= CLOSE * min(theirs, ours):
        return f"about as many bytes a step as {other.strategy}"
    if theirs > ours:
        return f"{theirs / ours:.1f} times fewer bytes a step than {other.strategy}"
    return f"{ours / theirs:.1f} times more bytes a step than {other.strategy}"


def _speed(measured: Sequence[Measured], hybrid: Measured) -> str:
    if any(m.samples_per_s is None for m in measured):
        return ""
    first, second = sorted(measured, key=lambda m: -m.samples_per_s)[:2]
    if first.samples_per_s <= CLOSE * hybrid.samples_per_s and first is not hybrid:
        return f"; hybrid is about as fast as {first.strategy}"
    than = second if first is hybrid else hybrid
    text = f"; {first.strategy} is fastest, {first.samples_per_s / than.samples_per_s:.2f} times {than.strategy}"
    return text + (", so bytes do not decide the time here" if first.bytes > CLOSE * hybrid.bytes else "")


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"
