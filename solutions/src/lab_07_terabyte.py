# %% [markdown]
# # Lab 7: embeddings of terabytes
#
# A recommender may have two thousand million ids, and a row of 128 numbers for each: a terabyte, of which a step reads a
# few hundred megabytes. Two budgets bind: what **lies** in the table, and what **moves** in a step. In this lab you say
# which change helps which of them, build a cache and measure it against the best there can be, store rows in eight and in
# four bits, put a row together from two small tables, and look rows up that lie with other workers.
#
# **After this lab you can**
#
# 1. compute what a change does to the table, to the traffic and to the busiest link;
# 2. write an LRU cache with pinned batches, split its misses, and say how far it is from the oracle;
# 3. pack rows into int8 and int4 with a scale and a minimum each, and train them by stochastic rounding;
# 4. build a lookup by three all-to-alls whose bytes are those of the different ids;
# 5. say when a copy of the table on each worker is the better design, and what a cache saves in exact training.
#
# **Before you start:** lab 6, and the all-to-all of lab 0B.
# **Time:** 120 minutes for the core, 240 for everything, with reading and trying; the minutes below are for writing.
#
# | | | points | minutes | |
# | --- | --- | --- | --- | --- |
# | 7.1 | Which budget does it relieve | 15 | 15 | core |
# | 7.2 | A cache, its misses, and the oracle | 30 | 30 | core |
# | 7.3 | Rows of eight and of four bits | 30 | 30 | optional |
# | 7.4 | A row from two small tables | 20 | 20 | optional |
# | 7.5 | An all-to-all lookup | 35 | 35 | core |
# | 7.6 | A copy everywhere, or a shard | 20 | 20 | optional |
# | 7.7 | A cache in exact training | 25 | 25 | optional |
#
# Write your answer where a cell says `raise NotImplementedError`, then run the check below it. A check prints what
# was expected and what was seen; it never stops the notebook. Stuck? `pslab hint 7.2` in a terminal (`source
# .venv/bin/activate` first) shows one hint more each time. Caches, short rows and lookups are yours to build: an answer
# that imports `pslab.embedding`, `pslab.ps` or `pslab.cost` is refused; write `pslab.viz` where you want a picture. Where
# a cell asks for a number *before* a run, commit to one: a wrong prediction costs no points, and is what you learn from.

# %%
import math
from collections import Counter

import numpy as np
import torch

import pslab
from pslab.comm import SimWorld
from pslab.grade import check, predict, reveal

torch.set_num_threads(1)

# %% [markdown]
# ## 7.1 Which budget does it relieve
#
# *15 points · 15 minutes · core · exercise 11.7.1*
#
# The model, stated once. A table has `rows` rows of `dim` numbers, and beside each number `slots` numbers of the optimizer,
# float32. It is spread over `hosts` machines, each of which also computes. A step has `lookups` lookups, spread evenly; a
# share `hit_rate` of them is answered by a cache of the machine that asks; of the rest a machine finds one in `hosts` in
# its own part. Ids are not counted, and rows are counted one way.
#
# $$M_\text{table} = R\,(\text{row as stored} + 4 D \cdot \text{slots}) \qquad
# M_\text{comm} = (1 - h)\; n\; \tfrac{S-1}{S}\; \text{row on the wire} \qquad
# M_\text{link} = M_\text{comm} / S$$
#
# A row has $4D$ bytes as `"fp32"`, $D + 8$ as `"int8"`, $D/2 + 4$ as `"int4"`: a scale and a minimum are with it.

# %%
CHAPTER = {"rows": 2_000_000_000, "dim": 128, "slots": 0, "hosts": 16, "lookups": 2_621_440, "hit_rate": 0.85,
           "stored": "fp32", "wire": "fp32"}

# %% [markdown]
# **Goal.** `effect(change, spec)` returns three ratios, after the change over before it: of $M_\text{table}$, of
# $M_\text{comm}$, of $M_\text{link}$. `relieves(change, spec)` names what falls of the first two: `"table"`, `"wire"`,
# `"both"` or `"neither"`. A change is a pair:
#
# | change | what it is |
# | --- | --- |
# | `("stored", "int4")` | rows lie in this format; on the wire they are what `wire` says |
# | `("wire", "int8")` | rows travel in this format |
# | `("hosts", 32)`, `("slots", 2)` | that many machines, that many slots |
# | `("requester cache", 0.95)` | the hit rate of caches where rows are asked for |
# | `("owner cache", 0.95)` | that share of the reads at the owner finds the row in fast memory |
# | `("hashing", m)` | ids share m rows |
# | `("quotient-remainder", m)` | two tables, m rows and $\lceil R/m \rceil$ rows; an id needs a row of both, and both travel |
# | `("de-duplication", u)` | u lookups are left |
#
# **Worked example:** `effect(("stored", "int4"), CHAPTER)` is `(0.1328125, 1.0, 1.0)`, as $(128/2 + 4)/512$; it relieves
# the `"table"`.


