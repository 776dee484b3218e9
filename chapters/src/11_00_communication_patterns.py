# %% [markdown]
# # 11.0 Communication patterns
#
# **The big picture.** When several machines train one model, they spend part of their time sending numbers to one
# another. Nearly all of that traffic follows a handful of patterns: one sends to all, all send to one, everybody ends
# with the sum. This chapter runs each pattern and draws what happened: who sent what to whom, and when. Then it gives
# each pattern a price in bytes and in seconds, and compares the price with a simulated run and with real processes. At
# the end you know why there are several ways to compute the same sum, and which of them is fastest when.
#
# **After this chapter you can**
#
# 1. read and write a program that runs on many ranks at once, and say why it hangs when it hangs;
# 2. name the pattern that a job needs, and draw who sends what to whom;
# 3. predict the bytes through every port to the byte, and the time from a latency and a bandwidth;
# 4. explain why a ring moves as few bytes as possible, and why it is not always the fastest;
# 5. say what a shared uplink between racks does to each algorithm, and place ranks accordingly.
#
# **Before you start** you should know Python functions and how PyTorch or NumPy arrays are indexed. Nothing about
# networks is assumed. **Time:** an hour and a half to read, under a minute to run. A second part,
# [11.0b](11_00b_gradients_together.ipynb), uses these patterns to train.
#
# Four times you are asked for a number before a run shows one. Write yours in place of the `...`: a guess that was
# wrong teaches more than a figure that was read. It is kept beside the measured one, for you alone.

# %%
import inspect
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from IPython.display import display

from pslab import collectives, cost, viz
from pslab.comm import Deadlock, Disagreement, Link, ProcessWorld, Racks, SimWorld
from pslab.grade import predict, reveal
from pslab.viz import Note, Table

torch.set_num_threads(1)


def yes(truth):
    return "yes" if truth else "NO"


# %% [markdown]
# ## 1. One program, many ranks · *Beginner*
#
# A distributed program is written once and runs several times at the same time, often on several machines. Each running
# copy is a *rank*, counted from 0. All ranks execute the same lines; what makes them different is one number,
# `comm.rank`, which each of them can ask for. `comm.world_size` says how many there are, and is written $K$ in
# formulas.


# %%
def program(comm):
    neighbour = (comm.rank + 1) % comm.world_size
    return f"I am rank {comm.rank} of {comm.world_size}, and rank {neighbour} is to my right"


for line in SimWorld(3).run(program).results:
    print(line)

# %% [markdown]
# `SimWorld(3)` runs three ranks in a *simulated* world: in one process, with a clock of its own that knows how long a
# message would take. The same function also runs in `ProcessWorld(3)`, where every rank is an operating-system process
# with its own memory, and, over a real network, under `torchrun`. The list of results has one entry for each rank.
#
# The first surprise of distributed programming is about memory. Below, the notebook has a list with the number 0 in
# it. Three processes each add one to "the" list and return what they see. What number does the *notebook's own* list
# hold afterwards?

# %%
my_number = ...
predict("11.0", "the notebook's number after three ranks added one", my_number)

# %%
shared = [0]


def add_one(comm):
    shared[0] += 1
    return shared[0]


trio = ProcessWorld(3)
print("what the ranks saw:", trio.run(add_one).results)
_ = reveal("11.0", "the notebook's number after three ranks added one", lambda: shared[0])

# %% [markdown]
# Every rank has its *own* copy of every variable. Each took its 0, made it 1, and nobody else noticed. On a cluster it
# could not be otherwise: the memory of one machine is not the memory of another. The only way a value gets from
# one rank to another is a **message**.
#
# ### Push and pull
#
# A message has a sender and a receiver, and both must take part: `comm.send(x, dst=1)` on one side, `comm.recv(src=0)`
# on the other. When the owner of the data starts it, this is a *push*. When the one who needs the data has to ask
# first, it is a *pull*. Look at how many bands there are between the two ranks in each picture.

# %%
link = Link(latency_s=40e-6, bandwidth_Bps=1e9)      # 40 µs on the way, a billion bytes a second


def push(comm):
    if comm.rank == 0:
        comm.send(torch.ones(10_000), dst=1)         # 40,000 bytes
    else:
        return comm.recv(src=0).sum()


pushed = SimWorld(2, link=link).run(push)
viz.spacetime(pushed, title="Push: the owner sends")


# %%
def pull(comm):
    if comm.rank == 1:
        comm.send(torch.tensor([7.0]), dst=0)        # "please send me table 7"
        return comm.recv(src=0).sum()
    comm.recv(src=1)
    comm.send(torch.ones(10_000), dst=1)


pulled = SimWorld(2, link=link).run(pull)
viz.spacetime(pulled, title="Pull: the one who needs it asks first")

# %% [markdown]
# This is a *space–time diagram*: one line for each rank, time from left to right. A band is a message. It is as broad
# as the time for which it keeps the line busy, and it is slanted because the first byte needs a while to arrive. The
# pull has a second, very thin band: the question. It carries almost nothing and still costs a full trip.

# %%
for name, run in (("push", pushed), ("pull", pulled)):
    print(f"{name}  {1e6 * run.seconds:5.1f} µs   {run.ledger.total():,} bytes, "
          f"{run.ledger.messages()} message{'s' * (run.ledger.messages() > 1)}")

# %% [markdown]
# The number of bytes comes from the *ledger*, the account of every byte on every link that each run brings back.
#
# ### A hang, made on purpose
#
# `send` waits until the other side has received. So what happens if two ranks both send first and receive afterwards?
# On real machines such a program may work for years, while small messages happen to fit into some buffer, and then hang
# one day without a word. The simulator never buffers a `send`, and when nothing can move any more it says who waits for
# whom.


# %%
def both_send_first(comm):
    other = 1 - comm.rank
    comm.send(torch.full((3,), float(comm.rank)), dst=other)
    return comm.recv(src=other)


try:
    SimWorld(2).run(both_send_first)
except Deadlock as error:
    print(error)

# %% [markdown]
# Read it line by line: rank, the call in which it is stuck, for whom it waits, and the line of the program. Both wait
# for a `recv` which the other would only reach after its own `send`. There are two cures. One rank can receive first.
# Or both *start* sending and go on: `isend` returns at once, with a handle, and `wait()` on that handle comes later.


# %%
def start_then_receive(comm):
    other = 1 - comm.rank
    sending = comm.isend(torch.full((3,), float(comm.rank)), dst=other)
    received = comm.recv(src=other)
    sending.wait()                                   # from here on the tensor may be changed
    return received.tolist()


print(SimWorld(2).run(start_then_receive).results)

