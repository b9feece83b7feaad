/** The roles and bindings that exist from the first start. Missing ones are made at each start; others stay as they are. */
import type { ClusterRole, ClusterRoleBinding, PolicyRule, Subject } from '#api/kube/types.ts';

const group = 'rbac.authorization.k8s.io';
const metadata = (name: string, labels: Record<string, string> = {}): ClusterRole['metadata'] => ({
  name,
  labels: { 'kubernetes.io/bootstrapping': 'rbac-defaults', ...labels },
  annotations: { 'rbac.authorization.kubernetes.io/autoupdate': 'true' },
});

const read = ['get', 'list', 'watch'];
const write = ['create', 'delete', 'deletecollection', 'patch', 'update'];
const everything = ['*'];

const rule = (groups: string[], resources: string[], verbs: string[]): PolicyRule => ({ apiGroups: groups, resources, verbs });
const paths = (nonResourceURLs: string[], verbs = ['get']): PolicyRule => ({ nonResourceURLs, verbs });

const publicPaths = ['/healthz', '/livez', '/readyz', '/version', '/version/'];
const discoveryPaths = ['/api', '/api/*', '/apis', '/apis/*', '/healthz', '/livez', '/openapi', '/openapi/*', '/readyz', '/version', '/version/'];

const coreWorkloads = [
  'configmaps', 'endpoints', 'events', 'persistentvolumeclaims', 'pods', 'replicationcontrollers', 'replicationcontrollers/scale',
  'serviceaccounts', 'services', 'podtemplates',
];
const coreReadOnly = [
  'bindings', 'limitranges', 'namespaces', 'namespaces/status', 'persistentvolumeclaims/status', 'pods/log', 'pods/status',
  'replicationcontrollers/status', 'resourcequotas', 'resourcequotas/status', 'services/status',
];
const appsWorkloads = ['daemonsets', 'deployments', 'deployments/scale', 'replicasets', 'replicasets/scale', 'statefulsets', 'statefulsets/scale'];
const appsReadOnly = ['controllerrevisions', 'daemonsets/status', 'deployments/status', 'replicasets/status', 'statefulsets/status'];

/** What the roles for users are put together from: `view` is in `edit`, and that in `admin`. */
const viewRules: PolicyRule[] = [
  rule([''], [...coreWorkloads, ...coreReadOnly], read),
  rule(['apps'], [...appsWorkloads, ...appsReadOnly], read),
  rule(['batch'], ['cronjobs', 'cronjobs/status', 'jobs', 'jobs/status'], read),
  rule(['autoscaling'], ['horizontalpodautoscalers', 'horizontalpodautoscalers/status'], read),
  rule(['networking.k8s.io'], ['ingresses', 'ingresses/status', 'networkpolicies'], read),
  rule(['discovery.k8s.io'], ['endpointslices'], read),
  rule(['policy'], ['poddisruptionbudgets', 'poddisruptionbudgets/status'], read),
];

const editOwnRules: PolicyRule[] = [
  rule([''], ['pods/attach', 'pods/exec', 'pods/portforward', 'pods/proxy', 'services/proxy'], ['get', ...read.slice(1), ...write]),
  rule([''], ['pods/eviction', 'serviceaccounts/token'], ['create']),
  rule([''], ['secrets'], [...read, ...write]),
  // Endpoints lead a Service's traffic anywhere, past the rules of other namespaces (CVE-2021-25740): they are for controllers.
  rule([''], coreWorkloads.filter((resource) => resource !== 'endpoints'), write),
  rule([''], ['serviceaccounts'], ['impersonate']),
  rule(['apps'], appsWorkloads.concat('deployments/rollback'), write),
  rule(['batch'], ['cronjobs', 'jobs'], write),
  rule(['autoscaling'], ['horizontalpodautoscalers'], write),
  rule(['networking.k8s.io'], ['ingresses', 'networkpolicies'], write),
  rule(['policy'], ['poddisruptionbudgets'], write),
  rule(['coordination.k8s.io'], ['leases'], [...read, ...write]),
];

