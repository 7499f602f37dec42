"""The description of an engine: what it multiplies, the memories around it, and how fast they are.

The fields are those of an engine file (docs/engine.md); `load.py` reads one. Their docstrings and examples are what
editors show, and what a mistake is told with.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    PlainSerializer,
    Tag,
    ValidationError,
    WithJsonSchema,
    model_validator,
)  # fmt: skip
from pydantic_core import PydanticCustomError
from typing_extensions import Self

from onnxtile.engine import consistency
from onnxtile.engine.mistakes import mistakes
from onnxtile.engine.quantities import A_SECOND, BYTES, HERTZ, exact, fraction_of, quantity
from onnxtile.errors import UsageError
from onnxtile.ir.dimensions import LARGEST
from onnxtile.ir.io.toml_files import toml_text

Operand = Literal["A", "B", "C"]
"""The operands of C[m, n] = sum over k of A[m, k] * B[k, n]: activations, weights, results."""
TypeName = Literal[
    "int4", "uint4", "float8e4m3fn", "float8e5m2", "int8", "uint8", "int16", "uint16", "float16", "bfloat16",
    "int32", "uint32", "float32", "int64", "uint64", "float64",
]  # fmt: skip
BITS: dict[str, int] = {name: int("".join(filter(str.isdigit, name.split("e")[0]))) for name in get_args(TypeName)}
"""The bits of an element of each type."""

SLOWEST = HERTZ["MHz"]
"""The slowest clock that a number without a unit may be: one below is more often in MHz than in Hz."""


@dataclass(frozen=True)
class Unset:
    """Explain what it means that a field isn't given, where no value says so."""

    words: str


def _size(value: object) -> int:
    amount = quantity(value, BYTES, '"256 KiB"')
    if amount.denominator != 1:
        raise ValueError(f"is {toml_text(value)}, which isn't a whole number of bytes: write one, such as 1024")
    return int(amount)


def _rate(value: object) -> Fraction:
    value = fraction_of(value)
    if isinstance(value, str):  # the engine has turned all others into numbers
        quantity(value, A_SECOND, '"16 GB/s", or 16 for bytes a cycle')
        raise ValueError(
            f'is {toml_text(value)}, bytes a second, and there is no clock: write clock = "1 GHz" at the top, or bytes '
            "a cycle as a number"
        )
    return quantity(value, {}, '"16 GB/s", or 16 for bytes a cycle')


def _clock(value: object) -> Fraction:
    clock = quantity(fraction_of(value), HERTZ, '"1 GHz"')
    if not isinstance(value, str) and clock < SLOWEST:
        raise ValueError(f'is {toml_text(value)}, in Hz: write "{value} MHz", or "{value} Hz" where that is meant')
    return clock


def _dumped_clock(clock: Fraction) -> int | float | str:
    """Return a clock from which `_clock` makes the same one."""
    return exact(clock) if clock >= SLOWEST else f"{clock.numerator}/{clock.denominator}"


def _whole(value: object) -> object:
    """Return a whole number; Python takes `true` and 1.0 for 1."""
    if type(value) is not int:
        raise PydanticCustomError("whole_number", "no whole number")
    return value


