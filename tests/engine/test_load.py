"""Engine files: what is read, and each mistake in its words."""

from __future__ import annotations

import os
import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest

from onnxtile.engine import load
from onnxtile.engine.description import Engine
from onnxtile.engine.load import names
from onnxtile.engine.template import template
from onnxtile.errors import PluginWarning, UsageError
from onnxtile.ir import plugins
from tests.commands import exact

GOOD = """
version = 1
name = "edge-32"
clock = "1 GHz"

[[product]]
types = ["int8", "int8"]
accumulate = "int32"
max = { M = 64, K = 64, N = 64 }
multiple = { K = 8, N = 16 }
array = { M = 1, K = 32, N = 32 }
held = "B"
fill = 32
fill_overlaps = true
call = 16
results = 32

[[product]]
types = ["float16", "float16"]
accumulate = "float32"
array = { K = 16 }

[local]
size = "256 KiB"
buffers = 2
bandwidth = 128

[memory]
bandwidth = "16 GB/s"
burst = 64
latency = 200

[conv]
windows = "engine"
halo = "kept"
native = false

[operators]
supported = ["MatMul", "Add"]
"""
TYPES = (
    '"int4", "uint4", "float8e4m3fn", "float8e5m2", "int8", "uint8", "int16", "uint16", "float16", "bfloat16", '
    '"int32", "uint32", "float32", "int64", "uint64" or "float64"'
)
UNIT_FIELDS = "types, accumulate, array, max, multiple, held, fill, fill_overlaps, call, results"
TOP_FIELDS = "version, name, clock, product, local, memory, conv, operators"
RATE = 'write an amount above 0, such as "16 GB/s", or 16 for bytes a cycle'
NAMED = "write a text of 1 to 100 printable characters"
QUOTES = "text and amounts with a unit are in quotes, and each field has a line of its own"


def loaded(tmp_path: Path, text: str | bytes) -> Engine:
    path = tmp_path / "e.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Engine.load(path)


