"""What plug-ins are told about a crawl."""

from __future__ import annotations

from pathlib import Path

from scraper.config.schema.crawl import CrawlConfig
from scraper.hooks.interface import Hook
from scraper.hooks.load import load_hook
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


def make_hooks(config: CrawlConfig, base: Path) -> tuple[Hook, ...]:
    """The hooks that the config names; those of files are relative to `base`.

    Raises `HookError` and `PluginError`.
    """
    context = plugin_context(config, config.output.folder)
    return tuple(
        named.create(context) if isinstance(named, PluginUse) else load_hook(named, base) for named in config.hooks
    )
