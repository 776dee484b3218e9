"""9.5: three contenders measured on real processes, predicted first: their bytes to the byte, their order of finish.

    over all links      dense ring 2(K−1)·V·4D      server 2K·n·(4D + 8)      sparse all-gather K(K−1)·n·(4D + 8)

    seconds, port model, α latency, β seconds a byte
      dense ring           2(K−1)·(α + V·4D/K · β)
      sparse all-gather    2(K−1)·α + (K−1)·n·(4D + 8)·β         ids first, then rows, each K−1 rounds
      server               8·α + (K+1)·n·(4D + 8)·β              pull, push, end of round, goodbye: there and back; the
                                                                 pushes go up while the last rows still come down

The order is judged by the simulator, pair by pair, where two contenders differ by a factor of `APART` or more: so no
noise of a machine can make a right answer wrong. The notebook measures real processes on throttled links beside it.
"""

from __future__ import annotations

from itertools import combinations

from pslab.comm import Link, ProcessWorld, SimWorld
from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict, contracts

from . import lab9_rivals as rivals
from .lab9_rivals import CONTENDERS, ITEM_BYTES, KEY_BYTES

APART = 1.4


def predict_bytes(K: int, V: int, D: int, n: int) -> dict[str, int]:
    """Payload over all links, keys with values, by contender. The reference."""
    row = ITEM_BYTES * D
    return {"dense ring": 2 * (K - 1) * V * row, "server": 2 * K * n * (row + KEY_BYTES),
            "sparse all-gather": K * (K - 1) * n * (row + KEY_BYTES)}


def seconds(K: int, V: int, D: int, n: int, latency_s: float, bandwidth_Bps: float) -> dict[str, float]:
    """By the formulas above."""
    row = ITEM_BYTES * D
    return {"dense ring": 2 * (K - 1) * (latency_s + V * row / K / bandwidth_Bps),
            "server": 8 * latency_s + (K + 1) * n * (row + KEY_BYTES) / bandwidth_Bps,
            "sparse all-gather": 2 * (K - 1) * latency_s + (K - 1) * n * (row + KEY_BYTES) / bandwidth_Bps}


def finish_order(K: int, V: int, D: int, n: int, latency_s: float, bandwidth_Bps: float) -> list[str]:
    """First to finish comes first. The reference for those who read; judged is by the simulator."""
    times = seconds(K, V, D, n, latency_s, bandwidth_Bps)
    return sorted(CONTENDERS, key=times.get)


def simulated(K, V, D, n, latency_s, bandwidth_Bps) -> dict:
    """A run of each contender in the simulator."""
    link = Link(latency_s=latency_s, bandwidth_Bps=bandwidth_Bps)
    return {name: SimWorld(rivals.ranks(name, K), link=link).run(rivals.PROGRAMS[name], V, D, n)
            for name in CONTENDERS}


def measured(questions) -> list[dict]:
    """For each question (K, V, D, n): a run of every contender on real processes."""
    runs: list[dict] = [{} for _ in questions]
    jobs = [(rivals.ranks(name, question[0]), at, name) for at, question in enumerate(questions) for name in CONTENDERS]
    for size in sorted({size for size, *_ in jobs}):
        with ProcessWorld(size) as world:
            for _, at, name in (job for job in jobs if job[0] == size):
                runs[at][name] = world.run(rivals.PROGRAMS[name], *questions[at][1:])
    return runs


# ---- judging --------------------------------------------------------------------------------------------------------


def _with(name, value):
    """The right prediction with one contender's replaced."""
    return lambda K, V, D, n: {**predict_bytes(K, V, D, n), name: value(K, V, D, n)}


BELIEFS = {
    "9/bits-and-bytes": lambda K, V, D, n: {
        name: 8 * moved for name, moved in predict_bytes(K, V, D, n).items()},
    "9/one-way-or-both": _with("server", lambda K, V, D, n: K * n * (4 * D + 8)),
    "9/keys-are-free": lambda K, V, D, n: {"dense ring": 2 * (K - 1) * V * 4 * D, "server": 2 * K * n * 4 * D,
                                            "sparse all-gather": K * (K - 1) * n * 4 * D},
    "9/keys-travel-once": _with("server", lambda K, V, D, n: K * n * (8 * D + 8)),
    "9/ring-moves-k": _with("dense ring", lambda K, V, D, n: 2 * K * V * 4 * D),
    "9/gather-keeps-its-own": _with("sparse all-gather", lambda K, V, D, n: K * K * n * (4 * D + 8)),
    "9/one-worker-or-all": _with("server", lambda K, V, D, n: 2 * n * (4 * D + 8)),
    "9/busiest-is-total": lambda K, V, D, n: {
        "dense ring": 2 * (K - 1) * V * 4 * D // K, "server": K * n * (4 * D + 16),
        "sparse all-gather": (K - 1) * n * (4 * D + 8)},
    "9/sparse-moves-the-table": _with("sparse all-gather", lambda K, V, D, n: K * (K - 1) * V * 4 * D),
}