BAD = [
    # what names are unknown, and where they'd be right
    ("fill = 32", "fil = 32", f"product 1: fil is unknown: take one of {UNIT_FIELDS}; did you mean 'fill'?"),
    ("M = 64, K = 64, N", "M = 64, k = 64, N", "product 1: max.k is unknown: take one of M, K, N; did you mean 'K'?"),
    ("fill = 32", r'"a\nb" = 32', rf'product 1: "a\nb" is unknown: take one of {UNIT_FIELDS}'),
    ("fill = 32", "burst = 32", "product 1: burst is unknown here: write it in [memory]"),
    ("fill = 32", "bandwidth = 32", "product 1: bandwidth is unknown here: write it in [local] or in [memory]"),
    ("native = false", "clock = 5", "conv.clock is unknown here: write it at the top, before any [table]"),
    ("[conv]", "[convs]", f"convs is unknown: take one of {TOP_FIELDS}; did you mean 'conv'?"),
    ("[local]", "[lokal]", f"lokal is unknown: take one of {TOP_FIELDS}; did you mean 'local'?\n"
     '[local] is missing: write it, with size = "256 KiB"'),
    # what is missing
    ('types = ["int8", "int8"]', "", 'product 1: types is missing: write types = ["int8", "int8"]'),
    ('accumulate = "int32"', "", 'product 1: accumulate is missing: write accumulate = "int32"'),
    ("array = { K = 16 }", "", "product 2: array is missing: write array = { M = 1, K = 32, N = 32 }"),
    ('size = "256 KiB"', "", 'local.size is missing: write size = "256 KiB"'),
    ('"256 KiB"', '{ A = 1024, B = "1 MB" }', 'local.size.C is missing: write C = "64 KiB"'),
    # types
    ('["float16", "float16"]', '["float16", "fp16"]', f"product 2: types, entry 2, is \"fp16\": write {TYPES}; "
     "did you mean 'float16'?"),
    ('["float16", "float16"]', '["float16"]', 'product 2: types is ["float16"]: write it like ["int8", "int8"]'),
    ('["float16", "float16"]', '"float16"', 'product 2: types is "float16": write it like ["int8", "int8"]'),
    ('["float16", "float16"]', '["int8", "int8"]', "product 2: types are int8 x int8, as those of product 1: leave one "
     "of them out"),
    ('"float32"', '"int32"', "product 2: accumulate is int32, whole numbers, and float16 x float16 gives fractions: "
     "write one such as float32"),
    ('"int32"', '"int4"', "product 1: accumulate is int4, narrower than its operands, int8 x int8: write a type of 8 "
     "bits or more"),
    ('"int32"', '"uint32"', "product 1: accumulate is uint32, without a sign, and int8 x int8 has one: write int32"),
    # numbers
    ("M = 1, K = 32", "M = 0, K = 32", "product 1: array.M is 0: write a whole number, 1 or more"),
    ("array = { K = 16 }", "array = 16", "product 2: array is 16: write it like { M = 1, K = 32, N = 32 }"),
    ("call = 16", "call = true", "product 1: call is true: write a whole number, 0 or more"),
    ("call = 16", "call = 16.0", "product 1: call is 16.0: write a whole number, 0 or more"),
    ("call = 16", "call = -1", "product 1: call is -1: write a whole number, 0 or more"),
    ("call = 16", 'call = "16"', 'product 1: call is "16": write a whole number, 0 or more'),
    ("call = 16", f"call = {10**30}", "product 1: call is a number of 100 bits: write a whole number, 0 or more"),
    ("call = 16", f"call = 0x{'f' * 9000}", "product 1: call is a number of 36,000 bits: write a whole number, 0 or "
     "more"),
    ("results = 32", "results = 0", "product 1: results is 0: write a whole number, 1 or more"),
    ("latency = 200", 'latency = "200 ns"', 'memory.latency is "200 ns": write a whole number, 0 or more'),
    ("buffers = 2", "buffers = 3", "local.buffers is 3: write 1 or 2"),
    ("buffers = 2", "buffers = true", "local.buffers is true: write 1 or 2"),
    ("K = 64, N", "K = 60, N", "product 1: max.K is 60, no multiple of multiple.K, 8, so that no call is that large: "
     "write 56 or 64"),
    ("N = 64 }", "N = 9 }", "product 1: max.N is 9, no multiple of multiple.N, 16, so that no call is that large: "
     "write 16"),
    # choices
    ('held = "B"', 'held = "weights"', 'product 1: held is "weights": write "A", "B" or "C"'),
    ('held = "B"', 'held = "b"', "product 1: held is \"b\": write \"A\", \"B\" or \"C\"; did you mean 'B'?"),
    ("fill_overlaps = true", 'fill_overlaps = "yes"', 'product 1: fill_overlaps is "yes": write true or false'),
    ("fill_overlaps = true", "fill_overlaps = 1", "product 1: fill_overlaps is 1: write true or false"),
    ('windows = "engine"', 'windows = "memory"', 'conv.halo is "kept", and windows is "memory", where no rows are '
     'shared: write windows = "engine", or leave halo out'),
    ("version = 1", "version = 2", "version is 2: this onnxtile reads version 1: write that, or take the onnxtile that "
     "the file is for"),
    ("version = 1", "version = 1.0", "version is 1.0: this onnxtile reads version 1: write that, or take the onnxtile "
     "that the file is for"),
    # amounts
    ('"256 KiB"', '"256 kibi"', 'local.size is "256 kibi": write an amount above 0, such as "256 KiB"; did you mean '
     "'KiB'?"),
    ('"256 KiB"', '"1.5 B"', 'local.size is "1.5 B", which isn\'t a whole number of bytes: write one, such as 1024'),
    ('"256 KiB"', "true", 'local.size is true: write an amount above 0, such as "256 KiB"'),
    ("burst = 64", "burst = 0", 'memory.burst is 0: write an amount above 0, such as "256 KiB"'),
    ('"16 GB/s"', '"16 GB"', f'memory.bandwidth is "16 GB": {RATE}; did you mean \'GB/s\'?'),
    ('"16 GB/s"', "0", f"memory.bandwidth is 0: {RATE}"),
    ('"16 GB/s"', "inf", f"memory.bandwidth is inf: {RATE}"),
    ('"16 GB/s"', "nan", f"memory.bandwidth is nan: {RATE}"),
    ('clock = "1 GHz"', "", 'memory.bandwidth is "16 GB/s", bytes a second, and there is no clock: write clock = '
     '"1 GHz" at the top, or bytes a cycle as a number'),
    ('"1 GHz"', '"fast"', 'clock is "fast": write an amount above 0, such as "1 GHz"'),
    ('"1 GHz"', "800", 'clock is 800, in Hz: write "800 MHz", or "800 Hz" where that is meant'),
    ('"16 GB/s"', '"51.2 Gb/s"', 'memory.bandwidth is "51.2 Gb/s", and b may be bits: write "51.2 GB/s" for bytes, or '
     '"51.2 Gbit/s" for bits'),
    # local memory that doesn't hold a call
    ('"256 KiB"', "100", "product 1: the smallest call, 1 x 8 x 16, takes 208 bytes with 2 buffers, and local.size is "
     "100: write more, or a smaller multiple"),
    ('"256 KiB"', "{ A = 99, B = 99, C = 64 }", "product 1: the smallest call, 1 x 8 x 16, takes 128 bytes of B, and "
     "local.size.B is 99: write more, or a smaller multiple"),
    ('"256 KiB"', "256", "product 1: a call that fills the array, 1 x 32 x 32, takes 1,216 bytes with 2 buffers, and "
     "local.size is 256: write more, or a smaller array"),
    # names
    ('"edge-32"', "5", f"name is 5: {NAMED}"),
    ('"edge-32"', '" "', f'name is " ": {NAMED}'),
    ('"edge-32"', r'"a\u001b[31m"', rf'name is "a\u001b[31m": {NAMED}'),
    ('"edge-32"', f'"{"x" * 101}"', f'name is "{"x" * 59}...: {NAMED}'),
    ('"MatMul", "Add"', '"MatMul", 5', f"operators.supported, entry 2, is 5: {NAMED}"),
    ('["MatMul", "Add"]', '"MatMul"', 'operators.supported is "MatMul": write it like ["Add", "Relu"]'),
    # tables
    ("[conv]\n", "conv = 5\n[operator]\n", "memory.conv is unknown here: write it at the top, before any [table]\n"
     f"operator is unknown: take one of {TOP_FIELDS}; did you mean 'operators'?"),
    ("[local]", "[[local]]", 'local is [{ size = "256 KiB", buffers = 2, bandwidth = 128 }]: write it as a table, '
     "[local], with its fields below"),
    # what is no TOML
    ('"1 GHz"', "1 GHz", "line 4, column 11 isn't TOML: expected newline or end of document after a statement, in "
     f'"clock = 1 GHz"; {QUOTES}'),
    ("[[product]]", "[product]", "line 18, column 10 isn't TOML: cannot overwrite a value, in \"[[product]]\"; each "
     "field is written once"),
    ("call = 16", f"call = {'9' * 5000}", "a number has too many digits: write amounts with a unit"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "words"), BAD, ids=[f"{at}-{new[:20]!r}" for at, (_, new, _) in enumerate(BAD)])
