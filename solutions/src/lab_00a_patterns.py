# %% [markdown]
# # Lab 0A: patterns from messages
#
# Everything in this course is a program that runs many times at once, and whose copies tell each other things by
# messages. In this lab you write your first such programs, and then the three patterns that distributed training stands
# on: broadcast, reduce-scatter, all-reduce. You build them from nothing but sends and receives.
#
# **After this lab you can**
#
# 1. write one function that does something else on every rank, and say why ranks share no variables;
# 2. read the report of a deadlock and name the ranks that cause it;
# 3. write a broadcast by a tree and an all-reduce by a ring, and prove their bytes;
# 4. say what they cost in seconds, to the microsecond, and from how many bytes on which of them is faster.
#
# **Before you start:** Python functions, slices of arrays. Nothing about networks.
# **Time:** 150 minutes for the core, 210 for everything, with reading and trying; the minutes below are for writing.
#
# | | | points | minutes | |
# | --- | --- | --- | --- | --- |
# | 0A.0 | First contact | checked, not graded | 15 | core |
# | 0A.1 | Broadcast by a binomial tree | 20 | 20 | core |
# | 0A.2 | Reduce-scatter by a ring | 30 | 30 | core |
# | 0A.3 | All-reduce by a ring | 35 | 35 | core |
# | 0A.4 | Tree or ring | 15 | 15 | optional |
# | 0A.5 | Four questions | 4 | 5 | optional |
#
# Write your answer where a cell says `raise NotImplementedError`, then run the check below it. A check prints what
# was expected and what was seen, and shows your own run; it never stops the notebook. Stuck? `pslab hint 0A.2` in a
# terminal (`source .venv/bin/activate` first) shows one hint more each time. Where a cell asks for a number *before* a
# run, commit to one: a wrong prediction costs no points, and is what you learn from.

# %%
import torch

import pslab
from pslab.comm import Deadlock, Link, ProcessWorld, SimWorld
from pslab.grade import check, predict, reveal

torch.set_num_threads(1)

# %% [markdown]
# ## One program, many ranks
#
# Here is a whole distributed program. It is an ordinary function whose first argument is a `comm`. A *world* runs it
# several times at once; each of these runs is a **rank**, and `comm.rank` is its number, from 0.


# %%
def hello(comm):
    return f"I am rank {comm.rank} of {comm.world_size}"


SimWorld(3).run(hello).results

# %% [markdown]
# One function, three answers. `SimWorld(3)` is a world of three ranks in a simulator with a clock of its own;
# `ProcessWorld(3)` starts three real processes on this machine. The same programs run in both.
#
# The next program counts in a global variable. Before you run it: what will the three ranks return in the simulator, and
# what in real processes?

# %%
counter = [0]


def count(comm):
    counter[0] += 1
    return counter[0]


simulated = SimWorld(3).run(count).results
counter[0] = 0
with ProcessWorld(3) as world:
    real = world.run(count).results
print("simulated:", simulated)
print("real:     ", real)

# %% [markdown]
# In real processes each rank has a `counter` of its own. That it looks like a common one in the simulator is an accident
# of how the simulator is built, as all of its ranks live in one Python process. **Ranks share no variables**: what a
# rank knows, it has computed itself or received in a message. An answer in this lab that cheats with a global is found
# out, because the numbers it uses never travelled.
#
# ## A message
#
# `comm.send(tensor, dst)` hands a tensor to a rank; `comm.recv(src)` waits for one from a rank and returns it. `send`
# waits too, until the other side has it. Rank 0 sends four numbers, rank 1 doubles what it gets.


# %%
def one_message(comm):
    if comm.rank == 0:
        comm.send(torch.arange(4.0), 1)
    if comm.rank == 1:
        return 2 * comm.recv(0)


run = SimWorld(2).run(one_message)
print("rank 0 returns", run.results[0])
print("rank 1 returns", run.results[1])
print("bytes on the wire:", run.ledger.total())

