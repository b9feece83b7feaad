import type { Connectors } from './types.ts';

/** How this server proves itself to nodes, and whom it trusts there; PEM. */
export interface NodeAccess {
  ca: string;
  certificate: string;
  key: string;
}

export function connectors(_access: NodeAccess): Connectors {
  return [];
}
