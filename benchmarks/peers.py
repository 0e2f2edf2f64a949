"""Our systems beside the programs that their authors published: time and peak memory, as ratios within one run.

python benchmarks/peers.py CHECKOUTS [--only ms-tcn++/forward ...] [--lengths 1000 6000 20000] [--device cpu]
CHECKOUTS is a folder with clones of github.com: sj-li/MS-TCN2, ChinaYi/ASFormer, MCG-NJU/BCN, Finspire13/DiffAct and
LTContext/LTContext, under these names; where one is missing, its rows are left out. MS-TCN2 is taken at 9d31fb3, since
the commit after it (f423a9e) is not valid Python. Their packages (loguru, seaborn, einops, yacs, fvcore, simplejson)
have to be installed. Each measurement runs in a process of its own, with one thread; the sides of a row take turns.
Writes benchmarks/results/peers.md and peers.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from provenance import provenance, write_results

CLASSES, DIMENSION, SEGMENT = 19, 2048, 50
# Row: the program beside ours, what each side does, and what ours must reach: our time is at most theirs over this.
ROWS = {
    "ms-tcn++/forward": ("MS-TCN2", 1.0),
    "ms-tcn++/step": ("MS-TCN2", 1.0),
    "bcn/forward": ("BCN", 1.0),
    "bcn/step": ("BCN", 1.0),
    "asformer/forward": ("ASFormer", 4.0),
    "asformer/step": ("ASFormer", 4.0),
    "rtk/forward": ("MS-TCN2", 1 / 1.5),
    "rtk/predict": ("LTContext", 1.0),
    "rtk/predict, sampling": ("DiffAct", 1.0),
    "rtk/predict, network": ("", 1 / 1.3),
    "rtk/step with matching, without": ("", 1 / 1.4),
    "rtk/step with matching": ("DiffAct", 1.0),
}


def video(length: int) -> tuple[Any, Any]:
    """Features (1, D, T) in which each class has a direction, and labels (T,)."""
    import torch

    random = torch.Generator().manual_seed(0)
    labels = (torch.arange(length) // SEGMENT) % CLASSES
    directions = torch.randn(CLASSES, DIMENSION, generator=random)
    noise = torch.randn(length, DIMENSION, generator=random)
    return (0.3 * directions[labels] + noise).T[None].contiguous(), labels


def frame_loss(stages: Any, labels: Any) -> Any:
    """Cross-entropy and truncated smoothing of each stage (stages, 1, C, T), as in the programs' trainings."""
    from torch.nn import functional as F

    return sum(F.cross_entropy(logits, labels[None]) + 0.15 * _smoothing(logits, 16) for logits in stages)


def cascade_loss(network: Any, features: Any, labels: Any) -> Any:
    """What BCN's program trains with: stages weighted by the probability of the true class, and the fusion."""
    import torch
    from torch.nn import functional as F

    exists = torch.ones(1, 1, len(labels), device=features.device)
    (*stages, fused), _, weights = network(features, exists, gt_target=labels[None])
    total = F.nll_loss(fused.log(), labels[None]) + 0.5 * _smoothing(fused, 8)
    for logits, weight in zip(stages, weights, strict=True):
        entropy = F.cross_entropy(logits, labels[None], reduction="none")
        total = total + weights[0].sum() / weight.sum() * (weight[:, 0] * entropy).mean() + 0.3 * _smoothing(logits, 8)
    return total


def diffusion_loss(network: Any, features: Any, labels: Any) -> Any:
    """What DiffAct's program trains with: encoder and decoder, and the boundaries that the decoder implies."""
    import torch
    from default_configs import params_50salads
    from torch import nn
    from torch.nn import functional as F

    classes = F.one_hot(labels, CLASSES).T[None]
    boundary = torch.diff(labels, prepend=labels[:1]).ne(0).float()[None, None]
    of_parts = (nn.CrossEntropyLoss(reduction="none"), nn.MSELoss(reduction="none"), nn.BCELoss(reduction="none")) * 2
    losses = network.get_training_loss(features, classes, boundary, *of_parts, None)
    return sum(params_50salads["loss_weights"][name] * loss for name, loss in losses.items())


def _smoothing(logits: Any, limit: float) -> Any:
    """Truncated squared changes of the log-probabilities (1, C, T)."""
    from torch.nn import functional as F

    change = F.log_softmax(logits[:, :, 1:], 1) - F.log_softmax(logits.detach()[:, :, :-1], 1)
    return change.square().clamp(max=limit).mean()


