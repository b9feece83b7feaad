/** Kubeconfig files: where a cluster is, and as whom to speak to it. Certificates and keys are embedded. */
import { readFile } from 'node:fs/promises';
import { parse, stringify } from 'yaml';
import { codeOf, Fault, messageOf } from '#lib/errors.ts';

export interface KubeAccess {
  /** `https://127.0.0.1:6443`. */
  server: string;
  /** PEM; whom to trust. Absent: the system's authorities. */
  ca?: string;
  /** PEM; who one is. */
  certificate?: string;
  key?: string;
  token?: string;
  /** Of the context; `default` where it says none. */
  namespace?: string;
}

/** The largest kubeconfig that is read, in bytes. */
const limitBytes = 1024 * 1024;

/** The text of a kubeconfig with one cluster, user and context, all called `name`. */
export function formatKubeconfig(access: KubeAccess, name = 'gantry'): string {
  const base64 = (pem: string | undefined): string | undefined => (pem === undefined ? undefined : Buffer.from(pem).toString('base64'));
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: { server: access.server, 'certificate-authority-data': base64(access.ca) } }],
    users: [{ name, user: { 'client-certificate-data': base64(access.certificate), 'client-key-data': base64(access.key), token: access.token } }],
    contexts: [{ name, context: { cluster: name, user: name, namespace: access.namespace } }],
  });
}

/** Reads a kubeconfig's current context. Throws `not-found` where there is no file, `invalid` where it cannot be used. */
export async function readKubeconfig(path: string): Promise<KubeAccess> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw new Fault('not-found', `there is no kubeconfig at ${path}; start the cluster first`, { cause: error });
    throw new Fault('internal', `kubeconfig ${path} cannot be read: ${messageOf(error)}`, { cause: error });
  }
  if (text.length > limitBytes) throw new Fault('too-large', `kubeconfig ${path} is larger than ${limitBytes} bytes`);
  return accessOf(parseDocument(text, path), path);
}

type Named = { name?: unknown } & Record<string, unknown>;

function parseDocument(text: string, path: string): Record<string, unknown> {
  try {
    const value: unknown = parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    throw new Fault('invalid', `kubeconfig ${path} is no YAML: ${messageOf(error)}`, { cause: error });
  }
  throw new Fault('invalid', `kubeconfig ${path} is empty`);
}

async function accessOf(config: Record<string, unknown>, path: string): Promise<KubeAccess> {
  const entry = (list: string, part: string, name: unknown): Record<string, unknown> => {
    const items = Array.isArray(config[list]) ? (config[list] as Named[]) : [];
    const found = items.find((item) => item.name === name)?.[part];
    if (typeof found !== 'object' || found === null) throw new Fault('invalid', `kubeconfig ${path} has no ${part} named "${String(name)}"`);
    return found as Record<string, unknown>;
  };
  const context = entry('contexts', 'context', config['current-context']);
  const cluster = entry('clusters', 'cluster', context['cluster']);
  const user = entry('users', 'user', context['user']);
  const { server } = cluster;
  if (typeof server !== 'string') throw new Fault('invalid', `kubeconfig ${path} names no server`);
  return {
    server,
    ca: await pem(cluster, 'certificate-authority'),
    certificate: await pem(user, 'client-certificate'),
    key: await pem(user, 'client-key'),
    token: text(user['token']),
    namespace: text(context['namespace']),
  };
}

/** Embedded (`…-data`, base64), or in a file. */
async function pem(entry: Record<string, unknown>, field: string): Promise<string | undefined> {
  const data = text(entry[`${field}-data`]);
  if (data !== undefined) return Buffer.from(data, 'base64').toString();
  const file = text(entry[field]);
  return file === undefined ? undefined : await readFile(file, 'utf8');
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
