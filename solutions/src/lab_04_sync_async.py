# %% [markdown]
# # Lab 4: synchronous and asynchronous
#
# Several workers compute gradients, and one server holds the numbers that they train. When may a worker go on: when all
# the others are there, too, or at once? In this lab you write the server both ways, and a third way between them. You
# measure what waiting costs in time, and what not waiting costs in freshness and in the learning rate.
#
# **After this lab you can**
#
# 1. write a synchronous server whose result does not depend on who is fast, also where letters come twice and late;
# 2. write an asynchronous one, and read from its trace how stale each update was;
# 3. say what the mean staleness of K workers is before you measure it;
# 4. find the largest learning rate that a staleness bears;
# 5. trade gradients for time by backup workers, and say from a trace who was slow and how.
#
# **Before you start:** lab 2, or its sections on letters and on the server's handler.
# **Time:** 90 minutes for the core, 150 for everything, with reading and trying; the minutes below are for writing.
#
# | | | points | minutes | |
# | --- | --- | --- | --- | --- |
# | 4.1 | A round closes | 20 | 20 | core |
# | 4.2 | Nobody waits | 10 | 10 | core |
# | 4.3 | Staleness from a trace | 20 | 20 | core |
# | 4.4 | The stable rate | 20 | 20 | core |
# | 4.5 | Backup workers | 25 | 25 | optional |
# | 4.6 | Who was slow | 10 | 10 | optional |
#
# Write your answer where a cell says `raise NotImplementedError`, then run the check below it. A check prints what was
# expected and what was seen, and shows your own run; it never stops the notebook. Stuck? `pslab hint 4.1` in a terminal
# (`source .venv/bin/activate` first) shows one hint more each time. Servers, schedules and rates are yours to find:
# answers may not import `pslab.ps` or `pslab.train`. Where a cell asks for a number *before* a run, commit to one: a
# wrong prediction costs no points.

# %%
import numpy as np
import torch

import pslab
from pslab.comm import Link, SimWorld, Span, Trace
from pslab.grade import check, predict, reveal

torch.set_num_threads(1)
LINK = Link(latency_s=1e-3, overhead_s=0.0, bandwidth_Bps=1e9)      # a letter takes 1 ms, however short it is

# %% [markdown]
# ## The workers
#
# Ranks 0 to K − 1 are workers, rank K is the server. A worker computes a gradient, pushes it, and waits for new numbers.
# To keep an eye on every number, the gradient is that of $\frac{1}{2}(w - \text{target})^2$, which is $w - \text{target}$.
# Each worker has a target of its own, as workers have different examples; all together they pull $w$ to the mean of the
# targets. Computing takes virtual seconds, as many as we say.


# %%
def worker(comm, server, seconds, target, w):
    """One push for each entry of `seconds`. Returns (worker, step, began, had computed, went on) of each step."""
    steps = []
    for r, computing_s in enumerate(seconds):
        begun = comm.now()
        comm.compute(computing_s)
        comm.post(server, "push", {"round": r, "n": r}, [w - target])
        computed = comm.now()
        w = comm.poll().tensors[0]
        steps.append((comm.rank, r, begun, computed, comm.now()))
    comm.post(server, "bye")
    return steps


# %% [markdown]
# ## 4.1 A round closes
#
# *20 points · 20 minutes · core*
#
# Synchronous training goes in **rounds**: every worker pushes one gradient, the server takes a step with their mean, and
# all get the new numbers. (BSP, for *bulk synchronous parallel*.) The result is that of one process that computes all
# gradients itself, whatever the speeds. The server has to know when a round is complete, and that is less easy than it
# looks, for letters may come **twice**, and a copy may come **late**, when its round has long closed.
#
# **Goal.** Serve `rounds` rounds and return `w`.
#
# | | kind | meta | tensors |
# | --- | --- | --- | --- |
# | worker to server | `"push"` | `{"round": r}`, r from 0 | `[gradient (P,)]` |
# | server to every worker, when round r closes | `"rows"` | `{"round": r + 1}` | `[w (P,)]` |
#
# Round r closes when a push of *every worker* for round r is there: $w \leftarrow w - \text{lr} \cdot \text{mean of the
# K gradients}$. Each push counts once, in its own round. Add in the order of `workers`, not of arrival: sums of floats
# depend on their order in the last bits, and a run should be the same whoever was fast. `workers` is a list of ranks;
# they need not begin at 0. Other letters may come; leave them.
#
# **Worked example.** w = 10, lr = 1, workers 0 and 1. The letters of round 0 in order of arrival: 4 from worker 0, 4 again
# (its copy), 2 from worker 1.

