import type { KubeObject } from '#api/kube/types.ts';

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

/**
 * One state of one object: its frozen value, and its bytes made at most once for each form that somebody asked
 * for. Everything that shows the object (get, list, watch, the in-process client) shares it.
 */
export class CachedObject {
  readonly key: string;
  /** The store revision that made this state; the object's resourceVersion. */
  readonly revision: number;
  readonly object: KubeObject;
  /** Bytes as stored; 0 where it never was. */
  readonly size: number;
  #forms = new Map<string, Buffer>();
  #framed: { type: EventType; bytes: Buffer } | undefined;
  #fields: Readonly<Record<string, string>> | undefined;

  constructor(key: string, revision: number, object: KubeObject, size = 0) {
    this.key = key;
    this.revision = revision;
    this.object = object;
    this.size = size;
  }

  json(): Buffer {
    return this.form('json', () => JSON.stringify(this.object));
  }

  /** A line of a JSON watch stream. It is kept for the last `type` asked for, and the object's own bytes are then a part of it. */
  frame(type: EventType): Buffer {
    if (this.#framed?.type === type) return this.#framed.bytes;
    const head = `{"type":"${type}","object":`;
    const bytes = ownBytes(Buffer.concat([Buffer.from(head), this.json(), Buffer.from('}\n')]));
    this.#forms.set('json', bytes.subarray(head.length, -2));
    this.#framed = { type, bytes };
    return bytes;
  }

  /** Lets go of all bytes: who asks again has them made anew. For what is superseded, which hardly anybody asks for. */
  forgetBytes(): void {
    this.#forms.clear();
    this.#framed = undefined;
  }

  /** The bytes of the form `name`, by `make` where nobody has asked before. */
  form(name: string, make: () => Buffer | string): Buffer {
    let bytes = this.#forms.get(name);
    if (!bytes) {
      bytes = ownBytes(make());
      this.#forms.set(name, bytes);
    }
    return bytes;
  }

  get holdsBytes(): boolean {
    return this.#framed !== undefined || this.#forms.size > 0;
  }

  /** Values for field selectors, by `read` where nobody has asked before. */
  fields(read: (object: KubeObject) => Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    this.#fields ??= read(this.object);
    return this.#fields;
  }

  /** The same state as a deletion at `revision` shows it. */
  at(revision: number): CachedObject {
    return new CachedObject(this.key, revision, withRevision(this.object, revision), this.size);
  }
}

/** In memory of their own: what stays long would keep all of the 64 KiB that Node cuts small buffers from. */
function ownBytes(made: Buffer | string): Buffer {
  if (typeof made !== 'string' && made.buffer.byteLength === made.length) return made;
  const bytes = Buffer.allocUnsafeSlow(typeof made === 'string' ? Buffer.byteLength(made) : made.length);
  if (typeof made === 'string') bytes.write(made);
  else made.copy(bytes);
  return bytes;
}

/** A frozen object with its resourceVersion set. `object` is frozen too. */
export function withRevision(object: KubeObject, revision: number): KubeObject {
  return deepFreeze({ ...object, metadata: { ...object.metadata, resourceVersion: String(revision) } });
}

/** Freezes all that hangs on `value`; what is frozen already is taken to be so all the way down. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const child of Object.values(value)) deepFreeze(child);
  return value;
}

/** A copy that may be changed; of plain JSON values several times as quick as `structuredClone`. */
export function copyOf<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(copyOf) as T;
  const copy: Record<string, unknown> = {};
  for (const [key, child] of Object.entries(value)) {
    // An own key of that name would set the prototype instead.
    if (key === '__proto__') Object.defineProperty(copy, key, { value: copyOf(child), enumerable: true, writable: true, configurable: true });
    else copy[key] = copyOf(child);
  }
  return copy as T;
}

/** The value as the store keeps it: JSON without the resourceVersion, which the store's revision is. */
export function encodeStored(object: KubeObject): Uint8Array {
  const { resourceVersion: _, ...metadata } = object.metadata;
  return Buffer.from(JSON.stringify({ ...object, metadata }));
}

export function decodeStored(key: string, revision: number, value: Uint8Array): CachedObject {
  const object = JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()) as KubeObject;
  return new CachedObject(key, revision, withRevision(object, revision), value.byteLength);
}
