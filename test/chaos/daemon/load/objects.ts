/** Objects of the API: several at once are applied, changed and deleted; each answer line acknowledges one. */
import assert from 'node:assert/strict';
import type { Actor, Outcome, World } from '../world.ts';

/** Undefined: it is not there. */
type Value = string | undefined;

/** What each object may hold: one value where the last request for it was acknowledged, two where it was cut. */
const possible = new Map<string, Value[]>();
const each = 5;

function manifest(names: readonly string[], value: string): string {
  return names.map((name) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, labels: {chaos: objects}}\ndata: {a: "${value}", b: "${value}"}\n`).join('---\n');
}

/** `answered` tells of which names the client printed that it was done. */
function follow(names: readonly string[], value: Value, outcome: Outcome): void {
  for (const name of names) {
    const answered = !outcome.cut || outcome.stdout.includes(`${name} `) || outcome.stdout.includes(`"${name}"`);
    possible.set(name, answered ? [value] : [...(possible.get(name) ?? [undefined]), value]);
  }
}

async function change(world: World, names: readonly string[]): Promise<void> {
  const value = `v${world.next()}`;
  follow(names, value, await world.want('kubectl', ['apply', '-f', '-'], manifest(names, value)));
}

export const objects: Actor = {
  name: 'objects',

  async act(world, round) {
    while (!world.killed) {
      const names = Array.from({ length: each }, (_, i) => `cm-${round}-${world.random.int(3)}-${i}`);
      if (world.random.int(4) > 0) await change(world, names);
      else follow(names, undefined, await world.want('kubectl', ['delete', 'configmap', ...names, '--ignore-not-found']));
    }
  },

  async check(world) {
    const list = await world.kubectl('get', 'configmaps', '-l', 'chaos=objects', '-o', 'jsonpath={range .items[*]}{.metadata.name} {.data.a} {.data.b}{"\\n"}{end}');
    const found = new Map(list.split('\n').filter(Boolean).map((line) => [line.split(' ')[0] ?? '', line.split(' ').slice(1)] as const));
    for (const [name, values] of possible) {
      const [a, b] = found.get(name) ?? [];
      assert.equal(a, b, `${name} is half there`);
      assert.ok(values.includes(a), `${name} holds ${a}, and may hold ${values.join(' or ')}`);
    }
    for (const name of found.keys()) assert.ok(possible.has(name), `${name} came from nowhere`);
    await world.kubectl('delete', 'configmaps', '-l', 'chaos=objects');
    possible.clear();
  },
};
