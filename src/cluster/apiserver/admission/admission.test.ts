import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClusterRole, KubeObject, Pod, Service } from '#api/kube/types.ts';
import { clusterRoleBindings, clusterRoles, events, nodes, pods, roleBindings, secrets, serviceAccounts, services } from '#client/kube/resources.ts';
import { VirtualClock } from '#lib/clock-virtual.ts';
import { isFault } from '#lib/errors.ts';
import { pod, startTestServer } from '../testing.ts';
import { podTokenSeconds } from './service-account.ts';

function service(name: string, spec: object): KubeObject {
  return { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'default' }, spec: { ports: [{ port: 80 }], ...spec } };
}

function account(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: 'default' } };
}

const at = { namespace: 'default' };

void test('no address and no node port is given out twice, and both come back with their service', async (t) => {
  const { admin } = await startTestServer(t);
  const names = Array.from({ length: 12 }, (_, i) => `s${i}`);
  const made = (await Promise.all(names.map((name) => admin.create(services, service(name, { type: 'NodePort' }))))) as unknown as Service[];
  assert.equal(new Set(made.map(({ spec }) => spec.clusterIP)).size, names.length);
  assert.equal(new Set(made.map(({ spec }) => spec.ports?.[0]?.nodePort)).size, names.length);
  const [first] = made;
  const { clusterIP } = first?.spec ?? {};
  const nodePort = first?.spec.ports?.[0]?.nodePort;
  await assert.rejects(admin.create(services, service('same', { clusterIP })), /spec.clusterIPs: Invalid value: \["[\d.]+"\]: failed to allocate IP [\d.]+: provided IP is already allocated/);
  await assert.rejects(
    admin.create(services, service('same', { type: 'NodePort', ports: [{ port: 80, nodePort }] })),
    /spec.ports\[0\].nodePort: Invalid value: \d+: provided port is already allocated/,
  );
  await assert.rejects(admin.create(services, service('far', { clusterIP: '10.1.2.3' })), /does not match the current range/);
  const kept = (await admin.update<KubeObject>(services, service('s0', { type: 'NodePort', selector: { a: 'b' } }))) as unknown as Service;
  assert.deepEqual([kept.spec.clusterIP, kept.spec.ports?.[0]?.nodePort], [clusterIP, nodePort]);
  const other = { type: 'merge' as const, body: { spec: { clusterIP: '10.96.200.200', clusterIPs: ['10.96.200.200'] } } };
  await assert.rejects(admin.patch(services, 's0', other, at), /Service "s0" is invalid: spec.clusterIPs\[0\]: Invalid value: \["10.96.200.200"\]: may not change once set/);
  await admin.delete(services, 's0', at);
  const again = (await admin.create(services, service('again', { type: 'NodePort', clusterIP, ports: [{ port: 80, nodePort }] }))) as unknown as Service;
  assert.equal(again.spec.clusterIP, clusterIP);
  await assert.rejects(admin.create(services, service('six', { ipFamilies: ['IPv6'] })), /Service "six" is invalid: spec.ipFamilies\[0\]: Invalid value: "IPv6": not configured on this cluster/);
  await assert.rejects(admin.create(services, service('both', { ipFamilyPolicy: 'RequireDualStack' })), /this cluster is not configured for dual-stack services/);
  const rather = (await admin.create(services, service('rather', { ipFamilyPolicy: 'PreferDualStack' }))) as unknown as Service;
  assert.deepEqual([rather.spec.ipFamilies, rather.spec.ipFamilyPolicy], [['IPv4'], 'PreferDualStack']);
  const headless = (await admin.create(services, service('headless', { clusterIP: 'None' }))) as unknown as Service;
  assert.deepEqual(headless.spec.clusterIPs, ['None']);
});

void test('a pod gets a service account that exists, its token, tolerations and a priority', async (t) => {
  const { admin } = await startTestServer(t);
  await admin.create(serviceAccounts, account('robot'));
  const spec = { serviceAccountName: 'robot', automountServiceAccountToken: undefined };
  const made = (await admin.create(pods, pod('p', spec))) as unknown as Pod;
  const [volume] = made.spec.volumes ?? [];
  assert.match(volume?.name ?? '', /^kube-api-access-[a-z0-9]{5}$/);
  assert.deepEqual(made.spec.containers[0]?.volumeMounts, [{ name: volume?.name, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }]);
  assert.deepEqual(made.spec.tolerations?.map(({ key, tolerationSeconds }) => [key, tolerationSeconds]), [
    ['node.kubernetes.io/not-ready', 300], ['node.kubernetes.io/unreachable', 300],
  ]);
  assert.equal(made.spec.priority, 0);
  await assert.rejects(
    admin.create(pods, pod('q', { serviceAccountName: 'none' })),
    /pods "q" is forbidden: error looking up service account default\/none: serviceaccount "none" not found/,
  );
  await assert.rejects(admin.create(pods, pod('r', { ...spec, priorityClassName: 'none' })), /no PriorityClass with name none was found/);
});

