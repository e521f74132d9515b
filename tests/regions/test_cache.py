import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from crosstask.engine import Engine
from crosstask.errors import DataError, RunError
from crosstask.regions import Felzenszwalb, Grid, Job, Progress, Slic, make_regions, read_record, read_regions
from tests.regions.made import Dying, Slow, images, read_rgb

ROOT = Path(__file__).parents[2]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_every_image_gets_the_ids_of_its_provider(tmp_path: Path) -> None:
    jobs = images(tmp_path, 3)
    provider = Felzenszwalb(min_size=5)
    state = make_regions(jobs, provider, read_rgb, Engine(workers=0))
    assert (state.total, state.made, state.kept, state.failures) == (3, 3, 0, {})
    for job in jobs:
        np.testing.assert_array_equal(read_regions(job.target).numpy(), provider(read_rgb(job.source)))


def test_what_is_there_is_not_touched(tmp_path: Path) -> None:
    jobs = images(tmp_path, 4)
    make_regions(jobs[:3], Grid(), read_rgb, Engine(workers=0))
    before = {job.target: job.target.stat().st_mtime_ns for job in jobs[:3]}
    state = make_regions(jobs, Grid(), read_rgb, Engine(workers=0))
    assert (state.made, state.kept) == (1, 3)
    assert {job.target: job.target.stat().st_mtime_ns for job in jobs[:3]} == before


def test_other_parameters_or_another_provider_make_it_again(tmp_path: Path) -> None:
    jobs = images(tmp_path, 2)
    for provider in (Grid(patch=8), Grid(patch=4), Slic(segments=6)):
        assert make_regions(jobs, provider, read_rgb, Engine(workers=0)).made == 2
        assert make_regions(jobs, provider, read_rgb, Engine(workers=0)).kept == 2
        np.testing.assert_array_equal(read_regions(jobs[0].target).numpy(), provider(read_rgb(jobs[0].source)))


def test_another_image_makes_it_again(tmp_path: Path) -> None:
    jobs = images(tmp_path, 2)
    make_regions(jobs, Slic(), read_rgb, Engine(workers=0))
    jobs[0].source.write_bytes(jobs[1].source.read_bytes())
    state = make_regions(jobs, Slic(), read_rgb, Engine(workers=0))
    assert (state.made, state.kept) == (1, 1)
    np.testing.assert_array_equal(read_regions(jobs[0].target).numpy(), read_regions(jobs[1].target).numpy())


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-30],
        lambda content: content[:-30] + bytes([content[-30] ^ 4]) + content[-29:],
        lambda content: b"not a picture",
    ],
    ids=["emptied", "truncated", "bit flipped", "replaced"],
)
def test_a_corrupt_file_is_rebuilt(damage: Callable[[bytes], bytes], tmp_path: Path) -> None:
    jobs = images(tmp_path, 3)
    make_regions(jobs, Slic(segments=8), read_rgb, Engine(workers=0))
    good = contents(tmp_path / "out")
    jobs[1].target.write_bytes(damage(jobs[1].target.read_bytes()))
    state = make_regions(jobs, Slic(segments=8), read_rgb, Engine(workers=0))
    assert (state.made, state.kept) == (1, 2)
    assert contents(tmp_path / "out") == good


@pytest.mark.parametrize("workers", [0, 2])
def test_an_unreadable_image_costs_only_its_own_file(workers: int, tmp_path: Path) -> None:
    jobs = images(tmp_path, 6)
    jobs[1].source.write_bytes(jobs[1].source.read_bytes()[:200])
    jobs[4].source.unlink()
    state = make_regions(jobs, Grid(), read_rgb, Engine(workers=workers))
    assert {job.name for job in state.failures} == {"row 1", "row 4"}
    assert all(reason and "\n" not in reason for reason in state.failures.values())
    assert state.made == 4
    assert sorted(contents(tmp_path / "out")) == ["000.png", "002.png", "003.png", "005.png"]


def test_errors_that_name_the_file_are_passed_on(tmp_path: Path) -> None:
    def refuse(path: Path) -> np.ndarray:
        raise DataError(f"{path}: too large")

    state = make_regions(images(tmp_path, 1), Grid(), refuse, Engine(workers=0))
    assert list(state.failures.values()) == [f"{tmp_path / 'in' / '000.png'}: too large"]


