"""What one rank puts into a checkpoint, and takes out of it: parameters, optimizer state, rows, generators.

    worker 0       model.<name>            parameters that live in its process, buffers
                   state.<slot>.<name>     the rule's state beside them
    every worker   rng.*                   its generators
                   rows.<path>.<table>.<n>.ids | columns | rows | state.<slot>      (exchange) the shards it owns
    every server   <table>.keys | rows | state.<slot> | t                           (server, hybrid) pslab.ps's export

Parameters and their state are kept by name, whoever holds them: `single` can read what `allreduce` wrote. Shards are
kept with their ids, servers' rows with their keys: another number of workers or servers takes them apart anew.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from .checkpoint_files import CheckpointError
from .strategies import AllReduce, Local, OverWorkers, Replica, Server


def own_views(trainer) -> dict[str, torch.Tensor]:
    """{name: the tensor itself} of everything that a worker holds and every other worker holds alike."""
    strategy, model = trainer._strategy, trainer.model
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    on_servers = isinstance(strategy, Server)
    views = {f"model.{name}": value.detach() for name, value in model.state_dict(keep_vars=True).items()
             if not (on_servers and isinstance(value, torch.nn.Parameter))}
    for replica, parameters in _replicas(strategy):
        first = 0
        for parameter in parameters:
            for slot, of_slot in zip(replica.rule.state_names, replica.state):
                views[f"state.{slot}.{names[id(parameter)]}"] = torch.from_numpy(
                    of_slot[first:first + parameter.numel(), 0]).view_as(parameter)
            first += parameter.numel()
    if isinstance(strategy, Local):
        for parameter, state in strategy.optimizer.state.items():
            views |= {f"state.{slot}.{names[id(parameter)]}": state[slot] for slot in trainer.optimizer.state_names}
    return views


def set_steps(trainer, steps: int) -> None:
    """Let the trainer, its rules and what it owns go on after so many steps."""
    trainer.steps = steps
    strategy = trainer._strategy
    for replica, _ in _replicas(strategy):
        replica.t = steps
    if isinstance(strategy, Local):
        strategy.t = steps
        for state in strategy.optimizer.state.values():
            if "step" in state:
                state["step"].fill_(steps)


def _replicas(strategy) -> list[tuple[Replica, list]]:
    if isinstance(strategy, AllReduce):
        return [(part, part.parameters) for part in strategy.parts]
    return [(strategy.dense, strategy.dense.parameters)] if isinstance(strategy, OverWorkers) else []


def generators(comm) -> dict[str, torch.Tensor]:
    """{name: state (n,) uint8}: torch's generator of this process, and the worker's own."""
    found = {"rng.torch": torch.get_rng_state()}
    if comm is not None:
        found["rng.comm"] = comm.rng.get_state()
    return found


def set_generators(comm, tensors: Mapping[str, torch.Tensor]) -> None:
    torch.set_rng_state(tensors["rng.torch"])
    if comm is not None and "rng.comm" in tensors:
        comm.rng.set_state(tensors["rng.comm"])


def shards_of(trainer) -> dict[str, torch.Tensor]:
    """(exchange) this rank's shards of all tables."""
    found = {}
    for path, module in _over_ranks(trainer):
        for name, tensor in module.over.export().items():
            found[f"rows.{path}.{name}"] = tensor
    return found


def set_shards(trainer, files: list[Mapping[str, torch.Tensor]], steps: int) -> None:
    """(exchange) take this rank's shards out of those of however many ranks."""
    for path, module in _over_ranks(trainer):
        prefix = f"rows.{path}."
        parts = [{name.removeprefix(prefix): tensor for name, tensor in file.items() if name.startswith(prefix)}
                 for file in files]
        try:
            module.over.load_export(parts)
        except ValueError as error:
            raise CheckpointError(str(error)) from None
        module.over.steps = steps


def check_fits(views: Mapping[str, torch.Tensor], tensors: Mapping[str, torch.Tensor], where: str) -> None:
    """CheckpointError where names, shapes or dtypes differ."""
    tensors = {name: tensor for name, tensor in tensors.items() if name.startswith(("model.", "state."))}
    missing, extra = sorted(views.keys() - tensors.keys()), sorted(tensors.keys() - views.keys())
    if missing or extra:
        parts = [f"{what} {names[0]!r}" + (f" and {len(names) - 1} more" if len(names) > 1 else "")
                 for what, names in (("it lacks", missing), ("the model has no", extra)) if names]
        raise CheckpointError(f"{where} does not fit the model: {'; '.join(parts)}")
    for name, view in views.items():
        given = tensors[name]
        if given.shape != view.shape or given.dtype != view.dtype:
            raise CheckpointError(f"{where} does not fit the model: {name!r} is {_told(given)} in it, "
                                  f"{_told(view)} in the model")


def copy_into(views: Mapping[str, torch.Tensor], tensors: Mapping[str, torch.Tensor]) -> None:
    """Tensors that fit into the views of the same names."""
    with torch.no_grad():
        for name, view in views.items():
            view.copy_(tensors[name])


def _over_ranks(trainer) -> list:
    return [(path, module) for path, module in trainer.model.named_modules()
            if module in trainer._sharded and module.over is not None]


def _told(tensor: torch.Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')}{list(tensor.shape)}"
