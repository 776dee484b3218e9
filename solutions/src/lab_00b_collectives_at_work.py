# %% [markdown]
# # Lab 0B: collectives at work
#
# In lab 0A you wrote a ring from `send` and `recv`. Here four things are built on such programs: the all-to-all that a
# sharded embedding needs, gradients of which only the largest numbers travel, PyTorch's DistributedDataParallel over a
# ring of your own, and messages that travel while the machine computes.
#
# **After this lab you can**
#
# 1. write an all-to-all that sends every part over one link, once;
# 2. compress a gradient without losing any of it, and say to the byte what travels;
# 3. put your own all-reduce under DistributedDataParallel, and show that the training is the same;
# 4. hide communication behind computation, and predict the time that is left.
#
# **Before you start:** lab 0A, or sections 1 to 5 of chapter 11.0. 0B.1 is needed in lab 7; the rest may wait until
# after lab 5.
# **Time:** 60 minutes for the core, 150 for everything.
#
# | | | points | minutes | |
# | --- | --- | --- | --- | --- |
# | 0B.1 | All-to-all, pairwise | 20 | 25 | core |
# | 0B.2 | The k largest, and nothing lost | 25 | 45 | optional |
# | 0B.3 | DistributedDataParallel on your ring | 25 | 35 | core |
# | 0B.4 | Send while you compute | 20 | 30 | optional |
#
# Write your answer where a cell says `raise NotImplementedError`, then run the check below it. A check prints what
# was expected and what was seen, and shows your own run; it never stops the notebook. Stuck? `pslab hint 0B.1` in a
# terminal (`source .venv/bin/activate` first) shows one hint more each time. The `comm` of the checks has `rank`,
# `world_size`, `send`, `recv`, `isend`, `irecv`, `compute` and `now`, and nothing else: collectives are what you build.
# Where a cell asks for a number *before* a run, commit to one: a wrong prediction costs no points.

# %%
import tempfile

import torch
from torch.nn.parallel import DistributedDataParallel

import pslab
from pslab.collectives import ddp
from pslab.comm import Link, ProcessWorld, SimWorld
from pslab.grade import check, predict, reveal

torch.set_num_threads(1)
LINK = Link(latency_s=0.0, overhead_s=10e-6, bandwidth_Bps=1e9)   # a message of n bytes: 10 µs + n ns on its two ports

# %% [markdown]
# ## 0B.1 All-to-all, pairwise
#
# *20 points · 25 minutes · core*
#
# **Goal.** Every rank has one part for every rank, and ends with the parts that are for itself. With a row for each
# sender and a column for each receiver, each rank has a row and wants a column. $K = 3$:
#
# | | for 0 | for 1 | for 2 | | | from 0 | from 1 | from 2 |
# | --- | --- | --- | --- | --- | --- | --- | --- | --- |
# | **rank 0 has** | 00 | 01 | 02 | | **rank 0 gets** | 00 | 10 | 20 |
# | **rank 1 has** | 10 | 11 | 12 | | **rank 1 gets** | 01 | 11 | 21 |
# | **rank 2 has** | 20 | 21 | 22 | | **rank 2 gets** | 02 | 12 | 22 |
#
# Parts may have any length, also none, and a receiver does not know the lengths beforehand; a message brings its shape
# along. Every part travels over the one link from its owner to its target, in one message. What is for yourself does
# not travel.
#
# **Worked example.** Two ranks: rank 0 has `[[0], [1, 2]]` and rank 1 has `[[3, 4], []]`. Rank 0 returns `[[0], [3, 4]]`,
# rank 1 `[[1, 2], []]`, and 16 bytes have travelled.


# %% answer="0B.1"
def all_to_all(comm, parts):
    """parts[q], a tensor of any length, is for rank q. Returns the K tensors for this rank, entry r from rank r."""
    ### BEGIN SOLUTION
    K, rank = comm.world_size, comm.rank
    result = [None] * K
    result[rank] = parts[rank]
    for step in range(1, K):
        dst, src = (rank + step) % K, (rank - step) % K
        sending = comm.isend(parts[dst], dst)
        result[src] = comm.recv(src)
        sending.wait()
    return result
    ### END SOLUTION


