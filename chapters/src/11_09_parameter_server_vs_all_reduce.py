# %% [markdown]
# # 11.9 Parameter server vs all-reduce
#
# **The big picture.** Several workers have each seen a part of a batch, and each holds a gradient. Before the next step
# these gradients must become *one* update. There are two classical places where that can happen. In a **parameter
# server** it happens where the parameters live: workers push what they found and pull what they need. In an
# **all-reduce** it happens on the way between the workers, and nobody owns anything more than anybody else. This
# chapter runs both, counts every byte they move, and shows that "which is better?" has no answer until you say *which
# gradient you mean*. A gradient that touches everything suits the ring. A gradient that touches a few rows of a huge
# table suits the server. A recommender has both kinds, and uses both.
#
# **After this chapter you can**
#
# 1. say what each architecture keeps where, and draw who sends what to whom;
# 2. predict, to the byte, what passes through every port in each direction, and check it against a ledger;
# 3. notice when two figures were counted in two ways, and count them alike;
# 4. compare three rivals for a sparse gradient by bytes *and* by memory;
# 5. say at which share of touched rows the choice flips, and show that a sparse combine equals a dense one;
# 6. explain what a hybrid recommender sends where, and show that it still trains the same model.
#
# **Before you start** you should know gradient descent, what a PyTorch module and its `backward` do, and NumPy
# indexing. The ring is explained again where it is needed. **Time:** an hour to read, under a minute to run.
#
# Four times you are asked for a number before a run shows one. Write yours in place of the `...`: a guess that was
# wrong teaches more than a figure that was read. It is kept beside the measured one, for you alone.

# %%
import os
import tempfile

import numpy as np
import torch
from IPython.display import display

from pslab import collectives, cost, viz
from pslab.comm import Link, ProcessWorld, SimWorld
from pslab.data import auc, synthetic_click_log
from pslab.grade import predict, reveal
from pslab.ps import ASP, BSP, SGD, SSP, AdaGrad, KVServer, KVWorker, TableConfig, serve
from pslab.train import Actor, Job, Logistic, Pace, run_actors, run_hot, run_job, tables_of
from pslab.train import two_by_two
from pslab.viz import Box, Note, Table

torch.set_num_threads(1)


def yes(truth):
    return "yes" if truth else "NO"



# %% [markdown]
# ## 1. The two architectures, side by side · *Beginner*
#
# Letters for the whole chapter: $K$ workers, $S$ servers, $P$ dense parameters, a table of $V$ rows of $D$ numbers, and
# $b$ bytes a number. And three words. A *rank* is one of the programs that run together, counted from 0. All its messages
# pass through one *port*, out and in. The *ledger* is the account of every byte on every link that a run brings back.
# Other words stand among the [terms](../docs/terms.md).
#
# Both programs below do the same job: add up the workers' gradients and take one step of plain gradient descent. Look
# for two differences: how many copies of the weights there are, and whether all ranks run the same lines. In the ring
# every rank holds all weights, and every rank is like every other.


# %%
def gradient_of(rank, K, P):
    """Whole numbers, different for every rank and place: a mix-up shows, and sums are exact."""
    return (torch.arange(P) % 1000 * K + rank).float()


def ring_program(comm, P):
    weights = torch.zeros(P)                           # everyone has everything
    gradient = gradient_of(comm.rank, comm.world_size, P)
    collectives.all_reduce(comm, gradient)             # the sum over all ranks, on all ranks
    return weights - gradient


# %% [markdown]
# With a server the ranks have roles. The first $K$ are workers. The others own the weights, a range each, and are the
# only ones who change them.


# %%
def server_program(comm, K, P):
    tables = [TableConfig("weights", dim=1, num_rows=P, rule=SGD(lr=1.0))]  # all zero at first
    if comm.rank >= K:                                        # the last ranks are servers
        return serve(comm, KVServer(tables, comm.rank - K, comm.world_size - K, range(K)))
    with KVWorker(comm, range(K, comm.world_size), tables) as kv:
        gradient = gradient_of(comm.rank, K, P)
        kv.push(range(P), gradient[:, None], table="weights")
        kv.clock()                                            # the round ends here
        return kv.wait(kv.pull(range(P), table="weights"))[:, 0]


# %% [markdown]
# Now three workers, six weights, and both programs in a simulated world. Do the workers end with the same weights?

# %%
ring = SimWorld(3).run(ring_program, 6)
server = SimWorld(3 + 1).run(server_program, 3, 6)
for name, run in (("ring", ring), ("server", server)):
    for rank in range(3):
        print(f"{name:6}  worker {rank}  {run.results[rank].tolist()}")

# %% [markdown]
# Six equal lines: the two architectures compute the same update. What differs is the way the numbers take. The next two
# pictures show every link that was used, as wide as the bytes on it. Look for a place where arrows meet.

# %%
SIZE = 100_000
ring = SimWorld(4).run(ring_program, SIZE)
viz.links(ring.ledger, title="Ring all-reduce: four workers")

# %%
server = SimWorld(4 + 1).run(server_program, 4, SIZE)
viz.links(server.ledger, servers=1, kind="vals", title="Server: four workers, one server")

# %% [markdown]
# In the ring every rank has one arrow out and one in, all equally wide: no place is special. With a server all arrows
# meet in one place, and that place has one network port. A space–time diagram shows what this does to the clock: each
# band is a message, as broad as the time it keeps its ports busy, slanted by the latency.

# %%
viz.spacetime(ring, title="The ring: everyone sends and receives at the same time", rows=4)

# %%
names = ["worker 0", "worker 1", "worker 2", "worker 3", "server 0"]
viz.spacetime(server, names=names, title="The server: pushes stand in line, then rows", rows=4)

# %% [markdown]
# In the ring all bands run side by side. At the server they stand in line, first going in and then coming out, because
# a port takes one message at a time in each direction. Nothing in the simulator was told to produce a bottleneck: it
# follows from ports being finite.

# %% [markdown]
# ## 2. Why all-reduce won the dense workload · *Intermediate*
#
# In a dense network every worker has a gradient for every one of the $P$ parameters. What passes through a port in one
# step, *per direction*?
#
# - **Ring.** The vector is cut into $K$ chunks. Each chunk walks once around the ring to be summed (reduce-scatter) and
#   once more to be handed out (all-gather). Every port carries $2\frac{K-1}{K}Pb$ bytes out and as many in.
# - **Server.** Each of $K$ workers pushes $P$ numbers and pulls $P$ numbers. With $S$ servers that share them evenly, a
#   server's port carries $\frac{K}{S}Pb$ bytes in and as many out.
#
# One printed example of this comparison takes fifty million parameters and eight workers. Here are its figures
# as they stand in print, and the same figures from `pslab.cost`. Look whether all agree.

# %%
IN_PRINT = {
    "all-reduce, busiest link": "0.35 GB", "server, busiest link": "3.20 GB",
    "dense ratio": "9.1x", "rows touched": "32,768", "share touched": "0.0328 %",
    "server, sparse step": "33.554 MB", "all-reduce of the table": "716.800 GB",
    "sparse ratio": "21,362x",
}
A = cost.accounting_11_9(P=50_000_000, K=8, bytes_per_param=4,
                         V=100_000_000, D=128, ids_per_step=4096)
ours = A.printed()
Table(["figure", "in print", "computed", "same"],
      [[name, text, ours[name], yes(ours[name] == text)] for name, text in IN_PRINT.items()])

# %% [markdown]
# Every figure comes out as printed, so the arithmetic is right. But look again at the first two lines: are they the same
# *kind* of number? The ring's figure is what a port carries in **one** direction. The server's figure adds up **both**.
# The next table counts both sides alike, and then asks what the difference means in time, on ports of 12.5 GB/s.

