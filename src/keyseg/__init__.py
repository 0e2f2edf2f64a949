"""keyseg: temporal action segmentation with refined temporal keypoints.

    predictor = keyseg.load("runs/gtea/split1/seed0/bundle")
    prediction = predictor.predict("features/VIDEO.npy")
    prediction.segmentation, prediction.frame_labels

What stands here is loaded when it is first used, so that `import keyseg` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keyseg.inference.bundle import load_bundle as load
    from keyseg.keypoints import reassemble
    from keyseg.metrics import evaluate
    from keyseg.timeline import KeysegError, LabelMap, Segment, Segmentation, TimeBase

__version__ = "0.1.0"
__all__ = ["KeysegError", "LabelMap", "Segment", "Segmentation", "TimeBase", "evaluate", "load", "reassemble"]

_HOMES = {
    "KeysegError": ("keyseg.timeline", "KeysegError"),
    "LabelMap": ("keyseg.timeline", "LabelMap"),
    "Segment": ("keyseg.timeline", "Segment"),
    "Segmentation": ("keyseg.timeline", "Segmentation"),
    "TimeBase": ("keyseg.timeline", "TimeBase"),
    "evaluate": ("keyseg.metrics", "evaluate"),
    "load": ("keyseg.inference.bundle", "load_bundle"),
    "reassemble": ("keyseg.keypoints", "reassemble"),
}


def __getattr__(name: str) -> Any:
    try:
        module, attribute = _HOMES[name]
    except KeyError:
        raise AttributeError(f"module 'keyseg' has no attribute {name!r}") from None
    return getattr(importlib.import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
