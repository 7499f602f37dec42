"""Graphs inside nodes: they run as often as whole numbers say; a choice that isn't known is a function of both ways."""

from __future__ import annotations

import numpy as np
import onnx
import onnx_ir as ir

from onnxtile.verification.field import Field
from onnxtile.verification.semantics.entry import Call, Results, operator
from onnxtile.verification.value import SIZE, TURN, UnprovenError, Value


@operator("If", attributes="then_branch else_branch")
def _if(call: Call) -> Results:
    condition = _truth(call, call.value(0))
    branches = [call.attributes[name] for name in ("then_branch", "else_branch")]
    if condition.known is not None:
        if condition.sized == SIZE:
            call.run.look("If", condition)
        return call.run.inside(branches[0 if condition.known.reshape(-1)[0] else 1], {}, call)
    pairs = list(zip(*(call.run.inside(branch, {}, call) for branch in branches), strict=True))
    if any(one.shape != other.shape for one, other in pairs):
        raise UnprovenError("If gives other shapes either way, and which one isn't known")
    return [call.run.function(call, [condition, *pair], pair[0].shape, pair[0].dtype, "If") for pair in pairs]


@operator("Loop", attributes="body")
def _loop(call: Call) -> Results:
    body = call.attributes["body"]
    trips, go = (call.optional(index) for index in range(2))
    carried = [call.value(index) for index in range(2, len(call.inputs))]
    if any(value is not None and value.known is None for value in (trips, go)):
        return _any_turns(call, carried)
    count = None if trips is None else trips.whole_numbers("the number of a Loop's turns")[0]
    call.run.turns(count or 0)
    if count is not None:
        call.run.decide(count, count - 1)
    going = True if go is None else bool(go.whole_numbers("the condition of a Loop")[0])
    formal = [value.name for value in body.input]
    stacked: list[list[Value]] = [[] for _ in range(len(body.output) - 1 - len(carried))]
    turn = 0
    while going and (count is None or turn < count):
        call.run.turn()
        values = [
            Value.constant(call.field, np.array(turn), sized=TURN),
            Value.constant(call.field, np.array(True)),
            *carried,
        ]
        made = call.run.inside(body, dict(zip(formal, values, strict=True)), call, turn)
        going = bool(_truth(call, made[0]).whole_numbers("whether a Loop goes on")[0])
        carried = made[1 : 1 + len(carried)]
        for stack, value in zip(stacked, made[1 + len(carried) :], strict=True):
            stack.append(value)
        turn += 1
    return [
        *carried,
        *(_stacked(*pair, call.field) for pair in zip(stacked, body.output[1 + len(carried) :], strict=True)),
    ]


def _any_turns(call: Call, carried: list[Value]) -> Results:
    """A Loop whose turns aren't known: a function of them, of what it begins with, and of its body.

    The body is told by what it makes of any numbers: two that make the same do so in each turn.
    """
    body, field = call.attributes["body"], call.field
    if len(body.output) != 1 + len(carried):
        raise UnprovenError("a Loop stacks values, and how many turns it has isn't known")
    turn = Value(field, ir.DataType.INT64, ())
    states = [call.run.any_numbers(f"{at}", value) for at, value in enumerate((turn, *carried))]
    formal = [value.name for value in body.input]
    values = [states[0], Value.constant(field, np.array(True)), *states[1:]]
    made = call.run.inside(body, dict(zip(formal, values, strict=True)), call)
    if any((one.shape, one.dtype) != (other.shape, other.dtype) for one, other in zip(carried, made[1:], strict=True)):
        raise UnprovenError("a Loop's state has another shape or type in each turn, and how many it has isn't known")
    begins = "".join("_" if value is None else "1" for value in (*call.inputs, None)[:2])
    given = [value for value in (*call.inputs, _truth(call, made[0]), *made[1:]) if value is not None]
    return call.run.whole_function(f"Loop {begins}", given, [(value.dtype, value.shape) for value in carried], False)


@operator("Scan", attributes="body num_scan_inputs scan_input_axes scan_output_axes scan_input_directions "
          "scan_output_directions")  # fmt: skip
