/** Commands in running containers, as the container's own user, with its environment and directory. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { ExecSession, ProcessSpec, TerminalSize } from '#core/containers/types.ts';
import type { NodeContext } from '../types.ts';
import { podDirectory } from '../volumes/manager.ts';

type Kept = Pick<ProcessSpec, 'env' | 'cwd' | 'user' | 'noNewPrivileges'>;

function processFile(node: NodeContext, uid: string, id: string): string {
  return join(podDirectory(node, uid), 'processes', `${id}.json`);
}

/** Keeps what an exec needs to know of a container's process, over restarts of the kubelet. */
export function rememberProcess(node: NodeContext, uid: string, id: string, spec: ProcessSpec): void {
  const kept: Kept = { env: spec.env, cwd: spec.cwd, user: spec.user, noNewPrivileges: spec.noNewPrivileges ?? false };
  const path = processFile(node, uid, id);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  // The environment may hold secrets.
  writeFileSync(path, JSON.stringify(kept), { mode: 0o600 });
}

export interface ExecRequest {
  uid: string;
  /** Of the attempt. */
  id: string;
  command: readonly string[];
  stdin: boolean;
  terminal: boolean;
  /** Of the terminal, where it is known. */
  size?: TerminalSize | undefined;
  attach: boolean;
}

export async function execInContainer(node: NodeContext, request: ExecRequest): Promise<ExecSession> {
  const kept = JSON.parse(readFileSync(processFile(node, request.uid, request.id), 'utf8')) as Kept;
  const process: ProcessSpec = { ...kept, args: request.command, terminal: request.terminal, ...(request.size ? { size: request.size } : {}) };
  if (request.terminal && !process.env.some((entry) => entry.startsWith('TERM='))) process.env = [...process.env, 'TERM=xterm'];
  return node.core.containers.exec(request.id, { process, stdin: request.stdin, attach: request.attach });
}

/** Runs a command to its end or `timeoutMs`; keeps at most `limit` bytes of output. */
export async function runInContainer(node: NodeContext, request: Pick<ExecRequest, 'uid' | 'id' | 'command'>, timeoutMs: number, limit: number): Promise<{ code: number | undefined; output: string }> {
  const session = await execInContainer(node, { ...request, stdin: false, terminal: false, attach: true });
  let output = '';
  session.streams!.onOutput((_, data) => {
    if (output.length < limit) output += data.toString('utf8').slice(0, limit - output.length);
  });
  let expired = false;
  const timer = node.clock.after(timeoutMs, () => {
    expired = true;
    session.kill(9).catch(() => {});
  });
  try {
    const { code } = await session.exited;
    return { code: expired ? undefined : code, output };
  } finally {
    timer.cancel();
    session.streams!.close();
  }
}
