// SPDX-License-Identifier: MIT OR Apache-2.0
// Our propagators beside OpenTelemetry's own for JavaScript: thousands of generated headers,
// read by both, and what each writes read by the other.
//
//   propagation.mjs PROGRAM [CASES]     PROGRAM: built of propagation.c
//
// Where both differ the input must be of a kind that is explained below; anything else fails.
// Exit 77: the packages are missing.
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';

let api, core;
try {
  const require = createRequire(import.meta.url);
  api = require('@opentelemetry/api');
  core = require('@opentelemetry/core');
} catch (e) {
  console.error('propagation.mjs: the packages of tests/otlp are missing: ' + e.code);
  process.exit(77);
}
const [program, cases = 3000] = process.argv.slice(2);
const { ROOT_CONTEXT, trace, propagation, defaultTextMapGetter, defaultTextMapSetter } = api;

// ---- chance, the same in every run ----
let seed = 20260717;
function below(n) {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 4294967296) * n);
}
const pick = (list) => list[below(list.length)];
const text = (chars, n) => Array.from({ length: n }, () => pick(chars)).join('');

// ---- ours, all lines at once ----
const hex = (s) => Buffer.from(s, 'utf8').toString('hex');
const unhex = (s) => Buffer.from(s, 'hex').toString('utf8');
function ours(verb, inputs) {
  const lines = inputs.map((fields) => [verb, ...fields.map(hex)].join('\t') + '\n').join('');
  const out = execFileSync(program, { input: lines, maxBuffer: 1 << 28 }).toString().split('\n');
  if (out.length !== inputs.length + 1) throw new Error('not an answer for each case');
  return out.slice(0, -1).map((line) => line.split('\t'));
}

const tally = {};
let failed = 0;
function count(kind) {
  tally[kind] = (tally[kind] ?? 0) + 1;
}
function fail(what, ...more) {
  if (failed++ < 10) console.error(what, ...more);
}

// ---- traceparent and tracestate ----
const KEY = [...'abcdefghijklmnopqrstuvwxyz0123456789_-*/'];
const VALUE = Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i)).filter(
  (c) => c !== ',' && c !== '=');
const HEX = [...'0123456789abcdef'];
const SOURED = [...'AZ .,=@;%\t"\\~0f-'];

function sour(s) {
  const at = below(s.length + 1);
  const cut = below(3);
  return cut === 0 ? s.slice(0, at) + pick(SOURED) + s.slice(at)
    : cut === 1 ? s.slice(0, at) + s.slice(at + 1)
    : s.slice(0, at) + pick(SOURED) + s.slice(at + 1);
}
function stateMember() {
  let key = pick(['a', 'vendor', 'x', '9lives', 'ot']) + text(KEY, below(below(20) ? 6 : 260));
  if (below(4) === 0) key += '@' + pick(['v', 'zz']) + text(KEY, below(below(20) ? 4 : 16));
  return key + '=' + text(VALUE, below(below(20) ? 8 : 258)) + pick(['1', 'z', 'z', '']);
}
function traceCase() {
  let parent = pick(['00', '00', '00', '00', '01', 'cc', 'fe', 'ff']) + '-' +
    (below(40) ? text(HEX, 32) : '0'.repeat(32)) + '-' +
    (below(40) ? text(HEX, 16) : '0'.repeat(16)) + '-' + pick(['00', '01', '02', '03', text(HEX, 2)]);
  if (below(8) === 0) parent += pick(['-', '-more', '.', ' ', '-00-x']);
  if (below(6) === 0) parent = sour(parent);
  const states = [];
  for (let n = below(4); n > 0; n--) {
    let list = Array.from({ length: below(below(20) ? 5 : 40) }, stateMember).join(
      pick([',', ', ', ' ,\t']));
    if (below(10) === 0) list = sour(list);
    if (below(10) === 0) list += ',' + list;
    states.push(list);
  }
  return [parent, ...states];
}

const w3c = new core.W3CTraceContextPropagator();
function theirTrace([traceparent, ...states]) {
  const carrier = { traceparent, ...(states.length ? { tracestate: states } : {}) };
  const span = trace.getSpanContext(w3c.extract(ROOT_CONTEXT, carrier, defaultTextMapGetter));
  return span && { ...span, state: span.traceState?.serialize() ?? '' };
}

