import assert from 'node:assert/strict';
import { test } from 'node:test';
import { booleanFilter, labelsMatch, nameMatches, untilFilter } from './filters.ts';
import { parseSignal } from './signals.ts';

test('labels: with and without a value, all of them, none of label!', () => {
  const labels = { a: '1', b: '2' };
  assert.deepEqual([labelsMatch(labels, { label: ['a', 'b=2'] }), labelsMatch(labels, { label: ['a=2'] }), labelsMatch(labels, { 'label!': ['a'] }), labelsMatch(null, {})], [true, false, false, true]);
});

test('names by part or by regular expression', () => {
  assert.deepEqual([nameMatches('/web-1', 'web'), nameMatches('/web-1', '^/web-[0-9]$'), nameMatches('/web-1', '^web'), nameMatches('x', '(')], [true, true, false, false]);
});

test('until: durations, seconds, RFC 3339', () => {
  const now = Date.UTC(2026, 0, 2);
  assert.equal(untilFilter({ until: ['1h30m'] }, now), now - 5_400_000);
  assert.equal(untilFilter({ until: ['100'] }, now), 100_000);
  assert.equal(untilFilter({ until: ['2026-01-01T00:00:00Z'] }, now), now - 86_400_000);
  assert.equal(untilFilter({}, now), undefined);
  assert.throws(() => untilFilter({ until: ['soon'] }, now), /invalid filter 'until=soon'/);
  assert.throws(() => booleanFilter({ dangling: ['maybe'] }, 'dangling'), /invalid filter/);
});

test('signals by name and number', () => {
  assert.deepEqual(['TERM', 'sigkill', '2', 'RTMIN+3', 'SIGRTMAX-1'].map(parseSignal), [15, 9, 2, 37, 63]);
  for (const wrong of ['0', '65', 'NOPE', 'RTMIN+99', '']) assert.throws(() => parseSignal(wrong), /Invalid signal/);
});
