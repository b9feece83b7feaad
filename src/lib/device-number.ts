/** Device numbers as Linux packs them: the dev_t of stat(2) and mknod(2). */

export function deviceNumber(major: number, minor: number): bigint {
  const [a, b] = [BigInt(major), BigInt(minor)];
  return ((a & 0xfffff000n) << 32n) | ((a & 0xfffn) << 8n) | ((b & 0xffffff00n) << 12n) | (b & 0xffn);
}

export function majorOf(device: number | bigint): number {
  const packed = BigInt(device);
  return Number(((packed >> 8n) & 0xfffn) | ((packed >> 32n) & 0xfffff000n));
}

export function minorOf(device: number | bigint): number {
  const packed = BigInt(device);
  return Number((packed & 0xffn) | ((packed >> 12n) & 0xffffff00n));
}
