# %% [markdown]
# # Lab 2: push and pull
#
# A parameter server keeps rows of numbers by key. Workers *push* gradients and *pull* rows. In this lab you write what
# happens between the two: what a server does with a request, two rules by which rows learn, ranges of keys in one
# letter, pushes that count once on a network that loses letters, and requests that wait for their answers side by side.
#
# **After this lab you can**
#
# 1. write a server's handler that works on a whole request at once and refuses bad ones without a trace;
# 2. write AdaGrad and FTRL on sparse rows, with a state that is as large as what was pushed;
# 3. push and pull a key range, and say to the byte what travels;
# 4. make a retry safe, and say what must be remembered for it;
# 5. keep several requests under way, and predict the time that this saves.
#
# **Before you start:** 0A.0 of lab 0A (ranks and messages), and chapter 11.2 if you like to read first.
# **Time:** 90 minutes for the core, 150 for everything.
#
# | | | points | minutes | |
# | --- | --- | --- | --- | --- |
# | 2.1 | A server's handler | 20 | 20 | core |
# | 2.2 | AdaGrad on rows | 15 | 20 | core |
# | 2.3 | FTRL on rows | 20 | 30 | optional |
# | 2.4 | Ranges in one letter | 15 | 20 | core |
# | 2.5 | Exactly once | 30 | 30 | core |
# | 2.6 | A window of requests | 15 | 15 | optional |
# | 2.7 | Four questions | 4 | 5 | optional |
#
# Write your answer where a cell says `raise NotImplementedError`, then run the check below it. A check prints what was
# expected and what was seen, and shows your own run; it never stops the notebook. Stuck? `pslab hint 2.1` in a terminal
# (`source .venv/bin/activate` first) shows one hint more each time. `pslab.ps`, the kit's own server, cannot be imported
# by an answer: it is what you build. Where a cell asks for a number *before* a run, commit to one: a wrong prediction
# costs no points.

# %%
import torch

import pslab
from pslab.comm import Faults, Link, SimWorld
from pslab.grade import check, predict, reveal

torch.set_num_threads(1)
LINK = Link(latency_s=1e-3, overhead_s=0.0, bandwidth_Bps=1e9)      # a letter takes 1 ms, however short it is

# %% [markdown]
# ## Letters
#
# Servers talk to many workers and never know who will speak next. For this `comm` has *letters* beside the tensors of
# lab 0A: `comm.post(dst, kind, meta, tensors)` sends one and never waits; `comm.poll(timeout_s)` gives the next one from
# anybody, or None when the time is over (without a time it waits as long as it takes). A letter has `src`, `kind`,
# `meta` (a small dict) and `tensors`.


# %%
def greet(comm):
    """Worker 1 asks, server 0 answers; then the worker looks for a second answer for 5 ms."""
    if comm.rank == 0:
        letter = comm.poll()
        comm.post(letter.src, "rows", {"q": letter.meta["q"]}, [torch.ones(2, 3)])
        return f"from rank {letter.src}: {letter.kind} {letter.meta}"
    comm.post(0, "pull", {"q": 7})
    answer = comm.poll()
    return answer.kind, answer.meta, tuple(answer.tensors[0].shape), comm.poll(0.005)


for rank, result in enumerate(SimWorld(2, link=LINK).run(greet).results):
    print(rank, result)

# %% [markdown]
# ## 2.1 A server's handler
#
# *20 points · 20 minutes · core*
#
# **Goal.** Serve one request. `state` is one server's shard of a table; `request` is a dict with `kind`, `keys` and
# `vals`.
#
# - A **push** brings a gradient for each key. Values of equal keys are summed first. Then the rows of those keys take one
#   step: `state.update(rows, sums)` says what becomes of them. It is called once, with all rows.
# - A **pull** returns a row for each place of `keys`, in that order, repeats included. It changes nothing.
# - A key that nobody has pushed has the row `state.initial(keys)`, which follows from the key alone: so it is the same on
#   however many servers the table lies.
# - A **bad request** is refused with ValueError: another kind, a key below 0, values of another shape than
#   (keys, `state.dim`), a NaN or an infinity. Then `state` is exactly what it was.
#
# `state.keys` (R,) int64 stays ascending, and `state.rows` (R, D) has the row of `state.keys[i]` in place i. Assign both
# as you like. 200,000 keys are a usual request, so work on all keys at once: `torch.unique`, `torch.searchsorted`,
# `torch.isin`, `index_add_`.


