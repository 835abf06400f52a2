#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds the images as a user would, tries the ambassador's, and puts them into a registry's store: images.py WORK CGROUP

Docker builds with packages from outside, so this alone has the machine's own network. It is run in PID and
mount namespaces of its own (tools/cluster), and its engine ends with them.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from image_trial import check_size, check_tls, free_port
from machine import PROGRAMS, Failure, run, wait_for

ROOT = Path(__file__).resolve().parent.parent.parent
NAMES = [each.parent.name for each in ROOT.glob("images/*/Dockerfile")]
BASE = "debian:bookworm-slim"  # that the Dockerfiles start from


def make_base(work: Path) -> Path:
    """A small Debian, from this machine's own package sources."""
    base = work / "base.tar"
    if base.exists():
        return base
    sources = [str(each) for each in [Path("/etc/apt/sources.list"),
                                      *Path("/etc/apt/sources.list.d").glob("*.list"),
                                      *Path("/etc/apt/sources.list.d").glob("*.sources")]
               if each.is_file() and each.stat().st_size]
    suite = BASE.partition(":")[2].removesuffix("-slim")
    unfinished = work / "unfinished.tar"
    subprocess.run(
        ["mmdebstrap", "--quiet", "--variant=minbase", "--aptopt=Acquire::Languages \"none\"",
         *(f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "locale")),
         suite, str(unfinished), *sources], check=True)
    unfinished.rename(base)
    return base


def registry_config(store: Path, address: str) -> str:
    return (f"version: 0.1\nlog: {{level: warn}}\nstorage:\n  filesystem: {{rootdirectory: {store}}}\n"
            f"http:\n  addr: {address}\n")


def start_registry(work: Path, address: str) -> subprocess.Popen[bytes]:
    """Debian's docker-registry, with what was pushed in earlier runs."""
    config = work / f"registry-{address.partition(':')[0]}.yml"
    config.write_text(registry_config(work / "registry", address))
    with (work / "registry.log").open("ab") as log:
        registry = subprocess.Popen(["docker-registry", "serve", str(config)], stdout=log, stderr=log)

    def answers() -> bool:
        if registry.poll() is not None:
            raise Failure(f"docker-registry ended with {registry.returncode}: {work / 'registry.log'}")
        try:
            urllib.request.urlopen(f"http://{address}/v2/", timeout=2).close()
            return True
        except OSError:
            return False

    wait_for(f"docker-registry on {address}", 20, answers)
    return registry


class Builder:
    """A Docker Engine without a network of its own: builds have the machine's."""

    # A tmpfs in our own mount namespace: the paths of sockets have to be short.
    PLACE = Path("/mnt")

    def __init__(self, work: Path, cgroup: str) -> None:
        run("mount", "-t", "tmpfs", "tmpfs", str(self.PLACE))
        self.socket = f"unix://{self.PLACE}/docker.sock"
        self.log = work / "builder.log"
        # Else it would write its key below /etc.
        (self.PLACE / "daemon.json").write_text(f'{{"deprecated-key-path": "{self.PLACE}/key.json"}}')
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                ["dockerd", "--host", self.socket, "--config-file", f"{self.PLACE}/daemon.json",
                 "--data-root", f"{work}/builder", "--exec-root", f"{self.PLACE}/exec", "--pidfile",
                 f"{self.PLACE}/pid", "--bridge=none", "--iptables=false", "--ip6tables=false",
                 "--ip-forward=false", "--group=root", "--cgroup-parent", f"/{cgroup}/builder",
                 "--exec-opt", "native.cgroupdriver=cgroupfs"], stdout=log, stderr=log)
        os.environ |= {"DOCKER_HOST": self.socket, "DOCKER_BUILDKIT": "0", "PATH": PROGRAMS}
        wait_for("the builder's dockerd", 30, lambda: self._answers())

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise Failure(f"dockerd ended with {self._process.returncode}: {self.log}")
        return subprocess.run(["docker", "version"], capture_output=True).returncode == 0

    @staticmethod
    def docker(*words: str) -> str:
        return subprocess.run(["docker", *words], check=True, stdout=subprocess.PIPE, text=True).stdout

    def end(self) -> None:
        self._process.terminate()
        self._process.wait(30)


def build_and_push(work: Path, cgroup: str) -> None:
    base = make_base(work)
    builder = Builder(work, cgroup)
    if BASE not in builder.docker("images", "--format", "{{.Repository}}:{{.Tag}}").split():
        builder.docker("import", str(base), BASE)
    with (work / "images.log").open("wb") as log:
        started = time.monotonic()
        done = subprocess.run([ROOT / "tools" / "images", "--build-option", "--network=host"],
                              stdout=log, stderr=log)
    if done.returncode != 0:
        tail = (work / "images.log").read_text(errors="replace").splitlines()[-30:]
        raise Failure("tools/images failed:\n  " + "\n  ".join(tail))
    print(f"images built in {time.monotonic() - started:.0f} s; sizes:", flush=True)
    print(builder.docker("images", "ambbpf/*", "--format", "  {{.Repository}} {{.Size}}"), end="")
    check_size(builder.docker)
    check_tls(builder.docker, builder.PLACE)
    shutil.rmtree(work / "registry", ignore_errors=True)
    address = f"127.0.0.1:{free_port()}"
    registry = start_registry(work, address)
    for name in NAMES:
        builder.docker("tag", f"ambbpf/{name}", f"{address}/ambbpf/{name}")
        builder.docker("push", "--quiet", f"{address}/ambbpf/{name}")
        builder.docker("rmi", f"{address}/ambbpf/{name}")
    registry.terminate()
    registry.wait(10)
    builder.docker("image", "prune", "--force", "--filter", "until=24h")  # younger layers are wanted again
    builder.end()


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        build_and_push(Path(sys.argv[1]), sys.argv[2])
        return 0
    except (Failure, subprocess.CalledProcessError) as failure:
        print(f"images: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
