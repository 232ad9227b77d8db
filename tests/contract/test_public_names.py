"""The public contract: every name is there, annotated, documented, with an example that runs."""

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lidjax

ROOT = Path(lidjax.__file__).parent
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name != "cli")


def exported(path: Path) -> list[str]:
    """Names that an `__init__` re-exports as `X as X`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [alias for node in tree.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    return [alias.name for alias in names if alias.asname == alias.name]


def names_of(package: Path) -> list[str]:
    """Names that a package exports: from its stub, where names are imported when they are used."""
    stub = package / "__init__.pyi"
    return exported(stub if stub.exists() else package / "__init__.py")


NAMES = names_of(ROOT)
FUNCTIONS = [name for name in NAMES if inspect.isfunction(inspect.unwrap(getattr(lidjax, name)))]
CLASSES = [name for name in NAMES if inspect.isclass(getattr(lidjax, name))]
SECTIONS = ("Args", "Returns", "Raises", "References", "Example", "Attributes")


def sections(text: str) -> dict[str, str]:
    """Sections of a docstring in Google style, without their indentation."""
    parts = re.split(rf"^({'|'.join(SECTIONS)}):$", inspect.cleandoc(text), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_name_of_the_stub_can_be_imported_and_no_other():
    assert set(NAMES) | {"__version__"} >= set(lidjax.__all__)
    for name in NAMES:
        assert getattr(lidjax, name) is not None
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_export_names_that_exist(package):
    module = importlib.import_module(f"lidjax.{package}")
    for name in names_of(ROOT / package):
        assert hasattr(module, name)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_annotated_and_documented(name):
    function = inspect.unwrap(getattr(lidjax, name))
    signature = inspect.signature(function)
    found = sections(function.__doc__ or "")
    parameters = [p for p in signature.parameters.values() if p.name != "self"]
    for parameter in parameters:
        assert parameter.annotation is not inspect.Parameter.empty, f"{name}: {parameter.name} has no type"
        said = re.search(
            rf"^    (\w+, )*\*{{0,2}}{parameter.name}(, \w+)*:", found.get("Args", ""), re.MULTILINE
        )
        assert said, f"{name}: {parameter.name} is not in Args"
    assert signature.return_annotation is not inspect.Signature.empty, f"{name}: no return type"
    assert "Returns" in found, f"{name}: no Returns"
    assert ">>>" in found.get("Example", ""), f"{name}: no Example"


@pytest.mark.parametrize("name", CLASSES)
def test_classes_are_documented(name):
    assert (getattr(lidjax, name).__doc__ or "").strip(), f"{name}: no docstring"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_examples_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function = inspect.unwrap(getattr(lidjax, name))
    tests = doctest.DocTestFinder(recurse=False).find(function, name, globs={})
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for test in tests:
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
    assert sum(len(test.examples) for test in tests) > 0


def lidjax_imports(path: Path) -> list[tuple[str, str]]:
    """(module, name) of everything a file imports from lidjax."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    pairs = [(node.module or "", alias.name) for node in nodes for alias in node.names]
    return [(module, name) for module, name in pairs if module.split(".")[0] == "lidjax"]


@pytest.mark.parametrize("path", sorted((ROOT / "cli").rglob("*.py")), ids=lambda path: path.name)
def test_the_command_line_uses_public_names_only(path):
    for module, name in lidjax_imports(path):
        if module.startswith("lidjax.cli"):
            continue
        if module == "lidjax":
            allowed = [*NAMES, "__version__", *PACKAGES]
        else:
            assert module.count(".") == 1, f"{path.name} imports from {module}"
            source = ROOT / module.split(".")[1]
            single = source.with_suffix(".py")
            if single.exists():  # a module of one file: what it defines without an underscore
                allowed = [n for n in vars(importlib.import_module(module)) if not n.startswith("_")]
            else:
                allowed = names_of(source)
        assert name in allowed, f"{path.name} imports {name} from {module}, which does not export it"


def test_importing_is_silent_and_imports_nothing_heavy():
    heavy = ("jax", "numpy", "xarray", "matplotlib", "zarr")
    code = f"import sys, lidjax; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


def test_the_package_is_typed():
    assert (ROOT / "py.typed").exists()
