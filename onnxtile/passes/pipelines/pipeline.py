"""Make passes of a pipeline's text or file, and print passes as text."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias
from weakref import WeakKeyDictionary

import onnx_ir as ir

from onnxtile.errors import OnnxtileError, UsageError, did_you_mean
from onnxtile.passes.function_pass import pass_of_function
from onnxtile.passes.pipelines.options import NO_DEFAULT, Option, options_of, value_word
from onnxtile.passes.pipelines.syntax import Source, Step, Word, read_steps, steps_text
from onnxtile.passes.registry import full_name, pass_class
from onnxtile.tiling.limits import ProductLimits

GivenPass: TypeAlias = str | ir.passes.PassBase | Callable[..., object]
"""A pass as a caller gives it: text, an object, or a function of a model."""
FILE = "@"
"""The first character of a pipeline that is a file."""
_GIVEN: WeakKeyDictionary[ir.passes.PassBase, dict[str, Any]] = WeakKeyDictionary()
"""Options of passes that aren't dataclasses, which needn't keep them under the names of their parameters."""


def parse_pipeline(text: str, limits: ProductLimits | None = None) -> list[ir.passes.PassBase]:
    """Read passes from text: names with commas between, options in braces with spaces between; or `@FILE.toml`.

    For instance `infer-shapes,tile-matmul{max=64,64,64 accumulate=tree}`. A pass's fields are its options; passes that
    hold passes have them behind the options, `repeat{times=2 infer-shapes}`. `limits`: those of passes that take some
    and aren't given any. Raises UsageError with the place of what it can't read.
    """
    if text.startswith(FILE):
        from onnxtile.passes.pipelines.toml_pipeline import steps_of_file

        steps = steps_of_file(text.removeprefix(FILE))
    else:
        steps = read_steps(Source(text))
    return [_made(step, limits) for step in steps]


def pipeline_text(passes: Iterable[ir.passes.PassBase]) -> str:
    """Return passes as `parse_pipeline` reads them, with the options that aren't the default ones.

    >>> pipeline_text(parse_pipeline("infer-shapes{}, tile-matmul{max=4,4,4 accumulate=chain}"))
    'infer-shapes,tile-matmul{max=4,4,4}'
    """
    return steps_text(tuple(map(_step, passes)))


def _made(step: Step, limits: ProductLimits | None) -> ir.passes.PassBase:
    """Make the pass of a step."""
    name = step.name.text
    try:
        cls = pass_class(name)
    except UsageError as error:
        raise step.name.mistake(str(error)) from error
    options = options_of(cls)
    values = _read(step, options) | _held(step, options, limits)
    for key, option in options.items():
        if limits is not None and option.takes_limits and key not in values:
            try:
                values[key] = option.limits(limits)
            except UsageError as error:
                raise step.name.mistake(f"pass {name}: {key}: {error}") from error
    missing = [key for key, option in options.items() if option.default is NO_DEFAULT and key not in values]
    if missing:
        how = "NAME,NAME" if options[missing[0]].takes_passes else f"{missing[0]}=..."
        raise step.name.mistake(f"pass {name} needs {', '.join(missing)}: write {name}{{{how}}}")
    try:
        pass_ = cls(**values)
    except OnnxtileError as error:
        at = next((value for key, value in step.options if str(error).startswith(key.text)), step.name)
        raise at.mistake(f"pass {name}: {error}") from error
    except Exception as error:  # a class may be anybody's, and raise anything
        raise step.name.mistake(f"pass {name} can't be made from text: {error}; make it in Python") from error
    if not dataclasses.is_dataclass(cls):
        _GIVEN[pass_] = values
    return pass_


def _read(step: Step, options: Mapping[str, Option]) -> dict[str, Any]:
    """Return the values of a step's options."""
    name, values, seen = step.name.text, dict[str, Any](), set[str]()
    any_name = [option for option in options.values() if option.takes_any_name]
    for key, value in step.options:
        if key.text in seen:
            raise key.mistake(f"pass {name}: option {key.text!r} is given twice; give it once")
        seen.add(key.text)
        if any_name and key.text not in options:
            of_values = dataclasses.replace(any_name[0], name=key.text, type=_type_of_values(any_name[0]))
            values.setdefault(any_name[0].name, {})[key.text] = _value(step, of_values, value)
            continue
        if key.text not in options:
            words = f"pass {name}: no option {key.text!r}; it has {', '.join(options) or 'none'}"
            raise key.mistake(f"{words}{did_you_mean(key.text, options)}")
        values[key.text] = _value(step, options[key.text], value)
    return values


