"""The picture in the body of a request: read as far as is allowed, in the time that is allowed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from crosstask.serve.options import Limits
from crosstask.serve.refusal import Refusal, left

_PART = "image"
_ENVELOPE = 2**16
_HOW = "send the picture itself as the body, or a form (multipart/form-data) with the part 'image'"


async def read_picture(request: Request, limits: Limits) -> bytes:
    """The bytes of the picture that a request holds, as its body or as a part of a form.

    Raises:
        Refusal: 400 a broken form or a client that went away, 408 too slow, 413 too large, 415 no picture.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("application/json", "application/x-ndjson") or kind.startswith("text/"):
        raise Refusal(415, "no_picture", f"the body is {kind:.80}: {_HOW}")
    if (coding := request.headers.get("content-encoding", "identity").lower()) != "identity":
        raise Refusal(415, "no_picture", f"the body is coded as {coding:.40}: {_HOW}, as it is")
    form = kind == "multipart/form-data"
    most = limits.bytes + _ENVELOPE * form
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > most:
        raise _too_large(limits)
    try:
        body = await asyncio.wait_for(_read(request, most, limits), limits.seconds)
    except TimeoutError:
        raise Refusal(
            408, "too_slow", f"the upload took more than {limits.seconds:g} seconds: send a smaller picture"
        ) from None
    except ClientDisconnect:
        raise left() from None
    if not form:
        return body
    picture = await _part(request.headers, body)
    if len(picture) > limits.bytes:
        raise _too_large(limits)
    return picture


async def _read(request: Request, most: int, limits: Limits) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most:
            raise _too_large(limits)
    return bytes(body)


async def _part(headers: Headers, body: bytes) -> bytes:
    """The part of a form that holds the picture: the one of that name, or the only file."""

    async def pieces() -> AsyncIterator[bytes]:
        yield body

    try:
        form = await MultiPartParser(headers, pieces(), max_files=4, max_fields=16).parse()  # type: ignore[arg-type]
    except (MultiPartException, KeyError, ValueError) as error:
        said = getattr(error, "message", "") or "it cannot be read"
        raise Refusal(400, "broken_form", f"the form is broken ({said:.120}): {_HOW}") from None
    try:
        files = [(name, part) for name, part in form.multi_items() if isinstance(part, UploadFile)]
        named = [part for name, part in files if name == _PART]
        if len(named or files) != 1:
            raise Refusal(400, "broken_form", f"the form has {len(named or files)} files: {_HOW}")
        return await (named or [files[0][1]])[0].read()
    finally:
        await form.close()


def _too_large(limits: Limits) -> Refusal:
    return Refusal(
        413, "too_large", f"the upload is larger than the {limits.megabytes:g} MB allowed: send a smaller picture"
    )
