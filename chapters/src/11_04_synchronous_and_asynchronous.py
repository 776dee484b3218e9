# %% [markdown]
# # 11.4 Synchronous and asynchronous updates
#
# **The big picture.** Several workers compute gradients, and a server adds them to the weights. Must a worker wait for
# the others before it goes on? If all wait, every gradient is fresh, and everybody is as slow as the slowest. If nobody
# waits, nobody is held up, and gradients are added to weights that have moved on since they were computed: they are
# *stale*. This chapter runs both, in the simulator and in real processes, draws who computes and who waits, and measures
# what staleness is, how large it becomes, what it does to training, and what is done against it.
#
# **After this chapter you can**
#
# 1. say who waits for whom under BSP and under ASP, and prove that a synchronous server equals one process;
# 2. compute what rare slowness of single workers costs a synchronous round, and what backup workers give back;
# 3. count the updates that get lost when several processes write to one memory without a lock;
# 4. state the mean staleness of asynchronous training exactly, without knowing how fast anybody is;
# 5. give the largest learning rate that a fixed staleness allows, and find it by experiment;
# 6. choose between warm-up, smaller rates, compensation and waiting, and compare modes at a rate that is fair to each.
#
# **Before you start** you should know push, pull and clock of a parameter server
# ([11.2](11_02_push_and_pull.ipynb)) and gradient descent. **Time:** an hour and a half to read, under a minute to run.
#
# Four times you are asked for a number before a run shows one. Write yours in place of the `...`: a guess that was
# wrong teaches more than a figure that was read. It is kept beside the measured one, for you alone.

# %%
import math
import os
import subprocess
import sys
import tempfile
from functools import partial

import numpy as np
import torch
from IPython.display import display

from pslab import collectives, viz
from pslab.comm import Link, ProcessWorld, SimWorld
from pslab.data import digit_data
from pslab.examples import FactorisationExample, LogisticExample, MLPExample, run_example
from pslab.grade import predict, reveal
from pslab.ps import ASP, BSP, SGD, AdaGrad, KVServer, KVWorker, TableConfig, serve
from pslab.viz import Note, Table

# %%
from pslab.train import (
    Compensated, DoubleWell, Downpour, Logistic, Pace, Pipeline, Quadratic, SparseLogistic, WarmUp,
    Task, WatchedServer, backup_rounds, best_rates, dense_table, law_of_updates, over_staleness, replay,
    run_hogwild, run_race, schedule, stable_rates, staleness_law, time_over_tau, usual_modes,
)

torch.set_num_threads(1)
LINK = Link(latency_s=50e-6, bandwidth_Bps=1e9)


def yes(truth):
    return "yes" if truth else "NO"


# %% [markdown]
# ## 1. One round, two rules · *Beginner*
#
# A worker's step has four parts: it *pulls* the weights, *computes* a gradient, *pushes* it, and *clocks*, which says "my
# step is over". Two rules say what a server does with that.
#
# - **BSP**, bulk synchronous: pushes wait in the round they belong to. The round closes when *every* worker has clocked it;
#   then all gradients become one step, and everybody goes on.
# - **ASP**, asynchronous: a push is a step the moment it arrives. Nobody waits for anybody.
#
# Here is a job for both. The gradient consists of whole numbers and depends on the weights, on the worker and on the step,
# so that any mix-up changes the result and no rounding can hide one.


# %%
def whole_gradient(w, rank, step):
    return (3 * w + 5 * rank + 7 * step + torch.arange(len(w))) % 11 - 5


def train(comm, K, consistency, pace, steps, gradient=whole_gradient, pushes=(1, 1, 1)):
    """Workers 0 … K-1 and one server. A worker gives its time; the server what it saw."""
    tables = [TableConfig("w", dim=1, num_rows=4, rule=SGD(lr=1.0), consistency=consistency)]
    if comm.rank == K:
        server = WatchedServer(KVServer(tables, 0, 1, range(K)), snapshots=1)
        serve(comm, server)
        return server.rows("w")[:, 0].tolist(), server.updates, server.snapshots_taken
    with KVWorker(comm, [K], tables) as kv:
        for step in range(steps):
            w = kv.wait(kv.pull(range(4), table="w"))[:, 0]
            comm.compute(pace(comm.rank, step))                # takes this long, in virtual time
            for _ in range(pushes[comm.rank]):
                kv.push(range(4), gradient(w, comm.rank, step)[:, None], table="w")
            kv.clock()                                         # BSP waits here, ASP does not
        return comm.now()


# %% [markdown]
# And the same without any servers or workers: one process that takes the workers' turns itself, in the order of their
# ranks. This is mini-batch descent, with a batch of all workers' parts together.


# %%
def one_process(K, steps, gradient=whole_gradient, order=1):
    w = torch.zeros(4)
    for step in range(steps):
        w = w - sum(gradient(w, rank, step) for rank in range(K)[::order])
    return w.tolist()


# %% [markdown]
# Three workers, twenty steps, and three ways to be fast or slow. Look at the last column first.

# %%
PACES = {"all equally fast": Pace.equal(1e-3),
         "speeds 0.2, 1 and 0.5": Pace.speeds([0.2, 1, 0.5], 1e-3),
         "random steps": Pace.exponential(1e-3, seed=3)}
rows = []
for mode in (BSP(), ASP()):
    for name, pace in PACES.items():
        run = SimWorld(3 + 1, link=LINK).run(train, 3, mode, pace, 20)
        done = [f"{1e3 * seconds:.1f}" for seconds in run.results[:3]]
        w = run.results[3][0]
        rows.append([type(mode).__name__, name, ", ".join(done), str([int(x) for x in w]),
                     yes(w == one_process(3, 20))])
Table(["mode", "workers", "done at (ms)", "weights", "as one process"], rows)

# %% [markdown]
# Under BSP the three workers always finish together, and the weights are those of one process, whoever was slow: *bit for
# bit*. Under ASP every worker finishes as early as it can. The result depends on who was faster, because gradients were
# computed from other weights. With equal speeds it happened to be the same; nothing promises that.
#
# Whole numbers add up exactly in any order. Numbers with fractions do not: for them the order of the sum matters in the last
# digits. So the server *joins* the pushes of a round in the order of ranks, no matter in which order they came. Is that enough?


# %%
def real_gradient(w, rank, step):
    return torch.sin(3 * w + rank + torch.arange(len(w))) + 0.1 * step


same = [SimWorld(4, link=LINK).run(train, 3, BSP(), pace, 20, real_gradient).results[3][0]
        == one_process(3, 20, real_gradient) for pace in PACES.values()]
