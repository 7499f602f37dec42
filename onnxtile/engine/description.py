"""The description of an engine: what it multiplies, the memories around it, and how fast they are.

The fields are those of an engine file (docs/engine.md); `load.py` reads one.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from onnxtile.engine.quantities import BYTES, BYTES_A_SECOND, HERTZ, quantity
from onnxtile.ir.dimensions import LARGEST

Operand = Literal["A", "B", "C"]
"""The operands of C[m, n] = sum over k of A[m, k] * B[k, n]: activations, weights, results."""
TypeName = Literal[
    "int4", "uint4", "float8e4m3fn", "float8e5m2", "int8", "uint8", "int16", "uint16", "float16", "bfloat16",
    "int32", "uint32", "float32", "int64", "uint64", "float64",
]  # fmt: skip
BITS: dict[str, int] = {name: int("".join(filter(str.isdigit, name.split("e")[0]))) for name in get_args(TypeName)}
"""The bits of an element of each type."""
Count = Annotated[int, Field(ge=1, le=LARGEST, strict=True)]
Cycles = Annotated[int, Field(ge=0, le=LARGEST, strict=True)]
Size = Annotated[int, BeforeValidator(lambda value: _whole(quantity(value, BYTES, '"256 KiB"'), value))]
"""Bytes: a number, or text such as `256 KiB`."""
Rate = Annotated[Fraction, BeforeValidator(lambda value: quantity(value, {}, "16, in bytes a cycle"))]
"""Bytes a cycle."""


def _whole(amount: Fraction, value: object) -> int:
    if amount.denominator != 1:
        raise ValueError(f"is {value!r}: {float(amount)} bytes aren't a whole number")
    return int(amount)


class _Table(BaseModel):
    """A table of an engine file: it has no other fields, and doesn't change."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class Axes(_Table):
    """A number for each axis of a product."""

    M: Count = 1
    K: Count = 1
    N: Count = 1


class MostOfACall(_Table):
    """The most of each axis that one call multiplies; None: no limit."""

    M: Count | None = None
    K: Count | None = None
    N: Count | None = None


class ProductUnit(_Table):
    """The matrix unit for one pair of operand types."""

    types: tuple[TypeName, TypeName]
    """Those of A and B."""
    accumulate: TypeName
    """The type of partial sums, in the array and where they are written to memory."""
    array: Axes
    """MACs of one cycle along each axis."""
    max: MostOfACall = MostOfACall()
    multiple: Axes = Axes()
    """A call's sizes are multiples of these; smaller ones are padded."""
    held: Operand = "B"
    """The operand that stays in the array while the others stream."""
    fill: Cycles = 0
    """Cycles to bring a block of the held operand into the array."""
    fill_overlaps: bool = True
    """The next block is brought in while one is multiplied."""
    call: Cycles = 0
    """Cycles of a call beyond its MACs."""
    results: Count | None = None
    """Results that leave the array in a cycle; None: no limit."""


class SplitSize(_Table):
    """Bytes of the local memory of each operand."""

    A: Size
    B: Size
    C: Size


class LocalMemory(_Table):
    """The memory that tiles wait in."""

    size: Size | SplitSize
    buffers: Literal[1, 2] = 2
    """Of what streams: with 2 the next tile is read while one is multiplied."""
    bandwidth: Rate | None = None
    """Bytes a cycle between local memory and the array; None: no limit."""


class MainMemory(_Table):
    """The memory behind the local one."""

    bandwidth: Rate | None = None
    """Bytes a cycle, read and written together; None: not known, so that only bytes are counted."""
    burst: Size = 1
    """Bytes: a row of a tile takes whole bursts."""
    latency: Cycles = 0
    """Cycles until the first byte, once a product."""


class ConvUnit(_Table):
    """What the engine knows of convolutions."""

    windows: Literal["memory", "engine"] = "memory"
    """Where windows are formed: in memory, or by the engine, which reads an input row of a block once."""
    halo: Literal["read", "kept"] = "read"
    """Input rows that two blocks share are read again, or kept. Only where the engine forms windows."""
    native: bool = False
    """It runs Conv itself."""


class OtherOperators(_Table):
    """The operators that aren't products."""

    supported: tuple[str, ...] | None = None
    """Those that run beside the engine, on its vector unit; None: not said."""
    vector: Rate | None = None
    """Bytes a cycle that the vector unit moves; None: the main memory's."""
    host: Rate | None = None
    """Bytes a cycle of operators that the host runs; None: not known."""


class Engine(_Table):
    """A matrix engine: immutable, comparable, and usable as a key.

    Sizes are in bytes, rates in bytes a cycle, as exact fractions.
    """

    version: Literal[1] = 1
    name: str = Field(default="engine", min_length=1, max_length=100)
    clock: Annotated[Fraction, BeforeValidator(lambda value: quantity(value, HERTZ, '"1 GHz"'))] | None = None
    """Cycles a second; None: no times."""
    product: tuple[ProductUnit, ...] = Field(min_length=1)
    local: LocalMemory
    memory: MainMemory = MainMemory()
    conv: ConvUnit = ConvUnit()
    operators: OtherOperators = OtherOperators()

    @model_validator(mode="before")
    @classmethod
    def _rates_a_cycle(cls, data: Any) -> Any:
        """Turn rates a second into rates a cycle, which takes a clock."""
        if not isinstance(data, dict):
            return data
        tables = {name: dict(table) for name, table in data.items() if isinstance(table, dict)}
        for table, field in (
            ("local", "bandwidth"),
            ("memory", "bandwidth"),
            ("operators", "vector"),
            ("operators", "host"),
        ):
            rate = tables.get(table, {}).get(field)
            if not isinstance(rate, str):
                continue
            if "clock" not in data:
                raise ValueError(
                    f"{table}.{field} is {rate!r}, bytes a second, and there is no clock: give one, or bytes a cycle"
                )
            clock = quantity(data["clock"], HERTZ, '"1 GHz"')
            tables[table][field] = quantity(rate, BYTES_A_SECOND, '"16 GB/s", or 16 for bytes a cycle') / clock
        return data | tables

    def unit_for(self, a: str, b: str) -> ProductUnit | None:
        """Return the unit that multiplies these types of A and B; None where the engine has none."""
        return next((unit for unit in self.product if unit.types == (a, b)), None)

    @classmethod
    def load(cls, source: str | Path) -> Engine:
        """Return the engine of a file, or the built-in one of that name. Raises UsageError."""
        from onnxtile.engine.load import load

        return load(source)
