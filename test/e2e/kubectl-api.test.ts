/** The real kubectl against the API server alone: no controllers and no node. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { test } from 'node:test';
import { formatKubeconfig } from '#client/kube/kubeconfig.ts';
import { startTestServer } from '#cluster/apiserver/testing.ts';

const kubectlPath = spawnSync('kubectl', ['version', '--client'], { timeout: 10_000 }).status === 0 ? 'kubectl' : undefined;
const skip = kubectlPath === undefined ? 'kubectl is not installed' : false;
const timeoutMs = 30_000;

interface Result {
  code: number;
  out: string;
  err: string;
}

type Kubectl = (args: readonly string[], input?: string) => Promise<Result>;

async function start(t: TestContext): Promise<{ kubectl: Kubectl; as: (name: string) => Promise<Kubectl>; directory: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'gantry-kubectl-'));
  t.after(() => rm(directory, { recursive: true }));
  const server = await startTestServer(t);
  const as = async (name: string, groups: readonly string[] = []): Promise<Kubectl> => {
    const config = join(directory, `${name}.yaml`);
    await writeFile(config, formatKubeconfig(await server.access(name, groups)));
    return (args, input) => run(args, { KUBECONFIG: config, HOME: directory, PATH: process.env['PATH'] ?? '', KUBE_EDITOR: "sed -i 's/before/after/'" }, input);
  };
  const kubectl = await as('admin', ['system:masters']);
  await kubectl(['create', 'serviceaccount', 'default']);
  return { kubectl, as: (name) => as(name), directory };
}

function run(args: readonly string[], env: NodeJS.ProcessEnv, input = ''): Promise<Result> {
  return new Promise((resolve) => {
    const child = execFile('kubectl', [...args], { env, timeout: timeoutMs }, (error, out, err) => {
      resolve({ code: error ? Number(error.code ?? 1) : 0, out, err });
    });
    child.stdin?.end(input);
  });
}

async function ok(result: Promise<Result>): Promise<string> {
  const { code, out, err } = await result;
  assert.equal(code, 0, err);
  return out;
}

const web = (image: string): string => `
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {tier: front}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: "${image}"}]
---
apiVersion: v1
kind: Service
metadata: {name: web, labels: {tier: front}}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: conf, labels: {tier: front}}
data: {word: before}
`;

void test('apply makes, leaves alone and changes what a manifest says', { skip }, async (t) => {
  const { kubectl } = await start(t);
  assert.equal(await ok(kubectl(['apply', '-f', '-'], web('a:1'))), 'deployment.apps/web created\nservice/web created\nconfigmap/conf created\n');
  assert.equal(await ok(kubectl(['apply', '-f', '-'], web('a:1'))), 'deployment.apps/web unchanged\nservice/web unchanged\nconfigmap/conf unchanged\n');
  assert.match((await kubectl(['diff', '-f', '-'], web('a:2'))).out, /^-\s+- image: a:1\n\+\s+- image: a:2$/m);
  assert.match(await ok(kubectl(['apply', '-f', '-'], web('a:2'))), /deployment.apps\/web configured\nservice\/web unchanged/);
  assert.equal(await ok(kubectl(['get', 'deploy', 'web', '-o', 'jsonpath={.spec.template.spec.containers[0].image} {.metadata.generation}'])), 'a:2 2');
  assert.match(await ok(kubectl(['get', 'all,cm', '-l', 'tier=front'])), /service\/web +NodePort +10\.96\.\d+\.\d+ +<none> +80:3\d{4}\/TCP/);
  const wrong = await kubectl(['apply', '-f', '-'], web('a:2').replace('replicas', 'replicsa'));
  assert.match(wrong.err, /^The request is invalid: patch: Invalid value: "map\[.*spec:map\[.*": strict decoding error: unknown field "spec.replicsa"$/m);
  const fresh = await kubectl(['create', '-f', '-'], web('a:2').replace('replicas', 'replicsa').replaceAll('name: web', 'name: other'));
  assert.match(fresh.err, /^Error from server \(BadRequest\): error when creating "STDIN": Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: unknown field "spec.replicsa"$/m);
  assert.equal(await ok(kubectl(['delete', '-f', '-'], web('a:2'))), 'deployment.apps "web" deleted\nservice "web" deleted\nconfigmap "conf" deleted\n');
});

// kubectl checks a List by the older description, which it reads as protobuf
void test('apply takes a List, and checks what is in it', { skip }, async (t) => {
  const { kubectl } = await start(t);
  const list = 'apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: ConfigMap, metadata: {name: one}, data: {word: x}}]\n';
  assert.equal(await ok(kubectl(['apply', '-f', '-'], list)), 'configmap/one created\n');
  assert.equal(await ok(kubectl(['apply', '-f', '-'], list)), 'configmap/one unchanged\n');
  assert.match((await kubectl(['apply', '-f', '-'], list.replace(', data:', ', dta:'))).err, /unknown field "dta" in io.k8s.api.core.v1.ConfigMap/);
});

void test('server-side apply, and what a dry run leaves', { skip }, async (t) => {
  const { kubectl } = await start(t);
  assert.match(await ok(kubectl(['apply', '--server-side', '--dry-run=server', '-f', '-'], web('a:1'))), /web serverside-applied \(server dry run\)/);
  assert.match((await kubectl(['get', 'deploy', 'web'])).err, /not found/);
  await ok(kubectl(['apply', '--server-side', '-f', '-'], web('a:1')));
  await ok(kubectl(['scale', 'deploy', 'web', '--replicas=4']));
  const disputed = await kubectl(['apply', '--server-side', '-f', '-'], web('a:1'));
  assert.match(disputed.err, /Apply failed with 1 conflict: conflict with "kubectl" with subresource "scale" using apps\/v1 at .*: \.spec\.replicas/);
  await ok(kubectl(['apply', '--server-side', '--force-conflicts', '-f', '-'], web('a:2')));
  assert.equal(await ok(kubectl(['get', 'deploy', 'web', '-o', 'jsonpath={.spec.replicas} {.spec.template.spec.containers[0].image}'])), '2 a:2');
  assert.match(await ok(kubectl(['delete', 'deploy', 'web', '--dry-run=server'])), /deleted \(server dry run\)/);
  await ok(kubectl(['get', 'deploy', 'web']));
});

void test('the small changes: label, annotate, scale, set, patch, edit, expose, rollout restart', { skip }, async (t) => {
  const { kubectl } = await start(t);
  await ok(kubectl(['create', 'deployment', 'web', '--image=a:1', '--replicas=3']));
  await ok(kubectl(['label', 'deploy', 'web', 'x=y']));
  await ok(kubectl(['annotate', 'deploy', 'web', 'note=before']));
  await ok(kubectl(['scale', 'deploy', 'web', '--replicas=5']));
  await ok(kubectl(['set', 'image', 'deploy/web', 'a=b:2']));
  await ok(kubectl(['patch', 'deploy', 'web', '-p', '{"spec":{"template":{"spec":{"containers":[{"name":"a","env":[{"name":"E","value":"v"}]}]}}}}']));
  await ok(kubectl(['patch', 'deploy', 'web', '--type=json', '-p', '[{"op":"add","path":"/metadata/labels/j","value":"p"}]']));
  await ok(kubectl(['edit', 'deploy', 'web']));
  await ok(kubectl(['rollout', 'restart', 'deploy', 'web']));
  const seen = await ok(kubectl(['get', 'deploy', 'web', '-o', 'jsonpath={.metadata.labels.x}{.metadata.labels.j} {.metadata.annotations.note} {.spec.replicas} {.spec.template.spec.containers[0].image} {.spec.template.spec.containers[0].env[0].value}']));
  assert.equal(seen, 'yp after 5 b:2 v');
  assert.match(await ok(kubectl(['expose', 'deploy', 'web', '--port=80'])), /service\/web exposed/);
  assert.match((await kubectl(['scale', 'deploy', 'web', '--replicas=1', '--current-replicas=9'])).err, /Expected replicas to be 9, was 5/);
});

void test('it tells about itself: versions, resources, explanations, tables', { skip }, async (t) => {
  const { kubectl } = await start(t);
  assert.match(await ok(kubectl(['version'])), /Server Version: v1\.36\.0\+gantry/);
  assert.match(await ok(kubectl(['api-resources'])), /^deployments +deploy +apps\/v1 +true +Deployment$/m);
  assert.match(await ok(kubectl(['api-versions'])), /^apps\/v1$/m);
  assert.match(await ok(kubectl(['explain', 'pod.spec.containers.image'])), /FIELD: image <string>/);
  assert.match(await ok(kubectl(['get', 'ns'])), /^NAME +STATUS +AGE\ndefault +Active/);
  assert.match(await ok(kubectl(['get', 'clusterroles', 'view', '-o', 'yaml'])), /kind: ClusterRole/);
  assert.match(await ok(kubectl(['describe', 'ns', 'default'])), /Status: +Active/);
  assert.match(await ok(kubectl(['get', '--raw', '/readyz?verbose'])), /readyz check passed/);
  assert.match((await kubectl(['get', 'nonsense'])).err, /the server doesn't have a resource type "nonsense"/);
  assert.match((await kubectl(['get', 'cm', 'none'])).err, /Error from server \(NotFound\): configmaps "none" not found/);
});

void test('typed creates, which kubectl sends as protobuf', { skip }, async (t) => {
  const { kubectl } = await start(t);
  const creates = [
    ['namespace', 'n'], ['configmap', 'c', '--from-literal=a=b'], ['secret', 'generic', 's', '--from-literal=a=b'], ['serviceaccount', 'robot'],
    ['service', 'clusterip', 'svc', '--tcp=80:8080'], ['role', 'r', '--verb=get', '--resource=pods'],
    ['rolebinding', 'rb', '--role=r', '--serviceaccount=default:robot'], ['clusterrole', 'cr', '--verb=get', '--resource=nodes'],
    ['clusterrolebinding', 'crb', '--clusterrole=cr', '--user=u'],
  ];
  for (const args of creates) assert.match(await ok(kubectl(['create', ...args])), /created$/m, args.join(' '));
  assert.match(await ok(kubectl(['create', 'token', 'robot'])), /^ey[\w-]+\.[\w-]+\.[\w-]+$/m);
  assert.equal(await ok(kubectl(['get', 'secret', 's', '-o', 'jsonpath={.data.a}'])), 'Yg==');
});

void test('rights: can-i, whoami, and the refusals of one who has none', { skip }, async (t) => {
  const { kubectl, as } = await start(t);
  const ann = await as('ann');
  assert.equal(await ok(kubectl(['auth', 'can-i', 'create', 'pods'])), 'yes\n');
  assert.equal((await ann(['auth', 'can-i', 'create', 'pods'])).out, 'no\n');
  assert.match(await ok(ann(['auth', 'whoami'])), /Username +ann/);
  const denied = 'Error from server (Forbidden): pods is forbidden: User "ann" cannot list resource "pods" in API group "" in the namespace "default"\n';
  assert.equal((await ann(['get', 'pods'])).err, denied);
  assert.equal((await kubectl(['auth', 'can-i', 'get', 'pods', '--as=ann'])).out, 'no\n');
  await ok(kubectl(['create', 'rolebinding', 'ann', '--clusterrole=admin', '--user=ann']));
  await ok(ann(['get', 'pods']));
  const grab = await ann(['create', 'rolebinding', 'more', '--clusterrole=cluster-admin', '--user=ann']);
  assert.match(grab.err, /is attempting to grant RBAC permissions not currently held/);
});

void test('watching, waiting and deleting', { skip }, async (t) => {
  const { kubectl } = await start(t);
  await ok(kubectl(['run', 'p', '--image=a:1', '--labels=a=b']));
  const waiting = kubectl(['wait', '--for=delete', 'pod/p', '--timeout=20s']);
  const watching = kubectl(['get', 'pods', '-w', '--request-timeout=3s']);
  await ok(kubectl(['label', 'pod', 'p', 'c=d']));
  await ok(kubectl(['delete', 'pod', '-l', 'a=b']));
  await ok(waiting);
  assert.match((await watching).out, /^NAME +READY +STATUS +RESTARTS +AGE\np +0\/1 +Pending/);
  await ok(kubectl(['create', 'namespace', 'n']));
  await ok(kubectl(['delete', 'namespace', 'n', '--wait=false']));
  assert.equal(await ok(kubectl(['get', 'ns', 'n', '-o', 'jsonpath={.status.phase}'])), 'Terminating');
  await ok(kubectl(['create', 'cm', 'one', '--from-literal=a=b']));
  await ok(kubectl(['replace', '-f', '-'], '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"one"},"data":{"a":"c"}}'));
  assert.match(await ok(kubectl(['delete', 'cm', '--all'])), /configmap "one" deleted/);
});
