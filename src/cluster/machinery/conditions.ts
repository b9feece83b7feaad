/** Conditions: what is observed of an object, one of each type. */
export interface AnyCondition {
  type: string;
  status: string;
  reason?: string;
  message?: string;
  lastTransitionTime?: string;
}

export function conditionOf<C extends AnyCondition>(conditions: readonly C[] | undefined, type: string): C | undefined {
  return conditions?.find((condition) => condition.type === type);
}

export function isTrue(conditions: readonly AnyCondition[] | undefined, type: string): boolean {
  return conditionOf(conditions, type)?.status === 'True';
}

/** The list with `condition` in its place; `now` becomes its transition time where its status changed. */
export function withCondition<C extends AnyCondition>(conditions: readonly C[] | undefined, condition: C, now: string): C[] {
  const before = conditionOf(conditions, condition.type);
  const lastTransitionTime = before?.status === condition.status ? (before.lastTransitionTime ?? now) : now;
  const after = { ...condition, lastTransitionTime };
  if (!before) return [...(conditions ?? []), after];
  return (conditions ?? []).map((c) => (c === before ? after : c));
}

export function withoutCondition<C extends AnyCondition>(conditions: readonly C[] | undefined, type: string): C[] {
  return (conditions ?? []).filter((condition) => condition.type !== type);
}
