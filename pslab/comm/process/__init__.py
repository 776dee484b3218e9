"""Real processes of this machine; see `world` for the caller's side, `rank` and `endpoint` for a rank's."""

from .world import ProcessWorld

__all__ = ["ProcessWorld"]
