"""Who may speak to the server: this machine's browser, with the token, from the server's own page."""

from __future__ import annotations

import hmac
import ipaddress
import socket
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keyseg.studio.address import LOOPBACK

_OPEN = {"/health"}  # without a token
_READING = {"GET", "HEAD", "OPTIONS"}
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:;"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cache-Control": "no-store",
}
"""Of every answer that has no own ones."""


class Guard:
    """ASGI middleware that lets a request through if its host, its origin and its token are right.

    token: what the client has to show, as `?token=` on the page's address, which is exchanged for a cookie, as that
    cookie, or as `Authorization: Bearer`. host: the address that the server listens on; a client names it, or one of
    the loopback addresses, in its Host header. Of a server on all addresses, it names any address or the machine's
    name: a page elsewhere, whose name was pointed at this machine, cannot.
    """

    def __init__(self, app: ASGIApp, *, token: str, host: str = "127.0.0.1") -> None:
        self._app = app
        self._token = token.encode()
        self._everywhere = host in ("0.0.0.0", "::")
        self._names = {*LOOPBACK, host.lower()} | ({socket.gethostname().lower()} if self._everywhere else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or pass it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # there are no web sockets here
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        answer = self._refusal(scope) or self._exchanged(scope)
        await (answer or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """Why a request is refused, or None."""
        headers = Headers(scope=scope)
        port = (scope.get("server") or ("", None))[1]
        if len(headers.getlist("host")) != 1 or not self._is_own(headers["host"], port):
            return _problem(403, "this server has another address; open the one that keyseg studio printed")
        origin = headers.get("origin")
        if origin is not None and origin != f"{scope['scheme']}://{headers['host']}":
            return _problem(403, f"requests of pages of {origin[:100]!r} are refused; use the studio's own page")
        if scope["path"] in _OPEN:
            return None
        site = headers.get("sec-fetch-site", "none")
        if scope["path"] != "/" and site not in ("same-origin", "none"):
            return _problem(403, "requests of pages elsewhere are refused; use the studio's own page")
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            return None if self._is_token(bearer.strip()) else _problem(401, "this is not the token of this server")
        if _query_token(scope) is not None:
            return None  # `_exchanged` looks at it
        if not self._is_token(_cookie(headers, cookie_name(port))):
            return _problem(401, "open the address that keyseg studio printed, with its token")
        if scope["method"] not in _READING and origin is None and site != "same-origin":
            return _problem(403, "a change needs an Origin header, or the token as Authorization: Bearer")
        return None

    def _exchanged(self, scope: Scope) -> Response | None:
        """The redirection that turns the token of the page's address into a cookie, or None if there is no token."""
        token = _query_token(scope)
        if token is None:
            return None
        if not self._is_token(token):
            return _problem(401, "this is not the token of this server; open the address that keyseg studio printed")
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        rest = urlencode({name: values for name, values in query.items() if name != "token"}, doseq=True)
        response = RedirectResponse(f"/?{rest}" if rest else "/", 303)
        name = cookie_name((scope.get("server") or ("", None))[1])
        response.set_cookie(name, token, httponly=True, samesite="strict", path="/", secure=scope["scheme"] == "https")
        return response

    def _is_own(self, host: str, port: int | None) -> bool:
        """Whether a Host header names this server."""
        try:
            parts = urlsplit(f"//{host}")
            name, named_port = (parts.hostname or "").lower(), parts.port
        except ValueError:
            return False
        if parts.username is not None or parts.netloc != host or "/" in host or "?" in host or "#" in host:
            return False
        if self._everywhere:  # perhaps behind a container, whose port is another
            return name in self._names or _is_address(name)
        return name in self._names and (port is None or (named_port or 80) == port)

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(errors="surrogateescape"), self._token)


def cookie_name(port: int | None) -> str:
    """The cookie of the server on a port: browsers send the cookies of one port to all others."""
    return f"keyseg_{port or 0}"


def _query_token(scope: Scope) -> str | None:
    """The token in the page's address."""
    if scope["path"] != "/" or scope["method"] not in ("GET", "HEAD"):
        return None
    values = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True).get("token")
    return values[0] if values else None


def _cookie(headers: Headers, name: str) -> str:
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[name].value if name in cookies else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _problem(status: int, text: str) -> Response:
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse({"error": text}, status, headers)
