"""The `keyseg` command: verbs, errors, exit codes."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence

from cyclopts import App, CycloptsError, Parameter

from keyseg.cli.check import check
from keyseg.cli.convert import convert
from keyseg.cli.data import data
from keyseg.cli.demo import demo
from keyseg.cli.doctor import doctor
from keyseg.cli.evaluate import evaluate
from keyseg.cli.features import features
from keyseg.cli.init import init
from keyseg.cli.plot import plot
from keyseg.cli.predict import predict
from keyseg.cli.reproduce import reproduce
from keyseg.cli.train import train
from keyseg.timeline import KeysegError
from keyseg.timeline.version import __version__

VERBS: dict[str, Callable[..., int]] = {
    "demo": demo,
    "init": init,
    "features": features,
    "train": train,
    "eval": evaluate,
    "predict": predict,
    "check": check,
    "data": data,
    "plot": plot,
    "convert": convert,
    "doctor": doctor,
}

_AFTER_INTERRUPT = {
    "features": "; what was done is kept: the same command goes on",
    "predict": "; timelines that are done are kept: the same command with --resume goes on",
    "init": "; what was done is kept: the same command goes on",
    "data": "; what was downloaded is kept: the same command goes on",
    "train": "; what was done is kept: the same command with --resume goes on",
    "demo": "; what was done is kept: the same command goes on, without --force",
    "reproduce": "; what was done is kept: the same command goes on",
}

app = App(
    name="keyseg",
    help="Temporal action segmentation with refined temporal keypoints: videos or features in, labelled timelines out.",
    help_epilogue="Exit codes: 0 done, 1 data or result not right, 2 wrong use. Start with: keyseg demo",
    version=__version__,
    help_format="markdown",
    default_parameter=Parameter(negative=()),  # no --no-force, --empty-seed and the like
    suppress_keyboard_interrupt=False,  # `run` answers it
)
for order, (name, verb) in enumerate(VERBS.items()):
    app.command(verb, name=name, sort_key=order)
app.command(reproduce)  # a group of verbs


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb and exit with its code; every error is a message, never a traceback."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one verb and return its exit code."""
    try:
        code = app(list(arguments), exit_on_error=False, result_action="return_value")
        return code if isinstance(code, int) else 0
    except CycloptsError:
        return 2  # the parser has printed what is wrong
    except KeysegError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        rest = _AFTER_INTERRUPT.get(next(iter(arguments), ""), "")
        print(f"interrupted{rest}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:  # no such folder, no permission, no space: nothing of ours
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        with tempfile.NamedTemporaryFile("w", prefix="keyseg-", suffix=".log", delete=False) as log:
            log.write(traceback.format_exc())
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        print(f"This is a fault of keyseg; please report it with {log.name}", file=sys.stderr)
        return 1
