"""The fixtures of the studio's tests."""

from opened_page import browser, films, person, scanned, studio  # noqa: F401
from served_folder import *  # noqa: F403