# %% check="0B.1"
check("0B.1", all_to_all)

# %% [markdown]
# What it is for: a table of rows is spread over four ranks, row $i$ on rank $i \bmod 4$. Each rank wants some rows, so it
# sends each owner the ids that it wants, and the owners send rows back: two all-to-alls. Look at the last column of the
# output: every rank has its rows, in its own order.


# %%
def look_up(comm, ids, dim=4):
    """Rows of the given ids, (L, dim), from a table of which rank r holds rows r, r + K, r + 2K, …; row i is i, i, …."""
    K = comm.world_size
    wanted = [ids[ids % K == owner] for owner in range(K)]
    asked = all_to_all(comm, wanted)                                            # ids, to their owners
    rows = [i[:, None].expand(-1, dim).float().contiguous() for i in asked]     # what an owner holds
    found = torch.cat(all_to_all(comm, rows))                                   # and back again
    place = torch.cat([torch.nonzero(ids % K == owner).flatten() for owner in range(K)])
    return torch.empty_like(found).index_copy_(0, place, found)


# %% needs="0B.1"
batches = [torch.tensor(ids) for ids in ([5, 2, 7, 2], [0, 4, 8], [11], [3, 6, 1, 9, 10])]
run = SimWorld(4, link=LINK).run(look_up, per_rank=[(ids,) for ids in batches])
for ids, rows in zip(batches, run.results):
    print("ids", ids.tolist(), " rows", rows[:, 0].int().tolist())

# %% needs="0B.1"
pslab.viz.links(run.ledger, title="A look-up: ids there, rows back, each over one link")

# %% needs="0B.1"
pslab.viz.spacetime(run, title="Two all-to-alls: in each step nobody is asked by two", rows=4)

# %% [markdown]
# An all-gather would do it too: everyone sends all that it has to everyone, and each picks what is its own. Eight ranks,
# with a part of equal length for each. How many times the bytes of the all-to-all would travel? Commit, then count.

# %% answer="0B.1"
times_the_bytes = ...
### BEGIN SOLUTION
times_the_bytes = 8
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("0B.1", "bytes of the all-gather over those of the all-to-all", times_the_bytes, unit="times")


# %%
def everything_to_everyone(comm, parts):
    """The same result by an all-gather of whole rows."""
    gathered = pslab.collectives.all_gather(comm, torch.cat(parts))
    return [row.split([len(part) for part in parts])[comm.rank] for row in gathered]


def bytes_of(program, K=8, n=100):
    return SimWorld(K).run(program, [torch.zeros(n) for _ in range(K)]).ledger.total()


# %% needs="0B.1"
_ = reveal("0B.1", "bytes of the all-gather over those of the all-to-all",
           lambda: bytes_of(everything_to_everyone) / bytes_of(all_to_all), unit="times")

# %% [markdown]
# $K$ times: of each row that arrives, $K-1$ of $K$ parts are for somebody else.
#
# ## 0B.2 The k largest, and nothing lost
#
# *25 points · 45 minutes · optional*
#
# **Goal.** Of a gradient only the $k$ numbers of largest magnitude travel. The others are not thrown away: they stay in
# a *residual* and are added to the next gradient of the same parameter. On each worker, in each step:
#
# $$\text{corrected} = \text{gradient} + \text{residual}, \qquad
#   \text{sent} = \text{corrected at its } k \text{ largest places}, \qquad
#   \text{residual} \leftarrow \text{corrected} - \text{sent}$$
#
# and every worker returns the sum of what all workers sent. So, over all steps and workers, $\sum$ sent + residuals =
# $\sum$ gradients: exactly, for whole numbers. This is called *error feedback*.
#
# Write two functions. `largest` chooses: of equal magnitudes the lower place goes first. `sparse_sum` is called once for
# every parameter in every step. To each other worker it sends $k$ places (int32) and $k$ values (float32): $8k$ bytes.
# `residuals` is this worker's own dictionary, empty before the first step; what you leave in `residuals[name]` is there
# when the function is called for the same parameter again.
#
# **Worked example.** One worker, $k = 1$:
#
# | step | gradient | residual before | corrected | returned | residual after |
# | --- | --- | --- | --- | --- | --- |
# | 1 | 3, −5 | 0, 0 | 3, −5 | 0, −5 | 3, 0 |
# | 2 | 3, 1 | 3, 0 | 6, 1 | 6, 0 | 0, 1 |


