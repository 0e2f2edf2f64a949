"""The fixtures of `tests/workshop.py`."""

from workshop import *  # noqa: F403
