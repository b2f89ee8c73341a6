"""A real OpenSearch server for tests, from `../shared/opensearch` (see its README)."""

import base64
import datetime
import http.client
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.conftest import needs

SCRIPT = Path(os.environ.get("DRAWOPS_SHARED", Path(__file__).parents[3] / "shared")) / "opensearch" / "opensearch"
JAVA = "org.codelibs.opensearch.runner.OpenSearchRunner"


class Server:
    """One node on 127.0.0.1; its folder outlives a stop and a kill."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()

    def start(self) -> None:
        command = ["nice", "-n", "5", str(SCRIPT), "start", "--port", str(self.port), "--dir", str(self.folder)]
        done = subprocess.run([*command, "--heap", "512m"], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr

    def kill(self) -> None:
        """SIGKILL, in the middle of whatever it does."""
        pid = int((self.folder / "pid").read_text())
        os.kill(pid, signal.SIGKILL)
        while Path(f"/proc/{pid}/status").exists() and "State:\tZ" not in Path(f"/proc/{pid}/status").read_text():
            time.sleep(0.01)

    def stop(self) -> None:
        subprocess.run([str(SCRIPT), "stop", "--port", str(self.port), "--dir", str(self.folder)], capture_output=True)

    def url(self, alias: str) -> str:
        return f"opensearch://127.0.0.1:{self.port}/{alias}"


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A server that answers; the test skips (or fails, see `needs`) where there is none."""
    if not SCRIPT.is_file():
        needs("opensearch", f"there is no {SCRIPT}")
    if not shutil.which("java") and not list(Path("/usr/lib/jvm").glob("*")):
        needs("opensearch", "there is no Java (apt-get install openjdk-17-jre-headless)")
    server = Server(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def without_plugin(folder: Path) -> Iterator[int]:
    """The port of a node that has no k-NN plug-in."""
    port, config = free_port(), folder / "node_1" / "config" / "opensearch.yml"
    config.parent.mkdir(parents=True)
    config.write_text("network.host: 127.0.0.1\ndiscovery.type: single-node\ntransport.port: 0\n")
    with (folder / "log").open("w") as log:
        node = subprocess.Popen(
            ["java", "-Xms256m", "-Xmx256m", "-cp", f"{SCRIPT.parent}/lib/*", JAVA, "-basePath", str(folder)]
            + ["-clusterName", "plain", "-numOfNode", "1", "-baseHttpPort", str(port - 1)],
            stdout=log,
            stderr=log,
        )
    try:
        end = time.monotonic() + 120
        while not answers(port):
            assert node.poll() is None and time.monotonic() < end, (folder / "log").read_text()[-500:]
            time.sleep(0.2)
        yield port
    finally:
        node.kill()
        node.wait()


def answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")
        return connection.getresponse().status == 200
    except OSError:
        return False


def free_port() -> int:
    """One of the ports that the server takes. Workers beside this one begin elsewhere."""
    ports = list(range(9200, 9299, 2))
    start = os.getpid() % len(ports)
    for port in ports[start:] + ports[:start]:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise AssertionError("no free port from 9200 to 9298")


@contextmanager
def guarded(port: int, folder: Path) -> Iterator[int]:
    """TLS and a password before a server, as the security plug-in has them: the port. User 用户, password p@ss:wörd."""
    expected = "Basic " + base64.b64encode("用户:p@ss:wörd".encode()).decode()

    class Gate(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if self.headers.get("Authorization") != expected:
                status, kind, content = 401, "text/plain", b"Unauthorized"
            else:
                inner = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                kept = {k: v for k, v in self.headers.items() if k.lower() in ("content-type", "content-encoding")}
                inner.request(self.command, self.path, body, kept)
                answer = inner.getresponse()
                status, kind, content = answer.status, answer.getheader("Content-Type", ""), answer.read()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = pass_on

        def log_message(self, *_: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *_: object) -> None:  # a client that does not trust the certificate hangs up
            pass

    certificate = self_signed(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    gate = Quiet(("127.0.0.1", 0), Gate)
    gate.socket = context.wrap_socket(gate.socket, server_side=True)
    threading.Thread(target=gate.serve_forever, daemon=True).start()
    try:
        yield gate.server_address[1]
    finally:
        gate.shutdown()
        gate.server_close()


def self_signed(folder: Path) -> Path:
    """A certificate for 127.0.0.1 with its key, PEM: `folder/server.pem`; the certificate alone: `folder/ca.pem`."""
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    public = certificate.public_bytes(pem)
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "ca.pem").write_bytes(public)
    (folder / "server.pem").write_bytes(private + public)
    return folder / "server.pem"
