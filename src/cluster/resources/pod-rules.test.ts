/** What a pod may say, in the words that kubectl shows. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeJson } from '#api/kube/decode.ts';
import { fieldErrorText } from '#api/kube/field-errors.ts';
import type { Container, Deployment, KubeObject, Pod, PodSpec } from '#api/kube/types.ts';
import { deployments } from './apps/deployment.ts';
import { pods } from './core/pod.ts';
import { services } from './core/service.ts';
import type { ObjectSubresource, Resource } from './types.ts';

function create<T extends KubeObject>(resource: Resource<T>, body: object): T {
  const object = decodeJson(JSON.stringify({ metadata: { name: 'x', namespace: 'default' }, ...body }), resource).object as T;
  resource.defaults(object);
  resource.prepareForCreate(object);
  return object;
}

const podOf = (spec: object, container: object = {}): Pod => create(pods, { spec: { containers: [{ name: 'c', image: 'i:1', ...container }], ...spec } });
const errorsOf = (spec: Partial<PodSpec>, container: Partial<Container> = {}): string[] => pods.validate(podOf(spec, container)).map(fieldErrorText);
const absent = 'Forbidden: is not supported by this cluster';

test('what no node can do is refused by its name, in pods and in templates', () => {
  const cases: [path: string, spec: object, container?: object][] = [
    ['spec.runtimeClassName', { runtimeClassName: 'gvisor' }],
    ['spec.shareProcessNamespace', { shareProcessNamespace: true }],
    ['spec.hostnameOverride', { hostnameOverride: 'other' }],
    ['spec.resources', { resources: { limits: { cpu: '1' } } }],
    ['spec.overhead', { overhead: { cpu: '1' } }],
    ['spec.resourceClaims', { resourceClaims: [{ name: 'gpu' }] }],
    ['spec.securityContext.seLinuxOptions', { securityContext: { seLinuxOptions: { level: 's0' } } }],
    ['spec.securityContext.appArmorProfile.localhostProfile', { securityContext: { appArmorProfile: { type: 'Localhost', localhostProfile: 'a' } } }],
    ['spec.volumes[0].persistentVolumeClaim', { volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'c' } }] }],
    ['spec.volumes[0].nfs', { volumes: [{ name: 'v', nfs: { server: 's', path: '/' } }] }],
    ['spec.volumes[0].projected.sources[0].clusterTrustBundle', { volumes: [{ name: 'v', projected: { sources: [{ clusterTrustBundle: { path: 'p' } }] } }] }],
    ['spec.containers[0].volumeDevices', {}, { volumeDevices: [{ name: 'd', devicePath: '/dev/x' }] }],
    ['spec.containers[0].resources.claims', {}, { resources: { claims: [{ name: 'gpu' }] } }],
    ['spec.containers[0].volumeMounts[0].recursiveReadOnly', { volumes: [{ name: 'v' }] }, { volumeMounts: [{ name: 'v', mountPath: '/v', readOnly: true, recursiveReadOnly: 'Enabled' }] }],
    ['spec.containers[0].env[0].valueFrom.fileKeyRef', {}, { env: [{ name: 'A', valueFrom: { fileKeyRef: { volumeName: 'v', path: 'p', key: 'k' } } }] }],
    ['spec.containers[0].ports[0].hostPort', {}, { ports: [{ containerPort: 1, hostPort: 1, protocol: 'SCTP' }] }],
  ];
  for (const [path, spec, container] of cases) assert.deepEqual(errorsOf(spec, container), [`${path}: ${absent}`], path);
  assert.deepEqual(errorsOf({ hostUsers: false }), ['spec.hostUsers: Forbidden: user namespaces are not supported by this cluster']);
  assert.deepEqual(errorsOf({ volumes: [{ name: 'v', emptyDir: { medium: 'HugePages' } }] }), [
    'spec.volumes[0].emptyDir.medium: Unsupported value: "HugePages": supported values: "", "Memory"',
  ]);
  const template = { metadata: { labels: { a: 'b' } }, spec: { shareProcessNamespace: true, activeDeadlineSeconds: 1, containers: [{ name: 'c', image: 'i' }] } };
  const deployment = create<Deployment>(deployments, { spec: { selector: { matchLabels: { a: 'b' } }, template } });
  assert.deepEqual(deployments.validate(deployment).map(fieldErrorText), [
    `spec.template.spec.shareProcessNamespace: ${absent}`,
    'spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicaSet is not Supported',
  ]);
});

test('what charts say as a matter of course passes', () => {
  const context = { seccompProfile: { type: 'RuntimeDefault' }, appArmorProfile: { type: 'RuntimeDefault' }, runAsNonRoot: true, fsGroup: 1, fsGroupChangePolicy: 'OnRootMismatch', supplementalGroupsPolicy: 'Merge' };
  const spec = { hostUsers: true, shareProcessNamespace: false, runtimeClassName: '', overhead: {}, resourceClaims: [], os: { name: 'linux' }, securityContext: context };
  assert.deepEqual(errorsOf(spec, { resources: { claims: [] }, volumeDevices: [], volumeMounts: [] }), []);
});

test('fields of a pod in variables and files', () => {
  const env = (fieldPath: string): Partial<Container> => ({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath } } }] });
  const at = 'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath';
  assert.deepEqual(errorsOf({}, env("metadata.labels['app.kubernetes.io/name']")), []);
  assert.deepEqual(errorsOf({}, env('status.podIPs')), []);
  assert.deepEqual(errorsOf({}, env('spec.nothing')), [`${at}: Invalid value: "spec.nothing": error converting fieldPath: field label not supported: spec.nothing`]);
  assert.match(errorsOf({}, env('status.phase')).join(), /^spec.containers\[0\].env\[0\].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: "metadata.name", /);
  const files = (items: object[]): Partial<PodSpec> => ({ volumes: [{ name: 'v', downwardAPI: { items } }] }) as Partial<PodSpec>;
  assert.deepEqual(errorsOf(files([{ path: 'a', fieldRef: { fieldPath: 'metadata.labels' } }, { path: 'b', resourceFieldRef: { containerName: 'c', resource: 'limits.cpu' } }])), []);
  assert.deepEqual(errorsOf(files([{ path: '../a', fieldRef: { fieldPath: 'metadata.name' } }, { path: 'b', resourceFieldRef: { resource: 'limits.disk' } }, { path: 'c' }])), [
    'spec.volumes[0].downwardAPI.items[0].path: Invalid value: "../a": must not contain \'..\'',
    'spec.volumes[0].downwardAPI.items[1].resourceFieldRef.containerName: Required value',
    'spec.volumes[0].downwardAPI.items[1].resourceFieldRef.resource: Unsupported value: "limits.disk": supported values: "limits.cpu", "limits.ephemeral-storage", "limits.memory", "requests.cpu", "requests.ephemeral-storage", "requests.memory"',
    'spec.volumes[0].downwardAPI.items[2]: Required value: one of `fieldRef` and `resourceFieldRef` is required',
  ]);
  assert.deepEqual(errorsOf({ volumes: [{ name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 10 } }] } }] }), [
    'spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes',
  ]);
});

test('probes, hooks, restarts and mounts', () => {
  const exec = { command: ['true'] };
  const at = 'spec.containers[0]';
  assert.deepEqual(errorsOf({}, { readinessProbe: { exec, terminationGracePeriodSeconds: 5 }, livenessProbe: { exec, terminationGracePeriodSeconds: 0 } }), [
    `${at}.livenessProbe.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0`,
    `${at}.readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes`,
  ]);
  assert.deepEqual(errorsOf({ terminationGracePeriodSeconds: 5 }, { lifecycle: { preStop: { sleep: { seconds: 6 } } } }), [
    `${at}.lifecycle.preStop.sleep: Invalid value: 6: must be non-negative and less than terminationGracePeriodSeconds (5)`,
  ]);
  assert.deepEqual(errorsOf({}, { lifecycle: { stopSignal: 'SIGUSR1' } }), [`${at}.lifecycle.stopSignal: Forbidden: may not be set for containers with empty \`spec.os.name\``]);
  assert.deepEqual(errorsOf({ os: { name: 'linux' } }, { lifecycle: { stopSignal: 'SIGUSR1' } }), []);
  assert.deepEqual(errorsOf({}, { restartPolicy: 'Sometimes' }), [`${at}.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"`]);
  const rule = { action: 'Restart', exitCodes: { operator: 'In', values: [42] } };
  assert.deepEqual(errorsOf({}, { restartPolicy: 'Never', restartPolicyRules: [rule] }), []);
  assert.deepEqual(errorsOf({}, { restartPolicyRules: [{ ...rule, action: 'RestartAllContainers' }] }), [
    `${at}.restartPolicy: Required value: must specify restartPolicy when restart rules are used`,
    `${at}.restartPolicyRules[0].action: ${absent}`,
  ]);
  const mount = { volumes: [{ name: 'v' }] };
  const shared = { name: 'v', mountPath: '/v', mountPropagation: 'Bidirectional' };
  assert.deepEqual(errorsOf(mount, { volumeMounts: [shared] }), [
    `${at}.volumeMounts[0].mountPropagation: Forbidden: Bidirectional mount propagation is available only to privileged containers`,
  ]);
  assert.deepEqual(errorsOf(mount, { volumeMounts: [shared], securityContext: { privileged: true } }), []);
});

test('a pod that is there cannot be resized, nor gated again', () => {
  const old = podOf({ schedulingGates: [{ name: 'a.b/c' }] });
  const gated = structuredClone(old);
  gated.spec.schedulingGates = [{ name: 'a.b/d' }];
  assert.deepEqual(pods.validateUpdate(gated, old).map(fieldErrorText), ["spec.schedulingGates[0]: Forbidden: only deletion is allowed, but found new scheduling gate 'a.b/d'"]);
  gated.spec.schedulingGates = [];
  assert.deepEqual(pods.validateUpdate(gated, old), []);
  const door = pods.subresources.find(({ name }) => name === 'resize') as ObjectSubresource<Pod>;
  const resized = structuredClone(old);
  resized.spec.containers[0]!.resources = { limits: { cpu: '2' } };
  door.prepareForUpdate(resized, old);
  assert.match(door.validateUpdate(resized, old).map(fieldErrorText).join(), /^spec.containers\[\*\].resources: Forbidden: pod resize is not supported/);
});

test('a service promises nothing that the proxy does not keep', () => {
  const of = (spec: object): string[] => services.validate(create(services, { spec: { ports: [{ port: 80 }], ...spec } })).map(fieldErrorText);
  assert.deepEqual(of({ type: 'LoadBalancer', loadBalancerSourceRanges: ['10.0.0.0/8'] }), [`spec.loadBalancerSourceRanges: ${absent}`]);
  assert.deepEqual(of({ type: 'LoadBalancer', loadBalancerSourceRanges: [], loadBalancerIP: '1.2.3.4' }), []);
  assert.deepEqual(of({ healthCheckNodePort: 31_000 }), [
    "spec.healthCheckNodePort: Invalid value: 31000: may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
  ]);
  assert.deepEqual(of({ trafficDistribution: 'PreferClose', internalTrafficPolicy: 'Local' }), []);
  assert.deepEqual(of({ trafficDistribution: 'Near' }), ['spec.trafficDistribution: Unsupported value: "Near": supported values: "PreferClose", "PreferSameNode", "PreferSameZone"']);
});
