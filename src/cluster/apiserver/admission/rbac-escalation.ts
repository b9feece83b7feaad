import type { ClusterRole, PolicyRule, RoleBinding } from '#api/kube/types.ts';
import type { RbacAuthorizer } from '../authz/rbac.ts';
import { superGroup } from '../authz/rbac.ts';
import { ruleText, uncovered } from '../authz/rules.ts';
import { forbidden } from '../status.ts';
import type { AdmissionRequest, AdmissionStep } from '../types.ts';

const group = 'rbac.authorization.k8s.io';

/**
 * Nobody hands out rights that they lack: who writes a role needs its rules (or the verb `escalate`), who
 * writes a binding needs the rules of its role (or the verb `bind`).
 */
export function rbacEscalation(authorizer: RbacAuthorizer): AdmissionStep {
  return {
    name: 'rbac-escalation',
    admit: (request) => {
      const { resource, object, old, context } = request;
      if (resource.group !== group || !object || context.user.groups.includes(superGroup)) return;
      const isRole = resource.plural === 'roles' || resource.plural === 'clusterroles';
      if (isRole) {
        const role = object as unknown as ClusterRole;
        if (permits(authorizer, request, 'escalate', request.name)) return;
        refuseAggregation(authorizer, request, role);
        if (old && JSON.stringify((old as unknown as ClusterRole).rules) === JSON.stringify(role.rules)) return;
        check(authorizer, request, role.rules ?? []);
        return;
      }
      const { roleRef, subjects } = object as unknown as RoleBinding;
      if (old && JSON.stringify((old as unknown as RoleBinding).subjects) === JSON.stringify(subjects)) return;
      if (!permits(authorizer, request, 'bind', roleRef.name)) check(authorizer, request, authorizer.rulesOf(roleRef, request.namespace));
    },
  };
}

const everything: readonly PolicyRule[] = [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, { verbs: ['*'], nonResourceURLs: ['*'] }];

/** Its rules may become anybody's: so it is for those who may do everything. */
function refuseAggregation(authorizer: RbacAuthorizer, { context: { user }, namespace, resource, name, old }: AdmissionRequest, { aggregationRule }: ClusterRole): void {
  if (aggregationRule === undefined && (old as unknown as ClusterRole | undefined)?.aggregationRule === undefined) return;
  if (uncovered(authorizer.rulesFor(user, namespace), everything).length === 0) return;
  throw forbidden(resource, name, 'must have cluster-admin privileges to use an aggregationRule');
}

function permits(authorizer: RbacAuthorizer, { context, namespace, resource, object }: AdmissionRequest, verb: string, name: string): boolean {
  const bound = (object as unknown as RoleBinding).roleRef?.kind === 'ClusterRole' ? 'clusterroles' : 'roles';
  const plural = verb === 'bind' ? bound : resource.plural;
  const asked = { group, version: 'v1', resource: plural, subresource: '', namespace, name };
  return authorizer.authorize({ user: context.user, verb, resource: asked }).allowed;
}

function check(authorizer: RbacAuthorizer, { context: { user }, namespace, resource, name }: AdmissionRequest, wanted: readonly PolicyRule[]): void {
  const missing = uncovered(authorizer.rulesFor(user, namespace), wanted);
  if (missing.length === 0) return;
  const groups = JSON.stringify(user.groups);
  const why = `user ${JSON.stringify(user.name)} (groups=${groups}) is attempting to grant RBAC permissions not currently held:\n${missing.map(ruleText).join('\n')}`;
  throw forbidden(resource, name, why);
}
