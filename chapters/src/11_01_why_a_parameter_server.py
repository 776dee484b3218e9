# %% [markdown]
# # 11.1 Why a parameter server
#
# **The big picture.** A model is trained on more data than one machine can read in a reasonable time. So the data is split
# over many workers, and after every step what they found has to become *one* update of *one* model. Where does that
# model live? It may be copied to every worker, and the copies kept equal. Or it may live in one place that everybody can
# address: each number under a key, on servers that are asked for it and told what to change. This chapter builds the
# second answer from its reasons: what must be combined, what fits where, who talks to whom, which wire fills up first,
# how much faster many workers are, and what "the weights at step $t$" means when every machine has a copy. It ends with the
# systems that found these answers, in three generations.
#
# **After this chapter you can**
#
# 1. say what the workers of a data-parallel step must combine, and with which weights;
# 2. tell from a model's size, with its optimizer's state, whether a copy fits on a worker;
# 3. see a PyTorch model as keys and rows, and name the three roles of a server job and their messages;
# 4. predict the bytes through the busiest port for $K$ workers and $S$ servers, and say when more servers change nothing;
# 5. compute speedup and efficiency, tell strong from weak scaling, and say when Amdahl's law describes a job;
# 6. tell from replicas whether there is one $w_t$, and place the systems of the three generations.
#
# **Before you start** you should know gradient descent, what a PyTorch module is, and NumPy indexing. Chapter 11.0 helps,
# and what is needed of it is said again. **Time:** an hour to read, under a minute to run.
#
# Four times you are asked for a number before a run shows one. Write yours in place of the `...`; it is kept beside the
# measured one, for you alone.

# %%
import hashlib
import os
import tempfile
import warnings

import numpy as np
import torch

from pslab import collectives, cost, viz
from pslab.comm import Link, ProcessWorld, SimWorld
from pslab.data import synthetic_click_log
from pslab.grade import predict, reveal
from pslab.ps import ASP, BSP, SGD, SSP, KVServer, KVWorker, TableConfig, cluster, serve
from pslab.viz import Note, Table

torch.set_num_threads(1)


def yes(truth):
    return "yes" if truth else "NO"


# %% [markdown]
# ## 1. One step, many workers · *Beginner*
#
# Training by gradient descent repeats one step: take a batch, compute the gradient of its loss, move the weights. The
# gradient of a sum is the sum of the gradients, and this is all that data parallelism rests on: each worker can take
# *a part of the batch*, compute the gradient of its part, and the parts add up to the gradient of the whole.
#
# Here is a batch of thirteen examples of a linear model with whole numbers, so that sums are exact, and three workers.
# Thirteen is not divisible by three, as batches often are not. Look which of the two lines below agrees with the whole.

# %%
rng = np.random.default_rng(11)
X, y = rng.integers(-3, 4, (13, 4)), rng.integers(-9, 10, 13)
w = np.array([2, -1, 0, 3])


def gradient(X, y, w):
    """Of the squared error, summed over the examples."""
    return 2 * X.T @ (X @ w - y)


parts = [gradient(*part, w) for part in zip(np.array_split(X, 3), np.array_split(y, 3))]
sizes = [len(part) for part in np.array_split(y, 3)]
print("examples of a worker        ", sizes)
print("whole batch, mean           ", np.round(gradient(X, y, w) / 13, 3).tolist())
print("sum of the parts / 13       ", np.round(sum(parts) / 13, 3).tolist())
print("mean of the workers' means  ", np.round(np.mean([g / n for g, n in zip(parts, sizes)], axis=0), 3).tolist())

# %% [markdown]
# The sum of the parts, divided once by the size of the whole batch, is the gradient of the batch. The mean of the
# workers' means is another one as soon as the parts differ in size: it gives the examples of the smaller parts more
# weight.
#
# ### The combine problem
#
# So every worker ends its backward pass with a vector as long as the model, and before the next step all of them need
# the *sum*. The bluntest way is that everybody sends its vector to everybody. Your first number: eight workers, a model of
# 1,000 float32 numbers. How many bytes come *in* at one worker's port?

# %%
my_bytes = ...
predict("11.1", "bytes into a worker's port, everybody to everybody", my_bytes, unit="B")

# %%
P = 1_000


def everybody(comm):
    """Each gradient goes to everyone, and everyone adds them up."""
    return sum(collectives.all_gather(comm, torch.ones(P)))


def ring(comm):
    collectives.all_reduce(comm, torch.ones(P))                  # in place


def one_place(comm, K, S=1):
    """Workers push to the servers, and pull what these made of it."""
    table = [TableConfig("weights", dim=1, num_rows=P, rule=SGD(lr=1.0))]
    if comm.rank >= K:
        return serve(comm, KVServer(table, comm.rank - K, S, range(K)))
    with KVWorker(comm, range(K, K + S), table) as kv:
        kv.push(range(P), np.ones((P, 1), np.float32), table="weights")
        kv.clock()
        return kv.wait(kv.pull(range(P), table="weights"))[:, 0]


# %%
eight = SimWorld(8).run(everybody)
_ = reveal("11.1", "bytes into a worker's port, everybody to everybody", lambda: eight.ledger.port(3, "vals")[1])

