import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lacksDisk } from './disk.ts';

const [mib, gib] = [1024 ** 2, 1024 ** 3];

test('a node lacks disk where a twentieth of a small one is left, or a gigabyte of a large one, and no sooner', () => {
  assert.deepEqual([lacksDisk({ total: 100 * mib, available: 6 * mib }), lacksDisk({ total: 100 * mib, available: 4 * mib })], [false, true]);
  assert.deepEqual([lacksDisk({ total: 1000 * gib, available: 2 * gib }), lacksDisk({ total: 1000 * gib, available: gib - 1 })], [false, true]);
});