def test_a_mistake_is_told_with_its_place_and_its_cure(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert loaded(tmp_path, GOOD).name == "edge-32"
    assert old in GOOD
    lines = [f"{tmp_path / 'e.toml'}: {line}" for line in words.split("\n")]
    with pytest.raises(UsageError, match=exact("\n".join(lines))):
        loaded(tmp_path, GOOD.replace(old, new, 1))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", " is empty: `onnxtile engine new` writes an engine file to start from"),
        (b"# nothing\n", " is empty: `onnxtile engine new` writes an engine file to start from"),
        (b"\xff\xfev\0", " isn't text in UTF-8: give an engine file, or save it as UTF-8"),
        (b"x = " + b"[" * 50_000, " isn't an engine file: lists or tables are nested too deeply"),
        (b"version: 1", ": line 1, column 8 isn't TOML: expected '=' after a key in a key/value pair, in "
         f'"version: 1"; {QUOTES}'.encode()),
        (b"version = 1", ': [[product]] is missing: write it, with types = ["int8", "int8"], accumulate = "int32", '
         'array = { M = 1, K = 32, N = 32 }\n[local] is missing: write it, with size = "256 KiB"'),
        (b"product = [5]", ": product 1 is 5: write it as a table, [[product]], with its fields below\n"
         '[local] is missing: write it, with size = "256 KiB"'),
    ],
    ids=["empty", "comment", "utf-16", "deep", "yaml", "version", "no-table"],
)  # fmt: skip
def test_what_is_no_engine_file(tmp_path: Path, content: bytes, words: str | bytes) -> None:
    words = words if isinstance(words, str) else words.decode()
    with pytest.raises(
        UsageError, match=exact(f"{tmp_path / 'e.toml'}{words}".replace("\n", f"\n{tmp_path / 'e.toml'}: "))
    ):
        loaded(tmp_path, content)


