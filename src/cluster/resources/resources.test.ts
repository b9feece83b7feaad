import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJson } from '#api/kube/decode.ts';
import { fieldErrorText } from '#api/kube/field-errors.ts';
import { findMessage } from '#api/kube/schema.ts';
import type { Deployment, Event, KubeObject, Node, Pod, Secret, Service } from '#api/kube/types.ts';
import { deployments } from './apps/deployment.ts';
import { events } from './core/event.ts';
import { namespaces } from './core/namespace.ts';
import { nodes } from './core/node.ts';
import { pods } from './core/pod.ts';
import { secrets } from './core/secret.ts';
import { services } from './core/service.ts';
import { eventsEvents } from './events/event.ts';
import { resources } from './index.ts';
import type { Resource } from './types.ts';

const now = Date.UTC(2026, 0, 1, 1, 0, 0);
const created = '2026-01-01T00:00:00Z';

/** As the server makes it of a client's body, before it is stored. */
function create<T extends KubeObject>(resource: Resource<T>, body: object): T {
  const object = decodeJson(JSON.stringify(body), resource).object as T;
  resource.defaults(object);
  resource.prepareForCreate(object);
  return object;
}

function errorsOf<T extends KubeObject>(resource: Resource<T>, body: object): string[] {
  return resource.validate(create(resource, body)).map(fieldErrorText);
}

function podWith(spec: object, status: object = {}, metadata: object = {}): Pod {
  const pod = create(pods, { metadata: { name: 'p', namespace: 'default', ...metadata }, spec: { containers: [{ name: 'c', image: 'nginx' }], ...spec } });
  pod.status = status;
  return pod;
}

test('every resource has a message, one name per column of its row, and its verbs', () => {
  for (const resource of resources) {
    assert.ok(findMessage(resource.message)?.isKind, resource.message);
    const empty = decodeJson('{}', resource).object;
    const object = { ...empty, involvedObject: {}, regarding: {}, roleRef: {}, addressType: 'IPv4' } as KubeObject;
    if (resource.kind === 'Deployment') (object as Deployment).spec.template = {};
    assert.equal(resource.row(object, { now }).length, resource.columns.length, resource.plural);
  }
  assert.equal(new Set(resources.map((r) => `${r.group}/${r.plural}`)).size, resources.length);
});

test('a pod is given what it leaves out', () => {
  const pod = create(pods, {
    metadata: { name: 'p', namespace: 'default', generation: 7 },
    spec: {
      containers: [{ name: 'c', image: 'nginx', ports: [{ containerPort: 80 }], livenessProbe: { httpGet: { port: 80 } }, resources: { limits: { cpu: '1' } } }],
      volumes: [{ name: 'scratch' }, { name: 'cfg', configMap: { name: 'm' } }],
    },
    status: { phase: 'Running' },
  });
  assert.deepEqual(pod.status, { phase: 'Pending', qosClass: 'Burstable' });
  assert.equal(pod.metadata.generation, 1);
  assert.equal(pod.spec.restartPolicy, 'Always');
  assert.equal(pod.spec.terminationGracePeriodSeconds, 30);
  assert.equal(pod.spec.enableServiceLinks, true);
  const [container] = pod.spec.containers;
  assert.equal(container?.imagePullPolicy, 'Always');
  assert.deepEqual(container?.ports, [{ containerPort: 80, protocol: 'TCP' }]);
  assert.deepEqual(container?.resources, { limits: { cpu: '1' }, requests: { cpu: '1' } });
  assert.deepEqual(container?.livenessProbe, {
    httpGet: { port: 80, path: '/', scheme: 'HTTP' }, timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3,
  });
  assert.deepEqual(pod.spec.volumes, [{ name: 'scratch', emptyDir: {} }, { name: 'cfg', configMap: { name: 'm', defaultMode: 420 } }]);
});

test('the quality of service is told by amounts, not by how they are written', () => {
  const qos = (limits: object, requests: object): string | undefined =>
    create(pods, { metadata: { name: 'p', namespace: 'default' }, spec: { containers: [{ name: 'c', image: 'i', resources: { limits, requests } }] } }).status?.qosClass;
  assert.equal(qos({ cpu: '1', memory: '1Gi' }, { cpu: '1000m', memory: '1024Mi' }), 'Guaranteed');
  assert.equal(qos({ cpu: '1', memory: '1Gi' }, { cpu: '999m' }), 'Burstable');
  assert.equal(qos({ cpu: '0.0' }, {}), 'BestEffort');
});

test('an image with a tag or a digest is pulled only when it is not there', () => {
  for (const [image, policy] of [['a:5000/b', 'Always'], ['a:1', 'IfNotPresent'], ['a@sha256:0', 'IfNotPresent'], ['a:latest', 'Always']] as const) {
    const pod = podWith({ containers: [{ name: 'c', image }] });
    assert.equal(pod.spec.containers[0]?.imagePullPolicy, policy, image);
  }
});

