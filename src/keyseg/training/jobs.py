"""Trainings side by side: each in a process with its share of the processors, or on the next GPU."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from keyseg.timeline import ConfigError, KeysegError, TrainingError
from keyseg.timeline.files import write_log
from keyseg.training.torchrun import is_launched
from keyseg.video.workers import CONTEXT, worker_pool

if TYPE_CHECKING:  # a process must know its threads and its GPU before it imports numpy and torch
    from concurrent.futures import ProcessPoolExecutor

    from keyseg.data.splits import Split
    from keyseg.training.fit import Fit, FitCallbacks
    from keyseg.training.run import Run

_POLL_SECONDS = 0.5  # Windows interrupts no wait without an end


def no_callbacks(fit: Fit) -> tuple[()]:
    """No callbacks; other processes can import it."""
    return ()


def check_jobs(jobs: int) -> None:
    """Raise ConfigError unless this many trainings can run side by side."""
    if jobs < 1:
        raise ConfigError(f"--jobs takes a number >= 1, got {jobs}")
    if jobs > 1 and is_launched():
        raise ConfigError("--jobs starts processes of its own: leave it out, or run without torchrun")


def run_side_by_side(runs: Sequence[Run], callbacks: FitCallbacks, jobs: int) -> None:
    """Train and score the unfinished splits and seeds of runs, `jobs` at a time, and summarise each run as it grows.

    Of a single one the inner folds are side by side. Each training comes to the weights that it comes to alone with as
    many threads. On Ctrl-C or SIGTERM all processes are stopped at once, and a resumed run repeats the interrupted
    epochs. Trainings that another command works on are left to it.

    callbacks: a function at the top of a module, since every process imports it.

    Raises TrainingError after the last training if some failed, with the error of each.
    """
    from keyseg.training.results import summarise

    check_importable(callbacks)
    every = [(run, fit) for run in runs for fit in (*run.fits(), *run.final_fits())]
    trainings = [(run, fit.split, fit.seed) for run, fit in every if not fit.is_finished]
    # All splits with the first seed come before the next seed, whose trainings need the inner folds of the first.
    trainings.sort(key=lambda training: training[0].seeds.index(training[2]))
    failed: list[str] = []
    if len(trainings) == 1:
        from keyseg.training.running import run_one

        ((run, split, seed),) = trainings
        run_one(run, _fit_of(run, split, seed), callbacks, jobs)
    if len(trainings) < 2:
        return
    with processes(min(jobs, len(trainings))) as pool:
        waiting = {pool.submit(_train, *training, callbacks): training for training in trainings}
        for future in finished_futures(list(waiting)):
            run, split, seed = waiting[future]
            if (message := future.result()) is not None:
                name = "final" if split is None else f"split{split}"
                failed.append(f"{run.folder.name}/{name}/seed{seed}: {message}")
            summarise(run)
    if failed:
        raise TrainingError(
            f"{len(failed)} of {len(trainings)} trainings failed; to try again, run the same command to resume\n"
            + "\n".join(failed)
        )


def check_importable(callbacks: FitCallbacks) -> None:
    """Raise ConfigError if no other process can import this function."""
    try:
        pickle.dumps(callbacks)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise ConfigError(f"with several jobs, callbacks is a function at the top of a module ({error})") from error


def _train(run: Run, split: Split, seed: int, callbacks: FitCallbacks) -> str | None:
    """Train and score one split and seed in this process. Returns what went wrong."""
    from keyseg.training.running import run_one

    try:
        run_one(run, _fit_of(run, split, seed), callbacks)
    except (KeysegError, OSError) as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {error} (traceback: {write_log(traceback.format_exc())})"
    return None


def _fit_of(run: Run, split: Split, seed: int) -> Fit:
    return next(fit for fit in (*run.fits(), *run.final_fits()) if (fit.split, fit.seed) == (split, seed))


@contextmanager
def processes(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of `jobs` processes that share the threads of this one, with the GPUs dealt out in turn.

    Ctrl-C, SIGTERM and errors inside the context stop them at once. Raises TrainingError if one ends by itself.
    """
    import torch

    dealt = CONTEXT.SimpleQueue()
    for gpu in gpus_in_turn(jobs):
        dealt.put(gpu)
    try:
        with _sigterm_as_interrupt(), worker_pool(jobs, _start, max(1, torch.get_num_threads() // jobs), dealt) as pool:
            yield pool
    except BrokenProcessPool as error:
        raise TrainingError(
            "a training process ended, perhaps because memory ran out; progress is saved: resume with fewer --jobs. (A"
            ' script of your own starts its trainings below: if __name__ == "__main__")'
        ) from error


def finished_futures(futures: Sequence[Future[Any]]) -> Iterator[Future[Any]]:
    """Futures as they finish; Ctrl-C interrupts the wait, on Windows too."""
    waiting = set(futures)
    while waiting:
        done, waiting = wait(waiting, timeout=_POLL_SECONDS, return_when=FIRST_COMPLETED)
        yield from done


def gpus_in_turn(jobs: int) -> list[str | None]:
    """What CUDA_VISIBLE_DEVICES is for each of `jobs` processes; None for each without GPUs."""
    import torch

    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    every = map(str, range(torch.cuda.device_count()))
    gpus = [name for name in (chosen.split(",") if chosen is not None else every) if name.strip()]
    return [gpus[number % len(gpus)] if gpus else None for number in range(jobs)]


def _start(threads: int, dealt: Any) -> None:
    signal.signal(signal.SIGTERM, lambda *_: os._exit(1))  # Lightning alone would finish the step
    gpu = dealt.get()
    if gpu is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    os.environ["OMP_NUM_THREADS"] = str(threads)
    import torch

    torch.set_num_threads(threads)


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM too, in the only thread that may decide it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    former: Callable[..., Any] | int | None = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, former)