# %% [markdown]
# Until `wait()` has returned, the tensor still belongs to the message: whoever changes it before may send the changed
# numbers. (The simulator notices that too, and raises.)
#
# ### Wait and barrier
#
# `wait` is the smallest way to synchronise: one rank stops until one message is through. A *barrier* stops everybody
# until everybody has come. Below each rank computes for another time and then calls `barrier`. Look at the pale
# stretches.


# %%
def meet(comm):
    comm.compute((comm.rank + 1) * 1e-3)             # rank r computes r + 1 milliseconds
    comm.barrier()
    comm.compute(1e-3)
    return comm.now()


met = SimWorld(4).run(meet)
viz.timeline(met, title="A barrier: nobody goes on before the slowest is there")

# %% [markdown]
# The pale time is lost. A barrier makes everybody as slow as the slowest, and so does every pattern of the next section
# in which everybody needs something from everybody.
#
# ## 2. The collective patterns · *Beginner*
#
# In a *collective* all ranks call the same function, each with its own data, and all in the same order. Where they do
# not, a real cluster hangs or, worse, mixes up the data. Here rank 0 calls two collectives the other way round.


# %%
def other_order(comm):
    x, y = torch.ones(4), torch.ones(4)
    if comm.rank == 0:
        collectives.broadcast(comm, x)
        collectives.all_reduce(comm, y)
    else:
        collectives.all_reduce(comm, y)
        collectives.broadcast(comm, x)


try:
    SimWorld(3).run(other_order)
except Disagreement as error:
    print(error)

# %% [markdown]
# Here are eight collectives, each from a run with four ranks. To be able to follow the numbers, rank $r$ begins with
# four pieces that say $10r$, $10r+1$, $10r+2$, $10r+3$: a number tells you from which rank it comes and which piece it
# is. A piece is really 5,000 such numbers, 20,000 bytes, so that its time is visible.

# %%
N = 5_000                                            # numbers in a piece


def pieces_of(comm):
    """Four pieces of N equal numbers: on rank 2 they say 20, 21, 22, 23."""
    return (torch.arange(4).repeat_interleave(N) + 10 * comm.rank).float()


def brief(x):
    """One number for each piece: what a reader wants to see of 5,000."""
    if x is None:
        return "-"
    whole = torch.cat(list(x)) if isinstance(x, (list, tuple)) else x
    return " ".join(f"{value:g}" for value in whole[::N].tolist())


# %% [markdown]
# A table goes with every picture: what each rank had before and has after, what it sent and received as the ledger
# counted it, and whether that is what `pslab.cost` had predicted.


# %%
def show(title, program, expected):
    """Run a pattern on four ranks; draw it, and list what every rank had, has and moved."""
    run = SimWorld(4, link=link).run(program)
    display(viz.spacetime(run, title=title, rows=3))
    rows = []
    for rank, (before, after) in enumerate(run.results):
        out, into = run.ledger.port(rank)
        rows.append([rank, before, after, out, into, yes((out, into) == expected.ports[rank])])
    return Table(["rank", "before", "after", "sent (B)", "received (B)", "as predicted"], rows)


# %% [markdown]
# ### One to all: broadcast and scatter
#
# In a **broadcast** one rank has something that all others get as well: the initial weights of a model, for example.
# Here it is rank 1, and it has 80,000 bytes, all four pieces. Every rank is connected to the network by one *port*.
# Before you look: how many bytes leave the port of rank 1 until all of the four ranks have them?

# %%
my_bytes = ...
predict("11.0", "bytes that leave the port of the one who broadcasts", my_bytes, unit="B")


# %%
def broadcast(comm):
    x = pieces_of(comm)
    before = brief(x)
    collectives.broadcast(comm, x, src=1)
    return before, brief(x)


_ = reveal("11.0", "bytes that leave the port of the one who broadcasts",
           lambda: SimWorld(4, link=link).run(broadcast).ledger.port(1)[0])

# %% [markdown]
# Look in the picture at who sends in the second half, and in the table at the column "sent".

# %%
show("Broadcast from rank 1", broadcast, cost.broadcast(4 * 4 * N, K=4, src=1))

# %% [markdown]
# Rank 1 sends only twice. The rank that was told first helps: in each round everyone who has the data passes it on, so
# the number of those who know doubles. That is a *binomial tree*.
#
# A **scatter** also begins on one rank, but everyone gets a different piece: a share of a batch, say. Nobody can help
# here, because nobody else has the pieces. Look at how broad the bands are this time.


# %%
def scatter(comm):
    x = pieces_of(comm)
    mine = collectives.scatter(comm, list(x.chunk(4)) if comm.rank == 1 else None, src=1)
    return brief(x) if comm.rank == 1 else "-", brief(mine)


show("Scatter from rank 1", scatter, cost.scatter([4 * N] * 4, src=1))

# %% [markdown]
# ### All to one: gather and reduce
#
# Turn every arrow of a scatter round, and you have a **gather**: each rank has one piece, and one rank ends with all of
# them side by side. That is how results are collected.


# %%
def gather(comm):
    mine = pieces_of(comm).chunk(4)[comm.rank]
    return brief(mine), brief(collectives.gather(comm, mine, dst=1))


show("Gather to rank 1", gather, cost.gather([4 * N] * 4, dst=1))

# %% [markdown]
# A **reduce** is a broadcast turned round. All ranks have tensors of the same shape, and one rank ends with their sum,
# or their maximum, element by element. Sums can be formed on the way, so a tree helps again.


# %%
def reduce(comm):
    x = pieces_of(comm)
    before = brief(x)
    collectives.reduce(comm, x, dst=1)
    return before, brief(x)


show("Reduce to rank 1", reduce, cost.binomial_reduce(4 * 4 * N, K=4, dst=1))

# %% [markdown]
# Rank 1 has $0+10+20+30=60$ in its first piece, 64 in the second, and so on. The others still have what they had. Here
# is the difference between *gather* and *reduce* once more: after a gather the data of all ranks are still there, after
# a reduce only their sum is.
#
# ### All to all: four patterns
#
# In an **all-gather** everyone ends with what a gather gives to one. The ranks stand in a ring. Each sends to its right
# neighbour only, first its own piece and then always the piece that has just come in from the left. Look at the shape:
# no rank is special any more.


# %%
def all_gather(comm):
    mine = pieces_of(comm).chunk(4)[comm.rank]
    return brief(mine), brief(collectives.all_gather(comm, mine))


show("All-gather", all_gather, cost.ring_all_gather([4 * N] * 4))

# %% [markdown]
# A **reduce-scatter** is its mirror image: all ranks have whole tensors, and rank $r$ ends with piece $r$ of the sum.
# Each piece walks once around the ring and grows on its way.


# %%
def reduce_scatter(comm):
    x = pieces_of(comm)
    return brief(x), brief(collectives.reduce_scatter(comm, x))


show("Reduce-scatter", reduce_scatter, cost.ring_reduce_scatter(4 * N, K=4))

