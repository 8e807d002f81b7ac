"""The words that `resource`, `transformer` and `apply_hints` understand, for editors and type checkers."""

from __future__ import annotations

from typing import Any, TypedDict

# Any throughout: each may also be a function of a row


class HintWords(TypedDict, total=False):
    """What may be said of a table beside its name. Of two words in a line either will do."""

    write: Any
    write_disposition: Any
    columns: Any
    primary_key: Any
    merge_key: Any
    contract: Any
    schema_contract: Any
    nesting: Any
    max_table_nesting: Any
    nested_hints: Any
    references: Any
    description: Any
    table_hints: Any
    additional_table_hints: Any
    parent_table_name: Any
    table_format: Any
    file_format: Any


class ResourceWords(HintWords, total=False):
    """What may be said of a resource beside its name; the last four are taken and not used."""

    table_name: Any
    selected: bool
    parallelized: bool
    incremental: Any
    spec: Any
    section: Any
    standalone: Any
    _impl_cls: Any
