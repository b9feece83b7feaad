/** Secrets that ask for a token by their type, by the real API server and the controllers. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject, Secret } from '#api/kube/types.ts';
import { secrets, serviceAccounts, tokenReviews } from '#client/kube/resources.ts';
import { startCluster } from './cluster.ts';
import { eventually } from './support.ts';

test('a secret made for a token proves its account until either is gone', async (t) => {
  const { client } = await startCluster(t);
  const metadata = { name: 'robot-token', namespace: 'default', annotations: { 'kubernetes.io/service-account.name': 'robot' } };
  await client.create(serviceAccounts, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot', namespace: 'default' } });
  await client.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata, type: 'kubernetes.io/service-account-token' });
  const token = await eventually(async () => {
    const { data = {} } = await client.get<Secret>(secrets, 'robot-token', 'default');
    assert.deepEqual(Object.keys(data).sort(), ['ca.crt', 'namespace', 'token']);
    return Buffer.from(data['token'] ?? '', 'base64').toString();
  });
  const review = async (): Promise<unknown> => {
    const asked = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', metadata: {}, spec: { token } };
    const { authenticated, user } = (await client.create<KubeObject>(tokenReviews, asked))['status'] as { authenticated: boolean; user: { username?: string } };
    return [authenticated, user.username];
  };
  assert.deepEqual(await review(), [true, 'system:serviceaccount:default:robot']);
  await client.delete(serviceAccounts, 'robot', { namespace: 'default' });
  await eventually(() => assert.rejects(client.get(secrets, 'robot-token', 'default'), /not found/));
  assert.deepEqual(await review(), [false, undefined]);
});
