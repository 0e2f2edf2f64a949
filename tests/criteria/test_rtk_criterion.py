"""The criterion of RTK: each loss by hand or loop, weights, padding, videos without keypoints, gradients."""

import math

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from keyseg.criteria.frame import frame_loss
from keyseg.criteria.keypoint import focal_loss
from keyseg.criteria.permutation import permutation_loss
from keyseg.criteria.rtk import LossConfig, MatchingConfig, RTKCriterion, make_reference, node_targets
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.graph import ACTION, TemporalGraph
from keyseg.matching.nodes import annotated_keypoints, keypoint_nodes
from keyseg.models.backbone import BackboneConfig
from keyseg.models.refinement import Refinement, RefinementConfig
from keyseg.models.rtk import RTK, RTKConfig, RTKOutput

CLASSES = 3
NEIGHBOURS = 4
EMPTY = ActionKeypoints.of([]), BoundaryKeypoints.of([])
VIDEOS = [np.repeat([1, 2, 1], 10), np.repeat([0, 2], [6, 12])]
# of each kind some that agree with the annotation and some that do not
PROPOSALS = [
    (ActionKeypoints.of([(3, 1, 0.9), (15, 2, 0.7), (16, 1, 0.6)]), BoundaryKeypoints.of([(9, 0.9), (25, 0.4)])),
    (ActionKeypoints.of([(11, 2, 0.5)]), BoundaryKeypoints.of([(3, 0.5), (8, 0.5), (15, 0.5)])),
]


def batch_of(videos):
    lengths = torch.tensor([len(v) for v in videos])
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    labels = torch.full(mask.shape, -1)
    labels[mask] = torch.from_numpy(np.concatenate(videos))
    return make_reference(labels, mask, CLASSES), mask


def random_output(mask, seed=0):
    generator = torch.Generator().manual_seed(seed)
    batch, length = mask.shape

    def values(*shape):
        return torch.randn(*shape, generator=generator)

    return RTKOutput(
        values(batch, 8, length),
        values(2, batch, CLASSES, length),
        values(batch, CLASSES, length),
        values(batch, length),
        mask,
    )


def embeddings(nodes, seed=0):
    """A graph with random embeddings, equal for nodes of the same time, kind and seed."""
    table = torch.randn(2, 400, 16, generator=torch.Generator().manual_seed(seed))
    return TemporalGraph(table[nodes.kind, (10 * nodes.time).long()], nodes.time, nodes.kind, nodes.mask)