const adminOwnRules: PolicyRule[] = [
  rule(['authorization.k8s.io'], ['localsubjectaccessreviews'], ['create']),
  rule([group], ['rolebindings', 'roles'], [...read, ...write]),
];

const editRules = [...editOwnRules, ...viewRules];
const adminRules = [...editRules, ...adminOwnRules];

/** Secrets, config maps and tokens are not among them: `authz/node.ts` gives those that the node's pods need. */
const nodeRules: PolicyRule[] = [
  rule(['authentication.k8s.io'], ['tokenreviews'], ['create']),
  rule(['authorization.k8s.io'], ['localsubjectaccessreviews', 'subjectaccessreviews'], ['create']),
  rule([''], ['services'], read),
  rule([''], ['nodes'], ['create', ...read, 'patch', 'update', 'delete']),
  rule([''], ['nodes/status'], ['patch', 'update']),
  rule([''], ['events'], ['create', 'patch', 'update']),
  rule(['events.k8s.io'], ['events'], ['create', 'patch', 'update']),
  rule([''], ['pods'], [...read, 'create', 'delete']),
  rule([''], ['pods/status'], ['patch', 'update']),
  rule([''], ['pods/eviction'], ['create']),
  rule([''], ['persistentvolumes', 'endpoints', 'namespaces'], read),
  rule(['coordination.k8s.io'], ['leases'], ['create', 'delete', 'get', 'patch', 'update']),
  rule(['node.k8s.io'], ['runtimeclasses'], read),
  rule(['discovery.k8s.io'], ['endpointslices'], read),
  rule(['storage.k8s.io'], ['csidrivers', 'csinodes', 'volumeattachments'], read),
];

const proxyRules: PolicyRule[] = [
  rule([''], ['endpoints', 'services'], ['list', 'watch']),
  rule([''], ['nodes'], read),
  rule(['', 'events.k8s.io'], ['events'], ['create', 'patch', 'update']),
  rule(['discovery.k8s.io'], ['endpointslices'], ['list', 'watch']),
  rule(['networking.k8s.io'], ['servicecidrs'], ['list', 'watch']),
];

const schedulerRules: PolicyRule[] = [
  rule(['', 'events.k8s.io'], ['events'], ['create', 'patch', 'update']),
  rule(['coordination.k8s.io'], ['leases'], ['create', ...read, 'update']),
  rule([''], ['nodes', 'namespaces', 'replicationcontrollers', 'services', 'persistentvolumeclaims', 'persistentvolumes'], read),
  rule([''], ['pods'], ['delete', ...read]),
  rule([''], ['bindings', 'pods/binding'], ['create']),
  rule([''], ['pods/status'], ['patch', 'update']),
  rule(['apps'], ['replicasets', 'statefulsets'], read),
  rule(['policy'], ['poddisruptionbudgets'], read),
  rule(['storage.k8s.io'], everything, read),
];

/** What the controllers do between them: every kind, but no right to hand out rights. */
const controllerRules: PolicyRule[] = [
  rule(['', 'apps', 'batch', 'autoscaling', 'policy', 'discovery.k8s.io', 'events.k8s.io', 'coordination.k8s.io', 'networking.k8s.io'], everything, everything),
  rule(everything, everything, ['delete', 'deletecollection', ...read, 'patch', 'update']),
  rule(['authentication.k8s.io', 'authorization.k8s.io'], everything, ['create']),
  paths(everything),
];

const dnsRules: PolicyRule[] = [
  rule([''], ['endpoints', 'services', 'pods', 'namespaces'], ['list', 'watch']),
  rule(['discovery.k8s.io'], ['endpointslices'], ['list', 'watch']),
];

