"""Every option of every section with values of the wrong type, out of range, not finite and far too large."""

# ruff: noqa: E501  # tables of inputs
from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from benchmarks.bad_input.case import Case, train
from crosstask.balancing import BALANCERS
from crosstask.construct import signature_options
from crosstask.data.options import DataOptions, RoomsOptions
from crosstask.learner.weighting import Weighting
from crosstask.networks import NETWORKS
from crosstask.networks.encoders import ENCODERS
from crosstask.networks.multitask import DECODERS
from crosstask.objectives import OBJECTIVES
from crosstask.recipe.refine import RefineOptions
from crosstask.recipe.training import TrainingOptions
from crosstask.regions import PROVIDERS
from crosstask.tasks import KINDS
from crosstask.typed import hints_of, is_options

NEGATIVE = {"training.seed", "data.labels_seed", "data.rooms.seed", "tasks.ignore"}
"""Where a negative number means something."""

TASKS: dict[str, dict[str, object]] = {
    "segmentation": {"column": "semantic", "classes": "[floor, wall, box]"},
    "depth": {"column": "depth"},
    "disparity": {"column": "depth"},
    "normals": {"column": "normals"},
    "saliency": {"column": "depth", "scale": "3000"},
    "tags": {"column": "tags", "classes": "[cat, sofa]"},
    "category": {"column": "place", "classes": "[indoor, outdoor]"},
    "scalars": {"column": "age", "names": "[years]"},
}
COUPLED = "{classes: place, attributes: tags, relatedness: '{work}/data/r.csv'}"
OBJECTIVE = {
    "soft_coannotation": COUPLED, "hard_coannotation": COUPLED, "distribution_matching": COUPLED,
    "geometry": "{depth: depth, normals: normals}", "spaces": "{task: semantic}",
    "scalar_matching": "{classes: place, scalars: age, means: '{work}/data/means.csv'}",
}  # fmt: skip
SKIPPED = {"training.accelerator", "training.devices", "training.strategy", "training.compile"}
"""Taken by Lightning as they are; looked at in commands.py."""


@dataclass(frozen=True)
class Value:
    """A value as it is typed, what it is, and whether no option of the given types takes it."""

    text: str
    what: str
    refused: bool


def cases() -> Iterator[Case]:
    for section, cls, provided, flags in _sections():
        hints = hints_of(cls)
        for name in signature_options(cls, dict.fromkeys(provided)):
            hint = hints.get(name, Any)
            yield from _of_option(f"{section}.{name}", hint, flags)
            if is_options(hint) or any(is_options(each) for each in get_args(hint)):
                inner = next(each for each in (hint, *get_args(hint)) if is_options(each))
                for deeper, deep_hint in hints_of(inner).items():
                    if deeper != "return":
                        yield from _of_option(f"{section}.{name}.{deeper}", deep_hint, flags)
    yield from _unknown()
    yield from _providers()


def _sections() -> Iterator[tuple[str, type, tuple[str, ...], tuple[str, ...]]]:
    yield "data", DataOptions, (), ()
    rooms = (
        "--data.table",
        "null",
        "--tasks",
        "{depth: {kind: depth}}",
        "--data.rooms",
        "{train: 2, validation: 1, test: 1}",
    )
    yield "data.rooms", RoomsOptions, (), rooms
    yield "training", TrainingOptions, (), ()
    yield "refine", RefineOptions, (), ()
    yield "network", NETWORKS["multitask"], ("tasks",), ()
    for name, encoder in ENCODERS.items():
        yield "network.encoder_options", encoder, (), ("--network.encoder_options", "{}", "--network.encoder", name)
    for name, decoder in DECODERS.items():
        given = ("channels", "strides", "tasks")
        yield "network.decoder_options", decoder, given, ("--network.decoder", name)
    for kind, task in KINDS.items():
        options = dict(TASKS[kind])
        column = options.pop("column")
        given = ", ".join(f"{key}: {value}" for key, value in options.items())
        one = f"{{{column}: {{kind: {kind}, {given}}}}}"
        yield f"tasks.{column}", task, ("name",), ("--tasks", one, "--data.labels", "full")
    for name, objective in OBJECTIVES.items():
        aged = ("--tasks.age", "{kind: scalars, names: [years]}") if name == "scalar_matching" else ()
        regions = ("--data.regions", "true") if name == "region_contrast" else ()
        flags = (*aged, *regions, f"--objectives.{name}", OBJECTIVE.get(name, "{}"))
        yield f"objectives.{name}", objective, ("tasks", "network"), flags
    yield "objectives.supervised", Weighting, (), ()
    for name, balancer in BALANCERS.items():
        yield "balancing", balancer, (), ("--balancing.kind", name)


