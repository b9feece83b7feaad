/**
 * Turns an HTTP exchange into a raw two-way stream between a client and a process: upgraded (`101 UPGRADED`) or not
 * (`200`, until close). The client's half-close is the end of the process's input, never of its output.
 */
import type { Duplex, Readable, Writable } from 'node:stream';
import type { AttachStreams } from './backends.ts';
import type { Call } from './call.ts';
import { frame } from './frames.ts';

export interface HijackOptions {
  /** Raw where the process has a terminal, else in frames. */
  tty: boolean;
  /** Whether what the client sends goes to the process. */
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
}

/** Resolves when the process's output has ended and is flushed, or the client is gone. */
export function hijack(call: Call, streams: AttachStreams, options: HijackOptions): Promise<void> {
  const upgraded = call.upgrade !== undefined;
  const type = options.tty || !upgraded || call.version < 42 ? 'raw-stream' : 'multiplexed-stream';
  const output = call.upgrade ? openUpgraded(call.upgrade, `application/vnd.docker.${type}`) : openPlain(call);
  if (options.stdin) forwardInput(call.upgrade ?? call.request, streams, () => noticeEnd(output));
  else {
    call.upgrade?.once('end', () => noticeEnd(output));
    (call.upgrade ?? call.request).resume();
  }
  return forwardOutput(call, output, streams, options);
}

function openUpgraded(socket: Duplex, contentType: string): Writable {
  socket.write(`HTTP/1.1 101 UPGRADED\r\nContent-Type: ${contentType}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
  return socket;
}

/** A client that is gone looks like one that has half-closed, until it is written to: an empty write fails where nobody can read. */
function noticeEnd(output: Writable): void {
  if (output.writable) output.write('');
}

/** Without an upgrade the answer has no length and no chunks: it ends with the connection. */
function openPlain(call: Call): Writable {
  const response = call.response;
  response.removeHeader('Transfer-Encoding');
  response.shouldKeepAlive = false;
  response.writeHead(200, { 'Content-Type': 'application/vnd.docker.raw-stream' });
  response.flushHeaders();
  return response;
}

/** One piece at a time, in order; events, since an async iterator would destroy the socket at the client's half-close. */
function forwardInput(source: Readable, streams: AttachStreams, ended: () => void): void {
  let tail = Promise.resolve();
  source.on('data', (chunk: Buffer) => {
    source.pause();
    tail = tail
      .then(() => streams.write(chunk))
      .then(
        () => void source.resume(),
        // the process is gone, or closed its input: what comes is dropped
        () => void source.resume(),
      );
  });
  source.on('end', () => void tail.then(() => streams.endInput()).finally(ended));
}

function forwardOutput(call: Call, output: Writable, streams: AttachStreams, options: HijackOptions): Promise<void> {
  return new Promise((resolve) => {
    let open = true;
    streams.onOutput((stream, data) => {
      if (!open || !options[stream]) return;
      if (!output.write(options.tty ? data : frame(stream, data))) streams.pause();
    });
    output.on('drain', () => streams.resume());
    streams.onEnd((cause) => {
      if (!open) return;
      open = false;
      if (cause) output.write(options.tty ? `\r\n${cause.message}\r\n` : frame('systemerr', Buffer.from(cause.message)));
      output.end(() => {
        // the connection is done: a client that keeps its half open is not waited for
        call.upgrade?.destroy();
        resolve();
      });
    });
    const gone = (): void => {
      if (!open) return;
      open = false;
      streams.close();
      resolve();
    };
    output.on('close', gone);
    output.on('error', gone);
    // it may have gone while the process was looked for
    if (output.destroyed) gone();
  });
}
