/**
 * Writes `src/api/kube/generated/` from the facts file and the installed `@kubernetes/client-node`:
 *
 *     node scripts/generate-kube/main.ts FACTS.json [--check]
 *
 * The facts' path may also come in GANTRY_KUBE_FACTS. With `--check` nothing is written; the exit code is 1
 * where a file on disk is not what would be written.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readFacts } from './facts.ts';
import { readModels } from './models.ts';
import { buildSchema } from './schema.ts';
import { emitTypes } from './types.ts';

const root = join(import.meta.dirname, '../..');
const output = join(root, 'src/api/kube/generated');

function generate(factsPath: string): Map<string, string> {
  const { schema, docs } = buildSchema({
    facts: readFacts(factsPath),
    models: readModels(join(root, 'node_modules/@kubernetes/client-node/dist/gen/models')),
    pointers: JSON.parse(readFileSync(join(import.meta.dirname, 'pointers.json'), 'utf8')) as Record<string, string[]>,
  });
  return new Map([
    ['types.ts', emitTypes(schema)],
    ['schema.json', perLine(Object.fromEntries(schema))],
    ['docs.json', perLine(docs)],
  ]);
}

/** One entry per line: compact, and still readable as a change. */
function perLine(entries: Record<string, unknown>): string {
  const lines = Object.entries(entries).map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
  return `{\n${lines.join(',\n')}\n}\n`;
}

function stale(files: Map<string, string>): string[] {
  return [...files].filter(([name, text]) => readFileSync(join(output, name), 'utf8') !== text).map(([name]) => name);
}

const args = process.argv.slice(2);
const factsPath = args.find((arg) => !arg.startsWith('--')) ?? process.env['GANTRY_KUBE_FACTS'];
if (factsPath === undefined) {
  console.error('usage: node scripts/generate-kube/main.ts FACTS.json [--check]');
  process.exit(2);
}
const files = generate(factsPath);
if (args.includes('--check')) {
  const names = stale(files);
  if (names.length > 0) {
    console.error(`not fresh: ${names.join(', ')}; run scripts/generate-kube/main.ts`);
    process.exit(1);
  }
} else {
  mkdirSync(output, { recursive: true });
  for (const [name, text] of files) writeFileSync(join(output, name), text);
}
