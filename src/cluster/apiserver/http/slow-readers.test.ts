import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { connect } from 'node:tls';
import { configMaps } from '#client/kube/resources.ts';
import type { KubeObject } from '#api/kube/types.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { isFault } from '#lib/errors.ts';
import { CachedObject } from '../storage/object.ts';
import { Watcher, watcherQueueBytes } from '../storage/watcher.ts';
import { configMap, startTestServer } from '../testing.ts';
import { slowReaderMs } from './watch-stream.ts';

void test('a watch that is not read is cut off after its time; one that is read gets all', async (t) => {
  const clock = new VirtualClock();
  const { url, access, admin } = await startTestServer(t, { clock });
  const { ca, certificate: cert, key } = await access('slow', ['system:masters']);
  const slow = connect({ host: '127.0.0.1', port: Number(new URL(url).port), ca, cert, key });
  await once(slow, 'secureConnect');
  slow.pause();
  slow.on('error', () => {});
  slow.write('GET /api/v1/namespaces/default/configmaps?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n');
  const seen = new Set<string>();
  const stop = new AbortController();
  const reading = (async () => {
    for await (const { object } of admin.watch<KubeObject>(configMaps, { namespace: 'default', signal: stop.signal })) {
      seen.add(object.metadata.name ?? '');
      if (seen.has('last')) return;
    }
  })();
  const data = { large: 'x'.repeat(900_000) };
  // more than the sockets between the two take
  for (let i = 0; i < 20; i++) await admin.create(configMaps, configMap(`c${i}`, data));
  await admin.create(configMaps, configMap('last'));
  await reading;
  stop.abort();
  let closed = false;
  slow.once('close', () => (closed = true));
  await clock.advance(slowReaderMs - 1);
  assert.equal(closed, false);
  await clock.advance(2);
  slow.resume();
  if (!closed) await once(slow, 'close');
  assert.equal(seen.size >= 21, true);
});

void test('a watcher is given up at its limit of bytes too', async () => {
  const watcher = new Watcher(0, () => true);
  const size = 1024 * 1024;
  for (let i = 0; i <= watcherQueueBytes / size; i++) {
    watcher.push({ revision: i + 1, type: 'ADDED', object: new CachedObject('/k', i + 1, { apiVersion: 'v1', kind: 'X', metadata: {} }, size) });
  }
  await assert.rejects(watcher.take(), (error: unknown) => isFault(error, 'expired'));
});

void test('a stored value that is no object hides no other', async (t) => {
  const { api, store, raw } = await startTestServer(t);
  const client = api.localClient({ name: 'admin', groups: ['system:masters'] });
  await client.create(configMaps, configMap('before'));
  for (const [name, value] of [['torn', '{"apiVersion":"v1","kind":"Con'], ['null', 'null'], ['binary', '\0\xff']] as const) {
    await store.put(`/registry/configmaps/default/${name}`, Buffer.from(value, 'latin1'));
  }
  await client.create(configMaps, configMap('after'));
  const listed = await client.list<KubeObject>(configMaps, { namespace: 'default' });
  assert.deepEqual(listed.items.map(({ metadata }) => metadata.name), ['after', 'before']);
  assert.equal((await raw({ path: '/api/v1/namespaces/default/configmaps/torn' })).code, 404);
  await api.close();
  const again = await startTestServer(t, { store });
  const found = await again.admin.list<KubeObject>(configMaps, { namespace: 'default' });
  assert.deepEqual(found.items.map(({ metadata }) => metadata.name), ['after', 'before']);
});
