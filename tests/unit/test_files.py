"""Small things done to files."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Barrier

from drawops.files import write_ahead


def test_those_who_open_a_new_file_at_the_same_time_wait_for_each_other(tmp_path: Path) -> None:
    together = Barrier(3)

    def opens(path: Path) -> str:
        with closing(sqlite3.connect(path)) as db:
            together.wait()
            write_ahead(db)
            return str(db.execute("PRAGMA journal_mode").fetchone()[0])

    with ThreadPoolExecutor(3) as threads:
        for n in range(50):
            assert list(threads.map(opens, [tmp_path / f"{n}.db"] * 3)) == ["wal"] * 3
