"""How much common order annotations have: what matching to them can build on."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

SAMPLE = 500
"""Most annotations that are compared with each other."""


def common_order(orders: Sequence[Sequence[Hashable]], groups: Sequence[str]) -> float | None:
    """Mean over annotations of the segmental edit score with the nearest annotation of another group, in percent.

    orders: the labels of each annotation's segments in time order, background too, since it is matched as well.
    groups: what each annotation belongs to, such as a subject. Of more than `SAMPLE` annotations, those at even
    distances are compared, so that the time stays at a few seconds. None if there are fewer than two groups.

    >>> common_order(["take pour stir".split(), "take stir".split(), "stir".split()], ["a", "b", "c"])
    61.111111111111114
    """
    from rapidfuzz.distance import Levenshtein
    from rapidfuzz.process import cdist

    chosen = np.linspace(0, len(orders) - 1, min(len(orders), SAMPLE)).round().astype(np.int64)
    group = np.array([groups[index] for index in chosen])
    compared = [orders[index] for index in chosen]
    if len(set(group)) < 2:
        return None
    score = cdist(compared, compared, scorer=Levenshtein.normalized_similarity, dtype=np.float64)
    return float(100 * np.where(group[:, None] == group, 0, score).max(axis=1).mean())