# %%
class State:
    """One server's shard of a table. Rows begin as 0; a step is row − sum · |sum|, so that how sums are made shows."""

    def __init__(self, dim):
        self.dim = dim
        self.keys, self.rows = torch.zeros(0, dtype=torch.int64), torch.zeros(0, dim)

    def initial(self, keys):
        """(n, D): what the rows of these keys begin as."""
        return torch.zeros(len(keys), self.dim)

    def update(self, rows, sums):
        """(n, D): what rows (n, D) become by summed gradients (n, D)."""
        return rows - sums * sums.abs()


# %% [markdown]
# **Worked example.** An empty table, D = 1. Push keys 5, 3, 5 with values 1, 2, 3: the sums are 4 for key 5 and 2 for
# key 3, so the rows become −16 and −4. Pull 5, 3, 9, 5: −16, −4, 0, −16, and key 9 is still unknown afterwards.


# %% answer="2.1"
### BEGIN SOLUTION
def look_up(state, unique):
    """(rows (n, D), known (n,), place (n,)) of distinct keys: their rows, whether and where the state has them."""
    place = torch.searchsorted(state.keys, unique)
    known = torch.isin(unique, state.keys)
    rows = torch.empty(len(unique), state.dim)
    rows[known] = state.rows[place[known]]
    if not known.all():
        rows[~known] = state.initial(unique[~known])
    return rows, known, place
### END SOLUTION


# %% answer="2.1"
def server_handle(state, request):
    """A push: None. A pull: rows (n, D). A bad request: ValueError, and the state is as it was."""
    ### BEGIN SOLUTION
    kind, keys, vals = request["kind"], request["keys"], request["vals"]
    if kind not in ("push", "pull") or (keys < 0).any():
        raise ValueError(f"kind={kind!r}, keys={keys}")
    if kind == "push" and not (vals.shape == (len(keys), state.dim) and vals.isfinite().all()):
        raise ValueError(f"vals of shape {tuple(vals.shape)} for {len(keys)} keys")
    unique, inverse = torch.unique(keys, return_inverse=True)
    rows, known, place = look_up(state, unique)
    if kind == "pull":
        return rows[inverse]
    sums = torch.zeros_like(rows).index_add_(0, inverse, vals)
    rows = state.update(rows, sums)
    state.rows[place[known]] = rows[known]
    state.keys, order = torch.cat([state.keys, unique[~known]]).sort()
    state.rows = torch.cat([state.rows, rows[~known]])[order]
    return None
    ### END SOLUTION


# %% check="2.1"
check("2.1", server_handle)

# %% [markdown]
# The worked example, by your handler:

# %% needs="2.1"
table = State(dim=1)
server_handle(table, {"kind": "push", "keys": torch.tensor([5, 3, 5]), "vals": torch.tensor([[1.0], [2.0], [3.0]])})
reply = server_handle(table, {"kind": "pull", "keys": torch.tensor([5, 3, 9, 5]), "vals": None})
print("keys", table.keys.tolist(), " rows", table.rows.flatten().tolist())
print("reply", reply.flatten().tolist())

# %% [markdown]
# ### A pull may be older than a push
#
# Below your handler serves two workers. Worker 0 pushes 3 to key 1 after 2 ms of computing; worker 1 pulls key 1 after
# 2.5 ms, half a millisecond *later*. But worker 0 is far away: its letters take 4 ms, those of worker 1 take 1 ms. What
# value does worker 1 get? (Rows begin as 0 and a step subtracts $3 \cdot |3|$.)

# %% answer="2.1"
pulled_value = ...
### BEGIN SOLUTION
pulled_value = 0
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("2.1", "value that worker 1 gets", pulled_value)


# %%
def two_workers(comm):
    """Ranks 0 and 1 are workers, rank 2 is a server that serves two requests. Returns what was pulled, or the table."""
    if comm.rank == 0:
        comm.compute(2e-3)
        comm.post(2, "push", {}, [torch.tensor([1]), torch.tensor([[3.0]])])
        return comm.poll().kind
    if comm.rank == 1:
        comm.compute(2.5e-3)
        comm.post(2, "pull", {}, [torch.tensor([1])])
        return comm.poll().tensors[0].item()
    state = State(dim=1)
    for _ in range(2):
        letter = comm.poll()
        keys, vals = letter.tensors[0], letter.tensors[1] if letter.kind == "push" else None
        rows = server_handle(state, {"kind": letter.kind, "keys": keys, "vals": vals})
        comm.post(letter.src, "rows" if letter.kind == "pull" else "ack", {}, [] if rows is None else [rows])
    return state.rows.item()


# %% needs="2.1"
far = Link(latency_s=4e-3, overhead_s=0.0, bandwidth_Bps=1e9)
run = SimWorld(3, link=LINK, links={(0, 2): far, (2, 0): far}).run(two_workers)
_ = reveal("2.1", "value that worker 1 gets", lambda: run.results[1])
print("on the server afterwards:", run.results[2])