// Why a tracestate may differ: theirs leaves single members out where the standard refuses the
// list, refuses what is longer than 512 bytes, and has keys of level 1 only.
const OUR_KEY = /^(?:[a-z0-9][_0-9a-z\-*/]{0,255}|[a-z0-9][_0-9a-z\-*/]{0,240}@[a-z][_0-9a-z\-*/]{0,13})$/;
const OUR_VALUE = /^[ -~]{0,255}[!-~]$/;
function explainState(states, got, theirs) {
  const members = states.flatMap((s) => s.split(','))
    .map((m) => m.replace(/^[ \t]+|[ \t]+$/g, '')).filter((m) => m);
  const split = members.map((m) => [m.slice(0, m.indexOf('=')), m.slice(m.indexOf('=') + 1), m]);
  const wrong = split.some(([k, v, m]) =>
    !m.includes('=') || !OUR_KEY.test(k) || !OUR_VALUE.test(v) || /[,=]/.test(v));
  if (wrong) return got === '' ? 'a wrong member costs the list' : null;
  if (members.length > 32) return got === '' ? 'more than 32 members cost the list' : null;
  const first = new Map();
  for (const [k, , m] of split) if (!first.has(k)) first.set(k, m);
  let list = [...first.values()];
  for (let i = list.length - 1; i >= 0 && list.join().length > 512; i--)
    if (list[i].length > 128) list.splice(i, 1);
  while (list.join().length > 512) list.pop();
  if (list.join() !== got) return null;
  if (states.join().length > 512) return 'of more than 512 bytes a part is kept';
  if (first.size < members.length) return 'a key that comes twice keeps its first place';
  return split.some(([k]) => /^[0-9][^@]*$/.test(k)) ? 'keys of level 2 begin with a digit' : null;
}

function compareTrace(input, answer) {
  const theirs = theirTrace(input);
  if (answer[0] === 'none' || !theirs) {
    if ((answer[0] === 'none') === !theirs) return count('no context');
    if (!theirs && /^[ \t]{2}|[ \t]{2}$/.test(input[0])) return count('several blanks around');
    return fail('one has a context', input, answer, theirs);
  }
  const [, id, span, flags, parent, state] = answer;
  if (id !== theirs.traceId || span !== theirs.spanId) return fail('ids', input, answer, theirs);
  if (Number(flags) !== (theirs.traceFlags & 3)) return fail('flags', input, answer, theirs);
  count(theirs.traceFlags > 3 ? 'unknown flags are not passed on' : 'flags');
  if (unhex(state) === theirs.state) {
    count('tracestate');
  } else {
    const why = explainState(input.slice(1), unhex(state), theirs.state);
    if (!why) return fail('tracestate', input, unhex(state), theirs.state);
    count(why);
  }
  // What we write they read as the same, without exception but keys of level 2.
  const back = theirTrace([unhex(parent), ...(state ? [unhex(state)] : [])]);
  if (!back || back.traceId !== id || back.spanId !== span || back.traceFlags !== Number(flags))
    return fail('written', input, answer, back);
  if (back.state !== unhex(state) && !/(^|,)[0-9][^@=]*=/.test(unhex(state)))
    return fail('state written', input, unhex(state), back.state);
  count('written and read by the other');
}

// ---- baggage ----
const bag = new core.W3CBaggagePropagator();
const OCTET = VALUE.filter((c) => !' ",;\\%'.includes(c)).concat(['=', '%20', '%C3%A4', '%F0%9F%98%80']);
const TOKEN = [...'abcXYZ019!#$&\'*+-.^_`|~'];
function bagCase() {
  const member = () => {
    const m = pick(['', ' ']) + text(TOKEN, 1 + below(8)) + pick(['=', '=', '=', ' = ']) +
      text(OCTET, below(below(30) ? 12 : 1200));
    return m + (below(4) ? '' : ';' + pick(['p', 'p=1', ' p = x ;q', '']));
  };
  let list = Array.from({ length: 1 + below(below(40) ? 8 : 190) }, member).join(',');
  if (below(5) === 0) list = sour(list);
  return below(6) ? [list] : [list, member()];
}
function theirBag(headers) {
  const got = propagation.getBaggage(bag.extract(ROOT_CONTEXT, { baggage: headers }, defaultTextMapGetter));
  return new Map((got?.getAllEntries() ?? []).map(
    ([k, v]) => [k, [v.value, (v.metadata?.toString() ?? '').replace(/^[ \t]+|[ \t]+$/g, '')]]));
}
const same = (a, b) => JSON.stringify([...a].sort()) === JSON.stringify([...b].sort());

