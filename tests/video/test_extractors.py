"""Extractors by name, and again from the origin of features."""

from __future__ import annotations

import shutil
import sys
from fractions import Fraction

import numpy as np
import pytest

from keyseg.data.feature_origin import FeatureOrigin
from keyseg.timeline import ConfigError, DataError
from keyseg.video.extraction import origin_of
from keyseg.video.extractors import SUGGESTED, extractor_of, make_extractor
from keyseg.video.motion import Motion
from keyseg.video.pretrained import PretrainedExtractor

transformers = pytest.importorskip("transformers")

COMMITS = {"main": "a" * 40, "v2": "b" * 40}


def save_model(folder, seed):
    transformers.set_seed(seed)
    sizes = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    config = transformers.VideoMAEConfig(image_size=32, patch_size=16, num_frames=8, **sizes)
    transformers.VideoMAEModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    return save_model(tmp_path_factory.mktemp("catalog") / "model", 0)


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "model")


@pytest.fixture
def hub(monkeypatch, tmp_path, saved):
    """An offline cache of the hub that holds two revisions of `someone/tiny`."""
    from huggingface_hub import constants

    cache = tmp_path / "hub" / "models--someone--tiny"
    for revision, commit in COMMITS.items():
        (cache / "refs").mkdir(parents=True, exist_ok=True)
        (cache / "refs" / revision).write_text(commit)
        shutil.copytree(saved, cache / "snapshots" / commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return cache


def rows(extractor):
    frames = np.random.default_rng(0).integers(0, 256, (20, *extractor.image_size, 3)).astype(np.uint8)
    return np.concatenate(list(extractor.rows(frames)))


def test_motion_by_name_and_again_by_its_origin():
    extractor = make_extractor("motion", device="cuda")
    assert isinstance(extractor, Motion)
    origin = origin_of(extractor, Fraction(15))
    assert origin == FeatureOrigin(
        extractor="motion", version="1", dimension=376, clip_length=9, fps="15", sample_rate=1
    )
    assert isinstance(extractor_of(origin), Motion)


def test_motion_runs_without_transformers_and_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert rows(make_extractor("motion")).shape == (20, 376)


def test_a_folder_by_its_path_and_again_by_its_origin(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    extractor = make_extractor("model", device="cpu")
    assert isinstance(extractor, PretrainedExtractor)
    assert extractor.name == str(folder)
    assert extractor.sample_rate == 2  # a quarter of the clip
    origin = origin_of(extractor, Fraction(15))
    monkeypatch.chdir("/")
    again = extractor_of(origin, device="cpu")
    assert origin_of(again, Fraction(15)) == origin
    assert np.array_equal(rows(again), rows(extractor))


def test_the_sample_rate_is_kept(folder):
    extractor = make_extractor(str(folder), sample_rate=5, device="cpu")
    assert rows(extractor).shape == (4, 24)
    assert extractor_of(origin_of(extractor, Fraction(10)), device="cpu").sample_rate == 5


@pytest.mark.parametrize(("revision", "commit"), [(None, "a" * 40), ("v2", "b" * 40), ("b" * 40, "b" * 40)])
def test_a_published_model_is_pinned_by_its_commit(hub, revision, commit):
    extractor = make_extractor("someone/tiny", revision=revision, device="cpu")
    assert (extractor.name, dict(extractor.options)) == ("someone/tiny", {"revision": commit})
    (hub / "refs" / "main").write_text("c" * 40)  # the owner publishes another one
    again = extractor_of(origin_of(extractor, Fraction(15)), device="cpu")
    assert np.array_equal(rows(again), rows(extractor))


@pytest.mark.parametrize(
    ("name", "revision", "command"),
    [
        ("someone/other", None, "hf download someone/other$"),
        ("someone/tiny", "v3", "hf download someone/tiny --revision v3$"),
        ("someone/tiny", "d" * 40, f"hf download someone/tiny --revision {'d' * 40}$"),
    ],
)
def test_the_error_for_a_model_outside_the_cache_gives_the_command_to_fetch_it(hub, name, revision, command):
    with pytest.raises(DataError, match=f"not in the cache and cannot be fetched .*run: {command}"):
        make_extractor(name, revision=revision)


def test_a_published_model_with_pickles_only_is_refused(hub):
    snapshot = hub / "snapshots" / COMMITS["main"]
    (snapshot / "model.safetensors").rename(snapshot / "pytorch_model.bin")
    with pytest.raises(DataError, match="which can run code when read; take a revision with safetensors"):
        make_extractor("someone/tiny")


@pytest.mark.parametrize("error", ["GatedRepoError", "RepositoryNotFoundError", "RevisionNotFoundError"])
def test_answers_of_the_hub_are_explained(monkeypatch, error):
    import huggingface_hub
    from huggingface_hub import errors

    def refuse(*_, **__):
        raise getattr(errors, error).__new__(getattr(errors, error))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    expected = {
        "GatedRepoError": (DataError, "you accept the terms; do so on https://huggingface.co/someone/tiny"),
        "RepositoryNotFoundError": (ConfigError, "no public model of this name"),
        "RevisionNotFoundError": (ConfigError, "no revision 'v9'; give a branch, tag or commit"),
    }
    kind, message = expected[error]
    with pytest.raises(kind, match=message):
        make_extractor("someone/tiny", revision="v9")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("motoin", r"no extractor 'motoin' \(did you mean 'motion'\?\); possible: motion, poses, an existing folder"),
        ("dinov2-small", r"did you mean 'facebook/dinov2-small'\?"),
        ("/no/such/folder", "no extractor '/no/such/folder'; possible: motion, poses, an existing folder with a model"),
        ("https://huggingface.co/facebook/dinov2-small", "no extractor 'https://"),
        ("", "no extractor ''"),
    ],
)
def test_unknown_names_are_refused(name, message):
    with pytest.raises(ConfigError, match=message):
        make_extractor(name)


