"""Signing in at the real provider in a real browser: back to the very place of the page that one came for."""

from pathlib import Path
from uuid import UUID

from playwright.sync_api import Browser, Page, expect

from portal import create_app
from portal.database.engine import db
from tests.auth.provider import CLIENT_ID, CLIENT_SECRET, running_provider
from tests.cluster import free_port
from tests.conftest import settings_for
from tests.factories import make_member, make_run, make_user, make_workflow, make_workspace
from tests.serving import served


def make_history(environment: dict[str, str], folder: Path) -> UUID:
    """A run that everybody of acme.example may see."""
    with create_app(environment, instance=folder).app_context():
        workspace = make_workspace("acme", "Acme")
        make_member(workspace, make_user("operator@acme.example"))
        run = make_run(make_workflow(workspace), status="failed", error="boom")
        db.session.remove()
        db.engine.dispose()
        return run.id


def at_the_provider(page: Page) -> None:
    """Sign in there and agree."""
    page.locator("input[name=login]").fill("ada")
    page.locator("input[name=password]").fill("any")
    page.locator("[type=submit]").click()
    page.get_by_role("button", name="Continue").click()


def test_the_place_in_a_page_survives_signing_in_and_the_server_never_hears_of_it(
    chromium: Browser, empty_sqlite: Path, tmp_path: Path
) -> None:
    (tmp_path / "portal.sqlite3").write_bytes(empty_sqlite.read_bytes())
    port = free_port()
    environment = settings_for(f"sqlite:///{tmp_path / 'portal.sqlite3'}") | {
        "PORTAL_OIDC_DISCOVERY_URL": f"http://127.0.0.1:{port}/.well-known/openid-configuration",
        "PORTAL_OIDC_CLIENT_ID": CLIENT_ID,
        "PORTAL_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "PORTAL_OIDC_JOIN": "domain acme.example -> acme viewer",
    }
    run_id = make_history(environment, tmp_path)
    with (
        served(environment, tmp_path) as url,
        running_provider(tmp_path, f"{url}/auth/callback", port),
    ):
        page = chromium.new_context(locale="en-GB").new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{url}/runs/{run_id}?from_ms=0#failure")
        page.get_by_role("link", name="Sign in with your organisation").click()
        at_the_provider(page)
        expect(page.locator("#failure")).to_be_in_viewport()
        assert page.url.endswith(f"/runs/{run_id}?from_ms=0#failure")
        assert not any("failure" in address.split("#")[0] for address in asked)
        page.goto(f"{url}/runs/{run_id}?from_ms=0")
        assert "#" not in page.url
        page.context.close()
