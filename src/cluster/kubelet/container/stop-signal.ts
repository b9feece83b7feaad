import { constants } from 'node:os';
import type { Container } from '#api/kube/types.ts';

const { SIGTERM } = constants.signals;

/** The signal that the container asks for, or its image, else SIGTERM. */
export function stopSignalOf(container: Container, ofImage: string | undefined): number {
  const wanted = container.lifecycle?.stopSignal ?? ofImage;
  if (!wanted) return SIGTERM;
  if (/^\d+$/.test(wanted)) return Number(wanted);
  const name = wanted.startsWith('SIG') ? wanted : `SIG${wanted}`;
  return (constants.signals as Record<string, number>)[name] ?? SIGTERM;
}
