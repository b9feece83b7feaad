import { Fault } from '#lib/errors.ts';
import type { Records } from '#core/store/records.types.ts';
import type { Kernel } from '#sys/types.ts';
import { addElements, deleteElements, portElements, type ElementChange, type PortRule } from '../rules.ts';
import type { PortRequest, PublishedPort } from '../types.ts';
import { PortHolder, type HeldPort, type PortTarget } from './holder.ts';

export interface PublishedRecord {
  /** The sandbox. */
  id: string;
  address: string;
  ports: readonly PublishedPort[];
}

/** Published ports: their records, the sockets that hold them, and their elements in the rules. */
export class PublishedPorts {
  readonly #records: Records<PublishedRecord>;
  readonly #holder: PortHolder;
  readonly #nft: Kernel['nft'];
  readonly #table: string;
  readonly #held = new Map<string, { target: PortTarget; ports: HeldPort[] }>();

  constructor(records: Records<PublishedRecord>, kernel: Kernel, table: string) {
    this.#records = records;
    this.#holder = new PortHolder(kernel);
    this.#nft = kernel.nft;
    this.#table = table;
  }

  /** All or none. */
  async publish(sandboxId: string, address: string, requests: readonly PortRequest[]): Promise<PublishedPort[]> {
    if (this.#records.get(sandboxId)) throw new Fault('conflict', `sandbox ${sandboxId.slice(0, 12)} has published its ports already`);
    const held: HeldPort[] = [];
    const target = { address };
    try {
      for (const request of requests) held.push(await this.#holder.hold(request, target));
      const ports = held.flatMap((h) => h.port);
      const record = { id: sandboxId, address, ports };
      this.#nft.run(addElements(this.#table, elementsOf(record)));
      this.#held.set(sandboxId, { target, ports: held });
      await this.#records.put(record);
      return ports;
    } catch (error) {
      for (const h of held) h.release();
      throw error;
    }
  }

  /** Leads the ports of a sandbox that had `from` to its address `to`; with none left, they are no longer published. */
  async move(sandboxId: string, from: string, to: string | undefined): Promise<void> {
    const record = this.#records.get(sandboxId);
    if (!record || record.address !== from) return;
    if (to === undefined) return this.unpublish(sandboxId);
    const moved = { ...record, address: to };
    this.#nft.run(deleteElements(this.#table, elementsOf(record)) + addElements(this.#table, elementsOf(moved)));
    const held = this.#held.get(sandboxId);
    if (held) held.target.address = to;
    await this.#records.put(moved);
  }

  async unpublish(sandboxId: string): Promise<void> {
    const record = this.#records.get(sandboxId);
    if (!record) return;
    this.#nft.run(deleteElements(this.#table, elementsOf(record)));
    this.#release(sandboxId);
    await this.#records.delete(sandboxId);
  }

  of(sandboxId: string): readonly PublishedPort[] {
    return this.#records.get(sandboxId)?.ports ?? [];
  }

  /** What the rules must hold for all of them. */
  rules(): { ports: PortRule[]; itself: ElementChange[] } {
    return { ports: this.#records.list().flatMap(rulesOf), itself: this.#records.list().map((r) => itself(r.address)) };
  }

  /** Binds again, after a restart of the daemon, what is published. A port that was taken meanwhile is told. */
  async recover(onTaken: (sandboxId: string, error: unknown) => void): Promise<void> {
    for (const record of this.#records.list()) {
      const held: HeldPort[] = [];
      const target = { address: record.address };
      for (const port of record.ports.filter((p) => p.hostIp !== '::')) {
        const request = { ...port, hostIp: port.hostIp === '0.0.0.0' ? '' : port.hostIp };
        try {
          held.push(await this.#holder.hold(request, target));
        } catch (error) {
          onTaken(record.id, error);
        }
      }
      this.#held.set(record.id, { target, ports: held });
    }
  }

  close(): void {
    for (const id of [...this.#held.keys()]) this.#release(id);
  }

  #release(sandboxId: string): void {
    for (const h of this.#held.get(sandboxId)?.ports ?? []) h.release();
    this.#held.delete(sandboxId);
  }
}

/** IPv6 is carried in user space and has no rule. */
function rulesOf(record: PublishedRecord): PortRule[] {
  return record.ports
    .filter((p) => !p.hostIp.includes(':'))
    .map((p) => ({ hostIp: p.hostIp === '0.0.0.0' ? '' : p.hostIp, hostPort: p.hostPort, protocol: p.protocol, address: record.address, port: p.containerPort }));
}

function elementsOf(record: PublishedRecord): ElementChange[] {
  return [...rulesOf(record).map(portElements), itself(record.address)];
}

/** A container that comes to itself through its own published port must be answered to the host's address. */
function itself(address: string): ElementChange {
  return { set: 'itself', elements: [`${address} . ${address}`] };
}
