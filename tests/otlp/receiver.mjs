// SPDX-License-Identifier: MIT OR Apache-2.0
// A receiver of OTLP made of parts that are not ours: grpc-js, node's HTTP, and
// OpenTelemetry's own generated decoders.
//
//   receiver.mjs --probe               77 when a package is missing
//   receiver.mjs [grpc=PORT] [http=PORT] [fail=N:CODE] [reject=N]
//
// Prints {"grpc": PORT, "http": PORT}, then each request that it took as one line of JSON:
// {"signal", "over", "headers", "compressed", "message"}. The first N requests are answered
// by an HTTP status and the gRPC status UNAVAILABLE (fail), or N items of each are rejected.
// Ends when its input ends.
import { writeSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';

// Not lost at the exit, as what is on its way to a pipe would be.
function say(what) {
  const bytes = Buffer.from(JSON.stringify(what) + '\n');
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at);
    } catch (e) {
      if (e.code !== 'EAGAIN') throw e;
    }
  }
}

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
let grpc, root;
try {
  grpc = require(join(here, '../net/node_modules/@grpc/grpc-js'));
  root = require(
    join(here, 'node_modules/@opentelemetry/otlp-transformer/build/src/generated/root.js'));
} catch (e) {
  console.error('receiver.mjs: the packages of tests/otlp or tests/net are missing: ' + e.code);
  process.exit(77);
}
const options = Object.fromEntries(process.argv.slice(2).map((a) => a.split('=')));
if ('--probe' in options) process.exit(0);
const { trace, logs } = root.opentelemetry.proto.collector;
const signals = {
  traces: { path: '/v1/traces', rejected: 'rejectedSpans',
    method: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
    request: trace.v1.ExportTraceServiceRequest, response: trace.v1.ExportTraceServiceResponse },
  logs: { path: '/v1/logs', rejected: 'rejectedLogRecords',
    method: '/opentelemetry.proto.collector.logs.v1.LogsService/Export',
    request: logs.v1.ExportLogsServiceRequest, response: logs.v1.ExportLogsServiceResponse },
};
let [failures, status] = (options.fail ?? '0:503').split(':').map(Number);

function take(signal, over, headers, bytes, json) {
  const { request } = signals[signal];
  const message = json ? JSON.parse(bytes)
    : request.toObject(request.decode(bytes), { longs: String, bytes: String });
  say({ signal, over, headers, message });
  const n = Number(options.reject ?? 0);
  const told = n ? { partialSuccess: { [signals[signal].rejected]: n, errorMessage: 'too old' } } : {};
  return json ? JSON.stringify(told)
    : Buffer.from(signals[signal].response.encode(told).finish());
}

const service = {};
const calls = {};
for (const [signal, s] of Object.entries(signals)) {
  service[signal] = { path: s.method, requestStream: false, responseStream: false,
    requestDeserialize: (b) => b, requestSerialize: (b) => b,
    responseSerialize: (b) => b, responseDeserialize: (b) => b };
  calls[signal] = (call, done) => {
    if (failures-- > 0) return done({ code: grpc.status.UNAVAILABLE, details: 'not now' });
    done(null, take(signal, 'grpc', call.metadata.getMap(), call.request, false));
  };
}
const server = new grpc.Server({ 'grpc.max_receive_message_length': 64 << 20 });
server.addService(service, calls);

const web = createServer((q, r) => {
  const parts = [];
  q.on('data', (d) => parts.push(d));
  q.on('end', () => {
    let body = Buffer.concat(parts);
    const signal = Object.keys(signals).find((s) => q.url.endsWith(signals[s].path));
    const json = q.headers['content-type'] === 'application/json';
    if (failures-- > 0 || !signal) {
      r.writeHead(signal ? status : 404, { 'retry-after': '0' });
      return r.end();
    }
    if (q.headers['content-encoding'] === 'gzip') body = zlib.gunzipSync(body);
    if (q.headers['content-encoding'] === 'zstd') body = zlib.zstdDecompressSync(body);
    const answer = take(signal, 'http', q.headers, body, json);
    r.writeHead(200, { 'content-type': json ? 'application/json' : 'application/x-protobuf' });
    r.end(answer);
  });
});

server.bindAsync(`127.0.0.1:${options.grpc ?? 0}`, grpc.ServerCredentials.createInsecure(),
  (err, bound) => {
    if (err) {
      console.error(`receiver.mjs: port ${options.grpc}: ${err.message}`);
      process.exit(3);
    }
    web.listen(Number(options.http ?? 0), '127.0.0.1', () =>
      say({ grpc: bound, http: web.address().port }));
  });
process.stdin.on('end', () => process.exit(0)).resume();
