/** Containers in the foreground that end at once, as `docker run --rm` has it: output and exit code are its client's. */
import assert from 'node:assert/strict';
import { marking, type Actor, type World } from '../world.ts';

const lines = 50;

export const runs: Actor = {
  name: 'runs',

  async act(world, round) {
    while (!world.killed) {
      const name = `run-${round}-${world.next()}`;
      const code = world.random.int(100);
      const { code: ended, stdout, stderr, cut } = await world.ask('docker', ['run', '--rm', '--name', name, '-v', `${world.marks}:/marks`, 'bb', 'sh', '-c', marking(name, lines, `exit ${code}`)]);
      if (cut && ended !== code) return;
      assert.equal(ended, code, `${name}: ${stderr}`);
      assert.equal(stdout, Array.from({ length: lines }, (_, i) => `line ${i}\n`).join(''), name);
      assert.equal(world.starts(name), 1, `${name} was started once`);
    }
  },

  async check(world, round) {
    const left = async (): Promise<string[]> => (await world.docker('ps', '-a', '--filter', `name=run-${round}-`, '--format', '{{.Names}} {{.State}}')).split('\n').filter(Boolean);
    for (const line of await left()) {
      const [name = '', state] = line.split(' ');
      await endOfRun(world, name, state);
    }
    assert.deepEqual(await left(), []);
  },
};

/** What a client that was cut off left: never more than one start; one that was never started is the client's to remove. */
async function endOfRun(world: World, name: string, state: string | undefined): Promise<void> {
  assert.ok(world.starts(name) <= 1, `${name} was started ${world.starts(name)} times`);
  if (state !== 'created') await world.daemon.docker('wait', name);
  const { code, stderr } = await world.daemon.docker('rm', '-f', name);
  if (code !== 0) assert.match(stderr, /No such container|already in progress/);
}