# %% needs="2.1"
pslab.viz.spacetime(run, names=["worker 0", "worker 1", "server"], title="A pull that overtakes a push")

# %% [markdown]
# "After" has no meaning between two workers unless a letter makes it so. A server answers by what it has; when a pull
# must wait for a push is a question of *consistency*, and of chapters 11.4 and 11.5.
#
# ## 2.2 AdaGrad on rows
#
# *15 points · 20 minutes · core*
#
# **Goal.** A rule for the server: rows that learn by AdaGrad. Each number of each row has a sum $n$ of squared gradients,
# and a step is
#
# $$g = \text{sum over equal keys}, \qquad n \leftarrow n + g^2, \qquad
#   \text{row} \leftarrow \text{row} - \text{lr} \cdot \frac{g}{\sqrt{n} + \text{eps}}$$
#
# in this order, as in `torch.optim.Adagrad`: the square is added first, and eps stands outside the root. `rows` is
# changed in place, for the pushed keys only. `state` is a dict, empty at first and yours to fill; it holds sums for keys
# that were pushed, not for all of a table of a million rows. Whatever the rule remembers lies there, so that a server can
# be saved and started again.
#
# **Worked example.** lr 0.1, eps 0, one number that begins as 1:
#
# | push | g | n | step | row |
# | --- | --- | --- | --- | --- |
# | 1 | 3 | 9 | 0.1 · 3/3 | 0.9 |
# | 2 | 4 | 25 | 0.1 · 4/5 | 0.82 |


# %% answer="2.2"
def adagrad_rows(rows, state, keys, grads, lr=0.1, eps=1e-10):
    """One push. rows (R, D) float32, in place; state: a dict, kept; keys (n,) int64; grads (n, D)."""
    ### BEGIN SOLUTION
    unique, inverse = torch.unique(keys, return_inverse=True)
    sums = torch.zeros(len(unique), rows.shape[1]).index_add_(0, inverse, grads)
    for key, g in zip(unique.tolist(), sums):
        state[key] = state.get(key, torch.zeros_like(g)) + g * g
        rows[key] -= lr * g / (state[key].sqrt() + eps)
    ### END SOLUTION


# %% check="2.2"
check("2.2", adagrad_rows)

# %% needs="2.2"
one, kept = torch.tensor([[1.0]]), {}
for gradient in (3.0, 4.0):
    adagrad_rows(one, kept, torch.tensor([0]), torch.tensor([[gradient]]), lr=0.1, eps=0.0)
    print(f"gradient {gradient:g}: row {one.item():.2f}")

# %% [markdown]
# What it is for: keys differ in how often they are pushed. Below, one key is in every push, one in every tenth, one in
# every hundredth, always with the gradient 1. By plain descent with one rate, the rare key has moved a hundredth of the
# way of the frequent one. How far by AdaGrad? Look at where the three lines end.


# %% needs="2.2"
def moved(every, pushes=1_000):
    """How far a key has moved after each push, when it is in each `every`-th one."""
    row, state, path = torch.zeros(1, 1), {}, []
    for push in range(pushes):
        if push % every == 0:
            adagrad_rows(row, state, torch.tensor([0]), torch.ones(1, 1), lr=0.1)
        path.append(-row.item())
    return path


paths = {f"in every {every}th push" if every > 1 else "in every push": moved(every) for every in (1, 10, 100)}
pslab.viz.curve(list(range(1, 1_001)), paths, xlabel="push (count)", ylabel="moved (no unit)", rows=5,
                title="AdaGrad: a rare key takes longer steps")

# %% [markdown]
# After 1,000 pushes the key that came 10 times has moved about a twelfth of the way of the one that came 1,000 times, and
# not a hundredth: a key's rate falls with its own pushes alone.
#
# ## 2.3 FTRL on rows
#
# *20 points · 30 minutes · optional*
#
# In models of millions of features most weights should be exactly 0: they need no memory where the model is served. FTRL
# (follow the regularised leader, McMahan et al. 2013) keeps for each weight two numbers, $z$ and $n$, and computes the
# weight from them:
#
# $$\sigma = \frac{\sqrt{n + g^2} - \sqrt{n}}{\alpha}, \qquad z \leftarrow z + g - \sigma w, \qquad n \leftarrow n + g^2$$
#
# $$w = 0 \ \text{ where } |z| \le l_1, \qquad
#   w = -\frac{z - \operatorname{sign}(z)\, l_1}{(\beta + \sqrt{n})/\alpha + l_2} \ \text{ elsewhere}$$
#
# The $w$ on the right of the first line is the weight *before* this push, $n$ in the second line is the new one.
#
# **Goal.** One push, as in 2.2: equal keys summed, `rows` changed in place for the pushed keys only, `state` for pushed
# keys only. Weights are made when their key is pushed; other rows are idle, and whatever lies in them stays.
#
# **Worked example.** alpha 0.1, beta 1, l1 1, l2 0, a weight that begins as 0:
#
# | push | g | sigma | z | n | weight |
# | --- | --- | --- | --- | --- | --- |
# | 1 | 3 | 30 | 3 | 9 | −(3 − 1)/40 = −0.05 |
# | 2 | −2.5 | 9.05 | 3 − 2.5 + 9.05 · 0.05 = 0.95 | 15.25 | 0, for 0.95 ≤ 1 |


