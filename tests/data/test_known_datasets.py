"""Facts of public data sets: counts as published, identification by class names, groups by video name."""

import re
from fractions import Fraction

import pytest

from keyseg.data.known_datasets import BREAKFAST, DATASETS, GTEA, SALADS, SALADS_MID, identify


@pytest.mark.parametrize(
    ("facts", "classes", "fps", "sample_rate"),
    [
        (GTEA, 11, 15, 1),
        (SALADS, 19, 30, 2),
        (SALADS_MID, 18, 3, 1),
        (BREAKFAST, 48, 15, 1),
    ],
)
def test_published_numbers(facts, classes, fps, sample_rate):
    assert len(set(facts.classes)) == len(facts.classes) == classes
    assert (facts.fps, facts.sample_rate) == (Fraction(fps), sample_rate)
    assert facts.homepage.startswith("https://")
    assert facts.terms
    assert re.search(r"(19|20)\d\d$", facts.citation)


def test_keys_and_classes_identify_the_data_sets():
    assert DATASETS == {"gtea": GTEA, "50salads": SALADS, "50salads-mid": SALADS_MID, "breakfast": BREAKFAST}
    assert all(identify(reversed(facts.classes)) is facts for facts in DATASETS.values())


def test_only_exactly_these_classes_identify():
    assert identify(GTEA.classes[1:]) is None
    assert identify([*GTEA.classes, "eat"]) is None
    assert identify([name.upper() for name in GTEA.classes]) is None
    assert identify([]) is None


@pytest.mark.parametrize(
    ("facts", "name", "group"),
    [
        (GTEA, "S1_Cheese_C1", "S1"),
        (GTEA, "S4_CofHoney_C1", "S4"),
        (SALADS, "rgb-01-1", "rgb-01"),
        (SALADS_MID, "rgb-27-2", "rgb-27"),
        (BREAKFAST, "P03_cam01_P03_cereals", "P03"),
        (BREAKFAST, "P52_stereo01_P52_tea", "P52"),
        (GTEA, "kitchen7", "kitchen7"),
        (GTEA, "S1", "S1"),
    ],
)
def test_groups_are_subjects(facts, name, group):
    assert facts.group(name) == group