# %% [markdown]
# Four float32 numbers are sixteen bytes, and the world has counted them. Every run has such a *ledger*.
#
# ## A deadlock, and its report
#
# Four ranks, and something is wrong with their order. The simulator notices at once that nobody can ever go on, and says
# who waits for whom and in which line.


# %%
def four(comm):
    if comm.rank == 0:
        comm.recv(1)
        comm.send(torch.ones(1), 1)
    if comm.rank == 1:
        comm.recv(0)
        comm.send(torch.ones(1), 0)
        comm.send(torch.ones(1), 2)
    if comm.rank == 2:
        comm.recv(1)
        comm.send(torch.ones(1), 3)
    if comm.rank == 3:
        comm.recv(2)


def report_of(program, K, *args):
    """Run a program that gets stuck, and print the report."""
    try:
        SimWorld(K).run(program, *args)
        print("every rank came to its end")
    except Deadlock as report:
        print(report)


report_of(four, 4)

# %% [markdown]
# Read the table row by row: the call that a rank stands in, the rank that it waits for, and the line of the program. A
# deadlock always has a circle in it: ranks that wait for each other. Others may only wait behind the circle, and come
# free when it is broken.
#
# ## 0A.0 First contact
#
# *checked, not graded · 15 minutes · core*
#
# Four small things. Run the check below whenever you like; what you have not written yet, it calls "not yet".
#
# 1. `role(comm)` returns `"first"` on rank 0, `"last"` on the rank with the highest number, and `"between"` on all
#    others. There are at least two ranks.
# 2. `ping_pong(comm, x)`, for two ranks: rank 0 has a tensor `x` and sends it to rank 1, which adds 1 and sends the sum
#    back. Each of the two returns what it received. (On rank 1 `x` is `None`.)
# 3. `jam(comm, x)`: make a deadlock on purpose. No rank may come to its end, with two ranks as well as with three. `x` is
#    a tensor that you may send.
# 4. `circle()` returns the list of the ranks that form the circle in the report above.


# %% answer="0A.0"
def role(comm):
    """'first', 'between' or 'last'"""
    ### BEGIN SOLUTION
    if comm.rank == 0:
        return "first"
    return "last" if comm.rank == comm.world_size - 1 else "between"
    ### END SOLUTION


def ping_pong(comm, x):
    """Rank 0: x there, x + 1 back. Each rank returns what it received."""
    ### BEGIN SOLUTION
    if comm.rank == 0:
        comm.send(x, 1)
        return comm.recv(1)
    ball = comm.recv(0)
    comm.send(ball + 1, 0)
    return ball
    ### END SOLUTION


# %% answer="0A.0"
def jam(comm, x):
    """No rank ever comes to its end."""
    ### BEGIN SOLUTION
    comm.send(x, (comm.rank + 1) % comm.world_size)      # everybody sends, nobody receives
    comm.recv((comm.rank - 1) % comm.world_size)
    ### END SOLUTION


def circle():
    """The ranks that wait for each other in the report of `four`."""
    ### BEGIN SOLUTION
    return [0, 1]
    ### END SOLUTION


# %% check="0A.0"
check("0A.0", role, ping_pong, jam, circle)

# %% [markdown]
# Your deadlock with five ranks. Is there one circle in the report, and who is in it?

# %% needs="0A.0"
report_of(jam, 5, torch.zeros(1))

# %% [markdown]
# ## What a message costs
#
# Every rank has one port out and one port in, which work at the same time. A message of $n$ bytes keeps the sender's port
# out and the receiver's port in busy for
#
# $$\alpha + n \cdot \beta \qquad \text{seconds}$$
#
# where $\alpha$ is the price of a message, however short, and $\beta = 1/\text{bandwidth}$ the price of a byte. In this lab
# $\alpha = 10$ µs and a byte takes 1 µs, so that you can do the sums in your head; real networks need far less for a byte.
# What will the clock show for one message of 16 bytes?

# %%
LINK = Link(latency_s=0.0, overhead_s=10e-6, bandwidth_Bps=1e6)

run = SimWorld(2, link=LINK).run(one_message)
print(f"{run.seconds * 1e6:.0f} µs")
pslab.viz.spacetime(run, title="One message of 16 bytes")

