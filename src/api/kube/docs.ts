/** Descriptions of messages and their fields, from `generated/docs.json`, read on first use (half a megabyte). */
import { readFileSync } from 'node:fs';
import { ownFile } from '#lib/own-modules.ts';

type RawDocs = Record<string, { d?: string; f: Record<string, string> }>;

let raw: RawDocs | undefined;

function docs(): RawDocs {
  raw ??= JSON.parse(readFileSync(ownFile('api/kube/generated/docs.json'), 'utf8')) as RawDocs;
  return raw;
}

/** What a message is, or undefined where nothing is known. */
export function describeMessage(message: string): string | undefined {
  return docs()[message]?.d;
}

/** Texts by the message's JSON field names. */
export function describeFields(message: string): Readonly<Record<string, string>> {
  return docs()[message]?.f ?? {};
}
