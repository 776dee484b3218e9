# %% [markdown]
# # 11.5 Bounded staleness
#
# **The big picture.** Workers that wait for each other in every round are as slow as the slowest of them in that round.
# Workers that never wait compute on parameters of any age. Between the two lies one whole number, the *staleness* $s$:
# a worker may run ahead, but no more than $s$ rounds. This chapter states that rule so exactly that it can be tested,
# records what every read of a run saw and judges it, and then asks what the number buys. It buys time against
# slowness that comes and goes. It buys nothing against a worker that is always slow. And it is paid for with older
# gradients, which shows in a bound, in measured regret, and in the learning rate that still works.
#
# **After this chapter you can**
#
# 1. state the rule of stale synchronous parallel (SSP) with its clock, and show what each usual misstatement does;
# 2. say what a read must, may and must not see, and have a recorded run checked for it;
# 3. tell BSP, SSP with $s=0$, SSP without a limit and ASP apart;
# 4. predict which stragglers a given $s$ hides and which it does not;
# 5. read a regret bound beside a measured regret without mistaking one for the other;
# 6. describe the relatives of the rule: reads by age, bounded delay, a model for each range of keys, vector clocks,
#    elastic averaging, a staleness that adapts.
#
# **Before you start** you should know rounds, push and pull on a server, and the two modes BSP and ASP of
# [chapter 11.4](11_04_synchronous_and_asynchronous.ipynb). **Time:** an hour to read, under a minute to run.
#
# Four times you are asked for a number before a run shows one. Write yours in place of the `...`.

# %%
import math
import os
import tempfile

import numpy as np
import torch

# %%
from pslab import viz
from pslab.comm import Faults, Link, ProcessWorld, SimWorld
from pslab.grade import predict, reveal
from pslab.ps import (
    ASP, BSP, EASGD, SGD, SSP, ElasticAverage, KVServer, KVWorker, PerRange, RangeClocks, TableConfig, VectorClock,
    elastic_step, serve, stable_alpha,
)
from pslab.ps.history import History, Marks, Recorder, check
from pslab.train import (
    AdaptiveStaleness, Logistic, Pace, Pipeline, Quadratic, replay, run_race, schedule, ssp_regret, time_over_tau,
    usual_kinds,
)
from pslab.viz import Note, Table

torch.set_num_threads(1)
FREE = Link(0, 0, math.inf)                            # messages that take no time: only the rule makes anybody wait


def yes(truth):
    return "yes" if truth else "NO"


# %% [markdown]
# ## 1. The clock rule, exactly · *Intermediate*
#
# A worker's **clock** is the number of iterations it has *committed*: computed, pushed, and declared finished. Before
# its first iteration it is 0, and the iterations are counted from 0 as well, so a worker that is about to begin
# iteration $c$ has committed exactly $c$ of them. The rule of SSP with staleness $s$:
#
# > **Iteration $c$ begins if and only if the smallest clock of all workers is at least $c - s$.**
#
# It is tested *after* the worker's own tick, so its own finished iteration counts. That is all. As a function, with
# `commits` the clocks of all workers and `me` the one that asks:


# %%
def exact(commits, me, s):
    return commits.min() >= commits[me] - s


# %% [markdown]
# To see what a rule does, let time pass. The next function lets every worker begin as soon as the rule allows, and
# moves from one finished iteration to the next. It keeps two measurements that are easily confused: the largest *lead
# at a start* (by how much a worker that begins is ahead of the slowest), and the largest *difference of committed
# counts* at any moment.


# %%
def play(rule, seconds, s):
    """(steps committed, when the last was, largest lead at a start, largest difference of commits)"""
    K, T = seconds.shape
    commits, ends = np.zeros(K, int), np.full(K, np.inf)      # inf: this worker is not computing
    now, lead, apart = 0.0, 0, 0
    while True:
        for me in range(K):
            if ends[me] == np.inf and commits[me] < T and rule(commits, me, s):
                lead = max(lead, int(commits[me] - commits.min()))
                ends[me] = now + seconds[me, commits[me]]
        if np.isinf(ends).all():                              # all done, or nobody may begin
            return int(commits.sum()), now, lead, apart
        now = ends.min()
        finished = ends == now
        commits[finished] += 1
        ends[finished] = np.inf
        apart = max(apart, int(commits.max() - commits.min()))


# %% [markdown]
# Four workers, sixty iterations each; an iteration takes one second, or now and then five. The staleness is 2, so
# nobody *begins* an iteration with a lead above 2. Your first number: what is the largest difference between two
# workers' *committed* counts, at any moment?

# %%
my_difference = ...
predict("11.5", "largest difference of committed counts at s = 2", my_difference, unit="iterations")

# %%
uneven = Pace.transient(1.0, probability=0.15, factor=5, seed=4).table(4, 60)
_, finish_s, lead, apart = play(exact, uneven, 2)
_ = reveal("11.5", "largest difference of committed counts at s = 2", lambda: apart)
print(f"largest lead at a start: {lead}")

# %% [markdown]
# One more than $s$. A worker that began with a lead of 2 and finished has committed 3 more than the slowest; then it
# waits. Nothing is wrong with that, and a checker that demands a difference of at most $s$ between *commits* refuses
# correct runs. The bound belongs to the moment of a *start*.
#
# ### Three sentences that are not the rule
#
# The rule is written down in many places, and in many of them it is off by one.
#
# - **"A worker may advance to $c+1$ only if no worker has a clock smaller than $c+1-s$."** This is a sentence from an
#   encyclopedia article. It is right if $c$ is the iteration that the worker has just finished and its own tick has
#   already been counted. If $c$ is the worker's own clock, its own clock must exceed itself.
# - **"No other worker may be more than $s$ behind", tested before the own tick.** The iteration just finished is not
#   counted yet, so the worker looks one younger than it is.
# - **The largest clock in place of the smallest.** A slip of the hand, and no longer a bound.
#
# Here are all four, on the same sixty iterations, for $s$ from 0 to 3. Look at the first line of the second rule, and
# then compare its lines with those of the exact rule.


# %%
def own_clock(commits, me, s):                          # min >= c + 1 - s, with c the own clock
    return commits.min() >= commits[me] + 1 - s


def before_the_tick(commits, me, s):                    # the iteration just finished is not counted
    return commits.min() >= max(commits[me] - 1, 0) - s


def largest(commits, me, s):
    return commits.max() >= commits[me] - s


