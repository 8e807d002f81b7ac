"""One stream of a tap while it is read: its table, its versions, and how its rows meet those before.

Versions are deleted as Singer means it: rows whose version is *less* than the one that is activated go.
A table is emptied only by a landing that stands for all of it, so this can be done where every row that
is to stay comes with this run. A version that is newer than all that the table holds is therefore held
back until it is activated, or the run ends; then it takes the table's place in one commit.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from penstock.schema import types as t
from penstock.schema.disposition import EVERY_ROW, Disposition, Scd2, Strategy, WriteMode
from penstock.schema.hints import Hints
from penstock.schema.table import Column, Table
from penstock.singer.messages import DELETED_AT
from penstock.singer.schema import grown, table_of
from penstock.singer.state import UNKNOWN, Versions
from penstock.sources.singer.files import Files

# Any: a JSON schema holds values of every type.
VALID_FROM = "_sdc_valid_from"
_log = logging.getLogger(__name__)


class Held(Enum):
    """Whether a newer version is being gathered, has taken the place of the older ones, or neither."""

    NOTHING = auto()
    NEWER = auto()
    REPLACED = auto()


class TapStream:
    """A stream: `name` as the tap says, `table` as it is called here.

    `landed` are the versions that the table holds, `versions` what the project wants of them, and `added`
    the columns that are added to every record.
    """

    def __init__(
        self,
        name: str,
        table: str,
        files: Files,
        *,
        landed: Versions | None,
        versions: str,
        added: tuple[Column, ...],
    ) -> None:
        self.name = name
        self.table = table
        self.files = files
        self.landed = landed
        self.held = Held.NOTHING
        self.shape: Table | None = None
        self.has_records = False
        self._versions = versions
        self._added = added
        self._seen: Versions | None = None
        self._said: Mapping[str, Any] | None = None
        self._safe: tuple[Held, Versions | None, Versions | None] = (self.held, landed, None)

    @property
    def holds_back(self) -> bool:
        """Whether what was gathered must wait for its version to be activated."""
        return self.held is Held.NEWER

    # -------------------------------------------------------------------------------- messages

    def describe(self, schema: Mapping[str, Any], keys: tuple[str, ...]) -> None:
        """Take a schema in; one that was said before changes nothing."""
        if schema == self._said and self.shape is not None and self.shape.primary_key == keys:
            return
        table = table_of(self.table, schema, keys)
        names = set(table.names)
        extra = tuple(c for c in self._added if c.name not in names)
        table = Table(table.name, (*table.columns, *extra), primary_key=keys)
        self.shape = table if self.shape is None else grown(self.shape, table)
        self._said = schema

    def take(self, version: int | None) -> None:
        """Records of a version come."""
        self.has_records = True
        if version is None:
            return
        self._seen = Versions(version, version) if self._seen is None else self._seen.with_records(version)
        newer = self.landed is not None and version > self.landed.newest
        if self._is_versioned and newer and self.held is Held.NOTHING:
            self.held = Held.NEWER

    def activate(self, version: int) -> None:
        """Rows of versions before this one are no longer."""
        if self._versions == "ignore":
            return
        self.files.without(version)
        if self._seen is not None:
            newest = self._seen.newest
            self._seen = Versions(max(self._seen.oldest, version), newest) if newest >= version else None
        if self.landed is None or version <= self.landed.oldest:
            return
        if self._versions == "soft" and not self._keeps_versions:
            self._tell("has no primary key, or its own `_sdc_deleted_at`; rows of older versions stay")
            return
        if version > self.landed.newest:
            self.held, self.landed = Held.REPLACED, None
            self._seen = self._seen or Versions(version, version)
            return
        self._tell("came in several runs; rows of older versions stay until the next version")

    def settle(self) -> None:
        """A state covers all that came so far."""
        self.files.settle()
        self._safe = (self.held, self.landed, self._seen)

    def revert(self) -> None:
        """Take back what no state covers."""
        self.files.revert()
        self.held, self.landed, self._seen = self._safe

    def landing(self) -> None:
        """What was gathered lands: the table holds its versions from now on."""
        if self._seen is not None:
            base = self.landed or self._seen
            self.landed = base.with_records(self._seen.oldest).with_records(self._seen.newest)
        if self.held is Held.NEWER:
            self.held = Held.NOTHING
        self._safe = (self.held, self.landed, self._seen)

    # ---------------------------------------------------------------------------------- hints

    def hints(self) -> Hints | None:
        """What is known of the table; None for records without a schema."""
        if self.shape is None:
            return None
        return Hints(self.shape, disposition=self._disposition(self.shape.primary_key))

    def _disposition(self, keys: tuple[str, ...]) -> Disposition:
        replaced = self.held is Held.REPLACED
        versioned = self.landed not in (None, UNKNOWN) or self._seen is not None or replaced
        if self._versions == "soft" and versioned and self._keeps_versions:
            names = Scd2(valid_from=VALID_FROM, valid_to=DELETED_AT)
            merge_key = () if replaced else keys
            return Disposition(WriteMode.MERGE, keys, strategy=Strategy.SCD2, merge_key=merge_key, scd2=names)
        if replaced:
            return _anew(keys)
        if not keys:
            return Disposition()
        deletes = DELETED_AT if self._versions == "hard" and self._deletes_by_row else None
        # by delete-insert each landing is a load of its own, so that a rebuild replaces where a run did
        whole = versioned and self._versions == "hard"
        strategy = Strategy.DELETE_INSERT if whole else Strategy.UPSERT
        return Disposition(WriteMode.MERGE, keys, strategy=strategy, hard_delete=deletes)

    @property
    def _is_versioned(self) -> bool:
        return self._versions == "hard" or (self._versions == "soft" and self._keeps_versions)

    @property
    def _keeps_versions(self) -> bool:
        """Whether rows can be kept with the time of their deletion."""
        return self.shape is not None and bool(self.shape.primary_key) and not self._deletes_by_row

    @property
    def _deletes_by_row(self) -> bool:
        """Whether records of their own say which rows are deleted, as log-based replication does."""
        own = self._said.get("properties") if self._said is not None else None
        return isinstance(own, Mapping) and DELETED_AT in own

    def _tell(self, what: str) -> None:
        _log.warning("the stream `%s` %s", self.name, what)


def _anew(keys: tuple[str, ...]) -> Disposition:
    """All rows go, and of several new ones with one key the last stays, as in any load of a stream."""
    delete_insert = Strategy.DELETE_INSERT
    return Disposition(WriteMode.MERGE, keys, strategy=delete_insert, destination_scope=EVERY_ROW)


METADATA_COLUMNS = (
    Column("_sdc_extracted_at", t.TIMESTAMP_TZ, declared=True),
    Column("_sdc_received_at", t.TIMESTAMP_TZ, declared=True),
    Column("_sdc_batched_at", t.TIMESTAMP_TZ, declared=True),
    Column(DELETED_AT, t.TIMESTAMP_TZ, declared=True),
    Column("_sdc_sequence", t.INT64, declared=True),
    Column("_sdc_table_version", t.INT64, declared=True),
    Column("_sdc_sync_started_at", t.INT64, declared=True),
)
"""What Singer says of a row, beside the row."""
