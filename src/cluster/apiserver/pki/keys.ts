/** Signing keys (ECDSA P-256) and the files that keep them. */
import { createPrivateKey, webcrypto } from 'node:crypto';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault } from '#lib/errors.ts';

export const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

export async function generateSigningKey(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}

/** PKCS #8, PEM. */
export async function exportPrivateKey(key: webcrypto.CryptoKey): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key));
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }).export({ format: 'pem', type: 'pkcs8' }).toString();
}

/** Reads a PEM private key for signing. */
export async function importSigningKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = createPrivateKey(pem).export({ format: 'der', type: 'pkcs8' });
  return await webcrypto.subtle.importKey('pkcs8', new Uint8Array(der), keyAlgorithm, true, ['sign']);
}

/** Writes a file whole, or not at all; readable by its owner alone unless `mode` says else. */
export async function writePrivate(path: string, text: string, mode = 0o600): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(`${path}.new`, text, { mode });
  await rename(`${path}.new`, path);
}

/** What `parse` makes of the file's text; a fault that names the file where it is damaged. */
export async function fromFile<T>(path: string, text: string, parse: (text: string) => T | Promise<T>): Promise<T> {
  try {
    return await parse(text);
  } catch (cause) {
    throw new Fault('conflict', `${path} is damaged: restore it from a copy; nothing that trusts it takes another`, { cause });
  }
}
