"""How a video was segmented: what the figure shows of each system, with a match and without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from keyseg import viz
from keyseg.formats import FORMATS, timeline_text
from keyseg.inference.bundle import load, save_bundle
from keyseg.inference.decoders import Match
from keyseg.inference.predictor import Predictor
from keyseg.inference.systems import SYSTEMS
from keyseg.matching.alignment import Alignment, MatchWeights
from keyseg.matching.lattice import score_changes
from keyseg.reproduction import plots
from keyseg.reproduction.plots import plot
from keyseg.timeline import ConfigError, DataError, LabelMap, Segmentation, TimeBase
from keyseg.timeline.files import write_content

RATE = 2
LABELS = LabelMap(("background", "cut", "pour"), ("background",))
ANNOTATIONS = [
    Segmentation(np.array([0, 5, 9, 20]), np.array([0, 1, 2])),
    Segmentation(np.array([0, 4, 11, 15, 24]), np.array([0, 2, 1, 0])),
    Segmentation(np.array([0, 8, 12, 30]), np.array([1, 0, 2])),
]
SIZES: dict[str, dict[str, Any]] = {
    "rtk": {"backbone": {"channels": 8, "encoder_layers": 2, "decoder_layers": 2}, "refinement": {"channels": 16}},
    "ms-tcn++": {"channels": 8, "generator_layers": 3, "refinements": 1, "refinement_layers": 2},
}


def make_predictor(name: str, *, match: bool) -> Predictor:
    """A predictor with random weights, large enough that segments differ."""
    torch.manual_seed(2)
    system = SYSTEMS[name]
    network = system.network(system.config.model_validate(SIZES[name]), 11, len(LABELS)).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.3 * torch.randn(parameter.shape)
    decoder = system.decoder()
    if match:
        decoder = decoder.changed(match=Match.to(ANNOTATIONS, len(LABELS), MatchWeights()))
    return Predictor(system=name, model=network, labels=LABELS, timebase=TimeBase(Fraction(15), RATE), decoder=decoder)


@pytest.fixture
def features(tmp_path: Path) -> Path:
    path = tmp_path / "video.npy"
    np.save(path, np.random.default_rng(3).normal(size=(11, 93)).astype(np.float32))
    return path


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the figure was drawn from."""
    given: dict[str, Any] = {}
    draw: Callable[..., Any] = viz.plot_prediction

    def spied(scores: Any, rows: Any, *others: Any, **keywords: Any) -> Any:
        given.update(keywords, scores=scores, rows=dict(rows), names=[name for name, _ in rows])
        return draw(scores, rows, *others, **keywords)

    monkeypatch.setattr(viz, "plot_prediction", spied)
    return given


def plotted(predictor: Predictor, features: Path) -> Predictor:
    """Draw the features with a bundle of the predictor, which is returned as read again."""
    folder = save_bundle(predictor, features.parent / "bundle", {})
    out = plot([folder, features], out=features.parent / "figure.svg")
    assert out.read_bytes().startswith(b"<?xml")
    return load(folder)


@pytest.mark.parametrize("match", [True, False])
def test_rtk_has_its_heatmaps_keypoints_and_timelines(match: bool, features: Path, drawn: dict[str, Any]) -> None:
    predictor = plotted(make_predictor("rtk", match=match), features)
    whole, plain = predictor.predict(features), predictor.predict(features, variant="rtk-no-refinement")
    assert drawn["names"] == ["frame-wise", "without the match", "with the match"][: 2 + match]
    frame_wise = predictor.predict(features, variant="frame-wise")
    assert drawn["rows"]["frame-wise"] == frame_wise.segmentation
    assert drawn["rows"]["without the match"] == plain.segmentation
    assert drawn["rows"][drawn["names"][-1]] == whole.segmentation
    assert len({*map(str, (segmentation.labels for segmentation in drawn["rows"].values()))}) > 1
    np.testing.assert_array_equal(drawn["scores"], whole.action_heatmap)
    np.testing.assert_array_equal(drawn["boundary"], whole.boundary_heatmap)
    np.testing.assert_array_equal(drawn["proposed"].time, whole.proposals[0].time)
    np.testing.assert_array_equal(drawn["chosen"].time, whole.refined[0].time)
    if match:
        chosen = whole.segmentation.boundaries[1:-1] / RATE
        assert len(chosen)
        assert set(chosen) <= set(drawn["cuts"])
        assert len(drawn["followed"].annotation) == len(whole.alignment.labels)
    else:
        np.testing.assert_array_equal(drawn["cuts"], whole.proposals[1].time)
        assert drawn["followed"] is None


