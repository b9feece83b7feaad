/** A process that writes to a store on a disk that fails at times, and says in a line what came of each write, until its input ends. */
import { systemClock } from '#lib/clock.ts';
import { messageOf } from '#lib/errors.ts';
import { silentLogger } from '#lib/log.ts';
import { openEmbeddedStore } from '#core/store/embedded/store.ts';

const [, , directory = ''] = process.argv;
const store = await openEmbeddedStore({ directory, durability: 'disk', clock: systemClock, log: silentLogger });
let ended = false;
process.stdin.on('end', () => (ended = true)).resume();
let last = '';
for (let i = 0; !ended; i++) {
  const key = `k${String(i).padStart(6, '0')}`;
  const line = await store.put(key, Buffer.alloc(i % 3000, key)).then(
    (revision) => `${key} ${revision}`,
    (error: unknown) => `${key} refused: ${messageOf(error)}`,
  );
  if (!line.includes(' refused')) last = key;
  // what is there can be read, whatever the disk does
  if (last !== '' && (await store.get(last)) === undefined) throw new Error(`${last} cannot be read`);
  process.stdout.write(`${line}\n`);
}
await store.close();
