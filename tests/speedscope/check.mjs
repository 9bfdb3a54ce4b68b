// SPDX-License-Identifier: MIT OR Apache-2.0
//
// Is a file what speedscope's own schema says, and do its numbers agree?
//   node check.mjs FILE SHARE-OF-FUNCTION...     e.g. heavy=0.75 within 0.1
// Exit: 0 fine, 1 not, 77 the packages are not installed.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

function fail(text) {
  process.stderr.write(`speedscope: ${text}\n`);
  process.exit(1);
}

const require = createRequire(import.meta.url);
let Ajv, schema;
try {
  Ajv = require('ajv').default;
  schema = JSON.parse(readFileSync(
    require.resolve('speedscope/dist/release/file-format-schema.json')));
} catch (e) {
  process.stdout.write(`not installed: run npm ci --ignore-scripts in tests/speedscope (${e.code})\n`);
  process.exit(77);
}

const [path, ...shares] = process.argv.slice(2);
const file = JSON.parse(readFileSync(path, 'utf8'));
const validate = new Ajv({ strict: false, allErrors: true }).compile(schema);
if (!validate(file)) fail(JSON.stringify(validate.errors.slice(0, 5)));
// The schema must be able to say no.
if (validate({ ...file, shared: undefined })) fail('the schema takes anything');

const frames = file.shared.frames;
const sums = new Map();
let all = 0;
for (const p of file.profiles) {
  if (p.type !== 'sampled' || p.samples.length !== p.weights.length) fail(`${p.name}: lengths`);
  let sum = 0;
  p.samples.forEach((stack, i) => {
    sum += p.weights[i];
    if (stack.some((f) => f < 0 || f >= frames.length)) fail(`${p.name}: a frame that is not there`);
    if (!p.name.startsWith('cpu: ')) return;
    all += p.weights[i];
    for (const name of new Set(stack.map((f) => frames[f].name)))
      sums.set(name, (sums.get(name) ?? 0) + p.weights[i]);
  });
  if (sum !== p.endValue - p.startValue) fail(`${p.name}: ${sum} in samples, ${p.endValue} told`);
}
for (const [name, share] of shares.map((s) => s.split('='))) {
  const got = (sums.get(name) ?? 0) / all;
  if (Math.abs(got - Number(share)) > 0.1) fail(`${name}: share ${got}, expected ${share}`);
}
process.stdout.write(`${file.profiles.length} profiles, ${frames.length} frames\n`);