def _of_option(key: str, hint: Any, flags: tuple[str, ...]) -> Iterator[Case]:
    if key in SKIPPED:
        return
    for value in values(hint):
        refused = value.refused or (value.what == "negative" and key not in NEGATIVE and key.split(".")[-1] != "ignore")
        typed = train(*flags, f"--{key}", value.text)
        if key.startswith("refine."):
            typed = ("refine", "{work}/squares/recipe.yaml", "--out", "{work}/new", "--quiet", f"--{key}", value.text)
        words: tuple[str, ...] = (key,)
        shown = value.text
        if key == "data.table":  # a text is the path of a file, which is then what is named
            words = ()
        if key.startswith("data.rooms"):  # is laid over tasks of other data, which may be what is wrong first
            words, shown = (), ""
        needs = ("squares",) if key.startswith("refine.") else ("data",)
        yield Case(
            "options",
            f"{key} = {value.text} ({value.what})",
            typed,
            needs=needs,
            must_fail=refused,
            mentions=words,
            value=shown,
        )


def values(hint: Any) -> list[Value]:
    """Odd values for a type; those that no member of it takes are to be refused."""
    members = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    text = any(member is str for member in members)
    number = any(member in (int, float) for member in members)
    listed = any(get_origin(each) is not None and get_origin(each) not in (Literal, dict) for each in members)
    mapped = any(get_origin(member) is dict or is_options(member) for member in members)
    odd = [
        Value(".nan", "not finite", True),
        Value(".inf", "not finite", True),
        Value("-.inf", "not finite", True),
        Value("1" + "0" * 30, "31 digits", not text),
        Value("!!python/name:os.system", "a tag", True),
        Value("[1, 2", "broken", True),
        Value("{a: [x, {y: .nan}]}", "nested", True),
        Value("null", "null", type(None) not in members and hint is not Any),
    ]
    if hint is bool:
        odd += [Value("2", "a number", True), Value("maybe", "text", True), Value("[true]", "a list", True)]
    if number:
        odd += [
            Value("-1", "negative", False), Value("0", "zero", False), Value("fast", "text", not text and not _literal(members)),
            Value("[]", "a list", not listed), Value("true", "a truth value", True),
            Value("100000000", "large", False), Value("1:30", "text", True), Value("''", "blank", not text),
        ]  # fmt: skip
        if float in members:
            odd += [Value("1e300", "large", False), Value("-1e-3", "negative", False), Value("1e-300", "tiny", False)]
        else:
            odd += [Value("1.5", "a fraction", True)]
    if text:
        odd += [Value("''", "blank", False), Value("../../x", "a path", False), Value("[a]", "a list", not listed),
                Value("a\\0b", "odd text", False), Value("x" * 5000, "long", False), Value("{a: 1}", "a mapping", not mapped)]  # fmt: skip
    if _literal(members):
        odd += [
            Value("nonsense", "text", not text),
            Value("[]", "a list", not listed),
            Value("{}", "a mapping", not mapped),
        ]
    if listed:
        odd += [Value("[]", "empty", False), Value("[[1]]", "nested", True), Value("[-1, -1]", "negative", False),
                Value("[0, 0]", "zero", False), Value("[a, b]", "text", False), Value("[null]", "null", True),
                Value("[1, 1, 1, 1, 1, 1, 1]", "long", False), Value("{a: 1}", "a mapping", not mapped),
                Value("5", "a number", not number and not text)]  # fmt: skip
    if mapped:
        odd += [Value("5", "a number", not number and not text), Value("[]", "a list", not listed),
                Value("{nonsense: 1}", "unknown", True), Value("{class_path: os.system}", "code", True),
                Value("os.system", "code", not text)]  # fmt: skip
    return odd


def _literal(members: Any) -> bool:
    return any(get_origin(member) is Literal for member in members)


