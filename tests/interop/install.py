"""Install tools of neighbours in an environment of their own, and say which aren't to be had: `make test-interop`.

python tests/interop/install.py ENVIRONMENT TORCH-INDEX

ENVIRONMENT is made where it isn't there. TORCH-INDEX has torch's builds for the CPU, a tenth of the size of others; pip
does without it where it can't be reached.
"""

from __future__ import annotations

import re
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tools() -> list[str]:
    """Return what the extra `interop` asks for; by its lines, as Python 3.10 reads no TOML by itself."""
    text = (ROOT / "pyproject.toml").read_text()
    (extra,) = re.findall(r"^interop = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    return re.findall(r'^    "([^"]+)"', extra, re.MULTILINE)


def main(environment: Path, torch_index: str) -> None:
    if not (environment / "bin" / "python").exists():
        venv.create(environment, with_pip=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]

    def installed(*what: str) -> bool:
        return subprocess.run([*pip, *what], check=False, cwd=ROOT).returncode == 0

    # torch first and without others, so that nothing else is looked for in that place
    installed("--no-deps", "--retries", "1", "--extra-index-url", torch_index, "torch", "torchvision")
    if installed("-e", ".[test,interop]"):
        return
    if not installed("-e", ".[test]"):
        raise SystemExit("onnxtile itself can't be installed; pip says above why")
    for tool in tools():
        if not installed("--only-binary", ":all:", tool):
            print(f"{tool} isn't to be had here; its tests are skipped")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), sys.argv[2])
