# %% [markdown]
# # Lab 3: sharding the server
#
# One server is soon too small and too busy. So its rows are spread over several, and then every worker has to know, for
# every key, whom to ask, and all of them have to know the same. In this lab you write three ways to decide it, cut
# requests up and put replies together, move rows when a server comes, and see to it that no server has more to do than
# the others.
#
# **After this lab you can**
#
# 1. place keys by ranges, by a hash and on a ring, and say in numbers how even each is;
# 2. say what moves when a server comes or goes, and plan the move without a row too many;
# 3. split a request over servers and merge the replies in the caller's order;
# 4. tell apart who has the most keys and who has the most load, and put copies where they help;
# 5. compute how many servers are enough, and why more of them change nothing.
#
# **Before you start:** lab 2, or sections 1 to 3 of chapter 11.2: what a push and a pull are.
# **Time:** 75 minutes for the core, 120 for everything, with reading and trying; the minutes below are for writing.
#
# | | | points | minutes | |
# | --- | --- | --- | --- | --- |
# | 3.1 | Who owns a key: three partitioners | 30 | 30 | core |
# | 3.2 | Split a request, merge the replies | 25 | 25 | core |
# | 3.3 | A plan for moving rows | 20 | 20 | optional |
# | 3.4 | Copies of hot keys | 20 | 20 | optional |
# | 3.5 | How many servers | 10 | 10 | core |
#
# Write your answer where a cell says `raise NotImplementedError`, then run the check below it. A check prints what
# was expected and what was seen; it never stops the notebook. Stuck? `pslab hint 3.1` in a terminal (`source
# .venv/bin/activate` first) shows one hint more each time. Partitions and formulas are yours to find: an answer that
# imports `pslab.ps`, `pslab.embedding` or `pslab.cost`, by itself or through `from pslab import viz`, is refused; write
# `pslab.viz` where you want a picture. Where a cell asks for a number *before* a run, commit to one: a wrong prediction
# costs no points, and is what you learn from.

# %%
import os
import subprocess
import sys

import numpy as np
import torch

import pslab
from pslab.comm import Link, SimWorld
from pslab.grade import check, predict, reveal

torch.set_num_threads(1)

# %% [markdown]
# ## Three ways to place a key
#
# A table has rows, and a row's number is its **key**, a whole number of up to 63 bits. A **partition** says which of $S$
# servers owns a key. It is a function that every worker and every server computes for itself: nobody is asked, so all of
# them must come to the same result, on every machine and in every process.
#
# **Ranges.** Ten rows on three servers: rows 0 to 3, rows 4 to 6, rows 7 to 9. $S$ need not divide the number of rows;
# sizes then differ by one.

# %%
for server, rows in enumerate(torch.tensor_split(torch.arange(10), 3)):
    print(f"server {server} owns rows", rows.tolist())

# %% [markdown]
# Neighbours stay together, so that a whole range can be asked for without a list of keys. But often the keys are not
# numbered neatly from 0: they are ids of users, or hashes of words.
#
# **By a hash.** Mix the bits of the key and take the remainder by $S$. Python has a `hash()`. Here is what it says in
# three processes that differ only in `PYTHONHASHSEED`, which Python otherwise draws anew each time it starts:

# %%
for hash_seed in ("1", "2", "3"):
    told = subprocess.run([sys.executable, "-c", "print(hash('row 7') % 10, [hash(key) % 8 for key in (64, 128, 192)])"],
                          env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True, text=True, check=True)
    print(f"PYTHONHASHSEED={hash_seed}:", told.stdout.strip())

# %% [markdown]
# Two lessons in three lines. The hash of a *text* is another one in each process: workers would look for row 7 on
# different servers. And the hash of a *number* is the number, so that keys in steps of 64 all end on server 0 of eight.
#
# **On a ring.** A remainder by $S$ has another fault, which shows when $S$ changes. Consistent hashing avoids it. Think of
# all 64-bit numbers as a circle. Every server puts points onto it, at the hashes of its own number and the point's. A key
# goes to its own hash, and belongs to the next point from there on; past the last point comes the first again. A server
# that comes brings its own points and takes keys only from those who had them before.
#
# ## 3.1 Who owns a key: three partitioners
#
# *30 points · 30 minutes · core · exercise 11.3.1*
#
# **Goal.** Three functions. Each gets `keys`, an array (n,) of int64 in any order, and returns the server of each key,
# n whole numbers (an array, a tensor or a list).
#
# | | held to |
# | --- | --- |
# | `range_owner(keys, num_rows, num_servers)` | contiguous; sizes differ by at most 1; also with more servers than rows, and with $10^{12}$ rows |
# | `hash_owner(keys, num_servers)` | the same in three processes with three `PYTHONHASHSEED`; even by a $\chi^2$ test, whatever pattern the keys have |
# | `ring_owner(keys, servers, points=128)` | the same in three processes; with ten servers the busiest has at most 1.35 times the mean of 100,000 keys; when a server comes, $1/(S+1)$ of the keys move (± 35 %), all of them to it; when one goes, only its own move |
#
# `servers` is a list of the numbers of those servers that are there, such as `[0, 1, 2, 4]` after server 3 has gone.
#
# **Worked example:** `range_owner([0, 3, 4, 9], 10, 3)` is `[0, 0, 1, 2]`, as in the three lines above.


