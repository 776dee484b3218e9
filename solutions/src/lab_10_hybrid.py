# %% [markdown]
# # Lab 10: the hybrid recommender
#
# A recommender has two parts that want opposite treatment. Nearly all of its parameters are rows of embedding tables, of
# which a step touches a few; the rest are two small dense networks, which every example touches. The hybrid spreads the
# rows over the workers and copies the dense part to each: rows travel by all-to-all, dense gradients by all-reduce. In
# this lab you build the model's interaction, the lookup, the step, and put the result to the test against both pure forms.
#
# **After this lab you can**
#
# 1. write DLRM's dot interaction, each pair once, with gradients;
# 2. make a sharded lookup a node of autograd, whose backward sends gradients home;
# 3. train the hybrid so that its losses are those of one process, with batches of different sizes, while dense gradients
#    travel beside the backward pass;
# 4. say which rows are hot enough to replicate, and how little that saves;
# 5. predict the bytes of three architectures, and measure that the hybrid beats the two others, where it does.
#
# **Before you start:** labs 6, 7 and 9; 0B.4 for what travels beside computing.
# **Time:** 150 minutes for the core, 240 for everything, with reading and trying; the minutes below are for writing.
#
# | | | points | minutes | |
# | --- | --- | --- | --- | --- |
# | 10.1 | The dot interaction | 20 | 20 | core |
# | 10.2 | A sharded lookup that autograd knows | 35 | 40 | core |
# | 10.3 | The hybrid step | 40 | 60 | core |
# | 10.4 | Hot or tail | 20 | 25 | optional |
# | 10.5 | Beat both baselines | 40 | 45 | optional |
#
# Write your answer where a cell says `raise NotImplementedError`, then run the check below it. A check prints what was
# expected and what was seen, and shows your own run where there is one; it never stops the notebook. Stuck? `pslab hint
# 10.2` in a terminal (`source .venv/bin/activate` first) shows one hint more each time. Models, lookups, trainers and
# formulas are yours to build: an answer that imports `pslab.models`, `pslab.embedding`, `pslab.ps`, `pslab.train` or
# `pslab.cost` is refused; write `pslab.viz` where you want a picture.

# %%
import numpy as np
import torch

import pslab
from pslab import collectives
from pslab.comm import Link, SimWorld
from pslab.data.metrics import auc
from pslab.grade import check, predict, reveal

torch.set_num_threads(1)

# %% [markdown]
# ## 10.1 The dot interaction
#
# *20 points · 20 minutes · core*
#
# An example has a dense vector, made of its numbers by the bottom network, and $F$ bags, one of each embedding table. All
# have $D$ numbers. What the top network wants to know is which of them point the same way:
#
# ```
#            v0   v1   v2   v3
#      v0    .    .    .    .          v0 = dense, v1 … vF = bags
#      v1   1·0   .    .    .          keep these: F(F+1)/2 products of two different vectors
#      v2   2·0  2·1   .    .
#      v3   3·0  3·1  3·2   .
# ```
#
# **Goal.** `dot_interaction(dense, bags)` returns for each example its dense vector and behind it the products, row by row
# of the lower triangle (as DLRM has them) or of the upper one (as TorchRec has them). In torch, for all examples at once,
# so that gradients reach `dense` and `bags`.
#
# **Worked example:** dense `[1, 2]` and bags `[3, 4]`, `[5, 6]` give `[1, 2, 11, 17, 39]`.


# %% answer="10.1"
def dot_interaction(dense, bags):
    """(B, D), (B, F, D) -> (B, D + F(F+1)/2)"""
    ### BEGIN SOLUTION
    v = torch.cat([dense.unsqueeze(1), bags], dim=1)
    gram = v @ v.transpose(1, 2)                             # (B, F+1, F+1), of which one triangle says something new
    i, j = torch.tril_indices(v.shape[1], v.shape[1], offset=-1)
    return torch.cat([dense, gram[:, i, j]], dim=1)
    ### END SOLUTION


