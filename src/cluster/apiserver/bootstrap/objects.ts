/** The objects that a cluster has from its first start. */
import type { KubeObject, PolicyRule, Subject } from '#api/kube/types.ts';
import { parseApiVersion } from '#api/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import { bootstrapClusterRoleBindings, bootstrapClusterRoles } from '../authz/bootstrap.ts';
import { superGroup } from '../authz/rbac.ts';
import { uncovered } from '../authz/rules.ts';
import { systemPriorityClasses } from '#cluster/resources/scheduling/priorityclass.ts';
import type { Core } from '../core.ts';
import type { Context } from '../types.ts';
import { copyOf } from '../storage/object.ts';
import { create } from '../verbs/create.ts';
import { update } from '../verbs/update.ts';

const autoUpdate = 'rbac.authorization.kubernetes.io/autoupdate';
const namespaceNames = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

export const serverUser = { name: 'system:apiserver', groups: [superGroup] };

export function serverContext(): Context {
  return { user: serverUser, warnings: [], fieldManager: 'gantry', dryRun: false };
}

/** Makes what is missing, and completes roles and bindings. All at once, so that one disk write takes them together. */
export async function bootstrap(core: Core): Promise<void> {
  await Promise.all(bootstrapObjects().map((object) => makeOrComplete(core, object)));
}

async function makeOrComplete(core: Core, object: KubeObject): Promise<void> {
  const { group, version } = parseApiVersion(object.apiVersion);
  const resource = core.resources.byKind(group, version, object.kind);
  if (!resource) return;
  const name = object.metadata.name ?? '';
  const present = core.objects.of(resource).get('', name);
  try {
    if (!present) await create(core, { resource, namespace: '', name: '' }, object, serverContext());
    else if (completed(present.object, object)) {
      await update(core, { resource, namespace: '', name }, (old) => completed(old, object) ?? copyOf(old), serverContext(), { retry: true });
    }
  } catch (error) {
    if (!isFault(error, 'already-exists')) throw error;
  }
}

/** The present role or binding with what a newer server adds to it; undefined where nothing lacks, or it is kept by hand. */
function completed(present: KubeObject, wanted: KubeObject): KubeObject | undefined {
  if (present.metadata.annotations?.[autoUpdate] !== 'true') return undefined;
  const { rules = [], subjects = [] } = present as { rules?: PolicyRule[]; subjects?: Subject[] };
  const newer = wanted as { rules?: PolicyRule[]; subjects?: Subject[] };
  const missingRules = uncovered(rules, newer.rules ?? []);
  const missingSubjects = (newer.subjects ?? []).filter((subject) => !subjects.some((one) => one.kind === subject.kind && one.name === subject.name));
  const aggregates = wanted['aggregationRule'] !== undefined && present['aggregationRule'] === undefined;
  if (missingRules.length === 0 && missingSubjects.length === 0 && !aggregates) return undefined;
  const object = copyOf(present);
  if (aggregates) object['aggregationRule'] = wanted['aggregationRule'];
  if (missingRules.length > 0) object['rules'] = [...rules, ...missingRules];
  if (missingSubjects.length > 0) object['subjects'] = [...subjects, ...missingSubjects];
  return object;
}

function bootstrapObjects(): KubeObject[] {
  const namespaces = namespaceNames.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: {} }));
  return [...namespaces, ...structuredClone(systemPriorityClasses), ...bootstrapClusterRoles(), ...bootstrapClusterRoleBindings()] as KubeObject[];
}
