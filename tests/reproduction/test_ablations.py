"""RTK taken apart: rows that agree with what the run itself says, and ignore what they leave out; oracles; errors."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from keyseg.inference.decoders import KeypointDecoder, Match
from keyseg.inference.decoding import KeypointOutput, RefinementScores, Rules
from keyseg.inference.systems import variant_title
from keyseg.keypoints import ActionKeypoints, BoundaryKeypoints
from keyseg.matching.alignment import MatchWeights
from keyseg.reproduction import ablations as module
from keyseg.reproduction.ablations import ablate, ablations, oracles
from keyseg.timeline import ConfigError, DataError, Segmentation
from keyseg.training.recipe import load_recipe
from keyseg.training.results import collect
from keyseg.training.scoring import finished_predictor
from keyseg.training.tables import SCORES

PARTS = ("rtk", "rtk-no-refinement", "rtk-no-rules", "frame-wise")


def test_rows_agree_with_what_the_run_says_of_itself(finished: Any, tmp_path: Path) -> None:
    result = ablate(finished, tmp_path)
    (scores,) = collect(finished)
    assert list(result["rows"]) == list(PARTS)
    for part in PARTS:
        found = [result["rows"][part][name] for name in SCORES]
        assert found == pytest.approx([scores.last[part][name] for name in SCORES]), part
    assert (result["trainings"], result["trainings that match"]) == (1, 0)
    assert json.loads((tmp_path / "ablations.json").read_text()) == result
    text = (tmp_path / "ablations.md").read_text()
    assert all(f"| {variant_title(name)} | " in text for name in (*result["rows"], *result["oracles"]))
    assert f"- trained by: `{finished.command}`, commit {scores.cost['commit']}" in text
    right = result["oracles"]["segments of RTK with true classes"]["acc"]
    assert right >= result["rows"]["rtk"]["acc"]


def test_a_run_that_matches_has_rows_of_the_match(finished: Any, tmp_path: Path, monkeypatch: Any) -> None:
    def matching(fit: Any) -> Any:
        predictor = finished_predictor(fit)
        annotations = [fit.dataset.annotation(name) for name in fit.dataset.names(fit.split, "train")]
        match = Match.to(annotations, len(fit.dataset.labels), MatchWeights())
        return replace(predictor, decoder=predictor.decoder.changed(match=match))

    plain = ablate(finished, tmp_path / "plain")
    monkeypatch.setattr(module, "finished_predictor", matching)
    result = ablate(finished, tmp_path / "matched")
    assert result["trainings that match"] == 1
    assert list(result["rows"]) == list(ablations(matched=True, refined=True))
    assert list(result["oracles"]) == list(oracles(matched=True, refined=True))
    assert result["rows"]["learnt heads without the match"] == plain["rows"]["rtk"]
    for part in PARTS[1:]:
        assert result["rows"][part] == plain["rows"][part]
    assert result["rows"]["rtk"] != plain["rows"]["rtk"]


def test_rows_exist_where_they_mean_something() -> None:
    every = ablations(matched=True, refined=True)
    heads = {"without the learnt heads", "learnt heads without the match"}
    assert set(every) - set(ablations(matched=True, refined=False)) == heads
    assert list(ablations(matched=False, refined=True)) == list(ablations(matched=False, refined=False)) == list(PARTS)
    assert "true keep decisions" not in oracles(matched=True, refined=False)
    assert "matched to the video's own annotation as well" not in oracles(matched=False, refined=True)


# Planted outputs: 40 steps, 3 classes, cuts at 10 and 20.

TRUTH = Segmentation(np.array([0, 10, 20, 40]), np.array([0, 1, 2]))


def decoder_to(*annotations: Segmentation, **weights: Any) -> KeypointDecoder:
    """Matches to these annotations; without any, by rules in which frames do not count."""
    match = Match.to(annotations, 3, MatchWeights(**weights)) if annotations else None
    return KeypointDecoder(rules=Rules(frame_weight=0.0), match=match)


def frames_of(labels: list[int], share: float = 0.8) -> npt.NDArray[np.float32]:
    """(3, 40) class probabilities that favour a class in each of the true segments."""
    scores = np.full((3, 40), (1 - share) / 2, np.float32)
    scores[np.array(labels).repeat([10, 10, 20]), np.arange(40)] = share
    return scores


def output_of(
    labels: list[int],
    *,
    frames: npt.NDArray[np.float32] | None = None,
    cuts: tuple[float, ...] = (10.0, 20.0),
    confidence: float | tuple[float, ...] = 0.9,
) -> KeypointOutput:
    """Peaks of these classes at the centres of the true segments, boundaries at the cuts, and flat frame scores."""
    heatmap = np.full(40, 0.01, np.float32)
    heatmap[np.array(cuts, int)] = confidence
    flat = np.full((3, 40), 1 / 3, np.float32) if frames is None else frames
    actions = ActionKeypoints(np.array([5.0, 15.0, 30.0]), np.array(labels), np.full(3, 0.9))
    found = BoundaryKeypoints(np.array(cuts), heatmap[np.array(cuts, int)])
    return KeypointOutput(flat, flat[None], np.full((3, 40), 0.5, np.float32), heatmap, actions, found)


def annotation(labels: list[int], lengths: list[int] | None = None) -> Segmentation:
    return Segmentation(np.cumsum([0, *(lengths or [10, 10, 20])]), np.array(labels))


ORDER = annotation([0, 1, 2])
REVERSED = annotation([2, 1, 0], [20, 10, 10])
EITHER = (10.0, 14.0, 20.0)
Case = tuple[KeypointDecoder, KeypointOutput]
CHANGES = output_of([0, 1, 2], frames=frames_of([0, 1, 2]))
IGNORED: dict[str, list[tuple[Case, Case]]] = {
    "matched without class probabilities": [
        (
            (decoder_to(ORDER, **weights), output_of([0, 1, 2], frames=frames_of([0, 1, 2]))),
            (decoder_to(ORDER, **weights), output_of([0, 1, 2], frames=frames_of([2, 1, 0]))),
        )
        for weights in ({"frames": 1.0, "mean": 0.0}, {"frames": 0.0, "mean": 9.0})
    ],
    "matched without action keypoints": [
        (
            (decoder_to(ORDER, **weights), output_of([0, 1, 2], frames=frames_of([0, 1, 2], 0.4))),
            (decoder_to(ORDER, **weights), output_of([2, 1, 0], frames=frames_of([0, 1, 2], 0.4))),
        )
        for weights in ({"action": 9.0, "rivals": 0.0}, {"action": 0.0, "rivals": 9.0})
    ],
    "matched without durations": [
        (
            (decoder_to(ORDER), output_of([0, 1, 2], cuts=(10.0, 20.0, 30.0))),
            (decoder_to(annotation([0, 1, 2], [20, 10, 10])), output_of([0, 1, 2], cuts=(10.0, 20.0, 30.0))),
        )
    ],
    "matched without confidence and cost of cuts": [
        (
            (decoder_to(ORDER, boundary=9.0), output_of([0, 1, 2], cuts=EITHER, confidence=(0.9, 0.1, 0.9))),
            (decoder_to(ORDER, boundary=9.0), output_of([0, 1, 2], cuts=EITHER, confidence=(0.1, 0.9, 0.9))),
        ),
        ((decoder_to(ORDER), CHANGES), (decoder_to(ORDER, cut=-99.0), CHANGES)),
    ],
    "matched without order": [
        (
            (decoder_to(ORDER, **weights), output_of([0, 2, 1], frames=frames_of([0, 2, 1], 0.5))),
            (decoder_to(REVERSED, **weights), output_of([0, 2, 1], frames=frames_of([0, 2, 1], 0.5))),
        )
        for weights in ({}, {"opening": 1.0, "closing": 1.0})
    ],
    "matched by the frame classifier alone": [
        (
            (decoder_to(ORDER, action=9.0), CHANGES),
            (decoder_to(ORDER, action=9.0), output_of([2, 0, 0], frames=frames_of([0, 1, 2]), cuts=(20.0, 24.0))),
        )
    ],
}
"""For each row, pairs of decodings that differ in nothing but what the row leaves out."""


@pytest.mark.parametrize(("row", "pair"), [(row, pair) for row, pairs in IGNORED.items() for pair in pairs])
def test_a_row_ignores_what_it_leaves_out(row: str, pair: tuple[Case, Case]) -> None:
    rows = ablations(matched=True, refined=False)
    first, second = (rows["rtk"](*case, TRUTH) for case in pair)
    assert first != second
    first, second = (rows[row](*case, TRUTH) for case in pair)
    assert first == second


def test_the_order_is_kept_within_one_annotation() -> None:
    decoder = decoder_to(annotation([0, 1], [10, 30]), annotation([1, 2], [10, 30]), frames=1.0)
    output = output_of([0, 1, 2], frames=frames_of([0, 1, 2]))
    rows = ablations(matched=True, refined=False)
    assert rows["rtk"](decoder, output, TRUTH) == TRUTH
    kept = rows["matched to one annotation throughout"](decoder, output, TRUTH)
    assert kept.labels.tolist() in ([0, 1], [1, 2])


def test_heads_are_left_out_of_the_match_and_the_match_of_heads() -> None:
    drop = RefinementScores(np.array([1.0, 0.0, 1.0]), np.array([0.0, 1.0]), np.full((3, 3), 1 / 3), np.array([10, 20]))
    output = replace(output_of([0, 1, 2], frames=frames_of([0, 2, 2], 0.5)), refinement=drop)
    decoder = decoder_to(ORDER, rivals=9.0).changed(refine=True)
    rows = ablations(matched=True, refined=True)
    alone = rows["learnt heads without the match"](decoder, output, TRUTH)
    assert alone == decoder.changed(match=None).segments(output).segmentation
    without = rows["without the learnt heads"](decoder, output, TRUTH)
    assert without == decoder.segments(replace(output, refinement=None)).segmentation
    assert alone != without


def test_where_nothing_is_matched_rows_of_the_match_are_those_of_rtk() -> None:
    output = output_of([2, 0, 1])
    rows = {**ablations(matched=True, refined=False), **oracles(matched=True, refined=False)}
    rtk = rows["rtk"](decoder_to(), output, TRUTH)
    changes = [name for name in rows if name.startswith("matched ")]
    assert len(changes) == 8
    assert [rows[name](decoder_to(), output, TRUTH) for name in changes] == [rtk] * 8


# Oracles.


def oracle(name: str, decoder: KeypointDecoder, output: KeypointOutput) -> Segmentation:
    return oracles(matched=True, refined=True)[name](decoder, output, TRUTH)


@pytest.mark.parametrize("decoder", [decoder_to(), decoder_to(REVERSED)])
def test_true_classes_correct_classes_and_nothing_else(decoder: KeypointDecoder) -> None:
    output = output_of([2, 1, 0], cuts=(12.0, 20.0))
    bounds = decoder.segments(output).segmentation.boundaries
    found = oracle("segments of RTK with true classes", decoder, output)
    assert found.boundaries.tolist() == bounds.tolist() == [0, 12, 20, 40]
    assert found.labels.tolist() == [0, 1, 2]


def test_true_boundaries_correct_boundaries_and_nothing_else() -> None:
    found = oracle("true boundaries with RTK's classes", decoder_to(), output_of([0, 1, 1], cuts=(17.0,)))
    assert found.boundaries.tolist() == [0, 10, 40]
    assert found.labels.tolist() == [0, 1]


def test_true_boundaries_are_the_only_ones_of_the_match() -> None:
    wrong = frames_of([0, 1, 2])
    wrong[:, 10:14], wrong[:, 30:34] = wrong[:, 5:9], wrong[:, 5:9]  # the frame scores change elsewhere
    output = output_of([0, 1, 2], frames=wrong, cuts=(14.0, 24.0))
    decoder = decoder_to(annotation([0, 1, 2], [14, 6, 20]))
    assert not set(decoder.segments(output).segmentation.boundaries) <= set(TRUTH.boundaries)
    assert oracle("true boundaries with RTK's classes", decoder, output) == TRUTH


def test_true_keep_drops_what_the_annotation_does_not_bear_out() -> None:
    decoder = decoder_to().changed(refine=True, rules=Rules(frame_weight=0.0, keep_threshold=0.0))
    output = output_of([0, 1, 1], cuts=(10.0, 14.5, 20.0, 33.0))
    found = oracle("true keep decisions", decoder, output)
    assert found.boundaries.tolist() == [0, 10, 40]  # the third action is wrong, so no action is left after 20
    assert found.labels.tolist() == [0, 1]


def test_the_annotation_of_the_video_itself_gives_its_order() -> None:
    output = output_of([0, 1, 2], frames=frames_of([0, 1, 2], 0.4), cuts=(10.0, 20.0))
    decoder = decoder_to(REVERSED, action=0.0, rivals=0.0)
    assert decoder.segments(output).segmentation != TRUTH
    assert oracle("matched to the video's own annotation as well", decoder, output) == TRUTH


# Errors.


def test_what_cannot_be_taken_apart_is_named(workshop: Any, tmp_path: Path) -> None:
    unfinished = workshop.start(tmp_path / "run")
    with pytest.raises(DataError, match="this training is not finished; continue with keyseg train"):
        ablate(unfinished, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_another_system_has_no_such_parts(workshop: Any, tmp_path: Path) -> None:
    started = workshop.start(tmp_path / "run")
    run = started.model_copy(update={"recipe": load_recipe(None, ["model=asformer"])})
    with pytest.raises(ConfigError, match="only a run of rtk can be taken apart, and this is a run of asformer"):
        ablate(run, tmp_path)