# %% answer="2.3"
def ftrl_rows(rows, state, keys, grads, alpha=0.1, beta=1.0, l1=0.0, l2=0.0):
    """One push. rows (R, D) float32, in place; state: a dict, kept; keys (n,) int64; grads (n, D)."""
    ### BEGIN SOLUTION
    unique, inverse = torch.unique(keys, return_inverse=True)
    sums = torch.zeros(len(unique), rows.shape[1]).index_add_(0, inverse, grads)
    for key, g in zip(unique.tolist(), sums):
        z, n = state.get(key, (torch.zeros_like(g), torch.zeros_like(g)))
        sigma = ((n + g * g).sqrt() - n.sqrt()) / alpha
        z, n = z + g - sigma * rows[key], n + g * g
        state[key] = z, n
        rows[key] = torch.where(z.abs() <= l1, 0.0, -(z - z.sign() * l1) / ((beta + n.sqrt()) / alpha + l2))
    ### END SOLUTION


# %% check="2.3"
check("2.3", ftrl_rows)

# %% needs="2.3"
one, kept = torch.tensor([[0.0]]), {}
for gradient in (3.0, -2.5):
    ftrl_rows(one, kept, torch.tensor([0]), torch.tensor([[gradient]]), alpha=0.1, beta=1.0, l1=1.0)
    print(f"gradient {gradient:g}: weight {one.item():.2f}")

# %% [markdown]
# ### A sparse logistic regression
#
# A made problem: each example has 12 of 200 features, and only 20 of the 200 say anything about its label. Your rule
# trains a logistic regression on 2,000 examples, 200 a push, so a push has 2,400 keys, and most of them many times. Before
# the run: how many of the 200 weights will be other than 0 with `l1=16`? The truth has 20.

# %% answer="2.3"
weights_left = ...
### BEGIN SOLUTION
weights_left = 15
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("2.3", "weights other than 0, l1 = 16", weights_left)


# %%
def made_examples(count, seed):
    """(features (count, 12) int64, labels (count,) 0 or 1) by a teacher with 20 weights, at 0, 10, 20, ..."""
    teacher = torch.zeros(200)
    teacher[::10] = 3 * torch.randn(20, generator=torch.Generator().manual_seed(1))
    draw = torch.Generator().manual_seed(seed)
    features = torch.randint(0, 200, (count, 12), generator=draw)
    features[:, :3] = features[:, :3] // 10 * 10                      # the telling ones are frequent
    labels = torch.rand(count, generator=draw) < torch.sigmoid(teacher[features].sum(1))
    return features, labels.float()


def trained(rule, **settings):
    """Weights (200, 1) after one pass over 2,000 examples, 200 a push."""
    weights, state = torch.zeros(200, 1), {}
    features, labels = made_examples(2_000, seed=2)
    for x, y in zip(features.split(200), labels.split(200)):
        wrong = torch.sigmoid(weights[x].sum((1, 2))) - y
        rule(weights, state, x.flatten(), wrong.repeat_interleave(12)[:, None], **settings)
    return weights


# %% needs="2.3" tags=["nbval-ignore-output"]
x, y = made_examples(4_000, seed=3)
strengths, left, right = (0, 4, 16, 64, 128), [], []
for l1 in strengths:
    w = trained(ftrl_rows, alpha=0.3, l1=l1)
    left.append(int((w != 0).sum()))
    right.append(100 * ((w[x].sum((1, 2)) > 0) == (y > 0)).float().mean().item())
    print(f"l1 {l1:3d}: {left[-1]:3d} weights, {int((w[::10] != 0).sum()):2d} of the 20 that tell something, "
          f"{right[-1]:.0f} % of new examples right")
_ = reveal("2.3", "weights other than 0, l1 = 16", lambda: left[strengths.index(16)])
assert left == sorted(left, reverse=True)
assert right[2] > right[0] > right[4]

