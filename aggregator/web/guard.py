"""Stands before every page: host name, login, forged requests, size of a body; and the headers that every answer carries.

host | session | login | origin of a change | the page | headers
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aggregator.web.access import COOKIE, SESSION_SECONDS, Access, Session, token_in

API = "/api/"
BODY_BYTES = 4_000_000
OPEN = ("/login", "/healthz", "/static/")
"""What may be read without logging in."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # not no-referrer: with it a browser sends "Origin: null" with the site's own forms
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class TooLargeError(Exception):
    """The body of a request is larger than any form of this site."""


class Guard:
    """ASGI middleware. The page finds the session in scope["session"]; it may put another there and say so in scope["renewed"]."""

    def __init__(self, site: ASGIApp, access: Access) -> None:
        self.site, self.access = site, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.site(scope, receive, send)
            return
        headers = Headers(scope=scope)
        refusal, session = self._judge(scope, headers)
        scope["session"] = session
        await (refusal or self.site)(scope, _counted(receive), self._dressed(scope, send))

    def _judge(self, scope: Scope, headers: Headers) -> tuple[Response | None, Session]:
        """Why it is refused (None: it is not), and whose request it is."""
        session = self.access.session(_cookie(headers))
        if not self.access.knows(headers.get("host", "")):
            return _refused(scope, "This name is not one of this server's; list it in the setting web.hosts.", 421), session
        if scope["method"] not in ("GET", "HEAD") and not _own_origin(headers):
            return _refused(scope, "This request came from another site.", 403), session
        said = token_in(headers.get("authorization", ""))
        if said and self.access.token:
            right = self.access.is_token(said, caller_of(scope))
            if right is None:
                return _refused(scope, "Too many wrong tokens; wait a minute.", 429, {"Retry-After": "60"}), session
            session = replace(session, signed_in=right, fresh=False)
        if self.access.token and not session.signed_in and not scope["path"].startswith(OPEN):
            return _ask_for_login(scope), session
        return None, session

    def _dressed(self, scope: Scope, send: Send) -> Send:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
                session: Session = scope["session"]
                page = headers.get("content-type", "").startswith("text/html")
                if scope.get("renewed") or (session.fresh and page):
                    headers.append("Set-Cookie", self._set_cookie(session, scope))
            await send(message)

        return dressed

    def _set_cookie(self, session: Session, scope: Scope) -> str:
        secure = "; Secure" if scope.get("scheme") == "https" else ""
        return f"{COOKIE}={self.access.cookie(session)}; Path=/; HttpOnly; SameSite=Strict; Max-Age={SESSION_SECONDS}{secure}"


def caller_of(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else ""


def _ask_for_login(scope: Scope) -> Response:
    path: str = scope["path"]
    page = not path.startswith(API) and not path.endswith((".atom", ".opml")) and path != "/metrics"
    if page and scope["method"] in ("GET", "HEAD"):
        query = scope.get("query_string", b"").decode("latin-1")
        return RedirectResponse(f"/login?to={quote(path + (f'?{query}' if query else ''), safe='')}", 303)
    challenge = {"WWW-Authenticate": 'Basic realm="aggregator", charset="UTF-8"'} if path.endswith((".atom", ".opml")) else {}
    return _refused(scope, "Log in first: send the token as “Authorization: Bearer TOKEN”.", 401, challenge)


def _refused(scope: Scope, sentence: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    if scope["path"].startswith(API):
        return JSONResponse({"version": 1, "error": sentence}, status, headers)
    return PlainTextResponse(f"{sentence}\n", status, headers)


def _own_origin(headers: Headers) -> bool:
    """Whether a change was asked for by a page of this site, or by no browser at all."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.casefold() == headers.get("host", "").casefold()


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _counted(receive: Receive) -> Receive:
    """The body as it comes, until it is too large."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > BODY_BYTES:
            raise TooLargeError
        return message

    return counted
