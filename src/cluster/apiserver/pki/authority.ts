/**
 * The cluster's certificate authority: signs the certificates by which servers (`serverAuth`) and users
 * (`clientAuth`; CN is the user's name, O its groups) prove who they are. ECDSA P-256 throughout.
 */
import type { webcrypto } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { join } from 'node:path';
import 'reflect-metadata'; // the X.509 library asks for it
import * as x509 from '@peculiar/x509';
import type { Clock } from '#lib/clock.ts';
import { codeOf, Fault } from '#lib/errors.ts';
import type { Random } from '#lib/random.ts';
import { hex } from '#lib/random.ts';
import { exportPrivateKey, fromFile, generateSigningKey, importSigningKey, keyAlgorithm, writePrivate } from './keys.ts';

/** A certificate chain and its private key, both PEM. */
export interface KeyPair {
  certificate: string;
  key: string;
}

export interface ServerNames {
  commonName: string;
  dnsNames: readonly string[];
  ipAddresses: readonly string[];
}

export interface ClientNames {
  commonName: string;
  /** The user's groups. */
  organizations: readonly string[];
}

export interface CertificateAuthority {
  /** PEM; what peers trust. */
  readonly certificate: string;
  issueServer(names: ServerNames, days?: number): Promise<KeyPair>;
  issueClient(names: ClientNames, days?: number): Promise<KeyPair>;
}

const caDays = 3650;
const leafDays = 365;
const dayMs = 86_400_000;
/** Certificates are valid from a week before now, for a clock that is behind, or that was ahead and is put right. */
const backdateMs = 7 * dayMs;

/** Opens the authority kept in `directory` (`ca.crt`, `ca.key`), making it where there is none. */
export async function openAuthority(directory: string, tools: { clock: Clock; random: Random }): Promise<CertificateAuthority> {
  const stored = await readStored(directory);
  if (stored) {
    const certificate = await fromFile(join(directory, 'ca.crt'), stored.certificate, (pem) => new x509.X509Certificate(pem));
    return authority(certificate, await fromFile(join(directory, 'ca.key'), stored.key, importSigningKey), tools);
  }
  const keys = await generateSigningKey();
  const now = tools.clock.now();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(tools.random),
    name: [{ CN: ['gantry-ca'] }],
    notBefore: new Date(now - backdateMs),
    notAfter: new Date(now + caDays * dayMs),
    signingAlgorithm: keyAlgorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign | x509.KeyUsageFlags.digitalSignature, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await writePrivate(join(directory, 'ca.key'), await exportPrivateKey(keys.privateKey));
  await writePrivate(join(directory, 'ca.crt'), certificate.toString('pem'), 0o644);
  return authority(certificate, keys.privateKey, tools);
}

function authority(ca: x509.X509Certificate, signingKey: webcrypto.CryptoKey, tools: { clock: Clock; random: Random }): CertificateAuthority {
  const issue = async (name: x509.JsonName, usage: string, days: number, extensions: x509.Extension[]): Promise<KeyPair> => {
    const keys = await generateSigningKey();
    const now = tools.clock.now();
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serial(tools.random),
      subject: name,
      issuer: ca.subjectName,
      notBefore: new Date(now - backdateMs),
      notAfter: new Date(Math.min(now + days * dayMs, ca.notAfter.getTime())),
      signingAlgorithm: keyAlgorithm,
      publicKey: keys.publicKey,
      signingKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyEncipherment, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        await x509.AuthorityKeyIdentifierExtension.create(ca),
        ...extensions,
      ],
    });
    return { certificate: `${certificate.toString('pem')}\n`, key: await exportPrivateKey(keys.privateKey) };
  };
  return {
    certificate: `${ca.toString('pem')}\n`,
    issueServer: (names, days = leafDays) =>
      issue([{ CN: [names.commonName] }], x509.ExtendedKeyUsage.serverAuth, days, [new x509.SubjectAlternativeNameExtension(alternatives(names))]),
    issueClient: (names, days = leafDays) =>
      issue(
        [...(names.organizations.map((o) => ({ O: [o] }))), { CN: [names.commonName] }],
        x509.ExtendedKeyUsage.clientAuth,
        days,
        [],
      ),
  };
}

function alternatives(names: ServerNames): x509.JsonGeneralNames {
  const addresses = names.ipAddresses.map((value) => {
    if (isIP(value) === 0) throw new Fault('invalid', `"${value}" is not an IP address: a server certificate cannot name it`);
    return { type: 'ip' as const, value };
  });
  return [...names.dnsNames.map((value) => ({ type: 'dns' as const, value })), ...addresses];
}

/** 127 random bits, positive. */
function serial(random: Random): string {
  const bytes = hex(random, 16);
  return (Number.parseInt(bytes[0] ?? '0', 16) & 7 | 4).toString(16) + bytes.slice(1);
}

async function readStored(directory: string): Promise<KeyPair | undefined> {
  try {
    const [certificate, key] = await Promise.all([readFile(join(directory, 'ca.crt'), 'utf8'), readFile(join(directory, 'ca.key'), 'utf8')]);
    return { certificate, key };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw new Fault('internal', `the certificate authority in ${directory} cannot be read`, { cause: error });
  }
}