rows = []
for rule in (exact, own_clock, before_the_tick, largest):
    for s in range(4):
        steps, finish_s, lead, apart = play(rule, uneven, s)
        said = f"{finish_s:.0f}" if steps == uneven.size else "DEADLOCK"
        rows.append([rule.__name__, s, steps, said, lead, apart])
Table(["rule", "s", "iterations done", "finished after (s)", "lead at a start", "commits apart"], rows)

# %% [markdown]
# The second rule stands still at $s=0$: nobody may ever begin, not even the first iteration. From there on it is the
# exact rule with a staleness that is one smaller: its $s=3$ is the exact rule's $s=2$ in every column. The third is the
# exact rule with a staleness one larger, and breaks its promise: a lead of $s+1$. The fourth does not depend on $s$ at
# all.
#
# Such a mistake is hard to notice. The runs finish, the losses fall, and the times look plausible. What gives them away
# is the *lead*, from both sides: it must never exceed $s$, and with a straggler it must *reach* $s$. A rule that is too
# tight passes the first test and fails the second.
#
# ### The same on servers
#
# In the kit the rule sits behind `clock()`. This is a worker's whole program, and one server that keeps the table:


# %%
def rounds(comm, K, model, seconds):
    table = TableConfig("w", dim=1, num_rows=4, rule=SGD(1.0), consistency=model)
    if comm.rank >= K:
        return serve(comm, KVServer([table], 0, 1, range(K)))
    with KVWorker(comm, [K], [table]) as kv:
        for step_s in seconds[comm.rank]:
            kv.wait(kv.pull(range(4), "w"))
            comm.compute(step_s)                              # virtual seconds in the simulator
            kv.push(range(4), np.ones((4, 1), np.float32), "w")
            kv.clock()                                        # commits; returns when the next round may begin


rows = []
for s in (0, 2, 3):
    served = SimWorld(5, link=FREE, trace=False).run(rounds, 4, SSP(s), uneven).seconds
    ours = play(exact, uneven, s)[1]
    closed = schedule(uneven, s).makespan_s
    rows.append([s, ours, closed, round(served, 9), yes(ours == closed and math.isclose(served, ours))])
Table(["s", "the loop above (s)", "pslab.train.schedule (s)", "servers, simulated (s)", "same"], rows)

# %% [markdown]
# Three programs, one time. The middle column needs no events at all: `schedule` computes $\text{start}_{r,c} =
# \max(\text{end}_{r,c-1},\ \max_{r'}\text{end}_{r',c-s-1})$. Now a picture of three workers, of which worker 2 needs
# four times as long for its first two iterations. Shades alternate, so that iterations can be counted. How many does
# worker 0 finish before it waits, with $s=0$ and with $s=2$?

# %%
first_slow = np.full((3, 9), 1.0)
first_slow[2, :2] = 4.0
viz.gantt({f"s = {s}": schedule(first_slow, s) for s in (0, 2)},
          title="Worker 2 is slow for two iterations")

# %% [markdown]
# One with $s=0$, three with $s=2$: the leads at their starts were 0, 1 and 2. Then they wait until worker 2 has
# committed its first. Once worker 2 has become fast nobody waits any more, and the others stay ahead of it. The whole
# takes as long as with $s=0$: worker 2 was the one with most work, and slack does nothing for *it*.
#
# ## 2. What a read may and must see · *Intermediate*
#
# Clocks are a means. What matters is what a worker finds in a row. Every push carries the clock of its worker as a
# stamp. A read at clock $c$ under SSP(s)
#
# - **must** hold every push stamped $c-s-1$ or earlier, of every worker;
# - **must** hold every earlier push of the reader itself, however new (*read my writes*; for $s>0$);
# - **may** hold newer ones of others, because a server applies them when they arrive;
# - **must not** hold one stamped later than $c+s$, for that worker could not have begun;
# - and nothing that a worker has seen in a row may be missing when it looks again (*monotonic reads*).
#
# Such promises are easily made. To check them one must know what was in a row. The trick: let every push add a number
# that no other sum contains, a *mark*. Then a row says by itself which pushes are in it, how often, and the server need
# not be asked or trusted. `pslab.ps.history` records a run this way and judges it.


# %%
ROUNDS = 6
marks = Marks(workers=3, pushes=ROUNDS)


def recorded(comm, model, seconds, rule, settings):
    table = TableConfig("rows", marks.dim, num_rows=4, rule=rule, consistency=model)
    if comm.rank == 3:
        server = KVServer([table], 0, 1, range(3))
        serve(comm, server)
        return np.array(server.rows("rows"))
    log = Recorder(marks)
    with KVWorker(comm, [3], [table], recorder=log, **settings) as kv:
        for c, step_s in enumerate(seconds[comm.rank]):
            kv.wait(kv.pull(range(4), "rows"))
            comm.compute(step_s)
            kv.push(range(4), marks.vals(comm.rank, c, 4), "rows")
            kv.wait(kv.pull(range(4), "rows"))                # again: are its own writes there?
            kv.clock()
    return log.part()


# %% [markdown]
# Three workers, of which the last is slow, and the run brought together into one history:

# %%
ONE_SLOW = [[1e-3] * ROUNDS, [1.5e-3] * ROUNDS, [20e-3] * ROUNDS]


def history_of(model, world=None, rule=None, settings=None):
    world = world or SimWorld(4)
    run = world.run(recorded, model, ONE_SLOW, rule or SGD(1.0), settings or {})
    return History.of(run.results[:3], final={"rows": run.results[3]}, marks=marks)


# %% [markdown]
# One run with $s=2$ and a slow worker. The table shows the first read of worker 0 in each round: what it had to find,
# what it found, and in brackets how much of that it need not have found.

# %%
history = history_of(SSP(2))
rows = []
for c in range(ROUNDS):
    read = next(op for op in history.of_worker(0) if op.kind == "pull" and op.clock == c)
    seen = sorted(read.saw[0])                                # (worker, number of the push), of row 0
    extra = [worker for worker, number in seen if worker and number > c - 3]
    per_worker = [sum(worker == who for who, _ in seen) for worker in range(3)]
    rows.append([c, f"0 to {c - 3}" if c > 2 else "none", *per_worker, len(extra)])
Table(["clock of worker 0", "stamps it must see", "own pushes seen", "of worker 1", "of worker 2",
       "newer ones of others"], rows)

# %% [markdown]
# Its own pushes are always complete. Of the slow worker it sees exactly what it must, because nothing newer exists; of
# worker 1 it sees more. Now the checker, which looks at every row of every read, at the order of events, and at the
# rows at the end. `reached=True` adds the demand from the other side: with a planted straggler somebody must have been
# as far ahead as the model allows. Then the same program in real processes, where nobody controls who is fast.

