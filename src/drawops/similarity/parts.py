"""What is known of parts: the `parts.csv` beside the drawings."""

from pathlib import Path

from drawops.drawings.parts_list import PARTS_FILE, read_parts
from drawops.similarity.filters import uniform


class Parts:
    """The rows of the `parts.csv` beside each file, by file name; an empty cell is an empty value."""

    def __init__(self) -> None:
        self._tables: dict[Path, dict[str, dict[str, str]]] = {}

    def of(self, file: Path) -> dict[str, str]:
        """
        Raises:
            InputRefused: see `read_parts`; `what` is the path of the `parts.csv`.
        """
        table = file.parent / PARTS_FILE
        if table not in self._tables:
            self._tables[table] = read_parts(table) if table.is_file() else {}
        row = self._tables[table].get(file.name, {})
        return {name: uniform(name, value) for name, value in row.items()}