void test('a pod gets the priority of its class, or of the class that is everybody’s', async (t) => {
  const { admin } = await startTestServer(t);
  const classes = { group: 'scheduling.k8s.io', version: 'v1', resource: 'priorityclasses' };
  const named = (name: string, value: number, more: object = {}): KubeObject => ({ apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value, ...more });
  await admin.create(serviceAccounts, account('default'));
  const priorityOf = async (name: string, spec: object): Promise<unknown[]> => {
    const made = (await admin.create(pods, pod(name, spec))) as unknown as Pod;
    return [made.spec.priorityClassName, made.spec.priority, made.spec.preemptionPolicy];
  };
  assert.deepEqual(await priorityOf('critical', { priorityClassName: 'system-node-critical' }), ['system-node-critical', 2_000_001_000, 'PreemptLowerPriority']);
  await admin.create(classes, named('high', 1000, { preemptionPolicy: 'Never' }));
  assert.deepEqual(await priorityOf('high', { priorityClassName: 'high' }), ['high', 1000, 'Never']);
  assert.deepEqual(await priorityOf('none', {}), [undefined, 0, 'PreemptLowerPriority']);
  await admin.create(classes, named('usual', 5, { globalDefault: true }));
  assert.deepEqual(await priorityOf('usual', {}), ['usual', 5, 'PreemptLowerPriority']);
  await assert.rejects(admin.create(classes, named('other', 6, { globalDefault: true })), /"other" is forbidden: PriorityClass usual is already marked as default. Only one default can exist/);
  await admin.patch(classes, 'usual', { type: 'merge', body: { description: 'of everybody' } });
  await assert.rejects(admin.create(pods, pod('odd', { priorityClassName: 'high', priority: 7 })), /the integer value of priority \(7\) must not be provided in pod spec; priority admission controller computed 1000/);
  await assert.rejects(admin.create(classes, named('system-mine', 1)), /metadata.name: Forbidden: priority class names with 'system-' prefix are reserved/);
  await assert.rejects(admin.create(classes, named('top', 1_000_000_001)), /value: Forbidden: maximum allowed value of a user defined priority is 1000000000/);
  await assert.rejects(admin.patch(classes, 'high', { type: 'merge', body: { value: 1 } }), /value: Forbidden: may not be changed in an update/);
});

void test('nobody hands out rights that they lack', async (t) => {
  const { admin, client } = await startTestServer(t);
  const group = 'rbac.authorization.k8s.io';
  const binding = (name: string, role: string): KubeObject => ({
    apiVersion: `${group}/v1`,
    kind: 'RoleBinding',
    metadata: { name, namespace: 'default' },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup: group, kind: 'User', name: 'ann' }],
  });
  await admin.create(roleBindings, binding('ann', 'admin'));
  const ann = await client('ann');
  await ann.create(roleBindings, binding('view', 'view'));
  await assert.rejects(ann.create(roleBindings, binding('all', 'cluster-admin')), (error: unknown) => {
    assert.ok(isFault(error, 'forbidden'));
    assert.match(error.message, /user "ann" \(groups=\["system:authenticated"\]\) is attempting to grant RBAC permissions not currently held:\n\{APIGroups:\["\*"\]/);
    return true;
  });
  const role = (await admin.get<KubeObject>(clusterRoles, 'view')) as unknown as ClusterRole;
  assert.ok(role.rules?.length);
  const maker = { apiVersion: `${group}/v1`, kind: 'ClusterRole', metadata: { name: 'maker' }, rules: [{ apiGroups: [group], resources: ['clusterroles'], verbs: ['create', 'update'] }] };
  await admin.create(clusterRoles, maker as KubeObject);
  await admin.create(clusterRoleBindings, { ...binding('ann', 'maker'), kind: 'ClusterRoleBinding', metadata: { name: 'ann' } } as KubeObject);
  const all = { apiVersion: `${group}/v1`, kind: 'ClusterRole', metadata: { name: 'all' }, aggregationRule: { clusterRoleSelectors: [{ matchLabels: {} }] } };
  await assert.rejects(ann.create(clusterRoles, all as KubeObject), /must have cluster-admin privileges to use an aggregationRule/);
  await admin.create(clusterRoles, all as KubeObject);
});