def test_more_ids_than_fit_are_a_failure_of_that_image(tmp_path: Path) -> None:
    job = images(tmp_path, 1)[0]
    state = make_regions([job], Grid(patch=1), lambda path: np.zeros((257, 256, 3), np.uint8), Engine(workers=0))
    assert "65792 regions, at most 65534 fit" in state.failures[job]
    assert not job.target.exists()


def test_workers_make_the_same_files(tmp_path: Path) -> None:
    jobs = images(tmp_path, 20)
    make_regions(jobs, Slic(segments=9), read_rgb, Engine(workers=0))
    elsewhere = [job._replace(target=tmp_path / "pool" / job.target.name) for job in jobs]
    seen: list[int] = []
    state = make_regions(
        elsewhere, Slic(segments=9), read_rgb, Engine(workers=2), progress=lambda now: seen.append(now.done)
    )
    assert state.made == 20
    assert seen == list(range(1, 21))
    assert contents(tmp_path / "pool") == contents(tmp_path / "out")


def test_a_worker_that_dies_is_reported_not_waited_for(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="worker process died"):
        make_regions(images(tmp_path, 4), Dying(), read_rgb, Engine(workers=2))


def test_a_folder_that_cannot_be_written_stops_the_work(tmp_path: Path) -> None:
    jobs = images(tmp_path, 2)
    (tmp_path / "out").write_text("a file where the folder should be")
    with pytest.raises(RunError, match="cannot write the regions"):
        make_regions(jobs, Grid(), read_rgb, Engine(workers=0))


def test_jobs_with_one_target_are_one(tmp_path: Path) -> None:
    jobs = images(tmp_path, 2)
    assert make_regions([*jobs, jobs[0]], Grid(), read_rgb, Engine(workers=0)).total == 2


def test_nothing_to_do_is_fine() -> None:
    assert make_regions([], Grid(), read_rgb).done == 0


def test_progress_foresees_the_end() -> None:
    job = Job("row 1", Path("a"), Path("b"))
    assert Progress(total=10).remaining is None
    state = Progress(total=100, made=10, kept=29, failures={job: "broken"}, seconds=5.0)
    assert state.done == 40
    assert state.rate == 2.0
    assert state.remaining == 30.0


def start(folder: Path, workers: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.regions.made", str(folder / "in"), str(folder / "out"), str(workers)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen[str], files: int) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if int(line) >= files:
            return
    raise AssertionError("the process ended early")


def test_two_processes_on_one_folder_do_no_harm(tmp_path: Path) -> None:
    jobs = images(tmp_path, 12)
    processes = [start(tmp_path, workers=0) for _ in range(2)]
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0
    assert sorted(contents(tmp_path / "out")) == [job.target.name for job in jobs]
    assert make_regions(jobs, Slow(patch=4), read_rgb, Engine(workers=0)).kept == 12


@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_process_is_continued(workers: int, tmp_path: Path) -> None:
    jobs = images(tmp_path, 40)
    process = start(tmp_path, workers)
    wait_for(process, 3)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
    there = settled(tmp_path / "out")
    assert 3 <= len(there) < 40
    state = make_regions(jobs, Slow(patch=4), read_rgb, Engine(workers=0))
    assert (state.made, state.kept) == (40 - len(there), len(there))
    assert all(read_record(job.target) is not None for job in jobs)


def settled(folder: Path) -> list[str]:
    """The finished files once nobody writes any more: workers end when their parent was killed."""
    before: list[str] = []
    while before != (before := sorted(path.name for path in folder.iterdir() if path.suffix == ".png")):
        time.sleep(0.5)
    return before


@pytest.fixture
def answered() -> Iterator[None]:
    """Ctrl-C raises, also where the tests run in the background and are deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("answered")
def test_an_interrupt_keeps_what_is_finished(tmp_path: Path) -> None:
    jobs = images(tmp_path, 8)

    def interrupt(state: Progress) -> None:
        if state.done == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        make_regions(jobs, Grid(), read_rgb, Engine(workers=0), progress=interrupt)
    assert make_regions(jobs, Grid(), read_rgb, Engine(workers=0)).kept >= 3
