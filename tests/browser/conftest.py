"""One deployment and one browser for all tests of the pages; without Chromium there are none."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from deployment import Deployment

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
#: The folder that pictures are written to; none are kept if it is not given.
PICTURES = os.environ.get("LEAPSQL_PICTURES")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--no-first-run",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    pytest.importorskip("playwright")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium here")
    deployment = Deployment(tmp_path_factory.mktemp("deployment"))
    with deployment.served():
        yield deployment


@pytest.fixture(scope="session")
def context(deployment: Deployment) -> Iterator[BrowserContext]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        context = browser.new_context(viewport={"width": 1600, "height": 960})
        context.set_default_timeout(120_000)
        # Else a question about a newsletter stands before the page.
        context.add_init_script("localStorage.setItem('communityNux', '\"1\"')")
        yield context
        browser.close()


@pytest.fixture
def page(context: BrowserContext, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Page]:
    """A page of its own for each test; what it showed last is kept where the test fails."""
    page = context.new_page()
    failed = request.session.testsfailed
    yield page
    if request.session.testsfailed > failed:
        picture = Path(PICTURES or tmp_path, "failed.png")
        page.screenshot(path=picture)
        print(f"the page as it was: {picture}")  # noqa: T201 - pytest shows it with the failure
    page.close()


@pytest.fixture
def take(page: Page) -> Callable[..., None]:
    """Write a picture for the documentation, where pictures are wanted."""

    def take(name: str, **options: object) -> None:
        if PICTURES is not None:
            page.wait_for_timeout(3000)  # until all is drawn
            page.screenshot(path=Path(PICTURES, f"{name}.png"), **options)  # type: ignore[arg-type]

    return take
