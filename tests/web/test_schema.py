"""Every request that the API's own document allows, and many that it forbids, made up by schemathesis: no server error, only
answers and refusals as described."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

from aggregator.app import App
from aggregator.web.routes import ROUTES, document
from aggregator.web.serving import make_access
from aggregator.web.site import Site

schemathesis = pytest.importorskip("schemathesis", reason="needs schemathesis, which is in the extra dev")
from schemathesis.specs.openapi.checks import positive_data_acceptance  # noqa: E402

if TYPE_CHECKING:
    from schemathesis import Case

TOKEN = "a long token for this test only"
described = schemathesis.openapi.from_dict(document())
# a schema cannot say what a time is, nor which feeds there are: what it allows may still be refused with 400 or 404
UNSAID: list[Any] = [positive_data_acceptance]


@pytest.fixture(scope="module")
def open_site(app: App) -> Iterator[Any]:
    """A site that anybody may use; the feeds that it is asked to add are looked for in a world without names."""

    def nowhere(host: Any, *_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "this test has no network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", nowhere)
        yield Site(app, make_access("127.0.0.1", "", ()), ROUTES).asgi()


@pytest.fixture(scope="module")
def locked_site(app: App) -> Any:
    return Site(app, make_access("127.0.0.1", TOKEN, ()), ROUTES).asgi()


@described.parametrize()  # type: ignore[untyped-decorator]  # the module may be missing
@settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_the_answer_is_as_described(open_site: Any, case: Case[Any]) -> None:
    case.call_and_validate(base_url="http://127.0.0.1", app=open_site, excluded_checks=UNSAID)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Host": "elsewhere.example"}], ids=str)
def test_a_refusal_at_the_door_is_as_described(locked_site: Any, headers: dict[str, str]) -> None:
    for operation in described.get_all_operations():
        case = operation.ok().Case(path_parameters={"id": 1}, query={}, body={}, media_type="application/json")
        response = case.call(base_url="http://127.0.0.1", app=locked_site, headers=headers)
        assert response.status_code in (401, 421, 429)
        case.validate_response(response, excluded_checks=UNSAID)
