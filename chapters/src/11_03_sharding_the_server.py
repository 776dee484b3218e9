# %% [markdown]
# # 11.3 Sharding the server
#
# **The big picture.** One parameter server is soon too small for the model and too narrow for its workers. So the rows
# are spread over several servers, and from then on every worker must know, for every key, whom to ask. Nobody is asked
# about that: the answer is a *function* that all of them compute for themselves and that must come out the same
# everywhere. This chapter writes that function in three ways and puts one question to each of them after the other: how
# even are the servers, how much must move when one more comes, and who has the work when some keys are asked for far
# more often than others? Then it counts what several servers buy, where more of them buy nothing, and who brings all
# these programs together.
#
# **After this chapter you can**
#
# 1. place keys by ranges, by a hash and on a ring, and say what each is good and bad at;
# 2. say how many points a server needs on the ring, and read the balance from a curve;
# 3. say which rows move when a server comes or goes, and what they weigh, before anything moves;
# 4. tell apart who has most keys and who has most load, and put copies where they help;
# 5. compare one server, several servers, and servers with an aggregator in each rack, port by port;
# 6. compute how many servers are enough for so many workers, and say what bounds the rest;
# 7. read a scheduler's table: who is at which clock, and who waits for whom.
#
# **Before you start** you should know what a push and a pull are (chapter 11.2) and what a port and the ledger are
# (chapter 11.0, or the [terms](../docs/terms.md)). **Time:** an hour to read, under a minute to run.
#
# Four times you are asked for a number before a run shows one. Write yours in place of the `...`.

# %%
import os
import subprocess
import sys
import tempfile

import numpy as np
import torch

from pslab import cost, viz
from pslab.comm import Link, ProcessWorld, Racks, SimWorld
from pslab.grade import predict, reveal
from pslab.ps import (ASP, SGD, SSP, AdaGrad, ConsistentHash, HashPartition, KVServer, KVWorker,
                      RangePartition, Status, TableConfig, cluster, cluster_of_racks, move_rows,
                      movement_plan, serve)
from pslab.ps.partition import imbalance, server_loads, zipf
from pslab.viz import Note, Table

torch.set_num_threads(1)


def yes(truth):
    return "yes" if truth else "NO"


# %% [markdown]
# ## 1. Who owns a key · *Beginner*
#
# A table has $R$ rows, a row's number is its **key**, and there are $S$ servers. A **partition** says which server owns
# a key. The simplest one cuts the keys into $S$ contiguous **ranges** whose sizes differ by at most one. Ten rows on
# three servers: look where the cuts are, and what becomes of a request for rows 2 to 7.

# %%
ranges = RangePartition().bind(10, 3)
for server in ranges.servers:
    print(f"server {server} owns rows", list(ranges.owned(server)))
print("rows 2 to 7 are asked of:", {server: list(range(2, 8)[part])
                                    for server, part in ranges.split(range(2, 8))})

# %% [markdown]
# Neighbours stay together, so a stretch of rows is asked for by its first key and its length, one message for each
# server that has a part of it, and no list of keys on the wire. That is what a dense layer wants.
#
# But the rows of a real table are often numbered by somebody else: ids of users that are given out one after the other,
# hashes of words. Ranges are even in *rows of the table*, and it may be that few of those rows are in use. Below,
# 40,000 ids have been given out of a table with room for 160,000. The other contender mixes the bits of a key and takes
# the remainder by $S$. Which servers have something to do?

# %%
IDS, ROOM = np.arange(40_000), 160_000
ways = {"ranges": RangePartition(), "hash modulo S": HashPartition()}
held = {name: np.bincount(way.bind(ROOM, 4).owner(IDS), minlength=4) / 1000
        for name, way in ways.items()}
viz.bars([f"server {s}" for s in range(4)], held, unit="thousand", quantity="keys in use",
         title="Where 40,000 ids lie, of a table with room for 160,000",
         looks={"ranges": "allreduce", "hash modulo S": "server"})

# %% [markdown]
# By ranges one server has everything. The hash does not see the pattern, whatever it is. It pays with its neighbours: a
# stretch of rows is scattered over all servers, and each key must be named.
#
# ### A table without end
#
# With 64-bit keys a table needs no last row. Ranges then cut the *key space*: server $s$ of $S$ gets the keys from
# $s \cdot 2^{63}/S$ on. What does that do to ids that are small numbers, and to the same ids after their bits were mixed?

# %%
endless = RangePartition().bind(None, 4)
mixed = (ConsistentHash().bind(None, 1).place(IDS) >> np.uint64(1)).astype(np.int64)
Table(["40,000 keys", *(f"server {s}" for s in range(4))],
      [[name, *np.bincount(endless.owner(keys), minlength=4).tolist()]
       for name, keys in (("as they are", IDS), ("mixed first", mixed))],
      note="ranges of the key space, for a table of any 64-bit keys")

# %% [markdown]
# Equal ranges of a key space are even exactly when the keys are spread over all of it, as hashes are. Keep this in mind
# for the systems in section 2: most of them hash first and cut into ranges then.
#
# ### Python's own `hash()` will not do
#
# A partition is computed in every process. Python has a `hash()`; three processes that differ only in `PYTHONHASHSEED`,
# which Python otherwise draws anew each time it starts, are asked which of ten servers owns three rows that have names,
# and which of eight owns keys 64, 128 and 192.

# %%
ASK = "print([hash(name) % 10 for name in ('user', 'item', 'word')], [hash(k) % 8 for k in (64, 128, 192)])"
for hash_seed in ("1", "2", "3"):
    said = subprocess.run([sys.executable, "-c", ASK], env={**os.environ, "PYTHONHASHSEED": hash_seed},
                          capture_output=True, text=True, check=True)
    print(f"PYTHONHASHSEED={hash_seed}:", said.stdout.strip())