# %% answer="0B.2"
def largest(x, k):
    """(places (k,) int32, values (k,) float32) of the k largest magnitudes of x (P,), all of them when P < k."""
    ### BEGIN SOLUTION
    at = torch.sort(x.abs(), descending=True, stable=True).indices[:k]   # stable: equal ones stay in order
    return at.int(), x[at]
    ### END SOLUTION


def sparse_sum(comm, name, gradient, k, residuals):
    """(P,): the sum over all workers of what they sent of the parameter `name`; gradient (P,) stays as it is."""
    ### BEGIN SOLUTION
    corrected = gradient + residuals.get(name, 0)
    at, values = largest(corrected, k)
    others = [q for q in range(comm.world_size) if q != comm.rank]
    sending = [comm.isend(part, q, tag) for q in others for tag, part in enumerate((at, values))]
    total = torch.zeros_like(gradient).index_add_(0, at, values)
    for q in others:
        total.index_add_(0, comm.recv(q, 0), comm.recv(q, 1))
    for work in sending:
        work.wait()
    residuals[name] = corrected.index_fill(0, at.long(), 0)
    return total
    ### END SOLUTION


# %% check="0B.2"
check("0B.2", largest, sparse_sum)

# %% [markdown]
# Two workers pull in opposite directions at place 0, by 12, and together, by 1, everywhere else. The optimum is the mean
# of their two targets. With $k = 1$ each sends place 0 in the first step, and the two cancel. What travels in the second
# step, if a worker forgets what it did not send? And when is it the turn of the other places, if it keeps it?


# %%
def descend(comm, target, keeps, k=1, steps=200, lr=0.02):
    """w after each step, (steps, P); a worker that does not keep residuals gets an empty dictionary every time."""
    w, residuals, path = torch.zeros_like(target), {}, []
    for _ in range(steps):
        mine = residuals if keeps else {}
        w = w - lr * sparse_sum(comm, "w", w - target, k, mine) / comm.world_size
        path.append(w)
    return torch.stack(path)


def distances(keeps):
    targets = [torch.tensor([side, 1.0, 1.0, 1.0, 1.0, 1.0]) for side in (12.0, -12.0)]
    path = SimWorld(2).run(descend, per_rank=[(target, keeps) for target in targets]).results[0]
    return (path - sum(targets) / 2).norm(dim=1).tolist()


# %% needs="0B.2" tags=["nbval-ignore-output"]
with_residuals, without = distances(True), distances(False)
assert with_residuals[-1] < 0.25 * without[-1]
pslab.viz.curve(list(range(1, 201)), {"with residuals": with_residuals, "without": without}, xlabel="step (count)",
                ylabel="distance from the optimum (no unit)", title="One number of six a step", rows=5)

# %% [markdown]
# Without residuals nothing moves at all. With them the five small gradients grow in the residual until each is larger
# than 12 and has its turn: late, and not lost. They come late and large, so the path falls in steps.
#
# ### Digits
#
# A softmax regression on 1,797 pictures of digits, 650 parameters, four workers. How many bytes does a worker send a
# step with $k = 6$ for the matrix and the bias each? The ring of lab 0A sends 3,900 a worker.

# %% answer="0B.2"
bytes_a_step = ...
### BEGIN SOLUTION
bytes_a_step = 3 * 2 * 8 * 6
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("0B.2", "bytes that a worker sends in a step", bytes_a_step, unit="B")


