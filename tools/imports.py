"""Draws which room imports which: `python -m tools.imports docs/imports.svg`.

A room is a package or a module of `crosstask`. Only imports at the top of a module count: one inside a function is how
a command stays light. Arrows point from a room to what it imports; one that follows from others (a -> b -> c makes
a -> c) is left out.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import networkx

ROOT = Path(__file__).parents[1] / "crosstask"
WIDTH, ROW, HEIGHT, GAP = 1180, 74, 30, 14


def imports() -> networkx.DiGraph:
    """Module -> module it imports, over all modules of the project."""
    graph = networkx.DiGraph()
    for path in sorted(ROOT.rglob("*.py")):
        module = _name(path.relative_to(ROOT))
        graph.add_node(module)
        graph.add_edges_from((module, other) for other in _imported(ast.parse(path.read_text())) if other != module)
    graph.remove_node("")
    return graph


def rooms(modules: networkx.DiGraph) -> networkx.DiGraph:
    """The same between rooms."""
    pairs = {(above.split(".")[0], below.split(".")[0]) for above, below in modules.edges}
    return networkx.DiGraph(sorted(pair for pair in pairs if pair[0] != pair[1]))


def draw(graph: networkx.DiGraph) -> str:
    """The picture of rooms as SVG, where none import each other; colours follow the reader's light or dark."""
    floors = [sorted(floor) for floor in networkx.topological_generations(graph)]
    boxes = {}
    for floor, names in enumerate(floors):
        shares = [len(name) + 6 for name in names]
        left = 0
        for name, share in zip(names, shares, strict=True):
            boxes[name] = ((left + share / 2) / sum(shares) * WIDTH, GAP + floor * ROW, 7.4 * len(name) + 18)
            left += share
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {GAP + len(floors) * ROW}" role="img" '
        'aria-label="Which part of crosstask imports which">',
        "<style>rect{fill:#eef3fb;stroke:#4a6fa5}text{font:13px sans-serif;text-anchor:middle;fill:#123}"
        "path{fill:none;stroke:#8094b4}"
        "@media(prefers-color-scheme:dark){rect{fill:#1d2a40;stroke:#7fa3da}text{fill:#dde6f5}}</style>",
    ]
    for above, below in sorted(networkx.transitive_reduction(graph).edges):
        (x, y, _), (u, v, _) = boxes[above], boxes[below]
        y, bend = y + HEIGHT, (v - y - HEIGHT) / 2
        lines.append(
            f'<path d="M{x:.0f} {y:.0f}C{x:.0f} {y + bend:.0f} {u:.0f} {v - bend:.0f} {u:.0f} {v:.0f}">'
            f"<title>{above} imports {below}</title></path>"
        )
    for name, (x, y, width) in sorted(boxes.items()):
        lines.append(f'<rect x="{x - width / 2:.0f}" y="{y}" width="{width:.0f}" height="{HEIGHT}" rx="5"/>')
        lines.append(f'<text x="{x:.0f}" y="{y + 20}">{name}</text>')
    return "\n".join([*lines, "</svg>", ""])


def _name(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix("__init__").removesuffix(".")


def _imported(node: ast.AST) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ImportFrom) and (child.module or "").split(".")[0] == "crosstask":
            module = child.module.removeprefix("crosstask").removeprefix(".")
            for name in child.names:
                inner = ROOT.joinpath(*module.split("."), name.name)
                found = inner.is_dir() or inner.with_suffix(".py").exists()
                yield f"{module}.{name.name}".lstrip(".") if found else module
        elif not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.If):  # `if TYPE_CHECKING`: for readers
            yield from _imported(child)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(draw(rooms(imports())))
