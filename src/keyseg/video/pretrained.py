"""Pretrained video and image models of transformers as feature extractors (`pip install 'keyseg[backbones]'`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keyseg.timeline import ConfigError, DataError, nearest
from keyseg.timeline.extras import extra
from keyseg.video.extractor import Image, Rows
from keyseg.video.model_folder import ModelFolder

if TYPE_CHECKING:
    import torch

_FRAMES_AT_ONCE = 64
# Weights that pooled features never pass through; some published files lack them.
_UNUSED = ("predictor.", "mask_token", "text_model.", "logit_scale", "logit_bias")


@dataclass(frozen=True)
class Family:
    """How a kind of model is asked.

    pooled: features (B, D) of the network and of pictures (B, L, 3, H, W). length: the setting that holds the frames of
    a clip, None for models of single pictures. size: the setting that holds the height and width. any_size: the size
    that the preprocessor says goes before it.
    """

    pooled: Callable[[Any, torch.Tensor], torch.Tensor]
    length: str | None = None
    size: str = "image_size"
    any_size: bool = False


def _videomae(network: Any, clips: torch.Tensor) -> torch.Tensor:
    return network(pixel_values=clips).last_hidden_state.mean(1)


def _vjepa2(network: Any, clips: torch.Tensor) -> torch.Tensor:
    return network(pixel_values_videos=clips, skip_predictor=True).last_hidden_state.mean(1)


def _pooler(network: Any, pictures: torch.Tensor) -> torch.Tensor:
    return network(pixel_values=pictures[:, 0]).pooler_output


def _siglip(network: Any, pictures: torch.Tensor) -> torch.Tensor:
    seen = network(pixel_values=pictures[:, 0])
    return seen.last_hidden_state.mean(1) if seen.pooler_output is None else seen.pooler_output


# By `model_type` of config.json. Means are over all patch tokens; the pooler of DINO is its CLS token after the last
# norm, that of SigLIP its attention pool, with a mean over patches where a model has none.
FAMILIES = {
    "videomae": Family(_videomae, length="num_frames"),
    "vjepa2": Family(_vjepa2, length="frames_per_clip", size="crop_size"),
    "dinov2": Family(_pooler, any_size=True),
    "dinov2_with_registers": Family(_pooler, any_size=True),
    "dinov3_vit": Family(_pooler, any_size=True),
    "siglip": Family(_siglip),
    "siglip_vision_model": Family(_siglip),
}


class PretrainedExtractor:
    """A pretrained model, asked about clips of `clip_length` frames (1: single pictures), a row every `sample_rate` frames.

    The clip of a row is centred on the row's frames; the first and last frame repeat beyond the ends. float32; on CUDA
    mixed with bfloat16, or float16 where the GPU has no bfloat16. name: as the user gave it. sample_rate: None is a quarter
    of the clip, at least 1. device: None is CUDA where there is one. batch: clips at once; rows do not depend on it.
    """

    version = "1"

    def __init__(
        self,
        name: str,
        folder: ModelFolder,
        *,
        sample_rate: int | None = None,
        device: str | None = None,
        batch: int | None = None,
    ) -> None:
        """Load the model. Raises ConfigError on a family, sample_rate or device that will not do, DataError on its files."""
        said = folder.config
        self._family = _family(folder.path, said)
        self._device = _device(device)
        self._network = _load(folder.path).to(self._device)
        config = self._network.config
        preprocessing = folder.preprocessing()
        self.name = name
        self.options: Mapping[str, str] = folder.origin
        self.dimension = int(config.hidden_size)
        self.clip_length = int(getattr(config, self._family.length)) if self._family.length else 1
        self.sample_rate = max(1, self.clip_length // 4) if sample_rate is None else sample_rate
        self.image_size = _image_size(folder.path, config, self._family, preprocessing.size)
        self._batch = batch or max(1, _FRAMES_AT_ONCE // self.clip_length)
        if self.sample_rate < 1 or self._batch < 1:
            raise ConfigError(f"sample_rate and batch are at least 1, got {self.sample_rate} and {self._batch}")
        self._mean = np.array(preprocessing.mean, np.float32) * 255
        self._std = np.array(preprocessing.std, np.float32) * 255

    def rows(self, frames: Iterable[Image]) -> Iterator[Rows]:
        """Features of N frames in blocks (n, D), ceil(N / sample_rate) rows in all.

        Raises ConfigError on frames of another size, DataError where the model gives NaN or infinity.
        """
        ready = clips(self._checked(frames), self.clip_length, self.sample_rate)
        first = 0
        while block := list(islice(ready, self._batch)):
            rows = self._features(np.stack(block))
            finite = np.isfinite(rows).all(1)
            if not finite.all():
                row = first + int(np.argmin(finite))
                raise DataError(f"{self.name}: NaN or infinite features at row {row}; try another device or model")
            yield rows
            first += len(rows)

    def _features(self, images: Image) -> Rows:
        """(B, D) of clips (B, L, H, W, 3)."""
        import torch

        with torch.inference_mode():
            pictures = torch.from_numpy(images).to(self._device)
            mean, std = (torch.from_numpy(part).to(self._device) for part in (self._mean, self._std))
            scaled = ((pictures.float() - mean) / std).permute(0, 1, 4, 2, 3).contiguous()
            mixed = self._device.type == "cuda"
            kind = (
                torch.bfloat16 if mixed and torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
            )
            with torch.autocast(self._device.type, dtype=kind if mixed else None, enabled=mixed):
                pooled = self._family.pooled(self._network, scaled)
            return np.asarray(pooled.float().cpu().numpy(), np.float32)

    def _checked(self, frames: Iterable[Image]) -> Iterator[Image]:
        for number, frame in enumerate(frames):
            if frame.shape != (*self.image_size, 3) or frame.dtype != np.uint8:
                raise ConfigError(
                    f"{self.name} wants frames of shape {(*self.image_size, 3)}, uint8 RGB, got {frame.shape}"
                    f" {frame.dtype} at frame {number}; let the reader resize to image_size"
                )
            yield frame


def clips(frames: Iterable[Image], length: int, sample_rate: int) -> Iterator[Image]:
    """Clips (L, H, W, 3) centred on each sample_rate's frames; the first and last frame repeat beyond the ends.

    Clip j shows frames j * sample_rate + sample_rate // 2 - length // 2 and on. Holds about length + sample_rate frames.
    """
    held: deque[Image] = deque()
    source, begin = iter(frames), 0  # begin: number of the first frame that is held
    row = 0
    while True:
        first = row * sample_rate + sample_rate // 2 - length // 2
        held.extend(islice(source, max(0, max(first + length, row * sample_rate + 1) - begin - len(held))))
        end = begin + len(held)
        if end <= row * sample_rate:
            return
        wanted = np.clip(np.arange(first, first + length), 0, end - 1)
        yield np.stack([held[number - begin] for number in wanted])
        row += 1
        # The last frame stays: it may have to repeat.
        while len(held) > 1 and begin < first + sample_rate:
            held.popleft()
            begin += 1


def _family(path: Path, config: dict[str, Any]) -> Family:
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise ConfigError(
            f"{path}: a model of type {kind!r} has no features here{nearest(str(kind), FAMILIES)};"
            f" possible: {', '.join(FAMILIES)}"
        )
    return FAMILIES[kind]


def _device(name: str | None) -> torch.device:
    import torch

    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"device {name!r} cannot be used here ({str(error).splitlines()[0]}); try cpu") from error
    return device


def _load(path: Path) -> Any:
    """The network of a folder whose files were checked: safetensors only, none of the folder's code, no gradients."""
    with extra("backbones", "a pretrained model"):
        from transformers import AutoConfig, AutoModel
    import torch

    try:
        with _quiet():
            config = AutoConfig.from_pretrained(path, trust_remote_code=False, local_files_only=True)
            network, report = AutoModel.from_pretrained(
                path,
                config=config,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                dtype=torch.float32,
                attn_implementation="sdpa",  # a folder may name another one, which would be fetched and run
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported below
            )
    except Exception as error:  # whatever a damaged file makes transformers raise
        raise DataError(f"{path}: the model cannot be loaded ({type(error).__name__}: {error})") from error
    lacking = {*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])}
    lacking = {key for key in lacking if not any(part in key for part in _UNUSED)}
    if lacking:
        raise DataError(
            f"{path}: the weights lack {len(lacking)} parts or have them in another size, {min(lacking)} among them;"
            " expected all of the model that config.json describes: fetch it again"
        )
    # Of SigLIP only what sees is kept.
    return getattr(network, "vision_model", network).eval().requires_grad_(False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the progress bar of transformers and its table of weights that a family does not use."""
    from transformers.utils import logging

    bar, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def _image_size(path: Path, config: Any, family: Family, preferred: tuple[int, int] | None) -> tuple[int, int]:
    own = getattr(config, family.size)
    size = preferred if family.any_size and preferred else (own, own) if isinstance(own, int) else tuple(own)
    patch = config.patch_size
    height, width = (patch, patch) if isinstance(patch, int) else patch
    if size[0] % height or size[1] % width:
        raise DataError(f"{path}: pictures of {size} are no whole number of patches of {(height, width)}")
    return size[0], size[1]