# %% [markdown]
# In an **all-reduce** everyone ends with the whole sum. Look for the two halves: it is a reduce-scatter followed by an
# all-gather. This is the pattern that sums gradients, and section 4 is about nothing else.


# %%
def all_reduce(comm):
    x = pieces_of(comm)
    before = brief(x)
    collectives.all_reduce(comm, x, algorithm="ring")
    return before, brief(x)


show("All-reduce", all_reduce, cost.ring_all_reduce(4 * N, K=4))

# %% [markdown]
# Note that the result is the *sum*. Whoever wants a mean divides by $K$, once.
#
# In an **all-to-all** every rank has one piece for every other rank. Think of a table with a row for each rank: the
# pattern transposes it. Nothing is added and nothing is passed on. Recommenders use it to send ids to the owners of
# embedding rows, and mixtures of experts to send tokens to their expert.


# %%
def all_to_all(comm):
    x = pieces_of(comm)
    return brief(x), brief(collectives.all_to_all(comm, list(x.chunk(4))))


show("All-to-all", all_to_all, cost.all_to_all([[4 * N] * 4] * 4))

# %% [markdown]
# Read the column "before" from top to bottom and "after" from left to right: rows have become columns. In the picture
# the bands of each round go one place further than those of the round before, so that no port is asked twice at the
# same time.

# %% [markdown]
# All eight side by side, with what all links carried and what the busiest port did. Which patterns are one another's
# mirror image? In which is no rank special?

# %%
eight = {"broadcast": broadcast, "scatter": scatter, "all-gather": all_gather,
         "all-reduce": all_reduce, "reduce": reduce, "gather": gather,
         "reduce-scatter": reduce_scatter, "all-to-all": all_to_all}
viz.patterns({name: SimWorld(4, link=link).run(program) for name, program in eight.items()})

# %% [markdown]
# ## 3. What it costs: α and β · *Intermediate*
#
# One message of $n$ bytes takes about $\alpha + n\beta$ seconds. $\alpha$ is what even an empty message costs; $\beta$
# is the time of one byte, the reciprocal of the bandwidth. A pattern that needs several messages *one after the other*
# pays $\alpha$ for each of these *rounds*. The model adds one thing: a rank has one **port**, and a port sends one
# message at a time and receives one at a time (both at once: *full duplex*). With $n$ bytes for a whole tensor, and
# $n/K$ for a piece, that gives:
#
# | pattern | time | why |
# | --- | --- | --- |
# | broadcast, reduce | $\lceil\log_2 K\rceil\,(\alpha + n\beta)$ | the number of those who know doubles each round |
# | scatter, gather | $(K-1)(\alpha + \frac{n}{K}\beta)$ | one port handles all pieces |
# | all-gather, reduce-scatter, all-to-all | $(K-1)(\alpha + \frac{n}{K}\beta)$ | every port handles $K-1$ pieces |
# | all-reduce, by a ring | $2(K-1)(\alpha + \frac{n}{K}\beta)$ | the two above, one after the other |
# | barrier | $\lceil\log_2 K\rceil\,\alpha$ | empty messages |
#
# A formula is a claim. Here are the eight programs of section 2 again, on a line that is slow on purpose: a millisecond
# for each message, eight million bytes a second. First the formula beside the simulator's clock.

# %%
wire = Link(latency_s=0, overhead_s=1e-3, bandwidth_Bps=8e6)
WHOLE, PIECE = 4 * 4 * N, 4 * N                      # bytes
patterns = {
    "broadcast": (broadcast, cost.broadcast(WHOLE, 4, src=1)),
    "reduce": (reduce, cost.binomial_reduce(WHOLE, 4, dst=1)),
    "scatter": (scatter, cost.scatter([PIECE] * 4, src=1)),
    "gather": (gather, cost.gather([PIECE] * 4, dst=1)),
    "all-gather": (all_gather, cost.ring_all_gather([PIECE] * 4)),
    "reduce-scatter": (reduce_scatter, cost.ring_reduce_scatter(4 * N, 4)),
    "all-to-all": (all_to_all, cost.all_to_all([[PIECE] * 4] * 4)),
    "all-reduce": (all_reduce, cost.ring_all_reduce(4 * N, 4)),
}
predicted, simulated, rows = {}, {}, []
for name, (program, traffic) in patterns.items():
    predicted[name] = 1e3 * traffic.seconds(wire.overhead_s, wire.bandwidth_Bps)
    simulated[name] = 1e3 * SimWorld(4, link=wire).run(program).seconds
    rows.append([name, traffic.rounds, traffic.critical_bytes, predicted[name],
                 round(simulated[name], 6)])
Table(["pattern", "rounds", "bytes in a row", "α–β formula (ms)", "simulated (ms)"], rows)

# %% [markdown]
# They agree to the last digit. "Bytes in a row" are those that must wait for one another. Now the same eight functions
# in four real processes on this machine. `ProcessWorld` can hold their ports to the same α and the same bandwidth;
# everything else, the processes, the copying, the waiting for a processor, is what it is. Three tries each, and the
# fastest counts.


# %%
def timed(comm, program):
    comm.barrier()
    start = comm.now()
    program(comm)
    return comm.now() - start


# %% tags=["nbval-ignore-output"]
measured = {}
with ProcessWorld(4, link=wire) as quartet:
    for name, (program, _) in patterns.items():
        tries = [max(quartet.run(timed, program).results) for _ in range(3)]
        measured[name] = 1e3 * min(tries)
        assert 0.8 < measured[name] / predicted[name] < 3, f"{name} took {measured[name]:.1f} ms"
series = {"α–β formula": predicted, "four processes": measured}
viz.bars(list(patterns), {what: list(times.values()) for what, times in series.items()}, unit="ms",
         quantity="time", looks={"α–β formula": "other", "four processes": "allreduce"},
         title="Eight patterns: predicted, and measured in real processes")

# %% [markdown]
# Two numbers, α and β, predict eight programs. (On your machine the lower bars differ a little from the stored ones:
# they are real.)
#
# Some of α may be *latency*, time that a message spends on the way while the port is free for the next one. In the
# pictures of section 2 all of it was: there a scatter sent its pieces close behind one another. The formulas above are
# exact when α is time of the port, and an upper bound when it is time on the way.
#
# ## 4. One sum, several ways · *Intermediate*
#
# Training needs the all-reduce more than anything else: gradients of all ranks are added, and everyone needs the sum.
# There are many ways to do that. This is one that students often write first: pass your tensor to the right, add what
# comes in from the left, pass that on, $K-1$ times.


# %%
def whole_ring(comm, P):
    right, left = (comm.rank + 1) % comm.world_size, (comm.rank - 1) % comm.world_size
    total = (torch.arange(P) * comm.world_size + comm.rank).float()
    travelling = total.clone()
    for _ in range(comm.world_size - 1):
        sending = comm.isend(travelling, dst=right)
        arrived = comm.recv(src=left)
        sending.wait()
        total += arrived
        travelling = arrived
    return total


