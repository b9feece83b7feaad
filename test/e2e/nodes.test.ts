/** Two nodes, each an agent of its own: pods and Services know no border between them, and nodes come and go while work runs. */
import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { gantry, until, whyNoDaemon } from '../support/daemon.ts';
import { TestNodes, web, type PlacedPod } from '../support/nodes.ts';

const skip = whyNoDaemon('docker', 'kubectl') ?? false;
const page = (url: string): Promise<string> => fetch(url, { signal: AbortSignal.timeout(5000), headers: { connection: 'close' } }).then(async (r) => (await r.text()).trim());

describe('two nodes', { skip }, () => {
  const daemon = new TestNodes(['--nodes', '2']);
  const kubectl = (...args: string[]): Promise<string> => daemon.ok('kubectl', ...args);
  let pods: PlacedPod[] = [];
  const on = (node: string): PlacedPod => pods.find((pod) => pod.node === node)!;
  before(async () => {
    await daemon.up();
    await daemon.busybox();
    await daemon.apply(web('web', 4));
  });
  after(() => daemon.end());

  test('each is Ready: a process, an address, a network namespace and a certificate of its own', async () => {
    const { nodes, daemon: own } = await daemon.status();
    assert.deepEqual(nodes.map(({ name, ready }) => `${name} ${ready}`), ['gantry-0 true', 'gantry-1 true']);
    const pids = nodes.map(({ pid }) => pid ?? 0);
    assert.equal(new Set([...pids, own.pid]).size, 3);
    assert.equal(new Set([...pids, own.pid].map((pid) => readlinkSync(`/proc/${pid}/ns/net`))).size, 3);
    const wide = await kubectl('get', 'nodes', '-o', 'jsonpath={range .items[*]}{.metadata.name} {.metadata.labels.kubernetes\\.io/hostname} {.status.addresses[?(@.type=="InternalIP")].address} {.spec.podCIDR}{"\\n"}{end}');
    const base = nodes[0]!.address.split('.').slice(0, 2).join('.');
    assert.equal(wide, `gantry-0 gantry-0 ${base}.0.2 ${base}.1.0/24\ngantry-1 gantry-1 ${base}.0.3 ${base}.2.0/24`);
    for (const { name, pid } of nodes) {
      assert.equal((await daemon.run('stat', ['-c', '%a', join(daemon.root, 'nodes', name, 'join.json')])).stdout.trim(), '600');
      assert.doesNotMatch(readFileSync(`/proc/${pid}/cmdline`, 'utf8'), /PRIVATE|BEGIN/);
    }
  });

  test('what docker build made runs on both, and so does its next build: no registry is asked', async () => {
    const build = async (text: string): Promise<void> => {
      const context = join(daemon.root, 'app');
      mkdirSync(context, { recursive: true });
      copyFileSync('/bin/busybox', join(context, 'busybox'));
      writeFileSync(join(context, 'Dockerfile'), `FROM scratch\nCOPY busybox /bin/busybox\nCMD ["/bin/busybox", "echo", "${text}"]\n`);
      await daemon.ok('docker', 'build', '-q', '-t', 'app:1', context);
    };
    const run = async (pod: string, nodeName: string, imagePullPolicy: string): Promise<string> => {
      const overrides = JSON.stringify({ spec: { nodeName } });
      await daemon.ok('kubectl', 'run', pod, '--image=app:1', `--image-pull-policy=${imagePullPolicy}`, '--restart=Never', `--overrides=${overrides}`);
      await daemon.ok('kubectl', 'wait', `pod/${pod}`, '--for=jsonpath={.status.phase}=Succeeded', '--timeout=60s');
      return daemon.ok('kubectl', 'logs', pod);
    };
    await build('first');
    assert.equal(await run('first-0', 'gantry-0', 'IfNotPresent'), 'first');
    assert.equal(await run('first-1', 'gantry-1', 'Never'), 'first');
    await build('second');
    assert.equal(await run('second-0', 'gantry-0', 'IfNotPresent'), 'second');
    await daemon.ok('docker', 'rmi', '-f', 'app:1');
    assert.equal(await run('second-1', 'gantry-1', 'Always'), 'second', 'from the other node: the engine has it no more');
    const reasons = await daemon.ok('kubectl', 'get', 'events', '--field-selector=involvedObject.name=second-1', '-o', 'jsonpath={.items[*].reason}');
    assert.match(reasons, /Pulling.*Pulled/);
  });

  test('copies spread over both, and the image that the engine built reaches both', async () => {
    pods = await daemon.placed('web', { 'gantry-0': 2, 'gantry-1': 2 });
  });

  test('pods reach pods of the other node, which see their own addresses', async () => {
    const [from, to] = [on('gantry-0'), on('gantry-1')];
    assert.equal(await kubectl('exec', from.name, '--', 'wget', '-qO-', `http://${to.ip}:8080/`), to.name);
    const listen = daemon.start('kubectl', ['exec', to.name, '--', 'sh', '-c', 'exec httpd -f -vv -p 9000 2>&1']);
    let heard = '';
    listen.stdout?.on('data', (chunk: Buffer) => (heard += chunk.toString()));
    await until('the caller to be seen', async () => {
      await daemon.kubectl('exec', from.name, '--', 'wget', '-qO-', `http://${to.ip}:9000/`);
      return heard.includes(from.ip);
    }, 15);
  });

  test('Services answer from pods, nodes and the host by name, address and node port, from copies on both', async () => {
    const { cluster, port } = await daemon.urls('web');
    const { nodes } = await daemon.status();
    const addresses = nodes.map(({ address }) => address);
    const gateway = addresses[0]!.replace(/\d+$/, '1');
    const inside = ['web', 'web.default.svc.cluster.local', cluster, ...[...addresses, gateway].map((a) => `${a}:${port}`)];
    for (const node of ['gantry-0', 'gantry-1']) {
      const calls = inside.map((host) => `echo "${host} $(for i in 1 2 3 4 5 6 7 8; do wget -qO- http://${host}/ || echo failed; done | tr '\\n' ' ')"`);
      for (const line of (await kubectl('exec', on(node).name, '--', 'sh', '-c', calls.join('; '))).split('\n')) {
        const [host, ...answers] = line.trim().split(' ');
        assert.equal(answers.length, 8, line);
        assert.ok(answers.every((name) => pods.some((pod) => pod.name === name)), `from ${node} to ${host}: ${answers.join(' ')}`);
      }
    }
    for (const url of [cluster, `127.0.0.1:${port}`, ...addresses.map((a) => `${a}:${port}`)].map((host) => `http://${host}/`)) {
      const seen = new Set<string | undefined>();
      for (let i = 0; i < 40 && seen.size < 2; i++) {
        const answer = await page(url);
        seen.add(pods.find(({ name }) => name === answer)?.node);
      }
      assert.ok(!seen.has(undefined), url);
      assert.equal(seen.size, 2, url);
    }
  });

  test('logs, exec and port-forward of a pod on the second node', async () => {
    const { name } = on('gantry-1');
    assert.equal(await kubectl('logs', name), 'serving');
    assert.equal(await kubectl('exec', name, '--', 'hostname'), name);
    const forward = daemon.start('kubectl', ['port-forward', name, ':8080']);
    let port: string | undefined;
    forward.stdout?.on('data', (chunk: Buffer) => (port ??= /127\.0\.0\.1:(\d+)/.exec(chunk.toString())?.[1]));
    await until('the port to be forwarded', () => port !== undefined);
    assert.equal(await page(`http://127.0.0.1:${port}/`), name);
    forward.kill();
  });

  test('the daemon is killed: agents and pods are found again, and nothing is started anew', async () => {
    const state = async (): Promise<unknown> => [
      (await daemon.status()).nodes.map(({ pid }) => pid),
      await kubectl('get', 'pods', '-o', 'jsonpath={range .items[*]}{.metadata.uid} {.status.podIP} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}{"\\n"}{end}'),
    ];
    const earlier = await state();
    const { port } = await daemon.urls('web');
    await daemon.kill();
    assert.match(await page(`http://127.0.0.1:${port}/`), /^web-/, 'without a daemon');
    await daemon.up();
    await daemon.ready('gantry-0', 'gantry-1');
    assert.deepEqual(await state(), earlier);
    assert.equal(await kubectl('exec', on('gantry-1').name, '--', 'hostname'), on('gantry-1').name);
  });

  test('a node is drained and taken back; deleted, it is back when its agent starts', async () => {
    await kubectl('drain', 'gantry-1', '--ignore-daemonsets', '--timeout=60s');
    assert.match(await kubectl('get', 'node', 'gantry-1', '--no-headers'), /Ready,SchedulingDisabled/);
    await daemon.placed('web', { 'gantry-0': 4, 'gantry-1': 0 });
    await kubectl('uncordon', 'gantry-1');
    await kubectl('delete', 'node', 'gantry-1');
    await sleep(2500);
    assert.notEqual((await daemon.kubectl('get', 'node', 'gantry-1')).code, 0, 'what is deleted stays so');
    await daemon.node('start', 'gantry-1');
    await daemon.ready('gantry-0', 'gantry-1');
  });

  test('a node is added while work runs, and takes some; removed, it takes all of it away', async () => {
    assert.match(await daemon.node('add', 'edge'), /node edge is there/);
    await kubectl('cordon', 'gantry-0');
    await kubectl('scale', 'deployment', 'web', '--replicas=6');
    pods = await daemon.placed('web', { 'gantry-0': 4, 'gantry-1': 1, edge: 1 });
    assert.match(await daemon.node('ls'), /^edge +Ready +\S+ +\d+$/m);
    const pid = (await daemon.status()).nodes.find(({ name }) => name === 'edge')?.pid;
    await daemon.node('rm', 'edge');
    await daemon.placed('web', { 'gantry-0': 4, 'gantry-1': 2 });
    assert.equal(existsSync(`/proc/${pid}`), false);
    assert.equal(existsSync(join(daemon.root, 'nodes', 'edge')), false);
    assert.deepEqual(daemon.leftovers().filter((line) => line.includes('edge')), []);
    assert.notEqual((await daemon.kubectl('get', 'node', 'edge')).code, 0);
    await kubectl('uncordon', 'gantry-0');
  });

  test('a node without its agent goes on serving; up, or start, brings the agent back', async () => {
    const { port } = await daemon.urls('web');
    await daemon.node('stop', 'gantry-1');
    assert.equal((await daemon.status()).nodes[1]?.pid, null);
    for (let i = 0; i < 20; i++) assert.match(await page(`http://127.0.0.1:${port}/`), /^web-/);
    await daemon.node('start', 'gantry-1');
    const pid = (await daemon.status()).nodes[1]?.pid ?? 0;
    process.kill(pid, 'SIGKILL');
    await until('the agent to be gone', async () => (await daemon.status()).nodes[1]?.pid === null);
    await daemon.up();
    await daemon.ready('gantry-0', 'gantry-1');
  });

  test('what cannot be done is refused by name', async () => {
    const refused = async (...words: string[]): Promise<string> => {
      const { code, stderr } = await daemon.run(process.execPath, [gantry, 'node', ...words, '--root', daemon.root]);
      assert.notEqual(code, 0);
      return stderr;
    };
    assert.match(await refused('rm', 'nobody'), /there is no node nobody here/);
    assert.match(await refused('add', 'gantry-1'), /there is a node gantry-1 already/);
    assert.match(await refused('add', 'Up!'), /invalid node name "Up!"/);
    assert.match(await refused('stop'), /name the node/);
    assert.match((await daemon.docker('network', 'rm', 'gantry-nodes')).stderr, /is the cluster's/);
    await daemon.node('rm', 'gantry-1');
    assert.match(await refused('rm', 'gantry-0'), /gantry-0 is the only one/);
  });

  test('one node again, then three: nobody of before goes on', async () => {
    const count = 6;
    await daemon.placed('web', { 'gantry-0': count });
    assert.match((await daemon.run(process.execPath, [gantry, 'up', '--nodes', '1', '--root', daemon.root])).stderr, /gantry down, then/);
    await daemon.kill();
    await daemon.up('--nodes', '1');
    const [own] = (await daemon.status()).nodes;
    assert.equal(own?.pid, (await daemon.status()).daemon.pid);
    await daemon.placed('web', { 'gantry-0': count });
    await daemon.ok('docker', 'network', 'prune', '-f');
    await daemon.ok('docker', 'network', 'inspect', 'gantry-pods');
    assert.match(await kubectl('get', 'pod', 'second-0', '--no-headers'), /0\/1 +Completed +0 /, 'what had ended stays as it was');
    assert.equal(await kubectl('get', 'nodes', '--no-headers', '-o', 'custom-columns=:metadata.name'), 'gantry-0');
    await daemon.kill();
    await daemon.up('--nodes', '3');
    await daemon.placed('web', { 'gantry-0': count, 'gantry-1': 0, 'gantry-2': 0 });
    const mine = [daemon.root, 'runtime'].join('/');
    assert.deepEqual(daemon.processes().filter((line) => line.includes('conmon') && line.includes(`${mine}/`)), [], 'the pods of the daemon’s own node');
    await kubectl('scale', 'deployment', 'web', `--replicas=${count + 3}`);
    await until('the new nodes to have some', async () => (await daemon.pods('web')).filter(({ node }) => node !== 'gantry-0').length === 3);
    await daemon.up('--nodes', '2');
    await daemon.placed('web', { 'gantry-0': count, 'gantry-1': 3 });
    assert.deepEqual((await daemon.status()).nodes.map(({ name }) => name), ['gantry-0', 'gantry-1']);
  });
});
