/** What is kept of a container in the store. Pids, exit codes and sockets are in the bundle, where conmon puts them. */
import type { LogLimits } from '#core/logs/files.ts';
import type { Input } from './attachments.ts';
import type { ContainerStatus, Exit } from './types.ts';

export interface ContainerRecord {
  id: string;
  owner: string;
  labels: Readonly<Record<string, string>>;
  createdAt: number;
  startedAt?: number;
  paused?: boolean;
  exit?: Exit;
  logPath?: string;
  logLimits?: LogLimits;
  cgroup: string;
  /** What a root exec of it keeps, where the exec does not say. */
  capabilities: readonly string[];
  /** The boot that it belongs to: after another one nothing of it runs. */
  bootId: string;
  /** Absent in records of before it was kept. */
  input?: Input;
}

/** What is known of a living container beside its record. */
export interface Supervision {
  pid: number;
  /** With the pid, the identity of the process. */
  startTime: bigint | undefined;
  conmonPid: number;
}

export function statusOf(record: ContainerRecord, supervision: Supervision | undefined): ContainerStatus {
  const status: ContainerStatus = {
    id: record.id,
    owner: record.owner,
    state: record.exit ? 'exited' : record.startedAt === undefined ? 'created' : record.paused ? 'paused' : 'running',
    createdAt: record.createdAt,
    labels: record.labels,
  };
  if (supervision && !record.exit) status.pid = supervision.pid;
  if (record.startedAt !== undefined) status.startedAt = record.startedAt;
  if (record.exit) status.exit = record.exit;
  if (record.logPath !== undefined) status.logPath = record.logPath;
  return status;
}
