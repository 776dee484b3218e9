# %% [markdown]
# # Lab 9: the verdict
#
# Chapter 11.9 says that the shape of a gradient picks the architecture. In this lab you derive where the choice flips,
# decide cases by it, build both combines, send a model's parameters to where they belong, and then measure three
# contenders on real processes after having said what will come out.
#
# **After this lab you can**
#
# 1. derive the crossover between a server and a dense all-reduce for a stated way to count, and find it by counting;
# 2. name an architecture for a case together with the one fact that settles it;
# 3. write a sparse combine and a dense one that end with the same table, bit for bit;
# 4. route each parameter of a model by its gradient, tied and frozen ones too;
# 5. predict the bytes of three contenders to the byte, and which of them finishes first.
#
# **Before you start:** chapter 11.9, and [lab 0A](lab_00a_patterns.ipynb), in which you build the ring. The chapter explains
# push and pull in section 1; lab 2, which trains them, is not here yet.
# **Time:** 75 minutes for the core, 120 for everything.
#
# | | | points | minutes | |
# | --- | --- | --- | --- | --- |
# | 9.1 | Read the crossover off the bytes | 15 | 15 | core |
# | 9.2 | Which architecture, and what binds | 20 | 20 | core |
# | 9.3 | Build the sparse combine, and the dense one | 30 | 30 | core |
# | 9.4 | Route a model's parameters | 20 | 20 | optional |
# | 9.5 | Measure the three, predicted first | 25 | 25 | optional |
# | 9.7 | Four systems | 4 | 5 | core |
#
# 9.6 needs a later part of the course and will stand here then.
#
# Write your answer where a cell says `raise NotImplementedError`, then run the check below it. A check prints what
# was expected and what was seen, and shows your own run; it never stops the notebook. Stuck? `pslab hint 9.3` in a
# terminal (`source .venv/bin/activate` first) shows one hint more each time. The formulas are yours to find: an
# answer that imports `pslab.cost`, by itself or through `from pslab import viz`, is refused; write `pslab.viz` where
# you want a picture. Where a cell asks for a number *before* a run, commit to one: a wrong prediction costs no
# points, and is what you learn from.

# %%
import math

import numpy as np
import torch

import pslab
from pslab import collectives
from pslab.comm import Link, ProcessWorld, SimWorld
from pslab.grade import check, predict, reveal
from pslab.ps import SGD, KVServer, KVWorker, TableConfig, serve

torch.set_num_threads(1)

# %% [markdown]
# ## The three contenders
#
# One training step touches $n$ rows on each of $K$ workers, in a table of $V$ rows of $D$ float32 numbers. Their
# gradients can be combined in three ways. Here they are as programs that you can run; read them, there is nothing to
# fill in. First what every worker has: ids of rows, and a gradient for each.


# %%
def rows_of(rank, V, n, D):
    """n distinct ids of a worker, in order, and a whole-numbered gradient for each: (n,) int64, (n, D) float32."""
    ids = np.sort(np.random.default_rng(700 + rank).permutation(V)[:n])
    return ids, (np.arange(n * D).reshape(n, D) % 50 * 4 + rank).astype(np.float32)


def dense_ring(comm, V, D, n):
    """K ranks. An array of the table's size goes round, zeros and all."""
    everything = np.zeros((V, D), np.float32)
    ids, grads = rows_of(comm.rank, V, n, D)
    everything[ids] = grads
    collectives.all_reduce(comm, everything)


def sparse_all_gather(comm, V, D, n):
    """K ranks. Touched rows and their ids go to everyone."""
    for mine in rows_of(comm.rank, V, n, D):
        collectives.all_gather(comm, mine)


# %%
def server(comm, V, D, n):
    """K workers, and as the last rank one server that owns the table. Rows come down, gradients go up."""
    K = comm.world_size - 1
    tables = [TableConfig("rows", dim=D, num_rows=V, rule=SGD(lr=1.0))]
    if comm.rank == K:
        return serve(comm, KVServer(tables, 0, 1, range(K)))
    ids, grads = rows_of(comm.rank, V, n, D)
    with KVWorker(comm, [K], tables) as kv:
        kv.wait(kv.pull(ids, table="rows"))
        kv.push(ids, grads, table="rows")
        kv.clock()


