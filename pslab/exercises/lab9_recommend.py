"""9.2 (11.9.2): which architecture, and what binds. The rule, in the order in which the questions are asked:

    1  does a copy with its optimizer state fit on a worker?              no   ─> server            "capacity"
    2  do workers join and leave while it runs?                           yes  ─> server            "elastic"
    3  is somebody slow, and may the others go on without them            yes  ─> server            "straggler"
       for as long as it takes?
    4  otherwise the fewest bytes in the busiest direction of the busiest port, of three            "bytes"
       all-reduce · sparse all-gather · server         (equal: in this order)

`staleness` is how many rounds a worker may be ahead of the slowest: 0, a bound, or inf. A transient straggler is
bridged by any bound above 0. A persistent one is not: once the bound is used up everyone runs at the slow one's pace.
"""

from __future__ import annotations

import math

from pslab import cost
from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

ARCHITECTURES = ("all-reduce", "sparse all-gather", "server")
REASONS = ("capacity", "elastic", "straggler", "bytes")
NAMES = {"allreduce": "all-reduce", "gather": "sparse all-gather", "server": "server"}
GIB = 2**30


def recommend(spec: dict) -> tuple[str, str]:
    """(architecture, binding reason) by the rule above. The reference."""
    if copy_bytes(spec) > spec["worker_memory_bytes"]:
        return "server", "capacity"
    if spec["elastic"]:
        return "server", "elastic"
    if helps_against_straggler(spec):
        return "server", "straggler"
    return fewest(spec), "bytes"


def copy_bytes(spec: dict) -> int:
    """The group and its optimizer state."""
    return spec["rows"] * spec["row_bytes"] * (1 + spec["optimizer_slots"])


def helps_against_straggler(spec: dict) -> bool:
    least = {"none": math.inf, "transient": 0, "persistent": 2**40}[spec["straggler"]]
    return spec["staleness"] > least


def ports(spec: dict) -> dict[str, int]:
    """Bytes in the busiest direction of the busiest port, for each architecture."""
    choice = cost.choose(K=spec["workers"], S=spec["servers"], rows=spec["rows"], row_bytes=spec["row_bytes"],
                         rows_per_worker=spec["rows_per_worker"], worker_memory_bytes=2**60,
                         key_bytes=spec["key_bytes"])
    return {NAMES[name]: moved for name, moved in choice.busiest.items()}


def fewest(spec: dict) -> str:
    return min(ARCHITECTURES, key=ports(spec).get)


# ---- specs ---------------------------------------------------------------------------------------------------------


def make_spec(rng, what: str) -> dict:
    """One spec in which `what` binds: a reason, or for bytes the architecture that wins by at least a tenth."""
    for _ in range(2_000):
        spec = _drawn(rng, what)
        arch, reason = recommend(spec)
        if (reason != what and arch != what) or (reason == "bytes") != (what in ARCHITECTURES):
            continue
        moved = sorted(ports(spec).values())
        if moved[1] >= 1.1 * moved[0] or reason != "bytes":
            return spec
    raise AssertionError(f"no spec drawn in which {what} binds")


def _drawn(rng, what: str) -> dict:
    dense = what == "all-reduce" or (what not in ARCHITECTURES and rng.random() < 0.3)
    rows = int(rng.integers(10**3, 10**7)) if not dense else int(rng.integers(10**6, 10**9))
    row_bytes = 4 if dense else 4 * int(rng.choice([1, 8, 16, 64, 128]))
    touched = rows if dense else max(1, int(rows * 10 ** -rng.uniform(0.02, 4)))
    slots = int(rng.integers(0, 3))
    need = rows * row_bytes * (1 + slots)
    memory = int(need * rng.uniform(1.02, 40))
    if what == "capacity":  # often it is only the optimizer's state that does not fit
        memory = int(need * rng.uniform(0.4, 0.98)) if slots else int(need * rng.uniform(0.05, 0.98))
    straggler = {"straggler": ["transient", "persistent"][int(rng.integers(2))]}.get(
        what, str(rng.choice(["none", "none", "transient", "persistent"])))
    staleness = rng.choice([0, 0, 4, 16, math.inf]) if what != "straggler" else rng.choice([1, 4, math.inf])
    return {
        "workers": int(rng.choice([2, 2, 3, 4, 8, 16, 64])), "servers": int(rng.choice([1, 2, 4, 8, 16])),
        "rows": rows, "row_bytes": row_bytes, "rows_per_worker": touched, "key_bytes": 8,
        "optimizer_slots": slots, "worker_memory_bytes": memory,
        "elastic": bool(rng.random() < 0.9) if what == "elastic" else bool(what == "capacity" and rng.random() < 0.3),
        "straggler": straggler, "staleness": float(staleness),
    }


