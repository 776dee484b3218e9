# %% [markdown]
# # 11.0b Gradients together
#
# **The big picture.** [Part one](11_00_communication_patterns.ipynb) was about moving numbers. This part is about what
# moves most of them: training one model on several machines. Every worker computes gradients on its own examples, an
# all-reduce adds them up, and everyone takes the same step. That sentence hides some choices: what exactly is divided
# by what, where the examples come from, what a growing batch does to learning, whether communication can hide behind
# computation, and in how few bytes a gradient can travel before the model notices. Each of them is run here.
#
# **After this chapter you can**
#
# 1. write SGD with an all-reduce so that it equals training on one machine, to the last bit where arithmetic allows it;
# 2. divide a data set among workers, and say what padding does;
# 3. say how far the learning rate may grow with the number of workers, and compute where it stops;
# 4. hide communication behind the backward pass, and predict how much of it cannot be hidden;
# 5. send gradients in fewer bytes, say when that pays, and keep what was lost for the next step;
# 6. put PyTorch's DistributedDataParallel on an all-reduce of your own.
#
# **Before you start** you should know the patterns of part one, what SGD and back-propagation do, and how a PyTorch
# module and its `backward` are used. **Time:** an hour and a half to read, under a minute to run.
#
# Four times you are asked for a number before a run shows one. Write yours in place of the `...`.

# %%
import gzip
import inspect
import os
import tempfile

import numpy as np
import torch
from IPython.display import display
from sklearn.datasets import load_digits
from torch import nn

from pslab import collectives, cost, viz
from pslab.collectives import ddp
from pslab.collectives.compress import (ErrorFeedback, GradientExchange, Half, OneBit, PowerSGD,
                                        TopK, Uncompressed)
from pslab.comm import Link, ProcessWorld, SimWorld
from pslab.data import Partition
from pslab.grade import predict, reveal
from pslab.train import Adam, DataServer, DataWorker, Momentum, allreduce_sgd, serve_data
from pslab.viz import Table

# %%
torch.set_num_threads(1)


def yes(truth):
    return "yes" if truth else "NO"


# %% [markdown]
# ## 1. SGD with an all-reduce · *Beginner*
#
# One step of mini-batch SGD is $w \leftarrow w - \eta\,\frac{1}{B}\sum_{i\in\text{batch}}\nabla f_i(w)$. A sum can be
# computed in parts. So cut the batch into $K$ shares, let every worker sum over its own share, all-reduce the sums,
# and let *everyone* take the step. All workers begin with the same weights and add the same number, so they stay equal
# without ever comparing notes. That is the whole algorithm, and here it is, for a linear model.


# %%
def all_reduce_sgd(comm, batches, lr):
    w = torch.zeros(batches[0][0].shape[1], dtype=torch.float64)   # the same everywhere
    for x, y in batches:
        mine_x = x.tensor_split(comm.world_size)[comm.rank]        # this worker's share
        mine_y = y.tensor_split(comm.world_size)[comm.rank]
        gradient = mine_x.T @ (mine_x @ w - mine_y)                # a sum over the share
        collectives.all_reduce(comm, gradient, algorithm="ring")   # a sum over the batch
        w -= lr * gradient / len(x)                                # divided once, by the whole B
    return w


# %% [markdown]
# Does it compute what one machine would? A test with ordinary numbers could only say "nearly", because sums of rounded
# numbers depend on their order. So the data here are small whole numbers, and batch size and learning rate are powers
# of two: then every intermediate result fits into 64 bits *exactly*, and the order cannot matter. Eight examples a
# batch, among 1 to 11 workers.

# %%
generator = torch.Generator().manual_seed(5)
whole = [(torch.randint(-2, 3, (8, 3), generator=generator).double(),
          torch.randint(-4, 5, (8,), generator=generator).double()) for _ in range(4)]
alone = SimWorld(1).run(all_reduce_sgd, whole, 2.0**-4).results[0]
rows = []
for K in (1, 2, 3, 5, 8, 11):
    results = SimWorld(K).run(all_reduce_sgd, whole, 2.0**-4).results
    shares = [len(share) for share in torch.arange(8).tensor_split(K)]
    rows.append([K, " ".join(map(str, shares)), yes(all(torch.equal(w, alone) for w in results))])
Table(["workers", "examples of each", "all equal to one machine, bit for bit"], rows)

# %% [markdown]
# Also with unequal shares, also with eleven workers of whom three have nothing to do. And with ordinary numbers? The
# next cell adds noise to the same data: what is left is rounding.

# %%
noisy = [(x + torch.randn(x.shape, generator=generator, dtype=torch.float64), y) for x, y in whole]
alone_noisy = SimWorld(1).run(all_reduce_sgd, noisy, 2.0**-4).results[0]
for K in (2, 3, 5):
    w = SimWorld(K).run(all_reduce_sgd, noisy, 2.0**-4).results[0]
    gap = float((w - alone_noisy).abs().max())
    print(f"{K} workers: largest difference {'below 1e-14' if gap < 1e-14 else 'LARGE'}")

# %% [markdown]
# ### Three ways to divide wrongly
#
# The last line of the algorithm divides once, by the batch of *all* workers. Each of the following looks just as good
# and trains something else. Look at the second line: with equal shares it would be right, and it is what most
# programs do.


# %%
def wrong_sgd(comm, batches, lr, how):
    w = torch.zeros(3, dtype=torch.float64)
    for x, y in batches:
        mine_x, mine_y = (t.tensor_split(comm.world_size)[comm.rank] for t in (x, y))
        gradient = mine_x.T @ (mine_x @ w - mine_y)
        if how != "never divided":
            gradient /= len(mine_x)                                # a mean over the share
        collectives.all_reduce(comm, gradient, algorithm="ring")
        divisions = {"never divided": 0, "mean of means": 1, "divided twice": 2}[how]
        w -= lr * gradient / comm.world_size**divisions
    return w


rows = [["sum, divided by B", 0.0, 0.0]]
for how in ("mean of means", "divided twice", "never divided"):
    off = [float((SimWorld(K).run(wrong_sgd, whole, 2.0**-4, how).results[0] - alone).abs().max())
           for K in (4, 3)]
    rows.append([how, *off])
