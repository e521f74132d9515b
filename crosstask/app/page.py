"""The page: a picture from a file or the camera, and all tasks at once. It loads nothing from elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
os.environ.setdefault("GRADIO_RUN_HISTORY", "False")

import gradio as gr
from fastapi import FastAPI

from crosstask.api.model import Model
from crosstask.app.answers import STYLE, answers, refusal
from crosstask.errors import UserError
from crosstask.serve.options import Limits
from crosstask.serve.refusal import Refusal
from crosstask.serve.upload import picture

_KEPT = 600
_POLICY = (
    "default-src 'self' data: blob:; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; font-src 'self' data:; connect-src 'self' data: blob:; frame-ancestors 'self'"
)
_FONTS = ["system-ui", "sans-serif"]


def page(model: Model, limits: Limits) -> FastAPI:
    """The application.

    Args:
        model: what is tried.
        limits: of uploads and of those who wait.
    """

    def answer(path: str | None) -> str:
        if path is None:
            return ""
        try:
            return answers(model.predict(picture(Path(path).read_bytes(), limits.pixels)))
        except Refusal as error:
            return refusal(error.message)
        except UserError as error:
            return refusal(str(error))

    with gr.Blocks(title="crosstask", analytics_enabled=False, delete_cache=(_KEPT, _KEPT)) as blocks:
        tasks = ", ".join(f"{name} ({task.kind})" for name, task in model.tasks.items())
        gr.HTML(f"<h1>{_escaped(model.run.run.path.absolute().name)}</h1><p>{_escaped(tasks)}</p>")
        given = _upload(
            sources=["upload", "webcam"], type="filepath", image_mode=None, label="Picture", height=320, buttons=[]
        )
        said = gr.HTML(label="Answers", elem_id="answers")
        given.change(answer, given, said, api_name="predict", concurrency_limit=1)
    blocks.queue(max_size=limits.queue)
    app = FastAPI(docs_url=None, redoc_url=None)
    gr.mount_gradio_app(
        app, blocks, path="/", max_file_size=limits.bytes, ssr_mode=False, footer_links=[], run_history=False,
        theme=gr.themes.Default(font=_FONTS, font_mono=["ui-monospace", "monospace"]), css=STYLE, show_error=True,
    )  # fmt: skip
    blocks.has_launched = True  # else, mounted, it takes any file of this machine for an upload
    app.add_middleware(SameOrigin)
    return app


class SameOrigin:
    """Tells browsers to ask nobody else, whatever a page or a library says.

    Args:
        app: what is answered.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer with one header more."""

        async def with_policy(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), (b"content-security-policy", _POLICY.encode())]
            await send(message)

        await self.app(scope, receive, with_policy)


def _escaped(text: str) -> str:
    from html import escape

    return escape(text)


def _upload(**options: Any) -> gr.Image:
    """An image as the file it was uploaded as: it is looked at here, with limits, and by nobody before.

    Not a class of its own: Gradio writes a file beside the source of those.
    """

    def path(payload: Any) -> str | None:  # within the folder of uploads
        return payload and payload.path

    image = gr.Image(**options)
    image.preprocess = path  # type: ignore[method-assign]
    return image
