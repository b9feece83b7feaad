/**
 * nftables through libnftables, in nft's own command language. One call is one transaction: all of it or
 * nothing. Keep large sets in maps and change their elements: loading 10,000 chains takes seconds.
 */
export interface Nftables {
  /** Runs nft commands in the network namespace pinned at `path`, or in this process's. Bad input: `invalid`, with nft's text. */
  run(commands: string, path?: string): void;
  /** The names of the tables that exist, as `family name`. */
  tables(path?: string): string[];
  /** `nft -j list …` of one table, parsed; undefined where there is none. */
  list(table: string, path?: string): unknown;
}
