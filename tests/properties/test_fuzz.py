"""Mutated models through the command line: no answer but 0, 1 and 2, one line for 2, and nothing left behind.

A second with fixed seeds; `make test-long` takes a minute, and goes on from there.
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import onnx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from tests.commands import status
from tests.support import matmul, parse

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"
SECONDS = 60 if LONG else 3
MOST = 10**9 if LONG else 25
NUMBERS = (0, 1, -1, 2, 3, 7, 64, 255, 4096, 2**20, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1, -(2**63), -2)
TEXTS = (
    "",
    "x",
    "y",
    "w",
    "\0",
    "a\nb",
    "\x1b[31mred",
    "[/]",
    "\u202e",
    "a" * 3000,
    "0",
    "2*x",
    "../x",
    "MatMul",
    "If",
)
NESTED = """<ir_version: 8, opset_import: ["" : 18, "l" : 1]>
g (float[n,8] x, bool c) => (float[n,8] y) {
   s = Shape (x)  k = ConstantOfShape (s)  a = Add (x, k)  h = l.F <t = 1> (a)
   y = If (c) <then_branch = t () => (float[n,8] p) { p = MatMul (h, h) },
               else_branch = e () => (float[n,8] q) { q = Identity (h) }> }
<domain: "l", opset_import: ["" : 18]> F <t> (p) => (r) { r = Gemm <transB: int = @t> (p, p) }"""


def parts(message: Message) -> Iterator[Message]:
    yield message
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            for each in value if hasattr(value, "extend") else [value]:
                yield from parts(each)


def mutated(model: onnx.ModelProto, draw: random.Random) -> bytes:
    """Change a few fields of a model, and at times its bytes."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for _ in range(draw.randrange(1, 4)):
        part = draw.choice(list(parts(copy)))
        fields = [(field, value) for field, value in part.ListFields()]
        if not fields:
            continue
        field, value = draw.choice(fields)
        many = hasattr(value, "extend")
        at = draw.randrange(len(value)) if many and len(value) else 0
        if draw.random() < 0.2:
            part.ClearField(field.name)
        elif many and draw.random() < 0.3:
            del value[at]
        elif field.type == FieldDescriptor.TYPE_MESSAGE:
            if many:
                value.add().CopyFrom(value[at])
        else:
            new = _scalar(field.type, draw)
            try:
                if many and len(value):
                    value[at] = new
                elif not many:
                    setattr(part, field.name, new)
            except (ValueError, TypeError):
                continue  # a number that the field doesn't hold
    data = bytearray(copy.SerializeToString())
    if draw.random() < 0.2 and data:
        data[draw.randrange(len(data))] = draw.randrange(256)
    return bytes(data)


def _scalar(kind: int, draw: random.Random) -> object:
    if kind == FieldDescriptor.TYPE_STRING:
        return draw.choice(TEXTS)
    if kind == FieldDescriptor.TYPE_BYTES:
        return draw.choice([b"", b"\xff" * 8, b"ij,jk->ik", bytes(draw.randrange(256) for _ in range(16))])
    if kind in (FieldDescriptor.TYPE_FLOAT, FieldDescriptor.TYPE_DOUBLE):
        return draw.choice([0.0, -1.0, 1e38, float("nan"), float("inf")])
    return draw.choice(NUMBERS)


def test_no_mutated_model_meets_an_error_that_nobody_foresaw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    seeds = [matmul([4, 8], [8, 6], [4, 6]), parse(NESTED)]
    end, path = time.perf_counter() + SECONDS, tmp_path / "m.onnx"
    for number in count():
        if number >= MOST or time.perf_counter() > end:
            break
        draw = random.Random(number)
        data = mutated(draw.choice(seeds), draw)
        try:
            onnx.ModelProto.FromString(data)
        except DecodeError:
            continue
        path.write_bytes(data)
        for call in (
            ("check", "m.onnx", "--max", "4,4,4", "--ops", "all"), ("profile", "m.onnx"),
            ("lower", "m.onnx", "--max", "4,*,4", "--form", draw.choice(["unrolled", "batched", "loop"]), "-o", "o"),
            ("annotate", "m.onnx", "-o", "o"), ("run", "m.onnx", "--passes", "infer-shapes", "-o", "o"),
        ):  # fmt: skip
            code = status(*call)
            said = capsys.readouterr().err
            what = f"mutant {number}, {' '.join(call)}: {said}"
            assert code in (0, 1, 2), what
            assert "internal error" not in said, what
            if code == 2:
                assert said.startswith("onnxtile: "), what
                assert said[-1] == "\n" and said[:-1].isprintable(), what
            shutil.rmtree("o.reproducer", ignore_errors=True)
            assert {each.name for each in tmp_path.iterdir()} <= {"m.onnx", "o"}, what
            (tmp_path / "o").unlink(missing_ok=True)
