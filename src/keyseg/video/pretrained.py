"""Pretrained video and image models from transformers as feature extractors (extra `backbones`)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from keyseg.timeline import ConfigError, DataError, nearest
from keyseg.timeline.extras import extra
from keyseg.video.extractor import Image, Rows, checked_frames
from keyseg.video.model_folder import ModelFolder

if TYPE_CHECKING:
    import torch

_FRAMES_AT_ONCE = 64
# Weights that pooled features do not use; some published files lack them.
_UNUSED = ("predictor.", "mask_token", "text_model.", "logit_scale", "logit_bias")


@dataclass(frozen=True)
class Family:
    """How features are computed with one kind of model.

    pooled: features (B, D) from the network and pictures (B, L, 3, H, W). length: the config key of the number of
    frames in a clip, None for models of single pictures. size: the config key of the height and width. any_size: the
    preprocessor's size takes precedence over it.
    """

    pooled: Callable[[Any, torch.Tensor], torch.Tensor]
    length: str | None = None
    size: str = "image_size"
    any_size: bool = False


def _siglip(network: Any, pictures: torch.Tensor) -> torch.Tensor:
    output = network(pixel_values=pictures[:, 0])
    pooled: torch.Tensor = output.last_hidden_state.mean(1) if output.pooler_output is None else output.pooler_output
    return pooled


# By `model_type` in config.json. Means are over all patch tokens. The pooler of DINO is its CLS token after the last
# norm; that of SigLIP is its attention pool, or the mean over patches if a model has none.
FAMILIES = {
    "videomae": Family(
        lambda network, clips: network(pixel_values=clips).last_hidden_state.mean(1), length="num_frames"
    ),
    "vjepa2": Family(
        lambda network, clips: network(pixel_values_videos=clips, skip_predictor=True).last_hidden_state.mean(1),
        length="frames_per_clip",
        size="crop_size",
    ),
    **dict.fromkeys(
        ("dinov2", "dinov2_with_registers", "dinov3_vit"),
        Family(lambda network, pictures: network(pixel_values=pictures[:, 0]).pooler_output, any_size=True),
    ),
    **dict.fromkeys(("siglip", "siglip_vision_model"), Family(_siglip)),
}


class PretrainedExtractor:
    """A pretrained model on clips of `clip_length` frames (1: single pictures), one row every `sample_rate` frames.

    The clip of a row is centred on the row's frames; the first and last frame are repeated beyond the ends. Numbers are
    float32; on CUDA mixed with bfloat16, or float16 if the GPU has no bfloat16. name: as the user gave it. sample_rate:
    None is a quarter of the clip, at least 1. device: None is CUDA if available. batch: clips at once, which does not
    change the rows.
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
        """Load the model. Raises ConfigError on an unknown family or a wrong option, DataError on bad files."""
        for option, value in (("sample_rate", sample_rate), ("batch", batch)):
            if value is not None and value < 1:
                raise ConfigError(f"{option} must be at least 1, got {value}")
        self._family = _family(folder.path, folder.config)
        self._device = _device(device)
        self._network = _load(folder.path).to(self._device)
        config = self._network.config
        mean, std, size = folder.preprocessing()
        self.name = name
        self.options: Mapping[str, str] = folder.origin
        self.dimension = int(config.hidden_size)
        self.clip_length = int(getattr(config, self._family.length)) if self._family.length else 1
        self.sample_rate = max(1, self.clip_length // 4) if sample_rate is None else sample_rate
        self.image_size = _image_size(folder.path, config, self._family, size)
        self._batch = batch or max(1, _FRAMES_AT_ONCE // self.clip_length)
        self._mean = np.array(mean, np.float32) * 255
        self._std = np.array(std, np.float32) * 255

    def rows(self, frames: Iterable[Image]) -> Iterator[Rows]:
        """Features of N frames in blocks (n, D), ceil(N / sample_rate) rows in all.

        Raises ConfigError on frames of another size.
        """
        ready = clips(checked_frames(self, frames), self.clip_length, self.sample_rate)
        while block := list(islice(ready, self._batch)):
            yield self._features(np.stack(block))

    def _features(self, images: Image) -> Rows:
        """(B, D) of clips (B, L, H, W, 3)."""
        import torch

        with torch.inference_mode():
            pictures = torch.from_numpy(images).to(self._device)
            mean, std = (torch.from_numpy(part).to(self._device) for part in (self._mean, self._std))
            scaled = ((pictures.float() - mean) / std).permute(0, 1, 4, 2, 3).contiguous()
            dtype = None
            if self._device.type == "cuda":
                brain = torch.cuda.is_bf16_supported(including_emulation=False)
                dtype = torch.bfloat16 if brain else torch.float16
            with torch.autocast(self._device.type, dtype=dtype, enabled=dtype is not None):
                pooled = self._family.pooled(self._network, scaled)
            return np.asarray(pooled.float().cpu().numpy(), np.float32)


def clips(frames: Iterable[Image], length: int, sample_rate: int) -> Iterator[Image]:
    """Clips (L, H, W, 3), one per row, centred on its frames; the first and last frame are repeated beyond the ends.

    Clip j starts at frame j * sample_rate + sample_rate // 2 - length // 2. Holds about length + sample_rate frames.
    """
    held: deque[Image] = deque()
    source, begin = iter(frames), 0  # begin: number of the first held frame
    for row in count():
        first = row * sample_rate + sample_rate // 2 - length // 2
        held.extend(islice(source, max(0, max(first + length, row * sample_rate + 1) - begin - len(held))))
        end = begin + len(held)
        if end <= row * sample_rate:
            return
        wanted = np.clip(np.arange(first, first + length), 0, end - 1)
        yield np.stack([held[number - begin] for number in wanted])
        # The last frame is kept: it may have to be repeated.
        while len(held) > 1 and begin < first + sample_rate:
            held.popleft()
            begin += 1


def _family(path: Path, config: dict[str, Any]) -> Family:
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in FAMILIES:
        raise ConfigError(
            f"{path}: models of type {kind!r} are not supported{nearest(str(kind), FAMILIES)};"
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
    """The network in a checked folder: from safetensors only, without running the folder's code, without gradients."""
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
                attn_implementation="sdpa",  # a folder may name another one, which would be downloaded and run
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported below
            )
    except Exception as error:  # whatever a damaged file makes transformers raise
        raise DataError(f"{path}: the model cannot be loaded ({type(error).__name__}: {error})") from error
    lacking = {*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])}
    lacking = {key for key in lacking if not any(part in key for part in _UNUSED)}
    if lacking:
        raise DataError(
            f"{path}: {len(lacking)} weights are missing or have another size, such as {min(lacking)}; expected the"
            " complete model that config.json describes: fetch it again"
        )
    # Only the vision part of SigLIP is kept.
    return getattr(network, "vision_model", network).eval().requires_grad_(False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the progress bar of transformers and its table of unused weights."""
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
    size = preferred if family.any_size and preferred else _pair(getattr(config, family.size))
    patch = _pair(config.patch_size)
    if size[0] % patch[0] or size[1] % patch[1]:
        raise DataError(f"{path}: the picture size {size} is not a whole number of patches of {patch}")
    return size


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])
