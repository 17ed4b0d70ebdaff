"""What plug-ins are told about a crawl."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scraper.config.schema.crawl import CrawlConfig
from scraper.hooks.interface import Hook
from scraper.hooks.load import load_hook
from scraper.hooks.method_names import check_methods
from scraper.plugins import PluginContext, PluginUse


def field_names(config: CrawlConfig) -> list[str]:
    """The fields of all extraction rules, each once, in the order of the config."""
    return list(dict.fromkeys(name for rule in config.extract for name in rule.fields))


def plugin_context(config: CrawlConfig, folder: Path) -> PluginContext:
    """The context of the plug-ins of one run, whose outputs go to `folder`."""
    return PluginContext(
        folder=folder,
        fields=tuple(field_names(config)),
        power_safe=config.durability == "power",
        user_agent=config.politeness.user_agent,
        timeout=config.limits.timeout,
        deadline=config.limits.deadline,
    )


def make_hooks(config: CrawlConfig, base: Path, passed: Sequence[Hook] = ()) -> tuple[Hook, ...]:
    """The hooks that the config names, those of files relative to `base`, then those `passed` as objects.

    Raises `HookError` and `PluginError`, and `ConfigError` with all methods that look like hook methods and are not.
    """
    context = plugin_context(config, config.output.folder)
    hooks: list[tuple[str, Hook]] = []
    for named in config.hooks:
        if isinstance(named, PluginUse):
            hooks.append((named.name, named.create(context)))
        else:
            hooks.append((named, load_hook(named, base)))
    hooks += [(type(hook).__qualname__, hook) for hook in passed]
    check_methods(hooks)
    return tuple(hook for _, hook in hooks)