def piecewise_ring(comm, P):
    total = (torch.arange(P) * comm.world_size + comm.rank).float()
    collectives.all_reduce(comm, total, algorithm="ring")
    return total


# %% [markdown]
# Both return the same sum. With six ranks, how many times as many bytes does the first one move?

# %%
my_ratio = ...
predict("11.0", "bytes of the whole-tensor ring over those of the ring in pieces", my_ratio,
        unit="times")

# %%
whole, piecewise = (SimWorld(6, link=link).run(way, 30_000)
                    for way in (whole_ring, piecewise_ring))
print("same sum:", yes(all(torch.equal(a, b) for a, b in zip(whole.results, piecewise.results))))
_ = reveal("11.0", "bytes of the whole-tensor ring over those of the ring in pieces",
           lambda: whole.ledger.total() / piecewise.ledger.total())

# %% [markdown]
# The right sum, and $K/2$ times the traffic. Nothing in the result gives it away: only the ledger and the clock do. The
# next two pictures have the same number of lanes; compare their time axes.

# %%
viz.spacetime(whole, title="Whole tensors around the ring: five rounds of everything", rows=3)

# %%
viz.spacetime(piecewise, title="The ring in pieces: ten rounds of a sixth", rows=3)

# %% [markdown]
# ### The ring in fifteen lines
#
# Nothing in this chapter is magic, and the ring least of all. Here it is, from `isend` and `recv` alone. `tensor_split`
# cuts the tensor into $K$ pieces, which need not be equally long. `recv(out=..., op="sum")` adds what comes in to what
# is there. Follow the index of the piece: it goes down by one in each step, because a piece moves up by one rank.


# %%
def my_ring(comm, x):
    """Sum the 1-dimensional tensor x over all ranks, in place."""
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    pieces = x.tensor_split(K)
    for step in range(K - 1):                        # reduce-scatter: pieces grow
        sending = comm.isend(pieces[(rank - 1 - step) % K], dst=right)
        comm.recv(src=left, out=pieces[(rank - 2 - step) % K], op="sum")
        sending.wait()
    for step in range(K - 1):                        # all-gather: complete pieces go round
        sending = comm.isend(pieces[(rank - step) % K], dst=right)
        comm.recv(src=left, out=pieces[(rank - 1 - step) % K])
        sending.wait()


# %% [markdown]
# The same as a picture, for three ranks. A box is a piece on a rank; it fills up as parts of more ranks are in it.
# Follow piece $a$: it starts on rank 1 and ends, complete, on rank 0, its owner, who then hands it out.

# %%
viz.ring_walk(3)

# %% [markdown]
# It should do what the library's ring does: the same numbers, the same bytes on every link, and the same virtual time,
# also where $K$ does not divide the length, and where there are fewer numbers than ranks.


# %%
def mine(comm, P):
    x = (torch.arange(P) * comm.world_size + comm.rank).float()
    my_ring(comm, x)
    return x


rows = []
for K, P in ((2, 1_000), (3, 1_000), (5, 1_001), (7, 3)):
    ours, library = (SimWorld(K, link=link).run(way, P) for way in (mine, piecewise_ring))
    rows.append([K, P, yes(all(torch.equal(a, b) for a, b in zip(ours.results, library.results))),
                 yes((ours.ledger.counts == library.ledger.counts).all()),
                 yes(ours.seconds == library.seconds)])
Table(["K", "numbers", "same sums", "same bytes on every link", "same virtual time"], rows)

# %% [markdown]
# ### Watch it, step by step
#
# To see the sums grow, rank 0 begins with ones, rank 1 with tens, rank 2 with hundreds and rank 3 with thousands. Then
# a number tells who is in it: 0110 is the sum of ranks 1 and 2, and 1111 is complete. `my_ring` asks only a few things
# of its `comm`, so a small class can stand in between and keep a diary. Here is the run after its second step, and what
# every rank holds then.


# %%
class Diary:
    """A comm that writes down what its rank holds after each receive."""

    def __init__(self, comm, x):
        self.rank, self.world_size, self.isend = comm.rank, comm.world_size, comm.isend
        self.comm, self.x, self.pages = comm, x, []
        self.note()

    def note(self):
        self.pages.append((self.comm.now(), " ".join(f"{int(v):04d}" for v in self.x[::N])))

    def recv(self, **how):
        self.comm.recv(**how)
        self.note()


def told_ring(comm):
    x = torch.full((4 * N,), 10.0**comm.rank)
    diary = Diary(comm, x)
    my_ring(diary, x)
    return diary.pages


# %%
story = SimWorld(4, link=link).run(told_ring)
viz.step(story, 2, snapshots=story.results)

# %% [markdown]
# Now play all six steps: with the play button, with the two buttons beside it, or with the slider. After which step
# does each rank have its first 1111? After which step do all have four of them?

# %% tags=["nbval-ignore-output"]
viz.scrubber(story, at=0, snapshots=story.results)

# %% [markdown]
# After three steps, which is $K-1$, every rank has one complete piece: that was the reduce-scatter. After three more,
# everyone has all of them.
#
# What pictures show is also there as rows, for those who do not see them or want to compute with them; and
# `story.trace.to_chrome(file)` writes a file that Perfetto (ui.perfetto.dev) opens, for runs too large to draw.

# %%
viz.table(story, rows=4)

# %% [markdown]
# ### Why nobody can send less
#
# Take a single number of the tensor. Before *any* rank can know its sum, each of the other $K-1$ ranks must have sent
# something about it. After that, each of the $K-1$ ranks that do not know it yet must receive something. That makes at
# least $2(K-1)$ transfers for each number, whatever the algorithm. Spread evenly over $K$ ports, a port sends at least
# $2\frac{K-1}{K}$ times the tensor. The ring sends exactly that: it is *bandwidth-optimal*. Which other row reaches the
# bound?

# %%
P = 64 * 1_000
ways = {"ring": cost.ring_all_reduce, "binomial tree": cost.binomial_all_reduce,
        "halving–doubling": cost.halving_doubling_all_reduce}
rows = [["least possible", *(2 * (K - 1) / K for K in (2, 4, 8, 64)), ""]]
for name, form in ways.items():
    rows.append([name, *(form(P, K).busiest / (4 * P) for K in (2, 4, 8, 64)), form(P, 64).rounds])
Table(["busiest port sends, in tensors", "K = 2", "K = 4", "K = 8", "K = 64", "rounds at 64"], rows)

# %% [markdown]
# Halving–doubling sends as little as the ring, and needs far fewer rounds. So does a tree, but it moves much more. A
# round costs α, so for short messages rounds are all that counts. Here are both.
#
# **Binomial tree:** reduce to rank 0, then broadcast from there. Few rounds, but whole tensors.