void test('a token proves its account until the account or the pod is gone', async (t) => {
  const { admin, raw, url, api } = await startTestServer(t);
  await admin.create(serviceAccounts, account('robot'));
  const made = await admin.create<KubeObject>(pods, pod('p', { serviceAccountName: 'robot' }));
  const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { boundObjectRef: { kind: 'Pod', name: 'p', uid: made.metadata.uid } } };
  const issued = await admin.request<{ status: { token: string } }>('POST', '/api/v1/namespaces/default/serviceaccounts/robot/token', request);
  const { token } = issued.status;
  const as = { server: url, ca: api.authority.certificate, token };
  const path = '/api/v1/namespaces/default/pods';
  assert.match((await raw({ path, as })).json().message, /User "system:serviceaccount:default:robot" cannot list/);
  const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } };
  interface Reviewed {
    status: { authenticated: boolean; user: { username: string; groups: string[]; extra: Record<string, string[]> } };
  }
  const reviewed = await admin.request<Reviewed>('POST', '/apis/authentication.k8s.io/v1/tokenreviews', review);
  assert.equal(reviewed.status.user.username, 'system:serviceaccount:default:robot');
  assert.deepEqual(reviewed.status.user.extra['authentication.kubernetes.io/pod-name'], ['p']);
  const tampered = `${token.slice(0, -8)}AAAAAAAA`;
  assert.equal((await raw({ path, as: { ...as, token: tampered } })).code, 401);
  await admin.delete(pods, 'p', at);
  assert.equal((await raw({ path, as })).code, 401);
  assert.equal((await admin.request<Reviewed>('POST', '/apis/authentication.k8s.io/v1/tokenreviews', review)).status.authenticated, false);
});

void test('the token that each pod is given counts on though the clock is set by hours; one that a pod asked for itself ends in time', async (t) => {
  const clock = new VirtualClock();
  const { admin } = await startTestServer(t, { clock });
  await admin.create(serviceAccounts, account('robot'));
  const made = await admin.create<KubeObject>(pods, pod('p', { serviceAccountName: 'robot' }));
  const boundObjectRef = { kind: 'Pod', name: 'p', uid: made.metadata.uid };
  const tokenFor = async (spec: object): Promise<{ token: string; expirationTimestamp: string }> => {
    const request = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { boundObjectRef, ...spec } };
    return (await admin.request<{ status: { token: string; expirationTimestamp: string } }>('POST', '/api/v1/namespaces/default/serviceaccounts/robot/token', request)).status;
  };
  const counts = async (token: string): Promise<boolean> => {
    const review = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenReview', spec: { token } };
    return (await admin.request<{ status: { authenticated: boolean } }>('POST', '/apis/authentication.k8s.io/v1/tokenreviews', review)).status.authenticated;
  };
  const [own, asked] = [await tokenFor({ expirationSeconds: podTokenSeconds }), await tokenFor({ expirationSeconds: 3600 })];
  assert.equal(Date.parse(own.expirationTimestamp), clock.now() + podTokenSeconds * 1000, 'it is renewed in time');
  const all = async (): Promise<boolean[]> => [await counts(own.token), await counts(asked.token)];
  clock.jump(-2 * 3_600_000);
  assert.deepEqual(await all(), [true, true]);
  clock.jump(4 * 3_600_000);
  assert.deepEqual(await all(), [true, false]);
});

void test('events go by themselves after an hour', async (t) => {
  const clock = new VirtualClock();
  const { admin } = await startTestServer(t, { clock });
  const event = { apiVersion: 'v1', kind: 'Event', metadata: { name: 'e', namespace: 'default' }, involvedObject: { kind: 'Pod', name: 'p', namespace: 'default' }, reason: 'Why', type: 'Normal' };
  await admin.create(events, event as KubeObject);
  await clock.advance(59 * 60_000);
  assert.equal((await admin.list(events, at)).items.length, 1);
  await clock.advance(3 * 60_000);
  assert.equal((await admin.list(events, at)).items.length, 0);
});

