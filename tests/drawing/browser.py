"""A browser without a window, where one is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

_BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(_BROWSER is None, reason="no browser is installed")


def opened(page: Path, folder: Path) -> str:
    """Return what a page is once its script has run."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}", "--virtual-time-budget=1000"]
    run = subprocess.run(
        [str(_BROWSER), *options, "--dump-dom", page.as_uri()], capture_output=True, text=True, timeout=60, check=True
    )
    return run.stdout