# %%
found = check(history, SSP(2), reached=True)
print("simulated: every promise kept:", yes(not found))
print("largest lead at a start:", found.lead, "  oldest push that a read still lacked:", found.lag, "rounds")
with ProcessWorld(4) as processes:
    real = check(history_of(SSP(2), processes), SSP(2))
print("real processes: every promise kept:", yes(not real))

# %% [markdown]
# ### A checker that cannot fail proves nothing
#
# So plant faults. Three are wrong gates: one round too loose, one that is BSP in disguise, one without any limit. Two
# are wrong servers: one keeps only the last push (a server that assigns where it should add), one applies every push
# twice (a retry that was not recognised). The checker is told SSP(2) each time. Which of them breaks *only* the promise
# that was added last?


# %%
class TooLoose(SSP):
    def may_read(self, clock, min_clock):
        return min_clock >= clock - self.staleness - 1


class HiddenBSP(SSP):
    def may_read(self, clock, min_clock):
        return min_clock >= clock


class LastWriterWins(SGD):
    def step(self, rows, grads, state, t):
        rows[:] = -grads


class Twice(SGD):
    def step(self, rows, grads, state, t):
        for _ in range(2):
            super().step(rows, grads, state, t)


# %%
planted = {"gate one too loose": (TooLoose(2), SGD(1.0)), "hidden BSP": (HiddenBSP(2), SGD(1.0)),
           "no gate: ASP": (ASP(), SGD(1.0)), "last writer wins": (SSP(2), LastWriterWins(1.0)),
           "applied twice": (SSP(2), Twice(1.0))}
findings = {name: check(history_of(model, rule=rule), SSP(2), reached=True)
            for name, (model, rule) in planted.items()}
Table(["planted", "rules broken"], [[name, ", ".join(sorted(found.rules))] for name, found in findings.items()])

# %% [markdown]
# The hidden BSP keeps every promise of SSP and is still not what was ordered: nobody was ever ahead. A finding is a
# sentence with its place. The first of each:

# %%
for name, found in findings.items():
    print(f"{name}:\n    {found[0]}")

# %% [markdown]
# ## 3. The two ends: BSP and ASP · *Intermediate*
#
# With $s=0$ nobody begins iteration $c$ before everybody has committed $c$ iterations. That is BSP, and not only in its
# times: with $s=0$ the kit also collects the pushes of a round and applies them together when the round closes, in a
# fixed order. If that is right, two runs must agree in every byte of every message and in the final rows.


# %%
def noisy(comm, model):
    table = TableConfig("w", dim=3, num_rows=20, rule=SGD(0.1), consistency=model)
    if comm.rank == 3:
        server = KVServer([table], 0, 1, range(3))
        serve(comm, server)
        return np.array(server.rows("w"))
    draw = np.random.default_rng(comm.rank)
    with KVWorker(comm, [3], [table]) as kv:
        for _ in range(8):
            keys = draw.integers(0, 20, 7)
            got = kv.wait(kv.pull(keys, "w"))
            comm.compute(draw.exponential(1e-3))
            kv.push(keys, got + torch.from_numpy(draw.standard_normal((7, 3)).astype(np.float32)), "w")
            kv.clock()


runs = {name: SimWorld(4).run(noisy, model) for name, model in
        (("BSP", BSP()), ("SSP(0)", SSP(0)), ("SSP(1)", SSP(1)), ("SSP(∞)", SSP(math.inf)), ("ASP", ASP()))}
bsp = runs["BSP"]
Table(["mode", "same messages and times as BSP", "same rows as BSP", "finished after (ms)"],
      [[name, yes(run.trace.to_bytes() == bsp.trace.to_bytes()), yes((run.results[3] == bsp.results[3]).all()),
        round(1e3 * run.seconds, 2)] for name, run in runs.items()])

# %% [markdown]
# SSP(0) is BSP, bit for bit, on random real numbers where any other order of additions would show. One round of slack
# is another computation. The last two lines take the same time: nobody waits. Is SSP(∞) then the same as ASP?
#
# In one respect it is not. ASP promises nothing about what a read sees. SSP promises read-my-writes for every $s>0$,
# the infinite one too. On a network that keeps the order of messages the difference cannot be seen, since a push is at
# the server before the pull that follows it. So take a network in which messages may overtake each other, and ask the
# checker for that promise in both modes.

# %%
rows = []
for name, model in (("ASP", ASP()), ("SSP(∞)", SSP(math.inf))):
    overtaking = SimWorld(4, faults=Faults(seed=1, reorder_s=2e-3))
    found = check(history_of(model, overtaking, settings={"retry_s": 0.05}), model, own=True)
    rows.append([name, yes(not found.total["own"]), str(found[0]) if found else "none"])
Table(["mode", "reads its own writes", "first finding"], rows)

# %% [markdown]
# Under ASP a worker computed a gradient on rows without its own last step. The price of the promise is that a pull
# waits, at the worker, until that worker's earlier pushes are acknowledged.
#
# ## 4. Which stragglers does it hide? · *Intermediate*
#
# Eight workers, two hundred iterations of one second. In the first case worker 2 is *persistently* slow: all its
# iterations take four seconds. With BSP the whole takes 800 s. Your second number: how long does it take with $s=8$?

# %%
my_seconds = ...
predict("11.5", "200 iterations, one worker four times slower, s = 8", my_seconds, unit="s")

# %%
kinds = usual_kinds()
persistent, transient = (kinds[kind].table(8, 200) for kind in ("persistent", "transient"))
_ = reveal("11.5", "200 iterations, one worker four times slower, s = 8",
           lambda: schedule(persistent, 8).makespan_s)

# %% [markdown]
# Nothing is gained. The others spend their slack of eight iterations once, at the beginning, and from then on they wait
# for the slow worker in every iteration as before. A bounded lead *means* that all have the same average speed. And no
# slack at all can help the slow worker with its own two hundred iterations. In the second case slowness is *transient*:
# any iteration of any worker takes five seconds with a chance of one in ten.

# %%
S = (0, 1, 2, 4, 8, math.inf)
rows, base = [], {}
for kind, seconds in (("persistent", persistent), ("transient", transient)):
    spans = [schedule(seconds, s).makespan_s for s in S]
    base[kind] = spans
    rows.append([kind, *(f"{span:.0f} s" for span in spans)])
    rows.append(["  speed-up over BSP", *(f"{spans[0] / span:.2f}" for span in spans)])
