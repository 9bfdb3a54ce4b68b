// SPDX-License-Identifier: MIT OR Apache-2.0
// Spans and logs of OpenTelemetry's own JavaScript SDK, encoded by its own serializers and
// sent by node's HTTP and grpc-js: a sender none of which is ours.
//
//   sender.mjs --probe          77 when a package is missing
//   sender.mjs PORT OVER [N]    OVER: http/protobuf, http/json, grpc; N times
//   sender.mjs PORT refusals    what no receiver may take, over gRPC: prints the status of each
//
// Prints one line of JSON: what was made, and the answers.
import { createRequire } from 'node:module';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(here, 'node_modules/'));
let api, trace, logs, resources, encoders, grpc;
try {
  api = require('@opentelemetry/api');
  trace = require('@opentelemetry/sdk-trace-base');
  logs = require('@opentelemetry/sdk-logs');
  resources = require('@opentelemetry/resources');
  encoders = require('@opentelemetry/otlp-transformer');
  grpc = require(join(here, '../net/node_modules/@grpc/grpc-js'));
} catch (e) {
  console.error('sender.mjs: the packages of tests/otlp or tests/net are missing: ' + e.code);
  process.exit(77);
}
const [port, over, times] = process.argv.slice(2);
if (port === '--probe') process.exit(0);

const resource = new resources.Resource({ 'service.name': 'shop', 'process.pid': 4711 });
const spans = new trace.InMemorySpanExporter();
const provider = new trace.BasicTracerProvider({
  resource, spanProcessors: [new trace.SimpleSpanProcessor(spans)] });
const tracer = provider.getTracer('lib', '1.2.3');
const root = tracer.startSpan('GET /x', { kind: api.SpanKind.SERVER,
  attributes: { route: '/x', size: 12, ratio: 0.5, on: true, tags: ['a', 'b'], many: [1, 2] } });
const context = api.trace.setSpan(api.ROOT_CONTEXT, root);
const child = tracer.startSpan('query', { kind: api.SpanKind.CLIENT,
  links: [{ context: root.spanContext(), attributes: { why: 'again' } }] }, context);
child.addEvent('retry', { attempt: 2 });
child.recordException(new Error('gone'));
child.setStatus({ code: api.SpanStatusCode.ERROR, message: 'no rows' });
child.end();
root.end();

const records = new logs.InMemoryLogRecordExporter();
const loggers = new logs.LoggerProvider({ resource });
loggers.addLogRecordProcessor(new logs.SimpleLogRecordProcessor(records));
loggers.getLogger('log.lib').emit({ severityNumber: 17, severityText: 'ERROR', body: 'it broke',
  attributes: { code: 7 }, context });

const json = over === 'http/json';
const of = json ? [encoders.JsonTraceSerializer, encoders.JsonLogsSerializer]
  : [encoders.ProtobufTraceSerializer, encoders.ProtobufLogsSerializer];
const bodies = [of[0].serializeRequest(spans.getFinishedSpans()),
  of[1].serializeRequest(records.getFinishedLogRecords())];

const raw = { requestStream: false, responseStream: false, requestSerialize: (b) => b,
  requestDeserialize: (b) => b, responseSerialize: (b) => b, responseDeserialize: (b) => b };
const service = '/opentelemetry.proto.collector.';
const Client = grpc.makeGenericClientConstructor({
  traces: { path: service + 'trace.v1.TraceService/Export', ...raw },
  logs: { path: service + 'logs.v1.LogsService/Export', ...raw } }, 'T');
const client = over === 'grpc' ? new Client(`127.0.0.1:${port}`,
  grpc.credentials.createInsecure(), { 'grpc.default_compression_algorithm': 2 }) : null;

const signals = ['traces', 'logs'];
function send(signal) {
  const body = Buffer.from(bodies[signal]);
  return new Promise((done) => {
    if (client) {
      client[signals[signal]](body, (err, got) => done(err ? `${err.code} ${err.details}` : got.length));
      return;
    }
    const headers = { 'content-type': json ? 'application/json' : 'application/x-protobuf',
      'content-encoding': 'gzip' };
    request({ port, method: 'POST', path: '/v1/' + signals[signal], headers }, (answer) => {
      answer.resume().on('end', () => done(answer.statusCode));
    }).on('error', (e) => done(String(e))).end(gzipSync(body));
  });
}

if (over === 'refusals') {
  const odd = new (grpc.makeGenericClientConstructor({
    traces: { path: service + 'trace.v1.TraceService/Export', ...raw },
    metrics: { path: service + 'metrics.v1.MetricsService/Export', ...raw },
    other: { path: '/other.Service/Export', ...raw } }, 'T'))(`127.0.0.1:${port}`,
    grpc.credentials.createInsecure(), { 'grpc.max_send_message_length': -1 });
  const packed = new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(),
    { 'grpc.default_compression_algorithm': 2, 'grpc.max_send_message_length': -1 });
  const call = (from, method, body) => new Promise((done) => from[method](body,
    (err) => done(err ? grpc.status[err.code] : 'OK')));
  console.log(JSON.stringify({
    garbage: await call(odd, 'traces', Buffer.from('garbage')),
    large: await call(odd, 'traces', Buffer.alloc(5 << 20)),
    bomb: await call(packed, 'traces', Buffer.alloc(64 << 20)),
    method: await call(odd, 'other', Buffer.alloc(0)),
    metrics: await call(odd, 'metrics', Buffer.alloc(0)),
    empty: await call(packed, 'traces', Buffer.alloc(0)) }));
  process.exit(0);
}

const answers = [];
for (let i = 0; i < Number(times ?? 1); i++)
  for (const signal of [0, 1]) answers.push(await send(signal));
const ns = (t) => String(BigInt(t[0]) * 1000000000n + BigInt(t[1]));
console.log(JSON.stringify({ answers, spans: spans.getFinishedSpans().map((s) => ({
  name: s.name, trace: s.spanContext().traceId, span: s.spanContext().spanId,
  parent: s.parentSpanId ?? '', start: ns(s.startTime), end: ns(s.endTime), kind: s.kind + 1 })) }));
process.exit(0);
