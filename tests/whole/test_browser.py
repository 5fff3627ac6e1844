"""What a reader sees and types: JupyterLab, the report, the board and the site, in a real browser.

Needs Playwright for Python (`pip install '.[browser]'`) and a Chromium of the
system (Debian: `apt install chromium`). Where one of them is missing, these tests are skipped.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT, copy_project
from house.test_lab import running_lab

from wfine_workflow.board import build_board
from wfine_workflow.index import build
from wfine_workflow.site import build as website

sync_api = pytest.importorskip("playwright.sync_api", reason="no Playwright: the extra browser")

NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason=f"no browser of the system: {', '.join(NAMES)}"),
]

NOTEBOOK = "jupyterapp.shell.currentWidget"
CELLS = f"""() => Array.from({NOTEBOOK}.content.model.cells)
    .filter(cell => cell.type === 'code')
    .map(cell => [
        cell.executionCount,
        cell.outputs.toJSON().filter(x => x.output_type === 'error').map(x => x.evalue),
    ])"""
READY = f"""() => {{
    const kernel = {NOTEBOOK}?.sessionContext?.session?.kernel;
    return kernel?.connectionStatus === 'connected' && kernel.status === 'idle';
}}"""


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with sync_api.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)


@pytest.fixture
def new_page(browser) -> Iterator[Callable]:
    """Opens pages, and sees to it that none of them asks for anything that lies elsewhere."""
    contexts, elsewhere = [], []

    def note(request) -> None:
        if not re.match(
            r"(file:|data:|blob:|(http|ws)://(localhost|127\.0\.0\.1)[:/])", request.url
        ):
            elsewhere.append(request.url)

    def open_page(width: int = 1400, height: int = 900, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        context.on("request", note)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()
    assert elsewhere == []


# --- JupyterLab -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[tuple[Path, str, str]]:
    """A copy of the project, and address and token of its lab."""
    project = copy_project(tmp_path_factory.mktemp("lab") / "wfine")
    expose = "--LabApp.expose_app_in_browser=True"
    with running_lab(project, tmp_path_factory.mktemp("runtime"), expose) as (url, token):
        yield project, url, token


def opened(page, lab, name: str):
    """A notebook in the lab, with an idle kernel."""
    _, url, token = lab
    page.goto(f"{url}lab/tree/lab/{name}.ipynb?token={token}&reset")
    page.wait_for_function("() => window.jupyterapp?.shell?.currentWidget", timeout=120_000)
    page.wait_for_function(READY, timeout=120_000)  # the lab calls a kernel idle before that
    return page


def run_all(page) -> list:
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells') }")
    page.wait_for_function(
        f"() => ({CELLS})().some(([n, errors]) => errors.length)"
        f" || ({CELLS})().every(([n]) => n !== null)", timeout=400_000,
    )  # fmt: skip
    return page.evaluate(CELLS)


@pytest.mark.parametrize(
    "name", ["start", "01_data_taxonomy", "02_requirement_dropping", "08_annotation"]
)
def test_run_all(lab, new_page, name):
    page = opened(new_page(), lab, name)
    assert page.locator(".jp-Launcher").count() == 0
    cells = run_all(page)
    assert [errors for _, errors in cells if errors] == []
    assert [n for n, _ in cells] == list(range(1, len(cells) + 1))


@pytest.fixture
def form(lab, new_page) -> Iterator:
    """The annotation form in a fresh session, before anybody has said who they are."""
    page = opened(new_page(), lab, "08_annotation")
    run_all(page)
    page.locator(".wfine-form").scroll_into_view_if_needed()
    page.get_by_label("Pseudonym").wait_for()
    yield page
    page.evaluate(f"() => {NOTEBOOK}.sessionContext.shutdown()")
    shutil.rmtree(lab[0] / "annotations", ignore_errors=True)


def n_cells(page) -> int:
    return page.evaluate(f"() => {NOTEBOOK}.content.model.cells.length")


FOCUSED = "(document.activeElement.closest('.widget-text') || {}).innerText || ''"


def wait_for_focus(page, label: str) -> None:
    """Wait until the keyboard is in the field of this label."""
    page.wait_for_function(f"label => ({FOCUSED}).trim() === label", arg=label)


def start_as(page, name: str) -> None:
    page.get_by_label("Pseudonym").focus()
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    wait_for_focus(page, "Rank of A")


def type_ranks(page, ranks: str) -> None:
    for place, rank in enumerate(ranks):
        if place:
            page.keyboard.press("Tab")
        page.keyboard.type(rank)


def test_the_form_by_keyboard_alone(lab, form):
    before = n_cells(form)
    start_as(form, "ann")
    for key in ("ArrowDown", "ArrowUp", "b", "x", "a", "Backspace", "Backspace", "Backspace"):
        form.keyboard.press(key)
    assert n_cells(form) == before, "keys meant for the form are no commands of JupyterLab"
    type_ranks(form, "21345")
    wait_for_focus(form, "Rank of E")
    form.keyboard.press("Enter")
    said = form.get_by_text("Chain 1 of 6 saved to annotations/annotations_ann.csv at")
    said.wait_for()
    assert len(pd.read_csv(lab[0] / "annotations" / "annotations_ann.csv")) == 5
    wait_for_focus(form, "Rank of A")
    type_ranks(form, "1")
    said.wait_for(state="detached")
    form.keyboard.press("Enter")
    form.get_by_text("Found no rank for B, C, D, E").wait_for()
    assert n_cells(form) == before


@pytest.mark.parametrize("what", ["shutdown", "restart"])
def test_a_form_without_its_kernel_says_so(lab, form, what):
    start_as(form, "bob")
    type_ranks(form, "12345")
    form.keyboard.press("Enter")
    form.get_by_text("Chain 1 of 6 saved to annotations/annotations_bob.csv").wait_for()
    file = lab[0] / "annotations" / "annotations_bob.csv"
    before = file.read_bytes()
    warning = form.get_by_text("Nothing can be saved: this form has no kernel any more")
    assert not warning.is_visible()
    kernel = {"shutdown": "shutdown()", "restart": "session.kernel.restart()"}[what]
    form.evaluate(f"() => {NOTEBOOK}.sessionContext.{kernel}")
    warning.wait_for(state="visible")
    type_ranks(form, "12345")
    form.keyboard.press("Enter")
    form.wait_for_timeout(1000)
    assert warning.is_visible() and file.read_bytes() == before


def test_the_form_at_a_glance(form):
    """At 1400 × 900: instruction, ranks and buttons in one view, the responses in one row."""
    start_as(form, "cem")

    def boxes() -> dict[str, dict]:
        places = {x: form.get_by_label(f"Rank of {x}") for x in "ABCDE"}
        places["asked"] = form.get_by_text("What was asked for", exact=True)
        places["save"] = form.get_by_role("button", name="Save", exact=True)
        return {name: place.bounding_box() for name, place in places.items()}

    def all_in_view() -> bool:
        return all(b["y"] >= 0 and b["y"] + b["height"] <= 900 for b in boxes().values())

    form.wait_for_timeout(500)
    assert len({round(boxes()[x]["y"]) for x in "ABCDE"}) == 1
    assert all_in_view()
    assert form.get_by_text(re.compile(r"Response [A-E], \d+ words")).count() == 5
    type_ranks(form, "11111")
    form.mouse.move(900, 600)
    form.mouse.wheel(0, 600)  # to the end of the longest text
    form.keyboard.press("Enter")
    form.get_by_text("Chain 1 of 6 saved").wait_for()
    form.wait_for_timeout(500)
    assert all_in_view(), "the next chain is shown from its beginning"


# --- the report -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> list[Path]:
    """The pages of the kept run of mini."""
    folder = tmp_path_factory.mktemp("outputs") / "mini"
    shutil.copytree(ROOT / "outputs" / "reference" / "mini", folder)
    return sorted(build(folder).parent.glob("*.html"), reverse=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_the_report_on_a_desk_and_on_a_phone(report, new_page, width, scheme):
    page = new_page(width, 900, color_scheme=scheme)
    for path in report:
        page.goto(path.as_uri())
        over = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert over <= 0, f"{path.name} scrolls sideways"
        colour = page.evaluate(
            "() => { const c = document.createElement('canvas').getContext('2d');"
            " c.fillStyle = getComputedStyle(document.body).backgroundColor;"
            " c.fillRect(0, 0, 1, 1); return [...c.getImageData(0, 0, 1, 1).data] }"
        )
        if colour[3]:  # else the browser paints its own page, which color-scheme makes dark
            assert (sum(colour[:3]) < 200) == (scheme == "dark"), f"{path.name}: {colour}"
        links = page.evaluate("() => [...document.links].map(a => a.href)")
        for link in links:
            target, _, place = link.partition("#")
            if target.startswith("file:"):
                file = Path(target.removeprefix("file://"))
                assert file in report, f"{path.name} links to {link}"
                assert not place or f'id="{place}"' in file.read_text(encoding="utf-8")
        alts = page.evaluate("() => [...document.images].map(i => i.alt)")
        assert all(len(alt) > 15 for alt in alts), f"{path.name}: {alts}"
        assert len(set(alts)) == len(alts)
        assert "0%|" not in page.inner_text("body")


def test_the_headline_can_be_read_on_a_phone(report, new_page):
    page = new_page(390, 900)
    page.goto(report[0].as_uri())
    assert report[0].name == "index.html"
    rows = page.locator("h2:text('In short') + .scroll tbody tr")
    assert rows.count() > 10
    for cell in rows.locator("td:nth-child(2)").all():
        box = cell.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390
        assert re.search(r"\d", cell.inner_text())


# --- the board ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def board(tmp_path_factory) -> Path:
    """The board of the kept runs of mini and encoder."""
    kept = ROOT / "outputs" / "reference"
    out = tmp_path_factory.mktemp("board") / "board.html"
    return build_board([kept / "mini", kept / "encoder"], out)


def rows_of(table) -> list[list[str]]:
    """The texts of the rows that are seen in a table, without those that name a part."""
    return [
        row.locator("th, td").all_inner_texts()
        for row in table.locator("tbody tr:not(.part)").all()
        if row.is_visible()
    ]


def first_number(text: str) -> float:
    return float(re.match(r"[-\d.,]+", text.strip())[0].replace(",", ""))


def numbers(table, place: int) -> list[float]:
    return [first_number(row[place]) for row in rows_of(table) if row[place].strip() != "–"]


def test_the_board_is_sorted_by_click_and_by_key(board, new_page):
    page = new_page()
    page.goto(board.as_uri())
    table = page.locator("table.board").first
    assert numbers(table, 3) == sorted(numbers(table, 3), reverse=True)
    head = table.locator("thead th").nth(8)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert numbers(table, 8) == sorted(numbers(table, 8), reverse=True)
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert numbers(table, 8) == sorted(numbers(table, 8))
    pairs = table.locator("thead th").nth(9)
    for _ in range(2):  # what has no number stands last, whichever comes first
        pairs.get_by_role("button").click()
        cells = [row[9].strip() for row in rows_of(table)]
        assert "–" not in cells[: len(numbers(table, 9))]


def test_the_board_is_filtered(board, new_page):
    page = new_page()
    page.goto(board.as_uri())
    page.locator("select[name=kind]").select_option("null")
    seen = [row for table in page.locator("table.board").all() for row in rows_of(table)]
    assert seen and {row[2] for row in seen} == {"null"}
    page.locator("select[name=kind]").select_option("")
    page.locator("select[name=run]").select_option("encoder")
    seen = [row for table in page.locator("table.board").all() for row in rows_of(table)]
    assert seen and {row[1] for row in seen} == {"encoder"}
    page.locator("select[name=run]").select_option("")
    page.locator("select[name=subset]").select_option("type:style")
    table = page.locator("table.board").first
    assert numbers(table, 4) == sorted(numbers(table, 4), reverse=True)
    assert {row[3].strip() for row in rows_of(table)} == {"–"}
    assert page.locator(".none:visible").count() == 1, "the authors' chains have no types"
    said = page.locator("#shown").inner_text()
    assert re.fullmatch(r"\d+ of \d+ rows are shown\.", said)


def test_a_row_of_the_board_leads_to_its_stamp(board, new_page):
    page = new_page()
    page.goto(board.as_uri())
    stamp = page.locator("#stamp-1 pre")
    assert not stamp.is_visible()
    page.locator("table.board tbody a").first.click()
    assert stamp.is_visible() and '"versions"' in stamp.inner_text()


def test_the_board_can_be_read_without_a_script(board, new_page):
    page = new_page(java_script_enabled=False)
    page.goto(board.as_uri())
    assert not page.locator("#filters").is_visible()
    rows = page.locator("table.board tbody tr")
    assert rows.count() > 100
    assert rows.first.is_visible() and rows.last.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_the_board_on_a_desk_and_on_a_phone(board, new_page, width, scheme):
    page = new_page(width, 900, color_scheme=scheme)
    errors: list = []
    page.on("pageerror", lambda error: errors.append(error))  # Playwright marks what it is given
    page.on("console", lambda message: errors.append(message.text))
    page.goto(board.as_uri())
    over = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
    assert over <= 0, "the page scrolls sideways, and not the table alone"
    assert page.locator("#shown").inner_text() != "", "the script ran under the page's own policy"
    assert errors == []


# --- the site -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    if not all(map(find_spec, website.NEEDED)):
        pytest.skip("no Sphinx: the extra site, which `make site` installs")
    folder = tmp_path_factory.mktemp("site") / "pages"
    website.build(ROOT, folder)
    return folder


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_the_site_on_a_desk_and_on_a_phone(site, new_page, width, scheme):
    """No page is wider than the screen, each follows the reader's light or dark."""
    page, errors = new_page(width, 900, color_scheme=scheme), []
    page.on("pageerror", lambda error: errors.append(error))  # Playwright marks what it is given
    for path in sorted(site.rglob("*.html")):
        page.goto(path.as_uri())
        over = page.evaluate("() => document.documentElement.scrollWidth - window.innerWidth")
        assert over <= 0, f"{path.name} scrolls sideways"
        colours = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        red = int(re.search(r"\d+", colours)[0])
        assert (red < 80) == (scheme == "dark"), f"{path.name}: {colours}"
    assert errors == [], "a script of a page has failed"


