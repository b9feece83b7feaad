import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Fault } from '#lib/errors.ts';
import { readStateFile } from '#lib/state-file.ts';
import { nodeLimits, type LeavingNode, type Roster, type RosterNode } from './types.ts';

const prefix = 'gantry-';
const first: RosterNode = { name: `${prefix}0`, number: 1 };
/** What a root has that never had another: one node, in the daemon. */
const initial: Roster = { agents: false, nodes: [first], leaving: [] };

export function readRoster(file: string): Roster {
  return readStateFile(file, isRoster, 'the cluster then has one node, and what ran on others is lost') ?? initial;
}

function isRoster(value: unknown): value is Roster {
  if (typeof value !== 'object' || value === null) return false;
  const { agents, nodes, leaving } = value as Partial<Roster>;
  return typeof agents === 'boolean' && [nodes, leaving].every((list) => Array.isArray(list) && list.every((node: Partial<RosterNode> | null) => typeof node?.name === 'string' && typeof node.number === 'number'));
}

export function writeRoster(file: string, roster: Roster): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o711 });
  writeFileSync(`${file}.new`, JSON.stringify(roster, null, 2));
  renameSync(`${file}.new`, file);
}

/** The roster of `count` nodes made from the one that is there: one is in the daemon, each of several is an agent. */
export function rosterOf(count: number, present: Roster): Roster {
  const agents = count > 1;
  const same = agents === present.agents;
  let nodes = agents && same ? present.nodes.slice(0, count) : [first];
  while (nodes.length < count) nodes = [...nodes, nextNode(nodes)];
  const gone = same ? present.nodes.filter(({ name }) => !nodes.some((node) => node.name === name)) : present.nodes;
  return { agents, nodes, leaving: [...present.leaving, ...gone.map((node) => leavingOf(node, present))] };
}

export function leavingOf({ name, number }: RosterNode, { agents }: Roster): LeavingNode {
  return { name, number, agent: agents };
}

/** The free name and number that come next; of the name that is given, if it can have it. */
export function nextNode(nodes: readonly RosterNode[], name?: string): RosterNode {
  if (nodes.length >= nodeLimits.nodes) throw new Fault('exhausted', `there are ${nodes.length} nodes, which is the most for one machine`);
  const free = (taken: (candidate: number) => boolean): number => {
    let candidate = 0;
    while (taken(candidate)) candidate++;
    return candidate;
  };
  const number = free((n) => n === 0 || nodes.some((node) => node.number === n));
  if (name === undefined) return { name: `${prefix}${free((n) => nodes.some((node) => node.name === `${prefix}${n}`))}`, number };
  if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(name) || name.length > nodeLimits.nameCharacters) {
    throw new Fault('invalid', `invalid node name ${JSON.stringify(name)}: use up to ${nodeLimits.nameCharacters} of a-z, 0-9 and "-", beginning and ending with a letter or digit`);
  }
  if (nodes.some((node) => node.name === name)) throw new Fault('already-exists', `there is a node ${name} already`);
  return { name, number };
}
