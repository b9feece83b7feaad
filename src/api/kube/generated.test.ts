import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../../..');
const facts = process.env['GANTRY_KUBE_FACTS'] ?? join(root, '../shared/reference/kubernetes-types.json');
const missing = existsSync(facts) ? false : `the facts file is not at ${facts} (set GANTRY_KUBE_FACTS)`;

test('the generated files are what the generator writes', { skip: missing }, () => {
  const check = spawnSync(process.execPath, [join(root, 'scripts/generate-kube/main.ts'), facts, '--check'], { encoding: 'utf8' });
  assert.equal(check.status, 0, check.stderr);
});
