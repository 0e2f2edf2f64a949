"""keyseg data: get one of the field's data sets, under its owners' terms."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from keyseg.timeline import ConfigError

LINES = 20  # of a log file, for one stage
RELEASE = "Y. Abu Farha, J. Gall: MS-TCN: Multi-Stage Temporal Convolutional Network for Action Segmentation. CVPR 2019"


def data(
    action: Literal["get"],
    name: Literal["gtea", "50salads", "breakfast"],
    /,
    *,
    out: Path,
    record: Annotated[str, Parameter(env_var="KEYSEG_DATA_RECORD")] = "https://zenodo.org/api/records/3625992",
    cache: Path | None = None,
    accept: bool = False,
) -> int:
    """Download one of the field's data sets from its public archive: I3D features, labels and splits.

    The archive holds all three data sets (about 30 GB), and only the one asked for is unpacked. Interrupt it at any
    moment: the same command goes on. The data are their owners'; without --accept only the terms are shown.

    Parameters
    ----------
    action
        What to do; get is all there is.
    name
        Which data set.
    out
        New or empty folder for mapping.txt, groundTruth/, splits/ and features/.
    record
        Address of the archive's record, JSON as of Zenodo's API: it says where the archive is, its size and its hash.
    cache
        Folder that keeps the archive for the next data set. Default: keyseg in the system's folder for caches.
    accept
        Agree to the data set's terms.
    """
    from keyseg.data.archive import check_target, size_text
    from keyseg.data.download import download_dataset, kept_bytes
    from keyseg.data.folders import cache_folder
    from keyseg.data.known_datasets import DATASETS
    from keyseg.data.record import read_record

    facts = DATASETS[name]
    print(f"{facts.title}\n  homepage  {facts.homepage}\n  terms     {facts.terms}\n  cite      {facts.citation}")
    print(f"            {RELEASE}")
    print("The data are their owners', for research, under the terms above; keyseg ships none.")
    check_target(out)
    folder = cache_folder() if cache is None else cache
    remote = read_record(record)
    kept = kept_bytes(remote, folder)
    size = size_text(remote.size)
    there = f", {size_text(kept)} of it are there" if kept else ""
    print(f"{remote.name}: {size} from {remote.url}\n  kept in {remote.path(folder)}{there}; {name} goes to {out}")
    if not accept:
        raise ConfigError(
            f"nothing was downloaded; read the terms and add --accept to agree to them and go on ({size})"
        )
    sys.stdout.flush()
    with ByteProgress() as progress:
        path = download_dataset(remote, name, out, cache=folder, progress=progress)
    sampling = f" --sample-rate {facts.sample_rate}" if facts.sample_rate > 1 else ""
    print(f"{out}: done\n  {path} ({size}) is kept for the other data sets; delete it when you have them")
    print(f"  next: keyseg check {out}{sampling}")
    return 0


class ByteProgress:
    """Stages of a work that is counted in bytes, on stderr: bars on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self.console = Console(stderr=True)
        self.bar: Progress | None = None
        self.task: Any = None
        self.stage = ""
        self.done = 0
        self.started = (0.0, 0)  # of the stage: time and bytes

    def __enter__(self) -> ByteProgress:
        if self.console.is_terminal:
            speed = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
            self.bar = Progress(TextColumn("{task.description}"), BarColumn(), *speed, console=self.console)
            self.bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.bar is not None:
            self.bar.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """`done` of `total` bytes; the first call of a stage starts it. Nothing is known of how far a check is."""
        if stage != self.stage:
            self._start(stage, done, total)
        if self.bar is not None:
            self.bar.update(self.task, completed=done)
        elif done * LINES // total > self.done * LINES // total:
            print(self._line(done, total), file=sys.stderr, flush=True)
        self.done = done

    def _start(self, stage: str, done: int, total: int) -> None:
        from keyseg.data.archive import size_text

        if self.bar is None:
            print(f"{stage}: {size_text(total)}", file=sys.stderr, flush=True)
        else:
            if self.stage == "checking":
                self.bar.update(self.task, total=1, completed=1, visible=False)
            self.task = self.bar.add_task(stage, total=None if stage == "checking" else total, completed=done)
        self.stage, self.done, self.started = stage, done, (time.perf_counter(), done)

    def _line(self, done: int, total: int) -> str:
        from keyseg.data.archive import size_text

        start, before = self.started
        speed = (done - before) / max(time.perf_counter() - start, 1e-3)
        left = (total - done) / speed if speed else 0
        clock = f"{left:.0f} s" if left < 100 else f"{left / 60:.0f} min"
        return f"{self.stage}: {size_text(done)}, {done * 100 // total} %, {size_text(int(speed))}/s, {clock} left"
