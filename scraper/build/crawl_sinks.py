"""The outputs that a crawl's config asks for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import assert_never

from scraper.build.plugin_context import field_names, plugin_context
from scraper.config.schema.crawl import CrawlConfig
from scraper.config_to_settings import column_kinds
from scraper.plugins import PluginUse
from scraper.sinks.interface import Sink


def make_sinks(config: CrawlConfig) -> list[Sink]:
    """Every output that the config asks for; page records are always written."""
    from scraper.sinks.jsonl import PagesSink

    folder, power = config.output.folder, config.durability == "power"
    sinks: list[Sink] = [PagesSink(folder, fsync=power), *make_item_sinks(config, folder)]
    if config.output.store == "pages":
        from scraper.sinks.page_store import PageStore

        sinks.append(PageStore(folder, fsync=power))
    if config.files.match or config.files.css:
        from scraper.sinks.files import FilesSink

        sinks.append(FilesSink(folder, fsync=power))
    return sinks


def output_paths(sinks: Iterable[Sink], folder: Path) -> dict[str, str]:
    """Where each output is, by name."""
    return {sink.name: "standard output" if sink.name == "stdout" else str(folder / sink.name) for sink in sinks}


def make_item_sinks(config: CrawlConfig, folder: Path) -> list[Sink]:
    """The outputs of what rules find, in `folder`; none without rules."""
    from scraper.sinks.jsonl import ItemsSink, RejectedSink

    columns = field_names(config)
    power = config.durability == "power"
    context = plugin_context(config, folder)
    sinks: list[Sink] = []
    for name in config.output.sinks:
        if isinstance(name, PluginUse):
            sinks.append(name.create(context))
        elif not config.extract:
            continue  # the built-in outputs hold items alone
        elif name == "jsonl":
            sinks.append(ItemsSink(folder, fsync=power))
        elif name == "csv":
            from scraper.sinks.csv import CsvSink

            sinks.append(CsvSink(folder, columns, fsync=power))
        elif name == "sqlite":
            from scraper.sinks.sqlite import SqliteSink

            sinks.append(SqliteSink(folder, columns, fsync=power))
        elif name == "parquet":
            from scraper.sinks.parquet import ParquetSink

            sinks.append(ParquetSink(folder, column_kinds(config), fsync=power))
        elif name == "stdout":
            from scraper.sinks.stdout import StdoutSink

            sinks.append(StdoutSink())
        else:
            assert_never(name)  # a new name must be built here, too
    if config.extract:
        sinks.append(RejectedSink(folder, fsync=power))
    return sinks
