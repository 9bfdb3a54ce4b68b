# SPDX-License-Identifier: MIT OR Apache-2.0
"""Servers that are not ours: built once from their Go modules into a cache, or
taken as they are installed; started on loopback with ports and folders of their
own, and ended by their own process, nobody else's."""
import fcntl
import hashlib
import http.client
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PATIENCE_S = 300  # ends what hangs; nothing here is to be fast


class Skip(Exception):
    """This cannot run here, for the reason it says."""


def cache():
    root = os.environ.get("ORIEL_INTEROP_CACHE")
    if not root:
        root = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache")
        root = root / "oriel" / "interop"
    root = pathlib.Path(root)
    root.mkdir(parents=True, exist_ok=True)
    return root


def go_version(least):
    if not shutil.which("go"):
        raise Skip("go is not installed")
    found = subprocess.run(["go", "version"], text=True, capture_output=True, check=True).stdout
    version = tuple(int(n) for n in re.search(r"go(\d+)\.(\d+)", found).groups())
    if version < least:
        raise Skip("needs go %d.%d, here is %d.%d" % (least + version))
    return found.strip()


def built(name, inputs, make, least=(1, 23)):
    """The folder of the cache that make(folder) filled; made again only when the files
    it is made from, or Go (least; None: Python), are others. Two at once wait for each other."""
    tool = go_version(least) if least else sys.version
    text = tool.encode() + b"".join(p.read_bytes() for p in inputs)
    key = hashlib.sha256(text).hexdigest()[:16]
    folder = cache() / ("%s-%s" % (name, key))
    with open(cache() / (name + ".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "done").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            began = time.monotonic()
            make(folder)
            (folder / "done").touch()
            print("built %s in %d s" % (name, time.monotonic() - began))
    return folder


def run(*words, **options):
    """A step of a build; what it said only when it fails."""
    done = subprocess.run([str(w) for w in words], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **options)
    if done.returncode:
        tail = [line for line in done.stdout.splitlines() if "downloading" not in line][-15:]
        raise RuntimeError("%s failed:\n%s" % (words[0], "\n".join(tail)))
    return done.stdout


def go_env():
    return dict(os.environ, CGO_ENABLED="0", GOFLAGS=os.environ.get("GOFLAGS", ""))


def program(variable, name):
    """One that is installed, or that $VARIABLE names."""
    given = os.environ.get(variable)
    found = given if given and os.access(given, os.X_OK) else shutil.which(name)
    if not found:
        raise Skip("no %s on the PATH, and $%s is not set" % (name, variable))
    return found


def collector():
    """OpenTelemetry's Collector, made by OpenTelemetry's builder."""
    manifest = HERE / "collector.yaml"
    module = HERE / "builder"

    def make(folder):
        run("go", "build", "-o", folder / "ocb", "go.opentelemetry.io/collector/cmd/builder",
            cwd=module, env=go_env())
        text = manifest.read_text(encoding="utf-8")
        out = folder / "collector.yaml"
        out.write_text(text.replace("dist:\n", "dist:\n  output_path: %s\n" % (folder / "made")),
                       encoding="utf-8")
        run(folder / "ocb", "--config", out, env=go_env())
    inputs = [manifest, module / "go.mod", module / "go.sum"]
    return built("collector", inputs, make) / "made" / "otelcol"


def jaeger():
    """Jaeger v2, from a module of ours that only requires it."""
    module = HERE / "jaeger"

    def make(folder):
        run("go", "build", "-p", "1", "-o", folder / "jaeger",
            "github.com/jaegertracing/jaeger/cmd/jaeger", cwd=module, env=go_env())
    return built("jaeger", [module / "go.mod", module / "go.sum"], make, (1, 24)) / "jaeger"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def answers(port, path, wanted=(200,)):
    """Whether GET says one of these."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request("GET", path)
        return connection.getresponse().status in wanted
    except (OSError, http.client.HTTPException):
        return False


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
        return True
    except OSError:
        return False


def until(state, what, alive=lambda: True):
    """Waits for a state; says what never came."""
    end = time.monotonic() + PATIENCE_S
    while True:
        found = state()
        if found:
            return found
        if not alive():
            raise RuntimeError("ended before " + what)
        if time.monotonic() > end:
            raise RuntimeError("never: " + what)
        time.sleep(0.05)


class Server:
    """with Server("name", start): ...; start(folder, ports) gives words and when it is ready.
    A port that somebody took meanwhile is another one at the next try."""

    def __init__(self, name, start, ports):
        self.name, self.start_, self.port_names = name, start, ports
        self.child = None

    def __enter__(self):
        for attempt in range(5):
            self.folder = pathlib.Path(tempfile.mkdtemp(prefix="oriel-%s-" % self.name))
            self.ports = {p: free_port() for p in self.port_names}
            words, ready = self.start_(self.folder, self.ports)
            with open(self.folder / "output", "wb") as output:
                self.child = subprocess.Popen([str(w) for w in words], cwd=self.folder,
                                              stdin=subprocess.DEVNULL, stdout=output,
                                              stderr=subprocess.STDOUT,
                                              env=dict(os.environ, HOME=str(self.folder)))
            try:
                until(ready, self.name + " is ready", lambda: self.child.poll() is None)
                return self
            except RuntimeError as e:
                said = self.said()
                self.__exit__(None, None, None)
                if attempt == 4 or "in use" not in said:
                    raise RuntimeError("%s: %s\n%s" % (self.name, e, said)) from e
        raise AssertionError("not reached")

    def said(self):
        return (self.folder / "output").read_text(encoding="utf-8", errors="replace")[-3000:]

    def end(self):
        """Asks it to end, so that it writes what it has; kills it when it does not."""
        if self.child and self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(60)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait()

    def __exit__(self, *_):
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)


def start_collector(otelcol, out):
    """Receives on loopback and appends what came to a file, as JSON lines."""
    def start(folder, ports):
        config = folder / "config.yaml"
        config.write_text("""\
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "127.0.0.1:%d", max_recv_msg_size_mib: 64}
      http: {endpoint: "127.0.0.1:%d", max_request_body_size: 67108864}
exporters:
  file: {path: %s, flush_interval: 50ms}
service:
  telemetry: {metrics: {level: none}}
  pipelines:
    traces: {receivers: [otlp], exporters: [file]}
    logs: {receivers: [otlp], exporters: [file]}
""" % (ports["grpc"], ports["http"], out), encoding="utf-8")
        run(otelcol, "validate", "--config", config)
        return ([otelcol, "--config", config],
                lambda: listens(ports["grpc"]) and listens(ports["http"]))
    return Server("collector", start, ["grpc", "http"])