@pytest.mark.parametrize("match", [True, False])
def test_a_frame_wise_system_has_what_exists(match: bool, features: Path, drawn: dict[str, Any]) -> None:
    predictor = plotted(make_predictor("ms-tcn++", match=match), features)
    whole = predictor.predict(features)
    assert drawn["names"] == ["frame-wise", "with the match"][: 1 + match]
    unmatched = replace(predictor, decoder=predictor.decoder.changed(match=None))
    assert drawn["rows"]["frame-wise"] == unmatched.predict(features).segmentation
    np.testing.assert_array_equal(drawn["scores"], whole.frame_scores)
    assert drawn["proposed"] is drawn["chosen"] is None
    if match:
        assert drawn["rows"]["with the match"] == whole.segmentation
        np.testing.assert_array_equal(drawn["boundary"], score_changes(whole.frame_scores))
        assert set(whole.segmentation.boundaries[1:-1] / RATE) <= set(drawn["cuts"])
    else:
        assert drawn["boundary"] is None
        assert not len(drawn["cuts"])


def test_every_segment_is_reached_by_a_move_a_switch_or_a_jump() -> None:
    match = Match.to(ANNOTATIONS, len(LABELS), MatchWeights())
    path = [
        (1, 0, 0),
        (1, 2, 1),  # past one: a move
        (1, 1, 2),  # back by one: a move
        (0, 2, 2),  # after 2 there is no 2: a jump, though one further on in place
        (0, 1, 1),  # back by one: a move
        (2, 1, 0),  # after 1 comes 0 here too: a switch
        (-1, -1, 1),  # to no annotation: a jump
        (2, 1, 0),  # after 1: a switch
        (1, 0, 0),  # to a first segment: a jump
        (1, 0, 0),  # not on: a jump
    ]
    annotation, position, labels = (np.array(column) for column in zip(*path, strict=True))
    alignment = Alignment(np.arange(len(path) + 1), labels, annotation, position)
    followed = plots._followed(alignment, match, ())
    expected = ["move", "move", "move", "jump", "move", "switch", "jump", "switch", "jump", "jump"]
    assert list(followed.arrival) == expected
    np.testing.assert_array_equal(followed.cuts, alignment.cuts)
    np.testing.assert_array_equal(followed.annotation, annotation)
    np.testing.assert_array_equal(followed.position, position)


def test_names_are_those_of_the_training_videos_if_there_is_one_for_each_annotation() -> None:
    match = Match.to(ANNOTATIONS, len(LABELS), MatchWeights())
    alignment = Alignment(np.array([0, 9]), np.array([2]), np.array([0]), np.array([2]))
    for names, known in ((("a", "b", "c"), ("a", "b", "c")), (("a", "b"), ()), ((), ())):
        assert plots._followed(alignment, match, names).names == known


def test_a_video_is_drawn_by_the_first_finished_training_that_tests_on_it_or_else_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = {1: {"train": ("a", "b"), "test": ("c",)}, 2: {"train": ("b", "c"), "test": ("a",)}}
    dataset = SimpleNamespace(names=lambda split, subset: sides[split][subset])
    fits = [
        SimpleNamespace(dataset=dataset, split=split, seed=seed, bundle=tmp_path / f"{split}{seed}")
        for split in sides
        for seed in (0, 1, 2)
    ]
    for fit in fits:
        if fit.seed:
            fit.bundle.mkdir()
    monkeypatch.setattr("keyseg.training.run.read_run", lambda folder: SimpleNamespace(fits=lambda: fits))
    found = {video: plots._finished(tmp_path, video) for video in "abc"}
    assert {video: (fit.split, fit.seed) for video, fit in found.items()} == {"a": (2, 1), "b": (1, 1), "c": (1, 1)}


