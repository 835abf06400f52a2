# SPDX-License-Identifier: Apache-2.0
"""What a person sees who has the page open, and whether it is so."""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ambassador import HOSTILE, Ambassador, Backend, Client, Etcd, free_port
from browser import Browser
from waiting import Failure, wait_for

KEY = "/services/web/"
# By the words of its cells: what a row of a table, a fact or a tile says.
READERS = """
const textOf = (node) => node.textContent.trim();
const factsIn = (place) => Object.fromEntries([...document.querySelectorAll(place + ' dl:not(#tiles) dt')].map((dt) => [textOf(dt), textOf(dt.nextSibling)]));
const tiles = () => Object.fromEntries([...document.querySelectorAll('#tiles dt')].map((dt) => [textOf(dt), textOf(dt.nextSibling)]));
const services = () => [...document.querySelectorAll('.service')].map((service) => ({
  cells: [...service.querySelectorAll('summary > span')].map((cell) => textOf(cell.lastElementChild ?? cell)),
  name: textOf(service.querySelector('.name b')),
  listen: textOf(service.querySelector('.name .mono')),
  rows: [...service.querySelectorAll('tbody tr')].map((row) => Object.fromEntries([...row.children].map((cell) => [cell.dataset.label, textOf(cell)]))),
}));
"""


class Scene:
    """A service of etcd with two backends and hostile words, one that is named hostilely, and one of fixed endpoints."""

    def __init__(self, program: Path, work: Path, browser: Browser) -> None:
        self.browser, self.pictures = browser, work
        self.etcd = Etcd(work)
        self.backends = [Backend(work) for _ in range(3)]
        self.ports = [free_port() for _ in range(3)]
        for i, backend in enumerate(self.backends[:2]):
            self.etcd.put(f"{KEY}web-{i}", f'{{"host": "127.0.0.1", "port": {backend.port}}}')
        self.etcd.put(KEY + "bad" + HOSTILE.replace("/", ""), HOSTILE)
        name = HOSTILE.replace("\\", "").replace('"', '\\"')
        self.ambassador = Ambassador(program, work, (
            f'[etcd.main]\nurls = ["{self.etcd.url}"]\napi = "v3"\n'
            f'[service.web]\nlisten = "127.0.0.1:{self.ports[0]}"\nsource = "etcd.main"\n'
            f'[service."{name}"]\nlisten = "127.0.0.1:{self.ports[1]}"\nsource = "etcd.main"\n'
            f'[service.fixed]\nlisten = "127.0.0.1:{self.ports[2]}"\nendpoints = ["{self.backends[2].address}"]\n'))
        self.clients = [Client(self.ports[0]) for _ in range(3)]
        for client in self.clients:
            if client.ask(b"hello") != b"hello":
                raise Failure("the ambassador does not forward")

    def open_page(self) -> None:
        self.browser.go_to(self.ambassador.url)
        self.browser.value_of("void (() => {" + READERS.replace("const ", "window.") + "})()")
        self.browser.wait_until("services().length === 3", "the page shows the services")

    def services(self) -> Any:
        return self.browser.value_of("services()")

    def service(self, name: str) -> Any:
        return next(each for each in self.services() if each["name"] == name)

    def facts(self, place: str) -> Any:
        return self.browser.value_of(f"factsIn('{place}')")

    def endpoint(self, backend: Backend) -> Any:
        """Its row; None: there is none."""
        rows = [row for service in self.services() for row in service["rows"]]
        return next((row for row in rows if row.get("Endpoint") == backend.address), None)

    def quiet(self) -> list[str]:
        """What the browser complains of, but of a process that is away."""
        return [each for each in self.browser.complaints if "Failed to load resource: net::" not in each]


LOST = "document.body.hasAttribute('data-lost') && textOf(document.querySelector('#lost'))"


def expect(is_so: bool, what: str, seen: Any = "") -> None:
    if not is_so:
        raise Failure(f"{what}: {seen}")


def expect_equal(seen: Any, meant: Any, what: str) -> None:
    expect(seen == meant, f"{what} is not {meant!r}", repr(seen))


def plain(figure: str) -> int:
    return int(figure.replace(",", ""))


def plain_seconds(span: str) -> int:
    """Of "1m 5s", for example."""
    return sum(int(each[:-1]) * {"s": 1, "m": 60, "h": 3600}[each[-1]] for each in span.split())