Table(["the gradient is", "off, 4 workers (2 2 2 2)", "off, 3 workers (3 3 2)"], rows,
      note="largest difference of a weight from training on one machine, after four steps")

# %% [markdown]
# A mean of means is the mean only if all shares are equally large. That is why data loaders like to drop the rest of a
# data set, or to pad it. Dividing twice is a smaller learning rate in disguise; never dividing, one that grows with the
# batch.
#
# **Momentum and Adam** change only the last line. Their state is never sent: equal gradients keep equal states equal.
# The kit's `allreduce_sgd` does this for any PyTorch model. Three workers against `torch.optim` on one machine, the
# whole-numbered data again:


# %%
def trained(comm, rule):
    model = nn.Linear(3, 1).double()
    nn.init.zeros_(model.weight), nn.init.zeros_(model.bias)
    allreduce_sgd(comm, model, lambda model, x, y: (model(x)[:, 0] - y).square().sum() / 2,
                  whole, rule=rule)
    return torch.cat([model.weight.detach()[0], model.bias.detach()])


def by_torch(make):
    model = nn.Linear(3, 1).double()
    nn.init.zeros_(model.weight), nn.init.zeros_(model.bias)
    optimizer = make(model.parameters())
    for x, y in whole:
        optimizer.zero_grad()
        ((model(x)[:, 0] - y).square().sum() / 2 / len(x)).backward()
        optimizer.step()
    return torch.cat([model.weight.detach()[0], model.bias.detach()])


# %%
pairs = {"SGD": (Momentum(2.0**-4, 0.0), lambda p: torch.optim.SGD(p, 2.0**-4)),
         "momentum 1/2": (Momentum(2.0**-4, 0.5), lambda p: torch.optim.SGD(p, 2.0**-4, 0.5)),
         "Adam": (Adam(0.01), lambda p: torch.optim.Adam(p, 0.01))}
rows = []
for name, (rule, make) in pairs.items():
    ours, theirs = SimWorld(3).run(trained, rule).results[0], by_torch(make)
    gap = float((ours - theirs).abs().max())
    rows.append([name, yes(torch.equal(ours, theirs)) if name != "Adam" else "not asked",
                 "0" if gap == 0 else "below 1e-6" if gap < 1e-6 else "LARGE"])
Table(["rule", "bit for bit", "largest difference"], rows)

# %% [markdown]
# Adam takes square roots, whose results do not fit into any number of bits, so there one can only ask for "nearly". All
# this equals *mini-batch* SGD with the same global batch. It does not equal SGD with one example at a time, and not a
# batch of one worker's size either: a batch that grows with the workers is the subject of section 3.


# %% [markdown]
# ## 2. Where the examples come from · *Beginner*
#
# The workers need different examples, and there are two ways to see to that. The first: **partition** the data set. All
# workers shuffle the row numbers with the *same* seed and deal them out like cards; nobody has to send anything. Ten
# rows among four workers:

# %%
ten_rows = Partition(10, 4, seed=2)
print(ten_rows.text(epoch=0))
print()
print(ten_rows.text(epoch=1))

# %% [markdown]
# Four does not divide ten. With padding two rows are dealt twice, so that all workers take equally many steps: an
# all-reduce needs everyone in the call. The price is that those two rows count double in this epoch; in the next, other
# rows do. The alternative is to leave two rows out. Check what must hold: the shares are disjoint but for the padding,
# together they are the data set, and the order is another one in each epoch. And what if every worker shuffles with a
# seed of its *own*, which is easily done by mistake?

# %%
def seen(shares, rows):
    dealt = torch.cat(shares)
    counts = torch.bincount(dealt, minlength=rows)
    return [len(dealt), int((counts == 0).sum()), int((counts > 1).sum())]


rows = []
for name, at_end in (("one seed, padded", "pad"), ("one seed, rest dropped", "drop")):
    partition = Partition(1797, 4, at_end=at_end)
    rows.append([name, *seen([partition.of(rank, 0) for rank in range(4)], 1797)])
own = [Partition(1797, 4, seed=100 + rank).of(rank, 0) for rank in range(4)]
rows.append(["each worker its own seed", *seen(own, 1797)])
Table(["1,797 rows, 4 workers", "rows dealt", "rows nobody has", "rows dealt twice or more"], rows)

# %% [markdown]
# With seeds of their own, nearly a third of the rows is seen by nobody in this epoch, and nothing complains.
#
# The second way: **training-data servers**. One or more ranks hold the rows and hand out a batch to whoever asks. Now
# data travel, through the server's port. In exchange a slow worker simply asks less often. Here three workers share 960
# rows, and one of them needs three times as long for a batch. Look at both pictures: who waits, and who works?


# %%
def from_partition(comm, batch_s):
    mine = Partition(960, comm.world_size).of(comm.rank, epoch=0)
    for _ in mine.split(32):
        comm.compute(batch_s[comm.rank])
    return len(mine)


def from_server(comm, batch_s):
    if comm.rank == 3:                               # the last rank holds the data
        return serve_data(comm, DataServer([pixels_of_rows], batch=32), workers=range(3))
    worker = DataWorker(comm, servers=[3])
    for _ in worker.epoch(0):
        comm.compute(batch_s[comm.rank])
    worker.close()
    return worker.rows


pixels_of_rows = torch.zeros(960, 64)
batch_s = [1e-3, 1e-3, 3e-3]                         # seconds a batch; the last worker is slow
parted = SimWorld(3).run(from_partition, batch_s)
served = SimWorld(4).run(from_server, batch_s)
viz.timeline(parted, title="Partitioned: equal shares", names=["worker 0", "worker 1", "slow one"])

# %%
viz.timeline(served, title="Served: who is quick asks more often",
             names=["worker 0", "worker 1", "slow one", "server"])

