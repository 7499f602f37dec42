"""Public functions show their parameters with types, and refuse options that they don't have."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator

import pytest

import onnxtile
from tests.support import matmul

MAY_TAKE_ANY_NUMBER = {
    "Report.having": "statuses, all of one type",
    "Engine.__init__": "the tables of an engine file, which are refused where there is no such field",
}
LIMITS = (4, 4, 4)


def public() -> Iterator[tuple[str, Callable[..., object]]]:
    """Yield every public function, and the public methods of public classes."""
    for name in onnxtile.__all__:
        thing = getattr(onnxtile, name)
        if inspect.isfunction(thing):
            yield name, thing
        elif inspect.isclass(thing) and not issubclass(thing, Exception):
            for method, function in inspect.getmembers(thing, inspect.isfunction):
                if function.__module__.startswith("onnxtile") and (method == "__init__" or not method.startswith("_")):
                    yield f"{name}.{method}", function


@pytest.mark.parametrize(("name", "function"), public(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_parameter_is_named_and_typed(name: str, function: Callable[..., object]) -> None:
    signature = inspect.signature(function)
    own = [value for value in signature.parameters.values() if value.name != "self"]
    many = [value.name for value in own if value.kind in (value.VAR_POSITIONAL, value.VAR_KEYWORD)]
    assert not many or name in MAY_TAKE_ANY_NUMBER
    for annotation in (*(value.annotation for value in own), signature.return_annotation):
        assert annotation is not inspect.Parameter.empty
        assert "Any" not in re.split(r" \| ", str(annotation))


def test_signatures_show_the_options() -> None:
    names = set(inspect.signature(onnxtile.lower).parameters)
    assert names >= {"model", "max", "ops", "form", "weights", "accumulate", "bind", "output", "verify", "pad_tiles"}
    assert inspect.signature(onnxtile.lower).parameters["form"].default == "unrolled"
    assert set(inspect.signature(onnxtile.estimate).parameters) >= {"model", "max", "ops", "weights", "bind"}
    assert {"bind", "inputs", "device", "convention"} <= set(inspect.signature(onnxtile.profile).parameters)


@pytest.mark.parametrize("name", ["lower", "check", "verify", "profile", "capture", "reduce", "annotate", "estimate"])
def test_an_option_that_there_is_not(name: str) -> None:
    function, model = getattr(onnxtile, name), matmul([6, 9], [9, 10], [6, 10])
    options = list(inspect.signature(function).parameters)
    wrong = f"{options[-1]}s"
    with pytest.raises(onnxtile.UsageError, match=f"{name} has no option '{wrong}'; did you mean '{options[-1]}'"):
        function(model, **{wrong: 1})


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("lower", {"max": LIMITS, "form": "unroled"}, "did you mean 'unrolled'?"),
        ("lower", {"max": LIMITS, "weights": "pre-tile"}, "did you mean 'pretile'?"),
        ("lower", {"max": LIMITS, "ops": "attentions"}, "did you mean 'attention'?"),
        ("lower", {"max": LIMITS, "accumulate": "trees"}, "did you mean 'tree'?"),
        ("check", {"max": LIMITS, "ops": "conf"}, "did you mean 'conv'?"),
        ("profile", {"convention": "mac"}, "did you mean 'macs'?"),
        ("profile", {"device": "cuda"}, "device is for models of torch"),
        ("capture", {"op": "MatMul", "device": "cuda"}, "device is for models of torch"),
        ("reduce", {"passes": "infer-shape"}, "did you mean 'infer-shapes'?"),
    ],
)
def test_wrong_names_get_a_suggestion(name: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(onnxtile.UsageError, match=re.escape(words)):
        getattr(onnxtile, name)(matmul([6, 9], [9, 10], [6, 10]), **options)
