"""Refinement: node inputs against loops, no leak of labels, ragged sets of keypoints, where gradients stop."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.graph import ACTION, BOUNDARY
from keyseg.matching.nodes import KeypointNodes, keypoint_nodes
from keyseg.models.backbone import BackboneConfig
from keyseg.models.refinement import ContextLayer, KeypointMaps, RefinementConfig, Refiner, both_sides, node_inputs
from keyseg.models.rtk import RTK, RTKConfig

FEATURES, CLASSES = 4, 3
EMPTY = ActionKeypoints.of([]), BoundaryKeypoints.of([])


def random_maps(lengths, extra=0, seed=0):
    """Maps of ragged videos with garbage after their ends."""
    generator = torch.Generator().manual_seed(seed)
    batch, size = len(lengths), max(lengths) + extra
    mask = torch.arange(size) < torch.tensor(lengths)[:, None]

    def values(*shape):
        inside = torch.rand(batch, *shape, size, generator=generator)
        return inside.where(mask.view(batch, *[1] * len(shape), size), 1e3)

    return KeypointMaps(values(FEATURES), values(CLASSES), values(), values(CLASSES), mask)


def cut(maps, index, length):
    parts = (maps.features, maps.action, maps.boundary, maps.frames, maps.mask)
    return KeypointMaps(*(part[index : index + 1, ..., :length] for part in parts))


def random_keypoints(length, actions, boundaries, seed=0):
    """Boundaries at different whole steps, as peaks are; actions anywhere, some at the step of a boundary."""
    rng = np.random.default_rng(seed)
    times = 1 + rng.permutation(length - 1)[:boundaries]
    label = rng.integers(0, CLASSES, actions)
    return (
        ActionKeypoints(rng.integers(0, 2 * length - 1, actions) / 2, label, rng.random(actions)),
        BoundaryKeypoints(times, rng.random(len(times))),
    )


def oracle_inputs(maps, video, length, actions, boundaries):
    """Rows of `node_inputs` for one video as a set: {(time, kind, number): row}.

    The interval of a node extends from the last boundary at or before it to the first one after it; the interval of a
    boundary contains the boundary itself. Missing boundaries are 0 and T.
    """
    rows = {}
    for kind, times in ((ACTION, actions.time), (BOUNDARY, boundaries.time)):
        for number, time in enumerate(times):
            step = round(float(time))  # rounds halves to even, as torch does
            if kind == ACTION:
                before = [b for b in boundaries.time if b <= time]
            else:
                before = [b for b in boundaries.time if b < time]
            after = [b for b in boundaries.time if b > time]
            start, end = int(max(before, default=0)), int(min(after, default=length))
            place = round(1000 * step / max(length - 1, 1))
            angles = [place / 10_000 ** (2 * i / 16) for i in range(8)]
            rows[float(time), kind, number] = torch.tensor(
                [
                    *maps.features[video, :, step],
                    *maps.action[video, :, step],
                    maps.boundary[video, step],
                    *maps.frames[video, :, start:end].mean(1),
                    float(kind == ACTION),
                    float(kind == BOUNDARY),
                    *(f(angle) for angle in angles for f in (math.sin, math.cos)),
                    math.log(1 + max(step - start, 0)),
                    math.log(1 + max(end - step, 0)),
                ]
            )
    return rows


def small(**changes):
    torch.manual_seed(0)
    return Refiner(
        RefinementConfig(**{"channels": 16, "layers": 2, "neighbours": 2} | changes), FEATURES, CLASSES
    ).eval()


@settings(max_examples=60, deadline=None)
@given(
    length=st.integers(2, 40), actions=st.integers(0, 12), boundaries=st.integers(0, 8), seed=st.integers(0, 2**31 - 1)
)
def test_a_node_reads_what_the_loops_read(length, actions, boundaries, seed):
    maps = random_maps([length + 3, length], seed=seed)
    keypoints = random_keypoints(length, actions, boundaries, seed)
    nodes = keypoint_nodes([EMPTY, keypoints])
    result, expected = node_inputs(maps, nodes)[1], oracle_inputs(maps, 1, length, *keypoints)
    seen = {ACTION: 0, BOUNDARY: 0}
    for row, time, kind in zip(result, nodes.time[1].tolist(), nodes.kind[1].tolist(), strict=True):
        torch.testing.assert_close(row, expected[time, kind, seen[kind]], atol=1e-4, rtol=1e-4)
        seen[kind] += 1
    assert (node_inputs(maps, nodes)[0] == 0).all()


def test_an_action_at_the_step_of_a_boundary_reads_the_segment_that_begins_there():
    """As in the re-assembly, a boundary opens the segment of the points at its own step."""
    maps = random_maps([30])
    actions, boundaries = ActionKeypoints.of([(10, 0, 0.5)]), BoundaryKeypoints.of([(10, 0.5), (16, 0.5)])
    nodes = keypoint_nodes([(actions, boundaries)])
    row = node_inputs(maps, nodes)[0][(nodes.kind[0] == ACTION).nonzero().item()]
    around = row[FEATURES + CLASSES + 1 :][:CLASSES]
    torch.testing.assert_close(around, maps.frames[0, :, 10:16].mean(1))


def test_a_ragged_batch_gives_what_its_singles_give():
    lengths, counts = [40, 3, 25, 12], [(9, 5), (1, 0), (0, 0), (0, 4)]
    maps = random_maps(lengths, extra=5)
    keypoints = [random_keypoints(n, *c, seed=n) for n, c in zip(lengths, counts, strict=True)]
    refiner = small()
    with torch.no_grad():
        batch = refiner(maps, keypoint_nodes(keypoints))
        for b, (length, count) in enumerate(zip(lengths, counts, strict=True)):
            single, size = refiner(cut(maps, b, length), keypoint_nodes(keypoints[b : b + 1])), sum(count)
            for name in ("keep", "classes", "shift"):
                result, expected = getattr(batch, name)[b : b + 1, :size], getattr(single, name)
                torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5, msg=name)
            torch.testing.assert_close(batch.graph.nodes[b, :size], single.graph.nodes[0], atol=1e-5, rtol=1e-5)
            assert (batch.graph.nodes[b, size:] == 0).all()
    assert batch.keep.shape == batch.shift.shape == (4, 14)
    assert batch.classes.shape == (4, 14, CLASSES)
    assert batch.graph.nodes.shape == (4, 14, 16)


def test_a_batch_without_any_keypoint_gives_empty_answers():
    refined = small()(random_maps([9, 4]), keypoint_nodes([EMPTY, EMPTY]))
    assert refined.keep.shape == refined.shift.shape == (2, 0)
    assert refined.classes.shape == (2, 0, CLASSES)


def test_one_step_is_enough():
    keypoints = ActionKeypoints.of([(0, 1, 0.5)]), BoundaryKeypoints.of([])
    refined = small()(random_maps([1]), keypoint_nodes([keypoints]))
    assert refined.keep.isfinite().all()
    assert refined.classes.isfinite().all()


def test_nodes_beyond_the_mask_do_not_matter():
    maps, refiner = random_maps([40, 30]), small()
    nodes = keypoint_nodes([random_keypoints(40, 6, 4), random_keypoints(30, 2, 3)])
    garbage = ~nodes.mask
    other = KeypointNodes(
        nodes.time.masked_fill(garbage, 17.0),
        nodes.kind.masked_fill(garbage, BOUNDARY),
        nodes.label.masked_fill(garbage, 2),
        nodes.confidence.masked_fill(garbage, 0.9),
        nodes.mask,
    )
    assert garbage.sum() == 5
    with torch.no_grad():
        first, second = refiner(maps, nodes), refiner(maps, other)
    for name in ("keep", "classes", "shift"):
        result, expected = getattr(first, name)[nodes.mask], getattr(second, name)[nodes.mask]
        torch.testing.assert_close(result, expected, atol=1e-5, rtol=1e-5, msg=name)
    torch.testing.assert_close(first.graph.nodes, second.graph.nodes, atol=1e-5, rtol=1e-5)


def test_label_and_confidence_of_a_candidate_reach_its_keep_logit_alone():
    """Otherwise the matching could read its answer from the input."""
    refiner, maps = small(), random_maps([40])
    boundaries = BoundaryKeypoints.of([(8, 0.4), (30, 0.6)])

    def scored(label, confidence):
        actions = ActionKeypoints.of([(3, 0, 0.5), (15, label, confidence), (33, 1, 0.7)])
        with torch.no_grad():
            return refiner(maps, keypoint_nodes([(actions, boundaries)]))

    first = scored(0, 0.2)
    for other in (scored(2, 0.2), scored(0, 0.8)):
        assert torch.equal(first.graph.nodes, other.graph.nodes)
        assert torch.equal(first.classes, other.classes)
        assert torch.equal(first.shift, other.shift)
        assert (first.keep != other.keep).tolist() == [[False, False, True, False, False]]


def test_keep_reads_the_column_of_the_label_and_trusts_the_log_odds():
    refiner, maps = small(), random_maps([20])
    with torch.no_grad():
        refiner.keep.weight.zero_()
        refiner.keep.bias.copy_(torch.tensor([1.0, 2.0, 3.0, 5.0]))  # one for each class, the last for boundaries
        refiner.trust.copy_(torch.tensor([0.5, -2.0]))
        actions = ActionKeypoints.of([(3, 2, 0.5), (9, 0, 0.8)])
        keep = refiner(maps, keypoint_nodes([(actions, BoundaryKeypoints.of([(12, 0.5), (15, 0.1)]))])).keep
    expected = [3.0, 1 + 0.5 * math.log(4), 5.0, 5 - 2 * math.log(1 / 9)]
    assert keep[0].tolist() == pytest.approx(expected, abs=1e-5)


def test_certain_keypoints_keep_numbers_and_gradients_finite():
    actions = ActionKeypoints.of([(3, 2, 0.0), (9, 0, 1.0)])
    refiner = small()
    refined = refiner(random_maps([20]), keypoint_nodes([(actions, BoundaryKeypoints.of([(12, 1.0)]))]))
    (refined.keep.sum() + refined.shift.sum()).backward()
    assert refined.keep.isfinite().all()
    assert refiner.trust.grad.isfinite().all()


def test_a_boundary_moves_by_max_shift_at_most():
    refiner = small(max_shift=3.0)
    nodes = keypoint_nodes([random_keypoints(60, 10, 10)])
    with torch.no_grad():
        refiner.shift.weight.mul_(1e3)
        shift = refiner(random_maps([60]), nodes).shift
    assert shift.abs().max() <= 3.0
    assert shift.min() < -2.9
    assert shift.max() > 2.9


def test_before_and_after_are_convolved_separately_with_the_degrees_of_each_side():
    """Kipf & Welling on each side by loops: node i and its k neighbours, divided by the root of both degrees."""
    torch.manual_seed(0)
    layer, count, k = ContextLayer(4, 0.0), 7, 2
    mask = torch.ones(1, count, dtype=torch.bool)
    hidden = torch.randn(1, count, 4)
    result = layer(hidden, *both_sides(mask, k))[0]
    message = torch.zeros(count, 4)
    for convolution, steps in ((layer.before, (-2, -1)), (layer.behind, (1, 2))):
        around = [[i, *(i + step for step in steps if 0 <= i + step < count)] for i in range(count)]
        for i in range(count):
            message[i] += convolution.bias
            for j in around[i]:
                message[i] += hidden[0, j] @ convolution.weight / math.sqrt(len(around[i]) * len(around[j]))
    torch.testing.assert_close(result, hidden[0] + layer.norm(message).relu(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("stop", [True, False])
def test_detached_maps_keep_gradients_from_the_generator(stop):
    torch.manual_seed(0)
    config = RTKConfig(
        backbone=BackboneConfig(channels=8, encoder_layers=3, decoder_layers=2),
        refinement=RefinementConfig(channels=16),
    )
    model = RTK(config, 5, CLASSES).eval()
    maps = model(torch.randn(1, 5, 30), torch.ones(1, 30, dtype=torch.bool)).maps()
    maps = maps.detach() if stop else maps
    refined = model.refiner(maps, keypoint_nodes([random_keypoints(30, 6, 4)]))
    (refined.keep.sum() + refined.classes.square().sum() + refined.shift.sum() + refined.graph.nodes.sum()).backward()
    generator = [*model.backbone.named_parameters(), *model.head.named_parameters()]
    if stop:
        assert all(p.grad is None for _, p in generator)
    else:
        assert [name for name, p in generator if p.grad is None] == []
        assert sum(float(p.grad.abs().max()) > 1e-6 for _, p in generator) > len(generator) / 2
    assert all(p.grad is not None for p in model.refiner.parameters())
