"""A folder of tensors that is there whole or not at all: the files of a checkpoint.

    runs/
      step-00000050/                 renamed into place when everything in it is on the disk
        manifest.json                step, what the job was, and of every file its bytes, checksum and tensors
        worker-0.safetensors         8 bytes: length of the header; header (JSON): where each tensor lies; the bytes
        server-0.safetensors
      .step-00000100.partial/        a save that was cut off: never read, written over by the next

Every rank writes its own file (aside, synced, renamed) and reports its entry; one commits: manifest, sync, rename of
the folder. The tensors' layout is that of safetensors, which can read the files. Nothing here is a pickle: reading a
checkpoint runs no code of its maker's.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from pslab.files import write_aside

FORMAT = 1
_NAMES = {torch.float32: "F32", torch.float64: "F64", torch.bfloat16: "BF16", torch.float16: "F16", torch.int64: "I64",
          torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"}
_DTYPES = {name: dtype for dtype, name in _NAMES.items()}


class CheckpointError(ValueError):
    """A checkpoint that is not there, is damaged, or does not fit the model."""


def write_tensors(file: Path, tensors: Mapping[str, torch.Tensor]) -> dict:
    """Write a file; gives its entry of the manifest: {"bytes", "sha256", "tensors": {name: [dtype, shape]}}."""
    header, place, parts = {}, 0, []
    for name, tensor in tensors.items():
        raw = memoryview(tensor.detach().contiguous().reshape(-1).view(torch.uint8).numpy())
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape),
                        "data_offsets": [place, place + len(raw)]}
        parts.append(raw)
        place += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    content = b"".join([len(text).to_bytes(8, "little"), text, *parts])
    write_aside(file, content)
    return {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(),
            "tensors": {name: [each["dtype"], each["shape"]] for name, each in header.items()}}


def read_tensors(file: Path, entry: dict) -> dict[str, torch.Tensor]:
    """What `write_tensors` wrote; CheckpointError where the file is missing or is not what the manifest says."""
    if not file.is_file():
        raise CheckpointError(f"checkpoint {file.parent}: the file {file.name} is missing")
    content = file.read_bytes()
    if len(content) != entry["bytes"]:
        raise CheckpointError(f"checkpoint {file.parent}: {file.name} has {len(content)} bytes of {entry['bytes']}; it "
                              f"was cut off or written over")
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise CheckpointError(f"checkpoint {file.parent}: {file.name} is damaged: its bytes have another checksum than "
                              f"manifest.json says")
    start = 8 + int.from_bytes(content[:8], "little")
    tensors = {}
    for name, each in json.loads(content[8:start]).items():
        first, end = each["data_offsets"]
        tensors[name] = torch.empty(each["shape"], dtype=_DTYPES[each["dtype"]])
        flat = tensors[name].view(-1).view(torch.uint8).numpy()
        flat[:] = np.frombuffer(content, np.uint8, end - first, start + first)
    return tensors


def partial_folder(folder: Path, step: int) -> Path:
    """Where the files of this step are written before they count."""
    return folder / f".step-{step:08d}.partial"


def commit(folder: Path, step: int, files: Mapping[str, dict], about: dict, keep: int) -> Path:
    """Make a checkpoint of what was written; older ones than the newest `keep` are removed."""
    partial, final = partial_folder(folder, step), folder / f"step-{step:08d}"
    for stray in partial.iterdir():                     # of a save that was cut off, perhaps with other ranks
        if stray.name not in files:
            stray.unlink()
    manifest = {"format": FORMAT, "step": step, **about, "files": dict(files)}
    write_aside(partial / "manifest.json", json.dumps(manifest, indent=1).encode())
    _sync(partial)
    if final.exists():
        old = folder / f".step-{step:08d}.old"
        shutil.rmtree(old, ignore_errors=True)
        final.rename(old)
        partial.rename(final)
        shutil.rmtree(old)
    else:
        partial.rename(final)
    _sync(folder)
    for old in complete(folder)[:-keep]:
        shutil.rmtree(old)
    return final


def complete(folder: Path) -> list[Path]:
    """The checkpoints in a folder, the oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("step-*") if path.is_dir() and path.name[5:].isdigit())


def read_manifest(path: Path) -> dict:
    """manifest.json of a checkpoint; CheckpointError where there is none that can be read."""
    if not path.is_dir():
        others = ", ".join(other.name for other in complete(path.parent)) or "none"
        raise CheckpointError(f"checkpoint {path}: there is no such folder; beside it there are: {others}")
    try:
        manifest = json.loads((path / "manifest.json").read_bytes())
    except FileNotFoundError:
        raise CheckpointError(f"checkpoint {path}: manifest.json is missing; this is no checkpoint, or a part of "
                              f"one") from None
    except ValueError:
        raise CheckpointError(f"checkpoint {path}: manifest.json cannot be read as JSON; it is damaged") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        seen = manifest.get("format") if isinstance(manifest, dict) else manifest
        raise CheckpointError(f"checkpoint {path}: format={seen!r}; this version reads format {FORMAT}")
    return manifest


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
