import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterRole, PolicyRule } from '#api/kube/types.ts';
import { planText } from '../planned.ts';
import { planAggregation } from './plan.ts';

const rule = (resource: string): PolicyRule => ({ apiGroups: [''], resources: [resource], verbs: ['get'] });
const role = (name: string, rules: PolicyRule[], labels: Record<string, string> = {}, more: Partial<ClusterRole> = {}): ClusterRole =>
  ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', metadata: { name, labels }, rules, ...more });
const whole = (rules: PolicyRule[]): ClusterRole => role('whole', rules, { part: 'yes' }, { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { part: 'yes' } }] } });

test('a role is what those that it selects add up to, by their names, each rule once, itself left out', () => {
  const all = [whole([]), role('b', [rule('pods'), rule('services')], { part: 'yes' }), role('a', [rule('pods')], { part: 'yes' }), role('c', [rule('secrets')], { part: 'no' })];
  const plan = planAggregation(all[0]!, all);
  assert.deepEqual(plan.map(({ rules }) => rules), [[rule('pods'), rule('services')]]);
  assert.equal(planText(plan), 'set the rules of cluster role whole: it is put together from a, b');
});

test('one that is right already, or going, or whole by itself is left alone', () => {
  const parts = [role('a', [rule('pods')], { part: 'yes' })];
  assert.deepEqual(planAggregation(whole([rule('pods')]), parts), []);
  const going = whole([]);
  going.metadata.deletionTimestamp = '2026-01-01T00:00:00Z';
  assert.deepEqual(planAggregation(going, parts), []);
  assert.deepEqual(planAggregation(role('own', [rule('nodes')]), parts), []);
  assert.equal(planText(planAggregation(whole([rule('pods')]), [])), 'set the rules of cluster role whole: it is put together from none');
});