# %% answer="3.1"
def range_owner(keys, num_rows, num_servers):
    """(n,) int64 keys below num_rows -> (n,) servers from 0 to num_servers - 1"""
    ### BEGIN SOLUTION
    size, longer = divmod(num_rows, num_servers)             # the first `longer` ranges have one row more
    begins = [s * size + min(s, longer) for s in range(1, num_servers)]
    return np.searchsorted(begins, keys, side="right")       # how many ranges begin at or before the key
    ### END SOLUTION


# %% answer="3.1"
def hash_owner(keys, num_servers):
    """(n,) int64 keys -> (n,) servers from 0 to num_servers - 1, the same in every process"""
    ### BEGIN SOLUTION
    return (mixed(keys) % np.uint64(num_servers)).astype(np.int64)


def mixed(x):
    """64 bits in, 64 bits out, every one of which depends on all of them: the end of splitmix64."""
    x = np.asarray(x).astype(np.uint64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
    ### END SOLUTION


# %% answer="3.1"
def ring_owner(keys, servers, points=128):
    """(n,) int64 keys, list of servers -> (n,) of these servers"""
    ### BEGIN SOLUTION
    owners = np.repeat(servers, points)                      # who owns a point, point by point
    number = np.tile(np.arange(points), len(servers))
    places = mixed(2**61 + owners * 100_003 + number)        # by names alone: who else is there does not matter
    order = np.argsort(places)
    following = np.searchsorted(places[order], mixed(keys))  # the next point, or one past the last
    return owners[order][following % len(places)]
    ### END SOLUTION


# %% check="3.1"
check("3.1", range_owner, hash_owner, ring_owner)

# %% [markdown]
# How even are your three? Ten servers, and 50,000 keys, all multiples of 64, in a table of 6,400,000 rows of which the
# upper half is not used yet, as it happens with ids that are given out in order.


# %%
def load(owners, S):
    """Keys of each server, in thousands."""
    return (np.bincount(np.asarray(owners), minlength=S) / 1000).tolist()


KEYS = np.arange(50_000) * 64
TEN, ELEVEN = list(range(10)), list(range(11))

# %% needs="3.1"
loads = {"ranges": load(range_owner(KEYS, 6_400_000, 10), 10), "hash": load(hash_owner(KEYS, 10), 10),
         "ring": load(ring_owner(KEYS, TEN), 10)}
pslab.viz.bars([f"server {s}" for s in TEN], loads, unit="thousand", quantity="keys", title="Your three partitions")

# %% [markdown]
# Ranges are even in *rows of the table*; the upper half is unused here, and half of the servers with it. The hash does
# not see the pattern. The ring is a little uneven, and how much depends on the number of points:

# %% needs="3.1"
counts = [1, 2, 4, 8, 16, 32, 64, 128, 256]
ratio = [max(load(ring_owner(KEYS, TEN, points), 10)) / (len(KEYS) / 10 / 1000) for points in counts]
pslab.viz.curve(counts, {"busiest server": ratio}, log="x", xlabel="points of a server (count)",
                ylabel="keys (times the mean)", title="Your ring with ten servers", mark=(128, "128 points"), rows=9)

# %% [markdown]
# ### Ten servers become eleven
#
# What share of the keys gets another owner when an eleventh server comes, with the hash and its remainder by $S$? In per
# cent. Commit to a number first.

# %% answer="3.1"
moved_by_hash = ...
### BEGIN SOLUTION
moved_by_hash = 50
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("3.1", "keys that move, hash, 10 to 11 servers", moved_by_hash, unit="%")


# %%
def moved(before, after):
    """Share of the keys whose owner changes."""
    return float(np.mean(np.asarray(before) != np.asarray(after)))


# %% needs="3.1" tags=["nbval-ignore-output"]
_ = reveal("3.1", "keys that move, hash, 10 to 11 servers",
           lambda: round(100 * moved(hash_owner(KEYS, 10), hash_owner(KEYS, 11)), 1), unit="%")

# %% needs="3.1"
R = 100_000
shares = {"hash": moved(hash_owner(np.arange(R), 10), hash_owner(np.arange(R), 11)),
          "ranges": moved(range_owner(np.arange(R), R, 10), range_owner(np.arange(R), R, 11)),
          "ring": moved(ring_owner(np.arange(R), TEN), ring_owner(np.arange(R), ELEVEN))}
pslab.viz.bars(list(shares), {"moved": [100 * share for share in shares.values()]}, unit="%", quantity="keys that move",
               title="From ten servers to eleven, by your three partitions")

# %% [markdown]
# The newcomer is to have one eleventh in the end, so at least 9 % have to move. The ring is near it. Even ranges shift
# all along the table. A remainder has nothing to do with the one before: $x \bmod 10$ and $x \bmod 11$ agree for ten of
# 110 values of $x$, and all the others move.
#
# ## 3.2 Split a request, merge the replies
#
# *25 points · 25 minutes · core · exercise 11.3.2*
#
# A worker wants rows of several servers, in the order of its batch, where keys are unsorted and come more than once:

# %%
keys, owners = np.array([7, 2, 9, 2, 5]), np.array([1, 0, 2, 0, 1])
for server in range(3):
    print(f"keys of server {server}:", keys[owners == server].tolist(), "at places", np.flatnonzero(owners == server))

# %% [markdown]
# **Goal.** `split(keys, owners)` returns a dict, {server: the keys to ask it for}, with an entry for each server that owns
# one of the keys and for no others. Whether a key that comes twice is named twice or once is up to you. Then requests
# travel, and replies come back in any order: `replies` is {server: rows}, an array (m, D) with a row for each key in the
# order in which `split` named them. `merge(keys, owners, replies)` returns (n, D): at place i the row of `keys[i]`.
#
# | held to | |
# | --- | --- |
# | `split` | every key is asked of its owner and none is lost; keys are whole numbers, also above $2^{53}$ |
# | `merge` | a row for every place, in the caller's order, duplicates included; no keys give no rows |
# | messages | one to each server that owns a key |
# | bytes | at most 8 a key of the request |
#
# **Worked example**, with the keys above: `{0: [2, 2], 1: [7, 5], 2: [9]}`, or with `0: [2]`.


# %% answer="3.2"
def split(keys, owners):
    """(n,) int64 keys and their owners (n,) -> {server: keys (m,)}"""
    ### BEGIN SOLUTION
    return {int(server): keys[owners == server] for server in np.unique(owners)}
    ### END SOLUTION


def merge(keys, owners, replies):
    """keys (n,), owners (n,), {server: rows (m, D)} -> rows (n, D)"""
    ### BEGIN SOLUTION
    if not replies:
        return np.zeros((0, 1), np.float32)
    width = next(iter(replies.values())).shape[1]
    rows = np.empty((len(keys), width), np.float32)
    for server, reply in replies.items():
        rows[owners == server] = reply                       # the same mask, and so the same order, as in split
    return rows
    ### END SOLUTION


# %% check="3.2"
check("3.2", split, merge)

# %% [markdown]
# Your functions, between a table of 1,000 rows on four servers and a batch that follows Zipf's law. How many messages, and
# how many bytes, did naming duplicates once or twice cost you?


# %%
def zipf(R, n, seed=0):
    """n keys below R; the k-th most frequent one has a share ~ k^-1.1, and which key that is, is drawn."""
    rng = np.random.default_rng(seed)
    share = np.arange(1, R + 1) ** -1.1
    return rng.permutation(R)[rng.choice(R, n, p=share / share.sum())]


TABLE = np.arange(3_000, dtype=np.float32).reshape(1_000, 3)

# %% needs="3.2"
batch = zipf(1_000, 512)
whose = np.asarray(range_owner(batch, 1_000, 4))
asked = split(batch, whose)
rows = merge(batch, whose, {server: TABLE[np.asarray(part)] for server, part in reversed(list(asked.items()))})
assert np.array_equal(rows, TABLE[batch])
named = {f"server {server}": len(part) for server, part in sorted(asked.items())}
pslab.viz.Table(["", "keys named", "bytes of keys", "bytes of rows"],
                [[server, n, f"{8 * n:,}", f"{12 * n:,}"] for server, n in named.items()],
                note=f"512 places, {len(np.unique(batch))} different keys")

# %% [markdown]
# ## 3.3 A plan for moving rows
#
# *20 points · 20 minutes · optional · exercise 11.3.3*
#
# When a server comes, rows have to travel to it while the others go on working. What travels is written down first. Range
# partitions are given by their **edges**: server $s$ owns the rows from `edges[s]` up to, but not including, `edges[s + 1]`.

# %%
old, new = [0, 4, 8, 12], [0, 3, 6, 9, 12]
for row in range(12):
    before, after = (int(np.searchsorted(edges, row, side="right")) - 1 for edges in (old, new))
    print(f"row {row:>2}: server {before}" + (f" -> server {after}" if before != after else ""))

# %% [markdown]
# **Goal.** `movement_plan(old, new)` returns a list of entries `(from, to, first, end)`: server `from` sends the rows
# `first <= row < end` to server `to`. There may be more servers than before or fewer, and a server may own nothing.
#
# | held to | |
# | --- | --- |
# | ownership | carried out entry by entry, the plan ends with every row at its new owner, none lost, none doubled |
# | bytes | those of rows whose owner changes, each once, straight to its new owner |
# | entries | one for each pair of servers between which rows move |
# | time | $10^{12}$ rows take no longer than ten |
#
# **Worked example**, in the twelve lines above: `[(0, 1, 3, 4), (1, 2, 6, 8), (2, 3, 9, 12)]`. In all 6 of 12 rows.


# %% answer="3.3"
def movement_plan(old, new):
    """edges before (S + 1,), edges afterwards (T + 1,) -> [(from, to, first, end), ...]"""
    ### BEGIN SOLUTION
    plan = []
    for giver in range(len(old) - 1):
        for taker in range(len(new) - 1):
            first, end = max(old[giver], new[taker]), min(old[giver + 1], new[taker + 1])
            if giver != taker and first < end:
                plan.append((giver, taker, first, end))
    return plan
    ### END SOLUTION


# %% check="3.3"
check("3.3", movement_plan)


# %% [markdown]
# Ten servers with even ranges become eleven, and the newcomer is the last one. Where do rows move, and how many of them?

# %%
def edges(R, S):
    """Even ranges."""
    return [0, *np.cumsum([len(part) for part in np.array_split(np.arange(R), S)]).tolist()]


# %% needs="3.3"
plan = movement_plan(edges(110_000, 10), edges(110_000, 11))
pslab.viz.bars([f"{source} -> {target}" for source, target, *_ in plan],
               {"rows": [(end - first) / 1000 for *_, first, end in plan]}, unit="thousand", quantity="rows",
               title=f"Your plan: {sum(end - first for *_, first, end in plan):,} of 110,000 rows move")

# %% [markdown]
# Everybody gives to the neighbour, and the later ones give most of what they have. Half of the table travels so that one
# server gets an eleventh of it. That is the price of even ranges. Could it be less? Let the newcomer take its rows from
# the ends of all ranges instead: then it owns ten pieces, and no longer one range. The ring does just that, in many small
# pieces.
#
# ## 3.4 Copies of hot keys
#
# *20 points · 20 minutes · optional · exercise 11.3.4*
#
# Your hash spreads *keys* evenly. Here is a stream of 24,000 reads that follows Zipf's law with exponent 1.1: the k-th most
# read of 5,000 keys has a share that falls as $k^{-1.1}$. First a prediction: eight servers with about 625 keys each. How
# many times the mean number of reads does the busiest one get?

# %% answer="3.4"
busiest_times_mean = ...
### BEGIN SOLUTION
busiest_times_mean = 1.2
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("3.4", "reads of the busiest of 8 servers", busiest_times_mean, unit="times the mean")

# %%
READS = zipf(5_000, 24_000, seed=1)
OWNER = np.random.default_rng(7).permutation(np.arange(5_000) % 8)        # 625 keys on each of eight servers
reads_of = np.bincount(OWNER[READS], minlength=8)

# %% needs="3.4" tags=["nbval-ignore-output"]
_ = reveal("3.4", "reads of the busiest of 8 servers", lambda: round(8 * reads_of.max() / 24_000, 2),
           unit="times the mean")

# %% [markdown]
# The servers have equally many keys and very unequal loads, as one key alone can have a sixth of all reads. No partition
# helps: a key lies somewhere. What helps is to have the few hottest keys on *every* server.
#
# **Goal.** Three functions.
#
# | | returns | held to |
# | --- | --- | --- |
# | `hottest(reads, h)` | the h keys that are read most often; fewer where there are fewer | of equally hot ones the lower key |
# | `route_reads(keys, owners, hot, num_servers)` | for each place of a batch the server to read from, (n,) | a key in `hot` lies on all servers, any other on its owner alone; the busiest server has at most 1.05 times its reads of keys without copies plus an even share of the rest |
# | `route_writes(keys, owners, hot, num_servers)` | {server: places of the batch that it has to apply} | every copy ends with the exact sum of all writes, and no server gets a write of a key that it does not have |
#
# **Worked example:** keys `[5, 9, 5]`, owners `[1, 0, 1]`, hot `[5]`, two servers. Reads: 9 from its owner 0, the two reads
# of 5 from different servers, for example `[1, 0, 0]`. Writes: server 0 applies the places `[0, 1, 2]`, server 1 `[0, 2]`.


# %% answer="3.4"
def hottest(reads, h):
    """(n,) int64 keys -> (h,) keys, by how often they are read"""
    ### BEGIN SOLUTION
    different, times = np.unique(reads, return_counts=True)
    return different[np.lexsort((different, -times))][:h]
    ### END SOLUTION


def route_reads(keys, owners, hot, num_servers):
    """keys (n,), owners (n,), hot (h,) -> the server to read from, for each place (n,)"""
    ### BEGIN SOLUTION
    copied = np.isin(keys, hot)
    choice = np.array(owners)
    choice[copied] = np.arange(copied.sum()) % num_servers   # single reads are dealt out, not keys
    return choice
    ### END SOLUTION


def route_writes(keys, owners, hot, num_servers):
    """keys (n,), owners (n,), hot (h,) -> {server: places (m,)}"""
    ### BEGIN SOLUTION
    copied = np.isin(keys, hot)
    return {server: np.flatnonzero(copied | (owners == server)) for server in range(num_servers)}
    ### END SOLUTION


# %% check="3.4"
check("3.4", hottest, route_reads, route_writes)

# %% needs="3.4"
spread = route_reads(READS, OWNER[READS], np.asarray(hottest(READS, 16)), 8)
pslab.viz.bars([f"server {s}" for s in range(8)],
               {"owners alone": load(OWNER[READS], 8), "16 keys with copies": load(spread, 8)},
               unit="thousand", quantity="reads", title="Reads of your eight servers")

# %% [markdown]
# Copies are not free: each write to one of them is a write on every server. How many keys should have copies when there is
# one write to fifty reads?


# %% needs="3.4"
def operations(h):
    """(busiest server's operations over the mean, all operations over their number), both of a store without copies"""
    hot, writes = np.asarray(hottest(READS, h)), READS[::50]
    n = np.bincount(np.asarray(route_reads(READS, OWNER[READS], hot, 8)), minlength=8)
    n += [len(route_writes(writes, OWNER[writes], hot, 8).get(server, ())) for server in range(8)]
    return n.max() * 8 / (1.02 * len(READS)), n.sum() / (1.02 * len(READS))


pslab.viz.Table(["keys with copies", "busiest server", "all operations"],
                [[h, *(f"{value:.2f}" for value in operations(h))] for h in (0, 1, 4, 16, 64, 256)],
                note="times what each server would have without copies, were the load even")

# %% [markdown]
# In the middle column look for where it stops falling: some copies make the load even, and more of them only add writes,
# which the last column counts. Two remarks. A worker that names each key once in a batch, as lab 6 does, sends the hottest
# key once, and not some eighty times in a batch of 512: where batches are large, that is the cheaper cure. And copies that
# may differ for a moment need less than writes to all at once: that is the subject of lab 5.
#
# ## 3.5 How many servers
#
# *10 points · 10 minutes · core · exercise 11.3.5*
#
# $K$ workers pull all $P$ float32 numbers, compute, and push $P$ numbers back, step after step. $S$ servers on machines of
# their own share the numbers evenly. Here is such a step as a program: in round $t$ server $s$ is busy with worker
# $(s + t) \bmod K$, so that nobody waits for anybody.


# %%
def step(comm, K, S, P, compute_s):
    """Ranks 0 to K-1 are workers, the others servers. P is a multiple of S."""
    part = np.zeros(P // S, np.float32)
    if comm.rank >= K:
        turns = [(comm.rank - K + t) % K for t in range(K)]
        for worker in turns:
            comm.send(part, worker)
        comm.barrier()
        for worker in turns:
            comm.recv(worker)
        return
    turns = [K + s for s in sorted(range(S), key=lambda s: (comm.rank - s) % K)]
    for server in turns:
        comm.recv(server)
    comm.barrier()
    comm.compute(compute_s)
    for server in turns:
        comm.send(part, server)


run = SimWorld(6, link=Link(latency_s=0.0, bandwidth_Bps=1e9)).run(step, 4, 2, 120_000, 1e-3)
print(f"four workers, two servers: {1e3 * run.seconds:.2f} ms, of which the computing takes 1.00 ms")
pslab.viz.spacetime(run, title="A step with four workers and two servers", rows=8)

# %% [markdown]
# A server has to send its share to all workers, one after the other. With one server more each has less to send. But look
# at a *worker's* port: all $P$ numbers come through it, however many servers there are.
#
# **Goal.** Two functions.
#
# - `how_many_servers(K, P, bandwidth_Bps, compute_s)`: the least $S$ whose step takes at most 1.05 times the **floor**, the
#   step with as many servers as one likes. Pull, computing and push follow each other; a port carries `bandwidth_Bps` bytes
#   a second in each direction, and messages cost nothing else.
# - `uplink_bytes(K, P, per_rack)`: the workers stand in racks of `per_rack` (which divides $K$), the servers elsewhere. Return
#   how many bytes leave all racks in one push: (each worker sends its own numbers, the numbers are added up within each
#   rack and sent once).
#
# **Worked example:** eight workers, 25 million numbers, 12.5 GB/s, 0.25 s of computing: 5 servers. Eight workers in racks of
# two with 25 numbers: 800 bytes, and 400 when they are added up first.


# %% answer="3.5"
def how_many_servers(K, P, bandwidth_Bps, compute_s):
    """The least S within 5 % of the floor."""
    ### BEGIN SOLUTION
    one_way_s = 4 * P / bandwidth_Bps                        # through one worker's port
    floor_s = compute_s + 2 * one_way_s
    enough = 1
    while compute_s + 2 * max(K / enough, 1) * one_way_s > 1.05 * floor_s:
        enough += 1
    return enough
    ### END SOLUTION


def uplink_bytes(K, P, per_rack):
    """(bytes that leave all racks, bytes when each rack adds first)"""
    ### BEGIN SOLUTION
    return 4 * P * K, 4 * P * (K // per_rack)
    ### END SOLUTION


# %% check="3.5"
check("3.5", how_many_servers, uplink_bytes)

# %% [markdown]
# Twelve workers, simulated with 1 to 14 servers: the line falls as $K/S$, until the workers' own ports are all that is
# left. Beyond twelve servers nothing changes.


# %%
def simulated_ms(K, S, P, bandwidth_Bps, compute_s):
    """Milliseconds of a step. With S > K a worker's port decides: as with S = K."""
    link = Link(latency_s=0.0, bandwidth_Bps=bandwidth_Bps)
    return 1e3 * SimWorld(K + min(S, K), link=link, trace=False).run(step, K, min(S, K), P, compute_s).seconds


# %% needs="3.5"
K, P, BW, computing_s = 12, 27_720, 100e6, 40e-3
times = [simulated_ms(K, S, P, BW, computing_s) for S in range(1, 15)]
enough = how_many_servers(K, P, BW, computing_s)
pslab.viz.curve(range(1, 15), {"step": times, "5 % above the floor": [1.05 * times[-1]] * 14}, xlabel="servers (count)",
                ylabel="time of a step (ms)", mark=(enough, f"your answer: {enough}"), rows=14,
                title="Twelve workers and more and more servers, simulated")

# %% [markdown]
# Computing that takes longer needs fewer servers; a faster network does, too. What neither removes is the $K$: twice the
# workers need twice the servers for the same step.
#
# ## What to take along
#
# - A partition is a function that all compute for themselves. Python's `hash()` is none: of a text it changes with the
#   process, of a number it is the number.
# - A remainder by $S$ moves nine tenths of the keys when a server comes; a ring moves the newcomer's share, and only to it.
# - What was split has to be merged in the caller's order, duplicates included, and an empty request is still a message.
# - Even keys are not even load. A few copies of the hottest keys make reads even, and writes dearer.
# - More servers help until the workers' own ports decide. From $S = K$ on they change nothing.
#
# Hand in this notebook as it is; hidden checks with other tables, streams and servers run when it is graded.