print("HashPartition:   ", HashPartition().bind(None, 8).owner(np.array([64, 128, 192])).tolist())

# %% [markdown]
# Two lessons. The hash of a *text* is another one in every process: a worker would push to one server and its colleague
# pull from another, and nothing would complain. And the hash of a *number* is the number, so that keys in steps of 64
# all end on server 0. `HashPartition` uses arithmetic on 64-bit numbers alone (the finaliser of SplitMix64), so its
# last line is the same in every process, on every machine and in every version of Python.

# %% [markdown]
# ## 2. The ring of hashed space · *Intermediate*
#
# A remainder by $S$ has another fault, which shows when $S$ changes: $x \bmod 10$ says nothing about $x \bmod 11$.
# **Consistent hashing** (Karger et al. 1997) avoids that. Bend the hashed space $0 \ldots 2^{64}$ into a ring. Every
# server puts some points onto it, at the hashes of (its number, the point's number). A key goes to its own hash, and
# belongs to the *next point from there on*, clockwise. Below are three servers with three points each and ten keys; on
# the right a fourth server has come. Look for the keys that have a circle around them.

# %%
three = ConsistentHash(points=3, seed=2086).bind(None, 3)
four = ConsistentHash(points=3, seed=2086).bind(None, 4)
viz.hash_ring(three, four, keys=range(1, 11), names=["three servers", "a fourth comes"],
              title="Ten keys on the ring of hashed space")

# %% [markdown]
# The newcomer's points cut pieces off the arcs of others. Three keys lie in those pieces and go to it; the other seven
# have the same next point as before. *Every key that moves goes to the new server*, and none moves between old ones. If
# a server leaves, the same picture is read from right to left.
#
# The arcs are of very unequal length, though, because points fall at random. The remedy is in the number of points, the
# **virtual nodes**: a server that stands at many places owns the sum of many arcs, and sums of many random pieces are
# alike. The next cell draws the busiest server's share over the mean, for ten servers and a hundred different rings.
# Look where the worst of the hundred comes below one and a third.

# %%
POINTS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]


def balance(points, rings=100, S=10):
    """Busiest share of the ring over the mean, of so many rings."""
    return [S * max(viz.ring_shares(ConsistentHash(points, seed).bind(None, S)).values())
            for seed in range(rings)]


found = {points: balance(points) for points in POINTS}
viz.curve(POINTS, {"worst of 100 rings": [max(found[p]) for p in POINTS],
                   "median": [float(np.median(found[p])) for p in POINTS]}, log="x", rows=10,
          xlabel="points of a server (count)", ylabel="busiest share (times the mean)",
          looks={"worst of 100 rings": "server", "median": "hybrid"}, mark=(128, "128 points"),
          title="Ten servers: how even the ring is")

# %%
Note(f"With one point a server the busiest of ten has, in the median ring, **{np.median(found[1]):.1f}** times the "
     f"mean; with 128 points it has **{np.median(found[128]):.2f}**, and **{max(found[128]):.2f}** in the worst of "
     f"these rings. The excess shrinks with the square root of the number of points: four times as many halve it. "
     f"A look-up is a binary search among $10 \\cdot 128 = {10 * 128:,}$ places, some {int(np.ceil(np.log2(1280)))} "
     f"comparisons, and the ring itself takes {10 * 128 * 16:,} B in every process.")

# %% [markdown]
# ### What the systems do
#
# It is often written that a parameter server gives each server "a contiguous range of keys", and in the same paragraph
# that it uses consistent hashing. These look like two answers to one question. What each system does:
#
# | system | how a key finds its server | in this kit |
# | --- | --- | --- |
# | Li et al., OSDI 2014 | keys *and* servers are put on a ring; a server stands there as several virtual ones, and each of these owns the range of the **hashed** space up to its point | `ConsistentHash` |
# | ps-lite, the code that followed | the space of 64-bit keys is cut into $S$ equal ranges; no ring, no virtual nodes, no replication | `RangePartition` of a table without end |
# | MXNet on ps-lite | a small array goes whole to one server, by its number times 9973, modulo $S$; a large one is cut into $S$ equal pieces; each piece then gets a key inside that server's range | `HashPartition`; `RangePartition` |
#
# So both halves of the sentence describe the paper, if "contiguous" is said of *hashes* and not of keys: neighbouring
# keys do not stay together on its ring. In ps-lite it is the other way round, and a user who passes small ids as keys
# meets the first line of the table in section 1. Since its ranges follow from $S$, every change of $S$ moves half of
# all keys.

# %% [markdown]
# ## 3. When a server comes or goes · *Intermediate*
#
# Ten servers hold 11,000 rows, and an eleventh comes to help. To be even it must get one eleventh of them. First a
# number of yours: with `HashPartition`, mixed bits modulo $S$, which share of all keys gets another owner?

# %%
my_percent = ...
predict("11.3", "keys that move, hash modulo S, 10 to 11 servers", my_percent, unit="%")

# %%
R = 11_000
ways = {"ring, 128 points": ConsistentHash(), "even ranges": RangePartition(), "hash modulo S": HashPartition()}
plans = {name: movement_plan(way.bind(R, 10), way.bind(R, 11)) for name, way in ways.items()}
_ = reveal("11.3", "keys that move, hash modulo S, 10 to 11 servers",
           lambda: round(100 * plans["hash modulo S"].moved_fraction, 1), unit="%")

# %% [markdown]
# A hash stays where its remainders by ten and by eleven agree, and of every 110 values in a row they do for the ten
# values 0 to 9 alone. All others move, one in eleven to the newcomer and the rest *between servers that are none the
# better for it*. A **movement plan** is the list of all moves, each (source, target, keys), made before anything moves.
# Compare the three.

# %%
rows = []
for name, plan in plans.items():
    to_new = sum(map(len, plan.arriving(10)))
    rows.append([name, plan.moved_rows, f"{100 * plan.moved_fraction:.1f}", to_new, plan.moved_rows - to_new,
                 len(plan)])
