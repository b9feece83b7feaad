/** Three rounds of chaos, of another seed each day, with agents every other day; a failure names it. Longer: `npm run chaos -- --rounds 50 --seed N`. */
import { test } from 'node:test';
import { chaos } from '../chaos/daemon/rounds.ts';
import { whyNoDaemon } from '../support/daemon.ts';

const skip = whyNoDaemon('docker', 'kubectl', 'script') ?? false;

test('the daemon, or an agent, is killed amid builds, starts, ends, changes and followers: all runs on, nothing is lost, doubled or left', { skip }, async (t) => {
  const seed = Math.floor(Date.now() / 86_400_000);
  await chaos({ rounds: 3, nodes: 1 + (seed % 2), soak: false, seed, say: (text) => t.diagnostic(text) });
});
