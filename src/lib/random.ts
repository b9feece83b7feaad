import { randomBytes, randomInt, randomUUID } from 'node:crypto';

/** Randomness is a parameter, so that a simulation repeats under its seed. */
export interface Random {
  bytes(count: number): Uint8Array;
  /** A whole number in [0, limit). */
  int(limit: number): number;
  uuid(): string;
}

export const systemRandom: Random = {
  bytes: (count) => randomBytes(count),
  int: (limit) => randomInt(limit),
  uuid: () => randomUUID(),
};

/** `count` random bytes in lower-case hexadecimal. */
export function hex(random: Random, count: number): string {
  return Buffer.from(random.bytes(count)).toString('hex');
}

/** Repeats under its seed (xorshift128+); not for secrets. */
export function seededRandom(seed: number): Random {
  let a = BigInt(seed) ^ 0x9e3779b97f4a7c15n;
  let b = BigInt(seed) * 0xbf58476d1ce4e5b9n + 1n;
  const mask = (1n << 64n) - 1n;
  const next = (): bigint => {
    let x = a & mask;
    const y = b & mask;
    a = y;
    x ^= (x << 23n) & mask;
    b = x ^ y ^ (x >> 17n) ^ (y >> 26n);
    return (b + y) & mask;
  };
  for (let i = 0; i < 8; i++) next();
  const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, () => Number(next() & 0xffn));
  return {
    bytes,
    int: (limit) => Number(next() % BigInt(limit)),
    uuid: () => {
      const h = Buffer.from(bytes(16)).toString('hex');
      return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-8${h.slice(17, 20)}-${h.slice(20, 32)}`;
    },
  };
}
