# %% [markdown]
# # Lab 1: why a parameter server
#
# After the ring of lab 0A this lab is a short one. You count what fills up first when workers are added, turn a PyTorch
# model into keys and values that a server understands, compute what many machines gain, and look into the traces of
# replicas for the one thing that every text on optimisation takes for granted: $w_t$.
#
# **After this lab you can**
#
# 1. say what goes through the busiest port, per direction, for a ring and for servers anywhere, and what that means as time;
# 2. see any PyTorch model as ranges of 64-bit keys, and read it back bit for bit in another process;
# 3. tell strong from weak scaling, and fit Amdahl's $f$;
# 4. say from a trace whether there was one $w_t$, and how far the copies were apart.
#
# **Before you start:** lab 0A, and chapter 11.1.
# **Time:** 45 minutes for the core, 60 for everything, with reading; the minutes below are for writing.
#
# | | | points | minutes | |
# | --- | --- | --- | --- | --- |
# | 1.1 | The busiest link | 10 | 10 | core |
# | 1.2 | A model as keys and values | 20 | 20 | core |
# | 1.3 | Speedup, efficiency, and Amdahl's f | 10 | 10 | core |
# | 1.4 | Where is w? | 15 | 15 | optional |
# | 1.5 | Three generations | 1 | 5 | optional |
#
# Write your answer where a cell says `raise NotImplementedError`, then run the check below it. A check prints what
# was expected and what was seen; it never stops the notebook. Stuck? `pslab hint 1.1` in a terminal (`source
# .venv/bin/activate` first) shows one hint more each time. Formulas and ranges are yours to find: an answer that imports
# `pslab.ps`, `pslab.cost`, `pslab.collectives` or `pslab.models`, by itself or through `from pslab import viz`, is refused;
# write `pslab.viz` where you want a picture. Where a cell asks for a number *before* a run, commit to one: a wrong
# prediction costs no points, and is what you learn from.

# %%
import numpy as np
import torch

import pslab
from pslab.comm import Link, SimWorld
from pslab.grade import check, predict, reveal

torch.set_num_threads(1)

# %% [markdown]
# ## 1.1 The busiest link
#
# *10 points · 10 minutes · core · exercise 11.1.1*
#
# Every machine has one port, which carries bytes out and in at the same time. A step can be no faster than the busiest
# port's busier direction. Here is a dense step of three workers with one server, written with plain messages: everyone
# pulls all $P$ numbers, then pushes as many. What the server's port took in and gave out stands in the last line.


# %%
def one_server(comm, K, P):
    """Ranks 0..K-1 are workers, rank K is the server."""
    numbers = np.zeros(P, np.float32)
    if comm.rank == K:
        for worker in range(K):
            comm.send(numbers, worker)
        for worker in range(K):
            comm.recv(worker)
    else:
        comm.recv(K)
        comm.send(numbers, K)


run = SimWorld(3 + 1).run(one_server, 3, 100)
for rank in range(4):
    out, into = run.ledger.port(rank)
    print(f"{'worker' if rank < 3 else 'server'} {rank}: {out:>5,} B out, {into:>5,} B in")

# %% [markdown]
# **Goal.** `busiest_link(K, S, P, overlap)` returns four whole numbers: the bytes through the busiest port, in its busier
# direction, of one dense step with $K$ workers and $P$ float32 numbers.
#
# | | who serves |
# | --- | --- |
# | `'ring'` | nobody; a ring all-reduce of the $K$ workers |
# | `'one server'` | one machine more |
# | `'servers'` | $S$ machines more, with $P/S$ numbers each; $S$ may be larger than $K$ |
# | `'beside'` | the first $\min(S, K)$ workers' machines, with equal parts; what stays on a machine crosses no port |
#
# $P$ is divisible by whatever it is shared by. `overlap` is the share of the push that runs beside the next pull, from 0 to 1;
# what does it do to *bytes*?
#
# `times_slower(K, overlap)` returns the seconds of a step with one server over those of the ring's step, when bytes are
# all that costs time. Without overlap the server's step is a pull and then a push; with overlap 1 they run side by side.
#
# **Worked example:** `busiest_link(4, 2, 100, 0.5)` is `{'ring': 600, 'one server': 1600, 'servers': 800, 'beside': 800}`,
# and `times_slower(8, 1.0)` is 4.571.


