# %% [markdown]
# # 11.2 Push and pull
#
# **The big picture.** A parameter server is a table of numbers that many programs use at once. Two verbs are enough to
# use it: *push* a gradient for some rows, *pull* the values of some rows. This chapter takes the two apart. What is in
# the letters, and how many bytes? Who waits for whom? What does a server do with a gradient, and what changes when
# several gradients for one row meet? What if a letter is lost, or comes twice? And which of the bytes need not travel
# at all? At the end the pieces train a model on real data: a logistic regression with many weights that are exactly zero,
# because the rule on the server makes them so.
#
# **After this chapter you can**
#
# 1. say what `push`, `set`, `pull` and `pushpull` do to a row, and when a pull sees a push;
# 2. predict the bytes of a request, by list of keys and by range, and check them against a ledger;
# 3. keep several requests under way, and predict the time that this saves;
# 4. write an update rule for a server, and tell a right AdaGrad from one that divides first;
# 5. make a push count exactly once on a network that loses and repeats letters;
# 6. choose filters for a job, and say what each saves and what it changes.
#
# **Before you start** you should know gradient descent and what a rank, a message and a ledger are:
# [chapter 11.0](11_00_communication_patterns.ipynb), sections 1 and 2, is enough. **Time:** an hour and a half to read,
# under a minute to run.
#
# Four times you are asked for a number before a run shows one. Write yours in place of the `...`: a guess that was
# wrong teaches more than a figure that was read. It is kept beside the measured one, for you alone.

# %%
import os
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from IPython.display import display

from pslab import viz
from pslab.comm import Faults, Link, ProcessWorld, SimWorld
from pslab.data import sparse_data
from pslab.examples import LogisticExample, l1_path, run_example
from pslab.grade import predict, reveal
from pslab.models import logistic_accuracy, logistic_step, sparse_batch
from pslab.ps import (ASP, BSP, FTRL, SGD, SSP, AdaGrad, Adam, Custom, KeyCaching, KVServer,
                      KVWorker, Momentum, RowWiseAdaGrad, SignificantlyModified, TableConfig,
                      Uniform, ValueCompression, serve)
from pslab.ps.dedup import Seen
from pslab.viz import Note, Table

torch.set_num_threads(1)


# %%
def yes(truth):
    return "yes" if truth else "NO"


# %% [markdown]
# ## 1. Two verbs · *Beginner*
#
# A *table* has rows, each with a key and the same number of values, its *dim*. Servers hold the rows. Workers hold
# none: they ask. The two helpers below are used in the whole chapter. The first is the program of a rank: the first
# ranks are workers and run some `work`, the others serve. The second starts it in a simulated world in which a letter
# is 1 ms on its way and a port carries a billion bytes a second.

# %%
LINK = Link(latency_s=1e-3, bandwidth_Bps=1e9)


def job(comm, workers, tables, work, options):
    if comm.rank >= workers:
        server = KVServer(tables, comm.rank - workers, comm.world_size - workers, range(workers))
        return serve(comm, server)
    with KVWorker(comm, range(workers, comm.world_size), tables, **options) as kv:
        return work(comm, kv)


def run_job(work, tables, workers=1, servers=1, faults=None, **options):
    """The run of a job: results of the workers first, then of the servers."""
    world = SimWorld(workers + servers, link=LINK, faults=faults, seed=1, engine="greenlets")
    return world.run(job, workers, tables, work, options)


# %% [markdown]
# Now a table of ten rows with two values each, all 0 at first, on two servers. Its *rule* says what a gradient does to
# a row: here plain gradient descent with a rate of 1, so a row becomes `row - gradient`. One worker pushes gradients
# for three keys. They need not be in order, and key 7 is there twice. What is the first value of row 7 afterwards?

# %%
my_value = ...
predict("11.2", "first value of row 7 after the push", my_value)


# %%
def first_push(comm, kv):
    gradients = torch.tensor([[1.0, 10.0],         # for key 7
                              [5.0, 50.0],         # for key 2
                              [2.0, 20.0]])        # for key 7 again
    kv.push([7, 2, 7], gradients)
    kv.clock()                                     # the round ends: gradients become a step
    return kv.wait(kv.pull([2, 7, 3, 7]))


ten_rows = [TableConfig("default", dim=2, num_rows=10, rule=SGD(lr=1.0))]
pushed = run_job(first_push, ten_rows, servers=2)
_ = reveal("11.2", "first value of row 7 after the push", lambda: pushed.results[0][1, 0].item())
Table(["asked for", "first value", "second value"],
      [[key, *row] for key, row in zip((2, 7, 3, 7), pushed.results[0].tolist())])

# %% [markdown]
# Three things to see. A push does **not** write values: it brings gradients, and the rule makes a step of them.
# Gradients of equal keys are **added up**; the last one does not win. And a pull answers in the order of *its* keys,
# repeated ones included, with the first value of the table (here 0) for a row that nobody ever pushed.
#
# Where did the letters go? Rows 0 to 4 are on server 0, rows 5 to 9 on server 1, so the worker cut each request in two.
# With rows as short as these a letter is gone in a moment, so the picture is of the same program with rows of 200,000
# numbers. Look at the grey lines too: every push is acknowledged, and the end of a round is told.


# %%
def broad_push(comm, kv):
    kv.push([7, 2, 7], torch.ones(3, 200_000))
    kv.clock()
    return kv.wait(kv.pull([2, 7, 3, 7])).shape


broad = run_job(broad_push, [TableConfig("default", dim=200_000, num_rows=10)], servers=2)
viz.spacetime(broad, names=["worker 0", "server 0", "server 1"], rows=4,
              title="One push and one pull, cut in two")

# %% [markdown]
# Row 7 travels once in each direction, though it was named twice. And server 0 sends two rows, 2 and 3, so its answer
# is twice as broad.

# %% [markdown]
# ### What the verbs do
#
# There are two ways to change a row, and a third that sets its first value. Watch the row of key 4.


# %%
def four_verbs(comm, kv):
    seen = []

    def now(what):
        seen.append([what, kv.wait(kv.pull([4])).item()])

    now("nobody wrote to it")
    kv.init("default", [4], torch.tensor([[3.0]]))
    now("init 3: a first value")
    kv.init("default", [4], torch.tensor([[8.0]]))
    now("init 8: not the first any more")
    kv.push([4], torch.tensor([[1.0]]))
    now("push 1: a step of the rule")
    kv.wait(kv.set([4], torch.tensor([[100.0]])))
    now("set 100: no rule, no round")
    seen.append(["pushpull 1: both in one letter",
                 kv.wait(kv.pushpull([4], torch.tensor([[1.0]]))).item()])
    return seen


asynchronous = TableConfig("default", dim=1, num_rows=10, rule=SGD(lr=1.0), consistency=ASP())
Table(["", "row 4"], run_job(four_verbs, [asynchronous]).results[0])

