"""Collectives in the background: start one, go on computing, wait for it when its result is needed.

    work = all_reduce(comm, gradient, async_op=True)         it travels …
    …                                                        … while the rank computes
    work.wait()                                              now `gradient` is the sum

    the program          start ── compute ═══════════════════ wait()       both together take as long as the longer one;
    in the background      └─ message ── message ── message             one after the other they would take the sum

Every collective takes `async_op=True`, with torch.distributed's name and meaning: it returns at once, a Work whose
`wait(timeout_s=None)` returns when the collective is done, gives what the blocking call would have returned, and raises
what it would have raised; `is_completed()` tells whether it has ended.

- What one group (one `comm`) starts is done in the order of the starts, one after the other. That order must be the
  same on all its ranks, and all must start it so: a blocking call of one rank and an `async_op=True` of another never
  meet. Blocking calls of the same group may be made meanwhile; they do not wait for what is in the background.
- The tensors must stay untouched until `wait()`: neither written nor, where the collective writes them, read. The
  simulator works on copies and compares in `wait()`: there a change is a CommError, and who looks too early sees the
  old values. Real worlds work in place and check nothing.
- After one has failed, those started after it are not begun, and say so in their `wait()`.
- A program that ends without waiting for what it started is a CommError that names the line.
"""

from __future__ import annotations

from functools import partial

from pslab.comm import Comm, Work


def start(comm: Comm, collective, *tensors, writes: bool = False, **options) -> Work:
    """Run collective(twin, *tensors, **options) in the background of `comm`; `twin` is a Comm of the same ranks.

    collective   one of ours, or any function of a Comm and tensors that communicates through that Comm alone
    tensors      arguments that are tensors or lists of tensors, which stay untouched until `wait()`
    writes       whether it writes into them
    returns      a Work; `wait()` gives what collective returns. Also `get_future()`, a torch.futures.Future, except in
                 the simulator
    """
    return comm.background(partial(collective, **options), *tensors, writes=writes,
                           name=getattr(collective, "__name__", type(collective).__name__))