def edge_specs(rng) -> list[dict]:
    """A copy that just fits, and the same with one byte less."""
    fits = make_spec(rng, "all-reduce")
    fits["optimizer_slots"] = 1
    fits["worker_memory_bytes"] = copy_bytes(fits)
    return [fits, {**fits, "worker_memory_bytes": fits["worker_memory_bytes"] - 1}]


def forty(rng) -> list[dict]:
    """Ten that do not fit, six elastic, eight with a straggler that matters, sixteen decided by bytes."""
    wanted = ["capacity"] * 10 + ["elastic"] * 6 + ["straggler"] * 8
    wanted += ["all-reduce"] * 5 + ["sparse all-gather"] * 6 + ["server"] * 5
    specs = [make_spec(rng, what) for what in wanted]
    return [specs[i] for i in rng.permutation(len(specs))]


# ---- what a slip would have answered --------------------------------------------------------------------------------


def _cheapest(spec, key) -> str:
    return min(ARCHITECTURES, key=key(spec).get)


def _totals(spec) -> dict[str, int]:
    K, rows, row, n = spec["workers"], spec["rows"], spec["row_bytes"], spec["rows_per_worker"]
    key = 0 if n == rows else spec["key_bytes"]
    return {"all-reduce": 2 * (K - 1) * rows * row, "sparse all-gather": K * (K - 1) * n * (row + key),
            "server": 2 * K * n * (row + key)}


def _instead(architecture=None, **changes):
    """The rule, on a spec with changes; or with another way to choose by bytes."""
    def rule(spec):
        arch, reason = recommend({**spec, **changes})
        return (architecture(spec), reason) if reason == "bytes" and architecture else (arch, reason)
    return rule


def _bytes_first(spec):
    arch = fewest(spec)
    return (arch, "bytes") if arch != "server" else recommend(spec)


BELIEFS = {
    "9/optimizer-state-is-free": _instead(optimizer_slots=0),
    "9/bytes-before-capacity": _bytes_first,
    "9/architecture-is-consistency": lambda s: recommend({**s, "staleness": math.inf}),
    "9/bound-cures-persistent": lambda s: recommend({**s, "staleness": math.inf if s["staleness"] else 0.0}),
    "9/sparse-cannot-be-collective": _instead(
        lambda s: "server" if s["rows_per_worker"] < s["rows"] else fewest(s)),
    "9/server-moves-less": _instead(lambda s: "server"),
    "9/total-is-busiest": _instead(lambda s: _cheapest(s, _totals)),
    "9/elastic-can-wait": _instead(elastic=False),
    "9/first-that-settles": lambda s: recommend(
        {**s, "elastic": s["elastic"] and not helps_against_straggler(s)}),
    "9/collective-waits-for-nobody": lambda s: recommend({**s, "straggler": "none"}),
}

MISCONCEPTIONS = (
    Misconception("9/optimizer-state-is-free", "You compared the parameters alone with the memory; Adam keeps two more "
                  "numbers for each of them and AdaGrad one, and a replica must hold those too."),
    Misconception("9/bytes-before-capacity", "You let bytes decide before capacity; a replica that does not fit cannot "
                  "be all-reduced, however little that would move."),
    Misconception("9/architecture-is-consistency", "You took a server as the cure for every straggler; a server whose "
                  "rounds are synchronous waits for the slowest exactly as a ring does, unless staleness is allowed."),
    Misconception("9/bound-cures-persistent", "You let a staleness bound cure a worker that is always slow; once the "
                  "bound is used up everybody runs at its pace, so only waiting for nobody helps."),
    Misconception("9/sparse-cannot-be-collective", "You sent every sparse group to a server; rows and ids can be "
                  "all-gathered between workers, and with few workers that moves less."),
    Misconception("9/server-moves-less", "You took the server as the one that moves less; its port carries the rows of "
                  "K/S workers in each direction, which for few servers is the largest of the three."),
    Misconception("9/total-is-busiest", "You compared sums over all links; a step ends when the busiest port is done, "
                  "and a server job of the same total squeezes it through S ports."),
    Misconception("9/elastic-can-wait", "You overlooked that workers come and go; a collective needs every member in "
                  "every call, a server speaks with whoever is there."),
    Misconception("9/collective-waits-for-nobody", "You overlooked the straggler although staleness is allowed; a "
                  "collective ends a step when its slowest member has come, a server need not wait."),
    Misconception("9/first-that-settles", "You asked about the straggler before you asked who comes and goes; the "
                  "reason is the first of the four questions that settles it."),
    Misconception("9/wrong-architecture", "Ask in order: does a copy with its state fit, do workers come and go, may "
                  "the others pass a slow one, and only then who moves fewest bytes through the busiest port."),
)


