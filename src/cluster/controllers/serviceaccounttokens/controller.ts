import type { Secret, ServiceAccount } from '#api/kube/types.ts';
import { isFault } from '#lib/errors.ts';
import { secrets as secretsRef, serviceAccounts } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { runController } from '#cluster/machinery/controller.ts';
import { createInformer } from '#cluster/machinery/informer.ts';
import { WorkQueue } from '#cluster/machinery/queue.ts';
import type { Controller } from '#cluster/machinery/types.ts';
import { keyFor, keyOf } from '#cluster/machinery/types.ts';
import { planText } from '../planned.ts';
import type { ClusterControllerContext } from '../types.ts';
import { accountNameOf, accountUidNote, planTokenSecret, tokenSecretType } from './plan.ts';
import type { Operation } from './plan.ts';

const name = 'serviceaccounttokens';
/** The longest that the API gives, 136 years: such a token ends with its secret, or with its account. */
const tokenSeconds = 2 ** 32;

/** Puts tokens into secrets that are made for them by hand, and removes those whose account is gone. */
export function serviceAccountTokenController(context: ClusterControllerContext): Controller {
  const { client, clock, log, signal, informers, rootCa } = context;
  const queue = new WorkQueue({ clock });
  const accounts = informers.of<ServiceAccount>(serviceAccounts);
  const secrets = createInformer<Secret>({ client, clock, log, signal, ref: secretsRef, fieldSelector: `type=${tokenSecretType}` });
  secrets.onChange(({ object }) => queue.add(keyOf(object)));
  accounts.onChange(({ type, object }) => {
    if (type === 'MODIFIED') return;
    const key = keyOf(object);
    for (const secret of secrets.list()) if (keyFor(secret.metadata.namespace, accountNameOf(secret)) === key) queue.add(keyOf(secret));
  });
  const reconcile = async (key: string): Promise<void> => {
    const secret = secrets.get(key);
    if (!secret) return;
    const account = await find(client, accounts.get(keyFor(secret.metadata.namespace, accountNameOf(secret))), secret);
    const plan = planTokenSecret(secret, account, rootCa);
    if (plan.length > 0) log.info(planText(plan), { controller: name });
    for (const operation of plan) await execute(client, secret, operation);
  };
  return { name, run: () => runController({ name, queue, workers: 1, synced: [accounts.synced, secrets.synced], reconcile, signal, log, clock }) };
}

/** What the informer has not seen yet the API may know: a secret is not taken away for a delay. */
async function find(client: KubeClient, seen: ServiceAccount | undefined, secret: Secret): Promise<ServiceAccount | undefined> {
  if (seen) return seen;
  try {
    return await client.get<ServiceAccount>(serviceAccounts, accountNameOf(secret), secret.metadata.namespace);
  } catch (error) {
    if (isFault(error, 'not-found')) return undefined;
    throw error;
  }
}

async function execute(client: KubeClient, secret: Secret, operation: Operation): Promise<void> {
  const { name: secretName = '', namespace, uid } = secret.metadata;
  try {
    if (operation.do === 'delete') {
      await client.delete(secretsRef, secretName, { namespace, preconditions: { uid } });
      return;
    }
    const token = operation.needsToken ? { token: Buffer.from(await requestToken(client, secret, operation.account)).toString('base64') } : {};
    const body = { metadata: { uid, annotations: { [accountUidNote]: operation.accountUid } }, data: { ...operation.data, ...token } };
    await client.patch(secretsRef, secretName, { type: 'merge', body }, { namespace });
  } catch (error) {
    if (!isFault(error, 'not-found')) throw error;
  }
}

interface TokenRequest {
  apiVersion: string;
  kind: string;
  metadata: object;
  spec: object;
  status?: { token: string };
}

/** A token that holds as long as the secret does. */
async function requestToken(client: KubeClient, { metadata }: Secret, account: string): Promise<string> {
  const boundObjectRef = { apiVersion: 'v1', kind: 'Secret', name: metadata.name, uid: metadata.uid };
  const request: TokenRequest = { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', metadata: {}, spec: { audiences: [], expirationSeconds: tokenSeconds, boundObjectRef } };
  const { status } = await client.create<TokenRequest>(serviceAccounts, request, { namespace: metadata.namespace, name: account, subresource: 'token' });
  return status?.token ?? '';
}
