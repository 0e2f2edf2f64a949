"""Tables that installed packages add to by entry points: systems, extractors and formats."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from keyseg.timeline.errors import ConfigError, KeysegError
from keyseg.timeline.files import write_log

T = TypeVar("T")


class OpenTable(Mapping[str, T], Generic[T]):
    """Entries by name: those of keyseg, then those that installed packages add as entry points of one group.

    Packages are looked through when a name that is not keyseg's, or every name, is asked for, and an entry is imported
    when it is asked for. Names of keyseg cannot be replaced. kind: what an entry of a package has to be; its `name`, if
    it has one, is that of the entry point. `table[name]` raises ConfigError on an entry that cannot be used, naming its
    package, and KeyError on an unknown name.

    >>> table = OpenTable("keyseg.colours", int, {"red": 0xFF0000})
    >>> list(table), table["red"], "blue" in table, table.package("red")
    (['red'], 16711680, False, None)
    """

    def __init__(self, group: str, kind: Any, ours: Mapping[str, T]) -> None:
        self.group, self.kind, self.ours = group, kind, ours
        self._loaded: dict[EntryPoint, T | ConfigError] = {}

    def __getitem__(self, name: str) -> T:
        if name in self.ours:
            return self.ours[name]
        first, *others = self._added()[name]
        if others:
            packages = " and ".join(_package(entry) for entry in (first, *others))
            raise ConfigError(f"{name!r} of {self.group} is added by {packages}; uninstall all but one of them")
        if first not in self._loaded:
            self._loaded[first] = self._load(first)
        found = self._loaded[first]
        if isinstance(found, ConfigError):
            raise found
        return found

    def __iter__(self) -> Iterator[str]:
        yield from self.ours
        yield from (name for name in self._added() if name not in self.ours)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in self.ours or name in self._added()

    def usable(self) -> Iterator[tuple[str, T]]:
        """Every name with its entry, without those that cannot be used."""
        for name in self:
            try:
                yield name, self[name]
            except ConfigError:
                continue

    def package(self, name: str) -> str | None:
        """The installed package that adds an entry, as `name version`; None for an entry of keyseg or unknown names."""
        return None if name in self.ours or name not in self._added() else _package(self._added()[name][0])

    def plug_ins(self) -> Iterator[tuple[str, str, str]]:
        """What packages add: name, package, and why it cannot be used, or an empty string."""
        for name, entries in self._added().items():
            problem = ""
            if name in self.ours:
                problem = str(self.refusal(name, "keyseg itself has this name"))
            else:
                try:
                    self[name]
                except ConfigError as error:
                    problem = str(error)
            yield name, " and ".join(map(_package, entries)), problem

    def refusal(self, name: str, reason: str) -> ConfigError:
        """The error about the entry of a package that cannot be used."""
        return _refusal(self._added()[name][0], reason)

    @contextmanager
    def blaming(self, name: str) -> Iterator[None]:
        """Raise errors of the package that adds an entry as its refusal, with a log of the traceback.

        Those that keyseg explains, those of files, and those with an entry of keyseg's own pass unchanged.
        """
        try:
            yield
        except (KeysegError, OSError):
            raise
        except Exception as error:  # code of the package can fail in any way
            if self.package(name) is None:
                raise
            log = write_log(traceback.format_exc())
            raise self.refusal(name, f"{type(error).__name__}: {error} (traceback: {log})") from error

    def _load(self, entry: EntryPoint) -> T | ConfigError:
        try:
            found: T = entry.load()
        except Exception as error:  # importing runs code of the package, which can fail in any way
            return _refusal(entry, f"{type(error).__name__}: {error}")
        if not isinstance(found, self.kind):
            return _refusal(entry, f"expected {self.kind.__name__}, got {type(found).__name__}")
        name = getattr(found, "name", entry.name)
        if isinstance(name, str) and name != entry.name:
            return _refusal(entry, f"its own name is {name!r}")
        return found

    def _added(self) -> dict[str, list[EntryPoint]]:
        return _by_name(self.group, tuple(sys.path))


@cache
def _by_name(group: str, path: tuple[str, ...]) -> dict[str, list[EntryPoint]]:
    """The entry points of a group on a search path, by name."""
    added: dict[str, list[EntryPoint]] = {}
    for entry in sorted(entry_points(group=group), key=lambda entry: (entry.name, _package(entry))):
        added.setdefault(entry.name, []).append(entry)
    return added


def _refusal(entry: EntryPoint, reason: str) -> ConfigError:
    where = f"{entry.name!r} of {_package(entry)} (entry point {entry.value} of {entry.group})"
    return ConfigError(
        f"{where} cannot be used: {reason}; update or uninstall that package, or report it to its author"
    )


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