// What theirs takes though the grammar has it not, by member.
function isMember(m) {
  const pair = m.split(';')[0], at = pair.indexOf('=');
  return at > 0 && /^[ \t]*[!#$%&'*+\-.^_`|~0-9A-Za-z]+[ \t]*$/.test(pair.slice(0, at)) &&
    /^[ \t]*[!#-+\--:<-[\]-~]*[ \t]*$/.test(pair.slice(at + 1)) && !/[^\t -~]/.test(m);
}
function explainBag(headers, got) {
  const members = headers.flatMap((h) => h.split(',')).filter((m) => m.trim());
  if (members.some((m) => /%(?![0-9a-fA-F]{2})/.test(m.split(';')[0])))
    return 'an escape that is none stays as it is';
  const good = members.filter(isMember);
  if (good.length > 180 || good.join().length > 8192) return 'beyond 180 members or 8,192 bytes';
  if (good.length === members.length) return null;
  return same(got, theirBag(good)) ? 'a member that is none is left out' : null;
}

const wholeHeader = (members) => [...members].map(
  ([k, [v, p]]) => `${k}=${encodeURIComponent(v)}${p ? ';' + p : ''}`).join();

function compareBag(headers, [n, ...fields]) {
  const got = new Map();
  for (let i = 0; i < 3 * Number(n); i += 3)
    got.set(unhex(fields[i]), [unhex(fields[i + 1]), unhex(fields[i + 2])]);
  const written = unhex(fields[3 * Number(n)] ?? '');
  let theirs = null;
  try {
    theirs = theirBag(headers);
  } catch {
    // of escapes that are none, or are no text
  }
  if (theirs && same(got, theirs)) {
    count('baggage');
  } else {
    const why = explainBag(headers, got) ??
      (theirs ? null : 'bytes that are no text are replaced, not thrown');
    if (!why) return fail('baggage', headers, [...got], theirs && [...theirs]);
    count(why);
  }
  const back = theirBag([written]);
  if (back.size < got.size && wholeHeader(got).length > 8192 &&
      [...back].every(([k, v]) => same([v], [got.get(k)])))
    return count('what is too long once encoded loses members');
  if (!same(got, back)) return fail('baggage written', headers, written);
  count('written and read by the other');
}

// Members of any text: the same bytes in the header, but for names that are tokens already.
function makeCase() {
  const chars = [...'abc 09=,;%"\\/+äß日😀\u0001'];
  const members = new Map();
  for (let n = 1 + below(6); n > 0; n--) members.set(text(chars, 1 + below(5)), text(chars, below(9)));
  return [...members].flat();
}
function theirHeader(fields) {
  const entries = {};
  for (let i = 0; i < fields.length; i += 2) entries[' ' + fields[i]] = { value: fields[i + 1] };
  let b = propagation.createBaggage();
  for (const [k, v] of Object.entries(entries)) b = b.setEntry(k.slice(1), v);
  const carrier = {};
  bag.inject(propagation.setBaggage(ROOT_CONTEXT, b), carrier, defaultTextMapSetter);
  return carrier.baggage;
}
const names = (header) => header.split(',').map((m) => {
  const at = m.indexOf('=');
  try {
    return decodeURIComponent(m.slice(0, at)) + m.slice(at);
  } catch {
    return m;
  }
});

const traces = Array.from({ length: Number(cases) }, traceCase);
ours('trace', traces).forEach((answer, i) => compareTrace(traces[i], answer));
const bags = Array.from({ length: Number(cases) }, bagCase);
ours('bag', bags).forEach((answer, i) => compareBag(bags[i], answer));
const made = Array.from({ length: Number(cases) }, makeCase);
const headers = made.map(theirHeader);
ours('make', made).forEach(([, header], i) => {
  if (JSON.stringify(names(unhex(header))) !== JSON.stringify(names(headers[i])))
    return fail('header', made[i], unhex(header), headers[i]);
  count('same header');
});
ours('bag', headers.map((h) => [h])).forEach((answer, i) => {
  const want = new Map();
  for (let k = 0; k < made[i].length; k += 2) want.set(made[i][k], [made[i][k + 1], '']);
  const got = new Map();
  for (let k = 1; k < 1 + 3 * Number(answer[0]); k += 3)
    got.set(unhex(answer[k]), [unhex(answer[k + 1]), unhex(answer[k + 2])]);
  if (!same(got, want)) return fail('their header', made[i], [...got]);
  count('their header is read');
});
for (const [kind, n] of Object.entries(tally)) console.log(String(n).padStart(6), kind);
if (tally['written and read by the other'] < cases / 2) fail('too few cases were alike');
process.exit(failed ? 1 : 0);
