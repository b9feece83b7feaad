/** What the server does with upgraded connections: one route a path, in one list. */
import type { ExecSession } from '#core/containers/types.ts';
import { Fault } from '#lib/errors.ts';
import { execInContainer } from '../pod/exec.ts';
import { servePodConnect } from './pod-connect.ts';
import { servePortForward } from './port-forward.ts';
import { firstSize, serveAttach, serveExec } from './remote-command.ts';
import type { RemoteChannels } from './remote-command.ts';
import { acceptSpdy } from './spdy/accept.ts';
import { openSpdyChannels, spdyCommandProtocols } from './spdy/channels.ts';
import { findPod, findRunning } from './target.ts';
import type { UpgradeRequest, UpgradeRoute } from './types.ts';
import { acceptWebSocket, remoteCommandProtocols, webSocketChannels } from './websocket.ts';

export const upgradeRoutes: readonly UpgradeRoute[] = [
  { path: 'exec', serve: serveExecRoute },
  { path: 'attach', serve: serveAttachRoute },
  { path: 'portForward', serve: servePortForward },
  { path: 'podConnect', serve: servePodConnect },
];

interface Wants {
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  tty: boolean;
}

/** The kubelet's own names of the options, and those of the pod's subresources. */
function wantsOf(query: URLSearchParams): Wants {
  const isSet = (...names: string[]): boolean => names.some((name) => ['1', 'true'].includes(query.get(name) ?? ''));
  const tty = isSet('tty');
  return { stdin: isSet('input', 'stdin'), stdout: isSet('output', 'stdout'), stderr: isSet('error', 'stderr') && !tty, tty };
}

async function openChannels(upgrade: UpgradeRequest, wants: Wants): Promise<RemoteChannels> {
  const { node, request, socket, head } = upgrade;
  const wanted = (request.headers.upgrade ?? '').toLowerCase();
  if (wanted === 'websocket') return webSocketChannels(await acceptWebSocket(request, socket, head, remoteCommandProtocols), wants);
  if (wanted === 'spdy/3.1') return openSpdyChannels(node.clock, acceptSpdy(request, socket, head, spdyCommandProtocols), wants);
  throw new Fault('invalid', `unable to upgrade: ${wanted || 'no protocol'} is not supported, use websocket with one of ${remoteCommandProtocols.join(', ')}`);
}

async function serveExecRoute(upgrade: UpgradeRequest): Promise<void> {
  const { node, pods, parts, query } = upgrade;
  const [namespace = '', name = '', container = ''] = parts;
  const { uid, attempt } = findRunning(node, findPod(pods, namespace, name), container);
  const command = query.getAll('command');
  if (command.length === 0) throw new Fault('invalid', 'you must specify at least one command for the container');
  const wants = wantsOf(query);
  const channels = await openChannels(upgrade, wants);
  const request = { uid, id: attempt.id, command, stdin: wants.stdin, terminal: wants.tty, attach: true };
  const begin = async (): Promise<ExecSession> => execInContainer(node, { ...request, ...(wants.tty ? { size: await firstSize(channels, node.clock) } : {}) });
  await serveExec(channels, begin, wants);
}

async function serveAttachRoute(upgrade: UpgradeRequest): Promise<void> {
  const { node, pods, parts, query } = upgrade;
  const [namespace = '', name = '', container = ''] = parts;
  const { attempt } = findRunning(node, findPod(pods, namespace, name), container);
  const wants = wantsOf(query);
  const channels = await openChannels(upgrade, wants);
  const { containers } = node.core;
  await serveAttach(channels, async () => ({ ...wants, streams: await containers.attach(attempt.id), resize: (size) => containers.resize(attempt.id, size) }));
}