Table(["partition", "rows moved", "of all (%)", "to the new server", "between old servers", "moves"], rows,
      note="ten servers to eleven, 11,000 rows")

# %% [markdown]
# The ring moves what must move and little else; the modulo moves nearly everything. Even ranges move one half, whatever
# $S$ is: every edge shifts, so each server gives to its right neighbour, and the later ones give most of what they
# have. Both need ten moves; the modulo needs one from every old server to every other, old or new.

# %%
shift = plans["even ranges"]
viz.bars([f"{move.source} → {move.target}" for move in shift],
         {"rows": [len(move) for move in shift]}, unit="count", quantity="rows that move",
         title="Even ranges: everybody gives to the right-hand neighbour", looks={"rows": "allreduce"})

# %% [markdown]
# ### The rows travel
#
# A plan is a promise; now eleven servers carry it out in the simulator. A row of four float32 numbers travels together
# with the state that its update rule keeps for it, here AdaGrad's four sums of squares. Both ends know the plan, so no
# keys are sent. Every row carries its own key as its value, so that a mix-up would show.


# %%
def move(comm, old, new):
    """One server: bring its rows and their state to where `new` wants them; is everything right?"""
    mine = np.asarray(old.owned(comm.rank)) if comm.rank in old.servers else np.empty(0, np.int64)
    rows = np.repeat(mine[:, None], 4, axis=1).astype(np.float32)
    keys, rows, state = move_rows(comm, old, new, rows, state=rows[None] + 0.5)
    return np.array_equal(keys, new.owned(comm.rank)) and bool(
        (rows == keys[:, None]).all() and (state[0] == keys[:, None] + 0.5).all())


rows = []
for name, way in ways.items():
    run = SimWorld(11, trace=False).run(move, way.bind(R, 10), way.bind(R, 11))
    planned, counted = plans[name].payload_bytes(4, AdaGrad(0.1)), run.ledger.total()
    rows.append([name, viz.sized(planned), planned, counted, yes(planned == counted), yes(all(run.results))])
Table(["partition", "planned", "planned (B)", "counted (B)", "equal", "every row at home"], rows)

# %% [markdown]
# To the byte. The state doubles the weight; with Adam's two numbers for each parameter it would be three times the
# rows. The last line moves more than nine times what the first one does.
#
# ### When a server goes
#
# Take server 3 out of the ten. On the ring its keys go to whoever has the next point, which are *all* the others, and
# nobody else's keys move. With a single point its one neighbour would get everything.

# %%
rows = []
for points in (1, 128):
    ring = ConsistentHash(points, seed=1).bind(R, 10)
    plan = movement_plan(ring, ring.without(3))
    gets = [len(move) for move in plan]
    rows.append([points, plan.moved_rows, yes({m.source for m in plan} == {3}), len(gets), max(gets)])
Table(["points", "rows moved", "all from server 3", "servers that take over", "most for one of them"], rows)

# %% [markdown]
# That is the other reason for virtual nodes: the load of a lost server is shared. (Here the rows were still there to be
# moved. When a server dies they are not; copies of them are the subject of chapter 11.8.)
#
# ### Move it yourself
#
# Servers and points, against balance and movement. Set the points to 1 first, then raise them; then keep 128 points and
# raise the servers, and look which of the three bars on the right does not depend on $S$.

# %% tags=["nbval-ignore-output"]
viz.shards_widget()

# %% [markdown]
# For readers without a kernel, the same figure at its start:

# %%
viz.shards(S=10, points_each=128)

# %% [markdown]
# ## 4. Hot keys: even keys are not an even load · *Intermediate*
#
# So far each key counted once. But words, users and items are asked for by **Zipf's law**, or nearly: the $k$-th most
# wanted key gets a share that falls as $k^{-a}$. Here $a = 1.1$ and 20,000 keys, on eight servers, placed by a hash
# that is even to within a few per cent. Single keys are asked for, one at a time, as a service does that answers users.
# Your number: how many times the mean load does the busiest server get?

# %%
my_ratio = ...
predict("11.3", "load of the busiest of 8 servers", my_ratio, unit="times the mean")

# %%
ROWS, S = 20_000, 8
wanted = zipf(ROWS, 1.1)                                     # share of the k-th most wanted key
key_of = np.random.default_rng(3).permutation(ROWS)          # which key that is
share = np.empty(ROWS)
share[key_of] = wanted
eight = HashPartition().bind(ROWS, S)
_ = reveal("11.3", "load of the busiest of 8 servers",
           lambda: round(imbalance(server_loads(eight, share)), 2), unit="times the mean")

# %%
keys_each = np.bincount(eight.owner(np.arange(ROWS)), minlength=S)
Note(f"By *keys* the busiest has {imbalance(keys_each):.2f} times the mean. By *load* it is nearly twice the mean, "
     f"because the most wanted key alone draws {100 * wanted[0]:.0f} % of all requests, more than the "
     f"{100 / S:.1f} % that a server should have in all, and the first ten draw {100 * wanted[:10].sum():.0f} %. "
     f"No placement of single owners can mend that: a key has one place.")

# %% [markdown]
# What can be done is to give a key several places. Let the $h$ most wanted keys lie on *every* server, which then
# serves one $S$-th of their reads. How many keys does it take?

# %%
HOT = [0, 1, 2, 4, 8, 16, 32, 64, 128, 256]
even = {n: [imbalance(server_loads(HashPartition().bind(ROWS, n), share, h)) for h in HOT] for n in (4, 8, 16)}
viz.curve([max(h, 0.5) for h in HOT], {f"{n} servers": even[n] for n in even}, log="x", rows=10,
          xlabel="copied keys h, of 20,000 (count; left end: none)", ylabel="busiest server (times the mean)",
          looks={"4 servers": "sky", "8 servers": "hybrid", "16 servers": "server"},
          title="A few dozen copied keys bring an even load")

