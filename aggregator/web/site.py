"""Puts the routes behind one door: request -> Asked -> handler in a thread -> answer, errors as sentences, ETags.

Handlers that change something run one at a time: feeds.toml is read, changed and written as a whole.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Hashable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.routing import Route as Path
from starlette.staticfiles import StaticFiles

from aggregator.errors import AggregatorError, LockedError, NotFoundError, StoreError
from aggregator.web.access import Access, Session
from aggregator.web.asked import Answer, Asked, Goto, Json, Page, Route, check_body, own_path, read
from aggregator.web.guard import API, Guard, TooLargeError, caller_of
from aggregator.web.look import Look

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from aggregator.app import App


class Site:
    """The answers of one App, guarded by one Access."""

    def __init__(self, app: App, access: Access, routes: tuple[Route, ...]) -> None:
        self.app, self.access, self.look = app, access, Look(app)
        self._routes = routes
        self._changing = threading.Lock()
        self._recent = Recent()

    def asgi(self) -> ASGIApp:
        by_path: dict[str, dict[str, Route]] = {}
        for route in self._routes:
            by_path.setdefault(route.path, {})[route.method] = route
        # an id is a number already here: /stories/merge is no story, and asking for it says what it takes
        paths: list[BaseRoute] = [
            Path(path.replace("{id}", "{id:int}"), self._endpoint(routes), methods=list(routes)) for path, routes in by_path.items()
        ]
        paths += [
            Path("/login", self._login_page, methods=["GET"]),
            Path("/login", self._log_in, methods=["POST"]),
            Path("/logout", self._log_out, methods=["POST"]),
            Mount("/static", StaticFiles(packages=[("aggregator.web", "static"), ("aggregator.digest", "static")])),
        ]
        failures: Mapping[Any, Callable[[Request, Exception], Response]] = {
            HTTPException: self._failed,
            AggregatorError: self._failed,
            TooLargeError: self._failed,
            MultiPartException: self._failed,
            Exception: self._failed,
        }
        return Guard(Starlette(routes=paths, exception_handlers=failures), self.access)

    # --- one request ----------------------------------------------------------------------------------------------------

    def _endpoint(self, routes: Mapping[str, Route]) -> Callable[[Request], Any]:
        """What answers one path, whichever of its methods is asked for."""

        async def endpoint(request: Request) -> Response:
            route = routes["GET" if request.method == "HEAD" else request.method]
            raw, upload = await self._raw(request, route)
            values = read(route.params, raw | request.path_params, strict=route.path.startswith(API))
            asked = replace(self._about(request), values=values, upload=upload, remember=self._recent)
            return await run_in_threadpool(self._answered, request, route, asked)

        return endpoint

    async def _raw(self, request: Request, route: Route) -> tuple[dict[str, Any], bytes]:
        if route.method == "GET":
            return {name: request.query_params.getlist(name) for name in request.query_params}, b""
        if route.path.startswith(API):
            body = await _json_body(request)
            check_body([param for param in route.params if not param.in_path], body)
            return body, b""
        form = await self._form(request)
        upload = form.get("file") if route.upload else None
        data = await upload.read() if isinstance(upload, UploadFile) else b""
        return {name: [each for each in form.getlist(name) if isinstance(each, str)] for name in form}, data

    async def _form(self, request: Request) -> FormData:
        form = await request.form(max_files=1, max_fields=2000, max_part_size=4_000_000)
        mark = form.get("csrf")
        if not isinstance(mark, str) or not self.access.is_mark(request.scope["session"], mark):
            raise HTTPException(403, "This form is out of date: go back, load the page again, and send it once more.")
        return form

    def _answered(self, request: Request, route: Route, asked: Asked) -> Response:
        """In a thread of its own: the handler waits for the database, and a large page takes its time to write."""
        with self._changing if route.changes else nullcontext():
            answer = route.handler(self.app, asked)
        return self._to_response(request, answer, asked)

    def _about(self, request: Request) -> Asked:
        session: Session = request.scope["session"]
        query = request.url.query
        address = request.url.path + (f"?{query}" if query else "")
        return Asked(
            {}, address, self.access.mark(session), session.signed_in, bool(self.access.token), done=request.query_params.get("done", "")
        )

    # --- answers --------------------------------------------------------------------------------------------------------

    def _to_response(self, request: Request, answer: Answer, asked: Asked) -> Response:
        if isinstance(answer, Goto):
            return RedirectResponse(own_path(answer.address), 303)
        name = ""
        if isinstance(answer, Page):
            kind, text = "text/html; charset=utf-8", self.look.page(answer, asked)
        elif isinstance(answer, Json):
            kind, text = "application/json", json.dumps(answer.value, ensure_ascii=False, default=str) + "\n"
        else:
            kind, text, name = f"{answer.kind}; charset=utf-8", answer.text, answer.name
        body = text.encode("utf-8", "replace")
        headers = {"Content-Type": kind} | ({"Content-Disposition": f'attachment; filename="{name}"'} if name else {})
        if request.method not in ("GET", "HEAD") or answer.status != 200:
            return Response(body, answer.status, headers)
        headers |= {"ETag": f'"{sha256(body).hexdigest()[:32]}"', "Cache-Control": "private, no-cache", "Vary": "Cookie"}
        if _has(request.headers.get("if-none-match", ""), headers["ETag"]):
            return Response(b"", 304, headers)
        return Response(body, answer.status, headers)

    def _failed(self, request: Request, error: Exception) -> Response:
        status, sentence = _explained(error)
        if request.url.path.startswith(API):
            answer: Answer = Json({"version": 1, "error": sentence}, status)
        else:
            answer = Page("problem", "Not found" if status == 404 else "That did not work", {"sentence": sentence}, status)
        response = self._to_response(request, answer, self._about(request))
        # such as Allow, which a 405 must have (RFC 9110 section 15.5.6)
        response.headers.update(getattr(error, "headers", None) or {})
        return response

    # --- the login ------------------------------------------------------------------------------------------------------

    async def _login_page(self, request: Request) -> Response:
        return self._login(request, request.query_params.get("to", "/"))

    def _login(self, request: Request, to: str, problem: str = "", status: int = 200) -> Response:
        return self._to_response(request, Page("login", "Log in", {"to": own_path(to), "problem": problem}, status), self._about(request))

    async def _log_in(self, request: Request) -> Response:
        form = await self._form(request)
        to = own_path(str(form.get("to") or "/"))
        right = self.access.is_token(str(form.get("token") or ""), caller_of(request.scope)) if self.access.token else False
        if not right:
            problem = "Too many wrong tokens; wait a minute." if right is None else "That is not the token."
            return self._login(request, to, problem, 429 if right is None else 403)
        return self._renewed(request, Session(self.access.chance(), signed_in=True), to)

    async def _log_out(self, request: Request) -> Response:
        await self._form(request)
        return self._renewed(request, Session(self.access.chance()), "/login")

    def _renewed(self, request: Request, session: Session, to: str) -> Response:
        request.scope["session"], request.scope["renewed"] = session, True
        return RedirectResponse(to, 303)


class Recent:
    """What was made last, by key: of many readers that ask for one thing at once, the first makes it and the others wait. Who asks
    for something else does not."""

    def __init__(self, most: int = 32) -> None:
        self._most = most
        self._made: dict[Hashable, Any] = {}
        self._making: dict[Hashable, threading.Lock] = {}
        self._guard = threading.Lock()

    def __call__(self, key: Hashable, make: Callable[[], Any]) -> Any:
        with self._guard:
            if key in self._made:
                return self._made[key]
            mine = self._making.setdefault(key, threading.Lock())
        with mine:
            with self._guard:
                if key in self._made:
                    return self._made[key]
            try:
                found = make()
            finally:
                with self._guard:
                    self._making.pop(key, None)
            with self._guard:
                while len(self._made) >= self._most:
                    self._made.pop(next(iter(self._made)))
                self._made[key] = found
            return found


async def _json_body(request: Request) -> dict[str, Any]:
    """Raises HTTPException. A browser lets no page of another site send application/json without asking first (CORS)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().casefold() != "application/json":
        raise HTTPException(415, "send the body as application/json")
    try:
        found = json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is no JSON") from None
    if not isinstance(found, dict):
        raise HTTPException(400, "the body is no JSON object")
    return found


def _has(header: str, etag: str) -> bool:
    return etag in [each.strip().removeprefix("W/") for each in header.split(",")]


def _explained(error: Exception) -> tuple[int, str]:
    if isinstance(error, HTTPException):
        return error.status_code, "There is no such page." if error.detail == "Not Found" else error.detail
    if isinstance(error, MultiPartException):
        return 400, "The form cannot be read."
    if isinstance(error, TooLargeError):
        return 413, "That is too large."
    if isinstance(error, NotFoundError):
        return 404, str(error)
    if isinstance(error, LockedError | StoreError):
        return 503, str(error)
    if isinstance(error, AggregatorError):
        # told for the command line, whose options have the names of the parameters here
        return 400, str(error).removeprefix("--")
    return 500, f"Something unexpected went wrong ({type(error).__name__}); the log of `aggregator serve` says where."
