/** A projected volume: several sources in one directory. Tokens are kept until it is time for new ones. */
import type { ServiceAccountTokenProjection, VolumeProjection } from '#api/kube/types.ts';
import { Fault } from '#lib/errors.ts';
import { configMapFiles, defaultFileMode, downwardFiles, requestToken, secretFiles } from './sources.ts';
import type { NodeContext } from '../types.ts';
import type { VolumeContext, VolumeFile } from './types.ts';

const defaultTokenSeconds = 3600;

export async function projectedFiles(context: VolumeContext): Promise<VolumeFile[]> {
  const { sources = [], defaultMode = defaultFileMode } = context.volume.projected!;
  const byPath = new Map<string, VolumeFile>();
  for (const source of sources) {
    for (const file of await sourceFiles(context, source, defaultMode)) byPath.set(file.path, file);
  }
  return [...byPath.values()];
}

async function sourceFiles(context: VolumeContext, source: VolumeProjection, mode: number): Promise<VolumeFile[]> {
  const { configMap, secret, downwardAPI, serviceAccountToken } = source;
  if (configMap) return configMapFiles(context, { name: configMap.name ?? '', items: configMap.items, optional: configMap.optional, mode });
  if (secret) return secretFiles(context, { name: secret.name ?? '', items: secret.items, optional: secret.optional, mode });
  if (downwardAPI) return downwardFiles(context, downwardAPI.items ?? [], mode);
  if (serviceAccountToken) return [await tokenFile(context, serviceAccountToken, mode)];
  throw new Fault('not-implemented', `projected volume ${context.volume.name}: the source ${Object.keys(source).join(', ')} is not supported`);
}

async function tokenFile(context: VolumeContext, projection: ServiceAccountTokenProjection, mode: number): Promise<VolumeFile> {
  const { node, pod } = context;
  const key = `${pod.metadata.uid}/${projection.audience ?? ''}/${projection.expirationSeconds ?? defaultTokenSeconds}`;
  let token = node.tokens.get(key);
  const now = node.clock.now();
  // of one that seems to be given in the future the clock was set back, and it does not count yet
  if (!token || token.renewAt <= now || token.givenAt > now) {
    token = await requestToken(context, projection.audience, projection.expirationSeconds ?? defaultTokenSeconds);
    node.tokens.set(key, token);
  }
  // A process that is not root must be able to read its own token.
  const readable = pod.spec.securityContext?.fsGroup === undefined ? mode : 0o600;
  return { path: projection.path, data: Buffer.from(token.token), mode: readable };
}

export function forgetTokens(node: Pick<NodeContext, 'tokens'>, uid: string): void {
  for (const key of node.tokens.keys()) if (key.startsWith(`${uid}/`)) node.tokens.delete(key);
}