print("fractions, BSP, three paces: as one process, bit for bit:", *map(yes, same))
backwards = one_process(3, 20, real_gradient, order=-1)
print("as one process that adds from the last rank to the first:", yes(backwards == one_process(3, 20, real_gradient)))

# %% [markdown]
# It is enough, and it is needed: whoever adds in another order gets other last digits, and after a few steps of this job other
# weights altogether.

# %% [markdown]
# ### A round closes on distinct senders
#
# When is a round complete? A tempting answer is "after three pushes". Now worker 0, the fastest, pushes three times
# before it clocks, as one does who cuts a batch in three. Here is what the server saw.

# %%
pace = Pace.speeds([1, 0.5, 0.2], 1e-3)
run = SimWorld(3 + 1, link=LINK).run(train, 3, BSP(), pace, 2, whole_gradient, (3, 1, 1))
_, updates, kept = run.results[3]
events = [(u.time_s, f"push of worker {u.worker}, its step {u.clock}") for u in updates]
events += [(at, f"step {steps} of the server: round {steps - 1} closes") for at, steps, _ in kept[1:]]
Table(["time (ms)", "at the server"], [[f"{1e3 * at:.2f}", what] for at, what in sorted(events)])

# %% [markdown]
# Three pushes of worker 0 closed nothing. A server that counts requests would have closed the round at the third line, with
# one worker's gradients and without the other two's. What closes a round is that all *distinct* workers have clocked it.
#
# ### Who waits for whom
#
# The rules differ most when one worker is very slow. Worker 2 now takes a hundred times as long. Ten steps each: when is
# each worker done?

# %%
rows = []
for mode in (BSP(), ASP()):
    run = SimWorld(3 + 1, link=LINK).run(train, 3, mode, Pace.persistent(1e-3, 2, 100), 10)
    rows.append([type(mode).__name__, *(round(1e3 * seconds, 1) for seconds in run.results[:3])])
Table(["mode", "worker 0 done (ms)", "worker 1 done (ms)", "worker 2, the slow one (ms)"], rows)

# %% [markdown]
# Under BSP everybody waits for worker 2. Under ASP the other two do not even notice it. What worker 2 notices is another
# matter: while it computes one gradient, the others change the weights under its feet. Sections 5 to 7 are about that.
#
# ## 2. The picture: a Gantt chart · *Beginner*
#
# A Gantt chart has one lane for each worker: dark where it computes, dotted where it waits. The next run trains a logistic
# regression in four ways and keeps both the lanes and the loss: the charts below are drawn from the very run that trained
# the model. There are four workers, the last of which runs at half speed. SSP(2) lets a worker be at most two steps ahead of
# the slowest; the next chapter is about it. `ring` is an all-reduce, which has no server at all.

# %%
task = Logistic.made(400, 10, seed=1, flipped=0.05, l2=0.001)
TARGET = 0.42                                       # from 0.69 at the start; the best loss is 0.37


def sim(ranks):
    return SimWorld(ranks, link=LINK)


half_speed = Pace.speeds([1, 1, 1, 0.5], 10e-3)     # 10 ms a step, 20 ms for the last worker
race = run_race(task, half_speed, lr=4.0, horizon_s=0.4, modes=usual_modes(2), world=sim)
reached = {name: lane.curve.time_to(TARGET) for name, lane in race.items()}
viz.gantt(race, until_s=0.34, reached=reached, target=f"loss {TARGET} reached",
          title="One of four workers at half speed")

# %% [markdown]
# The ring and BSP wait alike: "server" does not mean "asynchronous", and a synchronous server idles exactly as a ring
# does. SSP(2) gets two steps ahead and then waits as they do. Only ASP has no dotted stretch. What did the model get from
# it? (The curves of ring and BSP lie on each other.)

# %%
def losses_at(lane, times):
    """The loss of a lane at these times: a curve of steps."""
    at = np.searchsorted(lane.curve.times_s, times, side="right") - 1
    return lane.curve.losses[at].tolist()


times = np.linspace(0, 0.4, 41)
viz.curve((1e3 * times).tolist(), {name: losses_at(lane, times) for name, lane in race.items()},
          xlabel="time (ms)", ylabel="loss (nats a row)", rows=7,
          looks={"ring": "allreduce", "BSP": "server", "SSP(2)": "hybrid", "ASP": "gather"},
          title="The loss of the same four runs")

# %%
Table(["mode", "loss reached (ms)", "steps of the four workers", "mean staleness", "time waited (%)"],
      [[row["mode"], round(1e3 * row["to_target_s"], 1), str(row["steps"]),
        round(row["mean_staleness"], 2), round(100 * row["waited"], 1)]
       for row in race.table(TARGET)])

# %% [markdown]
# ASP reaches the target first because its three fast workers compute twice as many gradients. The fourth column is what
# it pays: a gradient is, on the average, two other updates old when it is added. In this easy task that costs next to
# nothing. It is not always so.
#
# ### The same with processes
#
# Four real workers and a real server; each worker sleeps as long as its step should take. The picture is another one on
# each machine and in each run. One thing holds in all of them: gradients cannot be staler on the average than section 5
# will allow, which for four workers is three.

# %% tags=["nbval-ignore-output"]
real = run_race(task, Pace.speeds([1, 1, 1, 0.5], 50e-3), lr=4.0, horizon_s=0.7,
                modes={"BSP": BSP(), "ASP": ASP()}, world=ProcessWorld)
display(viz.gantt(real, title="Real processes, one of four workers at half speed"))
print("steps of the workers:", {name: lane.counts for name, lane in real.items()})
print("mean staleness under ASP:", round(real["ASP"].mean_staleness, 2))
assert real["ASP"].mean_staleness <= 3

# %% [markdown]
# ## 3. Stragglers · *Intermediate*
#
# A worker that is slow now and then is called a *straggler*: a full disk, a garbage collection, a neighbour on the same
# machine. A single one is no tragedy. But a synchronous round waits for the slowest of all. Take a hundred workers, each
# of which is slow in one per cent of its steps, and then takes twice as long. In how many per cent of all rounds does
# everybody have to wait? Your first number.

# %%
my_share = ...
predict("11.4", "slow rounds of a hundred workers", my_share, unit="%")

# %%
seconds = Pace.transient(1.0, probability=0.01, factor=2, seed=0).table(100, 1_000)
_ = reveal("11.4", "slow rounds of a hundred workers",
           lambda: round(100 * viz.slow_rounds(100, 0.01), 1))
Table(["", "slow rounds", "mean round"],
      [["closed form, 1 - 0.99¹⁰⁰", f"{100 * viz.slow_rounds(100, 0.01):.1f} %",
        f"{viz.round_time(100, 0.01, 2):.3f}"],
       ["1,000 drawn rounds", f"{100 * (seconds.max(axis=0) > 1).mean():.1f} %",
        f"{seconds.max(axis=0).mean():.3f}"]], note="mean round: 1 is a step of a worker that is not slow")

