"""Training videos with misleading features, as new videos have."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from keyseg.timeline import ConfigError, Segmentation


def mix_segments(features: Tensor, labels: Tensor, mask: Tensor, share: float | Literal["fit"]) -> Tensor:
    """Features (B, D, T) in which a random `share` of each video's segments is blended with another stretch of it.

    A stretch of the same length, starting anywhere in the video, is mixed in with a weight drawn from U(0, 1) per
    segment (after mixup, Zhang et al. 2018), while labels stay: the features of the segment then suggest the wrong
    class, and only its context tells the right one. labels: (B, T) int64; mask: (B, T) bool. A share of 0 changes
    nothing. Raises ConfigError on 'fit', which stands for a share that is not chosen yet.
    """
    if share == "fit":
        raise ConfigError("augmentation.mixed_segments is 'fit', which a training replaces; give a share from 0 to 1")
    if share == 0:
        return features
    mixed = features.clone()
    for video, (row, present) in enumerate(zip(labels.cpu().numpy(), mask.cpu().numpy(), strict=True)):
        segmentation = Segmentation.from_frames(row[present])
        for start, end in pairwise(segmentation.boundaries.tolist()):
            if torch.rand(()) >= share:
                continue
            weight = torch.rand(()).item()
            other = int(torch.randint(segmentation.length - (end - start) + 1, ()))
            stretch = features[video, :, other : other + end - start]
            mixed[video, :, start:end] = (1 - weight) * features[video, :, start:end] + weight * stretch
    return mixed