def theirs(name: str, device: str) -> tuple[Any, Callable[[Any], Any]]:
    """A network of a checkout, the folder of this process, and what runs it on features (1, D, T)."""
    import torch

    sys.path.insert(0, os.getcwd())
    if name == "MS-TCN2":
        from model import MS_TCN2

        network = MS_TCN2(11, 10, 3, 64, DIMENSION, CLASSES)
        return network, network
    if name == "ASFormer":
        from model import MyTransformer

        network = MyTransformer(3, 10, 2, 2, 64, DIMENSION, CLASSES, 0.3)
        return network, lambda x: network(x, torch.ones(1, CLASSES, x.shape[2], device=device))
    if name == "BCN":
        from model import CascadeModel

        network = CascadeModel(3, 12, 256, DIMENSION, CLASSES, "50salads", device, True, 1)
        return network, lambda x: network(x, torch.ones(1, 1, x.shape[2], device=device))[0]
    if name == "LTContext":
        from ltc.config.defaults import _C
        from ltc.model.ltcontext import LTC

        settings = _C.clone()
        settings.MODEL.NUM_CLASSES, settings.MODEL.INPUT_DIM = CLASSES, DIMENSION
        network = LTC(settings.MODEL)
        return network, lambda x: network(x, torch.ones(1, 1, x.shape[2], dtype=torch.bool, device=device))
    from default_configs import params_50salads

    from model import ASDiffusionModel

    parts = (dict(params_50salads[f"{part}_params"]) for part in ("encoder", "decoder", "diffusion"))
    network = ASDiffusionModel(*parts, CLASSES, device)
    return network, lambda x: network.ddim_sample(x, seed=0)


def ours(system: str, device: str) -> tuple[Any, Any, Any]:
    """A network, its objective and its recipe."""
    from keyseg.inference.systems import SYSTEMS
    from keyseg.timeline import LabelMap
    from keyseg.training.recipe import load_recipe
    from keyseg.training.systems import trainable

    # BCN's program smooths outside of its network; RTK's matching joins its training only where a recipe says so.
    changes = {"bcn": ["network.smoothing_passes=0"], "rtk": ["matching.join_epoch=1"]}.get(system, [])
    recipe = load_recipe(None, [f"model={system}", "augmentation.mixed_segments=0", *changes])
    network = SYSTEMS[recipe.model].network(recipe.network, DIMENSION, CLASSES).to(device)
    labels = LabelMap(tuple(f"action{i}" for i in range(CLASSES)))
    return network, trainable(recipe.model).objective(recipe, labels).to(device), recipe


def batch_of(features: Any, labels: Any, device: str) -> Any:
    import torch

    from keyseg.data.batches import Batch
    from keyseg.timeline import Segmentation

    reference = Segmentation.from_frames(labels.cpu().numpy())
    mask = torch.ones(1, len(labels), dtype=torch.bool)
    return Batch(features, mask, labels[None], ("V",), (reference,), False).to(device)


