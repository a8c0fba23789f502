"""Real servers for tests: S3 (versitygw) and PostgreSQL, each on a port of its own, for a whole session of tests.

A fixture gives a server that runs. A test may stop it and start it again; what it holds stays.
"""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import botocore.session  # type: ignore[import-untyped] # comes without types
import psycopg
import pytest
from botocore.config import Config  # type: ignore[import-untyped] # likewise
from sqlalchemy import URL

PASSWORD: Final = "p@ss/w:ö%rd?#"
_BUCKETS: Final = (f"test-{number}" for number in itertools.count(1))
_PATIENCE: Final = 30  # seconds until a server is ready, or has ended


class Server:
    """A program that serves a port of 127.0.0.1."""

    def __init__(self, home: Path, user: str | None = None) -> None:
        self.home = home
        self.port = free_port()
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start, and wait until it answers."""
        with (self.home / "log").open("ab") as log:
            self._process = self._run(self.command(), stdout=log, stderr=log)
        end = time.monotonic() + _PATIENCE
        while not self.answers():
            if not self.runs or time.monotonic() > end:
                self.stop()
                pytest.fail(f"{type(self).__name__} does not start: {(self.home / 'log').read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it, and wait until it has ended."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(how)
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """End it as a crash does."""
        self.stop(signal.SIGKILL)

    def command(self) -> Sequence[str]:
        raise NotImplementedError

    def answers(self) -> bool:
        raise NotImplementedError

    def _run(self, command: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        groups: list[str] | None = [] if self._user else None
        group = pwd.getpwnam(self._user).pw_gid if self._user else None
        return subprocess.Popen(
            command,
            cwd=self.home,
            user=self._user,
            group=group,
            extra_groups=groups,
            stdin=subprocess.DEVNULL,
            **options,
        )


class S3(Server):
    """A server of S3 over a folder: every folder in `home/buckets` is a bucket."""

    KEY: Final = "testkey"
    SECRET: Final = "testsecret"

    def __init__(self, home: Path, program: str) -> None:
        super().__init__(home)
        self._program = program
        self._client: Any = None
        (home / "buckets").mkdir()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @classmethod
    def settings(cls, url: str) -> dict[str, str]:
        """The variables by which the tools of AWS find such a server at an address, and nothing else."""
        return {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": cls.KEY,
            "AWS_SECRET_ACCESS_KEY": cls.SECRET,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self) -> Any:
        """A client of botocore."""
        if self._client is None:
            self._client = botocore.session.Session().create_client(
                "s3",
                region_name="us-east-1",
                endpoint_url=self.url,
                aws_access_key_id=self.KEY,
                aws_secret_access_key=self.SECRET,
                config=Config(retries={"total_max_attempts": 1}, connect_timeout=2),
            )
        return self._client

    def command(self) -> Sequence[str]:
        keys = [f"ROOT_ACCESS_KEY={self.KEY}", f"ROOT_SECRET_KEY={self.SECRET}"]
        return ["env", *keys, self._program, "--port", f"127.0.0.1:{self.port}", "posix", str(self.home / "buckets")]

    def answers(self) -> bool:
        return listens(self.port)

    def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it; asked politely, it would wait for connections that nobody closes."""
        super().stop(how)


class PostgreSQL(Server):
    """A server of PostgreSQL whose superuser `tester` has a password with every odd character."""

    USER: Final = "tester"
    PASSWORD: Final = PASSWORD

    def __init__(self, home: Path, programs: Path, user: str | None) -> None:
        super().__init__(home, user)
        self._programs = programs
        (home / "password").write_text(PASSWORD)
        options = ["--no-sync", "--no-locale", "--encoding=UTF8", "--auth=scram-sha-256", f"--username={self.USER}"]
        data = str(home / "data")
        command = [str(programs / "initdb"), *options, f"--pwfile={home / 'password'}", "-D", data]
        made = self._run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said, _ = made.communicate()
        assert made.returncode == 0, said.decode()

    def address(self, database: str = "postgres", *, port: int | None = None, password: str | None = PASSWORD) -> str:
        """The address of a database, with its password in it."""
        url = URL.create("postgresql", self.USER, password, "127.0.0.1", port or self.port, database)
        return url.render_as_string(hide_password=False)

    def connect(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.address(), autocommit=True, connect_timeout=2)

    def command(self) -> Sequence[str]:
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": self.home, "fsync": "off"}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(self._programs / "postgres"), "-D", str(self.home / "data"), "-p", str(self.port), *options]

    def answers(self) -> bool:
        with contextlib.suppress(psycopg.OperationalError), self.connect():
            return True
        return False

    def kill(self) -> None:
        """End it as a crash does: at once, with all processes that serve connections."""
        self.stop(signal.SIGQUIT)


