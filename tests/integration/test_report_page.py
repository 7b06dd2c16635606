# Copyright (c) 2026, vigil.ops contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTML report in a real browser: sort, filter, phone, print, dark, without JavaScript, and nothing that a host says is run."""

from __future__ import annotations

import base64
import json
import os
import shutil
import struct
import sys
import zlib

import pytest
from ansible_collections.vigil.ops.plugins.module_utils._engine.checks.result import new_result
from ansible_collections.vigil.ops.plugins.module_utils._engine.report import formats, model
from ansible_collections.vigil.ops.plugins.module_utils._engine.report.words import Words

pytestmark = [pytest.mark.chromium, pytest.mark.timeout(300)]

if sys.version_info >= (3, 12):
    from selenium import webdriver
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys
else:
    pytest.skip("the browser is driven in the leg of the newest ansible-core only: the page does not depend on it", allow_module_level=True)

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"
HOSTS = ["gone", "db1", EVIL, "clocks", "web2", "web10"]
NOW = 1795226400.0
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--window-size=1280,1000",
)


def check(name, status, **values):
    return new_result(
        name,
        **dict({"probe": "disk", "status": status, "severity": "error", "duration_ms": 1.5, "metrics": {"used_percent": 41.5}}, **values),
    )


def fleet():
    evil = {
        "summary": EVIL,
        "reason": EVIL,
        "labels": {EVIL: EVIL},
        "annotations": {EVIL: EVIL, "runbook": "javascript:alert(3)"},
        "caused_by": EVIL,
    }
    miss = [{"path": EVIL, "expected": EVIL, "observed": EVIL}]
    full = {
        "summary": "used_percent is 93.1, expected < 90",
        "failed": [{"path": "used_percent", "expected": "< 90", "observed": 93.1}],
        "was": "ok",
    }
    long = "x" * 300
    found = {
        "web2": (100.0, [check("cpu", "ok")]),
        "web10": (100.0, [check("cpu", "ok"), check("memory", "ok")]),
        "db1": (
            40.0,
            [
                check("cpu", "ok"),
                check("root disk", "critical", since="2026-11-20T14:55:00Z", **full),
                check("queue " + long, "warning", summary=long),
            ],
        ),
        "clocks": (
            50.0,
            [check("cpu", "ok"), check("clock", "unknown", summary="install chrony"), check("later", "skipped", caused_by="clock")],
        ),
        EVIL: (45.0, [check(EVIL, "critical", failed=miss, **evil), check(EVIL + "2", "ok", **evil)]),
    }
    status = {"web2": "ok", "web10": "ok", "db1": "critical", "clocks": "unknown", EVIL: "critical"}
    causes = {EVIL: [{"name": EVIL, "reason": EVIL, "affects": [EVIL]}]}
    made = {
        name: {"results": results, "score": score, "status": status[name], "root_causes": causes.get(name, [])}
        for name, (score, results) in found.items()
    }
    made["gone"] = {"unreachable": True, "msg": "Failed to connect to the host via ssh: No route to host " + EVIL}
    return made


def write(place, results, language="en"):
    histories = {name: [(NOW - 3600 * ago, 100.0 - ago) for ago in range(12, 0, -1)] for name in results}
    doc = model.build(results, EVIL, NOW, histories, Words(language))
    place.write_text(formats.render("html", doc, Words(language)), encoding="utf-8")
    return place.as_uri()


@pytest.fixture(scope="module", name="driver")
def fixture_driver(tmp_path_factory):
    chromium = next((path for path in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if path), None)
    chromedriver = shutil.which("chromedriver")
    if not chromium or not chromedriver:
        pytest.skip("NO BROWSER: the HTML report is not looked at (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    options.set_capability("unhandledPromptBehavior", "ignore")
    driver = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(chromedriver, env=dict(os.environ, HOME=str(tmp_path_factory.mktemp("home"))))
    )
    driver.set_page_load_timeout(60)
    yield driver
    driver.quit()


@pytest.fixture(scope="module", name="url")
def fixture_url(tmp_path_factory):
    return write(tmp_path_factory.mktemp("report") / "inspection.html", fleet())


@pytest.fixture(name="page")
def fixture_page(driver, url):
    """The report, freshly opened on a desk in the light."""
    look(driver)
    driver.get(url)
    return driver


def look(driver, width=1280, height=1000, scheme="light", media="", script=True):
    # a click while the page still scrolls would miss
    features = [{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": features})
    driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
    )
    driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})


def shown(driver):
    """Names of the hosts that the table shows, top down."""
    rows = driver.find_elements(By.CSS_SELECTOR, "#fleet tbody tr")
    return [row.find_element(By.CSS_SELECTOR, ".h-host a").text for row in rows if row.is_displayed()]


def cards(driver):
    return [
        card.find_element(By.CSS_SELECTOR, ".name").text
        for card in driver.find_elements(By.CSS_SELECTOR, "#cards > details")
        if card.is_displayed()
    ]


