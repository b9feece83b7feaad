/** Namespaces: where names are unique. One is deleted in two steps: its objects first, then its last finalizer. */
import { dnsLabelErrors } from '#api/kube/names.ts';
import type { Namespace } from '#api/kube/types.ts';
import { ageColumn, ageOf, column, nameColumn, nameOf } from '../columns.ts';
import { carryMetadata, validateFinalizers, validateMetadataUpdate } from '../metadata.ts';
import { allVerbs, defineResource, restore } from '../resource.ts';

export const namespaceNameLabel = 'kubernetes.io/metadata.name';

export const namespaces = defineResource<Namespace>({
  kind: 'Namespace',
  plural: 'namespaces',
  shortNames: ['ns'],
  namespaced: false,
  verbs: allVerbs.filter((verb) => verb !== 'deletecollection'),
  name: dnsLabelErrors,
  status: {},
  subresources: [{
    name: 'finalize', type: 'object', verbs: ['update'],
    prepareForUpdate: (namespace, old) => {
      carryMetadata(namespace.metadata, old.metadata);
      restore(namespace, old, 'status');
    },
    validateUpdate: (namespace, old) => [
      ...validateMetadataUpdate(namespace.metadata, old.metadata),
      ...validateFinalizers(namespace.spec.finalizers ?? [], 'spec.finalizers'),
    ],
  }],
  columns: [nameColumn, column('Status', 'Active, or Terminating while it is being deleted.'), ageColumn],
  row: (namespace, context) => [nameOf(namespace), namespace.status?.phase ?? '', ageOf(namespace, context)],
  defaults: (namespace) => {
    const { name } = namespace.metadata;
    if (name !== undefined && name !== '') namespace.metadata.labels = { ...namespace.metadata.labels, [namespaceNameLabel]: name };
  },
  prepareForCreate: (namespace) => {
    namespace.status = { phase: 'Active' };
    const finalizers = namespace.spec.finalizers ?? [];
    if (!finalizers.includes('kubernetes')) namespace.spec.finalizers = [...finalizers, 'kubernetes'];
  },
  prepareForUpdate: (namespace, old) => {
    namespace.spec = structuredClone(old.spec);
  },
  validate: (namespace) => validateFinalizers(namespace.spec.finalizers ?? [], 'spec.finalizers'),
  selectableFields: (namespace) => ({ name: namespace.metadata.name ?? '', 'status.phase': namespace.status?.phase ?? '' }),
});