# %% answer="7.1"
def effect(change, spec):
    """(what, value), spec -> (ratio of M_table, ratio of M_comm, ratio of M_link)"""
    ### BEGIN SOLUTION
    return tuple(new / old for new, old in zip(budgets(changed(change, spec)), budgets(spec)))


def row_bytes(kind, D):
    return {"fp32": 4 * D, "int8": D + 8, "int4": D / 2 + 4}[kind]


def budgets(s):
    table = s["rows"] * (row_bytes(s["stored"], s["dim"]) + 4 * s["dim"] * s["slots"])
    comm = (1 - s["hit_rate"]) * s["lookups"] * (s["hosts"] - 1) / s["hosts"] * row_bytes(s["wire"], s["dim"])
    return table, comm, comm / s["hosts"]


def changed(change, s):
    what, value = change
    if what == "owner cache":                                # the row crosses the network whatever it was read from
        return s
    if what == "quotient-remainder":
        return {**s, "rows": value + math.ceil(s["rows"] / value), "lookups": 2 * s["lookups"]}
    field = {"requester cache": "hit_rate", "hashing": "rows", "de-duplication": "lookups"}.get(what, what)
    return {**s, field: value}
    ### END SOLUTION


# %% answer="7.1"
def relieves(change, spec):
    """"table", "wire", "both" or "neither" """
    ### BEGIN SOLUTION
    table, comm, _ = effect(change, spec)
    return {(True, True): "both", (True, False): "table", (False, True): "wire"}.get((table < 1, comm < 1), "neither")
    ### END SOLUTION


# %% check="7.1"
check("7.1", effect, relieves)

# %% [markdown]
# The chapter's table and six changes, by your function. Look for the bars that are as long as before.

# %% needs="7.1"
changes = [("stored", "int4"), ("wire", "int8"), ("requester cache", 0.95), ("owner cache", 0.95), ("hosts", 32),
           ("quotient-remainder", 44_722)]
ratios = [effect(change, CHAPTER) for change in changes]
pslab.viz.bars([f"{what}: {value}" for what, value in changes],
               {"table": [r[0] for r in ratios], "traffic": [r[1] for r in ratios], "busiest link": [r[2] for r in ratios]},
               unit="times", quantity="after the change", title="Your ratios")

# %% [markdown]
# A cache at the owner saves slow reads and not one byte of traffic. Two small tables save nearly everything that lies, and
# double what moves.
#
# ## 7.2 A cache, its misses, and the oracle
#
# *30 points · 30 minutes · core · exercise 11.7.2*
#
# A cache holds `capacity` rows. When a row comes that is not there, one that is there has to go: under LRU the one whose
# last use lies furthest back. First a prediction. A cache of 19 rows, and 20 ids that come round and round, a hundred
# times: how many of the 2,000 accesses hit, in per cent?

# %% answer="7.2"
loop_hits = ...
### BEGIN SOLUTION
loop_hits = 95
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("7.2", "hits of LRU, 19 rows, 20 ids in a loop", loop_hits, unit="%")

# %% [markdown]
# **Goal.** A class and two functions.
#
# | | |
# | --- | --- |
# | `access(id)` | whether the id was held; now it is, as the most recent one |
# | `order()` | the ids that are held, the next to go first |
# | `batch(ids)` | all of them are needed at once, duplicates included. Returns `(loaded, evicted)`: what was missing, once each, in the order of first places; and the least recent ones that the batch does not need, no more than must go. Then the ids count as used in the order of their *last* places. More different ids than capacity: `ValueError`, and nothing has changed |
# | `split_misses(stream, capacity)` | `(compulsory, capacity)`: misses of LRU at the first sight of an id, and all others |
# | `belady_hits(stream, capacity)` | hits of the oracle, which evicts the id that is needed again last, and takes in each id that it misses |
#
# **Worked example:** capacity 3, ids 1 2 3 1 4 2: only the second 1 hits, and `order()` ends as `[1, 4, 2]`; misses split
# into `(4, 1)`; the oracle has 2 hits. With 1, 2, 3 held, `batch([4, 1])` is `([4], [2])`.


# %% answer="7.2"
class LRU:
    def __init__(self, capacity):
        ### BEGIN SOLUTION
        self.capacity, self.held = capacity, {}              # a dict keeps the order in which ids were put in
        ### END SOLUTION

    def access(self, id):
        ### BEGIN SOLUTION
        hit = self.held.pop(id, False)                       # who is there comes in again, at the end
        if not hit and len(self.held) == self.capacity:
            del self.held[next(iter(self.held))]
        self.held[id] = True
        return hit
        ### END SOLUTION

    def order(self):
        ### BEGIN SOLUTION
        return list(self.held)
        ### END SOLUTION

    def batch(self, ids):
        ### BEGIN SOLUTION
        return together(self, ids)
        ### END SOLUTION