# %%
def digits(comm, x, y, keeps, k, steps=30, lr=0.5):
    """Softmax regression on every K-th picture; accuracy on all pictures, in %, every third step."""
    K = comm.world_size
    w, b, residuals, scores = torch.zeros(64, 10), torch.zeros(10), {}, []
    for step in range(steps):
        mine, labels = x[comm.rank::K], y[comm.rank::K]
        wrong = torch.softmax(mine @ w + b, 1) - torch.nn.functional.one_hot(labels, 10)
        grads = {"w": (mine.T @ wrong).flatten() / len(mine), "b": wrong.mean(0)}
        kept = residuals if keeps else {}
        w = w - lr * sparse_sum(comm, "w", grads["w"], k, kept).view(64, 10) / K
        b = b - lr * sparse_sum(comm, "b", grads["b"], k, kept) / K
        if step % 3 == 2:
            scores.append(100 * ((x @ w + b).argmax(1) == y).float().mean().item())
    return scores


# %% needs="0B.2" tags=["nbval-ignore-output"]
from sklearn.datasets import load_digits

x, y = (torch.from_numpy(part) for part in load_digits(return_X_y=True))
kinds = {"all numbers (k = 640)": (True, 640), "k = 6, residuals": (True, 6), "k = 6, nothing kept": (False, 6)}
runs = {name: SimWorld(4).run(digits, x.float() / 16, y, *kind) for name, kind in kinds.items()}
_ = reveal("0B.2", "bytes that a worker sends in a step", lambda: runs["k = 6, residuals"].ledger.port(0)[0] / 30,
           unit="B")
scores = {name: run.results[0] for name, run in runs.items()}
assert scores["k = 6, residuals"][-1] > scores["k = 6, nothing kept"][-1]
pslab.viz.curve(list(range(3, 31, 3)), scores, xlabel="step (count)", ylabel="accuracy (%)", rows=5,
                title="Digits: what is kept counts")

# %% [markdown]
# With one number in a hundred of the matrix, and what is left out kept, the training nearly catches up with the full
# one in thirty steps; without that it stays far behind.
#
# ## 0B.3 DistributedDataParallel on your ring
#
# *25 points · 35 minutes · core*
#
# PyTorch's `DistributedDataParallel` (DDP) wraps a model. During `backward` it collects gradients in *buckets*, last
# layers first, and averages each bucket over the ranks as soon as it is full. How it averages can be replaced: a *comm
# hook* gets a bucket and returns a future of the averaged one. From then on DDP neither adds up nor divides: the hook
# does both.
#
# Here is a ring to use. It is the one of lab 0A; put your own in its place if you like.


# %%
def ring_all_reduce(comm, x):
    """A new tensor: the sum over all ranks of x (P,), in 2(K−1) steps round the ring."""
    K, right, left = comm.world_size, (comm.rank + 1) % comm.world_size, (comm.rank - 1) % comm.world_size
    pieces = list(torch.tensor_split(x.clone(), K))
    for t in range(K - 1):                                    # reduce-scatter
        sending = comm.isend(pieces[(comm.rank - t) % K], right)
        pieces[(comm.rank - t - 1) % K] += comm.recv(left)
        sending.wait()
    for t in range(K - 1):                                    # all-gather
        sending = comm.isend(pieces[(comm.rank + 1 - t) % K], right)
        pieces[(comm.rank - t) % K].copy_(comm.recv(left))
        sending.wait()
    return torch.cat(pieces)


# %% [markdown]
# **Goal.** Write the hook. `bucket.buffer()` is a tensor (P,) of float32. Return a future, an envelope for a result:
# `future = torch.futures.Future()`, then `future.set_result(tensor)`. The result has the length and dtype of the bucket
# and holds the mean over all ranks.
#
# The check runs DistributedDataParallel itself, around your hook, for 20 steps, on a model with a tied and a frozen
# layer. Losses must be those of DDP as it comes: bit for bit with two ranks, to $10^{-5}$ with three. In the check each
# rank is alone in its process group, so `torch.distributed` can carry nothing: what reaches another rank went through
# `comm`.
#
# **Worked example.** Two ranks with buckets `[1, 3]` and `[3, 5]`: both return a future whose result is `[2, 4]`.


