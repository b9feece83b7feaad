import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Namespace } from '#api/kube/types.ts';
import { planText } from '../planned.ts';
import type { Contents } from './plan.ts';
import { deletionConditions, planDeletion } from './plan.ts';

const going: Namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'team', deletionTimestamp: '2026-01-01T00:00:00Z' }, spec: { finalizers: ['kubernetes', 'own'] } };

function contents(resource: string, ...objects: { name: string; going?: boolean; finalizers?: string[] }[]): Contents {
  return {
    served: { ref: { group: '', version: 'v1', resource }, kind: resource, namespaced: true },
    objects: objects.map(({ name, going: isGoing, finalizers }) => ({
      apiVersion: 'v1', kind: resource, metadata: { name, finalizers, ...(isGoing && { deletionTimestamp: '2026-01-01T00:00:00Z' }) },
    })),
  };
}

test('pods go before all else, then what is left, then the namespace', () => {
  const pods = contents('pods', { name: 'a' }, { name: 'b', going: true });
  const secrets = contents('secrets', { name: 's' });
  assert.equal(planText(planDeletion(going, [secrets, pods])), 'delete pods a: namespace team is being deleted');
  assert.equal(planText(planDeletion(going, [contents('pods', { name: 'b', going: true }), secrets])), '');
  assert.equal(planText(planDeletion(going, [secrets])), 'delete secrets s: namespace team is being deleted');
  assert.equal(planText(planDeletion(going, [])), 'finalize team: it is empty');
  assert.equal(planText(planDeletion({ ...going, metadata: { name: 'team' } }, [secrets])), '');
  assert.equal(planText(planDeletion({ ...going, spec: { finalizers: ['own'] } }, [])), '');
});

test('what holds a namespace back is said', () => {
  const held = contents('secrets', { name: 's', finalizers: ['example.com/keep'] });
  const said = deletionConditions(going, [held], '2026-01-01T00:00:00Z').filter(({ status }) => status === 'True');
  assert.deepEqual(said.map(({ message }) => message), [
    'Some resources are remaining: secrets. has 1 resource instances',
    'Some content in the namespace has finalizers remaining: example.com/keep in 1 resource instances',
  ]);
});
