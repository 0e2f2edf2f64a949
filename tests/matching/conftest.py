"""Random graphs, and graphs with planted matches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from keyseg.matching.graph import TemporalGraph

torch.set_num_threads(1)


class Planted(NamedTuple):
    """truth: (B, M) target of each source node; N for a spurious node."""

    source: TemporalGraph
    target: TemporalGraph
    truth: Tensor


def _take(values: Tensor, order: Tensor) -> Tensor:
    video = torch.arange(len(order))[:, None]
    return values[video, order]


def _graph(counts: Sequence[int], nodes: int, features: int = 5, seed: int = 0, dtype: torch.dtype = torch.float32):
    """A random padded graph with `counts[b]` nodes in video b; the padding is NaN, which shows if it is read."""
    g = torch.Generator().manual_seed(seed)
    shape = (len(counts), nodes)
    mask = torch.arange(nodes) < torch.tensor(counts)[:, None]
    embeddings = torch.randn(*shape, features, generator=g, dtype=dtype)
    time = (1 + 9 * torch.rand(shape, generator=g, dtype=dtype)).cumsum(1)
    kind = torch.randint(0, 2, shape, generator=g)
    padding = ~mask
    return TemporalGraph(
        embeddings.masked_fill(padding[..., None], float("nan")), time.masked_fill(padding, float("nan")), kind, mask
    )


def _planted(videos: int, nodes: int, extra: int, noise: float, classes: int | None = None, seed: int = 0) -> Planted:
    """Target graphs, and source graphs of noisy copies of their nodes and `extra` spurious nodes, in time order.

    With `classes`, all nodes of a class (spurious ones too) share their embedding, as repeated actions do.
    """
    g = torch.Generator().manual_seed(seed)
    features = 32
    time = (5 + 20 * torch.rand(videos, nodes, generator=g)).cumsum(1)
    kind = (torch.arange(nodes) % 2).expand(videos, nodes)
    prototypes = torch.randn(classes or videos * (nodes + extra), features, generator=g)
    if classes:
        label = torch.randint(0, classes, (videos, nodes + extra), generator=g)
    else:
        label = torch.randperm(len(prototypes), generator=g).view(videos, nodes + extra)
    clean = prototypes[label]
    source_time = torch.cat((time, torch.rand(videos, extra, generator=g) * time[:, -1:]), 1)
    source_kind = torch.cat((kind, torch.randint(0, 2, (videos, extra), generator=g)), 1)
    truth = torch.cat((torch.arange(nodes).expand(videos, nodes), torch.full((videos, extra), nodes)), 1)
    noisy = clean + noise * torch.randn(clean.shape, generator=g)
    order = source_time.argsort(1)
    everything = torch.ones(videos, nodes + extra, dtype=torch.bool)
    source = TemporalGraph(*(_take(v, order) for v in (noisy, source_time, source_kind)), everything)
    target = TemporalGraph(clean[:, :nodes], time, kind, everything[:, :nodes])
    return Planted(source, target, _take(truth, order))


def _edge_list(index: Tensor, valid: Tensor) -> Tensor:
    """The valid edges of the whole batch as (2, E) rows (source, target) of flat node numbers b * M + i.

    Target is the node whose neighbour the source is, as in PyTorch Geometric's `edge_index`.
    """
    videos, nodes = index.shape[:2]
    flat = torch.arange(videos * nodes, device=index.device).view(videos, nodes, 1)
    first = flat[:, :1]
    return torch.stack(((index + first)[valid], flat.expand_as(index)[valid]))


@pytest.fixture(scope="session")
def random_graph() -> Callable[..., TemporalGraph]:
    return _graph


@pytest.fixture(scope="session")
def planted() -> Callable[..., Planted]:
    return _planted


@pytest.fixture(scope="session")
def edge_list() -> Callable[[Tensor, Tensor], Tensor]:
    return _edge_list
