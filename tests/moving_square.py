"""A film that tests label: a bright square that moves right and comes back."""

from __future__ import annotations

import numpy as np

LABELS = (("rest", 8), ("go right", 12), ("rest", 6), ("go left", 12), ("rest", 8))  # frames at 10 fps


def pictures(shift: int) -> list[np.ndarray]:
    """46 pictures; `shift` changes the place of the square and the background, so that films differ."""
    found, x = [], 4 + shift
    for label, frames in LABELS:
        for _ in range(frames):
            x += {"rest": 0, "go right": 3, "go left": -3}[label]
            picture = np.full((48, 80, 3), 40 + shift, np.uint8)
            picture[16 + shift : 32 + shift, x : x + 14] = (220, 180, 150)
            found.append(picture)
    return found
