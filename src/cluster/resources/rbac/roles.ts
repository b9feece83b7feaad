/** Roles: what may be done. In a namespace, or everywhere. */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { pathSegmentErrors } from '#api/kube/names.ts';
import type { ClusterRole, PolicyRule, Role } from '#api/kube/types.ts';
import { defineResource } from '../resource.ts';
import { validateLabelSelector } from '../selectors.ts';

export const rbacGroup = 'rbac.authorization.k8s.io';

export const roles = defineResource<Role>({
  group: rbacGroup,
  kind: 'Role',
  plural: 'roles',
  name: pathSegmentErrors,
  allowCreateOnUpdate: true,
  validate: (role) => (role.rules ?? []).flatMap((rule, index) => validateRule(rule, `rules[${index}]`, true)),
});

export const clusterRoles = defineResource<ClusterRole>({
  group: rbacGroup,
  kind: 'ClusterRole',
  plural: 'clusterroles',
  namespaced: false,
  name: pathSegmentErrors,
  allowCreateOnUpdate: true,
  validate: (role) => [
    ...(role.rules ?? []).flatMap((rule, index) => validateRule(rule, `rules[${index}]`, false)),
    ...(role.aggregationRule?.clusterRoleSelectors ?? []).flatMap((selector, index) =>
      validateLabelSelector(selector, `aggregationRule.clusterRoleSelectors[${index}]`)),
    ...(role.aggregationRule !== undefined && (role.aggregationRule.clusterRoleSelectors ?? []).length === 0
      ? [fieldError.required('aggregationRule.clusterRoleSelectors', 'at least one clusterRoleSelector required if aggregationRule is non-nil')] : []),
  ],
});

function validateRule(rule: PolicyRule, path: string, namespaced: boolean): FieldError[] {
  const errors: FieldError[] = [];
  const [groups, resources, urls] = [rule.apiGroups ?? [], rule.resources ?? [], rule.nonResourceURLs ?? []];
  if ((rule.verbs ?? []).length === 0) errors.push(fieldError.required(`${path}.verbs`, 'verbs must contain at least one value'));
  if (urls.length > 0) {
    if (namespaced) errors.push(fieldError.invalid(`${path}.nonResourceURLs`, urls, 'namespaced rules cannot apply to non-resource URLs'));
    if (groups.length + resources.length + (rule.resourceNames ?? []).length > 0) {
      errors.push(fieldError.invalid(`${path}.nonResourceURLs`, urls, 'rules cannot apply to both regular resources and non-resource URLs'));
    }
    return errors;
  }
  if (groups.length === 0) errors.push(fieldError.required(`${path}.apiGroups`, 'resource rules must supply at least one api group'));
  if (resources.length === 0) errors.push(fieldError.required(`${path}.resources`, 'resource rules must supply at least one resource'));
  return errors;
}
