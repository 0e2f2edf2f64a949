"""What the checks of inputs and files cost: processor time of verbs in an older checkout and in this one, alternately.

python benchmarks/checks_cost.py OLD_CHECKOUT [--rounds 20]
Draws a toy kitchen of short videos and trains RTK for one epoch with the older checkout. Each round runs `features`,
`init` and `predict` of the videos, and `predict` of their features, in both checkouts, in turns as to which is
first. The ratio of a round is that of the processor times of all processes of a command. Writes
benchmarks/results/checks_cost.md and .json.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from provenance import provenance, write_results

HERE = Path(__file__).parents[1]
VIDEOS, TEST_VIDEOS = 5, 1
COMMANDS = {
    "features": "features VIDEOS --out OUT/features",
    "init": "init OUT/data --videos VIDEOS --annotations LABELS --fps 10 --splits 2 --cache CACHE",
    "predict, from features": "predict BUNDLE FEATURES --out OUT/timelines --format csv,eaf,vtt",
    "predict, from videos": "predict BUNDLE VIDEOS --out OUT/timelines --cache OUT/cache --format csv,eaf,vtt",
}
PREPARE = f"""
import sys
from pathlib import Path
from keyseg.toy.demo import run_demo
run_demo(Path(sys.argv[1]), epochs=1, videos={VIDEOS}, test_videos={TEST_VIDEOS})
"""


def processor_seconds(checkout: Path, *words: str) -> float:
    """User and system time of Python with these words and of all processes that it starts."""
    environment = os.environ | {"PYTHONPATH": str(checkout / "src"), "OMP_NUM_THREADS": "1"}
    environment["PYTHONDONTWRITEBYTECODE"] = ""  # compiled once, as an installed package is
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, *words], env=environment, capture_output=True, encoding="utf-8")
    if done.returncode:
        raise SystemExit(f"{checkout}: {' '.join(words)} ended with {done.returncode}\n{done.stderr}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def prepared(folder: Path, old: Path) -> dict[str, str]:
    """Draw the videos and train a bundle with the older checkout; the paths that the commands name."""
    processor_seconds(old, "-c", PREPARE, str(folder / "demo"))
    kitchen = folder / "demo" / "toy-kitchen"
    paths = {
        "VIDEOS": kitchen / "videos",
        "LABELS": kitchen / "groundTruth",
        "FEATURES": kitchen / "features",
        "BUNDLE": folder / "demo" / "run",
        "CACHE": folder / "demo" / "cache",
        "OUT": folder / "out",
    }
    return {name: str(path) for name, path in paths.items()}


def one_round(checkouts: list[Path], paths: dict[str, str]) -> dict[str, dict[Path, float]]:
    """Processor seconds of each command in each checkout, in this order, each time into a new folder."""
    pattern = re.compile("|".join(paths))
    seconds: dict[str, dict[Path, float]] = {}
    for name, command in COMMANDS.items():
        words = [pattern.sub(lambda match: paths[match[0]], word) for word in command.split()]
        seconds[name] = {}
        for checkout in checkouts:
            shutil.rmtree(paths["OUT"], ignore_errors=True)
            seconds[name][checkout] = processor_seconds(checkout, "-m", "keyseg", *words)
    return seconds


def interval(ratios: list[float]) -> tuple[float, float, float]:
    """The median, and where it lies in 95 of 100 samples that are drawn from these ratios with replacement."""
    draws = np.random.default_rng(0).choice(ratios, (10_000, len(ratios)))
    low, high = np.quantile(np.median(draws, 1), [0.025, 0.975])
    return float(np.median(ratios)), float(low), float(high)


def main() -> None:
    """Prepare, run in turns, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, help="checkout of the older commit")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    old = options.old.resolve()
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        paths = prepared(Path(name), old)
        one_round([old, HERE], paths)  # compiles the modules, and fills the caches of the system
        for number in range(options.rounds):
            rounds.append(one_round([old, HERE] if number % 2 else [HERE, old], paths))
    rows = []
    for command in COMMANDS:
        pairs = [(seconds[command][old], seconds[command][HERE]) for seconds in rounds]
        median, low, high = interval([new / before for before, new in pairs])
        row = {"command": command, "old_seconds": float(np.median([before for before, _ in pairs]))}
        rows.append(row | {"ratio": median, "low": low, "high": high, "pairs": pairs})
    table = ["| command | processor seconds before | ratio, new to old | 95 % interval |", "|---|---|---|---|"]
    table += [
        f"| {r['command']} | {r['old_seconds']:.2f} | {r['ratio']:.3f} | {r['low']:.3f} to {r['high']:.3f} |"
        for r in rows
    ]
    commit = subprocess.run(["git", "-C", str(old), "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    note = f"{options.rounds} rounds; {VIDEOS} drawn videos. The older checkout is commit {commit[:12]}."
    write_results(HERE / "benchmarks/results/checks_cost", "What the checks cost", table, rows, provenance(), note)


if __name__ == "__main__":
    main()