# %%
letters = [(0, 4.0), (0, 4.0), (1, 2.0)]
print("after two letters two gradients are there, of worker", {sender for sender, _ in letters[:2]})
print("after three of workers", {sender for sender, _ in letters}, "and w becomes 10 - (4 + 2)/2 =", 10 - (4 + 2) / 2)


# %% answer="4.1"
def bsp_server(comm, w, workers, rounds, lr):
    """w (P,); workers: their ranks. Serves `rounds` rounds and returns w."""
    ### BEGIN SOLUTION
    for r in range(rounds):
        got = {}
        while len(got) < len(workers):                       # senders, not letters
            letter = comm.poll()
            if letter.kind == "push" and letter.meta["round"] == r:
                got.setdefault(letter.src, letter.tensors[0])
        w = w - lr * sum(got[k] for k in workers) / len(workers)
        for k in workers:
            comm.post(k, "rows", {"round": r + 1}, [w])
    return w
    ### END SOLUTION


# %% check="4.1"
check("4.1", bsp_server)


# %% [markdown]
# Your rounds, with three workers: worker 2 always takes twice as long, and worker 0 has a hiccup in round 2. Look for
# who waits for whom.

# %%
def synchronous(comm, seconds, lr=0.5):
    """seconds (K, rounds). The last rank is your server."""
    K, rounds = seconds.shape
    if comm.rank == K:
        return bsp_server(comm, torch.zeros(1), list(range(K)), rounds, lr)
    return worker(comm, K, seconds[comm.rank], float(comm.rank), torch.zeros(1))


SECONDS = 1e-3 * np.array([[4, 4, 16, 4, 4], [5, 4, 5, 5, 4], [8, 8, 8, 9, 8]])

# %% needs="4.1"
run = SimWorld(4, link=LINK).run(synchronous, SECONDS)
print("w ends as", run.results[3].tolist(), "on its way to the mean of the targets 0, 1, 2")
pslab.viz.timeline(run, names=["worker 0", "worker 1", "worker 2", "server"], title="Your rounds")

# %% [markdown]
# Each round is as long as its slowest worker. Two kinds of slowness look alike here: worker 2 is slow for good, worker 0
# only once. Now eight workers, all equally good: a step takes 4 ms, and one step in ten takes 20 ms, on any worker, by
# chance. On average a step then takes 5.6 ms. How long is a round on average? (Leave out the 2 ms for letters.)

# %% answer="4.1"
mean_round_ms = ...
### BEGIN SOLUTION
mean_round_ms = 6
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("4.1", "mean round of eight workers", mean_round_ms, unit="ms")


# %%
def by_chance(K, rounds, seed=0):
    """(K, rounds) seconds: 4 ms, and 20 ms in one step of ten."""
    return np.where(np.random.default_rng(seed).random((K, rounds)) < 0.1, 20e-3, 4e-3)


# %% needs="4.1" tags=["nbval-ignore-output"]
run = SimWorld(9, link=LINK, trace=False).run(synchronous, by_chance(8, 200))
_ = reveal("4.1", "mean round of eight workers", lambda: round(1e3 * run.seconds / 200 - 2, 1), unit="ms")

# %% [markdown]
# With eight workers somebody is slow in $1 - 0.9^8 = 57\,\%$ of the rounds, and one is enough. With more workers it gets
# worse, until nearly every round takes 20 ms:

# %% needs="4.1"
counts = [1, 2, 4, 8, 16, 32]
measured = [1e3 * SimWorld(K + 1, link=LINK, trace=False).run(synchronous, by_chance(K, 100)).seconds / 100 - 2
            for K in counts]
