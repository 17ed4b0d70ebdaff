"""Plug-ins: installed packages that add sinks, fetchers and hooks by entry points.

A package declares an entry point in one of three groups, and a config names it with `use`:

    [project.entry-points."scraper.sinks"]          output: {sinks: [jsonl, {use: mypkg, url: "..."}]}
    [project.entry-points."scraper.fetchers"]       network: {fetcher: {use: mypkg}}
    [project.entry-points."scraper.hooks"]          hooks: [{use: mypkg, limit: 3}]

What the entry point names is called with two arguments, the checked options and a `PluginContext`, and returns the
sink, fetcher or hook. Its attribute `Options`, a pydantic model, says which options there are; without it there are
none. docs/extending.md has an example of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from scraper.errors import PluginError, ScraperError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from pydantic import BaseModel

PluginKind = Literal["sink", "fetcher", "hook"]

ENTRY_POINT_GROUPS: Mapping[PluginKind, str] = {
    "sink": "scraper.sinks",
    "fetcher": "scraper.fetchers",
    "hook": "scraper.hooks",
}
# What an object must have to be of its kind. A wrong return value is found when the run opens, not on the first page.
_REQUIRED_ATTRIBUTES: Mapping[PluginKind, tuple[str, ...]] = {
    "sink": ("name", "open", "write", "flush", "aclose"),
    "fetcher": ("fetch", "aclose"),
    "hook": ("on_request", "on_response", "on_item"),
}


@dataclass(frozen=True, slots=True)
class PluginContext:
    """What a plug-in is told about the run, beside its own options."""

    # The run's output folder. A sink writes inside it, unless its options name another place.
    folder: Path
    # The names of the fields of all extraction rules, in the order of the config.
    fields: tuple[str, ...] = ()
    # `durability: power`: what a sink's `flush` has returned must survive a loss of power.
    power_safe: bool = False
    # The User-Agent of the config, for a fetcher.
    user_agent: str = ""
    # Seconds a fetcher may wait for one step, and for a whole request.
    timeout: float = 30.0
    deadline: float = 120.0


PluginFactory = Callable[["BaseModel | None", PluginContext], Any]


@dataclass(frozen=True, slots=True)
class PluginUse:
    """A plug-in that a config names: its factory, its checked options, and how it is written without its secrets."""

    kind: PluginKind
    name: str
    factory: PluginFactory
    options: BaseModel | None
    written: Mapping[str, Any]

    def create(self, context: PluginContext) -> Any:
        """Make the sink, fetcher or hook.

        Raises `PluginError` when the factory fails or returns something else; errors of ours pass unchanged.
        """
        try:
            made = self.factory(self.options, context)
        except ScraperError:
            raise
        except Exception as error:  # it runs a stranger's code, which may raise anything
            raise PluginError(f"{self.kind} {self.name} could not be made: {type(error).__name__}: {error}") from error
        if lacking := [name for name in _REQUIRED_ATTRIBUTES[self.kind] if not hasattr(made, name)]:
            raise PluginError(f"{self.name} made no {self.kind}: {type(made).__name__} has no {', '.join(lacking)}")
        return made


def installed_names(kind: PluginKind) -> list[str]:
    """The names of the installed plug-ins of one kind, sorted."""
    return sorted({point.name for point in _entry_points(kind)})


def load_factory(kind: PluginKind, name: str) -> PluginFactory:
    """Import the plug-in `name`. Raises `PluginError` when there is none, or two, or it cannot be imported."""
    points = [point for point in _entry_points(kind) if point.name == name]
    if not points:
        names = ", ".join(installed_names(kind)) or "none"
        raise PluginError(f"no {kind} is called {name} (installed: {names})")
    if len({point.value for point in points}) > 1:
        raise PluginError(f"two installed packages have a {kind} called {name}; uninstall one of them")
    try:
        factory = points[0].load()
    except Exception as error:  # importing runs a stranger's code, which may raise anything
        raise PluginError(f"{kind} {name} cannot be imported: {type(error).__name__}: {error}") from error
    if not callable(factory):
        raise PluginError(f"{kind} {name} is {points[0].value}, which cannot be called")
    found: PluginFactory = factory
    return found


def options_model(factory: PluginFactory) -> type[BaseModel] | None:
    """The pydantic model of a plug-in's options; None when it has none."""
    model: type[BaseModel] | None = getattr(factory, "Options", None)
    return model


def _entry_points(kind: PluginKind) -> tuple[EntryPoint, ...]:
    # Imported here: it costs every start a tenth, and most configs name no plug-in.
    from importlib.metadata import entry_points

    return tuple(entry_points(group=ENTRY_POINT_GROUPS[kind]))
