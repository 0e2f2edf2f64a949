"""The `keyseg` command: verbs, errors, exit codes."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence

from cyclopts import App, CycloptsError, MissingArgumentError, Parameter, UnusedCliTokensError

from keyseg.cli.signals import ending_as_interrupts
from keyseg.cli.terminal import NobodyReadsError, last_words, prepare_streams
from keyseg.timeline import ConfigError, nearest
from keyseg.timeline.failures import INPUT_ERRORS, reason_of
from keyseg.timeline.files import write_log
from keyseg.timeline.version import __version__

# Each verb with its line in the list of verbs, the first line of its help. The rest is imported when it is asked for.
VERBS = {
    "demo": "Draw toy kitchen videos, train RTK on them for half a minute, label unseen videos, write report.html.",
    "init": "Make a data set to train on from your own videos and annotations: features, labels per frame, classes,"
    " splits.",
    "features": "Extract features of video files: OUT/VIDEO.npy, (T, D) float16, and OUT/VIDEO.json with frame times"
    " and origin.",
    "train": "Train on a data set; write bundles, predictions, scores and logs to one folder.",
    "recipe": "Show recipes: the list of them, the values of one as --set takes them, or a commented YAML file.",
    "tune": "Try values of a recipe on inner folds of the training videos; write the best recipe, for --recipe.",
    "eval": "Score the bundles of a run on their test videos, or predictions against annotations.",
    "predict": "Label the timelines of videos, from the video files or from their features; write OUT/VIDEO.txt and the"
    " like.",
    "stream": "Label a camera, an address, a video file or features from a pipe while they run, each frame after a"
    " fixed delay.",
    "propose": "Draft the timelines of videos that nobody has labelled, without training, as a start for labelling"
    " them.",
    "check": "Read every file of a data set and report all problems with file and line; exit code 1 if there are any.",
    "data": "Download GTEA, 50Salads or Breakfast from their public archive: I3D features, labels and splits.",
    "plot": "Draw timelines, learning curves, or how a video was segmented, to a PNG, SVG or PDF file.",
    "report": "Write a page, VIDEO.html, that plays a video beside timelines of it, to look at predictions and"
    " annotations.",
    "studio": "Open a folder of videos in the browser: watch, correct, retrain.",
    "serve": "Serve a bundle to other programs: a video in, its timeline out, over HTTP.",
    "convert": "Convert annotations and timelines from the files of one tool to those of another.",
    "push": "Publish a bundle on the Hugging Face Hub, or write a copy to share to a folder.",
    "pull": "Fetch a bundle from the Hugging Face Hub into a new folder.",
    "export": "Write the network of a bundle as ONNX or as a program of torch.export, for videos of any length.",
    "import-weights": "Make a bundle from weights that a system's reference program trained.",
    "doctor": "Show versions, processors, GPUs and threads, and how to repair what is broken; exit code 1 if anything"
    " is.",
}

_RESUME = "; progress is saved; run the same command to resume"
_AFTER_INTERRUPT = {
    "features": _RESUME,
    "init": _RESUME,
    "data": _RESUME,
    "reproduce": _RESUME,
    "tune": _RESUME,
    "demo": f"{_RESUME}, without --force",
    "train": f"{_RESUME}, with --resume",
    "propose": "; finished features are kept; run the same command again",
    "stream": "; the segments that were committed are kept",
    "predict": "; finished timelines are kept; run the same command with --resume for the others",
}

INTERRUPTED = 130  # as shells have it

app = App(
    name="keyseg",
    help="Temporal action segmentation with refined temporal keypoints: videos or features in, labelled timelines out.",
    help_epilogue="Exit codes: 0 success, 1 a problem with data or results, 2 wrong usage, 130 interrupted (Ctrl-C or a"
    " signal to end). Start with: keyseg demo",
    version=__version__,
    help_format="markdown",
    default_parameter=Parameter(negative=()),  # no --no-force, --empty-seed and the like
    suppress_keyboard_interrupt=False,  # `run` handles it
)
for order, (name, line) in enumerate(VERBS.items()):
    module = name.replace("-", "_")
    app.command(f"keyseg.cli.{module}:{module}_verb", name=name, help=line, sort_key=order)
app.command(
    "keyseg.cli.reproduce:reproduce",  # a group of verbs
    name="reproduce",
    help="Make the table and the figures of the RTK supplement on your own data set.",
    sort_key=len(VERBS),
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one verb and exit with its code; every error is a message, never a traceback."""
    sys.exit(run(sys.argv[1:] if arguments is None else arguments))


def run(arguments: Sequence[str]) -> int:
    """Run one verb and return its exit code."""
    prepare_streams()
    try:
        with ending_as_interrupts():
            code = _verb(arguments)
        last = ""
    except BaseException as error:
        code, last = _failure(error, next(iter(arguments), ""))
    return code if last_words(last) else code or 1


def _verb(arguments: Sequence[str]) -> int:
    """What a verb returns, or 0."""
    verb = next(iter(arguments), "--help")
    if verb in VERBS:
        app[verb].help = None  # its whole help, instead of its line in the list of verbs
    elif verb != "reproduce" and not verb.startswith("-"):  # cyclopts would import all verbs to say so
        known = [*VERBS, "reproduce"]
        raise ConfigError(f"unknown command {verb!r}{nearest(verb, known)}; known: {', '.join(known)}")
    code = app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value")
    return code if isinstance(code, int) else 0


def _failure(error: BaseException, verb: str) -> tuple[int, str]:
    """The exit code and the last words of a verb that raised an error."""
    if isinstance(error, CycloptsError):
        return 2, f"error: {_usage_error(error)}"
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, f"interrupted{_AFTER_INTERRUPT.get(verb, '')}"
    if isinstance(error, NobodyReadsError):
        return 1, ""
    if isinstance(error, INPUT_ERRORS):
        return getattr(error, "exit_code", 1), f"error: {reason_of(error)}"
    if not isinstance(error, Exception):
        raise error
    log = write_log("".join(traceback.format_exception(error)))
    bug = f"This is a bug in keyseg; please report it with {log}"
    return 1, f"error: {type(error).__name__}: {error}"[:1000] + f"\n{bug}"


def _usage_error(error: CycloptsError) -> str:
    """What is wrong with the arguments, starting with the flag where there is one."""
    verb = " ".join(("keyseg", *(error.command_chain or ())))
    if isinstance(error, MissingArgumentError) and error.argument is not None and not error.tokens_so_far:
        return f"{error.argument.name} is missing, or has no value; see: {verb} --help"
    if isinstance(error, UnusedCliTokensError):
        words = ", ".join(map(repr, error.unused_tokens or ()))
        return f"{words}: more words than the command takes; see: {verb} --help"
    from pydantic import ValidationError  # after the list of verbs, which needs none of it

    from keyseg.timeline.validation import problem_text

    if not isinstance(error.__cause__, ValidationError):
        return str(error).removeprefix("Invalid value for ")
    first = error.__cause__.errors()[0]  # of options that are the fields of a model
    flag = "".join(f"--{name}: ".replace("_", "-") for name in first["loc"][:1])
    return flag + problem_text(first)