def figures_are_those_of_the_status(scene: Scene) -> None:
    def agree() -> bool:
        status = scene.ambassador.status()
        for shown, meant in zip(scene.services(), status["services"], strict=True):
            if (shown["name"], shown["listen"]) != (meant["name"], ", ".join(meant["listen"])):
                return False
            endpoints = [row for row in shown["rows"] if "Endpoint" in row]
            if [(row["Endpoint"], plain(row["Open"]), plain(row["Total"]), plain(row["Failed"]), row["Found as"])
                    for row in endpoints] != [
                    (each["address"], each["connections_now"], each["connections_total"], each["failed_connects"],
                     each["found_as"]) for each in meant["endpoints"]]:
                return False
        tiles, process = scene.browser.value_of("tiles()"), scene.facts("#process")
        return (plain(tiles["Connections"]) == status["connections"]["now"] == 3
                and tiles["Endpoints up"] == "3"
                and process["Process"] == str(status["pid"]) and process["Version"] == status["version"]
                and process["Engine"] == status["engine"]
                and plain(process["Generation"]) == status["configuration"]["generation"]
                and plain(scene.facts("#dataplane")["Connections"]) == status["connections"]["total"])
    wait_for("the page shows the figures of /status", agree)
    troubles = scene.browser.value_of("[...document.querySelectorAll('#troubles li')].map(textOf)")
    expect_equal(troubles, scene.ambassador.status()["troubles"], "the troubles shown")


def names_are_shown_as_text(scene: Scene) -> None:
    expect(any(each["name"] == HOSTILE for each in scene.services()), "a hostile name is shown", scene.services())
    rejected = next(row for row in scene.service("web")["rows"] if row.get("Reason"))
    expect("<script>hacked=1" in rejected["Key"], "a hostile key is shown as it is", rejected)
    expect_equal(scene.browser.value_of("document.querySelectorAll('main script, main img').length"), 0, "elements of names")
    expect_equal(scene.browser.value_of("typeof hacked"), "undefined", "what a name would have run")


def the_policy_forbids_what_is_foreign(scene: Scene) -> None:
    browser, before = scene.browser, len(scene.browser.complaints)
    expect_equal(browser.value_of("""(() => { try { document.body.insertAdjacentHTML('beforeend', '<b>x</b>'); return 'done'; }
        catch (error) { return error.name; } })()"""), "TypeError", "markup from text")
    expect_equal(browser.value_of("""fetch('http://127.0.0.1:1/').then(() => 'asked', (error) => error.name)"""),
                 "TypeError", "asking another process")
    wait_for("the browser says so", lambda: browser.value_of("1") == 1 and any(
        "connect-src" in each for each in browser.complaints[before:]))
    del browser.complaints[before:]


def a_reader_without_a_mouse_can_use_it(scene: Scene) -> None:
    browser = scene.browser
    browser.value_of("document.querySelector('#filter').focus()")
    browser.press("Tab", 9)
    expect_equal(browser.value_of("document.activeElement.tagName"), "SUMMARY", "where Tab goes")
    open_now = "document.activeElement.parentNode.open"
    before = browser.value_of(open_now)
    browser.press("Enter", 13, "\r")
    browser.wait_until(f"{open_now} !== {str(before).lower()}", "Enter opens and closes a service")
    browser.press("Enter", 13, "\r")
    browser.wait_until("document.activeElement.parentNode.open", "Enter opens and closes a service")
    browser.value_of("document.querySelector('.plot svg').focus()")
    browser.press("ArrowLeft", 37)
    browser.wait_until("/^\\d/.test(textOf(document.querySelector('figcaption .mute')))", "an arrow says what was when")
    browser.value_of("document.activeElement.blur()")


def the_last_changes_are_shown_with_their_revisions(scene: Scene) -> None:
    rows = ("[...document.querySelectorAll('#changes tbody tr')].map((row) => "
            "Object.fromEntries([...row.children].map((cell) => [cell.dataset.label, textOf(cell)])))")
    address = f"127.0.0.1:{free_port()}"
    scene.etcd.put(KEY + "idle", f'{{"host": "127.0.0.1", "port": {address.rpartition(":")[2]}, "weight": 0}}')
    wait_for("a change is shown", lambda: f"+{address}" in scene.browser.value_of(rows)[0]["Outcome"])
    scene.etcd.delete(KEY + "idle")
    wait_for("the next one is above it", lambda: f"-{address}" in scene.browser.value_of(rows)[0]["Outcome"])
    newest, before = scene.browser.value_of(rows)[:2]
    expect_equal((newest["Service"], newest["What"]), ("web", "set changed"), "what has changed")
    expect_equal(newest["Because of"], KEY + "idle removed", "the cause")
    expect_equal(int(newest["Revision"]), int(before["Revision"]) + 1, "the revisions")


