/** Secrets that ask for a token of a service account by their type: what they hold, and when they go. */
import type { Secret, ServiceAccount } from '#api/kube/types.ts';
import type { Planned } from '../planned.ts';

export const tokenSecretType = 'kubernetes.io/service-account-token';

const accountNote = 'kubernetes.io/service-account.name';
export const accountUidNote = 'kubernetes.io/service-account.uid';

export type Operation = Planned & ({ do: 'delete' } | { do: 'fill'; account: string; accountUid: string; needsToken: boolean; data: { [key: string]: string } });

export function accountNameOf({ metadata }: Secret): string {
  return metadata.annotations?.[accountNote] ?? '';
}

/** `account`: the service account that the secret names; undefined where there is none. */
export function planTokenSecret(secret: Secret, account: ServiceAccount | undefined, rootCa: string): Operation[] {
  const { name, namespace = '', deletionTimestamp, annotations } = secret.metadata;
  if (secret.type !== tokenSecretType || deletionTimestamp !== undefined) return [];
  const known = annotations?.[accountUidNote];
  const accountUid = account?.metadata.uid;
  if (accountUid === undefined || (known !== undefined && known !== accountUid)) {
    return [{ do: 'delete', what: `delete secret ${namespace}/${name}`, cause: `service account ${accountNameOf(secret)} is gone` }];
  }
  const wanted = { 'ca.crt': Buffer.from(rootCa).toString('base64'), namespace: Buffer.from(namespace).toString('base64') };
  const { data = {} } = secret;
  const missing = Object.entries(wanted).filter(([key, value]) => data[key] !== value);
  const needsToken = !data['token'];
  if (missing.length === 0 && !needsToken && known !== undefined) return [];
  const cause = needsToken ? 'it has no token' : 'it says something else';
  return [{ do: 'fill', what: `fill secret ${namespace}/${name}`, cause, account: accountNameOf(secret), accountUid, needsToken, data: Object.fromEntries(missing) }];
}
