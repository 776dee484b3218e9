# %% [markdown]
# # 11.6 Sparse embedding tables
#
# **The big picture.** A recommender, a search engine and a language model all begin by turning an id into a row of
# numbers: user 7, film 42, the word "river". The table that holds these rows is often the largest part of the model by
# far, and a batch reads next to nothing of it. Everything in this chapter follows from that one fact. A look-up need
# not be computed as the matrix product that it is. Its gradient has rows where the batch had ids, and no others. The
# update must touch those rows and leave the rest alone, which some well-known optimizers do not do. Ids repeat, so that
# less has to travel than was asked for. And what the whole table weighs matters for where it is kept, and hardly for
# what a step costs.
#
# **After this chapter you can**
#
# 1. write a look-up and its gradient without forming a matrix, and pool rows in bags, empty ones included;
# 2. say what must happen to duplicate ids before an update, and what goes wrong otherwise;
# 3. choose an optimizer for rows by its state and by which rows it moves, and show dense Adam's pitfall;
# 4. predict how many rows a batch touches, and say where real streams depart from the prediction;
# 5. predict to the byte what a look-up over the network costs, with and without de-duplication;
# 6. cut a table up in five ways and show that all of them train the same model;
# 7. train word vectors through a parameter server, and let a vocabulary grow while training.
#
# **Before you start** you should know push and pull ([chapter 11.2](11_02_push_and_pull.ipynb)), how keys are spread
# over servers ([chapter 11.3](11_03_sharding_the_server.ipynb)), and what `backward` does. **Time:** an hour to read,
# under a minute to run.
#
# Four times you are asked for a number before a run shows one. Write yours in place of the `...`.

# %%
import calendar

import numpy as np
import torch
from torch.nn.functional import embedding, embedding_bag, one_hot

# %%
from pslab import cost, viz
from pslab.comm import SimWorld
from pslab.data import criteo_column, movielens_items, movielens_users, text8_words, zipf
from pslab.embedding import (
    CountMin, DenseAdam, EmbeddingBagCollection, EmbeddingBagConfig, EmbeddingCollection, FusedEmbeddingBagCollection,
    GrowingTable, KeyedJaggedTensor, ShardedEmbeddingBagCollection, Sharding, plan_tables, table_configs,
)
from pslab.embedding.sharding import lookups_per_owner, shards_of
from pslab.grade import predict, reveal
from pslab.ps import ASP, BSP, FTRL, SGD, AdaGrad, Adam, KVServer, KVWorker, RowWiseAdaGrad, TableConfig, Uniform, serve
from pslab.viz import Note, Table, sized

torch.set_num_threads(1)
torch.sparse.check_sparse_tensor_invariants.enable()    # torch wants to be told whether to check


def yes(truth):
    return "yes" if truth else "NO"


# %% [markdown]
# ## 1. A look-up, and a product that nobody forms · *Beginner*
#
# Letters for the whole chapter: a table of $R$ rows with $D$ numbers each, $b$ bytes a number; a batch with $n$
# look-ups; $u \le n$ of its ids are distinct.
#
# On paper a look-up is a product. Write id 3 as a **one-hot** vector, zero everywhere but for a 1 in place 3. That
# vector times the table is row 3. So an embedding is a linear layer without a bias, and everything you know about
# linear layers holds. In memory it is something else. Look at the two sizes.

# %%
R, D = 50_000, 16
generator = torch.Generator().manual_seed(6)
table = torch.randn(R, D, generator=generator)
ids = torch.from_numpy(zipf(1.0, R, 64, seed=1))

by_product = one_hot(ids, R).float() @ table
by_lookup = table[ids]
print("the same rows:", yes(torch.equal(by_product, by_lookup)))
Table(["", "reads", "multiplications"],
      [["product", sized(4 * len(ids) * R + 4 * R * D), f"{len(ids) * R * D:,}"],
       ["look-up", sized(8 * len(ids) + 4 * len(ids) * D), "0"]], note=f"{len(ids)} look-ups in {R:,} rows of {D}")

# %% [markdown]
# The product would multiply by zero millions of times to copy 64 rows. Nobody forms it. But it tells us the gradient
# without any new thought. For $Y = XW$ with $X$ one-hot, the gradient of the table is $X^\top G$: row $i$ of it is the
# *sum* of the gradients at all places where id $i$ was looked up, and zero where it was not. It is **row-sparse**.
#
# Your first number: the 64 ids above were drawn so that small ids are common and repeat. How many rows of the gradient
# are not zero?

# %%
my_rows = ...
predict("11.6", "rows of the gradient that are not zero", my_rows, unit="rows")

# %%
dense, sparse = (table.clone().requires_grad_() for _ in range(2))
embedding(ids, dense).square().sum().backward()
embedding(ids, sparse, sparse=True).square().sum().backward()

_ = reveal("11.6", "rows of the gradient that are not zero", lambda: int(dense.grad.any(dim=1).sum()))
print("distinct ids:", len(ids.unique()), "of", len(ids), "look-ups")
print("sparse and dense gradient are equal:", yes(torch.equal(sparse.grad.to_dense(), dense.grad)))
once = sparse.grad.coalesce()
Table(["gradient", "rows kept", "bytes"],
      [["dense", R, sized(dense.grad.nbytes)],
       ["sparse, a row for each look-up", len(ids), sized(sparse.grad._values().nbytes + 8 * len(ids))],
       ["sparse, equal ids summed", once.indices().shape[1], sized(once.values().nbytes + once.indices().nbytes)]])

# %% [markdown]
# As many as there are distinct ids. The dense gradient has the size of the table, whatever the batch: for a table of a
# terabyte it *is* a terabyte, nearly all of it zeros, to be written, read and added. The sparse one has the size of the
# batch. That is the whole reason why this kind of parameter has machinery of its own.
#
# Torch keeps one row for each look-up until somebody *coalesces* the tensor, that is, adds up rows of equal ids.
# Section 3 shows why that has to happen before an update.

# %% [markdown]
# ## 2. Bags: many ids, one row · *Beginner*
#
# A user has watched 40 films, or none. A feature with a changing number of ids is a **bag**, and the rows of a bag are
# *pooled* to one: added, or averaged. Bags of a batch are stored flat: all ids one after another, and `lengths` that say
# how many belong to each bag. With several features that is a `KeyedJaggedTensor`, in TorchRec's layout.

# %%
features = KeyedJaggedTensor(["film", "hour"], values=[4, 1, 4, 2, 2, 0, 9, 21, 9, 9],
                             lengths=[2, 1, 0, 3, 2, 1, 0, 1])     # four bags of films, then four of hours
for feature in features.keys:
    print(feature, features[feature].to_list())

# %%
films = EmbeddingBagConfig(num_embeddings=5, embedding_dim=2, name="film")
hours = EmbeddingBagConfig(24, 1, "hour", pooling="mean")
module = EmbeddingBagCollection([films, hours])
with torch.no_grad():
    module.tables.film.weight.copy_(torch.tensor([[1., 10.], [2., 20.], [3., 30.], [4., 40.], [5., 50.]]))
    module.tables.hour.weight.copy_(torch.arange(24.0)[:, None])
    out = module(features)