test('defaults are the same when they run twice', () => {
  const pod = podWith({});
  const again = structuredClone(pod);
  pods.defaults(again);
  assert.deepEqual(again, pod);
});

test('what is wrong with a pod is told by path', () => {
  assert.deepEqual(errorsOf(pods, { metadata: { name: 'Bad_Name', namespace: 'default' }, spec: {} }), [
    'metadata.name: Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, \'-\' or \'.\', and must start and end with an alphanumeric character (e.g. \'example.com\', regex used for validation is \'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\')',
    'spec.containers: Required value',
  ]);
  const spec = {
    containers: [
      { name: 'a', image: 'x', volumeMounts: [{ name: 'nope', mountPath: '/x' }], resources: { limits: { cpu: '500m' }, requests: { cpu: '1' } } },
      { name: 'a' },
    ],
    restartPolicy: 'Sometimes',
  };
  assert.deepEqual(errorsOf(pods, { metadata: { name: 'p', namespace: 'default' }, spec }), [
    'spec.containers[0].volumeMounts[0].name: Not found: "nope"',
    'spec.containers[0].resources.requests[cpu]: Invalid value: "1": must be less than or equal to cpu limit of 500m',
    'spec.containers[1].image: Required value',
    'spec.containers[1].name: Duplicate value: "a"',
    'spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"',
  ]);
});

test('what is hardly meant is warned of', () => {
  const env = [{ name: 'A', value: '1' }, { name: 'A', value: '2' }];
  const ports = [{ containerPort: 80 }, { containerPort: 80, name: 'http' }];
  const pod = create(pods, { metadata: { name: 'a.b', namespace: 'default' }, spec: { containers: [{ name: 'c', image: 'x', env, ports }] } });
  assert.deepEqual(pods.warnings(pod), [
    "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [must not contain dots]",
    'spec.containers[0].env[1]: hides previous definition of "A", which may be dropped when using apply',
    'spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]',
  ]);
  assert.deepEqual(pods.validate(pod), []);
});

test('what a pod may not say of its confinement and its place is refused', () => {
  const spec = {
    containers: [{ name: 'a', image: 'x', securityContext: { privileged: true, allowPrivilegeEscalation: false, runAsUser: -1 } }],
    securityContext: { seccompProfile: { type: 'Localhost' }, sysctls: [{ name: 'Bad' }] },
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'In' }] }] } } },
    topologySpreadConstraints: [{ maxSkew: 0, topologyKey: 'zone', whenUnsatisfiable: 'Maybe' }],
    hostAliases: [{ ip: 'x', hostnames: ['h'] }],
  };
  const paths = create(pods, { metadata: { name: 'p', namespace: 'default' }, spec });
  assert.deepEqual(pods.validate(paths).map(({ type, path }) => `${type} ${path}`), [
    'Invalid spec.containers[0].securityContext.runAsUser',
    'Invalid spec.containers[0].securityContext',
    'Required spec.securityContext.seccompProfile.localhostProfile',
    'Invalid spec.securityContext.sysctls[0].name',
    'Required spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values',
    'Invalid spec.topologySpreadConstraints[0].maxSkew',
    'NotSupported spec.topologySpreadConstraints[0].whenUnsatisfiable',
    'Invalid spec.hostAliases[0].ip',
  ]);
});

test("of a pod's spec only images and a few more change", () => {
  const old = podWith({});
  const image = structuredClone(old);
  if (image.spec.containers[0] !== undefined) image.spec.containers[0].image = 'nginx:2';
  pods.prepareForUpdate(image, old);
  assert.deepEqual(pods.validateUpdate(image, old), []);
  assert.equal(image.metadata.generation, 2);
  const renamed = structuredClone(old);
  renamed.spec.hostname = 'other';
  assert.match(pods.validateUpdate(renamed, old).map(fieldErrorText).join(), /^spec: Forbidden: pod updates may not change fields other than/);
});

test('an update keeps the status, and the status door keeps the rest', () => {
  const old = podWith({}, { phase: 'Running' }, { uid: 'u' });
  const update = structuredClone(old);
  update.status = { phase: 'Failed' };
  pods.prepareForUpdate(update, old);
  assert.deepEqual(update.status, { phase: 'Running' });
  const door = pods.subresources.find((s) => s.name === 'status');
  assert.ok(door?.type === 'object');
  const report = structuredClone(old);
  report.status = { phase: 'Failed' };
  report.spec.hostname = 'other';
  report.metadata.annotations = { a: 'b' };
  door.prepareForUpdate(report, old);
  assert.deepEqual(report.spec, old.spec);
  assert.deepEqual([report.status.phase, report.metadata.annotations], ['Failed', { a: 'b' }]);
});

