"""Groups of data types that the layers above ask for."""

from __future__ import annotations

import onnx_ir as ir

FLOATS = (ir.DataType.FLOAT16, ir.DataType.BFLOAT16, ir.DataType.FLOAT, ir.DataType.DOUBLE)
"""The types of floating-point numbers that MatMul multiplies."""
INTEGERS = (ir.DataType.INT32, ir.DataType.INT64, ir.DataType.UINT32, ir.DataType.UINT64)
"""The types of integers that MatMul multiplies."""
BYTES = (ir.DataType.INT8, ir.DataType.UINT8)
"""The types that MatMulInteger multiplies."""
SHORTS = (ir.DataType.INT16, ir.DataType.UINT16)
HALF_BYTES = (ir.DataType.INT4, ir.DataType.UINT4)
WIDER = {ir.DataType.FLOAT16: ir.DataType.FLOAT, ir.DataType.BFLOAT16: ir.DataType.FLOAT}
"""Types whose partial sums are added in a wider one and rounded once."""
