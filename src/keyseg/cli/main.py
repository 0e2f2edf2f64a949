"""The `keyseg` command: verbs, errors, exit codes."""

from __future__ import annotations

import sys
import tempfile
import traceback
from collections.abc import Callable, Sequence

from cyclopts import App, CycloptsError, Parameter
from pydantic import ValidationError

from keyseg.cli.check import check_verb
from keyseg.cli.convert import convert_verb
from keyseg.cli.data import data_verb
from keyseg.cli.demo import demo
from keyseg.cli.doctor import doctor_verb
from keyseg.cli.evaluate import eval_verb
from keyseg.cli.features import features_verb
from keyseg.cli.import_weights import import_weights_verb
from keyseg.cli.init import init_verb
from keyseg.cli.plot import plot_verb
from keyseg.cli.predict import predict_verb
from keyseg.cli.reproduce import reproduce
from keyseg.cli.train import train_verb
from keyseg.timeline import KeysegError
from keyseg.timeline.validation import problem_text
from keyseg.timeline.version import __version__

VERBS: dict[str, Callable[..., int]] = {
    "demo": demo,
    "init": init_verb,
    "features": features_verb,
    "train": train_verb,
    "eval": eval_verb,
    "predict": predict_verb,
    "check": check_verb,
    "data": data_verb,
    "plot": plot_verb,
    "convert": convert_verb,
    "import-weights": import_weights_verb,
    "doctor": doctor_verb,
}

_RESUME = "; progress is saved; run the same command to resume"
_AFTER_INTERRUPT = {
    "features": _RESUME,
    "init": _RESUME,
    "data": _RESUME,
    "reproduce": _RESUME,
    "demo": f"{_RESUME}, without --force",
    "train": f"{_RESUME}, with --resume",
    "predict": "; finished timelines are kept; run the same command with --resume for the others",
}

app = App(
    name="keyseg",
    help="Temporal action segmentation with refined temporal keypoints: videos or features in, labelled timelines out.",
    help_epilogue="Exit codes: 0 success, 1 a problem with data or results, 2 wrong usage. Start with: keyseg demo",
    version=__version__,
    help_format="markdown",
    default_parameter=Parameter(negative=()),  # no --no-force, --empty-seed and the like
    suppress_keyboard_interrupt=False,  # `run` handles it
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
        code = app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")
        return code if isinstance(code, int) else 0
    except CycloptsError as error:
        print(f"error: {_usage_error(error)}", file=sys.stderr)
        return 2
    except KeysegError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        advice = _AFTER_INTERRUPT.get(next(iter(arguments), ""), "")
        print(f"interrupted{advice}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        return 1
    except OSError as error:  # no such folder, no permission, no space: not a bug of ours
        print(f"error: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        with tempfile.NamedTemporaryFile("w", prefix="keyseg-", suffix=".log", delete=False) as log:
            log.write(traceback.format_exc())
        print(f"error: {type(error).__name__}: {error}", file=sys.stderr)
        print(f"This is a bug in keyseg; please report it with {log.name}", file=sys.stderr)
        return 1


def _usage_error(error: CycloptsError) -> str:
    """What is wrong with the arguments, starting with the flag where there is one."""
    if not isinstance(error.__cause__, ValidationError):
        return str(error).removeprefix("Invalid value for ")
    first = error.__cause__.errors()[0]  # of options that are the fields of a model
    flag = "".join(f"--{name}: ".replace("_", "-") for name in first["loc"][:1])
    return flag + problem_text(first)
