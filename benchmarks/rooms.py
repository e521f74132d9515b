"""Made-up rooms a second on one core, and the shares of laying out, casting rays and painting."""

from __future__ import annotations

import time

import torch

from crosstask.rooms.layout import sample_scene
from crosstask.rooms.render import cast
from crosstask.rooms.room import make_room
from crosstask.rooms.texture import paint, sample_look

SIZES = ((64, 96), (192, 256), (480, 640))
COUNT = 150


def measure(size: tuple[int, int], count: int) -> dict[str, float]:
    """Milliseconds of processor time per image: of each step, and of the whole."""
    for index in range(10):
        make_room(1, index, size)
    spent = {"layout": 0.0, "rays": 0.0, "paint": 0.0, "whole": 0.0}
    for index in range(count):
        marks = [time.process_time()]
        scene = sample_scene(0, index)
        marks.append(time.process_time())
        geometry = cast(scene, size)
        marks.append(time.process_time())
        paint(scene, geometry, sample_look(0, index, scene))
        marks.append(time.process_time())
        make_room(0, index, size)
        marks.append(time.process_time())
        for name, start, end in zip(spent, marks[:-1], marks[1:], strict=True):
            spent[name] += 1e3 * (end - start) / count
    return spent


def main() -> None:
    torch.set_num_threads(1)
    print(f"{'size':>9} {'images/s':>9}   ms of one core: layout    rays   paint")
    for size in SIZES:
        spent = measure(size, COUNT if size[0] < 300 else COUNT // 5)
        shares = " ".join(f"{spent[name]:7.2f}" for name in ("layout", "rays", "paint"))
        print(f"{size[0]:>5}x{size[1]:<3} {1e3 / spent['whole']:>9.0f}   {'':14}{shares}")


if __name__ == "__main__":
    main()
