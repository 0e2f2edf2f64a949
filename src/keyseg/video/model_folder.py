"""The folder of a pretrained model: where it is, whether it is safe and complete, and what its JSON files contain."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keyseg.timeline import ConfigError, DataError
from keyseg.timeline.extras import extra
from keyseg.timeline.json_text import read_object

_CONFIG = "config.json"
_WEIGHTS, _INDEX = "model.safetensors", "model.safetensors.index.json"
_PREPROCESSORS = ("video_preprocessor_config.json", "preprocessor_config.json")
_NEEDED = [_CONFIG, *_PREPROCESSORS, _INDEX, _WEIGHTS, "model-*.safetensors"]
_IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ModelFolder:
    """A folder with config.json and safetensors weights. origin: identifies its content, for FeatureOrigin.options."""

    path: Path
    origin: dict[str, str]

    @property
    def config(self) -> dict[str, Any]:
        """config.json. Raises DataError."""
        return _json_object(self.path / _CONFIG)

    def preprocessing(self) -> tuple[tuple[float, ...], tuple[float, ...], tuple[int, int] | None]:
        """Mean and deviation of red, green and blue between 0 and 1, ImageNet's by default, and the size (H, W) of the
        pictures if the preprocessor gives one.

        Raises DataError.
        """
        file = next((self.path / name for name in _PREPROCESSORS if (self.path / name).is_file()), None)
        if file is None:
            return *_IMAGENET, None
        values = _json_object(file)
        mean, std = _triple(file, values, "image_mean", _IMAGENET[0]), _triple(file, values, "image_std", _IMAGENET[1])
        if not values.get("do_normalize", True):
            mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        if min(std) <= 0:
            raise DataError(f"{file}: image_std must be above 0, got {values['image_std']}")
        cropped = values.get("crop_size") if values.get("do_center_crop", "crop_size" in values) else None
        return mean, std, _sides(cropped) or _sides(values.get("size"))


def local_folder(path: Path) -> ModelFolder:
    """A model's folder on this machine, identified by the SHA-256 of its files. Raises DataError."""
    files = _checked_files(path)
    digest = hashlib.sha256()
    for file in files:
        digest.update(f"{file.name}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as stream:
            hashlib.file_digest(stream, lambda: digest)
    return ModelFolder(path, {"sha256": digest.hexdigest()})


def hub_folder(name: str, revision: str | None) -> ModelFolder:
    """The cached folder of a Hugging Face model, downloaded if necessary, identified by its commit.

    revision: a branch, tag or commit; None for the newest. Honours HF_HUB_OFFLINE and the other settings of the hub's
    library. Raises ConfigError if the name or revision does not exist or the extra is missing, DataError if the model
    cannot be downloaded or has no safetensors weights.
    """
    with extra("backbones", "a published model"):
        from huggingface_hub import snapshot_download
        from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError, RevisionNotFoundError
    pinned = f" --revision {revision}" if revision else ""
    try:
        path = Path(snapshot_download(name, revision=revision, allow_patterns=_NEEDED))
    except GatedRepoError as error:
        raise DataError(
            f"{name}: its owner requires that you accept the terms; do so on https://huggingface.co/{name}, then run:"
            " hf auth login"
        ) from error
    except RepositoryNotFoundError as error:
        raise ConfigError(
            f"{name}: Hugging Face has no public model of this name; if it is private, run: hf auth login"
        ) from error
    except RevisionNotFoundError as error:
        raise ConfigError(f"{name}: the model has no revision {revision!r}; give a branch, tag or commit") from error
    except Exception as error:  # of the hub's library, of the one below it, of the disk
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise DataError(
            f"{name}: the model is not in the cache and cannot be fetched ({reason});"
            f" on a machine with network, and HF_HUB_OFFLINE not set, run: hf download {name}{pinned}"
        ) from error
    _checked_files(path)
    return ModelFolder(path, {"revision": path.name})  # the cache names its folders by commit


def _checked_files(path: Path) -> list[Path]:
    """The files that decide the numbers, config first. Raises DataError unless all weights are safetensors."""
    config = path / _CONFIG
    if not config.is_file():
        raise DataError(f"{path}: no {_CONFIG} in this folder; expected one written by save_pretrained of transformers")
    if (path / "adapter_config.json").exists() or "transformers_weights" in _json_object(config):
        raise DataError(f"{path}: refers to weights elsewhere; expected a complete model with its own {_WEIGHTS}")
    if (path / _WEIGHTS).is_file():
        weights = [path / _WEIGHTS]
    elif (path / _INDEX).is_file():
        parts = _json_object(path / _INDEX).get("weight_map")
        names = sorted({str(part) for part in parts.values()}) if isinstance(parts, dict) else []
        unsafe = [name for name in names if Path(name).name != name or not name.endswith(".safetensors")]
        if unsafe or not names:
            raise DataError(f"{path / _INDEX}: expected names of .safetensors files beside it, got {unsafe or names}")
        weights = [path / _INDEX, *(path / name for name in names)]
        missing = [file.name for file in weights if not file.is_file()]
        if missing:
            raise DataError(f"{path}: weights are missing: {', '.join(missing)}; fetch the model again")
    else:
        others = sorted(file.name for file in path.iterdir() if file.suffix in (".bin", ".pt", ".pth", ".ckpt", ".h5"))
        has = f"only {', '.join(others)}, which can run code when read" if others else "no weights"
        raise DataError(
            f"{path}: expected {_WEIGHTS}, got {has}; take a revision with safetensors or, if you trust the"
            " model, load it in transformers and write it with save_pretrained"
        )
    return [config, *(path / name for name in _PREPROCESSORS if (path / name).is_file()), *weights]


def _json_object(path: Path) -> dict[str, Any]:
    return read_object(path, "settings of a model of transformers", advice="fetch the model again")


def _triple(path: Path, content: dict[str, Any], key: str, default: tuple[float, ...]) -> tuple[float, ...]:
    values = content.get(key, default)
    numbers = isinstance(values, list | tuple) and all(type(value) in (int, float) for value in values)
    if not numbers or len(values) != 3 or not all(map(math.isfinite, values)):
        raise DataError(f"{path}: {key} must be three numbers, for red, green and blue, got {values}")
    return tuple(float(value) for value in values)


def _sides(size: Any) -> tuple[int, int] | None:
    """(height, width) from a preprocessor's size, a number or an object; None if it does not give both."""
    if isinstance(size, dict):
        edge = size.get("shortest_edge")
        size = (size.get("height", edge), size.get("width", edge))
    elif not isinstance(size, list | tuple):
        size = (size, size)
    if len(size) == 2 and all(isinstance(side, int) and side > 0 for side in size):
        return size[0], size[1]
    return None
