"""What the page of runs side by side says first: what was compared, which is better on what, what to do next.

Two kinds of noise are told of. *Images*: two runs differ image by image, with an interval over images.
*Seeds*: what runs that differ in their seed alone are apart is chance; without such runs it is not known.
"""

from __future__ import annotations

import math
import shlex
from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations

from crosstask.compare.statements import interval_text, listed
from crosstask.compare.statistics import LEVEL, Interval
from crosstask.entries import SUPERVISED
from crosstask.evaluation.results import TaskResults, show
from crosstask.evaluation.words import worded
from crosstask.recipe import Recipe
from crosstask.report.paired import Paired
from crosstask.report.subject import Source, Subject
from crosstask.training.changes import differences

SEEDS = {"training.seed", "data.labels_seed"}
"""What two runs may differ in and still be one method."""
_KEYS = 5
_OTHERS = 3


def sentences_of_several(subject: Subject) -> list[tuple[str, list[str]]]:
    """Headings and what is said under each."""
    recipes = {
        source.method: Recipe.stored(source.runs[0] / "recipe.yaml", trust=subject.trust) for source in subject.sources
    }
    apart = {
        pair: differences(recipes[pair[0]].sections, recipes[pair[1]].sections) for pair in combinations(recipes, 2)
    }
    seeds = [pair for pair, found in apart.items() if found and set(found) <= SEEDS]
    parts = (
        ("What was compared", _compared(subject, recipes)),
        ("Which is better", _verdicts(subject)),
        ("How sure that is", _noise(subject, seeds)),
        ("What to do next", _next(subject, recipes, len(seeds) == len(apart))),
    )
    return [(heading, lines) for heading, lines in parts if lines]


def _compared(subject: Subject, recipes: Mapping[str, Recipe]) -> list[str]:
    lines = [f"{len(recipes)} runs, for {listed(subject.tasks)}: {listed(list(recipes))}."]
    first, *others = recipes.values()
    keys = dict.fromkeys(key for other in others for key in differences(first.sections, other.sections))
    said = []
    if any(key.startswith("objectives.") for key in keys):
        said.append(f"objectives ({'; '.join(' + '.join(each.sections['objectives']) for each in recipes.values())})")
    for key in (key for key in keys if not key.startswith("objectives.")):
        said.append(f"{key} ({'; '.join(_value(recipe, key) for recipe in recipes.values())})")
    if not said:
        return [*lines, "Their recipes are the same."]
    more = [f"{len(said) - _KEYS} more settings"] if len(said) > _KEYS else []
    return [*lines, f"They differ in {listed(said[:_KEYS] + more)}."]


def _value(recipe: Recipe, key: str) -> str:
    value: object = recipe.sections
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return "none" if value is None else str(value)[:40]


def _verdicts(subject: Subject) -> list[str]:
    """First in one sentence who is better on what, then the numbers of each task."""
    won: dict[str, list[str]] = defaultdict(list)
    even, lines = [], []
    for task in subject.tasks:
        measured = [source for source in subject.sources if task in source.tasks]
        ranked = sorted(measured, key=lambda each: _rank(each.tasks[task]))
        ranked = [each for each in ranked if not math.isnan(each.tasks[task].score)]
        if len(ranked) < 2:
            continue
        best, second = ranked[:2]
        paired = _gain(best.tasks[task], second.tasks[task])
        if paired.interval.excludes_zero:
            won[(best if paired.mean > 0 else second).method].append(task)
        else:
            even.append(task)
        lines.append(_task(task, ranked))
    summary = [f"{name} is better on {listed(tasks)}" for name, tasks in won.items()]
    if even:
        summary.append(f"no difference of the best two is shown on {listed(even)}")
    return [f"{'; '.join(summary)}.", *lines] if summary else []


def _rank(task: TaskResults) -> float:
    return -task.numbers[task.primary].better * task.score