Table(["straggler", *(f"s = {limit}" for limit in ("0", "1", "2", "4", "8", "∞"))], rows,
      note="virtual time until the last of eight workers has finished 200 iterations")

# %%
ceiling = transient.sum(axis=1).max()
Note(f"Persistent: {base['persistent'][0]:.0f} s for every s. Transient: one round of slack already gives a factor "
     f"of {base['transient'][0] / base['transient'][1]:.2f}, eight give {base['transient'][0] / base['transient'][4]:.2f}. "
     f"The ceiling is {base['transient'][0] / ceiling:.2f}: the worker with most work needs {ceiling:.0f} s even alone.")

# %% [markdown]
# Why does slack hide what comes and goes? With BSP a round takes as long as the slowest of eight draws. With slack, a
# worker that was unlucky in one iteration catches up while others are unlucky, and what counts is closer to a worker's
# *average*. Two Gantt charts of runs with real servers in the simulator show the two cases. Where is waiting that does
# not go away?

# %%
names = {0: "s = 0", 2: "s = 2", math.inf: "s = ∞"}


def lanes(pace, limits, steps):
    bowl = Quadratic([0.2, 1.0])                              # what is trained does not matter here
    return run_race(bowl, pace, workers=4, lr=0.3, steps=steps, world=lambda n: SimWorld(n, link=FREE),
                    modes={names[s]: SSP(s) for s in limits})


viz.gantt(lanes(Pace.persistent(1.0, 2, 4), (0, 2, math.inf), 10), title="Persistent: worker 2 four times slower")

# %%
viz.gantt(lanes(Pace.transient(1.0, 0.15, 5, seed=11), (0, 2, math.inf), 16),
          title="Transient: anybody five times slower at times")

# %% [markdown]
# With the persistent straggler slack moves the waiting to a later place and leaves the end where it was; without a
# limit the others are done early, on their own, and the end is still where it was. With transient ones the end itself
# moves.
#
# So look at the *kind* of straggler before you choose $s$. Against a persistent one there are other remedies: give it
# less data, leave it out of a round (backup workers), or replace it.
#
# ## 5. What staleness costs · *Advanced*
#
# ### The bound, and what was measured
#
# SSP came with a theorem (Ho et al., 2013). Take convex losses with slopes of at most $L$, parameters of which no two
# are farther apart than $F\sqrt{2}$, and rates that fall like $1/\sqrt{t}$. The *regret* is the sum of the losses of
# all steps, each on what it read, beyond what the best fixed parameters would have lost on them. It is bounded by
#
# $$\text{regret} \;\le\; 4\,F\,L\,\sqrt{2\,(s+1)\,K\,T} \;=\; O\!\left(\sqrt{(s+1)\,K\,T}\right)$$
#
# for $K$ workers and $T$ updates of all of them together. The constants are those the kit's function uses after Theorem
# 1; they are not derived here, so before you build on one, read it in the paper. One also finds $O(\sqrt{sT})$ in
# print. That cannot be right: at $s=0$ it would be 0, and even synchronous training, even one worker alone, has regret.
#
# A bound is a ceiling. How far below it is a run? Logistic regression, eight workers, transient stragglers. The rates
# are those of the theorem. The axis is logarithmic, so that all lines fit; the third is the bound with $s$ in place of
# $s+1$.

# %%
task = Logistic.made(rows=200, dim=5, batch=4)
F, limits = 8.0, (0, 1, 2, 4, 8, 16)
drawn = Pace.transient(1.0, 0.1, 5, seed=2).table(8, 30)
regrets = [ssp_regret(task, drawn, s, radius=F) for s in limits]
T = regrets[0].steps
print("the theorem's region was never left:", yes(all(regret.inside for regret in regrets)))
viz.curve([s + 1 for s in limits],
          {"bound": [regret.bound for regret in regrets], "measured": [regret.measured for regret in regrets],
           "with s": [max(regret.bound * math.sqrt(s / (s + 1)), 1.0)
                      for s, regret in zip(limits, regrets)]},
          log="xy", xlabel="s + 1 (rounds)", ylabel="regret (sum of losses)",
          looks={"bound": "other", "measured": "allreduce", "with s": "amber"},
          title="Regret of SSP: the bound, a run, and the slip")

# %%
growth = regrets[-1].measured / regrets[0].measured
Note(f"Measured regret is {100 * regrets[0].measured / regrets[0].bound:.1f} % of the bound at s = 0 and "
     f"{100 * regrets[-1].measured / regrets[-1].bound:.1f} % at s = {limits[-1]}. With s in place of s + 1 the bound is 0 at s = 0 "
     f"(drawn at the lower edge), where {regrets[0].measured:.1f} were measured. From s = 0 to s = {limits[-1]} the bound "
     f"grows {math.sqrt(limits[-1] + 1):.1f} times, the run {growth:.1f} times.")

# %% [markdown]
# Measured regret grows with $s$ as well. But careful: *what* makes it grow? The theorem prescribes a smaller rate for a
# larger $s$. So two things changed from point to point, the age of the reads and the rate. Hold one of them still: run
# with the rate of $s=0$ at every staleness, and with each rate without any staleness.


# %%
def regret_of(schedule_s, rate_s, K=8):
    sigma = F / (regrets[0].lipschitz * math.sqrt(2 * (rate_s + 1) * K))
    curve = replay(task, schedule(drawn, schedule_s), every=T, keep_views=True,
                   lr=lambda worker, step: K * sigma / math.sqrt(step * K + worker + 1))
    return sum(task.step_loss(curve.views[k, t], k, t) - task.step_loss(task.best, k, t)
               for k in range(K) for t in range(drawn.shape[1]))


Table(["s", "theorem's rate, reads stale", "theorem's rate, reads in rounds", "rate of s = 0, reads stale"],
      [[s, *(round(float(regret_of(*pair)), 1) for pair in ((s, s), (0, s), (s, 0)))] for s in (0, 4, 16)])

# %% [markdown]
# In this run it is the cautious rate that costs, and hardly the age of what is read: the first two columns nearly
# agree, and the last hardly moves. The theorem needs that rate to guarantee something for *every* convex problem and
# every order of events. A particular run may do well without it. One reason shows in the *staleness* of the updates,
# counted as in chapter 11.4: how many others were applied between the read of an update and its own application.

# %%
plans = {s: schedule(drawn, s) for s in limits}
Table(["s", "mean staleness (updates)", "largest staleness (updates)", "finished after (s)"],
      [[s, round(float(plan.staleness.mean()), 2), int(plan.staleness.max()), plan.makespan_s]
       for s, plan in plans.items()], note="eight workers; in rounds (s = 0) it is 0 by definition")