# %%
def all_reduced(comm, P, how):
    x = (torch.arange(P) * comm.world_size + comm.rank).float()
    collectives.all_reduce(comm, x, **how)
    return x


tree = SimWorld(8, link=link).run(all_reduced, 10_000, {"algorithm": "binomial"})
viz.spacetime(tree, title="Binomial tree, eight ranks: to rank 0 and back", rows=3)

# %% [markdown]
# **Halving–doubling:** partners swap halves, then quarters, then eighths, each adding what comes in; then the same way
# back. Look how the bands become narrower towards the middle while the partners change.

# %%
halving = SimWorld(8, link=link).run(all_reduced, 10_000, {"algorithm": "halving_doubling"})
viz.spacetime(halving, title="Halving–doubling: half, quarter, eighth, and back", rows=3)

# %% [markdown]
# ### Short messages, long messages
#
# There is a fourth way: **recursive doubling**. Partners as in halving–doubling, but they swap whole sums, so that
# nothing has to go back. Twelve ranks, α = 10 µs, 12.5 GB/s. From the left to the right tensors grow from a hundred
# bytes to a hundred megabytes. Which line is lowest at which end?

# %%
ALPHA_S, BANDWIDTH_BPS = 10e-6, 12.5e9
sizes = [100 * 10 ** (i / 4) for i in range(25)]
model = cost.AlphaBeta(ALPHA_S, BANDWIDTH_BPS)
looks = {"ring": "allreduce", "binomial": "server", "halving_doubling": "hybrid",
         "recursive_doubling": "gather"}
times = {name: [1e6 * cost.all_reduce_s(name, round(size / 4), 12, model) for size in sizes]
         for name in looks}
viz.curve([size / 1e3 for size in sizes], times, looks=looks, log="xy", rows=7,
          xlabel="tensor (kB)", ylabel="time, α–β formula (µs)",
          title="Four ways to add up, twelve ranks")

# %% [markdown]
# On the left the ring loses, because it pays $2(K-1)$ times α, and recursive doubling wins with the fewest rounds. On
# the right those lose that move whole tensors. In the middle, halving–doubling. (With 2, 4, 8, 16, … ranks it sends no
# more than the ring and would win on the right as well; all other numbers of ranks cost it two extra rounds.) Where two
# lines cross can be computed. The next table says from which size on the ring is no slower than the tree.

# %%
rows = []
for K in (2, 3, 4, 8, 16, 64):
    switch = cost.ring_from_bytes(K, ALPHA_S, BANDWIDTH_BPS, instead_of="binomial")
    rows.append([K, 2 * (K - 1), cost.binomial_all_reduce(K, K).rounds, round(switch),
                 "always the ring" if not switch else f"from {viz.sized(switch)} on"])
Table(["K", "rounds of the ring", "rounds of the tree", "switch (B)", "use the ring"], rows)

# %% [markdown]
# "A tree is faster for short messages" is false for two and three ranks: there the ring has no more rounds than the
# tree. From four ranks on it is true, and the more ranks there are, the longer the messages for which it is true. Is
# the point where they cross right? The simulator runs both algorithms at half that size and at twice that size.

# %%
line = Link(latency_s=0, overhead_s=ALPHA_S, bandwidth_Bps=BANDWIDTH_BPS)
rows = []
for K in (4, 16):
    switch = cost.ring_from_bytes(K, ALPHA_S, BANDWIDTH_BPS)
    for share in (0.5, 2):
        elements = round(share * switch / 4)
        runs = [SimWorld(K, link=line, trace=False).run(all_reduced, elements, {"algorithm": way})
                for way in ("binomial", "ring")]
        times = [1e6 * run.seconds for run in runs]
        rows.append([K, viz.sized(4 * elements), *(round(t, 1) for t in times),
                     ("tree", "ring")[times[1] < times[0]]])
Table(["K", "tensor", "tree (µs)", "ring (µs)", "faster"], rows, note="simulated")

# %% [markdown]
# You will also read that rings are for "at most 32 ranks". There is no such number: it depends on the size. The ring is
# within a factor of two of the time that its bytes alone need once the tensor has $K\alpha/\beta$ bytes. With these
# lines:

# %%
for K in (32, 64, 1024):
    n = K * ALPHA_S * BANDWIDTH_BPS
    ring = cost.ring_all_reduce(round(n / 4), K)
    least_s = ring.busiest / BANDWIDTH_BPS
    print(f"{K:5} ranks: {viz.sized(n):>7}, then the ring takes "
          f"{ring.seconds(ALPHA_S, BANDWIDTH_BPS) / least_s:.2f} times the time of its bytes alone")

# %% [markdown]
# ### Let the program choose
#
# Nobody wants to look such numbers up. `algorithm="auto"` takes the fastest algorithm for the size at hand, if it knows
# α and β. `collectives.fit(world)` finds them out: it sends a few messages and fits the line $\alpha + n\beta$ through
# their times. In the simulator it must find exactly what the line was built with. Then it says from which size on
# `auto` takes what.

# %%
twelve = SimWorld(12, link=line)
model = collectives.fit(twelve)
print(f"found: α = {1e6 * model.link.alpha_s:.1f} µs, {model.link.bandwidth_Bps / 1e9:.1f} GB/s")
Table(["from", "auto takes"],
      [[viz.sized(size), name] for size, name in model.switches(100, 10**8)])

# %% [markdown]
# And on this machine, with four processes? There the sums take time too, and ranks take turns on the processors, so
# `fit` also times each algorithm at a few sizes. Your machine decides what stands in this table.

# %% tags=["nbval-ignore-output"]
with ProcessWorld(4) as quartet:
    real = collectives.fit(quartet, sizes=(1 << 10, 1 << 14, 1 << 18, 1 << 22), repeats=3)
assert real.link.bandwidth_Bps > 0
print(f"found: α = {1e6 * real.link.alpha_s:.0f} µs, {real.link.bandwidth_Bps / 1e9:.2f} GB/s")
Table(["from", "auto takes"], [[viz.sized(size), name] for size, name in real.switches()])

# %% [markdown]
# ## 5. Racks: who stands next to whom · *Advanced*
#
# So far every pair of ranks was equally far apart. In a machine room ranks stand in racks, and all ranks of a rack
# share one **uplink** to the rest. The uplink is a port of the rack: one message at a time in each direction. Suppose
# there are four racks of four ranks, and an uplink that is no faster than the port of a single rank.
#
# A scheduler that hands out machines one by one may number the ranks in two ways: rack by rack, or alternating between
# the racks. Nothing else differs, and no line of a program. Your last number: how many times as many bytes does a ring
# send over an uplink when the ranks alternate?

