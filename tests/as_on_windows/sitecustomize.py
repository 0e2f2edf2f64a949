"""Makes keyseg see what Windows has of Python's library, in every process whose PYTHONPATH has this folder.

Other packages see everything, since they do not expect Windows here.
"""

import builtins
import importlib
import sys
from types import ModuleType
from typing import Any

from windows_lacks import MODULES, NAMES


def in_keyseg(space: dict[str, Any] | None) -> bool:
    """Whether code with these global names belongs to keyseg, its programs included."""
    name = (space or {}).get("__spec__") or (space or {}).get("__name__", "")
    return str(getattr(name, "name", name)).split(".")[0] == "keyseg"


def hide(module: ModuleType, names: str) -> None:
    """Take attributes from a module as far as keyseg sees it."""
    hidden = {name: vars(module).pop(name) for name in names.split() if hasattr(module, name)}

    def find(name: str) -> Any:
        if name in hidden and not in_keyseg(sys._getframe(1).f_globals):
            return hidden[name]
        raise AttributeError(f"Windows has no {module.__name__}.{name}")

    module.__getattr__ = find  # type: ignore[method-assign]


def import_as_there(name: str, globals: dict[str, Any] | None = None, *rest: Any, **options: Any) -> ModuleType:
    """`__import__` of a system without the Unix modules."""
    if name in MODULES and in_keyseg(globals):
        raise ModuleNotFoundError(f"Windows has no {name}", name=name)
    return original(name, globals, *rest, **options)


original = builtins.__import__
builtins.__import__ = import_as_there
for module, names in NAMES.items():
    hide(importlib.import_module(module), names)