expected = [4 + 16 * (1 - 0.9**K) for K in counts]
pslab.viz.curve(counts, {"your server": measured, "4 ms + 16 ms (1 - 0.9^K)": expected}, log="x", rows=6,
                xlabel="workers (count)", ylabel="mean round (ms)", title="One step in ten is slow")

# %% [markdown]
# ## 4.2 Nobody waits
#
# *10 points · 10 minutes · core*
#
# The other way: each push is a step of its own, and its sender is answered at once. (ASP, *asynchronous parallel*.)
#
# **Goal.** Serve without rounds until every worker has said goodbye, and return `w`.
#
# | | kind | meta | tensors |
# | --- | --- | --- | --- |
# | worker to server | `"push"` | `{"n": n}`, n = 0, 1, 2, … for each worker | `[gradient (P,)]` |
# | server to that worker | `"rows"` | `{"n": n + 1}` | `[w (P,)]`, after the step |
# | worker to server | `"bye"` | | |
#
# A push is the step $w \leftarrow w - \text{lr} \cdot \text{gradient}$: one worker's gradient, not divided by the number of
# workers. Letters may come twice; a worker pushes n + 1 only after the answer to n.
#
# **Worked example.** w = 10, lr = 1: 4 from worker 0, 4 again (its copy), 2 from worker 1.

# %%
w, known = 10.0, set()
for sender, n, gradient in [(0, 0, 4.0), (0, 0, 4.0), (1, 0, 2.0)]:
    new = (sender, n) not in known
    w, known = w - gradient * new, known | {(sender, n)}
    print(f"push {n} of worker {sender}:", f"w = {w:g}, to worker {sender}" if new else "a copy, nothing happens")


# %% answer="4.2"
def asp_server(comm, w, workers, lr):
    """w (P,); workers: their ranks. Serves until all have said "bye" and returns w."""
    ### BEGIN SOLUTION
    following, here = dict.fromkeys(workers, 0), set(workers)
    while here:
        letter = comm.poll()
        if letter.kind == "bye":
            here.discard(letter.src)
        elif letter.meta["n"] == following[letter.src]:
            w = w - lr * letter.tensors[0]
            following[letter.src] += 1
            comm.post(letter.src, "rows", {"n": letter.meta["n"] + 1}, [w])
    return w
    ### END SOLUTION


# %% check="4.2"
check("4.2", asp_server)


# %% [markdown]
# The three workers from above again, now without rounds. Compare the two pictures: who gains, and how much?

# %%
def asynchronous(comm, seconds, lr=0.5 / 3, server=None):
    """seconds (K, steps). The last rank is your server."""
    K = len(seconds)
    if comm.rank == K:
        return (server or asp_server)(comm, torch.zeros(1), list(range(K)), lr)
    return worker(comm, K, seconds[comm.rank], float(comm.rank), torch.zeros(1))


# %% needs="4.2"
run = SimWorld(4, link=LINK).run(asynchronous, SECONDS)
print("w ends as", round(run.results[3].item(), 3))
pslab.viz.timeline(run, names=["worker 0", "worker 1", "worker 2", "server"], title="The same work, nobody waits")

# %% [markdown]
# Every worker is as fast as if it were alone: the quick ones are done early, and in training they would have gone on. The
# learning rate is a third of that above, for three steps of one gradient each stand where one step of their mean stood.
# More workers do not make a larger batch here. They make more steps, and older ones: that is what comes next.
#
# ## 4.3 Staleness from a trace
#
# *20 points · 20 minutes · core*
#
# While a worker computes, others step. Its gradient belongs to numbers that are no longer there: it is **stale**. The
# **staleness** of an update is the number of updates that were applied after its worker had read and before it was applied
# itself: so many steps are missing in what the gradient was computed for.
#
# **Goal.** Two functions of a trace, which is what a server did, in this order: a list of entries
# `(when, what, worker, step)`. `"read"`: this worker was given the numbers for which it computes its update of this step.
# `"apply"`: that update was applied. A worker may read some time after its update before, or even read ahead, while it is
# still computing.
#
# - `staleness(trace)`: the staleness of each update, in the order of application.
# - `mean_staleness(trace)`: {worker: the mean over its updates}.
#
# **Worked example.** Worker 0 is twice as fast as worker 1. The update of worker 1 at 2.5 s is 2 updates old.

