import type { EndpointSlice, Node, Service } from '#api/kube/types.ts';
import { endpointSlices as slicesRef, nodes as nodesRef, services as servicesRef } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { isTrue } from '#cluster/machinery/conditions.ts';
import { createInformers } from '#cluster/machinery/informers.ts';
import { keyOf, type Informers } from '#cluster/machinery/types.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
import { isInto, isLost, lostBackends, type Connections } from './connections.ts';
import { emptyState, frontendsOf, stateOf } from './desired.ts';
import { changes, wholeTable } from './rules.ts';
import type { Frontend, ProxyPlace, ProxyRules, ProxyState } from './types.ts';

export interface ProxyOptions {
  client: KubeClient;
  clock: Clock;
  log: Logger;
  rules: ProxyRules;
  /** The nftables table, in the family ip. */
  table: string;
  /** The node whose own endpoints are near; undefined for a host in front of its nodes, to which all are. */
  nodeName: string | undefined;
  place: ProxyPlace;
  /** Absent: connections stay where they were led. */
  connections?: Connections;
  signal: AbortSignal;
  /** Path of the node's network namespace; the host's where undefined. */
  namespace?: string;
}

/** Changes that come together are applied together: milliseconds to wait for more, and before a failure is tried again. */
const gatherMs = 5;
const retryMs = 1_000;
const serviceNameLabel = 'kubernetes.io/service-name';

/** Starts the proxy of a node; resolves when the rules hold what the API server has. */
export async function startProxy(options: ProxyOptions): Promise<void> {
  const informers = createInformers({ ...options, log: options.log.child('proxy') });
  const proxy = new NodeProxy(options, informers);
  await proxy.start();
}

class NodeProxy {
  readonly #options: ProxyOptions;
  readonly #informers: Informers;
  readonly #log: Logger;
  readonly #frontends = new Map<string, Frontend[]>();
  readonly #dirty = new Set<string>();
  #applied: ProxyState = emptyState;
  #whole = true;
  #pending = false;
  #started = false;

  constructor(options: ProxyOptions, informers: Informers) {
    this.#options = options;
    this.#informers = informers;
    this.#log = options.log.child('proxy');
  }

  async start(): Promise<void> {
    const services = this.#informers.of<Service>(servicesRef);
    const slices = this.#informers.of<EndpointSlice>(slicesRef);
    slices.addIndex('service', serviceKeys);
    const look = (key: string): void => {
      this.#dirty.add(key);
      this.#schedule(gatherMs);
    };
    services.onChange(({ object }) => look(keyOf(object)));
    slices.onChange(({ object, old }) => [...serviceKeys(object), ...(old ? serviceKeys(old) : [])].forEach(look));
    this.#refresh = (key) => {
      const service = services.get(key);
      const frontends = service ? frontendsOf(service, slices.byIndex('service', key), this.#options.nodeName) : [];
      if (frontends.length > 0) this.#frontends.set(key, frontends);
      else this.#frontends.delete(key);
    };
    const nodes = this.#informers.of<Node>(nodesRef);
    nodes.onChange(({ object, old }) => {
      if (isCutOff(object) && old && !isCutOff(old)) this.#leave(object);
    });
    await Promise.all([services.synced, slices.synced, nodes.synced]);
    this.#started = true;
    this.#apply();
  }

  /**
   * Nothing comes back from a node that is cut off. Clients that wait for it, or would use a kept connection again, are told
   * at once; what they send to the Service next goes elsewhere.
   */
  #leave({ metadata, spec }: Node): void {
    const { connections } = this.#options;
    const podCidr = spec.podCIDR;
    if (!connections || podCidr === undefined) return;
    this.#try('connections to a node that is cut off could not be ended', () => {
      let count = 0;
      connections.forget((connection) => {
        if (!isInto(connection, podCidr)) return false;
        if (connection.protocol === 'tcp' && connection.phase === 'open') connections.break(connection);
        count++;
        return true;
      });
      this.#log.info('a node is cut off; connections to its pods are ended', { node: metadata.name, count });
    });
  }

  #forget(lost: ReadonlySet<string>): void {
    if (lost.size === 0) return;
    this.#try('connections to endpoints that are gone could not be forgotten', () => this.#options.connections?.forget((connection) => isLost(connection, lost)));
  }

  #try(what: string, action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#log.warn(what, { error });
    }
  }

  #refresh: (key: string) => void = () => {};

  #schedule(ms: number): void {
    if (this.#pending || !this.#started) return;
    this.#pending = true;
    this.#options.clock.after(ms, () => {
      this.#pending = false;
      if (!this.#options.signal.aborted) this.#apply();
    });
  }

  #apply(): void {
    const { rules, table, place, namespace } = this.#options;
    for (const key of this.#dirty) this.#refresh(key);
    this.#dirty.clear();
    const wanted = stateOf([...this.#frontends.values()].flat());
    const text = this.#whole ? wholeTable(table, place, wanted) : changes(table, this.#applied, wanted);
    if (text === '') return;
    try {
      rules.run(text, namespace);
      if (!this.#whole) this.#forget(lostBackends(this.#applied, wanted));
      this.#applied = wanted;
      this.#whole = false;
    } catch (error) {
      // what is there may be anything now: the next try replaces all of it
      this.#log.error('the rules of Services could not be changed; trying again', { error });
      this.#whole = true;
      this.#schedule(retryMs);
    }
  }
}

/** The daemon that has the node's network says so (controllers/nodelifecycle). */
function isCutOff({ status }: Node): boolean {
  return isTrue(status?.conditions, 'NetworkUnavailable');
}

function serviceKeys(slice: EndpointSlice): string[] {
  const name = slice.metadata?.labels?.[serviceNameLabel];
  return name === undefined ? [] : [`${slice.metadata?.namespace}/${name}`];
}