MISCONCEPTIONS = (
    Misconception("9/bits-and-bytes", "You counted bits; a float32 has 4 bytes, an int64 id 8, and the ledger counts "
                  "bytes."),
    Misconception("9/one-way-or-both", "You counted one way at the server; each row comes down with the pull and its "
                  "gradient goes up with the push."),
    Misconception("9/keys-are-free", "You let the ids travel for free; each row that travels is named by a key of 8 "
                  "bytes, and only the dense ring needs none."),
    Misconception("9/keys-travel-once", "You counted the server's keys once; they go up with the pull's request and up "
                  "again with the push."),
    Misconception("9/ring-moves-k", "You let the ring move K times the table each half; every chunk crosses K-1 links, "
                  "since it need not travel to where it already is."),
    Misconception("9/gather-keeps-its-own", "You let every worker send to itself as well; each of the K sends to the "
                  "K-1 others, and what stays at home is in no ledger."),
    Misconception("9/one-worker-or-all", "You counted one worker; all K of them pull and push their n rows."),
    Misconception("9/busiest-is-total", "You gave the bytes of the busiest port; asked for is the sum over all links, "
                  "each byte counted once."),
    Misconception("9/sparse-moves-the-table", "You let the all-gather carry the whole table; it carries rows that were "
                  "touched, which is what makes it sparse."),
    Misconception("9/bytes-miscounted", "Count for each contender: who sends, how many rows, how many bytes a row and "
                  "its key, to how many others, how often."),
    Misconception("9/total-is-the-clock", "You ordered by bytes over all links; links work side by side, and the "
                  "last to finish is whoever has the fullest port."),
    Misconception("9/server-waits-in-line", "You overlooked that the rows of all K workers pass through one port of "
                  "the server, one after the other."),
    Misconception("9/latency-is-free", "You ordered by bytes where messages decide; a ring pays 2(K-1) latencies one "
                  "after the other, the server job about 8, whatever they carry."),
    Misconception("9/order-guessed", "The order is that of the seconds: for each contender latencies in a row plus the "
                  "bytes of its fullest port direction over the bandwidth."),
)


def _sizes(rng):
    return [(int(K), int(rng.integers(50, 4000)), int(rng.integers(1, 65)), int(rng.integers(1, 50)))
            for K in (2, 3, 5, 8, 4)]


def equal_to_the_ledger(answers, case: Case) -> Verdict:
    """Two workers, then three, as real processes: what was predicted is what the ledger counts."""
    D, n, V = int(case.rng.integers(2, 9)), int(case.rng.integers(20, 40)), 300
    questions = [(K, V, D, n) for K in (2, 3)]
    told = [answers.call("predict_bytes", *question) for question in questions]
    for (K, *_), said, runs in zip(questions, told, measured(questions)):
        for name in CONTENDERS:
            counted = rivals.counted(runs[name].ledger)
            mine = said.get(name) if isinstance(said, dict) else None
            if mine != counted:
                why = next((belief for belief, rule in BELIEFS.items() if rule(K, V, D, n) == said),
                           "9/bytes-miscounted")
                return Verdict(False, f"{name}: {counted:,} B counted", f"{mine!r} predicted",
                               f"K={K}, V={V}, D={D}, n={n}", why, runs[name])
    return Verdict(True, seen="six runs on processes, six predictions to the byte", run=runs["sparse all-gather"])


def _order(questions_of):
    def judge(answers, case: Case) -> Verdict:
        questions = questions_of(case.rng)
        for question in questions:
            order, runs = answers.call("finish_order", *question), simulated(*question)
            times = {name: run.seconds for name, run in runs.items()}
            if not isinstance(order, (list, tuple)) or sorted(map(str, order)) != sorted(CONTENDERS):
                return Verdict(False, f"a list of the three names {', '.join(CONTENDERS)}, in some order",
                               f"{order!r}"[:120], _told(question), "all/bad-value")
            for first, then in combinations(order, 2):
                if times[first] >= APART * times[then]:
                    return Verdict(False, " < ".join(f"{name} {times[name] * 1e3:.2f} ms" for name in
                                                     sorted(times, key=times.get)), " < ".join(order),
                                   _told(question), _why_order(question, order, first), runs[first])
        return Verdict(True, seen=f"right on {len(questions)} kinds of links", run=runs[order[0]])
    return judge


