"""Regions that the proof can't settle are run, and what that shows is said."""

from __future__ import annotations

import pytest

import onnxtile
from onnxtile.verification.verdict import RegionVerdict
from tests.support import parse

SHOW_NONE = "4 random inputs show no difference"


def judged(one: str, other: str) -> RegionVerdict:
    """Compare two ways to write one node."""
    models = [
        parse(
            f'<ir_version: 8, opset_import: ["" : 20]> g (float[4,8] x) => (float[4,8] y) '
            f"<float zero = {{0.0}}> {{ h = Neg (x)  {body} }}"
        )
        for body in (one, other)
    ]
    verdict = onnxtile.verify(*models)
    assert not verdict.equivalent
    (region,) = verdict.regions
    return region


@pytest.mark.parametrize(
    ("one", "other", "functions"),
    [
        ("y = Relu (h)", "y = Max (h, zero)", "Max and Relu"),
        ("y = Relu (h)", "y = Clip (h, zero)", "Clip and Relu"),
    ],
)
def test_other_functions_that_agree_on_inputs_are_unknown(one: str, other: str, functions: str) -> None:
    region = judged(one, other)
    words = f"the sides may differ in {functions} alone, which the proof doesn't look into; {SHOW_NONE}"
    assert (region.status, region.reason) == ("unknown", words)


def test_other_functions_that_differ_are_different() -> None:
    region = judged("y = Relu (h)", "y = LeakyRelu <alpha = 0.125> (h)")
    assert region.status == "different"
    assert "isn't the same function of the operands" in str(region.reason)
    assert "the sides may differ in LeakyRelu and Relu alone, which the proof doesn't look" in str(region.reason)


def test_other_attributes_of_one_function_are_another_function() -> None:
    region = judged("y = LeakyRelu <alpha = 0.125> (h)", "y = LeakyRelu <alpha = 0.25> (h)")
    assert region.status == "different"
    assert "the sides may differ in LeakyRelu alone, which the proof doesn't look into; 4 ra" in str(region.reason)


def test_a_function_that_takes_its_operands_in_another_order_is_unknown() -> None:
    region = judged("y = Max (h, x)", "y = Max (x, h)")
    words = f"the sides may differ in Max alone, which the proof doesn't look into; {SHOW_NONE}"
    assert (region.status, region.reason) == ("unknown", words)


def test_the_same_function_of_other_operands_is_different() -> None:
    region = judged("y = Relu (h)", "y = Relu (x)")
    assert region.status == "different"
    assert "4 random inputs differ by" in str(region.reason)


def test_sums_and_products_are_different_without_a_run() -> None:
    region = judged("y = Add (h, x)", "y = Sub (h, x)")
    assert (region.status, region.engine) == ("different", "none")
    assert "look into" not in str(region.reason)
