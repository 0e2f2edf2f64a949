"""The studio's state: saves per second, its size, opening, and saves while the server is killed.

python benchmarks/studio_saves.py [--saves 10000] [--folder FOLDER]
A save moves, splits, merges or relabels a segment, and is on disk when it is acknowledged. For the kills, a process
saves in a timeline of 300 segments and says what was acknowledged, and is ended by SIGKILL at random moments; each of
these saves has to be in the history, and the history has to replay to the timeline and to the plain file. The folder
for all that is temporary, by default where the system keeps such. Writes benchmarks/results/studio_saves.md and .json.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from keyseg.studio.library import library
from keyseg.studio.segments import Splice, TimedSegment
from keyseg.studio.store import Store
from keyseg.studio.videos import scan
from keyseg.timeline import DataError
from provenance import provenance, write_results

SIZES = (30, 300, 5000)  # segments of a timeline
FRAMES, LABELS = 864_000, tuple(f"class {number}" for number in range(12))  # 8 hours at 30 frames per second
VIDEOS, SEGMENTS = 1000, 50  # of a large folder
LONGEST_LIFE = 4.0  # seconds until a process is killed


def main() -> None:
    """Measure and write the tables, or be the process that is killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--saves", type=int, default=10_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--save-in", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.save_in:
        save_until_killed(arguments.save_in, arguments.seed)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        speeds = [
            speed(Path(folder) / str(size), size, arguments.saves if size == SIZES[-1] else 2000) for size in SIZES
        ]
        large = large_folder(Path(folder) / "large")
        kills = killed_saves(Path(folder) / "kills", arguments.saves)
    lines = [
        "| segments | saves | saves/s | processor per save, ms | slowest of 100, ms | bytes per save | opening, ms | segments replayed |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {row['segments']:,} | {row['saves']:,} | {row['per_second']:.0f} | {row['processor_ms']:.1f} | {row['slow_ms']:.1f} |"
            f" {row['bytes']:.0f} | {row['open_ms']:.1f} | {row['replayed']:,} |"
            for row in speeds
        ),
        "",
        f"A folder of {VIDEOS:,} videos with timelines of {SEGMENTS} segments: the library takes"
        f" {large['library_ms']:.0f} ms, a scan that finds nothing new {large['scan_ms']:.0f} ms.",
        "",
        f"{kills['acknowledged']:,} acknowledged saves with {kills['kills']} kills: {kills['lost']} lost;"
        f" {kills['more']} more were on disk, whose acknowledgement the kill cut off.",
    ]
    note = (
        "slowest of 100: the 99th percentile. bytes per save: growth of the database. opening: reading the timeline."
        " Saves wait for the disk, and the machine is shared; processor: time of the process, the plain file included."
    )
    rows = {"speed": speeds, "large": large, "kills": kills}
    write_results(
        Path(__file__).parent / "results" / "studio_saves", "Saves in the studio", lines, rows, provenance(), note
    )


def add_video(store: Store, video: str, file: Path | None = None) -> None:
    """Put a video in the table."""
    size, modified = (file.stat().st_size, file.stat().st_mtime_ns) if file else (0, 0)
    with store.transaction() as connection:
        connection.execute(
            "INSERT OR IGNORE INTO videos(id, path, digest, size, modified, frames, fps, playable)"
            " VALUES (?, ?, ?, ?, ?, ?, '30', 1)",
            (video, f"{video}.mp4", video, size, modified, FRAMES),
        )