listed = {feature: features[feature].to_list() for feature in features.keys}
Table(["bag", "films", "sum of their rows", "hours", "mean of its rows"],
      [[b, str(listed["film"][b]), str(out["film"][b].tolist()), str(listed["hour"][b]), out["hour"][b].item()]
       for b in range(4)])

# %% [markdown]
# Bag 2 has no film, and its sum is zero: an empty bag is an answer like any other. A film that stands twice in a bag
# counts twice. An id may also carry a **weight**, by which its row is multiplied (how long was that film watched?), and
# `pooling="none"` gives the rows as they are, for models that look at their order. All of this is
# `torch.nn.EmbeddingBag`'s behaviour, and the next cell holds us against it.

# %%
values, lengths = zipf(1.0, 5, 200, seed=2), np.random.default_rng(2).multinomial(200, np.ones(100) / 100)
weights = torch.rand(200, generator=generator)
batch = KeyedJaggedTensor(["film"], values, lengths, weights=weights)
weighted = EmbeddingBagCollection([films], is_weighted=True)
theirs = torch.nn.EmbeddingBag.from_pretrained(weighted.tables.film.weight, mode="sum", include_last_offset=True)
rows = EmbeddingCollection([EmbeddingBagConfig(5, 2, "film", pooling="none")])(batch)["film"].values
print("bags:", len(lengths), " of them empty:", int((lengths == 0).sum()), " longest:", lengths.max())
print("as torch.nn.EmbeddingBag:", yes(torch.equal(
    weighted(batch)["film"], theirs(batch["film"].values, batch["film"].offsets, per_sample_weights=weights))))
print("pooling none:", tuple(rows.shape))

# %% [markdown]
# The gradient goes the same way back. With a sum every row of a bag gets the bag's gradient. With a mean it gets the
# gradient *divided by the length of the bag*, and to forget that is the commonest slip in a backward written by hand.
# The second commonest is older than bags: to fill all bags up to one length with id 0, and average over that length. Look
# at the bag of one film, and at the row of film 0.

# %%
ids_of = [[4, 1, 2], [4], []]
padded = torch.tensor([bag + [0] * (3 - len(bag)) for bag in ids_of])
rows = torch.tensor([[1.], [2.], [3.], [4.], [5.]])


def gradient_of(forward):
    leaf = rows.clone().requires_grad_()
    out = forward(leaf)
    out.sum().backward()
    return [" ".join(f"{number:.2f}" for number in found[:, 0]) for found in (out.detach(), leaf.grad)]


offsets, flat = torch.tensor([0, 3, 4, 4]), torch.tensor([i for bag in ids_of for i in bag])
Table(["mean over", "three bags", "gradient of the five rows"],
      [["the bag", *gradient_of(lambda w: embedding_bag(flat, w, offsets, mode="mean", include_last_offset=True))],
       ["three places, filled up with film 0", *gradient_of(lambda w: w[padded].mean(dim=1))]])

# %% [markdown]
# Filled up, the empty bag becomes film 0, the bag of one film is two thirds film 0, and film 0 receives the largest
# gradient of all, for bags in which nobody watched it.
#
# ## 3. Duplicate ids: first the sum, then one step · *Intermediate*
#
# A batch names row 7 three times and row 2 once, and every look-up has the gradient 1. What is row 7 after the update?
# There are three ways to write it. The first is a line of NumPy that looks right:
#
#     rows[ids] -= lr * grads          # reads all rows, subtracts, writes all rows back: the last write of row 7 stays
#
# The second takes one step for each look-up. The third adds the gradients of equal ids first and takes one step for each
# distinct row. With plain SGD the second and third agree, since a sum of steps is the step of the sum. With AdaGrad,
# $n \leftarrow n + g^2$, $w \leftarrow w - \eta\, g/\sqrt n$, what does one step for each look-up give? Both rows begin at
# zero, and $\eta = 1$: summed first, row 7 has $g = 3$, $n = 9$, and moves by 1. Your second number:

# %%
my_distance = ...
predict("11.6", "how far AdaGrad moves row 7 with one step for each look-up", my_distance)

# %%
def update(rule, how, ids=(7, 2, 7, 7)):
    """Rows 2 and 7 after one batch in which every look-up has gradient 1."""
    rows, state = np.zeros((8, 1), np.float32), rule.new_state(8, 1)

    def step(keys, grads):
        some, some_state = rows[keys], state[:, keys]           # copies
        rule.step(some, grads, some_state, 1)
        rows[keys], state[:, keys] = some, some_state

    grads = np.ones((len(ids), 1), np.float32)
    if how == "last write stays":
        step(np.array(ids), grads)
    elif how == "a step for each look-up":
        for key, grad in zip(ids, grads):
            step(np.array([key]), grad[None])
    else:
        keys, place = np.unique(ids, return_inverse=True)
        sums = np.zeros((len(keys), 1), np.float32)
        np.add.at(sums, place, grads)
        step(keys, sums)
    return float(rows[2, 0]), float(rows[7, 0])


# %%
WAYS = ("last write stays", "a step for each look-up", "sum, then one step")
_ = reveal("11.6", "how far AdaGrad moves row 7 with one step for each look-up", lambda: -update(AdaGrad(1.0), WAYS[1])[1])
Table(["", "SGD: row 2", "SGD: row 7", "AdaGrad: row 2", "AdaGrad: row 7"],
      [[way, *update(SGD(1.0), way), *update(AdaGrad(1.0), way)] for way in WAYS])

# %% [markdown]
# The first way is wrong for every rule: two of three gradients are gone, and no error is raised. Under AdaGrad it even
# looks right here, because 1 is what the sum gives too: a test with equal gradients does not catch it. The second is
# more than twice as far: to AdaGrad three gradients of 1 are three small steps, $1 + 1/\sqrt2 + 1/\sqrt3$, and its result
# depends on the *order* of the look-ups where gradients differ. The third is what a dense gradient would have done,
# since the dense gradient is that sum. FBGEMM calls it *exact*, torch's sparse optimizers coalesce first, and all rules
# of this kit do the same.
#
# The same question comes up between workers. Two of them push the gradient 1 for row 7. Is that one step or two? In
# rounds (BSP) the server adds up what all workers pushed and takes one; without rounds (ASP) each push is a step when it
# comes.


# %%
def two_workers(comm, model):
    config = TableConfig("rows", dim=1, num_rows=8, rule=AdaGrad(1.0), consistency=model)
    if comm.rank == 2:
        return serve(comm, KVServer([config], 0, 1, range(2)))
    with KVWorker(comm, [2], [config]) as kv:
        kv.push([7], np.ones((1, 1), np.float32), "rows")
        kv.clock()
        comm.compute(1.0)                                     # by now both pushes have arrived
        return kv.wait(kv.pull([7], "rows")).item()