# %%
EXAMPLE = [(0.0, "read", 0, 0), (0.0, "read", 1, 0), (1.0, "apply", 0, 0), (1.0, "read", 0, 1), (2.0, "apply", 0, 1),
           (2.0, "read", 0, 2), (2.5, "apply", 1, 0), (2.5, "read", 1, 1), (3.0, "apply", 0, 2)]
updates = [entry for entry in EXAMPLE if entry[1] == "apply"]
for (when, _, who, step), value in zip(updates, [0, 0, 2, 1]):
    print(f"{when:3g} s: update of worker {who}, step {step}: staleness {value}")


# %% answer="4.3"
def staleness(trace):
    """[(when_s, "read" or "apply", worker, step)] -> a whole number for each update"""
    ### BEGIN SOLUTION
    applied, noted, found = 0, {}, []
    for _, what, worker, step in trace:
        if what == "read":
            noted[worker, step] = applied
        else:
            found.append(applied - noted[worker, step])
            applied += 1
    return found
    ### END SOLUTION


def mean_staleness(trace):
    """{worker: mean staleness of its updates}"""
    ### BEGIN SOLUTION
    values = {}
    who = [worker for _, what, worker, _ in trace if what == "apply"]
    for worker, value in zip(who, staleness(trace)):
        values.setdefault(worker, []).append(value)
    return {worker: sum(mine) / len(mine) for worker, mine in values.items()}
    ### END SOLUTION


# %% check="4.3"
check("4.3", staleness, mean_staleness)

# %% [markdown]
# Now traces of your own server. `Noting` stands between it and its `comm`, and notes every step: a push that is taken is
# an `"apply"`, an answer is the `"read"` for the worker's next step.


# %%
class Noting:
    """A server's comm that keeps a trace; all workers have read once at the beginning."""

    def __init__(self, comm, workers):
        self.comm, self.trace = comm, [(0.0, "read", k, 0) for k in workers]

    def poll(self, timeout_s=None):
        return self.comm.poll(timeout_s)

    def post(self, dst, kind, meta, tensors):
        self.trace.append((self.comm.now(), "apply", dst, meta["n"] - 1))
        self.trace.append((self.comm.now(), "read", dst, meta["n"]))
        self.comm.post(dst, kind, meta, tensors)


def noting(comm, w, workers, lr):
    """Your server; returns its trace."""
    noted = Noting(comm, workers)
    asp_server(noted, w, workers, lr)
    return noted.trace


# %% [markdown]
# Five workers, and one of them is four times slower than the others. Two numbers before the run: what is the mean
# staleness of all updates, and what is that of the slow worker's?

# %% answer="4.3"
mean_of_all, mean_of_slow = ..., ...
### BEGIN SOLUTION
mean_of_all, mean_of_slow = 4, 12
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("4.3", "mean staleness of all updates, five workers", mean_of_all)
predict("4.3", "mean staleness of the slow worker's", mean_of_slow)


# %%
def for_a_while(slowness, horizon_s=2.0, seed=0):
    """Seconds of each worker's steps (10 ms times its slowness, give or take 30 %), as many as end by the horizon."""
    rng, work = np.random.default_rng(seed), []
    for factor in slowness:
        seconds = 10e-3 * factor * rng.uniform(0.7, 1.3, 400)
        work.append(seconds[np.cumsum(seconds + 2e-3) < horizon_s])
    return work


def traced(slowness):
    return SimWorld(len(slowness) + 1, link=LINK, trace=False).run(
        asynchronous, for_a_while(slowness), 0.05, noting).results[-1]


# %% needs="4.3" tags=["nbval-ignore-output"]
trace = traced([1, 1, 1, 1, 4])
_ = reveal("4.3", "mean staleness of all updates, five workers", lambda: round(float(np.mean(staleness(trace))), 2))
_ = reveal("4.3", "mean staleness of the slow worker's", lambda: round(mean_staleness(trace)[4], 2))