def filter_finds_an_endpoint(scene: Scene) -> None:
    def search(words: str) -> None:
        scene.browser.value_of(f"(() => {{ const field = document.querySelector('#filter'); field.value = '{words}';"
                               "field.dispatchEvent(new Event('input')); })()")
    search(scene.backends[1].address)
    expect_equal([each["name"] for each in scene.services()], ["web"], "services with that endpoint")
    expect_equal(scene.endpoint(scene.backends[0]), None, "the row of another endpoint")
    search("nothing that there is")
    expect_equal(scene.services(), [], "services of that name")
    search("")
    expect_equal(len(scene.services()), 3, "services without a filter")


def figures_stay_where_they_are(scene: Scene) -> None:
    """While they change, nothing moves, is made anew, or loses the focus; and it all fits a narrow screen."""
    browser, stop = scene.browser, threading.Event()
    for client in scene.clients:
        client.keep_asking(b"x" * 20000, 0.02, stop)
    browser.wait_until("/[KM]iB/.test(tiles()['To clients'])", "the page shows traffic")
    browser.value_of("""void (() => { window.moved = []; window.row = document.querySelector('.service tbody tr');
        document.querySelector('summary').focus(); document.querySelector('.service').open = true; scrollTo(0, 150);
        new PerformanceObserver((list) => { for (const each of list.getEntries())
                for (const {node, previousRect: from, currentRect: to} of each.sources)
                    moved.push(`${node?.parentNode?.outerHTML ?? node}: ${from.x},${from.y} -> ${to.x},${to.y}`); })
            .observe({type: 'layout-shift'}); window.since = document.querySelector('#about').textContent; })()""")
    asked = "performance.getEntriesByName(location.href + 'status').length"
    before = browser.value_of(asked)
    browser.wait_until(f"{asked} >= {before} + 4", "the page asks again")
    stop.set()
    expect_equal(browser.value_of("scrollY"), 150, "the place")
    expect_equal(browser.value_of("moved"), [], "what has moved")
    expect(browser.value_of("row.isConnected && document.activeElement.tagName === 'SUMMARY'"), "the rows are kept")
    for width in (360, 800, 1280):
        browser.resize(width, 900)
        expect(browser.value_of("document.documentElement.scrollWidth <= innerWidth"), f"it fits {width} pixels",
               browser.value_of("document.documentElement.scrollWidth"))


def plots_show_what_was(scene: Scene) -> None:
    says = "document.querySelector('.plot svg').getAttribute('aria-label')"
    scene.browser.wait_until(f"/now: proxy 3,/.test({says})", "the plot shows three connections")
    scene.browser.wait_until("document.querySelectorAll('.plot .area').length >= 3", "the plots are drawn")


def a_hidden_page_does_not_ask(scene: Scene) -> None:
    browser = scene.browser
    hide = ("Object.defineProperty(document, 'hidden', {{configurable: true, get: () => {0}}});"
            "document.dispatchEvent(new Event('visibilitychange'))")
    asked = "performance.getEntriesByType('resource').length"
    browser.value_of(hide.format("true"))
    time.sleep(0.5)  # for an answer that is on its way
    before = browser.value_of(asked)
    time.sleep(2.5)  # nothing happens, so there is nothing to wait for
    expect_equal(browser.value_of(asked), before, "requests while it is hidden")
    browser.value_of(hide.format("false"))
    browser.wait_until(f"{asked} > {before}", "it asks again when it is seen")


def soon(scene: Scene, what: str, happened: Callable[[], bool]) -> None:
    """When the page, which asks each second, has asked twice: in less than 2 s on a machine that is not too busy."""
    asked = "performance.getEntriesByName(location.href + 'status').length"
    before, began = scene.browser.value_of(asked), time.monotonic()
    wait_for(what, happened)
    print(f"    measured, {what}: {time.monotonic() - began:.1f} s", flush=True)
    expect(scene.browser.value_of(asked) - before <= 2, f"{what} when the page has asked twice")


