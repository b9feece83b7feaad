import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Secret, ServiceAccount } from '#api/kube/types.ts';
import { planText } from '../planned.ts';
import { planTokenSecret } from './plan.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const account: ServiceAccount = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'robot', namespace: 'n', uid: 'u1' } };
const secret = (data: Secret['data'], annotations: Record<string, string> = {}, type = 'kubernetes.io/service-account-token'): Secret =>
  ({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'n', annotations: { 'kubernetes.io/service-account.name': 'robot', ...annotations } }, type, data });
const full = { token: base64('t'), 'ca.crt': base64('ca'), namespace: base64('n') };
const noted = { 'kubernetes.io/service-account.uid': 'u1' };
const text = (...args: Parameters<typeof planTokenSecret>): string => planText(planTokenSecret(...args));

test('a secret for a token gets one, and keeps what it has', () => {
  assert.deepEqual(planTokenSecret(secret({}), account, 'ca'), [{
    do: 'fill', what: 'fill secret n/s', cause: 'it has no token', account: 'robot', accountUid: 'u1', needsToken: true, data: { 'ca.crt': base64('ca'), namespace: base64('n') },
  }]);
  assert.equal(text(secret(full, noted), account, 'ca'), '');
  assert.equal(text(secret(full, noted), account, 'another ca'), 'fill secret n/s: it says something else');
  assert.equal(text(secret({}, {}, 'Opaque'), account, 'ca'), '');
});

test('it goes with its account, also where another one has taken the name', () => {
  assert.equal(text(secret(full, noted), undefined, 'ca'), 'delete secret n/s: service account robot is gone');
  assert.equal(text(secret(full, { 'kubernetes.io/service-account.uid': 'u0' }), account, 'ca'), 'delete secret n/s: service account robot is gone');
});