# %% check="10.1"
check("10.1", dot_interaction)

# %% [markdown]
# How wide the first layer of the top network must be, for D = 16 and more and more tables. Beside yours stands what it
# would be with every entry of the matrix.

# %% needs="10.1"
tables = [1, 2, 4, 8, 16, 26, 40]
widths = [dot_interaction(torch.zeros(1, 16), torch.zeros(1, F, 16)).shape[1] for F in tables]
pslab.viz.curve(tables, {"yours": widths, "the whole matrix": [16 + (F + 1) ** 2 for F in tables],
                         "all vectors side by side": [16 * (F + 1) for F in tables]},
                xlabel="tables (count)", ylabel="numbers into the top (count)", title="What your interaction hands on",
                mark=(26, "26 tables"))

# %% [markdown]
# With 26 tables, as Criteo's data has them, 367 numbers go to the top, where both triangles and the diagonal would be 745.
#
# ## 10.2 A sharded lookup that autograd knows
#
# *35 points · 40 minutes · core*
#
# The table lies with $K$ workers: id $i$ belongs to rank $i \bmod K$, at place $\lfloor i/K \rfloor$ of its part. In 7.5 you
# wrote forward and backward by hand. Here they become one node of a graph: rows come out of `sharded_lookup`, anything may
# be computed of them, and `backward()` of a loss sends the gradients home.
#
# **Goal.** `sharded_lookup(comm, table, ids)` returns the rows (n, D) of `ids` (n,), in their order. `table` (r, D) is the
# own part and requires a gradient; after everybody's `backward()` its `.grad` holds what all ranks' look-ups add up to.
#
# | held to | |
# | --- | --- |
# | values | gradients in float64 to the last digits; several look-ups in one graph |
# | bytes of forward | on each link 8 for every different id, 4D for every row that was asked for: no more and no less |
# | bytes of backward | 4D for every different id; ids do not travel again |
# | messages | one to each other rank for ids, one for rows; all call equally often, some with no ids |
#
# `comm` has `rank`, `world_size`, `send`, `recv`, `isend`, `irecv`. A `torch.autograd.Function` has two static methods,
# `forward(ctx, …)` and `backward(ctx, grad)`; the latter returns a gradient, or `None`, for each argument of the former.
#
# **Worked example:** K = 2, id $i$ has the row $[10 i]$. Rank 0 looks up `[3, 0, 3]`: `[[30], [0], [30]]`. With the weights
# 1, 5, 2 its backward brings rank 1 the sum 3 for id 3, in one number.


# %% answer="10.2"
def sharded_lookup(comm, table, ids):
    """(r, D), own part of the table; (n,) int64 -> (n, D)"""
    ### BEGIN SOLUTION
    return Lookup.apply(comm, table, ids)


def exchange(comm, parts, tag=0):
    """parts[q] to each rank q; what came from each rank. An empty part is a message, too."""
    me = comm.rank
    works = [comm.isend(part.contiguous(), q, tag=tag) for q, part in enumerate(parts) if q != me]
    came = [parts[me] if q == me else comm.recv(q, tag=tag) for q in range(comm.world_size)]
    for work in works:
        work.wait()
    return came
    ### END SOLUTION