# timelines


def rows_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *files: Path, **options: Any) -> dict[str, Any]:
    """What `plot` draws of timelines: labels per second by row, and the rate."""
    given: dict[str, Any] = {}
    draw: Callable[..., Any] = viz.plot_timelines

    def spied(rows: Any, labels: Any, timebase: Any, **more: Any) -> Any:
        given["rate"] = timebase and timebase.fps
        step = int(timebase.fps) if timebase else 1
        given["rows"] = {name: labels.decode(row.to_frames()[::step]) for name, row in rows}
        return draw(rows, labels, timebase, **more)

    monkeypatch.setattr(viz, "plot_timelines", spied)
    given["notes"] = notes = []
    plot(files, out=tmp_path / "figure.svg", force=True, report=notes.append, **options)
    return given


def test_timelines_of_all_formats_are_drawn_on_one_grid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = LabelMap(("background", "cut", "pour"), ("background",))
    truth = Segmentation(np.array([0, 20, 50]), np.array([1, 2]))
    wanted = ["cut"] * 2 + ["pour"] * 3
    files = []
    for form, details in FORMATS.items():
        files.append(tmp_path / f"{form}{details.suffix}")
        write_content(files[-1], timeline_text(form, "tea", truth, labels, TimeBase(Fraction(10))))
    drawn = rows_of(monkeypatch, tmp_path, *files)
    assert drawn["rate"] == 10
    assert list(drawn["rows"].values()) == [wanted] * len(FORMATS)
    for file, form in zip(files, FORMATS, strict=True):
        drawn = rows_of(monkeypatch, tmp_path, file, fps=Fraction(10))
        assert list(drawn["rows"].values()) == [wanted], form
    assert rows_of(monkeypatch, tmp_path, tmp_path / "txt.txt")["rate"] is None
    cues = rows_of(monkeypatch, tmp_path, tmp_path / "vtt.vtt", tmp_path / "eaf.eaf")
    assert list(cues["rows"].values()) == [wanted] * 2


def test_rates_that_differ_are_not_mixed_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    labels = LabelMap(("background", "cut", "pour"), ("background",))
    for name, rate in (("slow", 10), ("fast", 30)):
        video = Segmentation(np.array([0, 2 * rate, 5 * rate]), np.array([1, 2]))
        content = timeline_text("json", "tea", video, labels, TimeBase(Fraction(rate)))
        (tmp_path / f"{name}.json").write_text(content)
    drawn = rows_of(monkeypatch, tmp_path, tmp_path / "slow.json", tmp_path / "fast.json")
    assert drawn["rate"] == 30
    assert drawn["rows"] == {"slow": ["cut"] * 2 + ["pour"] * 3, "fast": ["cut"] * 2 + ["pour"] * 3}


def test_what_timelines_leave_open_is_asked_or_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("cut\n" * 20)
    (tmp_path / "b.txt").write_text("cut\n" * 30)
    (tmp_path / "c.vtt").write_text("WEBVTT\n\n00:01.000 --> 00:02.500\ncut\n")
    with pytest.raises(ConfigError, match=r"a\.txt: it counts frames, and the others do not; give .* --fps"):
        rows_of(monkeypatch, tmp_path, tmp_path / "c.vtt", tmp_path / "a.txt")
    drawn = rows_of(monkeypatch, tmp_path, tmp_path / "a.txt", tmp_path / "b.txt")
    assert drawn["notes"] == ["a ends before the others; the rest of its bar is background"]
    table = tmp_path / "d.csv"
    table.write_text("video,start_seconds,end_seconds,label\nx,0,1,cut\ny,0,1,cut\n")
    with pytest.raises(DataError, match=r"d\.csv: expected one video, got 2; separate them with: keyseg convert"):
        rows_of(monkeypatch, tmp_path, table)