# %% [markdown]
# Is the mean a matter of speeds? Three teams of five:

# %% needs="4.3"
teams = {"all alike": [1, 1, 1, 1, 1], "one 4 times slower": [1, 1, 1, 1, 4], "all different": [1, 1.5, 2, 3, 6]}
traces = {name: traced(slowness) for name, slowness in teams.items()}
for name, trace in traces.items():
    print(f"{name:18}  {len(staleness(trace))} updates, mean staleness {np.mean(staleness(trace)):.3f}")
pslab.viz.bars([f"worker {k}" for k in range(5)],
               {name: [mean_staleness(trace)[k] for k in range(5)] for name, trace in traces.items()},
               unit="updates", quantity="mean staleness", title="Your staleness, by worker")

# %% [markdown]
# The slow worker's updates are very stale, those of the others fresher, and the mean is 4 = K − 1 for every team. The
# reason: a worker reads right after its own update. So between its first read and its last update, each update of the
# others falls between one of its reads and the update that follows, exactly once. Summed over all workers that is K − 1
# for every update, less the few that others apply after a worker's last one:

# %% needs="4.3"
for name, trace in traces.items():
    who = [entry[2] for entry in trace if entry[1] == "apply"]
    after = sum(who[::-1].index(k) for k in range(5))
    print(f"{name:18}  sum of staleness {sum(staleness(trace))} = 4 * {len(who)} - {after}")

# %% [markdown]
# ## 4.4 The stable rate
#
# *20 points · 20 minutes · core*
#
# What does a stale gradient do? It still pushes on when $w$ has passed the minimum. Below a loss
# $\frac{1}{2}\lambda w^2$ of curvature $\lambda$ and gradients that are always $\tau$ steps old:
#
# $$w_{t+1} = w_t - \text{rate} \cdot \lambda \cdot w_{t-\tau}$$
#
# For $\tau = 0$ this comes to rest for every rate below $2/\lambda$. Here are three rates at $\tau = 3$:


# %%
def descent(rate, curvature, tau, steps):
    """w after each step; w = 1 at all times before."""
    w = [1.0] * (tau + 1)
    for _ in range(steps):
        w.append(w[-1] - rate * curvature * w[-1 - tau])
    return w[tau:]


times = list(range(81))
pslab.viz.curve(times, {f"rate {rate:g}": descent(rate, 1.0, 3, 80) for rate in (0.1, 0.4, 0.5)}, rows=6,
                xlabel="step (count)", ylabel="w (no unit)", title="Gradients three steps old, curvature 1")

# %% [markdown]
# At 0.1 it creeps to 0, at 0.4 it swings and comes to rest, at 0.5 each swing is wider than the one before: a quarter of
# what a fresh gradient bears is already too much.
#
# **Goal.** `stable_rate(tau, curvature)`: the largest rate at which $w$ comes to rest, within 1 %, for tau from 0 to 12 and
# any curvature. By a formula, if you find it, or by trying: run descent, see whether the swings become smaller, and halve
# an interval. Near the edge they change slowly, so a few thousand steps are needed; and a $w$ of $10^{100}$ need not be
# followed further.
#
# **Worked example.** Curvature 1: 2 for tau = 0, 1 for tau = 1, 0.445 for tau = 3. A check runs descent at 0.98 and at 1.02
# times your rate:

# %%
for rate in (0.98 * 0.445, 1.02 * 0.445):
    w = descent(rate, 1.0, 3, 1_000)
    print(f"rate {rate:.3f}: largest |w| of the first 100 steps {max(map(abs, w[:100])):.2f}, "
          f"of the last 100 {max(map(abs, w[-100:])):.3g}")


# %% answer="4.4"
def stable_rate(tau, curvature):
    """The largest rate at which w[t + 1] = w[t] - rate * curvature * w[t - tau] comes to rest."""
    ### BEGIN SOLUTION
    return 2 * np.sin(np.pi / (2 * (2 * tau + 1))) / curvature
    ### END SOLUTION


