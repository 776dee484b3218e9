# %% [markdown]
# # Lab 6: sparse embedding tables
#
# An embedding table is a large matrix of which a batch reads a few rows. The matrix may have a thousand million rows; what
# a step costs should depend on the few. In this lab you write the look-up of bags of ids and its gradient, a look-up over
# the network in which no row travels twice, two update rules for rows, and a count of what a batch touches.
#
# **After this lab you can**
#
# 1. pool rows in bags, with weights and with empty bags, in a handful of operations;
# 2. derive the gradient of a look-up, whose size is that of the batch and not of the table;
# 3. say to the byte what a look-up costs that lies on several owners, and what de-duplication saves;
# 4. write row-wise AdaGrad with one number of state for a row, and say why dense Adam is wrong for rows;
# 5. predict how many rows a batch touches, and see where real streams differ.
#
# **Before you start:** lab 2, which pushes and pulls rows, and 3.2 of lab 3, which cuts a request up.
# **Time:** 90 minutes for the core, 150 for everything, with reading and trying; the minutes below are for writing.
#
# | | | points | minutes | |
# | --- | --- | --- | --- | --- |
# | 6.1 | Bags of rows | 20 | 25 | core |
# | 6.2 | The gradient of bags | 25 | 25 | core |
# | 6.3 | Each row once over the wire | 20 | 25 | core |
# | 6.4 | Row-wise AdaGrad | 15 | 15 | core |
# | 6.5 | Sparse Adam, and its pitfall | 20 | 25 | optional |
# | 6.6 | What a batch touches | 10 | 15 | optional |
#
# Write your answer where a cell says `raise NotImplementedError`, then run the check below it. A check prints what was
# expected and what was seen; it never stops the notebook. Stuck? `pslab hint 6.1` in a terminal (`source
# .venv/bin/activate` first) shows one hint more each time. An answer that imports `pslab.embedding` or `pslab.ps`, or that
# calls torch's own embedding bag or optimizers, is refused: they are what you build. Where a cell asks for a number
# *before* a run, commit to one: a wrong prediction costs no points.

# %%
import numpy as np
import torch

import pslab
from pslab import data
from pslab.comm import Link, SimWorld
from pslab.grade import check, predict, reveal

torch.set_num_threads(1)
LINK = Link(latency_s=10e-6, overhead_s=0.0, bandwidth_Bps=1e9)

# %% [markdown]
# ## Bags
#
# A table has $R$ rows of $D$ numbers. A **look-up** takes the row of an id. A **bag** is the list of ids that one example
# has of one feature: the words of a query, the films somebody liked. Bags have different lengths, and some are empty. So a
# batch of $B$ bags is stored as two flat tensors: `ids`, all ids one bag after another, and `offsets`, in which bag $b$ is
# `ids[offsets[b]]` up to, but not including, `ids[offsets[b + 1]]`. With its last entry, the end of the last bag,
# `offsets` has $B + 1$ entries.

# %%
TABLE = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0], [4.0, 40.0], [5.0, 50.0]])
IDS, OFFSETS = torch.tensor([4, 1, 4, 2, 2, 0]), torch.tensor([0, 2, 3, 3, 6])

for bag, (start, end) in enumerate(zip(OFFSETS, OFFSETS[1:])):
    print(f"bag {bag}: ids {IDS[start:end].tolist()}")

# %% [markdown]
# ## 6.1 Bags of rows
#
# *20 points · 25 minutes · core*
#
# **Goal.** Pool the rows of each bag to one row.
#
# - `"sum"` adds the rows of a bag, each times its weight if there are weights.
# - `"mean"` divides that by the number of look-ups in the bag, whatever the weights are (FBGEMM does the same).
# - An id that stands twice in a bag counts twice. An empty bag is zeros.
#
# | held to | |
# | --- | --- |
# | values | those of a matrix with an entry for each bag and look-up, to $10^{-6}$ |
# | operations | no more for a hundred thousand bags than for ten: no loop over bags |
# | memory | at most three times the result: no matrix of bags times rows, no padding to the longest bag |
#
# **Worked example**, with the bags above: `"sum"` gives `[[7, 70], [5, 50], [0, 0], [7, 70]]`, `"mean"` gives
# `[[3.5, 35], [5, 50], [0, 0], [7/3, 70/3]]`.