print("BSP:", SimWorld(3).run(two_workers, BSP()).results[0], "  ASP:",
      round(SimWorld(3).run(two_workers, ASP()).results[0], 4))

# %% [markdown]
# With SGD both would end at −2. With AdaGrad they end in two different places. So a model trained in rounds and the same
# model trained asynchronously do not take the same steps, even where nothing is stale.
#
# ## 4. Optimizers for rows · *Intermediate*
#
# ### The update inside of backward
#
# Once the gradient of a row is known there is no reason to keep it: step the row and forget the gradient. That is a
# **fused** update. The gradient of the table never exists, not even as a sparse tensor, and there is no optimizer to
# call. Here it stands beside torch's sparse gradients with torch's optimizers, for twenty steps.

# %%
CONFIG = EmbeddingBagConfig(2_000, 8, "item")


def item_batch(step, seed=0, bags=32, ids_a_bag=3, rows=CONFIG.num_embeddings):
    ids = zipf(1.1, rows, bags * ids_a_bag, seed=1000 * seed + step)
    return KeyedJaggedTensor(["item"], ids, [ids_a_bag] * bags)


def loss_of(out, step):
    target = torch.sin(torch.arange(out.numel(), dtype=torch.float32) + step).view_as(out)
    return (out - target).square().sum()


# %%
rows = []
for name, rule, optimizer in (("SGD", SGD(0.05), lambda p: torch.optim.SGD(p, lr=0.05)),
                              ("AdaGrad", AdaGrad(0.1), lambda p: torch.optim.Adagrad(p, lr=0.1, eps=1e-10)),
                              ("Adam, lazy", Adam(0.01), lambda p: torch.optim.SparseAdam(list(p), lr=0.01))):
    fused, plain = FusedEmbeddingBagCollection([CONFIG], rule), EmbeddingBagCollection([CONFIG], sparse=True)
    stepper = optimizer(plain.parameters())
    for step in range(20):
        loss_of(fused(item_batch(step)).values, step).backward()          # that is all: the rows have moved
        stepper.zero_grad()
        loss_of(plain(item_batch(step)).values, step).backward()
        stepper.step()
    apart = float((fused.tables.item.weight - plain.tables.item.weight.detach()).abs().max())
    rows.append([name, len(list(fused.parameters())), yes(apart < 1e-5)])
Table(["rule", "parameters of the fused module", "same rows as torch's optimizer"], rows)

# %% [markdown]
# How much faster that is stands among the [measurements](../docs/benchmarks.md); here only the result matters.
#
# ### State: from nothing to twice the table
#
# An optimizer with a memory keeps it beside each row, and for the largest part of a model that decides what fits. Take
# a table of two billion rows of 128 numbers over 16 hosts: what does each host hold?

# %%
ROWS, DIM, HOSTS = 2_000_000_000, 128, 16
RULES = {"SGD": SGD(0.1), "row-wise AdaGrad": RowWiseAdaGrad(0.1), "AdaGrad": AdaGrad(0.1), "Adam": Adam(0.1),
         "FTRL": FTRL(0.1)}
state_bytes = {name: 4 * rule.slots * rule.state_width(DIM) for name, rule in RULES.items()}
per_host = {name: ROWS * (4 * DIM + more) / HOSTS for name, more in state_bytes.items()}
Table(["rule", "state a row (B)", "row and state, a host (GB)", "more than an 80 GB accelerator"],
      [[name, state_bytes[name], round(per_host[name] / 1e9, 1), "yes" if per_host[name] > 80e9 else "no"]
       for name in RULES])

# %% [markdown]
# In print, the share of a host in this very table is said to be more than its accelerator's memory, with 80 GB named
# shortly before. The rows alone are not; with Adam's state they are, and with row-wise AdaGrad's they are not again. So
# the sentence needs the name of an optimizer.
#
# **Row-wise AdaGrad** is what large recommenders mostly use. It keeps *one* number for a row, to which each step adds
# the **mean** of the row's squared gradients:
#
# $$n \leftarrow n + \tfrac1D \sum_j g_j^2, \qquad w \leftarrow w - \eta\, g/\sqrt{n}.$$
#
# Why AdaGrad at all? Rows are named at very different rates. A rate that is right for a row seen once an hour is far
# too large for one seen in each batch, and AdaGrad gives each row the rate of its own history. Why the mean and not the
# sum? The next table takes steps with a gradient of 1 in each of 64 columns.

# %%
def steps_of(rule, dim=64, times=1000):
    row, state, moved = np.zeros((1, dim), np.float32), rule.new_state(1, dim), []
    for t in range(1, times + 1):
        before = row[0, 0]
        rule.step(row, np.ones((1, dim), np.float32), state, t)
        moved.append(float(before - row[0, 0]))
    return moved


class Summing(RowWiseAdaGrad):
    """The slip: the sum of squares over the row in place of the mean."""

    def step(self, rows, grads, state, t):
        state[0] += (grads**2).sum(axis=1, keepdims=True)
        rows -= self.lr * grads / np.sqrt(state[0])


Table(["rule, rate 0.1", "1st step", "10th", "100th", "1,000th"],
      [[name, *(steps_of(rule)[t - 1] for t in (1, 10, 100, 1000))] for name, rule in
       (("SGD", SGD(0.1)), ("AdaGrad", AdaGrad(0.1)), ("row-wise AdaGrad", RowWiseAdaGrad(0.1)),
        ("the same with a sum", Summing(0.1)))])

# %% [markdown]
# With the mean a row-wise step is as long as AdaGrad's own, and a rate that was tuned for one will do for the other.
# With the sum every step is $\sqrt D$ times shorter: it trains, slowly, and the slip looks like a badly chosen rate.
#
# ### The pitfall of Adam
#
# Adam remembers a direction $m$ and a size $v$ for every number, and both *fade* with each step. For a row that the batch
# did not name the textbook's Adam takes the gradient 0, lets $m$ and $v$ fade a little, and moves the row by what is
# left of $m$. So a row moves long after anybody last named it, in a direction that a batch of long ago gave. **Lazy** Adam
# (`torch.optim.SparseAdam`, `pslab.ps.Adam`) lets the memory of an unnamed row stand still, and the row too.
#
# We count, on a table of 200 rows of which 12 look-ups name a few in each of 40 steps. Your third number: how many
# rows does *dense* Adam move in the last step?

# %%
my_moved = ...
predict("11.6", "rows that dense Adam moves in the 40th step", my_moved, unit="rows")

# %%
def watch(rule, steps=40, num_rows=200, lookups=12):
    """(moved, named), each (steps, num_rows)."""
    small = EmbeddingBagConfig(num_rows, 4, "item")
    module, moved, named = FusedEmbeddingBagCollection([small], rule), [], []
    for step in range(steps):
        features = item_batch(step, 0, lookups, 1, num_rows)
        before = module.tables.item.weight.clone()
        loss_of(module(features).values, step).backward()
        moved.append((module.tables.item.weight != before).any(dim=1).numpy())
        named.append(np.isin(np.arange(num_rows), features.values.numpy()))
    return np.array(moved), np.array(named)