def _why_order(question, order, first: str) -> str:
    *sizes, _, bandwidth_Bps = question
    totals = predict_bytes(*sizes)
    if list(order) == sorted(CONTENDERS, key=totals.get):
        return "9/total-is-the-clock"
    free = seconds(*sizes, 0.0, bandwidth_Bps)
    if list(order) == sorted(CONTENDERS, key=free.get):
        return "9/latency-is-free"
    return "9/server-waits-in-line" if first == "server" else "9/order-guessed"


def _told(question) -> str:
    K, V, D, n, latency_s, bandwidth_Bps = question
    return f"K={K}, V={V}, D={D}, n={n}, {latency_s * 1e3:g} ms, {bandwidth_Bps / 1e6:g} MB/s"


def _throttled(rng):
    V = int(rng.integers(1500, 2500))
    # Three workers: server and all-gather have the smaller totals, and the dense ring is done before the server.
    return [(2, V, 16, V // 12, 1e-3, 10e6), (3, V, 16, V // 2, 1e-3, 10e6)]


def _elsewhere(rng):
    return [(8, 1500, 16, int(rng.integers(700, 900)), 0.0, 10e6),     # the dense ring first, though its total is not
            (8, 60, 2, 2, 1e-3, 10e6),                                 # nothing but latency: the server first
            (16, 4000, 8, int(rng.integers(20, 60)), 1e-5, 1e9),
            (2, 3000, 32, int(rng.integers(2400, 2900)), 1e-4, 1e8)]


_FORMULA = contracts.formula("predict_bytes", lambda case: _sizes(case.rng), predict_bytes,
                             otherwise="9/bytes-miscounted", explains=BELIEFS)


def predicted(answers, case: Case) -> Verdict:
    """The three numbers; a value of another form is told as such, and not as a miscount."""
    said = answers.call("predict_bytes", 2, 100, 4, 10)
    if not isinstance(said, dict) or set(said) != set(CONTENDERS):
        return Verdict(False, f"a dictionary with the names {', '.join(CONTENDERS)}", f"{said!r}"[:120],
                       "predict_bytes(K=2, V=100, D=4, n=10)", "all/bad-value")
    return _FORMULA(answers, case)


MEASURE = Exercise(
    id="9.5", lab="9", title="Measure the three, predicted first", names=("predict_bytes", "finish_order"),
    signature="def predict_bytes(K: int, V: int, D: int, n: int) -> dict[str, int]\n"
              "def finish_order(K: int, V: int, D: int, n: int, latency_s: float, bandwidth_Bps: float) -> list[str]",
    points=25, minutes=25, difficulty=3, core=False, prerequisites=("9.1",), forbidden=("pslab.cost",),
    goal="For one step on a table of V rows, n of them touched by each of K workers, one server: bytes over all links "
         "of the dense ring, the server and the sparse all-gather, equal to the ledger; and which finishes first, "
         "second, last on given links.",
    example='predict_bytes(K=2, V=100, D=4, n=10) -> {"dense ring": 3200, "server": 960, "sparse all-gather": 480}',
    hints=(
        "Bytes are those of 9.1: both sides of the equation, before you divided. Ids are int64, numbers float32.",
        "Seconds: count the rounds that come one after the other, each a latency; then the bytes through the fullest "
        "direction of the fullest port, over the bandwidth. The two add up.",
        "Dense ring: 2(K-1) rounds of V·4D/K bytes. All-gather: 2(K-1) rounds (ids, then rows), (K-1)·n·(4D+8) bytes. "
        "Server: 8 latencies (four exchanges) and about (K+1)·n·(4D+8) bytes through its port.",
    ),
    misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("bytes by formula", predicted, 6),
        Criterion("equal to the ledger", equal_to_the_ledger, 6),
        Criterion("order of finish", _order(_throttled), 6),
        Criterion("other tables", predicted, 3, hidden=True),
        Criterion("other links", _order(_elsewhere), 4, hidden=True),
    ),
)
