/** The documents of OpenAPI v3 as the one document of OpenAPI v2, for clients that know no newer form. */

type Json = { [key: string]: unknown };

const isJson = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** `documents`: the v3 documents of all group versions. */
export function openApiV2(documents: readonly Json[], version: string): Json {
  const definitions: Json = {};
  const paths: Json = {};
  for (const document of documents) {
    const schemas = (document['components'] as { schemas?: Json } | undefined)?.schemas ?? {};
    for (const [name, schema] of Object.entries(schemas)) definitions[name] ??= toSchema(schema);
    for (const [path, item] of Object.entries((document['paths'] ?? {}) as Json)) paths[path] = toPathItem(item as Json);
  }
  return {
    swagger: '2.0',
    info: { title: 'Kubernetes', version },
    paths,
    definitions,
    securityDefinitions: { BearerToken: { type: 'apiKey', description: 'Bearer Token authentication', name: 'authorization', in: 'header' } },
    security: [{ BearerToken: [] }],
  };
}

/** References go to `definitions`, and one wrapped in `allOf` stands for itself. A number or a text is called a text, as of old. */
function toSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(toSchema);
  if (!isJson(schema)) return schema;
  const { allOf, $ref, oneOf, ...others } = schema;
  const rest = oneOf === undefined ? others : { ...others, type: 'string' };
  if (typeof $ref === 'string') return { $ref: $ref.replace('#/components/schemas/', '#/definitions/') };
  const converted = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, toSchema(value)]));
  const [only] = Array.isArray(allOf) ? (allOf as unknown[]) : [];
  return only === undefined ? converted : { ...converted, ...(toSchema(only) as Json) };
}

function toPathItem(item: Json): Json {
  return Object.fromEntries(
    Object.entries(item).map(([key, value]) => [key, key === 'parameters' ? (value as Json[]).map(toParameter) : toOperation(value as Json)]),
  );
}

function toOperation({ requestBody, parameters, responses, ...rest }: Json): Json {
  const content = (requestBody as { content?: Json; required?: boolean } | undefined)?.content;
  const answers = Object.entries((responses ?? {}) as Json);
  const produced = answers.flatMap(([, answer]) => Object.keys((answer as { content?: Json }).content ?? {}));
  const body = content ? [{ name: 'body', in: 'body', required: (requestBody as Json)['required'] ?? false, schema: schemaOf(content) }] : [];
  return {
    ...rest,
    consumes: Object.keys(content ?? { '*/*': 0 }),
    produces: [...new Set(produced)],
    parameters: [...body, ...((parameters ?? []) as Json[]).map(toParameter)],
    responses: Object.fromEntries(answers.map(([code, answer]) => [code, toResponse(answer as Json)])),
  };
}

function toResponse({ description, content }: Json): Json {
  return { description, ...(isJson(content) && { schema: schemaOf(content) }) };
}

function schemaOf(content: Json): unknown {
  const [first] = Object.values(content);
  return toSchema((first as { schema?: unknown } | undefined)?.schema);
}

function toParameter({ schema, ...rest }: Json): Json {
  return { ...rest, ...(schema as Json) };
}