# %% [markdown]
# Seven vectors of 4,000 bytes. Now the three ways that this course keeps coming back to, for more and more workers:
# everybody to everybody; a ring, which passes partial sums on (chapter 11.0); and **one place**, where the weights live
# on a machine that does the adding. The table shows the bytes through the *busiest port* of all, in its busier direction:
# a step can be no faster than that port. Look how each column grows.

# %%
def busiest(run):
    return max(max(run.ledger.port(rank, "vals")) for rank in range(run.ledger.world_size))


rows = []
for K in (2, 4, 8, 16):
    runs = [SimWorld(K).run(everybody), SimWorld(K).run(ring), SimWorld(K + 1).run(one_place, K)]
    rows.append([K, *map(busiest, runs)])
Table(["workers K", "everybody to everybody (B)", "ring (B)", "one place (B)"], rows)

# %% [markdown]
# The one place is no better than shouting across the room: its port takes in all $K$ vectors and gives out as many. Only the
# ring stays below two vectors. If bytes of a small dense model were all that mattered, this would be a short course. The
# next two sections show why a place is wanted all the same, and section 6 what becomes of its port.

# %% [markdown]
# ## 2. Models larger than a worker · *Beginner*
#
# A ring needs a full copy of the model on *every* worker, and of the optimizer's state beside it: momentum keeps one more
# number for each weight, Adam two, FTRL two. Here are four models, and workers with 80 GB. The largest is the sparse
# logistic regression of the paper that made the parameter server known, with 65 billion features. Which copies fit?