def a_crowd_that_asks_nothing_keeps_nobody_away(scene: Scene) -> None:
    crowd = [socket.create_connection(("127.0.0.1", scene.ambassador.port)) for _ in range(300)]
    up = plain_seconds(scene.facts("#process")["Up"])
    wait_for("the page goes on", lambda: plain_seconds(scene.facts("#process")["Up"]) >= up + 3)
    expect(not scene.browser.value_of(LOST), "the page has missed the process")
    for each in crowd:
        each.close()


def a_killed_backend_shows(scene: Scene) -> None:
    victim = scene.backends[2]
    expect_equal(scene.endpoint(victim)["State"], "● up", "the state before")
    victim.kill()
    Client(scene.ports[2]).close()
    soon(scene, "a killed backend is shown as ejected",
         lambda: scene.endpoint(victim)["State"].startswith("✕ ejected, "))
    scene.browser.wait_until("/^▲ \\d troubles?$/.test(textOf(document.querySelector('#state')))", "troubles are on top")
    gone = scene.backends[1]
    scene.etcd.delete(KEY + "web-1")
    soon(scene, "a key that is removed takes its row along", lambda: scene.endpoint(gone) is None)


def a_process_that_is_away_is_missed_and_comes_back(scene: Scene) -> None:
    browser, ambassador = scene.browser, scene.ambassador
    browser.resize(1280, 500)
    browser.value_of("""void (() => { [...document.querySelectorAll('.service')].forEach((each, i) => each.open = i === 0);
        scrollTo(0, 300); window.looked = document.querySelector('.service summary'); })()""")
    before, pid = scene.services(), ambassador.status()["pid"]
    ambassador.kill()
    soon(scene, "a killed process is missed", lambda: bool(browser.value_of(LOST)))
    says = browser.value_of(LOST)
    expect(says.startswith("No answer since ") and "it cannot be reached" in says, "it says what is wrong", says)
    expect_equal([each["name"] for each in scene.services()], [each["name"] for each in before], "the services still shown")
    browser.picture(scene.pictures / "lost.png")
    ambassador.start()
    browser.wait_until(f"!({LOST})", "the page comes back by itself")
    expect(scene.facts("#process")["Process"] != str(pid), "it shows the new process")
    expect_equal(browser.value_of("[...document.querySelectorAll('.service')].map((each) => each.open)"),
                 [True, False, False], "what is opened")
    # Not to the pixel: the new process has less to say at first.
    top = browser.value_of("looked.isConnected && looked.getBoundingClientRect().top")
    expect(0 < top < 500, "what was looked at is still to be seen", top)
    browser.wait_until("/now: proxy 0,/.test(document.querySelector('.plot svg').getAttribute('aria-label'))",
                       "the plots are those of the new process")


def a_process_that_hangs_is_missed(scene: Scene) -> None:
    scene.ambassador.freeze()
    try:
        scene.browser.wait_until(LOST, "a process that hangs is missed")
        says = scene.browser.value_of(LOST)
        expect("it has not answered in time" in says, "it says that it hangs", says)
    finally:
        scene.ambassador.thaw()
    scene.browser.wait_until(f"!({LOST})", "the page comes back by itself")


def pictures_are_taken(scene: Scene) -> None:
    for width, height in ((1280, 900), (360, 740)):
        for scheme in ("light", "dark"):
            scene.browser.resize(width, height)
            scene.browser.prefer(scheme)
            scene.browser.wait_until(f"matchMedia('(prefers-color-scheme: {scheme})').matches && innerWidth === {width}",
                                     "the screen is another")
            scene.browser.value_of("scrollTo(0, 0)")
            scene.browser.picture(scene.pictures / f"{width}-{scheme}.png")


def the_browser_has_nothing_to_complain_of(scene: Scene) -> None:
    expect_equal(scene.quiet(), [], "what the browser complains of")


ALL: tuple[Callable[[Scene], None], ...] = (
    figures_are_those_of_the_status, names_are_shown_as_text, the_policy_forbids_what_is_foreign,
    a_reader_without_a_mouse_can_use_it, the_last_changes_are_shown_with_their_revisions,
    filter_finds_an_endpoint, plots_show_what_was, figures_stay_where_they_are,
    a_hidden_page_does_not_ask, a_crowd_that_asks_nothing_keeps_nobody_away, a_killed_backend_shows, pictures_are_taken,
    a_process_that_hangs_is_missed, a_process_that_is_away_is_missed_and_comes_back,
    the_browser_has_nothing_to_complain_of)
