"""Models in the form a caller has them in, and back again in the same."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import onnx
import onnx_ir as ir

from onnxtile.errors import ModelError, UsageError
from onnxtile.ir.io.checker import one_line
from onnxtile.ir.io.load import from_ir, from_proto, load

if TYPE_CHECKING:
    import onnx_graphsurgeon

    ModelInMemory: TypeAlias = onnx.ModelProto | ir.Model | onnx_graphsurgeon.Graph
    AnyModel: TypeAlias = str | os.PathLike[str] | ModelInMemory
else:
    AnyModel = ModelInMemory = Any


def to_ir(model: AnyModel) -> ir.Model:
    """Return the model as a fresh `onnx_ir.Model`, checked; the caller's stays as it is.

    Raises ModelError or UnsupportedError for a model that isn't valid or can't be carried, UsageError for anything that
    isn't a path, ModelProto, onnx_ir.Model or onnx_graphsurgeon.Graph.
    """
    if isinstance(model, (str, os.PathLike)):
        return load(model)
    if isinstance(model, onnx.ModelProto):
        return from_proto(model)
    if isinstance(model, ir.Model):
        return from_ir(model)
    if _is_graphsurgeon(model):
        import onnx_graphsurgeon

        try:
            exported = onnx_graphsurgeon.export_onnx(cast("onnx_graphsurgeon.Graph", model))
        except onnx_graphsurgeon.util.exception.OnnxGraphSurgeonException as error:
            raise ModelError(f"graphsurgeon can't export the graph: {one_line(error)}") from error
        return from_proto(exported)
    raise UsageError(f"a model is a path, ModelProto, onnx_ir.Model or graphsurgeon Graph, not {type(model).__name__}")


def like(model: AnyModel, proto: Callable[[], onnx.ModelProto], as_ir: Callable[[], ir.Model]) -> ModelInMemory:
    """Return the result in the kind of `model`; a path gives a ModelProto."""
    if isinstance(model, ir.Model):
        return as_ir()
    if _is_graphsurgeon(model):
        import onnx_graphsurgeon

        return onnx_graphsurgeon.import_onnx(proto())
    return proto()


def _is_graphsurgeon(model: object) -> bool:
    """Tell a graph by its class's name, so that nothing is imported for those who don't use it."""
    cls = type(model)
    return cls.__name__ == "Graph" and cls.__module__.startswith("onnx_graphsurgeon")
