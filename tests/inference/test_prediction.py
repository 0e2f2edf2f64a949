"""What a prediction shows, and what it becomes: text, HTML, tables, files, figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import keyseg
from keyseg.data.feature_origin import FeatureOrigin
from keyseg.inference.confidence import Calibration
from keyseg.inference.prediction import Prediction
from keyseg.inference.predictor import Predictor
from keyseg.timeline import ConfigError, DataError, Interval, LabelMap, OutputExistsError, Segmentation, TimeBase

LABELS = LabelMap(("background", "take", "<b>pour</b>", "stir"), ("background",))


def made(segmentation: Segmentation, labels: LabelMap = LABELS, **options: Any) -> Prediction:
    """A prediction at 5 fps whose score of class i is (i + 1) / 10 everywhere."""
    scores = np.repeat((np.arange(len(labels)) + 1)[:, None] / 10, segmentation.length, axis=1)
    return Prediction(segmentation, scores, scores[None], labels, TimeBase(Fraction(5)), None, **options)


TEA = Segmentation([0, 5, 12, 20, 31], [0, 1, 2, 1])


def test_the_text_is_one_short_line() -> None:
    assert repr(made(TEA)) == (
        "Prediction(4 segments, 6.2 s at 5 fps: background 0.0-1.0, take 1.0-2.4, <b>pour</b> 2.4-4.0, 1 more)"
    )
    assert (
        repr(made(Segmentation([0, 5], [1]), name="tea"))
        == "Prediction('tea', 1 segment, 1.0 s at 5 fps: take 0.0-1.0)"
    )
    assert repr(made(Segmentation([0], []))) == "Prediction(0 segments, 0.0 s at 5 fps)"
    assert repr(made(TEA, notes=("damaged from 1.0 to 2.0 s: why",))).endswith(
        "; note: damaged from 1.0 to 2.0 s: why)"
    )
    long = LabelMap(tuple(f"{i}{'x' * 500}" for i in range(20)))
    busy = made(Segmentation(np.arange(2001), np.arange(2000) % 20), long, notes=("n" * 5000,) * 100)
    assert len(repr(busy)) < 500
    assert "\n" not in repr(busy)


def test_segments_have_seconds_names_and_confidence() -> None:
    segments = made(TEA).segments
    assert segments == (
        Interval(0, 1, "background"),
        Interval(1, Fraction(12, 5), "take"),
        Interval(Fraction(12, 5), 4, "<b>pour</b>"),
        Interval(4, Fraction(31, 5), "take"),
    )
    assert [one.score for one in segments] == pytest.approx([0.1, 0.2, 0.3, 0.2])
    assert [one.score for one in segments] == made(TEA).confidence
    assert [one.label for one in made(TEA).annotation.actions().intervals] == ["take", "<b>pour</b>", "take"]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "json", "eaf", "labelstudio.json", "activitynet.json", "vtrace.csv"])
def test_files_have_three_decimals_of_the_confidence(suffix: str, tmp_path: Path) -> None:
    sure = Calibration(intercept=0.1, mean=1 / 7, length=0, edges=0, segments=20)
    tea = made(TEA, name="tea", calibration=sure)
    assert max(len(str(value)) for value in tea.confidence) > 8
    text = tea.save(tmp_path / f"tea.{suffix}").read_text()
    assert str(round(tea.confidence[1], 3)) in text
    assert str(tea.confidence[1])[:6] not in text


def bars(html: str) -> list[dict[str, str]]:
    """The attributes of the bars of the only SVG in it, which must be well-formed."""
    (svg,) = re.findall("<svg.*</svg>", html, re.DOTALL)
    return [rect.attrib for rect in ElementTree.fromstring(svg).iter("rect")]


def test_the_notebook_shows_the_timeline() -> None:
    html = made(TEA, notes=("<i>damaged</i>",))._repr_html_()
    assert [(float(bar["x"]), float(bar["width"])) for bar in bars(html)] == [
        pytest.approx((1000 * start / 31, 1000 * (end - start) / 31), rel=1e-3)
        for start, end in ((0, 5), (5, 12), (12, 20), (20, 31))
    ]
    fills = [bar["fill"] for bar in bars(html)]
    assert fills[1] == fills[3]
    assert len(set(fills)) == 3
    assert "&lt;b&gt;pour&lt;/b&gt;: 2.40 to 4.00 s" in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert "stir" not in html  # does not occur
    assert "<script" not in html


@pytest.mark.parametrize("segments", [201, 100_000])
def test_the_notebook_gets_little_however_long_the_video_is(segments: int) -> None:
    labels = LabelMap(tuple(f"class{i}" for i in range(100)))
    html = made(Segmentation(np.arange(segments + 1) * 3, np.arange(segments) % 100), labels)._repr_html_()
    assert len(html) < 100_000
    widths = [float(bar["width"]) for bar in bars(html)]
    assert sum(widths) == pytest.approx(1000, abs=1)
    assert "and 70 more" in html


def test_an_empty_video_is_shown() -> None:
    assert bars(made(Segmentation([0], []))._repr_html_()) == []


def test_a_table_of_pandas() -> None:
    pytest.importorskip("pandas")
    table = made(TEA).to_pandas()
    assert list(table.columns) == ["start_frame", "end_frame", "start_seconds", "end_seconds", "label", "confidence"]
    assert table["label"].tolist() == ["background", "take", "<b>pour</b>", "take"]
    assert table["end_frame"].tolist() == [5, 12, 20, 31]
    assert table["end_seconds"].tolist() == [1, 2.4, 4, 6.2]
    assert table["confidence"].tolist() == pytest.approx([0.1, 0.2, 0.3, 0.2])


def test_an_annotation_of_pyannote() -> None:
    pytest.importorskip("pyannote.core")
    found = made(TEA, name="tea").to_pyannote()
    tracks = [(span.start, span.end, label) for span, _, label in found.itertracks(yield_label=True)]
    assert tracks == [(1, 2.4, "take"), (2.4, 4, "<b>pour</b>"), (4, 6.2, "take")]
    assert found.uri == "tea"


@pytest.mark.parametrize(("method", "name"), [("to_pandas", "pandas"), ("to_pyannote", "pyannote")])
def test_a_missing_extra_says_how_to_get_it(method: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    class Absent:
        def find_spec(self, module: str, *_: object) -> None:
            if module.split(".")[0] == name:
                raise ModuleNotFoundError(f"No module named {module!r}", name=module)

    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    with pytest.raises(ConfigError, match=f'pip install "keyseg\\[{name}\\]"'):
        getattr(made(TEA), method)()


def test_plot_returns_a_figure_that_notebooks_show(tmp_path: Path) -> None:
    figure = made(TEA, name="tea").plot(tmp_path / "tea.png")
    assert (tmp_path / "tea.png").read_bytes().startswith(b"\x89PNG")
    assert figure._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    with pytest.raises(OutputExistsError, match=r"tea\.png exists"):
        made(TEA).plot(tmp_path / "tea.png")
    made(TEA).plot(str(tmp_path / "tea.png"), force=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tea.png"]


@pytest.mark.parametrize("suffix", ["json", "csv", "eaf", "labelstudio.json", "TextGrid", "activitynet.json"])
def test_what_is_saved_reads_back(suffix: str, tmp_path: Path) -> None:
    tea = made(TEA, LabelMap(("background", "take", "pour", "stir"), ("background",)), name="tea")
    path = tea.save(tmp_path / f"tea.{suffix}")
    (back,) = keyseg.read(path, background=["background"]).values()
    assert back.name == "tea"
    assert back.actions().intervals == tea.annotation.actions().intervals
    rest = tea.annotation.segmentation(tea.labels, Fraction(5))
    assert back.segmentation(tea.labels, Fraction(5), frames=31) == rest == TEA


def test_save_does_not_overwrite_and_names_the_formats(tmp_path: Path) -> None:
    path = made(TEA).save(tmp_path / "some.txt")
    assert path.read_text().splitlines() == made(TEA).frame_labels
    with pytest.raises(OutputExistsError, match=r"some\.txt exists"):
        made(TEA).save(path)
    made(TEA).save(str(path), format="csv", force=True)
    assert path.read_text().splitlines()[1].startswith("some,0,5,")
    with pytest.raises(ConfigError, match=r"tea\.mp4: no format has this suffix; name the format: txt, recog, csv"):
        made(TEA).save(tmp_path / "tea.mp4")
    with pytest.raises(ConfigError, match=r"unknown format 'cvs' \(did you mean 'csv'"):
        made(TEA).save(tmp_path / "tea.x", format="cvs")


def test_the_tier_of_the_data_set_is_written(tmp_path: Path) -> None:
    named = made(TEA, name="tea", tier="verbs")
    for path, tier in (
        (named.save(tmp_path / "a.eaf"), "verbs"),
        (keyseg.write(named, tmp_path / "b.eaf"), "verbs"),
        (named.save(tmp_path / "c.eaf", tier="mine"), "mine"),
        (keyseg.write(named.annotation, tmp_path / "d.eaf"), "actions"),
    ):
        assert f'TIER_ID="{tier}"' in path.read_text()


def test_predictions_of_several_models_in_one_file(tmp_path: Path) -> None:
    other = LabelMap(("idle", "wash"), ("idle",))
    both = {"tea": made(TEA, name="tea"), "cup": made(Segmentation([0, 5, 9], [0, 1]), other, name="cup")}
    path = keyseg.write(both, tmp_path / "both.activitynet.json")
    back = {name: one.intervals for name, one in keyseg.read(path).items()}
    assert back == {name: one.annotation.actions().intervals for name, one in both.items()}


def test_what_the_extractor_is_made_with(make_predictor: Callable[..., Predictor], monkeypatch: Any) -> None:
    given: list[tuple[Any, ...]] = []
    monkeypatch.setattr("keyseg.video.extractors.extractor_of", lambda *options: given.append(options))
    origin = FeatureOrigin(extractor="motion", version="1", dimension=11, clip_length=1, fps="10", sample_rate=1)
    predictor = make_predictor(origin=origin)
    predictor.extractor()
    predictor.extractor(device="cpu", folder="model", batch=4)
    assert given == [(origin, None, None, None), (origin, "cpu", Path("model"), 4)]


def test_an_array_a_tensor_and_a_file_predict_the_same(
    make_predictor: Callable[..., Predictor], features: np.ndarray, agree: Callable[..., bool], tmp_path: Path
) -> None:
    import torch

    predictor = make_predictor()
    np.save(tmp_path / "tea.npy", features)
    wanted = predictor.predict(features)
    for given in (torch.from_numpy(features), torch.from_numpy(features).requires_grad_(), str(tmp_path / "tea.npy")):
        assert agree(predictor.predict(given, device="cpu"), wanted)
    assert (wanted.name, predictor.predict(tmp_path / "tea.npy").name) == ("", "tea")
    assert predictor.predict(features).tier == "actions"
    assert replace(predictor, tier="verbs").predict(features).tier == "verbs"
    assert repr(predictor) == "Predictor(rtk, 3 classes, 11 channels at 29.97 fps)"


@pytest.mark.parametrize("wrong", [3, None, [[1.0, 2.0]], b"tea.mp4"])
def test_what_predict_does_not_take(make_predictor: Callable[..., Predictor], wrong: Any) -> None:
    kind = type(wrong).__name__
    with pytest.raises(ConfigError, match=rf"expected a video file, a \.npy file of features, .* got {kind}$"):
        make_predictor().predict(wrong)


def test_wrong_options_of_predict(
    make_predictor: Callable[..., Predictor], features: np.ndarray, tmp_path: Path
) -> None:
    predictor = make_predictor()
    with pytest.raises(ConfigError, match=r"device 'tpu9' cannot be used here .*; try cpu"):
        predictor.predict(features, device="tpu9")
    (tmp_path / "tea.mp4").touch()
    with pytest.raises(ConfigError, match="unknown variant 'rkt'"):
        predictor.predict(tmp_path / "tea.mp4", variant="rkt")
    with pytest.raises(DataError, match="this bundle does not know what made its features"):
        predictor.predict(tmp_path / "tea.mp4")
