"""Checkpoints of a training run: saved while it goes on, and gone on from as if it had never stopped.

    step 49 ── step 50 ──┬── step 51 ──            every rank has ended round 50; nothing is asked for ahead
                         │
       worker k   writes worker-k, waits  ─┐
       server i   has heard clock 50 of    ├──> worker 0: manifest, sync, rename ──> step-00000050/ ──> all go on
                  all workers: writes      ┘
                  server-i, reports it

Exact: n steps are the same as n/2, save, a new job, load, n/2, to the last bit. That holds for parameters, optimizer
state, the rules' t (and with it schedules), position in the data, and generators (torch's, and each worker's comm.rng;
not those of numpy or Python). With a staleness above 0 the run that it is compared with must save at the same steps:
to save is to wait for everybody. Workers' caches of rows begin empty.

Where files are checked and made durable: checkpoint_files.py; what is in them: checkpoint_parts.py.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch

from pslab.collectives import all_gather
from pslab.comm import Comm
from pslab.embedding import EmbeddingBagConfig, fuse, merge_shards
from pslab.ps import KVServer, merge_state_dicts

from .checkpoint_files import (
    CheckpointError,
    commit,
    complete,
    partial_folder,
    read_manifest,
    read_tensors,
    write_tensors,
)
from .checkpoint_parts import (
    check_fits,
    copy_into,
    generators,
    own_views,
    set_generators,
    set_shards,
    set_steps,
    shards_of,
)
from .strategies import DENSE_TABLE, STRATEGIES

SAVED = 2**20 + 7           # the tag by which a server tells worker 0 that its file is written


@dataclass(frozen=True)
class Checkpoints:
    """Where and how often: every `every` steps, and after the last; the newest `keep` stay.

    folder: one that all ranks see; it is made when it is not there.
    """

    folder: str | Path
    every: int = 100
    keep: int = 2

    def __post_init__(self):
        for name in ("every", "keep"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}={value!r}; a whole number from 1 is needed")
        object.__setattr__(self, "folder", Path(self.folder))

    def due(self, step: int, last: int) -> bool:
        """Whether one is saved after `step` steps of `last`."""
        return step % self.every == 0 or step == last

    def latest(self) -> Checkpoint | None:
        """The newest one, or None where there is none; what was cut off while it was saved does not count."""
        found = complete(self.folder)
        return Checkpoint(found[-1]) if found else None


class Checkpoint:
    """One checkpoint, to be read: `step`, `strategy`, `workers`, `servers`."""

    def __init__(self, path: str | Path):
        self.path = Path(path)
        manifest = read_manifest(self.path)
        self.files: dict[str, dict] = manifest["files"]
        self.step, self.strategy = manifest["step"], manifest["strategy"]
        self.workers, self.servers = manifest["workers"], manifest["servers"]

    def read(self, name: str) -> dict[str, torch.Tensor]:
        """The tensors of one rank's file, by "worker-0" and so on; checked."""
        file = f"{name}.safetensors"
        if file not in self.files:
            raise CheckpointError(f"checkpoint {self.path}: it has no file {file}; there are {', '.join(self.files)}")
        return read_tensors(self.path / file, self.files[file])

    def check(self) -> None:
        """CheckpointError where a file is missing or damaged; the text names the one to go back to."""
        try:
            for file, entry in self.files.items():
                read_tensors(self.path / file, entry)
        except CheckpointError as error:
            before = [path.name for path in complete(self.path.parent) if path.name < self.path.name]
            hint = f"remove {self.path.name} to go on from {before[-1]}" if before else "there is none before it"
            raise CheckpointError(f"{error}; {hint}") from None

    @cached_property
    def of_servers(self) -> dict[str, torch.Tensor]:
        """The servers' tables, merged: pslab.ps's export."""
        return merge_state_dicts([self.read(f"server-{i}") for i in range(self.servers)])

    def state_dict(self, tables: Sequence[EmbeddingBagConfig], dense_shapes: Mapping[str, Sequence[int]] | None = None,
                   path: str = "embeddings") -> dict[str, torch.Tensor]:
        """All parameters by name, for the local model over `tables` (at its attribute `path`).

        dense_shapes: {name: shape} of the dense parameters in the model's order, needed where servers hold those.
        """
        first = self.read("worker-0")
        state = {name[6:]: tensor for name, tensor in first.items() if name.startswith("model.")}
        if self.strategy == "exchange":
            prefix = f"rows.{path}."
            files = [{name.removeprefix(prefix): tensor for name, tensor in self.read(f"worker-{k}").items()
                      if name.startswith(prefix)} for k in range(self.workers)]
            state |= {f"{path}.tables.{name}.weight": rows for name, rows in merge_shards(tables, files).items()}
        if self.servers:
            for fused in fuse(tables):
                for table in fused.tables:
                    keys = fused.keys(table.name)
                    rows = self.of_servers[f"{fused.name}.rows"][keys.start:keys.stop]
                    state[f"{path}.tables.{table.name}.weight"] = rows.clone()
        if self.strategy == "server":
            shapes = {name: torch.Size(shape) for name, shape in (dense_shapes or {}).items()}
            flat = self.of_servers[f"{DENSE_TABLE}.rows"][:, 0]
            sizes = [shape.numel() for shape in shapes.values()]
            if sum(sizes) != len(flat):
                raise CheckpointError(f"checkpoint {self.path}: its servers hold {len(flat)} dense numbers, "
                                      f"dense_shapes {sum(sizes)}")
            for (name, shape), part in zip(shapes.items(), flat.split(sizes)):
                state[name] = part.view(shape).clone()
        return state


