"""Pretrained models as extractors: the rows of tiny random models of the real classes, against a hand computation."""

from __future__ import annotations

import json
import logging
import pickle
import shutil
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from keyseg.timeline import ConfigError, DataError
from keyseg.video.model_folder import local_folder
from keyseg.video.pretrained import PretrainedExtractor, clips

pytestmark = pytest.mark.slow

transformers = pytest.importorskip("transformers")

IMAGENET = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 48}


def videomae():
    config = transformers.VideoMAEConfig(image_size=32, patch_size=16, num_frames=4, **SMALL)
    return transformers.VideoMAEModel(config)


def vjepa2():
    predictor = {"pred_hidden_size": 24, "pred_num_attention_heads": 2, "pred_num_hidden_layers": 1}
    sizes = {"hidden_size": 36, "num_hidden_layers": 2, "num_attention_heads": 3, "num_pooler_layers": 1}
    config = transformers.VJEPA2Config(crop_size=32, frames_per_clip=8, mlp_ratio=2, **sizes, **predictor)
    return transformers.VJEPA2Model(config)


def dinov2():
    config = transformers.Dinov2Config(
        image_size=42, patch_size=14, hidden_size=24, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2
    )
    return transformers.Dinov2Model(config)


def dinov3():
    config = transformers.DINOv3ViTConfig(image_size=48, patch_size=16, num_register_tokens=2, **SMALL)
    return transformers.DINOv3ViTModel(config)


def siglip_vision(**more):
    return transformers.SiglipVisionModel(
        transformers.SiglipVisionConfig(image_size=32, patch_size=16, **SMALL, **more)
    )


def siglip():
    text = {"vocab_size": 8, "bos_token_id": 1, "eos_token_id": 2, **SMALL}
    config = transformers.SiglipConfig(vision_config={"image_size": 32, "patch_size": 16, **SMALL}, text_config=text)
    return transformers.SiglipModel(config)


def headless():
    return siglip_vision(vision_use_head=False)