# %% [markdown]
# A few dozen of twenty thousand. More servers need more copies: the mean shrinks with $S$, and the next keys in line
# begin to stand out.
#
# Does a run agree? Twenty-four readers, eight servers, sixty reads each of rows of a kilobyte, in the simulator with
# finite ports. A copy is nothing but another row: a second table holds the 32 hottest rows eight times, one range of it
# on each server, and a reader takes turns among the copies.


# %%
def reader(comm, K, tables, reads, hot):
    """K readers ask for one row at a time; the first `hot` in order of demand have a copy on each of the servers."""
    if comm.rank >= K:
        return serve(comm, KVServer(tables, comm.rank - K, comm.world_size - K, range(K)))
    draws = np.random.default_rng(comm.rank).choice(ROWS, reads, p=wanted)
    with KVWorker(comm, range(K, comm.world_size), tables) as kv:
        for turn, rank in enumerate(draws):
            copy = (rank + comm.rank + turn) % (comm.world_size - K)
            asked = kv.pull([copy * hot + rank], "hot") if rank < hot else kv.pull(key_of[[rank]], "rows")
            kv.wait(asked)


K, DIM, outs = 24, 256, {}
for hot in (0, 32):
    tables = [TableConfig("rows", DIM, ROWS, SGD(1.0), ASP(), HashPartition())]
    tables += [TableConfig("hot", DIM, hot * S, SGD(1.0), ASP(), RangePartition())] if hot else []
    outs[hot] = SimWorld(K + S, link=Link(0.0, 0.0, 1e9), trace=False).run(reader, K, tables, 60, hot)

# %%
served = {hot: [run.ledger.port(K + s, "vals")[0] / 1024 for s in range(S)] for hot, run in outs.items()}
print({f"{hot} copied keys": f"{1e6 * run.seconds:.0f} µs, busiest {imbalance(np.array(served[hot])):.2f} "
       "times the mean" for hot, run in outs.items()})
viz.bars([f"server {s}" for s in range(S)], {"one owner each": served[0], "32 keys on all": served[32]},
         unit="count", quantity="rows given out", title="Rows that each server gave out",
         looks={"one owner each": "server", "32 keys on all": "hybrid"})

# %% [markdown]
# The same reads, in two thirds of the time, with the load almost even. Two prices are not in this picture:
#
# - **Writes.** A push to a copied key must reach all $S$ copies, or they drift apart. Reads of a copied row get cheaper by
#   a factor of $S$, writes dearer by the same factor; copies pay where rows are read far more often than written, or where
#   they may be a little stale.
# - **Batches take most of the effect away.** A worker that names each key of a batch *once* asks for the hottest key once a
#   batch, however often the batch contains it. With $q$ requests in a batch a key of share $p$ is named with probability
#   $1 - (1-p)^q$, which cannot exceed one.

# %%
rows = []
for batch in (1, 16, 64, 256, 1024, 4096):
    named = 1 - (1 - share)**batch
    rows.append([batch, f"{named.sum() / batch:.2f}", *(f"{imbalance(server_loads(eight, named, h)):.2f}"
                                                       for h in (0, 32))])
Table(["keys in a batch", "distinct of them (share)", "busiest, no copies", "busiest, 32 copied"], rows,
      note="eight servers; busiest server in times the mean")

# %% [markdown]
# With a batch of a few hundred keys the load is even without any copy. So before anybody builds a machinery for hot
# keys: is it a *service* that answers single requests, or *training* in large batches that are de-duplicated?

# %% [markdown]
# ## 5. One server, several servers, servers for racks · *Intermediate*
#
# Three architectures for the same job. **Centralised**: one server holds everything. **Sharded**: $S$ servers hold a
# range each. **Hierarchical**: in each rack an *aggregator* stands between the workers and the servers. It adds up its
# workers' pushes and forwards the sum, and it fetches each row once a round and hands it to all of them. To its workers
# it is a server, to the servers it is one worker.
#
# The run: two racks of three workers each, every rack behind an uplink; each server stands by itself, behind an uplink
# of its own. Everybody pulls the whole dense table and pushes a gradient for all of it, three rounds long. A number of
# yours before it runs: by what is the traffic over a rack's uplink divided when the rack has an aggregator?

# %%
my_divisor = ...
predict("11.3", "uplink bytes without over with an aggregator", my_divisor, unit="times")

# %%
P, ROUNDS, RACKS, EACH = 30_000, 3, 2, 3
DENSE = [TableConfig("dense", 1, P, SGD(1.0))]


def train(comm, kv, number):
    gradient = (torch.arange(P) % 100 * 8 + number[comm.rank]).float()[:, None]
    for _ in range(ROUNDS):
        kv.wait(kv.pull(range(P), "dense"))
        kv.push(range(P), gradient, "dense")
        kv.clock()
    return kv.wait(kv.pull(range(P), "dense"))[:, 0]


def without_aggregators(comm, racks, servers, number):
    if comm.rank in servers:
        return serve(comm, KVServer(DENSE, servers.index(comm.rank), len(servers), list(number)))
    with KVWorker(comm, servers, DENSE) as kv:
        return train(comm, kv, number)


def with_aggregators(comm, racks, servers, number):
    return cluster_of_racks(comm, train, DENSE, racks, servers, args=(number,))


# %%
def on_racks(program, S, slower=1):
    """The job with S servers; uplinks have 1/slower of a port's bandwidth."""
    extra = int(program is with_aggregators)                   # an aggregator comes first in its rack
    size = EACH + extra
    racks = [list(range(g * size, (g + 1) * size)) for g in range(RACKS)]
    servers = list(range(RACKS * size, RACKS * size + S))
    workers = [rank for rack in racks for rank in rack[extra:]]
    room = Racks([*racks, *([server] for server in servers)], uplink=Link(10e-6, 0.0, 1e9 / slower))
    run = SimWorld(RACKS * size + S, link=Link(10e-6, 0.0, 1e9), racks=room).run(
        program, racks, servers, {rank: i for i, rank in enumerate(workers)})
    return run, [run.results[rank] for rank in workers], servers


