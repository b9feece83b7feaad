/** Cluster roles that are put together from others, found by their labels. */
import { matchesLabels, selectorOfObject } from '#api/kube/labels.ts';
import type { ClusterRole, PolicyRule } from '#api/kube/types.ts';
import { sameJson } from '#cluster/machinery/equal.ts';
import type { Planned } from '../planned.ts';

export type Operation = Planned & { role: ClusterRole; rules: PolicyRule[] };

export function isAggregated({ aggregationRule }: ClusterRole): boolean {
  return aggregationRule !== undefined;
}

/** Sets the rules of `role` to those of the roles that it selects among `all`: by their names, each rule once. */
export function planAggregation(role: ClusterRole, all: readonly ClusterRole[]): Operation[] {
  if (!role.aggregationRule || role.metadata.deletionTimestamp !== undefined) return [];
  const selectors = (role.aggregationRule.clusterRoleSelectors ?? []).map((selector) => selectorOfObject(selector) ?? []);
  const nameOf = ({ metadata }: ClusterRole): string => metadata.name ?? '';
  const parts = all
    .filter((other) => nameOf(other) !== nameOf(role) && selectors.some((selector) => matchesLabels(selector, other.metadata.labels)))
    .toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  const rules: PolicyRule[] = [];
  for (const rule of parts.flatMap((part) => part.rules ?? [])) if (!rules.some((known) => sameJson(known, rule))) rules.push(rule);
  if (sameJson(rules, role.rules ?? [])) return [];
  return [{ what: `set the rules of cluster role ${nameOf(role)}`, cause: `it is put together from ${parts.map(nameOf).join(', ') || 'none'}`, role, rules }];
}