def timeline(count: int) -> list[TimedSegment]:
    """Segments with gaps that fill a video."""
    length = FRAMES // count
    starts = range(0, count * length, length)
    return [
        TimedSegment(start_frame=start, end_frame=start + length * 3 // 4, label=LABELS[start % 7]) for start in starts
    ]


def draw_edit(rng: random.Random, segments: Sequence[TimedSegment], count: int) -> Splice:
    """Move an end, relabel a segment, or split one or merge two, so that there remain about `count`."""
    at = rng.randrange(len(segments) - 1)
    one, two = segments[at : at + 2]
    middle = (one.start_frame + one.end_frame) // 2
    kind = rng.choice(("move", "relabel", "split" if len(segments) <= count else "merge"))
    if kind == "split" and one.start_frame < middle:
        parts = one.model_copy(update={"end_frame": middle}), one.model_copy(update={"start_frame": middle})
        return Splice(at=at, removed=(one,), inserted=parts)
    if kind == "merge":
        return Splice(at=at, removed=(one, two), inserted=(one.model_copy(update={"end_frame": two.end_frame}),))
    end = rng.randrange(one.start_frame, two.start_frame) + 1
    change = {"end_frame": end} if kind == "move" else {"label": rng.choice(LABELS)}
    return Splice(at=at, removed=(one,), inserted=(one.model_copy(update=change),))


def edits(store: Store, seed: int) -> Iterator[tuple[int, Splice, float]]:
    """Save one edit after the other: its revision, the edit, and the seconds until it was acknowledged."""
    row = store.row("v", "correction")
    segments, revision, rng = list(row.segments), row.revision, random.Random(seed)
    count = len(segments)
    while True:
        splice = draw_edit(rng, segments, count)
        started = time.perf_counter()
        revision = store.edit("v", "correction", revision, splice, author="Ada", action="edit").revision
        yield revision, splice, time.perf_counter() - started
        segments[splice.at : splice.at + len(splice.removed)] = splice.inserted


def speed(folder: Path, size: int, saves: int) -> dict[str, Any]:
    """Saves in a timeline of so many segments; the plain file is written meanwhile, as always."""
    folder.mkdir()
    store = Store(folder)
    add_video(store, "v")
    store.replace("v", "correction", timeline(size), author="Ada", action="import")
    before = database_bytes(store)
    processor = time.process_time()
    seconds = [taken for (_, _, taken), _ in zip(edits(store, 0), range(saves), strict=False)]
    processor = time.process_time() - processor
    grown = database_bytes(store) - before
    opening = median(timed(lambda: store.row("v", "correction")) for _ in range(9))
    replayed = len(checked_replay(store))
    store.close()
    return {
        "segments": size,
        "saves": saves,
        "per_second": saves / sum(seconds),
        "slow_ms": 1000 * sorted(seconds)[len(seconds) * 99 // 100],
        "processor_ms": 1000 * processor / saves,
        "bytes": grown / saves,
        "open_ms": 1000 * opening,
        "replayed": replayed,
    }


def database_bytes(store: Store) -> int:
    """Size of the tables."""
    return int(store.select("PRAGMA page_count")[0][0]) * int(store.select("PRAGMA page_size")[0][0])


def timed(call: Callable[[], Any]) -> float:
    """Seconds of a call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def checked_replay(store: Store) -> list[TimedSegment]:
    """The timeline; its history has to replay to it."""
    segments: list[TimedSegment] = []
    history = store.history("v", "correction")
    for number, edit in enumerate(history):
        splice = Splice.model_validate_json(edit["splice"])
        if edit["revision"] != number + 1:
            raise SystemExit(f"revision {edit['revision']} follows {number}")
        segments = splice.applied(segments, FRAMES)
    row = store.row("v", "correction")
    if list(row.segments) != segments or row.revision != len(history):
        raise SystemExit("the history does not replay to the timeline")
    return segments


def large_folder(folder: Path) -> dict[str, float]:
    """Milliseconds of the library and of a scan of many videos that did not change."""
    folder.mkdir()
    store = Store(folder)
    for number in range(VIDEOS):
        file = folder / f"{number:04}.mp4"
        file.write_bytes(b"film")
        add_video(store, file.stem, file)
        store.replace(file.stem, "prediction:b", timeline(SEGMENTS), author="b", action="predict")
        store.replace(file.stem, "correction", timeline(SEGMENTS), author="Ada", action="import")
    scan(store)
    found = {
        "library_ms": 1000 * median(timed(lambda: json.dumps(library(store))) for _ in range(9)),
        "scan_ms": 1000 * median(timed(lambda: scan(store)) for _ in range(9)),
    }
    store.close()
    shutil.rmtree(folder)
    return found


def save_until_killed(folder: Path, seed: int) -> None:
    """Save, and print what was acknowledged, without end."""
    store = Store(folder)
    add_video(store, "v")
    if not store.row("v", "correction").revision:
        store.replace("v", "correction", timeline(300), author="Ada", action="import")
    print("ready", flush=True)
    for revision, splice, _ in edits(store, seed):
        print(revision, splice.model_dump_json(exclude_none=True), flush=True)


def killed_saves(folder: Path, saves: int, longest_life: float = LONGEST_LIFE) -> dict[str, int]:
    """Start and kill the process until so many saves were acknowledged, then look for each of them."""
    folder.mkdir()
    acknowledged: dict[int, str] = {}
    rng, kills = random.Random(0), 0
    while len(acknowledged) < saves:
        acknowledged |= one_life(folder, kills, rng.uniform(0, longest_life))
        kills += 1
    store = Store(folder)
    kept = {edit["revision"]: edit["splice"] for edit in store.history("v", "correction")}
    segments = checked_replay(store)
    lost = sum(kept.get(revision) != splice for revision, splice in acknowledged.items())
    if store.select("PRAGMA integrity_check")[0][0] != "ok":
        raise SystemExit("the database is damaged")
    store.files.compare()
    lines = (folder / "annotations" / "v.csv").read_text(encoding="utf-8").splitlines()
    if len(lines) != len(segments) + 1 or len(store.history("v", "correction")) != len(kept):
        raise SystemExit("the plain file is not the timeline, or was taken for a change from outside")
    store.close()
    return {"acknowledged": len(acknowledged), "kills": kills, "lost": lost, "more": len(kept) - 1 - len(acknowledged)}


def one_life(folder: Path, seed: int, seconds: float) -> dict[int, str]:
    """What a process acknowledged before it was killed, so many seconds after it had opened the folder."""
    command = [sys.executable, __file__, "--save-in", str(folder), "--seed", str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as process:
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise SystemExit("the process did not open the folder after a kill")
        refuse_second(folder)
        killer = threading.Timer(seconds, process.kill)
        killer.start()
        lines = [line for line in process.stdout if line.endswith("\n")]
        killer.cancel()
    pairs = (line.rstrip("\n").split(" ", 1) for line in lines)
    return {int(revision): splice for revision, splice in pairs}


def refuse_second(folder: Path) -> None:
    """A second server on the folder has to be refused."""
    try:
        Store(folder)
    except DataError:
        return
    raise SystemExit("two servers have one folder open")


if __name__ == "__main__":
    main()
