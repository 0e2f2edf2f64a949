"""The fixtures of the studio's tests."""

from served_folder import *  # noqa: F403
