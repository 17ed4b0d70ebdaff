"""The schema's models as a tree: which keys exist, at which paths, and how their values are written."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from pydantic.fields import FieldInfo

from scraper.config.schema.crawl import CrawlConfig
from scraper.config.schema.section import Section
from scraper.config.types.value_format import Shorthand, ValueFormat


class ConfigKey(NamedTuple):
    """One key of the config: its path with `[]` for a list's members and `*` for a mapping's, and its field."""

    path: str
    field: FieldInfo
    section: type[Section]


def annotation_parts(annotation: Any) -> Iterator[Any]:
    """The annotation, the types it is made of, and the metadata of `Annotated` in it, outermost first."""
    if get_origin(annotation) is Annotated:
        inner, *metadata = get_args(annotation)
        yield from metadata
        yield from annotation_parts(inner)
        return
    yield annotation
    if get_origin(annotation) is not Literal:
        for part in get_args(annotation):
            yield from annotation_parts(part)


def field_parts(field: FieldInfo) -> list[Any]:
    """All parts of a field's annotation."""
    return [*field.metadata, *annotation_parts(field.annotation)]


def value_format_of(field: FieldInfo) -> ValueFormat | None:
    """The format of a field's value, or of a mapping's values: the last one, because a mapping's keys come first."""
    return next((p for p in reversed(field_parts(field)) if isinstance(p, ValueFormat)), None)


def shorthand_of(field: FieldInfo) -> Shorthand | None:
    """The shorter way that a field, or each of its members, may be written."""
    return next((p for p in field_parts(field) if isinstance(p, Shorthand)), None)


def choices_of(field: FieldInfo) -> tuple[str, ...]:
    """The words that a field is limited to, empty when any value of its type will do."""
    for part in field_parts(field):
        if get_origin(part) is Literal:
            return tuple(get_args(part))
    return ()


def section_of(field: FieldInfo) -> type[Section] | None:
    """The model of a field's value or of its members."""
    return next((p for p in field_parts(field) if isinstance(p, type) and issubclass(p, Section)), None)


def container_of(field: FieldInfo) -> str:
    """`[]` for a list, `.*` for a mapping with free keys, otherwise nothing."""
    origins = [get_origin(p) for p in field_parts(field)]
    return "[]" if tuple in origins else ".*" if dict in origins else ""


def walk_keys(
    section: type[Section] = CrawlConfig, prefix: str = "", ancestors: tuple[type[Section], ...] = ()
) -> Iterator[ConfigKey]:
    """Every key below `section`, in the order of the schema. A section that can contain itself is walked once."""
    for name, field in section.model_fields.items():
        path = f"{prefix}.{name}" if prefix else name
        yield ConfigKey(path, field, section)
        if (inner := section_of(field)) and inner not in (section, *ancestors):
            yield from walk_keys(inner, path + container_of(field), (section, *ancestors))


@lru_cache(maxsize=1)
def paths_by_key() -> dict[str, tuple[str, ...]]:
    """Each key's name with the paths where it occurs."""
    found: dict[str, tuple[str, ...]] = {}
    for key in walk_keys():
        name = key.path.rpartition(".")[2]
        found[name] = (*found.get(name, ()), key.path)
    return found


def section_at_path(path: tuple[Any, ...]) -> type[Section] | None:
    """The model that the mapping at `path` is read as, or None when its keys are free."""
    section: type[Section] | None = CrawlConfig
    steps = list(path)
    # Each turn takes one key, and the index or free name after it where the key holds a list or a mapping.
    while steps and section is not None:
        field = section.model_fields.get(str(steps.pop(0)))
        if field is None:
            return None
        if container_of(field):
            if not steps:
                return None
            steps.pop(0)
        section = section_of(field)
    return section


def field_at_path(path: tuple[Any, ...]) -> FieldInfo | None:
    """The field that the value at `path` is read as, when it is a section's own key or a member of one."""
    # The last step is a key, or the last two are a key and a member of its value.
    for cut in (1, 2):
        if len(path) >= cut and (section := section_at_path(path[:-cut])) is not None:
            return section.model_fields.get(str(path[-cut]))
    return None
