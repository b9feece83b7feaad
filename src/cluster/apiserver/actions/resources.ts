/** Resources that nothing is stored of: a POST asks something and gets the answer in the same kind. */
import { defineResource } from '#cluster/resources/resource.ts';
import type { Resource } from '#cluster/resources/types.ts';

function asked(group: string, kind: string, namespaced = false): Resource {
  const plural = `${kind.toLowerCase()}s`;
  return defineResource({ group, kind, plural, namespaced, verbs: ['create'], storage: '' });
}

export const askedResources: readonly Resource[] = [
  asked('', 'Binding', true),
  asked('authentication.k8s.io', 'SelfSubjectReview'),
  asked('authentication.k8s.io', 'TokenReview'),
  asked('authorization.k8s.io', 'LocalSubjectAccessReview', true),
  asked('authorization.k8s.io', 'SelfSubjectAccessReview'),
  asked('authorization.k8s.io', 'SelfSubjectRulesReview'),
  asked('authorization.k8s.io', 'SubjectAccessReview'),
];

/** The order of groups in discovery, which decides between equal short names. */
const groupOrder = [
  '', 'apiregistration.k8s.io', 'apps', 'events.k8s.io', 'authentication.k8s.io', 'authorization.k8s.io', 'autoscaling', 'batch',
  'certificates.k8s.io', 'networking.k8s.io', 'policy', 'rbac.authorization.k8s.io', 'storage.k8s.io', 'admissionregistration.k8s.io',
  'apiextensions.k8s.io', 'scheduling.k8s.io', 'coordination.k8s.io', 'node.k8s.io', 'discovery.k8s.io', 'resource.k8s.io',
  'flowcontrol.apiserver.k8s.io', 'internal.apiserver.k8s.io', 'storagemigration.k8s.io',
];

/** The resources in the order of discovery: groups as above, in a group by their plural. */
export function inDiscoveryOrder(resources: readonly Resource[]): Resource[] {
  const rank = ({ group }: Resource): number => (groupOrder.includes(group) ? groupOrder.indexOf(group) : groupOrder.length);
  return [...resources].sort((a, b) => rank(a) - rank(b) || (a.plural < b.plural ? -1 : 1));
}
