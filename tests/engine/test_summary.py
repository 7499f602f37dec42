from __future__ import annotations

from onnxtile.engine.description import Engine
from onnxtile.engine.load import names
from onnxtile.engine.summary import Peak, peak
from tests.engine.strategies import engine_of


def test_an_engine_prints_what_its_file_says() -> None:
    engine = engine_of(
        clock="2 GHz", product_array={"M": 2, "K": 4, "N": 8}, product_max={"M": 1024, "K": 64}, product_fill=1,
        product_fill_overlaps=False, product_call=3, product_multiple={"K": 4}, product_results=16, product_held="A",
        local_size={"A": "1 MiB", "B": 1500, "C": 256}, local_buffers=1, local_bandwidth=0.5,
        memory_bandwidth="15 GB/s", memory_burst=64, memory_latency=1, conv_windows="engine",
        conv_halo="kept", conv_native=True,
        operators_supported=["Add", "Relu"], operators_vector=64, operators_host="1 GB/s",
    )  # fmt: skip
    assert str(engine).splitlines() == [
        "engine, 2 GHz",
        "",
        "types    int8 x int8",
        "sums     int32",
        "call     at most 1,024 x 64 x *; in multiples of 1 x 4 x 1; 3 cycles beyond MACs",
        "array    2 x 4 x 8: 64 MACs a cycle, 0.256 TOPS",
        "held     A; 1 cycle to fill",
        "results  16 a cycle",
        "balance  8.533 MACs a byte",
        "",
        "local    A 1 MiB, B 1,500 bytes, C 256 bytes; 1 buffer",
        "         0.5 bytes a cycle (1 GB/s)",
        "memory   7.5 bytes a cycle (15 GB/s)",
        "         bursts of 64 bytes; 1 cycle of latency",
        "windows  formed by the engine; rows that blocks share are kept",
        "Conv     run by the engine itself",
        "others   Add, Relu",
        "vector   64 bytes a cycle (128 GB/s)",
        "host     0.5 bytes a cycle (1 GB/s)",
    ]


def test_what_is_not_known_is_said() -> None:
    lines = str(engine_of()).splitlines()
    assert lines[0] == "engine, no clock: cycles, no times"
    assert "array    1 x 1 x 1: 1 MAC a cycle" in lines
    assert "balance  unknown without memory.bandwidth" in lines
    assert "memory   bandwidth unknown: bytes only" in lines
    assert "others   not asked which run here" in lines
    assert peak(engine_of().product[0], engine_of()) == Peak(("int8", "int8"), 1, None, None)


def test_units_that_differ_in_their_types_alone_are_shown_once() -> None:
    lines = str(Engine.load("systolic-32")).splitlines()
    assert "types    int8 x int8, uint8 x int8, uint8 x uint8, int8 x uint8" in lines
    assert sum(line.startswith("array") for line in lines) == 2


def test_lines_of_the_built_in_engines_fit_a_terminal() -> None:
    for name in names():
        assert max(map(len, str(Engine.load(name)).splitlines())) <= 80, name


def test_notebooks_get_a_table_in_which_names_are_text() -> None:
    shown = engine_of(name="<script>", operators_supported=["A&B"])._repr_html_()
    assert "<caption>&lt;script&gt;, no clock: cycles, no times</caption>" in shown
    assert "A&amp;B" in shown
    assert shown.count("<tr>") == shown.count("</tr>") == 15
