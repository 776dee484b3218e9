# %% [markdown]
# # 11.99 What a message costs
#
# **The big picture.** This is a small chapter with the shape of all of them: copy it to `chapters/src/11_NN_NAME.py`,
# keep its headings and replace the rest. Its own subject is the cost of one message: a fixed time before the first
# byte, and a time for each byte after that.
#
# **After this chapter you can**
#
# 1. predict the time of a message from a latency and a bandwidth;
# 2. say above which size the bandwidth is what counts;
# 3. check such a prediction against a run.
#
# **Before you start** you should know what a byte is. **Time:** five minutes to read, a few seconds to run.

# %%
import torch

from pslab import viz
from pslab.comm import Link, SimWorld

# %% [markdown]
# ## 1. Two terms · *Beginner*
#
# A sentence says what to look for; a cell runs; a sentence says what was seen. Here: a message of a hundred bytes and
# one of a million, on one link. Look at how much longer the second takes.


# %%
def one_message(comm, count):
    if comm.rank == 0:
        comm.send(torch.zeros(count, dtype=torch.uint8), dst=1)
    else:
        comm.recv(src=0)


link = Link(latency_s=20e-6, bandwidth_Bps=1e9)
rows = [[count, 1e6 * SimWorld(2, link=link).run(one_message, count).seconds] for count in (100, 1_000_000)]
viz.Table(["message (B)", "time (µs)"], rows)

# %% [markdown]
# Ten thousand times the bytes, and far less than ten thousand times as long: the small one is nearly all latency.
#
# ## 2. Where the terms meet · *Intermediate*
#
# The figure has controls, and beside them a static view of the same function: whoever only reads sees that one.


# %%
def cost_of_message(latency_us=20):
    sizes = [10**n for n in range(1, 8)]
    times = {"message": [1e6 * (latency_us * 1e-6 + size / link.bandwidth_Bps) for size in sizes]}
    return viz.curve(sizes, times, log="xy", xlabel="message (B)", ylabel="time (µs)",
                     title=f"A latency of {latency_us} µs", looks={"message": "allreduce"})


cost_of_message()

# %% tags=["nbval-ignore-output"]
import ipywidgets
viz.redrawn(cost_of_message, {"latency_us": ipywidgets.IntSlider(20, 1, 200, description="latency (µs)",
                                                                continuous_update=False)})

# %% [markdown]
# The flat part is latency, the slope is bandwidth.
#
# ## In production
#
# The library that does this at scale, run for real where it installs; where it does not, say that nothing was run.

# %%
print("torch.distributed is here:", torch.distributed.is_available())

# %% [markdown]
# ## Did it stick?
#
# Answer first, then click.
#
# <details><summary><b>Which term decides for a message of ten bytes?</b></summary>
# <p>The latency.</p></details>
#
# <details><summary><b>At which size are both terms equal, on the link above?</b></summary>
# <p>At 20,000 bytes: latency times bandwidth.</p></details>
#
# <details><summary><b>Does a faster network help small messages?</b></summary>
# <p>Hardly: their time is latency.</p></details>

# %%
print(f"both terms are equal at {link.latency_s * link.bandwidth_Bps:,.0f} bytes")

# %% [markdown]
# Now the lab: `[Lab 99](../labs/lab_99_template.ipynb)`, written as a link.
#
# ## Further reading
#
# - Authors: *Title of the paper*, venue, year.
# - Authors: *Title of another*, venue, year.
