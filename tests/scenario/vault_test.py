# SPDX-License-Identifier: MIT OR Apache-2.0
"""oriel vault check, as a person uses it: each provider as the real thing. The KV
store is a server of ours that speaks its protocol over TLS."""
import http.server
import json
import shutil
import ssl
import subprocess
import threading
import unittest

from tool import Scenario, main

HEADERS = "authorization=Bearer C4N4RY-1,x-tenant=C4N4RY-2"
SHOWN = ["authorization: ***", "x-tenant: ***"]
TOKEN = "hvs.C4N4RY-token"


class Store(http.server.BaseHTTPRequestHandler):
    """KV version 2: one secret at team/otel in the mount "kv"."""
    def do_GET(self):  # the name is http.server's
        status, body = 404, {"errors": []}
        if self.headers.get("X-Vault-Token") != TOKEN:
            status, body = 403, {"errors": ["permission denied"]}
        elif self.path == "/v1/kv/data/team/otel":
            status, body = 200, {"data": {"data": {"ZEPH_OTEL_HEADERS": HEADERS}, "metadata": {"version": 3}}}
        elif self.path == "/v1/kv/data/moved":
            status = 307
        text = json.dumps(body).encode()
        self.server.seen.append((self.path, dict(self.headers)))
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        if status == 307:
            self.send_header("Location", "/v1/kv/data/team/otel")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *unused):
        pass


