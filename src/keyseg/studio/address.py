"""Where a server of the studio listens, and the secret that lets clients in."""

from __future__ import annotations

import secrets
import socket

from keyseg.timeline import ConfigError

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Names of this machine that no other can use."""

FIRST_PORT = 8765

_LEAST_TOKEN = 16  # characters
_PORTS_TRIED = 50


def secret_for(host: str, token: str | None) -> str:
    """The token of a server on an address, a random one if none is given. Raises ConfigError if one must be, or if it
    is short or cannot be sent.

    >>> secret_for("127.0.0.1", "correct-horse-battery")
    'correct-horse-battery'
    """
    if host not in LOOPBACK and token is None:
        raise ConfigError(f"--host {host} lets other machines in; choose a secret that they must show, with --token")
    if token is not None and len(token) < _LEAST_TOKEN:
        raise ConfigError(f"--token must have at least {_LEAST_TOKEN} characters, got {len(token)}")
    if token is not None and not (token.isascii() and token.isprintable()):
        raise ConfigError("--token may have ASCII letters, digits and signs only")
    return token or secrets.token_urlsafe(24)


def in_address(host: str) -> str:
    """A host as an address names it; one that stands for all addresses is called like the machine.

    >>> in_address("::1")
    '[::1]'
    """
    shown = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}.get(host, host)
    return f"[{shown}]" if ":" in shown else shown


def listening(host: str, port: int | None) -> socket.socket:
    """A socket that listens on a port, 0 for any; None: on the first free one from 8765.

    Raises ConfigError if there is none, or no such host.

    >>> listening("127.0.0.1", 0).close()
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    ports = [port] if port is not None else [*range(FIRST_PORT, FIRST_PORT + _PORTS_TRIED), 0]
    for number in ports:
        try:
            listener = socket.create_server((host, number), family=family, backlog=128)
            # Its connections inherit it. Without it the end of each answer waits some 40 ms for the client's receipt.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return listener
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            if isinstance(error, socket.gaierror):
                break
    place = f"port {port} of {host}" if port is not None else host
    raise ConfigError(f"cannot listen on {place} ({reason}); choose another --port or --host, or leave them out")