# %% [markdown]
# The *mean* stays at or below seven, one for each of the other workers, however large $s$ is. What $s$ bounds is the
# worst case.
#
# ### Time to accuracy
#
# What one wants to know is neither makespan nor regret but *when the loss is low*. The figure shows that for eight
# workers on a bowl with three directions, each cell a run. Left: from when on the loss stays below the target, on a
# logarithmic axis. Right: the loss over time at the chosen $s$, beside $s=0$.

# %%
viz.staleness(s=2, kind="transient", slow=4, lr=0.3)

# %% [markdown]
# With controls. Three things to try. First: persistent, and move $s$ from 0 to 8, then to ∞. Second: transient, slow by
# 2, and the largest rate. Is more slack still better? Third: no straggler at all (slow by 1) and the largest rate.

# %% tags=["nbval-ignore-output"]
viz.staleness_widget()

# %%
cautious, bold, even = viz.staleness_runs(4, 0.3), viz.staleness_runs(2, 1.8), viz.staleness_runs(1, 1.8)
best = min(S, key=lambda s: bold["transient", s]["to_target_s"])


def target_s(row):
    return "never" if row["to_target_s"] == math.inf else f"{row['to_target_s']:.0f} s"


Note(f"First: {target_s(cautious['persistent', 0])} at s = 0, {target_s(cautious['persistent', 8])} at s = 8. Slack is spent "
     f"once, and brings that much more work of the others. Without a limit it is {target_s(cautious['persistent', math.inf])}: "
     f"the others go on alone, which is fine only because here every worker's data says the same. Second: best at "
     f"s = {best}, with {target_s(bold['transient', best])} against {target_s(bold['transient', 0])} for BSP and "
     f"{target_s(bold['transient', math.inf])} without a limit. Third: BSP is there after {target_s(even['transient', 0])}, "
     f"all others {target_s(even['transient', 1])}.")

# %% [markdown]
# So there are two ways to pay. A small rate stands any staleness that occurs here, and then only time counts. A rate
# near the edge of what synchronous training stands is over the edge with stale gradients. The best $s$ depends on both,
# the stragglers and the rate, and that is why it is a knob.
#
# ## 6. Reading less often · *Intermediate*
#
# Bounded staleness buys a second thing. If a read at clock $c$ need only hold what is stamped $c-s-1$ or earlier, then
# a copy that the worker fetched some rounds ago may still be good enough. A worker that keeps rows can read them by
# *age* and ask the server only when a copy has grown too old. (Its own pushes it applies to the copy itself.)
#
# A *hot* row is read in every round. Your third number: in 64 rounds at $s=2$, with all workers equally fast, how often
# does a worker have to ask the server for it?

# %%
my_pulls = ...
predict("11.5", "pulls of a hot row in 64 rounds at s = 2", my_pulls, unit="pulls")


# %%
def hot_row(comm, model, clocks):
    table = TableConfig("rows", dim=8, num_rows=10, rule=SGD(1.0), consistency=model)
    if comm.rank == 2:
        return serve(comm, KVServer([table], 0, 1, range(2)))
    with KVWorker(comm, [2], [table], cache_rows=4) as kv:
        for _ in range(clocks):
            if comm.rank == 0:
                kv.wait(kv.pull([4], "rows"))                 # worker 0 reads the hot row
            comm.compute(1.0 if comm.rank == 0 else 0.75)
            if comm.rank == 1:
                kv.push([4], np.ones((1, 8), np.float32), "rows")   # worker 1 writes it
            kv.clock()


rows = []
for s in range(4):
    run = SimWorld(3, link=FREE, trace=False).run(hot_row, BSP() if s == 0 else SSP(s), 64)
    pulls = run.results[2]["tables"]["rows"]["pulls"]
    rows.append([s, pulls, math.ceil(64 / (s + 1)), run.ledger.link(2, 0, "vals")])
_ = reveal("11.5", "pulls of a hot row in 64 rounds at s = 2", lambda: rows[2][1])

# %%
Table(["s", "pulls counted at the server", "64 / (s + 1), rounded up", "values from the server (B)"], rows)

# %% [markdown]
# Once in $s+1$ rounds: bytes fall like $1/(s+1)$. The law holds while nobody is behind. If the slowest worker already
# uses up the slack, a copy is at the edge of its age as soon as it arrives, and must be asked for in every round. And
# it concerns *reads*: every push still travels, unless it is added up at the worker first.
#
# ## 7. Bounded delay · *Intermediate*
#
# The system of Li et al. (OSDI 2014) bounds something else. Its tasks depend on each other, and with a **bounded
# delay** of $\tau$ iteration $t$ begins when all of the iterations before $t-\tau$ are *finished*. In the kit this is a
# rule for one worker about its *own* requests: its pushes and pulls of iterations up to $t-\tau-1$ must be answered.
# $\tau=0$ means one after the other. It says nothing about other workers; SSP says nothing about requests under way.
# The two are easily mixed up, because both are called staleness.
#
# What $\tau$ hides is the *network and the server*. While an answer is on its way, the worker computes the next
# iteration with what it has. The model below has four workers whose requests cross a slow network to one server, which
# serves one request at a time. Look for the best $\tau$, and at the share of the time that workers are idle.

# %%
pipeline = Pipeline(workers=4, compute_s=1.0, latency_s=3.5, service_s=0.28)
taus = (0, 1, 2, 4, 6, 8, 10, 12, 16)
over_tau = time_over_tau(Quadratic([0.2, 0.5, 1.0]), lr=0.14, target=1e-3, taus=taus, pipeline=pipeline, updates=800)
idle = {row["tau"]: 100 * (1 - row["updates_per_s"] * pipeline.compute_s / pipeline.workers) for row in over_tau}
viz.curve(taus, {"to the target": [row["to_target_s"] for row in over_tau]}, log="y",
          xlabel="bounded delay τ (iterations)", ylabel="loss below 0.001 after (virtual s)",
          looks={"to the target": "server"}, title="Bounded delay: too little, enough, too much")

# %%
Table(["τ", "to the target (s)", "workers idle (%)", "mean staleness (updates)"],
      [[row["tau"], round(row["to_target_s"], 1), round(idle[row["tau"]], 1), round(row["mean_staleness"], 1)]
       for row in over_tau], note=f"the server is always busy from τ = {pipeline.busy_from} on")

