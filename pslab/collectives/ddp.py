"""PyTorch's DistributedDataParallel on our ring, on a student's all-reduce, or through a compressor.

    backward()   grads of the last layers ready ──> bucket 0 ──hook──> all_reduce(comm, bucket) ──> ÷ K ──┐
                 grads of the first layers ready ─> bucket 1 ──hook──> all_reduce(comm, bucket) ──> ÷ K ──┤
                                                                                                          v
    step()                                                          every rank: the mean over K ranks in .grad

DDP cuts the gradients into buckets, in the order in which backward makes them, and hands each to a *comm hook*; what
the hook returns is the gradient. With a hook DDP no longer divides by K: the hook must, and once. Frozen parameters are
in no bucket, tied ones in one.

DDP cannot be made without a process group of torch.distributed: it sends the initial values through that, whole. The
hook itself uses `comm` alone. It returns when its bucket is done, so nothing overlaps here.

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


def ring(comm: Comm, tensor) -> None:
    """Our ring, whatever the size: its bytes are those of `cost.ring_all_reduce`."""
    any_all_reduce(comm, tensor, algorithm="ring")


def attach(model, comm: Comm, all_reduce: Callable = ring, *, compressor=None) -> HookState:
    """Let the DistributedDataParallel `model` average its gradients over `comm`; returns the hook's state.

    all_reduce   all_reduce(comm, tensor) sums the 1-dimensional tensor over the ranks, in place, and returns None
    compressor   instead: a pslab.collectives.compress.Compressor, asked once for every parameter of a bucket, under
                 the parameter's name, so that residuals never mix; `all_reduce` is then not used

    Every rank must attach, before the first backward pass. ValueError where comm is not as large as DDP's group.
    """
    size = torch.distributed.get_world_size(model.process_group)
    if size != comm.world_size:
        raise ValueError(f"comm has {comm.world_size} ranks and the model's process group {size}; they must be equal")
    if compressor is not None and all_reduce is not ring:
        raise ValueError("all_reduce and compressor are both given; a compressor brings its own way of combining")
    names = {parameter.data_ptr(): name for name, parameter in model.module.named_parameters()}
    state = HookState(comm, all_reduce, compressor, names)
    model.register_comm_hook(state, average_hook)
    return state


class HookState:
    """What the hook needs, and what it has done: `elements[i]` of the i-th bucket that it averaged, over all steps."""

    def __init__(self, comm: Comm, all_reduce: Callable = ring, compressor=None, names: dict[int, str] | None = None):
        self.comm, self.all_reduce, self.compressor, self.names = comm, all_reduce, compressor, names or {}
        self.elements: list[int] = []


def average_hook(state: HookState, bucket):
    """The comm hook: one bucket in, a future of its mean over the ranks out (P,).

    RuntimeError where all_reduce returns a tensor: it works in place, and a result that is dropped would be a silent
    error.
    """
    buffer = bucket.buffer()
    state.elements.append(buffer.numel())
    if state.compressor is not None:
        for parameter, gradient in zip(bucket.parameters(), bucket.gradients()):
            total, _ = state.compressor.exchange(state.comm, state.names[parameter.data_ptr()], gradient)
            gradient.copy_(total.view_as(gradient))
    else:
        returned = state.all_reduce(state.comm, buffer)
        if returned is not None and returned is not buffer:
            raise RuntimeError(f"all_reduce returned a {type(returned).__name__}; it must write the sum into the "
                               f"tensor that it is given, and return None")
    buffer /= state.comm.world_size
    done = torch.futures.Future()
    done.set_result(buffer)
    return done


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
