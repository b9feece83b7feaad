/**
 * Records: the small typed collections that the other nouns keep (containers, images, networks, volumes…),
 * over a store. All of a collection is in memory, frozen; a write resolves when the store has it.
 */
export interface Records<T extends { id: string }> {
  get(id: string): T | undefined;
  /** Ids whose stored value is no record any more: left out of all else here, and kept as they are. Who sweeps spares what is theirs. */
  readonly damaged: ReadonlySet<string>;
  list(): readonly T[];
  /** Creates or replaces. */
  put(record: T): Promise<T>;
  /** Replaces by `change` of the newest; `not-found` where there is none. Calls for one id are serial. */
  update(id: string, change: (record: T) => T): Promise<T>;
  delete(id: string): Promise<boolean>;
}

/** Opens the collection `name` (`containers`), reading what it holds. A value without one of the fields `needs` is damaged. */
export type OpenRecords = <T extends { id: string }>(name: string, needs?: readonly (keyof T & string)[]) => Promise<Records<T>>;