watched = {"lazy Adam": watch(Adam(0.01)), "dense Adam": watch(DenseAdam(0.01)), "SGD": watch(SGD(0.01))}
_ = reveal("11.6", "rows that dense Adam moves in the 40th step", lambda: int(watched["dense Adam"][0][-1].sum()))
viz.moved_rows({name: watched[name] for name in ("lazy Adam", "dense Adam")}, "Rows that move, by rule")

# %% [markdown]
# The staircase is the same in both panels: rows are sorted by the step that first named them. On the left a row moves
# where it was named. On the right it never rests again. Only rows that no batch has named yet stand still, because
# there is nothing to remember. The counts:

# %%
Table(["rule", "named (rows × steps)", "moved", "moved without being named"],
      [[name, int(named.sum()), int(moved.sum()), int((moved & ~named).sum())]
       for name, (moved, named) in watched.items()])

# %% [markdown]
# This is wrong twice. It costs: each step reads and writes all of the table and its state, which for the table above is
# three terabytes, and on a parameter server it would have to happen on rows that nobody sent. And it moves rows far:
# the next cell names a row *once*, and then never again.

# %%
def distance(rule, first=1, steps=200):
    """How far a row travels that is named in step `first` alone, in learning rates; the step itself, too."""
    row, state, path = np.zeros((1, 1), np.float32), rule.new_state(1, 1), []
    for t in range(first, first + steps):
        if t == first or isinstance(rule, DenseAdam):
            rule.step(row, np.full((1, 1), float(t == first), np.float32), state, t)
        path.append(-float(row[0, 0]) / rule.lr)
    return path[0], path[-1]


Table(["rule", "row first named in step", "moves in that step", "has moved 200 steps later"],
      [["lazy Adam", 1, *distance(Adam(0.001))], ["dense Adam", 1, *distance(DenseAdam(0.001))],
       ["lazy Adam", 1000, *distance(Adam(0.001), 1000)], ["dense Adam", 1000, *distance(DenseAdam(0.001), 1000)]],
      note="in learning rates")

# %% [markdown]
# Named once, a row under dense Adam goes on until it has moved six times as far as its step. The last two lines show that lazy is
# not innocent either. Adam corrects its young averages by the number of the step, and that number is the table's. A
# row that is first named in step 1,000 is not corrected, although *its* averages are as young as can be, and its first
# step is two and a half learning rates; under dense Adam the row then drifts for twenty-five. Lazy Adam is therefore another algorithm than Adam and not a faster way to
# compute it. The same holds for momentum that does not fade, and for weight decay that reaches named rows only. AdaGrad
# and SGD have no such gap: with gradient 0 they do nothing, so the sparse step *is* the dense one. That, and a state of
# one number a row, is why embedding tables are so often trained with row-wise AdaGrad.
#
# ## 5. Which rows does a batch touch? · *Intermediate*
#
# If a look-up asks for row $i$ with probability $p_i$ and look-ups are independent, then a batch of $n$ leaves row $i$
# alone with $(1-p_i)^n$, and the expected number of distinct rows is
#
# $$u(n) = \sum_i 1 - (1 - p_i)^n .$$
#
# Popularity is usually modelled by **Zipf's law**: the row that is $r$-th in popularity has $p_r \propto r^{-a}$. Your
# fourth number: in 4,096 look-ups of a Zipf with $a=1$ over a hundred thousand rows, how many rows are distinct?

# %%
my_distinct = ...
predict("11.6", "distinct rows in 4,096 look-ups", my_distinct, unit="rows")

# %%
_ = reveal("11.6", "distinct rows in 4,096 look-ups", lambda: round(viz.touched_rows(1.0, 100_000, 4096)["distinct"]))
drawn = [len(np.unique(zipf(1.0, 100_000, 4096, seed=seed))) for seed in range(20)]
print("twenty batches drawn: mean", np.mean(drawn), "from", min(drawn), "to", max(drawn))
viz.touched(exponent=1.0, rows=100_000, lookups=4096)

# %% [markdown]
# Half of the look-ups. Left: the larger the batch, the more of its look-ups are repeats. Right: what that is worth on a
# wire; the whole table stands above it as a number, since its bar would not fit. Now with controls. Find out what the
# *size of the table* does to the bytes of a step, and what the exponent does.

# %% tags=["nbval-ignore-output"]
viz.touched_widget()

# %% [markdown]
# Some of what you may have found:

# %%
corners = [(a, rows, viz.touched_rows(a, rows, 4096)) for a in (0.6, 1.0, 1.4) for rows in (10_000, ROWS)]
Table(["exponent", "rows of the table", "the table", "distinct rows", "ids and rows of a step"],
      [[a, rows, sized(each["dense"]), round(each["distinct"]), sized(each["once"])] for a, rows, each in corners],
      note="4,096 look-ups, rows of 64 numbers")

# %% [markdown]
# Two billion rows in place of ten thousand make the table heavier by five powers of ten, and a step by a factor of
# about two at most. The exponent matters more: well above 1 a few rows have most of the look-ups.
#
# A caution about such models. In print you can find a cost model in which the 5,000 hottest of two billion rows get
# 0.85 of the look-ups "because of the skew", and Zipf is named. Does a Zipf with its exponent of 1.1 do that?

# %%
law = cost.zipf_popularity(1.1, ROWS)
print(f"Zipf(1.1) over {ROWS:,} rows: the top 5,000 get {law.top_share(5000):.3f} of the look-ups")
print(f"rows needed for 0.85: {law.rows_for_share(0.85):,}")

# %% [markdown]
# It does not. In that program a coin with 0.85 decides whether a look-up is hot; the number was put in and not found
# out.
#
# ### Real streams
#
# Now ids that nobody drew: words of text8 (the head of an encyclopedia) in their order, films and users of MovieLens in
# the order of the ratings, and a column of Criteo's log of clicks. Where a data set is not on this machine a made stream
# stands in, and the cell says so.

# %% tags=["nbval-ignore-output"]
found = {"text8 words": text8_words(100_000), "MovieLens films": movielens_items(),
         "MovieLens users": movielens_users(), "Criteo column 3": criteo_column(3)}
for name, stream in found.items():
    print(f"{name}: {len(stream):,} look-ups of {stream.rows:,} rows", "(MADE, the data are not here)" * stream.made)
viz.touched_streams({name: stream.ids for name, stream in found.items()})

