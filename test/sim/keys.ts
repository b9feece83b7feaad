import { createHash, generateKeyPairSync } from 'node:crypto';
import type { ServiceAccountKeys } from '#cluster/apiserver/pki/service-account-keys.ts';

let made: ServiceAccountKeys | undefined;

/** For tokens, which no world asks for: the one thing that is not drawn from the seed. */
export function simKeys(): ServiceAccountKeys {
  if (made) return made;
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  made = { privateKey, publicKey, keyId: createHash('sha256').update('sim').digest('base64url') };
  return made;
}