CONTENDERS = {"dense ring": dense_ring, "server": server, "sparse all-gather": sparse_all_gather}


def ranks(name, K):
    return K + 1 if name == "server" else K


def counted(run):
    """Values and keys over all links, each byte once, at its sender."""
    return run.ledger.total("vals") + run.ledger.total("keys")


# %% [markdown]
# Three workers, ten rows each, in a table of a hundred rows of four numbers. Compare the numbers on the arrows, and
# where the arrows end.

# %%
runs = {name: SimWorld(ranks(name, 3)).run(program, 100, 4, 10) for name, program in CONTENDERS.items()}
pslab.viz.links(runs["dense ring"].ledger, title="Dense ring: the whole table, from neighbour to neighbour")

# %%
pslab.viz.links(runs["server"].ledger, servers=1, kind="vals", title="Server: few rows, all through one port")

# %% [markdown]
# A link of the ring carries more than ten times what a link to the server does, but the server's links all end in one
# place. Which of the two is "less" depends on what you count, and that is the first exercise.
#
# ## 9.1 Read the crossover off the bytes
#
# *15 points · 15 minutes · core · exercise 11.9.1*
#
# **Goal.** The more rows a step touches, the less a server saves. Give the share $n/V$ at which a dense all-reduce of
# the table moves as few bytes as the sparse way, where $n$ is the number of rows that **one** worker touches. There are
# several ways to count. Each view below names both sides:
#
# | view | the sparse side | the dense ring |
# | --- | --- | --- |
# | `"totals"` | server: all links together | all links together |
# | `"busiest"` | server: the busiest port, both of its directions added | the busiest port, one direction |
# | `"direction"` | server: the busiest direction of the busiest port | the same |
# | `"gather"` | sparse all-gather: all links together | all links together |
#
# Numbers have 4 bytes, a key has `key_bytes`. A worker sends keys with the request of its pull and again with its push.
# The rows of the table are spread evenly over $S$ servers on machines of their own. `"busiest"` is how a printed listing
# counts; `"direction"` counts both sides alike.
#
# **Worked example.** Eight workers, keys for nothing, all links: $2 \cdot 8 \cdot n \cdot 4D = 2 \cdot 7 \cdot V \cdot
# 4D$, so $n/V = 7/8$, whatever $D$ is. `crossover(8, 128, 0, 1, "totals")` is `0.875`. A result above 1 means: never.


# %% answer="9.1"
def crossover(K, D, key_bytes, S, view):
    """n/V, a fraction, at which both sides of `view` move equally many bytes.

    K workers, S servers, rows of D float32 numbers, keys of key_bytes bytes; view: totals, busiest, direction, gather.
    """
    ### BEGIN SOLUTION
    row = 4 * D
    load = max(K / S, 1)  # workers' worth of rows at the busiest port: a worker's own, once S > K
    sparse, dense = {
        "totals": (2 * K * (row + key_bytes), 2 * (K - 1) * row),
        "busiest": (2 * load * (row + key_bytes), 2 * (K - 1) / K * row),
        "direction": (load * (row + 2 * key_bytes), 2 * (K - 1) / K * row),
        "gather": (K * (K - 1) * (row + key_bytes), 2 * (K - 1) * row),
    }[view]
    return dense / sparse
    ### END SOLUTION


# %% check="9.1"
check("9.1", crossover)

# %% [markdown]
# Your function, drawn: the share at which the choice flips, for 2 to 32 workers. Which line depends on the number of
# workers most? Which question has the answer "never"?

# %% needs="9.1"
ks = list(range(2, 33))
questions = {"totals, no keys": (128, 0, 1, "totals"), "totals, D = 1": (1, 8, 1, "totals"),
             "one port, 1 server": (128, 8, 1, "direction"), "one port, S = 8": (128, 8, 8, "direction")}
pslab.viz.curve(ks, {name: [100 * crossover(k, *question) for k in ks] for name, question in questions.items()},
                xlabel="workers K (count)", ylabel="rows one worker touches (% of the table)",
                title="From which share on the dense ring moves less", rows=6)

# %% [markdown]
# With eight servers the line lies above 100 % from three to fourteen workers: there the answer is never. A
# printed recommender touches 0.004 % of its rows in a step, far below every line. A table of fifty rows, of which each
# worker touches forty-eight, is above most of them.
#
# ### Found by counting
#
# Now small enough to count: three workers, a table of 900 rows of **one** number, 8-byte keys. From how many rows per
# worker on will the server move as many bytes as the ring, over all links? Commit to a number first.