# %%
fast = schedule(seconds, math.inf).makespan_s / seconds.shape[1]
Note(f"A round is fast only if *all* hundred are. So almost two rounds out of three are slow, and a round "
     f"takes {viz.round_time(100, 0.01, 2):.2f} times a normal step on the average, although a worker loses "
     f"one per cent of its own time. Without waiting, the worker with most bad luck needs {fast:.3f} a step.")

# %% [markdown]
# ### Slowness that moves
#
# In section 2 one worker was slow for good. Here is the picture of slowness that moves: each of six workers is slow in a tenth of
# its steps, and then takes four times as long. The times come from the clock rule alone, without a message. Follow the
# long bars: who waits for them?

# %%
seconds = Pace.transient(1.0, probability=0.1, factor=4, seed=5).table(6, 16)
viz.gantt({name: schedule(seconds, s) for name, s in (("BSP", 0), ("SSP(2)", 2), ("ASP", math.inf))},
          title="Six workers, each slow in a tenth of its steps: sixteen steps each")

# %% [markdown]
# Under BSP all wait for every long bar. With two steps of slack much of that is gone, because two workers are seldom slow at
# the same time: who was held up catches up while another one is. Under ASP each only pays for itself. A worker that is slow
# *for good* is another matter, as section 2 showed: slack is soon used up.
#
# ### Backup workers
#
# A cure that stays synchronous: start a few workers more than a round needs, and close the round when all *but b* are in.
# What comes late is dropped, and counted, and never slips into the next round. A round then takes the $(K-b)$-th smallest
# of $K$ times in place of the largest. Left: the mean round, without and with four backup workers, over the number of
# workers. Right: what counts, gradients that are *used* in the time of a step.

# %%
viz.rounds(K=100, probability=0.01, slowdown=2, backup=4)

# %% [markdown]
# Four backup workers throw away four gradients in each round and win back nearly everything. Now with controls. Which
# number of backup workers is the best at a hundred workers? And when each is slow in a tenth of its steps? When can no
# number help much?

# %% tags=["nbval-ignore-output"]
viz.rounds_widget()

# %% [markdown]
# More backup workers are not always better: each costs its own gradient in every round. For other distributions the same
# rule holds. If times are exponentially distributed with mean 1, the mean of the largest of $K$ is the harmonic number
# $H_K = 1 + 1/2 + \ldots + 1/K$, and of the $(K-b)$-th smallest $H_K - H_b$. The third column draws that.
#
# The last column is what the kit's server does: a late worker does not drop its work. It finishes, and joins the round that
# is then open. Here that makes a difference.

# %%
def harmonic(n):
    return sum(1 / i for i in range(1, n + 1))


seconds, rows = Pace.exponential(1.0, seed=5).table(16, 1_000), []
for b in (0, 1, 2, 4, 8):
    drop, finish = (backup_rounds(seconds, b, finish=how)[0].mean() for how in (False, True))
    rows.append([b, round(harmonic(16) - harmonic(b), 3), round(float(drop), 3),
                 round((16 - b) / float(drop), 2), round(float(finish), 3)])
Table(["backup b", "H₁₆ - H_b", "drawn, late ones drop", "gradients used a second",
       "drawn, late ones finish"], rows, note="mean round in seconds; 16 workers, mean step 1 s")

# %% [markdown]
# With exponential times dropping pays and pays: who is late is as far from the end as at the start, so nothing is lost by
# dropping it. With the two-valued times above it paid for the first few workers only.
#
# And on the server, for real: `BSP(backup=1)`, three workers, the last of them far slower. Worker 0 pushes ones, worker 1
# tens, worker 2 hundreds. So the sum shows who was used.


# %%
def backed_up(comm, steps):
    tables = [TableConfig("w", dim=1, num_rows=1, rule=SGD(lr=1.0), consistency=BSP(backup=1))]
    if comm.rank == 3:
        server = KVServer(tables, 0, 1, range(3))
        return {**serve(comm, server)["tables"]["w"], "w": -float(server.rows("w")[0, 0])}
    with KVWorker(comm, [3], tables) as kv:
        for _ in range(steps):
            comm.compute([1e-3, 2e-3, 9.5e-3][comm.rank])
            kv.push([0], torch.tensor([[10.0 ** comm.rank]]), table="w")   # 1, 10 or 100
            kv.clock()
            if kv.current_clock >= steps:
                return round(1e3 * comm.now(), 1)


run = SimWorld(3 + 1, link=LINK).run(backed_up, 4)
seen = run.results[3]
print("workers done at (ms):", run.results[:3])
print(f"pushes {seen['pushes']}, late {seen['late']}, steps {seen['steps']}, weight {seen['w']:.0f} = 3/2 · {seen['w'] / 1.5:.0f}")

# %% [markdown]
# The two fast workers close four rounds: four ones and four tens. The slow one's push came late, was counted, and is in no
# sum. The factor: a worker pushes its share of a mean over three, and with two shares used the server weighs them by 3/2, so
# that a round with backup workers is a step of full size.
#
# ## 4. Hogwild! · *Intermediate*
#
# The most radical way not to wait needs no server either. Several processes of one machine share the weights in *memory*,
# read and write them as they like, and take no lock. Recht and colleagues called it Hogwild! in 2011. (Parameter servers are
# often called the same idea on a network; the first one was published a year earlier.) What can go wrong?
# Adding is three steps, *read, add, write*. If two workers read the same 5, both write 6, and one update is lost.
#
# First a model of it, in the simulator, where every run is the same. Four workers add a gradient to the *same* numbers, read
# them at the same moment, and write them a little later at the same moment. What share of all that they add is missing at
# the end? Your second number, in per cent.

# %%
my_lost = ...
predict("11.4", "lost when four workers write at once", my_lost, unit="%")

# %%
at_once = run_hogwild(SimWorld(4), Quadratic([1.0, 1.0]), steps=1, lr=0.25, pace=Pace.equal(1.0),
                      write_s=0.1)
_ = reveal("11.4", "lost when four workers write at once", lambda: 100 * at_once.lost_share)
print("weights before [1, 1], after", at_once.weights.tolist(), "instead of [0, 0]")

# %% [markdown]
# Three of four are overwritten. This is the worst case: all touch the same coordinates at the same time. Sparse gradients
# seldom meet. Below, each row of data has five features out of fewer or more, and a write takes a fifth of the time that a
# gradient takes. Watch the lost share fall as the rows become sparser.