# %% answer="6.1"
def bag_forward(table, ids, offsets, weights=None, mode="sum"):
    """table (R, D), ids (L,), offsets (B + 1,), weights (L,) or None -> pooled rows (B, D)"""
    ### BEGIN SOLUTION
    lengths = offsets[1:] - offsets[:-1]
    bag = torch.repeat_interleave(torch.arange(len(lengths)), lengths)       # the bag of each look-up
    picked = table[ids]
    if weights is not None:
        picked = picked * weights[:, None]
    pooled = table.new_zeros(len(lengths), table.shape[1]).index_add_(0, bag, picked)
    if mode == "mean":
        pooled = pooled / lengths.clamp(min=1)[:, None]                      # an empty bag is divided by 1
    return pooled
    ### END SOLUTION


# %% check="6.1"
check("6.1", bag_forward)

# %% [markdown]
# What does pooling do to the size of what the next layer gets? Random rows, a thousand bags of each length:

# %% needs="6.1"
rows = torch.randn(5_000, 16, generator=torch.Generator().manual_seed(1))
lengths = [1, 2, 4, 8, 16, 32, 64]
norms = {"sum": [], "mean": []}
for length in lengths:
    ids = torch.randint(5_000, (1_000 * length,), generator=torch.Generator().manual_seed(length))
    for mode, series in norms.items():
        pooled = bag_forward(rows, ids, torch.arange(1_001) * length, None, mode)
        series.append(float(pooled.norm(dim=1).mean()))
pslab.viz.curve(lengths, norms, xlabel="look-ups in a bag (count)", ylabel="mean norm of a pooled row (units)", log="xy",
                rows=7, title="Your pooled rows by the length of the bag")

# %% [markdown]
# Sums grow as the root of the length and means fall as the root of it. The model sees the length of the bag in both; it is
# a choice, and the gradient has to follow it.
#
# ## 6.2 The gradient of bags
#
# *25 points · 25 minutes · core*
#
# Back-propagation brings a gradient for each pooled row, `grad_out` (B, D). What is the gradient of the table? It has as
# many numbers as the table, and all but a few are zero. So only what is not zero is written down: the ids that were looked
# up, and a row for each.
#
# **Goal.** Return `(unique, rows)`: the looked-up ids, each once and ascending, and for each the sum over all its look-ups
# of what that look-up gets back. A look-up of weight $w$ in bag $b$ gets $w$ times `grad_out[b]`; for `"mean"` divided by the
# number of look-ups in the bag.
#
# | held to | |
# | --- | --- |
# | values | a matrix, to $10^{-5}$; in float64 difference quotients of the forward pass, to $10^{-9}$ |
# | duplicates | within a bag and across bags: they add up |
# | memory | ids of fifteen digits must work: nothing may be as large as the table |
# | operations | no loop over bags |
#
# **Worked example**, with the bags above and `grad_out = [[1, 2], [10, 20], [100, 200], [6, 12]]`: for `"sum"` the ids are
# `[0, 1, 2, 4]` and the rows `[[6, 12], [1, 2], [12, 24], [11, 22]]`. Row 4 was used by bags 0 and 1, row 2 twice by bag 3,
# and what came back for the empty bag goes nowhere.


# %% answer="6.2"
def bag_backward(grad_out, ids, offsets, weights=None, mode="sum"):
    """grad_out (B, D), ids (L,), offsets (B + 1,), weights (L,) or None -> ids (u,) ascending, rows (u, D)"""
    ### BEGIN SOLUTION
    lengths = offsets[1:] - offsets[:-1]
    bag = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    each = grad_out[bag]                                                     # (L, D): a gradient for each look-up
    if weights is not None:
        each = each * weights[:, None]
    if mode == "mean":
        each = each / lengths[bag][:, None]                                  # an empty bag has no look-up to divide
    unique, inverse = torch.unique(ids, return_inverse=True)
    return unique, grad_out.new_zeros(len(unique), grad_out.shape[1]).index_add_(0, inverse, each)
    ### END SOLUTION


