"""The schema for editors says what the model says."""

from __future__ import annotations

import json
from typing import Any

from onnxtile.engine.description import Engine
from onnxtile.engine.schema import json_schema


def test_every_field_has_its_place_its_words_and_nothing_that_toml_cannot_say() -> None:
    schema = json_schema()
    assert "null" not in json.dumps(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert list(schema["properties"]) == list(Engine.model_fields)
    assert schema["required"] == ["product", "local"]
    for name, table in schema["$defs"].items():
        assert table["additionalProperties"] is False
        for field, described in table["properties"].items():
            assert described.get("description") or name in ("Axes", "MostOfACall", "SplitSize"), (name, field)


def test_amounts_are_numbers_or_text_with_a_unit() -> None:
    tables: dict[str, Any] = json_schema()["$defs"]
    number, text = tables["MainMemory"]["properties"]["bandwidth"]["anyOf"]
    assert number == {"type": "number", "exclusiveMinimum": 0}
    assert "GB/s" in text["pattern"]
    assert tables["ProductUnit"]["properties"]["held"]["enum"] == ["A", "B", "C"]
    assert tables["ProductUnit"]["properties"]["call"]["minimum"] == 0
    assert tables["ProductUnit"]["required"] == ["types", "accumulate", "array"]
