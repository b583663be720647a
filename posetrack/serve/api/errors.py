"""From exceptions to answers: one line each, never a trace, never a password."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from posetrack.documents import explain
from posetrack.errors import ConfigError, PosetrackError
from posetrack.serve.addresses import NotAllowed
from posetrack.serve.api import schemas
from posetrack.serve.logs import log
from posetrack.serve.recordings import Busy, NoRecordings, QuotaSpent
from posetrack.serve.redaction import redacted
from posetrack.serve.settings import StreamSettings
from posetrack.serve.supervisor import NoStream, Taken
from posetrack.serve.tuning import Unfit

M = TypeVar("M", bound=BaseModel)

_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (NoStream, 404),
    (NotAllowed, 403),
    (Taken, 409),
    (Unfit, 409),
    (Busy, 409),
    (NoRecordings, 409),
    (QuotaSpent, 507),
    (ConfigError, 422),
    (FileNotFoundError, 404),
    (PosetrackError, 500),
)


def answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for its description."""
    meanings = {
        401: "No token, or a wrong one",
        404: "There is none of that name",
        409: "Not as things are now",
        413: "The body is too large",
        422: "Not a usable value",
        429: "Too many requests",
        503: "No frame yet, or no room for another client",
        507: "No room left",
    }
    always = (401, 403, 413, 421, 429)
    meanings |= {
        403: "Not allowed: the page, or what is asked for",
        421: "Not a name of the daemon",
    }
    return {
        status: {"model": schemas.Error, "description": meanings[status]}
        for status in sorted({*always, *statuses})
    }


def error_response(status: int, text: str) -> JSONResponse:
    """An answer of one line."""
    return JSONResponse({"error": " ".join(redacted(text).split())}, status)


async def optional_json_body(request: Request) -> Any:
    """The body as plain data, an empty object where there is none. Raises HTTPException."""
    return await json_body(request) if await request.body() else {}


async def json_body(request: Request) -> Any:
    """The body as plain data; 3.0 is a whole number. Raises HTTPException for what is no JSON."""
    body = await request.body()
    try:
        return json.loads(body, parse_constant=_refuse, parse_float=_number)
    except (ValueError, RecursionError) as error:
        raise HTTPException(422, "the body is no JSON") from error


def _number(text: str) -> float:
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < 2**53 else number


def _refuse(name: str) -> None:
    raise ValueError(name)


def strictly(model: type[M], data: Any) -> M:
    """Plain data as a model, as strictly as a file is read. Raises HTTPException."""
    try:
        return model.model_validate_json(json.dumps(data))
    except ValidationError as problem:
        raise HTTPException(422, explain(problem, model)) from problem


def add_error_handlers(app: FastAPI) -> None:
    """Answer every exception."""

    def handler(status: int) -> Callable[[Request, Exception], JSONResponse]:
        return lambda request, error: error_response(status, str(error))  # noqa: ARG005

    for kind, status in _STATUS:
        app.add_exception_handler(kind, handler(status))

    @app.exception_handler(ValidationError)
    def invalid(request: Request, error: ValidationError) -> JSONResponse:  # noqa: ARG001
        return error_response(422, explain(error, StreamSettings))

    @app.exception_handler(RequestValidationError)
    def unusable(request: Request, error: RequestValidationError) -> JSONResponse:  # noqa: ARG001
        first = error.errors()[0]
        return error_response(422, f"{'.'.join(map(str, first['loc'][1:]))}: {first['msg']}")

    @app.exception_handler(HTTPException)
    def refused(request: Request, error: HTTPException) -> JSONResponse:
        response = error_response(error.status_code, str(error.detail))
        response.headers.update(error.headers or {})
        if error.status_code == 405:
            response.headers["allow"] = ", ".join(_methods(app, request))
        return response

    @app.exception_handler(Exception)
    def internal(request: Request, error: Exception) -> JSONResponse:
        log.error("internal error at %s", request.url.path, exc_info=error)
        return error_response(500, f"internal error, {type(error).__name__}: see the log")


def _methods(app: FastAPI, request: Request) -> list[str]:
    """What can be done at the address of a request, by whichever route."""
    paths: dict[str, dict[str, Any]] = app.openapi()["paths"]
    fitting = [
        template
        for template in paths
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), request.url.path)
    ]
    if not fitting:
        return []
    literal = min(fitting, key=lambda template: template.count("{"))
    return sorted(method.upper() for method in paths[literal])
