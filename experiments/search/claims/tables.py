"""The tables that the drivers of a study share; beside them, Optuna may have its own."""

from sqlalchemy import BigInteger, Column, Double, Integer, MetaData, Table, Text, UniqueConstraint

VERSION = 1
"""Of these tables; a database with those of another version is refused."""

METADATA = MetaData()

SCHEMA = Table("topformer_schema", METADATA, Column("version", Integer, primary_key=True, autoincrement=False))

STUDIES = Table(
    "topformer_studies",
    METADATA,
    Column("study", Text, primary_key=True),
    # Numbers given out so far: of trials, of records, of drivers that joined.
    Column("trials", Integer, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("drivers", Integer, nullable=False),
)

KEY = ("study", "fingerprint", "fidelity", "seed")
"""What makes two evaluations the same."""


def _key() -> tuple[Column[str], Column[str], Column[str], Column[int]]:
    return (
        Column("study", Text, primary_key=True),
        Column("fingerprint", Text, primary_key=True),
        Column("fidelity", Text, primary_key=True),
        Column("seed", BigInteger, primary_key=True, autoincrement=False),
    )


CLAIMS = Table(
    "topformer_claims",
    METADATA,
    *_key(),
    Column("owner", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    # Seconds since 1970 by the clock of the server.
    Column("expires", Double, nullable=False),
    Column("state", Text, nullable=False),
    Column("trial", Integer, nullable=False),
    Column("labels", Text, nullable=False),
    Column("origin", Text, nullable=False),
)

RECORDS = Table(
    "topformer_records",
    METADATA,
    *_key(),
    # Rises in the order in which records become visible; see `Claims`.
    Column("id", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("line", Text, nullable=False),
    UniqueConstraint("study", "id"),
)
