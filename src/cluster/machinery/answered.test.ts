import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConfigMap } from '#api/kube/types.ts';
import { Fault, isFault } from '#lib/errors.ts';
import { configMaps } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { answered, createAnswered } from './answered.ts';

const { signal } = new AbortController();
const silence = new Fault('timeout', 'no answer');

function ownedBy(uid: string): ConfigMap {
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid, controller: true }];
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x', namespace: 'default', ownerReferences } };
}

/** Holds one object; a creation that is told to be silent happens, or not, without an answer. */
function apiWith(silent: ('happens' | 'is lost')[], there?: ConfigMap): { client: KubeClient; creations: () => number } {
  let held = there;
  let creations = 0;
  const fake = {
    create: async (_ref: unknown, object: ConfigMap): Promise<ConfigMap> => {
      const how = silent.shift();
      if (how === 'is lost') throw silence;
      if (held) throw new Fault('already-exists', 'x exists');
      held = object;
      creations++;
      if (how === 'happens') throw silence;
      return object;
    },
    get: async () => held,
  };
  // Only what is called here.
  return { client: fake as unknown as KubeClient, creations: () => creations };
}

test('a creation without an answer is tried again, and happens once', async () => {
  for (const how of ['happens', 'is lost'] as const) {
    const { client, creations } = apiWith([how]);
    assert.equal((await createAnswered(client, configMaps, ownedBy('a'), signal)).metadata.name, 'x');
    assert.equal(creations(), 1);
  }
});

test('whether a creation happened is not known from what came after it', async () => {
  const refused = new Fault('unavailable', 'try again');
  const unknown = (error: unknown): boolean => isFault(error, 'timeout');
  const { client, creations } = apiWith(['happens']);
  const create = client.create.bind(client);
  let asked = 0;
  const refusing = { ...client, create: (...args: Parameters<typeof create>) => (asked++ === 0 ? create(...args) : Promise.reject(refused)) } as KubeClient;
  await assert.rejects(createAnswered(refusing, configMaps, ownedBy('a'), signal), unknown, 'the next tries were refused');
  assert.equal(creations(), 1);
  const unread = { ...apiWith(['happens']).client, get: () => Promise.reject(refused) } as unknown as KubeClient;
  await assert.rejects(createAnswered(unread, configMaps, ownedBy('a'), signal), unknown, 'it could not be read');
});

test("another's object of that name is not taken for one's own", async () => {
  const taken = (error: unknown): boolean => isFault(error, 'already-exists');
  await assert.rejects(createAnswered(apiWith([], ownedBy('a')).client, configMaps, ownedBy('a'), signal), taken, 'it was there before');
  await assert.rejects(createAnswered(apiWith(['is lost'], ownedBy('b')).client, configMaps, ownedBy('a'), signal), taken);
});

test('a write that is never answered is given up, and other failures are at once', async () => {
  let tries = 0;
  const fails = (error: Fault) => (): Promise<never> => {
    tries++;
    return Promise.reject(error);
  };
  await assert.rejects(answered(fails(silence)), /no answer/);
  assert.equal(tries, 4);
  await assert.rejects(answered(fails(new Fault('conflict', 'changed'))), /changed/);
  assert.equal(tries, 5);
});