# %% answer="1.1"
def busiest_link(K, S, P, overlap):
    """{'ring', 'one server', 'servers', 'beside'}: bytes, whole numbers"""
    ### BEGIN SOLUTION
    model = 4 * P                                                 # bytes; overlap changes seconds only
    here = min(S, K)
    return {"ring": 2 * (K - 1) * (model // K),
            "one server": K * model,
            "servers": max(K * (model // S), model),              # a server's port, a worker's port
            "beside": model - model // here + (K - 1) * (model // here)}
    ### END SOLUTION


def times_slower(K, overlap):
    """Seconds with one server over seconds of the ring"""
    ### BEGIN SOLUTION
    ring = 2 * (K - 1) / K                                        # in units of the model, per direction
    return (2 - overlap) * K / ring
    ### END SOLUTION


# %% check="1.1"
check("1.1", busiest_link, times_slower)

# %% [markdown]
# Your figures for sixteen workers and more and more servers. Before you run the cell: from how many servers on does one
# more change nothing for `'servers'`?

# %% answer="1.1"
servers_enough = ...
### BEGIN SOLUTION
servers_enough = 8
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("1.1", "servers that are enough for sixteen workers", servers_enough, unit="servers")

# %% needs="1.1" tags=["nbval-ignore-output"]
COUNTS = [1, 2, 4, 8, 16, 32, 64]
links = [busiest_link(16, S, 64_000_000, 0.0) for S in COUNTS]
least = min(link["servers"] for link in links)
_ = reveal("1.1", "servers that are enough for sixteen workers",
           lambda: next(S for S, link in zip(COUNTS, links) if link["servers"] == least))

# %% needs="1.1"
pslab.viz.curve(COUNTS, {name: [link[name] / 1e6 for link in links] for name in ("one server", "servers", "beside", "ring")},
                log="xy", xlabel="servers S (count)", ylabel="busiest port, per direction (MB)", rows=7,
                looks={"one server": "amber", "servers": "server", "beside": "gather", "ring": "allreduce"},
                title="Sixteen workers, 64 million float32 numbers, by your function")

# %% [markdown]
# A worker's own port is the floor: as many servers as workers reach it, and more of them serve nobody. Servers beside the
# workers end exactly on the ring's line.
#
# ## 1.2 A model as keys and values
#
# *20 points · 20 minutes · core · exercise 11.1.2*
#
# A server knows no layers. It has **keys**, whole numbers of 64 bits, and under each key a float32 number. So a model
# is *counted*: each of its tensors becomes one contiguous range of keys. Here is what PyTorch tells of a small model whose
# last layer shares its weight with the first one:

# %%
tied = torch.nn.Sequential(torch.nn.Embedding(5, 4), torch.nn.Linear(4, 4), torch.nn.Linear(4, 5, bias=False))
tied[2].weight = tied[0].weight
for name, tensor in tied.named_parameters():
    print(f"{name:10} {tuple(tensor.shape)}  {tensor.numel():>3} numbers")

# %% [markdown]
# **Goal.** Two functions.
#
# `as_key_values(model)` returns a dict, `{first key: values}`, with an entry for each *different* parameter tensor: `values` is a
# copy of its numbers, row by row, as a flat float32 tensor (n,), which takes up the keys from the first one to
# first + n − 1.
#
# `from_key_values(model, pull)` fills *another* model of the same layers, in place. `pull(begin, end)` gives the values under the
# keys from begin to end − 1, as a flat float32 tensor. No names travel, so both functions have to come to the same keys by
# themselves.
#
# | held to | |
# | --- | --- |
# | keys | 64 bits; one range for each tensor, no two overlap; frozen tensors and single numbers too, a tied one once |
# | values | float32, row by row, bit for bit: $-0.0$, infinities and numbers near zero included; a copy |
# | process | another process, and a model of the same layers with other weights, come to the same keys |
# | pulls | one for each tensor |
#
# **Worked example:** `torch.nn.Linear(4, 3)` may become `{0: its 12 weights, 12: its 3 biases}`, and is filled by `pull(0, 12)` and
# `pull(12, 15)`.


# %% answer="1.2"
def as_key_values(model):
    """A PyTorch module -> {first key: values (n,) float32}"""
    ### BEGIN SOLUTION
    found, first = {}, 0
    for tensor in model.parameters():                             # each different tensor once, always in this order
        found[first] = tensor.detach().reshape(-1).clone()
        first += tensor.numel()
    return found
    ### END SOLUTION


def from_key_values(model, pull):
    """Fill the model in place from pull(begin, end) -> (end - begin,) float32"""
    ### BEGIN SOLUTION
    first = 0
    with torch.no_grad():
        for tensor in model.parameters():
            tensor.copy_(pull(first, first + tensor.numel()).view(tensor.shape))
            first += tensor.numel()
    ### END SOLUTION


# %% check="1.2"
check("1.2", as_key_values, from_key_values)

# %% [markdown]
# Your ranges of the tied model, and a step that a *server* does to it without knowing what it is: the rows of two keys are
# changed by number. Then the model is read back.

# %% needs="1.2"
store = as_key_values(tied)
for first, values in sorted(store.items()):
    print(f"keys {first:>2} to {first + len(values) - 1:>2}")
everything = {first + place: value for first, values in store.items() for place, value in enumerate(values.tolist())}
everything[min(everything)] += 100.0                              # what a server's rule would do, somewhere
from_key_values(tied, lambda begin, end: torch.tensor([everything[key] for key in range(begin, end)]))
print("one number of the shared weight grew, in both layers:",
      bool(tied[0].weight[0, 0] > 90) and tied[0].weight is tied[2].weight)

# %% [markdown]
# ## 1.3 Speedup, efficiency, and Amdahl's f
#
# *10 points · 10 minutes · core · exercise 11.1.3*
#
# A step is timed on 1 to 16 machines, twice: once the same work is shared by all, once every machine has as much work as one
# had alone. All that grows is the wire.


# %%
def timed(comm, work_s, wire_numbers):
    """Compute, then hand a vector of this length around once."""
    comm.compute(work_s)
    for _ in range(comm.world_size - 1):
        work = comm.isend(np.zeros(wire_numbers, np.float32), (comm.rank + 1) % comm.world_size)
        comm.recv((comm.rank - 1) % comm.world_size)
        work.wait()


LINK, KS = Link(bandwidth_Bps=100e6), (1, 2, 4, 8, 16)
strong = {K: SimWorld(K, link=LINK).run(timed, 64e-3 / K, 25_000).seconds for K in KS}
weak = {K: SimWorld(K, link=LINK).run(timed, 64e-3, 25_000).seconds for K in KS}
for K in KS:
    print(f"{K:>2} machines: the same work {1e3 * strong[K]:5.1f} ms, {K:>2} times the work {1e3 * weak[K]:5.1f} ms")

# %% [markdown]
# **Goal.** `speedup_and_efficiency(times, weak)` gets {K: seconds} and returns {K: (speedup, efficiency)}. With `weak=False` all $K$ did
# the same work (strong scaling), with `weak=True` $K$ machines did $K$ times the work (weak scaling; the speedup is the
# *scaled* one). In both a perfect job has speedup $K$ and efficiency 1.
#
# `serial_fraction(times)` returns the $f$ of Amdahl's law $T(K) = T(1)\,(f + (1-f)/K)$ for strong-scaling times that keep to it
# exactly. $T(1)$ need not be among them.
#
# **Worked example:** for `{1: 100.0, 5: 30.0}` the pair of 5 is (3.333, 0.667), and $f$ is 0.125.


# %% answer="1.3"
def speedup_and_efficiency(times, weak):
    """{K: seconds}, bool -> {K: (speedup, efficiency)}"""
    ### BEGIN SOLUTION
    found = {}
    for K, seconds in times.items():
        efficiency = times[1] / seconds if weak else times[1] / (K * seconds)
        found[K] = (K * efficiency, efficiency)
    return found
    ### END SOLUTION


def serial_fraction(times):
    """{K: seconds} -> f, from 0 to 1"""
    ### BEGIN SOLUTION
    few, many = min(times), max(times)
    divided_s = (times[few] - times[many]) / (1 / few - 1 / many)     # T(K) = serial_s + divided_s / K
    serial_s = times[few] - divided_s / few
    return serial_s / (serial_s + divided_s)
    ### END SOLUTION


# %% check="1.3"
check("1.3", speedup_and_efficiency, serial_fraction)

# %% needs="1.3"
efficiency = {name: [100 * speedup_and_efficiency(times, name == "weak")[K][1] for K in KS]
              for name, times in (("strong", strong), ("weak", weak))}
pslab.viz.curve(KS, efficiency, log="x", xlabel="machines K (count)", ylabel="efficiency (%)", rows=5,
                title="The same machines, two questions, by your function")

# %% [markdown]
# One set of machines, and two figures of merit that are far apart. A scaling plot has to say which question it answers.
#
# ## 1.4 Where is w?
#
# *15 points · 15 minutes · optional · exercise 11.1.4*
#
# In each entry of this trace a worker writes down the weights on which it begins a step: (seconds, worker, t, w). Worker 1
# is quick. Nobody waits for anybody.

# %%
trace = [(0.0, 0, 0, [5.0, 1.0]), (0.0, 1, 0, [5.0, 1.0]), (0.0, 2, 0, [5.0, 1.0]), (1.0, 1, 1, [6.0, 1.0]),
         (2.0, 1, 2, [8.0, -1.0]), (2.5, 0, 1, [9.0, 0.0]), (3.0, 2, 1, [7.0, -5.0]), (4.0, 0, 2, [8.0, -1.0]),
         (5.0, 2, 2, [8.0, -1.0])]
for entry in trace:
    print(*entry)

# %% [markdown]
# **Goal.** `where_is_w(trace)` returns, for each step t = 0, 1, ..., a pair: whether all workers computed step t on *one and the
# same* $w$ (True or False), and the largest difference between two workers' copies in any one of the numbers (a float).
#
# The trace is in the order of the seconds. Every worker has one entry for each step.
#
# **Worked example:** the trace above gives `[(True, 0.0), (False, 6.0), (True, 0.0)]`: in step 1 the second numbers are 1, 0
# and −5.


# %% answer="1.4"
def where_is_w(trace):
    """[(seconds, worker, t, w)] -> [(one value?, largest difference)], by t"""
    ### BEGIN SOLUTION
    copies = {}
    for _, _, t, w in trace:
        copies.setdefault(t, []).append(w)
    found = []
    for t in sorted(copies):
        values = np.array(copies[t])                              # (workers, P)
        distance = float((values.max(axis=0) - values.min(axis=0)).max())
        found.append((distance == 0, distance))
    return found
    ### END SOLUTION


# %% check="1.4"
check("1.4", where_is_w)

# %% [markdown]
# Now a run: three workers and a server that adds whatever it gets, at once. The workers' steps take 2, 3 and 7 ms. In how
# many of the ten steps is there one value? Commit first.

# %% answer="1.4"
steps_with_one = ...
### BEGIN SOLUTION
steps_with_one = 3
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("1.4", "steps with one value, of ten, nobody waits", steps_with_one, unit="steps")


# %%
def asynchronous(step_ms, steps):
    """The trace of workers that pull, compute and push as fast as they can; the server adds at once."""
    w, found = np.array([0.0, 0.0]), []
    waiting = [(0.0, worker, 0) for worker in range(len(step_ms))]
    while waiting:
        at_ms, worker, t = waiting.pop(waiting.index(min(waiting)))
        if t:
            w = w + np.array([1.0 + worker, -1.0])                # the push of its last step
        if t < steps:
            found.append((at_ms / 1000, worker, t, w.tolist()))   # the pull of the next one
            waiting.append((at_ms + step_ms[worker], worker, t + 1))
    return found


# %% needs="1.4" tags=["nbval-ignore-output"]
seen = where_is_w(asynchronous((2, 3, 7), 10))
_ = reveal("1.4", "steps with one value, of ten, nobody waits", lambda: sum(one for one, _ in seen))

# %% needs="1.4"
pslab.viz.curve(range(10), {"2, 3 and 7 ms a step": [distance for _, distance in seen],
                            "4 ms each": [d for _, d in where_is_w(asynchronous((4, 4, 4), 10))]},
                xlabel="step t, as each worker counts (count)", ylabel="largest difference (units of w)", rows=10,
                title="How far apart the copies are, by your function")

# %% [markdown]
# Even with equal workers there is no single value after the start: someone's push always comes between two pulls. The
# distance then stays small; with unequal ones it grows for as long as nobody is made to wait.
#
# ## 1.5 Three generations
#
# *1 point · 5 minutes · optional · exercise 11.1.5*
#
# Fill in True or False; section 8 of the chapter helps. A random half of the cells is looked at.
#
# | property | |
# | --- | --- |
# | `update` | a server runs an update that the application defines |
# | `general` | made for more than one family of models |
# | `consistency` | the user may choose it, or a bound of it |
# | `replication` | a second copy of a server's rows is kept by the system |
#
# Cells marked `...` are not asked: the papers do not say it in a word.

# %% answer="1.5"
table = {  #                        update general consistency replication
    "memcached topic models": [None, None, None, None],
    "YahooLDA":               [None, None, None, ...],
    "DistBelief":             [..., None, ..., ...],
    "Petuum":                 [..., None, None, None],
    "OSDI'14":                [None, None, None, None],
    "ps-lite":                [None, None, ..., None],
}
### BEGIN SOLUTION
table = {
    "memcached topic models": [False, False, False, False],
    "YahooLDA":               [True, False, False, ...],
    "DistBelief":             [..., False, ..., ...],
    "Petuum":                 [..., True, True, False],
    "OSDI'14":                [True, True, True, True],
    "ps-lite":                [True, True, ..., False],
}
### END SOLUTION


def generations():
    """{system: {property: True, False or None}}"""
    names = ("update", "general", "consistency", "replication")
    return {system: {name: None if cell is ... else cell for name, cell in zip(names, row)}
            for system, row in table.items()}


# %% check="1.5"
check("1.5", generations)

# %% [markdown]
# ## What to take along
#
# - Bytes per *port* and per *direction* decide, not the total. One server's port carries $K$ models; a worker's own port
#   is the floor that no number of servers lowers.
# - To a server a model is numbers under keys. Ranges make a tensor one message; tied tensors are one range.
# - Strong and weak scaling are two questions. Amdahl's $f$ is a share of one machine's time.
# - $w_t$ exists where something makes it exist: everybody waiting, or one place that is asked.
#
# Hand in this notebook as it is; hidden checks with other numbers run when it is graded.