# %% check="4.4"
check("4.4", stable_rate)

# %% needs="4.4"
ages = list(range(13))
pslab.viz.curve(ages, {"your stable rate": [stable_rate(tau, 1.0) for tau in ages],
                       "1/(tau + 1)": [1 / (tau + 1) for tau in ages]},
                xlabel="tau (steps)", ylabel="rate (no unit)", rows=13, title="What a staleness bears, curvature 1")

# %% [markdown]
# The rule of thumb, 1/(tau + 1), is on the safe side, at large tau by a factor of about $\pi/2$. Why the sine? At the edge $w$
# neither grows nor shrinks but swings as $z^t$ with $|z| = 1$; put into the recurrence, that leaves one rate.
#
# Does it hold for a real server? Five workers of one speed, each with the same target, so that the loss has curvature 1:
# every update of your asynchronous server is then exactly 4 old. Below, your server at 0.9 times the rate and at 1.1 times.
# And with *one* worker, whose gradients are fresh, by what factor may the rate be larger than with five? Commit to it.

# %% answer="4.4"
one_over_five = ...
### BEGIN SOLUTION
one_over_five = 5
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("4.4", "stable rate of one worker over that of five", one_over_five, unit="times")

# %% needs="4.4" tags=["nbval-ignore-output"]
_ = reveal("4.4", "stable rate of one worker over that of five",
           lambda: round(stable_rate(0, 1.0) / stable_rate(4, 1.0), 2), unit="times")


# %%
def five_alike(comm, rate):
    """What worker 0 reads, step by step: 60 steps of five workers that start one after the other; the target is 0."""
    if comm.rank == 5:
        return asp_server(comm, torch.ones(1), list(range(5)), rate)
    comm.compute(2e-3 * comm.rank)
    w, read = torch.ones(1), []
    for n in range(60):
        comm.compute(10e-3)
        comm.post(5, "push", {"n": n}, [w])
        w = comm.poll().tensors[0]
        read.append(w.item())
    comm.post(5, "bye")
    return read


# %% needs="4.4"
edge = stable_rate(4, 1.0)
read = {f"{factor:g} of the stable rate": SimWorld(6, link=LINK, trace=False).run(five_alike, factor * edge).results[0]
        for factor in (0.9, 1.1)}
pslab.viz.curve(list(range(1, 61)), read, xlabel="step of worker 0 (count)", ylabel="w (no unit)", rows=6,
                title="Your asynchronous server on either side of the edge")

# %% [markdown]
# Five workers make five times as many steps, each of which has to be nearly six times shorter to be safe. On this loss
# nothing is won by not waiting, as long as all workers are alike. What is won is that a slow one holds up nobody.
#
# ## 4.5 Backup workers
#
# *25 points · 25 minutes · optional*
#
# Between the two: keep the rounds, but let them close without the slowest. Of K workers the first K − b decide, and b are
# **backup workers**, whoever it is this time. (Chen et al. 2016, *Revisiting distributed synchronous SGD*.)
#
# The workers are as follows. All get the new numbers when a round closes. Who is still computing takes them up at once;
# the old gradient is finished beside the new one and pushed all the same, **late**: in the next round, or in a later one.
# It was computed for numbers that are gone. It is dropped, and counted.
#
# **Goal.** As 4.1, with the same letters, but: a round closes as soon as K − b *different* workers have pushed for it, and
# the mean is over these K − b. Return `(w, dropped)` with `dropped = {worker: how many of its pushes came after their
# round had closed}`. Copies are neither used nor counted. Whatever has not come when the last round closes is not waited
# for.
#
# **Worked example.** K = 3, b = 1, w = 10, lr = 1:

# %%
arrivals = [("push 0 of worker 0, gradient 4", "1 of 2"), ("push 0 of worker 2, gradient 2", "2 of 2: w = 10 - (4 + 2)/2"),
            ("push 1 of worker 0, gradient 1", "1 of 2"), ("push 0 of worker 1, gradient 9", "late, dropped"),
            ("push 0 of worker 1, gradient 9", "its copy, nothing"),
            ("push 1 of worker 1, gradient 3", f"2 of 2: w = {10 - (4 + 2) / 2:g} - (1 + 3)/2")]
