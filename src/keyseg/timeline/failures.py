"""Inputs that fail, one of many, without stopping the others; and why, in words."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from keyseg.timeline.errors import ConfigError, DataError, KeysegError
from keyseg.timeline.printable import printable

INPUT_ERRORS = (KeysegError, OSError, MemoryError, RecursionError, UnicodeEncodeError)
"""What an input may raise that is not a mistake in keyseg."""

_ADVICE = {
    errno.ENOENT: "no such file or folder; check the path",
    errno.EACCES: "permission denied; choose another place, or change its permissions",
    errno.EPERM: "permission denied; choose another place, or change its permissions",
    errno.ENOTDIR: "a file is where a folder is expected; name a folder",
    errno.EISDIR: "it is a folder; name a file",
    errno.EEXIST: "it exists; choose another name",
    errno.ENOTEMPTY: "the folder is not empty; choose another name",
    errno.ENOSPC: "no space left on the disk; free some, and run the same command again",
    errno.EDQUOT: "the disk quota is used up; free some space, and run the same command again",
    errno.EROFS: "the disk is read-only; choose another place",
    errno.EIO: "the disk or network drive reports an error; check it, and run the same command again",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ELOOP: "its links lead in a circle; name the file itself",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n), or use fewer workers or jobs",
    errno.ENFILE: "too many files are open on this machine; close other programs",
    errno.ENOMEM: "not enough memory; close other programs, or use fewer workers or jobs",
    errno.EBUSY: "another program is using it; close that program, and run the same command again",
    errno.EXDEV: "it is on another disk; name a place on the same one",
}


def reason_of(error: BaseException) -> str:
    """What went wrong, where, and what to do.

    >>> reason_of(NotADirectoryError(errno.ENOTDIR, "Not a directory", "a.txt"))
    'a.txt: a file is where a folder is expected; name a folder'
    """
    if isinstance(error, OSError):
        return printable(_of_system(error))
    if isinstance(error, MemoryError):
        return "not enough memory; an input may be damaged, or too large for this machine"
    if isinstance(error, RecursionError):
        return "something in it is nested too deeply; it may be damaged"
    if isinstance(error, UnicodeEncodeError):
        part = error.object[max(0, error.start - 40) : error.end + 40]
        return printable(f"{part!r} is not {error.encoding.upper()}; rename what is called so")
    return str(error)


def _of_system(error: OSError) -> str:
    """The file, the reason in words, and what to do; its own message if it is one of ours."""
    if error.errno is None:
        return str(error)
    place = error.filename if error.filename2 is None else error.filename2
    where = f"{os.fsdecode(place)}: " if isinstance(place, str | bytes | os.PathLike) else ""
    words = error.strerror or errno.errorcode.get(error.errno, str(error.errno))
    return where + (_ADVICE.get(error.errno) or words[:1].lower() + words[1:])


def reason_with(path: Path, error: BaseException) -> str:
    """`reason_of`, which names the input."""
    reason, name = reason_of(error), printable(str(path))
    return reason if name in reason else f"{name}: {reason}"


def noting(failures: Failures | None, path: Path) -> AbstractContextManager[None]:
    """What happens inside is about one of many inputs; without `failures`, an error is raised as it is."""
    return nullcontext() if failures is None else failures.of(path)


class Failures:
    """The inputs that failed, with their reasons, one per line, while the others went on.

    report: called with each reason as it comes.

    >>> failures = Failures()
    >>> for path in (Path("a.txt"), Path("b.txt")):
    ...     with failures.of(path):
    ...         raise DataError("no labels in it")
    >>> failures.reasons[Path("b.txt")]
    'b.txt: no labels in it'
    """

    def __init__(self, report: Callable[[str], None] = lambda line: None) -> None:
        self.reasons: dict[Path, str] = {}
        self.tried: set[Path] = set()
        self._report, self._errors = report, list[Exception]()

    @contextmanager
    def of(self, path: Path, place: Path | None = None) -> Iterator[None]:
        """What happens inside is about this input; an error ends it, and is noted. place: the file that it is about,
        if not the input."""
        self.tried.add(path)
        try:
            yield
        except INPUT_ERRORS as error:
            self.add(path, error, place)

    def add(self, path: Path, error: Exception, place: Path | None = None) -> None:
        """Note why an input failed."""
        self._errors.append(error)
        self.note(path, reason_with(place or path, error))

    def note(self, path: Path, reason: str) -> None:
        """Note that an input failed, and why, where another process has the error."""
        before = self.reasons.get(path)
        if before is None:
            self.reasons[path] = reason
        elif reason not in before.split("\n"):  # of another video in the same file
            self.reasons[path] = f"{before}\n{reason}"
        self._report(f"error: {reason}")

    def raise_unless(self, some: object) -> None:
        """Raise the error of a single failure, or one with all reasons, unless there are `some` inputs left."""
        if some or not self._errors:
            return
        if len(self._errors) == 1:
            raise self._errors[0]
        kind = ConfigError if all(isinstance(error, ConfigError) for error in self._errors) else DataError
        raise kind(f"{len(self.reasons)} inputs failed\n" + "\n".join(self.reasons.values()))

    def attempt(self, path: Path, read: Callable[..., object], *arguments: object) -> bool:
        """Whether `read(*arguments)`, which is about this input, raises nothing."""
        with self.of(path):
            read(*arguments)
            return True
        return False