# %% answer="7.2"
def split_misses(stream, capacity):
    """(n,) int64 ids -> (compulsory misses, capacity misses)"""
    ### BEGIN SOLUTION
    cache = LRU(capacity)
    misses = sum(not cache.access(id) for id in stream.tolist())
    return len(np.unique(stream)), misses - len(np.unique(stream))


def together(cache, ids):
    """LRU.batch: what is missing comes in, and only what the batch does not name may go."""
    need = dict.fromkeys(ids)
    if len(need) > cache.capacity:
        raise ValueError(f"{len(need)} different ids at once, and room for {cache.capacity}")
    loaded = [id for id in need if id not in cache.held]
    free = [id for id in cache.held if id not in need]
    evicted = free[:max(0, len(cache.held) + len(loaded) - cache.capacity)]
    for id in evicted:
        del cache.held[id]
    for id in ids:
        cache.access(id)
    return loaded, evicted
    ### END SOLUTION


# %% answer="7.2"
def belady_hits(stream, capacity):
    """(n,) int64 ids -> hits of the oracle"""
    ### BEGIN SOLUTION
    ids, after, last = stream.tolist(), [], {}
    for at in range(len(ids) - 1, -1, -1):                   # backwards: where does the same id come next?
        after.append(last.get(ids[at], len(ids)))
        last[ids[at]] = at
    held, hits = {}, 0
    for id, following in zip(ids, reversed(after)):
        hits += id in held
        if id not in held and len(held) == capacity:
            del held[max(held, key=held.get)]
        held[id] = following
    return hits
    ### END SOLUTION


# %% check="7.2"
check("7.2", LRU, split_misses, belady_hits)

# %%
LOOP = np.tile(np.arange(20), 100)

# %% needs="7.2" tags=["nbval-ignore-output"]
_ = reveal("7.2", "hits of LRU, 19 rows, 20 ids in a loop",
           lambda: round(100 * (1 - sum(split_misses(LOOP, 19)) / len(LOOP)), 1), unit="%")

# %% [markdown]
# One row too few, and LRU evicts each id just before it comes again. The oracle would keep nearly all of them.
#
# Now ids that follow Zipf's law, with exponents from flat to steep, and a cache of 100 rows that is cold at first. Beside
# LRU and the oracle stands what a chapter may call the ideal: the 100 most frequent ids, held from the start.


# %%
def zipf(R, n, exponent, seed=0):
    """n ids below R; the k-th most frequent one has a share ~ k^-exponent."""
    share = np.arange(1, R + 1) ** -exponent
    return np.random.default_rng(seed).choice(R, n, p=share / share.sum())


EXPONENTS = [0.4, 0.6, 0.8, 1.0, 1.1, 1.2, 1.4]

# %% needs="7.2"
streams = [zipf(20_000, 4_000, exponent) for exponent in EXPONENTS]
hits = {"LRU": [1 - sum(split_misses(ids, 100)) / len(ids) for ids in streams],
        "oracle (Belady)": [belady_hits(ids, 100) / len(ids) for ids in streams],
        "top 100, preloaded": [sum(n for _, n in Counter(ids.tolist()).most_common(100)) / len(ids) for ids in streams],
        "no compulsory miss": [1 - len(np.unique(ids)) / len(ids) for ids in streams]}
pslab.viz.curve(EXPONENTS, {name: [100 * share for share in shares] for name, shares in hits.items()},
                xlabel="exponent of Zipf's law (no unit)", ylabel="hits (% of accesses)", title="Your caches of 100 rows")

# %% [markdown]
# No cold cache gets above the line of compulsory misses, the oracle included; the preloaded rows may, as they start with
# rows in them. The gap between LRU and the oracle is widest in the middle: on the flat side nobody hits, on the steep side
# everybody does. Other streams, other order: on words of a text LRU may beat the preloaded rows.
#
# ## 7.3 Rows of eight and of four bits
#
# *30 points · 30 minutes · optional*
#
# **Goal.** Five functions, with the layout that FBGEMM has:
#
# ```
# int8   | code 0 | code 1 | … | code D-1 | scale, float32 | minimum, float32 |      D + 8 bytes a row
# int4   | 1 0 | 3 2 | … | scale, float16 | minimum, float16 |                        D/2 + 4 bytes a row
# ```
#
# The scale of a row is (max − min) / 255, or / 15; a code is the whole number nearest to (x − min) / scale; read back, it
# is code · scale + min. Of two codes in a byte the first is in the low four bits. Bytes are little-endian, as here.
#
# | held to | |
# | --- | --- |
# | size | exactly these bytes, `uint8` |
# | error | half a step; for int4 also what float16 makes of scale and minimum |
# | a row of equal numbers | comes back exactly |
# | `stochastic_round(x, rng)` | the whole number below x or above, such that the mean is x: 10,000 draws within 5 σ |
#
# **Worked example:** the row `[0, 1, 2, 15]` at four bits is `16 242 0 60 0 0`: codes 0 1 and 2 15, scale 1, minimum 0.