# %% answer="9.1"
rows_at_the_flip = ...
### BEGIN SOLUTION
rows_at_the_flip = 200
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("9.1", "rows at the flip", rows_at_the_flip, unit="rows")


# %% needs="9.1" tags=["nbval-ignore-output"]
def flip(K=3, V=900, D=1):
    """The smallest n for which the server moves as much as the ring, by runs of both; and all counts."""
    ring = counted(SimWorld(K).run(dense_ring, V, D, 1))
    sent = {n: counted(SimWorld(K + 1).run(server, V, D, n)) for n in range(20, 400, 20)}
    return min(n for n in sent if sent[n] >= ring), ring, sent


at, ring_bytes, server_bytes = reveal("9.1", "rows at the flip", flip, unit="rows")

# %% needs="9.1"
pslab.viz.curve(list(server_bytes), {"server": [moved / 1e3 for moved in server_bytes.values()],
                                     "dense ring": [ring_bytes / 1e3] * len(server_bytes)},
                looks={"dense ring": "allreduce"}, xlabel="rows one worker touches (rows)",
                ylabel="bytes over all links, counted (kB)", mark=(at, "the flip"), rows=6,
                title="Three workers, 900 rows of one number")

# %% [markdown]
# The counts cross where the formula says, at less than a quarter of the table: with one number a row, a key is twice as
# heavy as the row that it names. Whoever answered 600 has let the keys travel for free.
#
# ## 9.2 Which architecture, and what binds
#
# *20 points · 20 minutes · core · exercise 11.9.2*
#
# **Goal.** For one group of parameters, name the architecture and the **one** reason that settles it. Four questions, in
# this order; the first that settles it is the reason:
#
# | | question | then | reason |
# | --- | --- | --- | --- |
# | 1 | does a copy *with its optimizer state* exceed a worker's memory? | `"server"` | `"capacity"` |
# | 2 | do workers join and leave while it runs? | `"server"` | `"elastic"` |
# | 3 | is a worker slow, and may the others go on without it for as long as it is? | `"server"` | `"straggler"` |
# | 4 | otherwise: who moves the fewest bytes through the busiest direction of the busiest port? | that one | `"bytes"` |
#
# The contenders of question 4 are `"all-reduce"`, `"sparse all-gather"` and `"server"`, in this order if they are equal.
# A `spec` is a dictionary:
#
# | key | |
# | --- | --- |
# | `workers`, `servers` | $K$ and $S$; servers stand on machines of their own |
# | `rows`, `row_bytes` | of the group |
# | `rows_per_worker` | $n$, rows that one worker touches in a step; equal to `rows` for a dense group, which needs no keys |
# | `key_bytes` | of a key on the wire |
# | `optimizer_slots` | numbers of optimizer state for each parameter: SGD 0, AdaGrad 1, Adam 2 |
# | `worker_memory_bytes` | what a worker has for this group |
# | `elastic` | whether workers come and go |
# | `straggler` | `"none"`, `"transient"` (now this one, now that one), `"persistent"` (always the same) |
# | `staleness` | how many rounds a worker may be ahead of the slowest: 0, a bound, or `math.inf` |
#
# At a server port the rows of one worker are rounded up: $\lceil n/S \rceil$ of them, from each of $K$ workers.
#
# **Worked example.** A table of 1.8 TB, workers of 80 GB: `("server", "capacity")`, whatever else the spec says.


# %% answer="9.2"
def recommend(spec):
    """(architecture, reason) for one group of parameters; see the two tables above."""
    ### BEGIN SOLUTION
    K, S, V, n = (spec[name] for name in ("workers", "servers", "rows", "rows_per_worker"))
    row, key = spec["row_bytes"], spec["key_bytes"] if n < V else 0
    if V * row * (1 + spec["optimizer_slots"]) > spec["worker_memory_bytes"]:
        return "server", "capacity"
    if spec["elastic"]:
        return "server", "elastic"
    slow, ahead = spec["straggler"], spec["staleness"]
    if (slow == "transient" and ahead > 0) or (slow == "persistent" and ahead == math.inf):
        return "server", "straggler"
    through_a_port = {
        "all-reduce": 2 * (K - 1) / K * V * row,
        "sparse all-gather": (K - 1) * n * (row + key),
        "server": max(K * math.ceil(n / S), n) * (row + 2 * key),
    }
    return min(through_a_port, key=through_a_port.get), "bytes"
    ### END SOLUTION


