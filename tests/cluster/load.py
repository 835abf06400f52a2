# SPDX-License-Identifier: Apache-2.0
"""What clients see: requests at a steady rate, and connections that are held open."""

import asyncio
import socket
import threading
import time
from dataclasses import dataclass

PAGE = b"Running from Docker on CoreOS"
TIMEOUT = 20.0  # seconds that a client waits for its answer


@dataclass(frozen=True)
class Request:
    begun: float  # time.monotonic()
    ended: float
    trouble: str  # empty: the page came


class Load(threading.Thread):
    """Asks for the page at `rate` requests a second, each on a connection of its own, until it is left."""

    def __init__(self, address: str, port: int, rate: float) -> None:
        super().__init__(daemon=True)
        self.address, self.port, self.rate = address, port, rate
        self.requests: list[Request] = []
        self._leave = threading.Event()

    def __enter__(self) -> "Load":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Returns when the last answer is there, or was waited for."""
        self._leave.set()
        self.join()

    def run(self) -> None:
        asyncio.run(self._ask_on())

    async def _ask_on(self) -> None:
        asking: set[asyncio.Task[None]] = set()
        due = time.monotonic()
        while not self._leave.is_set():
            task = asyncio.create_task(self._ask())
            asking.add(task)
            task.add_done_callback(asking.discard)
            due += 1 / self.rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.gather(*asking)

    async def _ask(self) -> None:
        begun = time.monotonic()
        try:
            trouble = await asyncio.wait_for(self._answer(), TIMEOUT)
        except asyncio.TimeoutError:
            trouble = f"no answer in {TIMEOUT:.0f} s"
        except OSError as error:
            trouble = type(error).__name__
        self.requests.append(Request(begun, time.monotonic(), trouble))

    async def _answer(self) -> str:
        reader, writer = await asyncio.open_connection(self.address, self.port)
        try:
            writer.write(f"GET / HTTP/1.1\r\nHost: {self.address}\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
        finally:
            writer.close()
        status = answer.partition(b"\r\n")[0].split(b" ")
        if len(status) < 2:
            return "closed without an answer"
        if status[1] != b"200":
            return status[1].decode(errors="replace")
        return "" if PAGE in answer else "another page"

    # What came of it

    def failed(self) -> list[Request]:
        return [each for each in self.requests if each.trouble]

    def failed_outside(self, outage: tuple[float, float]) -> list[Request]:
        """Of the requests whose whole life lies before or after the outage."""
        return [each for each in self.failed() if each.ended < outage[0] or each.begun > outage[1]]

    def first_good_after(self, moment: float) -> float | None:
        """When the first good answer came after it."""
        return min((each.ended for each in self.requests if not each.trouble and each.ended > moment),
                   default=None)

    def good_since(self, moment: float) -> bool:
        return self.first_good_after(moment) is not None

    def longest_silence(self) -> float:
        """Seconds between two good answers."""
        good = sorted(each.ended for each in self.requests if not each.trouble)
        return max((later - earlier for earlier, later in zip(good, good[1:])), default=float("inf"))

    def troubles(self) -> str:
        kinds = [each.trouble for each in self.failed()]
        return ", ".join(f"{kinds.count(kind)} x {kind}" for kind in sorted(set(kinds)))


class HeldConnection(threading.Thread):
    """A connection whose client waits for whatever comes, and notes when and how it ends."""

    def __init__(self, what: str, address: str, port: int) -> None:
        super().__init__(daemon=True)
        self.what = what
        self.socket = socket.create_connection((address, port), TIMEOUT)
        self.socket.settimeout(120)
        self.ended = 0.0  # time.monotonic(); 0: it is open
        self.how = "still open"
        self.start()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def run(self) -> None:
        try:
            while self.socket.recv(65536):
                pass
            how = "end of stream"
        except TimeoutError:
            return
        except OSError as error:
            how = type(error).__name__
        self.how, self.ended = how, time.monotonic()
