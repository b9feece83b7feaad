import type { ConfigMap, Namespace, ServiceAccount } from '#api/kube/types.ts';
import type { Planned } from '../planned.ts';

export const accountName = 'default';
export const rootCaName = 'kube-root-ca.crt';

const rootCaNote = { 'kubernetes.io/description': "The authority that signed the API server's certificate; nothing else is to be trusted by it." };

export type Operation = Planned & ({ do: 'create-account'; account: ServiceAccount } | { do: 'create-root-ca' | 'update-root-ca'; configMap: ConfigMap });

/** What each namespace has that is not going: the account of pods that name none, and whom to trust. */
export function planNamespace(namespace: Namespace, present: { account?: ServiceAccount; rootCa?: ConfigMap }, rootCa: string): Operation[] {
  const { name, deletionTimestamp } = namespace.metadata;
  if (deletionTimestamp !== undefined) return [];
  const operations: Operation[] = [];
  if (!present.account) {
    const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: accountName, namespace: name } };
    operations.push({ do: 'create-account', what: `create service account ${name}/${accountName}`, cause: 'the namespace has none', account });
  }
  const data = { 'ca.crt': rootCa };
  if (!present.rootCa) {
    const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: rootCaName, namespace: name, annotations: rootCaNote }, data };
    operations.push({ do: 'create-root-ca', what: `create config map ${name}/${rootCaName}`, cause: 'the namespace has none', configMap });
  } else if (present.rootCa.data?.['ca.crt'] !== rootCa || Object.keys(present.rootCa.data).length !== 1) {
    const configMap = { ...present.rootCa, data };
    operations.push({ do: 'update-root-ca', what: `update config map ${name}/${rootCaName}`, cause: 'it says something else', configMap });
  }
  return operations;
}
