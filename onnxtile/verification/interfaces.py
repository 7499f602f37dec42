"""Do two models take and give the same?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import onnx
import onnx_ir as ir

from onnxtile.ir.dimensions import bind_dimensions, free_in_one, still_free
from onnxtile.verification.facts import inferred

Said = tuple[str, "int | bytes", "list[int | None] | None"]
"""A value's name, element type (of what isn't a tensor: its type), and sizes, None where they aren't numbers."""


def mismatch(model: onnx.ModelProto, other: onnx.ModelProto, bind: Mapping[str, int]) -> str | None:
    """Return what of the inputs and outputs differs, or None; sizes count where both models have them.

    An input that the other model takes in one size only has that size in the first, or by `bind`. An output may be
    declared as inference finds it, where the first model declares it otherwise.
    """
    first, second = model.graph, other.graph
    pairs = (("inputs", _fed(first), _fed(second)), ("outputs", list(first.output), list(second.output)))
    for what, ours, theirs in pairs:
        left, right = ([(name, kind) for name, kind, _ in _said(values)] for values in (ours, theirs))
        untyped = {name for name, kind in (*left, *right) if not kind}
        left, right = ([(name, b"" if name in untyped else kind) for name, kind in side] for side in (left, right))
        if left != right:
            retyped = _other_types(what, ours, theirs)
            if retyped:
                return retyped
            return f"the {what} differ: {', '.join(sorted({name for name, _ in set(left) ^ set(right)})) or 'in order'}"
        bound = _bound(ours, bind) if what == "inputs" else {}
        for (name, _, one), (_, _, two) in zip(_said(ours), _said(theirs), strict=True):
            if one is None or two is None:
                continue
            for axis, (p, q) in enumerate(zip(one, two, strict=False)):
                if p is None and q is not None and name in bound and bound[name][axis] != q:
                    return free_in_one(name, axis, q, {str(bound[name][axis]): q})
            if not _go_together(one, two) and not (what == "outputs" and _is_inferred(name, two, model, bind)):
                return f"the shapes of {name!r} differ: {_words(one)} and {_words(two)}"
    return None


def _other_types(what: str, ours: list[onnx.ValueInfoProto], theirs: list[onnx.ValueInfoProto]) -> str | None:
    """Return which value has another type in the second model, if that's all that differs."""
    if [value.name for value in ours] != [value.name for value in theirs]:
        return None
    for one, two in zip(ours, theirs, strict=True):
        types = [value.type.tensor_type.elem_type for value in (one, two)]
        if types[0] != types[1] and all(types):
            before, after = (onnx.TensorProto.DataType.Name(number).lower() for number in types)
            words = f"{what[:-1]} {one.name!r} is {before} in the original and {after} in the lowered model"
            return f"{words}; change types before lowering, or keep those of inputs and outputs"
    return None


def _go_together(one: Sequence[int | None], two: Sequence[int | None]) -> bool:
    """Return whether two shapes may be the same; None: a size that isn't known."""
    return len(one) == len(two) and all(p == q or None in (p, q) for p, q in zip(one, two, strict=True))


def _is_inferred(output: str, said: Sequence[int | None], model: onnx.ModelProto, bind: Mapping[str, int]) -> bool:
    """Return whether inference finds the shape of a model's output that another model says, and not the model's own."""
    shapes = {str(value.name): value.shape for value in inferred(model, bind).graph.outputs}
    shape = shapes[output]
    return shape is not None and _go_together([dim if isinstance(dim, int) else None for dim in shape], said)


def _fed(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    constants = {tensor.name for tensor in graph.initializer} | {
        sparse.values.name for sparse in graph.sparse_initializer
    }
    return [value for value in graph.input if value.name not in constants]


def _said(values: list[onnx.ValueInfoProto]) -> Iterator[Said]:
    for value in values:
        tensor = value.type.tensor_type
        sizes = [
            dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None for dim in tensor.shape.dim
        ]
        bare = value.type.WhichOneof("value") is None
        kind = b"" if bare else tensor.elem_type or value.type.SerializeToString(deterministic=True)
        yield value.name, kind, sizes if tensor.HasField("shape") else None


def _bound(inputs: list[onnx.ValueInfoProto], bind: Mapping[str, int]) -> dict[str, list[int | str]]:
    """Return the sizes of inputs as `bind` makes them, by name; of a dimension that stays free, what it's bound by."""
    graph = onnx.GraphProto(name="inputs", input=inputs)
    model = ir.from_proto(onnx.ModelProto(ir_version=onnx.IR_VERSION, graph=graph))
    bind_dimensions(model, still_free(model, bind))
    values = [value for value in model.graph.inputs if value.shape is not None]
    return {
        str(value.name): [dim if isinstance(dim, int) else str(dim.value) for dim in value.shape or ()]
        for value in values
    }


def _words(sizes: list[int | None]) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in sizes) + "]"
