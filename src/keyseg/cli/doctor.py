"""keyseg doctor: what this installation is and what could go wrong with it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import sys

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "rapidfuzz",
    "safetensors",
    "pydantic",
    "matplotlib",
    "av",
    "pympi-ling",
)
EXTRAS = {
    "lightning": ("train", "keyseg train"),
    "transformers": ("backbones", "features of pretrained networks"),
    "opentimelineio": ("formats", "OpenTimelineIO and EDL"),
    "requests": ("download", "keyseg data get"),
}


def doctor() -> int:
    """Show versions, processors, accelerators and threads, and what to mend; exit code 1 if something is broken."""
    from keyseg.timeline.version import __version__

    print(f"keyseg {__version__}, Python {platform.python_version()} ({sys.executable}), {platform.platform()}")
    broken = []
    for name in PACKAGES:
        try:
            print(f"  {name:<15}{importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            print(f"  {name:<15}missing")
            broken.append(f"{name} is not installed: pip install keyseg -c constraints.txt")
    for name, (extra, use) in EXTRAS.items():
        try:
            print(f"  {name:<15}{importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            print(f"  {name:<15}not installed; {use}: pip install 'keyseg[{extra}]'")
    broken += _lightning_problems()
    import torch

    print(f"processors: {os.cpu_count()}, torch uses {torch.get_num_threads()} thread(s)")
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        print(f"GPU {index}: {properties.name}, {properties.total_memory / 2**30:.0f} GiB")
    if not torch.cuda.is_available():
        print("GPU: none; training runs on the processor")
    if torch.get_num_threads() > 1 and "OMP_WAIT_POLICY" not in os.environ:
        print("hint: if other programs keep the processors busy, set OMP_WAIT_POLICY=passive or OMP_NUM_THREADS=1")
    for problem in broken:
        print(f"problem: {problem}")
    print("broken" if broken else "all well")
    return 1 if broken else 0


def _lightning_problems() -> list[str]:
    try:
        version = importlib.metadata.version("lightning")
    except importlib.metadata.PackageNotFoundError:
        return []
    parts = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    if parts < (2, 6, 6):
        return [f"lightning {version} is not safe (before 2.6.6): pip install 'lightning>=2.6.6' -c constraints.txt"]
    return []