def predictor(device: str, state: Path) -> Any:
    """RTK after 90 steps on a video of 1,000 steps, which is trained once and kept in `state`, with a match to 20."""
    import torch

    from keyseg.inference.decoders import Match
    from keyseg.inference.predictor import Predictor
    from keyseg.matching.alignment import MatchWeights
    from keyseg.timeline import LabelMap, Segmentation, TimeBase

    network, objective, recipe = ours("rtk", device)
    if state.exists():
        network.load_state_dict(torch.load(state, map_location=device, weights_only=True))
    else:
        batch = batch_of(*video(1000), device)
        optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
        network.train()
        for _ in range(90):
            optimiser.zero_grad()
            torch.stack(list(objective.losses(network, batch, 0).values())).sum().backward()
            optimiser.step()
        torch.save(network.state_dict(), state)
    kept = [Segmentation.from_frames(((torch.arange(1000) + 37 * i) // SEGMENT % CLASSES).numpy()) for i in range(20)]
    decoder = recipe.decoder().model_copy(update={"match": Match.to(kept, CLASSES, MatchWeights())})
    labels = LabelMap(tuple(f"action{i}" for i in range(CLASSES)))
    return Predictor(system="rtk", model=network.eval(), labels=labels, timebase=TimeBase(fps=15), decoder=decoder)


def action(row: str, mine: bool, length: int, device: str, state: Path) -> Callable[[], object]:
    """What is timed."""
    import torch

    system, what = row.split("/")
    features, labels = video(length)
    features, labels = features.to(device), labels.to(device)
    if what.startswith("predict") and (mine or not ROWS[row][0]):
        ready = predictor(device, state)
        steps = features[0].T.cpu().numpy()
        return (lambda: ready.decode(ready.run(steps))) if mine else (lambda: ready.networks[0](ready._tensor(steps)))
    if mine or not ROWS[row][0]:
        network, objective, recipe = ours(system, device)
        if "matching" in what:  # an untrained network proposes nothing to match
            network.load_state_dict(predictor(device, state).networks[0].state_dict())
        batch = batch_of(features, labels, device)
        epoch = recipe.epochs - 1 if mine or system != "rtk" else 0
        run: Callable[[Any], Any] = network
        loss = lambda: torch.stack(list(objective.losses(network, batch, epoch).values())).sum()  # noqa: E731
    else:
        network, run = theirs(ROWS[row][0], device)
        network.to(device)
        own = {"BCN": cascade_loss, "DiffAct": diffusion_loss}.get(ROWS[row][0])
        loss = lambda: own(network, features, labels) if own else frame_loss(run(features), labels)  # noqa: E731

    def step() -> None:
        loss().backward()
        network.zero_grad()

    network.train("step" in what)
    return step if "step" in what else lambda: run(features)


def measure(row: str, mine: bool, length: int, device: str, state: Path, repeats: int) -> dict[str, float]:
    """Median seconds of one call, and the peak memory in MiB beyond what there was before the first."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    cuda, seconds = device.startswith("cuda"), list[float]()
    short, call = (action(row, mine, steps, device, state) for steps in (2 * SEGMENT, length))
    with torch.inference_mode("step" not in row):
        short()  # imports what the first call imports
        before = _reset_peak(cuda)
        for _ in range(1 + repeats):
            started = time.perf_counter()
            call()
            if cuda:
                torch.cuda.synchronize()
            seconds.append(time.perf_counter() - started)
    return {"seconds": median(seconds[1:]), "mib": _peak(cuda) - before}


def _reset_peak(cuda: bool) -> float:
    """Forget the peak so far, which is that of making the features; what is held now, in MiB."""
    import torch

    if cuda:
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated() / 2**20
    Path("/proc/self/clear_refs").write_text("5")  # Linux
    return _status("VmRSS")


def _peak(cuda: bool) -> float:
    import torch

    return torch.cuda.max_memory_allocated() / 2**20 if cuda else _status("VmHWM")


def _status(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def main() -> None:
    """Measure each row and length in turns, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", type=Path)
    parser.add_argument("--only", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--lengths", type=int, nargs="+", default=[1000, 6000, 20000])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)  # row, side, length, file of the trained network
    options = parser.parse_args()
    if options.one:
        row, side, length, state = options.one
        found = measure(row, side == "ours", int(length), options.device, Path(state), options.repeats)
        print("\n" + json.dumps(found))
        return
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        if any(row.startswith("rtk/") for row in options.only):
            predictor(options.device, Path(folder, "rtk.pt"))  # here, or the first measurement would hide its own peak
        for row in options.only:
            checkout = (options.checkouts / ROWS[row][0]).resolve()
            for length in options.lengths if checkout.is_dir() else ():
                found: dict[str, list[dict[str, float]]] = {"ours": [], "theirs": []}
                for number in range(options.rounds):
                    for side in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
                        command = [sys.executable, str(Path(__file__).resolve()), str(options.checkouts), "--device"]
                        command += [options.device, "--repeats", str(options.repeats), "--one", row, side, str(length)]
                        place = checkout if side == "theirs" and ROWS[row][0] else Path.cwd()
                        done = subprocess.run(
                            [*command, f"{folder}/rtk.pt"], cwd=place, capture_output=True, text=True, check=False
                        )
                        if done.returncode:
                            raise SystemExit(f"{row}, {side}, T = {length}:\n{done.stderr}")
                        found[side].append(json.loads(done.stdout.splitlines()[-1]))
                rows.append({"row": row, "T": length, "rounds": found})
                print(_line(rows[-1]), flush=True)
    lines = ["| ours | beside | T | their time over ours | wanted | our memory over theirs |"]
    lines.append("|---|---|---|---|---|---|")
    note = (
        f"{DIMENSION} dimensions, {CLASSES} classes, one thread, {options.device}. Above 1, ours is faster. A step is"
        " the forward pass, the losses and the backward pass, without the optimiser. Memory is the peak of the process"
        " above what it had before. Where nothing is beside ours, it is a part of our own: the network without the"
        " decoder, and the step before matching has joined."
    )
    path = Path(__file__).parent / "results" / "peers"
    write_results(path, "Beside the published programs", [*lines, *map(_line, rows)], rows, provenance(), note)


def _line(row: dict[str, Any]) -> str:
    rounds = list(zip(row["rounds"]["ours"], row["rounds"]["theirs"], strict=True))
    faster = median(b["seconds"] / a["seconds"] for a, b in rounds)
    memory = median(a["mib"] / max(b["mib"], 1) for a, b in rounds)
    beside, wanted = ROWS[row["row"]]
    return f"| {row['row']} | {beside or 'a part'} | {row['T']:,} | {faster:.2f} | {wanted:.2f} | {memory:.2f} |"


if __name__ == "__main__":
    main()