# %% answer="0B.3"
def ring_hook(comm, bucket):
    """A future of the bucket's mean over all ranks."""
    ### BEGIN SOLUTION
    future = torch.futures.Future()
    future.set_result(ring_all_reduce(comm, bucket.buffer()) / comm.world_size)
    return future
    ### END SOLUTION


# %% check="0B.3"
check("0B.3", ring_hook)

# %% [markdown]
# Now beside the original. Below, real processes train the same model twice: by DDP as it comes, over Gloo, and with your
# hook. First the model: one weight is used twice, one layer is frozen.


# %%
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(11)
        self.first, self.frozen, self.last = (torch.nn.Linear(16, 16) for _ in range(3))
        self.last.weight = self.first.weight                   # tied
        self.frozen.requires_grad_(False)
        self.head = torch.nn.Linear(16, 101)

    def forward(self, x):
        return self.head(torch.tanh(self.last(self.frozen(torch.tanh(self.first(x)))))).mean(1)


# %%
def train(comm, hook, steps=20):
    """Losses of this rank, and the lengths of the buckets that the hook was given."""
    model, buckets, losses = DistributedDataParallel(Net(), bucket_cap_mb=0.001), [], []
    if hook is not None:
        def counted(comm, bucket):
            buckets.append(bucket.buffer().numel())
            return hook(comm, bucket)
        model.register_comm_hook(comm, counted)
    for step in range(steps):
        x = torch.randn(8, 16, generator=torch.Generator().manual_seed(100 * step + comm.rank))
        loss = ((model(x) - x.sum(1)) ** 2).mean()
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for p in filter(lambda p: p.grad is not None, model.parameters()):
                p -= 0.02 * p.grad
        losses.append(loss.item())
    return losses, buckets


# %% [markdown]
# Before the run: how many bytes will your hook send **in all 20 steps**, over all links, with three ranks? The model has
# 16 · 16 + 16 numbers in `first`, a further bias of 16 in `last`, and 16 · 101 + 101 in `head`.

# %% answer="0B.3"
ring_bytes = ...
### BEGIN SOLUTION
ring_bytes = 20 * 2 * (3 - 1) * 4 * (16 * 16 + 16 + 16 + 16 * 101 + 101)   # tied ones once, frozen ones not
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("0B.3", "bytes of 20 steps over all links", ring_bytes, unit="B")


# %%
def in_group(comm, K, hook, folder):
    """`train` on the first K ranks, which find each other in the folder and get a process group over Gloo."""
    group = comm.split(0 if comm.rank < K else None)
    return None if group is None else ddp.run_in_group(group, train, group, hook, folder=folder)


def both(world, K):
    """(run of DDP as it comes, run with the hook)"""
    runs = []
    for hook in (None, ring_hook):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(world.run(in_group, K, hook, folder))
    return runs


# %% needs="0B.3"
world = ProcessWorld(3)
stock, mine = both(world, 2)
print("two ranks, losses equal bit for bit:", stock.results[0][0] == mine.results[0][0],
      stock.results[1][0] == mine.results[1][0])
print("elements of the buckets in step 1:", mine.results[0][1][:1], " in step 2:", mine.results[0][1][1:4])

# %% needs="0B.3"
stock, mine = both(world, 3)
world.close()
furthest = max(abs(a - b) for s, m in zip(stock.results, mine.results) for a, b in zip(s[0], m[0]))
print("three ranks, losses equal to 1e-5:", furthest < 1e-5)
_ = reveal("0B.3", "bytes of 20 steps over all links", lambda: mine.ledger.total(), unit="B")

# %% needs="0B.3"
pslab.viz.links(mine.ledger, title="20 steps of DistributedDataParallel on your ring")

