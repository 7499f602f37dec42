"""A browser without a window, where one is installed: it opens pages, and does what a reader would."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

_BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
needs_browser = pytest.mark.skipif(_BROWSER is None, reason="no browser is installed")
_OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe")


class Browser:
    """One page of a browser, steered by the protocol of its developer tools, which it speaks on two pipes."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to, self._from, self._rest, self._count, self._session = to_browser, from_browser, b"", 0, ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.send("Page.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Return what the browser answers."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        message |= {"sessionId": self._session} if self._session else {}
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            read = os.read(self._from, 1 << 20)
            assert read, "the browser has ended"
            self._rest += read
        message, _, self._rest = self._rest.partition(b"\0")
        return dict(json.loads(message))

    def open(self, page: Path, width: int = 1200, height: int = 800, dark: bool = False) -> None:
        """Show a page in a window of this size, once it's loaded and its script has run."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url=page.as_uri())
        while self._next().get("method") != "Page.loadEventFired":
            pass

    @property
    def text(self) -> str:
        """Return the page as it stands, as HTML."""
        return str(self.ask("document.documentElement.outerHTML"))

    def ask(self, script: str) -> Any:
        """Return what an expression of JavaScript gives in the page."""
        answer = self.send("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def _place(self, selector: str) -> tuple[float, float]:
        box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
        x, y, width, height = self.ask(f"(b => [b.x, b.y, b.width, b.height])({box})")
        return x + width / 2, y + height / 2

    def _mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, **more)

    def click(self, selector: str) -> None:
        """Click at the middle of an element."""
        self.drag(selector, 0, 0)

    def drag(self, selector: str, right: float, down: float) -> None:
        """Press the mouse at the middle of an element, move it so far, and let go."""
        x, y = self._place(selector)
        self._mouse("mousePressed", x, y, button="left", clickCount=1)
        if right or down:
            self._mouse("mouseMoved", x + right, y + down, button="left", buttons=1)
        self._mouse("mouseReleased", x + right, y + down, button="left", clickCount=1)

    def wheel(self, selector: str, down: float) -> None:
        """Turn the wheel over the middle of an element."""
        self._mouse("mouseWheel", *self._place(selector), deltaX=0, deltaY=down)

    def picture(self, path: Path, whole: bool = False) -> None:
        """Write what is seen, or the whole page, as a PNG file."""
        answer = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(answer["data"]))


@contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """Give a browser whose files are in a folder, and end it."""
    commands, answers = os.pipe(), os.pipe()
    # the browser reads commands from descriptor 3 and answers on 4
    line = 'exec 3<&"$1" 4>&"$2"; shift 2; exec "$@"'
    shell = ["/bin/bash", "-c", line, "browser", str(commands[0]), str(answers[1])]
    process = subprocess.Popen(
        [*shell, str(_BROWSER), *_OPTIONS, f"--user-data-dir={folder}"],
        pass_fds=(commands[0], answers[1]), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    os.close(commands[0])
    os.close(answers[1])
    try:
        browser = Browser(commands[1], answers[0])
        yield browser
        browser._session = ""
        browser.send("Browser.close")
    finally:
        os.close(commands[1])
        os.close(answers[0])
        process.terminate()
        process.wait(20)
