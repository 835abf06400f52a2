# SPDX-License-Identifier: Apache-2.0
"""What the ambassador's image has to be, beside what the stories need of it: small, and able to speak TLS.

Its libcurl is its own (images/ambbpf/Dockerfile), not the one that the other tests use.
"""

import json
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from machine import Failure, wait_for

IMAGE = "ambbpf/ambbpf"
MOST = 20_000_000  # bytes

Docker = Callable[..., str]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def check_size(docker: Docker) -> None:
    size = int(docker("image", "inspect", "--format", "{{.Size}}", IMAGE))
    if size > MOST:
        raise Failure(f"{IMAGE} has {size} bytes, and is to have {MOST} at most")


def check_tls(docker: Docker, place: Path) -> None:
    """One that knows the authority of an etcd is healthy, one that does not says so."""
    url = f"https://127.0.0.1:{free_port()}"
    peers = f"http://127.0.0.1:{free_port()}"
    with (place / "etcd.log").open("wb") as log:
        etcd = subprocess.Popen(
            ["etcd", "--auto-tls", "--data-dir", str(place / "etcd"), "--listen-client-urls", url,
             "--advertise-client-urls", url, "--listen-peer-urls", peers, "--initial-advertise-peer-urls",
             peers, "--initial-cluster", f"default={peers}"], stdout=log, stderr=log)
    try:
        authority = place / "etcd" / "fixtures" / "client" / "cert.pem"
        wait_for("etcd makes its certificate", 20, authority.exists)
        arguments = ["proxy", "web", str(free_port()), "--listen", "127.0.0.1", "--etcd", url]
        start = ["run", "--detach", "--network", "host", "--health-interval", "1s"]
        knows = docker(*start, "--volume", f"{authority}:/authority.pem:ro", IMAGE, *arguments,
                       "--etcd-ca", "/authority.pem").strip()
        wait_for(f"{IMAGE} is healthy", 20, lambda: health(docker, knows) == "healthy")
        docker("rm", "--force", knows)
        doubts = docker(*start, IMAGE, *arguments).strip()
        wait_for(f"{IMAGE} refuses a certificate of nobody's", 20,
                 lambda: "certificate" in log_of(doubts))
        docker("rm", "--force", doubts)
    finally:
        etcd.terminate()
        etcd.wait(20)


def health(docker: Docker, container: str) -> str:
    state = json.loads(docker("inspect", "--format", "{{json .State}}", container))
    if not state["Running"]:
        raise Failure(f"{IMAGE} ended: {log_of(container)}")
    status: str = state["Health"]["Status"]
    return status


def log_of(container: str) -> str:
    return subprocess.run(["docker", "logs", container], check=True, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT).stdout
