"""An extractor that an installed package adds makes features, and again those of new videos."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from keyseg.cli.main import run
from keyseg.data.feature_origin import read_sidecar
from keyseg.timeline import ConfigError, DataError
from keyseg.video.extraction import origin_of
from keyseg.video.extractors import extractor_of, make_extractor
from plug_in import install

BRIGHTNESS = """
class Brightness:
    name, version, dimension, clip_length, sample_rate, image_size = "brightness", "1", 1, 1, 2, (24, 32)

    def __init__(self, device):
        self.options = {"device": str(device)} if device == "cuda" else {}

    def rows(self, frames):
        for number, frame in enumerate(frames):
            if number % 2 == 0:
                yield frame.mean(dtype="float32").reshape(1, 1)

class Nothing:
    name = "nothing"
    def __init__(self, device): pass

class Wide(Brightness):
    name = "wide"
    def rows(self, frames):
        for frame in frames:
            yield frame.mean(axis=(0, 1)).reshape(1, 3)

class Flat(Brightness):
    name = "flat"
    def rows(self, frames):
        for frame in frames:
            yield frame.mean(axis=(0, 1))

class Broken(Brightness):
    name = "broken"
    def rows(self, frames):
        for frame in frames:
            yield frame / {}

def other(device): return Brightness(device)
def fails(device): return 1 / 0
"""
ENTRIES = {"brightness": "ex_bright:Brightness", "nothing": "ex_bright:Nothing", "other": "ex_bright:other"}
ENTRIES |= {name.lower(): f"ex_bright:{name}" for name in ("Wide", "Flat", "Broken")}
ENTRIES |= {"fails": "ex_bright:fails", "motion": "ex_bright:other"}


@pytest.fixture
def brightness(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    site = tmp_path_factory.mktemp("site")
    install(site, "bright-features", {"keyseg.extractors": ENTRIES}, "2.3", ex_bright=BRIGHTNESS)
    monkeypatch.syspath_prepend(site)


def test_it_is_made_by_its_name_and_remembered_with_its_package(brightness: None) -> None:
    extractor = make_extractor("brightness", device="cpu")
    origin = origin_of(extractor, Fraction(10))
    assert (origin.extractor, origin.sample_rate, origin.options) == ("brightness", 2, {"package": "bright-features"})
    again = extractor_of(origin, device="cpu")
    picture = np.full((24, 32, 3), 7, np.uint8)
    assert [rows.tolist() for rows in again.rows([picture] * 3)] == [[[7.0]], [[7.0]]]
    assert make_extractor("motion").dimension == 376
    with pytest.raises(DataError, match="here brightness has options"):
        extractor_of(origin, device="cuda")
    with pytest.raises(ConfigError, match="brightness takes no sample_rate; it has one version, and one row per 2 fr"):
        make_extractor("brightness", sample_rate=3)


def test_without_its_package_the_package_is_named(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as with_package:
        site = tmp_path_factory.mktemp("site")
        install(site, "bright-features", {"keyseg.extractors": ENTRIES}, ex_bright=BRIGHTNESS)
        with_package.syspath_prepend(site)
        origin = origin_of(make_extractor("brightness"), Fraction(10))
    with pytest.raises(DataError, match="the package 'bright-features', which adds this extractor, is not installed"):
        extractor_of(origin)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nothing", "the Nothing that it makes has no version, dimension, .*, rows;"),
        ("other", "the extractor that it makes has the name 'brightness'"),
        ("fails", "ZeroDivisionError: division by zero"),
    ],
)
def test_an_extractor_that_cannot_be_used_names_its_package(brightness: None, name: str, reason: str) -> None:
    with pytest.raises(
        ConfigError, match=rf"^'{name}' of bright-features 2\.3 \(entry point .* cannot be used: {reason}"
    ):
        make_extractor(name)


def test_its_name_is_suggested(brightness: None) -> None:
    with pytest.raises(
        ConfigError, match=r"no extractor 'brightnes' \(did you mean 'brightness'\?\); possible: motion"
    ):
        make_extractor("brightnes")


@pytest.mark.parametrize("workers", ["1", "2"])
def test_features_of_videos_are_made_with_it(
    brightness: None, make_clip: Callable[..., Path], tmp_path: Path, workers: str
) -> None:
    pictures = [np.full((48, 64, 3), 20 + 8 * i, np.uint8) for i in range(9)]
    clips = [make_clip(tmp_path / f"{name}.mp4", pictures) for name in ("day1", "day2")]
    words = ("--extractor", "brightness", "--fps", "10", "--cache", str(tmp_path / "cache"), "--workers", workers)
    assert run(["features", *map(str, clips), "--out", str(tmp_path / "features"), *words]) == 0
    rows = np.load(tmp_path / "features" / "day1.npy")
    assert rows.shape == (5, 1)
    assert np.abs(rows[:, 0].astype(float) - [20, 36, 52, 68, 84]).max() < 4
    sidecar = read_sidecar(tmp_path / "features" / "day2.npy")
    assert sidecar is not None
    assert json.loads(sidecar.origin.model_dump_json())["options"] == {"package": "bright-features"}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("wide", r"ValueError: rows of shape \(1, 3\), expected \(n, 1\)"),
        ("flat", r"ValueError: rows of shape \(3,\), expected \(n, 1\)"),
        ("broken", "TypeError: unsupported operand"),
    ],
)
def test_rows_that_are_none_name_the_package(
    brightness: None,
    make_clip: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    reason: str,
) -> None:
    clip = make_clip(tmp_path / "day.mp4", [np.full((48, 64, 3), 20, np.uint8)] * 4)
    words = ["features", str(clip), "--extractor", name, "--cache", str(tmp_path / "cache")]
    assert run([*words, "--out", str(tmp_path / "features")]) != 0
    said = capsys.readouterr().err
    assert re.search(rf"'{name}' of bright-features 2\.3 \(entry point .* cannot be used: {reason}", said)
    assert "bug in keyseg" not in said
    assert not list(tmp_path.glob("features/*.npy"))
