"""Real processes of this machine; see `world` for the caller's side, `rank` and `endpoint` for a rank's."""

from .pool import fork_launcher
from .pool import shut_down as end_launcher
from .world import ProcessWorld

__all__ = ["ProcessWorld", "end_launcher", "fork_launcher"]
