import type { ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject } from '#api/kube/types.ts';
import type { Objects, ObjectsTable } from '../core.ts';
import type { ResourceTable } from '../resource-table.ts';
import type { CachedObject } from '../storage/object.ts';
import type { Attributes, Authorizer, Decision, User } from '../types.ts';
import { ruleAllows } from './rules.ts';

/** Members may do everything, whatever the roles say: the way in when roles are broken. */
export const superGroup = 'system:masters';

interface Grant {
  /** Empty: everywhere. */
  namespace: string;
  roleRef: RoleRef;
}

/** Role-based access control over the cached roles and bindings; its index of subjects follows their changes. */
export class RbacAuthorizer implements Authorizer {
  readonly #find: (plural: string) => Objects | undefined;
  #bySubject = new Map<string, Grant[]>();
  #indexedAt = '';

  constructor(objects: ObjectsTable, resources: ResourceTable) {
    this.#find = (plural) => objects.find(resources.find('rbac.authorization.k8s.io', 'v1', plural));
  }

  authorize(request: Attributes): Decision {
    if (request.user.groups.includes(superGroup)) return { allowed: true, reason: '' };
    const namespace = request.resource?.namespace ?? '';
    for (const grant of this.#grants(request.user)) {
      if (grant.namespace !== '' && (grant.namespace !== namespace || !request.resource)) continue;
      if (this.rulesOf(grant.roleRef, grant.namespace).some((rule) => ruleAllows(rule, request))) {
        return { allowed: true, reason: `RBAC: allowed by ${grant.roleRef.kind} "${grant.roleRef.name}"` };
      }
    }
    return { allowed: false, reason: '' };
  }

  /** All rules that hold for `user` in `namespace` (empty: only those that hold everywhere). */
  rulesFor(user: User, namespace: string): PolicyRule[] {
    if (user.groups.includes(superGroup)) {
      return [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, { verbs: ['*'], nonResourceURLs: ['*'] }];
    }
    return this.#grants(user)
      .filter((grant) => grant.namespace === '' || grant.namespace === namespace)
      .flatMap((grant) => this.rulesOf(grant.roleRef, grant.namespace));
  }

  /** The rules of the role that a binding in `namespace` names; none where it does not exist. */
  rulesOf(roleRef: RoleRef, namespace: string): readonly PolicyRule[] {
    const found = roleRef.kind === 'ClusterRole' ? this.#find('clusterroles')?.get('', roleRef.name) : this.#find('roles')?.get(namespace, roleRef.name);
    return (found?.object as ClusterRole | Role | undefined)?.rules ?? [];
  }

  #grants(user: User): Grant[] {
    this.#refresh();
    const keys = [`User:${user.name}`, ...user.groups.map((group) => `Group:${group}`)];
    return keys.flatMap((key) => this.#bySubject.get(key) ?? []);
  }

  #refresh(): void {
    const everywhere = this.#find('clusterrolebindings')?.cache;
    const inNamespaces = this.#find('rolebindings')?.cache;
    const version = `${everywhere?.lastChange}/${inNamespaces?.lastChange}`;
    if (version === this.#indexedAt) return;
    this.#indexedAt = version;
    this.#bySubject = new Map();
    for (const cached of everywhere?.scan(everywhere.prefix) ?? []) this.#add(cached, '');
    for (const cached of inNamespaces?.scan(inNamespaces.prefix) ?? []) this.#add(cached, cached.object.metadata.namespace ?? '');
  }

  #add(cached: CachedObject, namespace: string): void {
    const binding = cached.object as ClusterRoleBinding | RoleBinding;
    for (const subject of binding.subjects ?? []) {
      const key = subjectKey(subject, namespace);
      const grants = this.#bySubject.get(key) ?? [];
      grants.push({ namespace, roleRef: binding.roleRef });
      this.#bySubject.set(key, grants);
    }
  }
}

function subjectKey(subject: Subject, namespace: string): string {
  if (subject.kind !== 'ServiceAccount') return `${subject.kind}:${subject.name}`;
  return `User:system:serviceaccount:${subject.namespace ?? namespace}:${subject.name}`;
}
