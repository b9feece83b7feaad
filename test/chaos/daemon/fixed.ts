/** What runs through all rounds: it must run on, be reached as before, and lose none of its output. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { until } from '../../support/daemon.ts';
import { freePort } from '../../support/registry.ts';
import { whole, type World } from './world.ts';

/** Tells this run's processes from all others of the machine. */
const mark = `chaos-${process.pid}`;
const counter = `: ${mark}; i=0; while true; do echo line $i; i=$((i+1)); sleep 0.05; done`;
const page = `mkdir -p /${mark}; hostname > /${mark}/index.html; exec httpd -f -p 8080 -h /${mark}`;
const web = `apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: main, image: bb, command: [sh, -c, '${page}'], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`;

type Client = (...args: string[]) => Promise<string>;

export class Fixed {
  readonly #world: World;
  #urls: string[] = [];
  #running = '';
  #lines = { docker: 0, pod: 0 };

  constructor(world: World) {
    this.#world = world;
  }

  #clients(): [Client, Client] {
    const { daemon } = this.#world;
    return [(...args) => daemon.ok('docker', ...args), (...args) => daemon.ok('kubectl', ...args)];
  }

  async make(): Promise<void> {
    const [docker, kubectl] = this.#clients();
    const port = await freePort();
    await docker('run', '-d', '--name', 'count', 'bb', 'sh', '-c', counter);
    await docker('run', '-d', '--name', 'page', '-p', `${port}:8080`, 'bb', 'sh', '-c', page);
    await docker('run', '-dit', '--name', 'shell', 'bb', 'sh', '-c', 'kept=17; export kept; exec sh');
    await kubectl('run', 'count', '--image=bb', '--', 'sh', '-c', counter);
    await this.#world.want('kubectl', ['apply', '-f', '-'], web);
    await kubectl('rollout', 'status', 'deploy/web', '--timeout=60s');
    await kubectl('wait', '--for=condition=Ready', 'pod/count', '--timeout=60s');
    this.#world.countNode = await kubectl('get', 'pod', 'count', '-o', 'jsonpath={.spec.nodeName}');
    const service = await kubectl('get', 'svc', 'web', '-o', 'jsonpath={.spec.clusterIP}/ http://127.0.0.1:{.spec.ports[0].nodePort}/');
    this.#urls = [`http://127.0.0.1:${port}/`, ...`http://${service}`.split(' ')];
    for (const url of this.#urls) await until(url, () => answers(url));
    this.#running = await this.#look();
  }

  /** Ids, processes and starts of all that must run on. */
  async #look(): Promise<string> {
    const containers = await this.#world.docker('inspect', '-f', '{{.Name}} {{.Id}} {{.State.Pid}} {{.State.StartedAt}} {{.State.Status}}', 'count', 'page', 'shell');
    const pods = await this.#world.kubectl('get', 'pods', 'count', '-o', `jsonpath=${podFacts}`);
    const copies = await this.#world.kubectl('get', 'pods', '-l', 'app=web', '--sort-by=.metadata.name', '-o', `jsonpath={range .items[*]}${podFacts}{end}`);
    return [containers, pods, copies, ...processesInContainers()].join('\n');
  }

  async check(): Promise<void> {
    const [docker, kubectl] = this.#clients();
    assert.equal(await this.#look(), this.#running, 'what ran runs on, and nothing was started anew');
    for (const url of this.#urls) await until(`${url} to answer`, () => answers(url), 10);
    assert.match(await kubectl('exec', 'count', '--', 'wget', '-qO-', 'http://web.default.svc.cluster.local/'), /^web-/, 'the Service by its name');
    const lines = { docker: whole(await docker('logs', 'count'), 'docker logs'), pod: whole(await kubectl('logs', 'count'), 'kubectl logs') };
    assert.ok(lines.docker > this.#lines.docker && lines.pod > this.#lines.pod, 'the output goes on');
    this.#lines = lines;
    await kubectl('wait', '--for=condition=Ready', 'node', '--all', '--timeout=20s');
    assert.equal(await this.#look(), this.#running, 'after a while, still');
  }

  async remove(): Promise<void> {
    await this.#world.docker('rm', '-f', 'count', 'page', 'shell');
    await this.#world.kubectl('delete', 'deploy/web', 'svc/web', 'pod/count', '--now', '--timeout=40s');
    await until('the pods to go', async () => (await this.#world.kubectl('get', 'pods', '-o', 'name')) === '');
  }
}

const podFacts = '{.metadata.name} {.metadata.uid} {.status.podIP} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].state.running.startedAt}{"\\n"}';

async function answers(url: string): Promise<boolean> {
  const text = await fetch(url, { signal: AbortSignal.timeout(5000), headers: { connection: 'close' } }).then((r) => r.text(), () => '');
  return text !== '';
}

/** The marked first processes of containers: how often each runs, whoever thinks so. */
function processesInContainers(): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mark) && /^NSpid:.*\t1$/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
      return false;
    }
  });
}