const roles: Record<string, PolicyRule[]> = {
  'cluster-admin': [rule(everything, everything, everything), paths(everything, everything)],
  admin: adminRules,
  edit: editRules,
  view: viewRules,
  'system:aggregate-to-admin': adminOwnRules,
  'system:aggregate-to-edit': editOwnRules,
  'system:aggregate-to-view': viewRules,
  'system:basic-user': [
    rule(['authorization.k8s.io'], ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'], ['create']),
    rule(['authentication.k8s.io'], ['selfsubjectreviews'], ['create']),
  ],
  'system:discovery': [paths(discoveryPaths)],
  'system:public-info-viewer': [paths(publicPaths)],
  'system:monitoring': [paths(['/healthz', '/healthz/*', '/livez', '/livez/*', '/metrics', '/readyz', '/readyz/*'])],
  'system:service-account-issuer-discovery': [paths(['/.well-known/openid-configuration', '/openid/v1/jwks'])],
  'system:auth-delegator': [
    rule(['authentication.k8s.io'], ['tokenreviews'], ['create']),
    rule(['authorization.k8s.io'], ['subjectaccessreviews'], ['create']),
  ],
  'system:kubelet-api-admin': [
    rule([''], ['nodes'], ['get', 'list', 'watch', 'proxy']),
    rule([''], ['nodes/log', 'nodes/metrics', 'nodes/proxy', 'nodes/stats'], everything),
  ],
  'system:node': nodeRules,
  'system:node-proxier': proxyRules,
  'system:kube-scheduler': schedulerRules,
  'system:kube-controller-manager': controllerRules,
  'system:kube-dns': dnsRules,
};

const groupSubject = (name: string): Subject => ({ apiGroup: group, kind: 'Group', name });
const userSubject = (name: string): Subject => ({ apiGroup: group, kind: 'User', name });
const anyone = [groupSubject('system:authenticated'), groupSubject('system:unauthenticated')];

/** Name of the binding, which is the role's too -> whom it binds. */
const bindings: Record<string, Subject[]> = {
  'cluster-admin': [groupSubject('system:masters')],
  'system:basic-user': [groupSubject('system:authenticated')],
  'system:discovery': anyone,
  'system:public-info-viewer': anyone,
  'system:monitoring': [groupSubject('system:monitoring')],
  'system:service-account-issuer-discovery': [groupSubject('system:serviceaccounts')],
  'system:node': [groupSubject('system:nodes')],
  'system:node-proxier': [userSubject('system:kube-proxy'), groupSubject('system:nodes')],
  'system:kube-scheduler': [userSubject('system:kube-scheduler')],
  'system:kube-controller-manager': [userSubject('system:kube-controller-manager')],
  'system:kube-dns': [userSubject('system:kube-dns'), { kind: 'ServiceAccount', name: 'kube-dns', namespace: 'kube-system' }],
};

const partOf = (role: string): Record<string, string> => ({ [`rbac.authorization.k8s.io/aggregate-to-${role}`]: 'true' });

const labels: Record<string, Record<string, string>> = {
  edit: partOf('admin'),
  view: partOf('edit'),
  'system:aggregate-to-admin': partOf('admin'),
  'system:aggregate-to-edit': partOf('edit'),
  'system:aggregate-to-view': partOf('view'),
};

/** Their rules follow from other roles, which anybody may add to by such a label. */
const aggregated = new Set(['admin', 'edit', 'view']);

export function bootstrapClusterRoles(): ClusterRole[] {
  return Object.entries(roles).map(([name, rules]) => ({
    apiVersion: `${group}/v1`,
    kind: 'ClusterRole',
    metadata: metadata(name, labels[name]),
    ...(aggregated.has(name) ? { aggregationRule: { clusterRoleSelectors: [{ matchLabels: partOf(name) }] } } : {}),
    rules: structuredClone(rules),
  }));
}

export function bootstrapClusterRoleBindings(): ClusterRoleBinding[] {
  return Object.entries(bindings).map(([name, subjects]) => ({
    apiVersion: `${group}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: metadata(name),
    roleRef: { apiGroup: group, kind: 'ClusterRole', name },
    subjects: structuredClone(subjects),
  }));
}
