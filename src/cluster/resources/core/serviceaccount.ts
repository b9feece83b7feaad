/** Service accounts: who a pod is to the API server. */
import type { ServiceAccount } from '#api/kube/types.ts';
import { ageColumn, ageOf, column, nameColumn, nameOf } from '../columns.ts';
import { defineResource } from '../resource.ts';

export const serviceAccounts = defineResource<ServiceAccount>({
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  shortNames: ['sa'],
  allowCreateOnUpdate: true,
  subresources: [{
    name: 'token', type: 'action', verbs: ['create'],
    kind: { group: 'authentication.k8s.io', version: 'v1', kind: 'TokenRequest' },
  }],
  columns: [nameColumn, column('Secrets', 'How many secrets are listed for it.'), ageColumn],
  row: (account, context) => [nameOf(account), (account.secrets ?? []).length, ageOf(account, context)],
});