# %%
rows = []
for dim in (5, 20, 100, 500, 2_000):
    sparse = SparseLogistic(400, dim, 5, seed=1)
    run = run_hogwild(SimWorld(4, trace=False), sparse, steps=120, lr=0.3, write_s=200e-6,
                      pace=Pace.exponential(1e-3, seed=1))
    rows.append([dim, f"{100 * 5 / dim:g} %", f"{100 * run.lost_share:.2f} %", run.lost_coordinates,
                 round(run.losses[0], 3), round(run.losses[1], 3)])
Table(["features", "touched by a row", "lost", "coordinates that lack something", "loss before",
       "loss after"], rows, note="4 workers, 480 updates; a model: virtual time")

# %% [markdown]
# Now real processes. Two of them add 1 to a number, thirty thousand times each. In the first run it is the same number, in
# the second each has its own. The kit keeps what each process added beside what is in the memory, so losses are counted
# to the last one.


# %%
class Ones(Task):
    """Each step of worker r adds 1 to coordinate keys[r]."""

    dim, start, best_loss = 2, np.zeros(2), 0.0

    def __init__(self, keys):
        self.keys = [np.array([key]) for key in keys]

    def loss(self, w):
        return -float(w.sum())

    def sparse_gradient(self, w, worker, step):
        return self.keys[worker], -np.ones(1)


# %% tags=["nbval-ignore-output"]
with ProcessWorld(2) as pair:
    shared = run_hogwild(pair, Ones([0, 0]), steps=30_000, lr=1.0)
    apart = run_hogwild(pair, Ones([0, 1]), steps=30_000, lr=1.0)
    sparse = run_hogwild(pair, SparseLogistic(400, 2_000, 5, seed=1), steps=3_000, lr=0.3)
print(f"one number for both:   {shared.weights[0]:,.0f} of 60,000, {shared.lost[0]:,.0f} lost")
print(f"a number for each:     {apart.weights.sum():,.0f} of 60,000")
print(f"sparse rows, 2,000 features: {100 * sparse.lost_share:.4f} % lost, "
      f"loss {sparse.losses[0]:.3f} to {sparse.losses[1]:.3f}")
assert shared.weights[0] + shared.lost[0] == 60_000
assert apart.weights.tolist() == [30_000] * 2
assert sparse.losses[1] < 0.5 * sparse.losses[0]

# %% [markdown]
# How many are lost in the first run is luck, and on a machine with one core it may be none at all. In the second nothing
# *can* be lost: nobody else writes there. The third is the case that Hogwild! is made for. Its guarantee is one about
# sparse, convex problems; and lost updates are only half of its noise. The other half is that a gradient is computed from
# weights that others change meanwhile: staleness, as on a server.
#
# ## 5. How old is a gradient? · *Intermediate*
#
# Count what lies between reading and writing. The **staleness** of an update is the number of *other* updates that were
# applied after its worker had read the weights and before its own was applied. Four workers, one of which is four times
# slower than the others. What is the mean staleness of all updates under ASP? Your third number.

# %%
my_staleness = ...
predict("11.4", "mean staleness, one of four workers slow", my_staleness, unit="updates")

# %%
PROFILES = {"all equal": Pace.equal(1.0), "one 4 times slower": Pace.persistent(1.0, 2, 4),
            "exponential": Pace.exponential(1.0, seed=3)}
laws = {name: staleness_law(schedule(pace.table(4, 1_000), math.inf), horizon_s=400.0)
        for name, pace in PROFILES.items()}
_ = reveal("11.4", "mean staleness, one of four workers slow",
           lambda: round(laws["one 4 times slower"].mean, 2))
Table(["speeds", "updates N", "mean staleness", "3 - boundary / N", "equal", "by worker"],
      [[name, law.updates, f"{law.mean:.6f}", f"{law.predicted:.6f}",
        yes(abs(law.mean - law.predicted) < 1e-12), ", ".join(f"{x:.2f}" for x in law.by_worker)]
       for name, law in laws.items()])

# %% [markdown]
# Three profiles, one answer: $K-1$, less a small term for the end of the run. It does not depend on the speeds at all. Why?
# A worker reads right after its own update. So each update of another worker falls into exactly one of its gaps between
# reading and writing, and counts once there. Summed over all workers, each of the $N$ updates is counted by the $K-1$
# others: $(K-1)N$ in all. What is missing are the updates that came after a worker's last one, and that is the
# *boundary*.
#
# The mean hides who pays. In the second line the slow worker's gradients are twelve updates old and the others' just above
# two. A slow worker is rare *and* stale. The law counts on servers too, with a link that costs nothing:

# %%
race = run_race(task, PROFILES["exponential"], workers=4, lr=1.0, horizon_s=60.0, modes={"ASP": ASP()},
                world=lambda ranks: SimWorld(ranks, link=Link(0, 0, math.inf), trace=False))
seen = race["ASP"].updates
law = law_of_updates([u.worker for u in seen], [u.staleness for u in seen], 4)
print(f"{law.updates} pushes seen by the server: mean {law.mean:.6f}, law {law.predicted:.6f}")

# %% [markdown]
# So "ASP lets staleness grow without bound" is true of single updates and false of the mean. To make the mean smaller there
# are two ways only: fewer workers, or waiting. Who waits reads later, and fresher.
#
# ## 6. What an old gradient costs · *Advanced*
#
# ### The stable rate
#
# Take the simplest loss, $\frac{\lambda}{2}w^2$, and gradients that are exactly $\tau$ steps old:
# $w_{t+1} = w_t - \eta\lambda\,w_{t-\tau}$. Fresh gradients ($\tau=0$) settle for every rate below $2/\lambda$. Old ones swing:
# they still push when the weight has long passed the bottom. The exact limit is
#
# $$\eta < \frac{2}{\lambda}\,\sin\frac{\pi}{2(2\tau+1)}\,.$$
#
# The next table finds the limit by experiment, without the formula: it tries rates and looks whether the weight comes to
# rest.

# %%
rows = stable_rates(curvature=1.0, most=8)
Table(["staleness τ", "found by experiment", "formula", "of the fresh limit"],
      [[row["staleness"], f"{row['measured']:.3f}", f"{row['formula']:.3f}",
        f"{50 * row['formula']:.0f} %"] for row in rows], note="λ = 1")

# %%
def swings(rate, tau, steps):
    """The largest |w| of the last swing, a swing being 4τ + 2 steps, after each of `steps`."""
    w = [1.0] * (tau + 1)
    for _ in range(steps):
        w.append(w[-1] - rate * w[-1 - tau])
    swing = 4 * tau + 2
    return [max(map(abs, w[max(0, t - swing):t + 1])) for t in range(tau, len(w))]


