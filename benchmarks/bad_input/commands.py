"""What is typed wrongly: commands, flags, values of flags, paths that are something else."""

# ruff: noqa: E501  # tables of inputs
from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bad_input.case import Case, train

TABLE, RUN, RECIPE = "{work}/data/data.csv", "{work}/run", "{work}/data/recipe.yaml"
PLACES = (
    "{work}/nowhere",
    "{work}/data",
    "/dev/null",
    "{work}/data/image/000.png",
    "",
    "\x01",
    "x" * 5000,
    "/proc/self/mem",
)
FLAGS: dict[str, tuple[tuple[str, ...], dict[str, tuple[str, ...]]]] = {
    "eval": (("eval", RUN, "--quiet"), {
        "--tile": ("-1", "0", "x", "1", "9999999999", "1.5", "nan"), "--overlap": ("-1", "x", "100000", "nan"),
        "--scales": ("", "0", "-1", "nan", "inf", "1e9", "1,,2", "a", ",", "1e-9"), "--device": ("", "gpu", "cuda:9", "cpu:x", "cuda", "tpu"),
        "--split": ("nowhere", "../x", "/", "\x01"), "--table": PLACES, "--weights": ("first", ""), "--zero-shot": ("", "=", "a=", "=b", "a=nowhere", "../x=du2014_basic", "depth=du2014_basic"),
        "--zero-shot-rule": ("x",), "--zero-shot-from": ("depth", ""), "--zero-shot-basic": ("depth", "", "=", "depth=du2014_parts"),
    }),
    "predict": (("predict", RUN, "{work}/data/image", "--out", "{work}/out", "--quiet"), {
        "--tile": ("-1", "0", "1", "10000000000"), "--overlap": ("-5", "10"), "--scales": ("0", "nan", "1e9"), "--device": ("gpu",),
        "--out": ("/dev/null", "{work}/data/data.csv", "/proc/x", "", "x" * 5000, "{work}/data/data.csv/x"), "--zero-shot": ("a/b=du2014_basic",),
    }),
    "export": (("export", RUN), {
        "--out": ("/dev/null", "/proc/x", "{work}/data", "", "{work}/a/b/c/d/\x00", "x" * 5000, "{work}/data/data.csv/x"),
        "--weights": ("x",), "--tolerance": ("-1", "nan", "x", "inf"), "--opset": ("-1", "0", "x", "1000", "1"), "--precision": ("x", "8"),
    }),
    "report": (("report", RUN), {"--out": ("/dev/null/x", "/proc/x", "{work}/data", "", "x" * 5000)}),
    "check": (("check", TABLE, "--quiet"), {"--workers": ("-1", "x", "1.5", "1000000000"), "--recipe": PLACES}),
    "regions": (("regions", TABLE, "--workers", "1"), {
        "--by": ("x", ""), "--workers": ("-1", "x", "0"), "--on": ("", "x", "ray://", "dask", "host:x", "127.0.0.1:1"), "--out": ("/dev/null", "/proc/x", "{work}/data/data.csv"),
        "--write": ("{work}/x.txt", "/proc/x.csv", "{work}/data", ""), "--segments": ("-1", "0", "x", "nan"), "--nonsense": ("1",),
    }),
    "relate": (("relate", TABLE, "--of", "place", "--to", "tags", "--out", "{work}/r.csv"), {
        "--of": ("nowhere", "depth", "tags", "", "image"), "--to": ("nowhere", "place", "semantic", ""), "--out": ("/proc/x.csv", "{work}/data", "", "{work}/data/data.csv", "{work}/data/image/000.csv"), "--recipe": PLACES,
        "--split": ("nowhere",), "--min-support": ("-1", "0", "x", "1.5", "99999999999"), "--smoothing": ("-1", "nan", "inf", "x"), "--floor": ("-1", "2", "nan"), "--level": ("0", "1", "nan", "x"),
    }),
    "train": (train(), {
        "--out": ("/dev/null", "/proc/x", "{work}/data/data.csv", "{work}/data", "", "x" * 5000, "{work}/data/data.csv/x"),
        "--training.devices": ("-1", "0", "x", "1000", "1.5", "[0, 99]"), "--training.accelerator": ("gpus", "cuda", "", "5"), "--training.strategy": ("x", "", "5", "fsdp"),
        "--training.precision": ("8", "64", "fp64", "bf8"), "--nonsense": ("1",), "--lr": ("1",), "--quiet": ("1",),
    }),
    "refine": (("refine", "{work}/squares/recipe.yaml", "--out", "{work}/new", "--quiet"), {
        "--rounds": ("-1", "x", "1.5", "nan"), "--device": ("gpu", ""), "--out": ("/dev/null", "/proc/x", "{work}/squares/squares.csv"),
        "--refine.saliency_from": ("nowhere", "timm:nonsense", "timm:", "{work}/squares"), "--refine.classifier": ("nowhere", "{work}/squares"),
        "--refine.tasks": ("[x]", "[]", "[saliency]"), "--refine.saliency": ("nowhere",), "--refine.masks": ("nowhere",),
        "--refine.classifier_recipe": ("{nonsense: 1}", "{training: {lr: x}}", "{training: 5}", "5", "{training: {lr: -1}}"),
    }),
    "compare": (("compare", RECIPE, "--objectives", "supervised", "--seeds", "0", "--out", "{work}/new", "--quiet"), {
        "--objectives": ("", ",", "nonsense", "single+nonsense", "nowhere.yaml", "{work}/data/data.csv", "{work}/data", "../../x", "a+b"),
        "--labels": ("", "two", "fraction:", "fraction:2", "0.1", ".."), "--seeds": ("", "x", "-1", "1.5", "1e3", "9" * 30), "--jobs": ("0", "-1", "x"),
        "--on": ("", "x", "ray://"), "--out": ("/dev/null", "/proc/x", "{work}/data/data.csv", "{work}/data"), "--training.lr": ("-1", "nan", "x"),
    }),
    "rooms": (("rooms", "--out", "{work}/rooms", "--train", "1", "--val", "0", "--test", "0", "--size", "16", "16"), {
        "--train": ("-1", "x", "1.5", "nan"), "--seed": ("x", "1.5", "9" * 40), "--out": ("/dev/null", "/proc/x", "{work}/data/data.csv", "{work}/data"),
    }),
    "table": (("table", "{work}/data", "--image", "image/*.png", "--out", "{work}/t.csv"), {
        "--out": ("/proc/x.csv", "{work}/x.txt", "", "{work}/data", "{work}/data/data.csv"), "--depth": ("nowhere/*.png", "", "[", "*", "/etc/*", "../**/*.png", "{split}/*.png"), "--fx": ("x", "nan", "inf", "-1", "0"),
        "--split": (",", "../x", "a,b"), "--image": ("nowhere/*.png", "", "data.csv:nowhere"), "--id": ("*.png",), "--tags": ("data.csv:nowhere", "data.csv", "recipe.yaml", "lists.json", "nowhere.json"),
    }),
    "convert": (("convert", "voc", "{work}/data", "--out", "{work}/t.csv", "--quiet"), {
        "--out": ("{work}/x.txt", ""), "--masks": ("nowhere", "../.."), "--train": ("nowhere",), "--nonsense": ("1",), "--workers": ("-1", "x"), "--tags": ("x",),
    }),
    "recipes": (("recipes",), {"--nonsense": ("1",)}),
    "suggest": (("suggest", RUN, "--budget", "2", "--quiet", "--no-package"), {
        "--budget": ("-1", "0", "x", "nan", "inf", "1e-9"), "--cost": ("x", "=", "depth=", "depth=-1", "depth=nan", "dept=1", "depth=x", "=1"),
        "--tasks": ("", ",", "dept", "depth,depth,x"), "--images": PLACES, "--scales": ("", "0", "-1", "nan", "1e9", "x", ","),
        "--out": ("/dev/null", "/proc/x", "{work}/data/data.csv", ""), "--device": ("gpu",), "--weights": ("x",),
    }),
    "audit": (("audit", RUN, "--quiet"), {
        "--folds": ("-1", "0", "1", "x", "99", "1.5"), "--split": ("nowhere", "", "../x"), "--tasks": ("", "dept", ","), "--show": ("-1", "x", "1e9"),
        "--out": ("/dev/null", "/proc/x", "{work}/data/data.csv", ""), "--device": ("gpu",), "--training.lr": ("x", "1"),
    }),
    "pack": (("pack", TABLE, "--out", "{work}/packed", "--quiet"), {
        "--out": ("/dev/null", "/proc/x", "{work}/data", "{work}/data/data.csv", ""), "--shard-mb": ("-1", "0", "x", "nan", "9" * 20), "--nonsense": ("1",),
    }),
    "merge": (("merge", TABLE, TABLE, "--out", "{work}/m.csv"), {
        "--out": ("/dev/null", "/proc/x.csv", "{work}/x.txt", "{work}/data", "{work}/data/data.csv", ""), "--conflicts": ("x", ""), "--nonsense": ("1",),
    }),
    "agree": (("agree", "{work}/data/annotators.csv", "--fuse", "{work}/f.csv", "--quiet"), {
        "--fuse": ("/dev/null", "/proc/x.csv", "{work}/x.txt", "{work}/data", ""), "--weights": ("x", "=", "anna=1", "estimated"), "--recipe": PLACES,
    }),
    "annotate": (("annotate", TABLE, RECIPE, "--as", "coco", "--out", "{work}/coco", "--quiet"), {
        "--as": ("x", "", "COCO"), "--out": ("/dev/null", "/proc/x", "{work}/data", "{work}/data/data.csv", ""), "--split": ("nowhere", "../x"),
    }),
    "start": (("start", TABLE, "--out", "{work}/s.yaml", "--quiet"), {
        "--out": ("/dev/null", "/proc/x.yaml", "{work}/data", "{work}/data/recipe.yaml", ""), "--workers": ("-1", "x", "1.5"), "--nonsense": ("1",),
    }),
    "serve": (("serve", RUN), {
        "--port": ("-1", "x", "99999999"), "--host": ("nowhere.invalid", "", "1.2.3.4"), "--workers": ("0", "-1", "x", "1000"), "--queue": ("-1", "x"), "--timeout": ("0", "-1", "nan", "x"),
        "--max-megabytes": ("0", "-1", "x", "nan"), "--max-pixels": ("0", "-1", "x"), "--device": ("gpu",), "--weights": ("x",),
    }),
    "app": (("app", RUN), {"--port": ("-1", "x", "99999999"), "--host": ("nowhere.invalid", ""), "--queue": ("0", "-1", "x"), "--device": ("gpu",)}),
    "align": (("align", RUN, "--objectives", "consistency", "--quiet"), {
        "--objectives": ("", ",", "nonsense", "nowhere.yaml", "single"), "--batches": ("-1", "0", "x", "1.5"), "--fit": ("-1", "x"), "--device": ("gpu", ""), "--weights": ("x",),
    }),
}  # fmt: skip
FIRST: dict[str, tuple[tuple[str, ...], ...]] = {
    "eval": (("eval", "{}", "--quiet"),), "export": (("export", "{}"),), "report": (("report", "{}"),), "align": (("align", "{}", "--objectives", "supervised"),),
    "predict": (("predict", "{}", "{work}/data/image", "--out", "{work}/out"), ("predict", RUN, "{}", "--out", "{work}/out", "--quiet")),
    "train": (("train", "{}", "--out", "{work}/new"), ("train", "--resume", "{}"), train("--data.table", "{}")), "refine": (("refine", "{}", "--out", "{work}/new"), ("refine", "--resume", "{}")),
    "compare": (("compare", "{}", "--objectives", "supervised", "--out", "{work}/new"), ("compare", RECIPE, "--objectives", "{}", "--out", "{work}/new")),
    "check": (("check", "{}", "--quiet"),), "regions": (("regions", "{}"),), "relate": (("relate", "{}", "--of", "place", "--to", "tags", "--out", "{work}/r.csv"),),
    "table": (("table", "{}", "--image", "*.png", "--out", "{work}/t.csv"),), "recipes": (("recipes", "{}"),),
    "suggest": (("suggest", "{}", "--budget", "1", "--quiet"),), "audit": (("audit", "{}", "--quiet"),), "serve": (("serve", "{}"),), "app": (("app", "{}"),),
    "pack": (("pack", "{}", "--out", "{work}/packed", "--quiet"),), "merge": (("merge", "{}", TABLE, "--out", "{work}/m.csv"),), "agree": (("agree", "{}"),),
    "annotate": (("annotate", "{}", RECIPE, "--as", "coco", "--out", "{work}/coco"), ("annotate", TABLE, "{}", "--as", "coco", "--out", "{work}/coco")),
    "start": (("start", "{}", "--quiet"),), "runs": (("runs", "{}"),),
    "convert": tuple(("convert", name, "{}", "--out", "{work}/t.csv", *more) for name, more in {
        "voc": (), "coco": (), "cityscapes": (), "cityscapes_npy": (), "nyuv2_npy": (), "nyuv2_mat": (), "attributes": (), "lists": ("--labelled", "x.txt"),
    }.items()),
}  # fmt: skip
LINES: tuple[tuple[str, ...], ...] = (
    ("trian",), ("",), ("--nonsense",), ("eval",), ("train",), ("train", "a", "b"), ("train", "demo", "--resume", RUN), ("--version", "x"),
    ("predict", RUN), ("export",), ("compare",), ("compare", "demo"), ("regions",), ("check",), ("table", "x"), ("rooms",), ("convert",),
    ("convert", "imagenet", "x", "--out", "y.csv"), ("convert", "voc"), ("eval", RUN, RUN), ("train", RECIPE, "--training.epochs"),
    ("train", RECIPE, "--training.epochs", "--out", "{work}/new"), ("train", "--resume", RUN, "--training.lr", "x"),
    ("train", RECIPE, "5"), ("refine",), ("recipes", "a", "b"), ("report",), ("demo", "x"), ("relate", TABLE), ("EVAL", RUN), ("help",),
    ("rooms", "--out", "{work}/rooms", "--size", "-1", "-1"), ("rooms", "--out", "{work}/rooms", "--size", "0", "0", "--train", "1"),
    ("rooms", "--out", "{work}/rooms", "--size", "1", "1", "--train", "1"), ("rooms", "--out", "{work}/rooms", "--train", "0", "--val", "0", "--test", "0"),
    ("demo", "--out", "/dev/null"), ("demo", "--training.lr", "x", "--out", "{work}/new"), ("train", "demo+nonsense"), ("train", "demo+"), ("train", "+"),
)  # fmt: skip
MAY = {
    ("table", "--depth", "*"), ("table", "--depth", "/etc/*"), ("table", "--split", "a,b"), ("table", "--out", "{work}/data/data.csv"),
    ("regions", "--workers", "0"), ("table", "--split", ","),
    ("rooms", "--out", "{work}/data"), ("compare", "--out", "{work}/data"), ("convert", "--train", "nowhere"),
    ("suggest", "--images", "{work}/data"), ("suggest", "--images", "{work}/data/image/000.png"), ("merge", "--out", "{work}/m.csv"), ("agree", "--weights", "anna=1"), ("annotate", "--as", "COCO"), ("predict", "--tile", "10000000000"), ("export", "--out", "{work}/data"), ("check", "--workers", "1000000000"),
}  # fmt: skip
"""Odd, and yet they may be meant."""


