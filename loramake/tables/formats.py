"""Tables in other files than a CSV: Excel workbooks, Parquet and JSON, and what gzip has compressed.

Each becomes a grid: rows of cells as they are stored, with the names of the columns in one of the first rows. Knows
files and cells; knows nothing of dialects.
"""

import codecs
import datetime
import decimal
import functools
import gzip
import importlib.util
import itertools
import math
import numbers
import re
import sys
import warnings
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import pandas as pd

from loramake.artifact_types.explore import Compression, FileFormat
from loramake.errors import ConfigError, DataError
from loramake.parsing import MIB, EncodingError, ParsingError, shown_size
from loramake.parsing.json_text import LONGEST_LINE, parse_json

TRUE, FALSE = ("True", "true", "TRUE", "1", "1.0"), ("False", "false", "FALSE", "0", "0.0")
"""How a CSV may write a boolean, most likely first."""

NOT_TEXT = re.compile("[\0\ud800-\udfff]")
"""Characters that no text file can contain."""

_REFUSED = {
    b"PK\x03\x04": "a zip file, not a table: unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook: save it as .xlsx or as CSV",
    b"ARROW1": "an Arrow file: save it as Parquet or as CSV",
    b"SQLite format 3": "an SQLite database, not a table: export a table as CSV",
    b"%PDF": "a PDF, not a table: export the table as CSV",
    b"BZh": "compressed by bzip2: unpack it",
    b"\xfd7zXZ": "compressed by xz: unpack it",
    b"\x28\xb5\x2f\xfd": "compressed by zstd: unpack it",
    b"\xff\xfe": "text in UTF-16: save it as UTF-8",
    b"\xfe\xff": "text in UTF-16: save it as UTF-8",
    b"<!DOCTYPE": "a web page, not a table: save its table as CSV",
    b"<html": "a web page, not a table: save its table as CSV",
    b"<?xml": "XML, not a table: export the table as CSV",
}
"""The first bytes of other files, with what they are and what to do."""

_START = 1 << 16
_JSON_LIST, _JSON_OBJECT = re.compile(rb"\[\s*[\[{\]]"), re.compile(rb'\{\s*["}]')
_LARGEST_RATIO, _LARGEST_SMALL = 100, 64 * MIB
"""What is compressed may unpack to so many times its size, and so many bytes more: a bomb would fill the memory."""
_LARGEST_JSON = 256 * MIB
_MOST_CELLS = 200_000_000
_PACKAGES = {"parquet": "pyarrow", "excel": "openpyxl"}
ONE_A_LINE = 'give one object a line, such as {"age": 40}'
_A_LIST = 'give a list of objects, such as [{"age": 40}]'


def find_format(path: Path) -> tuple[FileFormat, Compression | None]:
    """The format of a table by its first bytes; DataError for a file that cannot be read as one.

    ConfigError if a package that reads it is not installed.
    """
    with path.open("rb") as file:
        compression: Compression | None = "gzip" if file.read(2) == b"\x1f\x8b" else None
    if compression is not None:
        _check_unpacked(path)
    with open_bytes(path, compression) as file:
        start = file.read(_START)
    form = _format_of(start, path)
    if form in _PACKAGES:
        if compression is not None:
            raise DataError(f"{path}: the file that gzip has compressed is not text: unpack it.")
        _check_installed(path, _PACKAGES[form])
    return form, compression


def _format_of(start: bytes, path: Path) -> FileFormat:
    if start[:4] == b"PAR1":
        return "parquet"
    if start[:4] == b"PK\x03\x04" and _is_workbook(path):
        return "excel"
    for first, what in _REFUSED.items():
        if start.startswith(first):
            raise DataError(f"{path} is {what}.")
    text = start.removeprefix(codecs.BOM_UTF8).lstrip()
    if _JSON_LIST.match(text):
        return "json"
    if _JSON_OBJECT.match(text):
        line = text.partition(b"\n")[0]
        return "jsonl" if line.rstrip().endswith(b"}") or line == text else "json"  # one over several lines
    return "csv"


