/** Roles that are put together from others, by the real API server and the controllers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterRole, PolicyRule } from '#api/kube/types.ts';
import { clusterRoles } from '#client/kube/resources.ts';
import { startCluster } from './cluster.ts';
import { eventually } from './support.ts';

const prefix = 'rbac.authorization.k8s.io';
const widgets: PolicyRule = { apiGroups: ['example.com'], resources: ['widgets'], verbs: ['get'] };

test('a labelled role is added to what it names, and taken away again; the roles of the start are right as they are', async (t) => {
  const { client } = await startCluster(t);
  const named = (name: string): Promise<ClusterRole> => client.get<ClusterRole>(clusterRoles, name);
  const before = await Promise.all(['admin', 'edit', 'view'].map(named));
  const own: ClusterRole = { apiVersion: `${prefix}/v1`, kind: 'ClusterRole', metadata: { name: 'own' }, aggregationRule: { clusterRoleSelectors: [{ matchExpressions: [{ key: 'of', operator: 'Exists' }] }] } };
  await client.create(clusterRoles, own);
  await client.create(clusterRoles, { apiVersion: `${prefix}/v1`, kind: 'ClusterRole', metadata: { name: 'widgets', labels: { of: 'own', [`${prefix}/aggregate-to-view`]: 'true' } }, rules: [widgets] });
  const holds = (role: ClusterRole): boolean => (role.rules ?? []).some(({ resources }) => resources?.includes('widgets'));
  for (const name of ['own', 'view', 'edit', 'admin']) await eventually(async () => assert.ok(holds(await named(name)), name));
  await client.delete(clusterRoles, 'widgets');
  for (const name of ['own', 'view', 'edit', 'admin']) await eventually(async () => assert.ok(!holds(await named(name)), name));
  for (const role of before) assert.deepEqual((await named(role.metadata.name ?? '')).rules, role.rules);
});
