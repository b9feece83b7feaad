import type { EndpointSlice, Service } from '#api/kube/types.ts';
import type { KubeClient } from '#client/kube/types.ts';
import { createInformers } from '#cluster/machinery/informers.ts';
import { keyOf, type Informers } from '#cluster/machinery/types.ts';
import type { Clock } from '#lib/clock.ts';
import type { Logger } from '#lib/log.ts';
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
    const services = this.#informers.of<Service>({ group: '', version: 'v1', resource: 'services' });
    const slices = this.#informers.of<EndpointSlice>({ group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices' });
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
    await Promise.all([services.synced, slices.synced]);
    this.#started = true;
    this.#apply();
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

function serviceKeys(slice: EndpointSlice): string[] {
  const name = slice.metadata?.labels?.[serviceNameLabel];
  return name === undefined ? [] : [`${slice.metadata?.namespace}/${name}`];
}