# %% [markdown]
# The curve falls as long as there is idle time that another request can fill. From there on the server is the slowest
# part and always busy, workers idle as much as they must, and a longer queue only makes gradients older: the curve
# rises. The measurement of the OSDI paper, sparse logistic regression on a thousand machines, has this shape too. There
# idle time was 50 % at $\tau=0$ and 1.7 % at $\tau=16$, and the best was $\tau=8$: at 16 more computing was wasted on
# old parameters than waiting was saved. Those are the figures of the paper; ours are of a toy.

# %%
paper = {"idle at tau = 0": "50 %", "idle at tau = 16": "1.7 %", "best tau": 8}
print("paper:", paper)
print("here: ", {"idle at tau = 0": f"{idle[0]:.0f} %", "idle at tau = 16": f"{idle[16]:.1f} %",
                 "best tau": min(over_tau, key=lambda row: row["to_target_s"])["tau"]})

# %% [markdown]
# ## 8. A model for each range, and clocks for it · *Advanced*
#
# Why should all rows of a table obey one rule? In a recommender a few popular rows are touched in every step, by
# everybody, like dense weights. The long tail is touched rarely. `PerRange` gives each range of keys a model of its
# own. That generalises the OSDI paper, where the dependencies between *tasks* decide what waits. Below, rows 0 to 3 are
# exact and the rest may run four rounds ahead. Every fifth round a worker reads the exact rows too.


# %%
def mixed(comm, K, model, seconds):
    table = TableConfig("rows", dim=1, num_rows=8, rule=SGD(1.0), consistency=model)
    if comm.rank == K:
        return serve(comm, KVServer([table], 0, 1, range(K)))
    with KVWorker(comm, [K], [table]) as kv:
        for c, step_s in enumerate(seconds[comm.rank]):
            kv.wait(kv.pull(range(4, 8), "rows"))             # the tail
            if c % 5 == 0:
                kv.wait(kv.pull(range(4), "rows"))            # the head
            comm.compute(step_s)
            kv.push(range(8), np.ones((8, 1), np.float32), "rows")
            kv.clock()


HEAD_EXACT = PerRange([(0, 4, BSP()), (4, None, SSP(4))])
seconds = Pace.transient(1.0, 0.1, 5, seed=2).table(4, 40)
models = {"BSP for all": BSP(), "head BSP, tail SSP(4)": HEAD_EXACT, "SSP(4) for all": SSP(4)}
Table(["model", "finished after (s)"],
      [[name, round(SimWorld(5, link=FREE, trace=False).run(mixed, 4, model, seconds).seconds, 1)]
       for name, model in models.items()])

# %% [markdown]
# Between the two: workers wait only when they read the exact rows. And the promise is kept range by range, says the
# checker:

# %%
of_four_rows = PerRange([(0, 2, BSP()), (2, None, SSP(2))])
print("every promise kept:", yes(not check(history_of(of_four_rows), of_four_rows)))
print("and held against BSP for all rows:", sorted(check(history_of(of_four_rows), BSP()).rules))

# %% [markdown]
# ### Vector clocks
#
# One number, "the smallest clock", is enough to decide who waits. It is not enough to say *what a row contains*. A
# **vector clock** is: for each worker, the time of its newest update in here. It is sometimes described as a tag with
# the worker that updated last; that would be one name, and would forget all others.
#
# One clock contains another if none of its entries is smaller. Two clocks of which each has an entry that is larger are
# *concurrent*: neither copy can stand in for the other. Merging takes the larger entry of each worker.

# %%
a, b = VectorClock({0: 3, 1: 5}), VectorClock({0: 4, 1: 2, 2: 0})
smaller = VectorClock({worker: min(a[worker], b[worker]) for worker in a if worker in b})
Table(["", "clock", "contains a", "contains b"],
      [[name, str(clock), yes(a <= clock), yes(b <= clock)] for name, clock in
       (("a", a), ("b", b), ("merged", a.merge(b)), ("merged by the smaller entry", smaller))],
      note=f"a and b are concurrent: {yes(a.concurrent(b))}")

# %% [markdown]
# A merge by the *smaller* entry contains neither, and a server that keeps it forgets that it has applied updates; it
# would accept them a second time.
#
# One vector clock for each of a billion keys would be larger than the table. But pushes come in ranges, and neighbours
# that were always pushed together share a clock. So the server keeps one clock for a *range*, and a push that ends
# inside a range splits it.

# %%
clocks = RangeClocks(0, 100)
rows = []
for worker, clock, lo, hi in ((0, 0, 0, 100), (1, 0, 40, 60), (1, 1, 40, 60), (0, 1, 0, 40), (1, 1, 0, 100), (0, 1, 40, 100)):
    clocks.push(lo, hi, worker, clock)
    held = "   ".join(f"{start}..{stop - 1} {held}" for start, stop, held in clocks.ranges())
    rows.append([f"worker {worker}, clock {clock}, keys {lo}..{hi - 1}", len(clocks), held])
Table(["push", "ranges", "what the server knows"], rows)

# %% [markdown]
# One range becomes at most three, and ranges whose clocks have become equal are one again: at the end a single clock
# describes all hundred keys. Many ranges stay where workers push scattered keys, and that is the limit of the idea.
#
# ## 9. Elastic averaging · *Advanced*
#
# In all of the above there is *one* model, on the servers, and workers hold more or less old copies of it. **EASGD**
# (Zhang, Choromanska, LeCun, 2015) takes the opposite view. Every worker trains a model of its own, and a spring ties
# it to a common centre $\tilde x$. Every so many steps, all with the *same old* centre,
#
# $$d_i = \alpha\,(x_i - \tilde x), \qquad x_i \leftarrow x_i - d_i, \qquad \tilde x \leftarrow \tilde x + \sum_i d_i .$$
#
# What a worker gives up, the centre takes: $\sum_i x_i + \tilde x$ does not change. That is a test for an
# implementation. One that lets each worker see the centre that the one before it has already moved does conserve the
# sum, but its result depends on their order.

# %%
x, centre = np.array([[8.0], [0.0]]), np.zeros(1)
rows = [[0, *x[:, 0], centre[0], x.sum() + centre.sum()]]
for exchange in range(1, 5):
    x, centre = elastic_step(x, centre, alpha=0.25)
    rows.append([exchange, *x[:, 0].round(4), centre[0].round(4), x.sum() + centre.sum()])
Table(["exchange", "worker 0", "worker 1", "centre", "sum of all"], rows)