def test_the_menu_of_the_site_on_a_phone(site, new_page):
    page = new_page(390, 900)
    page.goto((site / "docs" / "method.html").as_uri())
    link = page.locator(".sidebar-tree a", has_text="03 The reward model")
    assert not link.is_visible() or link.bounding_box()["x"] < 0
    page.locator(".nav-overlay-icon").first.click()
    link.click()
    page.wait_for_url("**/notebooks/03_reward_model.html")


def test_a_search_of_the_site_from_a_folder(site, new_page):
    page = new_page()
    page.goto((site / "docs" / "gpu.html").as_uri())
    page.get_by_placeholder("Search").fill("Latin square")
    page.keyboard.press("Enter")
    found = page.locator("#search-results li a", has_text="02 Requirement dropping")
    found.first.click()
    page.wait_for_url("**/notebooks/02_requirement_dropping.html*")


def test_code_of_the_site_can_be_copied(site, new_page):
    page = new_page()
    page.goto((site / "notebooks" / "03_reward_model.html").as_uri())
    block = page.locator("div.cell_input div.highlight", has_text="def bradley_terry_loss").first
    block.hover()
    block.locator("button.copybtn").click()
    block.locator("button.copybtn.success").wait_for()
    page.evaluate(
        "() => { const area = document.createElement('textarea'); area.id = 'paste';"
        " document.body.append(area); area.focus() }"
    )
    page.keyboard.press("Control+V")
    assert page.locator("#paste").input_value().startswith("def bradley_terry_loss(chosen")


def test_formulas_of_the_site_are_drawn(site, new_page):
    """A fraction is higher than its numerator: the browser has laid it out."""
    page = new_page()
    page.goto((site / "notebooks" / "03_reward_model.html").as_uri())
    whole = page.locator("math[display=block] mfrac").first
    part = whole.locator("xpath=./*[1]")
    assert whole.bounding_box()["height"] > 1.5 * part.bounding_box()["height"] > 0
