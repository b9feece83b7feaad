/** Messages as OpenAPI schemas, with the `x-kubernetes-*` extensions that clients merge, validate and explain by. */
import { describeFields, describeMessage } from './docs.ts';
import { type Field, type Message, groupVersionOf, message as messageNamed } from './schema.ts';

export type Schema = { [key: string]: unknown };

const prefixes: ReadonlyArray<readonly [RegExp, string]> = [
  [/^meta\.v1\./, 'io.k8s.apimachinery.pkg.apis.meta.v1.'],
  [/^resource\.(?=[A-Z])/, 'io.k8s.apimachinery.pkg.api.resource.'],
  [/^intstr\./, 'io.k8s.apimachinery.pkg.util.intstr.'],
  [/^runtime\./, 'io.k8s.apimachinery.pkg.runtime.'],
  [/^apiextensions\./, 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.'],
  [/^apiregistration\./, 'io.k8s.kube-aggregator.pkg.apis.apiregistration.'],
  [/^/, 'io.k8s.api.'],
];

/** `core.v1.Pod` -> `io.k8s.api.core.v1.Pod`. */
export function schemaName(message: string): string {
  const [pattern, prefix] = prefixes.find(([shape]) => shape.test(message)) ?? [/^/, ''];
  return message.replace(pattern, prefix);
}

export function schemaRef(message: string): Schema {
  return { $ref: `#/components/schemas/${schemaName(message)}` };
}

const scalars: Record<string, Schema> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'integer', format: 'int64' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', format: 'byte' },
};

const anySchema = ['apiextensions.v1.JSON', 'apiextensions.v1.JSONSchemaPropsOrArray', 'apiextensions.v1.JSONSchemaPropsOrBool', 'apiextensions.v1.JSONSchemaPropsOrStringArray'];
const textLists = ['meta.v1.Verbs', 'authentication.v1.ExtraValue', 'authorization.v1.ExtraValue', 'certificates.v1.ExtraValue'];

/** Messages whose JSON form is not an object of their fields. */
const special: Record<string, Schema> = {
  'resource.Quantity': { oneOf: [{ type: 'string' }, { type: 'number' }] },
  'intstr.IntOrString': { format: 'int-or-string', oneOf: [{ type: 'integer' }, { type: 'string' }] },
  'meta.v1.Time': { type: 'string', format: 'date-time' },
  'meta.v1.MicroTime': { type: 'string', format: 'date-time' },
  'meta.v1.Duration': { type: 'string' },
  'meta.v1.FieldsV1': { type: 'object' },
  'runtime.RawExtension': { type: 'object' },
  ...Object.fromEntries(anySchema.map((name) => [name, {}])),
};

/** Schemas of the messages and of all that they refer to, by schema name. */
export function collectSchemas(messages: Iterable<string>): { [name: string]: Schema } {
  const schemas = new Map<string, Schema>();
  const queue = [...new Set(messages)];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (schemas.has(name)) continue;
    const known = special[name];
    if (known !== undefined) {
      schemas.set(name, { ...described(describeMessage(name)), ...known });
      continue;
    }
    const message = messageNamed(name);
    schemas.set(name, messageSchema(message));
    for (const field of message.fields.values()) if (isReference(field.type)) queue.push(field.type);
  }
  return Object.fromEntries([...schemas].map(([name, schema]) => [schemaName(name), schema] as const).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isReference(type: string): boolean {
  return scalars[type] === undefined && !textLists.includes(type);
}

function described(text: string | undefined): Schema {
  return text === undefined ? {} : { description: text };
}

const typeTexts = {
  apiVersion: 'APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources',
  kind: 'Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds',
};

function messageSchema(message: Message): Schema {
  const properties: { [name: string]: Schema } = {};
  if (message.isKind) for (const [name, description] of Object.entries(typeTexts)) properties[name] = { description, type: 'string' };
  const texts = describeFields(message.name);
  for (const field of message.fields.values()) properties[field.name] = fieldSchema(field, texts[field.name] ?? fallbackText(field, message));
  const required = [...message.fields.values()].filter((field) => field.required).map((field) => field.name).sort();
  return {
    ...described(describeMessage(message.name)),
    type: 'object',
    properties: Object.fromEntries(Object.entries(properties).sort(([a], [b]) => (a < b ? -1 : 1))),
    ...(required.length === 0 ? {} : { required }),
    ...(message.atomic ? { 'x-kubernetes-map-type': 'atomic' } : {}),
    ...(message.isKind ? { 'x-kubernetes-group-version-kind': kindsOf(message) } : {}),
  };
}

const partTexts: Readonly<Record<string, string>> = {
  metadata: "Standard object's metadata: name, labels, annotations, owners.",
  spec: 'What is wanted.',
  status: 'What was last seen. Written by the system.',
};

/** The models describe no field that refers to another message; the message's first sentence stands in. */
function fallbackText(field: Field, parent: Message): string | undefined {
  if (parent.isKind && partTexts[field.name] !== undefined) return partTexts[field.name];
  return describeMessage(field.type)?.split(/(?<=\.)\s/)[0];
}

function kindsOf(message: Message): Schema[] {
  const kind = message.name.slice(message.name.lastIndexOf('.') + 1);
  const { group, version } = groupVersionOf(message.name);
  return [{ group: group === 'meta.k8s.io' ? '' : group, kind, version }];
}

function fieldSchema(field: Field, text: string | undefined): Schema {
  const item = itemSchema(field.type);
  const shape: Schema = field.repeated ? { type: 'array', items: item } : field.map ? { type: 'object', additionalProperties: item } : wrapped(item);
  return {
    ...described(text),
    ...shape,
    ...(field.default === undefined ? {} : { default: field.default }),
    ...(field.listType === undefined ? {} : { 'x-kubernetes-list-type': field.listType }),
    ...(field.listMapKeys === undefined ? {} : { 'x-kubernetes-list-map-keys': field.listMapKeys }),
    ...(field.mapType === undefined ? {} : { 'x-kubernetes-map-type': field.mapType }),
    ...(field.patchStrategy === undefined ? {} : { 'x-kubernetes-patch-strategy': field.patchStrategy }),
    ...(field.patchMergeKey === undefined ? {} : { 'x-kubernetes-patch-merge-key': field.patchMergeKey }),
  };
}

/** A reference may have nothing beside it, so it goes inside. */
function wrapped(item: Schema): Schema {
  return '$ref' in item ? { allOf: [item] } : item;
}

function itemSchema(type: string): Schema {
  if (textLists.includes(type)) return { type: 'array', items: { type: 'string' } };
  return scalars[type] ?? schemaRef(type);
}
