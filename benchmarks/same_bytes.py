"""Lower every model of a corpus in all forms and write the hashes of the files, or compare them with earlier ones.

    python benchmarks/same_bytes.py CORPUS hashes.json              # write them
    python benchmarks/same_bytes.py CORPUS hashes.json --compare    # lower again; exit 1 if a file differs

CORPUS is a folder of models as benchmarks/corpus.py takes it. A refactoring keeps every byte: write the hashes before
it, compare afterwards. A model that's refused counts as well, with the words of its refusal.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from corpus import sizes

import onnxtile

FORMS = ("unrolled", "batched", "loop", "function")


def hashes_of(path: Path, form: str, limits: str, ops: str, bind: dict[str, int]) -> dict[str, str]:
    """Lower one model; return the SHA-256 of each file that was written by its name, or the refusal."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            onnxtile.lower(path, limits, ops=ops, form=form, bind=bind, output=Path(folder, "lowered.onnx"))
        except onnxtile.OnnxtileError as error:
            return {"refused": str(error).replace(folder, "FOLDER")}
        files = sorted(Path(folder).iterdir())
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def main() -> int:
    """Write or compare the hashes; return the exit status."""
    parser = argparse.ArgumentParser(description="Compare what `lower` writes with what it wrote before.")
    parser.add_argument("corpus", type=Path, metavar="CORPUS", help="folder with index.json")
    parser.add_argument("hashes", type=Path, metavar="HASHES", help="JSON file")
    parser.add_argument("--compare", action="store_true", help="compare with HASHES instead of writing it")
    parser.add_argument("--limits", default="64,64,64", metavar="M,K,N")
    parser.add_argument("--ops", default="all", metavar="FAMILIES")
    parser.add_argument("--bind", action="store_true", help="free dimensions get the sizes of the index")
    parser.add_argument("--only", action="append", metavar="NAME", help="this model; may be given several times")
    options = parser.parse_args()
    entries: list[dict[str, Any]] = json.loads((options.corpus / "index.json").read_text())
    entries = [entry for entry in entries if not options.only or entry["name"] in options.only]
    before = json.loads(options.hashes.read_text()) if options.compare else {}
    after, different = {}, 0
    for entry in entries:
        path = options.corpus / entry["file"]
        bind = sizes(path, entry["inputs"]) if options.bind else {}
        for form in FORMS:
            key = f"{entry['name']} {form} {options.limits} {options.ops}{' bound' * options.bind}"
            after[key] = hashes_of(path, form, options.limits, options.ops, bind)
            if options.compare and after[key] != before.get(key):
                different += 1
                print(f"different: {key}: {before.get(key)} became {after[key]}", flush=True)
    if not options.compare:
        options.hashes.write_text(json.dumps(after, indent=1) + "\n")
    print(f"{len(after)} results, {different} different")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
