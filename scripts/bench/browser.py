"""The first run-list page as a browser sees it whose cache is empty: headless Chromium, a new context each time."""

import shutil
from dataclasses import dataclass
from statistics import median
from typing import Any

from playwright.sync_api import Browser, sync_playwright

WATCH = """
window.shifts = 0;
new PerformanceObserver((list) => { for (const each of list.getEntries()) window.shifts += each.value; })
  .observe({ type: "layout-shift", buffered: true });
const look = () => {
  const row = document.querySelector("tbody tr");
  if (row && row.getBoundingClientRect().height > 0)
    requestAnimationFrame(() => { window.rowsAt = performance.now(); }); // the frame before is painted
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""


@dataclass(frozen=True)
class Visit:
    rows_ms: float
    """From the navigation's begin until rows are on the screen."""
    shift: float
    requests: int
    wire_bytes: int


def visits(url: str, cookie: str, times: int) -> list[Visit]:
    """So many first visits; the cookie is that of a signed-in browser."""
    name, _, value = cookie.partition("=")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        found = [_visit(chromium, url, {"name": name, "value": value, "url": url}) for _ in range(times + 1)]
        chromium.close()
    return found[1:]


def _visit(chromium: Browser, url: str, cookie: Any) -> Visit:
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    context.add_cookies([cookie])
    page = context.new_page()
    wire = context.new_cdp_session(page)
    sizes: list[float] = []
    wire.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    wire.send("Network.enable")
    page.add_init_script(WATCH)
    page.goto(url, wait_until="networkidle")
    rows_at, shifts = page.evaluate("[window.rowsAt, window.shifts]")
    context.close()
    over_the_wire = [size for size in sizes if size]
    return Visit(rows_at, shifts, len(over_the_wire), int(sum(over_the_wire)))


def report(found: list[Visit]) -> str:
    rows = sorted(visit.rows_ms for visit in found)
    return (
        f"first run-list page in Chromium, cold cache: rows after {median(rows):.0f} ms (median of {len(rows)};"
        f" {rows[0]:.0f} to {rows[-1]:.0f}), layout shift {max(visit.shift for visit in found):.3f},"
        f" {max(visit.requests for visit in found)} requests, {max(visit.wire_bytes for visit in found) / 1000:.1f} kB"
    )
