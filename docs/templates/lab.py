# %% [markdown]
# # Lab 99: what a message costs
#
# A lab's text is its solution: copy this file to `solutions/src/lab_NN_NAME.py`. What stands between the two marks is
# not in the student's version. The check cells of a real lab call `check` from `pslab.grade` with the id of an
# exercise; this template has no exercise of its own, so it checks by hand.
#
# ## 99.1 A formula
#
# **Goal.** The time of one message. **Points** 5, **minutes** 5.


# %% answer="99.1"
def message_s(size_bytes, latency_s, bandwidth_Bps):
    """Seconds until the last of size_bytes has arrived."""
    ### BEGIN SOLUTION
    return latency_s + size_bytes / bandwidth_Bps
    ### END SOLUTION


# %% check="99.1" points=5
def check_by_hand(exercise, function):
    try:
        right = function(1000, 1e-6, 1e9) == 2e-6
    except NotImplementedError:
        return print(f"{exercise}: not yet")
    print(f"{exercise}: " + ("the public check passes" if right else "1,000 bytes should take 2 µs"))


check_by_hand("99.1", message_s)

# %% [markdown]
# Seen with several sizes, once it is written:

# %% needs="99.1"
for size_bytes in (0, 1_000, 1_000_000):
    print(f"{size_bytes:>9,} B  {1e6 * message_s(size_bytes, 1e-6, 1e9):,.0f} µs")

# %% [markdown]
# ## 99.2 A number before the run
#
# How many bytes take as long as the latency, at 20 µs and 1 GB/s?

# %% answer="99.2"
equal_bytes = ...
### BEGIN SOLUTION
equal_bytes = 20_000
### END SOLUTION

# %% [markdown] answer="99.3" points=2
# ## 99.3 In a sentence
#
# Why does a faster network hardly help small messages?
#
# <!-- BEGIN SOLUTION -->
# Because nearly all of their time is latency, which does not depend on the bandwidth.
# <!-- END SOLUTION -->
