"""keyseg doctor: what is installed, and what could go wrong with it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys

from keyseg.cli.terminal import show

_PACKAGES = ("torch", "numpy", "scipy", "rapidfuzz", "safetensors", "pydantic", "matplotlib", "av", "pympi-ling")
_EXTRAS = {
    "lightning": ("train", "keyseg train, demo and reproduce"),
    "torchmetrics": ("train", "keyseg train, demo and reproduce"),
    "tensorboard": ("train", "logs of keyseg train"),
    "optuna": ("tune", "keyseg tune"),
    "fastapi": ("studio", "keyseg studio"),
    "uvicorn": ("studio", "keyseg studio"),
    "python-multipart": ("studio", "keyseg studio"),
    "transformers": ("backbones", "features of pretrained networks"),
    "h5py": ("poses", "HDF5 files of tracks, and NWB"),
    "opentimelineio": ("formats", "OpenTimelineIO and EDL"),
    "otio-cmx3600-adapter": ("formats", "EDL"),
    "requests": ("download", "keyseg data get"),
    "remotezip": ("download", "keyseg data get"),
    "huggingface_hub": ("hub", "keyseg push and pull"),
    "packaging": ("hub", "licences of keyseg push"),
    "onnx": ("export", "keyseg export"),
    "onnxruntime": ("export", "keyseg export, and what it made"),
    "onnxscript": ("export", "keyseg export"),
    "ray": ("scale", "keyseg features and predict on a cluster"),
    "pandas": ("pandas", "predictions as tables of pandas"),
    "pyannote.core": ("pyannote", "predictions as annotations of pyannote"),
}
_LEAST_LIGHTNING = (2, 6, 6)  # earlier releases are not safe


def doctor_verb() -> int:
    """Show versions, processors, GPUs and threads, and how to repair what is broken; exit code 1 if anything is."""
    from keyseg.timeline.version import __version__

    show(f"keyseg {__version__}, Python {platform.python_version()} ({sys.executable}), {platform.platform()}")
    problems = []
    for name in _PACKAGES:
        installed = _version(name)
        show(f"  {name:<22}{installed or 'missing'}")
        if installed is None:
            problems.append(f"{name} is not installed: pip install keyseg")
    for name, (extra, use) in _EXTRAS.items():
        missing = f'not installed; {use}: pip install "keyseg[{extra}]"'
        show(f"  {name:<22}{_version(name) or missing}")
    lightning = _version("lightning")
    least = ".".join(map(str, _LEAST_LIGHTNING))
    if lightning and tuple(int(part) for part in lightning.split(".")[:3] if part.isdigit()) < _LEAST_LIGHTNING:
        problems.append(f'lightning {lightning} is not safe (before {least}): pip install "lightning>={least}"')
    if _version("av") and (failure := _check_decoding()):
        problems.append(failure)
    if _version("torch"):
        _print_processors()
        problems += _check_plug_ins()
    for problem in problems:
        show(f"problem: {problem}")
    show("broken" if problems else "everything is fine")
    return 1 if problems else 0


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _check_decoding() -> str:
    """Print whether the memory of the process that decodes a video is limited; return why it does not start, if so."""
    code = "from keyseg.timeline.limits import restrict_memory; print(restrict_memory(2048))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        return f"videos cannot be decoded ({reason}): pip install --force-reinstall av"
    limited = done.stdout.strip() == "True"
    show(
        "decoding: in a process of its own, "
        + ("with a memory limit" if limited else "without a memory limit, which this system does not offer")
    )
    return ""


def _check_plug_ins() -> list[str]:
    """Print what installed packages add; return what is wrong with it."""
    from keyseg.formats import FORMATS
    from keyseg.inference.systems import SYSTEMS
    from keyseg.video.table_of_extractors import EXTRACTORS

    problems = []
    for what, table in (("system", SYSTEMS), ("extractor", EXTRACTORS), ("format", FORMATS)):
        for name, package, problem in table.plug_ins():
            show(f"{what} {name}: of {package}{', broken' if problem else ''}")
            problems += [problem] if problem else []
    return problems


def _print_processors() -> None:
    import torch

    show(f"processors: {os.cpu_count()}, torch uses {torch.get_num_threads()} thread(s)")
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        show(f"GPU {index}: {properties.name}, {properties.total_memory / 2**30:.0f} GiB")
    if not torch.cuda.is_available():
        show("GPU: none; training runs on the CPU")
    if torch.get_num_threads() > 1 and "OMP_WAIT_POLICY" not in os.environ:
        show("hint: if other programs keep the CPU busy, set OMP_WAIT_POLICY=passive or OMP_NUM_THREADS=1")
