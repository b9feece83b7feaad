import { Fault } from '#lib/errors.ts';
import { faultOf } from './text.ts';
import type { Nftables } from './types.ts';

export interface FakeNftables extends Nftables {
  /** Each transaction that was taken, in order. */
  calls: { path: string | undefined; commands: string }[];
  /** The namespace is gone. */
  drop(path: string): void;
}

interface Table {
  chains: Set<string>;
  maps: Map<string, Map<string, string>>;
}

type Tables = Map<string, Table>;

/**
 * Knows tables, chains, sets and maps with their elements: enough to see what is left and to refuse what names
 * something that is not there. Rules are recorded and not judged. Statements end with a line or a semicolon
 * outside braces.
 */
export function fakeNftables(exists: (path: string) => boolean = () => true): FakeNftables {
  const worlds = new Map<string, Tables>();
  const calls: FakeNftables['calls'] = [];
  const world = (path = ''): Tables => {
    if (path !== '' && !exists(path)) throw new Fault('not-found', `enter the net namespace at ${path}: no such file or directory (ENOENT)`, { details: { errno: 'ENOENT' } });
    return worlds.get(path) ?? new Map<string, Table>();
  };
  return {
    calls,
    drop: (path) => void worlds.delete(path),
    run(commands, path) {
      const next = copyOf(world(path));
      for (const statement of statementsOf(commands)) apply(next, statement);
      worlds.set(path ?? '', next);
      calls.push({ path, commands });
    },
    tables: (path) => [...world(path).keys()],
    list(table, path) {
      const [family, name] = table.includes(' ') ? table.split(' ') : ['ip', table];
      const found = world(path).get(`${family} ${name}`);
      if (!found) return undefined;
      const chains = [...found.chains].map((chain) => ({ chain: { family, table: name, name: chain } }));
      const maps = [...found.maps].map(([map, elements]) => ({ map: { family, table: name, name: map, elem: [...elements] } }));
      return { nftables: [{ metainfo: { json_schema_version: 1 } }, { table: { family, name } }, ...chains, ...maps] };
    },
  };
}

function copyOf(tables: Tables): Tables {
  return new Map([...tables].map(([name, table]) => [name, { chains: new Set(table.chains), maps: new Map([...table.maps].map(([map, elements]) => [map, new Map(elements)])) }]));
}

/** Splits at newlines and semicolons that are outside braces and quotes. */
export function statementsOf(commands: string): string[] {
  const statements: string[] = [];
  let depth = 0;
  let quoted = false;
  let start = 0;
  const uncommented = commands.replaceAll(/^\s*#.*$/gm, '');
  for (let i = 0; i <= uncommented.length; i++) {
    const char = uncommented[i];
    if (char === '"') quoted = !quoted;
    if (!quoted && char === '{') depth++;
    if (!quoted && char === '}') depth--;
    const ends = char === undefined || (!quoted && depth === 0 && (char === '\n' || char === ';'));
    if (!ends) continue;
    const statement = uncommented.slice(start, i).trim();
    if (statement !== '') statements.push(statement);
    start = i + 1;
  }
  if (depth !== 0 || quoted) throw faultOf('Error: syntax error, unexpected end of file', commands);
  return statements;
}

function apply(tables: Tables, statement: string): void {
  const parsed = /^(?:(add|create|delete|destroy|flush|insert|replace|list|reset|rename)\s+)?(table|chain|set|map|element|rule|ruleset|counter|flowtable|ct)\b\s*([^{]*)(?:\{([\s\S]*)\})?/.exec(statement);
  if (!parsed) throw faultOf(`Error: syntax error, unexpected ${statement.split(/\s/)[0]}`, statement);
  const [, verb = 'add', noun = '', words = '', body] = parsed;
  if (noun === 'ruleset') {
    if (verb === 'flush') tables.clear();
    return;
  }
  const families = ['ip', 'ip6', 'inet', 'arp', 'bridge', 'netdev'];
  const parts = words.trim().split(/\s+/);
  const family = families.includes(parts[0] ?? '') ? (parts.shift() ?? 'ip') : 'ip';
  const key = `${family} ${parts[0]}`;
  if (noun === 'table') applyTable(tables, verb, key, body, statement);
  else applyInTable(need(tables, key, statement), verb, noun, parts[1] ?? '', body ?? '', statement);
}

function applyTable(tables: Tables, verb: string, key: string, body: string | undefined, statement: string): void {
  const there = tables.get(key);
  if (verb === 'create' && there) throw faultOf('Error: Could not process rule: File exists', statement);
  if (verb === 'delete' && !there) throw missing(statement);
  if (verb === 'delete' || verb === 'destroy') tables.delete(key);
  if (verb !== 'add' && verb !== 'create') return;
  const table = there ?? { chains: new Set(), maps: new Map() };
  tables.set(key, table);
  for (const inner of statementsOf(body ?? '')) {
    const [, noun = '', name = '', content = ''] = /^(\w+)\s+(\S+)\s*\{([\s\S]*)\}$/.exec(inner) ?? [];
    if (noun === 'chain') table.chains.add(name);
    if (noun === 'map' || noun === 'set') table.maps.set(name, elementsOf(/elements\s*=\s*\{([\s\S]*)\}/.exec(content)?.[1] ?? ''));
  }
}

function applyInTable(table: Table, verb: string, noun: string, name: string, body: string, statement: string): void {
  const gone = verb === 'delete' || verb === 'destroy';
  if (noun === 'chain') {
    if (verb === 'delete' && !table.chains.has(name)) throw missing(statement);
    if (gone) table.chains.delete(name);
    else table.chains.add(name);
  } else if (noun === 'map' || noun === 'set') {
    if (verb === 'delete' && !table.maps.has(name)) throw missing(statement);
    if (gone) table.maps.delete(name);
    else if (verb === 'flush') table.maps.get(name)?.clear();
    else if (!table.maps.has(name)) table.maps.set(name, elementsOf(/elements\s*=\s*\{([\s\S]*)\}/.exec(body)?.[1] ?? ''));
  } else if (noun === 'element') {
    const map = table.maps.get(name);
    if (!map) throw missing(statement);
    for (const [element, value] of elementsOf(body)) {
      if (verb === 'delete' && !map.delete(element)) throw missing(statement);
      if (verb === 'destroy') map.delete(element);
      if (verb === 'create' && map.has(element)) throw faultOf('Error: Could not process rule: File exists', statement);
      if (verb === 'add' && map.has(element) && map.get(element) !== value) throw faultOf('Error: Could not process rule: File exists', statement);
      if (verb === 'add' || verb === 'create') map.set(element, value);
    }
  } else if (noun === 'rule' && !table.chains.has(name)) throw missing(statement);
}

function elementsOf(body: string): Map<string, string> {
  const elements = new Map<string, string>();
  for (const element of body.split(',')) {
    const text = element.trim().replaceAll(/\s+/g, ' ');
    if (text === '') continue;
    // ` : ` parts key and value; colons within IPv6 addresses have no spaces around them.
    const at = text.indexOf(' : ');
    elements.set(at < 0 ? text : text.slice(0, at), at < 0 ? '' : text.slice(at + 3));
  }
  return elements;
}

function need(tables: Tables, key: string, statement: string): Table {
  const table = tables.get(key);
  if (!table) throw missing(statement);
  return table;
}

function missing(statement: string): Fault {
  return faultOf(`Error: No such file or directory\n${statement}`, statement);
}