def cases() -> Iterator[Case]:
    needs = ("data", "run", "squares")
    for command, (typed, flags) in FLAGS.items():
        for flag, values in flags.items():
            for value in values:
                path = value.replace("{work}/", "")
                words = (flag, flag.strip("-"), flag.strip("-").replace("-", "_"), *([path] if path else []))
                fails = (command, flag, value) not in MAY and not (flag == "--fx" and value in ("-1", "0"))
                shown = "" if command == "convert" else value[:60]  # what is missing first is a folder of VOC
                yield Case("command lines", f"{command} {flag} {value[:60]!r}", (*typed, f"{flag}={value}"), needs=needs,
                           must_fail=fails and value not in ("1", "10", "1e3"), mentions=words if fails else (), value=shown)  # fmt: skip
    for command, lines in FIRST.items():
        for line in lines:
            for place in PLACES:
                filled = tuple(place if word == "{}" else word for word in line)
                meant = command in ("table", "runs") or (command, place) == ("predict", "{work}/data/image/000.png")
                meant |= command == "predict" and line[1] == RUN
                yield Case("paths", f"{' '.join(line)} at {place[:60]!r}", filled, needs=needs, must_fail=not meant)
    for line in LINES:
        yield Case(
            "command lines", " ".join(line)[:80], line, needs=needs, must_fail=line[0] not in ("help", "--version")
        )
