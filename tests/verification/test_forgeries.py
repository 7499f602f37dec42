"""Wrong models beside their originals: each is wrong, none is accepted, and the original by itself is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import onnx
import pytest

import onnxtile
from onnxtile.errors import OnnxtileError
from tests.faults import FAULTS, FORGERIES, Forgery
from tests.faults.forgery import renamed
from tests.support import OLD_ONNXRUNTIME


def named(forgery: Forgery) -> str:
    return forgery.title.replace(" ", "-")


NOT_SHOWN_BY_OLD = (
    "the function that is called rounds, and its overload doesn't", "bytes are read as signed bytes",
    "the largest byte is 254",
)  # fmt: skip
"""What onnxruntime before 1.24 computes wrong in the same way: overloads, and bytes of one sign times the other."""


@pytest.mark.parametrize("forgery", FORGERIES, ids=named)
def test_an_input_shows_that_it_is_wrong(forgery: Forgery) -> None:
    assert forgery.is_shown() or (OLD_ONNXRUNTIME and forgery.title in NOT_SHOWN_BY_OLD)


TESTED = {
    "negated for 7 more than multiples of 101 that are 9 more than multiples of 103": "there are too many remainders",
    "a sequence's element is limited to 1,000,000": "sequences aren't evaluated",
    "negated, where --bind says that there are no rows": "there are none, so that nothing is shown",
    "negated, where --bind says that there are no rows, with method bound": "there are none, so that nothing is shown",
}
"""What can't be proven, most of it with other names in between: it's tested on random inputs, and said to be so."""


def judged(original: onnx.ModelProto, forged: onnx.ModelProto, **how: Any) -> str:
    """The verdict in a word; anything else that's raised is a failure."""
    try:
        verdict = onnxtile.verify(original, forged, **how)
    except OnnxtileError:
        return "refused"
    return "different" if not verdict.equivalent else "proven" if verdict.proven else "tested"


@pytest.mark.parametrize("forgery", FORGERIES, ids=named)
def test_it_is_not_accepted(forgery: Forgery) -> None:
    said = judged(forgery.original(), forgery.forged(), **forgery.how)
    assert said in ("different", "refused", "tested" if forgery.title in TESTED else "")


@pytest.mark.parametrize("forgery", [forgery for forgery in FORGERIES if not forgery.by_name], ids=named)
def test_nor_with_other_names_in_between(forgery: Forgery) -> None:
    """No value inside is shared then, so that the whole model is one region."""
    said = judged(forgery.original(), renamed(forgery.forged()), **forgery.how)
    assert said in ("different", "refused", "tested" if forgery.title in TESTED else "")


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
