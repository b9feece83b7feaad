import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect, createServer } from 'node:tls';
import { systemClock } from '#lib/clock.ts';
import { systemRandom } from '#lib/random.ts';
import { openAuthority } from './authority.ts';
import { openServiceAccountKeys } from './service-account-keys.ts';

void test('a client and a server of one authority trust each other, and the groups arrive', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-pki-'));
  t.after(() => rm(directory, { recursive: true }));
  const tools = { clock: systemClock, random: systemRandom };
  const ca = await openAuthority(directory, tools);
  const server = await ca.issueServer({ commonName: 'kube-apiserver', dnsNames: ['localhost'], ipAddresses: ['127.0.0.1', '::1'] });
  const client = await ca.issueClient({ commonName: 'ann', organizations: ['dev', 'ops'] });
  const listener = createServer({ cert: server.certificate, key: server.key, ca: ca.certificate, requestCert: true, rejectUnauthorized: true }, (socket) => {
    socket.end(new X509Certificate(socket.getPeerCertificate().raw).subject);
  }).listen(0, '127.0.0.1');
  t.after(() => listener.close());
  await once(listener, 'listening');
  const socket = connect({
    host: '127.0.0.1',
    port: (listener.address() as AddressInfo).port,
    ca: ca.certificate,
    cert: client.certificate,
    key: client.key,
  });
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  assert.deepEqual(Buffer.concat(chunks).toString().split('\n').sort(), ['CN=ann', 'O=dev', 'O=ops']);
});

void test('authority and token key survive a restart', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-pki-'));
  t.after(() => rm(directory, { recursive: true }));
  const tools = { clock: systemClock, random: systemRandom };
  const first = await openAuthority(directory, tools);
  const second = await openAuthority(directory, tools);
  assert.equal(second.certificate, first.certificate);
  const issued = await second.issueClient({ commonName: 'x', organizations: [] });
  assert.ok(new X509Certificate(issued.certificate).verify(new X509Certificate(first.certificate).publicKey));
  const keys = await openServiceAccountKeys(directory);
  assert.equal((await openServiceAccountKeys(directory)).keyId, keys.keyId);
});
