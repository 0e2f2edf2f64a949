"""The division that all metrics share, with its result for 0 / 0."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keyseg.timeline import FloatArray


def percent(part: npt.ArrayLike, whole: npt.ArrayLike) -> FloatArray:
    """100 * part / whole, elementwise; 100 where `whole` is 0.

    So a perfect prediction scores 100 on every video, also on one without frames or segments. The reference programs
    leave this open: they stop on an empty video, and without segments on either side they print NaN as edit score and
    0 as F1.
    """
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    share: FloatArray = np.divide(part, whole, out=np.ones(part.shape), where=whole != 0)
    return 100 * share
