/** Services, names and ports of a whole Gantry, from pods and from the host. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { TestDaemon, until, whyNoDaemon } from '../support/daemon.ts';
import { freePort } from '../support/registry.ts';

/** A pod that answers its own name by HTTP at 8080, ready while /ready is there. */
const web = (name: string, labels: string): string => `
apiVersion: v1
kind: Pod
metadata: {name: ${name}, labels: {${labels}}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: main
      image: bb
      command: [sh, -c, 'mkdir /w; hostname > /w/index.html; httpd -p 8080 -h /w; touch /ready; while true; do sleep 100; done']
      ports: [{name: http, containerPort: 8080}]
      readinessProbe: {exec: {command: [cat, /ready]}, periodSeconds: 1, failureThreshold: 1}
---
`;

const service = (name: string, spec: string): string => `
apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {${spec}}
---
`;

describe('services and names', { skip: whyNoDaemon('docker', 'kubectl') ?? false, concurrency: 4 }, () => {
  const daemon = new TestDaemon();
  const kubectl = (...args: string[]): Promise<string> => daemon.ok('kubectl', ...args);
  const inPod = (...command: string[]): Promise<string> => kubectl('exec', 'caller', '--', ...command);
  const field = (object: string, path: string): Promise<string> => kubectl('get', object, '-o', `jsonpath={${path}}`);
  const page = (url: string): Promise<string> => fetch(url, { signal: AbortSignal.timeout(5000), headers: { connection: 'close' } }).then(async (r) => (await r.text()).trim());

  async function apply(text: string): Promise<void> {
    const { code, stderr } = await daemon.run('kubectl', ['apply', '-f', '-'], text);
    assert.equal(code, 0, stderr);
  }

  /** How long a call that must fail takes, in milliseconds. */
  async function refusedAfter(...command: string[]): Promise<{ ms: number; text: string }> {
    const began = Date.now();
    const { code, stderr, stdout } = await daemon.kubectl('exec', 'caller', '--', ...command);
    assert.notEqual(code, 0, stdout);
    return { ms: Date.now() - began, text: stderr + stdout };
  }

  before(async () => {
    await daemon.up();
    await daemon.busybox();
    await kubectl('run', 'caller', '--image=bb', '--', 'sleep', '100000');
    await apply(web('web-a', 'app: web') + web('web-b', 'app: web') + service('web', 'type: NodePort, selector: {app: web}, ports: [{port: 80, targetPort: http}]'));
    await kubectl('wait', '--for=condition=Ready', 'pod/caller', 'pod/web-a', 'pod/web-b', '--timeout=30s');
    await until('both endpoints', async () => /8080,.*8080/.test(await kubectl('get', 'endpoints', 'web', '--no-headers')));
  });
  after(() => daemon.end());

  test('a Service is called by its names and by its address, from a pod', async () => {
    const address = await field('svc/web', '.spec.clusterIP');
    for (const host of ['web', 'web.default', 'web.default.svc', 'web.default.svc.cluster.local', address]) {
      assert.match(await inPod('wget', '-qO-', `http://${host}/`), /^web-[ab]$/, host);
    }
    assert.match(await inPod('nslookup', 'web.default.svc.cluster.local'), new RegExp(`Address(?: 1)?: ${address}`));
  });

  test('every copy gets its share', async () => {
    const answers = await inPod('sh', '-c', 'for i in $(seq 30); do wget -qO- http://web/; done');
    assert.deepEqual([...new Set(answers.split('\n'))].sort(), ['web-a', 'web-b']);
  });

  test('a Service is called from the host: its address, and its node port at the node and at 127.0.0.1', async () => {
    const [address, nodePort, node] = [await field('svc/web', '.spec.clusterIP'), await field('svc/web', '.spec.ports[0].nodePort'), await field('node/gantry-0', '.status.addresses[0].address')];
    for (const url of [`http://${address}/`, `http://${node}:${nodePort}/`, `http://127.0.0.1:${nodePort}/`]) assert.match(await page(url), /^web-[ab]$/, url);
    assert.match(await inPod('wget', '-qO-', `http://${node}:${nodePort}/`), /^web-[ab]$/, 'the node port from a pod');
  });

  test('endpoints follow readiness; a pod reaches itself through its Service; none left refuses at once', async () => {
    await apply(web('one', 'app: one') + service('single', 'selector: {app: one}, ports: [{port: 80, targetPort: 8080}]'));
    await kubectl('wait', '--for=condition=Ready', 'pod/one', '--timeout=30s');
    const endpoints = (): Promise<string> => field('endpoints/single', '.subsets[*].addresses[*].targetRef.name');
    await until('the endpoint', async () => (await endpoints()) === 'one');
    await until('the pod to reach itself', async () => (await daemon.kubectl('exec', 'one', '--', 'wget', '-qO-', 'http://single/')).stdout.trim() === 'one', 5);
    await kubectl('exec', 'one', '--', 'rm', '/ready');
    await until('the endpoint to go', async () => (await endpoints()) === '');
    assert.equal(await field('endpoints/single', '.subsets[*].notReadyAddresses[*].targetRef.name'), 'one');
    assert.match(await kubectl('get', 'pod', 'one', '--no-headers'), /0\/1 +Running/);
    const { ms, text } = await refusedAfter('wget', '-qO-', 'http://single/');
    assert.match(text, /refused/);
    assert.ok(ms < 5000, `${ms} ms`);
    await assert.rejects(page(`http://${await field('svc/single', '.spec.clusterIP')}/`), (error: Error) => /ECONNREFUSED/.test(String((error.cause as Error | undefined)?.message)));
    await kubectl('exec', 'one', '--', 'touch', '/ready');
    await until('the endpoint to be back', async () => (await endpoints()) === 'one');
    assert.equal(await inPod('wget', '-qO-', 'http://single/'), 'one');
    await kubectl('delete', 'pod', 'one', '--now');
    await until('the deleted pod to be no endpoint', async () => (await field('endpoints/single', '.subsets')) === '');
  });

  test('a headless Service names its pods', async () => {
    await apply(service('bare', 'clusterIP: None, selector: {app: web}, ports: [{name: http, port: 8080}]'));
    const pods = (await kubectl('get', 'pods', '-l', 'app=web', '-o', 'jsonpath={.items[*].status.podIP}')).split(' ');
    await until('both addresses', async () => {
      const { stdout } = await daemon.kubectl('exec', 'caller', '--', 'nslookup', 'bare.default.svc.cluster.local');
      return pods.every((ip) => stdout.includes(ip));
    });
    assert.match(await inPod('wget', '-qO-', 'http://bare:8080/'), /^web-[ab]$/);
  });

  test('kubectl reaches a pod and a Service through the API server', async () => {
    const raw = (path: string): Promise<string> => kubectl('get', '--raw', `/api/v1/namespaces/default/${path}`);
    assert.equal((await raw('pods/web-a/proxy/')).trim(), 'web-a');
    assert.match(await raw('services/web:80/proxy/index.html'), /^web-[ab]$/m);
    assert.match((await daemon.kubectl('get', '--raw', '/api/v1/namespaces/default/pods/web-a:81/proxy/')).stderr, /error trying to reach service: dial tcp [\d.]+:81/);
  });

  test('several ports by name; a Service without a selector goes where its slice says; an external name and address', async () => {
    await apply(`${service('ports', 'selector: {app: web}, ports: [{name: one, port: 81, targetPort: http}, {name: two, port: 82, targetPort: 8080}]')}
${service('byhand', 'ports: [{name: p, port: 80}]')}
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: byhand-1, labels: {kubernetes.io/service-name: byhand}}
addressType: IPv4
ports: [{name: p, port: 8080, protocol: TCP}]
endpoints: [{addresses: ["${await field('pod/web-a', '.status.podIP')}"], conditions: {ready: true}}]
---
${service('elsewhere', 'type: ExternalName, externalName: web.default.svc.cluster.local')}
${service('outer', 'selector: {app: web}, externalIPs: [203.0.113.7], ports: [{port: 80, targetPort: http}]')}`);
    for (const host of ['ports:81', 'ports:82', 'byhand', 'elsewhere', '203.0.113.7']) {
      await until(host, async () => /^web-[ab]$/.test((await daemon.kubectl('exec', 'caller', '--', 'wget', '-qO-', `http://${host}/`)).stdout.trim()), 10);
    }
  });

  test('names that are not there are refused soon; names of outside are asked upstream', async () => {
    const absent = await refusedAfter('nslookup', 'absent.default.svc.cluster.local');
    assert.match(absent.text, /NXDOMAIN|can't find|can't resolve/);
    assert.ok(absent.ms < 5000, `${absent.ms} ms`);
    const outside = await refusedAfter('nslookup', 'name.invalid');
    assert.match(outside.text, /NXDOMAIN|SERVFAIL|REFUSED|can't find|can't resolve|timed out|no servers/);
    assert.match(await inPod('nslookup', 'kubernetes.default.svc.cluster.local'), new RegExp(await field('svc/kubernetes', '.spec.clusterIP')));
    assert.match(await inPod('cat', '/etc/resolv.conf'), /search default\.svc\.cluster\.local svc\.cluster\.local cluster\.local[^]*options ndots:5/);
  });

  test('hostPort is reached at the host, hostNetwork is the host’s own', async () => {
    const [hostPort, own] = [await freePort(), await freePort()];
    await apply(`
apiVersion: v1
kind: Pod
metadata: {name: published}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - {name: main, image: bb, command: [sh, -c, 'mkdir /w; echo published > /w/index.html; exec httpd -f -p 80 -h /w'], ports: [{containerPort: 80, hostPort: ${hostPort}}]}
---
apiVersion: v1
kind: Pod
metadata: {name: onhost}
spec:
  hostNetwork: true
  dnsPolicy: ClusterFirstWithHostNet
  terminationGracePeriodSeconds: 0
  containers:
    - {name: main, image: bb, command: [sh, -c, 'mkdir /w; echo onhost > /w/index.html; exec httpd -f -p ${own} -h /w']}
`);
    await kubectl('wait', '--for=condition=Ready', 'pod/published', 'pod/onhost', '--timeout=30s');
    assert.equal(await page(`http://127.0.0.1:${hostPort}/`), 'published');
    assert.equal(await page(`http://127.0.0.1:${own}/`), 'onhost');
    assert.equal(await field('pod/onhost', '.status.podIP'), await field('pod/onhost', '.status.hostIP'));
    assert.match(await kubectl('exec', 'onhost', '--', 'wget', '-qO-', 'http://web.default.svc.cluster.local/'), /^web-[ab]$/);
    await kubectl('delete', 'pod', 'published', 'onhost');
    await assert.rejects(page(`http://127.0.0.1:${hostPort}/`));
  });

  test('pods reach each other by address, see the caller’s own, and containers of docker reach Services by address', async () => {
    const [caller, address, cluster] = [await field('pod/caller', '.status.podIP'), await field('pod/web-a', '.status.podIP'), await field('svc/web', '.spec.clusterIP')];
    assert.equal(await inPod('wget', '-qO-', `http://${address}:8080/`), 'web-a');
    await kubectl('run', 'listener', '--image=bb', '--restart=Never', '--', 'sh', '-c', 'exec httpd -f -vv -p 9000 2>&1');
    await kubectl('wait', '--for=condition=Ready', 'pod/listener', '--timeout=30s');
    const listener = await field('pod/listener', '.status.podIP');
    await daemon.kubectl('exec', 'caller', '--', 'wget', '-qO-', `http://${listener}:9000/`);
    await until('the caller to be seen', async () => (await kubectl('logs', 'listener')).includes(caller), 10);
    assert.match(await daemon.ok('docker', 'run', '--rm', 'bb', 'wget', '-qO-', `http://${cluster}/`), /^web-[ab]$/);
    await kubectl('delete', 'pod', 'listener', '--now');
  });
});
