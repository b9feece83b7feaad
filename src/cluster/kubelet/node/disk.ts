/**
 * When a node says that it lacks disk, so that no more pods come to it (the node life cycle controller's taint): less than both are
 * left to it. The share is k3s's; kubelet's own tenth, or 15 %, would close a laptop's one node with 50 GB to spare. Nothing is evicted.
 */
export const diskPressure = { share: 0.05, bytes: 1024 ** 3 } as const;

export function lacksDisk({ total, available }: { total: number; available: number }): boolean {
  return available < Math.min(total * diskPressure.share, diskPressure.bytes);
}
