"""Both sides of each size at which the proof does another thing (tests/thresholds.py lists them)."""

from __future__ import annotations

import copy
from types import ModuleType

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import onnxtile
from onnxtile.verification import (
    breakpoints,
    canonical,
    evaluator,
    field,
    regions,
    slices,
    suspects,
    trial_sizes,
    verify,
    weights,
)
from onnxtile.verification.semantics import arithmetic, moves, products, schemas, sizes
from tests.support import matmul, parse, whole

HEAD = """<ir_version: 10, opset_import: ["" : 18, "local" : 1]>"""
F32 = np.dtype(np.float32)
LIMITS = (2, 3, 4)


def changed(model: onnx.ModelProto) -> onnx.ModelProto:
    """One number of a weight is another."""
    copied = copy.deepcopy(model)
    tensor = next(each for each in copied.graph.initializer if each.name.endswith("k1_n0"))
    array = numpy_helper.to_array(tensor).copy()
    array.flat[0] += 1
    tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    return copied


@pytest.mark.parametrize("constant", ["MOST_NODES", "MOST_ELEMENTS"])
@pytest.mark.parametrize("most", [0, 1 << 20])
def test_regions_that_are_compared_with_earlier_ones_and_larger_ones(
    constant: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (canonical.MOST_NODES, canonical.MOST_ELEMENTS) == (2_000, 4_096)
    monkeypatch.setattr(canonical, constant, most)
    weight = whole([4, 4], F32, 1)
    model = parse(
        f"{HEAD} g (float[3,4] x) => (float[3,4] z) {{ [one] y = MatMul (x, v)  [two] z = MatMul (y, w) }}",
        v=weight, w=weight,
    )  # fmt: skip
    verdict = onnxtile.verify(model, onnxtile.lower(model, LIMITS))
    assert verdict.proven
    assert [region.same_as for region in verdict.regions] == [None, "one" if most else None]


@pytest.mark.parametrize(("most", "proven"), [(3, True), (2, False)])
def test_loops_of_as_many_turns_as_are_run_and_of_more(
    most: int, proven: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert evaluator.MOST_TURNS == 200_000
    monkeypatch.setattr(evaluator, "MOST_TURNS", most)
    model = matmul([6, 4], [4, 5], [6, 5], opset=18)
    verdict = onnxtile.verify(model, onnxtile.lower(model, (2, None, None), form="loop"))
    assert verdict.equivalent is proven  # the original has no loop: that the lowered model can't be followed counts
    if not proven:
        assert "more than 2 turns" in verdict.why


@pytest.mark.parametrize(("most", "status"), [(20, "proven"), (19, "tested")])
def test_inputs_as_large_as_are_drawn_and_larger(most: int, status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert regions.MOST_NUMBERS == 1 << 28
    monkeypatch.setattr(regions, "MOST_NUMBERS", most)
    model = parse(f"{HEAD} g (float[3,4] x, float[4,5] w) => (float[3,5] y) {{ y = MatMul (x, w) }}")
    assert [region.status for region in onnxtile.verify(model, onnxtile.lower(model, LIMITS)).regions] == [status]


def test_constants_that_are_mapped_at_once_and_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = np.random.default_rng(0).standard_normal(100).astype(np.float32)
    at_once = field.Field(3).constant(numbers)
    for chunk in (1, 99, 100, 101):
        monkeypatch.setattr(field, "CHUNK", chunk)
        assert (field.Field(3).constant(numbers) == at_once).all()


def test_constants_that_are_themselves_and_larger_ones() -> None:
    largest = field.LARGEST / field.STEPS
    _twice_is_the_double(largest / 2 - 1, exact=True)
    _twice_is_the_double(largest, exact=False)


def test_constants_that_are_themselves_and_finer_ones() -> None:
    _twice_is_the_double(1 / field.STEPS, exact=True)
    _twice_is_the_double(1 / field.STEPS / 4, exact=False)


def _twice_is_the_double(number: float, exact: bool) -> None:
    numbers = field.Field(3)
    one, two = (numbers.constant(np.array([each])) for each in (number, 2 * number))
    assert bool(numbers.equal(numbers.add(one, one), two).all()) is exact


@pytest.mark.parametrize("more", [0, 1])
def test_constants_that_stand_for_exact_results_and_larger_ones(more: int) -> None:
    numbers = field.Field(3)
    array = np.full(field.MOST_OF_AN_ALIAS + more, 0.1, np.float32)
    numbers.alias(array, numbers.constant(np.zeros_like(array)))
    assert bool(numbers.constant(array).any()) is bool(more)


def test_nodes_that_are_named_where_a_region_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    model = matmul([2, 8], [8, 8], [2, 8], opset=18)
    lowered = changed(onnxtile.lower(model, (2, 1, 1)))
    assert len(onnxtile.verify(model, lowered).regions[0].where) > 1
    monkeypatch.setattr(regions, "MOST_NAMED", 1)
    assert len(onnxtile.verify(model, lowered).regions[0].where) == 1


@pytest.mark.parametrize("large", [0, 1 << 30])
def test_products_that_wait_for_their_sum_and_others(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert products.LARGE == 1 << 21
    monkeypatch.setattr(products, "LARGE", large)
    model = parse(f"{HEAD} g (float[3,9] x, float[9,5] w) => (float[3,5] y) {{ y = MatMul (x, w) }}")
    assert onnxtile.verify(model, onnxtile.lower(model, LIMITS, form="batched")).proven


@pytest.mark.parametrize(("most", "proven"), [(9, True), (8, False)])
def test_constants_as_large_as_nodes_may_make_and_larger(
    most: int, proven: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sizes.MOST == 1 << 27
    monkeypatch.setattr(sizes, "MOST", most)
    made = "s = Constant <value = int64[1] {9}> ()  zeros = ConstantOfShape (s)"
    text = f"{HEAD} g (float[9] x) => (float[9] y) {{ {made}  n = Neg (x)  y = Sub (n, zeros) }}"
    model = parse(text)
    other = parse(text.replace("y = Sub (n, zeros)", "m = Neg (n)  k = Neg (m)  y = Sub (k, zeros)"))
    assert onnxtile.verify(model, other).proven is proven


@pytest.mark.parametrize("more", [0, 1])
def test_numbers_around_which_sizes_are_tried_and_larger_ones(more: int) -> None:
    number = trial_sizes.LARGEST + more
    tried = {choice["n"] for choice in trial_sizes.choices(["n"], [number])}
    assert (number - 1 in tried) is not more


@pytest.mark.parametrize("large", [20, 21])
def test_weights_that_are_drawn_and_smaller_ones(large: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert weights.LARGE == 4096
    monkeypatch.setattr(weights, "LARGE", large)
    model = matmul([3, 4], [4, 5], [3, 5], opset=18)
    lowered = onnxtile.lower(model, LIMITS)
    assert onnxtile.verify(model, lowered).proven
    assert not onnxtile.verify(model, changed(lowered)).equivalent


@pytest.mark.parametrize("small", [2, 100])
def test_lowered_constants_that_need_not_be_slices_and_larger_ones(small: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert weights.SMALL == 64
    monkeypatch.setattr(weights, "SMALL", small)
    monkeypatch.setattr(weights, "LARGE", 20)
    model = matmul([3, 4], [4, 5], [3, 5], opset=18)
    lowered = onnxtile.lower(model, LIMITS)
    assert onnxtile.verify(model, lowered).proven
    assert not onnxtile.verify(model, changed(lowered)).equivalent


@pytest.mark.parametrize(
    ("module", "constant"),
    [
        (breakpoints, "LARGEST"), (breakpoints, "MOST_AT_ONCE"), (breakpoints, "MOST_OF_A_LINE"),
        (breakpoints, "MOST_REMAINDERS"),
        (breakpoints, "MOST_TOGETHER"), (breakpoints, "ROUNDS"), (evaluator, "MOST_LOOKED_AT"),
        (evaluator, "MOST_DECIDED"), (regions, "MOST_SCALED"), (regions, "MOST_SCALED_IN_FLOAT16"), (regions,
        "MOST_TRIED"), (arithmetic, "MOST_DEGREES"), (products, "MOST_TRIED"), (moves, "MOST"), (schemas,
        "MOST_ELEMENTS"), (slices, "MOST_INDEXED"), (suspects, "MOST_PIECES"), (verify, "MOST_APART"),
        (weights, "CHUNK"),
    ],
    ids=lambda each: each if isinstance(each, str) else each.__name__.rpartition(".")[2],
)  # fmt: skip
@pytest.mark.parametrize("low", [True, False])
def test_bounds_at_one_and_as_they_are(
    module: ModuleType, constant: str, low: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lower bound may make less of a right model, and nothing more of a wrong one."""
    if low:
        monkeypatch.setattr(module, constant, 1)
    model = parse(f"{HEAD} g (float[n,6] x) => (float[n,5] y) {{ y = MatMul (x, w) }}", w=whole([6, 5], F32, 1))
    lowered = onnxtile.lower(model, LIMITS, form="batched")
    assert onnxtile.verify(model, lowered).proven or low
    wrong = onnx.ModelProto()
    wrong.CopyFrom(lowered)
    next(node for node in wrong.graph.node if node.op_type == "ReduceSum").op_type = "ReduceMax"
    verdict = onnxtile.verify(model, wrong)
    assert not verdict.proven
    assert low or not verdict.equivalent