# %% check="9.2"
check("9.2", recommend)

# %% [markdown]
# Five systems, and what your function says: eight workers and a table of 5 GB, and four variations of it. Before you run
# the cell: which of them change the architecture, and which only the reason?

# %% needs="9.2"
base = {"workers": 8, "servers": 1, "rows": 10**7, "row_bytes": 512, "rows_per_worker": 4096, "key_bytes": 8,
        "optimizer_slots": 1, "worker_memory_bytes": 15 * 10**9, "elastic": False, "straggler": "none", "staleness": 0}
changes = {"a table of 5 GB, AdaGrad, one server": {},
           "with Adam, in the same memory": {"optimizer_slots": 2},
           "eight servers": {"servers": 8},
           "one worker always slow, staleness 4": {"straggler": "persistent", "staleness": 4},
           "one worker always slow, no bound": {"straggler": "persistent", "staleness": math.inf}}
pslab.viz.Table(["system", "architecture", "because of"],
                [[name, *recommend({**base, **change})] for name, change in changes.items()])

# %% [markdown]
# The optimizer alone moves the second one: its gradients weigh what they did, but a copy with two numbers of state a
# parameter no longer fits. Eight servers have eight ports, and take the lead by bytes. A bound of four rounds does not
# help against a worker that is *always* slow: after four rounds everybody waits for it. Only without a bound is its
# slowness its own.

# %% [markdown] answer="9.2" points=2
# **In two sentences** *(2 points, read by people: one for the number that binds, one for what would change the answer)*.
# A click model has a 4 TB table of users and ads and a dense head of 20 million parameters, on 32 workers of 80 GB.
# What goes where, and which single change of the table would make you decide otherwise?
#
# <!-- BEGIN SOLUTION -->
# The table goes to servers because 4 TB do not fit into 80 GB, whatever would move fewer bytes; the head goes around the
# ring, as every worker has a gradient for all of its 80 MB. If hashing brought the table with its optimizer state below
# 80 GB, a copy would fit and the bytes through the busiest port would decide: with 32 workers still for servers, once
# there are several of them.
# <!-- END SOLUTION -->

# %% [markdown]
# ## 9.3 Build the sparse combine, and the dense one
#
# *30 points · 30 minutes · core · exercise 11.9.3*
#
# **Goal.** One synchronous step on an embedding table, written twice, with the same table at the end, bit for bit:
#
# $$\text{row} \leftarrow \text{row} - \frac{1}{K} \sum_{k=1}^{K} \text{(gradients of this row on worker } k)$$
#
# Who holds what:
#
# | | `combine_sparse` | `combine_dense` |
# | --- | --- | --- |
# | ranks | $K$ workers, and as rank $K$ one server: `comm.world_size` is $K+1$ | $K$ workers: `comm.world_size` is $K$ |
# | a worker gets | `ids` (L,) int64 and `grads` (L, D) float32, one for each look-up; `table` is `None` | the same, and `table` (V, D), its own copy |
# | the server gets | `table` (V, D) float32; `ids` and `grads` are `None` | |
# | a worker returns | `(ids, rows)`: its unique ids, ascending, (u,), and their rows *after* the step, (u, D) | the updated table (V, D) |
# | the server returns | the updated table (V, D) | |
# | bytes | per worker: u ids and u rows up, u rows down, whatever $V$ is | $2(K-1)$ tables over all links |
#
# Ids come in any order, may come twice, and a worker may have none. Only `send`, `recv`, `isend` and `irecv` are at hand:
# you build the rest. The server may change its `table` in place, and may not allocate a second one.
#
# **Worked example**, $K = 2$, $D = 1$, a table of four rows: 10, 20, 30, 40.
#
# | | ids | grads |
# | --- | --- | --- |
# | worker 0 | 1, 3 | 2, 6 |
# | worker 1 | 1 | 10 |
#
# Row 1 becomes $20 - (2 + 10)/2 = 14$, row 3 becomes $40 - 6/2 = 37$: worker 1 did not touch row 3, and its zero counts.
# Worker 0 returns ids 1, 3 with rows 14, 37; worker 1 returns id 1 with row 14.


