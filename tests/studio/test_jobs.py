"""The queue of jobs: order, progress, cancelling, crashes, and what a server's end leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from job_kinds import __file__ as kinds_file
from keyseg.studio.jobs import Busy, JobQueue
from keyseg.studio.store import Store
from keyseg.timeline import ConfigError, DataError

pytestmark = pytest.mark.slow  # every job starts a process
KINDS = {"test": "job_kinds", "other": "job_kinds"}
needs_posix = pytest.mark.skipif(os.name == "nt", reason="looks for processes and sends signals as POSIX does")


@contextmanager
def open_queue(folder: Path, **options):
    store, events = Store(folder), []
    queue = JobQueue(store, lambda *event: events.append(event), kinds=KINDS, **options)
    queue.events = events
    try:
        yield queue
    finally:
        queue.close()
        store.close()


@pytest.fixture
def queue(tmp_path):
    with open_queue(tmp_path) as opened:
        yield opened


@pytest.fixture(autouse=True)
def several(monkeypatch):
    import job_kinds

    monkeypatch.setattr(job_kinds, "SINGLE", False)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process}/stat")
    return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"


def until(condition, seconds: float = 60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.02)
    raise AssertionError("it did not happen")


def at_half(queue: JobQueue, job: str):
    return until(lambda: queue.get(job)["done"] == 0.5 and queue.get(job))


def test_a_job_reports_saves_and_ends_with_its_result(queue, tmp_path):
    job = queue.submit("test", {"do": "count"})
    assert (job["state"], job["done"], job["kind"]) == ("queued", 0, "test")
    job = queue.wait(job["id"], 60)
    assert (job["state"], job["done"], job["message"], job["result"]) == ("done", 1, "done", {"sum": 3})
    assert [point["epoch"] for point in job["curve"]] == [0, 1, 2]
    assert [data["number"] for event, data in queue.events if event == "saved"] == [0, 1, 2]
    assert all((tmp_path / f"part{number}").exists() for number in range(3))
    states = [data["state"] for event, data in queue.events if event == "job"]
    assert states[0] == "queued"
    assert states[-1] == "done"
    assert set(states[1:-1]) == {"running"}
    assert queue.jobs() == [job]


def test_jobs_are_done_in_order(queue, tmp_path):
    jobs = [queue.submit("test", {"do": "note", "name": name})["id"] for name in "dbca"]
    queue.wait(jobs[-1], 60)
    assert (tmp_path / "order").read_text().split() == list("dbca")
    assert [job["id"] for job in queue.jobs()] == jobs[::-1]


@needs_posix
def test_cancel_ends_all_processes_and_leaves_nothing_half(queue, tmp_path):
    job = queue.submit("test", {"do": "endless"})["id"]
    processes = at_half(queue, job)["result"]["processes"]
    assert all(map(is_alive, processes))
    assert list((tmp_path / ".keyseg").rglob("*.partial"))
    assert queue.cancel(job)["state"] == "cancelled"
    until(lambda: not any(map(is_alive, processes)), 10)
    assert not list((tmp_path / ".keyseg").rglob("*.partial"))
    assert not list((tmp_path / ".keyseg" / "jobs").rglob("half"))
    assert queue.wait(queue.submit("test", {"do": "count"})["id"], 60)["state"] == "done"


def test_a_waiting_job_is_cancelled_before_it_begins(queue, tmp_path):
    first = queue.submit("test", {"do": "endless"})["id"]
    second = queue.submit("test", {"do": "note", "name": "never"})["id"]
    assert queue.cancel(second)["state"] == "cancelled"
    queue.cancel(first)
    queue.wait(queue.submit("test", {"do": "note", "name": "third"})["id"], 60)
    assert (tmp_path / "order").read_text() == "third\n"
    assert queue.cancel(second)["message"] == "cancelled before it began"


def test_a_job_that_has_ended_is_not_cancelled(queue):
    job = queue.wait(queue.submit("test", {"do": "count"})["id"], 60)
    assert queue.cancel(job["id"]) == job


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        pytest.param("killed", "killed, as the system does when memory runs out", marks=needs_posix),
        ("leaves", "ended with code 3 before it was done"),
        ("data_error", "film.mp4: damaged; fetch it again"),
        ("bug", "ZeroDivisionError: by zero. This is a bug in keyseg; please report it with"),
        ("memory", "not enough memory"),
    ],
)
def test_a_crash_is_a_failed_job_and_the_next_one_runs(queue, work, reason):
    failed = queue.submit("test", {"do": work})["id"]
    after = queue.submit("test", {"do": "count"})["id"]
    assert queue.wait(after, 60)["state"] == "done"
    job = queue.get(failed)
    assert job["state"] == "failed"
    assert reason in job["message"]


@needs_posix
def test_what_was_reported_before_a_crash_stays(queue, tmp_path):
    job = queue.wait(queue.submit("test", {"do": "killed"})["id"], 60)
    assert job["done"] == 0.25
    assert (tmp_path / "part7").exists()


def test_what_cannot_be_prepared_is_refused_at_once(queue):
    with pytest.raises(DataError, match="cannot be prepared"):
        queue.submit("test", {"do": "count", "refuse": True})
    assert queue.jobs() == []


def test_wrong_names_are_refused(queue):
    with pytest.raises(ConfigError, match=r"no jobs of the kind 'tset' \(did you mean 'test'\?\)"):
        queue.submit("tset", {})
    with pytest.raises(DataError, match="no job 'x'"):
        queue.get("x")
    with pytest.raises(DataError, match="no job 'x'"):
        queue.cancel("x")


def test_the_queue_has_a_limit(tmp_path):
    with open_queue(tmp_path, most_queued=2) as queue:
        running = queue.submit("test", {"do": "endless"})["id"]
        at_half(queue, running)
        for _ in range(2):
            queue.submit("test", {"do": "count"})
        with pytest.raises(Busy, match="2 jobs are waiting already"):
            queue.submit("test", {"do": "count"})


def test_some_kinds_run_one_at_a_time(queue, monkeypatch):
    import job_kinds

    job = queue.submit("test", {"do": "endless"})["id"]
    monkeypatch.setattr(job_kinds, "SINGLE", True)
    with pytest.raises(Busy, match="there can be only one"):
        queue.submit("test", {"do": "count"})
    queue.submit("other", {"do": "count"})
    queue.cancel(job)
    queue.submit("test", {"do": "count"})


def test_a_job_has_a_limit_of_time(tmp_path):
    with open_queue(tmp_path, most_seconds=3) as queue:
        job = queue.wait(queue.submit("test", {"do": "endless"})["id"], 60)
        assert job["state"] == "failed"
        assert "stopped after 3 s" in job["message"]


def test_a_closed_queue_leaves_its_jobs_to_the_next(tmp_path):
    with open_queue(tmp_path) as queue:
        running = queue.submit("test", {"do": "endless"})["id"]
        waiting = queue.submit("test", {"do": "count"})["id"]
        at_half(queue, running)
    store = Store(tmp_path)
    assert {row["state"] for row in store.select("SELECT state FROM jobs")} == {"queued"}
    store.close()
    with open_queue(tmp_path) as queue:
        at_half(queue, running)
        queue.cancel(running)
        assert queue.wait(waiting, 60)["state"] == "done"


SERVER = """
import sys, time
from pathlib import Path
from keyseg.studio.jobs import JobQueue
from keyseg.studio.store import Store
if __name__ == "__main__":
    queue = JobQueue(Store(Path(sys.argv[1])), kinds={"test": "job_kinds"})
    if len(sys.argv) > 2:
        queue.submit("test", {"do": "endless"})
    while not any(job["done"] == 0.5 for job in queue.jobs()):
        time.sleep(0.05)
    print([job["result"]["processes"] for job in queue.jobs()][0], flush=True)
    time.sleep(600)
"""


@needs_posix
def test_after_the_kill_of_a_server_its_job_is_tried_once_more(tmp_path):
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(kinds_file).parent), *sys.path])}
    folder = tmp_path / "folder"
    folder.mkdir()
    for words in (["new"], []):
        command = [sys.executable, str(script), str(folder), *words]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        worker, child = eval(server.stdout.readline())
        server.send_signal(signal.SIGKILL)
        server.wait()
        until(lambda worker=worker: not is_alive(worker), 20)
        os.kill(child, signal.SIGKILL)  # a decoding process ends when its reader does; this child does not listen
    with open_queue(folder) as queue:
        (job,) = queue.jobs()
        assert job["state"] == "failed"
        assert "ended twice" in job["message"]
        assert not list((folder / ".keyseg").rglob("*.partial"))
        assert not (folder / ".keyseg" / "jobs").exists()
