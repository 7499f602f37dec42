from __future__ import annotations

import pytest

from onnxtile.engine import mistakes
from onnxtile.engine.description import Engine
from onnxtile.errors import UsageError
from tests.commands import exact


def test_fields_given_by_name_are_told_in_the_same_words() -> None:
    words = (
        "product is []: write it as a table, [[product]], with its fields below\n"
        "local is 5: write it as a table, [local], with its fields below"
    )
    with pytest.raises(UsageError, match=exact(words)) as told:
        Engine(product=[], local=5)
    assert len(told.value.lines) == 2
    with pytest.raises(UsageError, match="^self is unknown: take one of version, name"):
        Engine(self=1)


def test_every_mistake_has_a_line_with_its_place() -> None:
    """List those of one unit together, too: what sums can't hold, and each limit of a call."""
    unit = {
        "types": ["int8", "float16"], "accumulate": "int4", "array": {}, "max": {"M": 3, "K": 5},
        "multiple": {"M": 2, "K": 2},
    }  # fmt: skip
    with pytest.raises(UsageError) as told:
        Engine(product=[unit, unit | {"fill": -1}], local={"size": "3 kebi"}, clock="fast", memory={"bandwith": 3})
    assert [line.partition(" is ")[0] for line in told.value.lines] == [
        "memory.bandwith", "clock", "product 1: accumulate", "product 1: max.M", "product 1: max.K", "product 2: fill",
        "local.size",
    ]  # fmt: skip
    assert "\n".join(told.value.lines) == str(told.value)
    with pytest.raises(UsageError) as told:
        Engine(product=[unit | {"held": "Q"}], local={"size": "3 KiB"})
    assert [line.partition(" is ")[0] for line in told.value.lines] == ["product 1: held"]


def test_as_many_mistakes_as_are_told_and_more() -> None:
    for count in (mistakes.MOST, mistakes.MOST + 1):
        with pytest.raises(UsageError) as told:
            Engine.model_validate({f"x{at}": 1 for at in range(count - 2)})  # product and local are missing, too
        assert len(told.value.lines) == count
        assert (told.value.lines[-1] == "1 more mistake") == (count > mistakes.MOST)