# %% answer="9.3"
def combine_sparse(comm, ids, grads, table):
    """Workers 0..K-1: (unique ids (u,), their updated rows (u, D)). Rank K, the server: the updated table (V, D)."""
    ### BEGIN SOLUTION
    K = comm.world_size - 1
    if comm.rank < K:
        mine, place = torch.unique(ids, return_inverse=True)            # ascending; place[i]: where ids[i] went
        summed = torch.zeros(len(mine), grads.shape[1]).index_add_(0, place, grads)
        comm.send(mine, K)
        comm.send(summed, K)
        return mine, comm.recv(K)
    asked = []
    for k in range(K):                                                  # first hear everyone ...
        asked.append(comm.recv(k))
        table.index_add_(0, asked[k], -comm.recv(k) / K)
    for k in range(K):                                                  # ... then answer
        comm.send(table[asked[k]], k)
    return table
    ### END SOLUTION


# %% [markdown]
# And the dense one. A ring as in section 2 of the chapter does it; so does any other way whose bytes are right.


# %% answer="9.3"
def combine_dense(comm, ids, grads, table):
    """K ranks with a table (V, D) each: the updated table (V, D), the same on all of them."""
    ### BEGIN SOLUTION
    K, rank = comm.world_size, comm.rank
    total = torch.zeros_like(table).index_add_(0, ids, grads)
    chunks = torch.tensor_split(total.reshape(-1), K)                   # views: adding to a chunk adds to total
    right, left = (rank + 1) % K, (rank - 1) % K
    for t in range(K - 1):                                              # reduce-scatter: rank ends with chunk rank+1
        sending = comm.isend(chunks[(rank - t) % K], right)
        chunks[(rank - t - 1) % K].add_(comm.recv(left))
        sending.wait()
    for t in range(K - 1):                                              # all-gather
        sending = comm.isend(chunks[(rank + 1 - t) % K], right)
        chunks[(rank - t) % K].copy_(comm.recv(left))
        sending.wait()
    return table - total / K
    ### END SOLUTION


# %% check="9.3"
check("9.3", combine_sparse, combine_dense)

# %% [markdown]
# Your two programs on the same look-ups. The cell makes ids that repeat and are out of order, so that nothing is easy.
# What should the last line say?


# %%
def look_ups(K, V, D, L=12):
    """For each worker (ids (L,), grads (L, D)): whole numbers, some ids twice, multiples of K."""
    rng = np.random.default_rng(9)
    return [(torch.from_numpy(rng.integers(0, V, L)), torch.from_numpy(K * rng.integers(-9, 9, (L, D))).float())
            for _ in range(K)]


def both(K, V, D):
    """A run of combine_sparse and a run of combine_dense in the simulator, from the same table and look-ups."""
    table = torch.arange(V * D).reshape(V, D).float()
    sparse = [(*mine, None) for mine in look_ups(K, V, D)] + [(None, None, table.clone())]
    dense = [(*mine, table.clone()) for mine in look_ups(K, V, D)]
    return SimWorld(K + 1).run(combine_sparse, per_rank=sparse), SimWorld(K).run(combine_dense, per_rank=dense)


# %% needs="9.3"
sparse_run, dense_run = both(K=3, V=40, D=8)
print(f"sparse: {sparse_run.ledger.total():>6,} B over all links")
print(f"dense:  {dense_run.ledger.total():>6,} B over all links")
same = [torch.equal(sparse_run.results[3], table) for table in dense_run.results]
print("the server's table equals each replica, bit for bit:", *same)

# %% needs="9.3"
pslab.viz.spacetime(sparse_run, names=["worker 0", "worker 1", "worker 2", "server"], rows=4,
                    title="Your sparse combine: everyone is heard before anyone is answered")

# %% needs="9.3"
pslab.viz.spacetime(dense_run, title="Your dense combine", rows=4)

# %% [markdown]
# ### Ten times the table
#
# The same look-ups, but in a table of 400 rows instead of 40. By what factor will the bytes of the **sparse** combine
# grow? Commit first, then run both sizes.

# %% answer="9.3"
growth = ...
### BEGIN SOLUTION
growth = 1
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("9.3", "growth of the sparse combine's bytes", growth, unit="times")


