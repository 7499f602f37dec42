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
from dataclasses import MISSING
from importlib.metadata import entry_points
from operator import attrgetter
from pathlib import Path
from typing import Any

import onnx_ir as ir

from onnxtile.engine.given import limits_of_text
from onnxtile.errors import OnnxtileError, UsageError, did_you_mean, wrong_name
from onnxtile.tiling.limits import Limits, ProductLimits

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
    "decompose-convolution": "passes.decompose_convolution:DecomposeConvolution",
    "decompose-projections": "passes.decompose_projections:DecomposeProjections",
    "decompose-experts": "passes.decompose_experts:DecomposeExperts",
    "decompose-linear": "passes.decompose_linear:DecomposeLinear",
    "decompose-transforms": "passes.decompose_transforms:DecomposeTransforms",
    "decompose-attention": "passes.decompose_attention:DecomposeAttention",
    "decompose-projected-attention": "passes.decompose_projected_attention:DecomposeProjectedAttention",
    "decompose-multihead-attention": "passes.decompose_multihead_attention:DecomposeMultiheadAttention",
    "decompose-grouped-attention": "passes.decompose_grouped_attention:DecomposeGroupedAttention",
    "decompose-recurrent": "passes.decompose_recurrent:DecomposeRecurrent",
    "decompose-conv-transpose": "passes.decompose_conv_transpose:DecomposeConvTranspose",
    "decompose-fused-convolution": "passes.decompose_fused_convolution:DecomposeFusedConvolution",
    "decompose-qdq-convolution": "passes.decompose_qdq_convolution:DecomposeQdqConvolution",
    "decompose-quantized-convolution": "passes.decompose_quantized_convolution:DecomposeQuantizedConvolution",
    "tile-matmul": "passes.tile_matmul:TileMatMul",
    "unroll-tiles": "passes.unroll_tiles:UnrollTiles",
    "restore-products": "passes.restore_products:RestoreProducts",
    "check-limits": "passes.check_limits:CheckLimits",
    "annotate": "profiling.annotate:Annotate",
}
_STEP = re.compile(r"\s*([\w-]+|[\w.]+:[\w.]+)\s*(?:\{([^{}]*)\})?\s*(?:,|$)")


def pass_names() -> list[str]:
    """Return all names, in the order in which `lower` runs the passes, those of other packages last."""
    return [*BUILT_IN, *sorted(point.name for point in entry_points(group=ENTRY_POINTS))]


def pass_class(name: str) -> type[ir.passes.PassBase]:
    """Return the class of that name; UsageError for an unknown one."""
    if name in BUILT_IN:
        module, attribute = BUILT_IN[name].split(":")
        cls: Any = getattr(importlib.import_module(f"onnxtile.{module}"), attribute)
    elif ":" in name:
        cls = _import_class(name)
    elif points := list(entry_points(group=ENTRY_POINTS, name=name)):
        cls = points[0].load()
    else:
        raise wrong_name(f"pass {name!r} is unknown", name, pass_names(), ", or module:Class")
    if isinstance(cls, type) and issubclass(cls, ir.passes.PassBase):
        return cls
    raise UsageError(f"pass {name!r}: {cls!r} isn't a class of onnx_ir passes")


def _import_class(name: str) -> Any:
    """Import `module:Class`; modules of the current folder are found as `python -m` finds them."""
    module, _, path = name.partition(":")
    if not {"", str(Path.cwd())} & set(sys.path):
        sys.path.insert(0, str(Path.cwd()))
    try:
        return attrgetter(path)(importlib.import_module(module))
    except Exception as error:  # importing runs the module's own code, which may raise anything
        raise UsageError(f"pass {name!r} can't be imported: {type(error).__name__}: {error}") from error


def pass_name(pass_: ir.passes.PassBase) -> str:
    """Return a pass's name in text, or its class's name where it isn't registered."""
    path = _path(type(pass_)).removeprefix("onnxtile.")
    return next((name for name, built_in in BUILT_IN.items() if built_in == path), type(pass_).__name__)


