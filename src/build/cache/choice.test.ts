import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildPruneOptions } from '#api/docker/build.ts';
import type { Filters } from '#api/docker/common.ts';
import type { CacheEntry } from '../types.ts';
import { chooseSteps } from './choice.ts';

const now = 1_000_000_000;
const hour = 3_600_000;
/** Name, hours since it was used, bytes of its layer; a name in capitals is one that an image stands on. */
const steps: [string, number, number][] = [['old', 9, 100], ['mid', 5, 50], ['USED', 8, 200], ['bare', 7, 0], ['new', 1, 30]];
const entries = steps.map(([id, age, bytes]) => ({ id, description: `RUN ${id}`, createdAt: 0, usedAt: now - age * hour, uses: 0, ...(bytes > 0 ? { layer: { chain: id } } : {}) })) as unknown as CacheEntry[];

function chosen(options: Partial<BuildPruneOptions>, filters: Filters = {}): string {
  const bytesOf = (entry: CacheEntry): number => steps.find(([id]) => id === entry.id)?.[2] ?? 0;
  const isStoodOn = (entry: CacheEntry): boolean => entry.id === 'USED';
  return chooseSteps({ entries, options: { all: false, keepStorage: 0, ...options }, filters, bytesOf, isStoodOn, now }).map((entry) => entry.id).join(' ');
}

test('what an image stands on stays without --all, and goes with it', () => {
  assert.equal(chosen({}), 'old mid new');
  assert.equal(chosen({ all: true }), 'old USED bare mid new');
});

test('the longest unused go first, until no more than what is to be kept is left', () => {
  assert.equal(chosen({ keepStorage: 300 }), 'old');
  assert.equal(chosen({ keepStorage: 250 }), 'old mid');
  assert.equal(chosen({ keepStorage: 1000 }), '');
});

test('filters: unused since, id, description, labels that no step has; others are refused by name', () => {
  assert.equal(chosen({}, { until: ['4h'] }), 'old mid');
  assert.equal(chosen({}, { id: ['ne'] }), 'new');
  assert.equal(chosen({}, { description: ['RUN mid'], until: ['1h'] }), 'mid');
  assert.equal(chosen({ all: true }, { label: ['a=b'] }), '');
  assert.equal(chosen({}, { 'label!': ['a=b'], inuse: ['false'] }), 'old mid new');
  assert.throws(() => chosen({}, { parent: ['x'] }), /prune by filter parent is not implemented/);
  assert.throws(() => chosen({}, { until: ['soon'] }), /invalid filter 'until=soon'/);
});