# %%
def with_rows(V, K=3, D=8):
    """(bytes of the sparse combine, bytes of the dense one), with the look-ups of a table of 40 rows."""
    table, mine = torch.zeros(V, D), look_ups(K, 40, D)
    sparse = SimWorld(K + 1).run(combine_sparse, per_rank=[*((*m, None) for m in mine), (None, None, table.clone())])
    dense = SimWorld(K).run(combine_dense, per_rank=[(*m, table.clone()) for m in mine])
    return sparse.ledger.total(), dense.ledger.total()


# %% needs="9.3"
_ = reveal("9.3", "growth of the sparse combine's bytes", lambda: with_rows(400)[0] / with_rows(40)[0], unit="times")
sizes = [40, 80, 160, 320, 640]
moved = [with_rows(V) for V in sizes]
pslab.viz.curve(sizes, {"sparse": [s / 1e3 for s, _ in moved], "dense": [d / 1e3 for _, d in moved]},
                looks={"sparse": "server", "dense": "allreduce"}, log="xy", xlabel="rows of the table (rows)",
                ylabel="bytes over all links (kB)", title="Your two combines as the table grows", rows=5)

# %% [markdown]
# The sparse line is level: its bytes follow the rows that were touched. The dense line follows $V$, zeros included. The
# two programs leave the same table behind, so whatever separates them in practice, it is not what they compute.
#
# ## 9.4 Route a model's parameters
#
# *20 points · 20 minutes · optional*
#
# **Goal.** A model is many parameters, and each may go its own way. Return a plan, `{name: "all-reduce" or "server"}`,
# for every parameter that gets a gradient, whose bytes over all links are at most 1.05 times the best plan's.
#
# A `model` is a dictionary: `workers` is $K$, `key_bytes` of a key, and `parameters` a list of dictionaries:
#
# | key | |
# | --- | --- |
# | `name`, `shape` | `[V, D]`, or `[P]`: then a row is one number; 4 bytes a number |
# | `touched` | rows with a gradient in one worker's step; equal to `shape[0]` for a dense one |
# | `trainable` | `False`: frozen, it gets no gradient and does not belong in the plan |
# | `same_as` | the name of the parameter that this one shares its memory with, or `None`; both names go the same way |
#
# Over all links the ring moves $2(K-1)$ times the parameter. A server moves each touched row up and down for each
# worker, with a key each way; a parameter that is touched everywhere travels as one range, without keys. Memory is no
# concern here; 9.2 asked about that.
#
# **Worked example.** A layer `top` of 100 × 80, all of it touched, and a table `item` of 100,000 × 16, 200 rows of it
# touched: `{"top": "all-reduce", "item": "server"}`.


# %% answer="9.4"
def route(model):
    """{name: 'all-reduce' or 'server'} for every trainable parameter of the model."""
    ### BEGIN SOLUTION
    K, key = model["workers"], model["key_bytes"]
    shared = {}                                           # name of the memory -> the parameters that use it
    for p in model["parameters"]:
        if p["trainable"]:
            shared.setdefault(p["same_as"] or p["name"], []).append(p)
    plan = {}
    for uses in shared.values():
        V, row = uses[0]["shape"][0], 4 * math.prod(uses[0]["shape"][1:])
        n = max(use["touched"] for use in uses)           # one dense use makes the gradient dense
        ring = 2 * (K - 1) * V * row
        server = 2 * K * n * (row + (key if n < V else 0))
        for use in uses:
            plan[use["name"]] = "all-reduce" if ring <= server else "server"
    return plan
    ### END SOLUTION


# %% check="9.4"
check("9.4", route)

# %% [markdown]
# Where do such descriptions come from? From one backward pass. Here is a small language model whose table of words is
# also its output layer, beside a table of authors that is only looked up. A row counts as touched when its gradient is
# not all zero.