# %% [markdown]
# ### When does a pull see a push?
#
# That is the table's *consistency*, and chapters 11.4 and 11.5 are about nothing else. Here only what a user of push
# and pull must know. Worker 0 pushes 1 and pulls at once; worker 1 pushes 10, but five milliseconds later. Look at what
# worker 0 sees before and after its round has ended.


# %%
def what_is_seen(comm, kv):
    comm.compute(5e-3 * comm.rank)
    kv.wait(kv.push([0], torch.tensor([[[1.0, 10.0][comm.rank]]])))
    before = kv.wait(kv.pull([0])).item()
    kv.clock()
    return before, kv.wait(kv.pull([0])).item()


rows = []
for mode in (BSP(), SSP(2), ASP()):
    run = run_job(what_is_seen, [replace(asynchronous, consistency=mode)], workers=2)
    rows.append([type(mode).__name__, *run.results[0]])
Table(["consistency", "in the same round", "in the next round"], rows)

# %% [markdown]
# Under BSP (rounds) a worker does not even see its *own* push until the round is over, and then it sees everybody's:
# the round's gradients are one sum and one step. Under SSP and ASP it sees its own push at once, and those of others
# as they happen to arrive; SSP(2) only promises that they are not missing for more than two rounds.
#
# ### Keys
#
# Keys are 64-bit numbers. A table may have a fixed number of rows, or none: then any key is valid, and a row takes
# memory when it is first written to. So a feature may simply be *hashed* to its key, and nobody keeps a dictionary.
# What a row holds before it is first written must then be the same wherever it lives. Does it depend on the number of
# servers?


# %%
def odd_keys(comm, kv):
    return kv.wait(kv.pull([-5, 0, 2**62 + 1, -5])).flatten().tolist()


endless = [TableConfig("default", dim=1, num_rows=None, init=Uniform(scale=0.1, seed=7))]
firsts = [run_job(odd_keys, endless, servers=servers).results[0] for servers in (1, 3)]
print("rows of keys -5, 0, 2^62 + 1, -5:", *(f"{value:.4f}" for value in firsts[0]))
print("the same with three servers:     ", yes(firsts[0] == firsts[1]))

# %% [markdown]
# ## 2. What is in a letter · *Beginner*
#
# A request by keys carries 8 bytes for each key. A row of $D$ float32 numbers is $4D$ bytes. Now a worker pulls 1,000
# rows of *one* number, by a list of keys. How many bytes of keys and values travel in all, there and back?

# %%
my_bytes = ...
predict("11.2", "keys and values of a pull of 1,000 single numbers", my_bytes, unit="B")


# %%
def pull_of(keys):
    return lambda comm, kv: float(kv.wait(kv.pull(keys)).sum())


def bytes_of(work, dim, **options):
    """(keys, values, header) bytes of a job with one worker and one server."""
    tables = [TableConfig("default", dim=dim, num_rows=10_000)]
    ledger = run_job(work, tables, **options).ledger
    return [ledger.total(kind) for kind in ("keys", "vals", "header")]


scattered, together = np.arange(1000) * 7, range(1000)
_ = reveal("11.2", "keys and values of a pull of 1,000 single numbers",
           lambda: sum(bytes_of(pull_of(scattered), dim=1)[:2]))

# %% [markdown]
# Two thirds of that are names of rows and one third is what was asked for. So a request may also name a *range*: the
# first key and the number of keys, in the header, for as many contiguous rows as you like. Look at the column "keys".

# %%
rows = []
for dim in (1, 2, 16, 128):
    for name, keys in (("list", scattered), ("range", together)):
        sizes = bytes_of(pull_of(keys), dim)
        rows.append([dim, name, *sizes, f"{sizes[0] / sum(sizes):.0%}"])
Table(["numbers a row", "pulled by", "keys (B)", "values (B)", "headers (B)", "keys are"], rows)

# %% [markdown]
# For wide rows keys hardly matter. For single numbers, as in a linear model, they are most of the traffic. The headers
# of the whole job, its goodbye included, hardly show.
#
# A push may name a range as well, and a range is cut where a server's rows end: each server gets a range again, in one
# letter. Below keys 3 to 7 of ten rows are pushed to three servers, and then pulled. And `pushpull` does both in one
# letter each way. How many messages does it save, and which bytes?


# %%
def push_then_pull(keys):
    def work(comm, kv):
        kv.push(keys, torch.ones(5, 2))
        return kv.wait(kv.pull(keys)).shape
    return work


def push_and_pull(keys):
    return lambda comm, kv: kv.wait(kv.pushpull(keys, torch.ones(5, 2))).shape


