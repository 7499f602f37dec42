"""Read example inputs of a torch model, written as `1x3x224x224:float32`, and make tensors of them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from onnxtile.errors import UsageError, wrong_name
from onnxtile.torch_frontend.nesting import replaced

_TYPES = "float32 float64 float16 bfloat16 int64 int32 int16 int8 uint8 bool"
DTYPES: dict[str, torch.dtype] = {name: getattr(torch, name) for name in _TYPES.split()}
MOST_ELEMENTS = 2**31
"""More numbers than any input has; whoever asks for them has slipped."""
SCALAR = "scalar"
_NAMED = re.compile(r"([A-Za-z_]\w*)=(.*)", re.ASCII | re.DOTALL)


@dataclass(frozen=True)
class InputSpec:
    """The shape and type of one input; `name` None: it's given by its position."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    name: str | None = None


def parse_input(text: str) -> InputSpec:
    """Read `[NAME=]1x3x224x224[:TYPE]`, or `scalar` for a tensor without axes. Raises UsageError for anything else."""
    named = _NAMED.fullmatch(text)
    name, rest = (named[1], named[2]) if named else (None, text)
    sizes, colon, dtype = rest.partition(":")
    words = [] if sizes == SCALAR else sizes.split("x")
    if not all(word.isascii() and word.isdigit() and len(word) < 12 for word in words):
        raise UsageError(f"--input {text}: write [NAME=]SIZExSIZE[:TYPE], such as 1x3x224x224 or ids=1x128:int64")
    if colon and dtype not in DTYPES:
        raise wrong_name(f"--input {text}: type {dtype!r} is unknown", dtype, DTYPES)
    shape = tuple(map(int, words))
    if math.prod(shape) > MOST_ELEMENTS:
        raise UsageError(f"--input {text}: that is {math.prod(shape):,} numbers; give smaller sizes")
    return InputSpec(shape, dtype or "float32", name)


def parse_inputs(texts: Sequence[str]) -> list[InputSpec]:
    """Read all `--input` of a call. Raises UsageError where one is malformed, or a name is given twice."""
    specs = [parse_input(text) for text in texts]
    names = [spec.name for spec in specs if spec.name is not None]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"--input {twice} is given twice; give it once")
    return specs


def example_inputs(specs: Sequence[InputSpec], seed: int = 0) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return tensors for a call: those by position, in order, and those by name. The same seed gives the same numbers.

    Floats are normal. Integers are 0 or 1, which are indices of any table with two rows; 8-bit ones take their whole
    range, as pictures do. It's the same for inputs of ONNX models, where nothing says which table they index.
    """
    generator = torch.Generator().manual_seed(seed)
    values = [(spec.name, _tensor(spec, generator)) for spec in specs]
    return tuple(value for name, value in values if name is None), {name: value for name, value in values if name}


def _tensor(spec: InputSpec, generator: torch.Generator) -> torch.Tensor:
    dtype = DTYPES[spec.dtype]
    if dtype.is_floating_point:
        return torch.randn(spec.shape, generator=generator).to(dtype)
    info = torch.iinfo(dtype) if spec.dtype in ("int8", "uint8") else None
    low, high = (0, 1) if info is None else (info.min, info.max)
    return torch.randint(low, high + 1, spec.shape, generator=generator).to(dtype)


def as_inputs(inputs: object, seed: int = 0) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments that `inputs` are: tensors by position (a tuple or list, or one alone), or by name (a dict).

    Texts, one or several, are read as `--input` is, and stand for values from `seed`. UsageError for anything else.
    """
    if isinstance(inputs, dict):
        if not all(isinstance(name, str) for name in inputs):
            raise UsageError("inputs: the names in a dict are those of forward's parameters; give texts")
        return (), dict(inputs)
    values = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
    texts = [value for value in values if isinstance(value, str)]
    if texts and len(texts) == len(values):
        return example_inputs(parse_inputs(texts), seed)
    if texts or any(value is None for value in values):
        raise UsageError(
            "inputs: give tensors, or texts such as 1x3x224x224, by position, or tensors by name in a dict"
        )
    return values, {}


def tensors(nested: Any) -> Any:
    """Return it with tensors in place of arrays, inside lists, tuples and dicts too."""
    return replaced(nested, np.ndarray, lambda array: torch.from_numpy(array.copy()))