# %% [markdown]
# Such a picture is drawn of every run that a check looks at. Ranks stand one below the other, time runs to the right. An
# arrow leaves its sender with the first byte and ends at its receiver with the last; the pale band is how long both ports
# are busy.

#
# `send` holds a rank up until the message has arrived. **`comm.isend(tensor, dst)`** only starts sending and returns at
# once; what it returns has a `wait()`. In between the rank can do something else, for example receive. Two ranks exchange
# 16 bytes, in two ways:


# %%
def one_after_the_other(comm, x):
    other = 1 - comm.rank
    if comm.rank == 0:
        comm.send(x, other)
        return comm.recv(other)
    got = comm.recv(other)
    comm.send(x, other)
    return got


def at_the_same_time(comm, x):
    other = 1 - comm.rank
    work = comm.isend(x, other)          # starts
    got = comm.recv(other)               # meanwhile
    work.wait()                          # now x may be changed again
    return got


for program in (one_after_the_other, at_the_same_time):
    print(f"{program.__name__:<20} {SimWorld(2, link=LINK).run(program, torch.zeros(4)).seconds * 1e6:.0f} µs")

# %% [markdown]
# Both directions at once take half of the time. Two rules about `isend`, which checks will hold you to: the tensor belongs
# to the message until `wait()` returns, so do not write into it before; and `wait()` lasts until the other side receives,
# so it comes *after* your own `recv` and not before it.
#
# ## 0A.1 Broadcast by a binomial tree
#
# *20 points · 20 minutes · core · exercise 11.0.1*
#
# **Goal.** Rank `root` has a tensor that all need. Every rank is called with an `x` of the same shape, and every rank
# returns the root's. Each rank but the root receives one message: $K-1$ messages in all. The root could send them all by
# itself, one after the other. A tree does better: in each round *every* rank that has the tensor sends it to one that has
# not, so that 1, 2, 4, 8, ... ranks have it, and
#
# $$T = \lceil \log_2 K \rceil \cdot (\alpha + n\beta).$$
#
# | held to | |
# | --- | --- |
# | values | the root's tensor on every rank, for any root and any $K$; the caller's `x` stays as it was |
# | bytes, messages | $n$ bytes in one message into each rank but the root, nothing else |
# | seconds | as above, exactly |
#
# **Worked example**, $K = 4$, root 0, 16 bytes: rank 0 sends to rank 1; then rank 0 sends to rank 2 while rank 1 sends to
# rank 3. Two rounds of 26 µs. Here is what you have to beat, the root on its own:


# %%
def one_by_one(comm, x, root):
    if comm.rank != root:
        return comm.recv(root)
    for other in range(comm.world_size):
        if other != root:
            comm.send(x, other)
    return x


for K in (4, 8, 64):
    run = SimWorld(K, link=LINK).run(one_by_one, torch.zeros(4), 0)
    print(f"{K:>2} ranks, one by one: {run.seconds * 1e6:>5,.0f} µs")


# %% answer="0A.1"
def broadcast(comm, x, root):
    """x (P,): the root's x, on every rank. Only the root's contents count."""
    ### BEGIN SOLUTION
    K = comm.world_size
    place = (comm.rank - root) % K                        # counted from the root, whose place is 0
    distance = 1
    while distance < K:
        if place < distance and place + distance < K:
            comm.send(x, (place + distance + root) % K)
        elif distance <= place < 2 * distance:
            x = comm.recv((place - distance + root) % K)
        distance *= 2
    return x
    ### END SOLUTION


# %% check="0A.1"
check("0A.1", broadcast)

# %% [markdown]
# Your tree over eight ranks, from rank 0. Count the arrows of each round: 1, 2, 4.

# %% needs="0A.1"
run = SimWorld(8, link=LINK).run(broadcast, torch.zeros(4), 0)
pslab.viz.spacetime(run, title="Your broadcast to eight ranks", rows=7)

