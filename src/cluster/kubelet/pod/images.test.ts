import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planImage } from './images.ts';

const built = { isBuilt: true };
const pulled = { isBuilt: false };

test('where an image comes from, by policy, by what is here and by what peers offer', () => {
  const text = (...given: Parameters<typeof planImage>): string => {
    const plan = planImage(...given);
    return (['peers', 'registry', 'present'] as const).filter((source) => plan[source]).join(' ') || 'refused';
  };
  const table: [Parameters<typeof planImage>, string][] = [
    [['IfNotPresent', undefined, []], 'registry'],
    [['IfNotPresent', undefined, [built]], 'peers registry'],
    [['IfNotPresent', undefined, [pulled]], 'peers registry'],
    [['IfNotPresent', pulled, []], 'present'],
    [['IfNotPresent', built, []], 'present'],
    [['IfNotPresent', built, [built]], 'peers present'],
    [['Always', undefined, []], 'registry'],
    [['Always', undefined, [built]], 'peers registry'],
    [['Always', undefined, [pulled]], 'registry'],
    [['Always', pulled, []], 'registry'],
    [['Always', built, []], 'present'],
    [['Always', built, [built]], 'peers'],
    [['Always', built, [pulled]], 'registry'],
    [['Never', undefined, []], 'refused'],
    [['Never', undefined, [pulled]], 'peers'],
    [['Never', built, []], 'present'],
    [['Never', built, [built]], 'peers present'],
  ];
  for (const [given, want] of table) assert.equal(text(...given), want, JSON.stringify(given));
});
