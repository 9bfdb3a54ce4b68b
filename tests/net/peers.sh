#!/bin/bash
# SPDX-License-Identifier: MIT OR Apache-2.0
# Our HTTP, HTTP/2, gRPC and TLS against peers that are not ours, on loopback.
#   peers.sh PROBE OUT http|nghttpd|h2load|tls|grpc|deliver [NODE]
# 77 when the peer is not installed.
set -u
probe=$1 out=$2/$3 lane=$3 node=${4:-}
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$out"
mkdir -p "$out"
children=()
trap 'for c in "${children[@]}"; do kill "$c" 2>/dev/null; done; wait 2>/dev/null' EXIT

fail() { echo "$lane: $*"; exit 1; }
need() { command -v "$1" >/dev/null || { echo "$lane: $1 is not installed (tools/setup check)"; exit 77; }; }
# wait_for FILE PATTERN PID: until the line is there, or nobody can write it any more.
wait_for() {
  until grep -qE "$2" "$1" 2>/dev/null; do
    kill -0 "$3" 2>/dev/null || fail "the peer ended: $(cat "$1")"
    read -rt 0.05 <>"$out/never" || true
  done
}
mkfifo "$out/never" "$out/stdin"
# start_on_port LOG PATTERN COMMAND...: with PORT in it; another port when somebody was faster.
start_on_port() {
  local log=$1 pattern=$2 tries child; shift 2
  for tries in 1 2 3 4 5; do
    port=$(free_port)
    "${@//PORT/$port}" <"$out/never" >"$log" 2>&1 &
    child=$!
    children+=($child)
    until grep -qE "$pattern" "$log"; do
      kill -0 $child 2>/dev/null || continue 2
      read -rt 0.05 <>"$out/never" || true
    done
    return 0
  done
  fail "does not start: $(cat "$log")"
}
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
expect() { # FILE LINE...: exactly these lines
  local file=$1; shift
  [ "$(cat "$file")" = "$(printf '%s\n' "$@")" ] || fail "unexpected: $(head -c 600 "$file")"
}
make_certificates() {
  (cd "$out"
  ec="-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"
  openssl req -x509 $ec -keyout ca.key -out ca.pem -subj /CN=test-ca -days 2 -addext basicConstraints=critical,CA:TRUE
  for name in server client; do
    openssl req $ec -keyout $name.key -out $name.csr -subj /CN=$name
    echo "subjectAltName=DNS:localhost,IP:127.0.0.1" >$name.ext
    openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $name.pem -days 2 -extfile $name.ext
  done) >"$out/openssl.log" 2>&1 || fail "no certificates: $(cat "$out/openssl.log")"
}

case $lane in
http)
  echo hello >"$out/page"
  PYTHONUNBUFFERED=1 python3 -c '
import http.server, sys, functools
class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        n = len(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200); self.send_header("Transfer-Encoding", "chunked"); self.end_headers()
        for word in (b"got ", str(n).encode()):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(word), word))
        self.wfile.write(b"0\r\n\r\n")
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=sys.argv[1]))
print("port", server.server_address[1]); server.serve_forever()' "$out" >"$out/server" 2>"$out/server.err" &
  children+=($!)
  wait_for "$out/server" '^port' $!
  url=http://localhost:$(sed -n 's/^port //p' "$out/server")
  "$probe" http "$url/page" -n 3 >"$out/got" || fail "$(cat "$out/got")"
  grep -cx 'ok 200 -1 6 hello' "$out/got" | grep -qx 3 || fail "$(cat "$out/got")"
  grep -qx 'connections 1' "$out/got" || fail "not kept: $(cat "$out/got")"
  "$probe" http "$url/x" -b 3000000 >"$out/got" || fail "$(cat "$out/got")"
  expect "$out/got" 'ok 200 -1 11 got 3000000' 'connections 1'
  "$probe" http "$url/none" >"$out/got"
  grep -q '^ok 404 ' "$out/got" || fail "$(cat "$out/got")"
  ;;
nghttpd)
  need nghttpd
  need openssl
  make_certificates
  head -c 1000000 /dev/zero | tr '\0' x >"$out/big"
  echo hello >"$out/page"
  for tls in no yes; do
    url=http options=
    log=$out/server.$tls
    if [ $tls = yes ]; then
      start_on_port "$log" 'listen 127.0.0.1' nghttpd -v -a 127.0.0.1 --htdocs "$out" --verify-client PORT "$out/server.key" "$out/server.pem"
      url=https options="--ca $out/ca.pem --cert $out/client.pem --key $out/client.key"
    else
      start_on_port "$log" 'listen 127.0.0.1' nghttpd -v -a 127.0.0.1 --htdocs "$out" --no-tls PORT
    fi
    "$probe" h2 $url://localhost:$port/page -n 20 $options >"$out/got" || fail "$(cat "$out/got")"
    grep -cx 'ok 200 -1 6 hello' "$out/got" | grep -qx 20 || fail "$(cat "$out/got")"
    grep -qx 'connections 1' "$out/got" || fail "not kept: $(cat "$out/got")"
    "$probe" h2 $url://localhost:$port/big -n 2 $options >"$out/got" || fail "$(cat "$out/got")"
    grep -c '^ok 200 -1 1000000 x' "$out/got" | grep -qx 2 || fail "$(head -c 300 "$out/got")"
    "$probe" h2 $url://localhost:$port/page -b 500000 $options >"$out/got" || fail "$(cat "$out/got")"
  done
  "$probe" h2 https://localhost:$port/page --ca "$out/ca.pem" >"$out/got" && fail "no client certificate, and yet: $(cat "$out/got")"
  ;;
