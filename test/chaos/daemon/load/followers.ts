/** Clients that follow the output of what runs through all rounds: what they print has no gap; they end with whom they hear, and with nobody else. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { whole, type Actor } from '../world.ts';

/** Milliseconds in which one that nothing has happened to must not have ended. */
const aliveMs = 1000;
/** Milliseconds after the daemon's end in which a follower must have ended. */
const endMs = 10_000;
const commands = [
  ['docker', 'logs', '-f', 'count'],
  ['kubectl', 'logs', '-f', 'count'],
] as const;
const told: string[] = [];

async function endAlive(child: ChildProcess, ended: Promise<unknown>, what: string): Promise<void> {
  await Promise.race([ended, sleep(aliveMs)]);
  assert.equal(child.exitCode, null, `${what} ended, and whom it hears did not`);
  child.kill('SIGKILL');
  await ended;
}

export const followers: Actor = {
  name: 'followers',

  async act(world) {
    const follow = async ([program, ...args]: readonly [string, ...string[]], i: number): Promise<void> => {
      const child = world.daemon.start(program, args);
      told[i] = '';
      child.stdout?.on('data', (chunk: Buffer) => (told[i] += chunk.toString()));
      const ended = once(child, 'close');
      while (!world.killed) await Promise.race([ended, sleep(50)]);
      if (world.survives(program === 'kubectl' ? world.countNode : undefined)) return endAlive(child, ended, `${program} ${args.join(' ')}`);
      const late = sleep(endMs).then(() => 'late' as const);
      if ((await Promise.race([ended, late])) === 'late') {
        child.kill('SIGKILL');
        assert.fail(`${program} ${args.join(' ')} did not end with the daemon`);
      }
    };
    await Promise.all(commands.map(follow));
  },

  async check() {
    told.forEach((text, i) => {
      // the last line may be cut
      whole(text.slice(0, text.lastIndexOf('\n') + 1), (commands[i] ?? []).join(' '));
    });
  },
};
