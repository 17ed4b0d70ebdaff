"""Finds the hooks that a config names: `module`, `module:Class` or `path/to/file.py[:Class]`."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from scraper.errors import HookError
from scraper.hooks.interface import Hook


def load_hook(name: str, folder: Path) -> Hook:
    """Import one hook and create it.

    `name` is a module on the Python path or a `.py` file relative to `folder`, with `:Class` when it defines more than
    one hook. The class is called without arguments. Raises `HookError` when it cannot be imported, does not exist or is
    not a `Hook`. Its methods are checked by `check_methods`.
    """
    module_name, _, class_name = name.partition(":")
    module = _import_module(module_name, folder, name)
    if class_name:
        found = getattr(module, class_name, None)
        if found is None:
            raise HookError(f"hooks: {module_name} has no {class_name!r}")
        candidates = [found]
    else:
        # Only classes defined there: a module also holds those that it imports, `Hook` itself among them.
        candidates = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, Hook) and value.__module__ == module.__name__
        ]
        if len(candidates) != 1:
            raise HookError(f"hooks: {module_name} defines {len(candidates)} hooks; name one as {module_name}:Class")
    try:
        hook = candidates[0]()
    except Exception as error:
        raise HookError(f"hooks: {name} could not be created: {type(error).__name__}: {error}") from error
    if not isinstance(hook, Hook):
        raise HookError(f"hooks: {name} is not a scraper.Hook; derive it from that class")
    return hook


def _import_module(module_name: str, folder: Path, name: str) -> ModuleType:
    try:
        if module_name.endswith(".py"):
            return _import_file(folder / module_name)
        return importlib.import_module(module_name)
    except HookError:
        raise
    except Exception as error:  # importing runs the user's code, which may raise anything
        raise HookError(f"hooks: {name} cannot be imported: {type(error).__name__}: {error}") from error


def _import_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise HookError(f"hooks: there is no file {path}")
    spec = importlib.util.spec_from_file_location(f"scraper_hook_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Registered before it runs, as import does: dataclasses and pickle look a class's module up there.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