# %% check="6.2"
check("6.2", bag_backward)

# %% [markdown]
# How large is your gradient? Bags of four ids that follow Zipf's law with exponent 1.1, in a table of 50,000 rows. A dense
# gradient would have 50,000 rows whatever the batch.

# %% needs="6.2"
sizes = [16, 32, 64, 128, 256, 512, 1024, 2048]
counted = {"look-ups": [], "rows of your gradient": [], "rows of the table": []}
for B in sizes:
    ids = torch.from_numpy(data.zipf(1.1, rows=50_000, n=4 * B, seed=B))
    unique, rows = bag_backward(torch.ones(B, 4), ids, 4 * torch.arange(B + 1))
    for series, value in zip(counted.values(), (len(ids), len(rows), 50_000)):
        series.append(value)
pslab.viz.curve(sizes, counted, xlabel="bags in a batch (count)", ylabel="rows (count)", log="xy",
                title="Rows of a gradient: yours, and a dense one", rows=8)

# %% [markdown]
# The two lower lines part as batches grow: the more look-ups, the more of them are of rows that are there already. That is
# what the next exercise lives on.
#
# ## 6.3 Each row once over the wire
#
# *20 points · 25 minutes · core*
#
# The table is too large for a worker, so its rows lie at **owners**: owner $s$ has the rows from `cuts[s]` up to, but not
# including, `cuts[s + 1]`. Ranks 0 to `workers` − 1 are workers and have ids; rank `workers` + $s$ is owner $s$ and has its
# shard. Here is the plain way as a program: one owner after another gets every look-up that is its own.


# %%
def every_look_up(comm, workers, cuts, ids, shard):
    """Right rows: 8 + 4·D bytes for every look-up."""
    if comm.rank >= workers:
        for worker in range(workers):
            comm.send(shard[comm.recv(worker) - cuts[comm.rank - workers]], worker)
        return None
    rows = None
    for s, (first, end) in enumerate(zip(cuts, cuts[1:])):
        mine = (ids >= first) & (ids < end)
        comm.send(ids[mine], workers + s)
        came = comm.recv(workers + s)
        rows = torch.zeros(len(ids), came.shape[1]) if rows is None else rows
        rows[mine] = came
    return rows


# %% [markdown]
# And a batch for it: two workers, three owners, 512 look-ups of each worker.


# %%
def asked(program, D=16, L=512, workers=2, cuts=(0, 7_000, 14_000, 20_000)):
    """A batch of L look-ups for each worker, by Zipf's law, in a table of 20,000 rows on three owners."""
    table = torch.arange(20_000.0)[:, None] + torch.arange(D) / 100
    places = np.random.default_rng(3).permutation(20_000)                    # hot rows lie anywhere
    ids = [torch.from_numpy(places[data.zipf(1.1, rows=20_000, n=L, seed=w)]) for w in range(workers)]
    ranks = [(workers, list(cuts), mine, None) for mine in ids]
    ranks += [(workers, list(cuts), None, table[a:b].clone()) for a, b in zip(cuts, cuts[1:])]
    run = SimWorld(len(ranks), link=LINK).run(program, per_rank=ranks)
    assert all(torch.equal(run.results[w], table[ids[w]]) for w in range(workers))
    return run, ids


run, batch = asked(every_look_up)
print(f"{run.ledger.total():,} bytes for {sum(map(len, batch)):,} look-ups")

# %% [markdown]
# Before you write the other way: what share of these bytes will be left when no row travels twice to the same worker?

# %% answer="6.3"
share_left = ...
### BEGIN SOLUTION
share_left = 0.5
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("6.3", "bytes without duplicates", share_left, unit="of the bytes of every look-up")

