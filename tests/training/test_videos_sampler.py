"""The order of videos: a permutation that follows from seed and epoch alone, dealt out to any number of processes."""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st

from keyseg.data import Dataset
from keyseg.training.videos import EpochSampler, Videos, loader

sizes, worlds, seeds = st.integers(1, 40), st.integers(1, 9), st.integers(0, 2**32 - 1)


def shares(size: int, world: int, seed: int | None, epoch: int = 0) -> list[list[int]]:
    samplers = [EpochSampler(size, seed=seed, rank=rank, world=world) for rank in range(world)]
    for sampler in samplers:
        sampler.set_epoch(epoch)
    found = [list(sampler) for sampler in samplers]
    assert [len(sampler) for sampler in samplers] == [len(share) for share in found]
    return found


@given(sizes, worlds, seeds, st.integers(0, 500))
def test_in_training_all_have_the_same_number_and_every_video_comes(
    size: int, world: int, seed: int, epoch: int
) -> None:
    found = shares(size, world, seed, epoch)
    assert {len(share) for share in found} == {-(-size // world)}
    counts = Counter(index for share in found for index in share)
    assert set(counts) == set(range(size))
    extra = world * -(-size // world) - size
    assert sum(counts.values()) == size + extra
    assert max(counts.values()) - min(counts.values()) <= 1  # what comes again comes evenly


@given(sizes, worlds)
def test_in_validation_every_video_comes_once(size: int, world: int) -> None:
    found = shares(size, world, None)
    assert sorted(index for share in found for index in share) == list(range(size))
    assert max(map(len, found)) - min(map(len, found)) <= 1
    assert shares(size, 1, None) == [list(range(size))]


@given(sizes, worlds, seeds)
def test_processes_deal_out_the_order_of_one(size: int, world: int, seed: int) -> None:
    """Rank r takes every world-th video: a step of all processes is a batch of `world` neighbours of the one order."""
    (order,) = shares(size, 1, seed)
    assert sorted(order) == list(range(size))
    dealt = [index for step in zip(*shares(size, world, seed), strict=True) for index in step]
    assert dealt[:size] == order


def test_order_follows_from_seed_and_epoch_alone() -> None:
    def order(seed: int, epoch: int) -> list[int]:
        return shares(20, 1, seed, epoch)[0]

    torch.manual_seed(1)
    first = order(3, 5)
    torch.manual_seed(2)
    assert order(3, 5) == first
    assert len({tuple(order(seed, epoch)) for seed in (3, 4) for epoch in (5, 6)}) == 4


def test_loaders_give_padded_batches_and_leave_the_global_generator_alone(workshop: Any) -> None:
    dataset = Dataset.open(workshop.data)
    training = loader(Videos(dataset, 1, workshop.train), batch_size=4, seed=1)
    training.sampler.set_epoch(2)
    before = torch.get_rng_state()
    names = [batch.names for batch in training]
    assert torch.equal(torch.get_rng_state(), before)
    assert list(map(len, names)) == [4, 2]
    assert sorted(name for batch in names for name in batch) == sorted(workshop.train)
    assert [batch.names for batch in loader(Videos(dataset, 1, workshop.test))] == [("v6",), ("v7",)]