def _scan(call: Call) -> Results:
    body, count = call.attributes["body"], int(call.attributes["num_scan_inputs"])
    if any(any(call.attributes.get(name, ())) for name in ("scan_input_axes", "scan_output_axes")):
        raise UnprovenError("Scan along another axis than the first")
    values = [call.value(index) for index in range(len(call.inputs))]
    carried, scanned = values[: len(values) - count], values[len(values) - count :]
    turns = {value.shape[0] for value in scanned}
    if len(turns) != 1:
        raise UnprovenError("Scan of different lengths")
    formal = [value.name for value in body.input]
    stacked: list[list[Value]] = [[] for _ in range(len(body.output) - len(carried))]
    length = turns.pop()
    inwards, outwards = (_backwards(call, f"scan_{side}_directions", n) for side, n in
                         (("input", count), ("output", len(stacked))))  # fmt: skip
    for turn in range(length):
        call.run.turn()
        pieces = [_turn(value, length - 1 - turn if backwards else turn)
                  for value, backwards in zip(scanned, inwards, strict=True)]  # fmt: skip
        made = call.run.inside(body, dict(zip(formal, [*carried, *pieces], strict=True)), call, turn)
        carried = made[: len(carried)]
        for stack, value in zip(stacked, made[len(carried) :], strict=True):
            stack.append(value)
    outputs = body.output[len(carried) :]
    if not length and not all(map(_is_said, outputs)):
        return [*carried, *_nothing(call, formal, carried, scanned)]
    ordered = [stack[::-1] if backwards else stack for stack, backwards in zip(stacked, outwards, strict=True)]
    return [*carried, *(_stacked(*pair, call.field) for pair in zip(ordered, outputs, strict=True))]


def _nothing(call: Call, formal: list[str], carried: list[Value], scanned: list[Value]) -> list[Value]:
    """Return what a Scan without turns stacks whose body says no shapes: nothing, shaped as a turn would give it."""
    pieces = [Value(call.field, value.dtype, value.shape[1:]) for value in scanned]
    made = call.run.inside(call.attributes["body"], dict(zip(formal, [*carried, *pieces], strict=True)), call, 0)
    return [
        Value.constant(call.field, np.zeros((0, *value.shape), value.dtype.numpy()), value.dtype)
        for value in made[len(carried) :]
    ]


def _backwards(call: Call, name: str, count: int) -> list[bool]:
    """Of each input that is scanned, or output, whether its turns run backwards."""
    directions = [bool(flag) for flag in call.attributes.get(name, ())] or [False] * count
    if len(directions) != count:
        raise UnprovenError(f"Scan has {len(directions)} of {name} for {count}")
    return directions


def _truth(call: Call, value: Value) -> Value:
    if value.dtype != ir.DataType.BOOL:
        raise UnprovenError(f"a condition of {call.node.op_type} is {value.dtype.name}")
    return value


def _turn(value: Value, turn: int) -> Value:
    piece = value.moved(lambda array, lead: array[(slice(None),) * lead + (turn,)])
    piece.sized = TURN if value.counts else value.sized
    return piece


def _is_said(output: onnx.ValueInfoProto) -> bool:
    """Return whether a body says what shape an output has."""
    tensor = output.type.tensor_type
    return tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in tensor.shape.dim)


def _stacked(values: list[Value], output: onnx.ValueInfoProto, field: Field) -> Value:
    """The values of all turns; where there's none, of the shape that engines take from the body's output."""
    from onnxtile.verification.value import joined

    if not values:
        tensor = output.type.tensor_type
        if not _is_said(output):
            raise UnprovenError(f"a loop has no turn, and the shape of {output.name!r} isn't said")
        dtype = ir.DataType(tensor.elem_type)
        return Value.constant(field, np.zeros((0, *(dim.dim_value for dim in tensor.shape.dim)), dtype.numpy()), dtype)
    if len({value.shape for value in values}) > 1:
        raise UnprovenError("a loop stacks different shapes")
    return joined(values, lambda arrays, lead: np.stack(arrays, lead))