# %% [markdown]
# **Goal.** The same with each different row once. The worker gets a row for *every* place of `ids`, in its own order. To an
# owner travel its different ids, 8 bytes each; from it their rows, $4D$ bytes each; and nothing else.
#
# | held to | |
# | --- | --- |
# | values | a row for each place, bit for bit, for workers with no ids and owners that nobody asks, too |
# | bytes | $u \cdot 8$ to an owner and $u \cdot 4D$ back, for $u$ different rows: the upper bound is the lower one |
#
# A tensor brings its shape along, so no count has to travel. An empty one is a message of no bytes.
#
# **Worked example.** `cuts = [0, 3, 6]`, $D = 2$, a worker with ids `[4, 1, 4, 0, 4]`: to owner 0 go the ids 0 and 1 (16
# bytes), to owner 1 goes id 4 (8 bytes); 16 and 8 bytes of rows come back, and the result has five rows.


# %% answer="6.3"
def dedup_lookup(comm, workers, cuts, ids, shard):
    """Workers: ids (L,) -> rows (L, D). Owners, who have a shard: None."""
    ### BEGIN SOLUTION
    if comm.rank >= workers:
        first = cuts[comm.rank - workers]
        for worker in range(workers):
            comm.send(shard[comm.recv(worker) - first], worker)
        return None
    unique, inverse = torch.unique(ids, return_inverse=True)
    edges = torch.searchsorted(unique, torch.tensor(cuts)).tolist()          # ascending ids: an owner's are a slice
    works = [comm.isend(unique[a:b], workers + s) for s, (a, b) in enumerate(zip(edges, edges[1:]))]
    came = torch.cat([comm.recv(workers + s) for s in range(len(cuts) - 1)])
    for work in works:
        work.wait()
    return came[inverse]
    ### END SOLUTION


# %% check="6.3"
check("6.3", dedup_lookup)

# %% needs="6.3"
mine, _ = asked(dedup_lookup)
pslab.viz.links(mine.ledger, servers=3, title="Bytes of your look-up, two workers and three owners")

# %% needs="6.3" tags=["nbval-ignore-output"]
_ = reveal("6.3", "bytes without duplicates", lambda: round(mine.ledger.total() / run.ledger.total(), 2),
           unit="of the bytes of every look-up")

# %% [markdown]
# How much it saves depends on the batch: the larger it is, the more often its ids repeat.

# %% needs="6.3"
pslab.viz.Table(["look-ups of a worker", "every look-up (B)", "yours (B)", "left"],
                [[L, f"{(a := asked(every_look_up, L=L)[0].ledger.total()):,}",
                  f"{(b := asked(dedup_lookup, L=L)[0].ledger.total()):,}", f"{b / a:.0%}"] for L in (32, 128, 512, 2048)])

# %% [markdown]
# Nothing was approximated, no cache was kept, and no row was stale. Sorting the ids of a batch is the cheapest saving that
# there is, and whoever measures a cache should measure it behind this one.
#
# ## 6.4 Row-wise AdaGrad
#
# *15 points · 15 minutes · core*
#
# AdaGrad of lab 2 keeps a sum of squares for each number of the table. So a table of a terabyte needs two. FBGEMM and
# TorchRec keep **one number for a row**: for the summed gradient $g$ of a row
#
# $$n \leftarrow n + \frac{1}{D}\sum_d g_d^2, \qquad \text{row} \leftarrow \text{row} - \text{lr}\cdot\frac{g}{\sqrt{n} + \text{eps}}$$
#
# **Goal.** `new_state(R, D)` returns the state of a table before the first push: one float32 for a row, so $4R$ bytes.
# `rowwise_adagrad(rows, state, ids, grads, lr, eps)` is one push: `rows` and `state` change in place. Equal ids are summed
# first; rows that are not in the push stay as they are, bit for bit.
#
# **Worked example.** lr 0.1, eps 0, the row `[1, 1]` and the gradient `[3, 4]`: $n = 12.5$, the row becomes
# `[0.9151, 0.8869]`. The same push again: $n = 25$, and `[0.8551, 0.8069]`.


