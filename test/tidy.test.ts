/**
 * The house rules, as tests: who may import whom (docs/architecture.md), sizes, and calls that have one home.
 * A rule that fails names the place and the mend.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';
import { largeFiles, largeFunctions } from './tidy.ratchet.ts';

const root = join(import.meta.dirname, '..');
const src = join(root, 'src');

/** What a room may import besides itself and `lib`. The longest matching room counts. */
const mayImport: Record<string, readonly string[]> = {
  lib: [],
  sys: [],
  api: [],
  core: ['api', 'sys'],
  client: ['api'],
  engine: ['api', 'core'],
  build: ['api', 'core'],
  registry: ['api', 'core'],
  compose: ['api', 'client'],
  'cluster/machinery': ['api', 'client'],
  'cluster/resources': ['api'],
  'cluster/apiserver': ['api', 'client', 'core/store', 'cluster/resources'],
  'cluster/controllers': ['api', 'client', 'cluster/machinery'],
  'cluster/scheduler': ['api', 'client', 'cluster/machinery'],
  'cluster/dns': ['api', 'client', 'cluster/machinery'],
  'cluster/kubelet': ['api', 'client', 'cluster/machinery', 'core'],
  'cluster/proxy': ['api', 'client', 'cluster/machinery', 'core'],
  'docker-api': ['api'],
  cli: ['api', 'client', 'compose'],
  web: ['api', 'client'],
  daemon: ['lib', 'sys', 'api', 'core', 'client', 'engine', 'build', 'registry', 'compose', 'cluster', 'docker-api', 'web'],
  'main.ts': ['daemon', 'cli'],
};

interface Ban {
  what: RegExp;
  instead: string;
  homes: readonly string[];
}