class Wire:
    """Passes on what clients and a server say to each other, and may meddle with what the server says."""

    def __init__(self, port: int, meddle: Callable[[bytes], bytes | None]) -> None:
        """Begin to listen.

        Args:
            port: the server's.
            meddle: gets each piece that the server sends, and returns what goes on; None hangs up.
        """
        self._server, self._meddle = port, meddle
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        hang_up(self._listener)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = socket.create_connection(("127.0.0.1", self._server))
                except OSError:
                    hang_up(client)
                    continue
                threading.Thread(target=_carry, args=(client, server, bytes), daemon=True).start()
                threading.Thread(target=_carry, args=(server, client, self._meddle), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket, meddle: Callable[[bytes], bytes | None]) -> None:
    with contextlib.suppress(OSError):
        while (data := source.recv(1 << 16)) and (passed := meddle(data)) is not None:
            target.sendall(passed)
    hang_up(source, target)


def hang_up(*sockets: socket.socket) -> None:
    for each in sockets:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether something listens on this port of 127.0.0.1."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
        return True
    return False


def _versitygw() -> str | None:
    path = os.pathsep.join([os.environ["PATH"], str(Path(os.environ.get("GOPATH", Path.home() / "go"), "bin"))])
    return shutil.which("versitygw", path=path)


def _postgresql() -> Path | None:
    """The folder of PostgreSQL's programs, which Debian keeps off the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name), reverse=True)
    found = shutil.which("initdb", path=os.pathsep.join([os.environ["PATH"], *map(str, debian)]))
    return Path(found).resolve().parent if found else None


def _plain_user() -> str | None:
    """Somebody who is not root, for PostgreSQL does not serve as root; None where root is not at work."""
    if os.geteuid():
        return None
    names = {each.pw_name for each in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@contextlib.contextmanager
def _home(user: str | None = None) -> Iterator[Path]:
    """A folder that its user can reach, as those of pytest cannot be."""
    with tempfile.TemporaryDirectory(prefix="petpark-service-") as name:
        if user:
            shutil.chown(name, user)
        yield Path(name)


@pytest.fixture(scope="session")
def s3_of_session() -> Iterator[S3]:
    program = _versitygw()
    if not program:
        pytest.skip("needs versitygw: see .ci/run")
    with _home() as home:
        server = S3(home, program)
        yield server
        server.stop()


@pytest.fixture(scope="session")
def postgresql_of_session() -> Iterator[PostgreSQL]:
    programs, user = _postgresql(), _plain_user()
    if not programs:
        pytest.skip("needs PostgreSQL: see .ci/run")
    with _home(user) as home:
        server = PostgreSQL(home, programs, user)
        yield server
        server.stop()


@pytest.fixture
def s3(s3_of_session: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """A server of S3 that runs, and that the tools of AWS find."""
    if not s3_of_session.runs:
        s3_of_session.start()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in S3.settings(s3_of_session.url).items():
        monkeypatch.setenv(name, value)
    return s3_of_session


@pytest.fixture
def bucket(s3: S3) -> str:
    """The name of an empty bucket."""
    name = next(_BUCKETS)
    s3.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def postgresql(postgresql_of_session: PostgreSQL) -> PostgreSQL:
    """A server of PostgreSQL that runs."""
    if not postgresql_of_session.runs:
        postgresql_of_session.start()
    return postgresql_of_session


@pytest.fixture
def database(postgresql: PostgreSQL) -> PostgreSQL:
    """A server of PostgreSQL that runs, and whose database holds nothing."""
    with postgresql.connect() as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return postgresql
