"""What is known of parts: the `parts.csv` beside the drawings."""

import csv
from pathlib import Path

from drawops.errors import InputRefused
from drawops.similarity.filters import uniform

PARTS_FILE = "parts.csv"


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
            row["file"]: {k: uniform(k, v) for k, v in row.items() if k and k != "file" and isinstance(v, str)}
            for row in rows
            if row.get("file")
        }