# %%
my_times = ...
predict("11.0", "bytes over an uplink, alternating over rack by rack", my_times, unit="times")

# %%
K, G = 16, 4
placements = {"rack by rack": [list(range(4 * g, 4 * g + 4)) for g in range(G)],
              "alternating": [list(range(g, K, G)) for g in range(G)]}
for name, racks in placements.items():
    print(f"{name:13} {racks}")

# %%
uplink = Link(latency_s=0, overhead_s=ALPHA_S, bandwidth_Bps=BANDWIDTH_BPS)


def on_racks(racks, elements, how):
    world = SimWorld(K, link=line, racks=Racks(racks, uplink=uplink))
    return world.run(all_reduced, elements, how)


rings = {name: on_racks(racks, 16_000, {"algorithm": "ring"})
         for name, racks in placements.items()}
out = {name: ring.ledger.uplink(0)[0] for name, ring in rings.items()}
_ = reveal("11.0", "bytes over an uplink, alternating over rack by rack",
           lambda: out["alternating"] / out["rack by rack"])

# %% [markdown]
# Numbered rack by rack, only the last rank of each rack has its right neighbour in another rack: one message in each
# step takes the uplink. Alternating, *every* message does, and four of them stand in line for each uplink. Here is one
# step of a ring, of two racks of four, on the slow lines of section 2. Compare the two time axes.


# %%
def one_step(comm):
    sending = comm.isend(torch.ones(N), dst=(comm.rank + 1) % comm.world_size)
    comm.recv(src=(comm.rank - 1) % comm.world_size)
    sending.wait()


racks = Racks([[0, 1, 2, 3], [4, 5, 6, 7]], uplink=link)
stepped = SimWorld(8, link=link, racks=racks).run(one_step)
viz.spacetime(stepped, title="One step, rack by rack: two messages cross", rows=3)

# %%
racks = Racks([[0, 2, 4, 6], [1, 3, 5, 7]], uplink=link)
stepped = SimWorld(8, link=link, racks=racks).run(one_step)
viz.spacetime(stepped, title="One step, alternating: four wait for each uplink", rows=3)

# %% [markdown]
# How do the other algorithms fare? Two of them have something to choose. **Halving–doubling** may swap its large halves
# with the nearest partner first, or with the farthest. And the **hierarchical** algorithm knows the racks: a tree
# inside each rack to a leader, a ring of the leaders, a tree back.

# %%
contenders = {
    "ring": {"algorithm": "ring"},
    "binomial tree": {"algorithm": "binomial"},
    "halving–doubling, near first": {"algorithm": "halving_doubling", "partner": "near"},
    "halving–doubling, far first": {"algorithm": "halving_doubling", "partner": "far"},
    "hierarchical": {"algorithm": "hierarchical"},
}


def contest(elements):
    """{placement: {algorithm: run}} for a tensor of so many numbers."""
    runs = {placement: {} for placement in placements}
    for placement, racks in placements.items():
        for name, how in contenders.items():
            how = {**how, "groups": racks} if name == "hierarchical" else how
            runs[placement][name] = on_racks(racks, elements, how)
    return runs


# %% [markdown]
# A tensor of four megabytes. Two questions: which algorithm does not care how ranks are numbered, and does the one with
# the fewest bytes over the uplink win?

# %%
ELEMENTS = 1_000_000
long = contest(ELEMENTS)
rows = []
for name, how in contenders.items():
    row = [name]
    for placement, racks in placements.items():
        run = long[placement][name]
        link_bytes = cost.all_reduce_links(**{"partner": "near", **how}, elements=ELEMENTS, K=K,
                                           groups=racks)
        counted = [run.ledger.uplink(g) for g in range(G)]
        agree = counted == list(cost.uplink_bytes(link_bytes, racks))
        row += [viz.sized(counted[0][0]), round(1e6 * run.seconds), yes(agree)]
    rows.append(row)
Table(["all-reduce of 4 MB", "uplink, rack by rack", "time (µs)", "bytes as predicted",
       "uplink, alternating", "time (µs)", "bytes as predicted"], rows)

# %%
viz.bars(list(contenders), {placement: [1e6 * run.seconds for run in runs.values()]
                            for placement, runs in long.items()},
         unit="µs", quantity="time", looks={"rack by rack": "allreduce", "alternating": "amber"},
         title="All-reduce of 4 MB over four racks, simulated")

# %%
best = {placement: min(runs, key=lambda name: runs[name].seconds)
        for placement, runs in long.items()}
swing = long["alternating"]["ring"].seconds / long["rack by rack"]["ring"].seconds
Note(f"Rack by rack the {best['rack by rack']} is fastest. Alternating it is the "
     f"{best['alternating']}: the ring has become {swing:.1f} times as slow, by a change in the "
     f"order of names. Near and far first have changed places, because the nearest number now "
     f"stands in another rack. Only the hierarchical algorithm was told where the racks are, and "
     f"does not care.")

# %% [markdown]
# On alternating racks a user can repair a ring without asking for other machines: number the ranks anew, rack by rack,
# with `comm.split`, and run the ring on that group.


# %%
def renumbered(comm, P, order):
    group = comm.split(0, key=order.index(comm.rank))
    joined_s = comm.now()
    all_reduced(group, P, contenders["ring"])
    return joined_s


racks = Racks(placements["alternating"], uplink=uplink)
repaired = SimWorld(K, link=line, racks=racks).run(renumbered, ELEMENTS, racks.rack_by_rack(K))
for name, run in (("alternating", long["alternating"]["ring"]), ("renumbered", repaired)):
    print(f"ring, {name:12} {viz.sized(run.ledger.uplink(0)[0]):>8} over an uplink, "
          f"{1e6 * run.seconds:6,.0f} µs")
print(f"of which the split, made once, took {1e6 * max(repaired.results):.0f} µs")

# %% [markdown]
# ### Move it yourself
#
# All of this in one figure: the time of every algorithm against the size of the tensor, and the bars for one size. Here
# are sixteen ranks in four racks, whose uplinks are as fast as a single port. (The *chunked ring* sends each piece as a
# train of four smaller ones, so that the way of one overlaps with the sending of the next.)

# %%
viz.algorithms(1 << 20, K=16, racks=4)

# %% [markdown]
# Now with controls. Which algorithm wins for the shortest messages, and does the bandwidth matter there? How fast must
# the uplinks be until the racks hardly matter? Make α large and all of it latency: what does the chunked ring gain?

# %% tags=["nbval-ignore-output"]
viz.algorithms_widget(racks=4)

# %% [markdown]
# Three things decide: how many rounds, how many bytes through the busiest port, and how many of these through the
# narrowest place.

