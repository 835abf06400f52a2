# SPDX-License-Identifier: Apache-2.0
"""Who is measured: nobody at all (none), HAProxy, nginx, ambbpf's engines, and its way without a proxy.

Each proxy is one process family that forwards one address to the load generator's server, with the same
number of threads, and without a log of connections.
"""

import json
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from machine import Failure, Network, end

NONE = "none"
DIRECT = "direct"  # ambbpf --direct: the client dials the ambassador, and is connected to the server
PEERS = ["haproxy", "haproxy-splice", "nginx"]
ENGINES = ["ambbpf-sockmap", "ambbpf-splice", "ambbpf-copy"]
AUTO = "ambbpf-auto"  # the engine that ambbpf chooses itself
ALL = [NONE, DIRECT, *PEERS, *ENGINES, AUTO]

TIMEOUT = 10.0  # seconds for a proxy to come up


class Place(NamedTuple):
    """Where a contender runs: who listens where, and in which namespace."""
    proxy_network: Network
    client_network: Network
    address: str  # of the proxy
    server: str   # ADDR:PORT


class Programs(NamedTuple):
    ambbpf: Path
    load: Path
    work: Path  # a folder for configurations and logs
    threads: int


# Descriptors: two for each connection, and some for pipes, within a limit of 20,000.
HAPROXY = """\
global
  nbthread {threads}
  maxconn 9000
  maxpipes 400
{extra_global}
defaults
  mode tcp
  timeout connect 5s
  timeout client 10m
  timeout server 10m
  retries 0
{extra_defaults}
frontend front
  bind {listen} backlog 4096
  default_backend back
backend back
  server one {server}
"""

# Always: with `option splice-auto` HAProxy 2.6 was seen to copy all of a bulk stream on loopback.
SPLICE = "  option splice-request\n  option splice-response"

NGINX = """\
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
user root;
pid {folder}/nginx.pid;
error_log stderr error;
worker_processes {threads};
worker_rlimit_nofile 20000;
events {{ worker_connections 20000; }}
stream {{
  access_log off;
  tcp_nodelay on;
  proxy_buffer_size 16k;
  proxy_connect_timeout 5s;
  proxy_timeout 10m;
  server {{ listen {listen} reuseport backlog=4096; proxy_pass {server}; }}
}}
"""


def command_of(name: str, programs: Programs, folder: Path, listen: str, server: str) -> list[str]:
    config = folder / "config"
    if name.startswith("haproxy"):
        splice = name == "haproxy-splice"
        config.write_text(HAPROXY.format(
            threads=programs.threads, listen=listen, server=server,
            extra_global="  tune.pipesize 524288" if splice else "",
            extra_defaults=SPLICE if splice else ""))
        return ["haproxy", "-db", "-f", str(config)]
    if name == "nginx":
        config.write_text(NGINX.format(threads=programs.threads, listen=listen, server=server,
                                       folder=folder))
        return ["nginx", "-c", str(config), "-p", str(folder), "-e", "stderr"]
    way = ["--direct"] if name == DIRECT else ["--engine", name.removeprefix("ambbpf-")]
    return [str(programs.ambbpf), "forward", "--listen", listen, *way, "--threads",
            str(programs.threads), "--admin", str(folder / "admin.sock"), server]


def wait_until_it_forwards(process: subprocess.Popen[bytes], load: Path, client: Network,
                           address: str) -> None:
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            client.measure([str(load), "pingpong", "--to", address, "--seconds", "0.01",
                            "--warm-up", "0"], TIMEOUT)
            return
        except Failure:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def connects(ambbpf: Path, admin: Path) -> tuple[int, int]:
    """Those that zero hop has sent straight to an endpoint, and those that it has left to the proxy."""
    done = subprocess.run([ambbpf, "status", "--json", "--admin", admin], stdout=subprocess.PIPE, check=True)
    service = json.loads(done.stdout)["processes"][0]["services"][0]
    return service["direct_connects"], service["direct_left"]


class Contender:
    """A proxy that runs, or nothing between client and server."""

    def __init__(self, name: str, programs: Programs, place: Place, port: int) -> None:
        self.name = name
        self.process: subprocess.Popen[bytes] | None = None
        if name == NONE:
            self.address = place.server
            return
        # A consumer that is connected straight to the server is on the ambassador's host.
        network = place.client_network if name == DIRECT else place.proxy_network
        address = "127.0.0.1" if name == DIRECT else place.address
        self.address = f"{address}:{port}"
        self.folder = programs.work / f"{name}-{address}-{port}"
        self.folder.mkdir(exist_ok=True)
        log_path = self.folder / "log"
        with open(log_path, "wb") as log:
            self.process = network.start(
                command_of(name, programs, self.folder, self.address, place.server),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self.wait_until_ready(self.process, programs, place)
        except Failure as failure:
            self.stop()
            raise Failure(f"{name}: {failure}; {log_path.read_text().strip()[-400:]}") from None

    def wait_until_ready(self, process: subprocess.Popen[bytes], programs: Programs,
                         place: Place) -> None:
        wait_until_it_forwards(process, programs.load, place.client_network, self.address)

    def stop(self) -> None:
        if self.process:
            end(self.process)