rows = []
for name, work in (("push, pull", push_then_pull), ("pushpull", push_and_pull)):
    for what, keys in (("list", np.arange(3, 8)), ("range", range(3, 8))):
        ledger = run_job(work(keys), ten_rows, servers=3).ledger
        rows.append([name, what, ledger.messages(), *(ledger.total(k) for k in ("keys", "vals", "header")),
                     ", ".join(str(ledger.link(0, 1 + server, "vals") // 8) for server in range(3))])
Table(["request", "keys as", "messages", "keys (B)", "values (B)", "headers (B)", "rows to servers"], rows)

# %% [markdown]
# For five short rows the headers outweigh everything, which is the reason to put many keys into one request. A dense
# layer of a network is a range. For a batch's rows, which lie anywhere, there is no range; section 6 shows what can be
# saved there.
#
# ### Sums are made before they travel
#
# A batch of text or clicks names the same popular rows again and again. Here 4,096 look-ups fall on a thousand rows,
# popular ones far more often. How many rows does the worker send?

# %%
popular = np.random.default_rng(2).zipf(1.3, 20_000)
lookups = popular[popular <= 1000][:4096] - 1


def push_lookups(comm, kv):
    kv.wait(kv.push(lookups, torch.ones(len(lookups), 16)))
    return len(np.unique(lookups))


table_16 = [TableConfig("default", dim=16, num_rows=1000)]
batch = run_job(push_lookups, table_16)
found = {kind: batch.ledger.link(0, 1, kind) for kind in ("keys", "vals")}
print(f"look-ups {len(lookups):,}, distinct rows {batch.results[0]:,}")
print(f"sent {sum(found.values()):,} B; one by one it would be {len(lookups) * (8 + 64):,} B")

# %% [markdown]
# Equal keys are summed at the worker, before they leave, and travel once; a pull asks once for each distinct key and
# the copies are made where the row arrives. That is exact, since gradients are going to be added anyway. Is it? Only if
# the rule would have added them too. Section 4 comes back to this.

# %% [markdown]
# ## 3. Not waiting · *Beginner*
#
# `pull` does not return rows. It returns a *timestamp* at once, and `wait(timestamp)` returns the rows. Between the two
# the worker is free. A letter is 1 ms on its way in our network, so an answer takes 2 ms. A worker needs twelve pulls
# and waits for each before it starts the next. After how many milliseconds does it have all rows?

# %%
my_ms = ...
predict("11.2", "twelve pulls, each waited for", my_ms, unit="ms")


# %%
def in_turn(comm, kv):
    start = comm.now()
    for i in range(12):
        kv.wait(kv.pull(range(100 * i, 100 * i + 100)))
    return comm.now() - start


def at_once(comm, kv):
    start = comm.now()
    timestamps = [kv.pull(range(100 * i, 100 * i + 100)) for i in range(12)]
    for timestamp in reversed(timestamps):        # in any order: each wait gives its own rows
        kv.wait(timestamp)
    return comm.now() - start


ranges = [TableConfig("default", dim=1, num_rows=1200)]
waited, together = (run_job(work, ranges) for work in (in_turn, at_once))
_ = reveal("11.2", "twelve pulls, each waited for", lambda: round(1e3 * waited.results[0], 1))
print(f"all started first, then waited for: {1e3 * together.results[0]:.1f} ms")

# %% [markdown]
# The same letters and the same bytes, a twelfth of the time: the pulls were under way side by side. The next picture
# shows the first milliseconds of both ways. Look for the waiting, which is pale.

# %%
viz.spacetime(waited, names=["worker 0", "server 0"], rows=3, between=(0, 6e-3),
              title="Each waited for: three round trips in a row")

# %%
viz.spacetime(together, names=["worker 0", "server 0"], rows=3, between=(0, 6e-3),
              title="All started first: twelve requests share one round trip")

# %% [markdown]
# ### A bounded window
#
# Why not always start everything? What is under way takes memory, at the worker and in front of the server, and a
# worker that runs far ahead holds back everybody else's requests. So the number of unanswered requests can be bounded:
# with `window=w` a further request waits until one of the $w$ has its answer. Small rows first, then rows so large that
# the port needs half a millisecond for an answer. Look where each curve becomes flat.

# %%
windows = [1, 2, 3, 4, 6, 8, 12]
large = [TableConfig("default", dim=1250, num_rows=1200)]
series = {name: [1e3 * run_job(at_once, tables, window=w).results[0] for w in windows]
          for name, tables in (("400 B an answer", ranges), ("500 kB an answer", large))}
viz.curve(windows, series, xlabel="window (requests)", ylabel="time of twelve pulls (ms)",
          title="More requests under way, until the port is busy", rows=7)

# %% [markdown]
# With $w$ requests under way the twelve pulls take $\lceil 12/w \rceil$ round trips, as long as the port has pauses to
# fill. It has none any more when $w$ answers take as long as one request from start to end. For small answers that is
# hardly ever so; for large ones it is soon, and a larger window only takes memory:

# %%
round_trip_s, answer_s = 2 * LINK.latency_s, 500_000 / LINK.bandwidth_Bps
print(f"round trip {1e3 * round_trip_s:g} ms + answer {1e3 * answer_s:g} ms: "
      f"the port is busy from a window of {(round_trip_s + answer_s) / answer_s:g} on")

# %% [markdown]
# ### Fetching ahead
#
# The most useful thing to do while a pull is under way is to compute. Here a worker needs 2 ms of computing for each of
# six batches. Once it pulls a batch's rows when it needs them, once it has pulled them while it computed on the batch
# before. Compare the dark stretches.


# %%
def when_needed(comm, kv):
    for i in range(6):
        kv.wait(kv.pull(range(100 * i, 100 * i + 100)))
        comm.compute(2e-3)
        kv.push(range(100 * i, 100 * i + 100), torch.ones(100, 1))
    return comm.now()


def ahead(comm, kv):
    coming = kv.pull(range(100))
    for i in range(6):
        kv.wait(coming)
        if i < 5:
            coming = kv.pull(range(100 * i + 100, 100 * i + 200))
        comm.compute(2e-3)
        kv.push(range(100 * i, 100 * i + 100), torch.ones(100, 1))
    return comm.now()


runs = {name: run_job(work, [replace(asynchronous, num_rows=1200)])
        for name, work in (("when needed", when_needed), ("ahead", ahead))}
for name, run in runs.items():
    print(f"{name:12} {1e3 * run.results[0]:.1f} ms")
display(viz.timeline(runs["when needed"], title="Pulled when needed", names=["worker 0", "server 0"]))
display(viz.timeline(runs["ahead"], title="Pulled a batch ahead", names=["worker 0", "server 0"]))

# %% [markdown]
# (What follows the last batch in both pictures are acknowledgements and the goodbye.) Computing hides the way there and
# back. The price: rows that were pulled a batch ahead lack the pushes made since. Here each batch has rows of its own,
# so nothing was missed; where batches share rows, fetching ahead is one step of staleness, made by the worker itself.

# %% [markdown]
# ## 4. What the server does with a gradient · *Intermediate*
#
# ### A rule is a function of rows
#
# A server that adds up what comes in is enough where the model consists of counts, as in the topic models for which the
# first such systems were built. In general the user says what happens, by a function that gets the rows, the summed
# gradients, and the state which it keeps beside the rows. It changes rows and state in place, for all rows of a request
# at once. Here is one of our own: gradients are clipped to one, and each row counts its updates.


# %%
def clipped(rows, grads, state, t):
    """rows (n, D), grads (n, D), state (1, n, D), all float32; t counts steps from 1."""
    np.clip(grads, -1, 1, out=grads)
    state[0] += 1
    rows -= 0.5 * grads / np.sqrt(state[0])


def two_pushes(comm, kv):
    kv.wait(kv.push([1, 2], torch.tensor([[50.0], [0.2]])))
    kv.wait(kv.push([1], torch.tensor([[50.0]])))
    return kv.wait(kv.pull([1, 2, 3])).flatten().tolist()


own = replace(asynchronous, rule=Custom(clipped, slots=1, names=("updates",)))
print("rows 1, 2, 3:", *(f"{value:.3f}" for value in run_job(two_pushes, [own]).results[0]))

# %% [markdown]
# The rules that come with the kit, and what they remember for a row of 16 numbers. Look at the memory of a table of ten
# million rows: the rule may cost more than the parameters.

# %%
RULES = {"SGD": SGD(0.1), "Momentum": Momentum(0.1, 0.9), "AdaGrad": AdaGrad(0.1),
         "row-wise AdaGrad": RowWiseAdaGrad(0.1), "Adam": Adam(0.1), "FTRL": FTRL(0.1)}
rows = []
for name, rule in RULES.items():
    numbers = 16 + rule.slots * rule.state_width(16)
    rows.append([name, ", ".join(rule.state_names) or "-", numbers,
                 viz.sized(numbers * 4 * 10**7)])
Table(["rule", "state", "numbers a row", "ten million rows"], rows)

# %% [markdown]
# Are they the optimizers you know? The same thirty random gradients go to a server and to `torch.optim`. Where every
# row is pushed every time, both must agree.


# %%
def thirty_steps(comm, kv):
    generator = torch.Generator().manual_seed(3)
    for _ in range(30):
        kv.push(range(20), torch.randn(20, 4, generator=generator))
        kv.clock()
    return kv.wait(kv.pull(range(20)))


def same_in_torch(optimizer, **settings):
    weights = torch.zeros(20, 4, requires_grad=True)
    steps, generator = optimizer([weights], **settings), torch.Generator().manual_seed(3)
    for _ in range(30):
        weights.grad = torch.randn(20, 4, generator=generator)
        steps.step()
    return weights.detach()


rows = []
for name, optimizer, settings in (("SGD", torch.optim.SGD, {}), ("Adam", torch.optim.Adam, {}),
                                  ("Momentum", torch.optim.SGD, {"momentum": 0.9}),
                                  ("AdaGrad", torch.optim.Adagrad, {})):
    ours = run_job(thirty_steps, [TableConfig("default", 4, 20, RULES[name])]).results[0]
    apart = (ours - same_in_torch(optimizer, lr=0.1, **settings)).abs().max()
    rows.append([name, optimizer.__name__, yes(apart < 1e-5)])
Table(["rule", "torch.optim", "equal to 0.00001"], rows)

# %% [markdown]
# ### Rows that nobody pushed
#
# On a sparse problem they differ, on purpose. A dense momentum optimizer moves *every* row in every step, also those
# whose gradient is zero, because their velocity has not faded yet. A server touches only rows that were pushed. Below
# row 0 gets one gradient in the first step and never again.


# %%
def once_then_never(comm, kv):
    path = []
    for step in range(5):
        kv.push([0 if step == 0 else 1], torch.ones(1, 1))
        kv.clock()
        path.append(kv.wait(kv.pull([0])).item())
    return path


lazy = run_job(once_then_never, [TableConfig("default", 1, 2, Momentum(0.1, 0.9))]).results[0]
weights = torch.zeros(2, 1, requires_grad=True)
optimizer, dense = torch.optim.SGD([weights], lr=0.1, momentum=0.9), []
for step in range(5):
    weights.grad = torch.tensor([[1.0], [0.0]] if step == 0 else [[0.0], [1.0]])
    optimizer.step()
    dense.append(weights[0].item())
Table(["row 0 after step", *"12345"], [["server, lazy", *(f"{v:.3f}" for v in lazy)],
                                       ["torch.optim, dense", *(f"{v:.3f}" for v in dense)]])

# %% [markdown]
# Neither is wrong, but they are two algorithms. A server with a billion rows could not afford the second one.
#
# ### AdaGrad: first add, then divide
#
# AdaGrad gives every number a rate of its own: $n \leftarrow n + g^2$ first, and then
# $w \leftarrow w - \eta\,g/(\sqrt{n} + \epsilon)$. Its first step is $\eta\,g/|g|$: always as long as the rate, whatever
# the gradient. A tempting slip is to take the step first and add the square afterwards. The same four gradients of 4 for
# both, with a rate of 0.1. Look at the first step.



# %%
def divides_first(rows, grads, state, t):
    rows -= 0.1 * grads / (np.sqrt(state[0]) + 1e-10)
    state[0] += grads**2


def four_gradients(comm, kv):
    path = [0.0]
    for _ in range(4):
        kv.push([0], torch.full((1, 1), 4.0))
        kv.clock()
        path.append(kv.wait(kv.pull([0])).item())
    return [f"{before - after:.4g}" for before, after in zip(path, path[1:])]


both = {"add, then divide": AdaGrad(0.1), "divide, then add": Custom(divides_first, slots=1)}
Table(["length of step", *"1234"],
      [[name, *run_job(four_gradients, [TableConfig("default", 1, 2, rule)]).results[0]]
       for name, rule in both.items()])

# %% [markdown]
# The first step of the wrong one divides by the tiny $\epsilon$, and throws the weight so far away that the later
# steps, which look reasonable, vanish beside it. With a larger $\epsilon$, or an accumulator that does not begin at 0,
# the slip hides: then every step is merely too long, most of all for rare rows, which AdaGrad is there for.
#
# ### Several gradients, one step
#
# Two gradients for one row, 3 and 4, AdaGrad with a rate of 1. They meet in one push as duplicates, or in one round
# from two workers, or they arrive one after the other. Where does the row end? Your number for the first case: both in
# one push.

# %%
my_row = ...
predict("11.2", "a row of AdaGrad after 3 and 4 in one push", my_row)


# %%
def one_push(comm, kv):
    kv.push([0, 0], torch.tensor([[3.0], [4.0]]))
    kv.clock()
    return kv.wait(kv.pull([0])).item()


def a_gradient_each(comm, kv):
    comm.compute(1e-3 * comm.rank)
    kv.push([0], torch.tensor([[3.0 + comm.rank]]))
    kv.clock()
    comm.compute(20e-3)
    return kv.wait(kv.pull([0])).item()


adagrad = TableConfig("default", 1, 2, AdaGrad(1.0))
cases = [("twice in one push", run_job(one_push, [adagrad])),
         ("two workers, one round (BSP)", run_job(a_gradient_each, [adagrad], workers=2)),
         ("two workers, no rounds (ASP)", run_job(
             a_gradient_each, [replace(adagrad, consistency=ASP())], workers=2))]
_ = reveal("11.2", "a row of AdaGrad after 3 and 4 in one push", lambda: cases[0][1].results[0])
Table(["3 and 4 meet", "row"], [[name, f"{run.results[0]:.4g}"] for name, run in cases])

# %% [markdown]
# Summed first, the gradient is 7 and the step $7/\sqrt{49}$. One after the other, they are two steps, $3/\sqrt{9}$ and
# $4/\sqrt{25}$. With plain SGD nobody would notice. With every rule that has a memory, *aggregation is part of the
# algorithm*: in rounds the server sums what all workers send for a row and takes **one** step, so the result does not
# depend on how a batch was cut up among workers. Without rounds, each push is a step of its own.
#
# It is also the sum, not the mean. If your loss is a mean over a worker's part of the batch, divide by $K$ somewhere,
# once.
#
# ### FTRL: zeros on purpose
#
# *Follow the regularised leader* is the rule of the advertising systems that parameter servers were built for. It does
# not keep a weight and move it. It keeps $z$, a sum of gradients with a correction, and $n$, the sum of their squares,
# and *computes* the weight from them:
#
# $$w = 0 \text{ where } |z| \le \lambda_1, \qquad
#   w = -\frac{z - \mathrm{sign}(z)\,\lambda_1}{(\beta + \sqrt{n})/\alpha + \lambda_2} \text{ elsewhere.}$$
#
# Without penalties and with $\beta = 0$ it is a familiar rule. Which one? The next cell compares it with one, on the
# thirty steps of above.

# %%
plain = [run_job(thirty_steps, [TableConfig("default", 4, 20, rule)]).results[0]
         for rule in (FTRL(alpha=0.1, beta=0.0), AdaGrad(0.1))]
print("FTRL without penalties is AdaGrad:", yes(torch.allclose(*plain, atol=1e-5)))

# %% [markdown]
# So what is new is the penalty. The picture shows how large the weight is when gradients of the same sign have added up
# to $|z|$ ($n = 1$, $\alpha = \beta = 1$). Look at the flat stretch.

# %%
sizes = np.linspace(0, 4, 41)
viz.curve(sizes, {f"l1 = {l1}": [max(size - l1, 0) / 2 for size in sizes] for l1 in (0, 1, 2)},
          rows=5, xlabel="|z| (gradients, summed)", ylabel="|weight| (no unit)",
          title="FTRL: no weight until |z| exceeds l1")

# %% [markdown]
# A weight appears only once its gradients have agreed often enough for their sum to leave the flat stretch. Until then
# it is *exactly* zero: not small, zero. Adding $\lambda_1\,\mathrm{sign}(w)$ to the gradient instead, as one would in
# plain descent, gives weights that tremble around zero and hardly ever hit it; section 7 counts them.

# %% [markdown]
# ## 5. Exactly once · *Advanced*
#
# A gradient that counts twice is a wrong gradient, and so is one that is lost. On one machine the operating system sees
# to that. Between machines connections break, processes restart, and a worker that has no answer does not know which of
# two things happened: the *push* was lost, or only its *acknowledgement*.
#
# Below is the smallest server there is, without the kit: rank 2 adds up ones. Ranks 0 and 1 send twenty-five ones each,
# then "restart" and send twenty-five more, numbering from 0 again as a new process would: a hundred in all. The network
# loses a fifth of all letters and repeats a fifth. `identity` is what the server remembers of a push in order to know
# it again.


# %%
def adder(comm, identity):
    """Rank 2: adds up what is new, answers everything; ends after half a second of silence."""
    total, seen = 0, set()
    while (letter := comm.poll(0.5)) is not None:
        name = identity(letter) if identity else None
        if name is None or name not in seen:
            total += 1
            seen.add(name)
        comm.post(letter.src, "ack", letter.meta)
    return total


# %%
def sender(comm, retry):
    for life in (0, 1):                                   # a worker, and the same one restarted
        for number in range(25):
            push = {"life": life, "q": number}
            comm.post(2, "push", push)
            while (letter := comm.poll(10e-3)) is None or letter.meta != push:
                if letter is None and not retry:
                    break
                if letter is None:                        # no answer in time: once more
                    comm.post(2, "push", push)


def adding(comm, retry, identity):
    return adder(comm, identity) if comm.rank == 2 else sender(comm, retry)


# %% [markdown]
# Five ways to do it, from careless to right. Only one gives a hundred. Look on which side the others err.

# %%
ways = {"no retry": (False, None),
        "retry, no identity": (True, None),
        "retry, number": (True, lambda letter: letter.meta["q"]),
        "retry, sender and number": (True, lambda letter: (letter.src, letter.meta["q"])),
        "retry, sender, life and number": (
            True, lambda letter: (letter.src, letter.meta["life"], letter.meta["q"]))}
lossy = Faults(seed=4, drop=0.2, duplicate=0.2)
rows = []
for name, (retry, identity) in ways.items():
    run = SimWorld(3, link=LINK, faults=lossy).run(adding, retry, identity)
    rows.append([name, run.results[2], yes(run.results[2] == 100)])
Table(["way", "counted, of 100 sent", "exactly once"], rows)

# %% [markdown]
# Without a retry, pushes are lost, and a repeated one now and then hides how many. With a retry alone they count too
# often: the push had arrived, its answer had not. Whoever remembers numbers only takes worker 1's push 7 for worker
# 0's. Sender and number still confuse a worker with its own former life. All three together are right. (The sender,
# too, looks which push an answer is for: an answer that comes twice would else settle the next push, which may be
# lost.) "Exactly once" is never *sending* once: it is sending at least once, and applying once.
#
# ### The kit's way
#
# `KVWorker(retry_s=...)` does this, and the table above is why its letters carry a number and, after a restart, an
# *incarnation*. The server does not keep a growing set as ours did: it keeps, for each sender, the number up to which
# it has seen everything, and the few above that. Two workers push fifty ones each through the same bad network, which
# now also lets letters overtake each other.


# %%
def fifty_ones(comm, kv):
    for _ in range(50):
        kv.push([3], torch.ones(1, 1))
    kv.clock()
    return -kv.wait(kv.pull([3])).item(), kv.resent


rounds = TableConfig("default", 1, 10, SGD(1.0))
worse = replace(lossy, reorder_s=2e-3)
clean = run_job(fifty_ones, [rounds], workers=2)
struck = run_job(fifty_ones, [rounds], workers=2, faults=worse, retry_s=5e-3)
rows = []
for name, run in (("clean network", clean), ("loses, repeats, reorders", struck)):
    counts, repeats = run.results[:2], run.results[2]["repeats"]
    rows.append([name, int(counts[0][0]), int(counts[1][0]), counts[0][1] + counts[1][1], repeats,
                 run.ledger.total("retry"), f"{1e3 * run.seconds:.0f} ms"])
Table(["network", "worker 0 sees", "worker 1 sees", "sent again", "known to the server",
       "bytes sent again", "time"], rows)

# %% [markdown]
# Both see exactly a hundred. What it cost is in the last columns: letters sent again, and time. Most of the time is
# waiting for an answer that will never come, so `retry_s` should be a few round trips: shorter, and letters are
# repeated that were only slow; longer, and every loss is paid with a pause. Here are three pushes, each waited for,
# from close by. A lost letter leaves no line in the picture, only the pause after it.


# %%
def one_by_one(comm, kv):
    for _ in range(3):
        kv.wait(kv.push([3], torch.ones(1, 1)))
    return -kv.wait(kv.pull([3])).item()


retry_s = 5e-3
print(f"sent again after {1e3 * retry_s:g} ms, then {2e3 * retry_s:g} ms, then {4e3 * retry_s:g} ms, ...")
lost = run_job(one_by_one, [asynchronous], faults=Faults(seed=40, drop=0.3),
               retry_s=retry_s)
print(f"counted: {lost.results[0]:g}; known to the server: {lost.results[1]['repeats']}")
viz.spacetime(lost, names=["worker 0", "server 0"], rows=8,
              title="Letters that get lost, and are sent again")

# %% [markdown]
# The first push and its answer are through after one round trip, and so are the second's. The third is lost: no line.
# After 5 ms it is sent again and arrives, but now its *answer* is lost, and after twice the pause it comes once more.
# This time the server knows it, makes no step, and answers. The three ones are three.
#
# And the memory? A server that remembers every push it has ever seen would fill up. It is enough to remember a mark and
# what lies above it. Ten thousand numbers, every other pair in the wrong order: what is left to remember at the end,
# and how much was it at most?

# %%
seen, most = Seen(), 0
for pair in range(1, 10_000, 2):
    for number in (pair + 1, pair):                       # the later one comes first
        assert not seen.is_repeat(0, number)
        seen.note(0, number)
        most = max(most, len(seen.above))
print(f"mark {seen.mark}, above it {len(seen.above)}, at most {most}; "
      f"7,000 would be a repeat: {yes(seen.is_repeat(0, 7000))}")

# %% [markdown]
# ## 6. Bytes that need not travel · *Advanced*
#
# The system of 2014 had filters between worker and server, each of which saves bytes of its own kind.
#
# - **Key caching.** A worker pulls and then pushes the *same* rows. The second time it sends a hash of the list, 8
#   bytes, and the server looks the list up. Nothing about the result changes.
# - **Value compression.** Numbers travel in 16 or 8 bits. They are rounded.
# - **Significantly modified.** Rows whose gradient is small stay at the worker until they add up to something. Their
#   sum arrives, later.
#
# Its authors report that key caching saves about half of the traffic with keys of 8 bytes and values of one double,
# which are 8 bytes too. Two float32 are as heavy as one double. Here is a step, a pull and a push of the same thousand
# rows, for the first time and with a list that the server knows. How much is saved in which column?

# %%
def steps(count, dim):
    def work(comm, kv):
        for _ in range(count):
            kv.wait(kv.pull(scattered))
            kv.wait(kv.push(scattered, torch.ones(1000, dim)))
    return work


rows = []
for dim in (1, 2, 16):
    plain = sum(bytes_of(steps(1, dim), dim)[:2])
    once, twice = (sum(bytes_of(steps(n, dim), dim, filters=[KeyCaching()])[:2]) for n in (1, 2))
    rows.append([dim, plain, once, f"{1 - once / plain:.0%}", twice - once,
                 f"{1 - (twice - once) / plain:.0%}"])
Table(["numbers a row", "no filter (B)", "first step (B)", "saved", "known list (B)", "saved"], rows)

# %% [markdown]
# With two numbers a row and a list that is known, the half comes out. For a linear model's single numbers it is two
# thirds, for wide rows a ninth. "Key caching halves the traffic" is true of one width.
#
# ### Move it yourself
#
# All ways beside each other, for a pull and a push of the same rows. Each bar is what a ledger counts for it, headers
# apart.

# %%
viz.push_bytes(rows=1000, dim=1)

# %% [markdown]
# Now with controls. Which filter is best for single numbers, which for rows of 128? From which width on is int8 better
# than fp16? What does a list that the server knows change, and why do *all three* save less of the keys when only some
# rows are significant?

# %% tags=["nbval-ignore-output"]
viz.push_bytes_widget()

# %% [markdown]
# The significant rows are another list each time, so key caching does not know it. Filters do not simply add up.

# %% [markdown]
# ## 7. The running example: logistic regression with zeros · *Intermediate*
#
# Now all of it together: sparse logistic regression with FTRL on the servers. The data set is a9a: census records, of
# which each has up to fourteen of 123 features, and the question is whether a person earns more than fifty thousand
# dollars a year. It is read from the folder that `PSLAB_DATA` names, or from your cache (`pslab data fetch a9a`). Where
# it is not there, records made from a seed stand in, and the next cell says so.

# %% tags=["nbval-ignore-output"]
data = sparse_data()
assert data.features == 123
print(f"{data.name}: {data.train_rows:,} records to train on, {len(data.test):,} to test on, "
      f"{data.features} features")
if data.made:
    print("a9a was not found; what follows runs on the stand-in.", data.note)
else:
    data = replace(data, train=data.train.read())      # read once here, instead of in every run
batch = sparse_batch(next(iter(data.train.batches(256, 0, 1))))
print(f"a batch of 256 records names {len(batch.keys)} of {data.features + 1} weights (bias included)")

# %% [markdown]
# The program of a worker is as short as section 1 promised: pull the weights of the features in the batch, compute,
# push their gradients. It knows nothing about the rule. (With as few features as here, a batch of 256 records names
# most of them. In a model for advertising it names a sliver.)


# %%
def train_on(records, metric_rows, epochs=1, batch_rows=256):
    """The work of a worker; ends with the share of test records that the pulled model gets right."""
    def work(comm, kv):
        for _ in range(epochs):
            for part in records.batches(batch_rows, comm.rank, comm.world_size - 1):
                batch = sparse_batch(part)
                weights = kv.wait(kv.pull(batch.keys))
                _, gradient = logistic_step(weights.numpy(), batch)
                kv.push(batch.keys, gradient)
                kv.clock()
        kv.flush()                                          # what filters held back
        kv.clock()
        model = kv.wait(kv.pull(range(124))).numpy()
        return logistic_accuracy(model, metric_rows), int(np.count_nonzero(model[1:]))
    return work


# %% tags=["nbval-ignore-output"]
weights_table = TableConfig("default", 1, 124, FTRL(alpha=0.1, l1=10.0))
two = run_job(train_on(data.train, data.test), [weights_table], workers=2)
accuracy, nonzero = two.results[0]
assert accuracy > (0.845 if not data.made else 0.75)
always = max(data.test.labels.mean(), 1 - data.test.labels.mean())
Note(f"Two workers and one server, one pass over {data.name}: **{100 * accuracy:.1f} %** of the test "
     f"records are right (always the more frequent answer: {100 * always:.1f} %), with **{nonzero}** "
     f"of {data.features} weights that are not zero.")

# %% [markdown]
# Which worker computes what does not matter: one process that holds all weights, two workers in rounds and four without
# rounds give models of the same quality. Look at the time, and at what it costs in bytes. (A record takes ten virtual
# microseconds to compute here.)

# %% tags=["nbval-ignore-output"]
example, rows = LogisticExample(data=data, epochs=1), []
for workers, servers, mode in ((1, 0, "bsp"), (2, 1, "bsp"), (4, 1, "asp")):
    result = run_example(example, workers=workers, servers=servers, consistency=mode, points=1)
    assert abs(result.value - accuracy) < 0.02
    rows.append([result.workers, result.servers, result.mode, f"{result.value:.2%}",
                 f"{1e3 * result.seconds:.0f} ms", viz.sized(sum(result.bytes.values()))])
Table(["workers", "servers", "mode", "test accuracy", "virtual time", "moved in all"], rows)

# %% [markdown]
# ### What L1 buys
#
# The same pass with stronger and stronger $\lambda_1$. Look how many weights can go before the accuracy follows them.

# %% tags=["nbval-ignore-output"]
path = l1_path(LogisticExample(data=data, epochs=1), [0, 1, 3, 10, 30, 100, 300])
assert path[-1]["nonzero"] < path[3]["nonzero"] < path[0]["nonzero"]
assert path[0]["metric"] - path[3]["metric"] < 0.02
display(Table(["l1", "weights not zero", "test accuracy"],
              [[f"{p['l1']:g}", p["nonzero"], f"{p['metric']:.2%}"] for p in path]))
viz.curve([p["l1"] for p in path[1:]],
          {"test accuracy": [100 * p["metric"] for p in path[1:]],
           "weights not zero": [100 * p["nonzero"] / p["features"] for p in path[1:]]}, log="x",
          xlabel="l1 (no unit), logarithmic", ylabel="of records, of weights (%)",
          title=f"What L1 buys on {data.name}")

# %% [markdown]
# A weight that is zero need not be stored or shipped to where the model is used. At a hundred features nobody cares; in
# the advertising models for which this rule was made, there are billions.
#
# Is it really the rule? Here is the naive way: AdaGrad with $\lambda_1\,\mathrm{sign}(w)$ added to the gradient. FTRL
# counts its $\lambda_1$ once for the whole run, so to be fair the naive way gets an equal part of it in each round.


# %%
ROUNDS = -(-data.train_rows // 256)


def l1_in_gradient(rows, grads, state, t):
    grads += 10.0 / ROUNDS * np.sign(rows)
    state[0] += grads**2
    rows -= 0.1 * grads / (np.sqrt(state[0]) + 1e-10)


# %% tags=["nbval-ignore-output"]
rules = {"FTRL, l1 = 10": FTRL(0.1, l1=10.0), "AdaGrad": AdaGrad(0.1),
         "AdaGrad, l1 in the gradient": Custom(l1_in_gradient, slots=1)}
ends = {name: run_job(train_on(data.train, data.test), [replace(weights_table, rule=rule)]).results[0]
        for name, rule in rules.items()}
counts = [nonzero for _, nonzero in ends.values()]
assert counts[0] < 0.9 * min(counts[1:])
Table(["rule", "test accuracy", "weights not zero", "of"],
      [[name, f"{accuracy:.2%}", nonzero, 123] for name, (accuracy, nonzero) in ends.items()])

# %% [markdown]
# ### With filters
#
# And the bytes. Single numbers, so keys are two thirds of the traffic, and batches differ. What does each filter save,
# and does the model still come out?

# %% tags=["nbval-ignore-output"]
choices = {"none": [], "key caching": [KeyCaching()], "fp16": [ValueCompression("fp16")],
           "significant: 5": [SignificantlyModified(5.0)],
           "all three": [KeyCaching(), ValueCompression("fp16"), SignificantlyModified(5.0)]}
rows, base = [], None
for name, filters in choices.items():
    run = run_job(train_on(data.train, data.test), [weights_table], filters=filters)
    moved = run.ledger.total("keys") + run.ledger.total("vals")
    base = base or moved
    rows.append([name, viz.sized(moved), f"{1 - moved / base:.0%}", f"{run.results[0][0]:.2%}", run.results[0][1]])
    assert abs(run.results[0][0] - accuracy) < 0.01
Table(["filters", "keys and values", "saved", "test accuracy", "weights not zero"], rows)

# %% [markdown]
# Key caching saves the push's list in every step, although no two batches are alike, and gives the very same model.
#
# ### The rules in a race
#
# Which rule learns fastest? All run on the made records here, so that you see what we saw, and each with the best rate
# that we found for it by factors of two. The program is the same each time; the only change is `rule=`.

# %%
made = sparse_data("made")
contenders = {"SGD": lambda by: SGD(0.008 * by), "Momentum": lambda by: Momentum(0.004 * by),
              "AdaGrad": lambda by: AdaGrad(0.2 * by), "Adam": lambda by: Adam(0.05 * by),
              "FTRL": lambda by: FTRL(0.4 * by)}


def wrong(rule):
    """{round: % of test records wrong} of one pass in one process, which is what BSP gives."""
    result = run_example(LogisticExample(data=made, rule=rule, epochs=1), workers=1, servers=0,
                         points=12)
    return {point.rounds: 100 - 100 * point.metric for point in result.curve}


curves = {name: wrong(rule(1)) for name, rule in contenders.items()}
viz.curve(list(curves["SGD"]), {name: list(curve.values()) for name, curve in curves.items()},
          xlabel="rounds (count)", ylabel="test records wrong (%)", rows=6,
          title="Five rules, one program")

# %% [markdown]
# At their best rates they end close together. But nobody knows the best rate beforehand. Look at what is left when the
# rate is a quarter of the best one, and four times it.

# %%
rows = []
for name, rule in contenders.items():
    ends = [list(curve.values())[-1] for curve in (wrong(rule(0.25)), curves[name], wrong(rule(4)))]
    rows.append([name, *(f"{end:.1f} % wrong" for end in ends)])
Table(["rule", "a quarter", "best rate", "four times"], rows)

# %% [markdown]
# With four times the best rate, the two rules with one rate for all features are nearly back where they began, because
# frequent features overshoot. The three that divide by a sum of squares give each weight a rate of its own, and hardly
# notice. They pay with one or two more numbers for each weight on the server.

# %% [markdown]
# ### The system it comes from
#
# The same example, at another scale, is the first experiment of the paper that gave this design its shape. Its figures
# are often quoted wrongly. Here are those of the paper, beside an encyclopedia's, and what follows from them.

# %%
bytes_stored, examples, features = 636 * 10**12, 170 * 10**9, 65 * 10**9
display(Table(["sparse logistic regression, OSDI 2014", "in the paper", "often quoted"], [
    ["data", "636 TB (141 TB compressed)", "0.5 PB"],
    ["examples", f"{examples / 1e9:g} billion", "17 billion"],
    ["features", f"{features / 1e9:g} billion", "100 billion"],
    ["machines", "1,000: 800 workers, 200 servers", ""],
    ["keys dropped by the filter for weights that stay zero", "more than 93 %", ""]]))
print(f"bytes an example: {bytes_stored / examples:,.0f}")
print(f"weights of the model in float32: {viz.sized(4 * features)}; "
      f"with FTRL's z and n: {viz.sized(12 * features)}, {viz.sized(12 * features / 200)} a server")

# %% [markdown]
# No worker could hold that model; a batch names a sliver of it. And the last line of the table is our last filter's big
# sister: the optimality conditions of L1 tell which weights will stay at zero, and neither they nor their gradients
# need to travel.

# %% [markdown]
# ## In production
#
# **ps-lite and MXNet.** The third generation's own library, in C++, has the verbs of this chapter; MXNet's KVStore put
# a Python face on it. Neither is installed here, and nothing of the next lines was run:
#
# ```python
# kv = mx.kv.create("dist_async")              # or "dist_sync": rounds
# kv.init("w", mx.nd.zeros(shape))
# kv.set_optimizer(mx.optimizer.Ftrl())        # the rule, pickled and sent to the servers
# kv.push("w", gradients)                      # a list: summed first
# kv.pull("w", out=weights)
# ```
#
# MXNet was retired to the Apache Attic in 2023. What survives of it is the interface, here and elsewhere.
#
# **torch.distributed.rpc.** PyTorch has no parameter server of its own, but it has remote calls, from which one is
# quickly built. The next cell runs one for real in two processes, with a `torch.optim` optimizer as the rule.
# `rpc_async` returns a future, which is our timestamp, and `.wait()` is our `wait`. (Remote calls name functions by
# their module, so the class goes into a file first.)


# %%
ROWS = """
import torch

class Rows:
    def __init__(self, num_rows, dim):
        self.rows = torch.zeros(num_rows, dim, requires_grad=True)
        self.rule = torch.optim.SGD([self.rows], lr=1.0)

    def push(self, keys, vals):
        self.rows.grad = torch.zeros_like(self.rows).index_add_(0, keys, vals)
        self.rule.step()

    def pull(self, keys):
        return self.rows.detach()[keys]
"""


# %%
def rpc_program(comm, folder):
    from torch.distributed import rpc
    warnings.filterwarnings("ignore", message="You are using a Backend")     # its own, inside
    sys.path.insert(0, folder)                               # where Rows lies, as a module
    from rows_of_rpc import Rows
    loopback = "lo" if os.uname().sysname == "Linux" else "lo0"
    os.environ["TP_SOCKET_IFNAME"] = os.environ["GLOO_SOCKET_IFNAME"] = loopback
    options = rpc.TensorPipeRpcBackendOptions(init_method=f"file://{folder}/store")
    rpc.init_rpc(f"rank{comm.rank}", rank=comm.rank, world_size=2, rpc_backend_options=options)
    rows = None
    if comm.rank == 0:                                       # the worker
        server = rpc.remote("rank1", Rows, (10, 2))          # an object that lives on rank 1
        server.rpc_sync().push(torch.tensor([7, 2, 7]),
                               torch.tensor([[1.0, 10.0], [5.0, 50.0], [2.0, 20.0]]))
        futures = [server.rpc_async().pull(torch.tensor([key])) for key in (2, 7, 3)]
        rows = [future.wait().flatten().tolist() for future in futures]
    rpc.shutdown()
    return rows


# %%
with ProcessWorld(2) as pair, tempfile.TemporaryDirectory() as folder:
    Path(folder, "rows_of_rpc.py").write_text(ROWS, encoding="utf-8")
    rows = pair.run(rpc_program, folder).results[0]
print("rows 2, 7, 3:", *rows)

# %% [markdown]
# The rows of section 1 again. What a server adds to such calls is what this chapter was about: rows cut over several
# servers, sums before letters, rounds, pushes that count once, filters. And a step that costs what was pushed: this
# one makes a gradient as large as the table.
#
# ### What is often said
#
# Each line can be checked in a cell above.
#
# | often said | what the cells show | where |
# | --- | --- | --- |
# | a push writes values | it brings a gradient, and the rule makes a step; `set` writes | 1 |
# | a pull after a push sees it | under BSP not before the round ends; of others' pushes one never knows | 1 |
# | of two values for one key the last one counts | they are added up, before they travel | 1, 2 |
# | answers come in the order of the questions | each `wait` gives its own; order them as you like | 3 |
# | the more requests under way, the faster | until the port has no pause left | 3 |
# | it does not matter when gradients are added up | with any rule that has a memory it does | 4 |
# | momentum on a server is momentum | only rows that were pushed move | 4 |
# | a retry makes pushes safe | alone it makes them count too often | 5 |
# | a number identifies a push | two workers share it, and so do two lives of one | 5 |
# | key caching halves the traffic | with 8 bytes a value and a known list | 6 |
# | L1 in the gradient gives zeros | it gives small numbers; FTRL gives zeros | 7 |

# %% [markdown]
# ## Did it stick?
#
# Answer first, then click.
#
# <details><summary><b>A worker pushes key 3 with 1 and key 3 with 5 in one push; plain SGD, rate 1, row 10. Where does
# the row end?</b></summary>
# <p>At 4: the gradients are added up, 6, and subtracted.</p></details>
#
# <details><summary><b>A pull of 500 scattered rows of four numbers. Keys or values: which are more
# bytes?</b></summary>
# <p>Values: 8,000 bytes against 4,000 bytes of keys. At two numbers a row they are equal.</p></details>
#
# <details><summary><b>A round trip takes 2 ms, and an answer keeps the port busy for 0.5 ms. From which window on does
# a larger one gain nothing?</b></summary>
# <p>From five: the first answer is through after 2.5 ms, and by then the port has been given four more.</p></details>
#
# <details><summary><b>AdaGrad with a rate of 0.1. The first gradient of a row is 1,000. How long is its first
# step?</b></summary>
# <p>0.1, as for any other first gradient. If it is not, the square was added too late.</p></details>
#
# <details><summary><b>A server remembers the numbers of all pushes it has seen, and nothing else. When does it lose a
# push?</b></summary>
# <p>When a second worker, or the same one after a restart, sends a push with a number that was there
# before.</p></details>
#
# <details><summary><b>Which of the three filters changes the model at the end?</b></summary>
# <p>Compression, because it rounds, and holding rows back, because gradients come later than they were computed. Key
# caching changes nothing.</p></details>
#
# <details><summary><b>FTRL keeps three numbers for each weight. Which of them does a worker ever see?</b></summary>
# <p>One, the weight. z and n stay on the server, as the state of every rule does.</p></details>
#
# The figures in these answers, computed:

# %%
print(f"row 3: {10 - (1 + 5)}")
print(f"500 rows of four: values {500 * 4 * 4:,} bytes, keys {500 * 8:,} bytes")
print(f"window: (2 ms + 0.5 ms) / 0.5 ms = {2.5 / 0.5:g}; first answer after {2 + 0.5} ms")
print(f"first step: {0.1 * 1000 / (1000**2) ** 0.5:g}")

# %% [markdown]
# Now do it yourself: [Lab 2: push and pull](../labs/lab_02_push_pull.ipynb).
#
# And then on to how rows are divided among many servers: [11.3](11_03_sharding_the_server.ipynb).
#
# ## Further reading
#
# - M. Li, D. G. Andersen, J. W. Park, A. J. Smola, A. Ahmed, V. Josifovski, J. Long, E. J. Shekita, B.-Y. Su: *Scaling
#   Distributed Machine Learning with the Parameter Server*, OSDI 2014. Ranges, filters, the experiment
#   of section 7.
# - H. B. McMahan et al.: *Ad Click Prediction: a View from the Trenches*, KDD 2013. FTRL-proximal, one coordinate at a
#   time, and what else a system needs.
# - J. Duchi, E. Hazan, Y. Singer: *Adaptive Subgradient Methods for Online Learning and Stochastic Optimization*
#   (AdaGrad), Journal of Machine Learning Research, 2011.
# - D. P. Kingma, J. Ba: *Adam: A Method for Stochastic Optimization*, ICLR 2015.
# - T. Chen et al.: *MXNet: A Flexible and Efficient Machine Learning Library for Heterogeneous Distributed Systems*,
#   arXiv 1512.01274, 2015. The KVStore.
# - J. H. Saltzer, D. P. Reed, D. D. Clark: *End-to-End Arguments in System Design*, ACM Transactions on Computer
#   Systems, 1984. Why only the ends can make a push count once.
