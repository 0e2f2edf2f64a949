"""Text of strangers for a terminal: names and values of files, which may hold anything."""

from __future__ import annotations

import unicodedata

MOST_CHARACTERS = 2000  # of a message


def printable(text: str, most: int = MOST_CHARACTERS) -> str:
    """Text that can only be read: what would command a terminal, reorder or hide letters, or is no character at all
    becomes an escape, and the middle of a long text is left out.

    Line breaks stay, since messages have them. most: characters of the result.

    >>> print(printable("red \\x1b[31m, right to left \\u202e, not UTF-8 \\udcff, 日本語"))
    red \\x1b[31m, right to left \\u202e, not UTF-8 \\udcff, 日本語
    >>> printable("0123456789" * 9, most=20)
    '012345678901 ... 789'
    """
    if len(text) > 2 * most:  # no escape is shorter than its character
        text = text[:most] + text[-most:]
    if not text.isprintable():
        text = "".join(letter if _is_plain(letter) else _escaped(letter) for letter in text)
    if len(text) <= most:
        return text
    head = most * 2 // 3 - 1
    return f"{text[:head]} ... {text[head + 5 - most :]}"


def _is_plain(letter: str) -> bool:
    """Whether a character shows as itself; spaces of any width do."""
    return letter.isprintable() or letter == "\n" or unicodedata.category(letter) == "Zs"


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
