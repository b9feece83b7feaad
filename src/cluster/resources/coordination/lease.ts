/** Leases: who holds a name, and until when they are believed. */
import { fieldError } from '#api/kube/field-errors.ts';
import type { Lease } from '#api/kube/types.ts';
import { ageColumn, ageOf, column, nameColumn, nameOf } from '../columns.ts';
import { defineResource, nonNegative } from '../resource.ts';

export const leases = defineResource<Lease>({
  group: 'coordination.k8s.io',
  kind: 'Lease',
  plural: 'leases',
  allowCreateOnUpdate: true,
  allowUnconditionalUpdate: false,
  columns: [nameColumn, column('Holder', 'Who holds it.'), ageColumn],
  row: (lease, context) => [nameOf(lease), lease.spec.holderIdentity ?? '', ageOf(lease, context)],
  validate: ({ spec }) => [
    ...(spec.leaseDurationSeconds !== undefined && spec.leaseDurationSeconds <= 0
      ? [fieldError.invalid('spec.leaseDurationSeconds', spec.leaseDurationSeconds, 'must be greater than 0')] : []),
    ...nonNegative('spec.leaseTransitions', spec.leaseTransitions),
  ],
});