# %% needs="2.3" tags=["nbval-ignore-output"]
pslab.viz.curve(left[::-1], {"new examples": right[::-1]}, xlabel="weights other than 0 (count)", ylabel="right (%)", rows=5,
                title="l1: fewer weights, and what they cost", log="x")

# %% [markdown]
# Read the curve from right to left: most weights can go, and new examples are judged better without them, for they held
# nothing but noise. Only when those that tell something begin to go is there a price.
#
# ## 2.4 Ranges in one letter
#
# *15 points · 20 minutes · core*
#
# A dense layer is pushed and pulled whole, so its keys follow each other. Naming them one by one would cost 8 bytes for
# each row; first key and count say the same. Servers hold ranges, too: server $s$, which is rank $s + 1$, has the keys
# `bounds[s] <= key < bounds[s + 1]`. Ranges are half-open: the end of one shard is the first key of the next.
#
# **Goal.** `range_push` and `range_pull` for the keys `lo <= key < hi`: cut the range where shards end, one letter for
# each server that holds a part of it, none for the others, and wait for all answers.
#
# | letter | kind | meta | tensors | answer |
# | --- | --- | --- | --- | --- |
# | push | `"push"` | `{"lo": first key, "n": rows}` | `[values (n, D)]` | `"ack"`, meta `{"lo": first key}` |
# | pull | `"pull"` | `{"lo": first key, "n": rows}` | none | `"rows"`, meta `{"lo": first key}`, `[rows (n, D)]` |
#
# Answers come in any order. A server that was asked first may be the last to answer.
#
# **Worked example.** bounds 0, 10, 20, 30 and the range [7, 22): keys 7 to 9 from server 0, 10 to 19 from server 1, 20 and
# 21 from server 2. With D = 4 a push of it has 15 · 4 · 4 = 240 bytes of values and no keys.


# %% answer="2.4"
### BEGIN SOLUTION
def pieces(bounds, lo, hi):
    """[(server, first key, count)] of the servers that hold a part of the range."""
    cut = [(s, max(lo, a), min(hi, b)) for s, (a, b) in enumerate(zip(bounds, bounds[1:]))]
    return [(s, first, end - first) for s, first, end in cut if first < end]
### END SOLUTION


# %% answer="2.4"
def range_push(comm, bounds, lo, hi, vals):
    """Push vals (hi − lo, D) to the keys lo <= key < hi; returns when every server has answered."""
    ### BEGIN SOLUTION
    cut = pieces(bounds, lo, hi)
    for server, first, n in cut:
        comm.post(server + 1, "push", {"lo": first, "n": n}, [vals[first - lo:first - lo + n]])
    for _ in cut:
        comm.poll()
    ### END SOLUTION


def range_pull(comm, bounds, lo, hi, dim):
    """Rows (hi − lo, dim) of the keys lo <= key < hi."""
    ### BEGIN SOLUTION
    cut, out = pieces(bounds, lo, hi), torch.empty(hi - lo, dim)
    for server, first, n in cut:
        comm.post(server + 1, "pull", {"lo": first, "n": n})
    for _ in cut:
        answer = comm.poll()
        at = answer.meta["lo"] - lo
        out[at:at + len(answer.tensors[0])] = answer.tensors[0]
    return out
    ### END SOLUTION


# %% check="2.4"
check("2.4", range_push, range_pull)

# %% [markdown]
# How much does it save? A layer of 30,000 numbers, D = 1, on three servers, pushed and pulled once. With a list of keys
# each number takes a key of 8 bytes along, up with the push and up with the pull's request. How many bytes of keys and
# values travel with the list, and how many by ranges? Commit to the first one over the second.

# %% answer="2.4"
list_over_range = ...
### BEGIN SOLUTION
list_over_range = (2 * 4 + 2 * 8) / (2 * 4)
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("2.4", "bytes with a list of keys over bytes of ranges", list_over_range, unit="times")


# %%
def layer(comm, bounds, by_keys):
    """Rank 0 pushes and pulls the whole layer; the others serve two requests each."""
    lo, hi = bounds[0], bounds[-1]
    if comm.rank == 0 and not by_keys:
        range_push(comm, bounds, lo, hi, torch.ones(hi - lo, 1))
        return range_pull(comm, bounds, lo, hi, 1).sum().item()
    mine = torch.arange(bounds[comm.rank - 1], bounds[comm.rank]) if comm.rank else None
    if comm.rank == 0:
        for kind in ("push", "pull"):
            for s, (a, b) in enumerate(zip(bounds, bounds[1:])):
                vals = [torch.ones(b - a, 1)] if kind == "push" else []
                comm.post(s + 1, kind, {"lo": a, "n": b - a}, [torch.arange(a, b), *vals])
        return sum(sum(t.sum().item() for t in comm.poll().tensors) for _ in range(2 * len(bounds) - 2))
    rows = torch.zeros(len(mine), 1)
    for _ in range(2):
        letter = comm.poll()
        rows += letter.tensors[-1] if letter.kind == "push" else 0
        comm.post(0, "ack" if letter.kind == "push" else "rows", {"lo": letter.meta["lo"]},
                  [] if letter.kind == "push" else [rows])
    return None