edge = collectives.stable_rate(1.0, 4)
viz.curve(list(range(161)), {f"{share:g} of the limit": swings(share * edge, 4, 160)
                             for share in (0.5, 0.9, 0.98, 1.05)},
          xlabel="step (count)", ylabel="largest |w| of a swing (no unit)", log="y", rows=9,
          title="Gradients four steps old, at four rates")

# %% [markdown]
# Below the limit the swings die out, above it they grow. But close to it they die out slowly, and at
# half of it there is next to no swinging: in practice one stays well below. The limit falls roughly as
# $\pi/(2\tau+1)$: **double the staleness, halve the rate**. A *delayed all-reduce*, which uses the sum of the step before, is
# the line $\tau=1$: it may use half of the fresh rate.
#
# ### Does ASP with many workers need a tiny rate?
#
# With $K$ equally fast workers the staleness is $K-1$. But ASP also takes smaller steps: one worker's share is $\eta/K$, and a
# synchronous round adds $K$ shares at once. Call $\eta$ the rate of the whole, in both modes. BSP is stable below $2/\lambda$.
# For sixty-four workers under ASP, what is the limit, in per cent of BSP's? Your last number.

# %%
my_limit = ...
predict("11.4", "stable rate of ASP with 64 workers", my_limit, unit="% of BSP's")


# %%
def asp_limit(K):
    return K * collectives.stable_rate(1.0, K - 1)


def ends_at(K, lr, rounds=120):
    plan = schedule(np.ones((K, rounds)), math.inf)
    return replay(Quadratic([1.0]), plan, lr, every=K).losses[-1]


rows = [[K, K - 1, round(asp_limit(K), 3), round(50 * asp_limit(K), 1),
         yes(ends_at(K, 0.9 * asp_limit(K)) < 0.1), yes(ends_at(K, 1.1 * asp_limit(K)) > 10)]
        for K in (2, 4, 8, 16, 64)]
_ = reveal("11.4", "stable rate of ASP with 64 workers", lambda: rows[-1][3])
Table(["workers K", "staleness", "limit of η", "of BSP's (%)", "0.9 of it settles", "1.1 explodes"], rows,
      note="λ = 1, all workers equally fast")

# %% [markdown]
# The limit tends to $\pi/2$ in place of 2. Staleness alone would ask for a rate a hundred times smaller; the smaller steps
# of ASP already are that. What you must *not* do is to keep the rate of a single worker and add workers: then every
# step has full size and is $K-1$ steps old. That is the usual way in which asynchronous training diverges.
#
# ### Convex and not convex
#
# So compare at the same rate *for each gradient*, and let every mode use equally many of them. The tasks: a bowl
# (`Quadratic`), logistic regression, and `DoubleWell`, which is not convex: each coordinate has two minima with a hill
# between. "Fresh" is one worker. The figures are excess loss, the mean over the last quarter.

# %%
TASKS = {"bowl": (Quadratic(np.linspace(0.1, 1, 8), noise=0.3, seed=1), (0.02, 0.05, 0.2)),
         "logistic": (Logistic.made(400, 10, batch=1, flipped=0, l2=0.001), (0.5, 2, 5)),
         "double well": (DoubleWell(8, noise=0.3, seed=1), (0.02, 0.05, 0.1))}


