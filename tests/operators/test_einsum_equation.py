"""Einsum's equations: which letter stands for which axis."""

from __future__ import annotations

import pytest

from onnxtile.operators.einsum_equation import Equation, EquationError


@pytest.mark.parametrize(
    ("equation", "ranks", "words"),
    [
        ("ij,jk->ik", [2, 2, 2], "2 terms for 3 operands"),
        ("ij,j1->i", [2, 2], "the term 'j1', which isn't letters"),
        ("ij,jk->il", [2, 2], "a letter in its output 'il' that no operand has"),
        ("ij,jk->ii", [2, 2], "repeats a letter in its output 'ii'"),
        ("ij,jk", [2, 3], "names 2 axes in 'jk', and the operand has 3"),
        ("...ij,...jk->...ik", [4, 3], "ellipses of different lengths, 1, 2"),
        ("i..j,jk->ik", [3, 2], "the term 'i..j', which isn't letters and at most one ellipsis"),
        ("...i,jk->ik", [0, 2], "names 1 axes in '...i', and the operand has 0"),
    ],
)
def test_equations_that_can_t_be_right(equation: str, ranks: list[int], words: str) -> None:
    with pytest.raises(EquationError, match=words.replace(".", r"\.")):
        Equation.parse(equation, ranks)


@pytest.mark.parametrize(
    ("text", "ranks", "terms", "output"),
    [
        ("ij,jk->ik", [2, 2], ["ij", "jk"], "ik"), (" i j , j k ", [2, 2], ["ij", "jk"], "ik"),
        ("ii", [2], ["ii"], ""), ("bA,aA", [2, 2], ["bA", "aA"], "ab"), ("i->", [1], ["i"], ""), ("->", [0], [""], ""),
    ],
)  # fmt: skip
def test_letters(text: str, ranks: list[int], terms: list[str], output: str) -> None:
    equation = Equation.parse(text, ranks)
    assert ["".join(term) for term in equation.terms] == terms
    assert "".join(equation.output) == output


def test_an_ellipsis_stands_for_the_axes_that_are_left() -> None:
    equation = Equation.parse("...ij,...jk", [4, 4])
    assert [len(term) for term in equation.terms] == [4, 4]
    assert equation.terms[0][:2] == equation.terms[1][:2] == equation.output[:2]
    assert equation.output[2:] == ("i", "k")


def test_operands_that_shrink() -> None:
    assert [Equation.parse("ijx,jk->ik", [3, 2]).shrinks(operand) for operand in range(2)] == [True, False]
    assert Equation.parse("ii,ij->ij", [2, 2]).shrinks(0)
