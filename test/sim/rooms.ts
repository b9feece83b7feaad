import type { Node, Pod } from '#api/kube/types.ts';
import { isFinishedPod } from '#cluster/machinery/pods.ts';

/** Sums of what pods ask for: thousandths of a cpu, and pieces. */
interface Room {
  cpu: number;
  pods: number;
}

/** Nodes get no more than they have room for: neither from the scheduler, nor in what they run. */
export class Rooms {
  readonly #say: (problem: string) => void;
  readonly #allocatable = new Map<string, Room>();
  /** By node and key. */
  readonly #pods = new Map<string, Map<string, { pod: Pod; byScheduler: boolean }>>();

  constructor(say: (problem: string) => void) {
    this.#say = say;
  }

  onNode(node: Node | undefined, before: Node | undefined): void {
    if (!node) return void this.#allocatable.delete(before?.metadata.name ?? '');
    const { cpu = '0', pods = '0' } = node.status?.allocatable ?? {};
    this.#allocatable.set(node.metadata.name ?? '', { cpu: milli(cpu), pods: Number(pods) });
  }

  onPod(key: string, pod: Pod | undefined, before: Pod | undefined): void {
    const node = (pod ?? before)?.spec.nodeName ?? '';
    if (node === '') return;
    const here = this.#pods.get(node) ?? new Map<string, { pod: Pod; byScheduler: boolean }>();
    this.#pods.set(node, here);
    if (!pod) return void here.delete(key);
    const bound = before !== undefined && (before.spec.nodeName ?? '') === '';
    here.set(key, { pod, byScheduler: bound || (before !== undefined && here.get(key)?.byScheduler === true) });
    if (bound) this.#compare(node, `pod ${key} was bound to ${node}`, [...here.values()].filter(({ byScheduler }) => byScheduler));
    else if (runs(pod) && !(before && runs(before))) this.#compare(node, `pod ${key} runs on ${node}`, [...here.values()].filter((one) => runs(one.pod)));
  }

  #compare(node: string, what: string, pods: readonly { pod: Pod }[]): void {
    const room = this.#allocatable.get(node);
    const there = pods.map(({ pod }) => pod).filter((pod) => !isFinishedPod(pod));
    const cpu = there.reduce((sum, pod) => sum + cpuOf(pod), 0);
    if (room && cpu > room.cpu) this.#say(`${what}: its pods ask for ${cpu}m cpu there, of ${room.cpu}m`);
    if (room && there.length > room.pods) this.#say(`${what}: ${there.length} pods are there, of ${room.pods}`);
  }
}

const runs = ({ status }: Pod): boolean => status?.podIP !== undefined;
const cpuOf = ({ spec }: Pod): number => spec.containers.reduce((sum, { resources }) => sum + milli(resources?.requests?.['cpu'] ?? '0'), 0);

function milli(quantity: string): number {
  return quantity.endsWith('m') ? Number(quantity.slice(0, -1)) : Number(quantity) * 1000;
}