def _is_workbook(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return "xl/workbook.xml" in archive.namelist()
    except (zipfile.BadZipFile, OSError):
        return False


def _check_installed(path: Path, package: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ConfigError(
            f"{path} needs {package}, which is not installed: {sys.executable} -m pip install 'loramake[formats]'."
        )


def open_bytes(path: Path, compression: Compression | None) -> IO[bytes]:
    """The bytes of a file as they were before it was compressed."""
    return path.open("rb") if compression is None else cast(IO[bytes], gzip.open(path))


def _check_unpacked(path: Path) -> None:
    """Raise DataError for a gzip file that is damaged, or unpacks to far more than its size."""
    most, size = path.stat().st_size * _LARGEST_RATIO + _LARGEST_SMALL, 0
    try:
        with gzip.open(path) as file:
            while chunk := file.read(MIB):
                size += len(chunk)
                if size > most:
                    raise DataError(
                        f"{path} unpacks to more than {shown_size(most)}: unpack it first if that is right."
                    )
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is a damaged gzip file ({error}): copy or compress it again.") from error


def read_grid(path: Path, form: FileFormat, compression: Compression | None) -> pd.DataFrame:
    """The cells of a table that is not a CSV, names included, as they are stored; the index is the 0-based row.

    Of Parquet and JSON, row 0 contains the names; of a workbook, they may be further down. The last grid is kept, since
    a table is read for its dialect, for its shape and for its rows: do not change it.
    """
    stat = path.stat()
    return _read_grid(path, form, compression, (stat.st_size, stat.st_mtime_ns, stat.st_ino))


@functools.lru_cache(maxsize=1)
def _read_grid(path: Path, form: FileFormat, compression: Compression | None, _: tuple[int, ...]) -> pd.DataFrame:
    if form == "excel":
        return _read_sheet(path)
    if form == "parquet":
        return _read_parquet(path)
    objects = list(_objects(path, form, compression))
    names = list(dict.fromkeys(itertools.chain.from_iterable(objects)))
    return _grid(names, ([entry.get(name) for name in names] for entry in objects))


def _grid(names: Sequence[Any], rows: Any) -> pd.DataFrame:
    return pd.DataFrame([list(names), *rows], dtype=object)


def _read_sheet(path: Path) -> pd.DataFrame:
    """The only sheet of a workbook with cells; DataError if there are several, or none."""
    with zipfile.ZipFile(path) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    most = path.stat().st_size * _LARGEST_RATIO + _LARGEST_SMALL
    if size > most:
        raise DataError(f"{path} unpacks to more than {shown_size(most)}: export its table as CSV.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and validations, which are not read
            sheets = pd.read_excel(
                path, sheet_name=None, header=None, dtype=object, keep_default_na=False, engine="openpyxl"
            )
    except Exception as error:  # openpyxl raises whatever a damaged file leads to
        reason = " ".join(str(error).split())[:100]
        raise DataError(f"{path} cannot be read as an Excel workbook ({reason}): export its table as CSV.") from error
    filled = {str(name): sheet for name, sheet in sheets.items() if not sheet.empty}
    if not filled:
        raise DataError(f"{path} is empty: it needs a header line and rows.")
    if len(filled) > 1:
        raise DataError(
            f"{path} has {len(filled)} sheets ({', '.join(filled)}): save the one to use as a workbook of its own, or "
            "as CSV."
        )
    return next(iter(filled.values()))


def _read_parquet(path: Path) -> pd.DataFrame:
    import pyarrow
    from pyarrow import parquet

    try:
        file = parquet.ParquetFile(path)
        nested = next((field.name for field in file.schema_arrow if pyarrow.types.is_nested(field.type)), None)
        if nested is not None:
            raise DataError(f"{path}: the column {nested!r} contains lists or structures: give it single values.")
        if file.metadata.num_rows * file.metadata.num_columns > _MOST_CELLS:
            raise DataError(f"{path} has more than {_MOST_CELLS:,} cells: give it fewer rows or columns.")
        table = pd.read_parquet(path, engine="pyarrow", dtype_backend="numpy_nullable")
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:100]
        raise DataError(f"{path} is a damaged Parquet file ({reason}): write it again.") from error
    if not isinstance(table.index, pd.RangeIndex):
        table = table.reset_index(names=["" if name is None else str(name) for name in table.index.names])
    return _grid(list(table.columns), table.astype(object).itertuples(index=False, name=None))


def _objects(path: Path, form: FileFormat, compression: Compression | None) -> Iterator[dict[str, Any]]:
    """The objects of a JSON file, by line or in a list; DataError, with the line, for anything else."""
    if form == "jsonl":
        yield from read_json_lines(path, ONE_A_LINE, compression)
        return
    with open_bytes(path, compression) as file:
        data = file.read(_LARGEST_JSON + 1).removeprefix(codecs.BOM_UTF8)
    if len(data) > _LARGEST_JSON:
        raise DataError(f"{path} is larger than {shown_size(_LARGEST_JSON)}: write one object a line.")
    value = parse_value(data, str(path), _A_LIST)
    if not isinstance(value, list):
        raise DataError(f"{path} is a JSON {_kind(value)}, not a list: {_A_LIST}.")
    for number, entry in enumerate(value, 1):
        if not isinstance(entry, dict):
            raise DataError(f"{path}: object {number} is not a JSON object but a {_kind(entry)}: {_A_LIST}.")
        yield entry


def read_json_lines(path: Path, request: str, compression: Compression | None = None) -> Iterator[dict[str, Any]]:
    """The objects of JSON lines; DataError, with the line and ending with `request`, for a line that is not one."""
    with open_bytes(path, compression) as file:
        for number in itertools.count(1):
            line = file.readline(LONGEST_LINE + 1)
            if not line:
                return
            line = line.removeprefix(codecs.BOM_UTF8) if number == 1 else line
            if line.strip():
                yield _parsed_line(line, f"{path}: line {number}", request)


def _parsed_line(line: bytes, where: str, request: str) -> dict[str, Any]:
    if len(line) > LONGEST_LINE:
        raise DataError(f"{where} is longer than {shown_size(LONGEST_LINE)}: {request}.")
    value = parse_value(line, where, request)
    if not isinstance(value, dict):
        raise DataError(f"{where} is not a JSON object but a {_kind(value)}: {request}.")
    return value


def _kind(value: Any) -> str:
    return "object" if isinstance(value, dict) else type(value).__name__


def parse_value(data: bytes, where: str, request: str) -> Any:
    """The value of JSON; DataError, which ends with `request`, if it is not JSON or repeats a key."""

    def checked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        by_key = dict(pairs)
        if len(by_key) < len(pairs):
            name, _ = Counter(key for key, _ in pairs).most_common(1)[0]
            raise DataError(f"{where} has the column {name!r} more than once: rename or drop one of them.")
        return by_key

    try:
        return parse_json(data, pairs=checked, takes_nan=True)
    except EncodingError as error:
        raise DataError(f"{where} is not written in UTF-8: save it as UTF-8.") from error
    except ParsingError as error:
        raise DataError(f"{where} is not valid JSON ({str(error).removeprefix('line 1: ')}): {request}.") from error


def wordings(value: Any) -> tuple[str, ...] | None:
    """How a CSV may write a value, most likely first; None if it is not a single value."""
    if isinstance(value, str):
        return (value,)
    if value is None or value is pd.NA or value is pd.NaT:
        return ("",)
    if isinstance(value, bool | np.bool_):
        return TRUE if value else FALSE
    if isinstance(value, numbers.Integral):
        return str(int(value)), f"{int(value)}.0"
    if isinstance(value, numbers.Real | decimal.Decimal):
        if not math.isfinite(value):
            return ("",) if math.isnan(value) else (str(value),)
        whole = math.floor(value)
        return (str(whole), f"{whole}.0") if value == whole else (str(value),)
    if isinstance(value, datetime.datetime):  # pandas' Timestamp too
        value = value if value.tzinfo is None else value.astimezone(datetime.UTC).replace(tzinfo=None)
        day = value.time() == datetime.time()
        return (value.date().isoformat(),) if day else (value.isoformat(sep=" "),)
    if isinstance(value, datetime.date | datetime.time):
        return (value.isoformat(),)
    return (str(value),) if isinstance(value, datetime.timedelta) else None


def plain_text(value: Any) -> str:
    """A cell as a CSV would most likely write it; ValueError, with the reason, if no CSV could."""
    written = wordings(value)
    if written is None:
        kind = "an object" if isinstance(value, dict) else f"a {type(value).__name__}"
        raise ValueError(f"contains {kind}: give it one text or one number, one object for each row")
    if NOT_TEXT.search(written[0]):
        raise ValueError("contains a character that no text file can: fix that cell")
    return written[0]