# %% [markdown]
# Three lines a panel, and each knows less than the one before it: the batches as they came; the same ids drawn
# independently, each as often as it occurs; and a Zipf fitted to how often they occur. Look where the first leaves the
# others.
#
# - **Words** come in bursts: an article on anarchism says *anarchism* again and again. Batches touch clearly *fewer* rows
#   than independence predicts.
# - **Users** are the extreme. Somebody logs in, rates for half an hour and leaves, so hundreds of look-ups name a handful
#   of rows. The counts know nothing of that, and the prediction is wrong by a factor of about twenty.
# - **Films** lie slightly *above*: nobody rates a film twice, so that within one visit ids avoid each other.
# - **Clicks**: a file of two thousand rows in which most values occur once. The counts of so few know nothing of values
#   that have not come yet, and the prediction errs on the low side for larger batches.
#
# And a fitted Zipf is about as good as the counts themselves; what is missing in both is *time*. Whoever sizes a system
# with a law should replay a piece of the real stream too.
#
# ## 6. What repeats need not travel · *Intermediate*
#
# The table lies elsewhere now, and a look-up is a request: ids out, rows back. A row for each look-up costs
# $n(8 + Db)$ bytes. But an id that stands twice in the batch needs its row once. So the worker sends its **distinct**
# ids and keeps, for itself, an *inverse*: which of the returned rows each look-up means. Ten lines, two ranks:


# %%
def look_up(comm, once, ids, num_rows=100_000, dim=16):
    if comm.rank == 1:                                        # the owner
        rows = torch.arange(num_rows * dim, dtype=torch.float32).view(num_rows, dim)
        comm.send(rows[comm.recv(src=0)], dst=0)
        return None
    wanted, inverse = torch.unique(ids, return_inverse=True) if once else (ids, torch.arange(len(ids)))
    comm.send(wanted, dst=1)
    return comm.recv(src=1)[inverse]


# %%
ids = torch.from_numpy(zipf(1.0, 100_000, 4096, seed=3))
plain, deduped = (SimWorld(2, trace=False).run(look_up, once, ids) for once in (False, True))
print("the same rows, in the same order:", yes(torch.equal(plain.results[0], deduped.results[0])))
u = len(ids.unique())
Table(["", "ids sent", "bytes on both links", "formula", "same"],
      [[name, count, run.ledger.total(), count * (8 + 16 * 4), yes(run.ledger.total() == count * (8 + 16 * 4))]
       for name, run, count in (("each look-up", plain, len(ids)), ("each distinct id", deduped, u))])

# %% [markdown]
# Right rows with twice the bytes: a look-up that forgets to de-duplicate passes every test of its values. That is why
# the labs of this course check bytes.
#
# On the way back it is the same, and for a better reason: gradients of equal ids have to be summed anyway. With the
# collection on the servers of `pslab.ps` a step is a pull and a push, each of $8u$ bytes of keys and $uDb$ of values. Does
# the ledger agree, over two servers and three steps?


# %%
def train_on_servers(comm, steps, servers):
    tables = table_configs([CONFIG], SGD(0.05))
    if comm.rank > 0:
        return serve(comm, KVServer(tables, comm.rank - 1, servers, [0]))
    with KVWorker(comm, range(1, 1 + servers), tables) as kv:
        module = ShardedEmbeddingBagCollection([CONFIG], kv)
        for step in range(steps):
            loss_of(module(item_batch(step)).values, step).backward()     # pull in forward, push in backward
            kv.clock()
        return module.rows("item")


run = SimWorld(3, trace=False).run(train_on_servers, 3, 2)
u = sum(len(item_batch(step).values.unique()) for step in range(3))
whole = CONFIG.num_embeddings * 8 * 4                         # `rows` at the end pulls all of the table once
Table(["kind", "counted (B)", "formula", "predicted (B)", "same"],
      [["values", run.ledger.total("vals"), "2 u D b, and the table", 2 * u * 8 * 4 + whole,
        yes(run.ledger.total("vals") == 2 * u * 8 * 4 + whole)],
       ["keys", run.ledger.total("keys"), "2 · 8 u", 16 * u, yes(run.ledger.total("keys") == 16 * u)]])

# %% [markdown]
# To the byte. The pull of the whole table at the end names a range, so that it has no keys.
#
# ## 7. A table in pieces · *Advanced*
#
# A table that no machine holds is cut up. There are five ways, and a real system uses several at once:
#
# | kind | who has what | what a look-up costs |
# | --- | --- | --- |
# | table-wise | one rank has the whole table | all look-ups meet at one port |
# | row-wise | each rank has some of the rows, by ranges or by a hash | ids to the owners, rows (or sums) back |
# | column-wise | each rank has some columns of all rows | every owner is asked every id |
# | table-row-wise | row-wise over the ranks of one rack | as row-wise, kept within fast links where it can be |
# | data-parallel | every rank has a copy | nothing; but gradients have to be combined |
#
# Which is best depends on rows, width, look-ups and room. A **planner** decides by a model of both, memory (with the
# rule's state) and bytes through the busiest port. Four ranks, a large table with long bags, a medium one and a tiny
# one:

# %%
TABLES = [EmbeddingBagConfig(100_000, 16, "film"), EmbeddingBagConfig(20_000, 16, "user"),
          EmbeddingBagConfig(24, 16, "hour")]
print(plan_tables(TABLES, 4, RowWiseAdaGrad(0.1), batch=512, lookups_per_bag={"film": 20}))

# %% [markdown]
# Rows are spread over all ranks, and the tiny table is copied to everybody: its gradient is lighter than the traffic of
# its look-ups. Suppose rows may not be cut. The planner then cuts columns, and pays for it: every id goes to everyone,
# and each shard of a row has a state of its own.

# %%
print(plan_tables(TABLES, 4, RowWiseAdaGrad(0.1), batch=512, lookups_per_bag={"film": 20},
                  kinds=("table_wise", "column_wise", "data_parallel")))

# %% [markdown]
# Give a rank less room than it needs and the planner says so, and which table and rule it was:

# %%
try:
    plan_tables(TABLES, 4, Adam(0.1), capacity_bytes=4_000_000, batch=512)
except ValueError as refused:
    print(refused)

# %% [markdown]
# Whatever the plan, the model must be the same one. Four ranks share a table of 500 rows, each with its own batch; one
# process has the four batches in one. After five steps, are the rows equal, with AdaGrad and with row-wise AdaGrad? And
# what went through the busiest port? One *NO* in this table is not a mistake of the run.

# %%
SHARED, RANKS, STEPS = EmbeddingBagConfig(500, 16, "item"), 4, 5
KINDS = {"table-wise": Sharding("table_wise", 1), "row-wise by range": Sharding("row_wise"),
         "row-wise by hash": Sharding("row_wise", by="hash"), "column-wise": Sharding("column_wise"),
         "table-row-wise": Sharding("table_row_wise", ranks=(2, 3)), "data-parallel": Sharding("data_parallel"),
         "data-parallel, sparse": Sharding("data_parallel", gradient="sparse")}


def own_batch(rank, step):
    return item_batch(step, seed=rank, bags=16, ids_a_bag=4, rows=SHARED.num_embeddings)


def of_rank(comm, sharding, rule, gather):
    module = ShardedEmbeddingBagCollection([SHARED], comm, {"item": sharding}, rule)
    for step in range(STEPS):
        loss_of(module(own_batch(comm.rank, step)).values, step).backward()
    return module.rows("item") if gather else None                # pulls the whole table: not in the bytes below


