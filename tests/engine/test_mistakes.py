from __future__ import annotations

import pytest

from onnxtile.engine.description import Engine
from onnxtile.engine.mistakes import LONGEST, toml_text
from onnxtile.errors import UsageError
from tests.commands import exact


def test_values_are_shown_as_a_file_has_them_up_to_a_length() -> None:
    assert toml_text("x" * (LONGEST - 2)) == f'"{"x" * (LONGEST - 2)}"'
    assert toml_text("x" * (LONGEST - 1)) == f'"{"x" * (LONGEST - 1)}...'
    assert toml_text([1, "a", True, {"a b": 0.5}]) == '[1, "a", true, { "a b" = 0.5 }]'
    assert toml_text([0] * 100).endswith("0, 0,...")
    assert len(toml_text({str(at): [at] * 1000 for at in range(1000)})) == LONGEST + 3
    assert (toml_text(2**64 - 1), toml_text(2**64)) == (str(2**64 - 1), "a number of 65 bits")


def test_fields_given_by_name_are_told_in_the_same_words() -> None:
    with pytest.raises(UsageError, match=exact("product is []: write it as a table, [[product]], with its fields below "
                       "(and 1 more)")):  # fmt: skip
        Engine(product=[], local=5)
    with pytest.raises(UsageError, match="^self is unknown: take one of version, name"):
        Engine(self=1)
