import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import type { KubeObject } from '#api/kube/types.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { silentLogger } from '#lib/log.ts';
import { configMaps } from '#client/kube/resources.ts';
import { createInformer } from './informer.ts';
import { createInformers } from './informers.ts';
import { ListedObjects } from './testing.ts';
import type { Informer } from './types.ts';

async function start(t: TestContext, listed: ListedObjects): Promise<{ informer: Informer<KubeObject>; clock: VirtualClock; told: string[] }> {
  const clock = new VirtualClock();
  const stop = new AbortController();
  const informer = createInformer<KubeObject>({ client: listed.client(), ref: configMaps, clock, log: silentLogger, signal: stop.signal });
  t.after(async () => {
    stop.abort();
    await informer.done;
  });
  const told: string[] = [];
  informer.onChange((change) => told.push(`${change.type} ${change.object.metadata.name}`));
  await informer.synced;
  return { informer, clock, told };
}

test('an informer holds the list and each change, frozen', async (t) => {
  const listed = new ListedObjects();
  listed.set('a', { data: { x: '1' } });
  const { informer, clock, told } = await start(t, listed);
  await clock.advance(0);
  listed.set('b');
  listed.set('a', { data: { x: '2' } });
  listed.delete('b');
  await clock.advance(0);
  assert.deepEqual(told, ['ADDED a', 'ADDED b', 'MODIFIED a', 'DELETED b']);
  const a = informer.get('default/a');
  assert.deepEqual(a?.['data'], { x: '2' });
  assert.ok(Object.isFrozen(a?.['data']));
  const late: string[] = [];
  informer.onChange(({ type, object }) => late.push(`${type} ${object.metadata.name}`));
  assert.deepEqual(late, ['ADDED a']);
});

test('a watch that is too old is listed again: what went meanwhile is told, an object of the same name is another', async (t) => {
  const listed = new ListedObjects();
  for (const name of ['gone', 'same', 'anew']) listed.set(name);
  const { informer, clock, told } = await start(t, listed);
  await clock.advance(0);
  told.length = 0;
  listed.break('expired');
  listed.delete('gone');
  listed.delete('anew');
  listed.set('anew', {}, 'another');
  listed.set('more');
  await clock.advance(1000);
  assert.deepEqual(told, ['DELETED gone', 'DELETED anew', 'ADDED anew', 'ADDED more']);
  assert.equal(informer.list().length, 3);
  assert.equal(listed.lists, 2);
});

test('what a watch tells again, or late, makes nothing what it was before', async (t) => {
  const listed = new ListedObjects();
  const { informer, clock, told } = await start(t, listed);
  await clock.advance(0);
  listed.set('kept', { data: { x: '1' } });
  listed.set('kept', { data: { x: '2' } });
  listed.set('anew', {}, 'first');
  listed.delete('anew');
  listed.set('gone');
  listed.delete('gone');
  listed.set('anew', {}, 'second');
  await clock.advance(0);
  told.length = 0;
  listed.repeat();
  await clock.advance(0);
  assert.deepEqual(told, []);
  assert.deepEqual(new Set(informer.list().map(({ metadata }) => metadata.uid)), new Set(['kept', 'second']));
  assert.deepEqual(informer.get('default/kept')?.['data'], { x: '2' });
  listed.set('more');
  await clock.advance(0);
  assert.deepEqual(told, ['ADDED more']);
});

test('a watch whose connection broke goes on from where it was', async (t) => {
  const listed = new ListedObjects();
  listed.set('a');
  const { clock } = await start(t, listed);
  await clock.advance(0);
  listed.set('b');
  await clock.advance(0);
  listed.break('unavailable');
  await clock.advance(1000);
  assert.equal(listed.lists, 1);
  assert.deepEqual(listed.watchedFrom, ['1', '2']);
});

test('indexes follow their objects', async (t) => {
  const listed = new ListedObjects();
  listed.set('a', { data: { team: 'red' } });
  const { informer, clock } = await start(t, listed);
  informer.addIndex('team', (object) => [(object['data'] as { team: string }).team]);
  await clock.advance(0);
  listed.set('b', { data: { team: 'red' } });
  await clock.advance(0);
  const names = (team: string): (string | undefined)[] => informer.byIndex('team', team).map((object) => object.metadata.name);
  assert.deepEqual(names('red'), ['a', 'b']);
  listed.set('a', { data: { team: 'blue' } });
  listed.delete('b');
  await clock.advance(0);
  assert.deepEqual([names('red'), names('blue')], [[], ['a']]);
});

test('an informer of a resource is shared; one that is stopped before its first list says so', async () => {
  const stop = new AbortController();
  const client = { ...new ListedObjects().client(), list: () => new Promise<never>((_, reject) => stop.signal.addEventListener('abort', () => reject(new Error('stopped')))) };
  const informers = createInformers({ client, clock: new VirtualClock(), log: silentLogger, signal: stop.signal });
  const informer = informers.of(configMaps);
  assert.equal(informers.of({ ...configMaps }), informer);
  stop.abort();
  await assert.rejects(informer.synced, /stopped before its first list/);
});
