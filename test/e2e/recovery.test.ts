/** The daemon killed while containers and pods run: they run on, and all of them is found again. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestDaemon, until, whyNoDaemon } from '../support/daemon.ts';
import { freePort } from '../support/registry.ts';

const skip = whyNoDaemon('docker', 'kubectl') ?? false;
const counter = 'i=0; while true; do echo line $i; i=$((i+1)); sleep 0.05; done';
const page = (url: string): Promise<string> => fetch(url, { signal: AbortSignal.timeout(5000), headers: { connection: 'close' } }).then(async (r) => (await r.text()).trim());

/** That the counter's lines are all there, once each, in order; how many. */
function whole(text: string): number {
  const lines = text.trim().split('\n');
  lines.forEach((line, i) => assert.equal(line, `line ${i}`));
  return lines.length;
}

const web = (name: string): string => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: bb, command: [sh, -c, 'mkdir /w; hostname > /w/index.html; exec httpd -f -p 8080 -h /w'], readinessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}
`;

async function apply(daemon: TestDaemon, text: string): Promise<void> {
  const { code, stderr } = await daemon.run('kubectl', ['apply', '-f', '-'], text);
  assert.equal(code, 0, stderr);
}

describe('the daemon is killed and comes back', { skip }, () => {
  const daemon = new TestDaemon();
  const docker = (...args: string[]): Promise<string> => daemon.ok('docker', ...args);
  const kubectl = (...args: string[]): Promise<string> => daemon.ok('kubectl', ...args);
  const field = (object: string, path: string): Promise<string> => kubectl('get', object, '-o', `jsonpath={${path}}`);
  let port = 0;
  let urls: string[] = [];
  let earlier = { containers: '', pods: '' };

  /** What tells one run from another: ids and processes of containers, ids and restarts of pods. */
  async function running(): Promise<typeof earlier> {
    const containers = await docker('inspect', '-f', '{{.Id}} {{.State.Pid}} {{.State.StartedAt}} {{.RestartCount}}', 'count', 'page');
    const pods = await kubectl('get', 'pods', 'web-a', 'web-b', 'count', '-o', 'jsonpath={range .items[*]}{.metadata.uid} {.status.podIP} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount} {.status.containerStatuses[0].state.running.startedAt}{"\\n"}{end}');
    return { containers, pods };
  }

  before(async () => {
    await daemon.up();
    await daemon.busybox();
    port = await freePort();
    await docker('run', '-d', '--name', 'count', 'bb', 'sh', '-c', counter);
    await docker('run', '-d', '--name', 'page', '-p', `${port}:80`, 'bb', 'sh', '-c', 'mkdir /w; echo published > /w/index.html; exec httpd -f -h /w');
    await docker('run', '-d', '--name', 'ends', 'bb', 'sh', '-c', 'echo before; while [ ! -e /go ]; do sleep 0.1; done; echo after; exit 7');
    await docker('run', '-d', '--name', 'removed', '--rm', 'bb', 'sleep', '2');
    await docker('run', '-d', '--name', 'again', '--restart=on-failure:1', 'bb', 'sh', '-c', 'echo run; sleep 2; exit 3');
    await kubectl('run', 'count', '--image=bb', '--', 'sh', '-c', counter);
    await kubectl('run', 'ends', '--image=bb', '--restart=Never', '--', 'sh', '-c', 'echo before; while [ ! -e /go ]; do sleep 0.1; done; echo after; exit 5');
    await apply(daemon, web('web-a') + web('web-b').split('---')[0]!.replace(/^/, '---'));
    await kubectl('wait', '--for=condition=Ready', 'pod/web-a', 'pod/web-b', 'pod/count', 'pod/ends', '--timeout=40s');
    urls = [`http://127.0.0.1:${port}/`, `http://${await field('svc/web', '.spec.clusterIP')}/`, `http://127.0.0.1:${await field('svc/web', '.spec.ports[0].nodePort')}/`];
    for (const url of urls) await until(url, async () => (await page(url).catch(() => '')) !== '');
    earlier = await running();
    const ends = await docker('inspect', '-f', '{{.State.Pid}}', 'ends');
    const pod = daemon.start('kubectl', ['exec', 'ends', '--', 'sh', '-c', 'sleep 1.5; touch /go']);
    await sleep(700);
    await daemon.kill();
    // while nobody looks: what was published is reached, and two of them end
    const { stderr } = await daemon.run('touch', [`/proc/${ends}/root/go`]);
    assert.equal(stderr, '');
    for (const url of urls) assert.match(await page(url), /^(published|web-[ab])$/, `${url} without a daemon`);
    await sleep(2500);
    pod.kill();
    await daemon.up();
  });
  after(() => daemon.end());

  test('nothing has been started anew', async () => {
    assert.deepEqual(await running(), earlier);
    assert.match(await kubectl('get', 'pod', 'count', '--no-headers'), /1\/1 +Running +0 /);
    await kubectl('wait', '--for=condition=Ready', 'node/gantry-0', 'pod/web-a', 'pod/web-b', 'pod/count', '--timeout=20s');
    assert.deepEqual(await running(), earlier);
  });

  test('the output has no gap and nothing twice, and goes on', async () => {
    const [ofDocker, ofPod] = [whole(await docker('logs', 'count')), whole(await kubectl('logs', 'count'))];
    assert.ok(ofDocker > 40 && ofPod > 40, `${ofDocker} ${ofPod}`);
    await until('more output', async () => whole(await docker('logs', 'count')) > ofDocker && whole(await kubectl('logs', 'count')) > ofPod);
    const follow = daemon.start('kubectl', ['logs', '-f', 'count', '--tail=1']);
    let seen = '';
    follow.stdout?.on('data', (chunk: Buffer) => (seen += chunk.toString()));
    await until('the following to go on', () => seen.split('\n').length > 3);
    follow.kill();
  });

  test('those that ended meanwhile have their exit codes and their last words', async () => {
    assert.equal(await docker('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'ends'), 'exited 7');
    assert.equal(await docker('logs', 'ends'), 'before\nafter');
    assert.equal(await docker('wait', 'ends'), '7');
    await until('the pod’s end', async () => (await field('pod/ends', '.status.phase')) === 'Failed');
    assert.equal(await field('pod/ends', '.status.containerStatuses[0].state.terminated.exitCode'), '5');
    assert.equal(await kubectl('logs', 'ends'), 'before\nafter');
    await until('the one with --rm to be removed', async () => (await daemon.docker('inspect', 'removed')).code !== 0);
    await until('the restart policy to be done', async () => (await docker('inspect', '-f', '{{.State.Status}} {{.RestartCount}}', 'again')) === 'exited 1', 20);
    assert.equal(await docker('logs', 'again'), 'run\nrun');
  });

  test('ports, Services and names answer again', async () => {
    for (const url of urls) assert.match(await page(url), /^(published|web-[ab])$/, url);
    assert.match(await kubectl('exec', 'count', '--', 'wget', '-qO-', 'http://web.default.svc.cluster.local/'), /^web-[ab]$/);
    await apply(daemon, web('web-c').split('---')[0]!);
    await kubectl('wait', '--for=condition=Ready', 'pod/web-c', '--timeout=30s');
    await until('the new pod to get its share', async () => (await page(urls[1]!)) === 'web-c', 20);
  });

  test('exec, port-forward, stop and delete work on what ran before', async () => {
    assert.equal(await docker('exec', 'count', 'echo', 'in docker'), 'in docker');
    assert.equal(await kubectl('exec', 'count', '--', 'echo', 'in pod'), 'in pod');
    const local = await freePort();
    const forward = daemon.start('kubectl', ['port-forward', 'pod/web-a', `${local}:8080`]);
    await until('the forwarded port', async () => (await page(`http://127.0.0.1:${local}/`).catch(() => '')) === 'web-a', 15);
    forward.kill();
    await docker('stop', '-t', '0', 'page');
    assert.equal(await docker('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'page'), 'exited 137');
    await assert.rejects(page(urls[0]!));
    await docker('rm', '-f', 'count', 'page');
    await kubectl('delete', 'pod', 'count', 'web-a', 'web-b', '--now');
  });

  /** Containers that leave a file when they hear their stop signal, one of them two seconds later; gives who did. */
  async function talkative(): Promise<() => Promise<string>> {
    const script = (name: string): string => `trap "echo > /w/${name}; exit" QUIT; trap "sleep 2; echo > /w/${name}; exit" USR1; echo up; while :; do sleep 0.1; done`;
    const stops = { quits: ['QUIT', '10'], slow: ['USR1', '60'], paused: ['SIGQUIT', '10'], deaf: ['HUP', '1'], hasty: ['USR1', '0'] };
    for (const [name, [signal = '', seconds = '']] of Object.entries(stops)) {
      await docker('run', '-d', '--name', name, '-v', 'last-words:/w', '--stop-signal', signal, '--stop-timeout', seconds, 'bb', 'sh', '-c', script(name));
      await until('the traps', async () => (await docker('logs', name)) === 'up');
    }
    await docker('pause', 'paused');
    return async () => {
      await docker('rm', ...Object.keys(stops));
      return docker('run', '--rm', '-v', 'last-words:/w', 'bb', 'sh', '-c', 'cd /w; echo *');
    };
  }

  test('down and up: containers with a policy and pods start again, with what they need', async () => {
    await docker('run', '-d', '--name', 'always', '--restart=always', '-p', `${port}:80`, 'bb', 'sh', '-c', 'mkdir -p /w; echo published > /w/index.html; exec httpd -f -h /w');
    const lastWords = await talkative();
    const { code, stderr } = await daemon.run('node', ['src/main.ts', 'down', '--root', daemon.root]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /the longest stop timeout is 60 s/);
    await daemon.up();
    assert.equal(await lastWords(), 'paused quits slow', 'each was ended by its own signal, within its own time');
    await until('the published port', async () => (await page(urls[0]!).catch(() => '')) === 'published');
    await kubectl('wait', '--for=jsonpath={.status.containerStatuses[0].restartCount}=1', 'pod/web-c', '--timeout=30s');
    await kubectl('wait', '--for=condition=Ready', 'pod/web-c', '--timeout=30s');
    await until('the Service', async () => (await page(urls[1]!).catch(() => '')) === 'web-c');
  });

  test('killed amid starts: each of them is there once in the end, and none is left half made', async () => {
    await kubectl('create', 'deployment', 'amid', '--image=bb', '--replicas=4', '--', 'sh', '-c', 'trap "exit 0" TERM; echo up; while true; do sleep 0.2; done');
    const cut = daemon.docker('run', '-d', '--name', 'cut', 'bb', 'sleep', '1000');
    await sleep(300);
    await daemon.kill();
    await cut;
    await daemon.up();
    await kubectl('rollout', 'status', 'deploy/amid', '--timeout=40s');
    const pods = (await kubectl('get', 'pods', '-l', 'app=amid', '-o', 'jsonpath={range .items[*]}{.metadata.name} {.status.podIP}{"\\n"}{end}')).split('\n');
    assert.equal(new Set(pods.map((line) => line.split(' ')[1])).size, 4, 'an address each');
    const said = (): Promise<string[]> => Promise.all(pods.map((line) => kubectl('logs', line.split(' ')[0]!)));
    await until('each to say its word once', async () => (await said()).join() === 'up,up,up,up', 10);
    await daemon.docker('rm', '-f', 'cut');
    assert.equal(await docker('ps', '-aq', '--filter', 'name=cut'), '');
    await kubectl('delete', 'deploy', 'amid', '--cascade=foreground', '--timeout=30s');
  });
});

describe('two daemons with different roots', { skip }, () => {
  const both = [new TestDaemon(), new TestDaemon()] as const;
  const [one, other] = both;

  before(async () => {
    for (const daemon of both) {
      await daemon.up();
      await daemon.busybox();
    }
  });
  after(() => other.end());

  test('the same names mean each one’s own, and the end of one leaves the other alone', async () => {
    for (const [i, daemon] of both.entries()) {
      await daemon.ok('docker', 'run', '-d', '--name', 'same', '--network', 'bridge', 'bb', 'sh', '-c', `mkdir /w; echo ${i} > /w/index.html; exec httpd -f -h /w`);
      await apply(daemon, web('web-a').replace('hostname >', `echo ${i} >`));
      await daemon.ok('kubectl', 'wait', '--for=condition=Ready', 'pod/web-a', '--timeout=30s');
    }
    const seen = async (daemon: TestDaemon): Promise<string[]> => {
      const container = await daemon.ok('docker', 'inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'same');
      const service = await daemon.ok('kubectl', 'get', 'svc', 'web', '-o', 'jsonpath={.spec.clusterIP} 127.0.0.1:{.spec.ports[0].nodePort}');
      const answers = [];
      for (const host of [container, ...service.split(' ')]) {
        await until(host, async () => (await page(`http://${host}/`).catch(() => '')) !== '', 10);
        answers.push(await page(`http://${host}/`));
      }
      return [...answers, await daemon.ok('kubectl', 'exec', 'web-a', '--', 'wget', '-qO-', 'http://web/')];
    };
    assert.deepEqual(await seen(one), ['0', '0', '0', '0']);
    assert.deepEqual(await seen(other), ['1', '1', '1', '1']);
    assert.equal((await other.ok('docker', 'ps', '-q')).split('\n').length, 1);
    await one.end();
    assert.deepEqual(await seen(other), ['1', '1', '1', '1']);
    assert.equal(await other.ok('docker', 'run', '--rm', 'bb', 'echo', 'still here'), 'still here');
  });
});
