"""Videos of a split in an order that depends on seed and epoch alone, distributed among processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler
from torch.utils.data import Dataset as TorchDataset

from keyseg.data.batches import Batch, collate
from keyseg.data.dataset import Dataset, VideoSample
from keyseg.data.splits import Split


class Videos(TorchDataset[VideoSample]):
    """Named videos of one split, each read from disk when requested."""

    def __init__(self, dataset: Dataset, split: Split, names: Sequence[str]) -> None:
        self.dataset, self.split, self.names = dataset, split, tuple(names)

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> VideoSample:
        return self.dataset.load(self.names[index], self.split)


class EpochSampler(Sampler[int]):
    """One permutation per (seed, epoch), dealt out in turn to `world` processes.

    In training all processes get the same number of videos (the first ones are repeated); in validation (seed None) no
    video is repeated. Lightning calls `set_epoch`.
    """

    def __init__(self, size: int, *, seed: int | None, rank: int = 0, world: int = 1) -> None:
        self.size, self.seed, self.rank, self.world = size, seed, rank, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        order = np.arange(self.size)
        if self.seed is not None:
            order = np.random.default_rng((self.seed, self.epoch)).permutation(self.size)
            order = np.resize(order, -(-self.size // self.world) * self.world)
        return iter(order[self.rank :: self.world].tolist())

    def __len__(self) -> int:
        if self.seed is not None:
            return -(-self.size // self.world)
        return len(range(self.rank, self.size, self.world))


def loader(
    videos: Videos, batch_size: int = 1, *, seed: int | None = None, rank: int = 0, world: int = 1
) -> DataLoader[Batch]:
    """Batches in a seeded random order for training; in order, without a seed, for validation."""
    sampler = EpochSampler(len(videos), seed=seed, rank=rank, world=world)
    # A separate generator: each iteration draws a number, which from torch's global generator would shift the dropout
    # of the epoch that a training resumes with.
    generator = torch.Generator()
    return DataLoader(videos, batch_size, sampler=sampler, collate_fn=collate, generator=generator)  # type: ignore[arg-type]