def test_a_table_nested_too_deeply_to_be_shown(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=exact(f"{tmp_path / 'e.toml'}: clock is {{ a = {{ a = ... }} }}: write an "
                       'amount above 0, such as "1 GHz"')):  # fmt: skip
        loaded(tmp_path, GOOD.replace('"1 GHz"', f"{{ {'.'.join('a' * 50)} = 1 }}"))


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    assert loaded(tmp_path, content) == loaded(tmp_path, GOOD)


def test_built_in_descriptions_are_read() -> None:
    for name in names():
        assert Engine.load(name).name == name


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=exact("engine 'systolic-23': no such file or directory; did you mean 'systolic-32'?")
    ):
        Engine.load("systolic-23")
    with pytest.raises(UsageError, match=f"engine 'nowhere': no such file or directory; built in are {names()[0]}"):
        Engine.load("nowhere")
    with pytest.raises(UsageError, match="engine 'a\\\\x00b': embedded null byte"):
        Engine.load("a\0b")


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", ""):
        with pytest.raises(UsageError, match=f"engine {str(path)!r} is no file: give the path of one, or one of "):
            Engine.load(path)


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "e.toml").touch()
    opened = Path.open

    def refuse(path: Path, *how: Any, **more: Any) -> Any:
        if path == tmp_path / "e.toml":  # root may read everything
            raise PermissionError(13, "Permission denied")
        return opened(path, *how, **more)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UsageError, match="e.toml': permission denied"):
        Engine.load(tmp_path / "e.toml")


def test_engines_of_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.toml").write_text(load.text_of("systolic-32").replace("systolic-32", "mine"))
    monkeypatch.setattr(sys.modules[__name__], "MINE", tmp_path / "mine.toml")
    values = {"mine": f"{__name__}:MINE", "number": f"{__name__}:NUMBER", "tpu-like": "taken:PATH"}
    points = [EntryPoint(name, value, load.ENTRY_POINTS) for name, value in values.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda **_: points)
    with pytest.warns(PluginWarning) as told:
        assert [engine.name for engine in load.engines()][-2:] == ["tpu-like", "mine"]
    assert {str(one.message).partition(": ")[2] for one in told} == {
        "onnxtile has one of that name", "3 isn't the path of an engine file; mend or uninstall it",
    }  # fmt: skip
    points.pop()
    assert 'name = "copy"' in template("copy", "mine")
    assert Engine.load("mine").name == "mine"
    with pytest.raises(UsageError, match="did you mean 'mine'"):
        Engine.load("mime")


def test_what_is_wrong_with_the_file_of_a_plugin_is_told_with_the_plugin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = [EntryPoint("mine", f"{__name__}:MINE", load.ENTRY_POINTS)]
    monkeypatch.setattr(plugins, "entry_points", lambda **_: points)
    monkeypatch.setattr(sys.modules[__name__], "MINE", tmp_path / "gone.toml")
    start = "plugin 'mine' (onnxtile.engines) is broken"
    words = f"{start}: {tmp_path / 'gone.toml'} isn't the path of an engine file; mend or uninstall it"
    for read in (Engine.load, load.text_of, load.table_of):
        with pytest.raises(UsageError, match=exact(words)):
            read("mine")
    (tmp_path / "gone.toml").write_text("version = 1\n[local]\nsize = 1000\n")
    with pytest.raises(UsageError, match=re.escape(f"{start}: mine: [[product]] is missing")):
        Engine.load("mine")


MINE, NUMBER = Path(), 3
