import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeObject } from '#api/kube/types.ts';
import { configMaps } from '#client/kube/resources.ts';
import { createMemoryStore } from '#core/store/memory/store.ts';
import type { Store } from '#core/store/types.ts';
import { Fault, isFault } from '#lib/errors.ts';
import { seededRandom } from '#lib/random.ts';
import { configMap, startTestServer } from '../testing.ts';
import { ObjectCache } from './cache.ts';
import { CachedObject } from './object.ts';
import { Watcher, watcherQueueEvents } from './watcher.ts';

const admin = { name: 'admin', groups: ['system:masters'] };

void test('a mirror kept by a watch is what a list shows, whatever is written and however it is raced', async (t) => {
  const { api } = await startTestServer(t);
  const client = api.localClient(admin);
  const random = seededRandom(7);
  const mirror = new Map<string, string>();
  const start = await client.list<KubeObject>(configMaps, { labelSelector: 'even' });
  const stop = new AbortController();
  let seen = 0;
  const watching = (async () => {
    const options = { labelSelector: 'even', resourceVersion: start.metadata.resourceVersion, signal: stop.signal };
    for await (const { type, object } of client.watch<KubeObject>(configMaps, options)) {
      const name = object.metadata.name ?? '';
      const revision = object.metadata.resourceVersion ?? '';
      assert.ok(Number(revision) > seen, 'each change once, in order');
      seen = Number(revision);
      assert.equal(mirror.has(name), type !== 'ADDED', `${type} ${name}`);
      if (type === 'DELETED') mirror.delete(name);
      else mirror.set(name, revision);
    }
  })();
  const step = async (): Promise<void> => {
    const name = `c${random.int(12)}`;
    const labels = random.int(2) === 0 ? { labels: { even: 'yes' } } : {};
    const act = random.int(3);
    try {
      if (act === 0) await client.create(configMaps, configMap(name, {}, labels));
      else if (act === 1) await client.update(configMaps, configMap(name, { n: String(random.int(1000)) }, labels));
      else await client.delete(configMaps, name, { namespace: 'default' });
    } catch (error) {
      if (!isFault(error, 'not-found', 'already-exists', 'conflict')) throw error;
    }
  };
  // A put of what does not exist makes it: the deletes keep the balance.
  for (let round = 0; round < 60; round++) await Promise.all(Array.from({ length: 10 }, step));
  const end = await client.list<KubeObject>(configMaps, { labelSelector: 'even' });
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(mirror, new Map(end.items.map(({ metadata }) => [metadata.name, metadata.resourceVersion])));
  assert.ok(seen > 0);
  stop.abort();
  await watching;
});

void test('when the watch of the store breaks, everything is read anew and watchers are told to list again', async (t) => {
  const real = createMemoryStore();
  let breakNow: ((reason: Error) => void) | undefined;
  const store: Store = {
    revision: () => real.revision(),
    compactedRevision: () => real.compactedRevision(),
    get: (key, options) => real.get(key, options),
    range: (start, end, options) => real.range(start, end, options),
    transact: (transaction) => real.transact(transaction),
    put: (key, value, options) => real.put(key, value, options),
    delete: (key) => real.delete(key),
    compact: (revision) => real.compact(revision),
    close: () => real.close(),
    leases: real.leases,
    async *watch(start, end, options) {
      const broken = new Promise<never>((_, reject) => (breakNow = reject));
      const changes = real.watch(start, end, options)[Symbol.asyncIterator]();
      for (;;) {
        const next = await Promise.race([changes.next(), broken]);
        if (next.done) return;
        yield next.value;
      }
    },
  };
  const { api } = await startTestServer(t, { store });
  const client = api.localClient(admin);
  await client.create(configMaps, configMap('before'));
  const watching = (async () => {
    for await (const event of client.watch(configMaps, { namespace: 'default', signal: new AbortController().signal })) assert.ok(event);
  })();
  await new Promise((resolve) => setImmediate(resolve));
  breakNow?.(new Fault('expired', 'too slow'));
  await assert.rejects(watching, (error: unknown) => isFault(error, 'expired'));
  await client.create(configMaps, configMap('after'));
  const listed = await client.list<KubeObject>(configMaps, { namespace: 'default' });
  assert.deepEqual(listed.items.map(({ metadata }) => metadata.name), ['after', 'before']);
});

void test('a watcher that does not read is given up at its limit', async () => {
  const watcher = new Watcher(0, () => true);
  const object = new CachedObject('/k', 1, { apiVersion: 'v1', kind: 'X', metadata: {} });
  for (let i = 0; i <= watcherQueueEvents; i++) watcher.push({ revision: i + 1, type: 'ADDED', object });
  await assert.rejects(watcher.take(), (error: unknown) => isFault(error, 'expired'));
});

void test('an indexed field finds objects, and follows their changes', () => {
  const cache = new ObjectCache({ prefix: '/p/', indexed: ['node'], fieldsOf: (object) => ({ node: String(object['node']) }) });
  const put = (name: string, revision: number, node: string): void =>
    cache.put(new CachedObject(`/p/${name}`, revision, { apiVersion: 'v1', kind: 'X', metadata: { name }, node }));
  cache.load([], 0);
  put('b', 1, 'n1');
  put('a', 2, 'n1');
  put('c', 3, 'n2');
  assert.deepEqual(cache.find('node', 'n1', '/p/')?.map(({ key }) => key), ['/p/a', '/p/b']);
  put('b', 4, 'n2');
  cache.remove('/p/c', 5);
  assert.deepEqual(cache.find('node', 'n2', '/p/')?.map(({ key }) => key), ['/p/b']);
  assert.equal(cache.find('other', 'x', '/p/'), undefined);
});
