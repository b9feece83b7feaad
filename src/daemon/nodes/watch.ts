import type { Node } from '#api/kube/types.ts';
import { nodes as nodesRef } from '#client/kube/resources.ts';
import type { KubeClient } from '#client/kube/types.ts';
import type { NodeSights } from '#cluster/controllers/nodelifecycle/controller.ts';
import type { Sight } from '#cluster/controllers/nodelifecycle/plan.ts';
import { createInformer } from '#cluster/machinery/informer.ts';
import { monotonicMs, type Clock } from '#lib/clock.ts';
import { contains, parseCidr, parseIpv4 } from '#lib/ipv4.ts';
import type { Logger } from '#lib/log.ts';
import type { Kernel } from '#sys/types.ts';

export interface WatchParts {
  /** May read nodes. */
  client: KubeClient;
  clock: Clock;
  log: Logger;
  signal: AbortSignal;
  /** Nodes with addresses in it are looked at. */
  clusterCidr: string;
  knock: Kernel['namespaces']['knock'];
}

/** Milliseconds between looks, and between looks at a node that has just been found otherwise. */
const lookMs = 500;
const againMs = 100;
/** Milliseconds of waits for an answer. Here it mostly comes at once; a machine under load may take some hundreds. */
const answerSteps = [2, 48, 150, 250, 250];
/** Milliseconds for which it must look otherwise: an agent may be starting anew; packets may be lost. */
const settleMs: Readonly<Record<Sight['what'], number>> = { agent: 0, 'no-agent': 3_000, 'cut-off': 1_500 };

interface Watched {
  what?: Sight['what'];
  since: number;
  /** What it has looked like lately, instead. */
  other?: { what: Sight['what']; since: number };
  stop: AbortController;
}

/** Knocks at the agents of this host's nodes: it has their network, and so knows sooner than by their silence. */
export function watchNodes(parts: WatchParts): NodeSights {
  const { client, clock, signal, clusterCidr } = parts;
  const log = parts.log.child('watch');
  const handlers: ((node: string) => void)[] = [];
  const watched = new Map<string, Watched>();
  const nodes = createInformer<Node>({ client, clock, log, signal, ref: nodesRef });
  nodes.onChange(({ type, object }) => {
    const name = object.metadata.name ?? '';
    if (type === 'DELETED') {
      watched.get(name)?.stop.abort();
      watched.delete(name);
    } else if (!watched.has(name) && placeOf(object, clusterCidr)) {
      const state: Watched = { since: monotonicMs(clock), stop: new AbortController() };
      watched.set(name, state);
      void follow(name, state).catch(() => {});
    }
  });
  const follow = async (name: string, state: Watched): Promise<void> => {
    const ended = AbortSignal.any([signal, state.stop.signal]);
    while (!ended.aborted) {
      const began = monotonicMs(clock);
      const place = placeOf(nodes.get(name), clusterCidr);
      const found = place && (await look(parts, place, ended));
      if (found && note(state, found, began, monotonicMs(clock))) {
        log.info('a node is seen otherwise', { node: name, sight: found });
        for (const handler of handlers) handler(name);
      }
      await clock.sleep(found === state.what ? lookMs : againMs, ended);
    }
  };
  return {
    of(name) {
      const state = watched.get(name);
      return state?.what && { what: state.what, forMs: monotonicMs(clock) - state.since };
    },
    onChange: (handler) => void handlers.push(handler),
  };
}

/** Whether it has now looked like this for long enough. */
export function note(state: Pick<Watched, 'what' | 'since' | 'other'>, found: Sight['what'], began: number, now: number): boolean {
  if (found === state.what) {
    delete state.other;
    return false;
  }
  if (state.other?.what !== found) state.other = { what: found, since: began };
  if (now - state.other.since < settleMs[found]) return false;
  state.what = found;
  state.since = state.other.since;
  delete state.other;
  return true;
}

/** Undefined where it cannot be told. */
async function look({ clock, knock }: WatchParts, { address, port }: Place, ended: AbortSignal): Promise<Sight['what'] | undefined> {
  const knocked = knock(address, port);
  try {
    for (const ms of answerSteps) {
      const state = knocked.state();
      if (state === 'open') return 'agent';
      if (state === 'refused') return 'no-agent';
      if (state === 'unreachable') break;
      await clock.sleep(ms, ended);
    }
    return knocked.state() === 'open' ? 'agent' : 'cut-off';
  } catch (error) {
    if (ended.aborted) return undefined;
    throw error;
  } finally {
    knocked.close();
  }
}

interface Place {
  address: string;
  port: number;
}

function placeOf(node: Node | undefined, cidr: string): Place | undefined {
  const address = node?.status?.addresses?.find(({ type }) => type === 'InternalIP')?.address;
  const port = node?.status?.daemonEndpoints?.kubeletEndpoint?.Port;
  const [block, value] = [parseCidr(cidr), parseIpv4(address ?? '')];
  return address !== undefined && port && block && value !== undefined && contains(block, value) ? { address, port } : undefined;
}
