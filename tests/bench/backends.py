# SPDX-License-Identifier: Apache-2.0
"""The servers that applications' load tools talk to: each on a loopback port, in a folder of its own."""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from machine import Failure, Network, end

TIMEOUT = 20.0  # seconds for a server to come up
QUIET = 0.1     # seconds
LISTEN, TIME_WAIT = "0A", "06"  # in /proc/net/tcp
POSTGRES_PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
PAGES = {"small": 100, "20k": 20_000}  # bytes
PGBENCH_SCALE = 4

# What has each program, in Debian.
PACKAGES = {"redis-server": "redis-server", "redis-benchmark": "redis-tools",
            "postgres": "postgresql-15", "pgbench": "postgresql-15", "nginx": "nginx-light",
            "ab": "apache2-utils", "wrk": "wrk", "h2load": "nghttp2-client", "iperf3": "iperf3"}

NGINX = """\
daemon off;
user root;
pid {folder}/nginx.pid;
error_log stderr error;
worker_processes {threads};
events {{ worker_connections 10000; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  open_file_cache max=10;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port} backlog=4096; root {folder}; }}
}}
"""


def program(name: str) -> str | None:
    """Where it is; Debian has PostgreSQL's programs outside of PATH, and wrappers in Perl within."""
    for folder in reversed(POSTGRES_PROGRAMS):
        if (folder / name).exists():
            return str(folder / name)
    return shutil.which(name)


def sockets(port: int) -> list[tuple[str, str]]:
    """State and inode of those with this port at their end; TIME_WAIT, which is nobody's, left out."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return [(line[3], line[9]) for line in lines
            if line[1].endswith(f":{port:04X}") and line[3] != TIME_WAIT]


def wait_until_it_listens(process: subprocess.Popen[bytes], port: int) -> None:
    """Without a connection: iperf3, for one, would take it for a client."""
    deadline = time.monotonic() + TIMEOUT
    while all(state != LISTEN for state, _ in sockets(port)):
        if process.poll() is not None:
            raise Failure(f"it has ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise Failure(f"it does not listen on port {port} after {TIMEOUT:.0f} s")
        time.sleep(0.01)


def wait_until_it_rests(port: int) -> None:
    """For QUIET seconds one and the same socket has listened, and there was no connection."""
    now = time.monotonic()
    deadline, since, before = now + TIMEOUT, now, sockets(port)
    while now < since + QUIET:
        if now > deadline:
            raise Failure(f"the server on port {port} has not come to rest after {TIMEOUT:.0f} s")
        time.sleep(0.01)
        now, found = time.monotonic(), sockets(port)
        if found != before or [state for state, _ in found] != [LISTEN]:
            since, before = now, found


class Server(NamedTuple):
    name: str
    port: int
    programs: list[str]
    command: Callable[["Setting"], list[str]]          # writes what it needs before
    wait: Callable[["Setting"], None] = lambda _: None  # until it serves: after it listens
    fill: Callable[["Setting"], None] = lambda _: None  # when it runs for the first time


class Setting(NamedTuple):
    folder: Path
    port: int
    threads: int
    load: Path  # bench_load


class Backend:
    """A server that runs."""

    def __init__(self, server: Server, work: Path, threads: int, load: Path) -> None:
        self.name = server.name
        self._setting = Setting(work / server.name, server.port, threads, load)
        self._setting.folder.mkdir()
        self._command = server.command(self._setting)
        self._wait = server.wait
        self._process = self._start()
        try:
            server.fill(self._setting)
        except BaseException:
            self.stop()
            raise

    def restart(self) -> None:
        """After a client that failed: iperf3 may still wait for the rest of its connections."""
        self.stop()
        self._process = self._start()

    def stop(self) -> None:
        end(self._process)

    def _start(self) -> subprocess.Popen[bytes]:
        log_path = self._setting.folder / "log"
        with open(log_path, "wb") as log:
            process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_until_it_listens(process, self._setting.port)
            self._wait(self._setting)
        except BaseException as problem:
            end(process)
            if not isinstance(problem, Failure):
                raise
            raise Failure(f"{self.name}: {problem}; {log_path.read_text().strip()[-400:]}") from None
        return process


def _redis(at: Setting) -> list[str]:
    return ["redis-server", "--bind", "127.0.0.1", "--port", str(at.port), "--save", "", "--dir",
            str(at.folder)]


def _postgres(at: Setting) -> list[str]:
    """Without waiting for a disk: what is measured is on the way to it."""
    user = pwd.getpwnam("postgres")
    at.folder.parent.chmod(0o711)
    os.chown(at.folder, user.pw_uid, user.pw_gid)
    as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"]
    data = str(at.folder / "data")
    Network().output([*as_user, program("initdb") or "", "--no-sync", "--auth=trust", "-D", data],
                     TIMEOUT)
    return [*as_user, program("postgres") or "", "-D", data, "-c", f"port={at.port}", "-c",
            "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c",
            "synchronous_commit=off", "-c", "autovacuum=off", "-c", "shared_buffers=256MB", "-c",
            "dynamic_shared_memory_type=mmap", "-c", "max_wal_size=8GB"]


def _wait_for_postgres(at: Setting) -> None:
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            Network().output([program("pg_isready") or "", "-h", "127.0.0.1", "-p", str(at.port)], TIMEOUT)
            return
        except Failure:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _fill_postgres(at: Setting) -> None:
    Network().output([program("pgbench") or "", "-h", "127.0.0.1", "-p", str(at.port), "-U", "postgres",
                      "-i", "-q", "-s", str(PGBENCH_SCALE), "postgres"], TIMEOUT)


def _web(at: Setting) -> list[str]:
    for name, size in PAGES.items():
        (at.folder / name).write_bytes(b"x" * size)
    config = at.folder / "config"
    config.write_text(NGINX.format(**at._asdict()))
    return ["nginx", "-c", str(config), "-p", str(at.folder), "-e", "stderr"]


def _iperf3(at: Setting) -> list[str]:
    return ["iperf3", "-s", "-B", "127.0.0.1", "-p", str(at.port)]


def _echo(at: Setting) -> list[str]:
    return [str(at.load), "serve", "--listen", f"127.0.0.1:{at.port}"]


SERVERS = [
    Server("redis", 6379, ["redis-server"], _redis),
    Server("postgres", 5432, ["postgres"], _postgres, _wait_for_postgres, _fill_postgres),
    Server("web", 8080, ["nginx"], _web),
    Server("iperf3", 5201, ["iperf3"], _iperf3),
    Server("echo", 9000, [], _echo),
]