void test('the agent of a node reaches its own pods, what they need, and nothing else', async (t) => {
  const { admin, client } = await startTestServer(t);
  await admin.create(serviceAccounts, account('default'));
  for (const name of ['used', 'other']) await admin.create(secrets, { apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'default' } });
  const volumes = [{ name: 's', secret: { secretName: 'used' } }];
  await admin.create(pods, pod('mine', { nodeName: 'n1', volumes }));
  await admin.create(pods, pod('theirs', { nodeName: 'n2' }));
  const agent = await client('system:node:n1', ['system:nodes']);
  await agent.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
  await assert.rejects(agent.create(nodes, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'n2' } }), /node "n1" is not allowed to modify node "n2"/);
  const taints = [{ key: 'k', effect: 'NoSchedule' }];
  await admin.patch(nodes, 'n1', { type: 'merge', body: { spec: { taints } } });
  await assert.rejects(agent.patch(nodes, 'n1', { type: 'merge', body: { spec: { taints: null } } }), /node "n1" is not allowed to modify taints/);
  const labelled = (key: string): Promise<unknown> => agent.patch(nodes, 'n1', { type: 'merge', body: { metadata: { labels: { [key]: 'yes' } } } });
  for (const key of ['node-restriction.kubernetes.io/trusted', 'a.node-restriction.kubernetes.io/x', 'node-role.kubernetes.io/control-plane', 'x.k8s.io/y']) {
    await assert.rejects(labelled(key), new RegExp(`is not allowed to modify labels: ${key}`));
  }
  for (const key of ['mine', 'node.kubernetes.io/instance-type', 'a.kubelet.kubernetes.io/b', 'topology.kubernetes.io/zone']) await labelled(key);
  const owned = { metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'gone', uid: 'u' }] } };
  await assert.rejects(agent.patch(nodes, 'n1', { type: 'merge', body: owned }), /node "n1" is not allowed to modify ownerReferences/);
  await agent.get(secrets, 'used', 'default');
  await assert.rejects(agent.get(secrets, 'other', 'default'), /cannot get resource "secrets" .* no relationship found between node 'n1' and this object/);
  await assert.rejects(agent.list(secrets, at), /cannot list resource "secrets"/);
  const running = { type: 'merge' as const, body: { status: { phase: 'Running' } } };
  await agent.patch(pods, 'mine', running, { ...at, subresource: 'status' });
  await assert.rejects(agent.patch(pods, 'theirs', running, { ...at, subresource: 'status' }), /node "n1" can only write pods with spec.nodeName set to itself/);
  await assert.rejects(agent.delete(pods, 'theirs', at), /can only write pods/);
  const relabelled = { type: 'merge' as const, body: { metadata: { labels: { app: 'bank' } } } };
  await assert.rejects(agent.patch(pods, 'mine', relabelled, { ...at, subresource: 'status' }), /node "n1" cannot update labels through pod status/);
});

void test('the agent of a node gets tokens for the pods on it, for whom they are to be shown to, and no other', async (t) => {
  const { admin, client } = await startTestServer(t);
  await admin.create(serviceAccounts, account('default'));
  const volumes = [{ name: 't', projected: { sources: [{ serviceAccountToken: { audience: 'vault', path: 'token' } }] } }];
  const made = await Promise.all([['mine', 'n1'], ['theirs', 'n2']].map(([name = '', nodeName]) => admin.create(pods, pod(name, { nodeName, volumes }))));
  const uids = new Map(made.map(({ metadata }) => [metadata.name ?? '', metadata.uid]));
  const agent = await client('system:node:n1', ['system:nodes']);
  const token = (podName: string, audiences: string[] = [], uid = uids.get(podName)): Promise<unknown> =>
    agent.request('POST', '/api/v1/namespaces/default/serviceaccounts/default/token', {
      apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: { audiences, boundObjectRef: { kind: 'Pod', name: podName, uid } },
    });
  await token('mine');
  await token('mine', ['vault']);
  await assert.rejects(token('mine', ['bank']), /audience "bank" not found in pod spec volume/);
  await assert.rejects(token('mine', [], ''), /node requested token with a pod binding without a uid/);
  await assert.rejects(token('theirs'), /node requested token bound to a pod scheduled on a different node/);
});

void test('the agent of a node reads the pods on it alone, by either door', async (t) => {
  const { admin, client, api } = await startTestServer(t);
  await admin.create(serviceAccounts, account('default'));
  await admin.create(pods, pod('mine', { nodeName: 'n1' }));
  await admin.create(pods, pod('theirs', { nodeName: 'n2' }));
  const user = { name: 'system:node:n1', groups: ['system:nodes'] };
  for (const agent of [await client(user.name, user.groups), api.localClient(user)]) {
    const names = async (options: object): Promise<string[]> => (await agent.list<Pod>(pods, options)).items.map(({ metadata }) => metadata.name ?? '');
    assert.deepEqual(await names({ fieldSelector: 'spec.nodeName=n1' }), ['mine']);
    await agent.get(pods, 'mine', 'default');
    await assert.rejects(agent.get(pods, 'theirs', 'default'), /cannot get resource "pods" .* no relationship found between node 'n1' and this object/);
    for (const fieldSelector of [undefined, 'spec.nodeName=n2', 'spec.nodeName!=n1', 'metadata.name=theirs', 'status.phase=Pending']) {
      for (const namespace of [undefined, 'default']) await assert.rejects(names({ namespace, ...(fieldSelector && { fieldSelector }) }), /cannot list resource "pods"/);
    }
    const watched = async (): Promise<void> => {
      for await (const event of agent.watch(pods, { signal: t.signal })) assert.fail(JSON.stringify(event));
    };
    await assert.rejects(watched(), /cannot watch resource "pods"/);
  }
});
