"""Clients that mean no good, or know no better: what they do costs little, and the next one is answered as ever."""

from __future__ import annotations

import os
import signal
import socket
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from unittest.mock import Mock

import psutil
import pytest
from PIL import Image

from tests.serve.conftest import httpx, picture, serving, until
from tests.serve.test_answers import agrees
from tests.serve.test_refusals import raw, refused


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(size: tuple[int, int], pixels: bytes, *more: bytes) -> bytes:
    """A PNG of 8-bit RGB with any compressed content."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(more) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def zeros(megabytes: int) -> bytes:
    """So many zeros, compressed a thousandfold."""
    squeeze = zlib.compressobj(9)
    return b"".join([*(squeeze.compress(bytes(1_000_000)) for _ in range(megabytes)), squeeze.flush()])


def head(length: object, *more: str) -> bytes:
    return "\r\n".join(["POST /predict HTTP/1.1", "Host: x", f"Content-Length: {length}", *more, "", ""]).encode()


def status(line: socket.socket) -> int:
    return int(line.recv(4096).split()[1])


def test_two_gigabytes_are_refused_before_they_come(served):
    for length in (2 * 1024**3, 10**30):
        with raw(served) as line:
            line.sendall(head(length))
            assert status(line) in (400, 413)
    for length in (-1, "many", "1, 2"):
        with raw(served) as line:
            line.sendall(head(length))
            assert status(line) == 400
    assert served.client.post("/predict?maps=none", content=picture(0)).status_code == 200


@pytest.mark.parametrize("kind", ["image/gif", "application/octet-stream", "IMAGE/PNG; q=1", "", "nonsense"])
def test_what_the_header_calls_the_picture_does_not_matter(served, model, kind):
    answer = served.client.post("/predict", content=picture(2), headers={"Content-Type": kind})
    assert agrees(answer.json(), picture(2), model)


def bombs() -> dict[str, bytes]:
    frames = [Image.new("RGB", (64, 64), (shade % 255, 0, 0)) for shade in range(300)]
    gif = BytesIO()
    frames[0].save(gif, "GIF", save_all=True, append_images=frames[1:])
    text = zeros(300)
    return {
        "more pixels than said": png((100, 100), zeros(300)),
        "text": png((2, 2), zlib.compress(bytes(14)), chunk(b"zTXt", b"a\0\0" + text)),
        "profile": png((2, 2), zlib.compress(bytes(14)), chunk(b"iCCP", b"a\0\0" + text)),
        "frames": gif.getvalue(),
    }


@pytest.mark.parametrize("what", ["more pixels than said", "text", "profile", "frames"])
def test_a_small_file_that_would_be_large_stays_small(served, what):
    data = bombs()[what]
    assert len(data) < 500_000
    most = [psutil.Process(pid).memory_info().rss for pid in served.pids]
    for _ in range(4):
        assert served.client.post("/predict?maps=none", content=data).status_code in (200, 413, 422)
    now = [psutil.Process(pid).memory_info().rss for pid in served.pids]
    assert max(now) - min(most) < 120e6
    assert served.client.post("/predict?maps=none", content=picture(0)).status_code == 200


@pytest.mark.slow
def test_a_flood_is_answered_rightly_or_told_to_come_back(run, model):
    pictures = {seed: picture(seed) for seed in range(8)}

    def ask(number: int):
        with httpx.Client(base_url=server.url, timeout=60, trust_env=False) as client:
            return number % 8, client.post("/predict", content=pictures[number % 8])

    with serving(run, queue=4) as server, ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(ask, range(400)))
        for seed, answer in answers:
            if answer.status_code == 200:
                assert agrees(answer.json(), pictures[seed], model)
            else:
                refused(answer, 503, "again")
        assert {answer.status_code for _, answer in answers} == {200, 503}
        assert server.pool.restarts == 0
        until(lambda: server.pool.asked == 0)


def test_connections_on_which_nothing_is_asked_are_closed(run):
    with serving(run, seconds=1.0) as server:
        lines = [raw(server) for _ in range(100)]
        for number, line in enumerate(lines):
            line.sendall(b"POST /predict HTT"[: number % 17])
        assert server.client.post("/predict?maps=none", content=picture(0)).status_code == 200
        for line in lines:
            assert line.recv(100) == b""
            line.close()
        with raw(server) as line:  # a second request on a connection that was in use
            line.sendall(head(len(picture(0))) + picture(0))
            assert status(line) == 200
            line.sendall(b"GET /hea")
            while line.recv(65536):
                pass


@pytest.mark.parametrize(("speaks", "closed"), [("http", True), ("web socket", False)])
def test_what_became_a_web_socket_is_not_closed_for_silence(speaks, closed):
    from crosstask.serve.server import Impatient

    line = Impatient.__new__(Impatient)
    line.transport = Mock(get_protocol=lambda: line if speaks == "http" else object())
    line._give_up()
    assert line.transport.close.called == closed


def test_no_worker_is_bothered_for_those_who_left(run, model):
    with serving(run, seconds=10.0) as server:
        (worker,) = server.pids
        os.kill(worker, signal.SIGSTOP)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(server.client.post, "/predict", content=picture(1))
            until(lambda: server.pool._idle.empty())
            for _ in range(20):
                with raw(server) as line:
                    line.sendall(head(len(picture(0))) + picture(0))
            until(lambda: server.pool.asked == 21)
            os.kill(worker, signal.SIGCONT)
            assert agrees(first.result().json(), picture(1), model)
            until(lambda: server.pool.asked == 0)
        assert next(server.pool._numbers) == 1  # the first request alone was put to the worker
        assert agrees(server.client.post("/predict", content=picture(2)).json(), picture(2), model)
