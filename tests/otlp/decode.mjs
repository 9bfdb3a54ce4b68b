// SPDX-License-Identifier: MIT OR Apache-2.0
// OTLP messages as OpenTelemetry's own generated code reads them.
//
//   decode.mjs traces|logs FILE    the message of FILE (protobuf) as JSON
//
// 64-bit integers and -0 become text, enumerations numbers, bytes base64. Exit 77: the
// package is missing.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
let root;
try {
  root = createRequire(import.meta.url)(
    join(here, 'node_modules/@opentelemetry/otlp-transformer/build/src/generated/root.js'));
} catch (e) {
  console.error('decode.mjs: the packages of tests/otlp are missing: ' + e.code);
  process.exit(77);
}
const { trace, logs } = root.opentelemetry.proto;
const messages = { traces: trace.v1.TracesData, logs: logs.v1.LogsData };
const [signal, file] = process.argv.slice(2);
const type = messages[signal];
if (!type) {
  console.error('usage: decode.mjs traces|logs FILE');
  process.exit(2);
}
const message = type.decode(readFileSync(file));
const plain = type.toObject(message, { longs: String, bytes: String });
const keep = (key, value) => (Object.is(value, -0) ? '-0.0' : value);
process.stdout.write(JSON.stringify(plain, keep));
