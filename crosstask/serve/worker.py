"""The process that holds the network: it is given pictures and gives answers, one after the other."""

from __future__ import annotations

import logging
import signal
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

import torch

from crosstask.api.model import Model, load
from crosstask.device import device
from crosstask.errors import UserError
from crosstask.serve.answer import answer
from crosstask.serve.asked import JSON, Asked
from crosstask.serve.metadata import metadata
from crosstask.serve.options import Job
from crosstask.serve.refusal import Refusal
from crosstask.serve.upload import picture
from crosstask.serve.wire import Message, receive, send

log = logging.getLogger(__name__)


def main(connection: Connection, job: Job) -> None:
    """Load the network, say what it is (or why it cannot be loaded), and answer until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then ends its workers
    with suppress(EOFError, OSError):  # the server is gone
        try:
            model, said = _loaded(job)
        except Exception as error:
            code = error.exit_code if isinstance(error, UserError) else 1
            send(connection, Message({"failed": " ".join(str(error).split()), "exit_code": code}))
            return
        send(connection, Message(said))
        while True:
            asked = receive(connection)
            send(connection, respond(model, job, asked))


def respond(model: Model, job: Job, asked: Message) -> Message:
    """The answer to one request, or why there is none."""
    number = asked.head.pop("number")
    try:
        wanted = Asked(**{**asked.head, "tasks": tuple(asked.head["tasks"])})
        form, body = answer(model.predict(picture(asked.body, job.pixels), wanted.tasks), wanted)
        return Message({"number": number, "status": 200, "form": form}, body)
    except Refusal as error:
        refused = error
    except Exception as error:
        refused = _explained(error)
    return Message({"number": number, "status": refused.status, "form": JSON, **refused.json})


def _explained(error: Exception) -> Refusal:
    text = " ".join(str(error).split())[:200]
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or "allocate memory" in text:
        return Refusal(413, "too_large_for_memory", "the picture is too large for the memory here: send a smaller one")
    if isinstance(error, UserError):
        return Refusal(500, "no_answer", text)
    log.exception("a request could not be answered")
    return Refusal(500, "fault", f"{type(error).__name__} while answering: see what the server printed")


def _loaded(job: Job) -> tuple[Model, dict[str, Any]]:
    if job.threads is not None:
        torch.set_num_threads(min(job.threads, torch.get_num_threads()))
    model = load(job.run, job.weights, device=device(job.device), trust=job.trust)
    said = metadata(model)
    if job.digest is not None and said["weights"]["sha256"] != job.digest:
        raise UserError(f"{job.run}: its weights have changed: start the server again to use them")
    return model, said