# %% answer="7.3"
def quantize8(rows):
    """(n, D) float32 -> (n, D + 8) uint8"""
    ### BEGIN SOLUTION
    scale, least = scales(rows, 255)
    codes = np.clip(np.rint((rows - least) / scale), 0, 255).astype(np.uint8)
    return np.concatenate([codes, np.concatenate([scale, least], axis=1).astype("<f4").view(np.uint8)], axis=1)


def scales(rows, steps):
    """Scale and minimum of each row, (n, 1) each. A row of equal numbers gets the scale 1: its codes are 0."""
    least = rows.min(axis=1, keepdims=True)
    span = rows.max(axis=1, keepdims=True) - least
    return np.where(span > 0, span / steps, 1).astype(np.float32), least
    ### END SOLUTION


def dequantize8(packed):
    """(n, D + 8) uint8 -> (n, D) float32"""
    ### BEGIN SOLUTION
    scale, least = np.ascontiguousarray(packed[:, -8:]).view("<f4").T[:, :, None]
    return packed[:, :-8].astype(np.float32) * scale + least
    ### END SOLUTION


# %% answer="7.3"
def quantize4(rows):
    """(n, D) float32, D even -> (n, D/2 + 4) uint8"""
    ### BEGIN SOLUTION
    scale, least = (part.astype("<f2").astype(np.float32) for part in scales(rows, 15))
    scale[scale == 0] = 1                                    # too small for float16
    codes = np.clip(np.rint((rows - least) / scale), 0, 15).astype(np.uint8)
    tail = np.concatenate([scale, least], axis=1).astype("<f2").view(np.uint8)
    return np.concatenate([codes[:, 0::2] | codes[:, 1::2] << 4, tail], axis=1)
    ### END SOLUTION


def dequantize4(packed):
    """(n, D/2 + 4) uint8 -> (n, D) float32"""
    ### BEGIN SOLUTION
    scale, least = np.ascontiguousarray(packed[:, -4:]).view("<f2").astype(np.float32).T[:, :, None]
    codes = np.stack([packed[:, :-4] & 15, packed[:, :-4] >> 4], axis=2).reshape(len(packed), -1)
    return codes.astype(np.float32) * scale + least
    ### END SOLUTION


# %% answer="7.3"
def stochastic_round(x, rng):
    """(n,) numbers -> (n,) whole numbers; rng.random(n) draws from 0 to 1"""
    ### BEGIN SOLUTION
    low = np.floor(x)
    return low + (rng.random(x.shape) < x - low)
    ### END SOLUTION


# %% check="7.3"
check("7.3", quantize8, dequantize8, quantize4, dequantize4, stochastic_round)

# %% [markdown]
# How many times smaller is a row, really? The scale and the minimum weigh most where rows are short.

# %% needs="7.3"
dims, rng = [8, 16, 32, 64, 128, 256], np.random.default_rng(0)
rows_of = {D: rng.normal(size=(50, D)).astype(np.float32) for D in dims}
pslab.viz.curve(dims, {name: [4 * D / quantize(rows_of[D]).shape[1] for D in dims] for name, quantize in
                       (("int8", quantize8), ("int4", quantize4))}, log="x", xlabel="numbers in a row (count)",
                ylabel="float32 over this (times)", title="Your rows", mark=(128, "D = 128"))

# %% [markdown]
# Training is another matter. Each of 100 steps adds a fifth of a code to a row of 1,000 codes. After each step the row
# is stored again, in whole codes: rounded to the nearest, or by your `stochastic_round`.


# %%
def trained(rounding):
    """Mean of the codes after each of 100 steps of 0.2."""
    codes, means = np.full(1_000, 100.0), []
    for _ in range(100):
        codes = rounding(codes + 0.2)
        means.append(codes.mean() - 100)
    return means


# %% needs="7.3"
rng = np.random.default_rng(1)
pslab.viz.curve(range(1, 101), {"to the nearest": trained(np.rint), "yours": trained(lambda x: stochastic_round(x, rng)),
                                "float32": [0.2 * step for step in range(1, 101)]},
                xlabel="step (count)", ylabel="moved (codes)", title="A hundred steps of a fifth of a code")

# %% [markdown]
# To the nearest, nothing ever moves: each step is lost as it is made. On average nothing is lost by chance.
#
# ## 7.4 A row from two small tables
#
# *20 points · 20 minutes · optional*
#
# Hashing $R$ ids into $m$ rows lets $R/m$ ids share each row for ever. With two tables no two ids need share everything:
# one row for the **remainder** $i \bmod m$, one for the **quotient** $\lfloor i/m \rfloor$.

