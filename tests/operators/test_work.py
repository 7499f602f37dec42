"""Test what operators compute beside products: each is counted or unknown for a reason, by hand and by property."""

from __future__ import annotations

import random
import re
import runpy
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.ir.symbolic.amounts import Unknown, with_sizes
from onnxtile.operators.table import OPERATORS, operations_of
from onnxtile.operators.work import KINDS, Operations
from tests.operators.nodes import S, counted, node_of
from tests.support import ROOT

DOCS = ROOT / "docs"
PAGE = runpy.run_path(str(DOCS / "operations.py"))
VERSIONS = runpy.run_path(str(DOCS / "operators.py"))["versions_of"]()


def test_every_registered_operator_is_declared() -> None:
    new = sorted(VERSIONS.keys() - OPERATORS.keys())
    assert not new, f"declare each in the file of its family, with its products and its other work: {new}"


def test_the_page_is_fresh() -> None:
    assert PAGE["PAGE"].read_text() == PAGE["page"](), "refresh it: python docs/operations.py"


def test_the_page_explains_its_words() -> None:
    explained = PAGE["legend"]()
    meanings = {
        measure for facts in OPERATORS.values() for formula in facts.work.formulas() for measure in formula.measures()
    }
    plain = {"(exponent - 1)", "max_ngram_size", "rotary_embedding_dim"}
    for each in meanings:
        known = each.condition or each.meaning or each.words in explained or each.words in plain
        assert known or each.words.startswith("unknown: "), each.words
    assert not [words for words, meaning in explained.items() if "; all" in meaning]


def test_what_is_unknown_says_what_it_depends_on() -> None:
    for operator, facts in OPERATORS.items():
        for formula in facts.work.formulas():
            for measure in formula.measures():
                if measure.words.startswith("unknown: ") and (facts.products is None or facts.products.sizes):
                    assert "depends on" in measure.words, operator


# What can't be told


@pytest.mark.parametrize(
    ("op", "inputs", "outputs", "options", "kind", "words"),
    [
        ("Mystery", [S], [S], {"domain": "acme"}, "movement", "Mystery of domain acme isn't known"),
        ("Newest", [S], [S], {}, "elementwise", "Newest of domain ai.onnx isn't known"),
        ("tile", [S], [S], {"domain": "onnxtile"}, "elementwise", "isn't known"),
    ],
)
def test_what_is_not_known_says_why(
    op: str, inputs: list[Any], outputs: list[Any], options: dict[str, Any], kind: str, words: str
) -> None:
    found = getattr(counted(op, inputs, outputs, **options), kind)
    assert isinstance(found, Unknown)
    assert words in found.reason


def test_what_is_known_of_a_node_stays_known() -> None:
    assert counted("TopK", [S, [1]], [[2, 3, 4], [2, 3, 4]]).movement == 24
    assert counted("NonMaxSuppression", [[1, 5, 4], [1, 1, 5]], [[5, 3]]).transcendental == 0
    assert counted("Gemm", [[8, 16], [16, 32]], ["unknown"]) == Operations()


@pytest.mark.parametrize("op", ["If", "Loop", "Scan", "SequenceMap"])
def test_nodes_with_bodies_have_none_themselves(op: str) -> None:
    assert counted(op, ["unknown"], ["unknown"]) == Operations()


def test_of_nothing_nothing_is_computed() -> None:
    assert counted("Softmax", [[4, 0]], [[4, 0]]) == Operations()
    assert counted("ReduceMax", [[4, 0]], [[4]]) == Operations()
    assert counted("MaxPool", [[0, 3, 8, 8]], [[0, 3, 4, 4]], kernel_shape=[2, 2]) == Operations()


DIMENSIONS = [0, 1, 2, 3, 4, 6, "n", "m", "2*n + 1", "n**", None]
VALUES = [-1, 0, 1, 2, 8, 0.5, [0], [2, 3], [-1, 1, 2], "Relu", "nearest", "linear", "max"]
NAMES = [
    *("axis", "axes", "kernel_shape", "mode", "p", "num_heads", "kv_num_heads", "hidden_size", "K", "N"),
    *("activations", "activation", "sampling_ratio", "num_groups", "groups", "reduction", "rotary_embedding_dim", "k"),
    *("q_num_heads", "size", "num_branches", "training_mode", "antialias", "alpha", "activation_type", "targets"),
]