# %% needs="2.4"
bounds = [0, 10_000, 20_000, 30_000]
ranged = SimWorld(4, link=LINK).run(layer, bounds, False)
listed = SimWorld(4, link=LINK).run(layer, bounds, True)
print("sums pulled:", ranged.results[0], listed.results[0])
for name, run in (("ranges", ranged), ("list of keys", listed)):
    sizes = {kind: run.ledger.total(kind) for kind in ("vals", "keys", "header")}
    print(f"{name:12}", ", ".join(f"{kind} {size:,} B" for kind, size in sizes.items()))
_ = reveal("2.4", "bytes with a list of keys over bytes of ranges", unit="times",
           run=lambda: (listed.ledger.total("vals") + listed.ledger.total("keys")) / ranged.ledger.total("vals"))

# %% needs="2.4"
pslab.viz.links(ranged.ledger, title="Your ranges: up with the push, down with the pull")

# %% [markdown]
# ## 2.5 Exactly once
#
# *30 points · 30 minutes · core*
#
# Networks lose letters. A worker that gets no answer sends its push again; but was the push lost, or only its answer? The
# worker cannot know. If the push had been applied and comes again, it would count twice. So the *server* has to know a
# push again, and for that every push has a name:
#
# | | | |
# | --- | --- | --- |
# | sender | which worker | two workers both have a number 0 |
# | incarnation | which life of it | a worker that starts again counts from 0 again, with a higher incarnation |
# | number | 0, 1, 2, … in this life | a copy has the number of its original |
#
# **Goal.** Two functions.
#
# `apply_once`, on the server: add a push to the rows if it is new, and return `(incarnation, number)`, the
# acknowledgement, *for every letter*, new or not. Letters may come twice, late, and overtake each other. Once a life of a
# sender is known, letters of its former lives are old. A sender has at most `window` pushes without an acknowledgement,
# so number n never comes before all up to n − window have been recorded. Use that: `seen`, which is yours to fill, may
# hold about a window for each sender. A set of all numbers would grow for ever.
#
# `push_all`, on the worker: send every push until it is acknowledged. At most `window` are without an acknowledgement at
# any time; what has none after `retry_s` seconds is sent again, as it was; return when all have one. Acknowledgements are
# letters `"ack"` with meta `{"n": incarnation, "q": number}`; one may come twice, or be meant for a former life.
#
# **Worked example.** Window 4; worker 1 pushes values 5, 6, 7 to key 0, numbers 0, 1, 2:
#
# | letter comes | new? | row 0 | answer | below which nothing is missing | above it |
# | --- | --- | --- | --- | --- | --- |
# | number 0 | yes | 5 | (0, 0) | 1 | |
# | number 2 | yes | 12 | (0, 2) | 1 | 2 |
# | number 0 | no | 12 | (0, 0) | 1 | 2 |
# | number 1 | yes | 18 | (0, 1) | 3 | |


# %% answer="2.5"
def apply_once(rows, seen, letter, window):
    """rows (R,), in place; seen: a dict, kept; letter: sender, incarnation, number, keys (n,), vals (n,)."""
    ### BEGIN SOLUTION
    sender, incarnation, number = letter["sender"], letter["incarnation"], letter["number"]
    life, mark, above = seen.get(sender, (incarnation, 0, set()))
    if incarnation > life:
        life, mark, above = incarnation, 0, set()
    if incarnation == life and number >= mark and number not in above:
        rows.index_add_(0, letter["keys"], letter["vals"])
        above.add(number)
        while mark in above:
            above.remove(mark)
            mark += 1
    seen[sender] = life, mark, above
    return incarnation, number
    ### END SOLUTION


# %% answer="2.5"
def push_all(comm, server, incarnation, pushes, window, retry_s):
    """pushes: [(keys, vals)]. Letter i: "push", {"n": incarnation, "q": i}, [keys, vals]."""
    ### BEGIN SOLUTION
    sent_s, fresh = {}, 0                                    # when each push without an answer was sent last
    while fresh < len(pushes) or sent_s:
        due = [number for number, at_s in sent_s.items() if comm.now() >= at_s + retry_s]
        while fresh < len(pushes) and fresh < min(sent_s, default=fresh) + window:
            due.append(fresh)
            sent_s[fresh] = comm.now()
            fresh += 1
        for number in due:
            comm.post(server, "push", {"n": incarnation, "q": number}, pushes[number])
            sent_s[number] = comm.now()
        answer = comm.poll(max(0.0, min(sent_s.values()) + retry_s - comm.now()))
        if answer is not None and answer.meta["n"] == incarnation:
            sent_s.pop(answer.meta["q"], None)
    ### END SOLUTION


