"""The table of operations names operators that there are."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="networks of torch need it: pip install 'onnxtile[torch]'")


from onnxtile.torch_frontend.aten.operations import OPERATIONS, SILENT  # noqa: E402  # the same
from onnxtile.torch_frontend.aten.products import PRODUCTS  # noqa: E402  # the same


def test_operators_are_named_as_torch_names_them() -> None:
    names = {schema.name.replace("::", ".").rstrip("_") for schema in torch._C._jit_get_all_schemas()}
    unknown = {name for name in OPERATIONS if name.startswith("aten.") and name.rstrip("_") not in names}
    assert len(unknown) < len(OPERATIONS) // 20  # other versions of torch have a few more, or fewer


def test_an_operator_is_in_one_table_of_those_that_count_and_those_that_dont() -> None:
    assert not SILENT & OPERATIONS.keys()
    assert not SILENT & PRODUCTS.keys()