jobs = {"centralised": (without_aggregators, 1), "sharded, S = 2": (without_aggregators, 2),
        "hierarchical, S = 2": (with_aggregators, 2)}
runs = {name: on_racks(*job) for name, job in jobs.items()}
flat, racked = (runs[name][0].ledger.uplink(0, "vals") for name in ("sharded, S = 2", "hierarchical, S = 2"))
_ = reveal("11.3", "uplink bytes without over with an aggregator", lambda: flat[0] / racked[0], unit="times")

# %% [markdown]
# By the number of workers in the rack, exactly: three pushes have become one, and three pulls too. Now all three side
# by side. Read the columns one after the other: do the workers end with the same weights, what passes the uplink, what
# passes the busiest port, and how long does it take?

# %%
first = runs["centralised"][1][0]
rows = []
for name, (run, ends, servers) in runs.items():
    ports = {rank: max(run.ledger.port(rank, "vals")) for rank in range(run.ledger.world_size)}
    busiest = max(ports, key=ports.get)
    whose = "server" if busiest in servers else "aggregator"
    slow, _, _ = on_racks(*jobs[name], slower=10)
    rows.append([name, yes(all(torch.equal(first, end) for end in ends)), run.ledger.uplink(0, "vals")[0] / 1e3,
                 ports[servers[0]] / 1e3, f"{ports[busiest] / 1e3:,.0f}, {whose}",
                 1e3 * run.seconds, 1e3 * slow.seconds])
Table(["architecture", "same weights", "uplink, out (kB)", "a server's port (kB)", "busiest port (kB)",
       "time (ms)", "with slow uplinks (ms)"], rows,
      note="virtual time; slow uplinks have a tenth of a port's bandwidth")

# %% [markdown]
# All end with the same weights, bit for bit. Sharding halves what a server's port carries and leaves the racks' uplinks
# as they were: from inside a rack it makes no difference on how many machines the other end stands. The aggregator
# divides the uplink and the servers' ports by three, and carries *more than a server did before*: the sum must be made
# somewhere, and it is made at its port. So it loses to plain sharding where an uplink is as fast as a port, and takes
# half as long where the uplinks are what everybody waits for. The closed form knows these ports too:

# %%
form = cost.hierarchical_servers(P, RACKS, EACH, S=2)
pushes, pulls = ROUNDS, ROUNDS + 1                             # all pull once more at the end
rows = [["uplink, out: pushes", form.uplinks[0].out_bytes, pushes, racked[0]],
        ["uplink, in: pulls", form.uplinks[0].in_bytes, pulls, racked[1]],
        ["uplink, out, no aggregator", form.flat_uplinks[0].out_bytes, pushes, flat[0]],
        ["uplink, in, no aggregator", form.flat_uplinks[0].in_bytes, pulls, flat[1]]]
Table(["port", "a step, by pslab.cost (B)", "steps", "counted (B)", "same"],
      [[*row, yes(row[1] * row[2] == row[3])] for row in rows])

# %% [markdown]
# The idea is that of local aggregation in Li et al. (2014) and in BytePS. It is exact here because rounds are
# synchronous: the server takes one step for the sum of all. Without rounds there is no moment at which "the rack's sum"
# is complete, and the kit refuses such tables. (A fourth architecture, servers for the tables and collectives for the
# rest, is the hybrid of [chapter 11.9](11_09_parameter_server_vs_all_reduce.ipynb).)
#
# ### By layers, or by ranges?
#
# Sharding is often explained as "each server holds some of the layers". A small network with three layers shows what
# that does to balance; the layers go to the servers by the best rule there is for whole pieces, largest first to the
# emptiest.

# %%
model = torch.nn.Sequential(torch.nn.Linear(784, 1024), torch.nn.Linear(1024, 512), torch.nn.Linear(512, 10))
layers = sorted((sum(p.numel() for p in layer.parameters()) for layer in model), reverse=True)
rows = []
for S in (2, 3, 8):
    loads = np.zeros(S)
    for size in layers:
        loads[loads.argmin()] += size
    pieces = [len(RangePartition().bind(sum(layers), S).owned(s)) for s in range(S)]
    rows.append([S, viz.sized(4 * loads.max()), f"{imbalance(loads):.2f}", viz.sized(4 * max(pieces)),
                 f"{imbalance(np.array(pieces)):.2f}"])
Table(["servers", "largest, by layers", "times the mean", "largest, by ranges", "times the mean"], rows)

# %% [markdown]
# By layers the largest layer is the floor, however many servers there are. So cut *through* layers, as the ranges do,
# and as MXNet does with every array above a certain size.

# %% [markdown]
# ## 6. How many servers? · *Advanced*
#
# $K$ workers, $S$ servers, a dense table of $n = Pb$ bytes. In one step every worker pulls $n$ bytes and pushes $n$
# bytes. A server's port carries $\frac{K}{S}n$ in each direction, a worker's port carries $n$. While $S < K$ the
# servers' ports are fuller; from $S = K$ on it is the worker's own port that counts, and no number of servers makes it
# wider.
#
# Here is the program; each worker reports the seconds of its steps. Your last number: eight workers, and instead of one
# server there are two. How many times faster is a step?


# %%
def dense_step(comm, K, S, P, rounds):
    tables = [TableConfig("dense", 1, P, SGD(1.0))]
    if comm.rank >= K:
        if comm.rank < K + S:                                              # further ranks have nothing to do
            serve(comm, KVServer(tables, comm.rank - K, S, range(K)))
        return None
    seconds, ones = [], torch.ones(P, 1)
    with KVWorker(comm, range(K, K + S), tables) as kv:
        for _ in range(rounds):
            start = comm.now()
            kv.wait(kv.pull(range(P), "dense"))
            kv.push(range(P), ones, "dense")
            kv.clock()
            seconds.append(comm.now() - start)
    return seconds


