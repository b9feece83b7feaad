import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '#api/kube/types.ts';
import { whyNoContainers } from '#core/containers/testing.ts';
import { openNodeBed } from './testing.ts';
import type { NodeBed } from './testing.ts';

const ref = (resource: string) => ({ group: '', version: 'v1', resource });

describe('kubelet: life of containers', { skip: whyNoContainers() }, () => {
  let node: NodeBed;
  before(async () => (node = await openNodeBed()));
  after(() => node.end());

  const first = (pod: Pod | undefined) => pod?.status?.containerStatuses?.[0];
  const isReady = (pod: Pod | undefined): boolean => first(pod)?.ready === true;
  const idOf = (pod: Pod): string => first(pod)!.containerID!.slice('gantry://'.length);
  const logOf = (pod: Pod): string => readFileSync(node.core.containers.get(idOf(pod))!.logPath!, 'utf8').replaceAll(/^\S+ \S+ . /gm, '');

  it('is ready by its probes, and starts again what they find dead', async () => {
    const script = 'sleep 0.3; touch /tmp/up; sleep 1; rm /tmp/up; while :; do sleep 0.1; done';
    node.run('probed', {
      containers: [{
        name: 'main', image: 'busybox:1', command: ['sh', '-c', script],
        startupProbe: { exec: { command: ['test', '-e', '/tmp/up'] }, periodSeconds: 0.1, failureThreshold: 50 },
        readinessProbe: { exec: { command: ['test', '-e', '/tmp/up'] }, periodSeconds: 0.1, failureThreshold: 1 },
        livenessProbe: { exec: { command: ['test', '-e', '/tmp/up'] }, periodSeconds: 0.2, failureThreshold: 3, terminationGracePeriodSeconds: 0 },
      }],
    });
    await node.until('probed', 'started', (pod) => first(pod)?.state?.running !== undefined && first(pod)?.started === false && first(pod)?.ready === false);
    await node.until('probed', 'ready', isReady);
    await node.until('probed', 'not ready any more', (pod) => !isReady(pod));
    const again = await node.until('probed', 'started again', (pod) => first(pod)?.restartCount === 1 && first(pod)?.state?.running !== undefined);
    assert.equal(first(again)!.lastState!.terminated!.exitCode, 137);
    assert.ok(node.events('probed').some((event) => event.startsWith('Unhealthy: Liveness probe failed')));
    assert.deepEqual([...new Set(node.events('probed').filter((event) => event.startsWith('Killing')))], ['Killing: Container main failed liveness probe, will be restarted']);
    node.api.delete(ref('pods'), 'probed', 'default', 0);
  });

  it('probes over HTTP and TCP, runs hooks, and keeps a sidecar beside the others', async () => {
    node.run('web', {
      terminationGracePeriodSeconds: 5,
      volumes: [{ name: 'd', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } }],
      initContainers: [{ name: 'side', image: 'busybox:1', restartPolicy: 'Always', command: ['sh', '-c', 'echo side > /d/side; trap "exit 0" TERM; while :; do sleep 0.1; done'], volumeMounts: [{ name: 'd', mountPath: '/d' }] }],
      containers: [{
        name: 'main', image: 'busybox:1', ports: [{ name: 'http', containerPort: 8080 }], volumeMounts: [{ name: 'd', mountPath: '/d' }],
        command: ['sh', '-c', 'mkdir -p /w; echo hi > /w/index.html; trap "echo bye >> /d/log; cat /d/log; exit 0" TERM; httpd -p 8080 -h /w; while :; do sleep 0.05; done'],
        lifecycle: { postStart: { exec: { command: ['sh', '-c', 'echo post >> /d/log'] } }, preStop: { exec: { command: ['sh', '-c', 'echo pre >> /d/log'] } } },
        readinessProbe: { httpGet: { port: 'http', path: '/index.html' }, periodSeconds: 0.1 },
        livenessProbe: { tcpSocket: { port: 8080 }, initialDelaySeconds: 0.2, periodSeconds: 0.2 },
      }],
    });
    const pod = await node.until('web', 'ready', isReady);
    assert.equal(pod.status!.initContainerStatuses![0]!.ready, true);
    assert.deepEqual(pod.status!.conditions!.filter(({ status, reason, message }) => status === 'True' && (reason ?? message) !== undefined), []);
    assert.equal(await (await fetch(`http://${pod.status!.podIP}:8080/index.html`)).text(), 'hi\n');
    const ended: string[] = [];
    const stop = node.core.containers.observe(({ type, status }) => {
      if (type === 'exited' && status.labels['io.kubernetes.pod.name'] === 'web') ended.push(`${status.labels['io.kubernetes.container.name']} ${status.exit!.code}`, ...(status.id === idOf(pod) ? [logOf(pod)] : []));
    });
    node.api.delete(ref('pods'), 'web', 'default');
    await node.until('web', 'gone', (seen) => seen === undefined);
    stop();
    assert.deepEqual(ended, ['main 0', 'post\npre\nbye\n', 'side 0']);
  });

  it('keeps volumes of API objects up to date, safe and with the right modes', async () => {
    const put = (value: string) => node.api.put(ref('configmaps'), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'live', namespace: 'default' }, data: { key: value, other: 'o' } });
    put('one');
    node.api.put(ref('secrets'), { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'tls', namespace: 'default' }, data: { crt: Buffer.from('pem').toString('base64') } });
    node.run('volumes', {
      securityContext: { runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000 },
      volumes: [
        { name: 'cm', configMap: { name: 'live', items: [{ key: 'key', path: 'dir/file' }] } },
        { name: 'all', projected: { sources: [{ serviceAccountToken: { path: 'token' } }, { secret: { name: 'tls' } }, { downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } }] } },
        { name: 'none', secret: { secretName: 'absent', optional: true } },
        { name: 'scratch', emptyDir: {} },
      ],
      containers: [{
        name: 'main', image: 'busybox:1',
        command: ['sh', '-c', 'cd /v; cat cm/dir/file; cat all/token all/crt; echo; cat all/labels; echo; ls none | wc -l; touch scratch/x && stat -c %g scratch/x; touch cm/x 2>&1; cat /one; touch sub/y && echo sub; id; echo end; while ! grep -q two cm/dir/file; do sleep 0.1; done; echo changed > /dev/termination-log; exit 0'],
        volumeMounts: [
          { name: 'cm', mountPath: '/v/cm', readOnly: true }, { name: 'all', mountPath: '/v/all' }, { name: 'none', mountPath: '/v/none' }, { name: 'scratch', mountPath: '/v/scratch' },
          { name: 'cm', mountPath: '/one', subPath: 'dir/file' }, { name: 'scratch', mountPath: '/v/sub', subPathExpr: 'of-$(NAME)' },
        ],
        env: [{ name: 'NAME', value: 'pod' }],
      }],
      restartPolicy: 'Never',
    }, { labels: { app: 'x' } });
    const running = await node.until('volumes', 'running', (pod) => first(pod)?.state?.running !== undefined && logOf(pod!).includes('end'));
    const lines = logOf(running);
    for (const expected of [/^one/, /token-\d+\n?pem/, /app="x"\n+0\n2000\n/, /cm\/x: Read-only file system\none\n?sub\n/, /uid=1000.*groups=.*2000/]) assert.match(lines, expected);
    put('two');
    const over = await node.until('volumes', 'over', (pod) => pod?.status?.phase === 'Succeeded');
    assert.equal(first(over)!.state!.terminated!.message, 'changed\n');
    node.api.delete(ref('pods'), 'volumes', 'default', 0);
  });

  it('gives pods names, addresses and ports', async () => {
    node.run('names', {
      hostname: 'me', subdomain: 'sub', setHostnameAsFQDN: true, hostAliases: [{ ip: '10.1.2.3', hostnames: ['alias.example'] }],
      dnsConfig: { options: [{ name: 'ndots', value: '2' }] },
      containers: [{ name: 'main', image: 'busybox:1', restartPolicy: 'Never', command: ['sh', '-c', 'hostname; cat /etc/hosts /etc/resolv.conf; httpd -f -p 80 -h /etc'], ports: [{ containerPort: 80, hostPort: 18_080, hostIP: '127.0.0.1' }], readinessProbe: { tcpSocket: { port: 80 }, periodSeconds: 0.1 } }],
    });
    const pod = await node.until('names', 'running', (seen) => isReady(seen) && logOf(seen!).includes('options'));
    const text = logOf(pod);
    assert.match(text, /^me.sub.default.svc.cluster.local\n/);
    assert.match(text, new RegExp(`${pod.status!.podIP}\tme.sub.default.svc.cluster.local\tme\n`));
    assert.match(text, /10.1.2.3\talias.example/);
    assert.match(text, /search default.svc.cluster.local svc.cluster.local cluster.local/);
    assert.match(text, /nameserver 10.96.0.10\noptions ndots:2/);
    assert.match(await (await fetch('http://127.0.0.1:18080/hostname')).text(), /^me.sub/);
    node.api.delete(ref('pods'), 'names', 'default', 0);
  });

  it('keeps containers running while the API server is away, and tells it after', async () => {
    node.run('alone', { containers: [{ name: 'main', image: 'busybox:1', command: ['sh', '-c', 'sleep 0.5; test -e /tmp/no; exit 1'] }] });
    const before = await node.until('alone', 'running', (pod) => first(pod)?.state?.running !== undefined);
    node.api.away = true;
    await node.core.containers.wait(idOf(before));
    for (let i = 0; i < 300 && node.core.containers.list().filter(({ labels }) => labels['io.kubernetes.pod.name'] === 'alone').length < 2; i++) await sleep(10);
    assert.equal(first(node.pod('alone'))!.restartCount, 0);
    node.api.away = false;
    await node.until('alone', 'told of', (pod) => first(pod)?.restartCount === 1);
    node.api.delete(ref('pods'), 'alone', 'default', 0);
  });

  it('is found again by the next kubelet, and nothing starts twice', async () => {
    const readinessProbe = { exec: { command: ['true'] }, periodSeconds: 1 };
    node.run('stays', { containers: [{ name: 'main', image: 'busybox:1', command: ['sh', '-c', 'echo begun; sleep 1000'], readinessProbe }] });
    node.run('ends', { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox:1', command: ['sh', '-c', 'sleep 0.3; exit 9'] }] });
    node.run('orphan', {});
    const before = await node.until('stays', 'running', isReady);
    await node.until('ends', 'running', (pod) => first(pod)?.state?.running !== undefined);
    await node.until('orphan', 'running', isReady);
    const started = node.events('stays').filter((event) => event.startsWith('Started')).length;
    node.api.pods.length = 0;
    // what is cut off between its root file system and its container
    await node.core.snapshots.create('half-made', '', { labels: { owner: 'kubelet', 'gantry.node': 'node-1' } });
    const logs = join(node.bed.directory, 'kubelet', 'logs');
    mkdirSync(join(logs, 'default_long-gone_0b9c2b1e-0000-4000-8000-000000000000', 'main'), { recursive: true });
    await node.restart();
    assert.deepEqual(node.core.snapshots.active().filter(({ key }) => key === 'half-made'), []);
    assert.deepEqual(readdirSync(logs).filter((name) => name.includes('long-gone')), []);
    node.api.delete(ref('pods'), 'orphan', 'default', 0);
    const over = await node.until('ends', 'over', (pod) => pod?.status?.phase === 'Failed');
    assert.equal(first(over)!.state!.terminated!.exitCode, 9);
    const seen = await node.until('stays', 'still there', isReady);
    assert.equal(first(seen)!.containerID, first(before)!.containerID);
    assert.equal(seen.status!.podIP, before.status!.podIP);
    assert.equal(first(seen)!.restartCount, 0);
    // Its Service did not lose it for a moment.
    assert.ok(node.api.pods.filter(({ metadata }) => metadata.name === 'stays').every((known) => isReady(known) && known.status!.conditions!.every(({ status }) => status === 'True')));
    assert.equal(node.events('stays').filter((event) => event.startsWith('Started')).length, started);
    assert.equal(logOf(seen), 'begun\n');
    for (const name of ['stays', 'ends']) node.api.delete(ref('pods'), name, 'default', 0);
    const limit = Date.now() + 10_000;
    while (node.sandboxes.list().length > 0 && Date.now() < limit) await sleep(20);
    assert.deepEqual(node.core.containers.list(), []);
    assert.equal(node.bed.kernel.mounts.list().some((entry) => entry.target.startsWith(join(node.bed.directory, 'kubelet'))), false);
  });
});