# %%
BANDWIDTH_BPS = 12.5e9
ring_s = cost.ring_all_reduce(A.P, A.K).seconds(0, BANDWIDTH_BPS)
apart_s = cost.server_step_s(A.P, A.K, S=1, alpha_s=0, bandwidth_Bps=BANDWIDTH_BPS, overlap=0)
beside_s = cost.server_step_s(A.P, A.K, S=1, alpha_s=0, bandwidth_Bps=BANDWIDTH_BPS, overlap=1)
counts = [("as printed: ring one way, server both", A.ring_one_way, A.server_both_ways),
          ("one way, both sides", A.ring_one_way, A.server_one_way),
          ("both ways, both sides", A.ring_both_ways, A.server_both_ways)]
times = [("time, pull after push", ring_s, apart_s), ("time, pull beside push", ring_s, beside_s)]
rows = [[what, viz.sized(ours), viz.sized(its), f"{its / ours:.2f}"] for what, ours, its in counts]
rows += [[what, f"{1e3 * ours:.0f} ms", f"{1e3 * its:.0f} ms", f"{its / ours:.2f}"]
         for what, ours, its in times]
Table(["counted", "ring", "server", "server / ring"], rows, note="time: modelled, bandwidth only")

# %%
Note(f"Counted alike the ring is **{A.fair_dense_ratio:.2f}** times lighter, $K^2/(2(K-1))$, and "
     f"not {A.printed_dense_ratio:.1f} times. The larger figure comes back as a ratio of *times*, "
     f"but only if pulling and pushing never overlap on a link that can carry both directions at "
     f"once (full duplex). Both are true sentences; a number without its unit is neither.")

# %% [markdown]
# ### Does a real run agree?
#
# A formula is a claim. Now the same two programs run in *processes* on this machine: three workers with fifty thousand
# parameters of four bytes, and then the same with a server beside them. Your first number: how many bytes of values
# come *in* at the port of the one server?

# %%
my_bytes = ...
predict("11.9", "values into the server's port", my_bytes, unit="B")

# %%
WORKERS, SIZE = 3, 50_000
ring_world, server_world = ProcessWorld(WORKERS), ProcessWorld(WORKERS + 1)
ring = ring_world.run(ring_program, SIZE)
server = server_world.run(server_program, WORKERS, SIZE)
_ = reveal("11.9", "values into the server's port", lambda: server.ledger.port(WORKERS, "vals")[1])

# %% [markdown]
# Twice that number means that you counted both directions, a third of it that you forgot that every worker pushes. The
# ledger has counted every byte that was handed over, at all ports. Look at the last column.

# %%


def compare(run, expected):
    """Values counted at every port of a run, beside what the closed form says."""
    rows = []
    for rank, port in enumerate(expected.ports):
        counted = run.ledger.port(rank, "vals")
        rows.append([rank, *counted, *port, yes(counted == port)])
    return Table(["rank", "counted out (B)", "counted in (B)",
                  "predicted out (B)", "predicted in (B)", "same"], rows)


print("ring, 3 processes")
display(compare(ring, cost.ring_all_reduce(SIZE, WORKERS)))
print("server, 3 + 1 processes (rank 3 is the server)")
display(compare(server, cost.parameter_server(SIZE, WORKERS, S=1)))

# %% [markdown]
# To the byte, in every port and both directions. The ring's ports differ a little from one another, because three does
# not divide fifty thousand and chunks differ by one number; the closed form knows that too. Beside the values a server
# job carries small headers, and the ledger keeps them apart. The next table shows how small.

# %%
kinds = ("vals", "keys", "header")
Table(["run", *(f"{kind} (B)" for kind in kinds), "messages"],
      [[name, *(run.ledger.total(kind) for kind in kinds), run.ledger.messages()]
       for name, run in (("ring", ring), ("server", server))])

# %% [markdown]
# The dense push names its rows as a range, so no keys travel at all. Now the printed example itself, with its eight
# workers and at a thousandth of its size: nine ranks in the simulator. The figures in print should reappear with a unit
# that is a thousand times smaller.

