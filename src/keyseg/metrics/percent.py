"""The one division of the metrics, and what it says where there is nothing to divide by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def percent(part: npt.ArrayLike, whole: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """100 * part / whole, elementwise; 100 where `whole` is 0, as where nothing was asked nothing is wrong.

    So a video without frames has accuracy 100, and one without segments on both sides has edit and F1 100: a perfect
    prediction scores 100 whatever the video. The reference programs leave this open: they stop on an empty video,
    print NaN as edit score and, from the same 0 / 0, F1 0 where no segments stand on either side.
    """
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), np.asarray(whole, np.float64))
    share: npt.NDArray[np.float64] = np.divide(part, whole, out=np.ones(part.shape), where=whole != 0)
    return 100 * share