def save_checkpoint(trainer, checkpoints: Checkpoints, *, comm: Comm | None = None,
                    servers: Sequence[int] = ()) -> None:
    """Save after a step; all workers call it together, and go on when the checkpoint is complete.

    comm, servers: of all ranks, and which of them are servers, where there are any; each of them runs `serve` with a
    `ServerSaves` that knows the same steps.
    """
    if trainer.strategy not in STRATEGIES:
        raise ValueError("checkpoints are for the named strategies; this trainer's is an object")
    trainer.close()
    group, step, folder = trainer.comm, trainer.steps, checkpoints.folder
    rank, workers = (0, 1) if group is None else (group.rank, group.world_size)
    tensors = {**generators(group), **shards_of(trainer)}
    tensors |= {name: view for name, view in own_views(trainer).items() if rank == 0}
    entries = {f"worker-{rank}.safetensors": _write(folder, step, f"worker-{rank}", tensors)}
    if group is not None:
        for other in all_gather(group, _as_bytes(entries)):
            entries |= _of_bytes(other)
    if rank == 0:
        for server in servers:
            entries |= _of_bytes(comm.recv(server, tag=SAVED))
        about = {"strategy": trainer.strategy, "workers": workers, "servers": len(servers)}
        commit(folder, step, dict(sorted(entries.items())), about, checkpoints.keep)
    if group is not None:
        group.barrier()


def load_checkpoint(trainer, checkpoint: Checkpoint) -> int:
    """Bring a new trainer to where the checkpoint is; gives the number of steps done. Servers: `load_server`.

    CheckpointError, and nothing has changed, where it does not fit: another strategy, other names, shapes or dtypes.
    """
    strategy = trainer.strategy
    alike = ("single", "allreduce")
    if strategy != checkpoint.strategy and not {strategy, checkpoint.strategy} <= set(alike):
        raise CheckpointError(f"checkpoint {checkpoint.path} is of strategy {checkpoint.strategy!r}; this trainer's is "
                              f"{strategy!r}")
    first, rank = checkpoint.read("worker-0"), 0 if trainer.comm is None else trainer.comm.rank
    views = own_views(trainer)
    check_fits(views, first, f"checkpoint {checkpoint.path}")
    if strategy == "exchange":
        set_shards(trainer, [checkpoint.read(f"worker-{k}") for k in range(checkpoint.workers)], checkpoint.step)
    copy_into(views, first)
    set_steps(trainer, checkpoint.step)
    if rank < checkpoint.workers:
        set_generators(trainer.comm, first if rank == 0 else checkpoint.read(f"worker-{rank}"))
    return checkpoint.step


class ServerSaves:
    """A server's part: `after()` is given to `serve`, and writes when the clock of all workers reaches a due step.

    first: the step at which this run began; last: how many steps there are in all.
    """

    def __init__(self, comm: Comm, server: KVServer, checkpoints: Checkpoints, first: int, last: int):
        self.comm, self.server, self.checkpoints, self.first, self.last = comm, server, checkpoints, first, last
        self._seen = 0

    def after(self) -> None:
        clock = min(self.server.min_clock, self.last - self.first)
        for seen in range(self._seen + 1, clock + 1):
            if self.checkpoints.due(self.first + seen, self.last):
                self._save(self.first + seen)
        self._seen = max(self._seen, clock)

    def _save(self, step: int) -> None:
        server, name = self.server, f"server-{self.server.index}"
        tensors = server.state_dict()
        for shard in server.shards:
            if shard.config.consistency.in_rounds:          # also where nobody pushed in the last round
                tensors[f"{shard.config.name}.t"] = torch.tensor(step)
        entries = {f"{name}.safetensors": _write(self.checkpoints.folder, step, name, tensors)}
        self.comm.send(_as_bytes(entries), dst=0, tag=SAVED)


def load_server(server: KVServer, checkpoint: Checkpoint) -> None:
    """Let a new server hold what it owns of a checkpoint, by however many servers that was written."""
    try:
        whole = checkpoint.of_servers
        for shard in server.shards:
            name, rows = shard.config.name, shard.config.num_rows
            keys = whole.get(f"{name}.keys")
            if keys is None or (rows is not None and len(keys) != rows):
                seen = "is not in it" if keys is None else f"has {len(keys)} rows in it, {rows} in the model"
                raise CheckpointError(f"table {name!r} {seen}")
        if checkpoint.servers == server.num_servers:        # steps of tables outside of rounds are counted by server
            own = checkpoint.read(f"server-{server.index}")
            whole = whole | {name: tensor for name, tensor in own.items() if name.endswith(".t")}
        server.load_state_dict(whole)
    except ValueError as error:
        raise CheckpointError(f"checkpoint {checkpoint.path} does not fit this server: {error}") from None


def _write(folder: Path, step: int, name: str, tensors: Mapping[str, torch.Tensor]) -> dict:
    partial = partial_folder(folder, step)
    partial.mkdir(parents=True, exist_ok=True)
    return write_tensors(partial / f"{name}.safetensors", tensors)


def _as_bytes(entries: dict) -> torch.Tensor:
    return torch.frombuffer(bytearray(json.dumps(entries).encode()), dtype=torch.uint8)


def _of_bytes(raw: torch.Tensor) -> dict:
    return json.loads(bytes(raw.numpy()))
