"""Make a pass of a plain function that changes a model."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Sequence
from dataclasses import MISSING, Field, field, make_dataclass
from functools import cache
from typing import Any, ClassVar, TypeVar

import onnx_ir as ir

from onnxtile.errors import PassError, UsageError
from onnxtile.ir.printable import several
from onnxtile.passes.changes import Snapshot
from onnxtile.passes.pipelines.options import check_options

AnyPass = TypeVar("AnyPass", bound="FunctionPass")


class FunctionPass(ir.passes.InPlacePass):
    """Calls a function with the model, and with the pass's fields by name."""

    function: ClassVar[Callable[..., Any]]

    @property
    def options(self) -> dict[str, Any]:
        """The pass's fields, which are the function's own options."""
        return dict(vars(self))

    def call(self, model: ir.Model) -> ir.passes.PassResult:
        """Call the function, and tell by the model whether it changed something where the function doesn't say."""
        before = Snapshot(model)
        result = type(self).function(model, **self.options)
        if isinstance(result, ir.passes.PassResult):
            return result
        if isinstance(result, bool):
            return ir.passes.PassResult(model, modified=result)
        if result is not None and result is not model:
            words = (
                f"gave {type(result).__name__}: change the model in place, and return whether it changed, or nothing"
            )
            raise PassError(f"{type(self).__name__} {words}")
        return ir.passes.PassResult(model, modified=before.differs_from(model))


@cache
def pass_of_function(function: Callable[..., Any]) -> type[ir.passes.PassBase]:
    """Return the class of passes that call `function(model, **options)`."""
    return class_of_function(function, FunctionPass, {}, 1)


def class_of_function(
    function: Callable[..., Any], base: type[AnyPass], facts: dict[str, Any], given: int
) -> type[AnyPass]:
    """Return a class of `base` with the function's name and place, and a field for each parameter but the first ones.

    `facts`: what else the class has; `given`: how many parameters the pass gives. Raises UsageError for a function that
    takes fewer, or any number of options.
    """
    parameters = list(inspect.signature(function).parameters.values())
    many = [one.name for one in parameters if one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    if many or len(parameters) < given:
        takes = f"any number of {many[0]}" if many else f"{several(len(parameters), 'parameter')}, not {given} or more"
        words = f"takes {takes}: a pass gives the first {given}, and the others are options"
        raise UsageError(f"{function.__qualname__} {words}")
    if taken := [one.name for one in parameters[given:] if hasattr(base, one.name)]:
        raise UsageError(f"{function.__qualname__} has an option {taken[0]!r}, which passes have: give it another name")
    own = {"function": staticmethod(function), "__doc__": function.__doc__, "__module__": function.__module__}
    made: Any = make_dataclass(
        function.__name__,
        _fields(function, parameters[given:]),
        bases=(base,),
        namespace={**own, **facts, "__qualname__": function.__qualname__, "__post_init__": check_options},
        frozen=True,
        kw_only=True,
    )
    made.__module__ = function.__module__
    return made  # type: ignore[no-any-return]  # it's of the base


def _fields(function: Callable[..., Any], parameters: Sequence[inspect.Parameter]) -> list[tuple[str, Any, Field[Any]]]:
    """Return the fields for parameters, typed as the function says, or as its defaults are."""
    try:
        hints = typing.get_type_hints(function)
    except Exception:  # a hint is anybody's code
        hints = {}
    fields = []
    for one in parameters:
        default = MISSING if one.default is one.empty else one.default
        guessed = type(default) if isinstance(default, (bool, int, float, str)) else Any
        fields.append((one.name, hints.get(one.name, guessed), _field(default)))
    return fields


def _field(default: Any) -> Field[Any]:
    """Return a field of this default, which may be a list, as functions may have it."""
    changes = default is not MISSING and type(default).__hash__ is None
    return field(default_factory=lambda: default) if changes else field(default=default)
