"""PyTorch's DistributedDataParallel on our ring, on a student's all-reduce, or through a compressor.

    backward()   grads of the last layers ready ──> bucket 0 ──hook──> all_reduce(comm, bucket) ──> ÷ K ──┐
                 grads of the first layers ready ─> bucket 1 ──hook──> all_reduce(comm, bucket) ──> ÷ K ──┤
                                                                                                          v
    step()                                                          every rank: the mean over K ranks in .grad

DDP cuts the gradients into buckets, in the order in which backward makes them, and hands each to a *comm hook*; what
the hook returns is the gradient. With a hook DDP no longer divides by K: the hook must, and once. Frozen parameters are
in no bucket, tied ones in one.

The hook starts its bucket in the background (`background.start`) and returns a future, so a bucket travels while
backward computes the next one's gradients; buckets travel one after the other, in DDP's order, which is the same on all
ranks. Only the hook of the last bucket, after which there is nothing left to compute, waits for all of them: there, and
not inside DDP, a world can see who waits for whom.

DDP cannot be made without a process group of torch.distributed: it sends the initial values through that, whole. The
hook itself uses `comm` alone.

    def program(comm, folder):                                   in ProcessWorld; folder: an empty one that all see
        return ddp.run_in_group(comm, train, comm, folder=folder)

    def train(comm):
        model = DistributedDataParallel(make_model())
        state = ddp.attach(model, comm)                          from here on: our ring
"""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from pslab.comm import Comm

from .all_reduce import all_reduce as any_all_reduce
from .background import start


def ring(comm: Comm, tensor) -> None:
    """Our ring, whatever the size: its bytes are those of `cost.ring_all_reduce`."""
    any_all_reduce(comm, tensor, algorithm="ring")


def attach(model, comm: Comm, all_reduce: Callable = ring, *, compressor=None, overlap: bool = True) -> HookState:
    """Let the DistributedDataParallel `model` average its gradients over `comm`; returns the hook's state.

    all_reduce   all_reduce(comm, tensor) sums the 1-dimensional tensor over the ranks, in place, and returns None
    compressor   instead: a pslab.collectives.compress.Compressor, asked once for every parameter of a bucket, under
                 the parameter's name, so that residuals never mix; `all_reduce` is then not used
    overlap      False: each bucket is done before backward goes on

    `all_reduce` and the compressor must communicate through the Comm that they are handed, which with overlap is not
    `comm` itself but its twin in the background.
    Every rank must attach, before the first backward pass. ValueError where comm is not as large as DDP's group.
    """
    size = torch.distributed.get_world_size(model.process_group)
    if size != comm.world_size:
        raise ValueError(f"comm has {comm.world_size} ranks and the model's process group {size}; they must be equal")
    if compressor is not None and all_reduce is not ring:
        raise ValueError("all_reduce and compressor are both given; a compressor brings its own way of combining")
    names = {parameter.data_ptr(): name for name, parameter in model.module.named_parameters()}
    state = HookState(comm, all_reduce, compressor, names, overlap)
    model.register_comm_hook(state, average_hook)
    return state


class HookState:
    """What the hook needs, and what it has done: `elements[i]` of the i-th bucket that it averaged, over all steps."""

    def __init__(self, comm: Comm, all_reduce: Callable = ring, compressor=None, names: dict[int, str] | None = None,
                 overlap: bool = True):
        self.comm, self.all_reduce, self.compressor, self.names = comm, all_reduce, compressor, names or {}
        self.overlap = overlap
        self.elements: list[int] = []
        self.travelling: list = []                       # works of this backward pass


def average_hook(state: HookState, bucket):
    """The comm hook: one bucket in, a future of its mean over the ranks out (P,).

    RuntimeError, out of backward, where all_reduce returns a tensor: it works in place, and a result that is dropped
    would be a silent error.
    """
    buffer = bucket.buffer()
    state.elements.append(buffer.numel())
    gradients = []
    if state.compressor is not None:
        gradients = [(state.names[parameter.data_ptr()], gradient)
                     for parameter, gradient in zip(bucket.parameters(), bucket.gradients())]
    if not state.overlap:
        done = torch.futures.Future()
        done.set_result(average(state.comm, buffer, state, gradients))
        return done
    state.travelling.append(start(state.comm, average, buffer, writes=True, state=state, gradients=gradients))
    future = state.travelling[-1].get_future()
    if bucket.is_last():
        travelling, state.travelling = state.travelling, []
        for work in travelling:
            work.wait()
    return future


def average(comm: Comm, buffer: torch.Tensor, state: HookState, gradients: list[tuple[str, torch.Tensor]]):
    """Replace a bucket by its mean over the ranks, and return it. gradients: (name, its part of the bucket)."""
    if state.compressor is not None:
        for name, gradient in gradients:
            total, _ = state.compressor.exchange(comm, name, gradient)
            gradient.copy_(total.view_as(gradient))
    else:
        returned = state.all_reduce(comm, buffer)
        if returned is not None and returned is not buffer:
            raise RuntimeError(f"all_reduce returned a {type(returned).__name__}; it must write the sum into the "
                               f"tensor that it is given, and return None")
    buffer /= comm.world_size
    return buffer


def run_in_group(comm: Comm, function: Callable, *args, folder: str | Path | None = None):
    """function(*args) while torch.distributed has a default group of all ranks of `comm`; returns its result.

    The DDP object must live inside `function`: it has to be gone before its group is. folder: an empty folder that all
    ranks see, where they meet; needed only where there is no group yet (TorchWorld has one). Everything stays on this
    machine's loopback. ValueError in the simulator, whose ranks share one process: torch has one group per process.
    """
    import torch.distributed as dist
    if dist.is_initialized() and dist.get_world_size() == comm.world_size:
        try:
            return function(*args)
        finally:
            gc.collect()
    if folder is None:
        raise ValueError("folder=None; where torch.distributed has no group yet, the ranks need a folder to meet in")
    mark, meeting = Path(folder) / f"process-{os.getpid()}", Path(folder) / "store"
    mark.touch()
    comm.barrier()                                       # nobody is in an earlier group of this folder any more
    processes = len(list(Path(folder).glob("process-*")))
    if comm.rank == 0:
        meeting.unlink(missing_ok=True)                  # its addresses are those of an earlier group
    comm.barrier()
    mark.unlink(missing_ok=True)
    if processes != comm.world_size:
        raise ValueError(f"{comm.world_size} ranks, and {processes} processes met in {folder}; "
                         f"DistributedDataParallel needs a process for each rank (ProcessWorld or TorchWorld) and an "
                         f"empty folder")
    if sys.platform != "win32":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo" if sys.platform == "linux" else "lo0")
    store = dist.FileStore(str(meeting), comm.world_size)
    dist.init_process_group("gloo", store=store, rank=comm.rank, world_size=comm.world_size)
    try:
        return function(*args)
    except BaseException as error:
        traceback.clear_frames(error.__traceback__)      # which hold the DDP object
        raise
    finally:
        gc.collect()                                     # a reference cycle must not keep the DDP object
        dist.destroy_process_group()
