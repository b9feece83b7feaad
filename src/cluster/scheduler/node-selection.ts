/** Which nodes a pod's node selector and node affinity name. */
import { matchesLabels } from '#api/kube/labels.ts';
import type { LabelOperator, LabelRequirement } from '#api/kube/labels.ts';
import type { Node, NodeSelectorRequirement, NodeSelectorTerm, Pod } from '#api/kube/types.ts';

const operators: Record<string, LabelOperator> = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!', Gt: '>', Lt: '<' };

function requirement({ key, operator, values = [] }: NodeSelectorRequirement): LabelRequirement {
  // Validation lets through no other operator; what is not known matches no node.
  return { key, operator: operators[operator] ?? 'in', values };
}

/** All of the term's expressions hold; a term without any selects nothing. */
export function matchesTerm({ matchExpressions = [], matchFields = [] }: NodeSelectorTerm, { metadata }: Node): boolean {
  if (matchExpressions.length + matchFields.length === 0) return false;
  const fields = { 'metadata.name': metadata.name ?? '' };
  return matchesLabels(matchExpressions.map(requirement), metadata.labels) && matchesLabels(matchFields.map(requirement), fields);
}

export function isSelected({ spec }: Pod, node: Node): boolean {
  const labels = node.metadata.labels ?? {};
  if (!Object.entries(spec.nodeSelector ?? {}).every(([key, value]) => labels[key] === value)) return false;
  const required = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  return required === undefined || required.nodeSelectorTerms.some((term) => matchesTerm(term, node));
}

/** Sum of the weights of the preferences that the node meets. */
export function preference({ spec }: Pod, node: Node): number {
  const preferred = spec.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  return preferred.filter((term) => isMet(term.preference, node)).reduce((sum, { weight }) => sum + weight, 0);
}

/** Other than a required term, a preferred one that says nothing is met by every node. */
function isMet(term: NodeSelectorTerm, node: Node): boolean {
  return (term.matchExpressions ?? []).length + (term.matchFields ?? []).length === 0 || matchesTerm(term, node);
}