# %% answer="6.4"
def new_state(R, D):
    """The state of a table (R, D) before the first push."""
    ### BEGIN SOLUTION
    return torch.zeros(R)
    ### END SOLUTION


def rowwise_adagrad(rows, state, ids, grads, lr=0.1, eps=1e-8):
    """rows (R, D) and state, changed in place; ids (n,), grads (n, D)"""
    ### BEGIN SOLUTION
    unique, inverse = torch.unique(ids, return_inverse=True)
    g = torch.zeros(len(unique), rows.shape[1]).index_add_(0, inverse, grads)
    state[unique] += g.square().mean(dim=1)                                  # first the state, then the step
    rows[unique] -= lr * g / (state[unique].sqrt()[:, None] + eps)
    ### END SOLUTION


# %% check="6.4"
check("6.4", new_state, rowwise_adagrad)

# %% [markdown]
# Why a state at all? Rows are looked up at very different rates. Here are 200 batches of 64 look-ups by Zipf's law, with
# gradients of the same size everywhere. What is left of the rate $\text{lr} / \sqrt{n}$ for a hot, a middling and a rare row?

# %% needs="6.4"
rows, state, generator = torch.zeros(1_000, 4), new_state(1_000, 4), torch.Generator().manual_seed(0)
rates = {"row 0": [], "row 10": [], "row 200": []}
for t in range(200):
    ids = torch.from_numpy(data.zipf(1.1, rows=1_000, n=64, seed=1_000 + t))
    rowwise_adagrad(rows, state, ids, torch.randn(64, 4, generator=generator))
    for name, series in rates.items():
        series.append(0.1 / max(1.0, float(state[int(name.split()[1])]) ** 0.5))
pslab.viz.curve(range(1, 201), rates, xlabel="batches (count)", ylabel="rate of the row (per unit of gradient)", rows=8,
                title="Rates under your rule, lr 0.1")

# %% [markdown]
# The hot row has had hundreds of gradients and takes small steps; the rare one still learns at nearly the full rate when it
# is seen at last. (Rates above lr, where $n$ is below 1, are drawn as lr.)
#
# ## 6.5 Sparse Adam, and its pitfall
#
# *20 points · 25 minutes · optional*
#
# Adam keeps two numbers for each number: a fading mean of gradients $m$ and one of squares $v$. In step $t = 1, 2, \ldots$
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
# \text{row} \leftarrow \text{row} - \text{lr}\cdot\frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \text{eps}}$$
#
# What about a row that is not in the batch? Its gradient is zero. A **dense** Adam does the three lines for it all the
# same; a **lazy** one leaves it alone, $m$ and $v$ too, and takes the step's number $t$ for all rows (so does
# `torch.optim.SparseAdam`).
#
# A prediction first: a table of 1,000 rows, batches of 16 look-ups by Zipf's law, dense Adam. In the hundredth step, how many
# rows move that are *not* in the batch?

# %% answer="6.5"
rows_moved = ...
### BEGIN SOLUTION
rows_moved = 300
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("6.5", "rows moved untouched in step 100", rows_moved, unit="rows")

# %% [markdown]
# **Goal.** Three functions.
#
# | | does | held to |
# | --- | --- | --- |
# | `dense_adam(rows, state, ids, grads, t, ...)` | one step, all rows | torch.optim.Adam, to $10^{-6}$ after 100 steps |
# | `lazy_adam(rows, state, ids, grads, t, ...)` | one step, rows of the batch | torch.optim.SparseAdam, likewise; other rows bit for bit |
# | `moved_untouched(batches, R)` | for each step the number of rows that the dense one moves and the batch does not name | counted in a run of a dense Adam |
#
# Equal ids are summed first. `state` is a dict with `"m"` and `"v"`, (R, D), zeros before the first step; all is changed in
# place.
#
# **Worked example.** lr 0.1, a row `[1]`, gradient 2, $t = 1$: $m = 0.2$, $v = 0.004$, the row becomes 0.9. Batches `[0, 1]`,
# `[1, 2]`, `[0]`: the dense Adam moves 0, 1 and 2 rows untouched.


