/**
 * A directory on a disk that remembers all that it is asked to do (journal.ts): a FUSE file system of one flat directory, kept in
 * memory. What uses it must be another process: this one's answers come from its own event loop. It can be told to fail.
 */
import { closeSync, existsSync, openSync, read, readFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { promisify } from 'node:util';
import { linuxMounts } from '#sys/mount/linux.ts';
import * as wire from './fuse-wire.ts';
import type { Act } from './journal.ts';

/** False where it can be. */
export function whyNoRecordingDisk(): string | false {
  return process.getuid?.() !== 0 || !existsSync('/dev/fuse') ? 'a disk that records needs root and /dev/fuse' : false;
}

const rootNode = 1n;
const { ENOENT, ENOSYS } = constants.errno;

interface OnMount {
  name: string;
  data: Buffer;
  size: number;
}

type Handler = (request: wire.Request) => Buffer | number;

export class RecordingDisk {
  readonly directory: string;
  readonly acts: Act[] = [];
  /** Gives the errno that a write or a sync fails with; undefined: it succeeds. */
  fails: (act: Act) => number | undefined = () => undefined;
  readonly #device = openSync('/dev/fuse', 'r+');
  readonly #files: OnMount[] = [];
  readonly #served: Promise<void>;

  /** Mounts it on `directory`, which must be there, with `files` on it. */
  constructor(directory: string, files: ReadonlyMap<string, Buffer> = new Map()) {
    this.directory = directory;
    for (const [name, data] of files) this.#files.push({ name, data: Buffer.from(data), size: data.length });
    linuxMounts().mount('recording', directory, 'fuse', [`fd=${this.#device}`, 'rootmode=40000', 'user_id=0', 'group_id=0']);
    this.#served = this.#serve();
  }

  content(name: string): Buffer {
    const file = this.#files.find((f) => f.name === name);
    return file ? file.data.subarray(0, file.size) : Buffer.alloc(0);
  }

  async end(): Promise<void> {
    // whoever has ended with all mounts below its root was before us
    if (readFileSync('/proc/self/mounts', 'utf8').includes(` ${this.directory} `)) linuxMounts().unmount(this.directory, { detach: true });
    await this.#served;
    closeSync(this.#device);
  }

  async #serve(): Promise<void> {
    const readDevice = promisify(read);
    const buffer = Buffer.alloc(wire.mostWriteBytes + 4096);
    for (;;) {
      const got = await readDevice(this.#device, buffer, 0, buffer.length, null).catch((error: NodeJS.ErrnoException) => error.code);
      if (got === 'EINTR' || got === 'ENOENT') continue; // the one who asked was killed meanwhile
      if (typeof got === 'string' || got === undefined) return; // ENODEV: unmounted
      const request = wire.readRequest(buffer);
      const answer = (this.#handlers[request.code] ?? (() => ENOSYS))(request);
      if (answer !== noReply) this.#answer(request.id, answer);
    }
  }

  #answer(id: bigint, answer: Buffer | number): void {
    try {
      writeSync(this.#device, typeof answer === 'number' ? wire.reply(id, answer) : wire.reply(id, 0, answer));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  #attributes(node: bigint): Buffer {
    return wire.attributes(node, node === rootNode ? 0 : this.#file(node).size, node === rootNode);
  }

  #file(node: bigint): OnMount {
    return this.#files[Number(node - rootNode) - 1] as OnMount;
  }

  #lookUp(name: string): bigint | undefined {
    const at = this.#files.findIndex((f) => f.name === name);
    return at < 0 ? undefined : BigInt(at) + rootNode + 1n;
  }

  #create(name: string): bigint {
    this.#files.push({ name, data: Buffer.alloc(1 << 20), size: 0 });
    this.acts.push({ act: 'create', file: name });
    return BigInt(this.#files.length) + rootNode;
  }

  #resize(file: OnMount, size: number): void {
    if (size > file.data.length) file.data = Buffer.concat([file.data, Buffer.alloc(size - file.data.length + (1 << 20))]);
    else if (size < file.size) file.data.fill(0, size, file.size);
    file.size = size;
  }

  #write({ node, body }: wire.Request): Buffer | number {
    const file = this.#file(node);
    const offset = Number(body.readBigUInt64LE(8));
    const data = Buffer.from(body.subarray(40, 40 + body.readUInt32LE(16)));
    const errno = this.fails({ act: 'write', file: file.name, offset, data });
    if (errno !== undefined) return errno;
    this.#resize(file, Math.max(file.size, offset + data.length));
    data.copy(file.data, offset);
    this.acts.push({ act: 'write', file: file.name, offset, data });
    const out = Buffer.alloc(8);
    out.writeUInt32LE(data.length, 0);
    return out;
  }

  #sync({ node }: wire.Request): number {
    const act: Act = { act: 'sync', file: this.#file(node).name };
    const errno = this.fails(act);
    if (errno === undefined) this.acts.push(act);
    return errno ?? 0;
  }

  readonly #handlers: { [code: number]: Handler } = {
    [wire.operation.init]: ({ body }) => wire.initReply(body.readUInt32LE(8)),
    [wire.operation.lookup]: ({ body }) => {
      const node = this.#lookUp(wire.textOf(body));
      return node === undefined ? ENOENT : wire.entryReply(node, this.#attributes(node));
    },
    [wire.operation.getattr]: ({ node }) => wire.attributesReply(this.#attributes(node)),
    [wire.operation.setattr]: ({ node, body }) => {
      if (body.readUInt32LE(0) & 8) {
        const size = Number(body.readBigUInt64LE(16));
        this.#resize(this.#file(node), size);
        this.acts.push({ act: 'size', file: this.#file(node).name, size });
      }
      return wire.attributesReply(this.#attributes(node));
    },
    [wire.operation.create]: ({ body }) => {
      const node = this.#create(wire.textOf(body.subarray(16)));
      return Buffer.concat([wire.entryReply(node, this.#attributes(node)), wire.openReply()]);
    },
    [wire.operation.open]: () => wire.openReply(),
    [wire.operation.opendir]: () => wire.openReply(),
    [wire.operation.readdir]: () => Buffer.alloc(0),
    [wire.operation.read]: ({ node, body }) => {
      const { data, size } = this.#file(node);
      const offset = Number(body.readBigUInt64LE(8));
      return data.subarray(Math.min(offset, size), Math.min(size, offset + body.readUInt32LE(16)));
    },
    [wire.operation.write]: (request) => this.#write(request),
    [wire.operation.fsync]: (request) => this.#sync(request),
    [wire.operation.fsyncdir]: () => {
      this.acts.push({ act: 'syncDirectory' });
      return 0;
    },
    [wire.operation.statfs]: () => {
      const out = Buffer.alloc(80);
      for (const at of [0, 8, 16]) out.writeBigUInt64LE(freeBlocks, at);
      out.writeUInt32LE(4096, 40);
      out.writeUInt32LE(255, 44);
      return out;
    },
    [wire.operation.flush]: () => 0,
    [wire.operation.release]: () => 0,
    [wire.operation.releasedir]: () => 0,
    [wire.operation.destroy]: () => 0,
    [wire.operation.forget]: () => noReply,
    [wire.operation.batchForget]: () => noReply,
    [wire.operation.interrupt]: () => noReply,
  };
}

const noReply = -1;
/** Of 4 KiB: it is never full. */
const freeBlocks = 1n << 20n;