# %%
def one_process(rule):
    module = FusedEmbeddingBagCollection([SHARED], rule)
    for step in range(STEPS):
        outs = module(KeyedJaggedTensor.concat_batches([own_batch(rank, step) for rank in range(RANKS)])).values
        sum(loss_of(out, step) for out in outs.split(16)).backward()
    return module.tables.item.weight


TWO_RULES = {"AdaGrad": AdaGrad(0.1), "row-wise AdaGrad": RowWiseAdaGrad(0.1)}
alone, rows = {name: one_process(rule) for name, rule in TWO_RULES.items()}, []
for name, sharding in KINDS.items():
    equal = []
    for which, rule in TWO_RULES.items():
        shared = SimWorld(RANKS, trace=False).run(of_rank, sharding, rule, True).results
        equal.append(yes(max(float((each - alone[which]).abs().max()) for each in shared) < 1e-5))
    ledger = SimWorld(RANKS, trace=False).run(of_rank, sharding, SGD(0.1), False).ledger
    held = max(4 * shard.num_rows * shard.dim for shard in shards_of(SHARED, sharding, RANKS))
    rank, way, most = ledger.busiest_port()
    rows.append([name, *equal, held, round(ledger.total() / STEPS), f"rank {rank}, {way}", round(most / STEPS)])
Table(["kind", *(f"one process: {name}" for name in TWO_RULES), "largest shard (B)", "all links (B)", "busiest port",
       "through it (B)"], rows, note="bytes of one step")

# %% [markdown]
# All train the same model (sums are made in another order, so the last digits may differ), with one exception.
# Row-wise AdaGrad has one number for a *row*, and column-wise nobody has a whole row. Each owner takes the mean over
# its own columns, so that there are four numbers where there was one: an algorithm between row-wise AdaGrad and
# AdaGrad. A rule that treats every number by itself does not notice.
#
# What else differs is bytes. Table-wise meets at one port;
# row-wise spreads the same bytes over all; column-wise sends every id to everyone; copies pay for gradients, densely by
# the size of the table and sparsely by the rows touched. But are rows by ranges and by a hash the same? Ids of real
# tables are often numbered by popularity or by age, and a range then has all the hot ones:

# %%
ids = np.concatenate([own_batch(rank, step).values.numpy() for rank in range(RANKS) for step in range(STEPS)])
served = {by: lookups_per_owner(SHARED, Sharding("row_wise", by=by), ids, RANKS) for by in ("range", "hash")}
viz.bars([f"rank {rank}" for rank in range(RANKS)], {f"by {by}": counts.tolist() for by, counts in served.items()},
         unit="count", quantity="look-ups served", looks={"by range": "gather", "by hash": "server"},
         title="Who serves the look-ups, ids sorted by popularity")

# %% [markdown]
# By ranges rank 0 serves nearly everything. A hash spreads *rows*, so that all ranks have some of the hot ones. It does
# not cut a row in two: whoever has the hottest row still serves most, and de-duplication, which sends each id of a batch
# once, is what keeps that load down.
#
# ### Rows or sums?
#
# The owner could also pool: it knows which bag each id is for, adds up what it has of that bag, and sends one *partial
# sum* for each bag. Then no row travels at all, and a bag of 40 ids costs as much as a bag of 2. Which is lighter? Of
# the rows-way the bytes are, for $u$ distinct ids that a rank asks of an owner: $8$ for counts, $4u$ for ids,
# $2\cdot 4Du$ for rows there and gradients back.


# %%
def exchange(comm, bag_ids, dedup):
    module = ShardedEmbeddingBagCollection([SHARED], comm, {"item": Sharding("row_wise", by="hash")}, SGD(0.1),
                                           dedup=dedup)
    module(item_batch(0, comm.rank, 64, bag_ids, SHARED.num_embeddings)).values.sum().backward()


def predicted(bag_ids):
    total = 0
    for rank in range(RANKS):
        distinct = np.unique(item_batch(0, rank, 64, bag_ids, SHARED.num_embeddings).values)
        asked = lookups_per_owner(SHARED, Sharding("row_wise", by="hash"), distinct, RANKS)
        total += sum(8 + (4 + 2 * 4 * 16) * int(u) for owner, u in enumerate(asked) if owner != rank)
    return total


rows = []
for bag_ids in (1, 4, 16, 64):
    as_rows, as_sums = (SimWorld(RANKS, trace=False).run(exchange, bag_ids, dedup).ledger.total()
                        for dedup in (True, False))
    rows.append([bag_ids, as_rows, yes(as_rows == predicted(bag_ids)), as_sums, "rows" if as_rows < as_sums else "sums"])
Table(["ids a bag", "distinct rows travel (B)", "as predicted", "sums of bags travel (B)", "lighter"], rows,
      note="64 bags a rank, one step, all links")

# %% [markdown]
# Short bags, or ids that repeat between bags: send rows. Long bags of different ids: send sums. The choice is `dedup` of
# the collection, and the crossing lies where a rank's distinct ids outnumber the parts of bags that owners can sum. Rows
# may also travel in half precision or as bytes with a scale: that is the next chapter's.
#
# ## 8. Words, trained through the server · *Intermediate*
#
# Now all of it at work. **Skip-gram** (Mikolov and others, 2013) learns a vector for each word from its neighbours. For
# each pair (word, a word near by) the product of the two rows should be large; for the same word and some words drawn
# at random it should be small. So there are two tables, `word` and `near`, and a batch touches rows of both. The text
# is the head of text8, its 2,000 commonest words, with the very common ones thinned out.

# %% tags=["nbval-ignore-output"]
from pslab.data.text8 import text8_file, tokens

VOCABULARY = 2_000