pslab.viz.Table(["comes", "what it is"], arrivals,
                note=f"after two rounds w = {10 - (4 + 2) / 2 - (1 + 3) / 2:g}, dropped {{0: 0, 1: 1, 2: 0}}")


# %% answer="4.5"
def backup_server(comm, w, workers, b, rounds, lr):
    """As bsp_server, on the first len(workers) - b of each round. Returns (w, {worker: pushes dropped})."""
    ### BEGIN SOLUTION
    dropped, seen = dict.fromkeys(workers, 0), set()
    for r in range(rounds):
        got = {}
        while len(got) < len(workers) - b:
            letter = comm.poll()
            push = letter.src, letter.meta["round"]
            if push not in seen and push[1] == r:
                got[letter.src] = letter.tensors[0]
            elif push not in seen:
                dropped[letter.src] += 1
            seen.add(push)
        w = w - lr * sum(got[k] for k in workers if k in got) / len(got)
        for k in workers:
            comm.post(k, "rows", {"round": r + 1}, [w])
    return w, dropped
    ### END SOLUTION


# %% check="4.5"
check("4.5", backup_server)


# %% [markdown]
# Your rounds again, now with b = 1: workers that can be interrupted, with the profile of 4.1.

# %%
def with_backup(comm, seconds, b, lr=0.5):
    """A worker returns its stretches of computing. Late gradients are pushed while the next ones are computed."""
    K, rounds = seconds.shape
    if comm.rank == K:
        return backup_server(comm, torch.zeros(1), list(range(K)), b, rounds, lr)
    w, spans, due, r = torch.zeros(1), [], [], 0
    while r < rounds:
        begun = comm.now()
        ready = begun + seconds[comm.rank, r]
        due = sorted([*due, (ready, r, w - comm.rank)], key=lambda push: push[:2])
        while (letter := comm.poll(max(0.0, due[0][0] - comm.now()) if due else None)) is None:
            _, number, gradient = due.pop(0)
            comm.post(K, "push", {"round": number}, [gradient])
        spans.append(Span(comm.rank, "compute", begun, min(ready, comm.now())))
        r, w = letter.meta["round"], letter.tensors[0]
    return spans


# %% needs="4.5"
run = SimWorld(4, link=LINK).run(with_backup, SECONDS, 1)
print("dropped:", run.results[3][1])
drawn = Trace(4, run.trace.events, [span for spans in run.results[:3] for span in spans])
pslab.viz.timeline(drawn, names=["worker 0", "worker 1", "worker 2", "server"], title="Your rounds on two of three")

# %% [markdown]
# Worker 2 is late in most rounds, and its gradients are dropped: with a worker that is slow *for good*, its examples
# are hardly ever seen. Nothing is free. And when everybody is slow by chance, as in 4.1? A round then takes as long as the
# (K − b)-th of its workers. Eight workers, one step in ten takes 20 ms instead of 4: how long is a round on average with
# one backup worker? (4.1 measured it without.)

# %% answer="4.5"
with_one_ms = ...
### BEGIN SOLUTION
with_one_ms = 6
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("4.5", "mean round with one backup worker", with_one_ms, unit="ms")


# %%
def cost(b, rounds=200):
    """(mean round in ms without letters, pushes dropped, gradients used) of eight workers."""
    run = SimWorld(9, link=LINK, trace=False).run(with_backup, by_chance(8, rounds), b)
    return 1e3 * run.seconds / rounds - 2, sum(run.results[8][1].values()), (8 - b) * rounds


# %% needs="4.5" tags=["nbval-ignore-output"]
_ = reveal("4.5", "mean round with one backup worker", lambda: round(cost(1)[0], 1), unit="ms")

# %% needs="4.5"
rows = [(b, *cost(b)) for b in range(5)]
pslab.viz.Table(["backup workers", "mean round (ms)", "pushes dropped", "gradients used", "used in a second"],
                [[b, f"{ms:.1f}", late, used, f"{used / (ms / 1e3 * 200):,.0f}"] for b, ms, late, used in rows],
                note="eight workers, 200 rounds, letters left out")

