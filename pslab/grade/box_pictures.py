"""Pictures are not drawn in the box: there, pslab.viz is a module whose every name can be called and does nothing.

A notebook's plain cells import it, and drawing is nothing that is judged. The real one would also bring pslab.cost
along, which some exercises forbid to an answer.
"""

from __future__ import annotations

import sys
import types


class Nothing:
    """Whatever is asked of it, it is there and does nothing."""

    def __call__(self, *args, **kwargs) -> Nothing:
        return self

    def __getattr__(self, name: str) -> Nothing:
        if name.startswith("__"):
            raise AttributeError(name)
        return self


class _Pictures(types.ModuleType):
    def __getattr__(self, name: str):
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing()


def put_aside() -> None:
    """From now on `import pslab.viz` finds the module that does nothing."""
    sys.modules["pslab.viz"] = _Pictures("pslab.viz")