# %%
ring = SimWorld(8, trace=False).run(ring_program, A.P // 1000)
server = SimWorld(8 + 1, trace=False).run(server_program, 8, A.P // 1000)
one_way, (out, into) = max(ring.ledger.port(0)), server.ledger.port(8, "vals")
for what, count in (("ring, busiest port, one way", one_way), ("server's port, one way", into),
                    ("server's port, both ways", out + into)):
    print(f"{what:28} {count:>9,} B   x 1000 = {count * 1000 / 1e9:.2f} GB")

# %% [markdown]
# The three figures of the first table, counted on links this time.
#
# ### "Flat in K"
#
# It is often said that the ring's cost does not depend on the number of workers. Look at both curves below from left to
# right, and at the starting point of the ring's.

# %%
ks = list(range(2, 65))
series = {"ring": [cost.ring_all_reduce(A.P, k).busiest / 1e9 for k in ks],
          "1 server": [cost.parameter_server(A.P, k, S=1).busiest / 1e9 for k in ks],
          "8 servers": [cost.parameter_server(A.P, k, S=8).busiest / 1e9 for k in ks]}
viz.curve(ks, series, title="Dense step of fifty million parameters", log="xy", rows=6,
          xlabel="workers K (count)", ylabel="busiest port, per direction (GB)",
          looks={"ring": "allreduce", "1 server": "server", "8 servers": "amber"},
          mark=(8, "the printed example"))

# %% [markdown]
# The ring nearly doubles from two workers to many and then stays below $2Pb$: *asymptotically* flat. And bytes are not all.
# Each of its $2(K-1)$ rounds pays the latency α once more. The next cell runs a *small* all-reduce of a thousand numbers
# in the simulator with a latency of 10 µs: watch what happens to the time as workers are added.

# %%
link = Link(latency_s=10e-6, bandwidth_Bps=BANDWIDTH_BPS)
rows = []
for k in (2, 8, 32, 128):
    run = SimWorld(k, link=link, trace=False).run(ring_program, 1_000)
    form = cost.ring_all_reduce(1_000, k)
    times = [round(1e6 * t, 2) for t in (run.seconds, form.seconds(10e-6, BANDWIDTH_BPS))]
    rows.append([k, 2 * (k - 1) / k, form.busiest, form.rounds, *times])
Table(["K", "2(K-1)/K", "bytes a port", "rounds", "simulated (µs)", "formula (µs)"], rows)

# %% [markdown]
# The bytes settle, the time grows with every worker: for small messages the ring's cost is *linear* in $K$, and it is
# all latency. Simulator and formula agree to the last digit shown.
#
# ### "The fewest bytes possible"
#
# The ring is optimal among the $K$ workers alone. Servers bring machines of their own, and with them ports of their own.
# Look at the last two lines: what do eight extra machines buy, and what do servers on the workers' own machines cost?

# %%
options = [("ring, no servers", cost.ring_all_reduce(A.P, A.K), 0)]
options += [(f"{S} server{'s' * (S > 1)}, own machines", cost.parameter_server(A.P, A.K, S), S)
            for S in (1, 2, 4, 8)]
options += [("8 servers beside the 8 workers", cost.colocated_servers(A.P, A.K), 0)]
Table(["architecture", "extra machines", "busiest port, per direction"],
      [[name, extra, viz.sized(traffic.busiest)] for name, traffic, extra in options])

# %% [markdown]
# Eight servers on eight more machines carry *less* than the ring, and eight servers beside the workers carry exactly
# what the ring carries. So "bandwidth-optimal" means: optimal without extra machines. This is the observation behind
# BytePS, which treats the two architectures as the ends of one scale.
#
# ### The server inside the ring
#
# Why do colocated servers equal the ring? Because a ring all-reduce *is* a parameter server whose every worker serves
# one piece. Half way through, after the reduce-scatter, worker $r$ owns the complete sum of piece $r$. Let it update
# that piece itself, like a server, and hand out *weights* instead of gradients.


# %%
def sharded_program(comm, P):
    gradient = gradient_of(comm.rank, comm.world_size, P)
    mine = collectives.reduce_scatter(comm, gradient)         # this rank's piece of the sum
    shard = torch.zeros(len(mine)) - mine                     # a server's step, own piece only
    return torch.cat(collectives.all_gather(comm, shard))     # everyone pulls every piece


sharded, whole = (SimWorld(4).run(program, 1001) for program in (sharded_program, ring_program))
same = all(torch.equal(a, b) for a, b in zip(sharded.results, whole.results))
print("same weights, bit for bit:", yes(same))
print("same bytes on every link: ", yes((sharded.ledger.counts == whole.ledger.counts).all()))

# %% [markdown]
# Same weights, same bytes, and optimizer state for only one $K$-th of the parameters on each rank. That is the idea of
# ZeRO and FSDP: the server's "state lives in one place", without a place that is special.
#
# ### Move it yourself
#
# The picture puts ring and servers side by side for a dense step of fifty million parameters. Left: bytes through the
# busiest port, per direction. Right: what that means in time, with the bandwidth of above and 20 µs a message. This is
# the printed example.

# %%
viz.busiest_link(K=8, S=1, overlap=0.0)

# %% [markdown]
# Now with sliders. Try to make the server win: by servers alone, by overlap alone, by both. How many servers does it
# take at eight workers? Does overlap change the bytes?

# %% tags=["nbval-ignore-output"]
viz.busiest_link_widget()

# %% [markdown]
# In bytes the servers win once $S$ is above $K^2/(2(K-1))$, the fair ratio of the table above: rounded up, with five
# servers. Overlap never changes the left picture, only the right one. And once there are as many servers as workers, more of them
# change nothing: the *worker's* own port has become the busiest.
#
# ## 3. Where the parameter server stays decisive · *Intermediate*
#
# ### A gradient that is almost entirely zero
#
# An embedding table has one row for each user or each item. One batch looks up a few thousand rows, and only those rows
# get a gradient. The printed example has a hundred million rows of 128 numbers, of which each of eight workers touches
# 4,096. How large is that table, and what share of it does a step touch?

# %%
print(f"table                    {A.table_bytes / 1e9:.1f} GB")
for who, rows, share in (("one worker", A.ids_per_step, A.touched_share_worker),
                         ("all, at most", A.rows_touched, A.touched_share)):
    print(f"touched by {who:12}  {rows:>6,} rows, {100 * share:.4f} % of the table")

# %% [markdown]
# A dense all-reduce cannot know which rows are zero and carries them all. A server carries the touched rows, twice. The
# printed ratio of the two was in the first table of section 2. Again it matters what is counted: the printed figure
# adds up *all links*, while the dense comparison looked at *the busiest one*. Keys were not counted at all. Which of the
# ratios below is the smallest?

# %%
counts = [("all links, no keys: as printed", A.table_ring_total, A.sparse_total),
          ("all links, with 8-byte keys", A.table_ring_total, A.sparse_total_with_keys),
          ("busiest port, ring one way, server both", A.table_ring_one_way, A.sparse_total),
          ("busiest port, one way on both sides", A.table_ring_one_way, A.sparse_one_way)]
Table(["counted", "dense all-reduce", "one server", "ratio"],
      [[what, viz.sized(ring, 4), viz.sized(server, 4), f"{ring / server:,.0f}"]
       for what, ring, server in counts])

# %% [markdown]
# One comparison, four ratios, and the printed one is the largest. All of them are in the thousands, so the verdict
# stands: nobody should all-reduce this table densely. But is that the choice?
#
# ### The third rival
#
# Sparse gradients *can* be combined without a server: every worker sends its touched rows, with their ids, to all
# others, and everyone adds them up. That is an all-gather. It moves $K(K-1)\,n\,(Db+8)$ bytes for $n$ rows a worker, which is
# $(K-1)/2$ times what the server moves. Look for the number of workers at which the two are equal, and at the last
# column.

# %%
rows = []
for k in (2, 3, 4, 8, 16):
    a = cost.accounting_11_9(K=k)
    rows.append([k, viz.sized(a.gather_total, 4), viz.sized(a.sparse_total_with_keys, 4),
                 a.gather_over_server, viz.sized(a.gather_memory_bytes)])
Table(["K", "sparse all-gather, all links", "server, all links", "gather / server",
       "memory a worker, gather"], rows)

# %%
Note(f"With two workers the gather moves *half* of what the server moves: rows are local, so there "
     f"is nothing to pull. With three they are equal, with {A.K} the gather moves "
     f"{A.gather_over_server} times as much, {viz.sized(A.gather_total, 4)}. It is no rival that "
     f"loses by a factor of {A.printed_sparse_ratio:,.0f}. What decides against it is the last "
     f"column: every worker must hold all {viz.sized(A.table_bytes)}. **Capacity** decides, then "
     f"bytes.")

# %% [markdown]
# The same three rivals side by side, in the unit that sets the time of a step. The axis is logarithmic: each grid line
# is a factor of ten.

# %%
n, K, ROW = A.ids_per_step, A.K, A.D * 4
busiest = {"dense all-reduce": A.table_ring_one_way,
           "sparse all-gather": cost.sparse_all_gather(n, K, ROW).busiest,
           "one server": cost.sparse_server(n, K, 1, ROW).busiest,
           "eight servers": cost.sparse_server(n, K, 8, ROW).busiest}
viz.bars(list(busiest), {"busiest port": [count / 1e6 for count in busiest.values()]}, unit="MB",
         log=True, quantity="busiest port, per direction",
         looks=dict(zip(busiest, ("allreduce", "gather", "server", "server"))),
         title="One sparse step, eight workers, keys counted")

# %% [markdown]
# Per direction, *one* server and the sparse all-gather are of the same size: the server's port sees the rows of all workers,
# and so does every port of the gather. Only servers in the plural are lighter.
#
# ### Three rivals, counted
#
# Now small and for real: a table of two thousand rows, forty rows a worker, in processes. First the two programs that
# are new, the server's and the gather's sparse step.


# %%
def rows_of(rank, V, n, D):
    """n distinct ids for a worker, in order, and a whole-numbered gradient for each."""
    ids = np.sort(np.random.default_rng(100 + rank).choice(V, n, replace=False))
    grads = (np.arange(n * D).reshape(n, D) % 50 * 4 + rank).astype(np.float32)
    return ids, grads


def sparse_server_program(comm, K, V, n, D):
    tables = [TableConfig("rows", dim=D, num_rows=V, rule=SGD(lr=1.0))]
    if comm.rank >= K:
        server = KVServer(tables, comm.rank - K, comm.world_size - K, range(K))
        serve(comm, server)
        return server.rows("rows")
    ids, grads = rows_of(comm.rank, V, n, D)
    with KVWorker(comm, range(K, comm.world_size), tables) as kv:
        kv.wait(kv.pull(ids, table="rows"))                   # what the forward pass needs
        kv.push(ids, grads, table="rows")                     # what the backward pass found
        kv.clock()


# %% [markdown]
# The other two hold the whole table on every worker. The dense one fills an array of the table's size with zeros first,
# because that is what a dense all-reduce is given.


# %%
def dense_program(comm, V, n, D):
    table, everything = np.zeros((V, D), np.float32), np.zeros((V, D), np.float32)
    ids, grads = rows_of(comm.rank, V, n, D)
    everything[ids] = grads
    collectives.all_reduce(comm, everything)
    return table - everything


def gather_program(comm, V, n, D):
    table = np.zeros((V, D), np.float32)
    ids, grads = (collectives.all_gather(comm, mine) for mine in rows_of(comm.rank, V, n, D))
    for their_ids, their_grads in zip(ids, grads):
        table[their_ids] -= their_grads.numpy()               # one worker's ids are distinct
    return table


# %% [markdown]
# Your second number. Two workers touch forty rows each, of sixteen numbers, with ids of eight bytes. How many bytes move
# over both links together in the sparse all-gather?

# %%
V, n, D = 2_000, 40, 16
my_bytes = ...
predict("11.9", "sparse all-gather of two workers, all links", my_bytes, unit="B")

# %%
pair = ProcessWorld(2)
gather = pair.run(gather_program, V, n, D)
_ = reveal("11.9", "sparse all-gather of two workers, all links",
           lambda: gather.ledger.total("vals") + gather.ledger.total("keys"))

# %% [markdown]
# Each worker sends its forty rows and ids to the one other, $2 \cdot 40 \cdot (16 \cdot 4 + 8)$ bytes, and nothing
# else: the rows themselves are in its own memory. Half of that is one link alone, twice that pulls the rows as from a
# server, and a ninth less leaves the ids at home. Now all three rivals, with two workers and then with three: bytes over
# all links as the ledger counted them, the closed form, and whether the resulting tables are the same bit for bit.

# %%


def three_rivals(K, worlds):
    dense = worlds[K].run(dense_program, V, n, D)
    gather = worlds[K].run(gather_program, V, n, D)
    server = worlds[K + 1].run(sparse_server_program, K, V, n, D)
    for name, run, owner, predicted in (
            ("dense all-reduce", dense, 0, cost.ring_all_reduce(V * D, K)),
            ("sparse all-gather", gather, 0, cost.sparse_all_gather(n, K, 4 * D)),
            ("one server", server, K, cost.sparse_server(n, K, 1, 4 * D))):
        counted = run.ledger.total("vals") + run.ledger.total("keys")
        same = np.array_equal(run.results[owner], dense.results[0])
        yield [K, name, counted, predicted.total, yes(counted == predicted.total), yes(same)]


worlds = {2: pair, 3: ring_world, 4: server_world}
rows = [row for K in (2, 3) for row in three_rivals(K, worlds)]
Table(["K", "rival", "counted (B)", "predicted (B)", "bytes agree", "same table"], rows)

# %% [markdown]
# Every count is the predicted one, and all three end with the same table. At two workers the gather moves half of what
# the server moves, at three the same.
#
# ### Exercise 11.9.3, worked: a sparse combine equals a dense one
#
# The exercise asks for a server that *averages* the gradients of touched rows and an all-reduce that *sums* full tables,
# and for equal results. Taken literally these contradict each other: an average is not a sum. Worse, "average" has
# several meanings. Take a row that three of four workers touch, with gradients 1, 2 and 3.

# %%
touched = np.array([1.0, 2.0, 3.0])
Table(["convention", "update of this row"],
      [["sum, divided by all K = 4 workers", touched.sum() / 4],
       ["mean over the workers that touched it", touched.mean()],
       ["last writer wins", touched[-1]]])

# %% [markdown]
# Only the first is the gradient of the mean loss over the global batch, and only it equals the dense all-reduce divided
# by $K$: a worker that did not touch the row contributes a *zero*, and zeros count in a mean. So both sides divide by
# $K$. On whole numbers and with $K=4$ no rounding can hide a difference. The last two columns try the two other
# conventions on the same gradients: how many rows come out wrong?


# %%
def other_conventions(K, V, n, D):
    """Tables after a mean over touching workers, and after last writer wins."""
    total, count, last = np.zeros((V, D)), np.zeros((V, 1)), np.zeros((V, D))
    for rank in range(K):
        ids, grads = rows_of(rank, V, n, D)
        total[ids] += grads
        count[ids] += 1
        last[ids] = grads
    return -total / np.maximum(count, 1), -last


def worked(V, K=4, n=300, D=8):
    sparse = SimWorld(K + 2, trace=False).run(sparse_server_program, K, V, n, D)   # 2 servers
    dense = SimWorld(K, trace=False).run(dense_program, V, n, D)
    by_server, by_ring = np.concatenate(sparse.results[K:]) / K, dense.results[0] / K
    others = other_conventions(K, V, n, D)
    wrong = [int((table != by_ring).any(1).sum()) for table in others]
    moved = [run.ledger.total("vals") + run.ledger.total("keys") for run in (sparse, dense)]
    return [V, *moved, yes(np.array_equal(by_server, by_ring)), int(by_ring.any(1).sum()), *wrong]


# %% [markdown]
# One table of a thousand rows, one of ten thousand, the same number of touched rows in both.

# %%
Table(["V", "sparse moved (B)", "dense moved (B)", "tables equal", "rows touched",
       "wrong: mean of touching", "wrong: last writer"], [worked(V) for V in (1_000, 10_000)])

# %% [markdown]
# Bit for bit the same table. With ten times the rows the sparse combine moves exactly the same bytes and the dense one
# ten times as many: the first scales with the rows *touched*, the second with $V$. Both other conventions get nearly
# every touched row wrong, silently: the mean over touching workers is right only for the few rows that all four touched.
#
# ### Exercise 11.9.1: where does the choice flip?
#
# If a step touches *enough* rows, the dense all-reduce wins. Let $n$ be the unique rows of one worker. By bytes over all
# links the two are equal when $2Kn(Db+\text{key}) = 2(K-1)VDb$. The table evaluates this and two other ways to count, for
# eight workers. Which one can never be reached?

# %%
views = [("all links, keys free", 128, 0, 1, "totals"),
         ("all links, 8-byte keys", 128, 8, 1, "totals"),
         ("all links, 8-byte keys", 16, 8, 1, "totals"),
         ("all links, 8-byte keys", 1, 8, 1, "totals"),
         ("server both ways, ring one way", 128, 0, 1, "busiest"),
         ("one way, both sides", 128, 0, 1, "direction"),
         ("one way, both sides", 128, 8, 8, "direction")]
flips = [cost.crossover_fraction(8, *how) for _, *how in views]
Table(["counted", "D", "key (B)", "S", "flips when one worker touches"],
      [[*view[:4], f"{100 * flip:.1f} % of the rows"] for view, flip in zip(views, flips)],
      note=f"the printed example touches {100 * A.touched_share_worker:.4f} %")

# %% [markdown]
# The answer depends on the question: from a tenth of the rows to more rows than there are. A share above one hundred per
# cent says that servers of this number are never beaten. Without keys the row length $D$ cancels; with keys short rows
# flip early, since a key then weighs more than the row it names. A real recommender is so far to the left of all of
# these points that the choice of view does not matter there. It does matter for small tables. The curve shows the first
# view: look where the line of the server crosses the flat one.

# %%
shares = [10.0 ** (i / 2 - 7) for i in range(15)]
k, v, row = A.K, A.V, A.D * 4
viz.curve([100 * share for share in shares],
          {"dense all-reduce": [2 * (k - 1) * v * row / 1e9 for _ in shares],
           "one server": [2 * k * share * v * row / 1e9 for share in shares],
           "sparse all-gather": [k * (k - 1) * share * v * row / 1e9 for share in shares]},
          looks={"dense all-reduce": "allreduce", "one server": "server",
                 "sparse all-gather": "gather"},
          xlabel="rows one worker touches (% of the table)", ylabel="bytes, all links (GB)",
          mark=(100 * A.touched_share_worker, "the printed example"), log="xy", rows=7,
          title="Bytes against the share of touched rows")

# %% [markdown]
# Three straight lines, of which one is level: that is the whole story of bytes.
#
# A formula for a crossover is only worth what a count says. The next cell runs the first view in the simulator, eight
# workers and one server, with rows of 1, 16 and 128 numbers, below, above and *at* the row where the ring begins to win.
# Lines are the formula, marks the ledger. Look for a mark beside its line.

# %%
viz.verdict_crossover()

# %% [markdown]
# None is, and the size of the table makes no difference. At the last mark before a crossing the server still moves no
# more than the ring, one row further it does. The picture's twin in words lists both.
#
# ## 4. The hybrid · *Advanced*
#
# A recommender is two models in one. Its embedding tables hold nearly all parameters and are touched sparsely. Its dense
# network holds few and is touched everywhere. Each half goes where the sections above send it:

# %%
boxes = [Box("batch", "a worker's part\nof the batch", (0, 1)),
         Box("pull", "pull the rows\nit names", (1, 0), "server"),
         Box("forward", "forward,\nbackward", (2, 1)),
         Box("push", "push row\ngradients", (3, 0), "server"),
         Box("ring", "all-reduce dense\ngradients", (3, 2), "allreduce"),
         Box("clock", "end of\nthe round", (4, 1))]
arrows = [("batch", "pull", "unique ids"), ("pull", "forward", "rows"),
          ("batch", "forward", "dense features"), ("forward", "push", "few rows"),
          ("forward", "ring", "everything"), ("push", "clock", ""), ("ring", "clock", "")]
viz.flow(boxes, arrows, title="One step of one worker in the hybrid")

# %% [markdown]
# Rows travel to and from the servers, dense gradients around the ring, and both at the same time. Now a small DLRM does
# this with real processes: two workers and two servers. The data is a synthetic click log. A few of its ids are very
# popular and most are rare (a Zipf distribution), and its labels are drawn by a planted model. So it is known how well
# one can predict at best: measured as AUC, the chance that a clicked example is ranked above one that was not clicked.
# How is the model divided?

# %%
log = synthetic_click_log(seed=9, train_rows=20_000, test_rows=4_000,
                          tables=(20_000, 2_000, 100))
batches = list(log.batches(512, seed=0, steps=25))


def job(strategy, workers=2):
    return Job(tables_of(log, 16), num_dense=log.train.dense.shape[1], strategy=strategy,
               workers=workers, servers=2, bottom=(32, 16), top=(32, 1), optimizer=AdaGrad(0.1))


for feature in log.features:
    print(f"{feature.name:8} {feature.num_embeddings:>6,} rows of 16")
dense_bytes = 4 * sum(p.numel() for p in job("hybrid").dense_model().dense_parameters())
print(f"dense    {dense_bytes:>6,} B in both networks")

# %% [markdown]
# Nearly all of the model is in its tables, as it should be. Your third number: per cent of the bytes through the busiest
# port that the hybrid saves against all-reducing everything. You know the rows and the bytes above, and that two workers
# share a batch of 512 clicks, each with one id for either of the first two tables and one to four ids for the bag.

# %%
my_share = ...
predict("11.9", "bytes the hybrid saves against all-reducing everything", my_share, unit="%")

# %% [markdown]
# The hybrid runs first, then the same batches with everything on the servers, with everything through the ring, and, as
# the reference, all alone without any network. Do they train the same model?

# %%
results = {"hybrid": run_job(server_world, job("hybrid"), batches),
           "server": run_job(server_world, job("server"), batches),
           "allreduce": run_job(pair, job("allreduce"), batches)}
results["single"] = run_job(SimWorld(1), job("single", workers=1), batches)


def test_auc(result):
    with torch.no_grad():
        return auc(log.test.labels, result.model()(log.test.dense, log.test.sparse))


rows = []
for name, result in results.items():
    gap = max(abs(a - b) for a, b in zip(result.losses, results["single"].losses))
    rows.append([name, f"{result.losses[0]:.3f}", f"{result.losses[-1]:.3f}",
                 "below 0.00001" if gap < 1e-5 else "LARGE", f"{test_auc(result):.2f}"])
Table(["strategy", "first loss", "last loss", "largest gap to the reference", "test AUC"], rows,
      note=f"{len(batches)} steps; the planted model reaches an AUC of {log.best_auc:.2f}")

# %% [markdown]
# All four follow the same path, step by step. The strategies differ in what they *move*, not in what they learn, and that
# includes the server strategies: their rounds are synchronous, so "server" does not mean "asynchronous" (section 5).
# What did they move?

# %%
def busiest_per_step(result):
    """(which port, its bytes a step): the direction that carried most; keys, but no headers."""
    ledger, K = result.run.ledger, result.job.workers
    ports = {(rank, way): ledger.port(rank, "vals")[way] + ledger.port(rank, "keys")[way]
             for rank in range(ledger.world_size) for way in (0, 1)}
    rank, way = max(ports, key=ports.get)
    port = f"{'worker' if rank < K else 'server'}, {('out', 'in')[way]}"
    return port, ports[rank, way] / len(batches)


def unique_rows(part):
    return sum(len(torch.unique(part.sparse[f.name].values)) for f in log.features)


rows_a_step = np.mean([unique_rows(batch.shard(k, 2)) for batch in batches for k in range(2)])
table_rows = sum(f.num_embeddings for f in log.features)
print(f"unique rows a worker and step: {rows_a_step:.0f} of {table_rows:,} on average")

# %% [markdown]
# The model beside the count knows only averages: equally many unique rows in every step, spread evenly over the two
# servers. For which strategies is that good enough?

# %%
rows = []
for strategy in ("allreduce", "server", "hybrid"):
    port, counted = busiest_per_step(results[strategy])
    model = cost.strategy_port_bytes(strategy, 2, 2, dense_bytes, table_rows, row_bytes=64,
                                     rows_per_worker=round(rows_a_step))
    expected = "worker" if model.busiest_port is model.worker else "server"
    rows.append([strategy, port, f"{counted:,.0f}", expected, f"{model.busiest:,}",
                 f"{counted / model.busiest:.3f}"])
Table(["strategy", "busiest port", "counted (B a step)", "model's busiest port",
       "model (B a step)", "ratio"], rows)

# %% [markdown]
# For the ring the model is exact: nothing about it depends on the data. With servers the busiest port carries visibly
# more than the model says, and in the hybrid it is not even the port that the model expects. Why? Ask the servers how
# many bytes of rows each of them handed out.

# %%
handed_out = [sum(table["vals_out_bytes"] for table in stats["tables"].values())
              for stats in results["hybrid"].server_stats]
shares = [100 * count / sum(handed_out) for count in handed_out]
Note(f"Server 0 answered {shares[0]:.0f} % of the rows, server 1 {shares[1]:.0f} %. Each owns half "
     f"of the *rows*, but the small and popular tables lie at the end of the range. **Even rows "
     f"are not even load**: that is what a partition is chosen for.")

# %% [markdown]
# All the same the hybrid moves least of the three. By how much? Name the denominator each time.

# %%
counted = {strategy: busiest_per_step(result)[1] for strategy, result in results.items()}
less = {other: 100 * (1 - counted["hybrid"] / counted[other]) for other in ("allreduce", "server")}
_ = reveal("11.9", "bytes the hybrid saves against all-reducing everything",
           lambda: round(less["allreduce"], 1))
for other, share in less.items():
    print(f"hybrid: {share:.1f} % fewer bytes a step than {other!r}, {counted[other]:,.0f} B")

# %% [markdown]
# If your number was a little higher, your servers shared the load evenly. If it was lower, every id of a click cost a row:
# a worker pulls a row once, however many of its clicks name it.
#
# At two workers and two servers a ring and the servers carry equally many dense bytes per direction; the hybrid gains
# because it takes them through the *workers'* ports and leaves the servers' to the rows. The large percentage is cheap:
# it grows with the size of the table that was all-reduced in vain. You will read of such savings, with tripled throughput,
# over a baseline that cannot have run at all because the table fits on no worker. Here all three ran.
#
# The small job hides how the three part. Here is the model at the size of the printed example: fifty million dense
# parameters, the hundred million rows, eight servers. Look where the lower two lines cross: between eight and sixteen workers.

# %%
ks = [2, 4, 8, 16, 32, 64]

def busiest_GB(strategy, K):
    step = cost.strategy_port_bytes(strategy, K, 8, dense_bytes=4 * A.P, table_rows=A.V,
                                    row_bytes=4 * A.D, rows_per_worker=A.ids_per_step)
    return step.busiest / 1e9


series = {s: [busiest_GB(s, k) for k in ks] for s in ("allreduce", "server", "hybrid")}
viz.curve(ks, series, log="xy", xlabel="workers K (count)",
          ylabel="busiest port, per direction (GB a step)",
          title="Three strategies at the size of the printed example, modelled")

# %%
more = {k: series["server"][i] / series["hybrid"][i] for i, k in enumerate(ks)}
Note(f"All-reducing everything is out of the question everywhere. With no more workers than "
     f"servers, everything on servers is *no heavier* than the hybrid: {more[2]:.2f} times its "
     f"bytes at two workers, {more[8]:.2f} times at eight. That is bought with eight machines. "
     f"At 64 workers the servers carry {more[64]:.1f} times as much, because their dense bytes "
     f"grow with every worker and the ring's do not.")

# %% [markdown]
# ### Who touches which row?
#
# "A stale row does little harm, because few batches touch it" is a common excuse for handling rows less carefully than
# weights. Test it by frequency: in how many of the steps above was the most popular row of the first table touched?

# %%
ids = [torch.unique(batch.sparse[log.features[0].name].values) for batch in batches]
steps_touched = torch.bincount(torch.cat(ids), minlength=log.features[0].num_embeddings)
by_popularity = steps_touched.sort(descending=True).values
print(f"most popular row:      touched in {by_popularity[0]} of {len(batches)} steps")
print(f"rows touched in every step: {int((steps_touched == len(batches)).sum())}")
print(f"rows touched once:     {int((steps_touched == 1).sum()):,}")
print(f"rows never touched:    {int((steps_touched == 0).sum()):,}")

# %% [markdown]
# The excuse holds for the long tail and fails for the head: the popular rows are touched in *every* step, like dense
# parameters.
#
# ### Hot rows to the ring, the tail to the servers?
#
# Then treat the head like dense parameters: a replica of the hot rows on every worker, kept equal by the ring, and only
# the tail on servers. That is worth it for a row when the ring's $2(K-1)\,Db$ is less than the server's $2K\,p\,(Db+8)$,
# where $p$ is the chance that a worker touches it in a step: $p > \frac{K-1}{K}\cdot\frac{Db}{Db+8}$. What does it save?
# First by formula, for a hundred thousand rows whose popularity is a Zipf law, 512 ids a worker and step.

# %%
popularity = np.arange(1, 100_001) ** -1.1
popularity /= popularity.sum()
rows = []
for k in (2, 4, 8):
    split = cost.hot_split(popularity, k, lookups=512, row_bytes=64)
    gains = [f"{split.gain:.1%}", f"{split.naive_gain:.1%}"]
    rows.append([k, f"{split.threshold:.2f}", split.hot, *gains])
heads = ["K", "hot from p of", "hot rows"]
Table([*heads, "saved, equal ids once", "saved, if every lookup travelled"], rows)

# %% [markdown]
# Now counted, with two workers: the same five steps with all rows on the server, and with the hot ones in the ring.

# %%
rng = np.random.default_rng(0)
streams = [rng.choice(100_000, (5, 512), p=popularity) for _ in range(2)]
hot = cost.hot_split(popularity, 2, lookups=512, row_bytes=64).hot
plain, split = (run_hot(streams, rows=100_000, dim=16, hot=h) for h in (0, hot))
predicted = all(run.counted_bytes == run.predicted_bytes for run in (plain, split))
print("same table:      ", yes(np.array_equal(plain.rows, split.rows)))
print("bytes as formula:", yes(predicted))
saved = 1 - split.counted_bytes / plain.counted_bytes
print(f"saved: {saved:.1%} of {viz.sized(plain.counted_bytes)}")

# %% [markdown]
# Little, and less with more workers. What the last column shows has already been taken by de-duplication: once equal ids
# travel once, a row that everybody touches in every step saves a $K$-th of its bytes and its keys, no more.
#
# ## 5. Two choices, not one · *Intermediate*
#
# It is tempting to read "server or all-reduce" as "asynchronous or synchronous". These are two separate choices. Which
# bytes go where is the *architecture*. Who waits for whom is the *consistency*. The servers of this chapter run bulk
# synchronous rounds (BSP). If that is truly synchronous, two things must show: the weights equal the ring's bit for bit
# after several rounds, and one slow worker slows everybody down, just as in the ring.


# %%
def ring_rounds(comm, P, seconds):
    weights = torch.zeros(P)
    for t, round_s in enumerate(seconds[comm.rank]):
        comm.compute(round_s)                          # this worker's forward and backward
        gradient = weights - t - gradient_of(comm.rank, comm.world_size, P)
        collectives.all_reduce(comm, gradient)
        weights -= gradient / 4
    return weights


def server_rounds(comm, K, P, seconds, consistency):
    tables = [TableConfig("weights", dim=1, num_rows=P, rule=SGD(lr=1 / 4),
                          consistency=consistency)]
    if comm.rank >= K:
        return serve(comm, KVServer(tables, comm.rank - K, comm.world_size - K, range(K)))
    with KVWorker(comm, range(K, comm.world_size), tables) as kv:
        for t, round_s in enumerate(seconds[comm.rank]):
            weights = kv.wait(kv.pull(range(P), table="weights"))
            comm.compute(round_s)
            gradient = weights - t - gradient_of(comm.rank, K, P)[:, None]
            kv.push(range(P), gradient, table="weights")
            kv.clock()
        return kv.wait(kv.pull(range(P), table="weights"))[:, 0]


# %% [markdown]
# Four workers, twenty rounds. First all take a millisecond a round, then one of them takes five. Look at both times.

# %%
even = np.full((4, 20), 1e-3)
one_slow = even * [[5], [1], [1], [1]]
rows = []
for name, seconds in (("all equally fast", even), ("one five times slower", one_slow)):
    ring = SimWorld(4).run(ring_rounds, 100, seconds)
    server = SimWorld(4 + 1).run(server_rounds, 4, 100, seconds, BSP())
    same = all(torch.equal(ring.results[r], server.results[r]) for r in range(4))
    rows.append([name, *(round(1e3 * run.seconds, 1) for run in (ring, server)), yes(same)])
Table(["workers", "ring (ms)", "synchronous server (ms)", "same weights"], rows,
      note="virtual time of twenty rounds")

# %% [markdown]
# The same weights, and the same tax on everybody for one slow worker: a server with synchronous rounds *is* synchronous.
# But a server talks to one worker at a time and need not make the others wait. It can let a worker run up to $s$ rounds
# ahead of the slowest (stale synchronous, SSP), or as far as it likes (asynchronous, ASP). Your last number: the same
# twenty rounds, one worker five times slower, and nobody waits for anybody. After how many milliseconds have all four
# workers finished?

# %%
my_ms = ...
predict("11.9", "twenty rounds without waiting, one slow worker", my_ms, unit="ms")

# %%
free = SimWorld(4 + 1).run(server_rounds, 4, 100, one_slow, ASP())
_ = reveal("11.9", "twenty rounds without waiting, one slow worker",
           lambda: round(1e3 * free.seconds, 1))

# %% [markdown]
# Nothing is gained: the slow worker has its own twenty rounds to do, and they take as long as before; what goes beyond
# them is messages. Whoever said about twenty was thinking of the other three: they do finish early, on weights that lack
# its gradients. Not waiting pays when slowness *moves*: now every worker has every
# round a chance of one in five to take five milliseconds. Compare the two lines.

# %%
moving = np.where(np.random.default_rng(5).random((4, 20)) < 0.2, 5e-3, 1e-3)
modes = {"BSP": BSP(), "SSP, s = 1": SSP(1), "SSP, s = 4": SSP(4), "ASP": ASP()}
rows = []
for name, seconds in (("one always slow", one_slow), ("each one slow at times", moving)):
    times = [1e3 * SimWorld(4 + 1).run(server_rounds, 4, 100, seconds, mode).seconds
             for mode in modes.values()]
    rows.append([name, *(round(t, 1) for t in times), round(1e3 * seconds.sum(axis=1).max(), 1)])
Table(["workers", *(f"{name} (ms)" for name in modes), "longest work alone (ms)"], rows,
      note="virtual time until all four have done their twenty rounds")

# %% [markdown]
# Against a worker that is always slow no slack helps. Against slowness that moves around a little slack recovers much of
# the time, and with a few rounds of it little is left to gain. The last column is the floor: the worker with most work
# cannot be faster than alone. What is paid is that workers compute on weights that lack some updates; how many, and
# what that does to training, is a subject of its own.
#
# The converse exists too: collectives that average only every so many steps (local SGD, DiLoCo) do not wait at each
# step. So the real picture is a square with two sides, {server, collective} × {synchronous, not}, and each of its four
# corners is inhabited. What a server makes *easy* is the asynchronous corner, because it talks to one worker at a time;
# a collective by its nature needs all of its members in the call.
#
#
# The converse exists too: collectives that average only every so many steps (local SGD, DiLoCo) do not wait at each
# step, and a *delayed* all-reduce lets the sums of one step travel while the next one computes. So the real picture is a
# square with two sides, {server, collective} × {synchronous, not}, and each of its four corners is inhabited. Here they
# run: the same small classification, the same workers, of which each has a chance of one in five to take five times as
# long. Compare along the rows, then along the columns.

# %%
task, pace = Logistic.made(200, 10, seed=1), Pace.transient(1e-3, probability=0.2, factor=5, seed=3)
viz.verdict_square(two_by_two(task, pace, workers=4, steps=40, lr=1.0))

# %% [markdown]
# Along a row the bytes stay the same and the waiting changes: that is consistency. Down a column the waiting is much
# the same where everybody waits, and the bytes change: that is the architecture. The two synchronous runs take the same
# time and end with the same loss. The delayed ring gains less than the server without rounds, because it is one step
# late and no more: each call still ends when the last member has come. What a server makes *easy* is the asynchronous
# corner, because it talks to one worker at a time; a collective by its nature needs all of its members in the call.
#
# ### One learner, many actors
#
# Reinforcement learning has a job that fits neither ring nor rounds. *Actors* play episodes with a copy of the
# parameters, a *learner* updates them, and actors come and go as machines do. Fresh parameters can be pulled from a
# server, or broadcast by the learner to everybody who is there. An episode is *late* by the versions that were made
# between the parameters it was played with and its use. Eight actors on narrow ports: one leaves early, two come
# late. Which way stays fresh?

# %%
actors = [Actor(episode_s=0.1 + 0.03 * i) for i in range(6)]
actors += [Actor(join_s=1.0, leave_s=3.0), Actor(join_s=2.0, episode_s=0.3)]
narrow = Link(latency_s=1e-3, bandwidth_Bps=12.5e6)
viz.verdict_actors([run_actors(way, actors, parameters=100_000, batch=4, update_s=0.05, link=narrow)
                    for way in ("server", "broadcast")])

# %% [markdown]
# With the server, lag is a matter of how many episodes are under way at once, and stays. With the broadcast every
# version leaves the learner's port once for every actor, so the learner waits for its own port, makes fewer versions,
# and the episodes it has no time for pile up: lag grows for as long as the job runs. On ports that are wide enough the
# two are alike, and then the broadcast saves a machine.
#
# ## 6. The chapter in one view · *Beginner*
#
# The decision, for **one group of parameters at a time**, is short. Capacity comes first, bytes second.

# %%
boxes = [Box("group", "a group of\nparameters", (0, 1)),
         Box("fits", "fits on a worker,\nwith its optimizer\nstate?", (1, 1)),
         Box("bytes", "which of three\nmoves least through\nthe busiest port?", (2, 1)),
         Box("ring", "all-reduce", (3, 0), "allreduce"),
         Box("gather", "sparse all-gather", (3, 1), "gather"),
         Box("server", "parameter server", (2, 2), "server")]
arrows = [("group", "fits", ""), ("fits", "bytes", "yes"), ("fits", "server", "no"),
          ("bytes", "ring", "dense ring"), ("bytes", "gather", "all-gather"),
          ("bytes", "server", "server")]
viz.flow(boxes, arrows, title="Where a group of parameters goes")

# %% [markdown]
# As a function it gives its reason with its answer. Six groups, on workers with 80 GB; AdaGrad keeps one more number for
# each parameter, Adam two. Look at the second and third line: nothing differs but the optimizer.

# %%
groups = [  # K, S, rows, bytes a row, unique rows a worker touches, optimizer numbers a parameter
    ("dense network, 8 workers", 8, 4, A.P, 4, A.P, 2),
    ("printed table, 2 workers, SGD", 2, 1, A.V, 512, 4096, 0),
    ("printed table, 2 workers, AdaGrad", 2, 1, A.V, 512, 4096, 1),
    ("2,000,000,000 rows, 16 workers", 16, 16, 2 * 10**9, 512, 4096, 1),
    ("50 rows, all touched, 8 workers", 8, 4, 50, 64, 50, 1),
    ("100,000 rows, 4 workers", 4, 4, 10**5, 64, 400, 1),
]
rows = []
for name, K, S, size, row_bytes, touched, slots in groups:
    choice = cost.choose(K=K, S=S, rows=size, row_bytes=row_bytes, rows_per_worker=touched,
                         slots=slots, worker_memory_bytes=80 * 10**9)
    rows.append([name, choice.architecture, viz.sized(choice.copy_bytes), choice.reason])
Table(["group", "goes to", "copy with state", "because"], rows)

# %% [markdown]
# The optimizer's state alone moved the table from the workers to the servers. And a model with a dense network *and*
# large tables asks the question twice and gets two answers: the hybrid is not a third architecture, it is the first two,
# each used where it fits.
#
# Two more questions can come between capacity and bytes: do workers leave and join, and is somebody slow whom the others
# may pass? The chart shows more groups, and where each was settled: a line runs to the first question that decides.

# %%
viz.verdict_choices()

# %% [markdown]
# A straggler alone sends nothing to a server: it takes the leave to pass it, and for one who is slow for good, without a
# bound. In most lines bytes decide, and there small changes of $K$ and $S$ turn the answer.
#
# Side by side, with the section whose cells show it:
#
# | | all-reduce (ring) | parameter server | shown in |
# | --- | --- | --- | --- |
# | who is special | nobody | the servers | 1, links |
# | where parameters live | a full copy on every worker | in one place, in ranges over $S$ servers | 1 |
# | where gradients meet | on the way, piece by piece | at the owner of the row | 1, space–time |
# | dense bytes, busiest port, per direction | $2\frac{K-1}{K}Pb$ | $\max(\frac{K}{S},1)\,Pb$ | 2, ledger |
# | growth with $K$ | bytes level off, latency grows | bytes grow unless $S$ grows along | 2, "flat in K" |
# | extra machines | none | $S$, or none if they share the workers' | 2, table |
# | sparse bytes, all links | all rows, or $(K-1)/2$ × the server's as an all-gather | touched rows, with keys, twice | 3, rivals |
# | memory a worker needs | the whole model and its optimizer state | the rows of one batch | 3, 6 |
# | messages of a worker, dense step | $2(K-1)$ large ones, in turn | one push and one pull a server, and small mail | 1, space–time |
# | synchronous | yes, by nature | if its rounds are (BSP) | 4, 5 |
# | not waiting for the slowest | only by combining more rarely | natural | 5 |
# | in one job together | the dense network | the embedding tables | 4 |
#
# And the six ways of this chapter to answer two questions:
#
# | architecture | where gradients meet | where parameters live | shown in |
# | --- | --- | --- | --- |
# | one server | at its port | on it | 1, 2 |
# | $S$ servers | at the owner of the range | in $S$ ranges | 2, 3 |
# | ring all-reduce | on the way round | everywhere | 1, 2 |
# | reduce-scatter, own step, all-gather | at the owner of the piece | everywhere; optimizer state in pieces | 2, "the server inside the ring" |
# | sparse all-gather | on every worker, again and again | everywhere | 3, third rival |
# | hybrid | dense on the way round, rows at their owner | dense everywhere, rows in one place | 4 |

# %% [markdown]
# ### What the printed accounting leaves out
#
# Every printed number was right. What the sentences around such numbers often claim is a different matter, and each
# line can be checked in a cell above.
#
# | often said | what the cells show | where |
# | --- | --- | --- |
# | the ring's busiest link is nine times lighter | counted alike it is about half of that; the nine is a ratio of times without overlap | 2, first two tables |
# | the server moves four orders of magnitude less | of totals; per direction of the busiest port a fraction of that | 3, first table |
# | all-reduce must move the whole table | a *dense* one must; a sparse all-gather does not, and beats the server at two workers | 3, third rival |
# | the ring's cost is flat in the number of workers | bytes level off, time grows by two latencies a worker | 2, "flat in K" |
# | the ring moves the fewest bytes possible | without extra machines; as many servers as workers move less | 2, "fewest bytes" |
# | a terabyte-class table | the table of the example has the size printed in section 3 | 3, first cell |
# | a step touches a thousandth of a per cent | the computed shares, of one worker and of all, are larger | 3, first cell |
# | server or all-reduce *is* asynchronous or synchronous | a synchronous server equals the ring bit for bit and waits as long | 5 |
# | stale rows are harmless, few batches touch them | the head of the table is touched in every step | 4, frequencies |
#
# ### Where the line is moving
#
# On one side the hot head of the tables moves into the workers' memory, where caches treat it like dense parameters
# (HugeCTR, TorchRec). On another, ZeRO and FSDP put the server's idea of owned pieces *into* the collective. On a third,
# DiLoCo (Douillard et al., November 2023) and its open reproduction OpenDiLoCo (Jaghouar et al., 2024) combine so rarely
# that the network between continents is enough, which fills a corner of the square in section 5.

# %% [markdown]
# ## In production
#
# **The dense half: DistributedDataParallel.** PyTorch's DDP cuts the gradients into buckets and all-reduces each as soon
# as the backward pass has filled it. Here it runs for real, over Gloo and loopback, in the same two processes that then
# run our ring on the same gradients. DDP *averages*, so our sum is divided by the number of workers.


# %%
def ddp_gradient(rank):
    """(what DDP makes of the gradients of all ranks, this rank's own gradient by hand)."""
    from torch.nn.parallel import DistributedDataParallel
    model, x = torch.nn.Linear(4, 3, bias=False), torch.arange(8.0).view(2, 4) + 10 * rank
    ddp = DistributedDataParallel(model)
    ddp(x).sum().backward()                            # the all-reduce happens while this runs
    return model.weight.grad, torch.ones(2, 3).T @ x


def ddp_program(comm, folder):
    import torch.distributed as dist
    os.environ["GLOO_SOCKET_IFNAME"] = "lo" if os.uname().sysname == "Linux" else "lo0"
    store = dist.FileStore(os.path.join(folder, "store"), comm.world_size)
    dist.init_process_group("gloo", store=store, rank=comm.rank, world_size=comm.world_size)
    averaged, own = ddp_gradient(comm.rank)            # DDP's object is gone before its group is
    dist.destroy_process_group()
    collectives.all_reduce(comm, own)
    return torch.equal(averaged, own / comm.world_size)


# %%
with tempfile.TemporaryDirectory() as folder:
    equal = pair.run(ddp_program, folder).results
print("DDP's gradient equals our ring's, divided by K:", *map(yes, equal))

# %% [markdown]
# **The sparse half: TorchRec.** It is not installed here, and nothing below was run. In TorchRec you describe the tables,
# and `DistributedModelParallel` shards them over the ranks and keeps the rest data-parallel. There are no separate
# servers: each rank owns some rows and an all-to-all routes ids to owners and pooled rows back, which is section 2's
# colocated server in another dress. Tables are declared on the *meta* device, or the whole of them would be allocated
# on the host before they are sharded:
#
# ```python
# tables = [EmbeddingBagConfig(name="item", num_embeddings=100_000_000, embedding_dim=128, feature_names=["item"])]
# ebc = EmbeddingBagCollection(tables=tables, device=torch.device("meta"))
# model = DLRM(embedding_bag_collection=ebc, dense_in_features=13,
#              dense_arch_layer_sizes=[512, 256, 128], over_arch_layer_sizes=[512, 256, 1])
# model = DistributedModelParallel(module=model, device=torch.device("cuda"))
# ```
#
# `EmbeddingBagConfig` has the same fields in this kit, on purpose.

# %%
for world in (pair, ring_world, server_world):
    world.close()                                             # the processes are gone

# %% [markdown]
# ## Did it stick?
#
# Answer first, then click.
#
# <details><summary><b>Twelve workers all-reduce twelve million float32 numbers in a ring. What does each port carry, per
# direction, and in how many rounds?</b></summary>
# <p>2 · 11/12 of 48 MB: 88 MB, in 22 rounds.</p></details>
#
# <details><summary><b>Eight workers, four servers on machines of their own, a dense model. Which port is the busiest,
# the ring's or a server's?</b></summary>
# <p>A server's. It carries K/S = 2 times the model per direction, a port of the ring 1.75 times.</p></details>
#
# <details><summary><b>At how many workers does a sparse all-gather move as many bytes in all as the server?</b></summary>
# <p>At three, where (K − 1)/2 = 1. At two it moves half. Through the busiest port the count is another one.</p></details>
#
# <details><summary><b>A table of single numbers (D = 1), 8-byte keys, four workers. From which share of touched rows on
# does a dense all-reduce move fewer bytes in all?</b></summary>
# <p>From 25 %: (K − 1)/K · 4/(4 + 8). The keys are twice as heavy as the rows they name.</p></details>
#
# <details><summary><b>A sparse server divides each row's sum by the number of workers that touched it. What is
# wrong?</b></summary>
# <p>Rows that few workers touch move too far: a worker that did not touch a row contributes a zero, and zeros count. The
# result would also depend on how the batch was cut.</p></details>
#
# <details><summary><b>Your server job trains exactly like the ring. Does that prove that the servers did
# nothing?</b></summary>
# <p>No. Synchronous rounds make them equal. The ledger says who moved what.</p></details>
#
# <details><summary><b>A report says that traffic fell to a twentieth. What do you ask?</b></summary>
# <p>The traffic of what: all links or the busiest port, one direction or both, with keys and headers? And did the
# baseline run?</p></details>
#
# The figures in these answers, computed:

# %%
twelve = cost.ring_all_reduce(12 * 10**6, 12)
print(f"ring of twelve:      {viz.sized(twelve.busiest)} a direction "
      f"of {viz.sized(4 * 12 * 10**6)}, {twelve.rounds} rounds")
eight_ring, eight_server = cost.ring_all_reduce(800, 8), cost.parameter_server(800, 8, S=4)
print(f"eight and four:      server {eight_server.busiest / 3200:g} times the model, "
      f"ring {eight_ring.busiest / 3200:g} times")
print(f"crossover at D = 1:  {100 * cost.crossover_fraction(4, 1, key_bytes=8):.0f} %")

# %% [markdown]
# Now do it yourself: [Lab 9: the verdict](../labs/lab_09_verdict.ipynb).
#
# ## Further reading
#
# - M. Li, D. G. Andersen, J. W. Park, A. J. Smola, A. Ahmed, V. Josifovski, J. Long, E. J. Shekita, B.-Y. Su: *Scaling
#   Distributed Machine Learning with the Parameter Server*, OSDI 2014.
# - P. Patarasuk, X. Yuan: *Bandwidth Optimal All-reduce Algorithms for Clusters of Workstations*, Journal of Parallel and
#   Distributed Computing, 2009.
# - Y. Jiang, Y. Zhu, C. Lan, B. Yi, Y. Cui, C. Guo: *A Unified Architecture for Accelerating Distributed DNN Training in
#   Heterogeneous GPU/CPU Clusters* (BytePS), OSDI 2020.
# - M. Naumov et al.: *Deep Learning Recommendation Model for Personalization and Recommendation Systems* (DLRM),
#   arXiv 1906.00091, 2019.
# - D. Ivchenko et al.: *TorchRec: a PyTorch Domain Library for Recommendation Systems*, RecSys 2022.
# - S. Li et al.: *PyTorch Distributed: Experiences on Accelerating Data Parallel Training* (DDP), VLDB 2020.
# - S. Rajbhandari, J. Rasley, O. Ruwase, Y. He: *ZeRO: Memory Optimizations Toward Training Trillion Parameter Models*,
#   SC 2020.
# - A. Douillard et al.: *DiLoCo: Distributed Low-Communication Training of Language Models*, arXiv 2311.08105, 2023;
#   S. Jaghouar, J. M. Ong, J. Hagemann: *OpenDiLoCo*, 2024.
