/** The key that signs service-account tokens (ES256), kept in `sa.key` beside the authority. */
import { createHash, createPrivateKey, createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf, Fault } from '#lib/errors.ts';
import { exportPrivateKey, fromFile, generateSigningKey, writePrivate } from './keys.ts';

export interface ServiceAccountKeys {
  privateKey: KeyObject;
  publicKey: KeyObject;
  /** Names the key in a token's header and in the published key set. */
  keyId: string;
}

export async function openServiceAccountKeys(directory: string): Promise<ServiceAccountKeys> {
  const path = join(directory, 'sa.key');
  const privateKey = await fromFile(path, await readOrMake(path), (pem) => createPrivateKey(pem));
  const publicKey = createPublicKey(privateKey);
  const keyId = createHash('sha256').update(publicKey.export({ format: 'der', type: 'spki' })).digest('base64url');
  return { privateKey, publicKey, keyId };
}

async function readOrMake(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw new Fault('internal', `the service-account key ${path} cannot be read`, { cause: error });
  }
  const pem = await exportPrivateKey((await generateSigningKey()).privateKey);
  await writePrivate(path, pem);
  return pem;
}