# %% [markdown]
# Now to sixty-four ranks, eight times as many. By what factor will it take longer? Commit to a number first.

# %% answer="0A.1"
longer = ...
### BEGIN SOLUTION
longer = 2
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("0A.1", "64 ranks against 8", longer, unit="times")


# %% needs="0A.1" tags=["nbval-ignore-output"]
def eight_times_as_many():
    times = [SimWorld(K, link=LINK).run(broadcast, torch.zeros(4), 0).seconds for K in (8, 64)]
    return round(times[1] / times[0], 6)


_ = reveal("0A.1", "64 ranks against 8", eight_times_as_many, unit="times")

# %% [markdown]
# Three rounds reach 8 ranks, six reach 64. Ranks multiply, rounds add. What a tree does *not* save is bytes: every round
# carries the whole tensor.
#
# ## 0A.2 Reduce-scatter by a ring
#
# *30 points · 30 minutes · core · exercise 11.0.2*
#
# Each of $K$ ranks has a tensor of $P$ numbers, a gradient for example, and what is wanted is their sum. When tensors are
# long, bytes decide, and it pays to have every port busy all the time. So the tensor is cut into $K$ **chunks**, and the
# chunks walk around a ring of ranks. Here is all of it for three ranks: chunks a, b and c, small digits say whose parts
# are in a sum, a full box is a complete one. The picture was drawn from a run; take some time for it, and follow one
# colour from left to right.

# %%
pslab.viz.ring_walk(3)

# %% [markdown]
# In this exercise you build the first half, the steps that *add*. After them rank 0 has chunk a complete, rank 1 chunk b,
# rank 2 chunk c.
#
# **Goal.** Rank $r$ returns chunk $r$ of the sum of all ranks' `x`, cut as `torch.tensor_split(x, K)` cuts it: $K$ need
# not divide $P$, the first $P \bmod K$ chunks are one element longer, and some may be empty.
#
# | held to | |
# | --- | --- |
# | values | chunk $r$ of the sum on rank $r$; the caller's `x` stays as it was |
# | bytes | $(K-1) \cdot P$ elements over all links, at most $P - \lfloor P/K \rfloor$ out of any rank |
# | order | each rank sends to its right neighbour, rank $(r+1) \bmod K$, and to nobody else |
# | seconds | $(K-1)(\alpha + \lceil P/K \rceil \cdot 4\beta)$, exactly: send and receive at the same time |
#
# **Worked example**, $K = 2$: rank 0 with `[0, 2, 4]` and rank 1 with `[1, 3, 5]`. The sum is `[1, 5, 9]`; rank 0 returns
# `[1, 5]`, rank 1 returns `[9]`. Rank 0 sent `[4]`, rank 1 sent `[1, 3]`.


# %% answer="0A.2"
def reduce_scatter(comm, x):
    """x (P,) -> chunk comm.rank of the sum over all ranks: (ceil(P/K),) on the first P mod K ranks, else (floor(P/K),)"""
    ### BEGIN SOLUTION
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    chunks = torch.tensor_split(x, K)
    grown = chunks[left].clone()                          # the left neighbour's chunk starts its walk here
    for t in range(K - 1):
        work = comm.isend(grown, right)
        came = comm.recv(left)
        work.wait()
        grown = came + chunks[(rank - 2 - t) % K]         # a new tensor: neither x nor what was sent is changed
    return grown
    ### END SOLUTION


# %% check="0A.2"
check("0A.2", reduce_scatter)

# %% [markdown]
# Your run with four ranks and ten numbers. Chunks of 3, 3, 2 and 2 elements: where does a port stand idle for a moment, and
# why does that not make the whole any faster?


# %%
def numbers(comm, P):
    """A tensor for this rank: element j of rank r is j·K + r, so that every element of every rank is another one."""
    return torch.arange(P) * float(comm.world_size) + comm.rank


def on_numbers(comm, program, P):
    return program(comm, numbers(comm, P))


# %% needs="0A.2"
run = SimWorld(4, link=LINK).run(on_numbers, reduce_scatter, 10)
print(*(chunk.tolist() for chunk in run.results))
pslab.viz.spacetime(run, title="Your reduce-scatter: ten numbers on four ranks", rows=12)