# %%
def described(workers=4, V=5_000, authors=200_000, D=32, batch=64):
    """One step of a tied language model; its parameters as `route` takes them."""
    torch.manual_seed(9)
    words, by = torch.nn.Embedding(V, D), torch.nn.Embedding(authors, D, sparse=True)
    block = torch.nn.Linear(D, D)
    text, who = torch.randint(V, (batch,)), torch.randint(authors, (batch,))
    hidden = block(words(text)) + by(who)
    torch.nn.functional.cross_entropy(hidden @ words.weight.T, text.roll(-1)).backward()

    def entry(name, p, same_as=None):
        touched = len(p.grad.coalesce().indices()[0]) if p.grad.is_sparse else int(
            (p.grad.reshape(len(p), -1) != 0).any(1).sum())
        return {"name": name, "shape": list(p.shape), "touched": touched, "trainable": True, "same_as": same_as}

    parameters = [entry("words", words.weight), entry("output", words.weight, "words"),
                  entry("authors", by.weight), entry("block.weight", block.weight), entry("block.bias", block.bias)]
    return {"workers": workers, "key_bytes": 8, "parameters": parameters}


# %% needs="9.4"
model = described()
plan = route(model)
pslab.viz.Table(["parameter", "rows", "touched in a step", "goes to"],
                [[p["name"], f"{p['shape'][0]:,}", f"{p['touched']:,}", plan[p["name"]]] for p in model["parameters"]])

# %% [markdown]
# The table of words is looked up at 64 places, and yet every one of its rows has a gradient: the softmax scored them
# all. The table of authors, forty times as large, goes to the servers. Size did not decide, and neither did the name.
#
# ## 9.5 Measure the three, predicted first
#
# *25 points · 25 minutes · optional*
#
# **Goal.** Say what the three contenders will do before they do it. `predict_bytes` gives the bytes over all links
# (values and 8-byte keys, no headers), equal to the ledger's. `finish_order` gives the three names, first to finish
# first, on links of a given latency (seconds) and bandwidth (bytes per second, of a port in each direction). One server.
#
# For the order you need seconds: how many messages come *one after the other*, each a latency, and how many bytes pass
# through the fullest direction of the fullest port. The server's job here makes four exchanges, there and back: pull,
# push, end of the round, goodbye. Only pairs that differ by a factor of 1.4 or more count.
#
# **Worked example.** `predict_bytes(2, 100, 4, 10)` is
# `{"dense ring": 3200, "server": 960, "sparse all-gather": 480}`.


# %% answer="9.5"
def predict_bytes(K, V, D, n):
    """{contender: bytes over all links}; K workers touch n rows each of a table (V, D) of float32, ids of 8 bytes."""
    ### BEGIN SOLUTION
    row, key = 4 * D, 8
    return {"dense ring": 2 * (K - 1) * V * row, "server": 2 * K * n * (row + key),
            "sparse all-gather": K * (K - 1) * n * (row + key)}
    ### END SOLUTION


def finish_order(K, V, D, n, latency_s, bandwidth_Bps):
    """The three contenders, first to finish first."""
    ### BEGIN SOLUTION
    row, key, per_byte = 4 * D, 8, 1 / bandwidth_Bps
    seconds = {
        "dense ring": 2 * (K - 1) * (latency_s + V * row / K * per_byte),
        "server": 8 * latency_s + (K + 1) * n * (row + key) * per_byte,  # the last rows come while pushes go
        "sparse all-gather": 2 * (K - 1) * latency_s + (K - 1) * n * (row + key) * per_byte,
    }
    return sorted(seconds, key=seconds.get)
    ### END SOLUTION


# %% check="9.5"
check("9.5", predict_bytes, finish_order)

# %% [markdown]
# ### The measurement
#
# Three workers, a table of 2,000 rows of 16 numbers, 1,000 rows touched by each, in real processes on this machine. How
# many bytes will the **server** job move over all links?

# %% answer="9.5"
server_job_bytes = ...
### BEGIN SOLUTION
server_job_bytes = 2 * 3 * 1000 * (64 + 8)
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("9.5", "bytes of the server job", server_job_bytes, unit="B")

# %% [markdown]
# The processes get throttled ports, 5 MB/s and 1 ms, so that the network and not the machine sets the pace. Each
# contender runs three times, and the fastest run counts. In which order will they finish, and is it the order of their
# bytes?


# %% needs="9.5" tags=["nbval-ignore-output"]
def measure(K, V, D, n):
    """{contender: (bytes over all links, seconds of the fastest of three runs)} in real processes."""
    found, link = {}, Link(latency_s=1e-3, bandwidth_Bps=5e6)
    for name, program in CONTENDERS.items():
        with ProcessWorld(ranks(name, K), link=link) as world:
            runs = [world.run(program, V, D, n) for _ in range(3)]
        found[name] = counted(runs[0]), min(run.seconds for run in runs)
    return found


