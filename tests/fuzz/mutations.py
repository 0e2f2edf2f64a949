"""Mutations of files: of their structure, where a kind of file has one, and of their bytes."""

from __future__ import annotations

import io
import json
import re
import struct
import zipfile
from collections.abc import Callable
from random import Random
from typing import Any

NUMBERS = (
    *("1e999", "-1e999", "1e-300", "1e6000", "1e99999999", "1e-99999999", "NaN", "nan", "Infinity", "-Infinity", "inf"),
    *("0", "-0", "-1", "1", "2", "0.5", "1e3", "9" * 5000, f"0.{'0' * 4000}1", "1/0", "0/0", "30000/1001", "-1/3"),
    *(
        "9999999",
        "10000000",
        "99999999",
        "100000000",
        "999999999999",
        "2147483648",
        "4294967295",
        "9223372036854775808",
    ),
    *("18446744073709551616", "1_000", "0x10", "１２", "²", "1.", ".5", "1,5", "+3", "00:00:01.000", "99:59:59.999"),
)
TEXTS = (
    *(
        "",
        " ",
        "\t",
        "null",
        "true",
        "None",
        "background",
        "\x00",
        "\ufeff",
        "\x1b[2J\x1b[31m",
        "\x1b]0;x\x07",
        "\x9b1m",
    ),
    *(
        "\u202eabc",
        "\u2066x\u2069",
        "\u200f",
        "\ud800",
        "\udfff\ud800",
        "\u2028",
        "\x85",
        "\r",
        "\n",
        "\x0c",
        "\U0010ffff",
    ),
    *(
        "x" * 3000,
        "é" * 100_000,
        "e\u0301",
        "../../up",
        "/",
        "\\",
        "C:\\x",
        "a/b.mp4",
        "con",
        "%s%n{}",
        "<!-- -->",
        "]]>",
    ),
    *("&amp;", "&#0;", "&x;", '"', "'", '""', "=cmd()", "-", "--", "#", "# a #", "*", "!", "[]", "{}", "  two words  "),
)
OPENINGS = ("[", "(", "{", '{"a":', "<a>", "- ", "&a [", '"', "'", "!!", "\x1b[")
YAML_LINES = (
    *("a: &a [x, x, x, x, x, x, x, x]", "b: &b [*a, *a, *a, *a, *a]", "<<: *a", "fps: *a", "&a a: *a", "? [a]\n: b"),
    *("k: !!binary 'x'", "k: !!timestamp 2001-99-99", "k: !!int x", "k: !!float x", "k: !!set {a}", "k: !!bool maybe"),
    *(
        "k: !!python/object/apply:os.system [ls]",
        "k: !!omap [a: 1]",
        "k: !!null x",
        "---",
        "...",
        "%YAML 9.9",
        "\tk: v",
    ),
    *(
        "k: |\n  x",
        "k: 2001-01-01",
        "k: 0o17",
        "k: 1:30",
        "k: ~",
        "k: .inf",
        "k: .nan",
        "[a]: b",
        "{a: b}: c",
        "k: !x y",
    ),
)
WORDS = tuple(
    value for size in (1, 2, 4, 8) for value in (b"\0" * size, b"\xff" * size, b"\x7f" + b"\xff" * (size - 1))
)


MOST_BYTES = 2**20
"""What time and memory of a reader are judged by: a larger file may take more."""


def mutated(content: bytes, kind: str, random: Random) -> bytes:
    """The content of a file of some kind after one to four mutations, without those that would make it too large."""
    structural = KINDS[kind]
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 4))):
        changed = (_bytes if random.random() < 0.25 else structural)(content, random)
        if len(changed) <= max(len(content), MOST_BYTES):
            content = changed
    return content


