"""Batches: where the padding is and what it holds."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.data.batches import IGNORE, collate
from keyseg.data.dataset import VideoSample
from keyseg.timeline import DataError, Segmentation


def video(name, steps, dimension=3, start=1.0):
    features = np.arange(steps * dimension, dtype=np.float32).reshape(steps, dimension) + np.float32(start)
    labels = np.arange(steps, dtype=np.int64) // 2
    return VideoSample(name, features, labels, Segmentation.from_frames(labels))


def test_padding_is_at_the_end():
    batch = collate([video("a", 2), video("b", 5)])
    assert batch.features.shape == (2, 3, 5)
    assert batch.features.dtype == torch.float32
    assert batch.features[0, :, :2].tolist() == [[1, 4], [2, 5], [3, 6]]
    assert (batch.features[0, :, 2:] == 0).all()
    assert batch.mask.dtype == torch.bool
    assert batch.mask.tolist() == [[True, True, False, False, False], [True] * 5]
    assert batch.labels.dtype == torch.int64
    assert batch.labels.tolist() == [[0, 0, IGNORE, IGNORE, IGNORE], [0, 0, 1, 1, 2]]
    assert batch.mask.sum(dim=1).tolist() == [2, 5]
    assert batch.names == ("a", "b")
    assert [s.length for s in batch.segmentations] == [2, 5]
    assert len(batch) == 2
    assert torch.equal(batch.padding, batch.mask)


def test_cross_entropy_ignores_padding():
    assert torch.nn.CrossEntropyLoss().ignore_index == IGNORE


def test_a_batch_of_one_has_no_padding():
    sample = video("a", 4)
    batch = collate([sample])
    np.testing.assert_array_equal(batch.features[0].T, sample.features)
    assert batch.mask.all()
    assert batch.padding is None
    assert collate([sample, sample]).padding is None
    assert batch.labels.tolist() == [sample.labels.tolist()]


@settings(max_examples=30, deadline=None)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=5))
def test_every_video_can_be_cut_out_of_its_batch(lengths):
    samples = [video(str(i), length, start=i + 1) for i, length in enumerate(lengths)]
    batch = collate(samples)
    assert batch.mask.sum(dim=1).tolist() == lengths
    for i, sample in enumerate(samples):
        np.testing.assert_array_equal(batch.features[i, :, batch.mask[i]].T, sample.features)
        np.testing.assert_array_equal(batch.labels[i, batch.mask[i]], sample.labels)
        assert not batch.features[i, :, ~batch.mask[i]].any()
        assert (batch.labels[i, ~batch.mask[i]] == IGNORE).all()


def test_a_batch_does_not_share_memory_with_its_videos():
    sample = video("a", 4)
    collate([sample]).features.zero_()
    assert sample.features[0, 0] == 1


def test_moving_to_a_device_leaves_the_rest():
    batch = collate([video("a", 2), video("b", 5)])
    moved = batch.to("meta")
    assert {t.device.type for t in (moved.features, moved.mask, moved.labels)} == {"meta"}
    assert (moved.names, moved.segmentations) == (batch.names, batch.segmentations)
    assert batch.features.device.type == "cpu"


def test_no_videos_or_different_dimensions_are_refused():
    with pytest.raises(DataError, match="at least one video"):
        collate([])
    with pytest.raises(DataError, match=r"one dimension, got 3 \(a\) and 4 \(b\)"):
        collate([video("a", 2), video("b", 2, dimension=4)])
