"""One process that reads mutated inputs and reports, line by line, what became of each.

It may die: `campaign` then knows from the last line which input did it, and starts another one.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
import unicodedata
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from fuzz.mutations import mutated
from fuzz.readers import READERS, Reader
from keyseg.timeline import KeysegError

CORPUS = -1
MOST_SECONDS = 2.0
MOST_MEMORY = 256 * 2**20
MOST_LETTERS = 2000
_KILLED_AFTER = 10  # seconds of one input
_ADDRESS_SPACE = 2 * 2**30
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

try:
    import resource
except ImportError:  # on Windows, where the parent's clock and the message remain
    resource = None  # type: ignore[assignment]


def corpus(reader: Reader) -> list[Path]:
    """The inputs that once failed, of which keyseg keeps one for each cause."""
    return sorted((Path(__file__).parent / "corpus" / reader.name).glob("*"))


def content_of(reader: Reader, seed: int, number: int) -> tuple[str, bytes]:
    """The file name and the content of an input: the same everywhere, for the same samples. Those of the seed CORPUS
    are the files that once failed."""
    if seed == CORPUS:
        kept = corpus(reader)[number]
        return next(name for name in reader.files if kept.name.endswith(Path(name).name)), kept.read_bytes()
    random = Random(f"{reader.name} {seed} {number}")
    name = random.choice(reader.files)
    return name, mutated(random.choice(reader.seeds()), reader.kind, random)


def message_problem(message: str) -> str:
    """What is wrong with the message of an error, or nothing."""
    if len(message) > MOST_LETTERS:
        return f"a message of {len(message)} characters"
    bad = next((c for c in message if c != "\n" and (unicodedata.category(c) in ("Cc", "Cs") or c in _BIDI)), None)
    return f"a message with {bad!a}" if bad is not None else ""


def read_one(reader: Reader, path: Path) -> tuple[str, str, list[str]]:
    """Read a file: read, refused or other; the cause of the other; and the messages of all errors of ours."""
    messages: list[str] = []
    try:
        value = reader.read(path)
    except KeysegError as error:
        return "refused", "", [str(error)]
    except Exception as error:
        return "other", _cause(error), messages
    for use in reader.then:
        try:
            use(value)
        except KeysegError as error:
            messages.append(str(error))
        except Exception as error:
            return "other", _cause(error), messages
    return "read", "", messages


def _cause(error: Exception) -> str:
    """The kind of an error and the last place of keyseg that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "keyseg" in frame.filename] or list(frames)
    place = f"{Path(ours[-1].filename).parent.name}/{Path(ours[-1].filename).name}:{ours[-1].lineno}"
    return f"{type(error).__name__} at {place}"


def processor_seconds() -> float:
    """Of this process and of those that it started and that have ended."""
    if resource is None:
        return time.process_time()
    return time.process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


class _Memory:
    """The largest resident memory since `start`, beyond what there was; 0 where the system does not say it."""

    def start(self) -> None:
        with suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")  # forget the peak
        self.before = self._status("VmRSS")

    def grown(self) -> int:
        return max(0, self._status("VmHWM") - self.before)

    @staticmethod
    def _status(key: str) -> int:
        with suppress(OSError), open("/proc/self/status", encoding="ascii", errors="replace") as file:
            return next((int(line.split()[1]) * 1024 for line in file if line.startswith(key)), 0)
        return 0


def _limit_memory() -> None:
    """Refuse memory far above what is allowed, so that a mistake does not harm the machine."""
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + _ADDRESS_SPACE
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _limit_time() -> None:
    """End this process if the next input takes far longer than is allowed."""
    if resource is not None:
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + _KILLED_AFTER, hard))


def run(jobs: list[tuple[str, int, int, int]], say: Callable[[dict[str, Any]], None]) -> None:
    """Read the inputs of some jobs: reader, seed, first number and the number after the last."""
    with TemporaryDirectory(prefix="keyseg-fuzz-") as folder:
        for name, *_ in jobs:
            _warm_up(READERS[name], Path(folder, name))
        _limit_memory()
        for name, seed, first, after in jobs:
            for number in range(first, after):
                say({"reader": name, "number": number})
                say(_measured(READERS[name], seed, number, Path(folder, name)))


def _warm_up(reader: Reader, folder: Path) -> None:
    """Read the samples, so that what is imported and kept on the first call does not count; they are sound."""
    folder.mkdir(parents=True)
    reader.beside(folder)
    for sample in reader.seeds():
        file = folder / reader.files[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(sample)
        outcome, cause, messages = read_one(reader, file)
        if outcome == "other":
            raise AssertionError(f"{reader.name}: a sample is not read: {cause} {messages}")
        file.unlink()


def _measured(reader: Reader, seed: int, number: int, folder: Path) -> dict[str, Any]:
    name, content = content_of(reader, seed, number)
    file, memory = folder / name, _Memory()
    file.write_bytes(content)
    _limit_time()
    memory.start()
    began = processor_seconds()
    outcome, cause, messages = read_one(reader, file)
    seconds, grown = processor_seconds() - began, memory.grown()
    file.unlink(missing_ok=True)
    causes = [cause, *map(message_problem, messages)]
    causes.append(f"{seconds:.1f} s" if seconds > MOST_SECONDS else "")
    causes.append(f"{grown >> 20} MiB" if grown > MOST_MEMORY else "")
    longest = max(map(len, messages), default=0)
    wrong = "; ".join(filter(None, causes))
    return {"outcome": outcome, "wrong": wrong, "seconds": seconds, "memory": grown, "longest": longest}


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", line_buffering=True)  # type: ignore[union-attr]
    results, sys.stdout = sys.stdout, sys.stderr  # what is printed elsewhere does not count
    run(json.loads(sys.argv[1]), lambda one: print(json.dumps(one), file=results, flush=True))