def _unknown() -> Iterator[Case]:
    """Keys that do not exist, sections of the wrong form, names that are no names."""
    flags: Mapping[str, tuple[str, ...]] = {
        "--balancing.weights": ("{dept: 2}", "{supervised/dept: 2}", "{sup/depth: 2}", "{depth: -1}", "{'': 1}"),
        "--balancing": ("{kind: dwa, objectives: [supervise]}", "{kind: gradnorm, objectives: [x]}", "[1]", "5", "x"),
        "--data.derive": ("{normals: dept}", "{normal: depth}", "{depth: normals}", "{normals: normals}"),
        "--network.encoder_options": ("{widht: 4}", "{checkpoint_path: /tmp/x.pth}", "{width: x}", "{pretrained: true}"),
        "--network.decoder_options": ("{nonsense: 4}", "{width: 0}", "{width: -4}"),
        "--network": ("5", "[]", "x", "{kind: other}", "{class_path: a.B}"),
        "--data": ("5", "[]", "{}", "{tabel: x}"),
        "--training": ("5", "[1]", "x", "{}x", "{learning_rate: 1}"),
        "--refine": ("5", "[1]", "{round: 1}"),
        "--objectives": ("5", "[]", "{}", "''", "a,b", "[[supervised]]", "{supervised: 5}", "supervised,,x", "{'': {}}",
                         "{a: {kind: supervised, kind: pairwise}}", "[1, 2]", "{../x: {kind: supervised}}"),
        "--tasks": ("5", "[]", "{}", "null", "{a: 5}", "{a: {}}", "{a: {kind: 5}}", "{'': {kind: depth}}",
                    "{../../x: {kind: depth}}", "{id: {kind: depth}}", "{depth: {kind: depth}, Depth: {kind: depth}}",
                    "{depth: {kind: [depth]}}", "{depth: {kind: null}}", "{depth: null}"),
        "--tasks.semantic.classes": ("0", "-1", "[]", "[a, a, b]", "[a, '', b]", "['a;b', c, d]", "2", "100000", "[a, b]",
                                     "[[a], b, c]", "{a: b}", "[null, a, b]", "1.5"),
        "--tasks.tags.classes": ("1", "[cat]", "[cat, cat]", "['-', cat]", "['?', x]", "10000000"),
        "--objectives.mean_teacher": ("{only: [dept]}", "{only: []}", "{views: 0}", "{view: {mix: x}}", "{decay: 2}"),
        "--training.monitor": ("nonsense", "depth/nonsense", "dept/rmse", "/", "depth/", "../x"),
        "--training.start_from": ("nowhere", "{work}/data", "''"),
        "--data.labels": ("two", "fraction:", "fraction:-1", "fraction:nan", "fraction:1e400", "lists:", "lists:nowhere",
                          "file:nowhere", "lists:{work}/data/data.csv", "file:{work}/data/data.csv", "''", "fraction:0"),
        "--sections": ("1",), "--training.": ("1",), "--.": ("1",), "--": ("1",), "--training..lr": ("1",),
        "--data.table": ("[]", "{work}/data", "{work}/data/nowhere.csv", "['{work}/data/data.csv', '{work}/data/data.csv']",
                         "/dev/zero", "/dev/null", "{work}/data/recipe.yaml", "''", "s3://bucket/x.csv"),
    }  # fmt: skip
    for flag, texts in flags.items():
        for text in texts:
            named = (flag.strip("-.") or "--", flag.strip("-").split(".")[0])
            yield Case(
                "options", f"{flag} {text}", train(f"{flag}={text}"), needs=("data",), mentions=named, value=text
            )


def _providers() -> Iterator[Case]:
    for name, provider in PROVIDERS.items():
        if name == "sam":
            continue
        given = ("--column", "semantic") if name == "given" else ()
        for option, hint in hints_of(provider).items():
            if option == "return":
                continue
            for value in values(hint):
                typed = (
                    "regions",
                    "{work}/data/data.csv",
                    "--by",
                    name,
                    "--workers",
                    "1",
                    *given,
                    f"--{option}",
                    value.text,
                )
                refused = value.refused or (value.what == "negative" and option != "none")
                words = (option,)
                yield Case("options", f"regions by {name} --{option} {value.text}", typed, needs=("data",),
                           must_fail=refused, mentions=words, value=value.text)  # fmt: skip