# %%
MEMORY_BYTES = 80 * 10**9
models = [  # name, numbers, more numbers for each by the optimizer
    ("small network, Adam", 50_000_000, 2),
    ("7 billion weights, Adam", 7 * 10**9, 2),
    ("65 billion features, FTRL", 65 * 10**9, 2),
    ("2 billion rows of 128, AdaGrad", 2 * 10**9 * 128, 1),
]
rows = []
for name, numbers, slots in models:
    copy_bytes = 4 * numbers * (1 + slots)
    rows.append([name, viz.sized(4 * numbers), viz.sized(copy_bytes), yes(copy_bytes <= MEMORY_BYTES),
                 -(-copy_bytes // MEMORY_BYTES)])
Table(["model, float32", "weights", "with optimizer state", "a copy fits", "machines to hold one"], rows)

# %% [markdown]
# Where no copy fits, the model has to be spread over machines *whatever* the bytes on the wire. The second line too fits
# nowhere, although its weights alone would: what is copied is weights **and state**.
#
# But how can a worker train a model that it cannot hold? By not needing it. Here is a click log with three features, in
# which a few ids are very popular and most are rare. How many of the model's rows does one batch name?

# %%
log = synthetic_click_log(seed=1, train_rows=5_000, test_rows=100, tables=(200_000, 20_000, 500))
batch = next(iter(log.batches(256, seed=0, steps=1)))
rows = []
for feature in log.features:
    ids = batch.sparse[feature.name].values
    touched = len(torch.unique(ids))
    rows.append([feature.name, feature.num_embeddings, len(ids), touched,
                 f"{100 * touched / feature.num_embeddings:.2f} %"])
Table(["feature", "rows of the table", "ids in the batch", "different rows", "share"], rows)

# %% [markdown]
# A few hundred rows of the largest table, and nothing else of it: the gradient of all other rows is zero. A worker
# needs the rows *of its batch* for the length of a step. Someone has to keep the others, and to hand out any of them by
# name. That is what a server is.

# %% [markdown]
# ## 3. State in one addressable place · *Intermediate*
#
# ### The key–value view
#
# The servers know nothing of layers or losses. They hold **rows of float numbers**, each under a **key of 64 bits**. A model
# becomes keys by counting: give the first tensor the keys from 0, the next one those that follow, and so on. Each tensor
# is then *one contiguous range*, which two numbers describe, however large it is.

# %%
torch.manual_seed(0)
model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))


def ranges_of(model):
    """{name of a tensor: its keys}"""
    found, first = {}, 0
    for name, tensor in model.named_parameters():
        found[name] = range(first, first + tensor.numel())
        first += tensor.numel()
    return found


keys = ranges_of(model)
Table(["tensor", "shape", "first key", "past the last key"],
      [[name, " × ".join(map(str, p.shape)), keys[name].start, keys[name].stop]
       for name, p in model.named_parameters()])

# %% [markdown]
# Now worker 0 writes this model to two servers, and worker 1, which has a model of the same shape with *other* random
# weights, reads it from there. `set` overwrites rows, `push` would hand the update rule a gradient, `pull` reads; a
# `barrier` makes sure that all is written before it is read. Does worker 1's model then compute the same as worker 0's?


# %%
def save_and_load(comm, tensors, P):
    def work(node, kv):
        if node.id == 0:
            for name, values in tensors.items():
                kv.wait(kv.set(keys[name], values.reshape(-1, 1), table="model"))
        node.barrier("workers")
        other = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        with torch.no_grad():
            for name, tensor in other.named_parameters():
                rows = kv.wait(kv.pull(keys[name], table="model"))
                tensor.copy_(torch.as_tensor(rows).view_as(tensor))
        return other.state_dict()
    tables = [TableConfig("model", dim=1, num_rows=P, consistency=ASP())]
    return cluster(comm, work, tables, num_workers=2, num_servers=2)


size = max(r.stop for r in keys.values())
tensors = {name: p.detach().numpy() for name, p in model.named_parameters()}
run = SimWorld(2 + 2 + 1).run(save_and_load, tensors, size)
same = [all(torch.equal(run.results[1][name], p) for name, p in model.named_parameters())]
print(f"keys: {size}, on two servers; worker 1's model equals worker 0's, bit for bit:", *map(yes, same))

# %% [markdown]
# Nothing of PyTorch was sent: no module, no pickle, only key ranges and rows. Any program in any language that knows the
# ranges could have read them.
#
# Keys need not be counted. The ids of users, words and their combinations have no natural end, so they are *hashed* to 64
# bits, and the table has no declared size: a row takes memory once something is written to it.


# %%
def key_of(text):
    """64 bits of a hash that is the same on every machine; Python's own hash() of a text is not."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big", signed=True)


def features(comm):
    tables = [TableConfig("features", dim=1, num_rows=None, rule=SGD(lr=1.0))]
    if comm.rank:
        return serve(comm, KVServer(tables, 0, 1, [0]))
    seen = np.array([key_of("city=Delft"), key_of("hour=9")])
    with KVWorker(comm, [1], tables) as kv:
        kv.push(seen, np.array([[-0.5], [0.25]], np.float32), table="features")
        kv.clock()
        asked = [*seen, key_of("city=Delft, hour=9")]
        return asked, kv.wait(kv.pull(asked, table="features"))[:, 0].tolist()


asked, weights = SimWorld(2).run(features).results[0]
Table(["key", "weight"], [[f"{key:,}", weight] for key, weight in zip(asked, weights)],
      note="the third was never written: it reads as its initial value")

# %% [markdown]
# ### One place, or a copy everywhere
#
# What does the choice cost in memory? Fifty million weights with Adam's state, replicated on $K$ workers, or spread over
# eight servers while a worker keeps the weights only. Look at the column that grows, and the one that does not.

# %%
weights_bytes = 4 * 50_000_000
Table(["workers K", "replicated: all machines", "with servers: state, all servers", "with servers: one server"],
      [[K, viz.sized(3 * weights_bytes * K), viz.sized(3 * weights_bytes), viz.sized(3 * weights_bytes // 8)]
       for K in (1, 8, 64)])

# %% [markdown]
# And what does it change besides memory?
#
# | | state replicated everywhere | state in one addressable place |
# | --- | --- | --- |
# | who may change a weight | everyone, and all in the same way | its server alone |
# | one more worker | must be given a copy of everything, with the optimizer's state | pulls, and begins |
# | a worker is lost | one copy of many; its collective has to be stopped and begun anew | its last step is lost |
# | a server is lost | there is none | its rows are lost, unless it kept a second copy |
# | a row that nobody needs now | lies on every worker | lies on its server |
# | must all take part in a step | yes | only if the rounds say so |
#
# ## 4. Scheduler, server, worker · *Beginner*
#
# A server job has three roles. **Workers** have the data: they pull, compute, push, and keep nothing that could not be
# pulled again. **Servers** have the state: a range of keys each, and the rule that turns a pushed gradient into a new
# row. A **scheduler** has neither: it knows who is there, which keys are whose, who waits at which barrier and who is at
# which clock. It is asked at the beginning and when something changes, not in each step.
#
# `pslab.ps.cluster` plays all three. Three workers, two servers and a scheduler; worker 2 takes three times as long
# as the others, and nobody may be more than two rounds ahead of the slowest (what that means is the subject of chapter
# 11.5). At its fifth round worker 0 asks the scheduler how things stand.


# %%
def job(comm):
    def work(node, kv):
        for t in range(6):
            weights = kv.wait(kv.pull(range(6), table="weights"))
            comm.compute((1e-3, 1e-3, 3e-3)[node.id])
            if node.id == 0 and t == 4:
                status.append(node.status())
            kv.push(range(6), np.full((6, 1), node.id + 1.0, np.float32), table="weights")
            kv.clock()
        return (weights[:, 0].tolist(), *status)
    status = []
    tables = [TableConfig("weights", dim=1, num_rows=6, rule=SGD(lr=1.0), consistency=SSP(2))]
    return cluster(comm, work, tables, num_workers=3, num_servers=2)


run = SimWorld(3 + 2 + 1).run(job)
weights, status = run.results[0]
print(status)

# %% [markdown]
# Ranks 0 to 2 are workers, 3 and 4 servers, 5 the scheduler. Workers 0 and 1 have done four rounds, worker 2 two. Now who
# talked to whom? Every byte of the run, headers included, by role:

# %%
role = ["worker"] * 3 + ["server"] * 2 + ["scheduler"]
kinds = ("worker", "server", "scheduler")
between = {(a, b): sum(run.ledger.link(i, j) for i in range(6) for j in range(6) if (role[i], role[j]) == (a, b))
           for a in kinds for b in kinds}
Table(["bytes from \\ to", *kinds], [[a, *(between[a, b] for b in kinds)] for a in kinds])

# %% [markdown]
# **Zero bytes from worker to worker**, and zero from server to server. The traffic of a training job is *bipartite*: two
# groups, and wires only between them. With a hundred workers and ten servers there are a thousand pairs that talk, but no
# worker needs to know that the others exist.

# %%
plain = SimWorld(3 + 2).run(one_place, 3, 2)
viz.links(plain.ledger, servers=2, kind="vals", title="One step: three workers, two servers")

# %% [markdown]
# ## 5. What *is* $w_t$? · *Intermediate*
#
# In a text on optimisation $w_t$ is "the weights after $t$ steps". With one machine that is a fact about its memory. With
# many copies it is a *claim*, and one can check it: let every worker write down the weights that it computes its
# step-$t$ gradient on, and compare what they wrote.
#
# Three workers of uneven speed do twelve steps. Each adds its own whole number to one weight, so that all values are
# exact. First on a server, with three kinds of rounds: synchronous (BSP: the next round begins when everyone has
# pushed), stale synchronous (SSP, here at most one round ahead) and asynchronous (ASP: nobody waits).

# %%
STEPS, WORKERS = 12, 3
SECONDS = 1e-3 * np.random.default_rng(3).integers(1, 6, (WORKERS, STEPS))      # of each worker's each step


def on_servers(comm, K, mode, seconds, P=4, S=1):
    tables = [TableConfig("w", dim=1, num_rows=P, rule=SGD(lr=1.0), consistency=mode)]
    if comm.rank >= K:
        server = KVServer(tables, comm.rank - K, S, range(K))
        serve(comm, server)
        return server.rows("w")[:, 0]
    seen = []
    with KVWorker(comm, range(K, K + S), tables) as kv:
        for compute_s in seconds[comm.rank]:
            seen.append(kv.wait(kv.pull(range(P), table="w"))[:, 0].clone())
            comm.compute(compute_s)
            kv.push(range(P), np.full((P, 1), -1.0 - comm.rank, np.float32), table="w")
            kv.clock()
    return torch.stack(seen).numpy()                                   # (steps, P)


# %% [markdown]
# And without a server: replicas that all-reduce in every step, and replicas that go their own way and add up what all
# of them did only in every fourth step, which saves three quarters of the bytes.


# %%
def replicas(comm, seconds, every=1, P=4):
    w, since, seen = torch.zeros(P), torch.zeros(P), []
    for t, compute_s in enumerate(seconds[comm.rank], start=1):
        seen.append(w.numpy().copy())
        comm.compute(compute_s)
        own = torch.full((P,), 1.0 + comm.rank)
        w, since = w + own, since + own
        if t % every == 0:
            own_part = since.clone()
            collectives.all_reduce(comm, since)                        # in place: the sum over all replicas
            w, since = w - own_part + since, torch.zeros(P)
    return np.array(seen)


# %% [markdown]
# Your second number: in how many of the twelve steps do the three workers of the *asynchronous* run compute on the same
# weights?

# %%
my_steps = ...
predict("11.1", "steps in which ASP's workers agree, of twelve", my_steps, unit="steps")


# %%
def apart(seen):
    """(steps,): the largest difference between two workers' copies, from (workers, steps, P)."""
    return np.ptp(seen, axis=0).max(axis=1)


runs = {name: SimWorld(WORKERS + 1).run(on_servers, WORKERS, mode, SECONDS)
        for name, mode in (("server, BSP", BSP()), ("server, SSP, s = 1", SSP(1)), ("server, ASP", ASP()))}
runs |= {name: SimWorld(WORKERS).run(replicas, SECONDS, every)
         for name, every in (("all-reduce, each step", 1), ("combined every 4th step", 4))}
distance = {name: apart(np.array(run.results[:WORKERS])) for name, run in runs.items()}
_ = reveal("11.1", "steps in which ASP's workers agree, of twelve", lambda: int((distance["server, ASP"] == 0).sum()))

# %%
Table(["run", "steps with one value", "largest difference of two copies", "time (ms)"],
      [[name, f"{(gap == 0).sum()} of {STEPS}", gap.max(), round(1e3 * runs[name].seconds, 1)]
       for name, gap in distance.items()])

# %% [markdown]
# Under BSP and under all-reduce there is one $w_t$ in every step: the architecture differs, the claim holds. Under ASP it
# holds at the start and then no more: "step $t$" is something that each worker counts for itself. The picture shows how far
# the copies are apart, step by step.

# %%
viz.curve(range(STEPS), {name: distance[name].tolist() for name in ("server, BSP", "server, SSP, s = 1", "server, ASP",
                                                                   "combined every 4th step")},
          xlabel="step t, as each worker counts (count)", ylabel="largest difference (units of w)", rows=STEPS,
          title="How far apart the copies are on which step t is computed")

# %% [markdown]
# A bounded mode keeps the copies within a distance, here at no cost in time; an unbounded one does not. The replicas that combine rarely meet after
# every fourth step and part again.
#
# Between their meetings, *where is the model*? Under ASP with a server there is still one sequence of values: the one
# that the server goes through, push by push. No worker need have seen all of it, but whoever wants to save or serve the
# model knows where to look. Replicas without a server that do not meet in each step have no such place: the model that is
# evaluated in the end is a sum or an average that someone has to form, and no machine held it before.
#
# And with *two* servers? Each goes through its own sequence. Here a worker's link to server 1 is slow. Every push adds
# the same number to all four weights, so a value that existed at one moment has four equal entries.

# %%
slow = {pair: Link(latency_s=4e-3) for pair in ((0, WORKERS + 1), (WORKERS + 1, 0))}
torn = SimWorld(WORKERS + 2, links=slow).run(on_servers, WORKERS, ASP(), SECONDS, 4, 2)
whole = [(row == row[0]).all() for row in torn.results[1]]
example = next(row for row in torn.results[1] if not (row == row[0]).all())
print(f"worker 1 pulled {STEPS} times; {STEPS - sum(whole)} times the halves were of different age, such as", example)

# %% [markdown]
# A vector that no one has ever computed. It does little harm in a method that tolerates stale gradients anyway, but the
# notation $w_t$ has nothing left to stand for. Chapters 11.4 and 11.5 say what can be promised instead.

# %% [markdown]
# ## 6. The busiest link, as workers are added · *Intermediate*
#
# Back to section 1's objection: the one place has one port. In a dense step each of $K$ workers pulls $P$ numbers and
# pushes $P$ numbers of $b$ bytes. So, **per direction**:
#
# - a *worker's* port carries $P\,b$;
# - the port of each of $S$ servers that share the keys evenly carries $\frac{K}{S}P\,b$;
# - a port of the ring, for comparison, $2\frac{K-1}{K}P\,b$.
#
# Every point below was counted in a simulated run of a small model, and compared with these formulas.

# %%
ks, P_SMALL = [2, 4, 8, 16, 32], 960


def dense_step(comm, K, S):
    tables = [TableConfig("w", dim=1, num_rows=P_SMALL, rule=SGD(lr=1.0))]
    if comm.rank >= K:
        return serve(comm, KVServer(tables, comm.rank - K, S, range(K)))
    with KVWorker(comm, range(K, K + S), tables) as kv:
        kv.wait(kv.pull(range(P_SMALL), table="w"))
        kv.push(range(P_SMALL), np.ones((P_SMALL, 1), np.float32), table="w")
        kv.clock()


counted = {"1 server": [busiest(SimWorld(K + 1, trace=False).run(dense_step, K, 1)) for K in ks],
           "4 servers": [busiest(SimWorld(K + 4, trace=False).run(dense_step, K, 4)) for K in ks],
           "S = K servers": [busiest(SimWorld(2 * K, trace=False).run(dense_step, K, K)) for K in ks]}
formula = {"1 server": [cost.parameter_server(P_SMALL, K, 1).busiest for K in ks],
           "4 servers": [cost.parameter_server(P_SMALL, K, 4).busiest for K in ks],
           "S = K servers": [cost.parameter_server(P_SMALL, K, K).busiest for K in ks]}
print("counted bytes are the formula's, in all runs:", yes(counted == formula))
shown = {name: [count / 1e3 for count in counts] for name, counts in counted.items()}
shown["ring"] = [cost.ring_all_reduce(P_SMALL, K).busiest / 1e3 for K in ks]
viz.curve(ks, shown, log="xy", rows=5, xlabel="workers K (count)", ylabel="busiest port, per direction (kB)",
          looks={"1 server": "amber", "4 servers": "server", "S = K servers": "gather", "ring": "allreduce"},
          title="Bytes through the busiest link as workers are added")

# %% [markdown]
# One server's line climbs with $K$. Four servers lower it by four, except at the very left, where it lies on the lowest
# line. With as many servers as workers it is flat, and *below* the ring: but that took $K$ machines more. (As many servers
# on the workers' own machines carry exactly what the ring carries.)
#
# Your third number: sixteen workers, *thirty-two* servers, and the same 960 float32 numbers. How many bytes go through
# the busiest port, per direction?

# %%
my_bytes = ...
predict("11.1", "busiest port, 16 workers and 32 servers", my_bytes, unit="B")

# %%
many = SimWorld(16 + 32, trace=False).run(dense_step, 16, 32)
_ = reveal("11.1", "busiest port, 16 workers and 32 servers", lambda: busiest(many))

# %% [markdown]
# Half of it would be right if only servers had ports. A worker still pulls the whole model and pushes a whole gradient
# through its own. Where servers stop helping, the pictures say at a glance; on the right the number of workers is fixed.

# %%
viz.server_ports(K=16, S=4)

# %% [markdown]
# Now with sliders. Raise $S$ until the title changes, then raise $K$: how many servers does it take each time? And what
# does the sixty-fourth server of eight workers do?

# %% tags=["nbval-ignore-output"]
viz.server_ports_widget()

# %% [markdown]
# The title changes at $S = K$, always. Beyond that more servers do nothing for the bytes of a dense step: their ports
# are empty, and the workers' are full. Nor does a faster network remove the $K$: it divides *all* lines by the same
# number.
#
# A last trap. **The total is not the busiest.** The total over all links is the same for any number of servers, and a
# step does not wait for the total.

# %%
rows = []
for S in (1, 4, 16, 32):
    step = cost.parameter_server(50_000_000, 16, S)
    rows.append([S, viz.sized(step.total), viz.sized(step.busiest)])
Table(["servers S", "all links together", "busiest port, per direction"], rows,
      note="16 workers, fifty million float32 parameters")

# %% [markdown]
# ## 7. How much faster? · *Intermediate*
#
# A job that takes $T(1)$ seconds on one worker takes $T(K)$ on $K$. Its **speedup** is $T(1)/T(K)$, its **efficiency** the speedup
# divided by $K$: the share of the machines that you paid for and that was useful. This is **strong scaling**: the *same*
# work on more machines.
#
# Take a step whose gradient takes 64 ms of computing on one machine, whatever the number of machines it is divided
# over, and a model of 100,000 numbers on links that move 160 MB a second. Your fourth number: the speedup of sixteen
# workers with one server.

# %%
my_speedup = ...
predict("11.1", "speedup of sixteen workers with one server", my_speedup, unit="times")


# %%
def timed_step(comm, K, S, work_s, P):
    """Pull, compute, push, and the end of the round; the virtual seconds that it took."""
    tables = [TableConfig("w", dim=1, num_rows=P, rule=SGD(lr=1.0))]
    if comm.rank >= K:
        return serve(comm, KVServer(tables, comm.rank - K, S, range(K)))
    with KVWorker(comm, range(K, K + S), tables) as kv:
        kv.wait(kv.pull(range(P), table="w"))
        comm.compute(work_s)
        kv.push(range(P), np.ones((P, 1), np.float32), table="w")
        kv.clock()
        kv.wait(kv.pull(range(0, 1), table="w"))                     # when the round is closed


LINK, WORK_S, KS = Link(bandwidth_Bps=160e6), 64e-3, (1, 2, 4, 8, 16, 32)


def step_s(K, S, work_s, link=LINK, P=100_000):
    return SimWorld(K + S, link=link, trace=False).run(timed_step, K, S, work_s, P).seconds


strong = {"1 server": {K: step_s(K, 1, WORK_S / K) for K in KS},
          "S = K servers": {K: step_s(K, K, WORK_S / K) for K in KS}}
speedup = {name: cost.strong_scaling(times) for name, times in strong.items()}
_ = reveal("11.1", "speedup of sixteen workers with one server", lambda: round(speedup["1 server"][16][0], 2))

# %%
rows = []
for K in KS:
    rows.append([K])
    for name, times in strong.items():
        fast, efficiency = speedup[name][K]
        rows[-1] += [f"{1e3 * times[K]:.1f}", f"{fast:.2f}", f"{100 * efficiency:.0f} %"]
Table(["K", "1 server: ms", "speedup", "efficiency", "S = K: ms", "speedup ", "efficiency "], rows)

# %%
best = min(strong["1 server"], key=strong["1 server"].get)
slower = min(K for K in KS if best < K and speedup["1 server"][K][0] < 1)
Note(f"**Speedup is not K.** With one server {best} workers are fastest, {speedup['1 server'][best][0]:.2f} times as fast "
     f"as one, and {slower} are slower than one: computing shrinks like 1/K, the server's port fills like K. With as "
     f"many servers as workers the curve keeps rising, and flattens.")

# %% [markdown]
# The baseline matters too: one worker *with a server* still sends its bytes over a wire. A program that runs alone on one
# machine sends none, and should be what the speedup is measured against: here that is 64 ms, and all speedups of the
# table are a little lower against it.
#
# ### Amdahl's law, and when it applies
#
# Let a share $f$ of the work on one machine be *serial*: not divided, however many machines there are. Then
# $T(K) = T(1)\,(f + (1-f)/K)$, and the speedup never passes $1/f$. Given times, $f$ can be fitted. The two jobs above, fitted:

# %%
rows = []
for name, times in strong.items():
    law = cost.fit_amdahl(times)
    limit = f"{law.limit:.1f}" if 0 < law.serial_fraction < 1 else "none"
    rows.append([name, f"{1e3 * law.serial_s:.1f}", f"{100 * law.serial_fraction:.1f} %", limit,
                 f"{100 * law.residual:.1f} %"])
Table(["job", "serial (ms)", "serial share f", "speedup at most", "largest error of the fit"], rows)

# %% [markdown]
# With as many servers as workers the law fits: what is not divided is the model's way through a worker's own port, there
# and back, and half as much again for queueing, since all workers turn to the servers in the same order. With one server it does not fit at all, as the last column says: part of the time *grows* with $K$, which no
# $f$ can describe. Fit a law, but look at what it leaves unexplained before you quote its limit.
#
# ### Strong and weak
#
# **Weak scaling** asks another question: $K$ times the work on $K$ machines, as with a fixed batch *per worker*. Ideal is
# the same time; efficiency is $T(1)/T(K)$, and the scaled speedup $K$ times that.

# %%
weak = {"1 server": {K: step_s(K, 1, WORK_S) for K in KS}, "S = K servers": {K: step_s(K, K, WORK_S) for K in KS}}
rows = [[K, *(cell for name in weak for cell in (f"{1e3 * weak[name][K]:.1f}",
                                                 f"{100 * cost.weak_scaling(weak[name])[K][1]:.0f} %"))] for K in KS]
Table(["K", "1 server: ms", "efficiency", "S = K: ms", "efficiency "], rows)

# %%
series = {f"{what}, {name}": [100 * scaling(times)[K][1] for K in KS]
          for what, scaling, found in (("strong", cost.strong_scaling, strong), ("weak", cost.weak_scaling, weak))
          for name, times in found.items()}
viz.curve(KS, series, log="x", xlabel="workers K (count)", ylabel="efficiency (%)", rows=6,
          title="The same machines, two questions")

# %%
wrong = cost.strong_scaling(weak["S = K servers"])[32][0]
Note(f"Same machines, same network: at 32 workers with one server the efficiency is "
     f"{100 * cost.strong_scaling(strong['1 server'])[32][1]:.1f} % of one question and "
     f"{100 * cost.weak_scaling(weak['1 server'])[32][1]:.0f} % of the other. Put the *weak* times of 32 servers into the "
     f"*strong* formula, and a nearly perfect job comes out with a speedup of {wrong:.2f}. A scaling plot without the "
     f"word for its question says nothing.")

# %% [markdown]
# Weak scaling looks kinder, and has its own price: the batch grows with $K$, and a batch twice as large does not make
# training twice as fast for ever (chapter 11.0).
#
# Last, the network. Ten times the bandwidth, one server:

# %%
fast = {K: step_s(K, 1, WORK_S / K, Link(bandwidth_Bps=1.6e9)) for K in KS}
Table(["K", "160 MB/s: speedup", "1,600 MB/s: speedup"],
      [[K, f"{speedup['1 server'][K][0]:.2f}", f"{cost.strong_scaling(fast)[K][0]:.2f}"] for K in KS])

# %% [markdown]
# The best number of workers moves up, and after it the speedup falls again: a faster network moves the $K$, more servers
# remove it.

# %% [markdown]
# ## 8. Three generations · *Beginner*
#
# The paper of 2014 tells its own history in three generations:
#
# | generation | systems | what was new | what was missing |
# | --- | --- | --- | --- |
# | first | the topic models of Smola and Narayanamurthy (VLDB 2010), with memcached as the store | shared state of a sampler in a distributed key–value store | built for one algorithm; a store that can get and set, and run no update of its own |
# | second | YahooLDA (2012), DistBelief (2012), Project Adam (2014) | servers made for the purpose; YahooLDA's let the application define set, get and update | each for one application |
# | third | the parameter server of Li et al. (OSDI 2014), Petuum | any update rule, any model of sparse or dense rows, a choice of consistency, servers that may be lost | |
#
# Petuum stands at the border: the paper calls it a first step towards a general platform, with a bound on the delay. Often
# one reads YahooLDA for the *first* generation; in the paper's own count it is the second. (Project Adam is of the same
# year as the paper, which does not count it; it belongs beside DistBelief.)
#
# The numbers of that paper are often passed on wrongly. As they stand in it, with what follows from them:

# %%
data_bytes, compressed_bytes = 636 * 10**12, 141 * 10**12
examples, features_ = 170 * 10**9, 65 * 10**9
workers, servers = 800, 200
Table(["sparse logistic regression, OSDI'14", ""], [
    ["data", f"{data_bytes / 1e12:.0f} TB, {compressed_bytes / 1e12:.0f} TB compressed"],
    ["examples", f"{examples / 1e9:.0f} billion"],
    ["features", f"{features_ / 1e9:.0f} billion"],
    ["machines", f"{workers} workers + {servers} servers = {workers + servers}"],
    ["so: data a worker", f"{data_bytes / workers / 1e9:.0f} GB"],
    ["so: examples a worker", f"{examples / workers / 1e6:.1f} million"],
    ["so: features a server, 4-byte weights", f"{features_ / servers / 1e6:.0f} million, "
                                             f"{4 * features_ / servers / 1e9:.1f} GB"]])

# %% [markdown]
# | often said | in the paper |
# | --- | --- |
# | half a petabyte | the data of the first line |
# | 17 billion examples | ten times as many |
# | 100 billion parameters | the features of the table |
# | LDA on 5 billion *documents* | 5 billion *users* |
# | vector clocks say which worker wrote a range last | they say, for each node, the *time* of its last update of the range |
#
# What became of them? The open core of the third generation is **ps-lite**, by people of CMU, Baidu and Google among others;
# it keeps equal key ranges and has no replication. **MXNet**, whose KVStore was built on it, was moved to the Apache Attic
# in 2023. TensorFlow grew out of DistBelief and kept a parameter-server strategy. For dense networks the ring took over
# from about 2017; servers stayed where tables are too large to copy, in recommenders and advertising, often beside a ring
# for the dense part (chapters 11.9 and 11.10). BytePS showed that the two are ends of one scale. Chapter 11.11 has a page
# for each system.
#
# One more sentence that is often repeated: "with a hundred workers, even occasional slowdowns destroy throughput". It can
# be computed. Let every worker take twice as long in one step of a hundred, at random:

# %%
steps_slow = 1 - 0.99**100
print(f"synchronous steps with at least one slow worker: {100 * steps_slow:.1f} %")
print(f"mean length of a step: {1 + steps_slow:.2f} times the usual one")

# %% [markdown]
# ## In production
#
# **PyTorch RPC** gives the pieces of a parameter server: a tensor that *lives* in another process, and calls that are
# carried out there. It runs here for real, in two processes over loopback. The tensor is made on the server, the worker
# subtracts a scaled gradient from it *there* (a push), and asks for its value (a pull).


# %%
def rpc_program(comm, folder):
    from torch.distributed import rpc
    os.environ["TP_SOCKET_IFNAME"] = os.environ["GLOO_SOCKET_IFNAME"] = "lo" if os.uname().sysname == "Linux" else "lo0"
    warnings.simplefilter("ignore")
    options = rpc.TensorPipeRpcBackendOptions(init_method=f"file://{folder}/store", rpc_timeout=60)
    rpc.init_rpc(("worker", "server")[comm.rank], rank=comm.rank, world_size=2, rpc_backend_options=options)
    pulled = None
    if comm.rank == 0:
        weights = rpc.remote("server", torch.zeros, args=([6],))             # lives on the server
        weights.rpc_sync().sub_(torch.arange(6.0), alpha=0.5)                # push: carried out there
        pulled = weights.to_here()                                           # pull: a copy of it
    rpc.shutdown()
    return pulled


with tempfile.TemporaryDirectory() as folder, ProcessWorld(2) as world:
    print("pulled:", world.run(rpc_program, folder).results[0].tolist())

# %% [markdown]
# What it does not have are keys, ranges over several servers, rounds, or a retry that is applied once: those you would
# write yourself. Systems that have them: ps-lite and what was built on it; TensorFlow's `ParameterServerStrategy` with its
# coordinator; and for tables of recommenders TorchRec (collectives among owners of rows, chapter 11.7) and HugeCTR. None
# of these is installed here. In ps-lite a worker's part looks like this (not run):
#
# ```cpp
# ps::KVWorker<float> kv(0, 0);
# int ts = kv.Push(keys, gradients);      // a timestamp, at once
# kv.Wait(ts);
# kv.Wait(kv.Pull(keys, &weights));
# ```
#
# `pslab.ps` has the same verbs on purpose.
#
# ## Did it stick?
#
# Answer first, then click.
#
# <details><summary><b>Three workers have 5, 4 and 4 examples and send their mean gradients. What do you do with
# them?</b></summary>
# <p>Weight them by 5/13, 4/13 and 4/13. Or let them send sums, and divide once by 13.</p></details>
#
# <details><summary><b>Twelve workers, three servers, a dense model of a million float32 numbers. What does the busiest
# port carry, per direction? And with twenty-four servers?</b></summary>
# <p>A server's: 12/3 of 4 MB, 16 MB. With twenty-four servers a worker's: 4 MB, as with twelve.</p></details>
#
# <details><summary><b>The ledger of a server job shows bytes from worker 3 to worker 5. What do you think?</b></summary>
# <p>That it is more than a server job: some collective runs among the workers as well, as in a hybrid. Through servers
# alone the traffic is bipartite.</p></details>
#
# <details><summary><b>A step takes 100 ms on one machine and 30 ms on five. Speedup, efficiency, and f, if Amdahl's law
# holds?</b></summary>
# <p>3.33; 67 %; 0.3 = f + (1 − f)/5, so f = 12.5 %, and no number of machines makes it faster than
# 8 times.</p></details>
#
# <details><summary><b>Eight replicas, asynchronous, no server. Someone asks for "the model after 1,000 steps". What do you
# hand over?</b></summary>
# <p>There is no such thing to hand over: eight different vectors, each after its own 1,000 steps. You can form their
# average and say that you did.</p></details>
#
# <details><summary><b>Servers are twice as fast on the wire now. How does the number of servers from which on more of them
# change nothing change?</b></summary>
# <p>If only the servers' ports are twice as fast, it halves: their K/S is divided by two. If all ports are, it stays
# K.</p></details>
#
# The figures in these answers, computed:

# %%
for S in (3, 24):
    print(f"twelve workers, {S:2} servers: {viz.sized(cost.parameter_server(10**6, 12, S).busiest)} of 4 MB")
pair = {1: 100, 5: 30}                                       # ms
law = cost.fit_amdahl(pair)
(fast_, efficiency), f = cost.strong_scaling(pair)[5], law.serial_fraction
print(f"speedup {fast_:.2f}, efficiency {100 * efficiency:.0f} %, f = {100 * f:.1f} %, at most {law.limit:g} times")

# %% [markdown]
# Now do it yourself: [Lab 1: why a parameter server](../labs/lab_01_why.ipynb).
#
# ## Further reading
#
# - M. Li, D. G. Andersen, J. W. Park, A. J. Smola, A. Ahmed, V. Josifovski, J. Long, E. J. Shekita, B.-Y. Su: *Scaling
#   Distributed Machine Learning with the Parameter Server*, OSDI 2014. Its second section has the three generations.
# - A. Smola, S. Narayanamurthy: *An Architecture for Parallel Topic Models*, VLDB 2010.
# - J. Dean et al.: *Large Scale Distributed Deep Networks* (DistBelief), NIPS 2012.
# - T. Chilimbi, Y. Suzue, J. Apacible, K. Kalyanaraman: *Project Adam: Building an Efficient and Scalable Deep Learning
#   Training System*, OSDI 2014.
# - E. P. Xing et al.: *Petuum: A New Platform for Distributed Machine Learning on Big Data*, 2015.
# - G. M. Amdahl: *Validity of the Single Processor Approach to Achieving Large Scale Computing Capabilities*, 1967;
#   J. L. Gustafson: *Reevaluating Amdahl's Law*, 1988.
