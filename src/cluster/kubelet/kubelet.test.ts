import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { whyNoContainers } from '#core/containers/testing.ts';
import { openNodeBed } from './testing.ts';
import type { NodeBed } from './testing.ts';

describe('kubelet: pods', { skip: whyNoContainers() }, () => {
  let node: NodeBed;
  before(async () => (node = await openNodeBed()));
  after(() => node.end());

  it('registers its node and holds its lease', () => {
    const known = node.api.objects.get('nodes//node-1') as unknown as { status: { capacity: Record<string, string>; daemonEndpoints: { kubeletEndpoint: { Port: number } }; conditions: { type: string; status: string }[] } };
    assert.ok(Number(known.status.capacity['cpu']) >= 1);
    assert.equal(known.status.daemonEndpoints.kubeletEndpoint.Port, node.kubelet.port);
    assert.equal(known.status.conditions.find((condition) => condition.type === 'Ready')?.status, 'True');
    assert.ok(node.api.objects.has('leases/kube-node-lease/node-1'));
  });

  it('runs a pod, and deletes it with grace', async () => {
    node.run('plain', {});
    const pod = await node.until('plain', 'ready', (seen) => seen?.status?.conditions?.find((c) => c.type === 'Ready')?.status === 'True');
    const { status } = pod;
    assert.equal(status?.phase, 'Running');
    assert.match(status?.podIP ?? '', /^\d+\.\d+\.\d+\.\d+$/);
    assert.equal(status?.qosClass, 'BestEffort');
    const [main] = status!.containerStatuses!;
    assert.deepEqual([main!.ready, main!.started, main!.restartCount, Object.keys(main!.state!)], [true, true, 0, ['running']]);
    assert.match(main!.containerID!, /^gantry:\/\/[0-9a-f]{64}$/);
    assert.deepEqual(status!.conditions!.map((c) => `${c.type}=${c.status}`).toSorted(), ['ContainersReady=True', 'Initialized=True', 'PodReadyToStartContainers=True', 'PodScheduled=True', 'Ready=True']);
    assert.deepEqual(node.events('plain').map((event) => event.split(':')[0]), ['Pulled', 'Created', 'Started']);
    node.api.delete({ group: '', version: 'v1', resource: 'pods' }, 'plain', 'default');
    await node.until('plain', 'gone', (seen) => seen === undefined);
    assert.deepEqual(node.core.containers.list(), []);
    assert.deepEqual(node.sandboxes.list(), []);
  });

  it('ends with the pod’s work: Succeeded, Failed, and restarts with back-off', async () => {
    const job = (script: string): NonNullable<Parameters<NodeBed['run']>[1]> => ({ restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox:1', command: ['sh', '-c', script] }] });
    node.run('good', job('echo done > /dev/termination-log'));
    node.run('bad', job('exit 3'));
    node.run('crash', { containers: [{ name: 'main', image: 'busybox:1', command: ['sh', '-c', 'exit 1'] }] });
    const good = await node.until('good', 'over', (pod) => pod?.status?.phase === 'Succeeded');
    assert.deepEqual([good.status!.containerStatuses![0]!.state!.terminated!.reason, good.status!.containerStatuses![0]!.state!.terminated!.message], ['Completed', 'done\n']);
    const bad = await node.until('bad', 'over', (pod) => pod?.status?.phase === 'Failed');
    assert.equal(bad.status!.containerStatuses![0]!.state!.terminated!.exitCode, 3);
    const crash = await node.until('crash', 'in back-off', (pod) => pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff');
    const [main] = crash.status!.containerStatuses!;
    assert.deepEqual([main!.restartCount, main!.lastState!.terminated!.exitCode, crash.status!.phase], [1, 1, 'Running']);
  });

  it('runs init containers in order, with environment from all sources', async () => {
    const ref = (resource: string) => ({ group: '', version: 'v1', resource });
    node.api.put(ref('configmaps'), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings', namespace: 'default' }, data: { color: 'red', size: 'big' } });
    node.api.put(ref('secrets'), { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'keys', namespace: 'default' }, data: { password: Buffer.from('s3cret').toString('base64') } });
    node.api.put(ref('services'), { apiVersion: 'v1', kind: 'Service', metadata: { name: 'my-db', namespace: 'default' }, spec: { clusterIP: '10.96.1.2', ports: [{ port: 5432, name: 'sql' }] } });
    const say = (text: string) => ['sh', '-c', `echo ${text} >> /shared/order`];
    const mount = [{ name: 'shared', mountPath: '/shared' }];
    node.run('init', {
      restartPolicy: 'Never',
      volumes: [{ name: 'shared', emptyDir: {} }],
      initContainers: [
        { name: 'one', image: 'busybox:1', command: say('one'), volumeMounts: mount },
        { name: 'two', image: 'busybox:1', command: say('two'), volumeMounts: mount },
      ],
      containers: [{
        name: 'main', image: 'busybox:1', volumeMounts: mount,
        command: ['sh', '-c', 'cat /shared/order; env; echo "$0"; hostname > /dev/termination-log'], args: ['$(GREETING) $(UNKNOWN) $$(GREETING)'],
        envFrom: [{ prefix: 'CM_', configMapRef: { name: 'settings' } }],
        env: [
          { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'keys', key: 'password' } } },
          { name: 'COLOR', valueFrom: { configMapKeyRef: { name: 'settings', key: 'color' } } },
          { name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } },
          { name: 'POD', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
          { name: 'MEMORY', valueFrom: { resourceFieldRef: { resource: 'limits.memory', divisor: '1Mi' } } },
          { name: 'GREETING', value: 'hello-$(COLOR)' },
        ],
        resources: { limits: { memory: '64Mi', cpu: '500m' } },
      }],
    });
    const pod = await node.until('init', 'over', (seen) => seen?.status?.phase === 'Succeeded');
    assert.equal(pod.status!.containerStatuses![0]!.state!.terminated!.message, 'init\n');
    assert.equal(pod.status!.qosClass, 'Burstable');
    const log: string[] = [];
    const id = pod.status!.containerStatuses![0]!.containerID!.slice('gantry://'.length);
    for await (const entry of node.core.logs.read(node.core.containers.get(id)!.logPath!, {})) log.push(entry.data.toString().trim());
    assert.deepEqual(log.slice(0, 2), ['one', 'two']);
    for (const line of ['CM_color=red', 'CM_size=big', 'PASSWORD=s3cret', 'COLOR=red', `IP=${pod.status!.podIP}`, 'POD=init', 'MEMORY=64', 'GREETING=hello-red', 'FROM_IMAGE=yes', 'MY_DB_SERVICE_HOST=10.96.1.2', 'MY_DB_PORT_5432_TCP=tcp://10.96.1.2:5432', 'MY_DB_SERVICE_PORT_SQL=5432', 'HOSTNAME=init', 'hello-red $(UNKNOWN) $(GREETING)']) {
      assert.ok(log.includes(line), `${line} in\n${log.join('\n')}`);
    }
  });

  it('waits for what is missing, and says why', async () => {
    node.run('noimage', { containers: [{ name: 'main', image: 'nowhere.invalid/x:1' }] });
    node.run('noconfig', { containers: [{ name: 'main', image: 'busybox:1', command: ['sleep', '100'], env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'later', key: 'a' } } }] }] });
    node.run('nocommand', { restartPolicy: 'Never', containers: [{ name: 'main', image: 'busybox:1', command: ['nosuch'] }] });
    const waiting = (reason: RegExp) => (pod: { status?: { containerStatuses?: { state?: { waiting?: { reason?: string } } }[] } } | undefined) => reason.test(pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason ?? '');
    await node.until('noimage', 'waiting', waiting(/^ErrImagePull$|^ImagePullBackOff$/));
    await node.until('noconfig', 'waiting', waiting(/^CreateContainerConfigError$/));
    const failed = await node.until('nocommand', 'failed', (pod) => pod?.status?.phase === 'Failed');
    const ended = failed.status!.containerStatuses![0]!.state!.terminated!;
    assert.deepEqual([ended.reason, ended.exitCode], ['StartError', 128]);
    assert.match(ended.message!, /executable file not found/);
    node.api.put({ group: '', version: 'v1', resource: 'configmaps' }, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'later', namespace: 'default' }, data: { a: 'b' } });
    await node.until('noconfig', 'running', (pod) => pod?.status?.phase === 'Running');
  });

  it('runs a container that is added to look into another', async () => {
    node.run('debugged', { containers: [{ name: 'main', image: 'busybox:1', command: ['sleep', '1234'] }] });
    const running = await node.until('debugged', 'running', (pod) => pod?.status?.phase === 'Running');
    const ephemeralContainers = [{ name: 'debugger', image: 'busybox:1', targetContainerName: 'main', command: ['sh', '-c', 'ps | grep -c "sleep 123[4]" > /dev/termination-log'] }];
    node.api.put({ group: '', version: 'v1', resource: 'pods' }, { ...running, spec: { ...running.spec, ephemeralContainers } } as never);
    const pod = await node.until('debugged', 'looked into', (seen) => seen?.status?.ephemeralContainerStatuses?.[0]?.state?.terminated !== undefined);
    assert.equal(pod.status!.ephemeralContainerStatuses![0]!.state!.terminated!.message, '1\n');
    assert.deepEqual([pod.status!.phase, pod.status!.containerStatuses![0]!.restartCount], ['Running', 0]);
  });

  it('refuses by name what it cannot do', async () => {
    node.run('tuned', { securityContext: { sysctls: [{ name: 'kernel.msgmax', value: '1' }] } });
    node.run('foreign', { os: { name: 'windows' } });
    const tuned = await node.until('tuned', 'refused', (seen) => seen?.status?.phase === 'Failed');
    assert.deepEqual([tuned.status!.reason, tuned.status!.message], ['SysctlForbidden', 'Pod was rejected: forbidden sysctl: "kernel.msgmax" not allowlisted']);
    const foreign = await node.until('foreign', 'refused', (seen) => seen?.status?.phase === 'Failed');
    assert.equal(foreign.status!.reason, 'PodOSNotSupported');
  });
});
