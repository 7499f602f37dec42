"""Name totals where people read them: the same in each command, table and page."""

from __future__ import annotations

from collections.abc import Mapping

TOTALS: Mapping[str, str] = {
    "nodes": "nodes", "macs": "MACs", "flops": "flops", "params": "parameters", "weight_bytes": "weight bytes",
    "activation_bytes": "activation bytes", "bandwidth": "bytes moved", "peak_bandwidth": "peak bandwidth",
    "peak_live_bytes": "peak memory", "peak_live_bytes_streamed": "weights streamed",
}  # fmt: skip
"""Totals of a model, by field of `Totals`."""
ENGINE_TOTALS: Mapping[str, str] = {
    "products": "products", "calls": "calls", "macs": "MACs", "padded_macs": "MACs, padded", "bytes": "bytes moved",
    "least_bytes": "least bytes", "compute_cycles": "compute cycles", "memory_cycles": "memory cycles",
    "local_cycles": "local memory cycles", "cycles": "cycles", "other_bytes": "other bytes",
    "other_cycles": "other cycles", "total_cycles": "cycles in all",
}  # fmt: skip
"""Totals of a model on an engine, by field of `EngineTotals`."""