def _gain(one: TaskResults, other: TaskResults) -> Paired:
    """By how much one run is better than another, image by image."""
    return Paired.of(one, other, one.numbers[one.single].better)


def _task(task: str, ranked: Sequence[Source]) -> str:
    best, *others = ranked
    results = best.tasks[task]
    words, unit = worded(results.primary, results.protocol)
    named = [f"{other.method} {show(other.tasks[task].score)}{unit}" for other in others[:_OTHERS]]
    more = [f"{len(others) - _OTHERS} more below"] if len(others) > _OTHERS else []
    text = f"{task}: {best.method} has {words} {show(results.score)}{unit}, {listed(named + more)}."
    return " ".join([text, *(_by_image(results, best, other, task) for other in others[:_OTHERS])])


def _by_image(results: TaskResults, best: Source, other: Source, task: str) -> str:
    theirs = other.tasks[task]
    paired = _gain(results, theirs)
    if not results.scores.keys() & theirs.scores.keys():
        return f"{best.method} and {other.method} were measured on other images: the numbers cannot be compared."
    if paired.images < 2:
        return f"{best.method} and {other.method} cannot be compared image by image."
    words, unit = worded(results.single, results.protocol)
    by_image = "image by image" if results.single == results.primary else f"image by image, by {words},"
    interval, images = paired.interval, f"{paired.images:,} images"
    if not interval.excludes_zero:
        return (
            f"I{by_image[1:]} no difference to {other.method} is shown ({interval_text(interval)}{unit} over {images})."
        )
    start, mean = f"I{by_image[1:]} it is better than {other.method} by", paired.mean
    if mean < 0:
        start, mean, interval = (
            f"Yet {by_image} {other.method} is better by",
            -mean,
            Interval(*(-end for end in interval[::-1])),
        )
    low, high = (f"{end:.3g}" for end in interval)
    return f"{start} {mean:.3g}{unit} ({low} to {high}{unit} over {images})."


def _noise(subject: Subject, seeds: Sequence[tuple[str, str]]) -> list[str]:
    by_name = {source.method: source for source in subject.sources}
    said = []
    for task in subject.tasks:
        gaps = [
            abs(by_name[a].tasks[task].score - by_name[b].tasks[task].score)
            for a, b in seeds
            if task in by_name[a].tasks and task in by_name[b].tasks
        ]
        known = [gap for gap in gaps if not math.isnan(gap)]
        if known:
            results = next(source.tasks[task] for source in subject.sources if task in source.tasks)
            said.append(f"{show(max(known))}{worded(results.primary, results.protocol)[1]} in {task}")
    if said:
        return [
            f"Intervals of {LEVEL:.0%} are over the images.",
            f"Runs that differ in the seed alone are up to {listed(said)} apart: smaller differences are chance.",
        ]
    if not any(source.tasks for source in subject.sources):
        return []
    return [
        f"Intervals of {LEVEL:.0%} are over the images.",
        "What another seed would change is not known: each run is one training, and differences of this size can come "
        "from the seed.",
    ]


def _next(subject: Subject, recipes: Mapping[str, Recipe], only_seeds: bool) -> list[str]:
    bare = [source for source in subject.sources if not source.tasks]
    lines = [
        f"Measure {source.method}, then report again: crosstask eval {shlex.quote(str(source.runs[0]))}"
        for source in bare
    ]
    if not only_seeds:
        methods = ["+".join(name for name in each.sections["objectives"] if name != SUPERVISED)
                   for each in recipes.values()]  # fmt: skip
        named = ",".join(dict.fromkeys(method or SUPERVISED for method in methods))
        recipe = shlex.quote(str(subject.path / "recipe.yaml"))
        lines.append(
            f"Before you believe it, train several seeds of each: crosstask compare {recipe} --objectives {named} "
            "--seeds 0,1,2"
        )
    lines.append("Look at pictures of both beside each other below: set left and right, and order by the worst.")
    return lines
