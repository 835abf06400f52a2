# SPDX-License-Identifier: Apache-2.0
"""The ambassador whose page is looked at, with an etcd and backends behind it, and clients that use it."""

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path
from typing import Any

from waiting import Failure, wait_for

HERE = Path(__file__).resolve().parent
# As anybody who may write to etcd, or to the configuration, can call things.
HOSTILE = "<script>hacked=1</script><img src=x onerror=hacked=1>\"'&amp;"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(log: Path, *command: str | Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as out:
        return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command], stdin=subprocess.DEVNULL,
                                stdout=out, stderr=out)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Backend:
    """Sends back what it gets."""

    def __init__(self, work: Path) -> None:
        self.port = free_port()
        self._process = start(work / "backend.log", sys.executable, HERE / "backend.py", str(self.port))
        wait_for("a backend listens", lambda: listens(self.port))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class Etcd:
    def __init__(self, work: Path) -> None:
        self.port, peer = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process = start(work / "etcd.log", "etcd", "--data-dir", work / "etcd", "--log-level", "error",
                              "--listen-client-urls", self.url, "--advertise-client-urls", self.url,
                              "--listen-peer-urls", f"http://127.0.0.1:{peer}")
        wait_for("etcd listens", lambda: listens(self.port))

    def _ask(self, path: str, **fields: str) -> None:
        body = json.dumps({name: base64.b64encode(text.encode()).decode() for name, text in fields.items()})
        urllib.request.urlopen(f"{self.url}/v3/kv/{path}", body.encode(), timeout=10).close()

    def put(self, key: str, value: str) -> None:
        self._ask("put", key=key, value=value)

    def delete(self, key: str) -> None:
        self._ask("deleterange", key=key)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


class Ambassador:
    def __init__(self, program: Path, work: Path, services: str) -> None:
        self._program = program
        self._work = work
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/"
        (work / "ambbpf.toml").write_text(
            f'admin = "{work / "admin.sock"}"\nadmin_listen = "127.0.0.1:{self.port}"\nthreads = 1\n{services}')
        self.start()

    def start(self) -> None:
        log = self._work / "ambbpf.log"
        self._process = start(log, self._program, "run", "--config", self._work / "ambbpf.toml")
        wait_for("ambbpf listens", lambda: listens(self.port) or self._process.poll() is not None)
        if self._process.poll() is not None:
            raise Failure("ambbpf does not start: " + log.read_text())
        self.status()  # is answered when all ports are open

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self._process.pid, signal.SIGCONT)

    def status(self) -> Any:
        with urllib.request.urlopen(self.url + "status", timeout=10) as answer:
            return json.load(answer)


class Client:
    """A connection by the ambassador; as a thread it may send without end."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)

    def ask(self, text: bytes) -> bytes:
        self._socket.sendall(text)
        got = b""
        while len(got) < len(text):
            piece = self._socket.recv(65536)
            if not piece:
                break
            got += piece
        return got

    def keep_asking(self, text: bytes, pause: float, stop: threading.Event) -> None:
        def ask() -> None:
            while not stop.wait(pause):
                try:
                    self.ask(text)
                except OSError:
                    return
        threading.Thread(target=ask, daemon=True).start()

    def close(self) -> None:
        self._socket.close()
