/** What a pod's manifest says, seen from inside the pod that runs. */
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TestDaemon, until, whyNoDaemon } from '../support/daemon.ts';

describe('pods do what their manifests say', { skip: whyNoDaemon('docker', 'kubectl') ?? false, concurrency: 4 }, () => {
  const daemon = new TestDaemon();
  const kubectl = (...args: string[]): Promise<string> => daemon.ok('kubectl', ...args);
  const field = (name: string, path: string): Promise<string> => kubectl('get', 'pod', name, '-o', `jsonpath={${path}}`);
  const logs = (name: string, ...more: string[]): Promise<string> => kubectl('logs', name, ...more);
  const ready = (name: string): Promise<string> => kubectl('wait', '--for=condition=Ready', `pod/${name}`, '--timeout=30s');
  const ended = (name: string): Promise<void> => until(`${name} to end`, async () => ['Succeeded', 'Failed'].includes(await field(name, '.status.phase')));

  async function apply(text: string): Promise<void> {
    const { code, stderr } = await daemon.run('kubectl', ['apply', '-f', '-'], text);
    assert.equal(code, 0, stderr);
  }

  /** A pod of `spec`, the lines of its YAML. */
  const pod = (name: string, spec: string, metadata = ''): Promise<void> =>
    apply(`apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}${metadata}}\nspec:\n  terminationGracePeriodSeconds: 1\n${spec.replaceAll(/^/gm, '  ')}\n`);

  before(async () => {
    await daemon.up();
    await daemon.busybox();
  });
  after(() => daemon.end());

  test('init containers run one after the other, before the others, and share volumes', async () => {
    await pod('inits', `restartPolicy: Never
initContainers:
  - {name: one, image: bb, command: [sh, -c, 'sleep 0.3; echo one > /d/f'], volumeMounts: [{name: d, mountPath: /d}]}
  - {name: two, image: bb, command: [sh, -c, 'cat /d/f; echo two >> /d/f'], volumeMounts: [{name: d, mountPath: /d}]}
containers:
  - {name: main, image: bb, command: [cat, /d/f], volumeMounts: [{name: d, mountPath: /d}]}
volumes: [{name: d, emptyDir: {}}]`);
    await ended('inits');
    assert.equal(await logs('inits', '-c', 'main'), 'one\ntwo');
    assert.equal(await logs('inits', '-c', 'two'), 'one');
    assert.equal(await field('inits', '.status.initContainerStatuses[*].state.terminated.reason'), 'Completed Completed');
    await pod('badinit', `restartPolicy: Never
initContainers: [{name: one, image: bb, command: [sh, -c, 'exit 3']}]
containers: [{name: main, image: bb, command: [echo, never]}]`);
    await ended('badinit');
    assert.match(await kubectl('get', 'pod', 'badinit', '--no-headers'), /Init:Error/);
  });

  test('probes: readiness by http, tcp and exec; liveness starts a container anew; startup holds it back', async () => {
    await pod('probed', `containers:
  - {name: http, image: bb, command: [sh, -c, 'mkdir /w; echo ok > /w/ok; exec httpd -f -p 8080 -h /w'], readinessProbe: {httpGet: {path: /ok, port: 8080}, periodSeconds: 1}}
  - {name: tcp, image: bb, command: [httpd, -f, -p, '8081'], readinessProbe: {tcpSocket: {port: 8081}, periodSeconds: 1}, startupProbe: {tcpSocket: {port: 8081}, periodSeconds: 1}}
  - {name: missing, image: bb, command: [sleep, '1000'], readinessProbe: {httpGet: {path: /absent, port: 8080}, periodSeconds: 1}}`);
    await pod('sick', `containers:
  - {name: main, image: bb, command: [sh, -c, 'touch /tmp-ok; echo began; sleep 1; rm /tmp-ok; sleep 1000'], livenessProbe: {exec: {command: [cat, /tmp-ok]}, periodSeconds: 1, failureThreshold: 1}}`);
    await until('the two that are well', async () => /^http=true\nmissing=false\ntcp=true$/.test((await kubectl('get', 'pod', 'probed', '-o', 'jsonpath={range .status.containerStatuses[*]}{.name}={.ready}{"\\n"}{end}')).split('\n').sort().join('\n')));
    assert.equal(await field('probed', '.status.conditions[?(@.type=="Ready")].status'), 'False');
    await until('the restart', async () => Number(await field('sick', '.status.containerStatuses[0].restartCount')) >= 1);
    assert.equal(await field('sick', '.status.containerStatuses[0].lastState.terminated.exitCode'), '137');
    await until('the events', async () => /Liveness probe failed[^]*failed liveness probe, will be restarted/.test(await kubectl('describe', 'pod', 'sick')));
    assert.match(await kubectl('describe', 'pod', 'probed'), /Readiness probe failed: HTTP probe failed with statuscode: 404/);
    await kubectl('delete', 'pod', 'probed', 'sick', '--now');
  });

  test('restart policies, and the back-off of what keeps failing', async () => {
    await pod('never', 'restartPolicy: Never\ncontainers: [{name: main, image: bb, command: [sh, -c, "exit 9"]}]');
    await pod('onfailure', `restartPolicy: OnFailure
containers: [{name: main, image: bb, command: [sh, -c, 'if [ -e /d/x ]; then exit 0; fi; touch /d/x; exit 1'], volumeMounts: [{name: d, mountPath: /d}]}]
volumes: [{name: d, emptyDir: {}}]`);
    await pod('crashing', 'containers: [{name: main, image: bb, command: [sh, -c, "echo again; exit 2"]}]');
    await ended('never');
    assert.equal(await field('never', '.status.containerStatuses[0].state.terminated.exitCode'), '9');
    assert.match(await kubectl('get', 'pod', 'never', '--no-headers'), /0\/1 +Error +0/);
    await ended('onfailure');
    assert.equal(`${await field('onfailure', '.status.phase')} ${await field('onfailure', '.status.containerStatuses[0].restartCount')}`, 'Succeeded 1');
    await until('the back-off', async () => /CrashLoopBackOff/.test(await kubectl('get', 'pod', 'crashing', '--no-headers')));
    assert.match(await field('crashing', '.status.containerStatuses[0].state.waiting.message'), /^back-off 10s restarting failed container=main pod=crashing_default\(/);
    await until('the event', async () => /BackOff.*Back-off restarting failed container main in pod crashing_default/.test(await kubectl('describe', 'pod', 'crashing')));
    await kubectl('delete', 'pod', 'never', 'onfailure', 'crashing', '--now');
  });

  test('volumes and environment from config maps, secrets, fields and the host', async () => {
    const host = join(daemon.root, 'hostpath');
    mkdirSync(host);
    writeFileSync(join(host, 'given'), 'of the host');
    await kubectl('create', 'configmap', 'conf', '--from-literal=key=value', '--from-literal=FROM_CONF=all');
    await kubectl('create', 'secret', 'generic', 'hidden', '--from-literal=password=s3cret');
    await pod('volumes', `containers:
  - name: main
    image: bb
    command: [sh, -c, 'echo mine > /host/made; sleep 1000']
    resources: {requests: {cpu: 100m}, limits: {memory: 64Mi}}
    env:
      - {name: ONE, valueFrom: {configMapKeyRef: {name: conf, key: key}}}
      - {name: TWO, valueFrom: {secretKeyRef: {name: hidden, key: password}}}
      - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
      - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
      - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
      - {name: MEMORY, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
      - {name: JOINED, value: "$(ONE)-$(TWO)"}
      - {name: OPTIONAL, valueFrom: {configMapKeyRef: {name: absent, key: k, optional: true}}}
    envFrom: [{configMapRef: {name: conf}}, {prefix: S_, secretRef: {name: hidden}}]
    volumeMounts:
      - {name: conf, mountPath: /conf}
      - {name: conf, mountPath: /single, subPath: key}
      - {name: hidden, mountPath: /hidden, readOnly: true}
      - {name: host, mountPath: /host}
      - {name: down, mountPath: /down}
      - {name: all, mountPath: /all}
      - {name: memory, mountPath: /memory}
volumes:
  - {name: conf, configMap: {name: conf, items: [{key: key, path: deep/key, mode: 0400}]}}
  - {name: hidden, secret: {secretName: hidden, defaultMode: 0440}}
  - {name: host, hostPath: {path: ${host}, type: Directory}}
  - {name: down, downwardAPI: {items: [{path: labels, fieldRef: {fieldPath: metadata.labels}}]}}
  - {name: all, projected: {sources: [{configMap: {name: conf}}, {secret: {name: hidden}}, {downwardAPI: {items: [{path: ns, fieldRef: {fieldPath: metadata.namespace}}]}}]}}
  - {name: memory, emptyDir: {medium: Memory}}`, ', labels: {a: b}');
    await ready('volumes').catch(() => undefined);
    const inside = (command: string): Promise<string> => kubectl('exec', 'volumes', '--', 'sh', '-c', command);
    assert.equal(await inside('echo $ONE $TWO $NAME $NODE $MEMORY $JOINED $FROM_CONF $S_password [$OPTIONAL]'), 'value s3cret volumes gantry-0 64 value-s3cret all s3cret []');
    assert.equal(await inside('echo $IP'), await field('volumes', '.status.podIP'));
    assert.equal(await inside('cat /conf/deep/key; echo; cat /hidden/password; echo; cat /all/FROM_CONF /all/password /all/ns'), 'value\ns3cret\nalls3cretdefault');
    assert.equal(await inside('cat /down/labels'), 'a="b"');
    assert.match(await inside('mount | grep " /memory "'), /tmpfs/);
    assert.equal(await inside('stat -L -c %a /conf/deep/key /hidden/password'), '400\n440');
    assert.match((await daemon.kubectl('exec', 'volumes', '--', 'touch', '/hidden/x')).stderr, /Read-only/);
    assert.equal(await inside('cat /host/given'), 'of the host');
    assert.equal(readFileSync(join(host, 'made'), 'utf8'), 'mine\n');
    await kubectl('patch', 'configmap', 'conf', '-p', '{"data":{"FROM_CONF":"changed"}}');
    await kubectl('label', 'pod', 'volumes', 'a=c', '--overwrite');
    await until('the change in the volume', async () => (await inside('cat /all/FROM_CONF; cat /down/labels')) === 'changeda="c"', 90);
    const uid = await field('volumes', '.metadata.uid');
    await kubectl('delete', 'pod', 'volumes', '--now');
    assert.ok(!readFileSync('/proc/self/mounts', 'utf8').includes(uid), 'its mounts go with it');
    assert.ok(existsSync(join(host, 'given')), 'what is the host’s stays');
  });

  test('the token of its service account is good for the API, from inside', async () => {
    await kubectl('create', 'role', 'looker', '--verb=get,list', '--resource=pods');
    await kubectl('create', 'rolebinding', 'lookers', '--role=looker', '--serviceaccount=default:default');
    await pod('api', 'containers: [{name: main, image: bb, command: [sleep, "1000"]}]');
    await ready('api');
    const mounted = '/var/run/secrets/kubernetes.io/serviceaccount';
    assert.equal(await kubectl('exec', 'api', '--', 'cat', `${mounted}/namespace`), 'default');
    const pid = await kubectl('exec', 'api', '--', 'sh', '-c', 'echo $KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT');
    assert.match(pid, /^10\.\d+\.\d+\.\d+:443$/);
    // The pod has no client that speaks TLS with a CA of one's own, so the host's curl runs with its network and files.
    const bin = join(daemon.root, 'curlbox');
    mkdirSync(bin);
    const ca = join(bin, 'ca.crt');
    writeFileSync(ca, await kubectl('exec', 'api', '--', 'cat', `${mounted}/ca.crt`));
    const token = await kubectl('exec', 'api', '--', 'cat', `${mounted}/token`);
    const address = pid.split(':')[0]!;
    const call = async (path: string): Promise<{ status: string; body: string }> => {
      const { stdout, stderr } = await daemon.run('curl', ['-sS', '--cacert', ca, '--resolve', `kubernetes.default.svc:443:${address}`, '-H', '@-', '-w', '\n%{http_code}', `https://kubernetes.default.svc${path}`], `Authorization: Bearer ${token}\n`);
      const lines = stdout.split('\n');
      return { status: lines.pop() ?? '', body: lines.join('\n') + stderr };
    };
    const pods = await call('/api/v1/namespaces/default/pods/api');
    assert.equal(pods.status, '200', pods.body);
    assert.equal((JSON.parse(pods.body) as { metadata: { name: string } }).metadata.name, 'api');
    const denied = await call('/api/v1/nodes');
    assert.equal(denied.status, '403');
    assert.match(denied.body, /system:serviceaccount:default:default\\" cannot list resource \\"nodes\\"/);
    // and the address is reached from the pod's own network
    assert.equal((await daemon.kubectl('exec', 'api', '--', 'sh', '-c', 'echo hello | nc kubernetes.default.svc 443')).code, 0);
    await kubectl('delete', 'pod', 'api', '--now');
    await until('the token to end with its pod', async () => (await call('/api/v1/namespaces/default/pods')).status === '401', 20);
  });

  test('a stop runs the preStop hook first; postStart runs at the start', async () => {
    const out = join(daemon.root, 'hooks');
    mkdirSync(out);
    await pod('hooked', `containers:
  - name: main
    image: bb
    command: [sh, -c, 'trap "echo term >> /out/log; exit 0" TERM; while true; do sleep 0.1; done']
    lifecycle: {postStart: {exec: {command: [sh, -c, 'echo started >> /out/log']}}, preStop: {exec: {command: [sh, -c, 'echo stopping >> /out/log; sleep 0.5']}}}
    volumeMounts: [{name: out, mountPath: /out}]
volumes: [{name: out, hostPath: {path: ${out}}}]`);
    await ready('hooked');
    await kubectl('delete', 'pod', 'hooked', '--grace-period=10');
    assert.equal(readFileSync(join(out, 'log'), 'utf8'), 'started\nstopping\nterm\n');
  });

  test('who takes more memory than its limit is killed for it; limits are in the cgroup', async () => {
    await pod('hungry', `restartPolicy: Never
containers: [{name: main, image: bb, command: [sh, -c, 'x=$(head -c 200000000 /dev/zero | tr "\\\\0" x); echo \${#x}'], resources: {limits: {memory: 32Mi}}}]`);
    await pod('limited', `containers: [{name: main, image: bb, command: [sleep, '1000'], resources: {limits: {memory: 48Mi, cpu: 250m}, requests: {cpu: 100m, memory: 16Mi}}}]`);
    await ended('hungry');
    assert.equal(await field('hungry', '.status.containerStatuses[0].state.terminated.reason'), 'OOMKilled');
    assert.equal(await field('hungry', '.status.containerStatuses[0].state.terminated.exitCode'), '137');
    await ready('limited');
    assert.equal(await field('limited', '.status.qosClass'), 'Burstable');
    const read = (...paths: string[]): Promise<string> => kubectl('exec', 'limited', '--', 'sh', '-c', `cat ${paths.map((p) => `/sys/fs/cgroup/${p}`).join(' ')} 2>/dev/null || true`);
    assert.match(await read('memory/memory.limit_in_bytes', 'memory.max'), /^50331648$/m);
    assert.match(await read('cpu/cpu.cfs_quota_us', 'cpu.max'), /^25000\b/m);
    await kubectl('delete', 'pod', 'hungry', 'limited', '--now');
  });

  test('an image that is nowhere is said so, with the back-off', async () => {
    await pod('noimage', 'containers: [{name: main, image: "127.0.0.1:1/none:x"}]');
    await until('the failure', async () => /ErrImagePull|ImagePullBackOff/.test(await kubectl('get', 'pod', 'noimage', '--no-headers')));
    await until('the back-off', async () => /ImagePullBackOff/.test(await kubectl('get', 'pod', 'noimage', '--no-headers')));
    assert.match(await field('noimage', '.status.containerStatuses[0].state.waiting.message'), /Back-off pulling image "127\.0\.0\.1:1\/none:x"/);
    assert.match(await kubectl('describe', 'pod', 'noimage'), /Failed to pull image "127\.0\.0\.1:1\/none:x"/);
    await pod('neverpull', 'containers: [{name: main, image: "absent:x", imagePullPolicy: Never}]');
    await until('the refusal', async () => /ErrImageNeverPull/.test(await kubectl('get', 'pod', 'neverpull', '--no-headers')));
    await kubectl('delete', 'pod', 'noimage', 'neverpull', '--now');
  });

  test('security contexts: user, groups, capabilities, a read-only root, no new privileges', async () => {
    await pod('secure', `restartPolicy: Never
securityContext: {runAsUser: 1234, runAsGroup: 55, supplementalGroups: [77], fsGroup: 88}
containers:
  - name: main
    image: bb
    command: [sh, -c, 'id; touch /x 2>&1; grep -E "CapEff|NoNewPrivs" /proc/self/status; ls -ldn /d; touch /d/f && stat -c %g /d/f']
    securityContext: {readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: d, mountPath: /d}]
volumes: [{name: d, emptyDir: {}}]`);
    await pod('root', 'restartPolicy: Never\ncontainers: [{name: main, image: bb, command: [id], securityContext: {runAsNonRoot: true}}]');
    await ended('secure');
    const said = await logs('secure');
    assert.match(said, /uid=1234 gid=55 groups=[^\n]*77/);
    assert.match(said, /touch: \/x: Read-only file system/);
    assert.match(said, /CapEff:\t0{16}\n/);
    assert.match(said, /NoNewPrivs:\t1/);
    assert.match(said, /\n88$/, 'files in volumes are the group’s');
    await until('the refusal', async () => /CreateContainerConfigError/.test(await kubectl('get', 'pod', 'root', '--no-headers')));
    assert.match(await field('root', '.status.containerStatuses[0].state.waiting.message'), /container has runAsNonRoot and image will run as root/);
    await kubectl('delete', 'pod', 'secure', 'root', '--now');
  });

  test('a pod may be deleted at any moment of its start', async () => {
    const names = Array.from({ length: 6 }, (_, i) => `brief-${i}`);
    await Promise.all(names.map(async (name, i) => {
      await pod(name, 'containers: [{name: main, image: bb, command: [sleep, "1000"]}]');
      await until('its turn', async () => (await kubectl('get', 'pod', name, '--no-headers')) !== '', 5);
      await kubectl('delete', 'pod', name, ...(i % 2 === 0 ? ['--now'] : ['--grace-period=0', '--force']));
    }));
    await until('all to be gone', async () => (await kubectl('get', 'pods', '-o', 'name')).includes('brief') === false);
  });

  test('a namespace takes all that is in it', async () => {
    await kubectl('create', 'namespace', 'going');
    await kubectl('create', '-n', 'going', 'deployment', 'd', '--image=bb', '--replicas=2', '--', 'sh', '-c', 'trap "exit 0" TERM; while true; do sleep 0.1; done');
    await kubectl('create', '-n', 'going', 'configmap', 'c');
    await kubectl('expose', '-n', 'going', 'deployment', 'd', '--port=80');
    await kubectl('rollout', 'status', '-n', 'going', 'deploy/d', '--timeout=30s');
    await kubectl('delete', 'namespace', 'going', '--timeout=60s');
    assert.equal(await kubectl('get', 'all,cm,sa,endpointslices', '-n', 'going', '-o', 'name'), '');
    assert.match((await daemon.kubectl('create', '-n', 'going', 'configmap', 'late')).stderr, /namespaces "going" not found/);
  });

  test('what the cluster needs comes back when it is deleted', async () => {
    const uid = await kubectl('get', 'svc', 'kubernetes', '-o', 'jsonpath={.metadata.uid} {.spec.clusterIP}');
    await kubectl('create', 'namespace', 'kept');
    await until('its account', async () => (await daemon.kubectl('get', '-n', 'kept', 'sa', 'default')).code === 0);
    await kubectl('delete', '-n', 'kept', 'sa/default', 'cm/kube-root-ca.crt');
    await until('both', async () => (await daemon.kubectl('get', '-n', 'kept', 'sa/default', 'cm/kube-root-ca.crt')).code === 0);
    await kubectl('delete', 'svc', 'kubernetes');
    await until('the Service', async () => (await daemon.kubectl('get', 'svc', 'kubernetes')).code === 0);
    const again = await kubectl('get', 'svc', 'kubernetes', '-o', 'jsonpath={.metadata.uid} {.spec.clusterIP}');
    assert.notEqual(again, uid);
    assert.equal(again.split(' ')[1], uid.split(' ')[1]);
    assert.match(await kubectl('get', 'endpoints', 'kubernetes', '--no-headers'), /:\d+ /);
    await kubectl('delete', 'namespace', 'kept', '--wait=false');
  });

  test('what an owner owned goes after it, and what has another owner stays', async () => {
    const owned = async (name: string, ...owners: string[]): Promise<void> => {
      const references = await Promise.all(owners.map(async (owner) => `{apiVersion: v1, kind: ConfigMap, name: ${owner}, uid: ${await kubectl('get', 'cm', owner, '-o', 'jsonpath={.metadata.uid}')}}`));
      await apply(`apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}, ownerReferences: [${references.join(', ')}]}\n`);
    };
    await kubectl('create', 'configmap', 'owner');
    await kubectl('create', 'configmap', 'second');
    await owned('one', 'owner');
    await owned('both', 'owner', 'second');
    await owned('grandchild', 'one');
    await kubectl('delete', 'configmap', 'owner');
    await until('those to go', async () => !/configmap\/(one|grandchild)$/m.test(await kubectl('get', 'cm', '-o', 'name')));
    assert.match(await kubectl('get', 'cm', '-o', 'name'), /configmap\/both/);
  });
});
