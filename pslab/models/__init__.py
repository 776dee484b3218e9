"""Models as ordinary torch modules: they know rows and batches, not messages."""

from .dlrm import DLRM, dot_interaction

__all__ = ["DLRM", "dot_interaction"]