# %%
my_speedup = ...
predict("11.3", "two servers over one, 8 workers", my_speedup, unit="times")

# %%
PORT = Link(latency_s=0.0, overhead_s=0.0, bandwidth_Bps=125e6)            # 1 Gbit/s in each direction
GRID, P = (1, 2, 4, 8), 240_000
steps = {(K, S): SimWorld(K + S, link=PORT, trace=False).run(dense_step, K, S, P, 1).seconds
         for K in GRID for S in GRID}
_ = reveal("11.3", "two servers over one, 8 workers", lambda: round(steps[8, 1] / steps[8, 2], 2), unit="times")

# %% [markdown]
# Twice the servers, half the bytes in a server's port, and yet not twice as fast. The picture of three workers at one
# server says why. A worker that has its rows begins to push at once, *while the server still sends rows to the others*:
# its incoming and its outgoing direction are both in use. So one server needs less than two full rounds of messages,
# and two servers have less to gain.

# %%
few = Link(latency_s=50e-6, overhead_s=0.0, bandwidth_Bps=125e6)
viz.spacetime(SimWorld(4, link=few).run(dense_step, 3, 1, 24_000, 1), rows=4,
              names=["worker 0", "worker 1", "worker 2", "server 0"],
              title="Three workers, one server: pushes beside rows")

# %% [markdown]
# Let $T = n/\text{bandwidth}$ be the time of one worker's rows on a port. Served in turn, the first worker has its rows
# after $T$, each further one $T/S$ later, since the $S$ servers work on it side by side in a pipeline; the last one
# then pushes for $T$ more. Together $2T + (K-1)\,T/S$. The grid, simulated and by that formula (`cost.step_s`):

# %%
formula = {(K, S): cost.step_s(P, K, S, bandwidth_Bps=PORT.bandwidth_Bps) for K, S in steps}
off = max(abs(steps[case] / formula[case] - 1) for case in steps)
print(f"largest difference of simulator and formula: {100 * off:.2f} %, the headers of the messages")
Table(["workers", *(f"S = {S} (ms)" for S in GRID), "S = 1 over S = 8", "S = 8 over 2T"],
      [[K, *(round(1e3 * steps[K, S], 2) for S in GRID), f"{steps[K, 1] / steps[K, 8]:.2f}",
        f"{steps[K, 8] / formula[1, 1]:.2f}"] for K in GRID])

# %% [markdown]
# The first line does not move at all: for a single worker one server is as good as eight, its own port is the limit.
# The other lines fall towards that floor $2T$. More workers make the step longer, and more servers take it back, until
# what is left is the worker's own port. (The bytes behind these times, for any $K$ and $S$ and with sliders, are the
# figure of [chapter 11.1](11_01_why_a_parameter_server.ipynb).) Over a wider field:

# %%
servers = [1, 2, 4, 8, 16, 32, 64]
viz.curve(servers, {f"K = {K}": [1e3 * cost.step_s(P, K, S, bandwidth_Bps=125e6) for S in servers]
                    for K in (1, 4, 16, 64)}, log="xy", rows=7,
          xlabel="servers S (count)", ylabel="step (ms)", title="One step on ports of 1 Gbit/s",
          looks={"K = 1": "other", "K = 4": "sky", "K = 16": "hybrid", "K = 64": "server"})

# %% [markdown]
# ### On real ports
#
# Now real processes on this machine, whose ports are *throttled*, to a quarter of a Gbit/s in each direction, so that
# it is ports that bound them. A megabyte each way, from one worker to three, on one server or two. First the bytes,
# which can be compared exactly: look whether the ledger and `cost.parameter_server` agree at the servers' ports.

# %%
CASES, P_REAL, STEPS = [(1, 1), (2, 1), (3, 1), (2, 2)], 250_000, 5
SLOW = Link(latency_s=0.0, overhead_s=0.0, bandwidth_Bps=31.25e6)
processes = ProcessWorld(4, link=SLOW)
real = {(K, S): processes.run(dense_step, K, S, P_REAL, STEPS) for K, S in CASES}
rows = []
for K, S in CASES:
    port = cost.parameter_server(P_REAL, K, S).servers[0]
    counted = real[K, S].ledger.port(K, "vals")
    rows.append([K, S, port.in_bytes, STEPS, *counted, yes(counted == (STEPS * port.out_bytes, STEPS * port.in_bytes))])
Table(["workers", "servers", "a step, predicted (B)", "steps", "counted out (B)", "counted in (B)", "same"], rows)

# %% [markdown]
# Then the time. The clock of a machine that does other things as well is not exact, so read ratios: how does the step
# grow from one worker to three, and what does the second server give back?

# %% tags=["nbval-ignore-output"]
measured = {case: float(np.median([max(step) for step in zip(*real[case].results[:case[0]])][1:])) for case in CASES}
modelled = {(K, S): cost.step_s(P_REAL, K, S, bandwidth_Bps=SLOW.bandwidth_Bps) for K, S in CASES}
Table(["workers", "servers", "measured (ms)", "modelled (ms)", "measured / modelled", "busiest"],
      [[K, S, round(1e3 * measured[K, S], 1), round(1e3 * modelled[K, S], 1),
        f"{measured[K, S] / modelled[K, S]:.2f}", "the server's port" if K > S else "every port alike"]
       for K, S in CASES], note="real time on this machine, median step")

