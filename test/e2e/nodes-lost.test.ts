/** A node loses its agent, then its network: whoever asks a Service gets an answer, and pods are replaced when their patience ends. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { until, whyNoDaemon } from '../support/daemon.ts';
import { TestNodes, web, type PlacedPod } from '../support/nodes.ts';

const skip = whyNoDaemon('docker', 'kubectl') ?? false;
/** Milliseconds that a client waits: SYNs that were lost are sent again after 1, 3 and 7 s. */
const patienceMs = 20_000;

/** Asks again and again, on a connection each time; who answered, and what failed that was begun after `since`. */
class Asker {
  readonly answers = new Map<string, number>();
  readonly failures: { began: number; what: string }[] = [];
  #stopped = false;
  readonly #running: Promise<void>[];

  constructor(url: string, atOnce = 4) {
    this.#running = Array.from({ length: atOnce }, () => this.#ask(url));
  }

  async #ask(url: string): Promise<void> {
    while (!this.#stopped) {
      const began = Date.now();
      try {
        const name = await once(url);
        this.answers.set(name, (this.answers.get(name) ?? 0) + 1);
      } catch (error) {
        this.failures.push({ began, what: String(error) });
      }
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }
}

function once(url: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { agent: false, timeout: patienceMs }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve(text.trim()));
      response.on('error', reject);
    });
    call.on('timeout', () => call.destroy(new Error(`no answer in ${patienceMs} ms`)));
    call.on('error', reject);
    call.end();
  });
}