# %% [markdown]
# With three ranks a sum can be taken in three orders, and floating-point sums depend on the order; Gloo and your ring
# may choose differently, so equality ends in the last bits.
#
# ## 0B.4 Send while you compute
#
# *20 points · 30 minutes · optional*
#
# A backward pass makes gradients one after the other, the last layer's first. While a layer is computed, the network is
# free, so the gradient before it can travel. DDP's buckets exist for this.
#
# **Goal.** Two workers. `layers` is a list of pairs (seconds, gradient), in the order of the backward pass. Calling
# `comm.compute(seconds)` computes a layer; then its gradient is there, not sooner. Return the sum over both workers of
# each gradient, in the same order. Each gradient is one message each way, and no second is lost: a gradient leaves
# when it is there and the line is free.
#
# The time can be said exactly. A message of $n$ bytes holds its ports for $\alpha + n\beta$. With $c_i$ the seconds of
# layer $i$:
#
# $$\text{ready}_i = c_0 + \ldots + c_i, \qquad \text{done}_i = \max(\text{ready}_i, \text{done}_{i-1}) + \alpha + n_i\beta$$
#
# and $T$ is done of the last layer. Two facts about `comm` help: `isend` returns at once, and the message moves as soon
# as the other side has posted its receive; `irecv` posts a receive and returns at once.
#
# **Worked example.** Two layers of 10 µs and 400 bytes; such a message takes 10.4 µs here. One after the other: 40.8 µs.
# Overlapped: $\max(10 + 10.4,\ 20) + 10.4 = 30.8$ µs.


# %% answer="0B.4"
def overlapped_sum(comm, layers):
    """layers: [(seconds, gradient (P,))]. Returns [sum over both workers of each gradient]."""
    ### BEGIN SOLUTION
    other = 1 - comm.rank
    coming = [comm.irecv(other, tag=i) for i in range(len(layers))]
    leaving = []
    for i, (seconds, gradient) in enumerate(layers):
        comm.compute(seconds)
        leaving.append(comm.isend(gradient, other, tag=i))
    sums = [gradient + work.wait() for (_, gradient), work in zip(layers, coming)]
    for work in leaving:
        work.wait()
    return sums
    ### END SOLUTION


# %% check="0B.4"
check("0B.4", overlapped_sum)

# %% [markdown]
# Four layers, each 60 µs of computing. The gradients have 10,000, 30,000, 5,000 and 2,500 numbers, so they travel for 50,
# 130, 30 and 20 µs: 240 µs of computing, 230 µs of travelling. One after the other that is 470 µs. What will yours take?

# %% answer="0B.4"
overlapped_us = ...
### BEGIN SOLUTION
overlapped_us = 300
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("0B.4", "time of four layers, overlapped", overlapped_us, unit="µs")

# %%
four_layers = [(60e-6, torch.ones(P)) for P in (10_000, 30_000, 5_000, 2_500)]


def one_after_the_other(comm, layers):
    """Right, and slow: the next layer begins when the gradient has arrived."""
    sums = []
    for seconds, gradient in layers:
        comm.compute(seconds)
        sending = comm.isend(gradient, 1 - comm.rank)
        sums.append(gradient + comm.recv(1 - comm.rank))
        sending.wait()
    return sums


slow = SimWorld(2, link=LINK).run(one_after_the_other, four_layers)
pslab.viz.timeline(slow, title="One after the other: the line rests while the workers compute")

# %% needs="0B.4"
fast = SimWorld(2, link=LINK).run(overlapped_sum, four_layers)
_ = reveal("0B.4", "time of four layers, overlapped", lambda: round(1e6 * fast.seconds, 3), unit="µs")
print(f"one after the other {1e6 * slow.seconds:.0f} µs; computing alone 240 µs, travelling alone 230 µs")

# %% needs="0B.4"
pslab.viz.timeline(fast, title="Overlapped: most of the travelling is beside the computing")

# %% [markdown]
# The first gradient has to be computed before anything can travel, and the last one travels when nothing is left to
# compute: these two ends stay visible, however much the middle overlaps. Smaller buckets make the ends shorter and cost
# an $\alpha$ each.
#
# ## What to take along
#
# - In an all-to-all each part has one reader. Sending it to anybody else is waste, by a factor of $K$ for an all-gather.
# - Compression that keeps what it leaves out only delays; compression that forgets may never arrive.
# - DDP is a loop over buckets around whatever sums them. Divide by $K$, once.
# - Overlap hides the smaller of computing and travelling, but for its ends.
#
# Hand in this notebook as it is; hidden checks with other numbers run when it is graded.
