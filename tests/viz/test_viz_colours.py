"""Colours of classes: fixed by id, grey background, distinct with normal and with colour-blind vision."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from keyseg.timeline import LabelMap
from keyseg.viz import class_colours

_NAMES = tuple(f"class{i}" for i in range(60))
# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB.
_VISION = {
    "normal": np.eye(3),
    "protanope": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranope": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}


def _oklab(colours: tuple[str, ...], vision: str) -> np.ndarray:
    rgb = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in colours]) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(linear @ _VISION[vision].T, 0, 1)
    cones = seen @ np.array([[0.41222147, 0.53633254, 0.05144599], [0.2119035, 0.68069955, 0.10739696],
                             [0.08830246, 0.28171884, 0.6299787]]).T  # fmt: skip
    return np.cbrt(cones) @ np.array([[0.21045426, 0.79361779, -0.00407205], [1.9779985, -2.4285922, 0.45059371],
                                      [0.02590404, 0.78277177, -0.80867577]]).T  # fmt: skip


@pytest.mark.parametrize("vision", _VISION)
def test_sixty_classes_are_distinct_and_neighbours_far_apart(vision):
    lab = _oklab(class_colours(LabelMap(_NAMES)), vision)
    closest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(lab, 2))
    neighbours = np.linalg.norm(np.diff(lab, axis=0), axis=1).min()
    assert closest > 0.035
    assert neighbours > 0.09


def test_lightness_varies_too():
    lightness = _oklab(class_colours(LabelMap(_NAMES[:12])), "normal")[:, 0]
    assert lightness.max() - lightness.min() > 0.4


def test_colour_depends_on_the_id_alone():
    few, many = class_colours(LabelMap(_NAMES[:5])), class_colours(LabelMap(_NAMES[::-1]))
    assert many[:5] == few


def test_background_is_light_grey_and_changes_no_other_colour():
    plain, with_background = LabelMap(_NAMES[:6]), LabelMap(_NAMES[:6], ("class0", "class4"))
    before, after = class_colours(plain), class_colours(with_background)
    for i in (0, 4):
        red, green, blue = after[i][1:3], after[i][3:5], after[i][5:7]
        assert red == green == blue
        assert int(red, 16) > 0xB0
    assert after[0] != after[4]
    assert [c for i, c in enumerate(before) if i not in (0, 4)] == [c for i, c in enumerate(after) if i not in (0, 4)]


def test_more_classes_than_colours_start_over():
    colours = class_colours(LabelMap(tuple(f"c{i}" for i in range(130))))
    assert len(colours) == 130
    assert len(set(colours)) == 60


def test_no_classes_no_colours():
    assert class_colours(LabelMap(())) == ()
