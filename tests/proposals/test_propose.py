"""The public function: videos, feature files and arrays in, drafts and files out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import keyseg
from keyseg.formats import FORMATS
from keyseg.inference.bundle import save_bundle
from keyseg.inference.decoders import FrameDecoder, KeypointDecoder
from keyseg.inference.decoding import ProposalConfig, Rules
from keyseg.inference.predictor import Predictor
from keyseg.models.asformer import ASFormer, ASFormerConfig
from keyseg.models.backbone import BackboneConfig
from keyseg.models.refinement import RefinementConfig
from keyseg.models.rtk import RTK, RTKConfig
from keyseg.proposals.reading import boundary_cuts
from keyseg.timeline import ConfigError, DataError, LabelMap, OutputExistsError, TimeBase

LEVELS = np.random.default_rng(2).standard_normal((3, 12))


def features(*order, length=40):
    return np.repeat(LEVELS[list(order)], length, axis=0).astype(np.float32)


@pytest.fixture
def folder(tmp_path):
    for name, order in (("tea", (0, 1, 2)), ("soup", (2, 0))):
        np.save(tmp_path / f"{name}.npy", features(*order).T)  # (D, T), as in the common layout
    return tmp_path


def labels(timeline):
    return [interval.label for interval in timeline.intervals]


def test_arrays_files_and_folders_give_the_same(folder):
    arrays = {"soup": features(2, 0), "tea": features(0, 1, 2)}
    wanted = keyseg.propose(arrays, segments=3, classes=3, fps=5).timelines
    assert labels(wanted["soup"]) == ["part 1", "part 2"]
    assert labels(wanted["tea"]) == ["part 2", "part 3", "part 1"]
    assert wanted["tea"].duration_seconds == 24
    assert keyseg.propose(folder, segments=3, classes=3, fps=5).timelines == wanted
    files = [folder / "soup.npy", str(folder / "tea.npy")]
    assert keyseg.propose(files, segments=3, classes=3, fps=5).timelines == wanted


@pytest.mark.parametrize("name", ["txt", "csv", "json", "eaf", "vtt", "textgrid", "boris", "labelstudio", "otio"])
def test_a_proposal_is_written_in_every_format(folder, name):
    made = keyseg.propose(folder, out=folder / "out", formats=[name], fps=5, segments=3, classes=3)
    file = folder / "out" / f"tea{FORMATS[name].suffix}"
    assert made.written[folder / "tea.npy"] == (file,)
    assert not made.failed
    found = keyseg.read(file, fps=5)
    assert [label.replace("_", " ") for label in labels(next(iter(found.values())))] == ["part 2", "part 3", "part 1"]


def test_existing_timelines_are_not_overwritten_unless_forced(folder):
    keyseg.propose(folder, out=folder / "out", fps=5)
    with pytest.raises(OutputExistsError, match=r"soup.csv exists \(2 such files\)"):
        keyseg.propose(folder, out=folder / "out", fps=5)
    keyseg.propose(folder, out=folder / "out", fps=5, force=True)


def test_a_file_that_cannot_be_read_does_not_stop_the_others(folder):
    (folder / "bad.npy").write_bytes(b"not an array")
    (folder / "film.mp4").write_bytes(b"not a video")
    lines = []
    made = keyseg.propose(folder, fps=5, cache=folder / "cache", report=lines.append)
    assert list(made.failed) == [folder / "bad.npy", folder / "film.mp4"]
    assert set(made.timelines) == {"tea", "soup"}
    assert any("film.mp4" in line for line in lines)


def test_one_file_whose_axes_are_unknown_is_refused(folder):
    with pytest.raises(DataError, match="does not show which axis is time"):
        keyseg.propose(folder / "tea.npy")


def test_a_bundle_reads_files(folder):
    with pytest.raises(ConfigError, match="a bundle reads files"):
        keyseg.propose({"tea": features(0)}, bundle=folder)


def test_a_video_is_cut_where_its_picture_changes(make_clip, tmp_path):
    colours = [(200, 30, 30), (30, 30, 200), (200, 30, 30)]
    pictures = [np.full((48, 64, 3), colour, np.uint8) for colour in colours for _ in range(40)]
    make_clip(tmp_path / "film.mp4", pictures, rate=10)
    made = keyseg.propose(tmp_path / "film.mp4", fps=10, segments=3, classes=2, cache=tmp_path / "cache")
    timeline = made.timelines["film"]
    assert labels(timeline) == ["part 1", "part 2", "part 1"]
    assert [float(one.start_seconds) for one in timeline.intervals] == pytest.approx([0, 4, 8], abs=0.4)
    assert timeline.media == str(tmp_path / "film.mp4")
    again = keyseg.propose(tmp_path / "film.mp4", fps=10, segments=3, classes=2, cache=tmp_path / "cache")
    assert again.timelines == made.timelines


@pytest.fixture
def predictor():
    torch.manual_seed(2)
    network = RTKConfig(
        backbone=BackboneConfig(channels=8, encoder_layers=2, decoder_layers=2),
        refinement=RefinementConfig(channels=16, layers=1),
    )
    model = RTK(network, 12, 2).eval()
    with torch.no_grad():  # heatmaps away from their start, so that keypoints are found
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape)
    rules = Rules(
        action_threshold=0.02, boundary_threshold=0.02, keep_threshold=0.1, frame_weight=1.0, context_weight=1.0
    )
    decoder = KeypointDecoder(proposals=ProposalConfig(limit=50), rules=rules, refine=True)
    labels = LabelMap(("rest", "pour"), ("rest",))
    return Predictor(system="rtk", model=model, labels=labels, timebase=TimeBase(10, 2), decoder=decoder)


def test_the_cuts_of_a_bundle_are_its_boundary_keypoints(predictor, folder):
    bundle = save_bundle(predictor, folder / "bundle", {})
    steps, frames = predictor.read(folder / "tea.npy")
    keypoints = predictor.run_keypoints(steps).boundaries
    cuts = boundary_cuts(predictor, steps)
    sure = keypoints.select(keypoints.confidence >= 0.02)
    assert cuts.tolist() == sorted({round(time) for time in sure.time.tolist()})
    assert len(cuts) > 3
    (best,) = boundary_cuts(predictor, steps, 2).tolist()
    assert best == round(float(sure.time[sure.confidence.argmax()]))
    timeline = keyseg.propose(folder / "tea.npy", bundle=bundle, classes=100).timelines["tea"]
    starts = [round(one.start_seconds * 10) for one in timeline.intervals]
    assert starts == [0, *(2 * cut for cut in cuts.tolist() if 0 < 2 * cut < frames)]


def test_a_bundle_without_keypoints_is_refused(predictor, folder):
    model = ASFormer(ASFormerConfig(), 12, 2)
    other = replace(predictor, system="asformer", model=model, decoder=FrameDecoder())
    bundle = save_bundle(other, folder / "bundle", {})
    with pytest.raises(ConfigError, match="asformer has no boundary keypoints; name a bundle of rtk"):
        keyseg.propose(folder, bundle=bundle)
