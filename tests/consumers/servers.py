# SPDX-License-Identifier: Apache-2.0
"""What the consumers reach: Apache, PostgreSQL and Redis in a network namespace that stands for another host."""

import os
import pwd
import subprocess
from pathlib import Path

from ambassador import ELSEWHERE
from waiting import run

HOST = "192.0.2.1"
POSTGRES_PROGRAMS = Path("/usr/lib/postgresql/15/bin")
PAGES = ("one", "two")
BIG = 32 << 20  # bytes of the page /big


class Servers:
    def __init__(self, work: Path) -> None:
        self._work = work
        self._elsewhere = self._other_host()
        self._start_apache()
        self._start_postgres()
        self._start_redis()

    def _other_host(self) -> list[str]:
        """The words before a command that is to run there."""
        holder = subprocess.Popen(["unshare", "--net", "sh", "-c", "echo; exec sleep infinity"],
                                  stdout=subprocess.PIPE)
        assert holder.stdout
        holder.stdout.readline()  # it is in its namespace
        there = ["nsenter", f"--net=/proc/{holder.pid}/ns/net"]
        run("ip", "link", "add", "cable", "type", "veth", "peer", "name", "eth0", "netns", str(holder.pid))
        run("ip", "address", "add", f"{HOST}/24", "dev", "cable")
        run("ip", "link", "set", "cable", "up")
        for words in (["link", "set", "lo", "up"], ["address", "add", f"{ELSEWHERE}/24", "dev", "eth0"],
                      ["link", "set", "eth0", "up"]):
            run(*there, "ip", *words)
        # Its servers take data with the first packet, all of them (TCP_FASTOPEN).
        run(*there, "sysctl", "-qw", "net.ipv4.tcp_fastopen=0x403")
        return there

    def _start(self, name: str, *command: str | Path) -> None:
        with (self._work / f"{name}.log").open("wb") as log:
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _start_apache(self) -> None:
        """One process, and for each of the pages' servers a port."""
        root, modules = self._work / "apache", "/usr/lib/apache2/modules"
        for name in PAGES:
            (root / name).mkdir(parents=True)
            (root / name / "index.html").write_text(f"{name}\n")
            (root / name / "big").write_bytes(bytes(range(256)) * (BIG // 256))
        hosts = "".join(f"Listen {ELSEWHERE}:{port}\n<VirtualHost *:{port}>\n  DocumentRoot {root / name}\n"
                        "</VirtualHost>\n" for port, name in enumerate(PAGES, 8001))
        (root / "httpd.conf").write_text(
            f"ServerRoot {root}\nServerName {ELSEWHERE}\nPidFile {root}/pid\nErrorLog {root}/log\n"
            f"User nobody\nGroup nogroup\nMaxKeepAliveRequests 0\n"
            + "".join(f"LoadModule {name}_module {modules}/mod_{name}.so\n"
                      for name in ("mpm_event", "authz_core", "dir")) + hosts)
        self._start("apache", *self._elsewhere, "apache2", "-f", root / "httpd.conf", "-DFOREGROUND")

    def _start_postgres(self) -> None:
        if not POSTGRES_PROGRAMS.exists():
            return
        data = self._work / "postgres"
        data.mkdir()
        user = pwd.getpwnam("postgres")
        os.chown(data, user.pw_uid, user.pw_gid)
        as_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--"]
        run(*as_user, POSTGRES_PROGRAMS / "initdb", "--no-sync", "--auth=trust", "-D", data)
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all all trust\n")
        self._start("postgres", *self._elsewhere, *as_user, POSTGRES_PROGRAMS / "postgres", "-D", data,
                    "-c", f"listen_addresses={ELSEWHERE}", "-c", f"unix_socket_directories={data}", "-c",
                    "fsync=off")

    def _start_redis(self) -> None:
        self._start("redis", *self._elsewhere, "sh", "-c", f"exec redis-server --bind {ELSEWHERE} --save '' "
                    f"--protected-mode no --dir {self._work}")