def excess(task, K, rate, gradients=960, **how):
    """Mean of the last quarter's losses, above the best one; rate: of one gradient."""
    plan = schedule(np.ones((K, gradients // K)), math.inf)
    losses = replay(task, plan, rate * K, every=16, **how).losses
    return float(losses[-len(losses) // 4:].mean() - task.best_loss)


def short(number):
    return f"{number:.3f}" if number < 10 else "diverges"


rows = [[name, rate, *(short(excess(a_task, K, rate)) for K in (1, 4, 16, 48))]
        for name, (a_task, rates) in TASKS.items() for rate in rates]
Table(["task", "rate of a gradient", "fresh", "staleness 3", "staleness 15", "staleness 47"], rows)

# %% [markdown]
# Read it by lines. At a small rate staleness costs little: the noise of the gradients decides, and it is the same for all.
# At a large rate even a moderate staleness ruins training. The convex tasks are no exception: the bowl explodes as the
# double well does, where the rate is beyond the limit. The logistic loss has slopes that end, so it cannot explode; it gets stuck
# high up. The double well is not convex and trains well under small staleness.
#
# It is often said that there are *no guarantees* for asynchronous training of non-convex models. For bounded delays
# there are (Lian and colleagues, 2015), and newer analyses need no bound on single delays, only on the mean or on the number
# of workers. All of them ask for a rate that goes down as staleness goes up, as the table above does.
#
# ### There is a best amount of not waiting
#
# A server takes time too. Suppose a worker may have $\tau$ requests of its own under way before it must wait for an answer. With
# $\tau=0$ it idles while messages travel. With a large $\tau$ the queue at the server grows, and all that is gained is age.

# %%
pipeline = Pipeline(workers=4, compute_s=1.0, latency_s=1.0, service_s=0.3)
rows = time_over_tau(Quadratic([0.2, 0.5, 1.0]), 0.3, 1e-3, taus=range(8), pipeline=pipeline,
                     updates=600)
display(viz.bars([f"τ = {row['tau']}" for row in rows],
                 {"to target": [row["to_target_s"] for row in rows]}, unit="s", quantity="time to target",
                 title="Time to a target over requests under way"))
Table(["τ", "updates a second", "mean staleness", "time to target (s)"],
      [[row["tau"], round(row["updates_per_s"], 2), round(row["mean_staleness"], 1),
        round(row["to_target_s"], 1)] for row in rows])

# %% [markdown]
# Updates a second grow until the slowest part, here the server, always has work; from there on only staleness grows. The
# time to the target falls and rises again, not smoothly, because old gradients make the loss swing. Li and colleagues (2014)
# measured such a curve on a thousand machines, with its best point at a delay of eight.
#
# ## 7. Living with old gradients · *Advanced*
#
# ### Warm-up
#
# A loss is often steepest at the start. The double well has curvature 2 at its minima and far more on its outer walls. From
# there a rate that is fine later explodes at once, synchronous or not. A warm-up starts with a small rate and lets it grow.

# %%
steep = DoubleWell(8, noise=0.1, start=np.full(8, 2.5))
seconds, rows = Pace.exponential(1.0, seed=3).table(4, 120), []
for lr in (0.3, 0.4, 0.6):
    row = [lr]
    for staleness, warm in ((0, None), (math.inf, None), (0, WarmUp(60)), (math.inf, WarmUp(60))):
        curve = replay(steep, schedule(seconds, staleness), lr, warm_up=warm, every=4)
        row.append(short(curve.losses[-1]))
    rows.append(row)
Table(["rate", "BSP", "ASP", "BSP, warm-up", "ASP, warm-up"], rows, note="final loss; 4 workers")

# %% [markdown]
# In the middle line BSP diverges and ASP does not. That is no printing error: at the start ASP moves by one share of the
# gradient and looks again, where BSP moves by all four at once. Asynchrony is not always the more dangerous one. In
# the last line both need the warm-up.
#
# ### A rate for each update: divide by its staleness
#
# The server knows how old a gradient is, and can weigh it by $1/\tau$ (Zhang and colleagues, 2016). Eight workers, one of them
# ten times slower than the others. Compare the last two columns.

# %%
slow = Pace.persistent(1.0, 7, 10)
plan = schedule(slow.table(8, 300), math.inf)
bowl = Quadratic(np.linspace(0.1, 1, 8), noise=0.1, seed=1)


def end_of(lr, **how):
    curve = replay(bowl, plan, lr, horizon_s=300.0, every=8, **how)
    loss = float(curve.losses[-50:].mean())
    return f"{loss:.4f}" if loss < 10 else "diverges"


rows = [[lr, end_of(lr), end_of(lr, scale=over_staleness), end_of(lr / 7)] for lr in (1.0, 1.8, 2.0)]
oldest = int(plan.staleness[plan.ends <= 300].max())
Table(["rate", "all updates alike", "each divided by its τ", "a seventh of the rate"], rows,
      note=f"mean loss at the end; the oldest update is {oldest} steps old, the mean is 7")

# %% [markdown]
# Dividing every update by its staleness rescues the last line. So does a plain rate of a seventh, and just as well: on the
# average the two are the same thing. What is left of the idea is that nobody has to know $K$. Try the plain remedy beside
# the clever one before you praise it.
#
# ### Delay compensation
#
# What would the gradient be *now*? To first order it is $g + H\,(w_{now}-w_{then})$ with the Hessian $H$. That is too large to
# compute; Zheng and colleagues (2017) replace it by $\lambda\,g\odot g$. The server has $w_{now}$, and needs a copy of what each
# worker read. Sixteen workers, logistic regression, staleness 15:

# %%
logistic, K = Logistic.made(400, 10, batch=1, flipped=0.0, l2=0.001), 16
plan, alone = schedule(np.ones((K, 100)), math.inf), schedule(np.ones((1, 1600)), 0)


def last_excess(plan, lr, strength=0.0):
    losses = replay(logistic, plan, lr, compensation=strength).losses
    return float(losses[-400:].mean() - logistic.best_loss)


rows = [[lr, f"{last_excess(plan, lr):.3f}", f"{last_excess(plan, lr, 1.0):.3f}",
         f"{last_excess(alone, lr / K):.3f}"] for lr in (10, 20, 40, 80)]
Table(["rate", "stale", "stale, compensated", "fresh"], rows,
      note="excess loss of the last 400 of 1,600 updates")

# %% [markdown]
# At the highest rate compensation takes back nearly all that staleness had cost. At the lowest there is nothing to take back.
# And the lowest rate has the best figures in every column: compensation extends the range of rates, and is no reason to go there.
#
# ### Downpour: fetch and push less often
#
# DistBelief's Downpour SGD (Dean and colleagues, 2012) is ASP with two more knobs. A worker *fetches* the weights every so many
# steps, and *pushes* the sum of its gradients every so many steps, to servers that step with AdaGrad. Fewer messages, older weights. A
# linear classifier of handwritten digits, four workers with random step times:

# %%
digits = digit_data()
PIXELS, LABELS = torch.from_numpy(digits.train.pixels), torch.from_numpy(digits.train.labels)


def downpour(comm, K, steps, every, strategy=Downpour):
    model = torch.nn.Linear(64, 10)
    for parameter in model.parameters():
        torch.nn.init.zeros_(parameter)
    table = dense_table(model.parameters(), rule=AdaGrad(0.05), consistency=ASP())
    if comm.rank == K:
        server = WatchedServer(KVServer([table], 0, 1, range(K)))
        serve(comm, server)
        return server.rows("dense")[:, 0], [update.staleness for update in server.updates]
    pace = Pace.exponential(1e-3, seed=4)
    with KVWorker(comm, [K], [table]) as kv:
        worker = strategy(kv, model.parameters(), fetch_every=every[0], push_every=every[1])
        for step in range(steps):
            worker.before()
            batch = (np.arange(16) * K + comm.rank + step * 16 * K) % len(PIXELS)
            loss = torch.nn.functional.cross_entropy(model(PIXELS[batch]), LABELS[batch])
            (loss / K).backward()
            comm.compute(pace(comm.rank, step))
            worker.after()
        worker.finish()


# %%
def accuracy(weights):
    model = torch.nn.Linear(64, 10)
    with torch.no_grad():
        torch.nn.utils.vector_to_parameters(torch.tensor(weights), model.parameters())
        right = model(torch.from_numpy(digits.test.pixels)).argmax(1).numpy() == digits.test.labels
    return 100 * right.mean()


rows = []
for every in ((1, 1), (4, 1), (1, 4), (4, 4), (16, 16)):
    run = SimWorld(4 + 1, link=LINK, trace=False).run(downpour, 4, 64, every)
    weights, stale = run.results[4]
    out, into = run.ledger.port(4, "vals")
    rows.append([*every, out, into, len(stale), round(float(np.mean(stale)), 2),
                 f"{accuracy(weights):.0f} %"])
Table(["fetch every", "push every", "fetched (B)", "pushed (B)", "pushes", "mean staleness",
       "test accuracy"], rows, note="4 workers, 64 steps each; values through the server's port")

# %% [markdown]
# The bytes fall exactly as the knobs say. Fetching seldom makes gradients staler: they are computed from old weights, and
# pushed one by one. Pushing seldom makes *fewer and larger* steps, whose staleness counts in fewer updates and is no
# smaller in gradients. With sixteen of each, sixteen steps are left of this short run, and accuracy suffers.
#
# `Compensated` is Downpour with the correction of above made by the worker, for servers that know nothing of it: it pulls once more
# before it pushes. Fetched bytes double.

# %%
for name, kind in (("plain", Downpour), ("compensated at the worker", partial(Compensated, strength=1.0))):
    run = SimWorld(4 + 1, link=LINK, trace=False).run(downpour, 4, 64, (1, 1), kind)
    print(f"{name:26} fetched {run.ledger.port(4, 'vals')[0]:>9,} B, "
          f"test accuracy {accuracy(run.results[4][0]):.0f} %")

# %% [markdown]
# ## 8. Time to accuracy · *Intermediate*
#
# ### Large batches as the rival
#
# The serious opponent of ASP is BSP with a large batch: $K$ gradients make one mean, and a mean has less noise, so it bears a
# larger rate. A comparison at *one* rate compares rates. So every mode runs at every rate of a list and shows its best. Eight
# workers, a tenth of all steps five times longer, the logistic regression of section 2. What do you expect in the last
# column?

# %%
rows = best_rates(task, Pace.transient(1.0, 0.1, 5, seed=2), workers=8, steps=60, target=0.368,
                  rates=[8, 16, 32, 64])
Table(["mode", "best rate", "time to target (s)", "gradients used"],
      [[row["mode"], row["lr"], round(row["to_target_s"], 1), row["updates_to_target"]] for row in rows],
      note="target: a loss of 0.368; the best there is, 0.3657")

# %% [markdown]
# BSP gets along with the fewest gradients; ASP needs half as many again, at a smaller rate, and takes much less time. Fresh
# gradients against many gradients: that is the whole trade. A little slack (SSP) lies between. One backup worker wins
# nothing on this target: its rounds are shorter, and it needs more of them. The corrections buy nothing here either, each at
# its own best rate. With other stragglers the order is another one, and without any BSP has nothing to lose: **the
# stragglers decide, so measure them first**. Chen and colleagues (2016) found for large image models that BSP with backup
# workers beat both.
#
# ### The running examples
#
# Now models on data. Logistic regression with FTRL (the a9a data where `PSLAB_DATA` has it), matrix factorisation (MovieLens) and a
# small network on handwritten digits, which is not convex. Four workers and one server, one step in ten takes five times as long. The
# third column says whether a stand-in had to serve as data.

# %% tags=["nbval-ignore-output"]
STRAGGLERS = Pace.transient(1e-3, 0.1, 5, seed=2)
targets = [(LogisticExample(epochs=1, batch=512), 0.84), (FactorisationExample(epochs=4, batch=4000), 0.97),
           (MLPExample(epochs=4), 0.92)]
rows = []
for example, target in targets:
    for mode in ("bsp", "ssp:3", "asp"):
        result = run_example(example, workers=4, consistency=mode, pace=STRAGGLERS, points=20)
        point = result.reached(target)
        rows.append([result.example, result.mode, result.data, f"{result.value:.3f}",
                     "never" if point is None else round(1e3 * point.seconds, 1),
                     round(1e3 * result.seconds, 1)])
display(Table(["model", "mode", "data", "at the end", "at the target (ms)", "all done (ms)"], rows,
              note="accuracy (logistic, mlp) or RMSE (factorisation); virtual time"))
assert all(rows[i][-1] > rows[i + 1][-1] > rows[i + 2][-1] for i in (0, 3, 6))

# %% [markdown]
# In all three, ASP is done first and BSP last: that much is a matter of the clock. At the end, after
# equally many gradients, no mode is clearly ahead of another. Where is the danger, then? In the rate. The network once more, at rates around the largest one that works:

# %%
rows = []
for rate in (0.5, 1.0, 1.5):
    runs = [run_example(MLPExample(epochs=3, rule=SGD(rate)), workers=4, consistency=mode,
                        pace=STRAGGLERS, points=4) for mode in ("bsp", "asp")]
    rows.append([rate, *(f"{100 * run.value:.0f} %" for run in runs)])
Table(["rate", "BSP", "ASP"], rows, note="test accuracy after 3 epochs; 4 workers")

# %% [markdown]
# Here it is BSP that breaks first, at a rate too large for one big step of four shares. Four workers are few, and the steps of ASP
# are small. Nothing in this table says that it stays so with sixty-four: section 6 says what to expect then, and how to test it.
#
# ### Two choices, four corners
#
# It is tempting to call a server asynchronous and an all-reduce synchronous. Section 2 ran a synchronous server that waits
# exactly as a ring. And a collective can be stale: a **delayed all-reduce** uses the sum of the step before while this one
# travels. The same workers, the same ring, gradients one step old:


# %%
def ring_steps(comm, rate, delayed, steps=40):
    """Descent on w²/2 by a ring; each rank holds a part of the gradient."""
    w, late = torch.ones(1), collectives.DelayedAllReduce(comm)
    for _ in range(steps):
        comm.compute(1e-3)
        part = w / comm.world_size
        if delayed:
            sums = late.exchange([part])
            w = w if sums is None else w - rate * sums[0]
        else:
            collectives.all_reduce(comm, part)
            w = w - rate * part
    late.drain()
    return float(w.abs())


slow_link, rows = Link(0.1e-3, 0, 1e9), []
for name, delayed in (("ring", False), ("ring, delayed", True)):
    runs = [SimWorld(3, link=slow_link, trace=False).run(ring_steps, rate, delayed) for rate in (0.25, 0.95, 1.05)]
    rows.append([name, round(1e3 * runs[0].seconds, 1), *("rest" if r.results[0] < 0.5 else "swings up"
                                                          for r in runs)])
Table(["", "40 steps (ms)", "rate 0.25", "rate 0.95", "rate 1.05"], rows)

# %% [markdown]
# The delayed ring hides its messages behind the computation and obeys the law of section 6: above a rate of one it no
# longer settles, although nobody ever used a server.
#
# ### What is often said
#
# | often said | what the cells show | where |
# | --- | --- | --- |
# | a server is asynchronous, a ring is synchronous | a BSP server equals one process bit for bit and waits as the ring does; a ring can be stale | 1, 2, 8 |
# | a round is over when $K$ gradients have come | when $K$ distinct workers have clocked it | 1 |
# | *occasional* slowness of single workers is harmless, or destroys throughput | it is a number: computed, drawn, and a slider | 3 |
# | staleness under ASP depends on how unequal the workers are | its mean is $K-1$ for all speeds; its distribution depends on them | 5 |
# | staleness under ASP is unbounded | of single updates; the mean is not | 5 |
# | a staleness of up to two steps is harmless | it depends on the rate: two steps allow less than a third of the fresh rate | 6 |
# | ASP has no guarantees without convexity | under bounded delays it has, at rates that fall with the delay; and convexity does not save a rate that is too large | 6 |
# | asynchronous training is less stable than synchronous | at the same rate of the whole, BSP broke first in two tables here | 7, 8 |
# | delay compensation makes ASP as good as synchronous training | it widens the range of rates; at the best rate it bought nothing here | 7, 8 |
# | Hogwild! loses nothing because data is sparse | it loses in proportion to how often two workers meet | 4 |

# %% [markdown]
# ## In production
#
# **Hogwild! in PyTorch.** `share_memory_()` moves a tensor, and `share_memory()` a model, into memory that processes can share;
# `torch.multiprocessing` hands it to them. The program below is all there is to it: two processes, one model, no lock. It runs for
# real, as a script of its own.

# %%
HOGWILD = '''
import sys, torch, torch.multiprocessing as mp

def work(model, rank, steps):
    torch.set_num_threads(1)
    draw = torch.Generator().manual_seed(rank)
    step = torch.optim.SGD(model.parameters(), lr=0.05)
    for _ in range(steps):
        x = torch.randn(8, 16, generator=draw)
        step.zero_grad(set_to_none=True)                  # gradients are each process's own
        (model(x) - x.sum(1, keepdim=True)).square().mean().backward()
        step.step()                                       # writes to the shared weights

if __name__ == "__main__":
    torch.set_num_threads(1)
    model = torch.nn.Linear(16, 1).share_memory()
    start = mp.get_context("fork" if sys.platform == "linux" else "spawn")
    workers = [start.Process(target=work, args=(model, rank, 300)) for rank in range(2)]
    for worker in workers: worker.start()
    for worker in workers: worker.join()
    print("largest error of a weight:", float((model.weight - 1).abs().max()))
'''

# %% tags=["nbval-ignore-output"]
with tempfile.TemporaryDirectory() as folder:
    file = os.path.join(folder, "hogwild.py")
    with open(file, "w", encoding="utf-8") as text:
        text.write(HOGWILD)
    done = subprocess.run([sys.executable, file], text=True, capture_output=True, timeout=120)
print(done.stdout or done.stderr[-1000:])
assert float(done.stdout.split()[-1]) < 0.05

# %% [markdown]
# The weights should all become 1, and do. Other libraries, not installed here and not run:
#
# - **TensorFlow**, `tf.distribute.ParameterServerStrategy` with a `ClusterCoordinator`: the coordinator schedules steps on
#   workers, each of which updates the variables on the servers when it is done. Asynchronous unless you build the waiting
#   yourself.
# - **MXNet's KVStore**, retired with its project: `kv.create("dist_sync")` or `"dist_async"`, one word for the choice of this
#   chapter.
# - **Local SGD** and its kin, in `torch.distributed.algorithms`: ranks take several steps alone and then average. The corner
#   "collective, not synchronous at each step".
#
# ```python
# strategy = tf.distribute.ParameterServerStrategy(cluster_resolver)
# coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
# for _ in range(steps):
#     coordinator.schedule(train_step, args=(iterator,))     # returns at once
# coordinator.join()                                         # waits for all that were scheduled
# ```
#
# In this kit the choice is one argument of a table, so one job can mix: `TableConfig(..., consistency=BSP())` for the dense
# part and `ASP()` for rows.

# %%
mixed = [TableConfig("dense", dim=1, num_rows=100, rule=SGD(0.1), consistency=BSP(backup=1)),
         TableConfig("rows", dim=16, num_rows=1_000, rule=AdaGrad(0.1), consistency=ASP())]
for table in mixed:
    print(table.name, table.consistency)

# %% [markdown]
# ## Did it stick?
#
# Answer first, then click.
#
# <details><summary><b>Four workers, BSP. Worker 0 has pushed six times and clocked twice, the others have clocked once. How
# many rounds are closed?</b></summary>
# <p>One. A round closes when all distinct workers have clocked it; pushes are not counted.</p></details>
#
# <details><summary><b>Fifty workers, each slow in 2 % of its steps. How many per cent of the synchronous rounds are
# slow?</b></summary>
# <p>63.6 %: one less 0.98 to the power of fifty.</p></details>
#
# <details><summary><b>The same with one backup worker?</b></summary>
# <p>26.4 %: at least two must be slow.</p></details>
#
# <details><summary><b>Ten workers under ASP, one of them fifty times slower than the rest. What is the mean
# staleness?</b></summary>
# <p>Nine, less a boundary term. The slow one's own updates are about 450 steps old, and rare.</p></details>
#
# <details><summary><b>Descent with λ = 4 settles up to a rate of 0.5. Then gradients come two steps late. Up to
# which rate now?</b></summary>
# <p>0.155: 2 sin(π/10)/4. Less than a third.</p></details>
#
# <details><summary><b>Two processes add 1 to a shared number, a thousand times each, without a lock. What is the smallest
# result that is possible?</b></summary>
# <p>Two. A reads 0 and sleeps; B adds all but one of its times; A writes 1; B reads that 1 and sleeps; A finishes; B writes 2. Nobody will see it, and
# nothing forbids it.</p></details>
#
# <details><summary><b>A paper shows that its correction makes ASP as good as BSP, all at rate 0.1. What do you
# ask?</b></summary>
# <p>What each mode does at its own best rate, what a plain smaller rate does, and what the stragglers were.</p></details>
#
# The figures in these answers, computed:

# %%
print(f"fifty workers, no backup:   {100 * viz.slow_rounds(50, 0.02):.1f} %")
print(f"fifty workers, one backup:  {100 * viz.slow_rounds(50, 0.02, 1):.1f} %")
print(f"staleness of the slow one:  {9 * 50} updates")
print(f"λ = 4: fresh {collectives.stable_rate(4.0, 0):.3f}, late by two {collectives.stable_rate(4.0, 2):.3f}")

# %% [markdown]
# Now do it yourself: [Lab 4: sync and async](../labs/lab_04_sync_async.ipynb).
#
# ## Further reading
#
# - B. Recht, C. Ré, S. Wright, F. Niu: *HOGWILD!: A Lock-Free Approach to Parallelizing Stochastic Gradient Descent*, NIPS 2011.
# - J. Dean et al.: *Large Scale Distributed Deep Networks* (DistBelief, Downpour SGD), NIPS 2012.
# - M. Li et al.: *Scaling Distributed Machine Learning with the Parameter Server*, OSDI 2014.
# - X. Lian, Y. Huang, Y. Li, J. Liu: *Asynchronous Parallel Stochastic Gradient for Nonconvex Optimization*, NIPS 2015.
# - J. Chen, X. Pan, R. Monga, S. Bengio, R. Jozefowicz: *Revisiting Distributed Synchronous SGD*, arXiv 1604.00981, 2016.
# - W. Zhang, S. Gupta, X. Lian, J. Liu: *Staleness-aware Async-SGD for Distributed Deep Learning*, IJCAI 2016.
# - S. Zheng et al.: *Asynchronous Stochastic Gradient Descent with Delay Compensation*, ICML 2017.
# - A. Koloskova, S. Stich, M. Jaggi: *Sharper Convergence Guarantees for Asynchronous SGD for Distributed and Federated
#   Learning*, NeurIPS 2022; K. Mishchenko, F. Bach, M. Even, B. Woodworth: *Asynchronous SGD Beats Minibatch SGD Under Arbitrary
#   Delays*, NeurIPS 2022.
# - S. Levin, R. May: *A note on difference-delay equations*, Theoretical Population Biology, 1976: the formula of section 6.
