import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ObjectMeta } from '#api/kube/types.ts';
import { planText } from '../planned.ts';
import type { Item } from './graph.ts';
import type { Owner } from './plan.ts';
import { planItem } from './plan.ts';

const going = '2026-01-01T00:00:00Z';

function item(kind: string, name: string, metadata: ObjectMeta = {}): Item {
  const served = { ref: { group: '', version: 'v1', resource: `${kind.toLowerCase()}s` }, kind, namespaced: true };
  return { served, object: { apiVersion: 'v1', kind, metadata: { name, namespace: 'default', uid: name, ...metadata } } };
}

function owner(name: string, state: Owner['state'] = 'solid', blockOwnerDeletion = true): Owner {
  return { reference: { apiVersion: 'v1', kind: 'Set', name, uid: name, blockOwnerDeletion }, state };
}

function owned(name: string, ...owners: Owner[]): Item {
  return item('Pod', name, { ownerReferences: owners.map(({ reference }) => reference) });
}

function planned(of: Item, owners: Owner[] = [], dependents: Item[] = []): string {
  return planText(planItem(of, owners, dependents));
}

test('what an owner holds stays; what none holds goes; what lost one of two is released from it', () => {
  const [held, lost] = [owner('held'), owner('lost', 'absent')];
  assert.equal(planned(owned('p', held), [held]), '');
  assert.equal(planned(owned('p')), '');
  assert.equal(planned(owned('p', lost), [lost]), 'delete pods default/p (Background): owner Set lost is gone');
  const [release] = planItem(owned('p', held, lost), [held, lost], []);
  assert.ok(release?.do === 'own');
  assert.deepEqual(release.references.map(({ uid }) => uid), ['held']);
});

test('an owner deleted in the foreground takes what it owns first, and what that owns', () => {
  const waiting = owner('set', 'waiting');
  const set = item('Set', 'set', { deletionTimestamp: going, finalizers: ['foregroundDeletion'] });
  assert.equal(planned(set, [], [owned('p', waiting)]), '');
  assert.equal(planned(owned('p', waiting), [waiting]), 'delete pods default/p (Background): owner Set set is being deleted');
  assert.equal(planned(owned('p', waiting), [waiting], [owned('child', owner('p'))]), 'delete pods default/p (Foreground): owner Set set is being deleted');
  assert.equal(planned(set, [], [owned('q', owner('set', 'waiting', false))]), 'finish sets default/set: what blocked its deletion is gone');
});

test('an owner deleted as orphaning releases what it owns before it goes', () => {
  const set = item('Set', 'set', { deletionTimestamp: going, finalizers: ['orphan'] });
  assert.equal(planned(set, [], [owned('p', owner('set'))]), 'release pods default/p: sets default/set is deleted without it');
  assert.equal(planned(set), 'finish sets default/set: nothing names it as owner');
});

test('what is being deleted already is left to it, and a circle is broken', () => {
  const lost = owner('lost', 'absent');
  assert.equal(planned(item('Pod', 'p', { deletionTimestamp: going, ownerReferences: [lost.reference] }), [lost]), '');
  const waiting = owner('a', 'waiting');
  const next = item('Set', 'a', { deletionTimestamp: going, finalizers: ['foregroundDeletion'] });
  assert.equal(planned(owned('b', waiting), [waiting], [next]), 'unblock the owners of pods default/b: they wait for each other');
  const itself = item('Set', 'a', { deletionTimestamp: going, finalizers: ['foregroundDeletion'], ownerReferences: [waiting.reference] });
  assert.equal(planned(itself, [waiting], [itself]), 'finish sets default/a: what blocked its deletion is gone');
});
