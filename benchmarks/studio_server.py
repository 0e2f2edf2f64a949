"""The studio's server: requests per second of /api, and its memory, with many videos and a long timeline.

python benchmarks/studio_server.py [--videos 200] [--segments 5000] [--seconds 5]
The server runs in a process of its own, as `keyseg studio` starts it; four clients ask it over open connections. The
videos are small files that the table says last eight hours. Writes benchmarks/results/studio_server.md and .json.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from keyseg.studio.segments import TimedSegment
from keyseg.studio.store import Store
from provenance import provenance, write_results

CLIENTS = 4
FRAMES = 8 * 3600 * 25
TOKEN = "a-token-for-this-machine"
FILM = bytes(2**20)


@dataclass(frozen=True)
class Server:
    """A running server: its port, and its process."""

    port: int
    process: subprocess.Popen[str]

    def ask(self, connection: http.client.HTTPConnection, method: str, path: str, body: str | None, **more: str) -> int:
        """Send a request and read the whole answer; its length in bytes."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json", **more}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        length = len(answer.read())
        if answer.status >= 400:
            raise SystemExit(f"{method} {path}: {answer.status}")
        return length

    def connection(self) -> http.client.HTTPConnection:
        """A new connection."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def memory_mib(self, what: str = "VmRSS") -> float:
        """Memory of the process now, or with VmHWM at most so far, in MiB."""
        text = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(rf"{what}:\s+(\d+) kB", text)
        assert found is not None
        return int(found[1]) / 1024


def fill(folder: Path, videos: int, segments: int) -> list[str]:
    """Put videos of eight hours into a folder; the first has a correction of many segments. Their ids."""
    ids = [f"{number:012x}" for number in range(videos)]
    with closing(Store(folder)) as store:
        for video in ids:
            file = folder / f"{video}.mp4"
            file.write_bytes(FILM)
            stat = file.stat()
            with store.transaction() as connection:
                connection.execute(
                    "INSERT INTO videos(id, path, digest, size, modified, frames, fps, playable)"
                    " VALUES (?, ?, ?, ?, ?, ?, '25', 1)",
                    (video, file.name, video, stat.st_size, stat.st_mtime_ns, FRAMES),
                )
        step = FRAMES // segments
        row = [
            TimedSegment(start_frame=at * step, end_frame=(at + 1) * step, label=f"action {at % 19}")
            for at in range(segments)
        ]
        store.replace(ids[0], "correction", row, author="a", action="import")
    return ids


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """The server of a folder, as the command starts it."""
    options = ("--without-browser", "--token", TOKEN, "--port", "0")
    command = [sys.executable, "-m", "keyseg", "studio", str(folder), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        found = re.search(r":(\d+)/", process.stdout.readline())
        assert found is not None
        yield Server(int(found[1]), process)
        process.terminate()


def rate(server: Server, seconds: float, request: Callable[[http.client.HTTPConnection], int]) -> tuple[float, float]:
    """Requests per second of all clients together, and bytes of an answer."""
    counts, sizes, end = [0] * CLIENTS, [0] * CLIENTS, time.perf_counter() + seconds

    def client(number: int) -> None:
        with closing(server.connection()) as connection:
            while time.perf_counter() < end:
                sizes[number] = request(connection)
                counts[number] += 1

    threads = [threading.Thread(target=client, args=(number,)) for number in range(CLIENTS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.perf_counter() - started), max(sizes)


def edits(server: Server, seconds: float, video: str) -> tuple[float, float]:
    """Edits per second of one person, each saved on disk before the answer, at the end of a long timeline."""
    path, revision = f"/api/videos/{video}/rows/correction", 0
    connection = server.connection()
    connection.request("GET", f"/api/videos/{video}", headers={"Authorization": f"Bearer {TOKEN}"})
    row = json.loads(connection.getresponse().read())["rows"]["correction"]
    at, last, revision = len(row["segments"]) - 1, row["segments"][-1], row["revision"]
    made, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        moved = last | {"label": f"action {made % 19}"}
        splice = {"at": at, "removed": [last], "inserted": [moved]}
        body = {"revision": revision, "splice": splice, "action": "relabel", "author": "a"}
        length = server.ask(connection, "POST", f"{path}/edits", json.dumps(body))
        last, revision, made = moved, revision + 1, made + 1
    return made / (time.perf_counter() - started), length


def main() -> None:
    """Fill a folder, ask, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--videos", type=int, default=200)
    parser.add_argument("--segments", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=5)
    options = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as place:
        ids = fill(Path(place), options.videos, options.segments)
        with served(Path(place)) as server:
            memory = {"start": server.memory_mib()}
            long, short = f"/api/videos/{ids[0]}", f"/api/videos/{ids[-1]}"
            part = {"Range": "bytes=0-65535"}
            kinds: dict[str, Callable[[http.client.HTTPConnection], int]] = {
                "health": lambda c: server.ask(c, "GET", "/health", None),
                f"library of {options.videos} videos": lambda c: server.ask(c, "GET", "/api/library", None),
                "a video without timelines": lambda c: server.ask(c, "GET", short, None),
                f"a video of {options.segments:,} segments": lambda c: server.ask(c, "GET", long, None),
                "64 KiB of a video": lambda c: server.ask(c, "GET", f"{short}/media", None, **part),
            }
            for name, request in kinds.items():
                per_second, size = rate(server, options.seconds, request)
                rows.append({"request": name, "per_second": per_second, "bytes": size})
            per_second, size = edits(server, options.seconds, ids[0])
            name = f"an edit among {options.segments:,} segments, one client"
            rows.append({"request": name, "per_second": per_second, "bytes": size})
            memory |= {"end": server.memory_mib(), "most": server.memory_mib("VmHWM")}
    table = ["| request | per second | bytes of an answer |", "|---|---|---|"]
    table += [f"| {row['request']} | {row['per_second']:,.0f} | {row['bytes']:,} |" for row in rows]
    note = (
        f"Memory of the server: {memory['start']:.0f} MiB at the start, {memory['end']:.0f} MiB at the end,"
        f" {memory['most']:.0f} MiB at most. Clients and server share the processors."
    )
    title = f"The studio's server, {CLIENTS} clients with open connections"
    results = Path(__file__).parent / "results" / "studio_server"
    write_results(results, title, table, {"rates": rows, "memory_mib": memory}, provenance(), note)


if __name__ == "__main__":
    main()
