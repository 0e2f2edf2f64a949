"""Fuzzes one reader with Atheris, which prefers inputs that reach new code.

`python -m fuzz.with_atheris READER -runs=100000`, with `tests` on the path, needs Linux and `pip install atheris`.
Other options are those of libFuzzer. It ends with the first input that does harm.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import atheris

with atheris.instrument_imports(include=["keyseg"]):
    from fuzz.mutations import mutated
    from fuzz.readers import READERS
    from fuzz.worker import message_problem, read_one


def main() -> None:
    """Read inputs until one does harm, or as many as are asked for."""
    reader = READERS[sys.argv.pop(1)]
    with TemporaryDirectory(prefix="keyseg-fuzz-") as folder:
        reader.beside(Path(folder))
        file, samples = Path(folder, reader.files[0]), Path(folder, "samples")
        for path in (file.parent, samples):
            path.mkdir(parents=True, exist_ok=True)
        for number, sample in enumerate(reader.seeds()):
            (samples / str(number)).write_bytes(sample)

        def one(content: bytes) -> None:
            file.write_bytes(content)
            outcome, cause, messages = read_one(reader, file)
            wrong = "; ".join(filter(None, (cause, *map(message_problem, messages))))
            if outcome == "other" or wrong:
                raise AssertionError(wrong)

        def change(content: bytes, most: int, seed: int) -> bytes:
            return mutated(content, reader.kind, Random(seed))[:most]

        limits = ["-timeout=10", "-rss_limit_mb=4096", "-max_len=100000"]
        atheris.Setup([*sys.argv[:1], *limits, *sys.argv[1:], str(samples)], one, custom_mutator=change)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