def test_no_node_breaks_it() -> None:
    """Whatever shapes and attributes say, an amount is a number that isn't negative, a formula, or unknown."""
    chance = random.Random(7)

    def shapes(most: int) -> list[Any]:
        shape = [[chance.choice(DIMENSIONS) for _ in range(chance.randint(0, 5))] for _ in range(most)]
        return [chance.choice([each, each, each, "unknown"]) for each in shape]

    for operator in sorted(OPERATORS) * 20:
        attributes = {chance.choice(NAMES): chance.choice(VALUES) for _ in range(chance.randint(0, 3))}
        attributes["equation"] = chance.choice(["ij,jk->ik", "ii->i", "...a->...", "abc"])
        inputs = [chance.choice([each, each, None]) for each in shapes(chance.randint(0, 8))]
        node = node_of(operator[1], inputs, shapes(chance.randint(1, 3)), domain=operator[0], **attributes)
        found = operations_of(node, chance.choice([1, 6, 11, 13, 22, None]))
        for kind in KINDS:
            amount = getattr(found, kind)
            assert isinstance(amount, (int, sympy.Expr, Unknown)), node
            assert not isinstance(amount, int) or amount >= 0, node


@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.data())
def test_broadcast_operators_count_output_elements(shape: list[int], data: st.DataObject) -> None:
    other = [data.draw(st.sampled_from([1, size])) for size in shape][data.draw(st.integers(0, len(shape))) :]
    size = int(np.prod(np.broadcast_shapes(tuple(shape), tuple(other))))
    for left, right in ((shape, other), (other, shape)):
        assert counted("Mul", [left, right], [shape]).elementwise == size
        assert counted("Less", [left, right], [shape]).comparison == size
        assert counted("Where", [[1], left, right], [shape]).movement == size


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5), st.integers(0, 5))
def test_concat_copies_all_it_makes(lengths: list[int], width: int) -> None:
    found = counted("Concat", [[length, width] for length in lengths], [[sum(lengths), width]], axis=0)
    assert found == Operations(movement=sum(length * width for length in lengths))


FAMILIAR = [
    ("Add", lambda n, m: ([[n, m], [m]], [[n, m]]), {}),
    ("Softmax", lambda n, m: ([[n, m]], [[n, m]]), {}),
    ("LayerNormalization", lambda n, m: ([[n, m], [m], [m]], [[n, m]]), {}),
    ("ReduceMax", lambda n, m: ([[n, m]], [[n, 1]]), {}),
    ("MaxPool", lambda n, m: ([[1, n, m]], [[1, n, m]]), {"kernel_shape": [3], "pads": [1, 1]}),
    ("Gemm", lambda n, m: ([[n, 4], [4, m], [m]], [[n, m]]), {"alpha": 2.0, "beta": 3.0}),
    ("Resize", lambda n, m: ([[n, m]], [[n, 8]]), {"mode": "linear"}),
    ("LSTM", lambda n, m: ([[n, m, 3], [1, 8, 3], [1, 8, 2]], [[n, 1, m, 2]]), {}),
    ("Attention", lambda n, m: ([[1, 2, n, 4], [1, 2, m, 4], [1, 2, m, 4]], [[1, 2, n, 4]]), {}),
    ("ScatterND", lambda n, m: ([[n, m], [3, 1], [3, m]], [[n, m]]), {}),
    ("Sum", lambda n, m: ([[n, m]] * 3, [[n, m]]), {}),
]


@pytest.mark.parametrize(("op", "shapes", "options"), FAMILIAR, ids=[each[0] for each in FAMILIAR])
@given(n=st.integers(1, 7), m=st.sampled_from([1, 2, 3, 5, 6, 7]))
def test_formulas_come_to_the_same_numbers(op: str, shapes: Any, options: dict[str, Any], n: int, m: int) -> None:
    """Symbolic sizes give a formula; with numbers put in it says what the numbers say."""
    formulas, numbers = counted(op, *shapes("n", "m"), **options), counted(op, *shapes(n, m), **options)
    for kind in KINDS:
        formula = getattr(formulas, kind)
        assert not isinstance(formula, Unknown)
        assert with_sizes(formula, {"n": n, "m": m}) == getattr(numbers, kind), kind


def test_formulas_are_readable() -> None:
    found = counted("Softmax", [["batch", 12, "length", "length"]], [["batch", 12, "length", "length"]])
    assert str(found.transcendental) == "12*batch*length**2"
    assert re.fullmatch(r"12\*batch\*length\*\*2 - 12\*batch\*length", str(found.comparison))
