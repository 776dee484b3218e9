"""Whether the student's code changed the kit, Python or NumPy under itself: functions and classes by identity.

    taken in the zygote ── fork keeps every address ──> compared after each question
"""

from __future__ import annotations

import builtins
import sys
import types

_SHALLOW = ("builtins", "os", "posixpath", "time", "threading", "msgpack", "numpy", "torch", "torch.nn.functional",
            "copy", "hashlib", "random", "math", "io", "socket", "json", "importlib")
_DRESSED = "pslab.grade"                   # box_child.py itself changes what is visible of it
_now_builtin = vars(builtins)


class Fingerprint:
    """What was where when it was taken."""

    def __init__(self):
        self._modules = {name: module for name, module in sys.modules.items()
                         if name in _SHALLOW or name == "pslab" or (name.startswith("pslab.") and name != _DRESSED)}
        self._builtins = vars(builtins).copy()
        self._known = []                                  # (shown name, namespace, key, object, its code)
        for name, module in self._modules.items():
            self._take(name, vars(module), deep=name.startswith("pslab"))
        import torch
        self._take("torch.Tensor", vars(torch.Tensor), deep=False)

    def changed(self) -> str:
        """The name of the first thing that is not what it was, or ''.

        Builtins are put back first, without the use of any: all that follows needs them.
        """
        first = ""
        for name, value in self._builtins.items():
            if name != "_" and _now_builtin.get(name) is not value:
                _now_builtin[name] = value
                first = first or f"builtins.{name}"
        if first:
            return first
        for name, module in self._modules.items():
            if sys.modules.get(name) is not module:
                return name
        for name, namespace, key, value, code in self._known:
            now = namespace.get(key)
            if now is not value or (code is not None and _code(now) != code):
                return f"{name}.{key}"
        return ""

    def _take(self, name: str, namespace, deep: bool) -> None:
        for key, value in namespace.items():
            inner = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
            if callable(inner) or isinstance(inner, property):
                self._known.append((_public(name), namespace, key, value, _code(value)))
            if deep and isinstance(inner, type) and inner.__module__ == name:
                self._take(f"{name}.{key}", vars(inner), deep)


def _code(value):
    value = value.__func__ if isinstance(value, (staticmethod, classmethod)) else value
    if isinstance(value, types.FunctionType):
        return id(value.__code__), value.__defaults__
    return None


def _public(name: str) -> str:
    """pslab.comm.ledger.Ledger -> pslab.comm.Ledger, as users write it."""
    parts = name.split(".")
    face = sys.modules.get(".".join(parts[:2]))
    if len(parts) > 3 and parts[0] == "pslab" and hasattr(face, parts[3]):
        return ".".join([*parts[:2], *parts[3:]])
    return name
