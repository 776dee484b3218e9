# %% [markdown]
# # 11.7 Terabyte-scale embeddings
#
# **The big picture.** A large recommender keeps a row of numbers for every user, every item and every combination
# that somebody found useful: billions of rows, a terabyte and more. No accelerator holds that, so the table is cut up
# and spread over many machines, while the small dense network that uses the rows is copied to every worker. Between
# the two halves stands one collective, the all-to-all. Two budgets decide what such a system costs: the **memory**
# that the table takes, and the **bytes** that a step moves. This chapter computes both, reproduces a printed cost
# model number for number, and then builds the thing at the size of this machine and counts: where the model is right,
# where it leaves something out, and which lever moves which budget.
#
# **After this chapter you can**
#
# 1. say how large a table is with its optimizer's state, and which tier of memory it fits;
# 2. draw the three exchanges of a sharded lookup, predict their bytes, and route tokens to experts with the same code;
# 3. tell two hit rates apart, and say what a cache at the owner and one at the requester save, in serving and in training;
# 4. compare LRU, LFU, CLOCK, FIFO, top-k and the oracle on a stream, with compulsory and capacity misses kept apart;
# 5. train a table of ten times its memory budget, and know why the result is the same to the last bit;
# 6. shorten rows, count what that saves with its scales, and measure what it does to a model.
#
# **Before you start** you should know push and pull ([11.2](11_02_push_and_pull.ipynb)), what BSP and SSP let a
# reader see ([11.5](11_05_bounded_staleness.ipynb)), and what an embedding bag is. **Time:** ninety minutes to read,
# under a minute to run.
#
# Four times you are asked for a number before a run shows it. Write yours in place of the `...`.

# %%
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from IPython.display import display

from pslab import cost, embedding, viz
from pslab.collectives import all_to_all
from pslab.comm import Ledger, Link, SimWorld
from pslab.data import movielens_users, zipf
from pslab.embedding import EmbeddingBagConfig, KeyedJaggedTensor
from pslab.examples import Setting, practical_result, table_effects
from pslab.grade import predict, reveal
from pslab.ps import BSP, SGD, SSP, AdaGrad, KVServer, KVWorker, TableConfig, serve
from pslab.viz import Box, Note, Table

torch.set_num_threads(1)


def yes(truth):
    return "yes" if truth else "NO"


# %% [markdown]
# ## 1. Why the table cannot fit · *Beginner*
#
# Letters for the whole chapter: a table of $R$ rows of $D$ numbers of $b$ bytes; a step in which $B$ samples ask for
# $L$ rows each; $S$ hosts that own the rows, $K$ workers that use them. The table takes
#
# $$M_\text{table} = R \cdot D \cdot b \text{ bytes}.$$
#
# A printed example takes two billion rows of 128 floats on 16 hosts, and says of a host's share that it is more than
# the memory of its accelerator, of which a large one has 80 GB. Here is that share, for four optimizers. An optimizer
# keeps numbers of its own for each row: row-wise AdaGrad one, AdaGrad as many as the row has, Adam twice as many.
# Look at the last column.

# %%
R, D, S, HBM_GB = 2_000_000_000, 128, 16, 80
optimizers = {"plain SGD": 0, "row-wise AdaGrad": 1, "AdaGrad": D, "Adam": 2 * D}
rows = []
for name, state in optimizers.items():
    total = cost.table_bytes(R, D, 4, state)
    rows.append([name, viz.sized(total, 4), viz.sized(total / S, 4), yes(total / S < HBM_GB * 1e9)])
Table(["optimizer", "table and state", "of one host in 16", f"fits {HBM_GB} GB"], rows)

# %% [markdown]
# The table is just over one terabyte, thirteen times the memory of the largest single device. But cut into sixteen
# parts it *does* fit beside SGD or row-wise AdaGrad, with little left for anything else. It is the state of AdaGrad
# or Adam that makes the sentence true. And tables of tens of terabytes exist. So the rows lie in tiers, each larger
# and slower than the one above. The sizes below are assumed, for one host; the last two columns say how much of a
# share of 64 GB and of one with Adam's state each tier can take.

# %%
tiers = [("HBM of the accelerator", 80, "TB/s"), ("RAM of the host", 512, "100 GB/s"), ("SSD", 8000, "GB/s")]
shares = [cost.table_bytes(R, D, 4, state) / S / 1e9 for state in (0, 2 * D)]
Table(["tier", "size (GB)", "order of its speed", *(f"of {share:.0f} GB" for share in shares)],
      [[name, size, speed, *(f"{min(1, size / share):.0%}" for share in shares)] for name, size, speed in tiers])

# %% [markdown]
# The dense network on top has perhaps sixty million parameters. That is a quarter of a gigabyte, which every worker
# can hold. So the model is cut in a way that no language model is: the *embedding is model-parallel*, each row lives
# on one host; the *dense network is data-parallel*, all of it on every worker, its gradients all-reduced as in
# [11.9](11_09_parameter_server_vs_all_reduce.ipynb).

# %%
boxes = [Box("w0", "worker 0: dense\nnetwork, a copy", (0, 0), "allreduce"),
         Box("w1", "worker K-1: dense\nnetwork, a copy", (0, 2), "allreduce"),
         Box("a2a", "all-to-all", (1, 1)),
         Box("h0", "host 0: rows of\nits own, in tiers", (2, 0), "server"),
         Box("h1", "host S-1: rows of\nits own, in tiers", (2, 2), "server")]
viz.flow(boxes, [("w0", "a2a", "ids, gradients"), ("w1", "a2a", "ids, gradients"), ("a2a", "w0", ""), ("a2a", "w1", ""),
                 ("h0", "a2a", "rows"), ("h1", "a2a", "rows"), ("a2a", "h0", ""), ("a2a", "h1", "")],
         title="Rows on hosts, networks on workers")

# %% [markdown]
# ## 2. The all-to-all between sparse and dense · *Intermediate*
#
# Each worker has a part of the batch, and the ids in it are owned by anybody. So each worker sends each owner a list
# of ids, and gets rows back: every rank has something of its own for every other, and that is an all-to-all. On the
# way back the gradients of those rows go to the owners. Three exchanges, and here they are written out. Row $r$ lies
# on rank $r \bmod K$; its first number is its id, so that a mix-up shows.


