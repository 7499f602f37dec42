"""Amounts: what is added, multiplied and compared as formulas is what the numbers would give."""

from __future__ import annotations

import onnx_ir as ir
import pytest
from hypothesis import given
from hypothesis import strategies as st

from onnxtile.ir.symbolic.amounts import (
    Amount,
    Range,
    Unknown,
    bytes_of,
    difference,
    either,
    fill,
    is_known,
    largest,
    product,
    size_of,
    total,
    with_sizes,
)

FORMULAS = ["N", "M", "3*N", "N*M", "N + M", "2*N*M + 5", "N*N", "7", "floor(N/2)", "floor(N/2 + 3/2)"]
formulas = st.lists(st.sampled_from(FORMULAS), min_size=1, max_size=6)
sizes = st.fixed_dictionaries({"N": st.integers(1, 50), "M": st.integers(1, 50)})


def amounts_of(texts: list[str]) -> list[Amount]:
    found = [int(text) if text.isdigit() else size_of(text) for text in texts]
    assert None not in found
    return found  # type: ignore[return-value]  # no None among them


@given(formulas, sizes)
def test_formulas_are_what_numbers_give(texts: list[str], bound: dict[str, int]) -> None:
    amounts = amounts_of(texts)
    numbers = [with_sizes(each, bound) for each in amounts]
    assert all(isinstance(each, int) for each in numbers)
    for work in (total, product, largest):
        assert with_sizes(work(amounts), bound) == work(numbers)
    ends = with_sizes(either(amounts), bound)
    assert ends == either(numbers)


@given(st.integers(0, 10**6), st.integers(1, 64))
def test_bytes_are_whole(count: int, bits: int) -> None:
    assert bytes_of(count, bits) == -(-count * bits // 8)


@given(st.integers(0, 1000), st.integers(1, 64) | st.none(), st.integers(1, 1000))
def test_filled_up_to_whole_tiles(size: int, tile: int | None, rows: int) -> None:
    assert fill(size, tile) == (size if tile is None else -(-size // tile) * tile)
    formula = size_of("rows")
    assert formula is not None
    assert with_sizes(fill(formula, tile), {"rows": rows}) == fill(rows, tile)


def test_what_is_unknown_stays_so() -> None:
    unknown = Unknown("nobody knows")
    assert total([3, unknown, 4]) == Range(7, None)
    assert total([unknown]) == Range(0, None)
    assert product([2, unknown]) == unknown
    assert product([unknown, 0]) == 0
    assert either([1, unknown]) == unknown
    assert largest([1, unknown, 5]) == Range(5, None)
    assert difference(5, unknown) == unknown
    assert str(unknown) == "unknown: nobody knows"
    assert not is_known(unknown)


def test_ranges() -> None:
    assert total([1, Range(2, 5), Range(0, 1)]) == Range(3, 7)
    assert product([3, Range(2, 5)]) == Range(6, 15)
    assert product([3, Range(2, None)]) == Range(6, None)
    assert either([4, 4]) == 4
    assert either([4, Range(1, 9)]) == Range(1, 9)
    assert largest([Range(1, 9), 5]) == Range(5, 9)
    assert bytes_of(Range(1, 3), 4) == Range(1, 2)
    assert isinstance(difference(Range(1, 2), 1), Unknown)
    assert [str(Range(1, None)), str(Range(1, 2))] == ["1 or more", "1 to 2"]


def test_formulas_are_canonical() -> None:
    n = size_of("N")
    assert str(product([512, n])) == "512*N"  # type: ignore[list-item]  # a formula
    assert str(total([n, n, 1])) == "2*N + 1"  # type: ignore[list-item]  # a formula
    assert largest([n, 1]) == n  # type: ignore[list-item]  # a size is at least 1
    assert size_of(ir.SymbolicDim(None)) is None
    assert difference(total([n, 3]), n) == 3  # type: ignore[list-item,arg-type]  # a formula


def test_formulas_are_never_run_as_code() -> None:
    with pytest.raises(ValueError, match="Unknown function"):
        size_of("__import__('os').getcwd()")