# %% answer="10.2"
### BEGIN SOLUTION
class Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx, comm, table, ids):
        K = comm.world_size
        unique, ctx.inverse = ids.unique(return_inverse=True)
        ctx.comm, ctx.shape = comm, table.shape
        ctx.of = [torch.nonzero(unique % K == q).flatten() for q in range(K)]        # places in unique, by owner
        ctx.asked = exchange(comm, [unique[at] // K for at in ctx.of], tag=1)
        rows = table.new_zeros(len(unique), table.shape[1])
        for at, part in zip(ctx.of, exchange(comm, [table[places] for places in ctx.asked], tag=2)):
            rows[at] = part
        return rows[ctx.inverse]

    @staticmethod
    def backward(ctx, grad):
        sums = grad.new_zeros(sum(map(len, ctx.of)), ctx.shape[1]).index_add_(0, ctx.inverse, grad)
        total = grad.new_zeros(ctx.shape)
        for places, part in zip(ctx.asked, exchange(ctx.comm, [sums[at] for at in ctx.of], tag=3)):
            total.index_add_(0, places, part)
        return None, total, None
### END SOLUTION


# %% check="10.2"
check("10.2", sharded_lookup)

# %% [markdown]
# Four workers, 512 look-ups each that follow Zipf's law, forward and backward: bytes on every link. Beside that, what
# travels as the batch grows, and what an all-reduce of the whole table's gradient would move.


# %%
def looking_up(comm, lookup, n, R=4_000, D=16):
    """One look-up and its backward; the part's gradient."""
    share = np.arange(1, R + 1) ** -1.1
    ids = np.random.default_rng(comm.rank).choice(R, n, p=share / share.sum())
    table = torch.zeros(len(range(comm.rank, R, comm.world_size)), D, requires_grad=True)
    lookup(comm, table, torch.from_numpy(ids)).sum().backward()
    return table.grad


# %% needs="10.2"
pslab.viz.links(SimWorld(4).run(looking_up, sharded_lookup, 512).ledger, title="Your lookup, there and back")

# %% needs="10.2"
batches = [64, 256, 1_024, 4_096]
yours = [SimWorld(4, trace=False).run(looking_up, sharded_lookup, n).ledger.total() / 1e6 for n in batches]
pslab.viz.curve(batches, {"yours": yours, "every place by itself": [3 * n * (8 + 2 * 64) / 1e6 for n in batches],
                          "all-reduce of the table's gradient": [2 * 3 * 4_000 * 64 / 1e6] * 4}, log="xy",
                xlabel="look-ups of a worker (count)", ylabel="bytes over all links (MB)",
                title="A table of 4,000 rows of 16, four workers")

# %% [markdown]
# Only rows that were touched have a gradient, and each of them travels once. The table's own size does not occur.
#
# ## 10.3 The hybrid step
#
# *40 points · 60 minutes · core*
#
# Here is the model, with your interaction in it. A layer's parameters are one flat tensor, `dense[i]`; rows come from
# outside. Read how its backward hands out gradients: **one by one, as they are computed**, the top's last layer first.


# %%
def linear(x, flat, inputs, outputs):
    """Weights and bias of a layer lie behind each other in one tensor."""
    return x @ flat[:inputs * outputs].view(inputs, outputs) + flat[inputs * outputs:]


def logits(sizes, dense, rows, features):
    """bottom -> interaction -> top; ReLU after every layer but the last. (B, F, D), (B, features) -> (B,)"""
    x, layers = features, iter(dense)
    for size in sizes["bottom"]:
        x = torch.relu(linear(x, next(layers), *size))
    x = dot_interaction(x, rows)
    for size in sizes["top"][:-1]:
        x = torch.relu(linear(x, next(layers), *size))
    return linear(x, next(layers), *sizes["top"][-1]).squeeze(1)


# %%
class Net:
    def __init__(self, comm, sizes, layer_s=0.0):
        self.comm, self.sizes, self.layer_s = comm, sizes, layer_s

    def forward(self, dense, rows, batch):
        """The sum of the losses of this worker's examples."""
        self.comm.compute(self.layer_s * len(dense) / 2)
        self.leaves = [flat.detach().clone().requires_grad_() for flat in dense]
        self.rows = rows.detach().clone().requires_grad_()
        out = logits(self.sizes, self.leaves, self.rows, batch["features"])
        self.loss = torch.nn.functional.binary_cross_entropy_with_logits(out, batch["labels"], reduction="sum")
        return float(self.loss.detach())

    def backward(self):
        """Yields (i, gradient like dense[i]), and once ("rows", gradient like rows), each when it is computed."""
        *dense, rows = torch.autograd.grad(self.loss, [*self.leaves, self.rows])
        first = len(self.sizes["bottom"])
        for name in [*reversed(range(first, len(dense))), "rows", *reversed(range(first))]:
            if name != "rows":
                self.comm.compute(self.layer_s)
            yield name, rows if name == "rows" else dense[name]


# %% [markdown]
# **Goal.** `hybrid_step(comm, net, dense, table, batch, global_size, lr)` takes one step of SGD and returns the loss sum of
# this worker's own examples. `batch` has `features` (B, …), `ids` (B, F) and `labels` (B,); batches of different workers
# differ in size, and some are empty. `global_size` examples are in all batches together. `dense` and `table` change in place.
#
# | held to | |
# | --- | --- |
# | values | losses of one process on the global batch, to 1e-5, over 50 steps, K = 1, 2, 3 |
# | dense bytes | $2(K-1) \cdot 4P$ in all, as a ring, and no port busier than a ring's |
# | sparse bytes | those of 10.2 |
# | seconds | virtual time within max(computing, travelling) and a little: a dense gradient travels while others are computed |
#
# **Worked example:** two workers with 1 and 3 examples, lr 0.1; a gradient of 4 on the one and 8 on the other move the
# parameter by 0.1 · 12 / 4 = 0.3 on both.
#
# A prediction first. Eight layers; to compute a layer's gradient takes 1.2 times as long as its all-reduce; forward takes
# as long as two layers. How many per cent longer is a step that starts its all-reduces when backward has ended, compared
# with one in which each starts as early as it can?

# %% answer="10.3"
longer = ...
### BEGIN SOLUTION
longer = 50
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("10.3", "a step without overlap is longer by", longer, unit="%")


# %% answer="10.3"
def hybrid_step(comm, net, dense, table, batch, global_size, lr):
    """-> the sum of the losses of this worker's examples; dense and table are a step further"""
    ### BEGIN SOLUTION
    part, ids = table.detach().requires_grad_(), batch["ids"]
    part.grad = None
    rows = sharded_lookup(comm, part, ids.flatten())
    loss = net.forward(dense, rows.view(*ids.shape, table.shape[1]), batch)
    sums, last = {}, None
    for name, grad in net.backward():
        if name == "rows":
            of_rows = grad.reshape(rows.shape)
            continue
        sums[name] = Sum(comm, grad, tag=10 + 2 * name)
        if last is not None:
            sums[last].turn()
        last = name
    sums[last].turn()
    rows.backward(of_rows)                                   # home to the owners
    table.detach().sub_(part.grad, alpha=lr / global_size)
    for name, going in sums.items():
        dense[name].sub_(going.finish(), alpha=lr / global_size)
    return loss
    ### END SOLUTION


# %% answer="10.3"
### BEGIN SOLUTION
class Sum:
    """An all-reduce that goes on while others compute: every worker adds up one chunk, then hands it to everybody."""

    def __init__(self, comm, x, tag):
        self.comm, self.tag = comm, tag
        self.others = [q for q in range(comm.world_size) if q != comm.rank]
        self.chunks = [chunk.clone() for chunk in x.tensor_split(comm.world_size)]
        self.coming = [comm.irecv(q, tag=tag) for q in self.others]
        self.leaving = [comm.isend(self.chunks[q], q, tag=tag) for q in self.others]

    def turn(self):
        mine = sum((work.wait() for work in self.coming), self.chunks[self.comm.rank])
        self.coming = [self.comm.irecv(q, tag=self.tag + 1) for q in self.others]
        self.leaving += [self.comm.isend(mine, q, tag=self.tag + 1) for q in self.others]
        self.chunks[self.comm.rank] = mine

    def finish(self):
        parts = dict(zip(self.others, (work.wait() for work in self.coming)))
        for work in self.leaving:
            work.wait()
        return torch.cat([parts.get(q, self.chunks[q]) for q in range(self.comm.world_size)])
### END SOLUTION


# %% check="10.3"
check("10.3", hybrid_step)

# %% [markdown]
# Now clicks to learn from. Their labels follow a taste of each id that nobody tells the model.


# %%
def clicks(rng, R, F, taste, B):
    """A batch of B examples: ids by Zipf's law, labels drawn by the taste of their ids."""
    share = np.arange(1, R + 1) ** -1.0
    ids, x = rng.choice(R, (B, F), p=share / share.sum()), rng.normal(size=(B, 4))
    labels = rng.random(B) < 1 / (1 + np.exp(-taste[ids].sum(1) - x[:, 0]))
    return {"features": torch.from_numpy(x).float(), "ids": torch.from_numpy(ids), "labels": torch.from_numpy(labels).float()}


def problem(K, R=6_000, F=4, D=8, steps=40):
    """Sizes of the layers, dense part, table, and for each step the batches of all workers."""
    rng, sizes = np.random.default_rng(0), {"bottom": [(4, 16), (16, D)], "top": [(D + F * (F + 1) // 2, 16), (16, 1)]}
    taste = rng.normal(size=R)
    steps = [[clicks(rng, R, F, taste, int(B)) for B in rng.integers(24, 49, K)]
             for _ in range(steps)]
    seed = torch.Generator().manual_seed(0)
    dense = [torch.randn((a + 1) * b, generator=seed) / a ** 0.5 for a, b in sizes["bottom"] + sizes["top"]]
    return sizes, dense, torch.randn(R, D, generator=seed) * 0.5, steps


# %%
def training(comm, train, K, table_of, sizes, dense, table, steps, lr=1.0, layer_s=1e-4):
    """A worker of K with its part of the table: losses of its examples, dense part and rows at the end."""
    dense, part = [flat.clone() for flat in dense], table[comm.rank::K].clone()
    batches = [(table_of(step, comm.rank, K), sum(len(b["labels"]) for b in step)) for step in steps]
    losses = train(comm, Net(comm, sizes, layer_s), dense, part, batches, lr)
    return losses, dense, part


def stepwise(comm, net, dense, part, batches, lr):
    return [hybrid_step(comm, net, dense, part, batch, size, lr) for batch, size in batches]


def dealt(step, rank, K):
    """The global batch, dealt out to K workers in parts of different sizes: worker r gets r + 1 shares of it."""
    whole = {name: torch.cat([b[name] for b in step]) for name in step[0]}
    B, shares = len(whole["labels"]), K * (K + 1) // 2
    cuts = [B * (r * (r + 1) // 2) // shares for r in range(K + 1)]
    return {name: value[cuts[rank]:cuts[rank + 1]] for name, value in whole.items()}


# %% needs="10.3"
given = problem(3)
counts = [sum(len(batch["labels"]) for batch in step) for step in given[3]]
lines = {}
for K in (1, 2, 3):
    made = SimWorld(K, trace=False).run(training, stepwise, K, dealt, *given).results
    lines[f"K = {K}"] = [sum(parts) / n for *parts, n in zip(*(losses for losses, _, _ in made), counts)]
print("largest difference", max(abs(a - b) for K in (2, 3) for a, b in zip(lines["K = 1"], lines[f"K = {K}"])) < 1e-5)
pslab.viz.curve(range(1, 41), lines, xlabel="step (count)", ylabel="loss (nats)", title="Your hybrid, three numbers of workers")

# %% [markdown]
# Three lines on top of each other: the number of workers is no part of the result. And where the time goes, in one step of
# two workers: what is computed, what travels beside it.

# %% needs="10.3" tags=["nbval-ignore-output"]
link = Link(latency_s=0.0, overhead_s=10e-6, bandwidth_Bps=12.5e6)
run = SimWorld(2, link=link).run(training, stepwise, 2, dealt, *given[:3], given[3][:1])
pslab.viz.timeline(run, title="One step of your hybrid, two workers, 100 Mbit/s")


# %%
class Layers:
    """Eight layers of 25,000 numbers that take 1.2 times their travel to compute."""

    def __init__(self, comm):
        self.comm, self.layer_s = comm, 1.2 * 2 * (10e-6 + 50_000 / 12.5e6)

    def forward(self, dense, rows, batch):
        self.comm.compute(2 * self.layer_s)
        return 0.0

    def backward(self):
        for i in reversed(range(8)):
            self.comm.compute(self.layer_s)
            yield i, torch.ones(25_000)
            if i == 4:
                yield "rows", torch.zeros(1, 1, 2)


def timed(comm, step):
    ids, labels = torch.zeros(1, 1, dtype=torch.int64), torch.zeros(1)
    batch = {"features": torch.zeros(1, 1), "ids": ids, "labels": labels}
    step(comm, Layers(comm), [torch.zeros(25_000) for _ in range(8)], torch.zeros(2, 2), batch, 2, 0.1)


# %% needs="10.3"
LINK = Link(latency_s=0.0, overhead_s=10e-6, bandwidth_Bps=12.5e6)
run = SimWorld(2, link=LINK).run(timed, hybrid_step)
travel_s = 8 * 2 * (10e-6 + 50_000 / 12.5e6)
one_after_the_other_s = 10 * 1.2 * travel_s / 8 + travel_s
pslab.viz.timeline(run, title=f"Your step {run.seconds * 1e3:.0f} ms; one after the other {one_after_the_other_s * 1e3:.0f} ms")

# %% needs="10.3" tags=["nbval-ignore-output"]
_ = reveal("10.3", "a step without overlap is longer by",
           lambda: round(100 * (one_after_the_other_s / run.seconds - 1)), unit="%")

# %% [markdown]
# ## 10.4 Hot or tail
#
# *20 points · 25 minutes · optional*
#
# There is a third way to hold a row: a copy on each worker, its gradient all-reduced each step, touched or not. That pays
# for rows that nearly every batch touches. Over all links, rows a step:
#
# | | |
# | --- | --- |
# | replicated | $2(K-1)$ |
# | on a server | 2 for each worker whose batch touches it: a pull and a push |
#
# **Goal.** `hot_or_tail(freqs, K, n)` returns the ids (int64, in any order) for which the first is less than the second on
# average. `freqs` (R,) are the shares of look-ups, float64; each worker makes `n` independent look-ups a step, and asks for a
# row once however often it looks it up. Rows are counted, ids are not; equal costs leave the row on the server.
#
# **Worked example:** K = 2, n = 1, shares 0.25, 0.6, 0.15: only id 1 is touched by more than half of the batches, `[1]`.


# %% answer="10.4"
def hot_or_tail(freqs, K, n):
    """(R,) shares -> ids of the rows to replicate"""
    ### BEGIN SOLUTION
    touched = 1 - (1 - freqs) ** n                           # a server costs 2·K·touched, a ring 2·(K − 1)
    return torch.nonzero(touched > (K - 1) / K).flatten()
    ### END SOLUTION


# %% check="10.4"
check("10.4", hot_or_tail)

# %% [markdown]
# A table of 100,000 rows, Zipf 1.1, 512 look-ups a worker, rows of 64 numbers: bytes a step over all links, by how many of
# the hottest rows are replicated. Your choice is marked for two workers.

# %%
freqs = torch.arange(1, 100_001, dtype=torch.float64) ** -1.1
freqs /= freqs.sum()
ks = [0, 5, 10, 20, 30, 40, 65, 80, 100, 125, 150]


def split_kb(K, k, n=512, row_bytes=256):
    """Expected kB a step with the k hottest rows replicated."""
    tail = (1 - (1 - freqs[k:]) ** n).sum()
    return float(2 * (K - 1) * k + 2 * K * tail) * row_bytes / 1e3


# %% needs="10.4"
hot = len(hot_or_tail(freqs, 2, 512))
saved = {K: 1 - split_kb(K, len(hot_or_tail(freqs, K, 512))) / split_kb(K, 0) for K in (2, 4, 8)}
print(", ".join(f"K={K}: {len(hot_or_tail(freqs, K, 512))} rows, {share:.1%} saved" for K, share in saved.items()))
pslab.viz.curve(ks, {f"K = {K}": [split_kb(K, k) / split_kb(K, 0) for k in ks] for K in (2, 4, 8)},
                xlabel="rows replicated (count)", ylabel="bytes against none replicated (times)", title="Your split",
                mark=(hot, f"yours, K = 2: {hot}"))

# %% [markdown]
# The minimum is flat and shallow: after each worker asks once for each different row, little is left to save, and less the
# more workers there are. Replicating too much costs more than replicating nothing.
#
# ## 10.5 Beat both baselines
#
# *40 points · 45 minutes · optional*
#
# The contenders, on links of 100 Mbit/s, each with the losses of one process:
#
# | | dense part, P numbers | table, R rows of D numbers |
# | --- | --- | --- |
# | all-reduce everything | around a ring | around the ring, touched or not |
# | server everything | pulled and pushed, S servers | rows pulled and pushed |
# | hybrid | around a ring, or chunk by chunk | all-to-all between workers |
#
# **Goal.** `train_hybrid(comm, net, dense, table, batches, lr)` trains on `batches`, a list of `(batch, global_size)`, and
# returns its own loss sum of each step. `port_bytes(spec)` predicts bytes a step in the fuller direction of the fullest port,
# for `spec` with `K`, `S`, `P`, `R`, `D` and `u`, the different rows that one worker touches (a part $u/K$ of them its own,
# an equal part with each server): `{"all-reduce": …, "server": …, "hybrid": …}`. Servers have machines of their own. Ids have
# 8 bytes; to a server they go with the pull and with the push.
#
# | held to | |
# | --- | --- |
# | model | losses of one process, AUC within 0.005 |
# | bytes, measured | fullest port no more than either baseline's, within 15 % of `pslab.cost` |
# | seconds, virtual | less than either baseline |
#
# **Worked example:** K = 2, S = 1, P = 100, R = 1000, D = 4, u = 10: 16,400, 1,440 and 600 bytes.


# %% answer="10.5"
def train_hybrid(comm, net, dense, table, batches, lr):
    """batches: [(batch, global_size)] -> this worker's loss sum of each step"""
    ### BEGIN SOLUTION
    return [hybrid_step(comm, net, dense, table, batch, global_size, lr) for batch, global_size in batches]
    ### END SOLUTION


def port_bytes(spec):
    """{"K", "S", "P", "R", "D", "u"} -> {"all-reduce", "server", "hybrid"}: bytes a step"""
    ### BEGIN SOLUTION
    K, S, P, R, D, u = (spec[name] for name in ("K", "S", "P", "R", "D", "u"))
    ring = 2 * (K - 1) / K * 4                               # bytes of a number that goes around
    return {"all-reduce": ring * (P + R * D), "server": max(K / S, 1) * (4 * P + u * (4 * D + 16)),
            "hybrid": ring * P + u * (K - 1) / K * (8 + 4 * D + 4 * D)}
    ### END SOLUTION


# %% check="10.5"
check("10.5", train_hybrid, port_bytes)

# %% [markdown]
# Your own run beside both baselines. Theirs are programs with the same sizes of messages, and zeros in them.


# %%
def exchanged(comm, others, sizes):
    works = [comm.isend(torch.zeros(size, dtype=torch.uint8), q) for q, size in zip(others, sizes)]
    for q in others:
        comm.recv(q)
    for work in works:
        work.wait()


# %%
def reduced(comm, numbers, steps, compute_s):
    """All-reduce everything."""
    for _ in range(steps):
        comm.compute(compute_s)
        collectives.all_reduce(comm, torch.zeros(numbers))


def served(comm, K, P, D, rows, compute_s):
    """Server everything: rows[t][k][s] different rows of worker k at server s."""
    S = comm.world_size - K
    for step in rows:
        if comm.rank < K:
            mine = step[comm.rank]
            exchanged(comm, range(K, K + S), [8 * n for n in mine])
            comm.compute(compute_s)
            exchanged(comm, range(K, K + S), [n * (8 + 4 * D) + 4 * P // S for n in mine])
        else:
            asked = [step[k][comm.rank - K] for k in range(K)]
            exchanged(comm, range(K), [4 * D * n + 4 * P // S for n in asked])
            exchanged(comm, range(K), [0] * K)


# %%
def row(name, run, steps, told, score):
    """A line of the table: bytes of the fullest port, what was predicted, milliseconds, AUC."""
    fullest = max(max(run.ledger.port(rank)) for rank in range(run.ledger.world_size)) / steps
    return [name, f"{told[name] / 1e3:.1f}", f"{fullest / 1e3:.1f}", f"{run.seconds / steps * 1e3:.2f}", score]


def scored(sizes, dense, table, steps):
    """AUC on the last five global batches."""
    last = {name: torch.cat([b[name] for step in steps[-5:] for b in step]) for name in steps[0][0]}
    return auc(last["labels"].numpy(), logits(sizes, dense, table[last["ids"]], last["features"]).numpy())


# %% needs="10.5"
sizes, dense, table, steps = problem(4)
P, (R, D), S = sum(map(len, dense)), table.shape, 2
unique = [[batch["ids"].unique() for batch in step] for step in steps]
at_servers = [[[int((ids % S == s).sum()) for s in range(S)] for ids in step] for step in unique]
touched = float(np.mean([len(ids) for step in unique for ids in step]))
told = port_bytes({"K": 4, "S": S, "P": P, "R": R, "D": D, "u": touched})
runs = {"all-reduce": SimWorld(4, link=LINK, trace=False).run(reduced, P + R * D, 3, 6e-4),
        "server": SimWorld(4 + S, link=LINK, trace=False).run(served, 4, P, D, at_servers, 6e-4),
        "hybrid": SimWorld(4, link=LINK, trace=False).run(training, train_hybrid, 4, lambda step, r, K: step[r], sizes,
                                                          dense, table, steps)}

# %% needs="10.5"
_, trained_dense, _ = runs["hybrid"].results[0]
whole = torch.stack([part for _, _, part in runs["hybrid"].results], dim=1).reshape(R, D)
score = {"hybrid": f"{scored(sizes, trained_dense, whole, steps):.3f}"}
counted = {"all-reduce": 3, "server": 40, "hybrid": 40}
pslab.viz.Table(["contender", "predicted (kB)", "measured (kB)", "a step (ms)", "AUC"],
                [row(name, runs[name], counted[name], told, score.get(name, "the same")) for name in runs])

# %% needs="10.5"
more = [2, 3, 4, 6, 8, 12, 16]
by_k = [port_bytes({"K": K, "S": 2, "P": P, "R": R, "D": D, "u": 110}) for K in more]
pslab.viz.curve(more, {name: [made[name] / 1e3 for made in by_k] for name in told}, log="y", xlabel="workers (count)",
                ylabel="fullest port, a step (kB)", title="Your port_bytes: two servers, 110 rows a worker")

# %% [markdown]
# With two workers and two servers there is nothing to win: the servers' two more machines carry as much as the workers'
# own. The hybrid's line stays flat because every worker that joins brings its own port. With as many servers as workers, on
# machines of their own, the server's line would be flat, too, for twice the machines.
#
# ## What to take along
#
# - Each pair of different vectors once: one triangle, no diagonal, and the dense vector in front.
# - A lookup is a node of a graph: ids have no gradient, rows have, and each owner adds up what comes home.
# - Divide once, by the examples of all workers, at one place. Then K is no part of the result.
# - Dense gradients travel beside the backward pass, if nobody waits for them there.
# - Few rows are hot enough for a copy, and few bytes are saved by it.
#
# Hand in this notebook as it is; hidden checks with other models, tables and links run when it is graded.