# %%
def lookup_program(comm, R, D, n):
    K = comm.world_size
    own = torch.arange(comm.rank, R, K)[:, None] + torch.zeros(D)       # rows rank, rank + K, ...
    ids = torch.from_numpy(zipf(1.1, R, n, seed=comm.rank))             # n lookups of this worker
    at = [torch.nonzero(ids % K == owner)[:, 0] for owner in range(K)]  # which lookups go where
    asked = all_to_all(comm, [ids[where] // K for where in at])         # input_dist
    answers = all_to_all(comm, [own[part] for part in asked])           # lookup, output_dist
    rows = torch.empty(n, D)
    for where, part in zip(at, answers):
        rows[where] = part
    grads = torch.ones_like(rows)                                       # of a loss: the sum of all
    for part, grad in zip(asked, all_to_all(comm, [grads[where] for where in at])):
        own.index_add_(0, part, grad, alpha=-1.0)                       # the owner's step of SGD
    return bool((rows[:, 0] == ids).all())


# %% [markdown]
# Four ranks that are workers and owners at once, ten thousand rows of 16 floats, 400 lookups of each rank. Your first
# number: how many bytes of *rows* cross all links together, one way? A row is sent for each lookup; what a rank owns
# itself crosses no link.

# %%
my_bytes = ...
predict("11.7", "rows of four ranks, one way", my_bytes, unit="B")


# %%
def by_exchange(run, names):
    """A ledger for each exchange: the first message of a link belongs to the first, and so on."""
    books, seen = {name: Ledger(run.trace.world_size) for name in names}, Counter()
    for event in run.trace.events:
        books[names[seen[event.src, event.dst]]].add(event.src, event.dst, "vals", event.payload_bytes)
        seen[event.src, event.dst] += 1
    return books


run = SimWorld(4, link=Link(latency_s=5e-6, bandwidth_Bps=12.5e9)).run(lookup_program, 10_000, 16, 400)
books = by_exchange(run, ["input_dist: ids", "output_dist: rows", "gradients"])
_ = reveal("11.7", "rows of four ranks, one way", lambda: books["output_dist: rows"].total())
print("every worker got the rows that it asked for:", *map(yes, run.results))
print(f"all lookups: {1600 * 16 * 4:,} B; three quarters of that: {1600 * 16 * 4 * 3 // 4:,} B")

# %% [markdown]
# $B \cdot L \cdot D \cdot b$ is 1,600 lookups of 64 bytes. One in four finds its row at home, so that 76,800 bytes
# would be expected to travel; which ids were drawn moves it a little. Now see the three exchanges. In the first
# picture time runs to the right; in the second each arrow is as wide as its bytes.

# %%
viz.spacetime(run, title="One step: ids to the owners, rows back, gradients to the owners", rows=6)

# %%
viz.patterns(books, columns=3, title="The same step, exchange by exchange")

# %% [markdown]
# Two things to see. Ids are light and rows are heavy, in both directions. And rank 0 sends more than its share,
# because the popular rows are its own: the step is over when the *busiest* port is done. Spreading rows by a hash
# helps against runs of popular rows, and not against one row that is popular by itself.
#
# The kit has this as a module with the interface of TorchRec, and with three economies: equal ids travel once, owners
# may pool before they send, and rows may travel in fewer bits. The next cell trains the same bags in five ways, on
# the same batches. Look at which columns change.


# %%
TABLES = [EmbeddingBagConfig(2_000, 16, "user"), EmbeddingBagConfig(5_000, 16, "item")]


def bag_batch(rank, step, samples=64, each=4):
    """Bags of ids of two features, other ones for each rank and step."""
    values = [zipf(1.1, table.num_embeddings, samples * each, seed=1000 + 97 * step + 7 * rank + number)
              for number, table in enumerate(TABLES)]
    return KeyedJaggedTensor([table.name for table in TABLES], torch.from_numpy(np.concatenate(values)),
                             torch.full((2 * samples,), each))


def bags_program(comm, options, steps=3):
    bags = embedding.ShardedEmbeddingBagCollection(TABLES, comm, rule=SGD(0.001), **options)
    losses = []
    for step in range(steps):
        pooled = bags(bag_batch(comm.rank, step)).values
        loss = (pooled.sum(dim=1) - 1).square().mean()
        loss.backward()                                     # gradients go home, owners take their step
        losses.append(loss.item())
    return losses


# %%
row_wise = {table.name: embedding.Sharding("row_wise", tuple(range(4)), by="hash") for table in TABLES}
table_wise = {table.name: embedding.Sharding("table_wise", (rank,)) for rank, table in enumerate(TABLES)}
ways = {"a table on one rank each": {"plan": table_wise}, "rows by hash": {"plan": row_wise},
        "rows by hash, owners pool": {"plan": row_wise, "dedup": False},
        "rows by hash, fp16 wire": {"plan": row_wise, "wire": "fp16"},
        "rows by hash, int8 wire": {"plan": row_wise, "wire": "int8"}}
rows = []
for name, options in ways.items():
    done = SimWorld(4).run(bags_program, options)
    parts = [book.total() // 3 for book in by_exchange(done, ["ids", "rows", "gradients"] * 3).values()]
    worst = max(sum(port) for port in (done.ledger.port(rank) for rank in range(4))) // 3
    rows.append([name, *parts, worst, f"{sum(result[-1] for result in done.results) / 4:.4f}"])
Table(["way", "ids (B)", "rows (B)", "gradients (B)", "busiest rank, both ways (B)", "loss, third step"], rows,
      note="bytes a step, all links")

# %% [markdown]
# The losses are those of one and the same model; only a shorter wire can change them, and little. Whole tables on one
# rank each make two ranks send everything; rows by hash share the load. *Owners pool* sends one sum for each bag and
# owner instead of rows: with bags of four ids spread over four owners that costs more, with long bags it saves.
#
# ### What does a step cost?
#
# With one row for each lookup a step carries $B \cdot L \cdot D \cdot b$ bytes in each direction. The printed example
# takes $B = 65{,}536$ and $L = 40$. It then divides the bytes of *all* hosts by the bandwidth of *one* and prints
# milliseconds. Sixteen hosts have sixteen ports, which work at the same time. And it counts every lookup as remote,
# while one in sixteen finds its row at home. The same example says that a step touches "a few hundred megaflops" of
# dense arithmetic; that is about one *sample's* forward pass. Look at the last three lines together.

# %%
B, L, P = 65_536, 40, 60_000_000
naive = cost.all_to_all_bytes(B, L, D)
remote = cost.all_to_all_bytes(B, L, D, remote_share=(S - 1) / S)
flop = cost.step_flop(P, B)
rows = [["rows of a step, every lookup remote, as printed", viz.sized(naive, 5)],
        ["rows of a step, less what is at home", viz.sized(remote, 5)],
        ["as printed: all hosts' bytes through one port of 100 GB/s", f"{1e3 * naive / 100e9:.2f} ms"],
        ["sixteen ports of 100 GB/s, at the same time", f"{1e3 * naive / S / 100e9:.2f} ms"],
        ["sixteen ports of 100 Gbit/s", f"{1e3 * naive / S / 12.5e9:.1f} ms"],
        ["forward pass of one sample, sixty million parameters", f"{2 * P / 1e6:.0f} MFLOP"],
        ["a step of the batch, forward and backward (6·P·B)", f"{flop / 1e12:.1f} TFLOP"],
        ["the same on 16 accelerators of 100 TFLOP/s", f"{1e3 * flop / (S * 100e12):.1f} ms"]]
Table(["what", "amount"], rows)

# %% [markdown]
# So "neither bottleneck is arithmetic" is a statement about one set of sizes, and with these sizes it is false: on
# fast links the matrix products take far longer than the rows; on slower ones they are of one order. What stays true
# is that *capacity* never lets go, and that the network's share grows with slower links, longer rows and smaller
# dense networks.
#
# ### The same all-to-all, other cargo
#
# A *mixture of experts* replaces one layer by several, the experts, one on each rank; a gate sends each token to one
# of them. Tokens are spread over the ranks, experts too. So each token must travel to its expert, and its result
# back: an all-to-all whose sizes depend on the data, twice. Compare it with `lookup_program`.


# %%
def experts_program(comm, tokens, gate, experts):
    x = tokens[comm.rank]
    weight, expert = torch.softmax(x @ gate, dim=1).max(dim=1)          # one expert for each token
    at = [torch.nonzero(expert == rank)[:, 0] for rank in range(comm.world_size)]
    arrived = all_to_all(comm, [x[where] for where in at])              # tokens to their experts
    results = all_to_all(comm, [torch.relu(part @ experts[comm.rank]) for part in arrived])
    out = torch.empty_like(x)
    for where, part in zip(at, results):
        out[where] = weight[where, None] * part                         # and home again
    return out, sum(map(len, arrived))


# %%
draw = torch.Generator().manual_seed(3)
tokens = torch.randn(4, 200, 16, generator=draw)
gate, experts = torch.randn(16, 4, generator=draw), torch.randn(4, 16, 16, generator=draw) / 4
tokens[:, :, 0] += 2.5                                                  # a common trait: some experts are popular
routed = SimWorld(4).run(experts_program, tokens, gate, experts)
weight, expert = torch.softmax(tokens @ gate, dim=2).max(dim=2)
alone = torch.einsum("rnd,rnde->rne", tokens, experts[expert]).relu() * weight[:, :, None]
print("equal to all experts in one place:",
      yes(all(torch.allclose(out, ours, atol=1e-5) for (out, _), ours in zip(routed.results, alone))))
tokens_of = [count for _, count in routed.results]
viz.bars([f"expert {rank}" for rank in range(4)], {"server": tokens_of}, unit="tokens", quantity="what arrived",
         title="Eight hundred tokens, four experts")

# %%
moved = by_exchange(routed, ["to the experts", "back"])
Table(["", "lookup of rows", "mixture of experts"],
      [["what lies spread over the ranks", "rows of a table", "weights of experts"],
       ["what decides where to go", "the ids of the batch", "a gate, learned"],
       ["out", "ids", f"tokens, {viz.sized(moved['to the experts'].total())}"],
       ["back", "rows", f"results, {viz.sized(moved['back'].total())}"],
       ["what goes wrong", "a popular row fills one port", f"a popular expert: {max(tokens_of)} of 800 tokens"]])

# %% [markdown]
# Ten lines, the same collective, the same trouble: whoever owns what is popular has the fullest port. An owner of
# rows can answer with a cache or a copy; an expert cannot be cached by a token, so such layers limit how many tokens
# an expert takes, or train the gate to spread them.
#
# ## 3. The memory hierarchy and the hit rate · *Intermediate*
#
# ### The printed model, number for number
#
# Few rows take most of the lookups. So the hottest rows are kept where they are quick to reach, and with a hit rate
# of $h$ what is left to fetch is
#
# $$M_\text{comm} = (1-h)\, B \cdot L \cdot D \cdot b \text{ bytes}.$$
#
# The printed listing draws 20,000 lookups from a seeded generator and asks how many of them are for the first 0, 100,
# 1,000 and 5,000 rows. Here are its printed lines, and what `pslab.cost` gives with the same generator, asked in the
# same order. Then other seeds.

# %%
IN_PRINT = {"table": "1.024 TB", "rows per host": "125,000,000", "bytes per host": "64.0 GB",
            "cache of 0 rows": "0.00 MB, hit rate 0.000, 1342.2 MB a step, 13.42 ms",
            "cache of 100 rows": "0.05 MB, hit rate 0.576, 568.8 MB a step, 5.69 ms",
            "cache of 1000 rows": "0.51 MB, hit rate 0.751, 333.7 MB a step, 3.34 ms",
            "cache of 5000 rows": "2.56 MB, hit rate 0.850, 200.9 MB a step, 2.01 ms",
            "int8": "0.256 TB, 4.0x", "int4": "0.128 TB, 8.0x"}
printed = cost.chapter_printed()
Table(["figure", "in print", "computed", "same"],
      [[name, text, printed[name], yes(printed[name] == text)] for name, text in IN_PRINT.items()])

# %%
seeds = {f"seed {seed}": cost.chapter_table(seed=seed) for seed in range(4)}
rows = [[line.capacity, *(f"{found[i].hit_rate:.3f}" for found in seeds.values()), f"{line.expected_hit_rate:.6f}",
         f"{cost.all_to_all_bytes(B, L, D, hit_rate=line.expected_hit_rate) / 1e6:.1f}"]
        for i, line in enumerate(seeds["seed 0"])]
Table(["cached rows", *seeds, "expected", "MB a step, expected"], rows,
      note="85 % of the lookups go to the first 5,000 rows, by a coin")

# %% [markdown]
# Every digit is there, and the third one of a hit rate is luck of the draw: the expected rate of a thousand rows
# would print as 0.750. But look at the last line: five thousand rows catch 0.85, whatever the seed. Why exactly that?
#
# ### Where 0.85 comes from
#
# The listing throws a coin first: with 85 % a lookup goes to one of the first 5,000 rows, else evenly to the other
# two billion. So a cache of 5,000 rows hits 85 % *by construction*, and would with any exponent. A Zipf law knows no
# such edge. Here is one over all two billion rows: what do 5,000 rows catch, and how many rows catch 85 %?

# %%
rows = [["the listing's coin", f"{cost.chapter_popularity().top_share(5000):.3f}", 5000, viz.sized(5000 * D * 4)]]
for exponent in (0.9, 1.05, 1.1, 1.2):
    law = cost.zipf_popularity(exponent, R)
    needed = law.rows_for_share(0.85)
    rows.append([f"Zipf({exponent:g})", f"{law.top_share(5000):.3f}", needed, viz.sized(needed * D * 4)])
Table(["popularity", "share of the 5,000 hottest", "rows for a share of 0.85", "their size"], rows)

# %% [markdown]
# With the exponent that the listing names, 1.1, five thousand rows catch two thirds; what catches 85 % takes a few
# hundred megabytes and not two and a half. A little flatter, and it is gigabytes; a little steeper, and the printed
# figures come out after all. The idea is sound, the ease of it is not: the exponent decides, and it must be
# *measured*.
#
# ### Whose cache?
#
# A cache can stand at two places, and they save different things.

# %%
boxes = [Box("ids", "lookups of\na worker", (0, 0)),
         Box("near", "cache at the\nrequester", (1, 0), "allreduce"),
         Box("net", "all-to-all", (2, 0)),
         Box("far", "cache at the\nowner (HBM)", (3, 0), "server"),
         Box("slow", "RAM and SSD\nof the owner", (4, 0))]
viz.flow(boxes, [("ids", "near", ""), ("near", "net", "misses"), ("net", "far", ""), ("far", "slow", "misses")],
         title="Two caches on the way to a row")


# %%
def cached_program(comm, steps, near_rows, far_rows):
    """Reads of the owners' slow memory. 0 rows: no cache there. Nobody writes, so every copy is good."""
    K, reads = comm.world_size, 0
    near, far = (embedding.LRU(rows) if rows else None for rows in (near_rows, far_rows))
    for step in range(steps):
        ids = np.unique(zipf(1.1, 20_000, 500, seed=K * step + comm.rank))      # equal ids once
        remote = ids[ids % K != comm.rank]
        fetch = remote if near is None else remote[~near.access_all(remote)]
        fetch = np.concatenate([fetch, ids[ids % K == comm.rank]])
        asked = all_to_all(comm, [torch.from_numpy(fetch[fetch % K == owner]) for owner in range(K)])
        for part in asked:
            reads += len(part) if far is None else int((~far.access_all(part.numpy())).sum())
        all_to_all(comm, [torch.zeros(len(part), 16) for part in asked])
    return reads


rows = []
for name, near, far in (("no cache", 0, 0), ("500 rows at the owner", 0, 500), ("500 rows at the requester", 500, 0),
                        ("500 rows at both", 500, 500)):
    done = SimWorld(4).run(cached_program, 12, near, far)
    rows.append([name, by_exchange(done, ["ids", "rows"] * 12)["rows"].total() // 12, sum(done.results) // 12])
Table(["design", "row bytes on the links", "reads of the owners' slow memory"], rows, note="a step, reading only")

# %% [markdown]
# A cache at the owner saves reads of RAM and SSD and *not one byte* on the network. A cache at the requester saves
# both. It also takes the easy hits away from the one behind it: both together save no more reads than the owner's
# alone. A figure that draws the cache at the owner and a sentence that says that hits cost no network bytes are about
# two different caches; "the top rows per shard" is the owner's. The law $(1-h)$ for the network is a law of the
# requester's.
#
# ### In training, whose copy is still good?
#
# All of that was reading. In training somebody *writes*: after every step the rows that were touched are new, and a
# copy of the old one is wrong. How many of the 5,000 hottest rows does a step leave alone?

# %%
law = cost.chapter_popularity()
left_alone = float((1 - law.touched(B * L)[:5000]).sum())
Note(f"Of the 5,000 hottest rows, **{left_alone:.1e}** are expected to be left alone by all lookups of a step: none.")

# %% [markdown]
# So under exact BSP every cached copy is stale at every step, and the cache saves nothing. What does save bytes is
# older and simpler: *de-duplication*. A worker's 163,840 lookups name far fewer rows, and each of these needs to
# travel once. Your second number. Sixteen workers, a cache of 5,000 rows at each, equal ids once, exact BSP: how many
# MB of rows travel in a step? (Naively 1342; with the printed cache 201.)

# %%
my_mb = ...
predict("11.7", "16 workers, cache and de-duplication, exact BSP", my_mb, unit="MB")

# %%
designs = cost.chapter_designs(5000)
_ = reveal("11.7", "16 workers, cache and de-duplication, exact BSP",
           lambda: round(designs["both, exact BSP"].fetch_bytes / 1e6))
viz.bars(list(designs), {"server": [step.fetch_bytes / 1e6 for step in designs.values()]}, unit="MB",
         quantity="rows to 16 workers, a step", title="What the cache saves, and what equal ids save")

# %%
Table(["design", "rows (MB)", "gradients back (MB)", "hit rate of lookups", "hit rate of distinct ids"],
      [[name, f"{step.fetch_bytes / 1e6:.0f}", f"{step.push_bytes / 1e6:.0f}", f"{abs(step.hit_rate):.3f}",
        f"{step.unique_hit_rate:.3f}" if "both" in name or name.startswith("de-dup") else "-"]
       for name, step in designs.items()])

# %% [markdown]
# De-duplication *alone*, which needs no memory and no consistency, takes the traffic from 1342 to 241 MB. The cache
# of the printed model takes it to 201, and then only if reads may be of any age. With both, stale reads give 201 too,
# and exact reads give 241: the cache adds nothing. And there are two hit rates, which must be named: of *lookups* the
# cache answers 85 %, of the *distinct ids* that are left 16 %. The gradients are another matter: no cache makes them
# fewer.
#
# Between "exact" and "any age" lies bounded staleness. Under SSP(s) a copy is good for $s$ more clocks, so a row that
# is asked for in every step is fetched once in $s + 1$ steps.

# %%
ages = {"exact BSP": "bsp", "SSP(1)": 1, "SSP(4)": 4, "SSP(16)": 16, "any age": "stale"}
hot = {name: cost.chapter_step(5000, consistency=age) for name, age in ages.items()}
T, rows = 60, []
for name, age in ages.items():
    pulls = T if age == "bsp" else 1 if age == "stale" else -(-T // (age + 1))
    rows.append([name, f"{hot[name].fetch_bytes / 1e6:.1f}", f"{hot[name].unique_hit_rate:.3f}", pulls])
Table(["reads", "rows (MB a step)", "hit rate of distinct ids", f"pulls of a hot row in {T} steps"], rows,
      note="16 workers, 5,000 cached rows each, equal ids once")

# %% [markdown]
# ### Everything that the printed table leaves out
#
# Line by line, computed: what stands in print, what is fair, and why.

# %%
Table(["what", "printed", "fair", "unit", "why"],
      [[line.what, f"{line.printed:,.4g}", f"{line.fair:,.7g}" if line.unit == "rows" else f"{line.fair:,.4g}",
        line.unit, line.why] for line in cost.chapter_left_out()])

# %% [markdown]
# ### Move it yourself
#
# The picture below is the printed example: 5,000 rows, the listing's draws, every lookup fetches, reads of any age.

# %%
viz.terabyte()

# %% [markdown]
# Now with controls. Find a setting in which a cache of a million rows saves nothing. Find one in which de-duplication
# saves little. Which control never changes the right-most bar, and which one does?

# %% tags=["nbval-ignore-output"]
viz.terabyte_widget()

# %% [markdown]
# A cache saves nothing under exact reads, whatever its size. De-duplication saves little where ids hardly repeat,
# with a small exponent. The gradients change with de-duplication alone, and with the exponent through it.
#
# ### Does a real table agree?
#
# The model is a few sums. Now four designs run: a real table over real ranks, training with real gradients, bytes
# from the ledger. The sizes are this machine's, the quantities are those of the model.

# %%
measured = embedding.measured_designs()
rows = [[step.design, f"{step.fetch_bytes:,.0f}", f"{step.model.fetch_bytes:,.0f}", f"{step.fetch_ratio:.3f}",
         f"{step.of_naive:.3f}", f"{step.push_bytes:,.0f}"] for step in measured]
print("all within 10 %:", yes(all(abs(step.fetch_ratio - 1) < 0.1 and abs(step.push_ratio - 1) < 0.1
                                  for step in measured)))
Table(["design", "rows measured (B a step)", "modelled", "measured / modelled", "of one row a lookup",
       "gradients (B a step)"], rows)

# %% [markdown]
# Model and measurement agree within a hundredth here. Again exact BSP pays as much for rows as de-duplication without
# a cache does (the share of a naive step is the number to compare: the cached designs have servers of their own, so
# nothing is at home there), and reads of bounded age save a third of it.

# %% [markdown]
# And the law itself, without a model: let $h$ be the share of a worker's distinct ids whose copy was *valid*, read by
# age or confirmed by the server. Then $(1-h)$ of the rows must travel, exactly.


# %%
def cached_training(comm, consistency, steps=20):
    """(valid hits, distinct ids) of a worker that keeps 500 rows."""
    tables = [TableConfig("rows", 16, 5_000, SGD(0.1), consistency)]
    if comm.rank == 2:
        return serve(comm, KVServer(tables, 0, 1, range(2)))
    distinct = 0
    with KVWorker(comm, [2], tables, cache_rows=500) as kv:
        for step in range(steps):
            ids = np.unique(zipf(1.1, 5_000, 400, seed=2 * step + comm.rank))
            rows = kv.wait(kv.pull(ids, table="rows"))
            kv.push(ids, np.ones(rows.shape, np.float32), table="rows")
            kv.clock()
            distinct += len(ids)
        counts = kv.cache_stats()["rows"]
        return counts["unasked"] + counts["unchanged"], distinct


# %%
rows = []
for name, consistency in (("BSP", BSP()), ("SSP(1)", SSP(1)), ("SSP(4)", SSP(4))):
    done = SimWorld(3).run(cached_training, consistency)
    valid, distinct = (sum(counts) for counts in zip(*done.results[:2]))
    travelled = int(done.ledger.counts[2, :2, 0].sum())
    rows.append([name, distinct, f"{valid / distinct:.3f}", travelled, (distinct - valid) * 16 * 4,
                 yes(travelled == (distinct - valid) * 16 * 4)])
Table(["reads", "distinct ids", "h", "rows on the links (B)", "(1 - h) of them (B)", "equal"], rows)

# %% [markdown]
# To the byte. And exact training has an $h$ of zero in a small job too, where nobody else may have touched a row: what a
# worker keeps it has itself pushed to since it fetched it.
#
# ### Who is in the cache?
#
# The printed model holds the top $k$ rows and takes that for the ideal. A real cache starts empty and decides as it
# goes. On the listing's own 20,000 draws, with room for 5,000 rows: what is the *best* hit rate, in per cent, that
# any cache can have that starts empty? Your third number.

# %%
my_percent = ...
predict("11.7", "best hit rate of a cold cache of 5,000 rows", my_percent, unit="%")

# %%
draws = np.array(cost.chapter_lookups())
best = embedding.Belady(5000, draws)
_ = reveal("11.7", "best hit rate of a cold cache of 5,000 rows",
           lambda: round(100 * float(best.access_all(draws).mean()), 2))
print(f"{len(np.unique(draws)):,} distinct ids in {len(draws):,} draws")

# %% [markdown]
# Every id must be fetched at its first use: these misses are *compulsory*, and a quarter of the draws are such. The
# rest of the misses are *capacity* misses: the row had been there, or could have been. Belady's oracle throws out the
# row whose next use is farthest away; that needs the future, and nothing that starts cold does better. Look at the
# lines in threes.

# %%
rows = []
for capacity in (100, 1000, 5000):
    top = embedding.StaticTopK(range(capacity))                         # there from the beginning
    for name, cache in (("LRU", embedding.LRU(capacity)), ("Belady", embedding.Belady(capacity, draws)),
                        ("top-k, preloaded", top)):
        cache.access_all(draws)
        stats, preloaded = cache.stats, cache is top
        rows.append([capacity, name, f"{stats.hit_rate:.4f}", "-" if preloaded else stats.compulsory,
                     "-" if preloaded else stats.capacity])
Table(["rows", "policy", "hit rate", "compulsory misses", "capacity misses"], rows)

# %% [markdown]
# At 5,000 rows LRU is as good as the oracle, to three digits. The "twelve points" between LRU and top-k are nearly
# all compulsory misses: top-k was given its rows free of charge. At 100 rows the oracle even beats top-k, because it
# may move. So: warm up before you compare, keep the two kinds of misses apart, and call Belady the oracle.
#
# More policies, on a drawn Zipf stream. FIFO throws out what came first, CLOCK gives each row that was used a second
# chance, LFU throws out what was used least often. *LookAhead* reads the coming batches, which a data loader has
# anyway, and so is an oracle that sees as far as its window.

# %%
stream, room = zipf(1.0, 5_000, 20_000, seed=1), 200
batches = stream.reshape(-1, 100)
rates = {name: float(getattr(embedding, name)(room).access_all(stream).mean()) for name in ("FIFO", "CLOCK", "LRU", "LFU")}
for window in (1, 4, 16, 64):
    rates[f"LookAhead by {window}"] = float(embedding.LookAhead(room, window).replay(batches).mean())
rates["Belady"] = float(embedding.Belady(room, stream).access_all(stream).mean())
viz.bars(list(rates), {"server": list(rates.values())}, unit="share of lookups", quantity="hit rate",
         title="Zipf(1) over 5,000 rows, 200 of them cached")

# %%
full = embedding.LookAhead(room, None)
print("with all batches announced, as many hits as Belady:",
      yes(full.replay(batches).sum() == round(rates["Belady"] * len(stream))))
viz.cache_by_exponent()

# %% [markdown]
# On a drawn Zipf the order is always the same: a flat law is hard for everybody, and LRU is behind LFU, which comes
# close to top-k. As the law gets steeper the gap closes. A stream with a *course* is another matter. Below are three
# real ones (if the data are not on this machine, the panels say that they were made). Look at top-k in the first
# panel.

# %% tags=["nbval-ignore-output"]
viz.cache_curves()

# %% tags=["nbval-ignore-output"]
users = movielens_users()
five = embedding.LRU(5)
last_five, best_five = five.access_all(users.ids).mean(), np.sort(np.bincount(users.ids))[-5:].sum() / len(users)
assert last_five > 0.9 > 0.1 > best_five
Note(f"{users.name}, all {len(users):,} lookups in time order: the **five users of last** answer {last_five:.3f} of them, the "
     f"five most frequent users of the whole history {best_five:.3f}.")

# %% [markdown]
# Users come, rate for a while, and hardly return. The five who were there last are nearly all that is needed; the
# five who rated most are nearly no use. Hindsight about *frequency* knows nothing about *time*. On the items it is
# the other way round: a catalogue is asked for by everybody, and LRU forgets. There is no best policy; there is the
# stream.
#
# ### A table of ten times its budget
#
# Tiers put this to work: the rows in use in fast memory, all of them in a file, one cache between them. Here a budget
# of RAM stands for the accelerator's memory. The table, rows and AdaGrad's state side by side, is ten times as large.
# The same training then runs with all rows in RAM, and once more with a thread that fetches the rows of coming
# batches.

# %%
ROWS, DIM, STEPS = 40_000, 32, 24
BUDGET = ROWS * 2 * DIM * 4 // 10                                       # bytes; AdaGrad keeps as many numbers as a row has
item = [EmbeddingBagConfig(ROWS, DIM, "item")]


def item_batches():
    for step in range(STEPS):
        ids = torch.from_numpy(zipf(1.1, ROWS, 512, seed=step) * 7919 % ROWS)
        yield KeyedJaggedTensor(["item"], ids, torch.full((128,), 4))


def train(bags, batches):
    for batch in batches:
        pooled = bags(batch)["item"]
        (pooled.sum(dim=1) - 1).square().mean().backward()
    return bags.rows("item")


# %%
with embedding.TieredEmbeddingBagCollection(item, AdaGrad(0.05)) as in_ram:
    expected = train(in_ram, item_batches())
results = []
for name in ("tiered", "tiered, with a prefetcher"):
    with tempfile.TemporaryDirectory() as folder, \
            embedding.TieredEmbeddingBagCollection(item, AdaGrad(0.05), folder, BUDGET) as bags:
        (store,) = bags.stores.values()
        if name == "tiered":
            found = train(bags, item_batches())
            stats = store.stats
            stored = sum(path.stat().st_size for path in Path(folder).iterdir())
        else:
            with embedding.Prefetcher(item_batches(), bags.wants) as coming:
                found = train(bags, coming)
        results.append([name, yes(torch.equal(found, expected))])
Table(["run", "rows equal those of the run in RAM, bit for bit"], results)

# %%
Table(["what", "amount"],
      [["table with its state", viz.sized(ROWS * 2 * DIM * 4)], ["budget of RAM", viz.sized(BUDGET)],
       ["rows that fit beside what the cache keeps about them", store.capacity],
       ["share of the table", f"{store.capacity / ROWS:.1%}"], ["hit rate", f"{stats.hit_rate:.3f}"],
       ["misses: first use", stats.compulsory], ["misses: had to leave and came again", stats.capacity],
       ["rows that left", stats.evictions]])

# %% [markdown]
# The cache changes *where* a row is and never what it holds, so nothing is approximate: this cache is at the owner,
# there is one copy of each row, and a row that was written goes down before its place is used again. That is why this
# law holds in training too: misses are reads of the disk, $(1-h)$ of them.
#
# ## 4. Compressing the rows themselves · *Advanced*
#
# ### Fewer bits
#
# A row of floats becomes whole numbers between its smallest and its largest value, and each row keeps its own scale
# and minimum. Half a level is the largest error. One row, in 256 levels and in 16:

# %%
row = np.array([[0.31, -0.12, 0.05, 0.27, -0.40, 0.02, 0.11, -0.08]], np.float32)
rows = [["float32", *row[0].tolist(), 0.0, "-"]]
for name, codec, levels in (("int8", embedding.int8, 255), ("int4", embedding.int4, 15)):
    back = codec.decode(codec.encode(row))
    rows.append([name, *(round(float(x), 4) for x in back[0]), float(np.abs(back - row).max()),
                 f"{(row.max() - row.min()) / levels / 2:.5f}"])
Table(["kept as", *(f"x{i}" for i in range(8)), "largest error", "half a level"], rows)

# %% [markdown]
# The scales are not free. "Four times" and "eight times smaller" counts the numbers and forgets them. The layouts of
# FBGEMM take $D + 8$ bytes for int8 (scale and minimum in float32) and $D/2 + 4$ for int4 (both in float16). Your
# fourth number: rows of *sixteen* floats in int8 with scale and minimum, how many times smaller are they?

# %%
my_times = ...
predict("11.7", "int8 rows of 16 numbers, times smaller", my_times, unit="times")

# %%
_ = reveal("11.7", "int8 rows of 16 numbers, times smaller",
           lambda: round(cost.row_bytes(16) / cost.row_bytes(16, "int8"), 2))
rows = []
for kind, printed_ratio in (("fp16", 2), ("int8", 4), ("int4", 8)):
    ratios = [cost.row_bytes(dim) / cost.row_bytes(dim, kind) for dim in (128, 16)]
    rows.append([kind, printed_ratio, *(f"{ratio:.2f}" for ratio in ratios), viz.sized(R * cost.row_bytes(D, kind), 4)])
Table(["kind", "without scales", "D = 128", "D = 16", "two billion rows of 128"], rows)

# %% [markdown]
# Rows may be packed once, after training, or *be trained* while they are packed. Then each update is rounded back to
# a level, and an update of less than half a level is lost by rounding to the nearest, every time. Rounding by chance,
# up as often as the fraction says, is right on the average. Rows from -1 to 1 with a number that begins at 0.2, which
# is a level of both kinds, and is pushed up by 0.001, two hundred times:

# %%
rows = []
for bits, kind in ((8, embedding.Int8Rows), (4, embedding.Int4Rows)):
    reached = {}
    for rounding in ("nearest", "stochastic"):
        start = torch.tensor([[-1.0, 0.2, 0.6, 1.0]]).repeat(400, 1)        # so many such rows, for the average
        table = kind.from_rows(start, rule=SGD(1.0), rounding=rounding)
        for _ in range(200):
            table.update(torch.arange(400), torch.tensor([[0.0, -0.001, 0.0, 0.0]]).repeat(400, 1))
        reached[rounding] = float(table.rows(range(400))[:, 1].mean())
    rows.append([f"int{bits}", round(2 / (2**bits - 1), 4), *(f"{value:+.3f}" for value in reached.values()), "+0.400"])
Table(["kind", "a level", "nearest", "stochastic", "exact"], rows, note="where the number is after 200 updates from 0.2")

# %% [markdown]
# Rounded to the nearest the number has not moved from the level where it began. By chance it moves, on the average,
# as far as it should.
#
# ### Fewer rows, shorter rows
#
# *Hashing*: ids share rows, and two billion ids fit a table of any size. What one id learns, those that share its row
# must live with. *Quotient and remainder* (compositional): an id is a pair, its quotient and its remainder by $m$,
# and its row is the sum, the product or the two halves of a row from each of two small tables. No two ids share both,
# but every lookup now asks for *two* rows. *Mixed dimension*: rare ids have short rows, stretched by a small matrix.

# %%
ids = 1_000_000
shared = embedding.collisions(ids, 250_000)
pair = embedding.QuotientRemainder(ids, 16, 1000)
lookups = zipf(1.1, ids, 4096, seed=5)
dims = embedding.popularity_dims([1000, 100, 10, 1], 16, alpha=0.3)
print(f"hashed to a quarter: {shared.sharing / ids:.0%} of the ids share a row, up to {shared.largest} on one")
print(f"quotient, remainder: {pair.num_quotients} + {pair.num_remainders} rows; each lookup asks for "
      f"{pair.wire_rows(lookups) / len(lookups):g}")
print(f"   equal rows once:  {pair.wire_rows(lookups, dedup=True)} rows for {len(lookups)} lookups; plain table: "
      f"{len(np.unique(lookups))}")
print(f"mixed dimension:     popularity 1000, 100, 10, 1 -> {dims} numbers (alpha 0.3)")

# %% [markdown]
# Two small tables are soon all in a batch: after de-duplication they may even send fewer rows. Without it they send
# twice as many. Now the effect on a model: matrix factorisation of MovieLens, the same training for every way to keep
# the rows. Look at what a quarter of the bytes costs, by way.

# %% tags=["nbval-ignore-output"]
ways = ["int8, packed after training", "int4, packed after training", "int4, stochastic",
        "int4, nearest", "hashed, R/4 rows", "quotient + remainder, m = R/4", "mixed dimensions, alpha 0.3"]
effects = table_effects(variants=ways, epochs=2, batch=2000)
by_way = {row.variant: row for row in effects.rows}
assert abs(by_way["int8, packed after training"].worse_by["test RMSE"]) < 0.005
assert by_way["hashed, R/4 rows"].worse_by["test RMSE"] > by_way["int4, stochastic"].worse_by["test RMSE"] > 0
Table(["rows kept as", "bytes", "of float32", "test RMSE", "worse by"],
      [[row.variant, row.table_bytes, f"{row.share:.1%}", f"{row.scores['test RMSE']:.4f}",
        f"{row.worse_by['test RMSE']:+.4f}"] for row in effects.rows],
      note="made ratings: MovieLens is not here" if effects.made else "MovieLens-100K, split u1")

# %% tags=["nbval-ignore-output"]
short = {"int8, packed after training": "int8", "int4, packed after training": "int4", "int4, nearest": "int4 nearest",
         "hashed, R/4 rows": "hashed", "quotient + remainder, m = R/4": "quotient", "float32": "float32",
         "mixed dimensions, alpha 0.3": "mixed"}
viz.score_against_bytes({word: (by_way[name].table_bytes / 1e3, by_way[name].scores["test RMSE"])
                         for name, word in short.items()}, xlabel="rows (kB)", ylabel="test RMSE (stars)",
                        title="Bytes of the table against the error: low and left is good")

# %% [markdown]
# Packing after training costs nothing that can be seen, in eight bits and here even in four. Training *in* four bits
# does cost: by chance the rows are noisy from the first step on, to the nearest small updates are lost, which tells
# later, when updates are small. (With more passes over the ratings the nearest falls behind.) Sharing rows costs by
# far the most: every user and item of this data set is asked for often enough to need a row of its own. On a table
# whose tail is asked for once a year that would look different, so the way must be chosen by the table's own counts.
# And note that with rows of sixteen numbers the scales take the "quarter" of int8 to three eighths.
#
# ## 5. The cost structure in one picture · *Intermediate*
#
# Two budgets: memory, and bytes on the wire. Left what the table takes, by how it is kept. Right the rows of a step,
# each bar with one lever more than the one above; what is dotted is what that lever saved.

# %%
viz.budgets(consistency="stale")

# %% [markdown]
# That was with reads of any age. The same under exact BSP: find the lever that does nothing.

# %%
viz.budgets(consistency="bsp")

# %% [markdown]
# ### Exercise 11.7.1: which budget does a change relieve?
#
# The answer hangs on the model, so here it is: $S$ hosts own the table and are the workers, $(S-1)/S$ of the lookups
# are remote, rows at rest and rows on the wire are separate choices. Numbers are new over old; 1 is no effect. Which
# of the changes does nothing for the time of the all-to-all?

# %%
changes = {"(a) int4 at rest, unpacked before they travel": ("stored", "int4"),
           "     rows travel in int8": ("wire", "int8"),
           "(b) a cache at the requester that answers 0.85": ("requester cache", 0.85),
           "     the same at the owner": ("owner cache", 0.85),
           "(c) twice as many hosts": ("hosts", 32),
           "(d) ids hashed to ten million rows": ("hashing", 10_000_000),
           "     quotient and remainder, m = 50,000": ("quotient-remainder", 50_000),
           "equal ids travel once": ("de-duplication", 469_949)}
Table(["change", "memory", "bytes of a step", "bytes of the busiest link"],
      [[name.replace("     ", "… "), *(f"{ratio:.3g}" for ratio in cost.effect(change))]
       for name, change in changes.items()])

# %% [markdown]
# By the printed formula *two* changes leave $M_\text{comm}$ alone, more hosts and hashing, since neither $R$ nor $S$
# stands in it. On the links they differ: more hosts halve what each carries. Rows that are packed at rest and
# unpacked before they leave change no byte of the network. And the compositional way doubles the lookups.
#
# ### Exercise 11.7.3: or a copy on every worker?
#
# A table of 256 MB, in int8, could be copied to every worker; then nothing is looked up anywhere else. (It is
# *another* table: the one of the chapter takes 256 *GB* in int8.) Copies must hear of every update of everybody.
# Bytes over all links, a thousand steps:

# %%
cases = {"256 MB, an update in every step": {},
         "256 MB, an update in every 100 steps": {"update_every": 100},
         "256 MB, reading only": {"update_every": 0},
         "256 MB, 2 workers, an update in every step": {"workers": 2},
         "256 MB, requester's cache answers 0.99": {"hits": 162_201},
         "256 GB, reading only": {"rows": R, "update_every": 0}}
rows = []
for name, changes in cases.items():
    wins, sharded, replicated = cost.replicate_wins(changes)
    rows.append([name, viz.sized(sharded), viz.sized(replicated), "replicate" if wins else "shard"])
print("rows of a step, MB: ", {h: round(cost.all_to_all_bytes(B, L, D, hit_rate=h) / 1e6, 1) for h in (0.5, 0.85, 0.99)})
Table(["case", "sharded", "replicated", "choose"], rows, note="HBM of 80 GB; every lookup fetches, as in the printed model")

# %% [markdown]
# Copies win where the table fits, is read much and written rarely; each update costs $K$ times as much. The terabyte
# is ruled out before any byte is counted: it does not fit. That is the verdict of
# [11.9](11_09_parameter_server_vs_all_reduce.ipynb) again.
#
# ### The practical result, put to the test
#
# A success story of this kind goes: cache the hot rows, keep the others in int8, and the bytes of a step fall by 80
# %, the table to a quarter, the quality stays. Here two models do it, each lever alone and all together, from two
# seeds. What is the honest baseline? Mind the two columns of shares.

# %% tags=["nbval-ignore-output"]
def practical(data, setting):
    found = practical_result(data, seeds=(0, 1), setting=setting)
    whole, made = found["all of it"], "made from seed" in found.note
    assert abs(found["de-duplicated"].loss) < 1e-3
    assert found.saved("all of it") > max(0.6, found.saved("de-duplicated")) > 0.2
    assert 2 < found.smaller("all of it") < 3
    display(Table(["design", "kB a step", "of plain", "of de-duplicated", "size", found.metric_name, "worse by"],
                  [[name, f"{size / 1e3:.1f}", f"{of:.0%}", f"{of_dedup:.0%}", f"{kept:.0%}", f"{metric:.4f}",
                    f"{loss:+.4f}"] for name, size, of, of_dedup, kept, metric, loss in found.rows()],
                  note=f"made data: that of {data} is not here" if made else f"{data}, real data"))
    return Note(f"Said: 20 % of the bytes, 25 % of the size, no loss. Found: **{1 - found.saved('all of it'):.0%}** of the bytes "
                f"(and {1 - found.saved('all of it', 'de-duplicated'):.0%} of what de-duplication leaves), "
                f"**{1 / found.smaller('all of it'):.0%}** of the size, {found.metric_name} worse by **{whole.loss:+.4f}**; "
                f"two seeds of the plain run deviate by {found.spread:.4f}.")


practical("movielens", Setting(batch=2000))

# %% tags=["nbval-ignore-output"]
practical("criteo", Setting(batch=100))

# %% [markdown]
# The eighty per cent are there, and more than half of them come from sending equal ids once, which any sharded table
# does. Against *that*, all levers together leave about two fifths, and most of it is the short wire: the cache alone
# saves little, because copies grow old. The size is three eighths and not a quarter, with sixteen numbers a row. And
# "no loss"? On the ratings nothing is to be seen. On the small click log the difference is of the size by which two
# seeds differ, and with batches half as large it has the other sign: so little data shows neither a loss nor that
# there is none.
#
# ### What printed sentences leave out
#
# | often said | what the cells show | where |
# | --- | --- | --- |
# | five thousand rows catch 85 % because of the Zipf law | because of a coin in the listing; the law itself gives two thirds | 3, "Where 0.85 comes from" |
# | a cache cuts the traffic of training by its hit rate | not under exact BSP, where de-duplication does the work; it never reduces the push | 3, five designs |
# | the hit rate is 0.85 | of lookups; of distinct ids it is 0.16 | 3, five designs |
# | hot rows in HBM cost no network bytes | at the requester; at the owner they cost all of them | 3, "Whose cache?" |
# | a host's share is more than its HBM | with the state of AdaGrad or Adam; not without | 1, first table |
# | dense arithmetic is a few hundred megaflops | of one sample's forward pass; a step is tens of teraflops | 2, cost |
# | a step takes thirteen milliseconds | all hosts' bytes through one host's port; sixteen work at once | 2, cost |
# | every lookup is remote | all but one in $S$ | 2, cost |
# | int8 is four times smaller, int4 eight times | less with the scales, much less for short rows | 4, second table |
# | LRU is twelve points behind the oracle | top-k was preloaded and is not the oracle; the points are compulsory misses | 3, "Who is in the cache?" |
# | the most popular rows are the best to cache | not on a stream with a course: the five last users beat the five most frequent | 3, real streams |

# %% [markdown]
# ## In production
#
# **TorchRec** has all of this as configured components: tables are declared, a planner places them,
# `DistributedModelParallel` inserts the exchanges, and optimizers run inside of backward. The program below is one of
# two ranks of a TorchRec job that gets the same first rows and the same batches as ours. Tables are declared on the
# *meta* device: without it the host would allocate all of them before they are sharded, which for two billion rows is
# a terabyte.

# %%
THEIRS = '''
import json, sys, torch, torch.distributed as dist, torchrec
from torchrec.distributed.comm_ops import set_gradient_division
from torchrec.distributed.model_parallel import DistributedModelParallel
from torchrec.optim.apply_optimizer_in_backward import apply_optimizer_in_backward
rank, folder = int(sys.argv[1]), sys.argv[2]
job = torch.load(f"{folder}/job.pt")
dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
set_gradient_division(False)                      # the sum over ranks, as ours; its default is the mean
bags = torchrec.EmbeddingBagCollection(device=torch.device("meta"), tables=[torchrec.EmbeddingBagConfig(
    name=name, embedding_dim=16, num_embeddings=len(rows), feature_names=[name]) for name, rows in job["rows"].items()])
apply_optimizer_in_backward(torch.optim.SGD, bags.parameters(), {"lr": job["lr"]})
model = DistributedModelParallel(torch.nn.Sequential(bags), device=torch.device("cpu"))
for key, table in model.state_dict().items():
    for shard in table.local_shards():
        (row, column), (height, width) = shard.metadata.shard_offsets, shard.metadata.shard_sizes
        shard.tensor.copy_(job["rows"][key.split(".")[-2]][row:row + height, column:column + width])
'''

# %%
import json
import os
import subprocess
import sys

THEIRS += '''
losses = []
for keys, values, lengths in job["batches"][rank]:
    out = model(torchrec.KeyedJaggedTensor.from_lengths_sync(keys, values, lengths))
    loss = (out.wait().values().sum(dim=1) - 1).square().mean()
    loss.backward()
    losses.append(loss.item())
print(json.dumps([losses, str(model.plan).split("param | shard offsets")[0]]))
dist.destroy_process_group()
'''


def torchrec_python():
    """An interpreter that has TorchRec: that of `make torchrec`, or this one; None where it is not installed."""
    for python in (Path("..", ".venv-torchrec", "bin", "python").absolute(), Path(sys.executable)):
        probe = "import importlib.util as u, sys; sys.exit(not (u.find_spec('torchrec') and u.find_spec('fbgemm_gpu')))"
        if python.exists() and subprocess.run([python, "-c", probe]).returncode == 0:
            return python
    return None


# %% [markdown]
# Our side of it, and the two together. Where TorchRec is not installed, the next cell says so and runs ours alone.


# %%
def ours_program(comm, batches, lr):
    bags = embedding.ShardedEmbeddingBagCollection(TABLES, comm, rule=SGD(lr))
    losses = []
    for batch in batches[comm.rank]:
        loss = (bags(KeyedJaggedTensor(*batch)).values.sum(dim=1) - 1).square().mean()
        loss.backward()
        losses.append(loss.item())
    return losses


# %%
def their_losses(python, batches, lr):
    """(losses by rank, the plan) of TorchRec in two processes."""
    first = embedding.EmbeddingBagCollection(TABLES).parameters()               # the rows that ours begins with
    rows = {table.name: part.detach() for table, part in zip(TABLES, first)}
    with tempfile.TemporaryDirectory() as folder:
        torch.save({"rows": rows, "lr": lr, "batches": batches}, f"{folder}/job.pt")
        ranks = [subprocess.Popen([python, "-W", "ignore", "-c", THEIRS, str(rank), folder], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env={**os.environ, "GLOO_SOCKET_IFNAME": "lo" if sys.platform == "linux" else "lo0"}) for rank in range(2)]
        try:
            said = [rank.communicate(timeout=55) for rank in ranks]
            for rank, (_, wrong) in zip(ranks, said):
                if rank.returncode:
                    raise RuntimeError(f"TorchRec's process ended with {rank.returncode}: {wrong[-500:]}")
            return [json.loads(out.splitlines()[-1]) for out, _ in said]
        finally:
            for rank in ranks:
                rank.kill()                                                     # of one that has ended: nothing


# %% tags=["nbval-ignore-output"]
LR = 0.001
batches = [[(part.keys, part.values, part.lengths) for part in (bag_batch(rank, step) for step in range(6))]
           for rank in range(2)]
ours = SimWorld(2).run(ours_program, batches, LR).results
python = torchrec_python()
if python is None:
    print("TorchRec is not installed: `make torchrec` installs it beside this environment. Ours alone:")
    for step, losses in enumerate(zip(*ours)):
        print(f"step {step}   rank 0: {losses[0]:.6f}   rank 1: {losses[1]:.6f}")
else:
    found = their_losses(python, batches, LR)
    theirs = [losses for losses, _ in found]
    assert np.allclose(ours, theirs, rtol=1e-5)
    print(found[0][1])
    display(Table(["step", "ours, rank 0", "TorchRec, rank 0", "ours, rank 1", "TorchRec, rank 1"],
                  [[step, *(f"{value:.6f}" for pair in zip(mine, other) for value in pair)]
                   for step, (mine, other) in enumerate(zip(zip(*ours), zip(*theirs)))]))
assert all(losses[-1] < losses[0] for losses in ours)

# %% [markdown]
# With TorchRec installed the losses are equal to the digits shown: it is the same algorithm. `pslab bench sharded`
# compares the two in speed. A table of two billion rows needs more than the short declaration: the planner must be
# told that rows may lie in host memory with a cache on the accelerator (TorchRec calls such kernels
# `FUSED_UVM_CACHING`), or it will look for a terabyte of device memory. That cache stands at the *owner*: it saves
# reads of host memory, not bytes of the network.
#
# ```python
# bags = EmbeddingBagCollection(device=torch.device("meta"), tables=[EmbeddingBagConfig(
#     name="item_id", embedding_dim=128, num_embeddings=2_000_000_000, feature_names=["item"])])
# kernels = {"item_id": ParameterConstraints(sharding_types=["row_wise"], compute_kernels=["fused_uvm_caching"])}
# planner = EmbeddingShardingPlanner(topology=Topology(world_size=16, compute_device="cuda"), constraints=kernels)
# model = DistributedModelParallel(module=bags, device=torch.device("cuda"), plan=planner.collective_plan(...))
# ```

# %% [markdown]
# ## Did it stick?
#
# Answer first, then click.
#
# <details><summary><b>A table of a hundred million rows of 64 floats under Adam, on 4 hosts. How much memory does each
# need?</b></summary>
# <p>19.2 GB: 25.6 GB of rows and twice as much state, in four parts.</p></details>
#
# <details><summary><b>Workers read a sharded table and nobody writes. A cache at the owners answers 90 % of the reads. How many bytes does it save on the
# network?</b></summary>
# <p>None. It saves reads of the owners' slower memory. At the requesters it would save 90 % of the rows.</p></details>
#
# <details><summary><b>Exact BSP, every worker caches a million rows. What does the cache save in a step that touches all of
# them?</b></summary>
# <p>Nothing: each copy is as old as the last step, and every row of it was changed.</p></details>
#
# <details><summary><b>A row is used in each of 64 steps under SSP(3). How often does it travel?</b></summary>
# <p>16 times, once in s + 1 steps. Its gradients travel 64 times.</p></details>
#
# <details><summary><b>LRU hits 0.45, preloaded top-k 0.58, Belady 0.61, all on one stream that starts cold. Which is the oracle?</b></summary>
# <p>Belady. Top-k had its rows for nothing and may not move.</p></details>
#
# <details><summary><b>Rows of 32 numbers in int4, with scale and minimum. How many times smaller than float32?</b></summary>
# <p>6.4 times: 128 bytes become 32/2 + 4 = 20.</p></details>
#
# <details><summary><b>A report says that a cache cut the traffic of training by 85 %. What do you ask?</b></summary>
# <p>Against a baseline that sends equal ids once? With reads how old? And did the gradients fall too?</p></details>
#
# The figures in these answers, computed:

# %%
print(f"Adam on 4 hosts:   {cost.table_bytes(10**8, 64, 4, 2 * 64) / 4 / 1e9:.1f} GB each, "
      f"rows alone {cost.table_bytes(10**8, 64) / 1e9:.1f} GB")
print(f"90 % of the reads: {cost.all_to_all_bytes(B, L, D, hit_rate=0.9) / naive:.0%} of the rows travel, requester's cache")
print(f"SSP(3):            {-(-64 // 4)} times")
print(f"int4, D = 32:      {cost.row_bytes(32) / cost.row_bytes(32, 'int4'):.1f} times")

# %% [markdown]
# Now do it yourself: [Lab 7: embeddings of terabytes](../labs/lab_07_terabyte.ipynb).
#
# ## Further reading
#
# - M. Naumov et al.: *Deep Learning Recommendation Model for Personalization and Recommendation Systems* (DLRM),
#   arXiv 1906.00091, 2019.
# - D. Mudigere et al.: *Software-Hardware Co-design for Fast and Scalable Training of Deep Learning Recommendation Models*
#   (Neo, ZionEX), ISCA 2022.
# - D. Ivchenko et al.: *TorchRec: a PyTorch Domain Library for Recommendation Systems*, RecSys 2022.
# - H.-J. M. Shi, D. Mudigere, M. Naumov, J. Yang: *Compositional Embeddings Using Complementary Partitions for
#   Memory-Efficient Recommendation Systems*, KDD 2020.
# - A. Ginart, M. Naumov, D. Mudigere, J. Yang, J. Zou: *Mixed Dimension Embeddings with Application to Memory-Efficient
#   Recommendation Systems*, 2019.
# - K. Weinberger, A. Dasgupta, J. Langford, A. Smola, J. Attenberg: *Feature Hashing for Large Scale Multitask Learning*,
#   ICML 2009.
# - L. A. Belady: *A Study of Replacement Algorithms for a Virtual-Storage Computer*, IBM Systems Journal, 1966.
# - Q. Ho et al.: *More Effective Distributed ML via a Stale Synchronous Parallel Parameter Server*, NIPS 2013.