/** Calls that reach the outside world, each with its one home. */
const banned: readonly Ban[] = [
  { what: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(/, instead: 'the Clock that you are given', homes: ['lib/clock'] },
  { what: /\bprocess\.hrtime\b/, instead: 'Clock.monotonic', homes: ['lib/clock'] },
  { what: /\bMath\.random\(|\brandomBytes\(|\brandomUUID\(|\brandomInt\(/, instead: 'the Random that you are given', homes: ['lib/random'] },
  { what: /(?<!\.)\bset(Timeout|Interval)\(/, instead: 'Clock.after, Clock.sleep or every()', homes: ['lib/clock'] },
  { what: /from '(node:)?child_process'/, instead: 'Kernel.processes', homes: ['sys/process'] },
  { what: /^import (?!type).*from 'node:http'/, instead: '#lib/node-http.ts, which loads less', homes: ['lib/node-http'] },
  { what: /\bimport\.meta\b/, instead: 'ownFile or ownWorker of #lib/own-modules.ts: the program may be one file', homes: ['lib/own-modules', 'sys/koffi', 'daemon/bundle'] },
  { what: /from 'koffi'/, instead: 'a facility of #sys', homes: ['sys/'] },
  { what: /from 'lmdb'/, instead: 'Store', homes: ['core/store/embedded'] },
  { what: /\bconsole\.(log|error|warn|info)\(/, instead: 'the Logger, or the output that a command is given', homes: [] },
  { what: /@ts-(ignore|nocheck)/, instead: 'a type that holds', homes: [] },
];

const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((f) => f.endsWith('.ts') && !f.includes('generated/'))
  .sort();
const isTest = (file: string): boolean => /(\.test|suite(\.\w+)?|testing)\.ts$/.test(file);

function roomOf(path: string): string {
  const match = Object.keys(mayImport)
    .filter((room) => path === room || path.startsWith(`${room}/`))
    .sort((a, b) => b.length - a.length)[0];
  return match ?? path;
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(src, file), 'utf8');
  const found = [...text.matchAll(/(?:from|import)\s*\(?\s*'(#[^']+|\.[^']+)'/g)].map((m) => m[1] ?? '');
  return found.map((name) =>
    name.startsWith('#') ? name.slice(1) : relative(src, join(src, file, '..', name)),
  );
}

test('imports go one way', () => {
  const wrong: string[] = [];
  for (const file of files) {
    const room = roomOf(file);
    const allowed = [room, 'lib', ...(mayImport[room] ?? [])];
    for (const target of importsOf(file)) {
      if (target.startsWith('test/') && isTest(file)) continue;
      // a suite runs on real kernels and fakes alike
      if (isTest(file) && (target.startsWith('sys/') || target.startsWith('core/'))) continue;
      if (!allowed.some((a) => target === a || target.startsWith(`${a}/`))) {
        wrong.push(`src/${file} imports ${target}: ${room} may import ${allowed.join(', ')}`);
      }
    }
  }
  assert.deepEqual(wrong, []);
});

test('imports make no circle', () => {
  const later = new Map(files.filter((file) => !isTest(file)).map((file) => [file, importsOf(file)]));
  // takes away what imports nothing that is left, until only circles and what leads to them are
  for (let before = Infinity; later.size < before; ) {
    before = later.size;
    for (const [file, targets] of later) if (!targets.some((target) => later.has(target))) later.delete(file);
  }
  const inCircle = [...later.keys()].filter((file) => [...later.values()].some((targets) => targets.includes(file)));
  assert.deepEqual(inCircle, [], 'what two files take from each other belongs in a third, or in one of them');
});

test('the outside world is reached through its one home', () => {
  const wrong: string[] = [];
  for (const file of files.filter((f) => !isTest(f))) {
    const lines = readFileSync(join(src, file), 'utf8').split('\n');
    for (const ban of banned) {
      if (ban.homes.some((home) => file.startsWith(home))) continue;
      lines.forEach((line, i) => {
        if (!/^\s*(\*|\/\/)/.test(line) && ban.what.test(line)) wrong.push(`src/${file}:${i + 1}: use ${ban.instead}`);
      });
    }
  }
  assert.deepEqual(wrong, []);
});

test('files stay small', () => {
  const most = 350;
  const large = files
    .map((file) => ({ file: `src/${file}`, lines: readFileSync(join(src, file), 'utf8').split('\n').length - 1 }))
    .filter((f) => f.lines > (largeFiles[f.file] ?? most));
  assert.deepEqual(large, [], `split by what changes together; the limit is ${most} lines`);
  const stale = Object.keys(largeFiles).filter((f) => !files.includes(f.replace(/^src\//, '')));
  assert.deepEqual(stale, [], 'these left the house: take them off the ratchet');
});

test('functions stay small', () => {
  const most = 60;
  const rule = JSON.stringify(['error', { max: most, skipBlankLines: true, skipComments: true }]);
  const output = lintFunctions(rule);
  const counts = new Map<string, number>();
  for (const place of output) {
    if (isTest(place)) continue;
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  const large = [...counts].filter(([file, count]) => count > (largeFunctions[file] ?? 0));
  assert.deepEqual(large, [], `functions over ${most} lines: split them where a sentence would end`);
});

/** The file of each function over the limit, by the linter. */
function lintFunctions(rule: string): string[] {
  const config = join(root, 'node_modules', '.tidy-oxlint.json');
  const text = `{"rules":{"eslint/max-lines-per-function":${rule}},"categories":{"correctness":"off"},"ignorePatterns":["**/generated/**"]}`;
  execFileSync('tee', [config], { input: text });
  let json = '';
  try {
    json = execFileSync(join(root, 'node_modules/.bin/oxlint'), ['-c', config, '-f', 'json', 'src'], {
      cwd: root,
      encoding: 'utf8',
      maxBuffer: 64 << 20,
    });
  } catch (error) {
    json = (error as { stdout: string }).stdout;
  }
  const report = JSON.parse(json) as { diagnostics: { filename: string; code?: string }[] };
  return report.diagnostics.filter((d) => d.code?.includes('max-lines-per-function')).map((d) => d.filename);
}
