/**
 * Facts and models joined into one schema: message -> fields by JSON name, inlined messages flattened by
 * the reader. Keys are short because the file is loaded at run time; `src/api/kube/schema.ts` explains them.
 */
import { type FactField, type FactMessages, packages, shortName } from './facts.ts';
import { type Model, type ModelField, findModel } from './models.ts';

export interface SchemaField {
  n: number;
  t: string;
  r?: 1;
  m?: 1;
  i?: 1;
  req?: 1;
  ptr?: 1;
  keep?: 1;
  ps?: string;
  pk?: string;
  lt?: string;
  lk?: string[];
  mt?: string;
  d?: unknown;
}

export interface SchemaMessage {
  /** A kind: it has apiVersion and kind in JSON. */
  k?: 1;
  /** Atomic: the whole value has one owner. */
  a?: 1;
  f: Record<string, SchemaField>;
}

export type Schema = Map<string, SchemaMessage>;
export type Docs = Record<string, { d?: string; f: Record<string, string> }>;

export interface Sources {
  facts: FactMessages;
  models: Map<string, Model>;
  /**
   * Full protobuf message name -> scalar fields that are pointers, so that a zero is told from absence. Neither of
   * the others says so; `pointers.json` was read off the struct types of kubernetes/api and its siblings.
   */
  pointers: Record<string, string[]>;
}

export function buildSchema({ facts, models, pointers }: Sources): { schema: Schema; docs: Docs } {
  const schema: Schema = new Map();
  const docs: Docs = {};
  const pointersOf = new Map(Object.entries(pointers).map(([full, names]) => [shortName(full), new Set(names)]));
  for (const short of ordered(facts)) {
    const model = findModel(models, short);
    const message: SchemaMessage = { f: {} };
    const fieldDocs: Record<string, string> = {};
    for (const [proto, fact] of facts.get(short) ?? []) {
      const json = fact.json === undefined || fact.json === '-' ? proto : fact.json;
      const known = model?.fields.get(json.replace(/^\$/, ''));
      message.f[json] = field(fact, known, model !== undefined, pointersOf.get(short)?.has(json) ?? false);
      if (known !== undefined && known.doc !== '') fieldDocs[json] = known.doc;
    }
    if (isKind(short, model, message)) message.k = 1;
    if (atomicStructs.has(short)) message.a = 1;
    schema.set(short, message);
    if (model !== undefined) docs[short] = { ...(model.doc === '' ? {} : { d: model.doc }), f: fieldDocs };
  }
  return { schema, docs };
}

function ordered(facts: FactMessages): string[] {
  const order = packages.map(([, short]) => short);
  const rank = (name: string): number => order.indexOf(name.slice(0, name.lastIndexOf('.')));
  return [...facts.keys()].sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}

/** Structs that are replaced as one, which the facts do not mark (`+structType=atomic` on the type itself). */
const atomicStructs = new Set([
  'meta.v1.LabelSelector', 'meta.v1.OwnerReference', 'core.v1.NodeSelector', 'core.v1.NodeSelectorTerm', 'core.v1.ObjectReference',
  'core.v1.LocalObjectReference', 'core.v1.TypedLocalObjectReference', 'core.v1.SecretReference', 'core.v1.SecretKeySelector',
  'core.v1.ConfigMapKeySelector', 'core.v1.FileKeySelector', 'core.v1.ObjectFieldSelector', 'core.v1.ResourceFieldSelector',
  'core.v1.ScopeSelector', 'core.v1.TopologySelectorTerm', 'core.v1.EndpointAddress', 'core.v1.EndpointPort', 'discovery.v1.EndpointPort',
  'networking.v1.ServiceBackendPort', 'rbac.v1.RoleRef', 'rbac.v1.Subject', 'autoscaling.v1.CrossVersionObjectReference',
  'admissionregistration.v1.MatchResources', 'admissionregistration.v1.NamedRuleWithOperations', 'admissionregistration.v1.ParamKind',
  'admissionregistration.v1.ParamRef', 'admissionregistration.v1.Variable',
]);