# %% [markdown]
# How strong may the spring be? Without any gradient, subtract the centre from the mean $\bar x$ of the workers. One
# exchange moves the mean by $-\alpha(\bar x-\tilde x)$ and the centre by $+K\alpha(\bar x-\tilde x)$, so the gap is
# multiplied by $1-\alpha(K+1)$. Your fourth number: with three workers, at which $\alpha$ does the gap stop shrinking?

# %%
my_alpha = ...
predict("11.5", "stability limit of alpha with three workers", my_alpha)

# %%
def gap_after(alpha, K, exchanges=60):
    x, centre = np.linspace(1.0, 2.0, K)[:, None], np.zeros(1)
    for _ in range(exchanges):
        x, centre = elastic_step(x, centre, alpha)
    return abs(float(x.mean() - centre[0]))


_ = reveal("11.5", "stability limit of alpha with three workers", lambda: stable_alpha(3))
rows = []
for K in (1, 3, 7):
    limit = stable_alpha(K)
    rows.append([K, limit, *(f"{gap_after(factor * limit, K):.3g}" for factor in (0.5, 0.98, 1.0, 1.02))])
Table(["workers K", "limit 2 / (K + 1)", "half the limit", "0.98 × limit", "limit", "1.02 × limit"], rows,
      note="gap between the workers' mean and the centre after 60 exchanges; it began at 1.5 (K = 1: at 1)")

# %% [markdown]
# Just below the limit the gap swings and shrinks, at the limit it swings for ever, just above it grows. The value that
# many would try first, $\alpha=0.5$, is at the limit for three workers. The kit refuses such a table before anything is
# sent:

# %%
try:
    KVServer([TableConfig("centre", 1, 4, SGD(1.0), EASGD(alpha=0.5, every=4))], 0, 1, range(3))
except ValueError as refused:
    print(refused)


# %% [markdown]
# On servers the centre is a table, and an exchange is one round: a pull, a push, a `clock()`. Three workers with
# different goals meet every step, every fourth, every sixteenth. Where does the centre go, and what do the bytes do?


# %%
def elastic(comm, every, steps=160, K=3):
    table = TableConfig("centre", 2, 1, SGD(1.0), EASGD(alpha=0.2, every=every))
    if comm.rank == K:
        server = KVServer([table], 0, 1, range(K))
        serve(comm, server)
        return server.rows("centre")[0].tolist()
    mine, goal = torch.zeros(1, 2), torch.tensor([[0.0, 3.0 * comm.rank]])
    with KVWorker(comm, [K], [table]) as kv:
        average = ElasticAverage(kv, table, mine)
        for _ in range(steps):
            mine -= 0.05 * (mine - goal)                      # its own gradient, of its own data
            average.step()                                    # meets the centre when it is time
    return mine[0].tolist()


rows = []
for every in (1, 4, 16):
    run = SimWorld(4, trace=False).run(elastic, every)
    own = [round(result[1], 2) for result in run.results[:3]]
    rows.append([every, *own, round(run.results[3][1], 2), run.ledger.total("vals")])
Table(["meets every", "worker 0 (goal 0)", "worker 1 (goal 3)", "worker 2 (goal 6)", "centre", "values moved (B)"], rows)

# %% [markdown]
# The centre comes close to the mean of the goals, the workers keep a distance from it, the larger the more rarely they
# meet, and bytes fall as the meetings do. That distance is wanted: workers explore. For which parameters is this a
# sensible thing? For *replicated* ones: a dense network of which every trainer has a copy. You can read that a
# recommender's embeddings are "synchronised by elastic averaging". A table that is partitioned over servers has *one*
# copy of each row; there is nothing to average. As such systems have been described it is the other way round: the
# dense part is averaged, and the rows live on servers.
#
# ## 10. A staleness that adapts · *Advanced*
#
# Nobody tells a worker which kind of straggler it has to do with. But it can see its own waits. `AdaptiveStaleness`
# looks, every sixteen iterations, at the share of its time that it waited. Is it too much, it doubles $s$. If even the
# largest $s$ has not helped, the straggler is one that no slack hides, and it returns to $s=0$, where reads are
# freshest.

# %%
rows, chosen = [], {}
for kind, pace in usual_kinds().items():
    seconds = pace.table(8, 400)
    choosers = [AdaptiveStaleness() for _ in range(8)]
    plan = schedule(seconds, choosers)
    chosen[kind] = [s for s, _ in choosers[0].shares]
    fixed = [schedule(seconds, s).makespan_s for s in (0, 8)]
    rows.append([kind, *fixed, plan.makespan_s, chosen[kind][-1], " ".join(map(str, chosen[kind][:8]))])
Table(["straggler", "s = 0 (s)", "s = 8 (s)", "adaptive (s)", "s at the end", "s of worker 0, window by window"], rows,
      note="virtual time of 400 iterations of eight workers")

# %% [markdown]
# Without stragglers it stays synchronous; under transient ones it takes what it needs; under a persistent one it tries,
# finds that nothing helps, and goes back. It sees waits and nothing else. It does not know the learning rate, so it can
# choose an $s$ that training does not stand: whoever uses such a rule has to keep the rate on the safe side of the
# largest $s$ it may choose.
#
# All in one table:
#
# | model | a worker waits for | a read is sure to hold | section |
# | --- | --- | --- | --- |
# | BSP | all, every round | exactly the rounds before | 3 |
# | SSP(s) | those more than $s$ rounds behind | what is stamped $c-s-1$ or earlier, and its own | 1, 2 |
# | SSP(∞) | nobody | its own | 3 |
# | ASP | nobody | nothing in particular | 3 |
# | bounded delay τ | answers to its own requests of $t-\tau-1$ and before | its own up to there | 7 |
# | per range | as the range it reads demands | as its range says | 8 |
# | EASGD | all, at every meeting | the centre before the meeting; own model always | 9 |
#
# and what was wrong or one-sided in print:
#
# | often said | what the cells show | where |
# | --- | --- | --- |
# | "to $c+1$ only if no clock is below $c+1-s$" | with the own clock for $c$ it deadlocks at $s=0$ and is one too tight | 1 |
# | clocks differ by at most $s$ | leads at a start do; committed counts differ by up to $s+1$ | 1 |
# | ASP is SSP with $s=\infty$ | in waiting, yes; SSP also promises read-my-writes | 3 |
# | slack hides stragglers | transient ones; for a persistent one every finite $s$ takes BSP's time | 4 |
# | regret $O(\sqrt{sT})$ | 0 at $s=0$; the theorem has $s+1$, and the number of workers | 5 |
# | a vector clock tags the last worker | it has an entry for each worker | 8 |
# | embeddings are synchronised by EASGD | rows have one copy; the replicated dense part is averaged | 9 |
#
# About ASP one also reads that nothing is guaranteed for non-convex losses. Without any bound on the delay that is so;
# for *bounded* delays there are results since 2015 (Lian et al., in the list below) and later ones.

