/** `/openapi/v3`: an index of documents, one for each group version; `/openapi/v2`: all in one. Made when first asked for. */
import { createHash } from 'node:crypto';
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

const allInOne = new WeakMap<ResourceTable, Buffer>();

export const openApiRoutes: readonly PathRoute[] = [
  {
    path: '/openapi/v2',
    serve: async (exchange) => {
      requireJson(exchange);
      const { resources } = exchange.server.core;
      let bytes = allInOne.get(resources);
      if (!bytes) {
        const documents = [...documentsOf(resources).values()].map((document) => JSON.parse(document.bytes.toString()) as { [key: string]: unknown });
        bytes = Buffer.from(JSON.stringify(openApiV2(documents, gitVersion())));
        allInOne.set(resources, bytes);
      }
      await sendTagged(exchange, 'application/json', bytes);
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

function requireJson({ request }: Exchange): void {
  const takes = parseAccept(request.headers.accept ?? '').some(({ type }) => ['application/json', 'application/*', '*/*'].includes(type));
  if (!takes) throw notAcceptable(['application/json']);
}
