"""9.4: which parameters of a model go around the ring, and which live on servers.

    one parameter of V rows of D float32, n rows touched by one worker's step           bytes over all links
      all-reduce                                                                        2(K−1)·V·D·4
      server, n < V: rows up and down, keys twice                                       2K·n·(D·4 + key)
      server, n = V: a range, no keys                                                   2K·V·D·4

Bytes over all links add up parameter by parameter, so the best plan is the best choice for each one of them. Two names
for one memory are one parameter; where one of its uses touches every row, the gradient is dense.
"""

from __future__ import annotations

import math

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

ITEM_BYTES = 4
ROUTES = ("all-reduce", "server")
SLACK = 1.05

# A model, as values:
#   {"workers": K, "key_bytes": 8, "parameters": [{"name", "shape": [V, D] or [P], "touched": n, "trainable": True,
#    "same_as": None or a name}]}


def route(model: dict) -> dict[str, str]:
    """{name: route} of every parameter that gets a gradient. The reference."""
    plan = {}
    for names, rows, row_bytes, touched in groups(model):
        costs = {route: moved(model, rows, row_bytes, touched, route) for route in ROUTES}
        plan.update(dict.fromkeys(names, min(ROUTES, key=costs.get)))
    return plan


def groups(model: dict):
    """(names, rows, bytes a row, rows touched) of each parameter that is trained, tied names together."""
    together: dict[str, list[dict]] = {}
    for parameter in model["parameters"]:
        if parameter["trainable"]:
            together.setdefault(parameter["same_as"] or parameter["name"], []).append(parameter)
    for uses in together.values():
        rows, *rest = uses[0]["shape"]
        yield [use["name"] for use in uses], rows, ITEM_BYTES * math.prod(rest), max(use["touched"] for use in uses)


def moved(model: dict, rows: int, row_bytes: int, touched: int, route: str) -> int:
    """Bytes over all links, for one parameter and one step."""
    K = model["workers"]
    if route == "all-reduce":
        return 2 * (K - 1) * rows * row_bytes
    return 2 * K * touched * (row_bytes + (model["key_bytes"] if touched < rows else 0))


def plan_bytes(model: dict, plan: dict[str, str]) -> int:
    """Bytes over all links of a plan that names every trained parameter; tied names by the first one's route."""
    return sum(moved(model, rows, row_bytes, touched, plan[names[0]])
               for names, rows, row_bytes, touched in groups(model))


# ---- models ---------------------------------------------------------------------------------------------------------


def parameter(name, shape, touched=None, trainable=True, same_as=None) -> dict:
    return {"name": name, "shape": list(shape), "touched": shape[0] if touched is None else int(touched),
            "trainable": trainable, "same_as": same_as}


