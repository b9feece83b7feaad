import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { codeOf } from '#lib/errors.ts';
import type { Processes } from '#sys/process/types.ts';
import type { AgentFile, JoinFile } from './types.ts';

/** All of a node but what its agent runs in. */
export function nodeRoot(root: string, name: string): string {
  return join(root, 'nodes', name);
}

export const agentLog = (home: string): string => join(home, 'run', 'agent.log');
const joinPath = (home: string): string => join(home, 'join.json');
const agentPath = (home: string): string => join(home, 'run', 'agent.json');

export function writeJoin(home: string, file: JoinFile): void {
  writeWhole(joinPath(home), file);
}

export function readJoin(home: string): JoinFile {
  return JSON.parse(readFileSync(joinPath(home), 'utf8')) as JoinFile;
}

export function writeAgent(home: string, file: AgentFile): void {
  writeWhole(agentPath(home), file);
}

/** The agent that lives; undefined where none does: its pid may since be another process's. */
export function livingAgent(home: string, processes: Processes): AgentFile | undefined {
  try {
    const file = JSON.parse(readFileSync(agentPath(home), 'utf8')) as AgentFile;
    return processes.alive(file.pid) && processes.startTime(file.pid)?.toString() === file.startTime ? file : undefined;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Keys are in some of them: for root alone. */
function writeWhole(path: string, content: JoinFile | AgentFile): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  writeFileSync(`${path}.new`, JSON.stringify(content, null, 2), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
