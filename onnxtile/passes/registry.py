"""Names of passes: the built-in ones, those of other packages (entry points in the group `onnxtile.passes`), and
`module:Class` for a class that Python can import.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
import sys
import typing
from collections.abc import Mapping, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import onnx_ir as ir

from onnxtile.errors import OnnxtileError, UsageError, did_you_mean, wrong_name
from onnxtile.tiling.limits import Limits

ENTRY_POINTS = "onnxtile.passes"
BUILT_IN = {
    "bind-dims": "passes.bind_dims:BindDims",
    "infer-shapes": "passes.infer_shapes:InferShapes",
    "specialize-functions": "passes.specialize_functions:SpecializeFunctions",
    "decompose-einsum": "passes.decompose_einsum:DecomposeEinsum",
    "decompose-fused": "passes.decompose_fused:DecomposeFused",
    "decompose-qdq": "passes.decompose_qdq:DecomposeQdq",
    "decompose-quantized": "passes.decompose_quantized:DecomposeQuantized",
    "decompose-gemm": "passes.decompose_gemm:DecomposeGemm",
    "decompose-blockwise": "passes.decompose_blockwise:DecomposeBlockwise",
    "decompose-attention": "passes.decompose_attention:DecomposeAttention",
    "tile-matmul": "passes.tile_matmul:TileMatMul",
    "unroll-tiles": "passes.unroll_tiles:UnrollTiles",
    "restore-products": "passes.restore_products:RestoreProducts",
    "check-limits": "passes.check_limits:CheckLimits",
    "annotate": "profiling.annotate_pass:Annotate",
}
_STEP = re.compile(r"\s*([\w-]+|[\w.]+:[\w.]+)\s*(?:\{([^{}]*)\})?\s*(?:,|$)")


def pass_names() -> list[str]:
    """All names, in the order of the main job, those of other packages last."""
    return [*BUILT_IN, *sorted(point.name for point in entry_points(group=ENTRY_POINTS))]


def pass_class(name: str) -> type[ir.passes.PassBase]:
    """The class behind a name; UsageError for an unknown one."""
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name].split(":")
        return _checked(getattr(importlib.import_module(f"onnxtile.{module}"), attribute), name)
    if ":" in name:
        return _checked(_imported(name), name)
    for point in entry_points(group=ENTRY_POINTS, name=name):
        return _checked(point.load(), name)
    raise wrong_name(f"pass {name!r} is unknown", name, pass_names(), ", or module:Class")


def _imported(name: str) -> Any:
    """What `module:Class` names; modules of the current folder are found as `python -m` finds them."""
    module, _, attribute = name.partition(":")
    if not {"", str(Path.cwd())} & set(sys.path):
        sys.path.insert(0, str(Path.cwd()))
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:  # importing runs the module's own code, which may raise anything
        raise UsageError(f"pass {name!r} can't be imported: {type(error).__name__}: {error}") from error
    return found


def pass_name(pass_: ir.passes.PassBase) -> str:
    """What a pass is called in text, or its class's name where it isn't registered."""
    place = f"{type(pass_).__module__.removeprefix('onnxtile.')}:{type(pass_).__name__}"
    return next((name for name, built_in in BUILT_IN.items() if built_in == place), type(pass_).__name__)


def pipeline_text(passes: Sequence[ir.passes.PassBase]) -> str:
    """Passes as `parse_pipeline` reads them, options that aren't the default ones included.

    >>> pipeline_text(parse_pipeline("infer-shapes{}, tile-matmul{max=4,4,4 accumulate=chain}"))
    'infer-shapes,tile-matmul{max=4,4,4}'
    """
    return ",".join(map(_pass_text, passes))


def _pass_text(pass_: ir.passes.PassBase) -> str:
    cls, name = type(pass_), pass_name(pass_)
    if name not in BUILT_IN:
        points = (point for point in entry_points(group=ENTRY_POINTS) if point.value == _place(cls))
        name = next((point.name for point in points), _place(cls))
    options: dict[str, Any] = {}
    for key in option_types(cls):
        value = getattr(pass_, key)
        if isinstance(value, Mapping):
            options |= value
        elif value != getattr(cls, key, dataclasses.MISSING):  # a field's default is the class's attribute
            options[key] = str(value).lower() if isinstance(value, bool) else value
    return name + ("{" + " ".join(f"{key}={value}" for key, value in options.items()) + "}" if options else "")


def _place(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def parse_pipeline(text: str) -> list[ir.passes.PassBase]:
    """Passes from text: names with commas between, options in braces with spaces between.

    For instance `infer-shapes,tile-matmul{max=64,64,64 accumulate=tree}`. A pass's fields are its options. Raises
    UsageError that names what it can't read.
    """
    passes, position = [], 0
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise UsageError(f"pipeline {text!r}: can't read {text[position:]!r}; write name,name{{option=value}}")
        passes.append(make_pass(step[1], _options(step[1], step[2] or "")))
        position = step.end()
        if text[step.end() - 1] == "," and not text[step.end() :].strip():
            raise UsageError(f"pipeline {text!r} ends in a comma; name another pass, or leave it out")
    if not passes:
        raise UsageError("the pipeline is empty: name at least one pass, such as infer-shapes")
    return passes


def make_pass(name: str, options: Mapping[str, str]) -> ir.passes.PassBase:
    """A pass of that name with its options read from text."""
    cls = pass_class(name)
    fields = option_types(cls)
    if len(fields) == 1 and typing.get_origin(next(iter(fields.values()))) is Mapping:
        return cls({key: _integer(name, key, value) for key, value in options.items()})  # type: ignore[call-arg]
    values = {}
    for key, value in options.items():
        if key not in fields:
            words = f"pass {name}: no option {key!r}; it has {', '.join(fields) or 'none'}"
            raise UsageError(f"{words}{did_you_mean(key, fields)}")
        values[key] = _read(name, key, value, fields[key])
    try:
        return cls(**values)
    except Exception as error:  # a class may be anybody's, and raise anything
        if isinstance(error, OnnxtileError):
            raise
        if not dataclasses.is_dataclass(cls) or not isinstance(error, TypeError):
            raise UsageError(f"pass {name} can't be made from text: {error}; make it in Python") from error
        missing = [field.name for field in dataclasses.fields(cls) if _required(field) and field.name not in values]
        raise UsageError(f"pass {name} needs {', '.join(missing)}: write {name}{{{missing[0]}=...}}") from error


def option_types(cls: type[ir.passes.PassBase]) -> dict[str, Any]:
    """A pass's options and their types."""
    if not dataclasses.is_dataclass(cls):
        return {}
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _options(name: str, text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for key, value in (_option(name, part) for part in text.split()):
        if key in options:
            raise UsageError(f"pass {name}: option {key!r} is given twice; give it once")
        options[key] = value
    return options


def _option(name: str, part: str) -> tuple[str, str]:
    key, equals, value = part.partition("=")
    if not equals:
        raise UsageError(f"pass {name}: option {part!r} has no value; write {part}=VALUE")
    return key, value


def _read(name: str, key: str, value: str, hint: Any) -> Any:
    if Limits in (hint, *typing.get_args(hint)):
        return Limits.parse(value)
    if hint is bool:
        if value not in ("true", "false"):
            raise UsageError(f"pass {name}: {key} is {value!r}; write true or false")
        return value == "true"
    return _integer(name, key, value) if int in (hint, *typing.get_args(hint)) else value


def _integer(name: str, key: str, value: str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise UsageError(f"pass {name}: {key} is {value!r}, not a whole number") from error


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _checked(found: Any, name: str) -> type[ir.passes.PassBase]:
    if isinstance(found, type) and issubclass(found, ir.passes.PassBase):
        return found
    raise UsageError(f"pass {name!r}: {found!r} isn't a class of onnx_ir passes")
