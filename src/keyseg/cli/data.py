"""keyseg data: get a public data set, under its owners' terms."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from rich.progress import DownloadColumn, TaskID, TimeRemainingColumn, TransferSpeedColumn

from keyseg.cli.progress import ProgressDisplay, worth_a_line
from keyseg.data.archive import check_target, size_text
from keyseg.data.download import download_dataset, kept_bytes
from keyseg.data.folders import cache_folder
from keyseg.data.known_datasets import DATASETS
from keyseg.data.record import RECORD, read_record
from keyseg.timeline import ConfigError

_RELEASE = (
    "Y. Abu Farha, J. Gall: MS-TCN: Multi-Stage Temporal Convolutional Network for Action Segmentation. CVPR 2019"
)


def data_verb(
    action: Literal["get"],
    name: Literal["gtea", "50salads", "breakfast"],
    /,
    *,
    out: Path,
    record: Annotated[str, Parameter(env_var="KEYSEG_DATA_RECORD")] = RECORD,
    cache: Path | None = None,
    accept: bool = False,
) -> int:
    """Download GTEA, 50Salads or Breakfast from its public archive: I3D features, labels and splits.

    One archive (about 30 GB) holds all three data sets; only the one you name is unpacked. After an interruption the
    same command resumes. The data belong to their owners; without --accept only the terms are shown.

    Args:
        action: What to do; get is the only action.
        name: Which data set.
        out: New or empty folder for mapping.txt, groundTruth/, splits/ and features/.
        record: URL of the archive's record, JSON in the format of Zenodo's API, with the archive's URL, size and
            checksum.
        cache: Folder that keeps the archive for the next data set. Default: keyseg in the system's cache folder.
        accept: Agree to the data set's terms.
    """
    facts = DATASETS[name]
    print(f"{facts.title}\n  homepage  {facts.homepage}\n  terms     {facts.terms}\n  cite      {facts.citation}")
    print(f"            {_RELEASE}")
    print("The data belong to their owners and are for research, under the terms above; keyseg ships none.")
    check_target(out)
    folder = cache_folder() if cache is None else cache
    remote = read_record(record)
    kept = kept_bytes(remote, folder)
    size = size_text(remote.size)
    there = f", {size_text(kept)} of it already downloaded" if kept else ""
    print(f"{remote.name}: {size} from {remote.url}\n  kept in {remote.path(folder)}{there}; {name} goes to {out}")
    if not accept:
        raise ConfigError(f"nothing was downloaded; read the terms, and add --accept to agree and continue ({size})")
    sys.stdout.flush()
    with ByteProgress() as progress:
        path = download_dataset(remote, name, out, cache=folder, progress=progress)
    sampling = f" --sample-rate {facts.sample_rate}" if facts.sample_rate > 1 else ""
    print(f"{out}: done\n  {path} ({size}) is kept for the other data sets; delete it when you have those you need")
    print(f"  next: keyseg check {out}{sampling}")
    return 0


class ByteProgress(ProgressDisplay):
    """Progress in bytes of each stage of a download."""

    def __init__(self) -> None:
        super().__init__(DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self.stage, self.done = "", 0
        self.task: TaskID
        self.started = (0.0, 0)  # of the stage: time and bytes

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show `done` of `total` bytes; the first call of a stage starts it. The stage `checking` has no progress."""
        if stage != self.stage:
            self._start(stage, done, total)
        self.bars.update(self.task, completed=done)
        if not self.terminal and worth_a_line(self.done, done, total):
            self.print(self._line(done, total))
        self.done = done

    def _start(self, stage: str, done: int, total: int) -> None:
        if not self.terminal:
            self.print(f"{stage}: {size_text(total)}")
        if self.stage == "checking":
            self.bars.update(self.task, total=1, completed=1, visible=False)
        self.task = self.bars.add_task(stage, total=None if stage == "checking" else total, completed=done)
        self.stage, self.done, self.started = stage, done, (time.perf_counter(), done)

    def _line(self, done: int, total: int) -> str:
        start, before = self.started
        speed = (done - before) / max(time.perf_counter() - start, 1e-3)
        left = (total - done) / speed if speed else 0
        clock = f"{left:.0f} s" if left < 100 else f"{left / 60:.0f} min"
        return f"{self.stage}: {size_text(done)}, {done * 100 // total} %, {size_text(int(speed))}/s, {clock} left"
