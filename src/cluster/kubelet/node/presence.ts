/** That the node is there, as the API server knows it. */
import type { Node } from '#api/kube/types.ts';
import { nodes } from '#client/kube/resources.ts';
import { conditionOf } from '#cluster/machinery/conditions.ts';
import { createInformer } from '#cluster/machinery/informer.ts';
import type { Informer } from '#cluster/machinery/types.ts';
import type { Timer } from '#lib/clock.ts';
import type { NodeContext } from '../types.ts';
import { renewLease } from './register.ts';

/** Milliseconds between renewals, that one may take, and until the next try where it failed. */
const leaseMs = 10_000;
const answerMs = 5_000;
const retryMs = 1_000;
/** Milliseconds between two corrections of what others say of the node. */
const correctMs = 1_000;

/** Renews the node's lease; `onReached` after the API server was out of reach. */
export function keepLease(node: NodeContext, onReached: () => void): Timer {
  const { clock, log } = node;
  let failed = false;
  let cancelled = false;
  let timer: Timer | undefined;
  const renew = async (): Promise<void> => {
    const limit = new AbortController();
    const late = clock.after(answerMs, () => limit.abort());
    try {
      await renewLease(node, limit.signal);
      if (failed) {
        node.onReachedAgain?.();
        onReached();
      }
      failed = false;
    } catch (error) {
      log[failed ? 'debug' : 'warn']('the lease could not be renewed; trying again', { error });
      failed = true;
    } finally {
      late.cancel();
    }
    arm();
  };
  const arm = (): void => {
    if (!cancelled) timer = clock.after(failed ? retryMs : leaseMs, () => void renew());
  };
  arm();
  const handle: Timer = {
    cancel() {
      cancelled = true;
      timer?.cancel();
    },
    unref: () => handle,
  };
  return handle;
}

/** Has the node's status written again where others say that it is not ready, or took its object away. */
export function followOwnNode(node: NodeContext, signal: AbortSignal, correct: () => Promise<void>): Informer<Node> {
  const { client, clock, log, nodeName } = node;
  const own = createInformer<Node>({ client, ref: nodes, clock, log, signal, fieldSelector: `metadata.name=${nodeName}` });
  let pending = false;
  own.onChange(({ type, object }) => {
    if (pending || (type === 'DELETED' ? node.keepNode === false : conditionOf(object.status?.conditions, 'Ready')?.status === 'True')) return;
    pending = true;
    clock.after(correctMs, () => {
      pending = false;
      if (!signal.aborted) void correct();
    }).unref();
  });
  return own;
}
