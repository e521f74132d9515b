"""What the Dockerfile runs, run here: the same command as a process, and its health check against it."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from crosstask.cli import parser
from tests.serve.conftest import httpx, picture

ROOT = Path(__file__).parents[2]


def lines() -> list[tuple[str, str]]:
    """Instructions and what they say, continued lines joined, remarks left out."""
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"), flags=re.M)
    joined = re.sub(r"\\\n\s*", "", text)
    return [(line.split()[0], line.partition(" ")[2]) for line in joined.splitlines() if line.strip()]


def command() -> list[str]:
    return json.loads(dict(lines())["CMD"])


def test_it_copies_what_is_there_installs_what_is_named_and_is_not_root():
    said = lines()
    ignored = (ROOT / ".dockerignore").read_text().split()
    for kind, what in said:
        if kind == "COPY":
            for name in shlex.split(what)[:-1]:
                assert (ROOT / name).exists()
                assert f"!{name}" in ignored
    kinds = [kind for kind, _ in said]
    assert kinds[0] == "FROM"
    assert kinds.index("USER") < kinds.index("CMD")
    installs = [what for kind, what in said if kind == "RUN" and "pip install" in what]
    assert any("[serve]" in what and "-c " in what for what in installs)
    assert "HEALTHCHECK" in kinds


def test_its_command_is_understood():
    known = parser()[0].parse_args(command()[1:])
    assert (known.command, known.host, known.port) == ("serve", "0.0.0.0", 8000)


@pytest.mark.slow
def test_its_command_serves_a_run_and_its_health_check_sees_it(run):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    changed = {"/run_folder": str(run), "8000": port}
    typed = [changed.get(word, word) for word in command()[1:]]
    process = subprocess.Popen(
        [sys.executable, "-m", "crosstask.cli", *typed], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert port in process.stdout.readline()
            check = json.loads(dict(lines())["HEALTHCHECK"].partition("CMD ")[2])
            assert check[0] == "python"
            subprocess.run(
                [sys.executable, *(word.replace("8000", port) for word in check[1:])], check=True, timeout=30
            )
            answer = httpx.post(f"http://127.0.0.1:{port}/predict", content=picture(0), trust_env=False, timeout=30)
            assert answer.status_code == 200
            process.terminate()
            assert process.wait(30) == 0
            assert "beyond this machine" in process.stderr.read()
        finally:
            process.kill()
