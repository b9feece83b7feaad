/** A plan is a list of operations, each with its cause. It prints as text: for the log, and for tests. */
export interface Planned {
  /** `create pod web-x`. */
  what: string;
  /** Why: `1 of 2 copies is there`. */
  cause: string;
}

export function planText(operations: readonly Planned[]): string {
  return operations.map(({ what, cause }) => `${what}: ${cause}`).join('\n');
}
