"""Each row of the tables in docs/interop.md has a version, and a tool that is tried here; and the other way round."""

from __future__ import annotations

import re

from tests.interop.neighbours import REWRITERS, RUNTIMES
from tests.interop.test_neighbours import KEPT, NOT_TAKEN
from tests.support import FORMS, ROOT

RUN = "Tools that run models"
REWRITE = "Tools that rewrite models"
VIEW = "Viewers"
TRIED = {
    RUN: {
        "onnxruntime, each of its four optimization levels": [
            f"onnxruntime-{level}" for level in ("disabled", "basic", "extended", "all")
        ],
        "openvino": ["openvino"],
        "IREE, llvm-cpu": ["iree"],
        "TVM, relax, llvm": ["tvm"],
        "onnx2torch, with torch 2.14": ["onnx2torch"],
        "polygraphy, which runs them in onnxruntime": ["polygraphy"],
    },
    REWRITE: {
        "onnxruntime, optimized model saved: basic, extended": ["onnxruntime-basic", "onnxruntime-extended"],
        "onnxslim": ["onnxslim"],
        "onnxsim without `fuse_qkv`": ["onnxsim"],
        "onnxscript: optimizer": ["onnxscript-optimizer"],
        "onnxscript: rewriter": ["onnxscript-rewriter"],
        "passes of onnx_ir": ["onnx_ir"],
        "onnx: inliner": ["inliner"],
        "onnx: version converter": ["version-converter"],
        "onnx-graphsurgeon": ["graphsurgeon"],
        "polygraphy surgeon, constants folded": ["polygraphy"],
        "onnxconverter-common: float16": ["float16"],
    },
    VIEW: {"netron": []},  # tests/interop/test_netron.py
}
"""List what stands in the first column, and the names under which it's tried."""


def rows(heading: str) -> dict[str, list[str]]:
    """Return the cells of each row of the table under a heading, by the first."""
    section = re.split(r"^## ", (ROOT / "docs" / "interop.md").read_text(), flags=re.MULTILINE)
    (text,) = (each for each in section if each.startswith(heading + "\n"))
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {first: rest for first, *rest in cells}


def test_rows_have_a_version_and_are_tried() -> None:
    for heading, tried in TRIED.items():
        table = rows(heading)
        assert table.keys() == tried.keys()
        for version, *_ in table.values():
            assert re.fullmatch(r"\d+(\.\d+)+", version)
    for heading, tools in ((RUN, RUNTIMES), (REWRITE, REWRITERS)):
        assert sorted(tools) == sorted(name for names in TRIED[heading].values() for name in names)


def test_forms_that_are_said_to_be_taken_are_those_that_are() -> None:
    for tool, (_, *cells) in rows(RUN).items():
        for name in TRIED[RUN][tool]:
            fails = {form for form in FORMS for of, cases in NOT_TAKEN if of == name and cases.endswith(f"-{form}")}
            assert {form for form, cell in zip(FORMS, cells, strict=False) if not cell.startswith("right")} == fails, (
                tool
            )


def test_metadata_that_is_said_to_be_kept_is() -> None:
    for tool, (*_, metadata) in rows(REWRITE).items():
        assert {metadata} == {"kept" if name in KEPT else "lost" for name in TRIED[REWRITE][tool]}