def _bytes(content: bytes, random: Random) -> bytes:
    """A change that knows nothing of the file."""
    start, length = random.randint(0, len(content)), random.choice((1, 1, 2, 4, 8, 16, 100, 4000))
    before, span, after = content[:start], content[start : start + length], content[start + length :]
    match random.randrange(12):
        case 0 | 1 if content:
            at = random.randrange(len(content))
            return content[:at] + bytes([content[at] ^ 1 << random.randrange(8)]) + content[at + 1 :]
        case 2:
            return before + after
        case 3:
            return before
        case 4:
            return before + span * random.choice((2, 3, 50)) + after
        case 5:
            return before + random.randbytes(length) + after
        case 6 | 7:
            word = random.choice(WORDS)
            return before + word + content[start + len(word) :]
        case 8:
            return before + random.choice((NUMBERS, TEXTS))[random.randrange(30)].encode(errors="surrogatepass") + after
        case 9:
            return before + (random.choice(OPENINGS) * random.choice((10, 1000, 100_000))).encode() + after
        case 10:
            mark = random.choice(
                (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0", b"\0", b"\x1f\x8b", b"\x80\x04")
            )
            return mark + content
        case _:
            name = random.choice(("utf-16", "utf-16-be", "utf-32", "cp1252", "utf-7"))
            return content.decode("utf-8", "replace").encode(name, "replace")


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _encoded(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _nasty(random: Random) -> str:
    return random.choice(NUMBERS if random.random() < 0.6 else TEXTS)


def _lines(content: bytes, random: Random) -> bytes:
    """A change of a line, a cell, a number or a word."""
    text = _text(content)
    lines = text.split("\n")
    at, other = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(14):
        case 0:
            lines[at], lines[other] = lines[other], lines[at]
        case 1:
            lines[at:at] = [lines[other]] * random.choice((1, 1, 2, 300))
        case 2:
            del lines[at : at + random.choice((1, 1, 2, 5))]
        case 3:
            lines.insert(at, _nasty(random))
        case 4 | 5:
            return _encoded(_one_replaced(r"-?\d+(\.\d+)?", text, _near(random), random))
        case 6:
            return _encoded(
                _one_replaced(r"[^\s,;]+", text, lambda word: random.choice((_nasty(random), word * 2)), random)
            )
        case 7:
            old, new = random.choice(",\t; :.-\n"), random.choice(",\t; :.-\n")
            return _encoded(text.replace(old, new, random.choice((1, -1))))
        case 8:
            words = re.findall(r"[^\s,;]+", text) or [""]
            return _encoded(text.replace(random.choice(words), random.choice([*words, _nasty(random)])))
        case _:
            lines[at] = _cells(lines[at], random)
    return _encoded("\n".join(lines))


def _cells(line: str, random: Random) -> str:
    """A change of one of the cells of a line."""
    cells = re.split(r"([\s,;|]+)", line)
    at = random.randrange(len(cells))
    match random.randrange(5):
        case 0 | 1:
            cells[at] = _nasty(random)
        case 2:
            cells[at:at] = [random.choice(cells)] * random.choice((1, 2, 200))
        case 3:
            del cells[at]
        case _:
            cells[at] = random.choice(('"', "'", '"""')) + cells[at] + random.choice(('"', "", "\n"))
    return "".join(cells)


def _near(random: Random) -> Callable[[str], str]:
    step = random.choice((-1, 1, 0.001, 1e6, None))
    return lambda number: _nasty(random) if step is None else f"{float(number[:15]) + step:.10g}"


def _one_replaced(pattern: str, text: str, new: Callable[[str], str], random: Random) -> str:
    """The text in which one of the matches of a pattern is another."""
    found = list(re.finditer(pattern, text, re.ASCII))
    if not found:
        return text + _nasty(random)
    one = random.choice(found)
    return text[: one.start()] + new(one[0]) + text[one.end() :]


_RAW = "@@raw@@"


def _json(content: bytes, random: Random) -> bytes:
    """A change of a value, a key or an item of JSON; bytes where it is not JSON any more."""
    try:
        root = json.loads(content)
    except (ValueError, RecursionError):
        return _lines(content, random)
    places: list[tuple[Any, Any]] = []
    waiting: list[Any] = [root]
    while waiting and len(places) < 5000:
        node = waiting.pop()
        if isinstance(node, dict | list):
            keys = list(node) if isinstance(node, dict) else range(len(node))
            places += [(node, key) for key in keys]
            waiting += [node[key] for key in keys]
    raw = ""
    if not places:
        raw, root = _raw_value(random), _RAW
    else:
        node, key = random.choice(places)
        value = node[key]
        match random.randrange(12):
            case 0 | 1 | 2 | 3:
                raw, node[key] = _raw_value(random), _RAW
            case 4:
                del node[key]
            case 5 if isinstance(node, dict):
                node[random.choice((_nasty(random), *map(str, node)))] = node.pop(key)
            case 5 | 6 if isinstance(node, list):
                node[key:key] = [value] * random.choice((1, 2, 1000))
            case 7:
                other, place = random.choice(places)
                node[key] = json.loads(json.dumps(other[place]))
            case 8:
                node[key] = random.choice(([value], {"a": value}, [], {}, str(value), [[value]]))
            case 9 if isinstance(node, dict):
                raw = json.dumps(value)[:10_000] + f", {json.dumps(key)}: " + _raw_value(random)
                node[key] = _RAW
            case 10 if isinstance(value, int | float):
                node[key] = random.choice((value + 1, value - 1, -value, value * 1000, value / 3, str(value)))
            case _:
                node[key] = _nasty(random)
    indent = random.choice((None, None, 1))
    return _encoded(json.dumps(root, indent=indent, ensure_ascii=random.random() < 0.5).replace(f'"{_RAW}"', raw))


def _raw_value(random: Random) -> str:
    depth = random.choice((10, 1000, 100_000))
    return random.choice(
        (
            *(random.choice(NUMBERS) for _ in range(6)),
            *(
                "null",
                "true",
                "{}",
                "[]",
                '"\\ud800"',
                '"\\u0000"',
                '"\\u202e\\u001b[2J"',
                "[1, [2, [3]]]",
                '{"a": 1, "a": 2}',
            ),
            json.dumps(random.choice(TEXTS)),
            "[" * depth + "]" * depth,
            '{"a":' * depth + "1" + "}" * depth,
        )
    )


def _xml(content: bytes, random: Random) -> bytes:
    """A change of a tag, an attribute or a text of XML."""
    text = _text(content)
    tags = list(re.finditer(r"<[^>]*>", text))
    values = list(re.finditer(r'"[^"]*"|(?<=>)[^<>]+(?=<)', text))
    match random.randrange(9):
        case 0 | 1 | 2 | 3 if values:
            one = random.choice(values)
            new = random.choice((_nasty(random), random.choice(values)[0].strip('"')))
            return _encoded(text[: one.start()] + (f'"{new}"' if one[0][0] == '"' else new) + text[one.end() :])
        case 4 if tags:
            one, other = random.choice(tags), random.choice(tags)
            return _encoded(text[: one.start()] + random.choice(("", other[0], one[0] * 2)) + text[one.end() :])
        case 5 if tags:
            one = random.choice(tags)
            cut = re.sub(r'\s[\w:]+="[^"]*"', "", one[0], count=1)
            return _encoded(text[: one.start()] + cut + text[one.end() :])
        case 6 if tags:
            (start, end) = sorted((random.choice(tags).start(), random.choice(tags).end()))
            return _encoded(text[:end] + text[start:end] * random.choice((1, 3)) + text[end:])
        case 7:
            entity = '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z SYSTEM "file:///etc/hostname">]>'
            return _encoded(text.replace("?>", f"?>{random.choice((entity, '<!DOCTYPE a>', '<?x y?>'))}", 1))
        case _ if tags:
            at, depth = random.choice(tags).end(), random.choice((10, 1000, 50_000))
            return _encoded(text[:at] + "<a>" * depth + "</a>" * depth + text[at:])
        case _:
            return _lines(content, random)


def _yaml(content: bytes, random: Random) -> bytes:
    """A change of a value or a line of YAML."""
    lines = _text(content).split("\n")
    at = random.randrange(len(lines))
    match random.randrange(6):
        case 0 | 1 | 2 if ":" in lines[at]:
            key = lines[at].split(":")[0]
            value = random.choice((_nasty(random), random.choice(YAML_LINES).partition(" ")[2], _raw_value(random)))
            lines[at] = f"{key}: {value}"
        case 3:
            for line in random.sample(YAML_LINES, random.choice((1, 2, 4))):
                lines.insert(random.randint(0, len(lines)), line)
        case 4:
            aliases = [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, random.choice((3, 9, 30)))]
            lines[:0] = ["a0: &a0 [x, y]", *aliases]
        case _:
            return _lines(content, random)
    return _encoded("\n".join(lines))


def _npy(content: bytes, random: Random) -> bytes:
    """A change of the header of a .npy file, whose length stays right, or of its length or version."""
    if len(content) < 12 or content[:6] != b"\x93NUMPY":
        return _bytes(content, random)
    size = struct.unpack("<H", content[8:10])[0]
    header, body = content[10 : 10 + size].decode("latin-1"), content[10 + size :]
    match random.randrange(8):
        case 0 | 1 | 2:
            new = random.choice(
                (_nasty(random), "[" * 1000, "(-1, 3)", "(2**99,)", "(0, 4)", "(1 << 60, 1 << 60)", "'O'", "'<f9'")
            )
            found = list(re.finditer(r"\d+|'[^']*'|True|False|\([^)]*\)", header))
            one = random.choice(found) if found else None
            header = header[: one.start()] + new + header[one.end() :] if one else new
        case 3:
            header = random.choice(
                ("{}", "[]", "None", "1", "x", "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}")
            )
        case 4:
            return (
                content[:8]
                + struct.pack("<H", random.choice((0, 1, 65535, min(max(size - 3, 0), 65535))))
                + content[10:]
            )
        case 5:
            return content[:6] + bytes((random.choice((0, 1, 2, 3, 4, 255)), random.randrange(4))) + content[8:]
        case 6:
            body = body[: random.randint(0, len(body))]
        case _:
            header = _text(_lines(header.encode(), random))
    raw = header.encode("latin-1", "replace")[:65000]
    return content[:8] + struct.pack("<H", len(raw)) + raw + body


def _safetensors(content: bytes, random: Random) -> bytes:
    """A change of the JSON header of a safetensors file, whose length stays right, or of its length."""
    if len(content) < 8:
        return _bytes(content, random)
    size = min(struct.unpack("<Q", content[:8])[0], len(content) - 8)
    header, body = content[8 : 8 + size], content[8 + size :]
    match random.randrange(5):
        case 0:
            length = random.choice((0, 1, max(0, size - 1), size + 1, 1 << 31, 1 << 63, (1 << 64) - 1))
            return struct.pack("<Q", length) + content[8:]
        case 1:
            body = random.choice(
                (body[: random.randint(0, len(body))], body + b"x", b"\xff" * len(body), _bytes(body, random))
            )
        case _:
            header = _json(header, random)
    return struct.pack("<Q", len(header)) + header + body


def _zip(content: bytes, random: Random) -> bytes:
    """A zip of the same files, of which one has another name or content; or other bytes in its directory."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as source:
            entries = [(info, source.read(info)) for info in source.infolist()]
    except Exception:
        return _bytes(content, random)
    if not entries or random.random() < 0.3:
        at = max(0, content.find(b"PK\x01\x02"))
        return content[:at] + _bytes(content[at:], random)
    chosen, buffer = random.randrange(len(entries)), io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for number, (info, body) in enumerate(entries):
            copy = zipfile.ZipInfo(info.filename, (1980, 1, 1, 0, 0, 0))
            copies = [(copy, body)]
            if number == chosen:
                copies = _entry(copy, body, random)
            for one, inside in copies:
                target.writestr(one, inside)
    return buffer.getvalue()


def _entry(info: zipfile.ZipInfo, body: bytes, random: Random) -> list[tuple[zipfile.ZipInfo, bytes]]:
    folder = info.filename.rpartition("/")[0]
    match random.randrange(8):
        case 0:
            name = random.choice(
                ("../up", "/abs", "C:\\x", "a" * 300, "\x1b[2J", "con", "..", "", ".", "a//b", "\u202e")
            )
            return [(zipfile.ZipInfo(f"{folder}/{name}" if random.random() < 0.7 else name), body)]
        case 1:
            return []
        case 2:
            info.external_attr = 0o120777 << 16
            return [(info, random.choice((b"/etc/passwd", b"../../x", body)))]
        case 3:
            info.compress_type = random.choice((zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
            return [(info, body + b"\0" * random.choice((0, 1000, 20_000_000)))]
        case 4:
            return [(info, body), (zipfile.ZipInfo(info.filename + "/below"), body)]
        case 5:
            return [(info, _lines(body, random))]
        case _:
            return [(info, _bytes(body, random))]


def _hdf5(content: bytes, random: Random) -> bytes:
    """A change of one of the numbers of which HDF5 consists, most of them near the start."""
    at = random.randrange(max(1, min(len(content), random.choice((100, 2048, len(content))))))
    at -= at % random.choice((1, 2, 4, 8))
    if random.random() < 0.6:
        word = random.choice(WORDS)
        return content[:at] + word + content[at + len(word) :]
    return _bytes(content, random)


KINDS: dict[str, Callable[[bytes, Random], bytes]] = {
    "lines": _lines,
    "json": _json,
    "xml": _xml,
    "yaml": _yaml,
    "npy": _npy,
    "safetensors": _safetensors,
    "zip": _zip,
    "hdf5": _hdf5,
    "bytes": _bytes,
}
"""By kind of file: one change of its structure."""
