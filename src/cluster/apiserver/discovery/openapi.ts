/** `/openapi/v3`: an index of documents, one for each group version; `/openapi/v2`: all in one. Made when first asked for. */
import { createHash } from 'node:crypto';
import { encodeOpenApiV2, openApiV2AskedType, openApiV2MediaType } from '#api/kube/openapi-v2-protobuf.ts';
import { openApiV3 } from '#api/kube/openapi.ts';
import { apiVersionOf } from '#api/kube/types.ts';
import type { Exchange } from '../http/exchange.ts';
import { parseAccept } from '../http/negotiate.ts';
import type { ResourceTable } from '../resource-table.ts';
import { notAcceptable, noSuchPath } from '../status.ts';
import type { PathRoute } from './routes.ts';
import { sendTagged } from './routes.ts';
import { openApiV2 } from './openapi-v2.ts';
import { gitVersion } from './version.ts';

const root = '/openapi/v3';

interface Document {
  bytes: Buffer;
  /** Upper-case hexadecimal; part of the document's address, so that clients may keep it for ever. */
  hash: string;
}

const documents = new WeakMap<ResourceTable, Map<string, Document>>();

/** By path (`api/v1`, `apis/apps/v1`). */
function documentsOf(table: ResourceTable): Map<string, Document> {
  let found = documents.get(table);
  if (!found) {
    found = new Map();
    for (const { group, versions } of table.groups()) {
      for (const version of versions) {
        const bytes = Buffer.from(JSON.stringify(openApiV3(table.of(group, version), gitVersion())));
        const hash = createHash('sha512').update(bytes).digest('hex').toUpperCase();
        found.set(`${group === '' ? 'api' : 'apis'}/${apiVersionOf({ group, version })}`, { bytes, hash });
      }
    }
    documents.set(table, found);
  }
  return found;
}

interface AllInOne {
  json: Buffer;
  protobuf: Buffer;
}

const allInOne = new WeakMap<ResourceTable, AllInOne>();

function allInOneOf(resources: ResourceTable): AllInOne {
  let found = allInOne.get(resources);
  if (!found) {
    const documents = [...documentsOf(resources).values()].map((document) => JSON.parse(document.bytes.toString()) as { [key: string]: unknown });
    const document = openApiV2(documents, gitVersion());
    found = { json: Buffer.from(JSON.stringify(document)), protobuf: Buffer.from(encodeOpenApiV2(document)) };
    allInOne.set(resources, found);
  }
  return found;
}

export const openApiRoutes: readonly PathRoute[] = [
  {
    path: '/openapi/v2',
    serve: async (exchange) => {
      const { json, protobuf } = allInOneOf(exchange.server.core.resources);
      if (takes(exchange, openApiV2AskedType, openApiV2MediaType)) return sendTagged(exchange, openApiV2MediaType, protobuf);
      requireJson(exchange);
      await sendTagged(exchange, 'application/json', json);
    },
  },
  {
    path: root,
    serve: async (exchange) => {
      const entries = [...documentsOf(exchange.server.core.resources)];
      const paths = Object.fromEntries(entries.map(([path, { hash }]) => [path, { serverRelativeURL: `${root}/${path}?hash=${hash}` }]));
      await sendTagged(exchange, 'application/json', Buffer.from(JSON.stringify({ paths })));
    },
  },
  {
    path: `${root}/`,
    serve: async (exchange) => {
      const document = documentsOf(exchange.server.core.resources).get(exchange.info.path.slice(root.length + 1));
      if (!document) throw noSuchPath();
      requireJson(exchange);
      const asked = exchange.info.query.get('hash');
      if (asked !== null && asked !== document.hash) {
        exchange.response.writeHead(301, { location: `${exchange.info.path}?hash=${document.hash}` }).end();
        return;
      }
      await sendTagged(exchange, 'application/json', document.bytes);
    },
  },
];

function takes({ request }: Exchange, ...types: string[]): boolean {
  return parseAccept(request.headers.accept ?? '').some(({ type }) => types.includes(type));
}

function requireJson(exchange: Exchange): void {
  if (!takes(exchange, 'application/json', 'application/*', '*/*')) throw notAcceptable(['application/json']);
}