# %% check="2.5"
check("2.5", apply_once, push_all)

# %% [markdown]
# The worked example, by your function, and then a life that begins anew:

# %% needs="2.5"
row, seen = torch.zeros(1), {}
for incarnation, number in ((0, 0), (0, 2), (0, 0), (0, 1), (1, 0), (0, 2)):
    letter = {"sender": 1, "incarnation": incarnation, "number": number, "keys": torch.tensor([0]),
              "vals": torch.tensor([5.0 + number])}
    answer = apply_once(row, seen, letter, 4)
    print(f"incarnation {incarnation}, number {number}: row {row.item():2.0f}, answer {answer}")

# %% [markdown]
# Now on a bad network: 30 % of all letters are lost, 20 % come twice, and they overtake each other. Two workers push the
# value 1 to key 0, 40 times each, so 80 is right. What would a server read that adds whatever comes? On such a network
# the server gets a push again whenever a letter or its answer was lost. Commit to a number.

# %% answer="2.5"
without_memory = ...
### BEGIN SOLUTION
without_memory = 130
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("2.5", "what a server without memory reads", without_memory)


# %%
def counting(comm, pushes=40):
    """Rank 0 serves until it is quiet for a second: (rows by apply_once, sum of all that came). The others push."""
    if comm.rank > 0:
        ones = [(torch.tensor([0]), torch.tensor([1.0]))] * pushes
        return push_all(comm, 0, 0, ones, window=4, retry_s=0.01)
    rows, seen, everything = torch.zeros(1), {}, 0.0
    while (letter := comm.poll(1.0)) is not None:
        everything += letter.tensors[1].item()
        push = {"sender": letter.src, "incarnation": letter.meta["n"], "number": letter.meta["q"],
                "keys": letter.tensors[0], "vals": letter.tensors[1]}
        n, q = apply_once(rows, seen, push, 4)
        comm.post(letter.src, "ack", {"n": n, "q": q})
    return rows.item(), everything


# %% needs="2.5"
bad = Faults(seed=5, drop=0.3, duplicate=0.2, reorder_s=2e-3)
run = SimWorld(3, link=LINK, faults=bad).run(counting)
_ = reveal("2.5", "what a server without memory reads", lambda: run.results[0][1])
print("by apply_once:", run.results[0][0])

# %% needs="2.5"
pslab.viz.spacetime(run, names=["server", "worker 1", "worker 2"], between=(0.0, 0.05), rows=6,
                    title="The first 50 ms: pushes, answers, and copies of what got none")

# %% [markdown]
# On average each push reached the server more than one and a half times, and the rows are right. The price is a mark for
# each sender and a few numbers above it.
#
# ## 2.6 A window of requests
#
# *15 points · 15 minutes · optional*
#
# A pull takes a round trip, and a worker that waits for each answer before it asks again does nothing else. Asking for
# several things at once hides that; but somebody must keep what is open, so there is a *window*: at most `size` requests
# without an answer. That is what `push` and `pull` of a parameter server return: a number, its *timestamp*, and
# `wait(timestamp)` is where the answer is handed over.
#
# **Goal.** A class with two methods. `ask(server, key)` posts the letter `"pull"` with meta `{"q": number, "key": key}`
# to that rank and returns the number, 0, 1, 2, …, at once; only with a full window it waits first, for whichever answer
# comes. `wait(t)` returns the tensor of the answer to request t, in whatever order answers come, and as soon as it is
# there. An answer is a letter with meta `{"q": number}` and one tensor. Each request is waited for once, and is then
# forgotten.
#
# **Worked example.** Size 2, a round trip of 2 ms, three requests: the first two leave at 0 ms, the third at 2 ms, when an
# answer makes room. `wait(2)` returns at 4 ms; `wait(0)` and `wait(1)` then return at once.


# %% answer="2.6"
### BEGIN SOLUTION
def take(window):
    """The next answer, kept until it is waited for."""
    answer = window.comm.poll()
    window.open -= 1
    window.answers[answer.meta["q"]] = answer.tensors[0]
### END SOLUTION


