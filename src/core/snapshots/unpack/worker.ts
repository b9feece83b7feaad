/**
 * The thread that unpacks layers. It is a program of its own, so it picks its own kernel facility; the main thread
 * speaks to it by the messages below.
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { must } from '#lib/assert.ts';
import { Fault, asFault } from '#lib/errors.ts';
import { TarDecoder } from '#lib/tar/decode.ts';
import type { TarEvent } from '#lib/tar/decode.ts';
import { decompress } from '#lib/tar/decompress.ts';
import { linuxFiles } from '#sys/fs/linux.ts';
import { errnoOf } from './confined.ts';
import { LayerWriter } from './layer-writer.ts';
import type { Unpacked, UnpackReply, UnpackRequest } from './messages.ts';

/** Bytes of the blob between two reports of progress. */
const progressBytes = 1024 * 1024;
const readBytes = 512 * 1024;

const port = must(parentPort, 'the parent of the unpack worker');
const reply = (message: UnpackReply): void => port.postMessage(message);
let canceled = false;

port.on('message', (message: UnpackRequest) => {
  if (message.kind === 'cancel') {
    canceled = true;
    return;
  }
  canceled = false;
  unpack(message).then(
    (done) => reply({ kind: 'done', ...done }),
    (error: unknown) => {
      const fault = asFault(errnoOf(error) === 'ENOSPC' ? noSpace(message.target, error) : error);
      reply({ kind: 'failed', fault: fault.kind, message: fault.message });
    },
  );
});

function noSpace(target: string, cause: unknown): Fault {
  return new Fault('exhausted', `layer: no space left on the device of ${target}; remove images or containers that are not needed`, { cause });
}

async function unpack(request: UnpackRequest & { kind: 'unpack' }): Promise<Unpacked> {
  const writer = new LayerWriter(request.target, linuxFiles());
  const hash = createHash('sha256');
  const decoder = new TarDecoder();
  try {
    for await (const chunk of decompress(blobOf(request.blob))) {
      hash.update(chunk);
      for (const event of decoder.push(chunk)) apply(writer, event);
    }
    decoder.finish();
    writer.finish();
  } finally {
    writer.close();
  }
  const diffId = `sha256:${hash.digest('hex')}`;
  if (diffId !== request.diffId) {
    throw new Fault('invalid', `layer: its content has digest ${diffId}, and the image's config says ${request.diffId}`);
  }
  return { bytes: writer.bytes, inodes: writer.inodes, hasRoot: writer.hasRoot };
}

function apply(writer: LayerWriter, event: TarEvent): void {
  if ('data' in event) writer.data(event.data);
  else if ('entry' in event) writer.begin(event.entry);
  else writer.end();
}

async function* blobOf(path: string): AsyncGenerator<Buffer> {
  let read = 0;
  let reported = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: readBytes })) {
    if (canceled) throw new Fault('canceled', 'layer: unpacking was canceled');
    read += (chunk as Buffer).length;
    if (read - reported >= progressBytes) {
      reported = read;
      reply({ kind: 'progress', bytes: read });
    }
    yield chunk as Buffer;
  }
  reply({ kind: 'progress', bytes: read });
}
