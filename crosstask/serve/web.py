"""What is answered at which address."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from crosstask import __version__
from crosstask.serve.asked import PARAMETERS, ZIP, read_asked
from crosstask.serve.body import read_picture
from crosstask.serve.pool import Pool
from crosstask.serve.refusal import Refusal, busy

_QUERY = [
    {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}
    for name, text in PARAMETERS.items()
]
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FORM = {"schema": {"type": "object", "properties": {"image": _BINARY["schema"]}, "required": ["image"]}}
_PREDICT: dict[str, Any] = {
    "parameters": _QUERY,
    "requestBody": {"required": True, "content": {"image/*": _BINARY, "multipart/form-data": _FORM}},
}


def web(pool: Pool) -> FastAPI:
    """The application: ``POST /predict``, ``GET /health``, ``GET /metadata``, ``GET /openapi.json``.

    Whatever goes wrong is answered with ``{"error": {"code": ..., "message": ...}}``.
    """
    app = FastAPI(title="crosstask", version=__version__, docs_url=None, redoc_url=None)  # those pages load from afar

    @app.post("/predict", openapi_extra=_PREDICT, response_class=Response)
    async def predict(request: Request) -> Response:
        """Answer a picture: JSON, a ZIP (Accept: application/zip) or one PNG (?task=NAME)."""
        if pool.full:
            raise busy(f"{pool.asked} requests are being answered or wait: send this one again")
        pool.asked += 1
        try:
            asked = read_asked(
                request.query_params.multi_items(), request.headers.get("accept", ""), pool.said["tasks"]
            )
            answer = await pool.ask(asked.head, await read_picture(request, pool.limits), request.is_disconnected)
        finally:
            pool.asked -= 1
        named = {"Content-Disposition": 'attachment; filename="prediction.zip"'} if asked.form == ZIP else {}
        return Response(answer.body, media_type=answer.head["form"], headers=named)

    @app.get("/health")
    async def health() -> Response:
        """Whether requests are answered: 200, or 503 while no worker is there."""
        said = {
            "status": "ok" if pool.ready else "no worker is ready",
            "workers": {"ready": pool.ready, "of": pool.workers, "restarts": pool.restarts},
            "requests": {"now": pool.asked, "most": pool.workers + pool.limits.queue},
        }
        return JSONResponse(said, 200 if pool.ready else 503)

    @app.get("/metadata")
    async def metadata() -> dict[str, Any]:
        """What the network predicts, in which units, and what is allowed."""
        return {**pool.said, "limits": asdict(pool.limits)}

    @app.exception_handler(Refusal)
    async def refused(_: Request, error: Refusal) -> Response:
        return JSONResponse(error.json, error.status, error.headers)

    @app.exception_handler(HTTPException)
    async def unknown(request: Request, error: HTTPException) -> Response:
        code = {404: "no_such_address", 405: "no_such_method"}.get(error.status_code, "refused")
        text = (
            f"{request.method} {request.url.path:.80}: {error.detail}: there is POST /predict, GET /health, /metadata"
        )
        return JSONResponse(Refusal(error.status_code, code, text).json, error.status_code, error.headers)

    @app.exception_handler(Exception)
    async def failed(_: Request, error: Exception) -> Response:
        text = f"{type(error).__name__} while answering: see what the server printed"
        return JSONResponse(Refusal(500, "fault", text).json, 500)

    return app