def corpus(seed=0):
    """(ids in their order, names by id, whether the text was made)."""
    stream = text8_words()
    if stream.made:         # a stand-in with something to learn: twenty words in a row are of one of a hundred topics
        rng = np.random.default_rng(seed)
        ids = np.repeat(rng.integers(0, 100, 15_000), 20) + 100 * zipf(0.5, VOCABULARY // 100, 300_000, seed)
        return ids, [f"topic{i % 100}_{i // 100}" for i in range(VOCABULARY)], True
    names = dict(zip(stream.ids.tolist(), tokens(text8_file())))
    return stream.ids, [names[i].decode() for i in range(VOCABULARY)], False


words, names, made = corpus()
share = np.bincount(words, minlength=VOCABULARY)[:VOCABULARY] / len(words)
rng = np.random.default_rng(0)
words = words[words < VOCABULARY]
words = words[rng.random(len(words)) < np.sqrt(1e-3 / np.maximum(share[words], 1e-9))]
pairs = np.concatenate([np.stack(pair, 1) for d in range(1, 6) for pair in ((words[:-d], words[d:]), (words[d:], words[:-d]))])
noise = np.cumsum(share**0.75 / (share**0.75).sum())
print("MADE TEXT, text8 is not here" if made else "text8", f"{len(words):,} words, {len(pairs):,} pairs")

# %% [markdown]
# One step of a worker: draw pairs, find the distinct words, pull their rows, compute, push one gradient for each
# distinct row. Unwanted words are drawn once for the whole batch (100 of them, weighted to stand for five a pair).


# %%
def skip_gram_step(kv, rng, size=1024, unwanted=100, weight=5 / 100):
    pair = pairs[rng.integers(0, len(pairs), size)]
    drawn = np.minimum(np.searchsorted(noise, rng.random(unwanted)), VOCABULARY - 1)
    word_keys, word_of = np.unique(pair[:, 0], return_inverse=True)
    near_keys, near_of = np.unique(np.concatenate([pair[:, 1], drawn]), return_inverse=True)
    asked = kv.pull(word_keys, "word"), kv.pull(near_keys, "near")           # both travel at once
    word, near = (np.asarray(kv.wait(ask)) for ask in asked)
    w, wanted, other = word[word_of], near[near_of[:size]], near[near_of[size:]]
    right, wrong = (1 / (1 + np.exp(-x)) for x in ((w * wanted).sum(axis=1), w @ other.T))
    g_right, g_wrong = (right - 1)[:, None], weight * wrong
    word_grad, near_grad = torch.zeros(word.shape), torch.zeros(near.shape)
    for grad, place, parts in ((word_grad, word_of, [g_right * wanted + g_wrong @ other]),
                               (near_grad, near_of, [g_right * w, g_wrong.T @ w])):
        grad.index_add_(0, torch.from_numpy(place), torch.from_numpy(np.concatenate(parts)))   # sums, before they travel
    kv.push(word_keys, word_grad, "word"), kv.push(near_keys, near_grad, "near")
    kv.clock()
    return -np.log(right + 1e-9).mean() - weight * np.log(1 - wrong + 1e-9).sum(axis=1).mean()


# %%
WIDTH, WORKERS, SERVERS, ROUNDS = 24, 2, 2, 720


def words_program(comm):
    word, near = (TableConfig(name, WIDTH, VOCABULARY, RowWiseAdaGrad(0.4), init=init)
                  for name, init in (("word", Uniform(0.1, seed=1)), ("near", Uniform(0.0))))
    if comm.rank >= WORKERS:
        return serve(comm, KVServer([word, near], comm.rank - WORKERS, SERVERS, range(WORKERS)))
    rng = np.random.default_rng([comm.rank, 6])
    with KVWorker(comm, range(WORKERS, WORKERS + SERVERS), [word, near]) as kv:
        losses = [skip_gram_step(kv, rng) for _ in range(ROUNDS)]
        return losses, kv.wait(kv.pull(range(VOCABULARY), "word")).numpy()


# %% tags=["nbval-ignore-output"]
run = SimWorld(WORKERS + SERVERS, trace=False).run(words_program)
losses = np.mean([run.results[worker][0] for worker in range(WORKERS)], axis=0).reshape(-1, 30).mean(axis=1)
viz.curve(list(range(30, ROUNDS + 1, 30)), {"skip-gram": losses.tolist()}, xlabel="rounds (count)",
          ylabel="loss (nats a pair)", title="Word vectors trained on two servers by two workers")

# %% [markdown]
# Does a row mean anything? Words that stand near the same words should have rows that point the same way. The nearest
# rows by angle, after training and before:

# %% tags=["nbval-ignore-output"]
def nearest(rows, word, most=5):
    rows = rows - rows.mean(axis=0)
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    order = np.argsort(-(rows @ rows[names.index(word)]))
    return [names[i] for i in order[1:1 + most]]


def kept_together(rows, group):
    """Of the five words nearest to each word of a group, the share that is in the group."""
    return f"{np.mean([near in group for word in group for near in nearest(rows, word)]):.0%}"


trained, untrained = run.results[0][1], Uniform(0.1, seed=1).rows(range(VOCABULARY), WIDTH, "word")
asked = ["three", "january", "king", "war", "computer", "science"] if not made else names[:6]
groups = {"numbers": ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "zero"],
          "months": [month.lower() for month in calendar.month_name[1:]]} if not made else {"a topic": names[::100]}
assert losses[-1] < 0.9 * losses[0]
Table(["word", "nearest after training", "nearest before"],
      [[word, ", ".join(nearest(trained, word)), ", ".join(nearest(untrained, word, 3))] for word in asked]
      + [[f"{name} near {name}", *(kept_together(rows, group) for rows in (trained, untrained))]
         for name, group in groups.items()])

# %% [markdown]
# Numbers among numbers and most months among months, from nothing but which words stand together. The head of text8 is
# a small text, and the rarer a word, the less its neighbours make sense. And what did it move?

# %% tags=["nbval-ignore-output"]
moved = run.ledger.total() / ROUNDS
dense_bytes = sum(port.in_bytes for port in cost.parameter_server(2 * VOCABULARY * WIDTH, WORKERS, SERVERS).ports)
most = 2 * WORKERS * (2 * 1024 + 100) * (8 + 4 * WIDTH)       # there and back, keys and rows of all look-ups
Note(f"A round moved **{sized(moved)}** over all links, with keys. Dense gradients of both tables would have moved "
     f"{sized(dense_bytes)}. That is no large factor: {VOCABULARY:,} words are few, and a batch touches a good part of "
     f"them. With a million words the second figure would be {sized(dense_bytes * 1_000_000 / VOCABULARY)}. The first "
     f"could never exceed a row for each look-up, {sized(most)}, whatever the vocabulary.")

# %% [markdown]
# ## 9. A vocabulary that grows · *Advanced*
#
# Who knows all ids before training begins? New users and new films come every hour, most ids are seen once and never
# again, and a row for each of them is wasted: it cannot learn anything from one look-up. A `GrowingTable` has no fixed
# vocabulary. An id gets a row when it has been *seen often enough*; until then it reads a default row that all such ids
# share. And rows may go again: when the table is full, the one that was seen longest ago or least often; or after a
# number of steps in which nobody asked for it. Words of text8, a thousand a step:

# %% tags=["nbval-ignore-output"]
stream = text8_words(100_000).ids


def grown(**how):
    table, own = GrowingTable(16, **how), 0
    for batch in stream.reshape(-1, 1000):
        table.lookup(batch)
        own += int(np.isin(batch, table.ids).sum())
    return [len(table), f"{100 * own / len(stream):.0f} %", table.stats.admitted - len(table)]


WAYS = {"every id at once": {}, "after 3 sights": {"admit_after": 3},
        "after 3 sights, by a sketch": {"admit_after": 3, "sights": CountMin(4096, 4)},
        "2,000 rows, the longest unseen goes": {"capacity": 2000, "evict": "recency"},
        "2,000 rows, the least seen goes, after 2": {"capacity": 2000, "evict": "frequency", "admit_after": 2},
        "unseen for 20 steps goes": {"ttl_steps": 20}}
