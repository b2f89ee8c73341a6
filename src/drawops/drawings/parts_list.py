"""The `parts.csv` beside drawings: what is known of each part, a row a file."""

import csv
import io
from pathlib import Path

from drawops.errors import InputRefused

PARTS_FILE = "parts.csv"
_FILE_COLUMNS = ("file", "文件", "文件名")


def read_parts(path: Path) -> dict[str, dict[str, str]]:
    """{file name: {column: text}}; an empty cell is an empty text. Read as Excel writes it too: with semicolons or tabs,
    and in GBK where it is not UTF-8.

    Raises:
        InputRefused: it can't be read as a table, or has no column of file names.
    """
    try:
        content = path.read_bytes()
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("gb18030")
        head = text.partition("\n")[0]
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count), restval=""))
    except (OSError, UnicodeDecodeError, csv.Error) as exc:
        raise InputRefused(str(path), f"can't be read as a table ({exc}); save it as CSV in UTF-8") from exc
    columns = list(rows[0]) if rows else []
    of_files = next((name for name in _FILE_COLUMNS if name in columns), None)
    if rows and of_files is None:
        has = ", ".join(filter(None, columns))
        raise InputRefused(str(path), f"has no column 'file' (but {has}); head the column of file names so")
    return {
        Path(row[of_files].strip().replace("\\", "/")).name: {
            name: value for name, value in row.items() if name and name != of_files
        }
        for row in rows
        if of_files and row[of_files].strip()
    }
