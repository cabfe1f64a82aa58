"""`web`: the page, and the tokens that it is shown."""

from __future__ import annotations

import os
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pmon3 import options, output
from pmon3_schema import paths
from pmon3_schema.errors import ErrorCode, PmonError
from pmon3_schema.scalars import parse_duration

if TYPE_CHECKING:
    from pmon3_web.tokens import Token, TokenFile

_DEFAULT_LISTEN = "127.0.0.1:9615"


class TokenRole(StrEnum):
    """What whoever shows a token may do."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMINISTRATOR = "administrator"


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[token create|list|revoke ID]", help="Tokens instead of the page; without: serve it."
        ),
    ] = None,
    listen: Annotated[
        str, typer.Option("--listen", "-l", metavar="HOST:PORT", help="Where the page is served.")
    ] = _DEFAULT_LISTEN,
    cert: Annotated[
        str, typer.Option("--cert", metavar="FILE", help="Serve over TLS with this certificate.")
    ] = "",
    key: Annotated[str, typer.Option("--key", metavar="FILE", help="The key of the certificate.")] = "",
    metrics_open: Annotated[
        bool, typer.Option("--metrics-open", help="/metrics without a token, for this machine alone.")
    ] = False,
    role: Annotated[
        TokenRole, typer.Option("--role", "-r", help="What a new token allows.")
    ] = TokenRole.VIEWER,
    name: Annotated[str, typer.Option("--name", metavar="TEXT", help="Whose a new token is.")] = "",
    expires: Annotated[
        str, typer.Option("--expires", metavar="DURATION|never", help="How long a new token is valid.")
    ] = "30d",
    shape: options.Output = options.OutputFormat.TABLE,
) -> None:
    """Show pmond in a browser.

    Serves a page, or makes the tokens that it is shown. A program of its own, with your rights and
    never more than the token's role allows: it can be a process of pmond, too. Where there is no
    token, it prints an address with one that ends with it.
    """
    if not words:
        _serve(listen, cert, key, metrics_open)
        return
    match words:
        case ["token", "create"]:
            _create(role.value, name, expires, shape)
        case ["token", "list"]:
            _list(shape)
        case ["token", "revoke", ident]:
            output.write(f"revoked {_tokens().revoke(ident).id}\n")
        case _:
            why = f"cannot run web: {' '.join(words)!r} is nothing that it does"
            raise PmonError(ErrorCode.BAD_REQUEST, why, "token create, token list or token revoke ID")


def _serve(listen: str, cert: str, key: str, metrics_open: bool) -> None:
    # Imported here: an extra, and heavy.
    try:
        from pmon3_web import application, serving, tokens
    except ImportError as error:
        why = f"cannot serve the page: {error.name} is not installed"
        raise PmonError(ErrorCode.REFUSED, why, "pip install 'pmon3[web]'") from None
    host, port = _address(listen)
    if bool(cert) != bool(key):
        raise PmonError(ErrorCode.BAD_REQUEST, "cannot serve over TLS: --cert and --key go together")
    file, now = _tokens(), time.time()
    fleeting: tuple[Token, ...] = ()
    shown = ""
    if not any(token.is_valid(now) for token in file.tokens()):
        if not application.is_loopback(host):
            why = f"cannot listen at {host}: others reach it, and there is no token"
            raise PmonError(ErrorCode.REFUSED, why, "pmon3 web token create --role viewer")
        made, text = tokens.create("administrator", "until the page ends", now, None)
        # Behind the #, which browsers keep to themselves.
        fleeting, shown = (made,), f"/login#{text}"
    if not application.is_loopback(host) and not cert:
        output.note(f"{host} is reached by others, and tokens are sent in clear: use --cert and --key")
    listener = serving.bind(host, port)
    listening = serving.Listening(host, listener.getsockname()[1], cert, key, metrics_open)
    output.write_now(f"{listening.address}{shown}\n")
    serving.serve(listening, listener, file, fleeting)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        raise PmonError(
            ErrorCode.BAD_REQUEST, f"cannot listen at {text!r}: it is not HOST:PORT", _DEFAULT_LISTEN
        )
    return host.strip("[]") or "127.0.0.1", int(port)


def _tokens() -> TokenFile:
    from pmon3_web.tokens import FILE_NAME, TokenFile

    try:
        places = paths.own_places(os.environ, os.geteuid())
    except paths.PathError as error:
        raise PmonError(ErrorCode.BAD_REQUEST, str(error)) from None
    return TokenFile(Path(places.data) / FILE_NAME)


def _create(role: str, name: str, expires: str, shape: options.OutputFormat) -> None:
    from pmon3_web import tokens

    made, text = tokens.create(role, name, time.time(), _lifetime(expires))
    _tokens().add(made)
    if shape in (options.OutputFormat.JSON, options.OutputFormat.YAML):
        output.emit({**_shown(made), "token": text}, shape.value, lambda style: "")
        return
    output.write(f"{text}\n")
    output.note(f"{made.id}: {role}, until {_time(made.expires_at)}; it is shown this once")


def _lifetime(text: str) -> float | None:
    if text == "never":
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise PmonError(ErrorCode.BAD_REQUEST, f"cannot read --expires: {error}", "30d, or never") from None


def _list(shape: options.OutputFormat) -> None:
    from pmon3.fitting import SHORTEN, Column
    from pmon3.table import table
    from pmon3.times import with_zone

    found = _tokens().tokens()
    if shape is options.OutputFormat.NAME:
        output.write("".join(f"{token.id}\n" for token in found))
        return
    rows = [(one.id, one.role, one.name, _time(one.created_at), _time(one.expires_at)) for one in found]
    columns = (
        Column("ID", 8),
        Column("Role", 13),
        Column("Name", 4, fit=SHORTEN),
        Column("Created", 19, rank=1),
        Column(with_zone("Until"), 19),
    )
    output.emit(
        [_shown(one) for one in found],
        shape.value,
        lambda style: table(columns, rows, style=style),
    )


def _shown(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "role": token.role,
        "name": token.name,
        "created_at": _rfc_3339(token.created_at),
        "expires_at": None if token.expires_at is None else _rfc_3339(token.expires_at),
    }


def _rfc_3339(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _time(seconds: float | None) -> str:
    from pmon3.times import column_time

    return "never" if seconds is None else column_time(_rfc_3339(seconds))