def _judge(specs_of, least=None):
    """All specs must be right, or, with `least`, that many and all those that do not fit."""
    def judge(answers, case: Case) -> Verdict:
        specs = specs_of(case.rng)
        seen = [answers.call("recommend", spec) for spec in specs]
        for spec, value in zip(specs, seen):
            if not _is_pair(value):
                return Verdict(False, "(architecture, reason), such as ('server', 'capacity')", f"{value!r}",
                               told(spec), "9/wrong-architecture")
        seen = [tuple(value) for value in seen]
        wrong = [i for i, spec in enumerate(specs) if seen[i] != recommend(spec)]
        unfit = [i for i in wrong if recommend(specs[i])[1] == "capacity"]
        if not unfit and len(specs) - len(wrong) >= (least or len(specs)):
            return Verdict(True, seen=f"{len(specs) - len(wrong)} of {len(specs)} right")
        i = (unfit or wrong)[0]
        count = f"{len(specs) - len(wrong)} of {len(specs)} right; one that is not: "
        return Verdict(False, str(recommend(specs[i])), count + str(seen[i]), told(specs[i]), recognised(specs, seen))
    return judge


def recognised(specs, seen) -> str:
    """The misconception whose rule gives all of these answers."""
    for name, rule in BELIEFS.items():
        if all(rule(spec) == answer for spec, answer in zip(specs, seen)):
            return name
    missed = {recommend(spec)[1] for spec, answer in zip(specs, seen) if answer != recommend(spec)}
    if missed == {"capacity"}:
        return "9/bytes-before-capacity"
    return "9/wrong-architecture"


def _is_pair(value) -> bool:
    return isinstance(value, (tuple, list)) and len(value) == 2 and value[0] in ARCHITECTURES and value[1] in REASONS


def told(spec: dict) -> str:
    """A spec in a line, with what matters first."""
    return (f"copy with state {copy_bytes(spec):,} B, memory {spec['worker_memory_bytes']:,} B, elastic "
            f"{spec['elastic']}, straggler {spec['straggler']}, staleness {spec['staleness']:g}; K={spec['workers']}, "
            f"S={spec['servers']}, {spec['rows_per_worker']:,} of {spec['rows']:,} rows of {spec['row_bytes']} B")


def _capacity(rng):
    return [make_spec(rng, "capacity") for _ in range(6)] + edge_specs(rng)


def _rhythm(rng):
    kinds = ["elastic", "straggler", "straggler", "straggler"] * 2
    specs = [make_spec(rng, kind) for kind in kinds]
    waits = [{**make_spec(rng, "sparse all-gather"), "straggler": slow, "staleness": bound}
             for slow, bound in (("transient", 0.0), ("persistent", 0.0), ("persistent", 4.0))]
    both = {**make_spec(rng, "elastic"), "elastic": True, "straggler": "transient", "staleness": 4.0}
    return [*specs, *waits, both]                         # both settle it, and the one asked first is the reason


def _by_bytes(rng):
    return [make_spec(rng, what) for what in ARCHITECTURES * 4]


RECOMMEND = Exercise(
    id="9.2", lab="9", title="Which architecture, and what binds", names=("recommend",),
    signature="def recommend(spec: dict) -> tuple[str, str]",
    points=20, minutes=20, difficulty=2, core=True, prerequisites=("9.1",), chapter_number="11.9.2",
    forbidden=("pslab.cost",),
    goal="For one group of parameters: the architecture and the one reason that settles it. Four questions in a fixed "
         "order: capacity, elastic, straggler, bytes through the busiest port.",
    example='recommend({... a copy of 1.8 TB on workers of 80 GB ...}) -> ("server", "capacity")',
    hints=(
        "Write the four questions as four `if`s, in the order of the table, each with its return. The last one needs "
        "three numbers and `min`.",
        "A copy is rows · row_bytes · (1 + optimizer_slots). A transient straggler is bridged by any staleness above "
        "0, a persistent one only by staleness == float('inf'); with staleness 0 everybody waits anyway.",
        "Busiest direction of the busiest port, n = rows_per_worker: ring 2·(K−1)/K of the group; gather "
        "(K−1)·n·(row + key); server max(K·⌈n/S⌉, n)·(row + 2·key). A dense group, n == rows, needs no keys.",
    ),
    misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("one copy does not fit", _judge(_capacity), 5),
        Criterion("who comes, goes and lags", _judge(_rhythm), 5),
        Criterion("fewest bytes through a port", _judge(_by_bytes), 4),
        Criterion("forty cases more", _judge(forty, least=36), 6, hidden=True),
    ),
)