# %%
copy_bytes = pixels_of_rows.numel() * 4
Table(["way", "rows of each worker", "time (ms)", "bytes on the network", "bytes stored"],
      [["partitioned", " ".join(map(str, parted.results)), 1e3 * parted.seconds,
        parted.ledger.total(), 3 * copy_bytes],
       ["served", " ".join(map(str, served.results[:3])), round(1e3 * served.seconds, 2),
        served.ledger.total(), copy_bytes]],
      note="another shuffle in each epoch needs the whole data set on every machine")

# %% [markdown]
# The server evens out the speeds and keeps one copy. It sends every row over the network, once an epoch, and the
# workers no longer take equally many steps, so a step that ends with an all-reduce of *everybody* does not fit. That is
# why SGD with all-reduce nearly always goes with a partition, and data servers with updates that do not wait.


# %% [markdown]
# ## 3. The batch grows with the workers · *Intermediate*
#
# Add workers and keep the share of each: the batch grows. A step then sees more examples, so the gradient is less
# noisy; but one pass through the data has fewer steps. To get as far, each step must be longer. *Linear scaling* says:
# with $K$ times the batch, take $K$ times the learning rate. Why should that work? $K$ small steps in a row go to about
# the same place as one step along the sum of their gradients, as long as the gradients hardly change on the way.
#
# That cannot go on for ever. A step that is too long overshoots: on a surface whose strongest curvature is $\lambda$,
# gradient descent is unstable above a rate of $2/\lambda$, however good the gradient is. Here is a classifier of
# handwritten digits (1,797 pictures of eight by eight pixels, from scikit-learn), for which $\lambda$ at the start can
# be computed.

# %%
pixels, labels = load_digits(return_X_y=True)
order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
pixels = torch.tensor(np.c_[pixels / 16, np.ones(len(pixels))]).float()[order]
labels = torch.tensor(labels)[order]
train_x, train_y, test_x, test_y = pixels[:1437], labels[:1437], pixels[1437:], labels[1437:]

curvature = float(torch.linalg.eigvalsh(train_x.T @ train_x / len(train_x)).max()) / 10
LR, SHARE = 0.1, 16                                  # of one worker
print(f"largest curvature {curvature:.2f}: unstable above a rate of {2 / curvature:.2f}")

# %% [markdown]
# One worker learns with rate 0.1 and 16 examples a step. If the rate grows with the workers, at how many workers do you
# expect trouble? The numbers are above.

# %%
my_workers = ...
predict("11.0b", "workers at which the scaled rate reaches the limit", my_workers, unit="workers")

# %%
limit = 2 / curvature / LR
_ = reveal("11.0b", "workers at which the scaled rate reaches the limit", lambda: round(limit, 1))

# %% [markdown]
# Now five passes through the data with 1 to 48 workers, with a fixed rate and with one that grows. Because section 1
# has shown that $K$ workers do exactly what one machine does with the whole batch, one machine is enough to compute it.


