/** The API server over a store in memory, with all controllers, by its in-process client. */
import type { TestContext } from 'node:test';
import type { Clock } from '#lib/clock.ts';
import { systemClock } from '#lib/clock.ts';
import { silentLogger } from '#lib/log.ts';
import type { Logger } from '#lib/log.ts';
import { systemRandom } from '#lib/random.ts';
import type { KubeClient } from '#client/kube/types.ts';
import type { TestServer } from '#cluster/apiserver/testing.ts';
import { startTestServer } from '#cluster/apiserver/testing.ts';
import { startControllers } from '#cluster/controllers/index.ts';

export interface TestCluster {
  server: TestServer;
  client: KubeClient;
}

export interface TestClusterOptions {
  clock?: Clock;
  log?: Logger;
  /** What the controllers have for a client, made from the real one. */
  through?: (client: KubeClient) => KubeClient;
}

export async function startCluster(t: TestContext, { clock = systemClock, log = silentLogger, through = (client) => client }: TestClusterOptions = {}): Promise<TestCluster> {
  const server = await startTestServer(t, { clock });
  const client = server.api.localClient({ name: 'system:kube-controller-manager', groups: ['system:masters'] });
  const stop = new AbortController();
  const running = startControllers({ client: through(client), clock, log, random: systemRandom, signal: stop.signal, rootCa: server.api.authority.certificate });
  t.after(async () => {
    stop.abort();
    await running;
  });
  return { server, client };
}