# %% [markdown]
# In the model one worker more lengthens the step by $T/S$, and the measured steps follow it. They lie above the model,
# by the more the more processes share the cores of the machine, since copying and waking up take time that no port
# explains. The second server gives part of the step back. `pslab bench servers` does the same with more steps and
# larger tables, and names the bottleneck of each case.
#
# ### The ratio of servers to workers
#
# A worker does not only send, it computes. If a step of many lets the next pull and the last push run beside the
# computation, it takes $\max(c,\ \frac{K}{S}T,\ T)$, with $c$ seconds of computation. More servers help until
# $\frac{K}{S}T = c$. So what is enough is a *ratio*, $S/K = T/c$: the time on the wire over the time of computing.

# %%
T = 4 * P / PORT.bandwidth_Bps
rows = []
for times in (0.5, 1, 2, 4, 8, 16):
    least = [cost.least_servers(P, K, within=0.0, bandwidth_Bps=PORT.bandwidth_Bps, compute_s=times * T,
                                schedule="overlap").servers for K in (8, 16, 64)]
    rows.append([times, *least, f"{least[-1] / 64:.3g}", yes(times * T >= T)])
Table(["computing over wire, c/T", "servers for K = 8", "K = 16", "K = 64", "servers a worker",
       "computing hides the wire"], rows, note="the least number of servers that reaches the best possible step; modelled")

# %% [markdown]
# In the first line a worker's own port takes longer than its computing, and $S = K$ is the most that makes sense. At $c
# = 4T$ there is one server for every four workers. That is the ratio of the largest runs of sparse logistic regression
# in Li et al. (OSDI 2014), 800 workers and 200 servers. It fits *their* job; the rule says what to compute for yours.
# And $T$ is not always $n$ over the bandwidth: with sparse pulls it is the touched rows, with filters it is less again.
#
# Two bounds are not in the formula. Memory may ask for more servers than traffic does: the rows, with the state of
# their update rule, must fit. And hot keys ask for copies, not for servers.

# %% [markdown]
# ## 7. The scheduler · *Intermediate*
#
# Who is a server, who is a worker, who has which keys, and has everybody come? In this chapter's programs ranks had
# fixed roles. In a cluster, machines come in any order, and one more role brings them together: the **scheduler**.
# Every node registers with it; when all have come it tells each one its number, the ranks of all others, and the key
# ranges of each table. Then it stays out of the way: no row and no gradient passes through it.
#
# Below, six ranks with mixed roles. The tables are kept under SSP with $s = 1$: a worker may be one round ahead of the
# slowest. Worker 2 is slow, and in the middle of its second round it asks the scheduler how things stand.

# %%
ROLES = ["server", "worker", "scheduler", "worker", "server", "worker"]
TABLES = [TableConfig("user", 2, 10, SGD(0.1), SSP(1)), TableConfig("dense", 1, 7, SGD(0.1), SSP(1))]


def work(node, kv, slow):
    seen = {"worker": node.id, "workers": node.workers, "servers": node.servers, "edges": node.ranges}
    for step in range(4):
        kv.wait(kv.pull([1, 5], "user"))
        node.comm.compute(9e-3 if node.id == slow else 1e-3)
        if node.id == slow and step == 1:
            seen["status"] = node.status().as_dict()
        kv.push([1, 5], torch.ones(2, 2), "user")
        kv.clock()
    return seen


def with_scheduler(comm):
    return cluster(comm, work, TABLES, 3, 2, roles=ROLES, args=(2,))


job = SimWorld(6).run(with_scheduler)
for rank, role in enumerate(ROLES):
    if role == "worker":
        print(f"rank {rank}:", {name: told for name, told in job.results[rank].items() if name != "status"})

# %% [markdown]
# All workers were told the same: ranks 1, 3 and 5 are workers 0, 1 and 2, ranks 0 and 4 are the servers, and the edges
# of both tables' ranges. Numbers follow ranks within a role, so they do not depend on who came first. And the status,
# as the slow worker saw it:

# %%
print(Status.from_dict(job.results[5]["status"]))

# %% [markdown]
# The two fast workers have finished three rounds, the slow one has finished one and computes. To begin a fourth they
# would be two ahead, which $s = 1$ forbids: they *wait for worker 2*, and the table says so, and since when. That is
# the first thing to look at when a job is slow. A job that does not even start is told apart as well. Here the server
# never comes:


# %%
def without_server(comm):
    if comm.rank == 2:
        return None                                        # should have been the server
    return cluster(comm, work, TABLES, 1, 1, roles=["scheduler", "worker", "server"], timeout_s=1.0)


try:
    SimWorld(3).run(without_server)
except TimeoutError as error:
    print("TimeoutError:", error)

# %% [markdown]
# It names who is missing, and the rank that never said a word. What does the scheduler cost? The ledger knows: how much
# of the values went through it, and how many bytes and messages of the job were its own?

# %%
home = ROLES.index("scheduler")
Table(["of the job", "all", "to or from the scheduler"],
      [["values and keys (B)", sum(job.ledger.total(kind) for kind in ("vals", "keys")),
        sum(sum(job.ledger.port(home, kind)) for kind in ("vals", "keys"))],
       ["headers (B)", job.ledger.total("header"), sum(job.ledger.port(home, "header"))]])

# %% [markdown]
# No row and no key. Of the headers it has more than half, but only because this job is so short: it is spoken to at the
# start, at the end, and when somebody asks, and not once in a round. So it is no bottleneck, and it need not have a
# machine of its own: `cluster(..., scheduler="server")` lets it live with the first server.

# %% [markdown]
# ## In production
#
# **Rows over ranks in PyTorch.** `torch.distributed.tensor` cuts a tensor over the ranks of a mesh. `Shard(0)` is a
# range partition of its rows, and here it runs over Gloo, in three of the processes of section 6. Compare its ten rows
# with the ones of section 1, and look at the last column.


