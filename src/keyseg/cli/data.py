"""keyseg data: get a public data set, under its owners' terms."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Literal

from rich.progress import DownloadColumn, TaskID, TimeRemainingColumn, TransferSpeedColumn

from keyseg.cli.progress import ProgressDisplay, worth_a_line
from keyseg.cli.terminal import show
from keyseg.data.archive import ARCHIVE, fetch_dataset, size_text
from keyseg.data.known_datasets import DATASETS
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
    archive: str = ARCHIVE,
    accept: bool = False,
) -> int:
    """Download GTEA, 50Salads or Breakfast from their public archive: I3D features, labels and splits.

    Of the archive, about 30 GB for all three, only the files of the data set you name are requested. After an
    interruption the same command resumes. The data belong to their owners; without --accept only the terms are shown.

    Args:
        action: What to do; get is the only action.
        name: Which data set.
        out: New folder for mapping.txt, groundTruth/, splits/ and features/.
        archive: URL of the zip archive, on a server that sends parts of files, or path of a copy that you have.
        accept: Agree to the data set's terms.
    """
    facts = DATASETS[name]
    show(f"{facts.title}\n  homepage  {facts.homepage}\n  terms     {facts.terms}\n  cite      {facts.citation}")
    show(f"            {_RELEASE}")
    show("The data belong to their owners and are for research, under the terms above; keyseg ships none.")
    if not accept:
        raise ConfigError("nothing was downloaded; read the terms, and add --accept to agree and continue")
    with ByteProgress() as progress:
        fetch_dataset(archive, name, out, progress=progress)
    sampling = f" --sample-rate {facts.sample_rate}" if facts.sample_rate > 1 else ""
    show(f"{out}: done\n  next: keyseg check {quote(str(out))}{sampling}")
    return 0


class ByteProgress(ProgressDisplay):
    """Progress of a download in bytes, without those that are there already."""

    def __init__(self) -> None:
        super().__init__(DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        self.task: TaskID | None = None
        self.done = 0

    def __call__(self, done: int, total: int) -> None:
        """Show `done` of `total` bytes."""
        if self.task is None:
            self.task = self.add("downloading", total=total, completed=done)
        self.bars.update(self.task, completed=done)
        if not self.terminal and worth_a_line(self.done, done, max(total, 1)):
            self.print(f"downloading: {size_text(done)} of {size_text(total)}")
        self.done = done
