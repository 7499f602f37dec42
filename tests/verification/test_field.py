"""Arithmetic on residues is exact, and what it's for shows."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
import pytest

from onnxtile.verification.field import BLOCK, MAJORANT, MARKS, Field

FIELD = Field(7, [ir.DataType.FLOAT16])


def residues(array: np.ndarray, lane: int) -> np.ndarray:
    return array[lane].astype(object) % FIELD.primes[lane]


@pytest.mark.parametrize("length", [0, 1, BLOCK, BLOCK + 1, 2000])
def test_products_are_exact(length: int) -> None:
    a, b = FIELD.drawn((3, length)), FIELD.drawn((length, 2))
    got = FIELD.matmul(a, b)
    for lane in range(FIELD.lanes):
        wanted = (a[lane].astype(int).astype(object) @ b[lane].astype(int).astype(object)) % FIELD.primes[lane]
        assert (residues(got, lane).astype(int) == np.asarray(wanted, int)).all()


def test_an_inverse_is_one() -> None:
    a = FIELD.drawn((50,))
    assert (FIELD.multiply(a, FIELD.inverse(a)) == 1).all()


def test_whole_numbers_and_halves_are_themselves() -> None:
    half, three, six = (FIELD.constant(np.float32([number])) for number in (0.5, -3, -1.5))
    assert FIELD.equal(FIELD.multiply(half, three), six)[[0, 1]].all()
    assert not FIELD.constant(np.zeros(3, np.float16)).any()
    for dtype in (np.int8, np.int32, np.int64, np.float64):
        assert FIELD.equal(FIELD.constant(np.array([7], dtype)), FIELD.constant(np.float32([7]))).all()


def test_equal_numbers_have_equal_residues_in_any_type() -> None:
    numbers = np.random.default_rng(0).standard_normal(100).astype(np.float16)
    wide = FIELD.constant(numbers.astype(np.float64))
    assert FIELD.equal(FIELD.constant(numbers), wide).all()
    other = np.nextafter(numbers, np.float16(9))
    assert not FIELD.equal(FIELD.constant(other), wide)[:MAJORANT].any()
    negative = FIELD.constant(-numbers)
    assert FIELD.equal(negative[:], FIELD.negative(wide)).all()


def test_infinity_is_a_number_of_its_own() -> None:
    inf, nan, large = FIELD.constant(np.float32([np.inf, np.nan, 3e38])).T
    assert (inf != nan).all() and (inf != large).all()


def test_a_mark_is_the_same_twice() -> None:
    a = FIELD.drawn((9,))
    once = FIELD.rounded(a, ir.DataType.FLOAT16)
    assert FIELD.equal(FIELD.rounded(once, ir.DataType.FLOAT16), once).all()
    assert FIELD.equal(once, a)[:MARKS].all() and not FIELD.equal(once, a)[MARKS:].any()
    assert FIELD.equal(FIELD.rounded(a, ir.DataType.FLOAT), a).all()


def test_a_strict_mark_is_of_what_is_rounded_and_the_same_twice() -> None:
    half = ir.DataType.FLOAT16
    strict = Field(7, [half], frozenset((half,)))
    assert strict.primes[MARKS:] == [prime for prime in strict.primes[:MAJORANT] for _ in range(2)]
    a = strict.drawn((9,))
    once = strict.rounded(a, half)
    assert strict.equal(strict.rounded(once, half), once).all()
    twice = strict.rounded(strict.add(once, once), half)
    assert not strict.equal(twice, strict.rounded(strict.add(a, a), half))[[MARKS + 1, MARKS + 3, MARKS + 5]].any()


def test_other_seeds_have_other_primes() -> None:
    assert len({tuple(Field(seed).primes) for seed in range(5)}) == 5
    assert Field(3).primes == Field(3).primes


def test_functions_tell_names_and_operands_apart() -> None:
    a = FIELD.drawn((4,))
    same, other, renamed = (
        FIELD.numbers(FIELD.states(*each)) for each in (("f", [a]), ("f", [a[:, ::-1]]), ("g", [a]))
    )
    assert (FIELD.numbers(FIELD.states("f", [a])) == same).all()
    assert (other[:, ::-1] == same).all() and (renamed != same).all()
