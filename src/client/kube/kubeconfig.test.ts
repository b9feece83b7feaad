import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFault } from '#lib/errors.ts';
import { faultOfStatus } from './faults.ts';
import { formatKubeconfig, readKubeconfig } from './kubeconfig.ts';
import { lines } from './lines.ts';
import { pods, resourcePath } from './resources.ts';

void test('a kubeconfig that was written is read back; one with files, too', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-kubeconfig-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'config');
  const access = { server: 'https://127.0.0.1:6443', ca: 'CA', certificate: 'CERT', key: 'KEY', token: undefined, namespace: 'prod' };
  await writeFile(path, formatKubeconfig(access));
  assert.deepEqual(await readKubeconfig(path), access);
  await writeFile(join(directory, 'ca.crt'), 'FILE');
  const other = `
current-context: b
clusters: [{name: x, cluster: {server: "https://x", certificate-authority: ${join(directory, 'ca.crt')}}}]
users: [{name: u, user: {token: secret}}]
contexts: [{name: a, context: {cluster: none, user: none}}, {name: b, context: {cluster: x, user: u}}]
`;
  await writeFile(path, other);
  const read = await readKubeconfig(path);
  assert.deepEqual([read.server, read.ca, read.token], ['https://x', 'FILE', 'secret']);
});

void test('what cannot be used as a kubeconfig is refused by what is wrong with it', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-kubeconfig-'));
  t.after(() => rm(directory, { recursive: true }));
  const path = join(directory, 'config');
  await assert.rejects(readKubeconfig(path), (error: unknown) => isFault(error, 'not-found') && /start the cluster first/.test(error.message));
  for (const [text, why] of [['', /is empty/], ['a: [', /is no YAML/], ['current-context: x', /has no context named "x"/]] as const) {
    await writeFile(path, text);
    await assert.rejects(readKubeconfig(path), (error: unknown) => isFault(error, 'invalid') && why.test(error.message));
  }
});

void test('lines are whole however the bytes are cut', async () => {
  const bytes = Buffer.from('{"a":"ä"}\n\n{"b":1}\nlast');
  async function* cut(size: number): AsyncGenerator<Uint8Array> {
    for (let i = 0; i < bytes.length; i += size) yield bytes.subarray(i, i + size);
  }
  for (const size of [1, 2, 3, 7, 100]) {
    const seen: string[] = [];
    for await (const line of lines(cut(size))) seen.push(line);
    assert.deepEqual(seen, ['{"a":"ä"}', '{"b":1}', 'last']);
  }
});

void test('a failed answer becomes a fault of the kind that it names', () => {
  const status = JSON.stringify({ kind: 'Status', reason: 'AlreadyExists', message: 'pods "p" already exists', code: 409 });
  const fault = faultOfStatus(409, status);
  assert.deepEqual([fault.kind, fault.message], ['already-exists', 'pods "p" already exists']);
  assert.equal(faultOfStatus(503, 'gone fishing').kind, 'unavailable');
  assert.equal(faultOfStatus(410, '').kind, 'expired');
});

void test('paths are escaped', () => {
  assert.equal(resourcePath(pods, { namespace: 'a', name: 'b/../c', subresource: 'log' }), '/api/v1/namespaces/a/pods/b%2F..%2Fc/log');
});