test('an update that changes nothing is the same object', () => {
  const samples: [Resource, object][] = [
    [pods, { metadata: { name: 'p', namespace: 'default' }, spec: { containers: [{ name: 'c', image: 'x' }] } }],
    [deployments, deployment({})],
    [namespaces, { metadata: { name: 'n' } }],
    [services, { metadata: { name: 's', namespace: 'default' }, spec: { ports: [{ port: 1 }] } }],
  ];
  for (const [resource, body] of samples) {
    const old = create(resource, body);
    const doors = resource.subresources.flatMap((door) => (door.type === 'object' ? [door] : []));
    for (const door of [resource, ...doors]) {
      const update = structuredClone(old);
      resource.defaults(update);
      door.prepareForUpdate(update, old);
      assert.deepStrictEqual(update, old, `${resource.plural} ${'name' in door ? door.name : ''}`);
    }
  }
});

test("a pod's status is one word, as kubectl shows it", () => {
  const running = { state: { running: { startedAt: created } }, ready: true, name: 'c', restartCount: 0, image: '', imageID: '' };
  const cells = (pod: Pod): unknown[] => pods.row({ ...pod, metadata: { ...pod.metadata, creationTimestamp: created } }, { now }).slice(1, 5);
  assert.deepEqual(cells(podWith({}, { phase: 'Pending' })), ['0/1', 'Pending', '0', '60m']);
  assert.deepEqual(cells(podWith({}, { phase: 'Running', containerStatuses: [running] })), ['1/1', 'Running', '0', '60m']);
  const waiting = { ...running, ready: false, restartCount: 3, state: { waiting: { reason: 'CrashLoopBackOff' } }, lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:59:55Z' } } };
  assert.deepEqual(cells(podWith({}, { phase: 'Running', containerStatuses: [waiting] })), ['0/1', 'CrashLoopBackOff', '3 (5s ago)', '60m']);
  const init = { initContainers: [{ name: 'i', image: 'x' }, { name: 'j', image: 'x' }] };
  const initStatus = [{ ...running, name: 'i', state: { terminated: { exitCode: 0 } } }, { ...running, name: 'j', ready: false }];
  assert.deepEqual(cells(podWith(init, { phase: 'Pending', initContainerStatuses: initStatus })), ['0/1', 'Init:1/2', '0', '60m']);
  const done = { ...running, ready: false, state: { terminated: { exitCode: 0, reason: 'Completed' } } };
  assert.deepEqual(cells(podWith({}, { phase: 'Succeeded', containerStatuses: [done] })), ['0/1', 'Completed', '0', '60m']);
  const going = podWith({}, { phase: 'Running', containerStatuses: [running] }, { deletionTimestamp: created });
  assert.deepEqual(cells(going), ['1/1', 'Terminating', '0', '60m']);
});

function deployment(spec: object): object {
  const template = { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'c', image: 'nginx:1' }] } };
  return { metadata: { name: 'web', namespace: 'default' }, spec: { selector: { matchLabels: { app: 'web' } }, template, ...spec } };
}

test('a deployment is given a rolling update, and its selector must match and stay', () => {
  const web = create(deployments, deployment({}));
  assert.deepEqual(web.spec.strategy, { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '25%', maxSurge: '25%' } });
  assert.deepEqual([web.spec.replicas, web.spec.revisionHistoryLimit, web.spec.progressDeadlineSeconds], [1, 10, 600]);
  assert.equal(web.spec.template.spec?.dnsPolicy, 'ClusterFirst');
  assert.equal(web.spec.template.spec?.enableServiceLinks, undefined);
  assert.deepEqual(errorsOf(deployments, deployment({ selector: { matchLabels: { app: 'other' } } })), [
    'spec.template.metadata.labels: Invalid value: {"app":"web"}: `selector` does not match template `labels`',
  ]);
  assert.deepEqual(errorsOf(deployments, deployment({ replicas: -1 })), ['spec.replicas: Invalid value: -1: must be greater than or equal to 0']);
  const moved = structuredClone(web);
  moved.spec.selector = { matchLabels: { app: 'web', x: 'y' } };
  assert.ok(deployments.validateUpdate(moved, web).map(fieldErrorText).some((text) => text.startsWith('spec.selector: Invalid value') && text.endsWith('field is immutable')));
});

