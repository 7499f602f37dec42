"""Example inputs: what `--input` takes, and the tensors that come of it."""

from __future__ import annotations

import pytest

from onnxtile.errors import UsageError

torch = pytest.importorskip("torch", reason="torch isn't installed")

from onnxtile.torch_frontend.inputs import InputSpec, as_inputs, example_inputs, parse_input, parse_inputs  # noqa: E402  # it needs torch


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("1x3x224x224", InputSpec((1, 3, 224, 224))),
        ("7", InputSpec((7,))),
        ("scalar:int64", InputSpec((), "int64")),
        ("0x4:float16", InputSpec((0, 4), "float16")),
        ("ids=1x128:int64", InputSpec((1, 128), "int64", "ids")),
    ],
)
def test_what_is_read(text: str, spec: InputSpec) -> None:
    assert parse_input(text) == spec


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "write .NAME=.SIZExSIZE"),
        ("1x-3", "write"),
        ("1,3", "write"),
        ("1xx3", "write"),
        ("1x3:", "type '' is unknown"),
        ("9=1x3", "write"),
        ("x=", "write"),
        ("1x3:float", "type 'float' is unknown: take one of float32"),
        ("99999x99999", "9,999,800,001 numbers; give smaller sizes"),
        ("²x3", "write"),
    ],
)
def test_what_is_refused(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=f"--input.*{words}"):
        parse_input(text)


def test_a_name_is_given_once() -> None:
    with pytest.raises(UsageError, match="--input x is given twice"):
        parse_inputs(["x=1", "y=1", "x=2"])


def test_values_come_from_the_seed() -> None:
    specs = parse_inputs(["2x3", "ids=50:int64", "picture=99:uint8", "mask=40:bool", "signed=99:int8"])
    args, kwargs = example_inputs(specs)
    again, _ = example_inputs(specs)
    other, _ = example_inputs(specs, seed=1)
    assert [value.shape for value in args] == [(2, 3)] and args[0].dtype == torch.float32
    assert torch.equal(args[0], again[0]) and not torch.equal(args[0], other[0])
    assert sorted(set(kwargs["ids"].tolist())) == [0, 1]  # indices of any table
    assert kwargs["picture"].max() > 200 and kwargs["signed"].min() < -100
    assert kwargs["mask"].dtype == torch.bool and kwargs["mask"].any() and not kwargs["mask"].all()


def test_inputs_of_a_call_in_python() -> None:
    one = torch.ones(2)
    assert as_inputs(one) == ((one,), {})
    assert as_inputs([one, one]) == ((one, one), {})
    assert as_inputs({"x": one}) == ((), {"x": one})
    args, kwargs = as_inputs(["1x2", "y=3"])
    assert args[0].shape == (1, 2) and kwargs["y"].shape == (3,)
    assert as_inputs("1x2")[0][0].shape == (1, 2)


@pytest.mark.parametrize("wrong", [None, [None], ["1x2", 3], {1: 2}])
def test_inputs_that_make_no_call(wrong: object) -> None:
    with pytest.raises(UsageError, match="inputs: "):
        as_inputs(wrong)