def _value(step: Step, option: Option, value: Word) -> Any:
    try:
        return option.read(value)
    except ValueError as error:
        raise value.mistake(f"pass {step.name.text}: {error}") from error


def _held(step: Step, options: Mapping[str, Option], limits: ProductLimits | None) -> dict[str, Any]:
    """Return the passes that a step holds, by the option that takes them."""
    if not step.steps:
        return {}
    held = [key for key, option in options.items() if option.takes_passes]
    first, name = step.steps[0].name, step.name.text
    if held:
        return {held[0]: tuple(_made(inner, limits) for inner in step.steps)}
    if first.text in options or not options:
        raise first.mistake(f"pass {name}: option {first.text!r} has no value; write {first.text}=VALUE")
    example = next(iter(options))
    raise first.mistake(f"pass {name} holds no passes: its options are written {name}{{{example}=VALUE}}")


def _type_of_values(option: Option) -> Any:
    """Return the type of a mapping's values."""
    return next((kind.__args__[1] for kind in option.kinds if len(getattr(kind, "__args__", ())) == 2), str)


def _step(pass_: ir.passes.PassBase) -> Step:
    """Return what a pass is as text."""
    cls = type(pass_)
    name, written, held = Word(full_name(cls)), list[tuple[Word, Word]](), list[Step]()
    for option, value in _values(pass_):
        if option.takes_passes:
            held += map(_step, value)
        elif option.takes_any_name:
            written += [(Word(key), value_word(each)) for key, each in value.items()]
        elif value != option.default or type(value) is not type(option.default):
            written.append((Word(option.name), value_word(value)))
    return Step(name, tuple(written), tuple(held) or None)


def _values(pass_: ir.passes.PassBase) -> Iterator[tuple[Option, Any]]:
    """Yield the options of a pass with their values; those that it doesn't tell are left out."""
    own: Mapping[str, Any] = {} if dataclasses.is_dataclass(pass_) else _GIVEN.get(pass_, {})
    for key, option in options_of(type(pass_)).items():
        value = own.get(key, getattr(pass_, key, option.default))
        if value is not NO_DEFAULT:
            yield option, value


def passes_of(given: str | Sequence[GivenPass]) -> list[ir.passes.PassBase]:
    """Return passes as a caller gives them: text, or passes, functions of a model and texts one behind the other."""
    passes: list[ir.passes.PassBase] = []
    for each in [given] if isinstance(given, str) else given:
        if isinstance(each, str):
            passes += parse_pipeline(each)
        else:
            passes.append(each if isinstance(each, ir.passes.PassBase) else _of_object(each))
    return passes


def _of_object(given: object) -> ir.passes.PassBase:
    """Return the pass that a function of a model is. Raises UsageError for anything else."""
    if isinstance(given, type) and issubclass(given, ir.passes.PassBase):
        raise UsageError(f"{given.__name__} is a class of passes, and no pass yet: write {given.__name__}()")
    if not inspect.isfunction(given):
        raise UsageError(f"{given!r} is neither a pass nor the name of one")
    cls = pass_of_function(given)
    needed = [key for key, option in options_of(cls).items() if option.default is NO_DEFAULT]
    if needed:
        options = " ".join(f"{key}=..." for key in needed)
        raise UsageError(f"{given.__name__} needs {', '.join(needed)}: write '{full_name(cls)}{{{options}}}'")
    return cls()