def recommender(rng) -> dict:
    """Dense layers, large tables, a table that is touched almost everywhere, frozen parts."""
    D = int(rng.choice([8, 16, 64]))
    big, small = int(rng.integers(10**5, 10**6)), int(rng.integers(30, 200))
    return {"workers": int(rng.choice([2, 3, 5, 8])), "key_bytes": 8, "parameters": _shuffled(rng, [
        parameter("bottom.0.weight", (64, 13)), parameter("bottom.0.bias", (64,)),
        parameter("top.0.weight", (int(rng.integers(100, 600)), 80)),
        parameter("item", (big, D), rng.integers(100, big // 50)),
        parameter("user", (2 * big, D), rng.integers(100, big // 50)),
        parameter("country", (small, D), small - rng.integers(1, 3)),
        parameter("picture.weight", (256, 512), trainable=False),
        parameter("old_item", (big, D), 400, trainable=False),
    ])}


def language_model(rng) -> dict:
    """A table of words that is also the output layer, which scores every word."""
    V, D = int(rng.integers(5_000, 50_000)), int(rng.choice([64, 128]))
    return {"workers": int(rng.choice([2, 4, 8])), "key_bytes": 8, "parameters": _shuffled(rng, [
        parameter("words", (V, D), rng.integers(50, V // 40)), parameter("output.weight", (V, D), V, same_as="words"),
        parameter("block.weight", (4 * D, D)), parameter("block.bias", (4 * D,)),
        parameter("authors", (20 * V, D), rng.integers(50, V // 40)),
    ])}


def network(rng) -> dict:
    """Mostly dense layers, and one table."""
    wide = int(rng.integers(300, 700))
    return {"workers": int(rng.choice([2, 3, 4])), "key_bytes": 8, "parameters": _shuffled(rng, [
        *(parameter(f"layers.{i}.weight", (wide, wide)) for i in range(3)), parameter("layers.0.bias", (wide,)),
        parameter("item", (10**5, 16), rng.integers(100, 400)),
    ])}


def near_the_line(rng, keys: bool) -> dict:
    """Tables a quarter above and a quarter below the share at which the choice flips, of rows long or short."""
    K, parameters = int(rng.choice([2, 3, 4])), [parameter("top.weight", (50, 40))]
    for i in range(6):
        V, D = int(rng.integers(2_000, 9_000)), (1 if keys else int(rng.choice([32, 64, 128])))
        flip = (K - 1) / K * D * ITEM_BYTES / (D * ITEM_BYTES + 8)
        share = min(flip * (1.25 if i % 2 else 0.75), 0.96)
        parameters.append(parameter(f"table_{i}", (V, D), share * V))
    return {"workers": K, "key_bytes": 8, "parameters": _shuffled(rng, parameters)}


KINDS = (recommender, language_model, network, lambda rng: near_the_line(rng, False),
         lambda rng: near_the_line(rng, True))


def _shuffled(rng, items: list) -> list:
    return [items[i] for i in rng.permutation(len(items))]


# ---- judging --------------------------------------------------------------------------------------------------------

MISCONCEPTIONS = (
    Misconception("9/frozen-is-not-combined", "You routed a frozen parameter; it gets no gradient, so there is "
                  "nothing to combine and nothing to send."),
    Misconception("9/plan-incomplete", "You left out a parameter that is trained; without a route its replicas drift "
                  "apart from the first step on."),
    Misconception("9/no-such-route", "A plan gives each name one of two routes, 'all-reduce' or 'server'."),
    Misconception("9/tied-is-one", "You gave two routes to one parameter because it has two names; its gradient is the "
                  "sum over both uses and can be combined in one place only."),
    Misconception("9/tied-output-is-dense", "You looked at the look-ups alone; the tied output layer scores every "
                  "row, so every row gets a gradient in every step."),
    Misconception("9/tables-belong-on-servers", "You sent a table to the servers because it is a table; where a step "
                  "touches most of its rows they travel up and down for every worker, and the ring moves less."),
    Misconception("9/embedding-gradient-is-dense", "You all-reduced a table of which a step touches few rows; the ring "
                  "carries the zeros of all the others."),
    Misconception("9/dense-on-servers", "You sent a dense matrix to the servers; each of K workers pushes and pulls "
                  "all of it, 2K times its bytes, and the ring needs 2(K−1)."),
    Misconception("9/keys-are-free", "You let the ids travel for free; for rows of one number the key weighs twice as "
                  "much as the row, and the choice flips early."),
)


def _judge(models_of, names_only: bool = False):
    def judge(answers, case: Case) -> Verdict:
        seen = []
        for model in models_of(case.rng):
            plan = answers.call("route", model)
            verdict = _names(model, plan) or (None if names_only else _tied(model, plan) or _bytes(model, plan))
            if verdict is not None:
                return verdict
            seen.append(f"{plan_bytes(model, plan) / max(plan_bytes(model, route(model)), 1):.2f}")
        return Verdict(True, seen="every name once" if names_only else f"bytes over the best plan's: {', '.join(seen)}")
    return judge


def _names(model, plan) -> Verdict | None:
    if not isinstance(plan, dict) or not all(value in ROUTES for value in plan.values()):
        return Verdict(False, "{name: 'all-reduce' or 'server'}", _short(plan), "", "9/no-such-route")
    wanted = {p["name"] for p in model["parameters"] if p["trainable"]}
    if wanted - set(plan):
        return Verdict(False, f"a route for {_listed(wanted)}", f"none for {_listed(wanted - set(plan))}", "",
                       "9/plan-incomplete")
    if set(plan) - wanted:
        return Verdict(False, f"a route for {_listed(wanted)}", f"also for {_listed(set(plan) - wanted)}", "",
                       "9/frozen-is-not-combined")
    return None


def _tied(model, plan) -> Verdict | None:
    for names, *_ in groups(model):
        if len({plan[name] for name in names}) > 1:
            return Verdict(False, "one route for " + " and ".join(names),
                           ", ".join(f"{name}: {plan[name]}" for name in names), names[0], "9/tied-is-one")
    return None


def _bytes(model, plan) -> Verdict | None:
    best, mine = plan_bytes(model, route(model)), plan_bytes(model, plan)
    if mine <= SLACK * best:
        return None

    def excess(group):
        names, *sizes = group
        return moved(model, *sizes, plan[names[0]]) - min(moved(model, *sizes, to) for to in ROUTES)

    names, rows, row_bytes, touched = max(groups(model), key=excess)
    where = f"{names[0]}: {touched:,} of {rows:,} rows of {row_bytes} B touched, K={model['workers']}"
    why = _why(model, names, rows, row_bytes, touched, plan[names[0]])
    return Verdict(False, f"at most {SLACK} x the best plan's {best:,} B a step",
                   f"{mine:,} B, most of the excess from {names[0]} by {plan[names[0]]}", where, why, ratio=mine / best)


def _why(model, names, rows, row_bytes, touched, to: str) -> str:
    if to == "all-reduce":
        return "9/embedding-gradient-is-dense"
    if touched == rows:
        return "9/tied-output-is-dense" if len(names) > 1 else "9/dense-on-servers"
    without_keys = 2 * model["workers"] * touched * row_bytes
    flips = without_keys < moved(model, rows, row_bytes, touched, "all-reduce")
    return "9/keys-are-free" if flips else "9/tables-belong-on-servers"


def _listed(names) -> str:
    return ", ".join(sorted(names))


def _short(value) -> str:
    text = repr(value)
    return text if len(text) < 120 else text[:117] + "..."


ROUTE = Exercise(
    id="9.4", lab="9", title="Route a model's parameters", names=("route",),
    signature="def route(model: dict) -> dict[str, str]",
    points=20, minutes=20, difficulty=2, core=False, prerequisites=("9.1",), forbidden=("pslab.cost",),
    goal="A plan, {name: 'all-reduce' or 'server'}, for every parameter that gets a gradient, that moves as few bytes "
         "over all links as any plan can (at most 1.05 times the best).",
    example='route({... a dense layer "top" and a table "item" ...}) -> {"top": "all-reduce", "item": "server"}',
    hints=(
        "Bytes over all links add up: decide for each parameter alone, by two formulas and a comparison. Leave out "
        "what is not trainable.",
        "First put together the names that share memory (`same_as`); the group's touched rows are the largest of its "
        "uses. Then compare 2(K−1)·V·D·4 with 2K·n·(D·4 + key), and key = 0 when n == V.",
        "Nothing else may decide: not the name, not the size, not that it is a table. A table of fifty rows of which a "
        "step touches 48 belongs to the ring.",
    ),
    misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("what belongs in the plan", _judge(lambda rng: [recommender(rng), language_model(rng)], True), 4),
        Criterion("two names, one parameter", _judge(lambda rng: [language_model(rng) for _ in range(3)]), 4),
        Criterion("tables by their touch rate", _judge(lambda rng: [network(rng), near_the_line(rng, False)]), 5),
        Criterion("short rows, heavy keys", _judge(lambda rng: [near_the_line(rng, True) for _ in range(2)]), 2),
        Criterion("models not shown here", _judge(lambda rng: [make(rng) for make in KINDS * 5]), 5, hidden=True),
    ),
)
