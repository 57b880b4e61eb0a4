"""`aggregator serve`: the pages and the API."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from typing import TYPE_CHECKING, get_args

import click

from aggregator.cli.common import note, pass_app
from aggregator.errors import UsageError
from aggregator.kinds import WebListen

if TYPE_CHECKING:
    from aggregator.app import App

_NEEDED = ("starlette", "uvicorn", "python_multipart")


@click.command()
@click.option("--listen", metavar="ADDRESS:PORT", help="Where to serve (setting web.listen, default 127.0.0.1:8080; port 0: any).")
@pass_app
def serve(app: App, listen: str | None) -> None:
    """Serve pages to read, look and correct, and a JSON API, until stopped with Ctrl-C.

    \b
    Examples:
      aggregator serve                            http://127.0.0.1:8080/
      aggregator serve --listen 127.0.0.1:9000
      aggregator serve --listen 0.0.0.0:8080      needs a token: setting web.token

    Run it beside `aggregator run`, which polls the feeds; both may use the database at once.
    """
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise UsageError(f"this needs {missing[0]}, which is not installed; run pip install 'aggregator[web]'")
    from aggregator.web.serving import Serving

    web = app.settings.web
    serving = Serving(app, _checked(listen) if listen else web.listen, _token(app), web.hosts)
    serving.run(ready=lambda: note(f"Serving {serving.address} (Ctrl-C stops it)."))


def _checked(listen: str) -> str:
    kind = get_args(WebListen)[1]
    if not re.fullmatch(kind.pattern, listen):
        raise UsageError(f"--listen {listen}: it takes {kind.extra['says']}")
    return listen


def _token(app: App) -> str:
    if not app.settings.web.token:
        return ""
    from aggregator.couriers import make_secrets

    return make_secrets(os.environ, app.location.feeds_path.parent)(app.settings.web.token, "web.token")
