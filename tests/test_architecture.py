"""The house rules, read off the source tree: ranks, purity, sizes, names.

A breach fails here with its file and line.  The ratchet lists what is larger
than the rule allows, with its exact size: it may shrink (then lower the
number), never grow, and nothing may join it without a reason beside it.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[1] / "src" / "asyncipc"
MODULES = sorted(HOUSE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}

RANKS = {
    "errors": 0,
    "events": 0,
    "statistics": 0,
    "kernel": 1,
    "network": 2,
    "runtime": 3,
    "native": 4,
    "faces": 4,
    "trace": 4,
    "door": 5,
    "cli": 6,
    "testing": 6,
}
ROOM_OF_MODULE = {"posix": "faces", "run": "door", "__init__": "door"}
"""What stands beside the rooms, because its place is its public name."""

THIRD_PARTY = {
    "runtime": {"anyio", "cattrs", "outcome", "trio"},
    "native": {"anyio", "trio"},
    "faces": {"anyio", "trio"},
    "trace": {"structlog"},
    "door": {"trio"},
    "cli": {"rich", "trio", "typer"},
    "testing": {"hypothesis", "pytest", "trio"},
}
PURE = {"kernel", "network"}
PURE_STDLIB = {
    "__future__", "bisect", "collections", "dataclasses", "enum", "errno", "functools", "heapq",
    "ipaddress", "itertools", "math", "typing",
}  # fmt: skip

FUNCTION_LINES = 40
FILE_LINES = 400
NESTING = 3
RATCHET: dict[str, int] = {}


def room_of(module: str) -> str:
    """The room that ``asyncipc.x.y`` lives in."""
    name = module.split(".")[1] if "." in module else "__init__"
    return ROOM_OF_MODULE.get(name, name if name in RANKS else "door")


def module_name(path: Path) -> str:
    parts = ("asyncipc", *path.relative_to(HOUSE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def imports(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            assert node.module is not None
            if node.module == "asyncipc":
                yield from ((f"asyncipc.{alias.name}", node.lineno) for alias in node.names)
            else:
                yield node.module, node.lineno


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Its lines without the docstring."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines


def nesting(node: ast.AST, depth: int = 0) -> int:
    """How deep control flow is nested."""
    deepest = depth
    for child in ast.iter_child_nodes(node):
        inner = isinstance(child, ast.If | ast.For | ast.While | ast.With | ast.Try | ast.AsyncWith)
        is_elif = isinstance(node, ast.If) and node.orelse == [child] and isinstance(child, ast.If)
        deepest = max(deepest, nesting(child, depth + (inner and not is_elif)))
    return deepest


@pytest.fixture(params=MODULES, ids=lambda path: str(path.relative_to(HOUSE)))
def module(request: pytest.FixtureRequest) -> tuple[Path, ast.Module]:
    path: Path = request.param
    return path, TREES[path]


def test_imports_go_only_downward(module: tuple[Path, ast.Module]) -> None:
    path, tree = module
    room = room_of(module_name(path))
    for name, line in imports(tree):
        if not name.startswith("asyncipc"):
            continue
        target = room_of(name)
        if room == "trace":
            allowed = target == "trace" or RANKS[target] == 0
        else:
            allowed = target == room or RANKS[target] < RANKS[room]
        assert allowed, f"{path.name}:{line}: {room} imports {name} ({target})"


def test_third_parties_are_used_only_where_they_are_known(
    module: tuple[Path, ast.Module],
) -> None:
    path, tree = module
    room = room_of(module_name(path))
    for name, line in imports(tree):
        package = name.partition(".")[0]
        if package != "asyncipc" and package not in sys.stdlib_module_names:
            assert package in THIRD_PARTY.get(room, set()), f"{path.name}:{line}: {package}"


def test_the_pure_rooms_know_no_time_no_dice_no_await(module: tuple[Path, ast.Module]) -> None:
    path, tree = module
    if room_of(module_name(path)) not in PURE:
        return
    for name, line in imports(tree):
        package = name.partition(".")[0]
        assert package in PURE_STDLIB | {"asyncipc"}, f"{path.name}:{line}: {name}"
    for node in ast.walk(tree):
        where = f"{path.name}:{getattr(node, 'lineno', 0)}"
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncWith), where
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"print", "open", "hash", "id", "input"}, where
        if isinstance(node, ast.For | ast.comprehension):
            unordered = isinstance(node.iter, ast.Set) or (
                isinstance(node.iter, ast.Call)
                and isinstance(node.iter.func, ast.Name)
                and node.iter.func.id in {"set", "frozenset"}
            )
            assert not unordered, f"{where}: iteration over a set"


def test_files_and_functions_stay_small(module: tuple[Path, ast.Module]) -> None:
    path, tree = module
    lines = len(path.read_text(encoding="utf-8").splitlines())
    limit = RATCHET.get(str(path.relative_to(HOUSE)), FILE_LINES)
    assert lines <= limit, f"{path.name} has {lines} lines"
    for function in functions(tree):
        where = f"{path.name}:{function.lineno} {function.name}"
        assert body_lines(function) <= FUNCTION_LINES, f"{where}: {body_lines(function)} lines"
        assert nesting(function) <= NESTING, f"{where}: nested {nesting(function)} deep"


def test_functions_are_short_on_the_whole() -> None:
    trees = TREES.values()
    sizes = sorted(body_lines(function) for tree in trees for function in functions(tree))
    assert sizes[len(sizes) // 2] <= 8


def test_the_ratchet_lists_only_what_needs_it() -> None:
    for name in RATCHET:
        lines = len((HOUSE / name).read_text(encoding="utf-8").splitlines())
        assert lines == RATCHET[name], f"{name} has {lines} lines: lower the number, or cut it"
        assert lines > FILE_LINES, f"{name} has {lines} lines: take it off the list"


def test_every_module_and_package_says_what_it_is(module: tuple[Path, ast.Module]) -> None:
    path, tree = module
    docstring = ast.get_docstring(tree)
    assert docstring, f"{path} has no docstring"
    if path.name == "__init__.py" and room_of(module_name(path)) in {
        *PURE,
        "runtime",
        "faces",
        "trace",
    }:
        assert "must never" in docstring, f"{path} does not say what it must never know"


PRIVATE_HOOKS = {
    "_abort_func",
    "_cancel_status",
    "_core",
    "_counter",
    "_must_cancel",
    "_run",
    "_runner",
}


def test_only_the_lent_room_touches_the_private_names_of_others(
    module: tuple[Path, ast.Module],
) -> None:
    path, tree = module
    if path.name == "lent.py":
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or not node.attr.startswith("_"):
            continue
        base = node.value
        root = base.id if isinstance(base, ast.Name) else ""
        foreign = root in {"anyio", "asyncio", "outcome", "trio"} or (
            node.attr in PRIVATE_HOOKS and root not in {"self", "cls"}
        )
        assert not foreign or node.attr.startswith("__"), f"{path.name}:{node.lineno}: {node.attr}"


def test_only_the_system_call_and_the_root_sleep(module: tuple[Path, ast.Module]) -> None:
    path, tree = module
    if path.name in {"syscall.py", "simulation.py"}:
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
            called = ast.unparse(node.value.func)
            assert not called.endswith("parking.sleep"), f"{path.name}:{node.lineno}: {called}"


def test_everything_awaited_in_the_pure_rooms_would_be_a_verb() -> None:
    """Each verb of an open file answers a value or a refusal, and says so in its type."""
    verbs = {"read", "write", "recv", "send"}
    for path in sorted((HOUSE / "kernel").rglob("*.py")):
        for function in functions(TREES[path]):
            if function.name in verbs and path.name != "console.py":
                assert function.returns is not None
                assert "WouldBlock" in ast.unparse(function.returns), (
                    f"{path.name}: {function.name}"
                )
