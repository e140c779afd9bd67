"""What a new installation starts with."""

from __future__ import annotations

from importlib import resources

from services.masterdata.domain.id_schema import IdSchema

DEFAULT_SCHEMA_VERSION = 0.1


def default_id_schema() -> IdSchema:
    """Return the schema that is shipped: MOSIP's fields, to be replaced by a country's own."""
    text = resources.files(__package__).joinpath("default_id_schema.json").read_text("utf-8")
    return IdSchema(DEFAULT_SCHEMA_VERSION, text)