h2load)
  need h2load
  need openssl
  make_certificates
  head -c 2000 /dev/zero >"$out/body"
  exec 9<>"$out/stdin"
  for tls in no yes; do
    options= url=http
    [ $tls = yes ] && options="--cert $out/server.pem --key $out/server.key" url=https
    "$probe" serve-h2 $options <"$out/stdin" >"$out/port.$tls" &
    children+=($!)
    wait_for "$out/port.$tls" '^[0-9]+$' $!
    h2load -n 2000 -c 4 -m 10 -d "$out/body" $url://127.0.0.1:$(cat "$out/port.$tls")/x >"$out/got" 2>&1
    grep -q '2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout' "$out/got" || fail "$(cat "$out/got")"
    nghttp -v -d "$out/body" --no-verify-peer $url://127.0.0.1:$(cat "$out/port.$tls")/x >"$out/nghttp" 2>&1
    grep -q 'grpc-status: 0' "$out/nghttp" || fail "no trailers: $(cat "$out/nghttp")"
  done
  ;;
tls)
  need openssl
  make_certificates
  for version in -tls1_2 -tls1_3 -tls1_1; do
    start_on_port "$out/server$version" '^ACCEPT' env -C "$out" openssl s_server -accept 127.0.0.1:PORT -cert server.pem -key server.key -CAfile ca.pem -Verify 1 -verify_return_error -HTTP $version -cipher DEFAULT@SECLEVEL=0
    printf 'HTTP/1.0 200 OK\r\n\r\nsealed' >"$out/page"
    "$probe" http https://localhost:$port/page --ca "$out/ca.pem" --cert "$out/client.pem" --key "$out/client.key" >"$out/got"
    if [ $version = -tls1_1 ]; then
      grep -q '^ok' "$out/got" && fail "an old TLS was taken"
    else
      grep -qx 'ok 200 -1 6 sealed' "$out/got" || fail "$version: $(cat "$out/got" "$out/server$version")"
    fi
  done
  ;;
grpc)
  [ -n "$node" ] || { echo "grpc: node is not installed (tools/setup check)"; exit 77; }
  "$node" "$here/peer.mjs" --probe || exit $?
  exec 9<>"$out/stdin"
  "$node" "$here/peer.mjs" serve <"$out/stdin" >"$out/port" 2>"$out/server.err" &
  children+=($!)
  wait_for "$out/port" '^[0-9]+$' $!
  url=http://localhost:$(cat "$out/port")/t.T
  "$probe" grpc "$url/Echo" -n 500 -b 10 >"$out/got" || fail "$(tail -n 3 "$out/got")"
  grep -cx 'ok 200 0 10 OK xxxxxxxxxx' "$out/got" | grep -qx 500 || fail "$(tail -n 3 "$out/got")"
  grep -qx 'connections 1' "$out/got" || fail "not kept"
  "$probe" grpc "$url/Echo" -b 1000000 >"$out/got" || fail "$(head -c 300 "$out/got")"
  grep -q '^ok 200 0 1000000 OK xxx' "$out/got" || fail "$(head -c 300 "$out/got")"
  for status in 1 4 8 14 16; do
    "$probe" grpc "$url/Say" -b $status >"$out/got"
    expect "$out/got" "ok 200 $status 0 lab says nö " 'connections 1'
  done
  "$probe" grpc "$url/Later" >"$out/got"
  expect "$out/got" 'ok 200 8 0 full ' 'come again in 1500 ms' 'connections 1'
  "$probe" grpc "$url/Nothing" >"$out/got"
  grep -q '^ok 200 12 0 ' "$out/got" || fail "$(cat "$out/got")"
  "$probe" serve-h2 <"$out/stdin" >"$out/our.port" &
  children+=($!)
  wait_for "$out/our.port" '^[0-9]+$' $!
  "$node" "$here/peer.mjs" call "$(cat "$out/our.port")" 300 >"$out/got" 2>&1 || fail "$(cat "$out/got")"
  expect "$out/got" '300 calls'
  ;;
deliver)
  [ -n "$node" ] || { echo "deliver: node is not installed (tools/setup check)"; exit 77; }
  "$node" "$here/peer.mjs" --probe || exit $?
  exec 9<>"$out/stdin"
  "$node" "$here/peer.mjs" serve <"$out/stdin" >"$out/port" 2>"$out/server.err" &
  children+=($!)
  wait_for "$out/port" '^[0-9]+$' $!
  "$probe" "http://localhost:$(cat "$out/port")" >"$out/got" 2>"$out/said" || fail "$(cat "$out/said")"
  expect "$out/got" 'done delivered 400 refused 5 tries 201 connections 1 wrong 0' 'again in time'
  grep -q '^net: http://localhost:[0-9]* refused 5 log records: lab says nö$' "$out/said" || fail "$(cat "$out/said")"
  "$probe" "http://localhost:$(cat "$out/port")" gzip >"$out/got" 2>"$out/said" || fail "$(cat "$out/said")"
  expect "$out/got" 'done delivered 400 refused 5 tries 201 connections 1 wrong 0' 'again in time'
  ;;
esac
echo "$lane: all as expected"
