"""Makes keyseg see what Windows has of Python's library, in every process whose PYTHONPATH has this folder.

Other packages see everything, since they do not expect Windows here.
"""

import builtins
import os
import select
import signal
import socket
import sys
from types import ModuleType
from typing import Any

NO_MODULES = {"fcntl", "grp", "posix", "pwd", "pty", "readline", "resource", "syslog", "termios", "tty"}
HIDDEN: dict[ModuleType, str] = {
    os: "O_CLOEXEC O_DIRECTORY O_NOFOLLOW O_NONBLOCK fchmod fork forkpty getgid getloadavg geteuid getuid killpg mkfifo"
    " nice pread sched_getaffinity sched_setaffinity setsid statvfs sync sysconf uname",
    select: "epoll poll select",
    signal: "SIGALRM SIGHUP SIGKILL SIGSTOP SIGUSR1 alarm pthread_sigmask setitimer",
    socket: "AF_UNIX socketpair",
}


def in_keyseg(space: dict[str, Any] | None) -> bool:
    """Whether code with these global names belongs to keyseg, its programs included."""
    name = (space or {}).get("__spec__") or (space or {}).get("__name__", "")
    return str(getattr(name, "name", name)).split(".")[0] == "keyseg"


def hide(module: ModuleType, names: str) -> None:
    """Take attributes from a module as far as keyseg sees it."""
    hidden = {name: vars(module).pop(name) for name in names.split() if hasattr(module, name)}

    def find(name: str) -> Any:
        if name in hidden and not in_keyseg(sys._getframe(1).f_globals):
            return hidden[name]
        raise AttributeError(f"Windows has no {module.__name__}.{name}")

    module.__getattr__ = find  # type: ignore[method-assign]


def import_as_there(name: str, globals: dict[str, Any] | None = None, *rest: Any, **options: Any) -> ModuleType:
    """`__import__` of a system without the Unix modules."""
    if name in NO_MODULES and in_keyseg(globals):
        raise ModuleNotFoundError(f"Windows has no {name}", name=name)
    return original(name, globals, *rest, **options)


original = builtins.__import__
builtins.__import__ = import_as_there
for module, names in HIDDEN.items():
    hide(module, names)
