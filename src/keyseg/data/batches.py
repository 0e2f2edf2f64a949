"""Videos of different lengths as one padded batch of tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from keyseg.data.dataset import VideoSample
from keyseg.timeline import DataError, Segmentation

IGNORE = -100
"""Label of padding: the class that torch's cross entropy ignores by default."""


@dataclass
class Batch:
    """B videos, padded at the end to the T of the longest.

    features: (B, D, T) float32, 0 in the padding. mask: (B, T) bool, True at real steps. labels: (B, T) int64 ids,
    IGNORE in the padding. segmentations: at the annotation rate, in frames. padded: whether there is any padding.
    """

    features: Tensor
    mask: Tensor
    labels: Tensor
    names: tuple[str, ...]
    segmentations: tuple[Segmentation, ...]
    padded: bool = True

    @property
    def padding(self) -> Tensor | None:
        """The mask, or None where there is no padding: networks need not multiply by it."""
        return self.mask if self.padded else None

    def to(self, device: torch.device | str, *, non_blocking: bool = False) -> Batch:
        """The same batch with its tensors on a device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """The same batch in page-locked memory; torch's data loader calls this."""
        return self._each(Tensor.pin_memory)

    def _each(self, move: Callable[[Tensor], Tensor]) -> Batch:
        return replace(self, features=move(self.features), mask=move(self.mask), labels=move(self.labels))

    def __len__(self) -> int:
        return len(self.names)


def collate(samples: Sequence[VideoSample]) -> Batch:
    """Pad videos to one batch. Raises DataError if there are none, or if their features differ in dimension."""
    if not samples:
        raise DataError("a batch needs at least one video, got none")
    dimension = samples[0].features.shape[1]
    for sample in samples:
        if sample.features.shape[1] != dimension:
            raise DataError(
                f"videos of a batch have features of one dimension, got {dimension} ({samples[0].name})"
                f" and {sample.features.shape[1]} ({sample.name})"
            )
    features = torch.zeros(len(samples), dimension, max(len(sample.features) for sample in samples))
    for padded, sample in zip(features, samples, strict=True):  # a copy as it is stored where the file is (D, T)
        padded[:, : len(sample.features)] = torch.from_numpy(sample.features).T
    labels = pad_sequence([torch.tensor(sample.labels) for sample in samples], batch_first=True, padding_value=IGNORE)
    return Batch(
        features,
        labels != IGNORE,
        labels,
        tuple(sample.name for sample in samples),
        tuple(sample.segmentation for sample in samples),
        padded=len({len(sample.labels) for sample in samples}) > 1,
    )