def server_of_three():
    found = measure(3, 2_000, 16, 1_000)
    return found["server"][0], found


_, measured = reveal("9.5", "bytes of the server job", server_of_three, unit="B")

# %% needs="9.5" tags=["nbval-ignore-output"]
simulated = {name: SimWorld(ranks(name, 3), link=Link(latency_s=1e-3, bandwidth_Bps=5e6)).run(program, 2_000, 16, 1_000)
             for name, program in CONTENDERS.items()}
assert all(measured[name][0] == counted(simulated[name]) for name in CONTENDERS)
pslab.viz.Table(["contender", "bytes over all links", "simulated (ms)", "measured (ms)"],
                [[name, f"{moved:,}", round(1e3 * simulated[name].seconds, 1), round(1e3 * seconds, 1)]
                 for name, (moved, seconds) in sorted(measured.items(), key=lambda item: item[1][1])],
                note="processes are never faster than the model; a busy machine makes them slower")

# %% needs="9.5"
pslab.viz.bars(list(CONTENDERS), {"bytes over all links": [predict_bytes(3, 2_000, 16, 1_000)[name] / 1e3
                                                         for name in CONTENDERS]},
               unit="kB", looks={"dense ring": "allreduce", "server": "server", "sparse all-gather": "gather"},
               title="Three workers, half of the table touched: your prediction")

# %% [markdown]
# Bytes were equal to the ledger. The order of finish was another matter: server and all-gather move the same bytes in
# all, fewer than the ring, and yet the server comes last. Its bytes pass through one port; the other two spread theirs.
#
# ## 9.7 Four systems
#
# *4 points · 5 minutes · core · exercise 11.9.2 as printed*
#
# **Goal.** The option that you would build, for each of four systems. Write its number into `choices`. Every option has
# a sentence of its own: choose a wrong one on purpose and run the check to read what it would lead to.
#
# **(a) The dense transformer.** Seven billion parameters, trained with Adam on 64 equal GPUs of 80 GB in one room. Every step uses every gradient.
#
# 1. A parameter server on 8 machines of their own
# 2. All-reduce as reduce-scatter and all-gather, each GPU keeping one piece of the optimizer's state
# 3. A sparse all-gather of the gradients
# 4. An asynchronous server, because nobody has to wait
#
# **(b) The click model.** A 4 TB table of users and ads, of which a batch names a few thousand rows, and a dense head of 20 million parameters; 32 workers of 80 GB.
#
# 1. All-reduce for everything, as the workers are equal
# 2. Everything on servers, as they are there anyway
# 3. The table on servers, the head all-reduced
# 4. A sparse all-gather for the table, all-reduce for the head
#
# **(c) The learner and its actors.** One learner updates a policy; 2,000 actors play with the newest policy they can get and send back what happened, each at its own pace.
#
# 1. All-reduce over all 2,001 processes
# 2. The learner owns the weights, actors pull them when they need them
# 3. A broadcast of every new policy to all actors, who wait for it
# 4. No weights need to travel, as actors have no gradients
#
# **(d) The spot machines.** 200 million dense parameters on cheap machines that join and leave every few minutes; a few rounds of staleness do no harm.
#
# 1. A ring over whoever was there at the start
# 2. A ring that is built anew from the last checkpoint whenever someone comes or goes
# 3. A sparse all-gather, which needs no fixed neighbours
# 4. Servers on machines that stay, workers that come and go


# %% answer="9.7"
def choices():
    """{letter of the system: number of the option, from 1}"""
    ### BEGIN SOLUTION
    return {"a": 2, "b": 3, "c": 2, "d": 4}
    ### END SOLUTION


# %% check="9.7"
check("9.7", choices)

# %% [markdown]
# ## What to take along
#
# - A crossover belongs to a way of counting. Name it, or the number means nothing.
# - Capacity comes first, then who must wait for whom, then bytes, and of these the fullest port.
# - Sparse and dense combine compute the same table. They differ in what they move and in who must hold what.
# - A model is routed parameter by parameter, by the gradient each one has.
#
# Hand in this notebook as it is; hidden checks with other numbers run when it is graded.
