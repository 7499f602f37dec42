"""Make the JSON Schema of engine files, with which editors complete and check them."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from onnxtile.engine.description import Engine


class _TomlSchema(GenerateJsonSchema):
    """JSON Schema without what TOML can't say: a field that has no value is left out of the file."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        made = super().default_schema(schema)
        if made.get("default") is None or isinstance(made["default"], dict):
            made.pop("default", None)
        return made


def json_schema() -> dict[str, Any]:
    """Return the schema of an engine file, as JSON Schema 2020-12."""
    made = Engine.model_json_schema(schema_generator=_TomlSchema)
    return {"$schema": _TomlSchema.schema_dialect} | made | {"title": "onnxtile engine file"}