Table(["rule", "rows at the end", "look-ups with a row of their own", "rows that were let go"],
      [[name, *grown(**how)] for name, how in WAYS.items()], note="a hundred steps of 1,000 words")

# %% [markdown]
# Asking for three sights takes two thirds of the rows away and leaves five of six look-ups with a row of their own. To
# count the sights of ids that have no row costs memory too; a **sketch** (count-min) does it in a fixed number of bytes,
# and as it can only count too many, some ids get their row too early and none too late. A row that is let go loses what
# it has learned and the state of its rule: if the id comes back, it begins anew. That price is in the last column.
#
# All in one table: what is often said or done, and what the cells show.
#
# | often said or done | what the cells show | section |
# | --- | --- | --- |
# | an embedding is a matrix product | on paper; what runs is a copy of rows, and the gradient is a sum by id | 1 |
# | fill bags up with id 0 and average | row 0 is trained by everybody's gaps, and empty bags become film 0 | 2 |
# | `rows[ids] -= lr * grads` | duplicates are lost, without an error | 3 |
# | one step for each look-up is the same | for SGD; AdaGrad moves more than twice as far, by the order of the ids | 3 |
# | a host's share exceeds its accelerator | not the rows alone: with Adam's state it does | 4 |
# | row-wise AdaGrad sums the squares | it takes their mean, or every step is $\sqrt D$ times shorter | 4 |
# | lazy Adam is a faster Adam | it is another algorithm, whose late rows begin with a step that is too long | 4 |
# | 0.85 of the look-ups hit 5,000 rows because of Zipf | a coin in that program says so; its Zipf gives less | 5 |
# | batches are independent draws | words burst, users come in visits, films avoid themselves | 5 |
# | embeddings are synchronised by elastic averaging | a row has one copy; [11.5](11_05_bounded_staleness.ipynb) averages replicated parts | 7 |

# %% [markdown]
# ## In production
#
# PyTorch has all of this for one machine: `torch.nn.EmbeddingBag(sparse=True)` gives row-sparse gradients, and
# `torch.optim.SparseAdam` is a lazy Adam that sums duplicates first. Here both run for real, beside our fused bags, on
# the same batches. Look for a difference in the losses.

# %%
ours = FusedEmbeddingBagCollection([CONFIG], Adam(0.05))
theirs = torch.nn.EmbeddingBag.from_pretrained(ours.tables.item.weight.clone(), freeze=False, mode="sum", sparse=True,
                                               include_last_offset=True)
optimizer = torch.optim.SparseAdam(theirs.parameters(), lr=0.05)
rows = []
for step in range(61):
    batch = item_batch(step % 20, bags=64)
    optimizer.zero_grad()
    loss = loss_of(theirs(batch["item"].values, batch["item"].offsets), step % 20)
    loss.backward()
    optimizer.step()
    mine = loss_of(ours(batch).values, step % 20)
    mine.backward()
    if step % 20 == 0:
        rows.append([step, round(loss.item(), 3), round(mine.item(), 3)])
print("equal rows at the end:", yes(torch.allclose(theirs.weight, ours.tables.item.weight, atol=1e-4)))
print("torch keeps its gradient:", theirs.weight.grad.layout, " we keep none:", yes(not list(ours.parameters())))
Table(["step", "loss, EmbeddingBag and SparseAdam", "loss, fused"], rows)

# %% [markdown]
# What PyTorch itself does not have is the table that no machine holds: sharding, the exchange of ids and rows, updates
# inside of backward on accelerators. That is **TorchRec**, with FBGEMM's kernels. Its `EmbeddingBagCollection`,
# `KeyedJaggedTensor` and sharding planner have the names you have met here, and [the next chapter](11_07_terabyte_embeddings.ipynb) runs it
# for real beside ours. TensorFlow's parameter servers, HugeCTR, PERSIA and XDL are other answers to the same question.
#
# ## Did it stick?
#
# Answer first, then click.
#
# <details><summary><b>A batch has ids 3, 3, 8 in a table of a million rows. How many rows of the gradient are not
# zero, and what is row 3 of it?</b></summary>
# <p>Two. Row 3 is the sum of the gradients at both places.</p></details>
#
# <details><summary><b>Which rule allows one step for each look-up in place of one for their sum?</b></summary>
# <p>Plain SGD: its step is linear in the gradient and keeps no state. With any rule that divides by past gradients the
# two differ.</p></details>
#
# <details><summary><b>Row 9 was named in step 1 and never again. What do SGD, AdaGrad, dense Adam and lazy Adam do
# with it in step 2?</b></summary>
# <p>Dense Adam moves it on. The other three leave it alone.</p></details>
#
# <details><summary><b>A table of 128 columns under row-wise AdaGrad: how much does its state add to the
# rows?</b></summary>
# <p>One number for 128: less than one hundredth.</p></details>
#
# <details><summary><b>The vocabulary grows a thousandfold, the stream stays as it is. What happens to the bytes of a
# step?</b></summary>
# <p>Nothing: a step moves the rows that are asked for. What grows is what must be kept.</p></details>
#
# <details><summary><b>Batches of a real stream touch far fewer rows than its counts predict. What does that tell you
# about the stream?</b></summary>
# <p>Its ids come in bursts, so that look-ups of one batch are not independent. A cache of what was asked for last will do
# well on it.</p></details>
#
# <details><summary><b>100 ids a bag, all different, rows of 64 numbers over 8 owners. Rows or sums?</b></summary>
# <p>Sums: at most 8 for each bag in place of 100 rows.</p></details>
#
# The figures in these answers, computed:

# %%
grad = torch.zeros(10, 1).index_add_(0, torch.tensor([3, 3, 8]), torch.tensor([[1.0], [10.0], [100.0]]))
print("rows of the gradient:", int(grad.any(dim=1).sum()), " row 3:", grad[3].item())
print("state of row-wise AdaGrad:", f"{100 / 128:.2f} % of the rows")

# %% [markdown]
# Now do it yourself: [Lab 6: sparse embedding tables](../labs/lab_06_embeddings.ipynb).
#
# ## Further reading
#
# - J. Duchi, E. Hazan, Y. Singer: *Adaptive Subgradient Methods for Online Learning and Stochastic Optimization*, JMLR
#   2011. AdaGrad, and sparse features as its reason.
# - D. P. Kingma, J. Ba: *Adam: A Method for Stochastic Optimization*, ICLR 2015.
# - T. Mikolov, I. Sutskever, K. Chen, G. Corrado, J. Dean: *Distributed Representations of Words and Phrases and their
#   Compositionality*, NIPS 2013. Negative sampling, and the thinning of common words.
# - M. Naumov et al.: *Deep Learning Recommendation Model for Personalization and Recommendation Systems*, 2019.
# - G. Cormode, S. Muthukrishnan: *An Improved Data Stream Summary: The Count-Min Sketch and its Applications*, 2005.
# - H. B. McMahan et al.: *Ad Click Prediction: a View from the Trenches*, KDD 2013. FTRL, and admitting ids after some
#   sights.
