"""Every reader of the program refuses a pipe and a device at once: a hang ends the process, and the test fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keyseg.formats.table_of_formats import FORMATS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither pipes nor devices among files")

READERS = {
    **{name: f"keyseg.read(path, format={name!r}, fps=25)" for name, _ in FORMATS.usable()},
    "format by name": "keyseg.read(path)",
    "mapping": "keyseg.LabelMap.read(path)",
    "split": "from keyseg.data.splits import read_bundle; read_bundle(path)",
    "groups": "from keyseg.data.user_annotations import read_groups; read_groups(path, {}, ())",
    "dataset": "from keyseg.data.dataset_file import read_dataset_file; read_dataset_file(path.parent)",
    "sidecar": "from keyseg.data.feature_origin import read_sidecar; read_sidecar(path)",
    "features": "from keyseg.data.feature_files import open_features; open_features(path)",
    "archive": "from keyseg.data.archive import open_archive\nwith open_archive(str(path)): pass",
    "recipe": "from keyseg.training.recipe import load_recipe; load_recipe(path)",
    "run": "from keyseg.training.run import read_run; read_run(path.parent)",
    "tuning": "from keyseg.training.tuning import read_tuning; read_tuning(path.parent)",
    "numbers of a training": "from keyseg.viz import read_metrics_csv; read_metrics_csv(path)",
    "bundle": "keyseg.load(path.parent)",
    "weights": "from keyseg.inference.weight_files import read_weights; read_weights(path)",
    "model": "from keyseg.video.model_folder import local_folder; local_folder(path.parent)",
    "tracks": "from keyseg.video.pose_tracks import read_tracks; read_tracks(path)",
    "tracks in HDF5": "from keyseg.video.pose_hdf5 import read_hdf5; read_hdf5(path)",
    "video": "from keyseg.video.reading import probe; probe(path)",
    "digest": "from keyseg.timeline.files import file_sha256; file_sha256(path)",
}
NAMES = {
    "dataset": "dataset.yaml", "sidecar": "a.json", "run": "run.json", "tuning": "tuning.json", "bundle": "config.json",
    "model": "config.json", "tracks": "a.csv", "features": "a.npy", "video": "a.mp4",
}  # fmt: skip
CHILD = """
import signal, sys
from itertools import product
from pathlib import Path
import keyseg
place, readers, names = Path(sys.argv[1]), *map(eval, sys.argv[2:])
def late(*_): raise BaseException("it hangs")
signal.signal(signal.SIGALRM, late)
for kind, (name, code) in product(("pipe", "device"), readers.items()):
    path = place / kind / name / names.get(name, "file")
    signal.alarm(60)
    try:
        exec(code)
        print(kind, name, "nothing was raised")
    except keyseg.KeysegError:
        pass
    except BaseException as error:
        print(kind, name, type(error).__name__, error)
    signal.alarm(0)
"""


@pytest.mark.slow
def test_no_reader_waits_for_a_pipe_or_reads_a_device(tmp_path: Path) -> None:
    for name in READERS:
        for kind in ("pipe", "device"):
            path = tmp_path / kind / name / NAMES.get(name, "file")
            path.parent.mkdir(parents=True)
            if kind == "pipe":
                os.mkfifo(path)
            else:
                path.symlink_to("/dev/zero")
    command = [sys.executable, "-c", CHILD, str(tmp_path), repr(READERS), repr(NAMES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr[-2000:]