# The features of one clip (1, L, 3, H, W), computed by hand.
BY_HAND = {
    videomae: lambda model, clip: model(clip).last_hidden_state.mean(1),
    vjepa2: lambda model, clip: model(clip).predictor_output.target_hidden_state.mean(1),
    dinov2: lambda model, clip: model(clip[:, 0]).last_hidden_state[:, 0],
    dinov3: lambda model, clip: model(clip[:, 0]).last_hidden_state[:, 0],
    siglip_vision: lambda model, clip: model(clip[:, 0]).pooler_output,
    siglip: lambda model, clip: model.get_image_features(clip[:, 0]).pooler_output,
    headless: lambda model, clip: model(clip[:, 0]).last_hidden_state.mean(1),
}
PROPERTIES = {
    videomae: (32, 4, 1, (32, 32)),
    vjepa2: (36, 8, 2, (32, 32)),
    dinov2: (24, 1, 1, (42, 42)),
    dinov3: (32, 1, 1, (48, 48)),
    siglip_vision: (32, 1, 1, (32, 32)),
    siglip: (32, 1, 1, (32, 32)),
    headless: (32, 1, 1, (32, 32)),
}
families = pytest.mark.parametrize("family", BY_HAND, ids=lambda family: family.__name__)


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Each model and the folder that it was saved to."""
    root = tmp_path_factory.mktemp("models")
    made = {}
    for number, family in enumerate(BY_HAND):
        torch.manual_seed(number)
        model = family().eval()
        with torch.no_grad():  # far from zero, so that every part counts
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn_like(parameter))
        folder = root / family.__name__
        model.save_pretrained(folder)
        made[family] = model, folder
    return made


@pytest.fixture
def folder(folders, tmp_path):
    """A copy of the folder of DINOv2, to be damaged."""
    return shutil.copytree(folders[dinov2][1], tmp_path / "model")


def backbone(folder, **options):
    return PretrainedExtractor("tiny", local_folder(folder), device="cpu", **options)


def frames_for(extractor, count, seed=0):
    shape = (count, *extractor.image_size, 3)
    return list(np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8))


def rows(extractor, frames):
    return np.concatenate([np.zeros((0, extractor.dimension), np.float32), *extractor.rows(frames)])


def by_hand(family, model, frames, length, sample_rate, mean=IMAGENET[0], std=IMAGENET[1]):
    out = []
    for row in range(-(-len(frames) // sample_rate)):
        first = row * sample_rate + sample_rate // 2 - length // 2
        clip = [frames[min(max(number, 0), len(frames) - 1)] for number in range(first, first + length)]
        pixels = (np.stack(clip).astype(np.float32) / 255 - mean) / std
        with torch.no_grad():
            out.append(BY_HAND[family](model, torch.from_numpy(pixels.transpose(0, 3, 1, 2)[None]).float())[0].numpy())
    return np.stack(out)


@families
def test_dimension_and_clip_are_read_from_the_config(folders, family):
    result = backbone(folders[family][1])
    assert (result.dimension, result.clip_length, result.sample_rate, result.image_size) == PROPERTIES[family]


@families
@pytest.mark.parametrize("sample_rate", [None, 3])
def test_rows_are_the_models_features_of_the_clips(folders, family, sample_rate):
    model, folder = folders[family]
    extractor = backbone(folder, sample_rate=sample_rate)
    frames = frames_for(extractor, 11)
    wanted = by_hand(family, model, frames, extractor.clip_length, extractor.sample_rate)
    result = rows(extractor, frames)
    assert result.dtype == np.float32
    assert result.shape == (-(-11 // extractor.sample_rate), extractor.dimension)
    assert np.allclose(result, wanted, atol=2e-5)
    assert np.std(result, axis=0).min() > 1e-4  # frames differ and so do rows


@families
def test_batches_do_not_matter(folders, family):
    extractor = backbone(folders[family][1], batch=1)
    frames = frames_for(extractor, 7)
    for batch in (2, 3, 100):
        blocks = list(backbone(folders[family][1], batch=batch).rows(frames))
        assert max(map(len, blocks)) <= batch
        assert np.allclose(np.concatenate(blocks), rows(extractor, frames), atol=1e-5)


@families
def test_the_network_is_frozen(folders, family):
    extractor = backbone(folders[family][1])
    network = extractor._network
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_only_the_vision_part_of_siglip_is_kept(folders):
    assert not any("text" in name for name, _ in backbone(folders[siglip][1])._network.named_parameters())


def test_a_video_without_frames_has_no_rows(folders):
    assert rows(backbone(folders[videomae][1]), []).shape == (0, 32)


def test_weights_of_a_classifier_work_too(folders, tmp_path):
    config = transformers.VideoMAEConfig(image_size=32, patch_size=16, num_frames=4, num_labels=3, **SMALL)
    model = transformers.VideoMAEForVideoClassification(config).eval()
    model.save_pretrained(tmp_path / "model")
    extractor = backbone(tmp_path / "model")
    frames = frames_for(extractor, 3)
    assert np.allclose(rows(extractor, frames), by_hand(videomae, model.videomae, frames, 4, 1), atol=2e-5)


def test_weights_in_parts_are_read_and_hashed(folders, tmp_path):
    model, folder = folders[dinov2]
    model.save_pretrained(tmp_path / "parts", max_shard_size="20KB")
    assert (tmp_path / "parts" / "model.safetensors.index.json").exists()
    extractor = backbone(tmp_path / "parts")
    frames = frames_for(extractor, 2)
    assert np.array_equal(rows(extractor, frames), rows(backbone(folder), frames))
    last = sorted((tmp_path / "parts").glob("model-*.safetensors"))[-1]
    last.unlink()
    with pytest.raises(DataError, match=f"weights are missing: {last.name}; fetch the model again"):
        local_folder(tmp_path / "parts")


PREPROCESSORS = [
    ({"image_mean": [0.5, 0.4, 0.3], "image_std": [0.1, 0.2, 0.3]}, [0.5, 0.4, 0.3], [0.1, 0.2, 0.3], (42, 42)),
    ({"do_normalize": False, "image_mean": [0.5] * 3}, [0.0] * 3, [1.0] * 3, (42, 42)),
    ({"size": {"height": 28, "width": 56}}, *IMAGENET, (28, 56)),
    ({"size": {"shortest_edge": 56}, "crop_size": {"height": 28, "width": 28}}, *IMAGENET, (28, 28)),
    ({"size": {"shortest_edge": 56}, "crop_size": 28, "do_center_crop": False}, *IMAGENET, (56, 56)),
    ({"size": {"max_height": 14}}, *IMAGENET, (42, 42)),
]


@pytest.mark.parametrize(("content", "mean", "std", "size"), PREPROCESSORS)
def test_the_preprocessor_of_the_folder_is_used(folders, folder, content, mean, std, size):
    (folder / "preprocessor_config.json").write_text(json.dumps(content))
    extractor = backbone(folder)
    assert extractor.image_size == size
    frames = frames_for(extractor, 3)
    wanted = by_hand(dinov2, folders[dinov2][0], frames, 1, 1, np.array(mean), np.array(std))
    assert np.allclose(rows(extractor, frames), wanted, atol=2e-4)


def test_a_model_of_one_size_keeps_it(folders, tmp_path):
    folder = shutil.copytree(folders[videomae][1], tmp_path / "model")
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": {"shortest_edge": 64}}))
    assert backbone(folder).image_size == (32, 32)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"image_mean": [0.5, 0.5]}, "image_mean must be three numbers"),
        ({"image_mean": "0.5"}, "image_mean must be three numbers"),
        ({"image_std": [1, 0, 1]}, "image_std must be above 0"),
        ({"image_std": [1, float("nan"), 1]}, "NaN is not a number"),
        (
            {"size": {"height": 30, "width": 42}},
            r"size \(30, 42\) is not a whole number of patches of \(14, 14\)",
        ),
        ([], r"expected an object, got \[\]"),
    ],
)
def test_a_preprocessor_that_makes_no_sense_is_refused(folder, content, message):
    (folder / "preprocessor_config.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        backbone(folder)


class Explodes:
    def __reduce__(self):
        return (pytest.fail, ("a pickle was read",))


def test_pickled_weights_are_refused_and_not_read(folder):
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Explodes()))
    with pytest.raises(
        DataError, match=r"expected model\.safetensors, got only pytorch_model\.bin, which can run code"
    ):
        backbone(folder)


def test_pickled_weights_beside_safetensors_are_not_read(folders, folder):
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Explodes()))
    extractor = backbone(folder)
    frames = frames_for(extractor, 2)
    assert np.array_equal(rows(extractor, frames), rows(backbone(folders[dinov2][1]), frames))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "../model.safetensors", "/tmp/model.safetensors"])
def test_an_index_names_only_safetensors_beside_it(folder, name):
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(DataError, match=r"expected names of \.safetensors files beside it"):
        backbone(folder)


def test_code_in_a_folder_is_not_run(folder):
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    config["attn_implementation"] = config["_attn_implementation"] = "someone/kernel"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('code of a folder was run')")
    extractor = backbone(folder)
    assert type(extractor._network) is transformers.Dinov2Model
    assert extractor._network.config._attn_implementation == "sdpa"


def test_weights_that_lie_elsewhere_are_refused(folder):
    config = (folder / "config.json").read_text()
    (folder / "config.json").write_text(json.dumps(json.loads(config) | {"transformers_weights": "other.bin"}))
    with pytest.raises(DataError, match="refers to weights elsewhere"):
        backbone(folder)
    (folder / "config.json").write_text(config)
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/else"}')
    with pytest.raises(DataError, match="refers to weights elsewhere"):
        backbone(folder)


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "dinov"}, r"type 'dinov' are not supported \(did you mean 'dinov2'\?\); possible: videomae"),
        ({"model_type": "bert"}, "type 'bert' are not supported; possible: videomae, vjepa2, dinov2"),
        ({"model_type": None}, "type None are not supported"),
    ],
)
def test_another_family_is_refused(folder, changes, message):
    change_config(folder, **changes)
    with pytest.raises(ConfigError, match=message):
        backbone(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"hidden_size": 48},
            r"weights are missing or have another size, such as embeddings\.cls_token;",
        ),
        ({"hidden_size": "many"}, "the model cannot be loaded"),
        ({"num_hidden_layers": 3}, "weights are missing or have another size"),
        ({"model_type": "videomae"}, "weights are missing or have another size"),
    ],
)
def test_weights_of_another_model_are_refused(folder, changes, message):
    change_config(folder, **changes)
    with pytest.raises(DataError, match=message):
        backbone(folder)


def test_damaged_files_are_refused(folder):
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="the model cannot be loaded"):
        backbone(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(DataError, match=r"config\.json:1: not JSON"):
        backbone(folder)
    (folder / "config.json").unlink()
    with pytest.raises(DataError, match=r"no config\.json in this folder; expected one written by save_pretrained"):
        backbone(folder)


def test_the_hash_of_a_folder_is_of_its_content(folders, folder):
    first = local_folder(folder).origin
    assert first == local_folder(folders[dinov2][1]).origin
    (folder / "README.md").write_text("about")
    assert local_folder(folder).origin == first
    (folder / "preprocessor_config.json").write_text("{}")
    second = local_folder(folder).origin
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    assert len({first["sha256"], second["sha256"], local_folder(folder).origin["sha256"]}) == 3


def test_frames_of_another_size_are_refused(folders):
    extractor = backbone(folders[dinov2][1])
    with pytest.raises(ConfigError, match=r"tiny takes frames of shape \(42, 42, 3\), uint8 RGB, got \(40, 42, 3\)"):
        rows(extractor, [np.zeros((40, 42, 3), np.uint8)])


@pytest.mark.parametrize("options", [{"sample_rate": 0}, {"batch": -1}])
def test_sample_rates_and_batches_are_positive(folders, options):
    with pytest.raises(ConfigError, match="at least 1"):
        backbone(folders[dinov2][1], **options)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "meta:x"])
def test_a_missing_device_is_refused(folders, device):
    with pytest.raises(ConfigError, match=f"device '{device}' cannot be used here"):
        PretrainedExtractor("tiny", local_folder(folders[dinov2][1]), device=device)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@families
def test_a_gpu_gives_nearly_the_same(folders, family):
    folder = folders[family][1]
    frames = frames_for(backbone(folder), 9)
    there = rows(PretrainedExtractor("tiny", local_folder(folder), device="cuda"), frames)
    here = rows(backbone(folder), frames)
    assert there.dtype == np.float32
    assert np.abs(there - here).max() < 0.05 * np.abs(here).max()


def test_without_the_extra_the_error_says_what_to_install(folders, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ConfigError, match=r"pip install \"keyseg\[backbones\]\""):
        backbone(folders[dinov2][1])


def test_loading_is_silent(tmp_path, capsys):
    config = transformers.VideoMAEConfig(image_size=32, patch_size=16, num_frames=4, **SMALL)
    transformers.VideoMAEForVideoClassification(config).save_pretrained(tmp_path / "model")
    level, logged = transformers.logging.get_verbosity(), []
    handler = logging.Handler()
    handler.emit = logged.append
    logging.getLogger("transformers").addHandler(handler)
    capsys.readouterr()
    try:
        backbone(tmp_path / "model")  # which has a classifier, not used here
        assert (logged, *capsys.readouterr()) == ([], "", "")
        assert transformers.logging.get_verbosity() == level
        transformers.VideoMAEModel.from_pretrained(tmp_path / "model")
        assert logged  # so this test would notice
    finally:
        logging.getLogger("transformers").removeHandler(handler)


@given(st.integers(0, 40), st.integers(1, 12), st.integers(1, 12))
def test_clips_are_centred_and_repeat_the_ends(count, length, sample_rate):
    frames = [np.full((1, 1, 3), number, np.uint8) for number in range(count)]
    result = [clip[:, 0, 0, 0].tolist() for clip in clips(iter(frames), length, sample_rate)]
    wanted = []
    for row in range(-(-count // sample_rate)):
        first = row * sample_rate + sample_rate // 2 - length // 2
        wanted.append([min(max(number, 0), count - 1) for number in range(first, first + length)])
    assert result == wanted


@pytest.mark.parametrize(("length", "sample_rate"), [(16, 4), (4, 16), (1, 1), (1, 5)])
def test_clips_hold_few_frames(length, sample_rate):
    made = []

    def frames():
        for number in range(1000):
            made.append(number)
            yield np.zeros((1, 1, 3), np.uint8)

    ahead = [len(made) - row * sample_rate for row, _ in enumerate(clips(frames(), length, sample_rate))]
    assert max(ahead) <= length + sample_rate
    assert made == list(range(1000))