def _path(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def pipeline_text(passes: Sequence[ir.passes.PassBase]) -> str:
    """Return passes as `parse_pipeline` reads them, with the options that aren't the default ones.

    >>> pipeline_text(parse_pipeline("infer-shapes{}, tile-matmul{max=4,4,4 accumulate=chain}"))
    'infer-shapes,tile-matmul{max=4,4,4}'
    """
    return ",".join(map(_pass_text, passes))


def _pass_text(pass_: ir.passes.PassBase) -> str:
    cls, name = type(pass_), pass_name(pass_)
    if name not in BUILT_IN:
        points = (point for point in entry_points(group=ENTRY_POINTS) if point.value == _path(cls))
        name = next((point.name for point in points), _path(cls))
    options: dict[str, Any] = {}
    for key in option_types(cls):
        value = getattr(pass_, key)
        if isinstance(value, Mapping):
            options |= value
        elif value != getattr(cls, key, MISSING):  # a field's default is the class's attribute
            options[key] = str(value).lower() if isinstance(value, bool) else value
            if isinstance(value, ProductLimits):
                options[key] = value.option
    return name + ("{" + " ".join(f"{key}={value}" for key, value in options.items()) + "}" if options else "")


def parse_pipeline(text: str, limits: ProductLimits | None = None) -> list[ir.passes.PassBase]:
    """Read passes from text: names with commas between, options in braces with spaces between.

    For instance `infer-shapes,tile-matmul{max=64,64,64 accumulate=tree}`. A pass's fields are its options. `limits`:
    those of passes that take some and aren't given any. Raises UsageError that names what it can't read.
    """
    passes, position = [], 0
    while position < len(text):
        step = _STEP.match(text, position)
        if step is None:
            raise UsageError(f"pipeline {text!r}: can't read {text[position:]!r}; write name,name{{option=value}}")
        passes.append(make_pass(step[1], _split_options(step[1], step[2] or ""), limits))
        position = step.end()
        if text[step.end() - 1] == "," and not text[step.end() :].strip():
            raise UsageError(f"pipeline {text!r} ends in a comma; name another pass, or leave it out")
    if not passes:
        raise UsageError("the pipeline is empty: name at least one pass, such as infer-shapes")
    return passes


def make_pass(name: str, options: Mapping[str, str], limits: ProductLimits | None = None) -> ir.passes.PassBase:
    """Make the pass of that name, its options read from text; `limits`: see `parse_pipeline`."""
    cls = pass_class(name)
    types = option_types(cls)
    if [typing.get_origin(type_) for type_ in types.values()] == [Mapping]:
        return cls({key: _integer(name, key, value) for key, value in options.items()})  # type: ignore[call-arg]
    values: dict[str, Any] = {}
    if limits is not None:
        values = {key: limits for key, hint in types.items() if ProductLimits in (hint, *typing.get_args(hint))}
    for key, value in options.items():
        if key not in types:
            words = f"pass {name}: no option {key!r}; it has {', '.join(types) or 'none'}"
            raise UsageError(f"{words}{did_you_mean(key, types)}")
        values[key] = _read(name, key, value, types[key])
    try:
        return cls(**values)
    except Exception as error:  # a class may be anybody's, and raise anything
        if isinstance(error, OnnxtileError):
            raise
        if not dataclasses.is_dataclass(cls) or not isinstance(error, TypeError):
            raise UsageError(f"pass {name} can't be made from text: {error}; make it in Python") from error
        required = (
            field.name for field in dataclasses.fields(cls) if field.default is field.default_factory is MISSING
        )
        missing = [field for field in required if field not in values]
        raise UsageError(f"pass {name} needs {', '.join(missing)}: write {name}{{{missing[0]}=...}}") from error


def option_types(cls: type[ir.passes.PassBase]) -> dict[str, Any]:
    """Return a pass's options and their types."""
    if not dataclasses.is_dataclass(cls):
        return {}
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _split_options(name: str, text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for option in text.split():
        key, equals, value = option.partition("=")
        if not equals:
            raise UsageError(f"pass {name}: option {option!r} has no value; write {option}=VALUE")
        if key in options:
            raise UsageError(f"pass {name}: option {key!r} is given twice; give it once")
        options[key] = value
    return options


def _read(name: str, key: str, value: str, hint: Any) -> Any:
    types = (hint, *typing.get_args(hint))
    if ProductLimits in types:
        return limits_of_text(value)
    if Limits in types:
        return Limits.parse(value)
    if hint is bool and value not in ("true", "false"):
        raise UsageError(f"pass {name}: {key} is {value!r}; write true or false")
    return value == "true" if hint is bool else _integer(name, key, value) if int in types else value


def _integer(name: str, key: str, value: str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise UsageError(f"pass {name}: {key} is {value!r}, not a whole number") from error
