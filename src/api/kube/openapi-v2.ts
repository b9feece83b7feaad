/**
 * The OpenAPI v2 document of everything that is served, made from the v3 one, for clients that know no v3
 * (kubectl before 1.27). They ask for it as protobuf only; `openapi-v2-protobuf.ts` writes that.
 */
import type { Schema } from './openapi-schemas.ts';
import { type OpenApiResource, openApiV3 } from './openapi.ts';

const v3Prefix = '#/components/schemas/';
const methods = ['get', 'put', 'post', 'delete', 'patch'];
const answers = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];

function isSchema(value: unknown): value is Schema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @param resources those of every group version */
export function openApiV2(resources: readonly OpenApiResource[], serverVersion: string): Schema {
  const v3 = openApiV3(resources, serverVersion);
  const schemas = (v3['components'] as { schemas: { [name: string]: Schema } }).schemas;
  const paths = v3['paths'] as { [path: string]: Schema };
  return {
    swagger: '2.0',
    info: v3['info'],
    paths: mapValues(paths, pathItem),
    definitions: mapValues(schemas, schemaV2),
    securityDefinitions: { BearerToken: { type: 'apiKey', description: 'Bearer Token authentication', name: 'authorization', in: 'header' } },
  };
}

function mapValues<T, R>(object: { [key: string]: T }, change: (value: T) => R): { [key: string]: R } {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}

/** No `oneOf`, and a reference stands beside its description. */
function schemaV2(schema: Schema): Schema {
  const { allOf, oneOf, $ref, properties, items, additionalProperties, ...rest } = schema;
  const target = Array.isArray(allOf) ? (allOf[0] as Schema)['$ref'] : $ref;
  return {
    ...rest,
    ...(typeof target === 'string' ? { $ref: target.replace(v3Prefix, '#/definitions/') } : {}),
    // A number or a text: the text has the last word, as the older clients expect.
    ...(oneOf === undefined ? {} : { type: 'string' }),
    ...(isSchema(properties) ? { properties: mapValues(properties as { [key: string]: Schema }, schemaV2) } : {}),
    ...(isSchema(items) ? { items: schemaV2(items) } : {}),
    ...(isSchema(additionalProperties) ? { additionalProperties: schemaV2(additionalProperties) } : {}),
  };
}

function pathItem(item: Schema): Schema {
  const operations = methods.filter((method) => item[method] !== undefined).map((method) => [method, operation(item[method] as Schema)]);
  return { ...Object.fromEntries(operations), parameters: parameters(item['parameters']) };
}

function parameters(list: unknown): Schema[] {
  return ((list ?? []) as Schema[]).map(({ schema, ...parameter }) => ({ ...parameter, ...(schema as Schema) }));
}

interface Content {
  content?: { [type: string]: { schema: Schema } };
}

function operation(v3: Schema): Schema {
  const { requestBody, responses, parameters: list, ...rest } = v3;
  const body = (requestBody as Content | undefined)?.content;
  const [schema] = Object.values(body ?? {});
  const given = schema === undefined ? [] : [{ name: 'body', in: 'body', required: true, schema: schemaV2(schema.schema) }];
  return {
    ...rest,
    consumes: body === undefined ? ['*/*'] : Object.keys(body),
    produces: answers,
    parameters: [...given, ...parameters(list)],
    responses: mapValues(responses as { [code: string]: Schema & Content }, ({ description, content }) => {
      const [answer] = Object.values(content ?? {});
      return { description, ...(answer === undefined ? {} : { schema: schemaV2(answer.schema) }) };
    }),
  };
}
