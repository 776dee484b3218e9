"""The processes that torchrun started; see `world` for the caller's side, `endpoint` for a rank's."""

from .world import TorchWorld

__all__ = ["TorchWorld"]
