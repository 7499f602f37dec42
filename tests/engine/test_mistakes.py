from __future__ import annotations

import pytest

from onnxtile.engine.description import Engine
from onnxtile.errors import UsageError
from tests.commands import exact


def test_fields_given_by_name_are_told_in_the_same_words() -> None:
    with pytest.raises(UsageError, match=exact("product is []: write it as a table, [[product]], with its fields below "
                       "(and 1 more)")):  # fmt: skip
        Engine(product=[], local=5)
    with pytest.raises(UsageError, match="^self is unknown: take one of version, name"):
        Engine(self=1)
