import { X509Certificate } from 'node:crypto';
import type { User } from '../types.ts';

/** Who a verified client certificate says that its holder is: CN is the name, each O a group. */
export function userOfCertificate(raw: Buffer): User | undefined {
  const lines = new X509Certificate(raw).subject?.split('\n') ?? [];
  const values = (key: string): string[] => lines.filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1));
  const [name] = values('CN');
  return name === undefined || name === '' ? undefined : { name, groups: values('O') };
}
