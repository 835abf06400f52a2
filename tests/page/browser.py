# SPDX-License-Identifier: Apache-2.0
"""A tab of a headless Chromium, driven by its DevTools protocol."""

import base64
import itertools
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import websocket

from waiting import Failure, wait_for

# Of Debian's package; what is in the PATH is a script that would not hand on a signal.
PROGRAM = Path("/usr/lib/chromium/chromium-headless-shell")


class Browser:
    def __init__(self, work: Path) -> None:
        if not PROGRAM.exists():
            raise Failure(f"{PROGRAM} is not there: tools/setup page")
        log = work / "browser.log"
        with log.open("wb") as out:
            # --no-sandbox: Chromium refuses to run as root with it. It sees no page but ours.
            self._process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", PROGRAM, "--headless", "--no-sandbox", "--disable-gpu",
                 "--disable-dev-shm-usage", "--remote-debugging-port=0", f"--user-data-dir={work / 'browser'}",
                 "about:blank"], stdin=subprocess.DEVNULL, stdout=out, stderr=out)
        wait_for("the browser listens", lambda: self._process.poll() is not None or " ws://" in log.read_text())
        found = re.search(r"ws://\S+", log.read_text())
        if not found:
            raise Failure("the browser does not start: " + log.read_text())
        self._socket = websocket.create_connection(found.group(), suppress_origin=True, timeout=30)
        self._ids = itertools.count(1)
        self._session: str | None = None
        self.complaints: list[str] = []  # errors and violations of the policy, as in the console
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Audits"):
            self._call(f"{domain}.enable")

    def close(self) -> None:
        self._socket.close()
        self._process.kill()
        self._process.wait()

    def _call(self, method: str, **parameters: Any) -> Any:
        number = next(self._ids)
        message: dict[str, Any] = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv())
            if answer.get("id") == number:
                if "error" in answer:
                    raise Failure(f"{method}: {answer['error']['message']}")
                return answer["result"]
            self._hear(answer.get("method"), answer.get("params", {}))

    def _hear(self, method: str, event: dict[str, Any]) -> None:
        if method == "Runtime.exceptionThrown":
            details = event["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description", details["text"]))
        elif method == "Runtime.consoleAPICalled" and event["type"] in ("error", "warning", "assert"):
            self.complaints.append(" ".join(str(each.get("description", each.get("value"))) for each in event["args"]))
        elif method == "Log.entryAdded" and event["entry"]["level"] in ("error", "warning"):
            self.complaints.append(event["entry"]["text"])
        elif method == "Audits.issueAdded":
            self.complaints.append(json.dumps(event["issue"]))

    def go_to(self, url: str) -> None:
        self._call("Page.navigate", url=url)
        self.wait_until("document.readyState === 'complete'", f"{url} is loaded")

    def resize(self, width: int, height: int) -> None:
        self._call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def prefer(self, scheme: str) -> None:
        self._call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def press(self, key: str, code: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            self._call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def point_at(self, x: float, y: float) -> None:
        self._call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def value_of(self, expression: str) -> Any:
        """Of JavaScript."""
        answer = self._call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise Failure(f"{expression}: {answer['exceptionDetails']['exception'].get('description')}")
        return answer["result"].get("value")

    def wait_until(self, expression: str, what: str, seconds: float = 20) -> None:
        wait_for(what, lambda: bool(self.value_of(expression)), seconds)

    def picture(self, file: Path, whole: bool = True) -> None:
        answer = self._call("Page.captureScreenshot", format="png", captureBeyondViewport=whole, **(
            {"clip": {"x": 0, "y": 0, "scale": 1, **self.value_of(
                "({width: innerWidth, height: document.documentElement.scrollHeight})")}} if whole else {}))
        file.write_bytes(base64.b64decode(answer["data"]))
