import { notAcceptable } from '../status.ts';

export type Encoding = 'json' | 'yaml' | 'protobuf';
export type Shape = 'object' | 'table' | 'partial';

/** The form of an answer that the client takes. */
export interface Form {
  encoding: Encoding;
  shape: Shape;
}

export const mediaTypes: Record<Encoding, string> = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
};

/** Ranges in one Accept header; the rest is not read. */
const mostRanges = 32;

interface Range {
  type: string;
  parameters: Map<string, string>;
  quality: number;
}

/**
 * The best form among those that the Accept header names. JSON goes before protobuf where both are taken: its bytes
 * are in the cache. `shapes`: what the answer can be shown as. Throws 406 where nothing fits.
 */
export function negotiate(accept: string | undefined, shapes: readonly Shape[]): Form {
  const forms = parseAccept(accept ?? '').flatMap((range) => formOf(range, shapes) ?? []);
  const [first] = forms;
  if (!first) throw notAcceptable(Object.values(mediaTypes));
  if (first.encoding !== 'protobuf') return first;
  return forms.find((form) => form.encoding === 'json' && form.shape === first.shape) ?? first;
}

export function parseAccept(header: string): Range[] {
  if (header.trim() === '') return [{ type: '*/*', parameters: new Map(), quality: 1 }];
  const ranges = header.split(',', mostRanges).map((text) => {
    const [type = '', ...rest] = text.split(';').map((part) => part.trim());
    const parameters = new Map(rest.map((part) => part.split('=', 2) as [string, string]));
    return { type: type.toLowerCase(), parameters, quality: Number(parameters.get('q') ?? '1') };
  });
  return ranges.filter(({ quality }) => quality > 0).sort((a, b) => b.quality - a.quality);
}

function formOf({ type, parameters }: Range, shapes: readonly Shape[]): Form | undefined {
  const encoding = encodingOf(type);
  const shape = shapeOf(parameters);
  if (!encoding || !shape || !shapes.includes(shape)) return undefined;
  if (shape === 'table' && encoding === 'protobuf') return undefined;
  return { encoding, shape };
}

function encodingOf(type: string): Encoding | undefined {
  if (type === '*/*' || type === 'application/*') return 'json';
  return (Object.keys(mediaTypes) as Encoding[]).find((encoding) => mediaTypes[encoding] === type);
}

function shapeOf(parameters: ReadonlyMap<string, string>): Shape | undefined {
  const as = parameters.get('as');
  if (as === undefined) return 'object';
  if (parameters.get('g') !== 'meta.k8s.io' || parameters.get('v') !== 'v1') return undefined;
  if (as === 'Table') return 'table';
  return as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList' ? 'partial' : undefined;
}