def test_suggested_models_have_names_of_the_hub(hub):
    for name in SUGGESTED:
        with pytest.raises(DataError, match=f"run: hf download {name}$"):
            make_extractor(name)


def test_wrong_options_are_refused(folder):
    with pytest.raises(ConfigError, match="sample_rate must be at least 1, got 0"):
        make_extractor(str(folder), sample_rate=0, device="cpu")
    with pytest.raises(ConfigError, match="motion takes no sample_rate; it has one version, and one row per frame"):
        make_extractor("motion", sample_rate=4)
    with pytest.raises(ConfigError, match="motion takes no revision"):
        make_extractor("motion", revision="main")
    with pytest.raises(ConfigError, match="a local folder has no revision"):
        make_extractor(str(folder), revision="main")


def test_features_of_another_version_of_motion_are_refused():
    origin = origin_of(Motion(), Fraction(15)).model_copy(update={"version": "0"})
    with pytest.raises(DataError, match=r"made with motion version 0, .* here motion has version 1, not 0: use the"):
        extractor_of(origin)


def test_a_folder_that_moved_is_the_same_model(folder, tmp_path):
    origin = origin_of(make_extractor(str(folder), device="cpu"), Fraction(15))
    moved = folder.rename(tmp_path / "elsewhere")
    assert origin_of(extractor_of(origin, "cpu", moved), Fraction(15)) == origin
    save_model(tmp_path / "another", 5)
    with pytest.raises(DataError, match="use the keyseg and the model that made them"):
        extractor_of(origin, "cpu", tmp_path / "another")


def test_a_missing_folder_and_one_with_another_model_are_refused(folder):
    origin = origin_of(make_extractor(str(folder), device="cpu"), Fraction(15))
    shutil.rmtree(folder)
    with pytest.raises(DataError, match="there is no such folder on this machine; put the model's folder there"):
        extractor_of(origin)
    save_model(folder, 1)
    with pytest.raises(DataError, match=r"has options .*sha256"):
        extractor_of(origin, device="cpu")


def test_without_the_extra_the_error_says_what_to_install(hub, folder, monkeypatch):
    origin = origin_of(make_extractor("someone/tiny", device="cpu"), Fraction(15))
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"pip install \"keyseg\[backbones\]\""):
        extractor_of(origin)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ConfigError, match=r"pip install \"keyseg\[backbones\]\""):
        make_extractor("someone/tiny")