# %%
def sharded_rows(comm, folder, counts):
    """{rows of the tensor: rows of it that lie here}, as torch.distributed.tensor cuts them."""
    if comm.rank >= 3:
        return None
    import torch.distributed as dist
    from torch.distributed.tensor import Shard, distribute_tensor, init_device_mesh
    os.environ["GLOO_SOCKET_IFNAME"] = "lo" if os.uname().sysname == "Linux" else "lo0"
    store = dist.FileStore(os.path.join(folder, "store"), 3)
    dist.init_process_group("gloo", store=store, rank=comm.rank, world_size=3)
    mesh = init_device_mesh("cpu", (3,))
    here = {n: distribute_tensor(torch.arange(n), mesh, [Shard(0)]).to_local().tolist() for n in counts}
    dist.destroy_process_group()
    return here


with tempfile.TemporaryDirectory() as folder:
    cut = processes.run(sharded_rows, folder, (10, 4)).results[:3]
processes.close()                                          # they are gone
Table(["rank", "of 10 rows", "RangePartition", "of 4 rows", "RangePartition of 4"],
      [[r, str(here[10]), str(list(RangePartition().bind(10, 3).owned(r))), str(here[4]),
        str(list(RangePartition().bind(4, 3).owned(r)))] for r, here in enumerate(cut)])

# %% [markdown]
# PyTorch cuts as `torch.chunk` does: pieces of ⌈R/S⌉ rows until nothing is left, and the last ranks get what remains,
# which may be nothing. `RangePartition` cuts as `torch.tensor_split` does, into pieces that differ by at most one. Both
# are range partitions and both are right; a worker that computes with one rule while the owner uses the other asks the
# wrong server for some rows. *Which* range rule is part of the contract.
#
# **ps-lite** is not installed here, and nothing below was run. It hands out ranges that follow from the number of
# servers alone, so that the scheduler need not store any; a job is started with its three roles told by environment
# variables:
#
# ```text
# DMLC_ROLE=scheduler  DMLC_NUM_SERVER=2  DMLC_NUM_WORKER=3  DMLC_PS_ROOT_URI=10.0.0.1  DMLC_PS_ROOT_PORT=9000  ./job
# DMLC_ROLE=server     ... the same ...                                                                        ./job
# DMLC_ROLE=worker     ... the same ...                                                                        ./job
# ```
#
# The address of the scheduler is the one thing that all nodes must know beforehand, as section 7's nodes know the
# scheduler's rank.
#
# **TorchRec** calls its choices table-wise, row-wise and column-wise sharding; row-wise is section 1's range partition
# of one table, table-wise is the "by layers" of section 5, with its imbalance, and its planner mixes them.

# %% [markdown]
# ## Did it stick?
#
# Answer first, then click.
#
# <details><summary><b>Four servers become five. Which share of the keys moves with hash modulo S, with even ranges, and
# on a ring?</b></summary>
# <p>Four fifths, one half, and about one fifth.</p></details>
#
# <details><summary><b>On a ring with one point a server, a server leaves. Who gets its keys, and what do virtual nodes
# change?</b></summary>
# <p>The one that has the next point gets all of them, and may have twice its load. With many points a server, the keys
# are shared among all the others.</p></details>
#
# <details><summary><b>Keys are spread evenly to within one per cent, yet one server is twice as busy as the mean. Would
# another hash help?</b></summary>
# <p>Hardly. A key that draws more than its server's fair share makes any single owner busy. It needs copies, or batches in
# which each key is named once.</p></details>
#
# <details><summary><b>A colleague places rows with <code>hash(name) % S</code>; his test, in one process, passes. What
# happens in a job?</b></summary>
# <p>Each process computes another owner for the same name. Pushes and pulls of a row meet different servers, silently.</p>
# </details>
#
# <details><summary><b>An aggregator in each rack of eight: what is divided by eight, and what is not?</b></summary>
# <p>The bytes over the uplink and into the servers. Not the aggregator's own port: it takes eight pushes and gives rows to
# eight.</p></details>
#
# <details><summary><b>Sixteen workers, sixteen servers, and a step still takes too long. Do more servers help?</b></summary>
# <p>Little: the workers' own ports carry the whole model each way. Send less (sparse pulls, filters, fewer steps) or let
# computing run beside it.</p></details>
#
# <details><summary><b>The status shows worker 0 and worker 1 waiting for worker 2. Which of the three do you look at?</b>
# </summary>
# <p>At worker 2. Those who wait are well.</p></details>
#
# The first answer, computed:

# %%
four_to_five = {name: movement_plan(way.bind(100_000, 4), way.bind(100_000, 5)).moved_fraction
                for name, way in ways.items()}
print({name: f"{100 * moved:.1f} %" for name, moved in four_to_five.items()})

# %% [markdown]
# Now do it yourself: [Lab 3: sharding the server](../labs/lab_03_sharding.ipynb).
#
# ## Further reading
#
# - D. Karger, E. Lehman, T. Leighton, R. Panigrahy, M. Levine, D. Lewin: *Consistent Hashing and Random Trees: Distributed
#   Caching Protocols for Relieving Hot Spots on the World Wide Web*, STOC 1997.
# - M. Li, D. G. Andersen, J. W. Park, A. J. Smola, A. Ahmed, V. Josifovski, J. Long, E. J. Shekita, B.-Y. Su: *Scaling
#   Distributed Machine Learning with the Parameter Server*, OSDI 2014. Key ranges, the ring and the scheduler.
# - G. L. Steele Jr., D. Lea, C. H. Flood: *Fast Splittable Pseudorandom Number Generators*, OOPSLA 2014. The mixing
#   function.
# - Y. Jiang, Y. Zhu, C. Lan, B. Yi, Y. Cui, C. Guo: *A Unified Architecture for Accelerating Distributed DNN Training in
#   Heterogeneous GPU/CPU Clusters* (BytePS), OSDI 2020. Aggregation inside a machine, servers between machines.
# - J. Lamping, E. Veach: *A Fast, Minimal Memory, Consistent Hash Algorithm*, arXiv 1406.2294, 2014. Jump hash: no ring at
#   all, if servers come and go at the end of the list only.
