"""profile.json, task.json, splits.json and unusable_columns.json."""

from typing import Literal, TypedDict

from loramake.artifact_types.shared import ExcludedColumn, MadeBy

FileFormat = Literal["csv", "excel", "parquet", "json", "jsonl"]
Compression = Literal["gzip"]
Encoding = Literal["utf-8", "utf-8-sig", "cp1252", "latin-1"]
Delimiter = Literal[",", ";", "\t", "|"]
ColumnType = Literal["numeric", "categorical", "boolean", "date", "text", "id", "constant"]
DecimalSign = Literal[".", ","]
ThousandsSign = Literal[".", ",", " ", "\u00a0", "\u2009", "\u202f", "'", "\u2019"]


NumberKind = Literal["number", "duration", "minutes"]
DeclaredType = Literal["numeric", "category", "categorical", "text", "date", "id"]


class NumberSigns(TypedDict):
    """How the numbers of a column are written."""

    decimal: DecimalSign
    thousands: ThousandsSign | None
    unit: str | None
    kind: NumberKind


class DateOrder(TypedDict):
    """How the dates of a column are written."""

    day_first: bool | None
    is_assumed: bool


class FlagWords(TypedDict):
    """The words of a boolean column."""

    yes: str
    no: str


MissingBy = Literal["numbers", "words", "setting"]
"""Whose words for a missing cell apply."""


class ReadAs(TypedDict):
    """How the cells of a column are read."""

    number_style: NumberSigns | None
    date_style: DateOrder | None
    flags: FlagWords | None
    missing_by: MissingBy
    kept_words: list[str]
    listed_words: list[str]


class ValueCount(TypedDict):
    """A value of a column, and how many rows have it."""

    value: str
    rows: int


Quantile = Literal["0", "0.25", "0.5", "0.75", "1"]


class ColumnNumbers(TypedDict):
    """The numbers of a column; None of one that is not numeric, and `words` also of one that has no dates."""

    words: int | None
    bounds: int | None
    quantiles: dict[Quantile, float] | None


class ProfileColumn(ColumnNumbers, ReadAs):
    """One column of the CSV."""

    name: str
    type: ColumnType
    missing: int
    missing_words: list[ValueCount]
    respelled: list[ValueCount]
    distinct: int
    top_values: list[ValueCount]
    value_hashes: str | None
    warnings: list[str]


class ReadBy(TypedDict):
    """How a table is read; encoding and delimiter are those of a CSV."""

    format: FileFormat
    compression: Compression | None
    encoding: Encoding
    delimiter: Delimiter
    lines_above: int
    unnamed_columns: list[int]


class TestTable(ReadBy):
    """The test CSV."""

    csv: str
    rows: int
    columns: list[str]


class Profile(ReadBy):
    """profile.json."""

    csv: str
    rows: int
    duplicate_rows: int
    test_csv: TestTable | None
    columns: list[ProfileColumn]


TaskType = Literal["binary", "multiclass"]


class TaskRows(TypedDict):
    """Rows of the CSV by their target."""

    with_target: int
    without_target: int
    with_rare_label: int


class ExploreFeedback(TypedDict):
    """What feedback/explore.yaml requests."""

    keep: list[str]
    drop: list[str]
    unread_notes: int


class TestHeader(TypedDict):
    """The header of the test CSV compared with the CSV's."""

    renamed: dict[str, str]
    extra: list[str]
    reordered: bool


class UnusableColumns(TypedDict):
    """unusable_columns.json: columns that no prediction may use, by reason."""

    rows: int
    ids: list[ExcludedColumn]
    constants: list[ExcludedColumn]
    leaks: list[ExcludedColumn]


class LabelCount(ValueCount):
    """A label, how many rows have it, and how else it is written in them."""

    spellings: list[ValueCount]


class DescribedTarget(TypedDict):
    """What is predicted."""

    target: str
    task_type: TaskType
    merge_labels: bool
    labels: list[LabelCount]
    positive_label: str | None


class TaskDescription(DescribedTarget):
    """task.json."""

    is_target_set: bool
    reason: str
    rows: TaskRows
    group_column: str | None
    time_column: str | None
    feedback: ExploreFeedback
    test_header: TestHeader | None
    by: MadeBy


class Assignment(TypedDict):
    """How the rows of the CSV were assigned to splits."""

    by: Literal["content", "group", "time"]
    column: str | None
    groups: int | None
    test_from: str | None
    left_out: int


class Splits(Assignment):
    """splits.json."""

    test: Literal["ratio", "test_csv"]
    rows: dict[str, int]
