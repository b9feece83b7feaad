/** The objects that a cluster has from its first start. */
import type { KubeObject } from '#api/kube/types.ts';
import { parseApiVersion } from '#api/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import { bootstrapClusterRoleBindings, bootstrapClusterRoles } from '../authz/bootstrap.ts';
import { superGroup } from '../authz/rbac.ts';
import type { Core } from '../core.ts';
import type { Context } from '../types.ts';
import { create } from '../verbs/create.ts';

const namespaceNames = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

export const serverUser = { name: 'system:apiserver', groups: [superGroup] };

export function serverContext(): Context {
  return { user: serverUser, warnings: [], fieldManager: 'gantry', dryRun: false };
}

/** Makes what is missing, and leaves what is there. All at once, so that one disk write takes them together. */
export async function bootstrap(core: Core): Promise<void> {
  await Promise.all(bootstrapObjects().map((object) => makeMissing(core, object)));
}

async function makeMissing(core: Core, object: KubeObject): Promise<void> {
  const { group, version } = parseApiVersion(object.apiVersion);
  const resource = core.resources.byKind(group, version, object.kind);
  if (!resource || core.objects.of(resource).get('', object.metadata.name ?? '')) return;
  try {
    await create(core, { resource, namespace: '', name: '' }, object, serverContext());
  } catch (error) {
    if (!isFault(error, 'already-exists')) throw error;
  }
}

function bootstrapObjects(): KubeObject[] {
  const namespaces = namespaceNames.map((name) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name }, spec: {} }));
  return [...namespaces, ...bootstrapClusterRoles(), ...bootstrapClusterRoleBindings()] as KubeObject[];
}