# %% [markdown]
# ## 0A.3 All-reduce by a ring
#
# *35 points · 35 minutes · core · exercise 11.0.3*
#
# **Goal.** Every rank returns the whole sum. Add the second half of the picture, in which complete chunks are *copied*
# from neighbour to neighbour until everyone has all of them. You may call your `reduce_scatter`, once its check passes,
# or write both halves anew.
#
# | held to | |
# | --- | --- |
# | values | the sum on every rank, also with an odd number of ranks, and with $P$ smaller than $K$; `x` stays as it was |
# | bytes | $2(K-1) \cdot P$ elements over all links, exactly; at most $2(P - \lfloor P/K \rfloor)$ out of any rank |
# | messages | at most $2(K-1)$ out of any rank |
# | order | between neighbours in the ring only |
# | seconds | $2(K-1)(\alpha + \lceil P/K \rceil \cdot 4\beta)$, within 1 % |
#
# It is a *sum*. Who wants a mean divides by $K$ afterwards.
#
# **Worked example**, $K = 3$, $P = 10$: 40 elements over all links, of which one rank sends 14 and two send 13. With $K =
# 5$ and $P = 3$ they send 4, 5, 6, 5 and 4, since two of the five chunks are empty.


# %% answer="0A.3"
def ring_all_reduce(comm, x):
    """x (P,) -> (P,): the sum over all ranks, on every rank."""
    ### BEGIN SOLUTION
    K, rank = comm.world_size, comm.rank
    right, left = (rank + 1) % K, (rank - 1) % K
    result = torch.empty_like(x)
    chunks = torch.tensor_split(result, K)                # views: writing into a chunk writes into the result
    chunks[rank].copy_(reduce_scatter(comm, x))
    for t in range(K - 1):
        work = comm.isend(chunks[(rank - t) % K], right)  # first my own, then what came last
        chunks[(rank - 1 - t) % K].copy_(comm.recv(left))
        work.wait()
    return result
    ### END SOLUTION


# %% check="0A.3"
check("0A.3", ring_all_reduce)

