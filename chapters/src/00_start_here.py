# %% [markdown]
# # Parameter servers and all-reduce, by running them
#
# Two ways to combine what many workers have learned share most of the history of distributed training. In one,
# the state of a model lives in **servers**, and workers pull what they need and push what they found. In the other
# there is no such place: every worker holds everything, and an **all-reduce** adds the gradients up. This course
# lets you run both, count every byte they move, and see where each of them wins.
#
# The whole course rests on one idea: *a distributed program is an ordinary Python function of a `comm`*. The same
# function runs in a simulated world, with a virtual clock and a thousand ranks, and in real processes on this machine.

# %% [markdown]
# ## Is everything here?
#
# Run the next cell (Shift + Enter). It imports the kit and starts nothing.

# %%
import sys

import pslab

print("pslab", pslab.__version__)
print("Python 3.11 or newer:", sys.version_info >= (3, 11))

# %% [markdown]
# ## One program, two worlds
#
# A *rank* is one of the programs that run together, counted from 0. Three ranks stand in a ring: each sends its own number
# to the right and receives one from the left. Look at who ends up with whose number.

# %%
import torch
from pslab.comm import ProcessWorld, SimWorld


def ring(comm):
    right, left = (comm.rank + 1) % comm.world_size, (comm.rank - 1) % comm.world_size
    work = comm.isend(torch.tensor([float(comm.rank)]), dst=right)
    received = comm.recv(src=left)
    work.wait()
    return received.item()


# %%
print("simulated:     ", SimWorld(3).run(ring).results)
with ProcessWorld(3) as world:
    print("real processes:", world.run(ring).results)

# %% [markdown]
# Rank 0 holds the number of rank 2, rank 1 that of rank 0, rank 2 that of rank 1: in both worlds the same. The first
# line took no real time worth speaking of and had a virtual clock; in the second, three processes moved the numbers.

# %% [markdown]
# ## The chapters
#
# | chapter | what you see run |
# | --- | --- |
# | [11.0 Communication patterns](11_00_communication_patterns.ipynb) | every pattern drawn and priced, racks, a thousand ranks |
# | [11.0b Gradients together](11_00b_gradients_together.ipynb) | SGD with all-reduce, overlap, compression, DDP on a ring of your own |
# | [11.1 Why a parameter server](11_01_why_a_parameter_server.ipynb) | a model as keys and rows, what *the* model is when there are copies, speedup and its limits |
# | [11.2 Push and pull](11_02_push_and_pull.ipynb) | requests, update rules on the server, pushes counted once though letters are lost, logistic regression |
# | [11.3 Sharding the server](11_03_sharding_the_server.ipynb) | ranges, hashes, the ring of servers; what moves when one more comes, hot keys |
# | [11.4 Synchronous and asynchronous](11_04_synchronous_and_asynchronous.ipynb) | who waits for whom, stragglers, what old gradients do to learning |
# | [11.5 Bounded staleness](11_05_bounded_staleness.ipynb) | the clock rule and its slips, what a read may see, proofs from a run's history |
# | [11.6 Sparse embedding tables](11_06_sparse_embedding_tables.ipynb) | look-ups and their gradients, optimizers for rows, what a batch touches, tables in pieces, word vectors |
# | [11.7 Terabyte-scale embeddings](11_07_terabyte_embeddings.ipynb) | memory and bytes of a table that fits nowhere, all-to-all, caches and whose copy is good, short rows |
# | [11.9 Parameter server vs all-reduce](11_09_parameter_server_vs_all_reduce.ipynb) | both architectures and the hybrid, their bytes counted on every link |
#
# Their labs are [Lab 0A](../labs/lab_00a_patterns.ipynb), [Lab 0B](../labs/lab_00b_collectives_at_work.ipynb),
# [Lab 1](../labs/lab_01_why.ipynb), [Lab 2](../labs/lab_02_push_pull.ipynb), [Lab 3](../labs/lab_03_sharding.ipynb),
# [Lab 4](../labs/lab_04_sync_async.ipynb), [Lab 5](../labs/lab_05_staleness.ipynb), [Lab 6](../labs/lab_06_embeddings.ipynb),
# [Lab 7](../labs/lab_07_terabyte.ipynb) and
# [Lab 9: the verdict](../labs/lab_09_verdict.ipynb), with checks that answer at once. The other chapters and
# labs are not here yet. [The page for students](../docs/students.md) says how to work on a lab, [the terms](../docs/terms.md)
# say what the words mean.
#
# Every chapter has the same shape: what you will be able to do, sections marked *Beginner*, *Intermediate* or
# *Advanced*, one figure with controls, and questions with answers.
#
# ## What you should know before
#
# Python functions and NumPy indexing; stochastic gradient descent and back-propagation by name; how a PyTorch module
# and its `backward` are used; and that a byte has eight bits.
