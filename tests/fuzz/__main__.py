"""`python -m fuzz`, with `tests` on the path: reads many mutated files, and fails if one does harm."""

from __future__ import annotations

import argparse
import os
import re
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from fuzz import campaign
from fuzz.readers import READERS
from fuzz.worker import content_of, message_problem, processor_seconds
from keyseg.timeline import KeysegError

FOUND = Path("fuzz-findings")


def main() -> int:
    """Exit code 1 if there is a finding."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", help=f"default: all of them: {', '.join(READERS)}")
    parser.add_argument("--count", type=int, default=20_000, help="inputs per text reader")
    parser.add_argument("--binary", type=int, default=None, help="inputs per binary reader; default: an eighth of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--number", type=int, help="read this one input of a reader, and show what happens")
    given = parser.parse_args()
    unknown = set(given.readers) - set(READERS)
    if unknown:
        parser.error(f"unknown readers: {', '.join(unknown)}")
    if given.number is not None:
        return _one(given.readers[0], given.seed, given.number)
    names = given.readers or list(READERS)
    binary = given.count // 8 if given.binary is None else given.binary
    jobs = [(name, given.seed, 0, campaign.share(name, given.count, binary)) for name in names]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        figures = {name: one for found in pool.map(_run, jobs) for name, one in found.items()}
    print(campaign.table(figures))
    findings = [finding for one in figures.values() for finding in one.findings]
    for finding in findings:
        _keep(finding)
    _print_causes(findings)
    return bool(findings)


def _run(job: campaign.Job) -> dict[str, campaign.Figures]:
    found = campaign.run([job])
    print(f"{job[0]}: {len(found[job[0]].findings)} findings", file=sys.stderr, flush=True)
    return found


def _keep(finding: campaign.Finding) -> None:
    name, content = content_of(READERS[finding.reader], finding.seed, finding.number)
    folder = FOUND / finding.reader
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{finding.seed}-{finding.number}-{Path(name).name}").write_bytes(content)


def _print_causes(findings: list[campaign.Finding]) -> None:
    """One line for each cause: how often, and the command that repeats the first."""
    causes: dict[tuple[str, str], list[campaign.Finding]] = {}
    for finding in findings:
        causes.setdefault((finding.reader, re.sub(r"\d+[.]\d s|\d+ MiB|of \d+ char", "N", finding.wrong)), []).append(
            finding
        )
    for (reader, _), of_it in sorted(causes.items(), key=lambda one: -len(one[1])):
        first = of_it[0]
        print(
            f"{len(of_it)} of {reader}: {first.wrong}\n"
            f"  PYTHONPATH=tests python -m fuzz {reader!r} --seed {first.seed} --number {first.number}"
        )
    if findings:
        print(f"{len(findings)} findings; the inputs are in {FOUND}")


def _one(reader: str, seed: int, number: int) -> int:
    target = READERS[reader]
    name, content = content_of(target, seed, number)
    with TemporaryDirectory(prefix="keyseg-fuzz-") as folder:
        target.beside(Path(folder))
        file = Path(folder, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        print(f"{len(content)} bytes: {content[:2000]!r}")
        began = processor_seconds()
        try:
            value = target.read(file)
            for use in target.then:
                use(value)
            print("read")
        except KeysegError as error:
            print(f"{type(error).__name__}: {str(error)!a} {message_problem(str(error))}")
        except Exception:
            traceback.print_exc()
            return 1
        finally:
            print(f"{processor_seconds() - began:.2f} s of processor time")
    return 0


if __name__ == "__main__":
    sys.exit(main())
