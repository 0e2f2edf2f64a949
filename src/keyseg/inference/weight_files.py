"""Weight files of strangers: nothing in them is executed, and anything but tensors is refused."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from keyseg.models.network import Network
from keyseg.timeline import BundleError, DataError
from keyseg.timeline.files import refuse_special

Weights = dict[str, Tensor]

_MOST_TENSORS = 20_000  # an ensemble of 100 networks has fewer
_MOST_AXES = 8  # of a tensor; torch has up to 64, and takes a minute to refuse 100,000
_GROWTH = 16  # most bytes as float32 per byte of the file: numbers of one byte make four, and tensors may be tied


def read_weights(path: Path) -> Weights:
    """The tensors of a checkpoint by name, as float32, without the `module.` of data-parallel training.

    Raises BundleError on a file that is missing, damaged, or holds anything but tensors of finite numbers.
    """
    if not path.is_file():
        reason = "not a file" if path.exists() else "no such file"
        raise BundleError(f"{path}: {reason}; expected weights as .pth, .pt, .model or .safetensors")
    try:
        content: Any = read_stored(path)[0] if path.suffix.lower() == ".safetensors" else read_torch(path)
    except (OSError, SafetensorError) as error:
        raise BundleError(f"{path}: cannot be read as weights ({brief_reason(error)})") from error
    except Exception as error:  # torch raises many kinds
        raise BundleError(
            f"{path}: refused: it holds something other than tensors, or is damaged ({type(error).__name__}); nothing"
            " in it was executed. Save the state dict alone: torch.save(model.state_dict(), file)"
        ) from error
    for key in ("state_dict", "model_state_dict", "model"):
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if not isinstance(content, Mapping) or not content:
        got = "none" if isinstance(content, Mapping) else type(content).__name__
        raise BundleError(f"{path}: expected tensors by name, got {got}; save the state dict alone")
    other = [name for name, value in content.items() if not (isinstance(name, str) and isinstance(value, Tensor))]
    if other:
        raise BundleError(
            f"{path}: expected tensors by name, got something else at {other[0]!r}; save the state dict alone"
        )
    weights, room = {}, _GROWTH * path.stat().st_size
    for name, value in content.items():
        weights[name] = _numbers(path, name, value)
        room -= weights[name].nbytes
        if room < 0:
            raise BundleError(f"{path}: its tensors hold far more numbers than the file; save the state dict again")
    if all(name.startswith("module.") for name in weights):
        return {name.removeprefix("module."): value for name, value in weights.items()}
    return weights


def _numbers(path: Path, name: str, value: Tensor) -> Tensor:
    """A tensor as float32 in memory of its own. Raises BundleError unless it is a plain array of finite numbers, as
    many as the file holds."""
    plain = value.layout == torch.strided and not (value.is_complex() or value.is_quantized or value.is_meta)
    empty = value.is_nested or value.numel() == 0 or value.dim() > _MOST_AXES
    if not plain or empty or value.untyped_storage().nbytes() < value.nbytes:
        raise BundleError(f"{path}: {name} is empty or not an array of real numbers; save the state dict again")
    numbers = value.detach().to(torch.float32, copy=True, memory_format=torch.contiguous_format)
    _refuse_not_finite(path, name, numbers)
    return numbers


def _refuse_not_finite(path: Path, name: str, value: Tensor) -> None:
    if not value.isfinite().all():
        raise BundleError(f"{path}: {name} holds NaN or infinite values; take weights from before training failed")


def read_stored(path: Path) -> tuple[Weights, str]:
    """The tensors of a bundle's safetensors file as stored, and the SHA-256 of the file, of one reading.

    They are in memory, so that nothing happens to them when the file changes. Raises OSError, and SafetensorError on a
    damaged file.
    """
    refuse_special(path)
    content = path.read_bytes()
    _check_header(content[8 : 8 + int.from_bytes(content[:8], "little")])
    try:
        return load(content), hashlib.sha256(content).hexdigest()
    except (KeyError, ValueError, RuntimeError) as error:  # of torch
        raise SafetensorError(brief_reason(error)) from error


def _check_header(header: bytes) -> None:
    """Raise SafetensorError on two tensors of one name, too many tensors, and too many axes of one. All else is checked
    later."""
    try:
        entries = json.loads(header, object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise SafetensorError("the header is not JSON") from error
    names = [entry[0] for entry in entries if isinstance(entry, tuple)] if isinstance(entries, list) else []
    if len(set(names)) < len(names):
        raise SafetensorError("two tensors have one name")
    if len(names) > _MOST_TENSORS:
        raise SafetensorError(f"{len(names)} tensors, and {_MOST_TENSORS} is the limit")
    for name, fields in entries if names else ():
        items = fields if isinstance(fields, list) else []
        shapes = [item[1] for item in items if isinstance(item, tuple) and item[0] == "shape"]
        if any(isinstance(shape, list) and len(shape) > _MOST_AXES for shape in shapes):
            raise SafetensorError(f"{name[:80]!r} has over {_MOST_AXES} axes")


def read_torch(path: Path) -> Any:
    """What torch.save wrote, if it is tensors and plain values: nothing is executed, and nothing is unpacked.

    Raises OSError, and what torch raises on anything else.
    """
    refuse_special(path)
    if zipfile.is_zipfile(path):  # torch does not compress, so a file that unpacks to more than it is was made for harm
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > path.stat().st_size:
                raise ValueError("compressed")
    return torch.load(path, map_location="cpu", weights_only=True)


def give_weights(network: Network, weights: Weights, path: Path, prefix: str = "") -> None:
    """Make tensors of a file the weights of a network, which may be on the device `meta`.

    prefix: of their names in the file. Raises BundleError on a tensor of another type of number, or with NaN or
    infinite values; RuntimeError, which names them, if names or shapes differ.
    """
    own = network.state_dict()
    for name, value in sorted(weights.items()):
        expected = own[name].dtype if name in own else value.dtype
        if value.dtype not in (expected, torch.float32):
            raise BundleError(
                f"{path}: {prefix}{name} holds numbers of {value.dtype}, expected {expected}; copy the bundle again"
            )
        _refuse_not_finite(path, prefix + name, value)
    network.load_state_dict(weights, assign=True)


def refuse_overflow(networks: Sequence[Network], features: Tensor, bundle: Path | None) -> NoReturn:
    """Say whose numbers are too large for the scores of networks to be finite.

    Raises DataError if the largest number is among the features, BundleError if it is a weight.
    """
    weight = max(float(value.abs().max()) for network in networks for value in network.parameters())
    feature = float(features.abs().max())
    what = f"features up to {feature:.2g} and weights up to {weight:.2g} give scores that are not finite"
    if feature > weight:
        raise DataError(f"{what}; extract these features again, as those of training were")
    raise BundleError(f"{bundle or 'the network'}: {what}; take a bundle of a training that did not fail")


def brief_reason(error: Exception) -> str:
    """The reason of an error of torch, pydantic or Python, in one line."""
    if isinstance(error, KeyError):
        return f"no tensor {error}"
    if isinstance(error, IndexError):
        return "a tensor has too few axes"
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())[:240]
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return " ".join(lines[:2])[:240]