# %%
ids, m = np.arange(10), 4
print("id        ", ids)
print("remainder ", ids % m)
print("quotient  ", ids // m)

# %% [markdown]
# **Goal.** Four functions. The row of an id is the product of its two rows, number by number.
#
# | | |
# | --- | --- |
# | `qr_shapes(R, m)` | rows of both tables, `(m, R/m rounded up)` |
# | `qr_lookup(ids, remainders, quotients)` | rows (n, D); m is `len(remainders)` |
# | `qr_backward(ids, grad, remainders, quotients)` | the gradient of both tables, added up where ids share a row |
# | `qr_wire_bytes(n, D)` | bytes of the rows that travel for n ids, float32 |
#
# **Worked example:** ten ids and $m = 4$ need 4 and 3 rows; id 9 has rows 1 and 2; `qr_wire_bytes(100, 16)` is 12,800.


# %% answer="7.4"
def qr_shapes(R, m):
    """(rows of remainders, rows of quotients)"""
    ### BEGIN SOLUTION
    return m, -(-R // m)
    ### END SOLUTION


def qr_lookup(ids, remainders, quotients):
    """(n,) int64, (m, D), (q, D) -> (n, D)"""
    ### BEGIN SOLUTION
    m = len(remainders)
    return remainders[ids % m] * quotients[ids // m]
    ### END SOLUTION


# %% answer="7.4"
def qr_backward(ids, grad, remainders, quotients):
    """grad (n, D) of the rows -> (m, D), (q, D)"""
    ### BEGIN SOLUTION
    m = len(remainders)
    by_remainder, by_quotient = np.zeros_like(remainders), np.zeros_like(quotients)
    np.add.at(by_remainder, ids % m, grad * quotients[ids // m])
    np.add.at(by_quotient, ids // m, grad * remainders[ids % m])
    return by_remainder, by_quotient
    ### END SOLUTION


def qr_wire_bytes(n, D):
    """Bytes of rows that travel for n ids."""
    ### BEGIN SOLUTION
    return 2 * n * D * 4
    ### END SOLUTION


# %% check="7.4"
check("7.4", qr_shapes, qr_lookup, qr_backward, qr_wire_bytes)

# %% [markdown]
# The chapter's two thousand million ids at D = 128. Which $m$ makes the two tables smallest?

# %% needs="7.4"
ms = [10**3, 10**4, 44_722, 10**5, 10**6, 10**7]
table_mb = [sum(qr_shapes(2_000_000_000, m)) * 512 / 1e6 for m in ms]
pslab.viz.curve(ms, {"both tables": table_mb}, log="xy", xlabel="rows for remainders (count)", ylabel="both tables (MB)",
                title=f"Your two tables; {qr_wire_bytes(1, 128) / 512:.0f} rows travel for an id", mark=(44_722, "square root"))

# %% [markdown]
# At the square root a terabyte becomes some 46 MB, 89,443 rows. Whether a model is still good with so little is a question
# for data; that each lookup now moves two rows is certain.
#
# ## 7.5 An all-to-all lookup
#
# *35 points · 35 minutes · core*
#
# The table is spread over $K$ workers: id $i$ belongs to rank $i \bmod K$, at place $\lfloor i/K \rfloor$ of its part. Each
# worker has a batch of ids, of any owner. Ids go out, rows come back, and gradients go to their owners.
#
# **Goal.** A class, `ShardedLookup(comm, table)`, with `table` (r, D) the rows of the ids rank, rank + K, rank + 2K, …
#
# | | |
# | --- | --- |
# | `forward(ids)` | ids (n,) int64, duplicates included, perhaps none → rows (n, D), in the order of the ids |
# | `backward(grad)` | gradient (n, D) of the last forward's rows → (r, D): what all workers' gradients add up to on the own rows |
#
# | held to | |
# | --- | --- |
# | bytes of forward | on each link 8 for every different id, 4D for every row that was asked for: no more and no less |
# | bytes of backward | 4D for every different id; ids do not travel again |
# | messages | one to each other rank for ids, one for rows; all ranks call equally often, also without ids |
#
# `comm` has `rank`, `world_size`, `send`, `recv`, `isend`, `irecv`; they take tensors and NumPy arrays.
#
# **Worked example:** K = 2, id $i$ has the row $[10 i]$. Rank 0: `forward([3, 0, 3])` is `[[30], [0], [30]]`, with 8 bytes
# to rank 1 and 4 back. `backward([[1], [5], [2]])` brings rank 1 the sum 3 for id 3, in 4 bytes.


# %% answer="7.5"
class ShardedLookup:
    def __init__(self, comm, table):
        ### BEGIN SOLUTION
        self.comm, self.table, self.K = comm, table, comm.world_size
        ### END SOLUTION

    def forward(self, ids):
        ### BEGIN SOLUTION
        self.unique, self.inverse = np.unique(ids, return_inverse=True)
        self.owner = self.unique % self.K
        self.asked = exchange(self.comm, [self.unique[self.owner == q] for q in range(self.K)])
        replies = exchange(self.comm, [self.table[asked // self.K] for asked in self.asked])
        came = np.argsort(self.owner, kind="stable")         # the ids in the order in which their rows come
        return np.concatenate(replies)[np.argsort(came)][self.inverse]
        ### END SOLUTION

    def backward(self, grad):
        ### BEGIN SOLUTION
        sums = np.zeros((len(self.unique), self.table.shape[1]), np.float32)
        np.add.at(sums, self.inverse, grad)
        came = exchange(self.comm, [sums[self.owner == q] for q in range(self.K)])
        return added_up(self.table, [asked // self.K for asked in self.asked], came)
        ### END SOLUTION


# %% answer="7.5"
### BEGIN SOLUTION
def exchange(comm, parts):
    """parts[q] to each rank q; what came from each rank. An empty part is a message, too."""
    me = comm.rank
    works = [comm.isend(part, q) for q, part in enumerate(parts) if q != me]
    came = [parts[me] if q == me else np.asarray(comm.recv(q)) for q in range(comm.world_size)]
    for work in works:
        work.wait()
    return came


def added_up(table, places, parts):
    """What all ranks sent for the rows at these places of the table."""
    total = np.zeros_like(table)
    for at, part in zip(places, parts):
        total[at] += part                                    # within a part each place comes once
    return total
### END SOLUTION


# %% check="7.5"
check("7.5", ShardedLookup)


# %% [markdown]
# Four workers with 2,048 ids each, which follow Zipf's law: the bytes on each link of one forward, and beside them what
# would travel if every place were asked for, and what an all-gather of the table would move.


# %%
def looking_up(comm, lookup, R, D, batch):
    """One forward of each rank."""
    table = np.arange(comm.rank, R, comm.world_size, dtype=np.float32)[:, None] + np.zeros(D, np.float32)
    return len(lookup(comm, table).forward(zipf(R, batch, 1.1, seed=comm.rank)))


# %% needs="7.5"
run = SimWorld(4).run(looking_up, ShardedLookup, 8_000, 16, 2_048)
pslab.viz.links(run.ledger, title="Your lookup, four workers")

# %% needs="7.5"
batches = [64, 256, 1_024, 4_096]
yours = [SimWorld(4, trace=False).run(looking_up, ShardedLookup, 8_000, 16, n).ledger.total() for n in batches]
pslab.viz.curve(batches, {"yours": [n / 1e6 for n in yours],
                          "every place asked": [3 * n * 72 / 1e6 for n in batches],
                          "all-gather of the table": [3 * 8_000 * 64 / 1e6] * 4},
                log="xy", xlabel="ids of a worker (count)", ylabel="bytes of a forward (MB)",
                title="A table of 8,000 rows of 16, four workers")

# %% [markdown]
# The larger the batch, the more of its ids are duplicates, and the further your line bends away from the straight one.
# The table's own size does not occur in it.
#
# ## 7.6 A copy everywhere, or a shard
#
# *20 points · 20 minutes · optional · exercise 11.7.3*
#
# First the chapter's formula at three hit rates, with its own numbers:

# %%
for h in (0.5, 0.85, 0.99):
    print(f"h = {h:4}: {(1 - h) * 2_621_440 * 512 / 1e6:6.1f} MB a step")

# %% [markdown]
# The other design has no all-to-all at all: each of $K$ workers holds the whole table. But copies have to be sent once, and
# then kept equal. With $T$ `steps`, $U = T / $`update_every` updates, and $u$ = `touched` rows that a worker changes in an
# update, over all links:
#
# $$\text{sharded} = (K-1)\,[\,T\,(\text{lookups} - \text{hits})\,(8 + \text{row}) + U\,u\,(8 + 4D)\,]$$
# $$\text{replicated} = (K-1)\,[\,R\cdot\text{row} + U\,K\,u\,(8 + 4D)\,]$$
#
# `lookups` and `hits` are those of a worker in a step, a row has the bytes of the table's `format`, gradients are float32.
#
# **Goal.** `replicate_wins(spec)` returns `(wins, bytes sharded, bytes replicated)`. A copy wins when it fits, that is
# `rows` · (row + 4D · `slots`) ≤ `memory_bytes`, and moves fewer bytes.
#
# **Worked example:** two workers, 100 rows, D = 2, fp32, 10 steps with an update in each, 30 lookups, 10 hits, 5 touched,
# memory enough: `(True, 4000, 2400)`.


# %% answer="7.6"
def replicate_wins(spec):
    """workers, rows, dim, format, slots, steps, update_every, lookups, hits, touched, memory_bytes -> (bool, int, int)"""
    ### BEGIN SOLUTION
    K, R, D, T, u = (spec[name] for name in ("workers", "rows", "dim", "steps", "touched"))
    row = {"fp32": 4 * D, "int8": D + 8, "int4": D // 2 + 4}[spec["format"]]
    U, changed_bytes = T // spec["update_every"], 8 + 4 * D
    sharded = (K - 1) * (T * (spec["lookups"] - spec["hits"]) * (8 + row) + U * u * changed_bytes)
    replicated = (K - 1) * (R * row + U * K * u * changed_bytes)
    fits = R * (row + 4 * D * spec["slots"]) <= spec["memory_bytes"]
    return fits and replicated < sharded, sharded, replicated
    ### END SOLUTION


# %% check="7.6"
check("7.6", replicate_wins)

# %% [markdown]
# Sixteen workers for 10,000 steps, D = 128 in int8, an update in every hundredth step: from which number of rows on does
# the shard win? And where does a memory of 80 GB end it?

# %% needs="7.6"
SPEC = {"workers": 16, "dim": 128, "format": "int8", "slots": 0, "steps": 10_000, "update_every": 100,
        "lookups": 163_840, "hits": 139_264, "touched": 20_000, "memory_bytes": 80_000_000_000}
sizes = [10**6, 10**7, 10**8, 3 * 10**8, 10**9, 2 * 10**9]
told = [replicate_wins({**SPEC, "rows": R}) for R in sizes]
print("a copy wins:", [f"{R:.0e}" for R, (wins, *_) in zip(sizes, told) if wins], "rows")
pslab.viz.curve(sizes, {"sharded": [s / 1e12 for _, s, _ in told], "replicated": [r / 1e12 for *_, r in told]}, log="xy",
                xlabel="rows (count)", ylabel="bytes of 10,000 steps (TB)", title="Your two designs, sixteen workers")

# %% [markdown]
# The shard's line is flat: it does not know how large the table is. A copy of a small table that is mostly read wins; a
# terabyte neither fits nor pays. It is the choice of the whole course once more: a server's rows, or a replica kept equal.
#
# ## 7.7 A cache in exact training
#
# *25 points · 25 minutes · optional*
#
# A cache that serves readers saves its hit rate. In training others change the rows that you hold. Exact (BSP) training
# reads the row that the server has *now*. So rows get **versions**: a read names the version at hand, and the server sends
# the rows whose version is another one, nothing else. Each push of a row is one version more; pushes are applied together
# when the round ends.


# %%
class Server:
    """The rows of one round, for all workers. It counts the rows that it sends."""

    def __init__(self, rows):
        self.rows, self.versions, self.pushed, self.sent = rows, np.zeros(len(rows), np.int64), [], 0

    def fetch(self, ids, versions):
        ids = np.asarray(ids, np.int64)
        places = np.flatnonzero(self.versions[ids] != np.asarray(versions))
        self.sent += len(places)
        return places, self.rows[ids[places]].copy(), self.versions[ids[places]].copy()

    def push(self, ids, grads):
        self.pushed.append((ids, grads))

    def apply(self, rows, grads):
        return rows - np.float32(0.5) * grads

    def end_round(self):
        total = np.zeros_like(self.rows)
        for ids, grads in self.pushed:
            total[ids] += grads
            self.versions[ids] += 1
        self.rows, self.pushed = self.apply(self.rows, total), []


# %% [markdown]
# **Goal.** `ExactCache(server)`, one of a worker's own:
#
# | | |
# | --- | --- |
# | `read(ids)` | (n,) int64 with duplicates → (n, D), the server's rows of this round, bit for bit. Each different id is named once, `server.fetch(ids, versions)`, with −1 where nothing is at hand; it returns `(places, rows, versions)` for those places of the request that are new |
# | `push(ids, grads)` | different ids, all read in this round: `server.push(ids, grads)`. What you pushed yourself you know: `server.apply(rows, grads)` is the server's rule |
# | held to | no row travels that nobody but this worker has pushed since it has it |
#
# And `rows_saved(batches)`, before anything runs: `batches[t][k]` are the ids of worker k in round t, which it reads and
# pushes; return `(rows that need not travel, rows that are read)`, different ids of a batch.
#
# **Worked example:** two workers that both read and push ids `[1, 2]` and `[1, 3]`, in two rounds: ids 2 and 3 need not
# travel the second time, id 1 must. `rows_saved` is `(2, 8)`.


# %% answer="7.7"
class ExactCache:
    def __init__(self, server):
        ### BEGIN SOLUTION
        self.server, self.rows, self.versions = server, {}, {}
        ### END SOLUTION

    def read(self, ids):
        ### BEGIN SOLUTION
        need = np.unique(ids).tolist()
        places, rows, versions = self.server.fetch(need, [self.versions.get(id, -1) for id in need])
        for at, row, version in zip(places.tolist(), rows, versions.tolist()):
            self.rows[need[at]], self.versions[need[at]] = row, version
        return np.stack([self.rows[id] for id in ids.tolist()])
        ### END SOLUTION

    def push(self, ids, grads):
        ### BEGIN SOLUTION
        self.server.push(ids, grads)
        for id, grad in zip(ids.tolist(), grads):
            self.rows[id] = self.server.apply(self.rows[id], grad)
            self.versions[id] += 1                           # if somebody else pushed it, too, the server has more
        ### END SOLUTION


# %% answer="7.7"
def rows_saved(batches):
    """batches[t][k] (n,) int64 ids -> (rows that need not travel, rows that are read)"""
    ### BEGIN SOLUTION
    K, saved, reads = len(batches[0]), 0, 0
    at_hand = [set() for _ in range(K)]
    for ids_of in batches:
        mine = [set(ids.tolist()) for ids in ids_of]
        saved += sum(len(mine[k] & at_hand[k]) for k in range(K))
        reads += sum(map(len, mine))
        for k in range(K):
            at_hand[k] = (at_hand[k] | mine[k]).difference(*(mine[q] for q in range(K) if q != k))
    return saved, reads
    ### END SOLUTION


# %% check="7.7"
check("7.7", ExactCache, rows_saved)

# %% [markdown]
# Commit to a number: the stream below follows Zipf's law, exponent 1.1, over 20,000 ids; two workers take 128 of them each,
# 40 rounds long. What share of the rows that are read need not travel, in per cent?

# %% answer="7.7"
saved_share = ...
### BEGIN SOLUTION
saved_share = 45
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("7.7", "rows that need not travel, two workers", saved_share, unit="%")


# %%
def rounds(stream, K, batch):
    """batches[t][k] (batch,) of a stream, as it comes."""
    return list(stream[:len(stream) // (K * batch) * K * batch].reshape(-1, K, batch))


def travelling(cache, batches, R):
    """Rows that travel in each round."""
    server, K = Server(np.zeros((R, 4), np.float32)), len(batches[0])
    caches, sent = [cache(server) for _ in range(K)], []
    for ids_of in batches:
        for worker, ids in zip(caches, ids_of):
            worker.read(ids)
        sent.append(server.sent - sum(sent))
        for worker, ids in zip(caches, ids_of):
            worker.push(np.unique(ids), np.ones((len(np.unique(ids)), 4), np.float32))
        server.end_round()
    return sent


STREAM = zipf(20_000, 10_240, 1.1, seed=3)

# %% needs="7.7" tags=["nbval-ignore-output"]
_ = reveal("7.7", "rows that need not travel, two workers",
           lambda: round(100 * np.divide(*rows_saved(rounds(STREAM, 2, 128))), 1), unit="%")

# %% needs="7.7"
pair = rounds(STREAM, 2, 128)
pslab.viz.curve(range(1, 41), {"read": [sum(len(np.unique(ids)) for ids in ids_of) for ids_of in pair],
                               "travel, by your cache": travelling(ExactCache, pair, 20_000)},
                xlabel="round (count)", ylabel="rows (count)", title="Two workers, 128 ids each")

# %% [markdown]
# And with more workers, or larger batches? Then hardly a row is left that nobody else has touched.

# %% needs="7.7"
shares = {(K, n): np.divide(*rows_saved(rounds(zipf(20_000, 40_960, 1.1, seed=3), K, n)))
          for K in (2, 4, 16) for n in (32, 128, 512)}
pslab.viz.Table(["workers", "32 ids", "128 ids", "512 ids"],
                [[K, *(f"{100 * shares[K, n]:.0f} %" for n in (32, 128, 512))] for K in (2, 4, 16)],
                note="rows that need not travel, of the different ids that are read")

# %% [markdown]
# In the chapter's model, sixteen workers whose hot rows all of them train, it is nothing at all. What still saves is to name
# each id once; and reads that may be a few rounds old, as in lab 5.
#
# ## What to take along
#
# - Two budgets: what lies and what moves. Few bits and two small tables help the first; caches where rows are *asked* for,
#   and naming each id once, help the second.
# - LRU against the oracle: split the misses first. Compulsory ones are nobody's fault.
# - int8 is $D + 8$ bytes, not $D$; and rows of few bits learn only by stochastic rounding.
# - A lookup between workers is three all-to-alls, and its bytes are those of different ids, whatever the table's size.
# - In exact training a cache saves only rows that nobody else has touched.
#
# Hand in this notebook as it is; hidden checks with other tables, streams and workers run when it is graded.
