"""Run every benchmark that needs nothing but this repository, and keep what they print in benchmarks/results.md."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
SCRIPTS = {
    "lower.py": "Whole `lower`, file to file, against protobuf alone and against others",
    "scale.py": "Many nodes, many weights",
    "forms.py": "Latency of the forms in onnxruntime",
}


def main() -> None:
    day = time.strftime("%Y-%m-%d")
    parts = [f"# Benchmarks\n\nWritten by `make bench` on {day}; figures of other machines will differ."]
    for script, title in SCRIPTS.items():
        print(f"{script} ...", flush=True)
        done = subprocess.run([sys.executable, HERE / script], check=True, capture_output=True, text=True)
        shown = done.stdout.strip() if script == "forms.py" else f"```\n{done.stdout.strip()}\n```"
        parts.append(f"## {title}\n\n`python benchmarks/{script}`\n\n{shown}")
    (HERE / "results.md").write_text("\n\n".join(parts) + "\n")


if __name__ == "__main__":
    main()