def scored(nodes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shape = nodes.time.shape
    keep, classes = torch.randn(shape, generator=generator), torch.randn(*shape, CLASSES, generator=generator)
    return Refinement(embeddings(nodes, seed), keep, classes, 3 * torch.randn(shape, generator=generator))


def annotated_nodes(reference):
    return keypoint_nodes([annotated_keypoints(s) for s in reference.segmentations])


def losses_of(proposals, videos, source=None, *, losses=None, matching=None, nodes=None):
    reference, _ = batch_of(videos)
    nodes = nodes or keypoint_nodes(proposals)
    criterion = RTKCriterion(losses or LossConfig(), matching or MatchingConfig(), NEIGHBOURS)
    target = embeddings(annotated_nodes(reference))
    return criterion.context(source or scored(nodes), target, proposals, nodes, reference)


def test_keypoint_losses_are_the_parts_with_their_weights():
    reference, mask = batch_of(VIDEOS)
    output = random_output(mask)
    weights = LossConfig(action=2, boundary=3, frame=5, smoothing=0.7)
    result = RTKCriterion(weights, MatchingConfig(), NEIGHBOURS).keypoints(output, reference)
    assert list(result) == ["action", "boundary", "frame"]
    torch.testing.assert_close(result["action"], 2 * focal_loss(output.action_logits, reference.action, mask))
    boundary = focal_loss(output.boundary_logits[:, None], reference.boundary[:, None], mask)
    torch.testing.assert_close(result["boundary"], 3 * boundary)
    torch.testing.assert_close(result["frame"], 5 * frame_loss(output.frame_logits, reference.labels, mask, 0.7))


def test_keypoint_losses_of_a_batch_are_the_mean_of_its_videos():
    reference, mask = batch_of(VIDEOS)
    output, criterion = random_output(mask), RTKCriterion(LossConfig(), MatchingConfig(), NEIGHBOURS)
    batch, singles = criterion.keypoints(output, reference), []
    for b, video in enumerate(VIDEOS):
        n = len(video)
        single = RTKOutput(
            output.features[b : b + 1, :, :n],
            output.frame_logits[:, b : b + 1, :, :n],
            output.action_logits[b : b + 1, :, :n],
            output.boundary_logits[b : b + 1, :n],
            mask[b : b + 1, :n],
        )
        singles.append(criterion.keypoints(single, batch_of([video])[0]))
    for name, loss in batch.items():
        torch.testing.assert_close(loss, (singles[0][name] + singles[1][name]) / 2, msg=name)


def test_context_losses_equal_the_loops():
    """The valid nodes and the annotated boundaries are listed here; the only boundary of the second video is at 6."""
    nodes = keypoint_nodes(PROPOSALS)
    source = scored(nodes)
    valid = {(0, 3.0): 1, (0, 9.0): 1, (0, 15.0): 1, (0, 16.0): 0, (0, 25.0): 0}
    valid |= {(1, 3.0): 1, (1, 8.0): 1, (1, 11.0): 1, (1, 15.0): 0}
    shifts = {(0, 9.0): 1.0, (1, 3.0): 3.0, (1, 8.0): -2.0}
    keep, classes, shift = {0: [], 1: []}, [], []
    for b, m in nodes.mask.nonzero().tolist():
        at = (b, nodes.time[b, m].item())
        p = source.keep[b, m].sigmoid().item()
        keep[valid[at]].append(-math.log(p if valid[at] else 1 - p))
        if nodes.kind[b, m] == ACTION:
            truth = int(VIDEOS[b][int(at[1])])
            classes.append(-source.classes[b, m].log_softmax(0)[truth].item())
        elif valid[at]:
            off = abs(source.shift[b, m].item() - shifts[at])
            shift.append(off**2 / 2 if off < 1 else off - 0.5)
    result = losses_of(PROPOSALS, VIDEOS, source, losses=LossConfig(keep=2, classes=3, shift=5))
    assert result["keep"].item() == pytest.approx(np.mean(keep[1]) + np.mean(keep[0]), rel=1e-5)
    assert result["classes"].item() == pytest.approx(3 * np.mean(classes), rel=1e-5)
    assert result["shift"].item() == pytest.approx(5 * np.mean(shift), rel=1e-5)


def test_valid_and_other_nodes_weigh_the_same_however_many_there_are():
    """One boundary near the annotated one at 10, and nine others."""
    times = [1, 2, 3, 4, 5, 10, 16, 17, 18, 25]
    proposals = [(EMPTY[0], BoundaryKeypoints.of([(t, 0.5) for t in times]))]
    nodes = keypoint_nodes(proposals)

    def keep(valid_logit, other_logit):
        logits = torch.where(nodes.time == 10, valid_logit, other_logit)
        source = Refinement(embeddings(nodes), logits, torch.zeros(1, 10, CLASSES), torch.zeros(1, 10))
        return losses_of(proposals, [np.repeat([0, 1], [10, 20])], source)["keep"].item()

    assert keep(0.0, 0.0) == pytest.approx(math.log(2))
    assert keep(30.0, 0.0) == pytest.approx(math.log(2) / 2)
    assert keep(0.0, -30.0) == pytest.approx(math.log(2) / 2)


def test_perfect_proposals_scored_perfectly_cost_little_and_scored_wrongly_much():
    reference, _ = batch_of(VIDEOS)
    proposals = [annotated_keypoints(s) for s in reference.segmentations]
    nodes = keypoint_nodes(proposals)
    shape = nodes.time.shape
    sure = 20.0 * F.one_hot(nodes.label, CLASSES)
    right = Refinement(embeddings(nodes), torch.full(shape, 20.0), sure, torch.zeros(shape))
    wrong = Refinement(embeddings(nodes, seed=5), torch.full(shape, -20.0), -sure, torch.full(shape, 8.0))
    good, bad = losses_of(proposals, VIDEOS, right), losses_of(proposals, VIDEOS, wrong)
    assert list(good) == ["keep", "classes", "shift", "permutation"]
    assert all(good[name] < 1e-6 for name in ("keep", "classes", "shift"))
    assert bad["keep"].item() == pytest.approx(10)  # half of 20, since all nodes are of one kind
    assert bad["classes"].item() == pytest.approx(20, abs=1)
    assert bad["shift"].item() == pytest.approx(0.1 * 7.5)
    assert 0 <= good["permutation"] < 0.2
    assert bad["permutation"] > 5 * good["permutation"]


def test_padded_nodes_never_count():
    nodes = keypoint_nodes(PROPOSALS)
    padded = keypoint_nodes([*PROPOSALS, annotated_keypoints(batch_of([np.arange(12) % 3])[0].segmentations[0])])
    wide = type(nodes)(*(getattr(padded, name)[:2] for name in ("time", "kind", "label", "confidence", "mask")))
    extra = wide.time.shape[1] - nodes.time.shape[1]
    assert extra > 5
    source = scored(nodes)
    graph = source.graph
    garbage = Refinement(
        TemporalGraph(F.pad(graph.nodes, (0, 0, 0, extra), value=3.0), wide.time, wide.kind, wide.mask),
        F.pad(source.keep, (0, extra), value=50.0),
        F.pad(source.classes, (0, 0, 0, extra), value=50.0),
        F.pad(source.shift, (0, extra), value=50.0),
    )
    result, expected = losses_of(PROPOSALS, VIDEOS, garbage, nodes=wide), losses_of(PROPOSALS, VIDEOS, source)
    for name, loss in expected.items():
        torch.testing.assert_close(result[name], loss, atol=1e-5, rtol=1e-5, msg=name)


def test_without_a_permutation_weight_nothing_is_matched():
    result = losses_of(PROPOSALS, VIDEOS, losses=LossConfig(permutation=0))
    assert list(result) == ["keep", "classes", "shift"]


def test_the_permutation_loss_scales_and_depends_on_the_method():
    once, twice = (losses_of(PROPOSALS, VIDEOS, losses=LossConfig(permutation=w))["permutation"] for w in (1, 2))
    torch.testing.assert_close(twice, 2 * once)
    quadratic = losses_of(PROPOSALS, VIDEOS, matching=MatchingConfig(method="quadratic"))["permutation"]
    assert abs(quadratic - once) > 1e-4


def test_matching_each_kind_on_its_own_changes_nothing():
    reference, _ = batch_of(VIDEOS)
    nodes, annotated = keypoint_nodes(PROPOSALS), annotated_nodes(reference)
    source, target = scored(nodes), embeddings(annotated)
    criterion = RTKCriterion(LossConfig(), MatchingConfig(), NEIGHBOURS)
    found = criterion.context(source, target, PROPOSALS, nodes, reference)["permutation"]
    truth = node_targets(PROPOSALS, nodes, target, reference).assignment
    log_s = criterion.matcher(source.graph, target)
    expected = permutation_loss(log_s, truth, source.graph.mask, target.mask)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("method", ["linear", "quadratic"])
@pytest.mark.parametrize(
    ("proposals", "videos"),
    [
        ([EMPTY, EMPTY], VIDEOS),
        ([EMPTY, PROPOSALS[1]], VIDEOS),
        ([(PROPOSALS[0][0], EMPTY[1]), (EMPTY[0], PROPOSALS[1][1])], VIDEOS),
        (PROPOSALS, [np.ones(30, np.int64), np.zeros(18, np.int64)]),
        ([EMPTY, (ActionKeypoints.of([(0, 2, 0.5)]), EMPTY[1])], [np.array([0]), np.array([2])]),
    ],
    ids=["no keypoints", "one video without", "one kind each", "no boundaries to find", "one step"],
)
def test_losses_and_gradients_stay_finite_through_the_whole_model(proposals, videos, method):
    torch.manual_seed(0)
    config = RTKConfig(
        backbone=BackboneConfig(channels=8, encoder_layers=3, decoder_layers=2),
        refinement=RefinementConfig(channels=16),
    )
    model, criterion = RTK(config, 5, CLASSES), RTKCriterion(LossConfig(), MatchingConfig(method=method), NEIGHBOURS)
    reference, mask = batch_of(videos)
    output = model(torch.randn(len(videos), 5, mask.shape[1]), mask)
    maps, nodes = output.maps(), keypoint_nodes(proposals)
    target = model.refiner.graph(maps, annotated_nodes(reference))
    losses = criterion.keypoints(output, reference)
    losses |= criterion.context(model.refiner(maps, nodes), target, proposals, nodes, reference)
    assert set(losses) == {"action", "boundary", "frame", "keep", "classes", "shift", "permutation"}
    sum(losses.values()).backward()
    assert all(loss.isfinite() and loss >= 0 for loss in losses.values())
    parameters = [*model.parameters(), *criterion.parameters()]
    assert all(p.grad.isfinite().all() for p in parameters if p.grad is not None)
    assert model.backbone.encoder.input.weight.grad.any()
    if all(len(a) + len(b) == 0 for a, b in proposals):
        assert all(losses[name] == 0 for name in ("keep", "classes", "shift", "permutation"))


def test_the_criterion_has_one_parameter():
    criterion = RTKCriterion(
        LossConfig(), MatchingConfig(method="quadratic", temperature=0.2, iterations=7), NEIGHBOURS
    )
    assert [(name, p.numel()) for name, p in criterion.named_parameters()] == [("matcher.dustbin", 1)]
    assert (criterion.matcher.matching, criterion.matcher.temperature, criterion.matcher.iterations) == (
        "quadratic",
        0.2,
        7,
    )
