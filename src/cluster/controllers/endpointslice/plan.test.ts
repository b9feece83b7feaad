import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EndpointSlice, Pod, Service, ServiceSpec } from '#api/kube/types.ts';
import type { Backend } from '../endpoints/observe.ts';
import { backendOf } from '../endpoints/observe.ts';
import { planEndpoints } from '../endpoints/plan.ts';
import { planText } from '../planned.ts';
import { planSlices } from './plan.ts';

function service(spec: Partial<ServiceSpec> = {}): Service {
  const ports = [{ name: 'http', port: 80, targetPort: 'web', protocol: 'TCP' }];
  const metadata = { name: 'app', namespace: 'default', uid: 's1', labels: { team: 'red' } };
  return { apiVersion: 'v1', kind: 'Service', metadata, spec: { selector: { app: 'web' }, clusterIP: '10.96.0.9', ports, ...spec } };
}

function pod(number: number, state: { ready?: boolean; going?: boolean; port?: number; hostname?: string } = {}): Pod {
  const { ready = true, going = false, port = 8080, hostname } = state;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: `p${number}`, namespace: 'default', uid: `u${number}`, ...(going && { deletionTimestamp: '2026-01-01T00:00:00Z' }) },
    spec: { nodeName: 'n1', containers: [{ name: 'c', image: 'i', ports: [{ name: 'web', containerPort: port, protocol: 'TCP' }] }], ...(hostname && { hostname, subdomain: 'app' }) },
    status: { phase: 'Running', podIP: `10.0.0.${number}`, conditions: [{ type: 'Ready', status: ready ? 'True' : 'False' }] },
  };
}

function behind(of: Service, ...pods: Pod[]): Backend[] {
  return pods.map((each) => backendOf(of, each));
}

/** The slices as they are once the plan is carried out. */
function after(of: Service, backends: Backend[], present: EndpointSlice[] = []): EndpointSlice[] {
  const slices = new Map(present.map((slice) => [slice.metadata.name, slice]));
  for (const [i, operation] of planSlices(of, backends, present).entries()) {
    if (operation.do === 'delete') slices.delete(operation.slice.metadata.name);
    const name = operation.slice.metadata.name ?? `app-${slices.size}-${i}`;
    if (operation.do !== 'delete') slices.set(name, { ...operation.slice, metadata: { ...operation.slice.metadata, name } });
  }
  return [...slices.values()];
}

test('a pod is shown ready, not ready (!), going and still serving (~), or going (-)', () => {
  const app = service();
  const backends = behind(app, pod(1), pod(2, { ready: false }), pod(3, { going: true }), pod(4, { going: true, ready: false }));
  assert.equal(planText(planSlices(app, backends, [])), 'create slice [10.0.0.1,!10.0.0.2,~10.0.0.3,-10.0.0.4:8080]: 4 endpoints have no slice');
  const [slice] = after(app, backends);
  assert.deepEqual(slice?.endpoints?.map(({ conditions }) => conditions), [
    { ready: true, serving: true, terminating: false },
    { ready: false, serving: false, terminating: false },
    { ready: false, serving: true, terminating: true },
    { ready: false, serving: false, terminating: true },
  ]);
  assert.deepEqual(slice?.metadata.labels, { team: 'red', 'kubernetes.io/service-name': 'app', 'endpointslice.kubernetes.io/managed-by': 'endpointslice-controller.k8s.io' });
  assert.deepEqual(slice?.ports, [{ name: 'http', port: 8080, protocol: 'TCP' }]);
  assert.deepEqual(planSlices(app, backends, slice ? [slice] : []), []);
});

test('endpoints stay in their slices, and a slice takes a hundred', () => {
  const app = service();
  const many = behind(app, ...Array.from({ length: 150 }, (_, i) => pod(i + 1)));
  const two = after(app, many);
  assert.deepEqual(two.map(({ endpoints }) => endpoints?.length), [100, 50]);
  const fewer = many.slice(0, 149);
  assert.equal(planSlices(app, fewer, two).length, 1);
  const one = after(app, many.slice(0, 60), two);
  assert.deepEqual(one.map(({ endpoints }) => endpoints?.length), [60]);
});

test('pods that name the same port differently are in different slices; a service without pods has an empty one', () => {
  const app = service();
  const slices = after(app, behind(app, pod(1), pod(2, { port: 9090 })));
  assert.deepEqual(slices.map(({ ports }) => ports?.[0]?.port), [8080, 9090]);
  assert.match(planText(planSlices(app, behind(app, pod(1)), slices)), /^delete app-.*: its ports are no longer wanted$/);
  assert.equal(planText(planSlices(app, [], [])), 'create slice [:]: 0 endpoints have no slice');
  assert.match(planText(planSlices(undefined, [], slices)), /^delete .*: the service is gone\ndelete /);
});

test('a headless service names its pods, and may show those that are not ready', () => {
  const headless = service({ clusterIP: 'None', publishNotReadyAddresses: true });
  const [slice] = after(headless, behind(headless, pod(1, { ready: false, hostname: 'first' })));
  assert.equal(slice?.endpoints?.[0]?.hostname, 'first');
  assert.equal(slice?.endpoints?.[0]?.conditions?.ready, true);
  assert.equal(slice?.metadata.labels?.['service.kubernetes.io/headless'], '');
});

test('Endpoints part ready from not ready, leave out what is going, and group by ports', () => {
  const app = service();
  const backends = behind(app, pod(1), pod(2, { ready: false }), pod(3, { going: true }), pod(4, { port: 9090 }));
  const plan = planEndpoints('default/app', app, backends, undefined);
  assert.equal(planText(plan), 'create endpoints default/app [10.0.0.1,(10.0.0.2):8080 10.0.0.4:9090]: there are none');
  const [made] = plan;
  assert.ok(made?.do === 'create');
  assert.deepEqual(planEndpoints('default/app', app, backends, made.endpoints), []);
  assert.equal(planText(planEndpoints('default/app', undefined, [], made.endpoints)), 'delete endpoints default/app: the service is gone');
  const without = service({ ports: [{ port: 80, targetPort: 'other', protocol: 'TCP' }] });
  assert.equal(planText(planEndpoints('default/app', without, behind(without, pod(1)), undefined)), 'create endpoints default/app []: there are none');
});
