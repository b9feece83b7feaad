/** What probes and hooks do: a command in the container, an HTTP request, a TCP connection, a gRPC health check. */
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import type { Container, HTTPGetAction, IntOrString, LifecycleHandler, Probe } from '#api/kube/types.ts';
import { messageOf } from '#lib/errors.ts';
import { request as httpRequest } from '#lib/node-http.ts';
import { runInContainer } from '../pod/exec.ts';
import type { NodeContext } from '../types.ts';
import { checkGrpcHealth } from './grpc.ts';

/** Bytes of a probe's output that are kept for events. */
const outputLimit = 10 * 1024;

export interface HandlerTarget {
  uid: string;
  id: string;
  container: Container;
  /** Of the pod. */
  address: string;
}

export interface HandlerResult {
  ok: boolean;
  output: string;
}

export async function runHandler(node: NodeContext, handler: Probe | LifecycleHandler, target: HandlerTarget, timeoutMs: number): Promise<HandlerResult> {
  try {
    if (handler.exec) return await runExec(node, handler.exec.command ?? [], target, timeoutMs);
    if (handler.httpGet) return await runHttp(node, handler.httpGet, target, timeoutMs);
    if (handler.tcpSocket) return await runTcp(node, handler.tcpSocket.host || target.address, portOf(handler.tcpSocket.port, target.container), timeoutMs);
    if ('grpc' in handler && handler.grpc) return await checkGrpcHealth(node.clock, target.address, handler.grpc.port, handler.grpc.service ?? '', timeoutMs);
    if ('sleep' in handler && handler.sleep) {
      await node.clock.sleep(Math.min(handler.sleep.seconds * 1000, timeoutMs));
      return { ok: true, output: '' };
    }
    return { ok: false, output: 'this kind of handler is not supported on this node' };
  } catch (error) {
    return { ok: false, output: messageOf(error) };
  }
}

async function runExec(node: NodeContext, command: readonly string[], target: HandlerTarget, timeoutMs: number): Promise<HandlerResult> {
  const { code, output } = await runInContainer(node, { uid: target.uid, id: target.id, command }, timeoutMs, outputLimit);
  if (code === undefined) return { ok: false, output: `command timed out: "${command.join(' ')}" timed out after ${timeoutMs / 1000}s` };
  return { ok: code === 0, output };
}

/** A number, or the name of one of the container's ports. */
function portOf(port: IntOrString, container: Container): number {
  if (typeof port === 'number') return port;
  const named = (container.ports ?? []).find((candidate) => candidate.name === port)?.containerPort;
  const value = named ?? Number(port);
  if (!Number.isInteger(value)) throw new Error(`couldn't find port: ${port} in container ${container.name}`);
  return value;
}

function runHttp(node: NodeContext, action: HTTPGetAction, target: HandlerTarget, timeoutMs: number): Promise<HandlerResult> {
  const host = action.host || target.address;
  const port = portOf(action.port, target.container);
  const path = action.path ? (action.path.startsWith('/') ? action.path : `/${action.path}`) : '/';
  const secure = action.scheme === 'HTTPS';
  const headers: Record<string, string> = { 'User-Agent': 'kube-probe/1.36', Accept: '*/*', Connection: 'close' };
  for (const { name, value } of action.httpHeaders ?? []) headers[name] = value;
  const url = `${secure ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}${path}`;
  return new Promise((resolve) => {
    const options = { host, port, path, headers, agent: false as const, rejectUnauthorized: false };
    const request = secure ? httpsRequest(options) : httpRequest(options);
    const end = (result: HandlerResult): void => {
      timer.cancel();
      request.destroy();
      resolve(result);
    };
    const timer = node.clock.after(timeoutMs, () => end({ ok: false, output: `Get "${url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)` }));
    request.on('response', (response) => {
      const code = response.statusCode ?? 0;
      response.resume();
      end(code >= 200 && code < 400 ? { ok: true, output: '' } : { ok: false, output: `HTTP probe failed with statuscode: ${code}` });
    });
    request.on('error', (error) => end({ ok: false, output: `Get "${url}": ${error.message}` }));
    request.end();
  });
}

function runTcp(node: NodeContext, host: string, port: number, timeoutMs: number): Promise<HandlerResult> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (result: HandlerResult): void => {
      timer.cancel();
      socket.destroy();
      resolve(result);
    };
    const timer = node.clock.after(timeoutMs, () => end({ ok: false, output: `dial tcp ${host}:${port}: i/o timeout` }));
    socket.on('connect', () => end({ ok: true, output: '' }));
    socket.on('error', (error) => end({ ok: false, output: `dial tcp ${host}:${port}: ${error.message}` }));
  });
}
