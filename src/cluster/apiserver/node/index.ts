import type { NodeDialer } from './dial.ts';
import { logConnector } from './log.ts';
import { nodeProxyConnector } from './proxy.ts';
import { streamConnectors } from './streams.ts';
import type { Connectors } from './types.ts';
import { workloadProxyConnectors } from './workload-proxy.ts';

/** Subresources that open a stream; those of resources that are not here answer that they are not implemented. */
export function connectors(dialer: NodeDialer): Connectors {
  return [logConnector(dialer), ...streamConnectors(dialer), nodeProxyConnector(dialer), ...workloadProxyConnectors(dialer)];
}
