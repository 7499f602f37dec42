"""Wrong models beside their originals: each is wrong, none is accepted, and the original by itself is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import onnx
import pytest

import onnxtile
from onnxtile.errors import OnnxtileError
from tests.faults import FAULTS, FORGERIES, Forgery
from tests.faults.forgery import renamed


def named(forgery: Forgery) -> str:
    return forgery.title.replace(" ", "-")


@pytest.mark.parametrize("forgery", FORGERIES, ids=named)
def test_an_input_shows_that_it_is_wrong(forgery: Forgery) -> None:
    assert forgery.is_shown()


def accepted(original: onnx.ModelProto, forged: onnx.ModelProto, **how: Any) -> bool:
    """It's different, or refused in words; anything else that's raised is a failure."""
    try:
        return bool(onnxtile.verify(original, forged, **how).equivalent)
    except OnnxtileError:
        return False


SIZES = "what a size decides is tried around the whole numbers that sizes meet, not where they lead"
OPEN: dict[str, str] = dict.fromkeys((
    "doubled for 23 rows, by a table of factors", "doubled for 23 rows, by a piece of a table",
    "doubled for 17 rows, by the number of ones that are summed",
    "of fourteen free dimensions, the last one's rows beyond 16 are zero",
    "a row is read that there isn't where there are none", "for 17 rows the rows begin one block later",
    "for 17 rows, whose double is 34, the rows begin one block later",
    "for 17 rows the last is left out and a zero put in its place", "for 17 rows a Loop turns once",
    "for 17 rows the index of the weight is another", "for 17 rows the table's product is another",
    "for 17 rows a pad goes to the other side", "rows beyond 100 are zero, by a Slice and a Pad that nothing meets",
    "rows beyond 3,000 are zero, by a Slice and a Pad", "rows beyond 100 are cut off",
    "rows beyond 100 are those before, by a table of indices", "rows are multiples of 4, and those beyond 40 are zero",
), SIZES)  # fmt: skip
"""Wrong models that are accepted yet, and why."""
OPEN_RENAMED = {
    "the Loop's body reads what the Loop began with": "regions with loops of unknown turns are only tested",
    "the Loop's count makes a difference from the third turn on": "regions with loops of unknown turns are only tested",
    "a sequence's element is limited to 1,000,000": "regions with sequences are only tested",
}


def open_ones(forgeries: Iterable[Forgery], reasons: dict[str, str]) -> list[Any]:
    """Let those that are accepted yet be failures that are expected."""
    return [
        pytest.param(forgery, marks=[pytest.mark.xfail(reason=reasons[title])] if title in reasons else [])
        for title, forgery in ((forgery.title, forgery) for forgery in forgeries)
    ]


@pytest.mark.parametrize("forgery", open_ones(FORGERIES, OPEN), ids=named)
def test_it_is_not_accepted(forgery: Forgery) -> None:
    assert not accepted(forgery.original(), forgery.forged(), **forgery.how)


@pytest.mark.parametrize(
    "forgery", open_ones((forgery for forgery in FORGERIES if not forgery.by_name), OPEN | OPEN_RENAMED), ids=named
)
def test_nor_with_other_names_in_between(forgery: Forgery) -> None:
    """No value inside is shared then, so that the whole model is one region."""
    assert not accepted(forgery.original(), renamed(forgery.forged()), **forgery.how)


@pytest.mark.parametrize(
    "forgery", {forgery.original().SerializeToString(): forgery for forgery in FORGERIES}.values(), ids=named
)
def test_the_original_itself_is_accepted(forgery: Forgery) -> None:
    """A verifier that takes nothing would catch every fault."""
    how = {key: value for key, value in forgery.how.items() if key != "bind"}
    original = forgery.original()
    assert onnxtile.verify(original, original, **how).equivalent


def test_there_are_enough_and_each_once() -> None:
    titles = [forgery.title for forgery in FORGERIES]
    assert [title for title, count in Counter(titles).items() if count > 1] == []
    assert not {fault.title for fault in FAULTS} & set(titles)
    assert len(titles) >= 450
