import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectionsOfDoor } from './open-files.ts';

test('a door gets a fifth of the open files that the host allows', () => {
  const limits = (soft: string): string => `Limit  Soft Limit  Hard Limit  Units\nMax open files            ${soft}                20000                files\n`;
  assert.equal(connectionsOfDoor(limits('20000')), 4000);
  assert.equal(connectionsOfDoor(limits('40')), 16);
  assert.equal(connectionsOfDoor(limits('unlimited')), Number.MAX_SAFE_INTEGER);
  assert.ok(connectionsOfDoor() > 0);
});