def _name(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 100 or not value.isprintable():
        raise ValueError(f"is {toml_text(value)}: write a text of 1 to 100 printable characters")
    return value


def _amount(units: Mapping[str, int | Fraction], least: int = 0) -> WithJsonSchema:
    """Return what editors know of an amount: a number above 0, `least` or more, or text with one of the units.

    Rates may be fractions.
    """
    fraction = "" if units is BYTES else "|[0-9]+/[0-9]+"
    text = {"type": "string", "pattern": rf"^(\s*[0-9]+(\.[0-9]+)?\s*({'|'.join(units)})\s*{fraction})$"}
    number = {"minimum": least} if least else {"exclusiveMinimum": 0}
    return WithJsonSchema({"anyOf": [{"type": "number"} | number, text]})


Count = Annotated[int, Field(ge=1, le=LARGEST, strict=True)]
Cycles = Annotated[int, Field(ge=0, le=LARGEST, strict=True)]
Switch = Annotated[bool, Field(strict=True)]
Name = Annotated[str, BeforeValidator(_name), Field(min_length=1, max_length=100)]
Size = Annotated[int, BeforeValidator(_size), _amount(BYTES)]
"""Bytes: a number, or text such as `256 KiB`."""
_DUMPED = PlainSerializer(exact, when_used="unless-none")
Rate = Annotated[Fraction, BeforeValidator(_rate), _amount(A_SECOND), _DUMPED]
"""Bytes a cycle: a number, or bytes a second as text such as `16 GB/s`."""
Clock = Annotated[
    Fraction, BeforeValidator(_clock), _amount(HERTZ, SLOWEST), PlainSerializer(_dumped_clock, when_used="unless-none")
]
"""Cycles a second: text such as `1 GHz`, or a number of Hz."""


class _Table(BaseModel):
    """A table of an engine file: it has no other fields, and doesn't change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, arbitrary_types_allowed=True, use_attribute_docstrings=True, validate_default=False
    )


class Axes(_Table):
    """A number for each axis of a product."""

    M: Count = 1
    K: Count = 1
    N: Count = 1


class MostOfACall(_Table):
    """The most of each axis that one call multiplies."""

    M: Annotated[Count | None, Unset("no limit")] = None
    K: Annotated[Count | None, Unset("no limit")] = None
    N: Annotated[Count | None, Unset("no limit")] = None


class ProductUnit(_Table):
    """The matrix unit for one pair of operand types."""

    types: Annotated[tuple[TypeName, TypeName], Field(examples=[["int8", "int8"]])]
    """The types of A and B."""
    accumulate: Annotated[TypeName, Field(examples=["int32"])]
    """The type of partial sums, in the array and where they are written to memory."""
    array: Annotated[Axes, Field(examples=[{"M": 1, "K": 32, "N": 32}])]
    """MACs of one cycle along each axis; an axis left out has 1."""
    max: Annotated[MostOfACall, Unset("no limit"), Field(examples=[{"M": 64, "K": 64, "N": 64}])] = MostOfACall()
    """The most of each axis that one call multiplies; an axis left out has no limit."""
    multiple: Annotated[Axes, Unset("any size"), Field(examples=[{"K": 8, "N": 8}])] = Axes()
    """A call's sizes are multiples of these; smaller ones are padded."""
    held: Operand = "B"
    """The operand that stays in the array while the others stream."""
    fill: Cycles = 0
    """Cycles to bring a block of the held operand into the array."""
    fill_overlaps: Switch = True
    """The next block is brought in while one is multiplied."""
    call: Cycles = 0
    """Cycles of a call beyond its MACs."""
    results: Annotated[Count | None, Unset("no limit")] = None
    """Results that leave the array in a cycle."""

    @property
    def macs(self) -> int:
        """MACs of a cycle in which the whole array works."""
        return self.array.M * self.array.K * self.array.N

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        consistency.check_unit(self)
        return self


class SplitSize(_Table):
    """Bytes of the local memory of each operand."""

    A: Annotated[Size, Field(examples=["64 KiB"])]
    B: Annotated[Size, Field(examples=["128 KiB"])]
    C: Annotated[Size, Field(examples=["64 KiB"])]


def _shared_or_split(value: object) -> str:
    return "split" if isinstance(value, (dict, SplitSize)) else "shared"


class LocalMemory(_Table):
    """The memory that tiles wait in."""

    size: Annotated[
        Annotated[Size, Tag("shared")] | Annotated[SplitSize, Tag("split")],
        Discriminator(_shared_or_split),
        Field(examples=["256 KiB", {"A": "64 KiB", "B": "128 KiB", "C": "64 KiB"}]),
    ]
    """Bytes that all operands share, or of each its own."""
    buffers: Annotated[Literal[1, 2], BeforeValidator(_whole)] = 2
    """Of what streams: with 2 the next tile is read while one is multiplied."""
    bandwidth: Annotated[Rate | None, Unset("no limit"), Field(examples=[128])] = None
    """Between local memory and the array: bytes a cycle, or a second as text."""


class MainMemory(_Table):
    """The memory behind the local one."""

    bandwidth: Annotated[Rate | None, Unset("unknown: bytes only"), Field(examples=["16 GB/s"])] = None
    """Read and written together: bytes a cycle, or a second as text."""
    burst: Annotated[Size, Field(examples=[64])] = 1
    """Bytes: a row of a tile takes whole bursts, each row by itself."""
    latency: Cycles = 0
    """Cycles until the first byte, once a product."""


class ConvUnit(_Table):
    """Describe what the engine can do with convolutions."""

    windows: Literal["memory", "engine"] = "memory"
    """Where windows are formed: in memory, or by the engine, which reads an input row of a block once."""
    halo: Literal["read", "kept"] = "read"
    """Input rows that two blocks share are read again, or kept. Only where the engine forms windows."""
    native: Switch = False
    """It runs Conv itself."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        consistency.check_convolutions(self)
        return self


class OtherOperators(_Table):
    """The operators that aren't products."""

    supported: Annotated[
        tuple[Name, ...] | None, Unset("not asked which run where"), Field(examples=[["Add", "Relu"]])
    ] = None
    """Those that run beside the engine, on its vector unit."""
    vector: Annotated[Rate | None, Unset("as memory.bandwidth"), Field(examples=[64])] = None
    """Of the vector unit: bytes a cycle, or a second as text."""
    host: Annotated[Rate | None, Unset("unknown"), Field(examples=["4 GB/s"])] = None
    """Of operators that the host runs: bytes a cycle, or a second as text."""


RATES = (("local", "bandwidth"), ("memory", "bandwidth"), ("operators", "vector"), ("operators", "host"))
"""The fields that may be given a second; they are kept a cycle."""


class Engine(_Table):
    """A matrix engine: immutable, comparable, and usable as a key.

    Sizes are in bytes, rates in bytes a cycle, as exact fractions. `Engine.load` reads a file; the fields may be given
    by name, too, each as an engine file has it, and as `model_dump()` gives them. Raises UsageError for what is no
    engine, a line for each mistake with the place, the fact and the cure.
    """

    version: Annotated[Literal[1], BeforeValidator(_whole)] = 1
    """Of the format of this file."""
    name: Annotated[Name, Field(examples=["edge-32"])] = "engine"
    """Shown in reports."""
    clock: Annotated[Clock | None, Unset("unknown: cycles, no times"), Field(examples=["1 GHz"])] = None
    """Cycles a second, for times and for rates a second."""
    product: Annotated[tuple[ProductUnit, ...], Field(min_length=1)]
    """One for each pair of operand types that the engine multiplies."""
    local: LocalMemory
    """The memory that tiles wait in."""
    memory: MainMemory = MainMemory()
    """The memory behind the local one."""
    conv: ConvUnit = ConvUnit()
    """What the engine knows of convolutions."""
    operators: OtherOperators = OtherOperators()
    """The operators that aren't products."""

    def __init__(self, /, **fields: object) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            raise UsageError(*mistakes(error, type(self))) from error

    @model_validator(mode="before")
    @classmethod
    def _rates_a_cycle(cls, data: dict[str, Any]) -> dict[str, Any]:
        """Turn rates a second into rates a cycle; what can't be turned is left for the field to complain of."""
        tables = {name: dict(table) for name, table in data.items() if isinstance(table, dict)}
        for table, field in RATES if "clock" in data else ():
            rate = tables.get(table, {}).get(field)
            if isinstance(rate, str):
                with suppress(ValueError):
                    amount = quantity(rate, A_SECOND, "")
                    tables[table][field] = amount  # so that a wrong clock is the only mistake
                    tables[table][field] = amount / _clock(data["clock"])
        return data | tables

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        consistency.check_engine(self)
        return self

    def __str__(self) -> str:
        from onnxtile.engine.summary import text

        return text(self)

    def _repr_html_(self) -> str:
        from onnxtile.engine.summary import html_table

        return html_table(self)

    def unit_for(self, a: str, b: str) -> ProductUnit | None:
        """Return the unit that multiplies these types of A and B; None where the engine has none."""
        return next((unit for unit in self.product if unit.types == (a, b)), None)

    @classmethod
    def load(cls, source: str | Path) -> Engine:
        """Return the engine of a file, or the built-in one of that name (`onnxtile engine list`).

        `source`: a name such as `"systolic-32"`, or the path of an engine file (docs/engine.md). Raises UsageError
        with the place, the fact and the cure, where the file can't be read or describes no engine.
        """
        from onnxtile.engine.load import load

        return load(source)