# %% [markdown]
# ## 6. A thousand ranks on a laptop · *Intermediate*
#
# A rank in the simulator is not a process, so there can be many of them. Here are 1,024 ranks with half a ring
# all-reduce, the reduce-scatter of `my_ring`, on NumPy arrays this time. They exchange more than a million messages.
# That takes this machine a while, and the virtual cluster hardly any time.


# %%
def half_a_ring(comm, forgetful=None):
    """Reduce-scatter in a ring, one number a piece; rank `forgetful` omits its last recv."""
    K, rank = comm.world_size, comm.rank
    pieces = np.ones((K, 1), np.float32)
    for step in range(K - 1):
        sending = comm.isend(pieces[(rank - 1 - step) % K], dst=(rank + 1) % K)
        if not (rank == forgetful and step == K - 2):
            comm.recv(src=(rank - 1) % K, out=pieces[(rank - 2 - step) % K], op="sum")
        sending.wait()
    return float(pieces[rank, 0])


start = time.perf_counter()
large = SimWorld(1024, link=line, trace=False).run(half_a_ring)
print(f"measured: {time.perf_counter() - start:.1f} s")
print(f"{large.ledger.messages():,} messages; every rank has the sum: {set(large.results)}")
formula = cost.ring_reduce_scatter(1024, 1024).seconds(ALPHA_S, BANDWIDTH_BPS)
print(f"virtual time {1e3 * large.seconds:.3f} ms, formula {1e3 * formula:.3f} ms")

# %% [markdown]
# ### One line too few
#
# Now a mistake that is hard to find on a real cluster: one rank leaves out one single `recv`, in the last step. Nobody
# crashes, nobody prints anything. Nearly everybody finishes. Which of 512 ranks hangs, and in which line?

# %%
try:
    SimWorld(512, link=line, trace=False).run(half_a_ring, 300)
except Deadlock as error:
    print(error)

# %% [markdown]
# The simulator names the rank that hangs, the call and its line, the peer for which it waits, and the message that
# nobody received. The culprit is that peer: rank 300 has ended, and one message for it was left over. It is not the
# rank that hangs who made the mistake.

# %% [markdown]
# ## In production
#
# **The same names.** PyTorch offers these patterns in `torch.distributed`, and the functions of this chapter are called
# as they are called there, so what you have learned carries over:
#
# | here | `torch.distributed` | NCCL, on GPUs |
# | --- | --- | --- |
# | `comm.send`, `comm.recv`, `comm.isend` | `send`, `recv`, `isend` | `ncclSend`, `ncclRecv` |
# | `broadcast(comm, x, src)` | `broadcast(x, src)` | `ncclBroadcast` |
# | `reduce`, `all_reduce` | `reduce`, `all_reduce` | `ncclReduce`, `ncclAllReduce` |
# | `reduce_scatter` | `reduce_scatter_tensor` | `ncclReduceScatter` |
# | `all_gather` | `all_gather`, `all_gather_into_tensor` | `ncclAllGather` |
# | `scatter`, `gather`, `all_to_all` | `scatter`, `gather`, `all_to_all` | sends and receives in a group |
# | `comm.barrier()` | `barrier()` | none of its own |
# | `comm.split(color)` | `new_group`, `split_group` | `ncclCommSplit` |
#
# Two things differ: there the group is a hidden default instead of a `comm` that is passed around, and some of these
# functions write into tensors that you allocate. Below, Gloo, PyTorch's library for CPUs, runs for real in the same
# three processes as ours. Do both give the same?


# %%
def side_by_side(comm):
    import torch.distributed as dist
    K, same = comm.world_size, {}
    x = (torch.arange(12) * K + comm.rank).float()
    theirs, ours = x.clone(), x.clone()
    dist.all_reduce(theirs)
    collectives.all_reduce(comm, ours)
    same["all_reduce"] = torch.equal(theirs, ours)
    theirs, ours = x.clone(), x.clone()
    dist.broadcast(theirs, src=1)
    collectives.broadcast(comm, ours, src=1)
    same["broadcast"] = torch.equal(theirs, ours)
    lists = [torch.empty(12) for _ in range(K)]
    dist.all_gather(lists, x)
    same["all_gather"] = all(map(torch.equal, lists, collectives.all_gather(comm, x)))
    lists = [torch.empty(12) for _ in range(K)] if comm.rank == 0 else None
    dist.gather(x, lists, dst=0)
    gathered = collectives.gather(comm, x, dst=0)
    same["gather"] = gathered is lists is None or all(map(torch.equal, lists, gathered))
    return same


# %%
with tempfile.TemporaryDirectory() as folder:
    answers = trio.run(lambda comm: collectives.ddp.run_in_group(comm, side_by_side, comm,
                                                                 folder=folder)).results
for name in answers[0]:
    agree = all(answer[name] for answer in answers)
    print(f"{name:12} equal to torch.distributed on every rank: {yes(agree)}")
trio.close()                                         # its processes are gone

# %% [markdown]
# **The same speed?** Libraries are compared by *bus bandwidth*: the bytes that a port had to carry, $2\frac{K-1}{K}n$,
# divided by the time. It does not depend on the number of ranks, so it can be held against what the hardware offers.
# Here are the fifteen lines of section 4, this kit's ring and Gloo, side by side in two processes on this machine, each
# with four megabytes.


# %%
def bus_bandwidth(comm, ways, x, device_done=lambda: None):
    """{name: GB/s of bus bandwidth}, by the median of seven all-reduces of x."""
    import statistics
    K, found = comm.world_size, {}
    for name, way in ways.items():
        seconds = []
        for _ in range(7):
            comm.barrier()
            device_done()
            start = comm.now()
            way(x)
            device_done()
            seconds.append(comm.now() - start)
        port_bytes = 2 * (K - 1) / K * x.numel() * x.element_size()
        found[name] = port_bytes / statistics.median(seconds) / 1e9
    return found


def three_rings(comm):
    import torch.distributed as dist
    ways = {"fifteen lines": lambda x: my_ring(comm, x),
            "pslab.collectives": lambda x: collectives.all_reduce(comm, x, algorithm="ring"),
            "Gloo": dist.all_reduce}
    return bus_bandwidth(comm, ways, torch.zeros(1_000_000))


# %% tags=["nbval-ignore-output"]
with ProcessWorld(2) as pair, tempfile.TemporaryDirectory() as folder:
    found = pair.run(lambda comm: collectives.ddp.run_in_group(comm, three_rings, comm,
                                                               folder=folder)).results[0]
assert all(speed > 0 for speed in found.values())
viz.bars(list(found), {"two processes": list(found.values())}, unit="GB/s",
         quantity="bus bandwidth",
         looks={"fifteen lines": "gather", "pslab.collectives": "allreduce", "Gloo": "other"},
         title="All-reduce of 4 MB in two processes, measured")

