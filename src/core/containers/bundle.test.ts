import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { annotationStopSignal, annotationStopTimeout } from '#api/oci/runtime.ts';
import { readStop } from './bundle.ts';

const directory = mkdtempSync(join(tmpdir(), 'gantry-bundle-'));
after(() => rmSync(directory, { recursive: true }));

test('how a container is ended by its bundle: as its owner said, or by SIGTERM and ten seconds', () => {
  const stopOf = (config: string): unknown[] => {
    writeFileSync(join(directory, 'config.json'), config);
    const { signal, graceMs, cgroup } = readStop(directory);
    return [signal, graceMs, cgroup];
  };
  const annotated = (signal: string, seconds: string): unknown[] =>
    stopOf(JSON.stringify({ annotations: { [annotationStopSignal]: signal, [annotationStopTimeout]: seconds }, linux: { cgroupsPath: '/gantry/x' } }));
  assert.deepEqual(annotated('3', '60'), [3, 60_000, 'gantry/x']);
  assert.deepEqual(annotated('64', '0'), [64, 0, 'gantry/x']);
  assert.deepEqual(annotated('10', '-1'), [10, Infinity, 'gantry/x']);
  assert.deepEqual(annotated('65', 'soon'), [15, 10_000, 'gantry/x']);
  assert.deepEqual(annotated('SIGFOO', '1'), [15, 1000, 'gantry/x']);
  for (const damaged of ['{}', '{"annot', 'null']) assert.deepEqual(stopOf(damaged), [15, 10_000, undefined], damaged);
  assert.equal(readStop(join(directory, 'none')).graceMs, 10_000);
});