describe('a node is lost', { skip }, () => {
  const daemon = new TestNodes(['--nodes', '2', '--default-unreachable-toleration-seconds', '4']);
  const kubectl = (...args: string[]): Promise<string> => daemon.ok('kubectl', ...args);
  const tolerate = (seconds: number): string => `tolerations: [{key: node.kubernetes.io/unreachable, operator: Exists, effect: NoExecute, tolerationSeconds: ${seconds}}]`;
  const askers: Asker[] = [];
  let pods: PlacedPod[] = [];
  /** The host's end of the second node's link. */
  let link = '';
  const ready = async (): Promise<string> => kubectl('get', 'node', 'gantry-1', '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status} {.status.conditions[?(@.type=="NetworkUnavailable")].status}');
  /** In the background: asks by the Service's name from a pod of the first node, and says what failed. */
  const fromPod = async (seconds: number): Promise<string> => {
    const asks = `end=$(( $(date +%s) + ${seconds} )); n=0; while [ $(date +%s) -lt $end ]; do wget -qO- http://web/ >/dev/null || echo failed at $(date +%s); n=$((n+1)); done; echo asked $n`;
    return kubectl('exec', pods.find(({ node }) => node === 'gantry-0')!.name, '--', 'sh', '-c', asks);
  };

  before(async () => {
    await daemon.up();
    await daemon.busybox();
    await daemon.apply(`${web('web', 4, tolerate(300))}---${web('brief', 2)}`);
    pods = await daemon.placed('web', { 'gantry-0': 2, 'gantry-1': 2 });
    await daemon.placed('brief', { 'gantry-0': 1, 'gantry-1': 1 });
    const { cluster, port } = await daemon.urls('web');
    const { port: brief } = await daemon.urls('brief');
    askers.push(...[`http://127.0.0.1:${port}/`, `http://${cluster}/`, `http://127.0.0.1:${brief}/`].map((url) => new Asker(url)));
    const peer = execFileSync('nsenter', [`--net=${daemon.root}/runtime/sandboxes/gantry-1/net`, 'ip', '-o', 'link', 'show', 'eth0'], { encoding: 'utf8' });
    const index = /eth0@if(\d+)/.exec(peer)?.[1] ?? '';
    link = execFileSync('ip', ['-o', 'link'], { encoding: 'utf8' }).split('\n').find((line) => line.startsWith(`${index}:`))?.split(/[ @:]+/)[1] ?? '';
    assert.match(link, /^gv/);
  });
  after(async () => {
    await Promise.all(askers.map((asker) => asker.stop()));
    await daemon.end();
  });

  test('its agent is killed: it is NotReady, what it serves it goes on serving, and the impatient are replaced', async () => {
    const { nodes } = await daemon.status();
    process.kill(nodes[1]?.pid ?? 0, 'SIGKILL');
    await until('the node to be NotReady', async () => (await ready()).startsWith('Unknown'), 60);
    assert.match(await kubectl('get', 'node', 'gantry-1', '-o', 'jsonpath={.spec.taints[*].key}'), /node\.kubernetes\.io\/unreachable/);
    await until('the impatient pod to be replaced on the other node', async () => (await daemon.pods('brief')).filter(({ node }) => node === 'gantry-0').length === 2, 60);
    assert.equal((await daemon.pods('web')).filter(({ node }) => node === 'gantry-1').length, 2, 'the others are still ready there');
    const before = askers.map(({ answers }) => pods.filter(({ node }) => node === 'gantry-1').map(({ name }) => answers.get(name) ?? 0));
    await sleep(500);
    const later = askers.map(({ answers }) => pods.filter(({ node }) => node === 'gantry-1').map(({ name }) => answers.get(name) ?? 0));
    for (const i of [0, 1]) assert.notDeepEqual(later[i], before[i], 'pods without an agent are asked');
    assert.deepEqual(askers.flatMap(({ failures }) => failures), []);
  });

  test('its network is cut: only what was under way there may fail, and all later requests are answered elsewhere', async () => {
    const inside = fromPod(8);
    await sleep(1000);
    execFileSync('ip', ['link', 'set', link, 'down']);
    const cut = Date.now();
    await until('the node to be known as cut off', async () => (await ready()) === 'Unknown True', 30);
    await until('its pods to leave the Service', async () => (await daemon.pods('web')).every(({ node }) => node === 'gantry-0'), 30);
    const lines = (await inside).split('\n');
    assert.match(lines.at(-1) ?? '', /^asked \d+$/);
    for (const line of lines.slice(0, -1)) assert.ok(Number(/^failed at (\d+)/.exec(line)?.[1]) * 1000 < cut + 8000 && lines.length <= 2, `in a pod: ${lines.join('; ')}`);
    await sleep(1000);
    const there = new Set(pods.filter(({ node }) => node === 'gantry-1').map(({ name }) => name));
    const counts = askers.map(({ answers }) => new Map(answers));
    await sleep(500);
    askers.forEach(({ answers, failures }, i) => {
      assert.deepEqual(failures.filter(({ began }) => began > cut), [], `asker ${i}`);
      for (const name of there) assert.equal(answers.get(name), counts[i]?.get(name), `${name} cannot have answered`);
      assert.notDeepEqual(answers, counts[i], 'requests are answered');
    });
  });

  test('it comes back: its network, then its agent; its pods are in the Service again', async () => {
    execFileSync('ip', ['link', 'set', link, 'up']);
    await daemon.up();
    await daemon.ready('gantry-1');
    await until('no taint to be left', async () => (await kubectl('get', 'node', 'gantry-1', '-o', 'jsonpath={.spec.taints}')) === '');
    const back = await daemon.placed('web', { 'gantry-0': 2, 'gantry-1': 2 });
    assert.deepEqual(back.map(({ name }) => name).sort(), pods.map(({ name }) => name).sort(), 'nobody was replaced');
    assert.match(await kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].status.containerStatuses[0].restartCount}'), /^0 0 0 0$/);
  });

  test('cut off for a while with its agent alive: it speaks again by itself', async () => {
    const { nodes } = await daemon.status();
    execFileSync('ip', ['link', 'set', link, 'down']);
    await until('the node to be known as cut off', async () => (await ready()) === 'Unknown True', 30);
    execFileSync('ip', ['link', 'set', link, 'up']);
    await daemon.ready('gantry-1');
    await daemon.placed('web', { 'gantry-0': 2, 'gantry-1': 2 }, 60);
    assert.equal((await daemon.status()).nodes[1]?.pid, nodes[1]?.pid);
  });
});