# %% [markdown]
# This comparison holds for one machine only: the processes of `ProcessWorld` hand long tensors over in common memory,
# while Gloo sends them through sockets, as it does between machines, where nobody has common memory.
#
# **On GPUs** the same fifteen lines run over NCCL, because `TorchWorld` has the same `comm`. The last cell starts them
# with `torchrun`, one process a GPU, and measures NCCL's own all-reduce beside them.

# %%
GPU_PROGRAM = """
import sys, torch, torch.distributed as dist
from pslab.comm import TorchWorld

{functions}

def program(comm, backend):
    group, gpu = dist.new_group(backend=backend), comm.device.type == "cuda"
    done = torch.cuda.synchronize if gpu else lambda: None
    ways = {{"fifteen lines": lambda x: my_ring(comm, x),
            backend: lambda x: dist.all_reduce(x, group=group)}}
    for megabytes in (1, 16, 256):
        x = torch.zeros(megabytes * 250_000, device=comm.device)
        found = bus_bandwidth(comm, ways, x, done)
        if comm.rank == 0:
            speeds = ", ".join(f"{{name}} {{speed:.2f}} GB/s" for name, speed in found.items())
            print(f"{{megabytes:4}} MB: {{speeds}}", flush=True)

TorchWorld(sys.argv[1]).run(program, sys.argv[1])
"""


# %%
def on_gpus(ranks, backend="nccl"):
    """What `torchrun` prints for the program above."""
    functions = "\n\n".join(inspect.getsource(function) for function in (my_ring, bus_bandwidth))
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "rings.py")
        with open(file, "w", encoding="utf-8") as text:
            text.write(GPU_PROGRAM.format(functions=functions))
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone",
                   f"--nproc-per-node={ranks}", file, backend]
        return subprocess.run(command, text=True, capture_output=True, timeout=300)


# %% tags=["nbval-ignore-output"]
gpus = torch.cuda.device_count()
if gpus >= 2:
    done = on_gpus(gpus)
    print(done.stdout or done.stderr[-2000:])
else:
    print(f"This machine has {gpus} CUDA devices. With two or more, this cell would print the bus "
          "bandwidth of the fifteen lines over NCCL and of NCCL's own all-reduce, for 1 to 256 MB.")

# %% [markdown]
# ### What is often said
#
# Each line can be checked in a cell above.
#
# | often said | what the cells show | where |
# | --- | --- | --- |
# | variables are shared: all ranks run the same program | every rank has its own; only messages connect them | 1 |
# | a `send` that has returned without a receiver is normal | only with luck and buffers; two senders hang | 1 |
# | an all-reduce gives the mean | it gives the sum; divide by $K$, once | 2 |
# | a ring sends the whole tensor in each step | a $K$-th of it; who sends all of it moves $K/2$ times the bytes | 4 |
# | a ring's time does not depend on the number of ranks | its bytes hardly do; its $2(K-1)$ latencies do | 4 |
# | a tree is always faster for short messages | never with two or three ranks | 4, table of switches |
# | rings are for at most 32 ranks | it depends on the size: compare it with $K\alpha/\beta$ | 4 |
# | a ring reaches $2(K-1)/K$ of the bandwidth | that is what a port sends, in tensors | 4 |
# | a tree cannot use the full bandwidth | this one cannot; NCCL's *two* trees at once can | reading |
# | an all-to-all is an all-gather | a transposition: nothing is copied to everybody | 2 |
# | all-gather is for embedding shards | ZeRO and FSDP gather weights; embedding rows travel by all-to-all | 2 |
# | it does not matter which machine is rank 0 | it does as soon as an uplink is shared | 5 |
#
# ## Did it stick?
#
# Answer first, then click.
#
# <details><summary><b>Two ranks call <code>recv</code> first and <code>send</code> afterwards. What
# happens?</b></summary>
# <p>A deadlock, like two who send first: each waits for a message that the other would send later.</p></details>
#
# <details><summary><b>One rank has a table, all others need a different part of it each. Which pattern, and which port
# is the busiest?</b></summary>
# <p>A scatter. The port of the one who has it: it sends K − 1 parts, and no helper can take that off it.</p></details>
#
# <details><summary><b>Ten ranks all-reduce 100 MB in a ring. What does each port send?</b></summary>
# <p>2 · 9/10 of it: 180 MB, in 18 rounds.</p></details>
#
# <details><summary><b>Which two patterns, one after the other, make an all-reduce?</b></summary>
# <p>A reduce-scatter and an all-gather; or a reduce and a broadcast, which is what the tree does.</p></details>
#
# <details><summary><b>Three ranks, ten bytes each. Ring or tree?</b></summary>
# <p>Ring: with three ranks it has as many rounds as the tree, 4, and moves less.</p></details>
#
# <details><summary><b>Your all-reduce became four times slower overnight. The program is the same, and so are the
# machines. What do you look at?</b></summary>
# <p>The order of the ranks: who stands in which rack, and how often the ring leaves one.</p></details>
#
# <details><summary><b>A rank's buffer is changed between <code>isend</code> and <code>wait</code>. What may
# arrive?</b></summary>
# <p>The old numbers, the new ones, or some of each: until wait returns, it belongs to the message.</p></details>
#
# The figures in these answers, computed:

# %%
ten = cost.ring_all_reduce(25 * 10**6, 10)
print(f"ring of ten:    {viz.sized(ten.busiest)} out of each port, {ten.rounds} rounds")
print(f"three ranks:    ring {cost.ring_all_reduce(3, 3).rounds} rounds, "
      f"tree {cost.binomial_all_reduce(3, 3).rounds} rounds")

# %% [markdown]
# Now do it yourself: [Lab 0A: patterns from messages](../labs/lab_00a_patterns.ipynb).
#
# And then on to the second part of this chapter, [11.0b: gradients together](11_00b_gradients_together.ipynb).
#
# ## Further reading
#
# - P. Patarasuk, X. Yuan: *Bandwidth Optimal All-reduce Algorithms for Clusters of Workstations*, Journal of Parallel
#   and Distributed Computing, 2009.
# - R. Thakur, R. Rabenseifner, W. Gropp: *Optimization of Collective Communication Operations in MPICH*, International
#   Journal of High Performance Computing Applications, 2005. Trees, halving–doubling, and when to use which.
# - R. W. Hockney: *The Communication Challenge for MPP: Intel Paragon and Meiko CS-2*, Parallel Computing, 1994. The
#   model with α and β.
# - P. Sanders, J. Speck, J. L. Träff: *Two-tree Algorithms for Full Bandwidth Broadcast, Reduction and Scan*, Parallel
#   Computing, 2009.
# - A. Sergeev, M. Del Balso: *Horovod: Fast and Easy Distributed Deep Learning in TensorFlow*, arXiv 1802.05799, 2018.
# - NVIDIA: *nccl-tests*, where algorithm bandwidth and bus bandwidth are defined.
