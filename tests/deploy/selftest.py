#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Each rule of check.py can fail: one thing made wrong in a copy, and it is told.

usage: selftest.py ORIEL
"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
HERE = pathlib.Path(__file__).resolve().parent
WRONG = [
    # file, what, becomes, said
    ("compose.yaml", "127.0.0.1:4317:4317", "4317:4317", "beyond loopback"),
    ("compose.yaml", "127.0.0.1:4318:4318", "127.0.0.1:4319:4318", "published elsewhere"),
    ("compose.yaml", "tempo:3.0.3", "tempo:latest", "no version"),
    ("compose.yaml", "jaeger/config.yaml:ro", "jaeger/config.yaml", "can write"),
    ("compose.yaml", "./tempo.yaml:", "./tempos.yaml:", "is not there"),
    ("compose.yaml", "depends_on: [jaeger,", "depends_on: [jaegers,", "depends on"),
    ("compose.yaml", "      - logs:/logs", "      - log:/logs", "has no volume"),
    ("compose.yaml", "name: oriel", "name: oriel\nname: again", "stands twice"),
    ("collector.yaml", "0.0.0.0:4318", "0.0.0.0:4319", "listens on"),
    ("collector.yaml", "tempo:4317", "tempi:4317", "is no service"),
    ("collector.yaml", "jaeger:4317", "jaeger:4318", "speaks gRPC"),
    ("collector.yaml", "victoriatraces:10428", "victoriatraces:9428", "does not listen"),
    ("collector.yaml", "[otlp/jaeger, ", "[", "not used"),
    ("jaeger.yaml", "0.0.0.0:4317", "0.0.0.0:14250", "listens on"),
    ("compose.yaml", ":/etc/oriel/dashboards/", ":/etc/dashboards/", "is not told of"),
    ("compose.yaml", "      - ./grafana/traces.json:/etc/oriel/dashboards/traces.json:ro\n", "",
     "has no dashboard"),
    ("grafana/datasources.yaml", "tempo:3200", "tempo:3201", "where nobody listens"),
    ("grafana/datasources.yaml", "uid: tempo", "uid: temp", "which is no such data source"),
    ("grafana/datasources.yaml", "uid: jaeger", "uid: tempo", "stands twice"),
    ("grafana/traces.json", "duration > $longer", "duration > $long", "which nobody sets"),
    ("tempo.yaml", "        grpc:\n          endpoint: 0.0.0.0:4317\n", "", "receives by"),
]


def main():
    bad = 0
    for file, what, becomes, said in WRONG:
        with tempfile.TemporaryDirectory(prefix="oriel-deploy-") as folder:
            folder = pathlib.Path(folder) / "deploy"
            shutil.copytree(HERE.parent.parent / "deploy", folder)
            text = (folder / file).read_text(encoding="utf-8")
            assert what in text, (file, what)
            (folder / file).write_text(text.replace(what, becomes, 1), encoding="utf-8")
            run = subprocess.run([sys.executable, HERE / "check.py", sys.argv[1], folder], text=True,
                                 capture_output=True, check=False)
            if run.returncode == 77:
                print(run.stdout)
                return 77
            if run.returncode == 0 or said not in run.stdout + run.stderr:
                print("not noticed: %s: %r for %r\n%s%s" % (file, becomes, what, run.stdout,
                                                           run.stderr))
                bad = 1
    print("%d mistakes tried" % len(WRONG))
    return bad


if __name__ == "__main__":
    sys.exit(main())
