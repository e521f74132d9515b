"""The rounds as a table for a terminal."""

from pathlib import Path

from rich.console import Console

from crosstask.rounds.record import Record


def test_a_narrow_terminal_shows_every_number_of_every_round():
    record = Record(Path("rounds.json"), steps={"round_0": 3000, "round_1": 3000})
    labels = {f"{task} {what}": 80.125 for task in ("semantic", "depth", "normals") for what in ("cells", "kept")}
    network = {"semantic": {"miou": 43.77}, "depth": {"abs": 0.5184}, "normals": {"mean": 29.4}}
    record.rounds = [
        {"round": number, "labels": "", "pseudo_labels": labels if number else {}, "network": network, "steps": 3000}
        for number in range(4)
    ]
    console = Console(width=80, no_color=True)
    with console.capture() as shown:
        console.print(record.table())
    text = shown.get()
    assert "…" not in text
    lines = [line.split() for line in text.splitlines()]
    header, rows = record.cells()
    for name, *values in zip(header, *rows, strict=True):
        assert [*name.split(), *values] in lines