# %% [markdown]
# ## In production
#
# Bounded staleness as a product was Petuum's, whose server kept the clocks of this chapter. Today's frameworks have
# little of it. TensorFlow's `ParameterServerStrategy` is asynchronous, without a bound. PyTorch's collectives are
# synchronous, and what PyTorch offers is to *meet rarely*: `PeriodicModelAverager` lets every worker train alone and
# replaces all models by their mean every few steps (local SGD). It is EASGD with the strongest of springs and without a
# centre. Here it runs for real, in two processes over Gloo and loopback, beside the same lines by hand.


# %%
def averaged(comm, folder, steps=9, period=4):
    import torch.distributed as dist
    from torch.distributed.algorithms.model_averaging.averagers import PeriodicModelAverager

    os.environ["GLOO_SOCKET_IFNAME"] = "lo" if os.uname().sysname == "Linux" else "lo0"
    store = dist.FileStore(os.path.join(folder, "store"), comm.world_size)
    dist.init_process_group("gloo", store=store, rank=comm.rank, world_size=comm.world_size)
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
    averager = PeriodicModelAverager(period=period, warmup_steps=0)
    path = []
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * (model.weight - 4 * comm.rank) ** 2).sum().backward()      # its own data: goal 0 or 4
        optimizer.step()
        averager.average_parameters(model.parameters())
        path.append(model.weight.item())
    dist.destroy_process_group()
    return path


# %%
def by_hand(steps=9, period=4):
    w, path = np.zeros(2), []
    for step in range(steps):
        w = w - 0.25 * (w - 4 * np.arange(2))
        if step % period == 0:                                # PyTorch averages at step 0, 4, 8, ...
            w = np.full(2, w.mean())
        path.append(w)
    return np.array(path)


with tempfile.TemporaryDirectory() as folder, ProcessWorld(2) as pair:
    paths = np.array(pair.run(averaged, folder).results).T
print("PyTorch's averager equals the lines by hand:", yes(np.allclose(paths, by_hand(), atol=1e-6)))
Table(["step", "worker 0", "worker 1", "apart"],
      [[step, *(round(float(w), 3) for w in models), round(float(np.ptp(models)), 3)]
       for step, models in enumerate(paths)])

# %% [markdown]
# Between two meetings the models drift apart, and the period bounds how long. That is a bounded staleness too: one in
# steps between meetings, with everybody waiting at each of them. A persistent straggler costs there what it costs under
# BSP.

# %% [markdown]
# ## Did it stick?
#
# Answer first, then click.
#
# <details><summary><b>Clocks are 7, 5 and 9, and s = 3. Which workers may begin their next iteration?</b></summary>
# <p>The smallest clock is 5. The worker at 7 may (5 ≥ 4), the one at 5 may, the one at 9 may not (5 &lt; 6). The clocks
# differ by 4 = s + 1, and that is allowed.</p></details>
#
# <details><summary><b>At clock 9 under SSP(3), may a read lack a push that another worker stamped 6?</b></summary>
# <p>Yes: it must hold stamps up to 9 − 3 − 1 = 5. One of its own stamped 6 or later it must hold.</p></details>
#
# <details><summary><b>A checker asserts that no lead exceeds s. Which wrong implementation does it let
# pass?</b></summary>
# <p>Every stricter one: BSP in disguise, or a gate that is one too tight. Somebody must also have <i>reached</i> s.</p></details>
#
# <details><summary><b>One of sixteen machines has half the speed of the others. Which s do you choose?</b></summary>
# <p>None helps: every finite s takes BSP's time. s = 0 has the freshest reads. Give that machine half the data, or do not wait
# for it (a backup worker).</p></details>
#
# <details><summary><b>A cache reads by age under SSP(3). How often does a hot row travel in a hundred rounds, at
# best?</b></summary>
# <p>25 times, once in s + 1 rounds, as long as nobody is behind.</p></details>
#
# <details><summary><b>What is the difference between SSP(4) and a bounded delay of 4?</b></summary>
# <p>SSP bounds the lead over <i>other</i> workers. The delay bounds how many iterations of a worker's <i>own</i> requests are under
# way. Under the second a fast worker may be any number of rounds ahead.</p></details>
#
# <details><summary><b>Nine workers exchange with a centre, α = 0.25. What happens?</b></summary>
# <p>The limit is 2/(9 + 1) = 0.2, so the gap between centre and workers grows at every meeting.</p></details>
#
# The figures in these answers, computed:

# %%
commits = np.array([7, 5, 9])
print("may begin at s = 3:", [bool(exact(commits, me, 3)) for me in range(3)], " apart:", int(np.ptp(commits)))
print("hot row, a hundred rounds at s = 3:", math.ceil(100 / 4))
print("limit of alpha with nine workers:", stable_alpha(9), " factor of the gap at 0.25:", 1 - 0.25 * 10)

# %% [markdown]
# Now do it yourself: [Lab 5: staleness](../labs/lab_05_staleness.ipynb).
#
# ## Further reading
#
# - Q. Ho, J. Cipar, H. Cui, J. K. Kim, S. Lee, P. B. Gibbons, G. A. Gibson, G. R. Ganger, E. P. Xing: *More Effective
#   Distributed ML via a Stale Synchronous Parallel Parameter Server*, NIPS 2013.
# - M. Li, D. G. Andersen, J. W. Park, A. J. Smola, A. Ahmed, V. Josifovski, J. Long, E. J. Shekita, B.-Y. Su: *Scaling
#   Distributed Machine Learning with the Parameter Server*, OSDI 2014. Bounded delay, vector clocks of ranges.
# - E. P. Xing et al.: *Petuum: A New Platform for Distributed Machine Learning on Big Data*, 2015.
# - S. Zhang, A. Choromanska, Y. LeCun: *Deep learning with Elastic Averaging SGD*, NIPS 2015.
# - X. Lian, Y. Huang, Y. Li, J. Liu: *Asynchronous Parallel Stochastic Gradient for Nonconvex Optimization*, NIPS 2015.
# - C. J. Fidge: *Timestamps in Message-Passing Systems That Preserve the Partial Ordering*, 1988; F. Mattern: *Virtual
#   Time and Global States of Distributed Systems*, 1989. Where vector clocks come from.