# %% answer="6.5"
def dense_adam(rows, state, ids, grads, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    """Every row takes a step."""
    ### BEGIN SOLUTION
    g = torch.zeros_like(rows).index_add_(0, ids, grads)
    m = state["m"].mul_(beta1).add_(g, alpha=1 - beta1)
    v = state["v"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
    rows -= lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + eps)
    ### END SOLUTION


def lazy_adam(rows, state, ids, grads, t, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
    """The rows of the batch take a step."""
    ### BEGIN SOLUTION
    unique, inverse = torch.unique(ids, return_inverse=True)
    g = torch.zeros(len(unique), rows.shape[1]).index_add_(0, inverse, grads)
    m = beta1 * state["m"][unique] + (1 - beta1) * g
    v = beta2 * state["v"][unique] + (1 - beta2) * g * g
    state["m"][unique], state["v"][unique] = m, v
    rows[unique] -= lr * (m / (1 - beta1**t)) / ((v / (1 - beta2**t)).sqrt() + eps)
    ### END SOLUTION


# %% answer="6.5"
def moved_untouched(batches, R):
    """[ids (n,) of each step] -> how many rows each step of dense Adam moves that are not in its batch"""
    ### BEGIN SOLUTION
    had_gradient, counts = set(), []
    for batch in batches:
        now = set(batch.tolist())
        counts.append(len(had_gradient - now))                               # their m fades, and is never zero
        had_gradient |= now
    return counts
    ### END SOLUTION


# %% check="6.5"
check("6.5", dense_adam, lazy_adam, moved_untouched)


# %%
def stream(steps=100, B=16):
    """Batches of the prediction."""
    return [torch.from_numpy(data.zipf(1.1, rows=1_000, n=B, seed=t)) for t in range(steps)]


# %% needs="6.5" tags=["nbval-ignore-output"]
_ = reveal("6.5", "rows moved untouched in step 100", lambda: moved_untouched(stream(), 1_000)[-1], unit="rows")


# %% [markdown]
# Your prediction of every step beside what your two rules really move:

# %% needs="6.5"
def rows_that_move(rule):
    """Rows that a step moves outside its batch, for 100 steps."""
    rows = torch.ones(1_000, 2)
    state, counts = {"m": torch.zeros(1_000, 2), "v": torch.zeros(1_000, 2)}, []
    for t, ids in enumerate(stream(), start=1):
        before = rows.clone()
        rule(rows, state, ids, torch.ones(len(ids), 2), t)
        moved = (rows != before).any(dim=1)
        moved[ids] = False
        counts.append(int(moved.sum()))
    return counts


pslab.viz.curve(range(1, 101), {"predicted": moved_untouched(stream(), 1_000), "dense": rows_that_move(dense_adam),
                                "lazy": rows_that_move(lazy_adam),
                                "in the batch": [len(ids.unique()) for ids in stream()]},
                xlabel="step (count)", ylabel="rows (count)", rows=8, title="Rows that move though nobody looked them up")

# %% [markdown]
# A batch names a dozen rows, and the dense Adam moves hundreds, most of them by momentum of gradients that are long gone.
# Predicted and measured lie on one another, and the lazy rule stays at zero. The cost is not only that of memory traffic:
# rows drift without any evidence, and over a network every one of them would have to be pulled again.
#
# ## 6.6 What a batch touches
#
# *10 points · 15 minutes · optional*
#
# How many different rows does a batch of $B$ look-ups touch? If look-ups were independent draws, row $i$ with probability
# $p_i$, a batch would miss the row with probability $(1 - p_i)^B$. So the expected number of different rows is
# $\sum_i 1 - (1 - p_i)^B$.
#
# **Goal.** Three functions.
#
# - `touched(stream, B)`: the number of different rows in each *whole* batch of $B$; what is left at the end is no batch.
# - `expected_touched(p, B)`: the sum above, to $10^{-6}$ of its value.
# - `sigmas(counts, expected)`: by how many standard errors the mean of the counts is away from the expectation; a standard
#   error is the spread of the counts divided by the root of their number. Below the expectation it is negative.
#
# **Worked example.** Stream 3 1 3 3 2 2 7 with $B = 3$: `[2, 2]`. Shares 3/4, 1/8, 1/8 with $B = 2$: 15/16 + 2 · 15/64 = 1.406.
# Counts 3, 5, 4, 6, 7 and 6 expected: −1 by a spread of 1.581 over $\sqrt 5$, so −1.414.


# %% answer="6.6"
def touched(stream, B):
    """ids (n,) -> different rows of each whole batch of B"""
    ### BEGIN SOLUTION
    return [len(torch.unique(part)) for part in stream[:len(stream) // B * B].view(-1, B)]
    ### END SOLUTION


def expected_touched(p, B):
    """shares (R,) -> different rows of B independent draws"""
    ### BEGIN SOLUTION
    return float((1 - (1 - p.double()) ** B).sum())
    ### END SOLUTION


def sigmas(counts, expected):
    """counts (n,) -> how many standard errors their mean is from expected"""
    ### BEGIN SOLUTION
    counts = torch.as_tensor(counts, dtype=torch.float64)
    return float((counts.mean() - expected) / (counts.std() / len(counts) ** 0.5))
    ### END SOLUTION


# %% check="6.6"
check("6.6", touched, expected_touched, sigmas)

# %% [markdown]
# Now streams that nobody drew: the words of text8 in their order, the films of MovieLens in the order in which they were
# rated, and a column of Criteo's clicks. (Where a data set is not on this machine a stand-in is drawn, and its name says
# so: `pslab data` tells how to get it.) The shares $p$ are those of the whole stream, so that the only thing that can
# differ is the order.

# %% tags=["nbval-ignore-output"]
streams = {}
for found, B in ((data.text8_words(200_000), 512), (data.movielens_items(), 512), (data.criteo_column(3), 128)):
    streams[found.name] = torch.from_numpy(np.asarray(found)), B
streams["drawn, Zipf 1.1"] = torch.from_numpy(data.zipf(1.1, rows=36_000, n=100_000, seed=5)), 512
for name, (ids, B) in streams.items():
    print(f"{name}: {len(ids):,} look-ups of {len(ids.unique()):,} rows, batches of {B}")

# %% needs="6.6" tags=["nbval-ignore-output"]
seen, hoped, lines = [], [], []
for name, (ids, B) in streams.items():
    p = torch.unique(ids, return_counts=True)[1] / len(ids)
    counts, expected = touched(ids, B), expected_touched(p.double() / p.double().sum(), B)
    seen.append(float(np.mean(counts))), hoped.append(expected)
    lines.append([name, B, f"{np.mean(counts):.1f}", f"{expected:.1f}", f"{sigmas(counts, expected):+.1f}"])
pslab.viz.Table(["stream", "B", "rows touched", "expected", "sigmas"], lines)

# %% needs="6.6" tags=["nbval-ignore-output"]
pslab.viz.bars(list(streams), {"touched": seen, "expected": hoped}, unit="count", quantity="different rows of a batch",
               title="What batches of real streams touch")

# %% [markdown]
# A drawn stream lies within three standard errors or so. Text touches fewer rows than its shares say, as a text stays
# with its subject for a while and its words come back. Films in the order of their ratings touch a few more: a person
# rates many films in a row and none of them twice. What you plan a cache or a link by should be counted on the stream
# itself; the formula is what it is compared with.
#
# ## What to take along
#
# - A bag needs no matrix: number the look-ups by their bag, pick rows, add. An empty bag is zeros and not 0/0.
# - The gradient of a table is a list of ids and rows. Duplicates add up, a mean divides on the way back, too.
# - Sort the ids before they travel: each row once, to the byte, and nothing is approximated.
# - Row-wise AdaGrad pays for its memory with 4 bytes a row, whatever the width.
# - Momentum and sparse rows do not go together unless they are told to: dense Adam moves what nobody touched.
#
# Hand in this notebook as it is; hidden checks with other bags, tables and streams run when it is graded.