class Vault(Scenario):
    def configure(self, more):
        path = self.dir / "oriel.toml"
        path.write_text(f"[telemetry.vault]\n{more}\n")
        path.chmod(0o600)

    def secret(self, name, text, mode=0o600):
        path = self.dir / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def check(self, status=0, says=""):
        run = self.oriel("vault", "check")
        self.assertEqual(run.returncode, status, run.stderr)
        self.assertIn(says, run.stderr)
        for stream in (run.stdout, run.stderr):
            self.assertNotIn("C4N4RY", stream)
        if status:
            self.assertEqual(len(run.stderr.splitlines()), 1, run.stderr)
        return run

    def gives(self):
        lines = self.check().stdout.splitlines()
        self.assertEqual([line.strip() for line in lines[1:]], SHOWN)

    def test_nothing_configured_says_what_to_do(self):
        self.check(1, "[telemetry.vault] provider")
        self.assertEqual(self.oriel("vault", "open").returncode, 2)

    def test_a_file_without_the_key(self):
        self.secret("vault", "J=1\n")
        self.configure('provider = "file"\nfile_path = "vault"')
        self.check(1, "vault has no key ZEPH_OTEL_HEADERS")

    def test_a_real_age_file(self):
        if not shutil.which("age-keygen"):
            self.skipTest("age is not installed")
        identity = self.dir / "identity"
        subprocess.run(["age-keygen", "-o", identity], check=True, capture_output=True)
        identity.chmod(0o600)
        who = subprocess.run(["age-keygen", "-y", identity], check=True, capture_output=True, text=True).stdout.strip()
        subprocess.run(["age", "-r", who, "-o", self.dir / "v.age"], check=True,
                       input=json.dumps({"ZEPH_OTEL_HEADERS": HEADERS}).encode())
        self.configure('provider = "age"\nage_file = "v.age"\nage_identity = "identity"')
        self.gives()
        identity.chmod(0o640)
        self.check(1, "chmod 600")

    def serve(self):
        script = ("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem "
                  "-out cert.pem -subj /CN=localhost -days 2 -addext subjectAltName=DNS:localhost,IP:127.0.0.1")
        subprocess.run(script.split(), check=True, capture_output=True, cwd=self.dir)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
        server.seen = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.dir / "cert.pem", self.dir / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server

    @unittest.skipUnless(shutil.which("openssl"), "openssl is not installed")
    def test_a_kv_store_over_tls(self):
        server = self.serve()
        base = (f'provider = "kv"\nkv_address = "https://localhost:{server.server_port}"\nkv_mount = "kv"\n'
                'kv_namespace = "ns"\n')
        there = base + 'kv_ca_file = "cert.pem"\nkv_path = "team/otel"\n'
        self.configure(there)
        self.check(1, "no token")
        self.env["VAULT_TOKEN"] = TOKEN
        self.gives()
        self.assertEqual(server.seen[-1][1]["X-Vault-Namespace"], "ns")
        self.env["VAULT_TOKEN"] = "C4N4RY-wrong"
        self.check(1, "refuses the token")
        del self.env["VAULT_TOKEN"]
        self.secret("token", TOKEN + "\n")
        self.configure(there + 'kv_token_file = "token"\n')
        self.gives()
        self.secret("token", TOKEN + "\n", 0o644)
        self.check(1, "chmod 600")
        # As a systemd credential.
        (self.dir / "credentials").mkdir(mode=0o700)
        self.secret("credentials/vault-token", TOKEN, 0o400)
        self.env["CREDENTIALS_DIRECTORY"] = str(self.dir / "credentials")
        self.configure(there + 'kv_credential_name = "vault-token"\n')
        self.gives()
        # A redirect is not followed, and a certificate of nobody's is not believed.
        asked = len(server.seen)
        self.configure(base + 'kv_ca_file = "cert.pem"\nkv_path = "moved"\nkv_credential_name = "vault-token"\n')
        self.check(1, "sends us elsewhere")
        self.assertEqual(len(server.seen), asked + 1)
        self.configure(base + 'kv_path = "team/otel"\nkv_credential_name = "vault-token"\n')
        self.check(1, "certificate")
        self.configure(base + 'kv_path = "team/otel"\nkv_credential_name = "vault-token"\nkv_insecure = true\n')
        self.gives()

    def test_a_systemd_credential(self):
        folder = self.dir / "credentials"
        folder.mkdir(mode=0o500)
        folder.chmod(0o700)
        self.secret("credentials/ZEPH_OTEL_HEADERS", HEADERS, 0o400)
        folder.chmod(0o500)
        self.addCleanup(folder.chmod, 0o700)
        self.configure('provider = "credential"')
        self.check(1, "CREDENTIALS_DIRECTORY")
        self.env["CREDENTIALS_DIRECTORY"] = str(folder)
        self.gives()

    def test_a_helper_command_and_a_variable(self):
        self.secret("helper", f"#!/bin/sh\n[ \"$1\" = ZEPH_OTEL_HEADERS ] && echo '{HEADERS}'\n", 0o700)
        self.configure('provider = "command"\ncommand_argv = ["./helper", "{key}"]')
        self.gives()
        self.secret("helper", "#!/bin/sh\necho 'locked: C4N4RY password=C4N4RY' >&2; exit 2\n".replace(
            "locked: C4N4RY ", "locked: "), 0o700)
        self.check(1, "failed with status 2: locked: password=")
        self.configure('provider = "environment"')
        self.env["ZEPH_OTEL_HEADERS"] = HEADERS
        self.gives()

    def test_json_has_names_only(self):
        self.env["ZEPH_OTEL_HEADERS"] = HEADERS
        self.configure('provider = "environment"')
        told = json.loads(self.oriel("vault", "check", "--json").stdout)
        self.assertEqual(told, {"provider": "environment", "key": "ZEPH_OTEL_HEADERS",
                                "receivers": ["otlp_endpoint"], "headers": ["authorization", "x-tenant"]})

    def test_the_key_of_each_receiver_is_asked_for(self):
        def told(required="true", main='otlp_endpoint = "http://127.0.0.1:1"\n', words=(), status=0):
            path = self.dir / "oriel.toml"
            path.write_text(f'[telemetry]\nbackend = "otlp"\notlp_headers_required = {required}\n{main}'
                            '[telemetry.vault]\nprovider = "file"\nfile_path = "vault"\n'
                            + "".join(f'[telemetry.otlp.{name}]\nendpoint = "http://127.0.0.1:2"\n{key}'
                                      for name, key in (("far", 'headers_vault_key = "FAR"\n'),
                                                        ("near", 'headers_vault_key = "NEAR"\n'),
                                                        ("next", 'headers_vault_key = "FAR"\n'), ("open", ""))))
            path.chmod(0o600)
            run = self.oriel("vault", "check", *words)
            self.assertEqual(run.returncode, status, run.stderr)
            self.assertNotIn("C4N4RY", run.stdout + run.stderr)
            return run.stdout.splitlines(), run.stderr.splitlines()

        first, far = "vault file, key ZEPH_OTEL_HEADERS of otlp_endpoint: ", "vault file, key FAR of otlp.far, otlp.next: "
        near = "vault file, key NEAR of otlp.near: "
        self.secret("vault", f"ZEPH_OTEL_HEADERS={HEADERS}\nFAR=x-far=C4N4RY-3\n")
        shown = [f"  {line}" for line in SHOWN]
        out, err = told(status=1)
        self.assertEqual(out, [first + "found, 2 headers", *shown, far + "found, 1 header", "  x-far: ***",
                               near + "not found"])
        self.assertEqual(len(err), 1, err)
        self.assertIn("vault has no key NEAR", err[0])
        # Every one that is missing is told, the first does not end it.
        self.secret("vault", "J=1\n")
        out, err = told(status=1)
        self.assertEqual(out, [first + "not found", far + "not found", near + "not found"])
        self.assertEqual(len(err), 3, err)
        out, err = told(required="false")
        self.assertEqual(out[2], near + "not found, and not required")
        # Without an endpoint of its own the usual receiver is none, and is not asked for.
        self.secret("vault", "FAR=x-far=C4N4RY-3\nNEAR=x-near=C4N4RY-4\n")
        out, err = told(main="", words=("--json",))
        self.assertEqual([(o["key"], o["receivers"], o["headers"]) for o in map(json.loads, out)],
                         [("FAR", ["otlp.far", "otlp.next"], ["x-far"]), ("NEAR", ["otlp.near"], ["x-near"])])


if __name__ == "__main__":
    main()
