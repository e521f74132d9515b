"""What is wrong with a request is said in one line, and the next request is answered as ever."""

from __future__ import annotations

import socket
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tests.serve.conftest import picture, serving, until

PNG = {"Accept": "image/png"}


def refused(answer, status: int, *words: str) -> None:
    """One clear error: its status, one line that holds the words, nothing else."""
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert set(answer.json()) == {"error"}
    assert set(error) == {"code", "message"}
    assert "\n" not in error["message"]
    for word in words:
        assert word in error["message"]


@pytest.fixture(autouse=True)
def and_all_is_well_afterwards(served):
    before = served.pool.restarts
    yield
    assert served.client.post("/predict?maps=none", content=picture(0)).status_code == 200
    assert served.pool.restarts == before
    until(lambda: served.pool.asked == 0)


def promise(width: int, height: int) -> bytes:
    """The beginning of a PNG that promises so many pixels, and holds none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("how", ["declared", "chunked", "form"])
def test_an_upload_that_is_too_large(served, how):
    data = b"\x89PNG" + b"0" * 3_000_000
    if how == "form":
        answer = served.client.post("/predict", files={"image": data})
    else:
        pieces = (data[start : start + 10_000] for start in range(0, len(data), 10_000))
        answer = served.client.post("/predict", content=data if how == "declared" else pieces)
    refused(answer, 413, "0.5 MB", "smaller")


def test_more_bytes_than_allowed_by_a_few_in_a_form(served):
    refused(served.client.post("/predict", files={"image": b"0" * 500_001}), 413, "0.5 MB")


@pytest.mark.parametrize("size", [(317, 316), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_by_the_header(served, size):
    refused(served.client.post("/predict", content=promise(*size)), 413, "pixels", "100,000")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", 400),
        (b"hello", 415),
        (b"PK\x03\x04" + b"\0" * 50, 415),
        (b"\x89PNG\r\n\x1a\n", 415),
        (promise(10, 10), 422),
        (picture(1)[:200], 422),
        (picture(1, form="JPEG")[:300], 422),
        (picture(1)[:60] + b"\0" * 40 + picture(1)[100:], 422),
    ],
    ids=["nothing", "text", "zip", "magic alone", "no pixels", "half a PNG", "half a JPEG", "damaged"],
)
@pytest.mark.parametrize("form", [False, True], ids=["body", "form"])
def test_broken_pictures(served, data, status, form):
    sent = {"files": {"image": ("a.png", data)}} if form else {"content": data}
    refused(served.client.post("/predict", **sent), status, "upload" if status != 422 else "picture")


@pytest.mark.parametrize(("kind", "word"), [(np.float32, "in [0, 1]"), (np.int32, "int32")])
def test_pictures_of_values_that_are_not_read_say_so_and_nothing_of_the_upload(served, kind, word):
    file = BytesIO()
    Image.fromarray(np.full((4, 4), 200, kind)).save(file, "TIFF")
    answer = served.client.post("/predict", content=file.getvalue())
    refused(answer, 422, word, "cannot be used")
    assert "whole file" not in answer.text


@pytest.mark.parametrize(
    ("sent", "status", "word"),
    [
        ({"json": {"path": "/etc/passwd"}}, 415, "application/json"),
        ({"content": b"x", "headers": {"Content-Type": "text/plain"}}, 415, "text/plain"),
        ({"content": b"x", "headers": {"Content-Encoding": "gzip"}}, 415, "gzip"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400, "form"),
        ({"content": b"x", "headers": {"Content-Type": "multipart/form-data; boundary=a"}}, 400, "form"),
        ({"files": {"a": b"1", "b": b"2"}}, 400, "2 files"),
        ({"files": [("image", b"1"), ("image", b"2")]}, 400, "2 files"),
        ({"data": {"image": "/etc/passwd"}, "files": {}, "headers": {"X": "1"}}, 415, "no picture"),
        ({"content": picture(0), "params": {"task": "dept"}}, 404, "did you mean 'depth'"),
        ({"content": picture(0), "params": {"tile": "8"}}, 400, "no parameter 'tile'"),
        ({"content": picture(0), "params": {"maps": "all"}}, 400, "values, pictures, none"),
        ({"content": picture(0), "headers": {"Accept": "image/png"}}, 406, "application/json"),
        ({"content": picture(0), "headers": {"Accept": "text/html"}}, 406, "application/json"),
        ({"content": picture(0), "headers": {"Accept": "application/json;q=0"}}, 406, "application/json"),
        ({"content": picture(0), "params": {"task": "semantic", "confidence": "true"}, "headers": PNG}, 406, "without"),
    ],
)
def test_requests_that_ask_for_something_else(served, sent, status, word):
    refused(served.client.post("/predict", **sent), status, word)


def test_other_addresses_and_methods(served):
    refused(served.client.get("/nosuch"), 404, "/predict")
    refused(served.client.get("/predict"), 405, "POST /predict")
    refused(served.client.get("/docs"), 404)  # it would load its scripts from elsewhere


def raw(served) -> socket.socket:
    host, port = served.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def test_a_client_that_goes_away_in_the_middle(served):
    with raw(served) as line:
        line.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
    with raw(served) as line:
        line.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(picture(0)) + picture(0))
    with raw(served) as line:
        line.sendall(b"nonsense\r\n\r\n")
        assert line.recv(1000).startswith(b"HTTP/1.1 400")


def test_an_upload_that_is_too_slow_and_a_queue_that_is_full(run):
    slow = b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf"
    with serving(run, seconds=1.0, queue=0) as server:
        with raw(server) as line:
            line.sendall(slow)
            while not server.pool.asked:
                pass
            full = server.client.post("/predict", content=picture(0))
            refused(full, 503, "again")
            assert int(full.headers["retry-after"]) >= 1
            assert server.client.get("/health").status_code == 200  # is not for the queue
            assert b"408" in line.recv(1000).splitlines()[0]
        assert server.client.post("/predict?maps=none", content=picture(0)).status_code == 200
