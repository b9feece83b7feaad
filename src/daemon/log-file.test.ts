import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

/** A process that writes 250 lines to a log of 1000 bytes. */
function writeLines(path: string): number | null {
  const descriptor = openSync(path, 'a');
  const script = `
    const { logWriter } = await import(${JSON.stringify(join(import.meta.dirname, 'log-file.ts'))});
    const write = logWriter(process.argv[1], 1000);
    for (let i = 0; i < 250; i++) write('line ' + i + '\\n');`;
  const { status } = spawnSync(process.execPath, ['--input-type=module', '-e', script, path], { stdio: ['ignore', 'ignore', descriptor] });
  closeSync(descriptor);
  return status;
}

test('daemon.log stays below its limit, and the part before it is kept', () => {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-log-'));
  try {
    const path = join(directory, 'daemon.log');
    assert.equal(writeLines(path), 0);
    const [now, before] = [path, `${path}.1`].map((p) => readFileSync(p, 'utf8'));
    assert.ok((now ?? '').length < 1000);
    assert.match(`${before}${now}`, /^(line \d+\n)+$/);
    assert.match(`${before}${now}`, /line 249\n$/);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('a log that cannot be kept is emptied all the same, and ends nobody', () => {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-log-'));
  try {
    const path = join(directory, 'daemon.log');
    mkdirSync(`${path}.1`);
    assert.equal(writeLines(path), 0);
    assert.match(readFileSync(path, 'utf8'), /^(line \d+\n)+$/);
    assert.ok(readFileSync(path, 'utf8').length < 1000);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