/** Kinds that the models leave out: options of connect verbs and writes, and answers without a path of their own. */
const unmodelledKinds = new Set([
  'meta.v1.List', 'meta.v1.PartialObjectMetadata', 'meta.v1.PartialObjectMetadataList', 'meta.v1.CreateOptions',
  'meta.v1.UpdateOptions', 'meta.v1.PatchOptions', 'meta.v1.GetOptions', 'meta.v1.ListOptions', 'meta.v1.TableOptions',
  'meta.v1.APIGroupList', 'meta.v1.APIResourceList',
  'core.v1.PodExecOptions', 'core.v1.PodAttachOptions', 'core.v1.PodPortForwardOptions', 'core.v1.PodLogOptions',
  'core.v1.PodProxyOptions', 'core.v1.NodeProxyOptions', 'core.v1.ServiceProxyOptions', 'core.v1.PodStatusResult',
  'core.v1.RangeAllocation', 'core.v1.SerializedReference', 'admission.v1.AdmissionReview',
  'apidiscovery.v2.APIGroupDiscovery', 'apidiscovery.v2.APIGroupDiscoveryList',
]);

function isKind(short: string, model: Model | undefined, message: SchemaMessage): boolean {
  if (unmodelledKinds.has(short)) return true;
  const fields = model?.fields;
  if (fields?.has('kind') !== true || !fields.has('apiVersion')) return false;
  return message.f['kind'] === undefined && message.f['apiVersion'] === undefined;
}

function field(fact: FactField, known: ModelField | undefined, hasModel: boolean, pointer: boolean): SchemaField {
  const markers = fact.m ?? {};
  const map = /^map<string,(.+)>$/.exec(fact.t);
  const type = map?.[1] ?? fact.t;
  const result: SchemaField = { n: fact.n, t: type.includes('.') ? (shortName(type) ?? unknownType(type)) : type };
  if (fact.r === 1) result.r = 1;
  if (map !== null) result.m = 1;
  // The models hold the JSON form: a message field that they do not have is inlined in JSON.
  const inlined = hasModel && known === undefined && type.startsWith('k8s') && fact.r !== 1 && map === null && fact.oe !== 1;
  if (fact.inline === 1 || inlined) result.i = 1;
  const required = known === undefined ? fact.oe !== 1 && markers['optional'] !== true && result.i !== 1 : known.required;
  if (required) result.req = 1;
  if (pointer) result.ptr = 1;
  if (fact.oe !== 1 && fact.oz !== 1 && result.i !== 1) result.keep = 1;
  addMarkers(result, markers);
  return result;
}

function addMarkers(result: SchemaField, markers: Record<string, unknown>): void {
  const text = (name: string): string | undefined => {
    const value = markers[name];
    return typeof value === 'string' ? value : undefined;
  };
  const strategy = text('patchStrategy');
  if (strategy !== undefined) result.ps = strategy;
  const mergeKey = text('patchMergeKey');
  if (mergeKey !== undefined) result.pk = mergeKey;
  const listType = text('listType');
  if (listType !== undefined) result.lt = listType;
  if (Array.isArray(markers['listMapKey'])) result.lk = markers['listMapKey'].map(String);
  const mapType = text('mapType') ?? text('structType');
  if (mapType !== undefined) result.mt = mapType;
  const preset = text('default');
  if (preset !== undefined) result.d = parseDefault(preset);
}

/** Defaults given as the name of a Go constant. */
const constants: Record<string, string> = { AzureDataDiskCachingReadWrite: 'ReadWrite', AzureSharedBlobDisk: 'Shared' };

function parseDefault(text: string): unknown {
  const constant = /^ref\((\w+)\)$/.exec(text)?.[1];
  if (constant === undefined) return JSON.parse(text) as unknown;
  const value = constants[constant];
  if (value === undefined) throw new Error(`the default ${text} is a constant that schema.ts does not know`);
  return value;
}

function unknownType(type: string): never {
  throw new Error(`${type} is referred to but its package is not listed in facts.ts`);
}
