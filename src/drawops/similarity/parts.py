"""What is known of parts: the `parts.csv` beside the drawings."""

import csv
import re
from pathlib import Path

from drawops.errors import InputRefused

PARTS_FILE = "parts.csv"
_YEAR_FIRST = re.compile(r"(\d{4})[-./年](\d{1,2})[-./月](\d{1,2})日?")
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")  # with slashes some write the month first


class Parts:
    """The rows of the `parts.csv` beside each file, by file name; an empty cell is an empty value."""

    def __init__(self) -> None:
        self._folders: dict[Path, dict[str, dict[str, str]]] = {}

    def of(self, file: Path) -> dict[str, str]:
        folder = file.parent
        if folder not in self._folders:
            self._folders[folder] = self._read(folder / PARTS_FILE)
        return self._folders[folder].get(file.name, {})

    @staticmethod
    def _read(path: Path) -> dict[str, dict[str, str]]:
        if not path.is_file():
            return {}
        try:
            with path.open(encoding="utf-8-sig", newline="") as stream:
                rows = list(csv.DictReader(stream))
        except (OSError, UnicodeDecodeError, csv.Error) as exc:
            raise InputRefused(str(path), f"is not a CSV file in UTF-8 ({exc})") from exc
        return {
            row["file"]: {k: _uniform(k, v) for k, v in row.items() if k and k != "file" and isinstance(v, str)}
            for row in rows
            if row.get("file")
        }


def _uniform(field: str, value: str) -> str:
    """Dates year first, so that they can be compared: 2020.8.7, 2020年8月7日 and 07.08.2020 are 2020-08-07."""
    if "date" not in field.lower() and "日期" not in field:
        return value
    if found := _YEAR_FIRST.fullmatch(value.strip()):
        year, month, day = found.groups()
    elif found := _DAY_FIRST.fullmatch(value.strip()):
        day, month, year = found.groups()
    else:
        return value
    return f"{year}-{int(month):02}-{int(day):02}"