# %% answer="2.6"
class Window:
    def __init__(self, comm, size):
        """At most `size` requests without an answer."""
        ### BEGIN SOLUTION
        self.comm, self.size, self.asked, self.open, self.answers = comm, size, 0, 0, {}
        ### END SOLUTION

    def ask(self, server, key):
        """Post a request to rank `server`; returns its number."""
        ### BEGIN SOLUTION
        while self.open == self.size:
            take(self)
        self.comm.post(server, "pull", {"q": self.asked, "key": key})
        self.open, self.asked = self.open + 1, self.asked + 1
        return self.asked - 1
        ### END SOLUTION

    def wait(self, t):
        """The answer to request t."""
        ### BEGIN SOLUTION
        while t not in self.answers:
            take(self)
        return self.answers.pop(t)
        ### END SOLUTION


# %% check="2.6"
check("2.6", Window)

# %% [markdown]
# Twelve requests, a round trip of 2 ms, a server that answers at once. How many milliseconds will they take with a window
# of 5?

# %% answer="2.6"
window_ms = ...
### BEGIN SOLUTION
window_ms = 6
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("2.6", "twelve requests, window of 5", window_ms, unit="ms")


# %%
def twelve(comm, size, requests=12):
    """Rank 0 asks, rank 1 answers with the key as a tensor."""
    if comm.rank == 1:
        for _ in range(requests):
            letter = comm.poll()
            comm.post(0, "rows", {"q": letter.meta["q"]}, [torch.tensor([float(letter.meta["key"])])])
        return None
    window = Window(comm, size)
    asked = [window.ask(1, 10 * i) for i in range(requests)]
    return [window.wait(t).item() for t in reversed(asked)]


# %% needs="2.6"
runs = {size: SimWorld(2, link=LINK).run(twelve, size) for size in (1, 2, 3, 4, 5, 6, 12)}
_ = reveal("2.6", "twelve requests, window of 5", lambda: round(1e3 * runs[5].seconds, 1), unit="ms")
for size, run in runs.items():
    print(f"window {size:2d}: {1e3 * run.seconds:5.1f} ms, right: {run.results[0] == list(range(110, -1, -10))}")

# %% needs="2.6"
pslab.viz.spacetime(runs[5], names=["worker", "server"], rows=4, title="Your window of 5: three round trips for twelve")

# %% [markdown]
# $\lceil n / \text{size} \rceil$ round trips: 5, 4 and 6 at a time all need a whole number of them. Beyond that, a larger
# window buys nothing here, and on a real link it ends where the bytes under way fill the line.
#
# ## 2.7 Four questions
#
# *4 points · 5 minutes · optional*
#
# For each question choose the number of the option that is true. Choose a wrong one on purpose to read what it would
# lead to.
#
# **(a) A pull after a push.** Worker 0 has pushed to key 7 and has the acknowledgement. Then worker 1 pulls key 7. Nothing else happens. What does it get?
#
# 1. The row before the push, until worker 0 pulls it as well
# 2. The row before or after the push, as the network likes
# 3. The row after the push
# 4. The gradient that worker 0 pushed
#
# **(b) No answer.** A worker pushes, and after one second no answer has come. What does it know?
#
# 1. The push was not applied, so it may be pushed again as a new one
# 2. Nothing; it sends the same push again, with the same number
# 3. The push was applied, for letters arrive in the end
# 4. The server is down
#
# **(c) The same number.** A server gets number 12 of incarnation 0 from worker 3, and it has recorded a number 12 before. When is it a copy?
#
# 1. Always: a number is used once
# 2. When that one came from worker 3 and incarnation 0
# 3. When it has the same values
# 4. When it came from worker 3, whatever the incarnation
#
# **(d) AdaGrad and three equal keys.** A push to rows that learn by AdaGrad has key 5 three times, with gradients 1, 1 and 1. n was 0. How does n of key 5 look afterwards?
#
# 1. 1: equal keys are stored once
# 2. 3: three squares of 1
# 3. It depends on the order in which the three are applied
# 4. 9: the gradient of key 5 is 3, and its square is added

# %% answer="2.7"
chosen = {"a": None, "b": None, "c": None, "d": None}
### BEGIN SOLUTION
chosen = {"a": 3, "b": 2, "c": 2, "d": 4}
### END SOLUTION


def choices():
    """{letter: option, counted from 1}"""
    return chosen


# %% check="2.7"
check("2.7", choices)

# %% [markdown]
# ## What to take along
#
# - A request is one operation on all its keys, and is looked at as a whole before anything changes.
# - A rule's state belongs to the keys that were pushed. Sum equal keys first; add the square first; then step.
# - Keys that follow each other need two numbers, not a list.
# - A retry is safe only where a push has a name: sender, incarnation, number. The server remembers a mark and a window,
#   and answers copies as well.
# - Answers come in any order. A number on each request, and a place where early answers wait, is all that it takes.
#
# Hand in this notebook as it is; hidden checks with other numbers run when it is graded.
