import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { KubeClient, ListOptions, ResourceRef } from '#client/kube/types.ts';
import type { ApiObject } from '#cluster/machinery/types.ts';
import type { Item } from './graph.ts';
import { OwnershipGraph } from './graph.ts';
import { Owners } from './observe.ts';

const pods = { ref: { group: '', version: 'v1', resource: 'pods' }, kind: 'Pod', namespaced: true };
const nodes = { ref: { group: '', version: 'v1', resource: 'nodes' }, kind: 'Node', namespaced: false };

test('what names an owner is read anew before the owner goes: no informer need have shown it', async () => {
  const owned = (name: string, ...owners: string[]): ApiObject => ({
    apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'a', uid: name, ownerReferences: owners.map((uid) => ({ apiVersion: 'v1', kind: 'Pod', name: uid, uid })) },
  });
  const pages = [[owned('p', 'set'), owned('q', 'other')], [owned('r', 'other', 'set')]];
  const asked: string[] = [];
  const list = (ref: ResourceRef, options: ListOptions): Promise<unknown> => {
    asked.push(`${ref.resource} of ${options.namespace}`);
    const page = Number(options.continue ?? '0');
    return Promise.resolve({ items: pages[page], metadata: page === 0 ? { continue: '1' } : {} });
  };
  // Only what it calls.
  const owners = new Owners({ list } as unknown as KubeClient, new OwnershipGraph());
  owners.serve([pods, nodes]);
  const set: Item = { served: pods, object: owned('set') };
  const found = await owners.dependentsOf(set, new AbortController().signal);
  assert.deepEqual(found.map(({ object }) => object.metadata.name), ['p', 'r']);
  assert.deepEqual(asked, ['pods of a', 'pods of a'], 'a node cannot be owned by what has a namespace');
});
