"""A real PostgreSQL server for tests, from Debian's packages."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.conftest import needs
from tests.servers.ports import free_port

FAST = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"


class PostgreSQL:
    """One server on 127.0.0.1, user and password mlflow; its folder outlives a stop and a kill."""

    def __init__(self, programs: Path, folder: Path, *, options: str) -> None:
        self.programs, self.folder, self.port, self.options = programs, folder, free_port(), options

    def url(self, database: str) -> str:
        return f"postgresql://mlflow:mlflow@127.0.0.1:{self.port}/{database}"

    def make(self) -> None:
        self.folder.mkdir(parents=True)
        if os.geteuid() == 0:  # the server refuses to run as root
            shutil.chown(self.folder, "postgres", "postgres")
        self._run("initdb", "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8")
        self.start()
        self.sql("create role mlflow login superuser password 'mlflow'")

    def start(self) -> None:
        where = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder}"
        self._run("pg_ctl", "-w", "-l", str(self.folder / "log"), "-o", f"{where} {self.options}", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-m", "immediate", "stop", check=False)

    def kill(self) -> None:
        """SIGKILL to the server and all that it runs, in the middle of whatever they do."""
        server = psutil.Process(int((self.folder / "data" / "postmaster.pid").read_text().splitlines()[0]))
        killed = [server, *server.children(recursive=True)]
        for process in killed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(killed, timeout=30)  # it does not start again while one of them holds its memory

    def sql(self, command: str) -> None:
        where = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres")
        subprocess.run([self.programs / "psql", "-q", *where, "-c", command], check=True, timeout=60)

    def _run(self, program: str, *arguments: str, check: bool = True) -> None:
        user = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
        command = [*user, str(self.programs / program), "-D", str(self.folder / "data"), *arguments]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=120)
        assert not check or done.returncode == 0, done.stderr


@contextmanager
def running(*, options: str = FAST) -> Iterator[PostgreSQL]:
    """A server that answers, in a folder of its own; the test skips (or fails, see `needs`) where there is none."""
    import tempfile

    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        needs("postgresql", "it is not installed (infra/ci/install-test-tools)")
    with tempfile.TemporaryDirectory(prefix="pg-") as folder:
        os.chmod(folder, 0o755)  # the server's user must come through
        server = PostgreSQL(programs[-1].parent, Path(folder) / "server", options=options)
        server.make()
        try:
            yield server
        finally:
            server.stop()
