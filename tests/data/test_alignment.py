"""Lengths of labels and features: planted answers for each policy, and properties of all of them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.data.alignment import align_lengths
from keyseg.timeline import DataError, TimeBase

FILES = {"features": Path("f.npy"), "labels": Path("l.txt")}


def columns_of(frames, columns, **options):
    kept, chosen = align_lengths(frames, columns, **FILES, **options)
    return kept, np.arange(columns)[chosen].tolist()


def test_of_one_column_per_frame_every_nth_is_used():
    assert columns_of(7, 7) == (7, [0, 1, 2, 3, 4, 5, 6])
    assert columns_of(7, 7, sample_rate=3) == (7, [0, 3, 6])


def test_features_that_are_sampled_already_stay_as_they_are():
    assert columns_of(7, 3, sample_rate=3) == (7, [0, 1, 2])


def test_trim_cuts_both_to_the_shorter():
    assert columns_of(7, 5, lengths="trim", tolerance=2) == (5, [0, 1, 2, 3, 4])
    assert columns_of(5, 7, lengths="trim", tolerance=2) == (5, [0, 1, 2, 3, 4])
    assert columns_of(7, 6, lengths="trim", tolerance=2, sample_rate=2) == (6, [0, 2, 4])


def test_resample_takes_the_column_nearest_in_time():
    assert columns_of(6, 3, lengths="resample") == (6, [0, 0, 1, 1, 2, 2])
    # Centres of three frames lie at 1/6, 3/6 and 5/6: of six columns, those that show then are 1, 3 and 5.
    assert columns_of(3, 6, lengths="resample") == (3, [1, 3, 5])
    assert columns_of(6, 3, lengths="resample", sample_rate=4) == (6, [0, 2])


@settings(max_examples=200, deadline=None)
@given(
    frames=st.integers(1, 200),
    columns=st.integers(1, 200),
    sample_rate=st.integers(1, 5),
    lengths=st.sampled_from(["error", "trim", "resample"]),
    tolerance=st.integers(0, 20),
)
def test_steps_match_the_time_base_and_stay_in_order(frames, columns, sample_rate, lengths, tolerance):
    try:
        kept, chosen = columns_of(frames, columns, sample_rate=sample_rate, lengths=lengths, tolerance=tolerance)
    except DataError:
        assert lengths != "resample"
        assert columns != frames
        return
    assert len(chosen) == TimeBase(sample_rate=sample_rate).steps(kept)
    assert chosen == sorted(chosen)
    assert kept == frames or lengths == "trim"


@settings(max_examples=100, deadline=None)
@given(frames=st.integers(1, 60), columns=st.integers(1, 60))
def test_resample_agrees_with_a_slow_search(frames, columns):
    _, chosen = align_lengths(frames, columns, **FILES, lengths="resample")
    if isinstance(chosen, slice):
        return
    centres = (np.arange(columns) + 0.5) / columns
    for frame, column in enumerate(chosen):
        distances = np.abs(centres - (frame + 0.5) / frames)
        assert distances[column] <= distances.min() + 1e-12


def test_the_error_names_numbers_files_and_the_ways_out():
    with pytest.raises(
        DataError, match=r"f.npy: 5 feature steps for the 7 labels of l.txt; set lengths to 'trim'.*'resample'"
    ):
        align_lengths(7, 5, **FILES)
    with pytest.raises(
        DataError, match=r"differ by more than the tolerance of 1: raise it, or set lengths to 'resample'"
    ):
        align_lengths(7, 5, **FILES, lengths="trim", tolerance=1)
    with pytest.raises(DataError, match=r"sample rate 2 needs one column per label, or one per 2 labels"):
        align_lengths(7, 5, **FILES, sample_rate=2)