# %% [markdown]
# In the last column look for the largest number: some backup workers are worth their price, and then each one more throws
# away more gradients than it saves time.
#
# ## 4.6 Who was slow
#
# *10 points · 10 minutes · optional*
#
# Which remedy helps depends on who is slow, and how. A worker that is slow in most of its steps is a **persistent**
# straggler: give it less work, or another machine. One that is slow in some is a **transient** one: wait less strictly.
#
# **Goal.** `who_was_slow(trace)` returns `(worker, "persistent")` or `(worker, "transient")`. The trace is a list with a line
# for each step of each worker, `(worker, step, began to compute, had computed, went on)`, times in seconds, three workers or
# more. With rounds, workers wait for each other between the last two times; without, they do not, and then a slow worker
# has fewer steps. The straggler is the one whose computing cost most time beyond what a step usually takes. Another worker
# may have had one single hiccup.
#
# **Worked example.** What your workers returned in 4.1 are such lines; here are those of round 2, in ms:

# %% needs="4.1"
lines = [step for steps in SimWorld(4, link=LINK).run(synchronous, SECONDS).results[:3] for step in steps]
pslab.viz.Table(["worker", "step", "began", "had computed", "went on"],
                [[k, r, *(f"{1e3 * when:.0f}" for when in times)] for k, r, *times in lines if r == 2],
                note="worker 0 has a hiccup; worker 2 has been slow all the time")


# %% answer="4.6"
def who_was_slow(trace):
    """[(worker, step, began_s, computed_s, went_on_s)] -> (worker, "persistent" or "transient")"""
    ### BEGIN SOLUTION
    took = {}
    for worker, _, began, computed, _ in trace:
        took.setdefault(worker, []).append(computed - began)
    usual = np.median([s for mine in took.values() for s in mine])
    slow = max(took, key=lambda worker: sum(s - usual for s in took[worker]))
    return slow, "persistent" if np.median(took[slow]) > 1.3 * usual else "transient"
    ### END SOLUTION


# %% check="4.6"
check("4.6", who_was_slow)

# %% [markdown]
# Four traces from your own two servers:


# %%
def profile(kind, K=4, steps=30):
    """(K, steps) seconds; worker 1 is the straggler."""
    rng = np.random.default_rng(3)
    seconds = 10e-3 * rng.uniform(0.9, 1.1, (K, steps))
    if kind == "slow for good":
        seconds[1] *= 2
    else:
        seconds[1, rng.choice(steps, 5, replace=False)] *= 8
    return seconds


# %% needs="4.6"
for kind in ("slow for good", "slow now and then"):
    for name, program in (("rounds", synchronous), ("no rounds", asynchronous)):
        results = SimWorld(5, link=LINK, trace=False).run(program, profile(kind)).results
        steps = [step for mine in results[:4] for step in mine]
        waited = sum(on - computed - 2e-3 for *_, computed, on in steps)
        print(f"{kind:18} {name:10} {who_was_slow(steps)}, all workers waited {1e3 * waited:5.0f} ms")

# %% [markdown]
# With rounds the others wait for either kind. Without rounds nobody does, and the price is paid in staleness. Lab 5 looks
# for the middle: let workers run ahead, but not too far.
#
# ## What to take along
#
# - A round is complete when K *workers* have pushed, and letters come twice and late. A push names its round.
# - A synchronous round takes as long as its slowest worker. With many workers somebody is always slow.
# - Without rounds a slow worker holds up nobody. More workers then make more steps, and no larger batch.
# - The mean staleness of K asynchronous workers is K − 1, whatever their speeds. A slow worker's own updates are far staler.
# - A gradient τ steps old bears a rate of 2 sin(π / (2 (2τ + 1))) / λ, and no more.
# - Backup workers shorten rounds that are slow by chance. They pay with dropped gradients, and drop a slow worker's always.
#
# Hand in this notebook as it is; hidden checks on other workers, networks and traces run when it is graded.