test('a service is given its ports in full, and shows them', () => {
  const service = create(services, { metadata: { name: 's', namespace: 'default' }, spec: { type: 'NodePort', ports: [{ port: 80, nodePort: 30080 }], selector: { app: 'web' } } });
  assert.deepEqual(service.spec.ports, [{ port: 80, nodePort: 30080, protocol: 'TCP', targetPort: 80 }]);
  assert.deepEqual([service.spec.sessionAffinity, service.spec.internalTrafficPolicy, service.spec.externalTrafficPolicy], ['None', 'Cluster', 'Cluster']);
  service.spec.clusterIP = '10.96.0.9';
  service.metadata.creationTimestamp = created;
  assert.deepEqual(services.row(service, { now }), ['s', 'NodePort', '10.96.0.9', '<none>', '80:30080/TCP', '60m', 'app=web']);
  assert.deepEqual(errorsOf(services, { metadata: { name: '1s', namespace: 'default' }, spec: { ports: [{ port: 0 }] } }).map((text) => text.split(':')[0]), [
    'metadata.name', 'spec.ports[0].port', 'spec.ports[0].targetPort',
  ]);
  const moved: Service = structuredClone(service);
  service.spec.clusterIPs = ['10.96.0.9'];
  moved.spec.clusterIPs = ['10.96.0.10'];
  moved.spec.clusterIP = '10.96.0.10';
  assert.match(services.validateUpdate(moved, service).map(fieldErrorText).join(), /spec\.clusterIPs\[0\]: Invalid value: \["10\.96\.0\.10"\]: may not change once set/);
});

test('a service that changes its type loses what only the old type had', () => {
  const old = create(services, { metadata: { name: 's', namespace: 'default' }, spec: { type: 'NodePort', clusterIP: '10.96.0.9', ports: [{ port: 80, nodePort: 30080 }] } });
  assert.deepEqual(old.spec.clusterIPs, ['10.96.0.9']);
  const inside = structuredClone(old);
  inside.spec.type = 'ClusterIP';
  services.prepareForUpdate(inside, old);
  assert.deepEqual([inside.spec.ports?.[0]?.nodePort, inside.spec.externalTrafficPolicy, inside.spec.clusterIP], [undefined, undefined, '10.96.0.9']);
  assert.deepEqual(services.validateUpdate(inside, old), []);
  const away = structuredClone(old);
  Object.assign(away.spec, { type: 'ExternalName', externalName: 'example.com' });
  services.prepareForUpdate(away, old);
  assert.deepEqual([away.spec.clusterIP, away.spec.clusterIPs], [undefined, undefined]);
  assert.deepEqual(services.validateUpdate(away, old), []);
});

test('texts of a secret become data, and its type stays', () => {
  const secret: Secret = create(secrets, { metadata: { name: 's', namespace: 'default' }, stringData: { a: 'b' } });
  assert.deepEqual([secret.data, secret.stringData, secret.type], [{ a: 'Yg==' }, undefined, 'Opaque']);
  assert.deepEqual(errorsOf(secrets, { metadata: { name: 's', namespace: 'default' }, type: 'kubernetes.io/tls' }), [
    'data[tls.crt]: Required value', 'data[tls.key]: Required value',
  ]);
});

test('a namespace carries its name as a label, and the finalizer that empties it', () => {
  const namespace = create(namespaces, { metadata: { name: 'team' } });
  assert.deepEqual(namespace.metadata.labels, { 'kubernetes.io/metadata.name': 'team' });
  assert.deepEqual([namespace.spec.finalizers, namespace.status], [['kubernetes'], { phase: 'Active' }]);
});

test('a node shows its roles and whether it takes pods', () => {
  const node: Node = {
    apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', labels: { 'node-role.kubernetes.io/control-plane': '' }, creationTimestamp: created },
    spec: { unschedulable: true }, status: { conditions: [{ type: 'Ready', status: 'True' }] },
  };
  assert.deepEqual(nodes.row(node, { now }).slice(0, 4), ['n', 'Ready,SchedulingDisabled', 'control-plane', '60m']);
});

test('an event is the same fact in both of its kinds', () => {
  const event: Event = {
    apiVersion: 'v1', kind: 'Event', metadata: { name: 'e', namespace: 'default' }, involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' },
    reason: 'Started', message: 'Started container', type: 'Normal', source: { component: 'kubelet' }, firstTimestamp: created, lastTimestamp: created, count: 2,
  };
  const shown = eventsEvents.convert?.fromStored(event);
  assert.ok(shown !== undefined);
  assert.deepEqual([shown.apiVersion, shown.note, shown.regarding?.name, shown.deprecatedCount], ['events.k8s.io/v1', 'Started container', 'p', 2]);
  assert.deepEqual(eventsEvents.convert?.toStored(shown), event);
  assert.deepEqual(events.row(event, { now }), ['60m', 'Normal', 'Started', 'pod/p', '', 'kubelet', 'Started container', '60m', 2, 'e']);
});
