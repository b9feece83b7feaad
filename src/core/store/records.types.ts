/**
 * Records: the small typed collections that the other nouns keep (containers, images, networks, volumes…),
 * over a store. All of a collection is in memory, frozen; a write resolves when the store has it.
 */
export interface Records<T extends { id: string }> {
  get(id: string): T | undefined;
  list(): readonly T[];
  /** Creates or replaces. */
  put(record: T): Promise<T>;
  /** Replaces by `change` of the newest; `not-found` where there is none. Calls for one id are serial. */
  update(id: string, change: (record: T) => T): Promise<T>;
  delete(id: string): Promise<boolean>;
}

/** Opens the collection `name` (`containers`), reading what it holds. */
export type OpenRecords = <T extends { id: string }>(name: string) => Promise<Records<T>>;