def head(driver, name):
    return driver.find_element(By.CSS_SELECTOR, f"#fleet th.h-{name}")


def test_worst_host_comes_first(page):
    assert shown(page) == HOSTS and cards(page) == HOSTS
    opened = [card.get_attribute("open") is not None for card in page.find_elements(By.CSS_SELECTOR, "#cards > details")]
    assert opened == [True, True, True, False, False, False]


def test_nothing_of_a_host_is_run_and_nothing_is_asked_for(driver, page, url):
    driver.get_log("performance")
    driver.get_log("browser")
    page.get(url)
    page.find_element(By.ID, "toggle").click()
    said = [line for line in driver.get_log("browser") if line["level"] in ("SEVERE", "WARNING")]
    assert said == [], "no error, and nothing that the content security policy had to stop"
    events = [json.loads(line["message"])["message"] for line in driver.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    assert [address for address in asked if not address.startswith("data:")] == [url]
    assert not [event for event in events if event["method"] == "Page.javascriptDialogOpening"]
    assert page.title.startswith(EVIL) and page.find_element(By.TAG_NAME, "h1").text == EVIL
    assert page.find_elements(By.CSS_SELECTOR, "main script, main img, a[href^=javascript]") == []


def test_the_policy_stops_what_is_not_ours(page):
    page.execute_script("const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.body.appendChild(s)")
    assert page.execute_script("return window.ran") is None


def test_sort_by_click(page):
    head(page, "host").find_element(By.TAG_NAME, "button").click()
    assert shown(page)[-3:] == ["gone", "web2", "web10"], "numbers in names count as numbers"
    assert head(page, "host").get_attribute("aria-sort") == "ascending"
    assert head(page, "status").get_attribute("aria-sort") is None
    head(page, "host").find_element(By.TAG_NAME, "button").click()
    assert shown(page)[:3] == ["web10", "web2", "gone"]
    assert head(page, "host").get_attribute("aria-sort") == "descending"
    head(page, "critical").find_element(By.TAG_NAME, "button").click()
    assert sorted(shown(page)[:2]) == sorted(["db1", EVIL])


def test_sort_by_keyboard(page):
    button = head(page, "score").find_element(By.TAG_NAME, "button")
    button.send_keys(Keys.ENTER)
    assert shown(page) == ["gone", "db1", EVIL, "clocks", "web2", "web10"]
    button.send_keys(Keys.SPACE)
    assert shown(page)[-1] == "gone" and head(page, "score").get_attribute("aria-sort") == "descending"


def test_filter_by_text(page):
    field = page.find_element(By.ID, "q")
    field.send_keys("WEB")
    assert shown(page) == ["web2", "web10"] == cards(page)
    assert page.find_element(By.ID, "shown").text == "2 of 6 hosts"
    field.clear()
    field.send_keys("chrony")
    assert shown(page) == ["clocks"] == cards(page), "what a check says is searched too"
    field.clear()
    field.send_keys("nothing like this")
    assert shown(page) == [] == cards(page)
    assert page.find_element(By.ID, "none").text == "No host matches."
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(Keys.BACKSPACE)
    assert shown(page) == HOSTS and not page.find_element(By.ID, "none").is_displayed()


def test_filter_by_status(page):
    def button(name):
        return page.find_element(By.CSS_SELECTOR, f"[data-f='{name}']")

    button("critical").click()
    assert shown(page) == ["db1", EVIL] == cards(page)
    button("unreachable").click()
    assert shown(page) == ["gone", "db1", EVIL]
    assert [button(name).get_attribute("aria-pressed") for name in ("", "critical", "unreachable", "ok")] == [
        "false",
        "true",
        "true",
        "false",
    ]
    page.find_element(By.ID, "q").send_keys("disk")
    assert shown(page) == ["db1", EVIL]
    head(page, "host").find_element(By.TAG_NAME, "button").click()
    assert shown(page) == [EVIL, "db1"], "sorting keeps the filter"
    page.find_element(By.ID, "q").send_keys(Keys.CONTROL, "a")
    page.find_element(By.ID, "q").send_keys(Keys.BACKSPACE)
    button("").click()
    assert len(shown(page)) == 6 and button("").get_attribute("aria-pressed") == "true"


def test_a_link_opens_the_card(page):
    link = next(link for link in page.find_elements(By.CSS_SELECTOR, "#fleet .h-host a") if link.text == "clocks")
    link.click()
    card = page.find_elements(By.CSS_SELECTOR, "#cards > details")[3]
    assert card.get_attribute("open") is not None and "install chrony" in card.text


def test_expand_and_collapse(page):
    toggle = page.find_element(By.ID, "toggle")
    toggle.click()
    assert len(page.find_elements(By.CSS_SELECTOR, "#cards > details[open]")) == 6 and toggle.text == "Collapse all"
    toggle.click()
    assert page.find_elements(By.CSS_SELECTOR, "#cards > details[open]") == [] and toggle.text == "Expand all"


def test_without_javascript_everything_is_there(driver, url):
    look(driver, script=False)
    try:
        driver.get(url)
        assert driver.find_elements(By.CSS_SELECTOR, "#fleet th button") == []
        assert [element.is_displayed() for element in driver.find_elements(By.CSS_SELECTOR, "#tools, #toggle")] == [False, False]
        assert shown(driver) == HOSTS
        summary = driver.find_elements(By.CSS_SELECTOR, "#cards > details > summary")[3]
        summary.click()
        assert "install chrony" in driver.find_elements(By.CSS_SELECTOR, "#cards > details")[3].text
    finally:
        look(driver)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_width_scrolls_sideways(driver, tmp_path, width, language):
    look(driver, width=width, height=844)
    driver.get(write(tmp_path / "inspection.html", fleet(), language))
    driver.find_element(By.ID, "toggle").click()
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert len(shown(driver)) == 6
    if width >= 390:
        panel = driver.execute_script("const p = document.querySelector('.panel'); return [p.scrollWidth, p.clientWidth]")
        assert panel[0] <= panel[1], "nor does the table inside the page"


def luminance(driver, selector, what):
    """Relative luminance (WCAG 2) of a computed colour."""
    text = driver.execute_script("return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]", selector, what)
    red, green, blue = (int(part) / 255 for part in text[text.index("(") + 1 : -1].replace(",", " ").split()[:3])
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_can_be_read_in_light_and_dark(driver, url, scheme):
    look(driver, scheme=scheme)
    driver.get(url)
    page = luminance(driver, "body", "backgroundColor")
    assert (page < 0.05) if scheme == "dark" else (page > 0.8)
    for selector in (".h-status .t-ok", ".h-status .t-critical", ".h-status .t-unknown", ".h-status .t-unreachable", ".find .t-warning"):
        one, other = sorted((luminance(driver, selector, "color"), luminance(driver, selector, "backgroundColor")))
        assert (other + 0.05) / (one + 0.05) >= 4.5, (scheme, selector)
    card = luminance(driver, ".card", "backgroundColor")
    one, other = sorted((luminance(driver, "header .dim", "color"), card))
    assert (other + 0.05) / (one + 0.05) >= 4.5


def test_print_shows_every_finding_on_white(driver, url):
    look(driver, scheme="dark")
    driver.get(url)
    driver.find_element(By.ID, "toggle").click()
    driver.find_element(By.ID, "toggle").click()
    driver.execute_script("window.dispatchEvent(new Event('beforeprint'))")
    look(driver, scheme="dark", media="print")
    try:
        assert luminance(driver, "body", "backgroundColor") > 0.99
        opened = [card.get_attribute("open") is not None for card in driver.find_elements(By.CSS_SELECTOR, "#cards > details")]
        assert opened == [True, True, True, True, False, False], "what is not ok is opened for the paper"
        assert not driver.find_element(By.ID, "tools").is_displayed()
        driver.execute_script("window.dispatchEvent(new Event('afterprint'))")
        assert driver.find_elements(By.CSS_SELECTOR, "#cards > details[open]") == []
        pdf = base64.b64decode(driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": False})["data"])
        assert pdf.startswith(b"%PDF") and len(pdf) > 10000
    finally:
        look(driver)


def colours(png):
    """How many different rows of pixels a PNG has: a page that is blank has very few."""
    data, place, packed = png, 8, b""
    width, height = struct.unpack(">II", data[16:24])
    while place < len(data):
        length = struct.unpack(">I", data[place : place + 4])[0]
        if data[place + 4 : place + 8] == b"IDAT":
            packed += data[place + 8 : place + 8 + length]
        place += length + 12
    raw = zlib.decompress(packed)
    line = len(raw) // height
    assert width
    return len({raw[start : start + line] for start in range(0, len(raw), line)})


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_it_is_drawn(driver, url, width, scheme):
    look(driver, width=width, scheme=scheme)
    driver.get(url)
    png = base64.b64decode(driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})["data"])
    assert colours(png) > 100


def test_five_hundred_hosts_open_and_filter(driver, tmp_path):
    checks = [check(f"check {index}", "ok", labels={"service": "x"}) for index in range(30)]
    results = {f"host{index}": {"results": checks, "score": 100, "status": "ok"} for index in range(499)}
    results["needle"] = {"results": [check("haystack", "critical", summary="found"), *checks], "score": 96, "status": "critical"}
    look(driver)
    driver.get(write(tmp_path / "inspection.html", results))
    assert driver.execute_script("return document.querySelectorAll('#cards > details').length") == 500
    driver.find_element(By.ID, "q").send_keys("haystack")
    assert driver.find_element(By.ID, "shown").text == "1 of 500 hosts"
    assert driver.execute_script("return document.querySelectorAll('#fleet tbody tr:not([hidden])').length") == 1
