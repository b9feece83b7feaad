/** Terminals: a shell that a client is attached to lives through all rounds, and a client of a new round finds it as it was. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../../support/daemon.ts';
import type { Actor, World } from '../world.ts';

const endMs = 10_000;

/** A client on a terminal of its own, and what it showed. */
class Terminal {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  readonly #isFurther: boolean;
  shown = '';

  constructor(world: World, command: string, isFurther = false) {
    this.#isFurther = isFurther;
    this.child = world.daemon.start('script', ['-qec', `stty rows 33 cols 99; exec ${command}`, '/dev/null']);
    this.ended = once(this.child, 'close');
    this.child.stdin?.on('error', () => {});
    this.child.stdout?.on('data', (chunk: Buffer) => (this.shown += chunk.toString()));
  }

  type(text: string): void {
    this.child.stdin?.write(text);
  }

  /** Types a sum until its result is shown; false where the daemon's end was quicker. */
  async answers(world: World): Promise<boolean> {
    const [a, b] = [1000 + world.next(), 5000];
    for (let tries = 0; tries < 300 && !world.killed; tries++) {
      if (tries % 20 === 0) this.type(`echo =$((${a}+${b}))\n`);
      if (this.shown.includes(`=${a + b}`)) return true;
      await sleep(50);
    }
    assert.ok(world.killed, `the terminal did not answer: ${this.shown.slice(-500)}`);
    return false;
  }

  /** With whom it speaks to; where that lives through the kill, it still answers. */
  async endsWithDaemon(world: World, node?: string): Promise<void> {
    while (!world.killed) await sleep(50);
    if (world.survives(node)) {
      this.type('echo =still-$((40+2))=\n');
      await until('a terminal to answer after a kill that is not its own', () => this.shown.includes('=still-42='), 10);
      // a further process outlives its client, as with Docker; the first one's client just vanishes
      if (this.#isFurther) this.type('exit\n');
      else this.child.kill('SIGKILL');
      await this.ended;
      return;
    }
    if ((await Promise.race([this.ended, sleep(endMs).then(() => 'late')])) === 'late') {
      this.child.kill('SIGKILL');
      assert.fail('a terminal’s client did not end with the daemon');
    }
  }
}

export const terminals: Actor = {
  name: 'terminals',

  async act(world) {
    const attached = new Terminal(world, 'docker attach shell');
    const inside = new Terminal(world, 'docker exec -it count sh', true);
    const inPod = new Terminal(world, 'kubectl exec -it count -- sh', true);
    const all = [[attached], [inside], [inPod, world.countNode]] as const;
    await Promise.all(
      all.map(async ([terminal, node]) => {
        while (!world.killed && (await terminal.answers(world))) await sleep(100);
        await terminal.endsWithDaemon(world, node);
      }),
    );
  },

  async check(world) {
    const attached = new Terminal(world, 'docker attach shell');
    attached.type('\necho kept-$kept-\n');
    await until('the shell to have what it had', () => attached.shown.includes('kept-17-'));
    attached.type('\u0010\u0011');
    await attached.ended;
  },
};