# %% needs="0A.3"
run = SimWorld(4, link=LINK).run(on_numbers, ring_all_reduce, 10)
print("elements out of each rank:", [run.ledger.port(rank)[0] // 4 for rank in range(4)])
pslab.viz.spacetime(run, title="Your all-reduce: ten numbers on four ranks", rows=12)

# %% [markdown]
# ### Sixteen times as many ranks
#
# A tensor of 6,400 numbers, on 4 ranks and then on 64. By what factor does the number of bytes grow that one rank has to
# send? Commit first: 16? 4? something else?

# %% answer="0A.3"
growth = ...
### BEGIN SOLUTION
growth = 1.3125
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("0A.3", "bytes out of a rank, 64 ranks against 4", growth, unit="times")


# %%
def ring_of(K, P=6_400):
    """(bytes out of the busiest rank, seconds) of a ring all-reduce of P numbers."""
    run = SimWorld(K, link=LINK, trace=False).run(on_numbers, ring_all_reduce, P)
    return max(run.ledger.port(rank)[0] for rank in range(K)), run.seconds


# %% needs="0A.3"
_ = reveal("0A.3", "bytes out of a rank, 64 ranks against 4", lambda: ring_of(64)[0] / ring_of(4)[0], unit="times")
rows = [[K, *ring_of(K)] for K in (2, 4, 16, 64)]
pslab.viz.Table(["ranks", "bytes out of a rank", "rounds", "milliseconds"],
                [[K, f"{out:,}", 2 * (K - 1), round(1e3 * seconds, 2)] for K, out, seconds in rows],
                note=f"the tensor itself has {6_400 * 4:,} bytes")

# %% [markdown]
# However many ranks there are, none sends more than two tensors. That is why rings carry the gradients of large models.
# But look at the last column: the rounds are $2(K-1)$, and each one costs an $\alpha$. With few bytes this is all that
# counts.
#
# ## 0A.4 Tree or ring
#
# *15 points · 15 minutes · optional · exercise 11.0.4*
#
# An all-reduce can also go up a tree to its root, adding, and down again, as a broadcast:
#
# | all-reduce | rounds | bytes in one round |
# | --- | --- | --- |
# | ring | $2(K-1)$ | $n/K$ |
# | tree | $2 \lceil \log_2 K \rceil$ | $n$ |
#
# Few rounds against few bytes. First a guess: eight ranks, $\alpha = 10$ µs, 1 GB/s. From how many bytes on is the ring
# faster?

# %% answer="0A.4"
bytes_at_the_switch = ...
### BEGIN SOLUTION
bytes_at_the_switch = 18_800
### END SOLUTION

# %% tags=["nbval-ignore-output"]
predict("0A.4", "bytes at the switch, K = 8", bytes_at_the_switch, unit="B")


# %%
def seconds(K, size_bytes, algorithm, link):
    """Of the kit's own all-reduce of size_bytes, in the simulator."""
    x = torch.zeros(size_bytes // 4)
    program = lambda comm: pslab.collectives.all_reduce(comm, x.clone(), algorithm=algorithm)  # noqa: E731
    return SimWorld(K, link=link, trace=False).run(program).seconds


def switch_by_running(K, link):
    """The smallest multiple of 4K bytes for which the ring is as fast as the tree, by halving an interval."""
    few, many = 1, 10_000
    while few < many:
        middle = (few + many) // 2
        ring, tree = (seconds(K, 4 * K * middle, name, link) for name in ("ring", "binomial"))
        few, many = (few, middle) if ring <= tree else (middle + 1, many)
    return 4 * K * few


fast = Link(latency_s=0.0, overhead_s=10e-6, bandwidth_Bps=1e9)

# %% needs="0A.4" tags=["nbval-ignore-output"]
_ = reveal("0A.4", "bytes at the switch, K = 8", lambda: switch_by_running(8, fast), unit="B")

# %% [markdown]
# **Goal.** Return that number of bytes for any $K \ge 2$, any $\alpha$ and any bandwidth, by a formula: set the two times
# equal and solve for $n$. Where the ring is always faster, return 0. Fractions of a byte do not matter.


# %% answer="0A.4"
def tree_or_ring(K, alpha_s, bandwidth_Bps):
    """Bytes from which on a ring all-reduce over K ranks is faster than a tree; 0 when it always is."""
    ### BEGIN SOLUTION
    levels = (K - 1).bit_length()                         # ceil(log2 K)
    more_rounds = (K - 1) - levels                        # of the ring, each of which costs alpha
    more_tensors = levels - (K - 1) / K                   # through one port of the tree, each of which costs n/BW
    return alpha_s * bandwidth_Bps * more_rounds / more_tensors
    ### END SOLUTION


# %% check="0A.4"
check("0A.4", tree_or_ring)

# %% [markdown]
# At 10 µs and 12.5 GB/s, which is a fast network of today, your numbers for 2 to 64 ranks:

# %% needs="0A.4"
pslab.viz.Table(["ranks", "a ring from (bytes)"],
                [[K, f"{tree_or_ring(K, 10e-6, 12.5e9):,.0f}"] for K in (2, 3, 4, 8, 16, 64)],
                note="0: the ring always")

# %% needs="0A.4"
sizes = [4 * 8 * 2**i for i in range(5, 16)]
times = {name: [1e3 * seconds(8, size, algorithm, fast) for size in sizes]
         for name, algorithm in (("tree", "binomial"), ("ring", "ring"))}
pslab.viz.curve([size / 1e3 for size in sizes], times, looks={"ring": "allreduce", "tree": "hybrid"}, log="xy",
                xlabel="bytes of the tensor (kB)", ylabel="time, simulated (ms)",
                mark=(tree_or_ring(8, 10e-6, 1e9) / 1e3, "your number"), title="Eight ranks, 10 µs, 1 GB/s", rows=11)

# %% [markdown]
# Both lines are flat as long as $\alpha$ is all that counts, and rise when bytes do; the tree's rises first, because each
# of its rounds carries all of them. Libraries switch between such algorithms at each call, by size.
#
# ## Your ring on real processes
#
# Three processes on this machine, with ports throttled to 10 MB/s, and a tensor of 800,000 bytes. The closed form says what
# it should take. Is your ring, which you have only seen in a simulator, as fast?

# %% needs="0A.3" tags=["nbval-ignore-output"]
slow, P = Link(latency_s=100e-6, bandwidth_Bps=10e6), 200_000
with ProcessWorld(3, link=slow) as world:
    runs = [world.run(on_numbers, ring_all_reduce, P) for _ in range(3)]
expected_s = 2 * 2 * (100e-6 + (P + 2) // 3 * 4 / 10e6)
measured_s = min(run.seconds for run in runs)
assert runs[0].ledger.total() == 2 * 2 * P * 4
assert torch.equal(runs[0].results[0], torch.arange(P) * 9.0 + 3)
assert measured_s > 0.8 * expected_s
print(f"by the formula {1e3 * expected_s:.1f} ms, measured {1e3 * measured_s:.1f} ms, "
      f"{runs[0].ledger.total():,} bytes over all links")

# %% [markdown]
# The same function, the same bytes, and about the time that two numbers, $\alpha$ and $\beta$, foretold.
#
# ## 0A.5 Four questions
#
# *4 points · 5 minutes · optional*
#
# **Goal.** For each question the option that is true. Write its number into `choices`. Every option has a sentence of its
# own: choose a wrong one on purpose and run the check to read what it would lead to.
#
# **(a) Isend has returned.** Rank 0 calls `work = comm.isend(x, 1)`, and the call has returned. What does rank 0 know?
#
# 1. Rank 1 has received x
# 2. x is on its way, so its memory may be written again
# 3. Nothing, except that the sending has been started; x must stay as it is until `work.wait()`
# 4. Rank 1 is waiting in a recv
#
# **(b) One rank has nothing to add.** Eight ranks call `all_reduce` after each batch. In one step rank 5 has no examples left and leaves the call out.
#
# 1. The other seven get the sum of what seven ranks have
# 2. Everybody waits; rank 5 has to take part with a tensor of zeros
# 3. Rank 5 gets the sum in its next call
# 4. Rank 0 notices and goes on without it
#
# **(c) Sixty-four ranks and four bytes.** One number of 4 bytes is summed over 64 ranks by a ring. Each message costs α = 10 µs, bytes cost next to nothing. How long does it take?
#
# 1. About 10 µs: the ring's time does not depend on K
# 2. About 640 µs: K messages of 10 µs
# 3. About 120 µs: 2 ⌈log2 K⌉ rounds
# 4. About 1,260 µs: 2(K-1) rounds of 10 µs
#
# **(d) The gradients' mean.** Four ranks have the gradient of their own batch, and the optimizer wants the mean of the four. `all_reduce` gives
#
# 1. the mean, so nothing is left to do
# 2. the sum, so each rank divides by 4, once
# 3. the sum, so each rank divides its gradient by 4 before the call and the result by 4 after it
# 4. the sum at rank 0, which divides it and sends it on


# %% answer="0A.5"
def choices():
    """{letter of the question: number of the option, from 1}"""
    ### BEGIN SOLUTION
    return {"a": 3, "b": 2, "c": 4, "d": 2}
    ### END SOLUTION


# %% check="0A.5"
check("0A.5", choices)

# %% [markdown]
# ## What to take along
#
# - One program, many ranks. A rank knows what it computed and what came to it in a message.
# - In a report of a deadlock look for the circle; the others wait behind it.
# - A message costs $\alpha + n\beta$. A tree saves rounds, a ring saves bytes, and the size of the tensor says which to
#   take.
# - An all-reduce by a ring moves $2(K-1)/K$ tensors through each port: less than two, however many ranks there are.
#
# Hand in this notebook as it is; hidden checks with other numbers of ranks run when it is graded.