# %%
def passes(batch, lr, count=5):
    """Training loss after `count` passes of softmax regression with SGD."""
    generator = torch.Generator().manual_seed(0)
    W = torch.zeros(65, 10)
    for _ in range(count):
        shuffled = torch.randperm(len(train_y), generator=generator)
        for i in shuffled[:len(shuffled) // batch * batch].split(batch):
            error = torch.softmax(train_x[i] @ W, 1)
            error[torch.arange(batch), train_y[i]] -= 1
            W -= lr * train_x[i].T @ error / batch
    return float(nn.functional.cross_entropy(train_x @ W, train_y))


workers = [1, 2, 4, 8, 12, 16, 24, 32, 48]
losses = {"same rate": [passes(SHARE * K, LR) for K in workers],
          "rate × K": [passes(SHARE * K, LR * K) for K in workers]}
viz.curve(workers, losses, log="x", rows=9,
          xlabel="workers K (count)", ylabel="training loss (nats)",
          title="Five passes through the digits, batch 16 K", mark=(limit, "2/λ is reached"),
          looks={"same rate": "other", "rate × K": "allreduce"})

# %% [markdown]
# With the same rate, more workers learn less in the same five passes: they take fewer steps and no longer ones. With
# the scaled rate the loss hardly moves over the first dozen of workers. Near $2/\lambda$ it begins to rise, and beyond
# it the promise is over: now more workers make things worse. The remedies in use (raising the rate slowly at the start,
# rates per layer) move this limit; they do not remove it. Past a certain batch, more workers stop helping, however fast
# the network is.


# %% [markdown]
# ## 4. Hide it: overlap · *Intermediate*
#
# A gradient does not appear all at once. The backward pass goes through the layers from the last to the first, and the
# gradient of the last layer is complete while all others are still to be computed. So its all-reduce can begin. With
# `async_op=True` a collective returns at once with a handle, travels in the background, and `wait()` says when it is
# done.
#
# Below, four layers take 2.5 ms each to compute, and the all-reduce of each layer 2 ms. First everything in turn. Look
# how long the ports do nothing.

# %%
PORT = Link(latency_s=0, overhead_s=0, bandwidth_Bps=125e6)          # 1 Gbit/s
ELEMENTS = 62_500                                    # of a layer: 250 kB, 2 ms for two ranks


def in_turn(comm, layers=4, layer_s=2.5e-3):
    gradients = [torch.ones(ELEMENTS) for _ in range(layers)]
    for _ in gradients:
        comm.compute(layer_s)                        # the backward pass of a layer
    for gradient in gradients:
        collectives.all_reduce(comm, gradient, algorithm="ring")
    return [gradient[0].item() for gradient in gradients]


turn = SimWorld(2, link=PORT).run(in_turn)
viz.timeline(turn, title="First compute, then communicate")

# %% [markdown]
# And now each all-reduce starts as soon as its layer is done. How many milliseconds will the step take?

# %%
my_ms = ...
predict("11.0b", "a step of four layers with overlap", my_ms, unit="ms")


# %%
def overlapped(comm, layers=4, layer_s=2.5e-3):
    gradients, works = [torch.ones(ELEMENTS) for _ in range(layers)], []
    for gradient in gradients:
        comm.compute(layer_s)
        works.append(collectives.all_reduce(comm, gradient, algorithm="ring", async_op=True))
    for work in works:
        work.wait()
    return [gradient[0].item() for gradient in gradients]


both = SimWorld(2, link=PORT).run(overlapped)
_ = reveal("11.0b", "a step of four layers with overlap", lambda: round(1e3 * both.seconds, 3))
print("same sums:", yes(both.results == turn.results),
      f"  in turn {1e3 * turn.seconds:g} ms, overlapped {1e3 * both.seconds:g} ms")

# %%
viz.timeline(both, title="Each layer travels while the next one is computed")

# %% [markdown]
# Three of the four transfers are hidden completely. The last one cannot be: when the first layer of the network has its
# gradient, there is nothing left to compute behind which it could hide. So the step takes the longer of the two, plus
# one piece that sticks out. Smaller pieces stick out less and pay α more often: that is what *buckets* are about (next
# section).


# %% [markdown]
# ### For real
#
# Two processes, their ports held to 1 Gbit/s, 10 MB of gradients in four pieces, and matrix products for a backward
# pass. What share of the shorter of the two, computing and communicating, is hidden? Your machine has its own numbers
# here.


# %%
def step(comm, how, products):
    """Seconds of a step: 'compute' or 'communicate' alone, 'in turn', or 'overlapped'."""
    square = torch.full((256, 256), 1 / 256)
    gradients, works = [torch.ones(625_000) for _ in range(4)], []
    comm.barrier()
    start = comm.now()
    for gradient in gradients:
        for _ in range(products if how != "communicate" else 0):
            square = square @ square
        if how == "overlapped":
            works.append(collectives.all_reduce(comm, gradient, algorithm="ring", async_op=True))
    for gradient in gradients if how in ("communicate", "in turn") else ():
        collectives.all_reduce(comm, gradient, algorithm="ring")
    for work in works:
        work.wait()
    comm.barrier()
    return comm.now() - start


# %% tags=["nbval-ignore-output"]
with ProcessWorld(2, link=PORT) as pair:
    def quickest(how, products):
        return min(max(pair.run(step, how, products).results) for _ in range(3))

    products = max(1, round(20 * 0.1 / quickest("compute", 20)))     # about 100 ms of them
    took = {how: quickest(how, products)
            for how in ("compute", "communicate", "in turn", "overlapped")}
assert 0 < took["overlapped"] < 3 * took["in turn"]
hidden = (took["in turn"] - took["overlapped"]) / min(took["compute"], took["communicate"])
print(f"{100 * max(hidden, 0):.0f} % of the shorter one was hidden")
viz.bars(list(took), {"two processes": [1e3 * seconds for seconds in took.values()]}, unit="ms",
         quantity="time", title="A step on links of 1 Gbit/s, measured",
         looks={"compute": "ink", "communicate": "amber", "in turn": "other",
                "overlapped": "hybrid"})

# %% [markdown]
# One after the other the two times add up. Overlapped, a step takes less than their sum and more than the longer of the
# two: the last piece sticks out, and to add up and to copy what arrives takes the processors some of their time.
#
# ### One step late
#
# Overlap within a step always leaves the last piece over, and all of it where a model is one single layer. One can go
# further: use the sum of the *previous* step while this one travels, a **delayed** all-reduce. Nobody waits for what
# was sent just now. Ten steps of 10 ms computing and 8 ms communicating:

# %%
def steps(comm, delayed, count=10):
    late, sums = collectives.DelayedAllReduce(comm), []
    for t in range(count):
        comm.compute(10e-3)
        gradient = torch.full((250_000,), float(t + comm.rank))
        if delayed:
            sums += late.exchange([gradient]) or []                # of the step before
        else:
            collectives.all_reduce(comm, gradient, algorithm="ring")
            sums.append(gradient)
    sums += late.drain() or []
    return [int(total[0]) for total in sums]


exact, delayed = (SimWorld(2, link=PORT).run(steps, how) for how in (False, True))
print(f"exact   {1e3 * exact.seconds:.0f} ms   sums {exact.results[0]}")
print(f"delayed {1e3 * delayed.seconds:.0f} ms   sums {delayed.results[0]}")

# %% [markdown]
# No sum is lost, each comes one step later, and the ports work all the time. The price is paid elsewhere: a step along
# a gradient that was computed at an older place. On a surface with curvature $\lambda$ the rate must stay below
# $1/\lambda$, half of what exact gradients allow. Least squares on the digits, 200 steps, at 0.9 and at 1.1 times each
# limit:


# %%
targets = nn.functional.one_hot(train_y, 10).float()
steepest = float(torch.linalg.eigvalsh(train_x.T @ train_x / len(train_x)).max())


def descend(comm, rate, is_late):
    W, late = torch.zeros(65, 10), collectives.DelayedAllReduce(comm)
    x, t = (part.tensor_split(comm.world_size)[comm.rank] for part in (train_x, targets))
    for _ in range(200):
        gradient = x.T @ (x @ W - t) / len(train_x)
        if is_late:
            total = (late.exchange([gradient]) or [torch.zeros(65, 10)])[0]
        else:
            total = gradient
            collectives.all_reduce(comm, total, algorithm="ring")
        W -= rate * total
    late.drain()                                     # what still travels is not used any more
    return float((train_x @ W - targets).square().mean())


# %%
rows = []
for name, is_late in (("exact", False), ("one step late", True)):
    limit_rate = collectives.stable_rate(steepest, staleness=int(is_late))
    for share in (0.9, 1.1):
        error = SimWorld(2, trace=False).run(descend, share * limit_rate, is_late).results[0]
        rows.append([name, f"{share} × {limit_rate:.3f}",
                     f"{error:.3f}" if error < 1 else "explodes"])
Table(["gradients", "learning rate", "mean squared error after 200 steps"], rows)

# %% [markdown]
# Both explode just above their own limit and learn just below it. Whether the time saved is worth half the rate is not
# a question of networks, and a subject of its own.


# %% [markdown]
# ## 5. Fewer messages, fewer bytes · *Intermediate*
#
# ### Fusion: fewer messages
#
# Models have many small tensors: biases, norms. Each all-reduce of a ring costs $2(K-1)$ messages however short the
# tensor is. *Fusion* copies neighbours into one bucket and sends the bucket. Here are the parameters of a small network
# of twenty layers, reduced one by one and in buckets of 100 kB. Which column does not change?

# %%
SHAPES = [(64, 64), (64,)] * 20


def reduced(comm, bucket_bytes):
    tensors = [torch.full(shape, float(comm.rank + 1)) for shape in SHAPES]
    return collectives.all_reduce_fused(comm, tensors, bucket_bytes=bucket_bytes)


rows = []
for what, bucket_bytes in (("each tensor alone", 1), ("buckets of 100 kB", 100_000),
                           ("one bucket", 10**7)):
    run = SimWorld(8, trace=False).run(reduced, bucket_bytes)
    rows.append([what, run.results[0], run.ledger.messages(0), run.ledger.port(0)[0],
                 round(1e6 * run.seconds)])
Table(["sent", "all-reduces", "messages of rank 0", "bytes out of its port", "time (µs)"], rows,
      note="eight ranks, 10 µs and 12.5 GB/s, simulated")

# %% [markdown]
# The bytes stay, the messages go. DistributedDataParallel uses buckets of 25 MB: large enough for α, small enough for
# overlap.
#
# ### Compression: fewer bytes
#
# A gradient is a noisy estimate, so why send it with 32 bits a number? Five ways to send less, with $n$ numbers:
#
# | sent | a worker's message | what is lost | combined by |
# | --- | --- | --- | --- |
# | float32 | $4n$ bytes | nothing | all-reduce |
# | bf16 or fp16 | $2n$ | digits; with fp16 also range | all-reduce |
# | one bit | $n/8 + 8$ | all but the sign, and two means | all-gather |
# | top-k | $8k$ | all but the $k$ largest numbers | all-gather |
# | PowerSGD, rank $r$ | $4r(\text{rows}+\text{columns})$ | all but $r$ directions of the matrix | two all-reduces |
#
# The last column matters. Two half-precision numbers can be added on their way. Signs cannot: one bit plus one bit is
# not one bit. Such messages must all go to everybody, an all-gather, and its bytes grow with the number of workers.
#
# So here is a question. A million numbers, one bit each, by an all-gather; against plain float32 in a ring. From how
# many workers on does a port carry *more* with the compression than without?

# %%
my_workers = ...
predict("11.0b", "workers from which one bit a number carries more than 32", my_workers,
        unit="workers")

# %%
n = 1_000_000


def first_heavier():
    return next(K for K in range(2, 1000)
                if cost.one_bit_all_gather(n, K).busiest > cost.ring_all_reduce(n, K).busiest)


_ = reveal("11.0b", "workers from which one bit a number carries more than 32", first_heavier)

# %% [markdown]
# A factor of 32 in the message, and nothing left of it at the size of a small cluster. Look where the lines cross: what
# is combined on the way stays level, what is gathered rises.

# %%
ks = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128]
lines = {"float32": [cost.ring_all_reduce(n, K).busiest / 1e6 for K in ks],
         "bf16": [cost.half_all_reduce(n, K).busiest / 1e6 for K in ks],
         "one bit": [cost.one_bit_all_gather(n, K).busiest / 1e6 for K in ks],
         "top 1 %": [cost.top_k_all_gather(n // 100, K).busiest / 1e6 for K in ks],
         "PowerSGD, rank 2": [cost.power_sgd_all_reduce(1000, 1000, 2, K).busiest / 1e6
                              for K in ks]}
viz.curve(ks, lines, log="xy", rows=7, xlabel="workers K (count)",
          ylabel="busiest port, per direction (MB)",
          title="A gradient of a thousand by a thousand numbers",
          looks={"float32": "allreduce", "bf16": "sky", "one bit": "server", "top 1 %": "gather",
                 "PowerSGD, rank 2": "hybrid"})


# %% [markdown]
# ### What the model notices
#
# Bytes are half of the story; does the model still learn? A network with one hidden layer on the digits, four workers,
# sixty steps, each way to send once. `ErrorFeedback` keeps what a message left out and adds it to the next gradient:
# nothing is lost for good, it is only late. Compare each pair of lines with and without it.


# %%
def learn(comm, make, data, steps=60, rate=0.5, batch=128):
    """(test accuracy, training loss) after `steps` steps with the compressor that `make` makes."""
    train_x, train_y, test_x, test_y = data
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(train_x.shape[1], 64), nn.Tanh(), nn.Linear(64, 10))
    exchange = GradientExchange(comm, net.named_parameters(), make())
    generator = torch.Generator().manual_seed(2)
    for _ in range(steps):
        drawn = torch.randint(len(train_y), (batch,), generator=generator)
        mine = drawn.tensor_split(comm.world_size)[comm.rank]
        net.zero_grad()
        nn.functional.cross_entropy(net(train_x[mine]), train_y[mine]).backward()
        exchange.average()
        with torch.no_grad():
            for parameter in net.parameters():
                parameter -= rate * parameter.grad
    with torch.no_grad():
        right = (net(test_x).argmax(1) == test_y).float().mean()
        return float(right), float(nn.functional.cross_entropy(net(train_x), train_y))


# %%
digits = (train_x, train_y, test_x, test_y)
methods = {
    "float32": Uncompressed, "bf16": lambda: Half("bf16"),
    "one bit, feedback": lambda: ErrorFeedback(OneBit()), "one bit, none": OneBit,
    "top 1 %, feedback": lambda: ErrorFeedback(TopK(ratio=0.01)),
    "top 1 %, none": lambda: TopK(ratio=0.01),
    "PowerSGD, feedback": lambda: ErrorFeedback(PowerSGD(2)), "PowerSGD, none": lambda: PowerSGD(2),
}
rows, bought = [], {}
for name, make in methods.items():
    run = SimWorld(4, trace=False).run(learn, make, digits)
    accuracy, loss = run.results[0]
    sent = run.ledger.busiest_port()[2]
    bought[name] = (sent / 1e6, 100 * accuracy)
    rows.append([name, viz.sized(sent), f"{1e6 * bought['float32'][0] / sent:.1f}",
                 f"{100 * accuracy:.0f} %", f"{loss:.1f}"])
Table(["sent as", "busiest port", "times fewer bytes", "test accuracy", "training loss"], rows,
      note="bytes of sixty steps, and of the one broadcast before them")

# %%
viz.score_against_bytes(bought, xlabel="busiest port (MB)", ylabel="test accuracy (%)",
                        title="What the bytes buy: digits, four workers, sixty steps")

# %% [markdown]
# Left and high is good. With feedback every method comes close to plain training, with an eighth to a sixteenth of the
# bytes. Without it, top-k loses what it does not send, and the accuracy says so. (The initial weights are never
# compressed: they are broadcast whole, because there is no second first step that could mend them.)
#
# Is what was sent plus what was kept *exactly* what was there? With whole numbers it can be checked to the last bit,
# over twenty steps: what was sent in all, plus the residual, is the sum of all gradients.


# %%
def conserved(comm):
    compressor, generator = ErrorFeedback(TopK(k=3)), torch.Generator().manual_seed(comm.rank)
    gradients, sent = torch.zeros(40), torch.zeros(40)
    for _ in range(20):
        gradient = torch.randint(-50, 50, (40,), generator=generator).float()
        before = compressor.residual(comm, "w")
        compressor.exchange(comm, "w", gradient)
        kept = compressor.residual(comm, "w")
        sent += gradient - kept + (0 if before is None else before)
        gradients += gradient
    return torch.equal(sent + kept, gradients), int(kept.abs().sum())


run = SimWorld(3).run(conserved)
for rank, (equal, kept) in enumerate(run.results):
    print(f"worker {rank}: sent + kept = all gradients: {yes(equal)}; still kept: {kept}")
print("bytes of a worker's message:", run.ledger.port(0)[0] // 20 // 2, "= 8 k, sent to two others")

# %% [markdown]
# ### The same with MNIST
#
# If the environment variable `PSLAB_DATA` names a folder with MNIST's test set in it, the next cell trains on eight
# thousand of its pictures and tests on the other two thousand.


# %%
def mnist(folder):
    """MNIST's 10,000 test pictures as (train_x, train_y, test_x, test_y)."""
    with gzip.open(os.path.join(folder, "mnist", "t10k-images-idx3-ubyte.gz")) as file:
        pictures = np.frombuffer(file.read(), np.uint8, offset=16).reshape(10_000, 784)
    with gzip.open(os.path.join(folder, "mnist", "t10k-labels-idx1-ubyte.gz")) as file:
        named = np.frombuffer(file.read(), np.uint8, offset=8)
    x, y = torch.tensor(pictures / 255).float(), torch.tensor(named).long()
    shuffled = torch.randperm(10_000, generator=torch.Generator().manual_seed(3))
    return x[shuffled[:8000]], y[shuffled[:8000]], x[shuffled[8000:]], y[shuffled[8000:]]


# %% tags=["nbval-ignore-output"]
folder = os.environ.get("PSLAB_DATA", "")
if os.path.exists(os.path.join(folder, "mnist", "t10k-images-idx3-ubyte.gz")):
    data, accuracies = mnist(folder), {}
    for name in ("float32", "bf16", "one bit, feedback", "top 1 %, feedback", "top 1 %, none"):
        run = SimWorld(2, trace=False).run(learn, methods[name], data)
        accuracies[name] = 100 * run.results[0][0]
    assert accuracies["float32"] > 80
    display(viz.bars(list(accuracies), {"accuracy": list(accuracies.values())}, unit="%",
                     quantity="test accuracy", title="MNIST, two workers, sixty steps"))
else:
    print("PSLAB_DATA names no folder with MNIST in it; with one, this cell would show the test "
          "accuracy of five ways to send gradients.")

# %% [markdown]
# ### Half precision: what autocast does, and what it does not
#
# Mixed precision is often said to halve the gradients' bytes. Here is a layer that computes under autocast in bf16. The
# gradient of its weight: how many bytes has a number of it?

# %%
my_bytes = ...
predict("11.0b", "bytes of a gradient's number under autocast", my_bytes, unit="B")

# %%
layer = nn.Linear(64, 10)
with torch.autocast("cpu", dtype=torch.bfloat16):
    output = layer(torch.randn(8, 64, generator=torch.Generator().manual_seed(0)))
    loss = output.float().square().mean()
loss.backward()
_ = reveal("11.0b", "bytes of a gradient's number under autocast",
           lambda: layer.weight.grad.element_size())
print("output:", output.dtype, " gradient:", layer.weight.grad.dtype)

# %% [markdown]
# Autocast computes products in half precision, and leaves the gradients of float32 weights in float32. On the wire
# nothing changes, unless a compressor makes it so. And then it matters *which* half: fp16 has more digits, bf16 has the
# range of float32. Four workers add up gradients of one size. How much of the sum arrives?


# %%
def arrives(comm, size, dtype, scale):
    """The share of the true sum that arrives; the gradient is multiplied by `scale` on its way."""
    gradient = torch.full((1000,), size) * (1 + comm.rank)
    with np.errstate(over="ignore"):
        total, _ = Half(dtype).exchange(comm, "w", gradient * scale)
    return float(total[0] / scale) / (size * 10)


rows = []
for size in (1.0, 1e-3, 1e-6, 1e-8, 1e-10, 3e4):
    shares = [SimWorld(4, trace=False).run(arrives, size, dtype, scale).results[0]
              for dtype, scale in (("bf16", 1), ("fp16", 1), ("fp16", 1024))]
    rows.append([f"{size:g}", *("too large" if share > 2 else f"{100 * share:.1f} %"
                                for share in shares)])
Table(["a gradient's number", "bf16", "fp16", "fp16, loss × 1024"], rows)

# %% [markdown]
# In fp16 small gradients arrive wrong, and smaller ones as zero, which is why the loss is multiplied by a large number
# before `backward` and the gradients divided by it after the all-reduce: *loss scaling*. Large ones overflow in the
# sum, and scaling makes that worse, so real scalers lower the factor when they meet an infinity. bf16 needs none of
# this.
#
# ### When does it pay?
#
# Fewer bytes help if bytes are what a step waits for. The figure puts computing and communicating together: a model of
# 25 million parameters (a matrix of five thousand by five thousand), a backward pass of 100 ms, and everything that can
# be hidden is hidden.

# %%
SIDE = 5_000


def step_time(gbit=10, compute_ms=100, overlap=True):
    """Time of a training step against the number of workers, for five ways to send gradients."""
    ks = [2, 4, 8, 16, 32, 64, 128]
    ways = {"float32": lambda K: cost.ring_all_reduce(SIDE**2, K),
            "bf16": lambda K: cost.half_all_reduce(SIDE**2, K),
            "one bit": lambda K: cost.one_bit_all_gather(SIDE**2, K),
            "top 1 %": lambda K: cost.top_k_all_gather(SIDE**2 // 100, K),
            "PowerSGD": lambda K: cost.power_sgd_all_reduce(SIDE, SIDE, 2, K)}
    times = {}
    for name, way in ways.items():
        sending = [1e3 * way(K).seconds(20e-6, gbit * 1e9 / 8) for K in ks]
        times[name] = [max(compute_ms, s) if overlap else compute_ms + s for s in sending]
    return viz.curve(ks, times, log="xy",
                     xlabel="workers K (count)", ylabel="a step, modelled (ms)",
                     title=f"{gbit} Gbit/s, {compute_ms} ms of computing",
                     looks={"float32": "allreduce", "bf16": "sky", "one bit": "server",
                            "top 1 %": "gather", "PowerSGD": "hybrid"})


step_time()

# %% [markdown]
# Now with controls. From which bandwidth on is plain float32 free, because all of it is hidden? Does that change when
# the computer becomes ten times faster and the network does not?

# %% tags=["nbval-ignore-output"]
import ipywidgets

viz.redrawn(step_time, {
    "gbit": ipywidgets.Dropdown(options=[1, 2, 5, 10, 25, 50, 100, 200, 400], value=10,
                                description="Gbit/s"),
    "compute_ms": ipywidgets.IntSlider(100, 10, 500, step=10, description="compute (ms)",
                                       continuous_update=False),
    "overlap": ipywidgets.Checkbox(True, description="overlap"),
})

# %% [markdown]
# A method that saves bytes nobody waits for saves nothing, and it is not free: packing costs time that the model above
# leaves out. Compression is for slow networks and fast computers.


# %% [markdown]
# ## 6. DistributedDataParallel on your own ring · *Advanced*
#
# PyTorch's DistributedDataParallel (DDP) wraps a model so that `backward` averages gradients over the workers. It puts
# them into buckets and all-reduces each bucket as soon as it is full. The all-reduce itself can be replaced, by a
# *communication hook*. So here DDP runs in real processes, first as it is, over Gloo, then on this kit's ring, and then
# on the fifteen lines of part one. The model has two things that such code likes to trip over: a weight that two layers
# share, and a layer that is frozen.


# %%
def my_ring(comm, x):
    """Sum the 1-dimensional tensor x over all ranks, in place: the fifteen lines of part one."""
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    pieces = x.tensor_split(K)
    for step in range(K - 1):
        sending = comm.isend(pieces[(rank - 1 - step) % K], dst=right)
        comm.recv(src=left, out=pieces[(rank - 2 - step) % K], op="sum")
        sending.wait()
    for step in range(K - 1):
        sending = comm.isend(pieces[(rank - step) % K], dst=right)
        comm.recv(src=left, out=pieces[(rank - 1 - step) % K])
        sending.wait()


# %%
class Tied(nn.Module):
    """Two layers with one weight, a frozen one between them, and a head."""

    def __init__(self):
        super().__init__()
        self.first, self.frozen, self.last = (nn.Linear(64, 64) for _ in range(3))
        self.head = nn.Linear(64, 10)
        self.last.weight = self.first.weight
        self.frozen.requires_grad_(False)

    def forward(self, x):
        return self.head(torch.tanh(self.last(torch.tanh(self.frozen(torch.tanh(self.first(x)))))))


# %%
def ddp_losses(comm, x, y, how):
    """(losses of 20 steps, elements of the buckets that the hook saw)."""
    from torch.nn.parallel import DistributedDataParallel
    torch.manual_seed(comm.rank)                     # DDP starts everyone with rank 0's weights
    model, losses = DistributedDataParallel(Tied()), []
    state = None if how is None else ddp.attach(model, comm, how)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.2)
    for batch in range(20):
        mine = slice(batch * 64 + comm.rank, (batch + 1) * 64, comm.world_size)
        loss = nn.functional.cross_entropy(model(x[mine]), y[mine])
        optimizer.zero_grad()
        loss.backward()                              # the hook runs in here
        optimizer.step()
        losses.append(loss.item())
    return losses, state.elements if state else []


# %% [markdown]
# The first call in each process imports what DDP needs, which takes a second or two. The losses should be those of
# stock DDP: bit for bit with two workers, where a sum of two has only one order, and nearly with three.

# %%
def in_group(comm, folder, K, how):
    group = comm.split(0 if comm.rank < K else None)
    if group is None:
        return None
    return ddp.run_in_group(group, ddp_losses, group, train_x[:, :64], train_y, how, folder=folder)


def on_ddp(world, K, how):
    with tempfile.TemporaryDirectory() as folder:
        run = world.run(in_group, folder, K, how)
    return run.results[0], run.ledger


# %%
trio, rows = ProcessWorld(3), []
for K in (2, 3):
    (stock, _), _ = on_ddp(trio, K, None)
    for name, how in (("pslab's ring", ddp.ring), ("fifteen lines", my_ring)):
        (losses, buckets), ledger = on_ddp(trio, K, how)
        gap = max(abs(a - b) for a, b in zip(losses, stock))
        expected = sum(cost.ring_all_reduce(size, K).total for size in buckets)
        words = "bit for bit" if gap == 0 else "below 1e-5" if gap < 1e-5 else "LARGE"
        rows.append([K, name, words, len(buckets), yes(ledger.total("vals") == expected)])
trio.close()
Table(["workers", "all-reduce", "losses against stock DDP", "buckets in 20 steps",
       "bytes are the ring's"], rows)

# %% [markdown]
# PyTorch's own training machinery runs on fifteen lines that you have read, and nothing in the model had to change.
# What the hook must not forget: with a hook DDP no longer divides by $K$. `ddp.attach` does it, once. Whoever also
# divides in the all-reduce trains with gradients that are $K$ times too small.
#
# ## In production
#
# | here | in production |
# | --- | --- |
# | `all_reduce_sgd` of section 1 | `torch.nn.parallel.DistributedDataParallel`; Horovod's `DistributedOptimizer` |
# | `Partition` | `torch.utils.data.DistributedSampler`, with `set_epoch` for a new shuffle |
# | `all_reduce_fused` | `bucket_cap_mb` of DDP, Horovod's fusion buffer |
# | `async_op=True` | the same name in `torch.distributed`; DDP uses it inside |
# | `Half("bf16")`, `PowerSGD` | `bf16_compress_hook`, `powerSGD_hook`: communication hooks of DDP |
# | loss scaling | `torch.amp.GradScaler` |
# | reduce-scatter, own step, all-gather | `FullyShardedDataParallel`, ZeRO |
#
# PyTorch's PowerSGD and half-precision hooks exist, and here is the proof that they are installed:

# %%
from torch.distributed.algorithms.ddp_comm_hooks import default_hooks, powerSGD_hook

for hook in (default_hooks.fp16_compress_hook, default_hooks.bf16_compress_hook,
             powerSGD_hook.powerSGD_hook):
    words = inspect.signature(hook).parameters
    print(f"{hook.__name__:20} takes ({', '.join(words)})")

# %% [markdown]
# ### What is often said
#
# | often said | what the cells show | where |
# | --- | --- | --- |
# | SGD with all-reduce equals sequential SGD | it equals mini-batch SGD with the *global* batch | 1 |
# | synchronous training gives exactly the model of one machine | but for the order of sums, and batch norm | 1 |
# | the same hyper-parameters can be used | only at an equal global batch | 1, 3 |
# | the learning rate is scaled automatically when workers join | somebody has to do it, in a callback of the user | 3 |
# | workers idle while gradients travel | not with overlap, which DDP does by default | 4 |
# | DDP all-reduces each gradient tensor | it all-reduces buckets | 5, 6 |
# | mixed precision halves the traffic | gradients stay float32; it takes a hook to send less | 5 |
# | NCCL compresses to fp16 or fp8 | these are data types that it can add, not a compression that it does | 5 |
# | one bit a number is 32 times less traffic | for two workers; gathered messages grow with every worker | 5 |
# | fully sharded training broadcasts weights | it all-gathers them, and reduce-scatters gradients | part one |
#
# ## Did it stick?
#
# Answer first, then click.
#
# <details><summary><b>Four workers have 10, 10, 10 and 2 examples and average their mean gradients. What is
# wrong?</b></summary>
# <p>The two examples count five times as much as the others. Sum over examples, divide once by 32.</p></details>
#
# <details><summary><b>A step computes for 30 ms and communicates for 50 ms, in ten equal layers, perfectly overlapped.
# How long is it?</b></summary>
# <p>53 ms: the first layer's 3 ms, before anything can be sent, and then the 50 of the ports.</p></details>
#
# <details><summary><b>Your rate is 0.1 at 8 workers, and the loss explodes at 64 with rate 0.8. What do you
# try?</b></summary>
# <p>A smaller rate, or one that rises slowly; the limit 2/λ does not grow with the workers. And ask whether 64 help at
# all.</p></details>
#
# <details><summary><b>Top-k without error feedback trains badly. Which gradients does it never send?</b></summary>
# <p>Those that are small in every step, even if they always point the same way. With feedback they add up until they
# are among the largest.</p></details>
#
# <details><summary><b>Why can bf16 messages be added in a ring, and one-bit messages not?</b></summary>
# <p>The sum of two bf16 numbers is again a bf16 number, rounded. The sum of two signs is no sign.</p></details>
#
# <details><summary><b>A residual is kept under the name of a parameter. What goes wrong if two workers share it, or two
# parameters?</b></summary>
# <p>One would be sent what the other owes: sums are no longer conserved, and nothing complains.</p></details>
#
# The figures in these answers, computed:

# %%
layers, compute_ms, send_ms = 10, 30, 50
print(f"overlapped: {compute_ms / layers + send_ms:g} ms")
print(f"examples:   {10 + 10 + 10 + 2}, and each of the two counts {10 / 2:g} times as much")

# %% [markdown]
# Now do it yourself: [Lab 0B: collectives at work](../labs/lab_00b_collectives_at_work.ipynb).
#
# ## Further reading
#
# - P. Goyal et al.: *Accurate, Large Minibatch SGD: Training ImageNet in 1 Hour*, arXiv 1706.02677, 2017. Linear
#   scaling.
# - C. J. Shallue et al.: *Measuring the Effects of Data Parallelism on Neural Network Training*, Journal of Machine
#   Learning Research, 2019. Where larger batches stop to help.
# - S. Li et al.: *PyTorch Distributed: Experiences on Accelerating Data Parallel Training*, VLDB 2020. Buckets,
#   overlap.
# - F. Seide, H. Fu, J. Droppo, G. Li, D. Yu: *1-Bit Stochastic Gradient Descent and its Application to Data-Parallel
#   Distributed Training of Speech DNNs*, Interspeech 2014. Error feedback.
# - S. P. Karimireddy, Q. Rebjock, S. Stich, M. Jaggi: *Error Feedback Fixes SignSGD and other Gradient Compression
#   Schemes*, ICML 2019.
# - T. Vogels, S. P. Karimireddy, M. Jaggi: *PowerSGD: Practical Low-Rank Gradient Compression for Distributed
#   Optimization*, NeurIPS 2019.
# - P. Micikevicius et al.: *Mixed Precision Training*, ICLR 2018. Loss scaling.
