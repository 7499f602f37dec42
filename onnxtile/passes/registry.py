"""Names of passes: the built-in ones, those of onnx_ir by their classes' names, those of other packages (entry points
in the group `onnxtile.passes`), and `module:name` for a class or a function that Python can import.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import onnx_ir as ir
from onnx_ir.passes import common

from onnxtile.errors import BrokenPluginError, UsageError, did_you_mean
from onnxtile.ir.plugins import broken, load, plugins
from onnxtile.passes.function_pass import pass_of_function

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
    "repeat": "passes.repeat:Repeat",
    "restore-products": "passes.restore_products:RestoreProducts",
    "check-limits": "passes.check_limits:CheckLimits",
    "annotate": "profiling.annotate:Annotate",
}
_PLUGGED: WeakKeyDictionary[type[ir.passes.PassBase], str] = WeakKeyDictionary()
"""Names of plugins' classes that were asked for by name."""
_OURS = frozenset((*BUILT_IN, *common.__all__))


def pass_names() -> list[str]:
    """Return all names, in the order in which `lower` runs the passes, onnx_ir's after them, other packages' last."""
    return [*BUILT_IN, *common.__all__, *plugins(ENTRY_POINTS, _OURS)]


def pass_class(name: str) -> type[ir.passes.PassBase]:
    """Return the class of that name; UsageError for an unknown one."""
    if name in BUILT_IN:
        found: Any = attrgetter(BUILT_IN[name].partition(":")[2])(_module_of(name))
    elif name in common.__all__:
        found = getattr(common, name)
    elif ":" in name:
        found = _imported(name)
    elif point := plugins(ENTRY_POINTS, _OURS).get(name):
        try:
            cls = _as_class(load(point))
            _PLUGGED[cls] = name
            return cls
        except BrokenPluginError:
            raise
        except UsageError as error:
            raise broken(point, str(error)) from error
    else:
        meant = did_you_mean(name, pass_names())
        raise UsageError(f"pass {name!r} is unknown: `onnxtile passes` lists all, module:Class is one of yours{meant}")
    try:
        return _as_class(found)
    except UsageError as error:
        raise UsageError(f"pass {name!r}: {error}") from error


def _as_class(found: Any) -> type[ir.passes.PassBase]:
    """Return a class of passes, or that of a function. Raises UsageError for anything else."""
    if inspect.isfunction(found):
        return pass_of_function(found)
    if isinstance(found, type) and issubclass(found, ir.passes.PassBase):
        return found
    raise UsageError(f"{found!r} isn't a class of onnx_ir passes, nor a function of a model")


def _module_of(name: str) -> Any:
    return importlib.import_module(f"onnxtile.{BUILT_IN[name].partition(':')[0]}")


def _imported(name: str) -> Any:
    """Import `module:name`; modules of the current folder are found as `python -m` finds them."""
    module, _, path = name.partition(":")
    if not {"", str(Path.cwd())} & set(sys.path):
        sys.path.insert(0, str(Path.cwd()))
    try:
        return attrgetter(path)(importlib.import_module(module))
    except Exception as error:  # importing runs the module's own code, which may raise anything
        raise UsageError(f"pass {name!r} can't be imported: {type(error).__name__}: {error}") from error


def pass_name(pass_: ir.passes.PassBase) -> str:
    """Return a pass's name in text, or its class's name where it isn't registered.

    A plugin's class has a name here once it was asked for by that: entry points aren't read anew for each run.
    """
    path = _path(type(pass_)).removeprefix("onnxtile.")
    built_in = (name for name, built_in in BUILT_IN.items() if built_in == path)
    return next(built_in, None) or _PLUGGED.get(type(pass_), type(pass_).__name__)


def full_name(cls: type[ir.passes.PassBase]) -> str:
    """Return the name by which `pass_class` finds a class."""
    path = _path(cls)
    ours = (name for name, built_in in BUILT_IN.items() if f"onnxtile.{built_in}" == path)
    theirs = (name for name in common.__all__ if getattr(common, name) is cls)
    others = (name for name, point in plugins(ENTRY_POINTS, _OURS).items() if point.value == path)
    return next(chain(ours, theirs, others, [path]))


def _path(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"
