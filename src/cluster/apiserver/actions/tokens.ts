/** `serviceaccounts/token`: a token that proves its holder to be the service account. */
import type { BoundObjectReference, KubeObject, Pod, TokenRequestSpec } from '#api/kube/types.ts';
import { isoSeconds } from '#lib/clock.ts';
import type { Bound, TokenClaims } from '../authn/service-account.ts';
import type { Core } from '../core.ts';
import { podTokenSeconds } from '../admission/service-account.ts';
import { badRequest, conflict, invalidObject, notFound } from '../status.ts';
import type { Target } from '../types.ts';
import type { Action, ActionRequest } from './types.ts';

const defaultSeconds = 3600;
const leastSeconds = 600;
const mostSeconds = 2 ** 32;
/**
 * What each pod is given is taken for a year after the time that it is told, as by kube-apiserver (service-account-extend-token-expiration):
 * for clients that read it once, and for a clock that is set.
 */
const lateTokenSeconds = 365 * 86_400;

export const tokenActions: readonly Action[] = [{ group: '', resource: 'serviceaccounts', subresource: 'token', run: requestToken }];

async function requestToken({ server, target, object }: ActionRequest): Promise<{ code: number; object: KubeObject }> {
  const { core, authentication } = server;
  const account = core.objects.of(target.resource).get(target.namespace, target.name)?.object;
  if (!account) throw notFound(target.resource, target.name);
  const spec = (object['spec'] ?? {}) as TokenRequestSpec;
  const seconds = spec.expirationSeconds ?? defaultSeconds;
  checkSeconds(seconds);
  const asked = spec.audiences ?? [];
  const audiences = asked.length === 0 ? authentication.audiences : asked;
  const serviceaccount = { name: target.name, uid: account.metadata.uid ?? '' };
  const claims: TokenClaims = { namespace: target.namespace, serviceaccount, ...boundClaims(core, target, spec.boundObjectRef) };
  const isPods = claims.pod !== undefined && seconds === podTokenSeconds && asked.length === 0;
  const lateSeconds = isPods ? lateTokenSeconds : 0;
  const { token, expiresMs } = await authentication.tokens.issue(claims, audiences, seconds + lateSeconds);
  const metadata = { name: target.name, namespace: target.namespace, creationTimestamp: isoSeconds(core.clock.now()) };
  const status = { token, expirationTimestamp: isoSeconds(expiresMs - lateSeconds * 1000) };
  return { code: 201, object: { ...object, metadata, spec: { ...spec, audiences: [...audiences], expirationSeconds: seconds }, status } };
}

function checkSeconds(seconds: number): void {
  const refuse = (detail: string): Error =>
    invalidObject({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', [{ type: 'Invalid', path: 'spec.expirationSeconds', value: seconds, detail }]);
  if (seconds < leastSeconds) throw refuse('may not specify a duration less than 10 minutes');
  if (seconds > mostSeconds) throw refuse('may not specify a duration larger than 2^32 seconds');
}

function boundClaims(core: Core, { namespace, name }: Target, reference: BoundObjectReference | undefined): Partial<TokenClaims> {
  if (!reference) return {};
  const { kind = '', name: boundName = '', uid } = reference;
  const plural = ({ Pod: 'pods', Secret: 'secrets' } as const)[kind as 'Pod' | 'Secret'];
  if (!plural) throw badRequest(`cannot bind token to object of type ${kind}`);
  const resource = core.resources.find('', 'v1', plural);
  const found = resource && core.objects.of(resource).get(namespace, boundName)?.object;
  if (!resource || !found) throw notFound({ group: '', plural }, boundName);
  const actual = found.metadata.uid ?? '';
  if (uid !== undefined && uid !== actual) {
    throw conflict(resource, boundName, `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`);
  }
  const bound: Bound = { name: boundName, uid: actual };
  if (kind === 'Secret') return { secret: bound };
  const { serviceAccountName = '', nodeName = '' } = (found as unknown as Pod).spec;
  if (serviceAccountName !== name) throw badRequest(`cannot bind token for serviceaccount "${name}" to pod running with different serviceaccount name.`);
  return { pod: bound, ...nodeClaim(core, nodeName) };
}

function nodeClaim(core: Core, name: string): Partial<TokenClaims> {
  const nodes = core.resources.find('', 'v1', 'nodes');
  const uid = nodes && core.objects.of(nodes).get('', name)?.object.metadata.uid;
  return uid === undefined ? {} : { node: { name, uid } };
}
